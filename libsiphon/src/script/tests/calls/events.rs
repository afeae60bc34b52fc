//! What happens to a call after its INVITE, and what can be said to it.

use super::super::fixture::{message, response};
use super::{actions, begun, failed, happened, invite, with};
use crate::policy::call::ReferMode;
use crate::policy::{CallAction, CallEvent, Decision, Initiator, Interest, ReplySpec};
use crate::script::LogLevel;

fn ringing() -> CallEvent {
    CallEvent::EarlyMedia { reply: response(&invite(), "183 Session Progress") }
}

fn answered() -> CallEvent {
    CallEvent::Answered { reply: response(&invite(), "200 OK") }
}

fn gone_wrong(code: u16, reason: &str) -> CallEvent {
    CallEvent::Failed { code, reason: reason.into(), reply: None }
}

fn refer() -> CallEvent {
    let request = message(
        "REFER sip:sbc@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nMax-Forwards: 70\nFrom: <sip:alice@example.com>;tag=a1\nTo: <sip:bob@example.com>;tag=b1\nCall-ID: call-1@host\nCSeq: 2 REFER\nRefer-To: <sip:carol@example.com?Replaces=x%40h%3Bto-tag%3D1%3Bfrom-tag%3D2>",
    );
    CallEvent::Refer { from: Initiator::Callee, request }
}

#[test]
fn a_script_is_asked_what_it_has_handlers_for() {
    for (decorator, arguments, wanted) in [
        ("on_early_media", "call, reply", Interest { early_media: true, ..Interest::default() }),
        ("on_answer", "call, reply", Interest { answers: true, ..Interest::default() }),
        ("on_failure", "call, code, reason", Interest { failures: true, ..Interest::default() }),
        ("on_bye", "call, initiator", Interest { byes: true, ..Interest::default() }),
        ("on_refer", "call", Interest { refers: true, ..Interest::default() }),
        ("on_cancel", "call", Interest { cancels: true, ..Interest::default() }),
    ] {
        let verdict = begun(&mut with(decorator, arguments, "pass"));
        assert_eq!((verdict.interest, verdict.keep.is_none()), (wanted, true), "{decorator}");
    }
}

#[test]
fn early_media_passes_with_edits_unless_it_is_dropped_or_rejected() {
    let early = |body: &str| happened(&mut with("on_early_media", "call, reply", body), ringing());
    let verdict = early("assert reply.status_code == 183 and call.state == 'answered'");
    assert!(verdict.decision.is_none() && verdict.message.is_none());
    let verdict = early("reply.set_header('X-A', 1)");
    assert!(verdict.decision.is_none() && verdict.message.expect("edited").header_named("X-A").is_some());
    assert!(matches!(early("reply.drop()").decision, Some(Decision::Drop)));
    let rejected = early("reply.reject(480)");
    assert_eq!(actions(&rejected), [CallAction::Reject(ReplySpec::code(480))]);
    let both = early("reply.set_header('X-A', 1)\ncall.progress(180)");
    assert!(both.message.is_some() && matches!(actions(&both), [CallAction::Progress(_)]));
}

#[test]
fn verbs_beside_a_dropped_reply_are_told_to_have_no_effect() {
    let mut rig = with("on_early_media", "call, reply", "reply.drop()\ncall.progress(180)");
    assert!(matches!(happened(&mut rig, ringing()).decision, Some(Decision::Drop)));
    assert!(rig.logged(LogLevel::Error)[0].contains("stands alone"), "{:?}", rig.log());
}

#[test]
fn an_answer_can_be_edited_or_the_call_ended_instead() {
    let answer = |body: &str| happened(&mut with("on_answer", "call, reply", body), answered());
    let verdict = answer(
        "assert call.media.is_active\nreply.remove_header('Server')\ncall.refer('sip:carol@example.com', to='callee')",
    );
    assert!(verdict.message.expect("edited").header_named("Server").is_none());
    let verdict = answer("call.refer('sip:carol@example.com', replaces='x@h;to-tag=1;from-tag=2')");
    let [CallAction::Refer { to: Initiator::Caller, target }] = actions(&verdict) else {
        panic!("{verdict:?}")
    };
    assert_eq!(&**target, "<sip:carol@example.com?Replaces=x%40h%3Bto-tag%3D1%3Bfrom-tag%3D2>");
    assert_eq!(actions(&answer("call.terminate('no credit')")), [CallAction::Terminate("no credit".into())]);
    assert!(failed(&answer("reply.drop()")).contains("ValueError"));
    assert!(failed(&answer("call.set_header('X', 1)")).contains("edited in on_invite and on_failure"));
    assert!(failed(&answer("call.dial('sip:x@192.0.2.9')")).contains("belongs to on_invite, on_failure"));
}

