//! Handlers that wait or take long, and what ends handlers in odd ways.

use super::fixture::{Rig, load, question, settings, try_load};
use super::verdicts::{handler, invite};
use crate::policy::{Decision, Outcome};
use crate::script::{LogLevel, SyncMode};

fn code(verdict: &crate::policy::Verdict) -> u16 {
    match &verdict.decision {
        Some(Decision::Reply(spec)) => spec.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_handler_that_reaches_a_waiting_call_runs_in_the_lane() {
    for (imports, body) in [
        ("import time", "time.sleep(0.001)"),
        ("from time import sleep", "sleep(0.001)"),
        ("import time\ndef deeper(): time.sleep(0.001)\ndef deep(): deeper()", "deep()"),
        ("", "import time; time.sleep(0.001)"),
    ] {
        let mut rig = load(&format!(
            "from siphon import proxy\n{imports}\n@proxy.on_request\ndef f(request):\n    {body}\n    request.reply(486)\n"
        ));
        rig.begin(question(&invite()));
        assert!(rig.verdicts.is_empty(), "not on the shard's thread: {body}");
        rig.await_verdicts(1);
        assert_eq!(code(&rig.verdicts[0].1), 486);
        assert_eq!(rig.policy.pending(), 0);
    }
}

#[test]
fn a_waiting_call_blocks_in_the_lane_until_its_outcome() {
    let mut rig = handler(
        "r = proxy.send_request('OPTIONS', 'sip:x@192.0.2.9', wait_for_response=True)\nrequest.reply(r.status_code)",
    );
    rig.begin(question(&invite()));
    for _ in 0..200 {
        rig.pass(0);
        if !rig.sent.is_empty() {
            break;
        }
        rig.await_bell();
    }
    let wait = rig.sent.pop().and_then(|s| s.0).expect("sent, and somebody waits");
    rig.resume(wait, Outcome::Response(super::fixture::response(&invite(), "480 Away")));
    rig.await_verdicts(1);
    assert_eq!(code(&rig.verdicts[0].1), 480);
}

#[test]
fn a_waiting_call_inline_raises_and_says_what_to_do() {
    let mut set = settings(
        "from siphon import proxy, timer\n@proxy.on_request\ndef f(request):\n    timer.sleep(1)\n    request.reply(200)\n",
    );
    set.sync = SyncMode::Inline;
    let mut rig = try_load(set).unwrap();
    match rig.request(&invite()).decision {
        Some(Decision::Failed(text)) => {
            assert!(text.contains("async def") && text.contains("script.sync"), "{text}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_inline_handler_over_its_budget_is_logged_once_and_runs_in_the_lane_from_then_on() {
    let mut rig = handler("n = 0\nwhile n < 3_000_000: n += 1\nrequest.reply(200)");
    assert_eq!(rig.replied(&invite()), 200);
    let warnings = rig.logged(LogLevel::Warning);
    assert!(warnings.len() == 1 && warnings[0].contains("runs in the lane"), "{warnings:?}");
    rig.begin(question(&invite()));
    assert!(rig.verdicts.is_empty());
    rig.await_verdicts(1);
    assert_eq!(rig.logged(LogLevel::Warning).len(), 1);
}

#[test]
fn a_full_lane_answers_503_and_says_so() {
    let mut set = settings(
        "from siphon import proxy\nimport threading, time\ngate = threading.Event()\n@proxy.on_request('INVITE')\ndef f(request):\n    time.sleep(0)\n    gate.wait(20)\n    request.reply(200)\n@proxy.on_request('OPTIONS')\ndef g(request):\n    gate.set()\n    request.reply(200)\n",
    );
    (set.lane_threads, set.lane_queue) = (1, 1);
    let mut rig = try_load(set).unwrap();
    let mut refused = 0;
    for _ in 0..6 {
        rig.begin(question(&invite()));
        refused = rig.verdicts.len();
    }
    assert!(refused >= 3, "one runs, one waits, perhaps one between: {refused} refused");
    assert!(rig.verdicts.iter().all(|v| code(&v.1) == 503));
    assert_eq!(
        rig.logged(LogLevel::Error),
        ["the lane is full: requests are answered 503 until there is room"]
    );
    // While the lane is busy a handler that would run inline waits for the interpreter on another thread.
    rig.begin(question(&super::fixture::request("OPTIONS", "sip:example.com", "")));
    rig.await_verdicts(7);
}

#[test]
fn beside_a_handler_that_sleeps_others_are_answered() {
    let mut rig = load(
        "from siphon import proxy\nimport time\n@proxy.on_request('INVITE')\ndef slow(request):\n    time.sleep(0.5)\n    request.reply(200)\n@proxy.on_request('OPTIONS')\ndef quick(request):\n    request.reply(404)\n",
    );
    rig.begin(question(&invite()));
    rig.begin(question(&super::fixture::request("OPTIONS", "sip:example.com", "")));
    rig.await_verdicts(1);
    assert_eq!(code(&rig.verdicts[0].1), 404, "the quick one first");
    rig.await_verdicts(2);
    assert_eq!(code(&rig.verdicts[1].1), 200);
}

#[test]
fn verbs_of_a_withdrawn_handler_in_the_lane_raise() {
    let mut rig = load(
        "from siphon import proxy, log, TransactionEnded\nimport time, threading\ngate = threading.Event()\n@proxy.on_request('INVITE')\ndef f(request):\n    time.sleep(0)\n    gate.wait(20)\n    try:\n        request.reply(200)\n    except TransactionEnded:\n        log.info('ended')\n@proxy.on_request('OPTIONS')\ndef g(request):\n    gate.set()\n    request.reply(200)\n",
    );
    let ticket = rig.begin(question(&invite()));
    rig.withdraw(ticket);
    rig.begin(question(&super::fixture::request("OPTIONS", "sip:example.com", "")));
    for _ in 0..200 {
        if rig.logged(LogLevel::Info) == ["ended"] {
            return;
        }
        rig.await_bell();
    }
    panic!("{:?}", rig.log());
}

#[test]
fn exits_and_endless_recursion_end_the_handler_and_not_the_process() {
    for (body, name) in [
        ("import sys; sys.exit(3)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("def f(): return f()\nf()", "RecursionError"),
        ("x = []\nfor _ in range(100000): x = [x]\nrepr(x)", "RecursionError"),
    ] {
        match handler(body).request(&invite()).decision {
            Some(Decision::Failed(text)) => assert!(text.contains(name), "{text}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_regular_expression_of_ours_is_linear() {
    let mut rig: Rig = handler(
        "request.set_header('X-' + 'a' * 5000, 'v')\nrequest.remove_headers_matching('X-(a+)+$')\nrequest.relay()",
    );
    let verdict = rig.request(&invite());
    assert!(matches!(verdict.decision, Some(Decision::Relay(_))), "{verdict:?}");
    let edited = verdict.message.expect("edited");
    assert!(edited.headers().all(|h| !h.name.starts_with("X-aaa")));
}
