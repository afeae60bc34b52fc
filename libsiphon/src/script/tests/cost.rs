//! What a handler costs its shard, in processor time. The figures go to `docs/performance.md`; the bounds here only
//! catch a fall of an order of magnitude, whatever machine and profile the tests run with.
//!
//! `SIPHON_COST=typical:1000` makes the test play that one script so often and nothing else, for callgrind, whose
//! count repeats on a busy machine: `benches/handler.sh`.

use super::fixture::{question, response, settings, try_load};
use super::verdicts::invite;
use crate::policy::{Decision, Outcome, Policy, PolicyOutput, Question, Ticket, Want};
use crate::script::{ScriptPolicy, wrap_thread};
use std::hint::black_box;

/// Processor time of this thread in nanoseconds (Linux `schedstat`).
fn processor_time() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a Linux with schedstat");
    text.split_whitespace().next().and_then(|n| n.parse().ok()).expect("a number")
}

/// One question and what follows from it. How many steps of Python there were.
type Play = fn(&mut ScriptPolicy, Ticket, Question, &mut PolicyOutput) -> usize;

/// A handler that answers in one go.
#[inline(never)]
fn counted_answer(
    policy: &mut ScriptPolicy,
    ticket: Ticket,
    question: Question,
    out: &mut PolicyOutput,
) -> usize {
    policy.ask(ticket, question, super::fixture::START, out);
    1
}

/// A handler that awaits one response in between: two steps.
fn two_steps(policy: &mut ScriptPolicy, ticket: Ticket, question: Question, out: &mut PolicyOutput) -> usize {
    let answer = response(&question.request, "200 OK");
    counted_answer(policy, ticket, question, out);
    let wait = out.wants.iter().find_map(|want| match want {
        Want::SendRequest { wait, .. } => *wait,
        Want::Tell(_) => None,
    });
    counted_resume(policy, wait.expect("it awaits"), Outcome::Response(answer), out);
    2
}

#[inline(never)]
fn counted_resume(
    policy: &mut ScriptPolicy,
    wait: crate::policy::WaitId,
    outcome: Outcome,
    out: &mut PolicyOutput,
) {
    policy.resume(wait, outcome, super::fixture::START, out);
}

struct Scenario {
    name: &'static str,
    script: String,
    play: Play,
}

fn scenarios() -> Vec<Scenario> {
    // Four attributes and two verbs.
    let typical = "from siphon import proxy\n@proxy.on_request\ndef f(request):\n    if request.method == 'OPTIONS' and request.ruri.is_local: return\n    if request.in_dialog: return\n    user = request.ruri.user\n    call_id = request.call_id\n    request.record_route()\n    request.relay()\n";
    let one = |name, script: &str| Scenario { name, script: script.to_owned(), play: counted_answer };
    vec![
        one("no-handler", "from siphon import proxy\n"),
        one("drop", "from siphon import proxy\n@proxy.on_request\ndef f(request): request.drop()\n"),
        one("typical", typical),
        one("async-never-awaits", &typical.replace("def f", "async def f")),
        Scenario {
            play: two_steps,
            ..one(
                "async-awaits",
                "from siphon import proxy\n@proxy.on_request\nasync def f(request):\n    reply = await proxy.send_request('OPTIONS', 'sip:x@192.0.2.9', wait_for_response=True)\n    request.relay()\n",
            )
        },
        Scenario {
            play: two_steps,
            ..one(
                "async-typical",
                &typical.replace("def f", "async def f").replace(
                    "    request.record_route()\n",
                    "    await proxy.send_request('OPTIONS', 'sip:x@192.0.2.9', wait_for_response=True)\n    request.record_route()\n",
                ),
            )
        },
        one(
            "fork",
            "from siphon import proxy, registrar\n@proxy.on_request\ndef f(request):\n    request.record_route()\n    request.fork([c.uri for c in registrar.lookup(request.ruri)])\n",
        ),
        one("typical-on-reply", &format!("{typical}@proxy.on_reply\ndef g(request, reply): pass\n")),
    ]
}

/// Plays a scenario: so many rounds of so many questions. The least processor time of a round, per step.
fn cost(scenario: &Scenario, rounds: u32, times: u32) -> u64 {
    let mut settings = settings(&scenario.script);
    // Another thread of a busy machine must not move the handler to the lane.
    settings.budget = std::time::Duration::from_secs(60);
    let mut rig = try_load(settings).unwrap();
    let (asked, play) = (question(&invite()), scenario.play);
    wrap_thread(move || {
        let mut out = PolicyOutput::default();
        let ticket = rig.ticket();
        let mut best = u64::MAX;
        for _ in 0..rounds {
            let (started, mut steps) = (processor_time(), 0);
            for _ in 0..times {
                steps += play(&mut rig.policy, ticket, black_box(asked.clone()), &mut out) as u64;
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
                let nanoseconds = cost(&scenario, 10, 5_000);
                println!("{}: {nanoseconds} ns of processor time per step", scenario.name);
                assert!(nanoseconds < 50_000, "{}: {nanoseconds} ns", scenario.name);
            }
        }
    }
}
