//! Which handler an INVITE goes to, and the rules between verbs.

use super::super::fixture::{question, request};
use super::{actions, begun, done, failed, invite, may_call, on_invite, sbc};
use crate::base::time::Duration;
use crate::policy::call::SessionRefresher;
use crate::policy::{CallAction, Decision, ReplySpec, Target};
use crate::script::LogLevel;

#[test]
fn an_invite_that_may_begin_a_call_goes_to_on_invite_and_everything_else_to_on_request() {
    let mut rig = sbc(
        "@proxy.on_request\ndef route(request):\n    request.reply(405)\n@b2bua.on_invite\ndef on_invite(call):\n    call.dial('sip:x@192.0.2.9')\n",
    );
    assert!(matches!(actions(&begun(&mut rig)), [CallAction::Dial(_)]));
    assert_eq!(rig.replied(&request("OPTIONS", "sip:example.com", "")), 405);
    // Inside a dialog that is proxied, or where this node makes no calls.
    assert_eq!(rig.replied(&invite()), 405);
}

#[test]
fn without_on_invite_an_invite_goes_to_on_request() {
    let mut rig = sbc("@proxy.on_request\ndef route(request):\n    request.relay()\n");
    assert!(matches!(begun(&mut rig).decision, Some(Decision::Relay(_))));
}

#[test]
fn with_on_invite_alone_other_methods_get_the_built_in_policy() {
    let mut rig = on_invite("call.reject(603)");
    let options = request("OPTIONS", "sip:example.com", "");
    assert!(matches!(rig.request(&options).decision, Some(Decision::RoleProcedure)));
}

#[test]
fn deciding_nothing_in_on_invite_is_a_failure_that_says_what_to_do() {
    let verdict = begun(&mut on_invite("call.progress(180)"));
    let text = failed(&verdict);
    assert!(text.contains("on_invite at script.py:2 decided nothing: dial, fork, answer"), "{text}");
}

#[test]
fn a_call_can_be_refused_answered_or_ended_from_here() {
    let busy = ReplySpec { reason: Some("Not Now".into()), ..ReplySpec::code(486) };
    assert_eq!(done("call.reject(486, 'Not Now')"), [CallAction::Reject(busy)]);
    let later = ReplySpec { headers: vec![("Retry-After".into(), "30".into())], ..ReplySpec::code(503) };
    assert_eq!(done("call.reject(503, headers={'Retry-After': 30})"), [CallAction::Reject(later)]);
    let sdp =
        |code| ReplySpec { body: Some(("application/sdp".into(), b"v=0".to_vec())), ..ReplySpec::code(code) };
    let both = [CallAction::Progress(sdp(183)), CallAction::Answer(sdp(200))];
    assert_eq!(done("call.progress(183, body='v=0')\ncall.answer(200, body=b'v=0')"), both);
    assert_eq!(done("call.terminate()"), [CallAction::Terminate("Normal Clearing".into())]);
    for wrong in
        ["call.reject(200)", "call.answer(180)", "call.progress(100)", "call.reject(486, 'a\\r\\nb')"]
    {
        let verdict = begun(&mut on_invite(wrong));
        assert!(failed(&verdict).contains("ValueError"), "{wrong}: {verdict:?}");
    }
}

#[test]
fn a_second_decision_about_a_call_is_logged_with_both_lines_and_the_first_stands() {
    let mut rig = on_invite("call.reject(486)\ncall.dial('sip:x@192.0.2.9')");
    let verdict = begun(&mut rig);
    assert_eq!(actions(&verdict), [CallAction::Reject(ReplySpec::code(486))]);
    assert_eq!(verdict.script_line.as_deref(), Some("script.py:4"));
    let text = "dial() at script.py:5 comes after the decision at script.py:4, which stands";
    assert_eq!(rig.logged(LogLevel::Error), [text]);
}

#[test]
fn an_exception_drops_what_was_recorded_of_a_call_and_is_a_failure() {
    let mut rig = on_invite(
        "call.set_header('X-A', 1)\ncall.vars['a'] = 1\ncall.media.anchor()\ncall.dial('sip:x@192.0.2.9')\n1/0",
    );
    let verdict = begun(&mut rig);
    let text = failed(&verdict);
    assert!(text.starts_with("b2bua.on_invite") && text.contains("ZeroDivisionError"), "{text}");
    assert_eq!(verdict.script_line.as_deref(), Some("script.py:8"));
    assert!(verdict.message.is_none());
}

