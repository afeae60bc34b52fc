//! Mixed load for a long time, all calls and registrations graded, and memory that must stay flat.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::load::{self, Plan};
use crate::operation::Operation;
use crate::server::{Kind, Server};
use crate::world::Outcome;

/// What goes on in a slice, and how often per second. Calls to registered users take turns over UDP and TCP, because
/// they share the users, who are all registered anew with digest before each slice.
fn mix(slice: u32) -> [(Operation, f64); 4] {
    let lookup = if slice.is_multiple_of(2) { Operation::CallLookup } else { Operation::CallTcp };
    [(Operation::Options, 20.0), (Operation::Register, 60.0), (Operation::Call, 40.0), (lookup, 40.0)]
}
/// Memory is looked at this often, when what was begun has ended.
const SLICE: Duration = Duration::from_secs(5);
/// Before that the level is not reached: tables grow to their size, threads touch their stacks.
const WARM_UP: Duration = Duration::from_secs(20);
/// How much the level may seem to rise from the warm-up to the end.
const NOISE: f64 = 2.0 * 1024.0 * 1024.0;
/// Of a hundred operations at most this many may be shed, on a machine that does something else, too.
const SHED_PERCENT: u32 = 1;

/// Loads siphon-proxy for that long; what went wrong is the error.
pub(crate) fn run(siphon: &Path, length: Duration) -> Result<(), String> {
    let server = Server::start_forgetful(Kind::Siphon2, siphon)?;
    let (began, mut samples, mut total) = (Instant::now(), Vec::new(), Outcome::default());
    let warm = WARM_UP.max(length / 4).min(length / 2);
    for slice in 0.. {
        if began.elapsed() >= length {
            break;
        }
        for outcome in side_by_side(&server, slice)? {
            add(&mut total, outcome);
        }
        let (at, memory) = (began.elapsed(), server.tree.usage().memory);
        println!(
            "soak: {:>4} s  {:>7.2} MiB  {} good, {} shed, {} failed",
            at.as_secs(),
            memory as f64 / 1024.0 / 1024.0,
            total.good,
            total.shed,
            total.failed
        );
        if at >= warm {
            samples.push((at.as_secs_f64(), memory as f64));
        }
    }
    grade(&total, &samples).map_err(|fault| format!("{fault}\n{}", server.log()))
}

fn side_by_side(server: &Server, slice: u32) -> Result<Vec<Outcome>, String> {
    let address = server.address;
    let run = |(operation, rate): (Operation, f64)| {
        let plan = Plan {
            operation,
            rate,
            length: SLICE,
            ports: 8,
            server: address,
            two_legs: false,
            ring: Duration::from_millis(100),
            hold: Duration::from_millis(200),
            run: format!("s{slice}o{operation:?}q").to_lowercase(),
        };
        load::run(&plan, &mut |_| {}).map_err(|error| format!("{}: {error}", operation.name()))
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = mix(slice).map(|part| scope.spawn(move || run(part))).into_iter().collect();
        running.into_iter().map(|thread| thread.join().map_err(|_| "the generator panicked")?).collect()
    })
}

fn add(total: &mut Outcome, one: Outcome) {
    total.begun += one.begun;
    total.good += one.good;
    total.shed += one.shed;
    total.failed += one.failed;
    for (what, times) in one.faults {
        *total.faults.entry(what).or_default() += times;
    }
}

fn grade(total: &Outcome, samples: &[(f64, f64)]) -> Result<(), String> {
    if total.failed > 0 || !total.faults.is_empty() {
        return Err(format!("{} operations failed: {:?}", total.failed, total.faults));
    }
    if total.shed > total.begun / 100 * SHED_PERCENT {
        return Err(format!("{} of {} operations were shed", total.shed, total.begun));
    }
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
        return Err("too short: memory was not looked at after the warm-up".to_owned());
    };
    let growth = slope(samples) * (last.0 - first.0);
    let level = first.1 / 1024.0 / 1024.0;
    let told =
        format!("{:.2} MiB over {:.0} s from {level:.1} MiB", growth / 1024.0 / 1024.0, last.0 - first.0);
    if growth > NOISE + first.1 / 100.0 {
        return Err(format!("memory grows by {told}"));
    }
    println!("soak: {} operations, all as they should end; memory is flat: {told}", total.begun);
    Ok(())
}

/// The line that fits best, so that one odd sample at an end decides nothing.
fn slope(samples: &[(f64, f64)]) -> f64 {
    let n = samples.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| samples.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|s| s.0), mean(|s| s.1));
    let spread: f64 = samples.iter().map(|s| (s.0 - x).powi(2)).sum();
    let together: f64 = samples.iter().map(|s| (s.0 - x) * (s.1 - y)).sum();
    if spread > 0.0 { together / spread } else { 0.0 }
}
