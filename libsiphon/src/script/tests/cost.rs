//! What a handler costs its shard, in processor time. The figures go to `docs/performance.md`; the bounds here only
//! catch a fall of an order of magnitude, whatever machine and profile the tests run with.
//!
//! `SIPHON_COST=typical:1000` makes the test play that one script so often and nothing else, for callgrind, whose
//! count repeats on a busy machine: `benches/handler.sh`.
#![allow(unsafe_code, reason = "the clock of a thread's processor time")]

use super::fixture::{START, question, settings, try_load};
use super::verdicts::invite;
use crate::base::time::Duration;
use crate::policy::{Decision, Policy, PolicyOutput, Question, Ticket};
use crate::script::{ScriptPolicy, wrap_thread};
use std::hint::black_box;

/// Processor time of this thread in nanoseconds.
fn processor_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call fills the place it is given.
    let called = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(called, 0);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// One question and what follows from it. How many steps of Python there were.
type Play = fn(&mut ScriptPolicy, Ticket, Question, &mut PolicyOutput) -> u64;

/// A handler that answers in one go.
#[inline(never)]
fn counted_answer(policy: &mut ScriptPolicy, ticket: Ticket, asked: Question, out: &mut PolicyOutput) -> u64 {
    policy.ask(ticket, asked, START, out);
    1
}

/// A handler that awaits before it answers.
#[inline(never)]
fn counted_steps(policy: &mut ScriptPolicy, ticket: Ticket, asked: Question, out: &mut PolicyOutput) -> u64 {
    let (mut now, mut steps) = (START, 1);
    policy.ask(ticket, asked, now, out);
    while out.verdicts.is_empty() {
        now += Duration::from_secs(1);
        policy.wake(now, out);
        steps += 1;
    }
    steps
}

struct Scenario {
    name: &'static str,
    script: String,
    play: Play,
}

fn scenarios() -> Vec<Scenario> {
    // Four attributes of the request, one of a URI, and two verbs.
    let typical = "from siphon import proxy\n@proxy.on_request\ndef f(request):\n    if request.method == 'OPTIONS' and request.ruri.is_local: return\n    if request.in_dialog: return\n    user = request.ruri.user\n    call_id = request.call_id\n    request.record_route()\n    request.relay()\n";
    let steps = "from siphon import proxy, timer\n@proxy.on_request\nasync def f(request):\n    for n in range(16):\n        await timer.sleep(1)\n    request.relay()\n";
    let fork = "from siphon import proxy, registrar\n@proxy.on_request\ndef f(request):\n    request.record_route()\n    request.fork([c.uri for c in registrar.lookup(request.ruri)])\n";
    let one = |name, script: &str| Scenario { name, script: script.to_owned(), play: counted_answer };
    vec![
        one("no-handler", "from siphon import proxy\n"),
        one("drop", "from siphon import proxy\n@proxy.on_request\ndef f(request): request.drop()\n"),
        one("typical", typical),
        one("async-never-awaits", &typical.replace("def f", "async def f")),
        Scenario { play: counted_steps, ..one("async-steps", steps) },
        one("fork", fork),
        one("typical-on-reply", &format!("{typical}@proxy.on_reply\ndef g(request, reply): pass\n")),
    ]
}

/// Plays a scenario: so many rounds of so many questions. The least processor time of a round, per step.
fn cost(scenario: &Scenario, rounds: u32, times: u32) -> u64 {
    let mut settings = settings(&scenario.script);
    // Another thread of a busy machine must not move the handler to the lane.
    settings.budget = Duration::from_secs(60);
    let mut rig = try_load(settings).unwrap();
    let (asked, play) = (question(&invite()), scenario.play);
    wrap_thread(move || {
        let mut out = PolicyOutput::default();
        let ticket = rig.ticket();
        let mut best = u64::MAX;
        for _ in 0..rounds {
            let (started, mut steps) = (processor_time(), 0);
            for _ in 0..times {
                steps += play(&mut rig.policy, ticket, black_box(asked.clone()), &mut out);
                let verdict = &out.verdicts.last().expect("an answer").1;
                assert!(!matches!(verdict.decision, Some(Decision::Failed(_))), "{verdict:?}");
                out.verdicts.clear();
                out.wants.clear();
            }
            best = best.min((processor_time() - started) / steps.max(1));
        }
        best
    })
}

#[test]
fn a_handler_costs_microseconds_at_most() {
    let wanted = std::env::var("SIPHON_COST").ok();
    let wanted = wanted.as_deref().and_then(|text| text.split_once(':'));
    for scenario in scenarios() {
        match wanted {
            Some((name, times)) if name == scenario.name => {
                cost(&scenario, 1, times.parse().expect("how often"));
            }
            Some(_) => {}
            None => {
                let nanoseconds = cost(&scenario, 20, 2_000);
                println!("{}: {nanoseconds} ns of processor time per step", scenario.name);
                assert!(nanoseconds < 50_000, "{}: {nanoseconds} ns", scenario.name);
            }
        }
    }
}