#[test]
fn when_every_target_failed_the_script_may_dial_again_reject_or_do_nothing() {
    let after = |body: &str| {
        let body = format!("assert (code, reason) == (503, 'media') and call.ruri.is_local\n{body}");
        happened(&mut with("on_failure", "call, code, reason", &body), gone_wrong(503, "media"))
    };
    let verdict = after("call.set_header('X-Try', 2)\ncall.dial('sip:y@192.0.2.9')");
    assert!(
        matches!(actions(&verdict), [CallAction::Dial(dial)] if dial.headers.own.len() == 1),
        "{verdict:?}"
    );
    assert!(verdict.message.expect("edited").header_named("X-Try").is_some());
    assert!(matches!(actions(&after("call.reject(600)")), [CallAction::Reject(spec)] if spec.code == 600));
    assert!(after("pass").decision.is_none());
}

#[test]
fn the_end_of_a_call_is_told_with_who_ended_it() {
    for (initiator, side) in
        [(Initiator::Caller, "a"), (Initiator::Callee, "b"), (Initiator::Siphon, "siphon")]
    {
        let body = format!(
            "call.media.release()\nassert initiator.side == {side:?} and initiator == str(initiator) and initiator != 'x'\nassert hash(initiator) and isinstance(initiator, ByeInitiator)\nlog.info(f'{{call.id}} ended by {{initiator}}')"
        );
        let mut rig = with("on_bye", "call, initiator", &body);
        let verdict = happened(&mut rig, CallEvent::Bye { initiator });
        assert_eq!(actions(&verdict), [CallAction::Release]);
        assert_eq!(rig.logged(LogLevel::Info), [format!("c-1 ended by {}", initiator.label())]);
    }
}

#[test]
fn a_handler_of_the_end_that_raises_is_logged_and_fails_nothing() {
    let mut rig = with("on_bye", "call, initiator", "call.reject(486)");
    assert!(happened(&mut rig, CallEvent::Bye { initiator: Initiator::Caller }).decision.is_none());
    let told = rig.logged(LogLevel::Error);
    assert!(told[0].contains("call.reject() belongs to on_invite"), "{told:?}");
}

#[test]
fn a_caller_who_gives_up_is_told_of() {
    let mut rig = with("on_cancel", "call", "log.info('gone', who=call.from_uri.user)");
    assert!(happened(&mut rig, CallEvent::Cancelled).decision.is_none());
    let line = rig.log().remove(0);
    assert_eq!((line.text.as_str(), line.call_id.as_deref()), ("gone", Some("call-1@host")));
    let fields: Vec<(&str, &str)> = line.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(fields, [("who", "alice"), ("call", "c-1")]);
}

#[test]
fn a_transfer_shows_its_target_and_is_accepted_refused_or_left_to_the_node() {
    let asked = |body: &str| happened(&mut with("on_refer", "call", body), refer());
    let shown = "assert call.refer_to == 'sip:carol@example.com' and call.refer_from == 'callee'\nassert call.refer_replaces == 'x@h;to-tag=1;from-tag=2'";
    assert!(asked(shown).decision.is_none());
    let accepted = CallAction::AcceptRefer { target: None, mode: None };
    assert_eq!(actions(&asked("call.accept_refer()")), [accepted]);
    let verdict = asked("call.accept_refer(next_hop='sip:192.0.2.7', mode='transparent')");
    let [CallAction::AcceptRefer { target: Some(target), mode }] = actions(&verdict) else {
        panic!("{verdict:?}")
    };
    assert_eq!((&*target.uri, target.next_hop.as_deref()), ("sip:carol@example.com", Some("sip:192.0.2.7")));
    assert_eq!(*mode, Some(ReferMode::Transparent));
    assert!(
        matches!(actions(&asked("call.reject_refer(403, 'No')")), [CallAction::RejectRefer(spec)] if spec.code == 403)
    );
    assert!(failed(&asked("call.accept_refer(mode='reject')")).contains("reject_refer() refuses"));
}

#[test]
fn a_handler_of_a_call_that_raises_is_a_failure_of_its_question() {
    let verdict = happened(&mut with("on_answer", "call, reply", "1/0"), answered());
    let text = failed(&verdict);
    assert!(text.starts_with("b2bua.on_answer (handler, script.py:5) raised: "), "{text}");
}

#[test]
fn a_question_nobody_has_a_handler_for_goes_its_way() {
    let mut rig = with("on_bye", "call, initiator", "pass");
    assert!(happened(&mut rig, answered()).decision.is_none());
    assert_eq!(rig.ran, 0);
}
