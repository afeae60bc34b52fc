//! One session: all servers up, each measured in turn with the same plan, in an order that rotates.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::Arguments;
use crate::cpu::Usage;
use crate::load::{self, Plan, Stage};
use crate::operation::Operation;
use crate::report::{Figure, Report};
use crate::server::{Kind, Server};
use crate::world::Outcome;

/// Runs everything that was asked for and writes the report.
pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    let operations =
        if arguments.operations.is_empty() { Operation::ALL.to_vec() } else { arguments.operations.clone() };
    let mut report = Report::new(arguments);
    if arguments.rounds > 0 {
        let servers = start(arguments)?;
        let mut turn = 0;
        for _ in 0..arguments.rounds {
            for &operation in &operations {
                for &rate in &arguments.rates {
                    for &ports in &arguments.ports {
                        for at in 0..servers.len() {
                            let server = &servers[(at + turn) % servers.len()];
                            let figure = measure(server, operation, rate, ports, arguments.seconds)?;
                            eprintln!("{}", figure.line());
                            report.add(figure);
                        }
                        turn += 1;
                    }
                }
            }
        }
    }
    if arguments.memory {
        for &kind in &arguments.servers {
            report.memory(kind, memory(kind, arguments)?);
        }
    }
    if arguments.overload {
        for &kind in &arguments.servers {
            report.overload(kind, overload(kind, arguments)?);
        }
    }
    if arguments.count {
        report.count(crate::count::report()?);
    }
    report.write(&arguments.out).map_err(|error| format!("{}: {error}", arguments.out.display()))
}

fn start(arguments: &Arguments) -> Result<Vec<Server>, String> {
    arguments.servers.iter().map(|kind| Server::start(*kind, &arguments.siphon)).collect()
}

fn plan(server: &Server, operation: Operation, rate: f64, ports: usize, seconds: f64) -> Plan {
    static RUN: AtomicU32 = AtomicU32::new(1);
    Plan {
        operation,
        rate,
        length: Duration::from_secs_f64(seconds),
        ports,
        server: server.address,
        two_legs: server.kind.has_two_legs(),
        ring: Duration::ZERO,
        hold: Duration::from_millis(200),
        run: format!("r{:x}q{}", std::process::id(), RUN.fetch_add(1, Ordering::Relaxed)),
    }
}

fn loaded(server: &Server, plan: &Plan) -> Result<(Usage, Usage, Outcome), String> {
    loaded_and_counted(server, plan).map(|(before, after, outcome, _)| (before, after, outcome))
}

/// Usage before and after, what came of it, and how many handlers of the script ran meanwhile.
fn loaded_and_counted(server: &Server, plan: &Plan) -> Result<(Usage, Usage, Outcome, Option<u64>), String> {
    let (mut before, mut after) = (Usage::default(), Usage::default());
    let (mut first, mut last) = (None, None);
    let outcome = load::run(plan, &mut |stage| match stage {
        Stage::Ready => {
            first = server.handler_calls();
            before = server.tree.usage();
        }
        Stage::Full => {}
        Stage::Ended => {
            after = server.tree.usage();
            last = server.handler_calls();
        }
    });
    let outcome = outcome.map_err(|error| {
        format!("{} {}: {error}\n{}", server.kind.name(), plan.operation.name(), server.log())
    })?;
    Ok((before, after, outcome, first.zip(last).map(|(first, last)| last.saturating_sub(first))))
}

fn measure(
    server: &Server,
    operation: Operation,
    rate: f64,
    ports: usize,
    seconds: f64,
) -> Result<Figure, String> {
    let plan = plan(server, operation, rate, ports, seconds);
    let (before, after, outcome, handler_calls) = loaded_and_counted(server, &plan)?;
    Ok(Figure {
        handler_calls,
        kind: server.kind,
        operation,
        rate,
        ports,
        cpu: after.cpu - before.cpu,
        running: after.running - before.running,
        outcome,
    })
}

/// What a server's memory holds; bytes per item.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Resident after start, before any load.
    pub(crate) empty: u64,
    /// Per registered contact, of `CONTACTS`, right after the last was answered.
    pub(crate) busy: f64,
    /// The same when the transactions of the REGISTERs are over.
    pub(crate) contact: f64,
    /// Per call that rings: an INVITE transaction on either side, and what belongs to it.
    pub(crate) ringing: f64,
    /// Per transaction that has ended and lingers; a call leaves two, INVITE and BYE, each with both sides.
    pub(crate) lingering: f64,
    /// Calls that rang, and calls that had ended, when the figures were read.
    pub(crate) calls: u32,
    /// Contacts that were registered.
    pub(crate) contacts: u32,
}

