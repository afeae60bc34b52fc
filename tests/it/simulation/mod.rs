//! The deterministic simulation: a hundred thousand calls and registrations over many kinds of trouble, audited.
//!
//! `SEED=n` (or `make sim SEED=n`) repeats one run and prints its ladder when it fails, `CALL=id` that of another call;
//! `FROM=n` starts at another seed and `OPERATIONS=n` makes more or fewer.

mod faults;
mod house;
mod parked;
mod scenarios;
mod world;

use faults::{FAULTS, Fault};
use scenarios::{KINDS, Kind};
use siphon::base::rng::Rng;
use siphon::proto::transaction::Cells;
use siphon::sim::Seam;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What one run did.
struct Run {
    kind: &'static str,
    rough: bool,
    operations: u64,
    messages: (u64, u64),
    hash: u64,
    cells: Cells,
    fault: Option<String>,
}

/// Everything about run `seed` follows from the number: kind, shards, wire.
fn run(seed: u64) -> Run {
    run_with(seed, None)
}

fn run_with(seed: u64, seam: Option<Box<dyn Seam>>) -> Run {
    let kind = &KINDS[(seed % KINDS.len() as u64) as usize];
    let mut rng = Rng::seeded(seed);
    let shards = if rng.chance(500) { 3 } else { 1 };
    run_as(seed, kind, shards, rng.chance(400), seam)
}

fn run_as(seed: u64, kind: &'static Kind, shards: u8, rough: bool, seam: Option<Box<dyn Seam>>) -> Run {
    let rough = kind.may_be_rough && rough;
    let mut world = (kind.build)(seed, shards, rough);
    let (end, operations) = (world.at, world.operations);
    if let Some(seam) = seam {
        world.net.plant(world.proxy, seam);
    }
    // Reloads fall between the operations.
    for _ in 0..10 {
        world.net.advance(end / 10 + Duration::from_millis(1));
        scenarios::halfway(kind, &world);
    }
    world.net.run_to_rest();
    let fault = world.net.check().err();
    if let Ok(call_id) = std::env::var("CALL") {
        println!("{}", world.net.ladder(&call_id));
    }
    let mut cells = Cells::default();
    world.net.nodes().for_each(|node| cells.merge(&node.cells()));
    let messages = world.net.wire().audit.messages;
    Run { kind: kind.name, rough, operations, messages, hash: world.net.hash(), cells, fault }
}

fn wanted_seed() -> Option<u64> {
    number("SIPHON_SIM_SEED").or_else(|| number("SEED"))
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn a_hundred_thousand_calls_and_registrations_hold_every_rule() {
    if let Some(seed) = wanted_seed() {
        let run = run(seed);
        println!("seed {seed}: {}, {} operations, hash {:016x}", run.kind, run.operations, run.hash);
        if let Some(fault) = run.fault {
            panic!("{fault}");
        }
        return;
    }
    let (first, most) = (number("FROM").unwrap_or(0), number("OPERATIONS").unwrap_or(100_000));
    let (next, operations) = (AtomicU64::new(first), AtomicU64::new(0));
    let runs: Mutex<Vec<(u64, Run)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if operations.load(Ordering::Relaxed) >= most {
                        return;
                    }
                    let run = run(seed);
                    operations.fetch_add(run.operations, Ordering::Relaxed);
                    runs.lock().unwrap().push((seed, run));
                }
            });
        }
    });
    report(runs.into_inner().unwrap());
}