#[test]
fn what_is_recorded_of_a_call_is_committed_at_each_await_and_edits_after_a_dial_raise() {
    let mut rig = sbc(
        "@b2bua.on_invite\nasync def on_invite(call):\n    call.progress(183)\n    await timer.sleep(1)\n    call.dial('sip:x@192.0.2.9')\n    await timer.sleep(1)\n    try:\n        call.set_header('X', 1)\n    except RuntimeError as e:\n        log.info(str(e))\n    call.vars['late'] = True\n",
    );
    let ticket = rig.begin(may_call(&invite()));
    let (of, verdict) = rig.verdicts.pop().expect("committed at the await");
    assert!(of == ticket && !verdict.finished);
    assert_eq!(actions(&verdict), [CallAction::Progress(ReplySpec::code(183))]);
    rig.pass(1000);
    let (_, verdict) = rig.verdicts.pop().expect("dialled");
    assert!(!verdict.finished && matches!(actions(&verdict), [CallAction::Dial(_)]));
    rig.pass(1000);
    let (_, verdict) = rig.verdicts.pop().expect("finished");
    assert!(verdict.finished && matches!(actions(&verdict), [CallAction::SetVars(_)]), "{verdict:?}");
    assert_eq!(rig.logged(LogLevel::Info), ["the call was dialled already: edit it before dial() or fork()"]);
}

#[test]
fn a_caller_who_gives_up_while_on_invite_is_parked_ends_it() {
    let mut rig = sbc(
        "from siphon import Cancelled, TransactionEnded\n@b2bua.on_invite\nasync def on_invite(call):\n    try:\n        await timer.sleep(9)\n    except Cancelled:\n        try:\n            call.dial('sip:x@192.0.2.9')\n        except TransactionEnded:\n            log.info('gone')\n",
    );
    let ticket = rig.begin(may_call(&invite()));
    rig.withdraw(ticket);
    assert_eq!(rig.logged(LogLevel::Info), ["gone"]);
    assert!(rig.verdicts.is_empty() && rig.policy.pending() == 0);
}

#[test]
fn a_handler_of_a_call_that_waits_runs_in_the_lane() {
    let mut rig = sbc(
        "import time\n@b2bua.on_invite\ndef on_invite(call):\n    time.sleep(0.001)\n    call.reject(603)\n",
    );
    rig.begin(may_call(&invite()));
    rig.await_verdicts(1);
    assert_eq!(actions(&rig.verdicts[0].1), [CallAction::Reject(ReplySpec::code(603))]);
}

#[test]
fn failed_checks_of_a_call_have_decided() {
    let mut rig = on_invite("if auth.require_proxy_digest(call):\n    call.dial('sip:x@192.0.2.9')");
    let verdict = begun(&mut rig);
    assert!(matches!(actions(&verdict), [CallAction::Reject(spec)] if spec.code == 407), "{verdict:?}");
    let known = request("INVITE", "sip:bob@example.com", "Proxy-Authorization: good alice");
    let verdict = rig.ask(may_call(&known));
    // Who it is goes with the call.
    assert!(matches!(actions(&verdict), [CallAction::SetVars(_), CallAction::Dial(_)]), "{verdict:?}");
    let body = "if proxy.rate_limit(call, 10, 0): call.dial('sip:x@192.0.2.9')";
    assert!(matches!(&done(body)[..], [CallAction::Reject(spec)] if spec.code == 503));
    assert!(
        matches!(&done("assert proxy.sanity_check(call)\nassert not auth.verify_digest(call)\nassert not auth.require_digest(call)")[..], [CallAction::Reject(spec)] if spec.code == 401)
    );
}

#[test]
fn what_a_call_is_to_do_later_is_recorded_in_order() {
    let body = "call.keep_call_id()\ncall.session_timer(1800, min_se='2m', refresher='b2bua')\ncall.set_credentials('u', 'p')\ncall.max_duration('1h')\ncall.media.anchor(profile='srtp_to_rtp')\ncall.media.anchor()\ncall.dial('sip:x@192.0.2.9')";
    let all = done(body);
    let timer = CallAction::SessionTimer {
        expires: Duration::from_secs(1800),
        min_se: Duration::from_secs(120),
        refresher: SessionRefresher::B2bua,
    };
    let credentials = CallAction::Credentials { username: "u".into(), password: "p".into() };
    let hour = CallAction::MaxDuration(Duration::from_secs(3600));
    let anchor = CallAction::Anchor { profile: None };
    assert_eq!(all[..5], [CallAction::KeepCallId, timer, credentials, hour, anchor]);
    assert_eq!(all.len(), 6);
    for wrong in [
        "call.session_timer(60)",
        "call.session_timer(1800, min_se=30)",
        "call.session_timer(900, refresher='me')",
    ] {
        assert!(failed(&begun(&mut on_invite(wrong))).contains("ValueError"), "{wrong}");
    }
}

#[test]
fn a_verb_at_the_wrong_moment_raises_and_names_the_right_one() {
    let verdict = begun(&mut on_invite("call.accept_refer()"));
    let text = failed(&verdict);
    assert!(text.contains("call.accept_refer() belongs to on_refer; this is on_invite"), "{text}");
}

#[test]
fn a_question_of_another_node_is_no_call_of_ours() {
    let mut rig = on_invite("call.dial('sip:x@192.0.2.9')");
    let verdict = rig.ask(question(&invite()));
    assert!(matches!(verdict.decision, Some(Decision::RoleProcedure)), "{verdict:?}");
    let target = Target::uri("sip:x@192.0.2.9");
    assert!(matches!(actions(&begun(&mut rig)), [CallAction::Dial(dial)] if dial.targets == [target]));
}
