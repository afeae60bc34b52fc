//! on_reply, on_failure, on_cancel, and the callbacks of one relay.

use super::fixture::{Rig, load, question};
use super::verdicts::invite;
use crate::policy::{Decision, Interest, Keep, Question, QuestionKind};
use crate::script::LogLevel;

fn script(rest: &str) -> Rig {
    load(&format!(
        "from siphon import proxy, log\n@proxy.on_request\ndef route(request):\n    request.relay()\n{rest}"
    ))
}

fn relay(rig: &mut Rig) -> (Interest, Option<Keep>) {
    let verdict = rig.request(&invite());
    assert!(matches!(verdict.decision, Some(Decision::Relay(_))), "{verdict:?} {:?}", rig.log());
    (verdict.interest, verdict.keep)
}

fn on_reply(body: &str) -> Rig {
    script(&format!("@proxy.on_reply\ndef back(request, reply):\n    {body}\n"))
}

#[test]
fn without_callbacks_nothing_is_asked_or_kept() {
    let (interest, keep) = relay(&mut script(""));
    assert_eq!(interest, Interest::default());
    assert!(keep.is_none());
}

#[test]
fn a_reply_is_forwarded_unless_the_handler_says_otherwise() {
    for body in ["pass", "reply.relay()", "reply.forward()", "request.relay()"] {
        let mut rig = on_reply(body);
        let (interest, keep) = relay(&mut rig);
        assert!(interest.replies && !interest.failures);
        let verdict = rig.reply(&invite(), keep, "180 Ringing");
        assert!(verdict.decision.is_none() && verdict.message.is_none(), "{body}: {verdict:?}");
    }
}

#[test]
fn a_provisional_reply_can_be_dropped_and_a_final_one_cannot() {
    let mut rig = on_reply("reply.drop()");
    let (_, keep) = relay(&mut rig);
    assert!(matches!(rig.reply(&invite(), keep.clone(), "180 Ringing").decision, Some(Decision::Drop)));
    match rig.reply(&invite(), keep, "200 OK").decision {
        Some(Decision::Failed(text)) => assert!(text.contains("ValueError"), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reply_can_be_rejected_with_another_code() {
    let mut rig = on_reply("assert reply.reject(486, 'No') is True");
    let (_, keep) = relay(&mut rig);
    match rig.reply(&invite(), keep, "183 Session Progress").decision {
        Some(Decision::Reply(spec)) => assert_eq!((spec.code, spec.reason.as_deref()), (486, Some("No"))),
        other => panic!("{other:?}"),
    }
}

#[test]
fn edits_of_a_reply_and_reply_headers_go_out_with_it() {
    let mut rig = on_reply(
        "reply.set_header('X-A', 1); reply.remove_header('server'); request.set_reply_header('X-B', 2)",
    );
    let (_, keep) = relay(&mut rig);
    let edited = rig.reply(&invite(), keep, "200 OK").message.expect("an edited reply");
    assert_eq!(edited.header_named("X-A").as_deref(), Some("1"));
    assert_eq!(edited.header_named("X-B").as_deref(), Some("2"));
    assert!(edited.header_named("Server").is_none());
}

#[test]
fn editing_the_request_after_it_was_relayed_raises() {
    let mut rig = on_reply("request.set_header('X', 'y')");
    let (_, keep) = relay(&mut rig);
    match rig.reply(&invite(), keep, "180 Ringing").decision {
        Some(Decision::Failed(text)) => assert!(text.contains("before relay()"), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn on_failure_sees_the_best_response_and_may_fork_on() {
    let mut rig = script(
        "@proxy.on_failure\ndef failed(request, reply):\n    if reply.status_code == 408 and reply.is_local:\n        request.set_header('X-Retry', '1')\n        request.fork(['sip:b@192.0.2.9'])\n",
    );
    let (interest, keep) = relay(&mut rig);
    assert!(interest.failures && !interest.replies);
    let verdict = rig.failure(&invite(), keep.clone(), "408 Request Timeout", true);
    assert!(matches!(verdict.decision, Some(Decision::Fork { .. })));
    assert_eq!(
        verdict.message.and_then(|m| m.header_named("X-Retry").map(|v| v.into_owned())).as_deref(),
        Some("1")
    );
    assert!(
        rig.failure(&invite(), keep, "486 Busy Here", false).decision.is_none(),
        "nothing sends the best up"
    );
}

#[test]
fn a_callback_of_the_relay_replaces_the_global_one() {
    let mut rig = load(
        "from siphon import proxy\n@proxy.on_request\ndef route(request):\n    user = request.ruri.user\n    def mine(request, reply):\n        reply.reject(480, user)\n    request.relay(on_reply=mine)\n@proxy.on_reply\ndef back(request, reply):\n    reply.reject(500)\n",
    );
    let (_, keep) = relay_keep(&mut rig);
    match rig.reply(&invite(), keep, "180 Ringing").decision {
        Some(Decision::Reply(spec)) => assert_eq!((spec.code, spec.reason.as_deref()), (480, Some("bob"))),
        other => panic!("{other:?}"),
    }
    assert!(
        matches!(rig.reply(&invite(), None, "180 Ringing").decision, Some(Decision::Reply(spec)) if spec.code == 500)
    );
}

fn relay_keep(rig: &mut Rig) -> (Interest, Option<Keep>) {
    let verdict = rig.request(&invite());
    (verdict.interest, verdict.keep)
}

#[test]
fn a_callback_with_a_wrong_signature_raises_where_it_is_given() {
    let mut rig = load(
        "from siphon import proxy\n@proxy.on_request\ndef route(request):\n    request.relay(on_failure=lambda x: None)\n",
    );
    match rig.request(&invite()).decision {
        Some(Decision::Failed(text)) => {
            assert!(text.contains("TypeError") && text.contains("(request, reply)"), "{text}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn on_cancel_is_told_and_decides_nothing() {
    let mut rig = script(
        "@proxy.on_cancel\ndef gone(request):\n    log.info('gone', who=request.from_uri.user)\n    request.reply(200)\n",
    );
    let (interest, keep) = relay(&mut rig);
    assert!(interest.cancels);
    let verdict = rig.ask(Question { kind: QuestionKind::Cancelled, keep, ..question(&invite()) });
    assert!(verdict.decision.is_none());
    assert_eq!(rig.logged(LogLevel::Info), ["gone"]);
}

#[test]
fn the_authenticated_user_is_known_to_later_questions() {
    let mut rig = load(
        "from siphon import proxy, auth\n@proxy.on_request\ndef route(request):\n    auth.require_digest(request)\n    request.relay()\n@proxy.on_reply\ndef back(request, reply):\n    reply.set_header('X-User', request.auth_user)\n",
    );
    let message = super::fixture::request("INVITE", "sip:bob@example.com", "Authorization: good alice");
    let keep = rig.request(&message).keep;
    let edited = rig.reply(&message, keep, "200 OK").message.expect("edited");
    assert_eq!(edited.header_named("X-User").as_deref(), Some("alice"));
}
