//! What a handler costs. The figures go to `docs/performance.md`; the bounds here only catch a fall of an order of
//! magnitude, whatever machine and profile the tests run with.

use super::fixture::{question, settings, try_load};
use super::verdicts::invite;
use crate::policy::{Policy, PolicyOutput, Question};
use crate::script::wrap_thread;

/// Best of five rounds, in nanoseconds per question.
fn nanoseconds(script: &str, asked: Question) -> u128 {
    let mut settings = settings(script);
    // Another thread of a busy machine must not move the handler to the lane.
    settings.budget = std::time::Duration::from_secs(60);
    let mut rig = try_load(settings).unwrap();
    wrap_thread(move || {
        let mut out = PolicyOutput::default();
        let ticket = rig.ticket();
        let mut best = u128::MAX;
        for _ in 0..5 {
            let started = std::time::Instant::now();
            for _ in 0..20_000 {
                rig.policy.ask(ticket, asked.clone(), rig.now, &mut out);
                assert_eq!(out.verdicts.len(), 1);
                out.verdicts.clear();
                out.wants.clear();
            }
            best = best.min(started.elapsed().as_nanos() / 20_000);
        }
        best
    })
}

#[test]
fn a_handler_costs_microseconds_at_most() {
    let typical = "from siphon import proxy\n@proxy.on_request\ndef f(request):\n    if request.method == 'OPTIONS' and request.ruri.is_local: return\n    if request.in_dialog: return\n    user = request.ruri.user\n    call_id = request.call_id\n    request.record_route()\n    request.relay()\n";
    let scripts = [
        ("no handler", "from siphon import proxy\n"),
        ("drop()", "from siphon import proxy\n@proxy.on_request\ndef f(request): request.drop()\n"),
        ("typical", typical),
        ("typical, async", &typical.replace("def f", "async def f")),
        (
            "lookup and fork",
            "from siphon import proxy, registrar\n@proxy.on_request\ndef f(request):\n    request.record_route()\n    request.fork([c.uri for c in registrar.lookup(request.ruri)])\n",
        ),
        ("typical with on_reply", &format!("{typical}@proxy.on_reply\ndef g(request, reply): pass\n")),
    ];
    for (name, script) in scripts {
        let cost = nanoseconds(script, question(&invite()));
        println!("{name}: {cost} ns");
        assert!(cost < 50_000, "{name}: {cost} ns");
    }
}
