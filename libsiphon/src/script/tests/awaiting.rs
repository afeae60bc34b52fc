//! `async def` handlers: commits at awaits, cancellation, our awaitables and those of asyncio.

use super::fixture::{Rig, load, question, response};
use super::verdicts::invite;
use crate::base::time::Duration;
use crate::policy::{Decision, Outcome};
use crate::script::LogLevel;

fn handler(body: &str) -> Rig {
    let body = body.trim_matches('\n').lines().map(|l| format!("    {l}\n")).collect::<String>();
    load(&format!(
        "from siphon import proxy, cache, timer, log, registrar, Cancelled, TransactionEnded\nimport asyncio as aio\nseen = []\n@proxy.on_request\nasync def route(request):\n{body}"
    )
    .replace("import asyncio as aio\n", if body.contains("aio.") { "import asyncio as aio\n" } else { "" }))
}

fn code(verdict: &crate::policy::Verdict) -> u16 {
    match &verdict.decision {
        Some(Decision::Reply(spec)) => spec.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_handler_that_never_waits_answers_at_once() {
    let mut rig = handler(
        "await cache.store('c', 'k', 'v')\nassert await cache.fetch('c', 'k') == 'v'\nrequest.reply(200)",
    );
    assert_eq!(code(&rig.request(&invite())), 200);
    assert_eq!(rig.policy.pending(), 0);
}

#[test]
fn what_is_recorded_before_an_await_is_committed_there() {
    let mut rig = handler("request.relay()\nawait timer.sleep('40s')\nlog.info('later')");
    let ticket = rig.begin(question(&invite()));
    let (of, verdict) = rig.verdicts.pop().expect("committed at the await");
    assert!(of == ticket && !verdict.finished && matches!(verdict.decision, Some(Decision::Relay(_))));
    rig.pass(39_999);
    assert_eq!((rig.verdicts.len(), rig.policy.pending()), (0, 1));
    rig.pass(1);
    let (_, verdict) = rig.verdicts.pop().expect("finished");
    assert!(verdict.finished && verdict.decision.is_none());
    assert_eq!(rig.logged(LogLevel::Info), ["later"]);
    assert_eq!(rig.policy.pending(), 0);
}

#[test]
fn nothing_recorded_means_no_answer_until_the_end() {
    let mut rig = handler("await timer.sleep(0.01)\nrequest.reply(404)");
    rig.begin(question(&invite()));
    assert!(rig.verdicts.is_empty());
    use crate::policy::Policy;
    assert_eq!(rig.policy.deadline(), Some(rig.now + Duration::from_millis(10)));
    rig.pass(10);
    assert_eq!(code(&rig.verdicts.pop().expect("answered").1), 404);
}

#[test]
fn an_exception_after_a_committed_relay_is_logged_and_answers_nothing() {
    let mut rig = handler("request.relay()\nawait timer.sleep(1)\n1/0");
    rig.begin(question(&invite()));
    rig.verdicts.clear();
    rig.pass(1000);
    let (_, verdict) = rig.verdicts.pop().expect("finished");
    assert!(verdict.decision.is_none());
    let log = rig.log();
    assert!(
        log[0].text.contains("ZeroDivisionError") && log[0].call_id.as_deref() == Some("call-1@host"),
        "{log:?}"
    );
}

#[test]
fn an_edit_after_a_committed_relay_raises() {
    let mut rig = handler("request.relay()\nawait timer.sleep(1)\nrequest.set_header('X', 'y')");
    rig.begin(question(&invite()));
    rig.pass(1000);
    assert!(rig.logged(LogLevel::Error)[0].contains("before relay()"));
}

#[test]
fn a_second_decision_after_a_commit_names_both_lines() {
    let mut rig = handler("request.relay()\nawait timer.sleep(1)\nrequest.reply(486)");
    rig.begin(question(&invite()));
    rig.pass(1000);
    let (_, verdict) = rig.verdicts.pop().expect("finished");
    assert!(verdict.decision.is_none(), "{verdict:?}");
    let text = &rig.logged(LogLevel::Error)[0];
    assert!(text.contains("script.py:5") && text.contains("script.py:7"), "{text}");
}

#[test]
fn a_withdrawn_handler_gets_cancelled_at_its_await_and_its_verbs_raise() {
    let mut rig = handler(
        "try:\n    await timer.sleep(3600)\nexcept Cancelled:\n    log.info('cancelled')\n    try:\n        request.reply(200)\n    except TransactionEnded:\n        log.info('ended')\n    raise",
    );
    let ticket = rig.begin(question(&invite()));
    rig.withdraw(ticket);
    assert!(rig.verdicts.is_empty(), "{:?}", rig.verdicts);
    assert_eq!(rig.policy.pending(), 0);
    assert_eq!(rig.logged(LogLevel::Info), ["cancelled", "ended"], "{:?}", rig.log());
    assert_eq!(rig.log().len(), 2, "that it does not catch it for good is no error: {:?}", rig.log());
    rig.pass(4_000_000);
    assert!(rig.verdicts.is_empty());
}

#[test]
fn a_request_of_our_own_is_sent_at_the_await_and_its_response_comes_back() {
    let mut rig = handler(
        "r = await proxy.send_request('OPTIONS', 'sip:x@192.0.2.9', headers={'X-A': 'b'}, wait_for_response=True, timeout_ms=500)\nrequest.reply(r.status_code if r else 504)",
    );
    rig.begin(question(&invite()));
    let (wait, sent) = rig.sent.pop().expect("sent");
    assert_eq!(
        (&*sent.method, &*sent.ruri, sent.timeout),
        ("OPTIONS", "sip:x@192.0.2.9", Duration::from_millis(500))
    );
    let wait = wait.expect("somebody waits");
    rig.resume(wait, Outcome::Response(response(&invite(), "486 Busy Here")));
    assert_eq!(code(&rig.verdicts.pop().expect("answered").1), 486);
    rig.begin(question(&invite()));
    let wait = rig.sent.pop().and_then(|s| s.0).expect("somebody waits");
    rig.resume(wait, Outcome::Failed("timeout"));
    assert_eq!(code(&rig.verdicts.pop().expect("answered").1), 504);
}

#[test]
fn a_request_nobody_waits_for_leaves_with_the_verdict_and_not_after_an_exception() {
    let mut rig = handler("await proxy.send_request('OPTIONS', 'sip:x@192.0.2.9')\nrequest.reply(200)");
    rig.begin(question(&invite()));
    assert_eq!(rig.sent.len(), 1);
    let mut rig = handler("await proxy.send_request('OPTIONS', 'sip:x@192.0.2.9')\n1/0");
    rig.begin(question(&invite()));
    assert!(rig.sent.is_empty());
}

#[test]
fn an_awaitable_of_ours_has_no_truth_value() {
    let mut rig = handler("if cache.fetch('c', 'k'):\n    pass\nrequest.reply(200)");
    match rig.request(&invite()).decision {
        Some(Decision::Failed(text)) => {
            assert!(text.contains("TypeError") && text.contains("await it"), "{text}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn in_a_plain_def_the_same_calls_give_their_value() {
    let mut rig = super::verdicts::handler(
        "cache.store('c', 'k', 'v')\nassert cache.fetch('c', 'k') == 'v'\nassert registrar.aor_count() == 0\nrequest.reply(200)",
    );
    assert_eq!(rig.replied(&invite()), 200);
}

#[test]
fn a_handler_that_uses_asyncio_runs_on_its_loop_and_commits_at_each_await() {
    let mut rig = handler(
        "request.relay()\nawait aio.sleep(0.01)\na, b = await aio.gather(aio.sleep(0.01, 1), cache.fetch('c', 'nope'))\nassert (a, b) == (1, None)\nassert aio.current_task() is not None\nlog.info('done')",
    );
    rig.begin(question(&invite()));
    rig.await_verdicts(2);
    assert!(!rig.verdicts[0].1.finished && matches!(rig.verdicts[0].1.decision, Some(Decision::Relay(_))));
    assert!(
        rig.verdicts[1].1.finished && rig.verdicts[1].1.decision.is_none(),
        "{:?} {:?}",
        rig.verdicts,
        rig.log()
    );
    assert_eq!(
        rig.log().last().map(|l| (l.text.clone(), l.call_id.clone())),
        Some(("done".into(), Some("call-1@host".into())))
    );
    assert_eq!(rig.policy.pending(), 0);
}

#[test]
fn a_request_of_our_own_can_be_awaited_on_the_asyncio_loop() {
    let mut rig = handler(
        "await aio.sleep(0)\nr = await proxy.send_request('OPTIONS', 'sip:x@192.0.2.9', wait_for_response=True)\nrequest.reply(r.status_code)",
    );
    rig.begin(question(&invite()));
    for _ in 0..100 {
        rig.pass(0);
        if !rig.sent.is_empty() {
            break;
        }
        std::thread::yield_now();
        rig.await_bell();
    }
    let wait = rig.sent.pop().and_then(|s| s.0).expect("sent, and somebody waits");
    rig.resume(wait, Outcome::Response(response(&invite(), "404 Not Found")));
    rig.await_verdicts(1);
    assert_eq!(code(&rig.verdicts[0].1), 404);
}

#[test]
fn withdrawing_a_handler_on_the_asyncio_loop_cancels_it() {
    let mut rig = handler(
        "log.debug('started')\ntry:\n    await aio.sleep(3600)\nexcept Cancelled:\n    log.info('cancelled')",
    );
    let wait_for = |rig: &Rig, line: &str| {
        for _ in 0..1000 {
            if rig.log().iter().any(|l| l.text == line) {
                return;
            }
            rig.await_bell();
        }
        panic!("{:?}", rig.log());
    };
    let ticket = rig.begin(question(&invite()));
    wait_for(&rig, "started");
    rig.withdraw(ticket);
    wait_for(&rig, "cancelled");
    let ticket = rig.begin(question(&invite()));
    rig.withdraw(ticket);
    assert_eq!(rig.policy.pending(), 0);
}

#[test]
fn more_parked_handlers_than_allowed_are_answered_503() {
    let mut settings = super::fixture::settings(
        "from siphon import proxy, timer\n@proxy.on_request\nasync def f(request):\n    await timer.sleep(1)\n    request.reply(200)\n",
    );
    settings.max_parked = 2;
    let mut rig = super::fixture::try_load(settings).unwrap();
    for _ in 0..3 {
        rig.begin(question(&invite()));
    }
    assert_eq!(rig.verdicts.len(), 1);
    assert_eq!(code(&rig.verdicts.pop().unwrap().1), 503);
    assert_eq!(rig.logged(LogLevel::Error).len(), 1);
    rig.pass(1000);
    assert_eq!(rig.verdicts.len(), 2);
}