fn memory(kind: Kind, arguments: &Arguments) -> Result<Memory, String> {
    const CONTACTS: u32 = 100_000;
    let fail = |error: std::io::Error| format!("{}: {error}", kind.name());
    let server = Server::start(kind, &arguments.siphon)?;
    let empty = server.tree.usage().memory;
    // A first small run pays for what is allocated once.
    crate::fill::contacts(server.address, 1000, "warm").map_err(fail)?;
    let before = server.tree.usage().memory;
    crate::fill::contacts(server.address, CONTACTS, "table").map_err(fail)?;
    let each = |now: u64| now.saturating_sub(before) as f64 / f64::from(CONTACTS - 1000);
    let busy = each(server.tree.usage().memory);
    // Timer J is 32 s. The few REGISTERs after it give an allocator the occasion to tidy up.
    std::thread::sleep(Duration::from_secs(40));
    crate::fill::contacts(server.address, 100, "late").map_err(fail)?;
    std::thread::sleep(Duration::from_secs(2));
    let contact = each(server.tree.usage().memory);

    // All calls ring at once, and are answered and ended before anything has stopped to linger.
    let mut ring = plan(&server, Operation::Call, 1000.0, 8, 4.0);
    (ring.ring, ring.hold) = (Duration::from_millis(4500), Duration::from_millis(100));
    let (ringing, calls) = growth(&Server::start(kind, &arguments.siphon)?, ring, Stage::Full)?;
    let mut ended = plan(&server, Operation::Call, 1000.0, 8, 4.0);
    ended.hold = Duration::ZERO;
    let (both, _) = growth(&Server::start(kind, &arguments.siphon)?, ended, Stage::Ended)?;
    Ok(Memory { empty, busy, contact, ringing, lingering: both / 2.0, calls, contacts: CONTACTS })
}

/// Memory per operation that `plan` has taken when it gets to `stage`, on a server that has seen a few before.
fn growth(server: &Server, mut plan: Plan, stage: Stage) -> Result<(f64, u32), String> {
    plan.server = server.address;
    let warm =
        Plan { rate: 200.0, length: Duration::from_secs(1), run: format!("{}w", plan.run), ..plan.clone() };
    loaded(server, &warm)?;
    let (mut before, mut at) = (0, 0);
    let outcome = load::run(&plan, &mut |now| match now {
        Stage::Ready => before = server.tree.usage().memory,
        now if now == stage => at = server.tree.usage().memory,
        _ => {}
    });
    let outcome = outcome.map_err(|error| format!("{}: {error}", server.kind.name()))?;
    if outcome.good < outcome.begun {
        return Err(format!("{}: {outcome:?}", server.kind.name()));
    }
    Ok((at.saturating_sub(before) as f64 / f64::from(outcome.begun.max(1)), outcome.begun))
}

/// Goodput below, at and above what the server can do.
#[derive(Clone, Debug)]
pub(crate) struct Overload {
    /// Highest rate at which nothing failed and nothing was shed.
    pub(crate) sustainable: f64,
    /// Good operations per second at that rate.
    pub(crate) best: f64,
    /// The run at three times the rate.
    pub(crate) tripled: Outcome,
    /// Memory before and after it.
    pub(crate) memory: (u64, u64),
}

fn overload(kind: Kind, arguments: &Arguments) -> Result<Overload, String> {
    let server = Server::start(kind, &arguments.siphon)?;
    let (mut sustainable, mut best) = (0.0, 0.0);
    let mut rate = 1000.0;
    loop {
        let (_, _, outcome) = loaded(&server, &plan(&server, Operation::Call, rate, 64, 3.0))?;
        eprintln!(
            "{} call at {rate}/s: good {} shed {} failed {}",
            kind.name(),
            outcome.good,
            outcome.shed,
            outcome.failed
        );
        if outcome.good < outcome.begun || outcome.p99 > Duration::from_millis(400) || rate > 40_000.0 {
            break;
        }
        (sustainable, best) = (rate, outcome.goodput);
        rate *= 1.25;
    }
    let (before, after, tripled) =
        loaded(&server, &plan(&server, Operation::Call, sustainable * 3.0, 64, 5.0))?;
    Ok(Overload { sustainable, best, tripled, memory: (before.memory, after.memory) })
}