fn report(mut runs: Vec<(u64, Run)>) {
    runs.sort_by_key(|(seed, _)| *seed);
    let mut kinds: BTreeMap<&str, (u64, u64, u64, u64)> = BTreeMap::new();
    let (mut total, mut rough) = (0, 0);
    for (_, run) in &runs {
        let entry = kinds.entry(run.kind).or_default();
        entry.0 += 1;
        entry.1 += run.operations;
        entry.2 += run.messages.0 + run.messages.1;
        entry.3 += u64::from(run.fault.is_some());
        total += run.operations;
        rough += if run.rough { run.operations } else { 0 };
    }
    println!("{:<30} {:>6} {:>10} {:>10} {:>7}", "kind", "runs", "operations", "messages", "faults");
    for (kind, (runs, operations, messages, faults)) in &kinds {
        println!("{kind:<30} {runs:>6} {operations:>10} {messages:>10} {faults:>7}");
    }
    let mut cells = Cells::default();
    runs.iter().for_each(|(_, run)| cells.merge(&run.cells));
    let missing = cells.missing();
    println!(
        "{} of {} legal cells reached; missing: {missing:?}",
        Cells::legal() - missing.len(),
        Cells::legal()
    );
    println!(
        "{total} calls and registrations in {} runs; {rough} with loss, doubling and reordering",
        runs.len()
    );
    let faults: Vec<_> =
        runs.iter().filter_map(|(seed, r)| Some((seed, r.kind, r.fault.as_ref()?))).collect();
    let mut shown = BTreeMap::new();
    for (seed, kind, fault) in &faults {
        *shown.entry(*kind).or_insert(0) += 1;
        if shown[kind] > 1 || shown.len() > 8 {
            continue;
        }
        println!("---- {kind}, repeat with `make sim SEED={seed}`\n{fault}");
    }
    assert!(faults.is_empty(), "{} of {} runs broke a rule", faults.len(), runs.len());
    assert!(missing.len() * 20 <= Cells::legal(), "fewer than 95 % of the legal cells were reached");
    assert!(rough * 5 >= total, "{rough} of {total} operations on a rough wire");
}

#[test]
fn the_same_seed_gives_the_same_log_with_one_shard_and_with_three() {
    for (seed, kind) in KINDS.iter().enumerate() {
        for (shards, rough) in [(1, false), (3, false), (1, true), (3, true)] {
            let hash = || run_as(seed as u64, kind, shards, rough, None).hash;
            assert_eq!(hash(), hash(), "{} with {shards} shards, rough: {rough}", kind.name);
        }
    }
}

/// How far a planted fault may hide.
const WITHIN: u64 = 10_000;

/// Looks for `fault` in its kinds of traffic; returns after how many operations it showed, and by which rule.
fn hunt(fault: &Fault) -> Option<(u64, String)> {
    let kinds: Vec<u64> =
        (0..KINDS.len()).filter(|k| fault.kinds.contains(&KINDS[*k].name)).map(|k| k as u64).collect();
    assert_eq!(kinds.len(), fault.kinds.len(), "{} names a kind that does not exist", fault.name);
    let mut operations = 0;
    for round in 0.. {
        for kind in &kinds {
            let run = run_with(round * KINDS.len() as u64 + kind, Some((fault.make)()));
            operations += run.operations;
            if operations > WITHIN {
                return None;
            }
            if let Some(report) = run.fault {
                let rule = report.lines().nth(1).unwrap_or_default().trim().chars().take(90).collect();
                return Some((operations, rule));
            }
        }
    }
    None
}

#[test]
fn every_planted_fault_is_found_within_ten_thousand_operations() {
    let next = AtomicU64::new(0);
    let found: Mutex<BTreeMap<&str, Option<(u64, String)>>> = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(fault) = FAULTS.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    let result = hunt(fault);
                    found.lock().unwrap().insert(fault.name, result);
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    for (name, result) in &found {
        match result {
            Some((operations, rule)) => println!("found after {operations:>5}: {name:<55} {rule}"),
            None => println!("NOT FOUND in {WITHIN}: {name}"),
        }
    }
    let hidden: Vec<_> = found.iter().filter(|(_, r)| r.is_none()).map(|(n, _)| *n).collect();
    assert!(hidden.is_empty() && FAULTS.len() >= 15, "{hidden:?} of {} faults were not found", FAULTS.len());
}
