//! Every interleaving of two UAs that change the session at once, with a loss, a copy and any order of delivery: the
//! sides never disagree on who offered, and come to the same end. Without any one of the guards they do not.

use std::hash::BuildHasher;

use hashbrown::HashSet;

use super::offer_answer::Guard;
use super::pair::{Pair, Violation, Want, Ways};

struct Scenario {
    name: &'static str,
    wants: [&'static [Want]; 2],
    retries: u8,
    ways: Ways,
    losses: u8,
    copies: u8,
}

const PLAIN: Ways = Ways { reliable: false, prack_offers: false, refusals: false };

const SCENARIOS: &[Scenario] = {
    use Want::*;
    &[
        Scenario {
            name: "re-INVITE against re-INVITE",
            wants: [&[Invite], &[Invite]],
            retries: 1,
            ways: Ways { refusals: true, ..PLAIN },
            losses: 1,
            copies: 1,
        },
        Scenario {
            name: "re-INVITE and UPDATE against re-INVITE and UPDATE, losing one",
            wants: [&[Invite, Update], &[Invite, Update]],
            retries: 0,
            ways: PLAIN,
            losses: 1,
            copies: 0,
        },
        Scenario {
            name: "re-INVITE and UPDATE against re-INVITE",
            wants: [&[Invite, Update], &[Invite]],
            retries: 0,
            ways: PLAIN,
            losses: 1,
            copies: 1,
        },
        Scenario {
            name: "re-INVITE against UPDATE",
            wants: [&[Invite], &[Update]],
            retries: 1,
            ways: Ways { refusals: true, ..PLAIN },
            losses: 1,
            copies: 1,
        },
        Scenario {
            name: "re-INVITE without offer against re-INVITE without offer",
            wants: [&[LateInvite], &[LateInvite]],
            retries: 1,
            ways: PLAIN,
            losses: 1,
            copies: 1,
        },
        Scenario {
            name: "re-INVITE without offer against UPDATE",
            wants: [&[LateInvite], &[Update]],
            retries: 1,
            ways: PLAIN,
            losses: 1,
            copies: 1,
        },
        Scenario {
            name: "re-INVITE with reliable 1xx against UPDATE",
            wants: [&[Invite], &[Update]],
            retries: 1,
            ways: Ways { reliable: true, prack_offers: true, refusals: false },
            losses: 1,
            copies: 1,
        },
        Scenario {
            name: "re-INVITE without offer and with reliable 1xx against UPDATE",
            wants: [&[LateInvite], &[Update]],
            retries: 1,
            ways: Ways { reliable: true, ..PLAIN },
            losses: 1,
            copies: 1,
        },
    ]
};

const MOST_STATES: usize = 2_000_000;

/// How many distinct states there are, or the first that is wrong.
fn explore(scenario: &Scenario, without: Option<Guard>) -> Result<usize, Violation> {
    let start =
        Pair::new(scenario.wants, scenario.retries, without).with_faults(scenario.losses, scenario.copies);
    let hasher = foldhash::quality::FixedState::default();
    let mut seen: HashSet<u64, foldhash::quality::FixedState> = HashSet::with_hasher(hasher.clone());
    seen.insert(hasher.hash_one(&start));
    let mut todo = vec![start];
    while let Some(pair) = todo.pop() {
        let events = pair.events(scenario.ways, false);
        if events.is_empty() {
            pair.settled()?;
        }
        for event in events {
            let mut next = pair.clone();
            next.apply(event, scenario.ways).map_err(|v| format!("{event:?}: {v}"))?;
            let next = next.unordered();
            if seen.insert(hasher.hash_one(&next)) {
                todo.push(next);
            }
        }
        if seen.len() > MOST_STATES {
            panic!("{}: more than {MOST_STATES} states", scenario.name);
        }
    }
    Ok(seen.len())
}

#[test]
fn two_sides_that_change_the_session_at_once_never_disagree() {
    let mut all = 0;
    for scenario in SCENARIOS {
        let states = explore(scenario, None).unwrap_or_else(|v| panic!("{}: {v}", scenario.name));
        println!("{states:>9} states: {}", scenario.name);
        all += states;
    }
    println!("{all:>9} states in all");
    assert!(all > 100_000, "{all} states are too few to mean something");
}

#[test]
fn without_any_one_guard_they_disagree() {
    use Guard::*;
    for (guard, scenario) in [
        (OurOffer, "re-INVITE against UPDATE"),
        (TheirOffer, "re-INVITE and UPDATE against re-INVITE"),
        (OpenInvite, "re-INVITE without offer against re-INVITE without offer"),
        (LateOffer, "re-INVITE without offer against UPDATE"),
        (EarlyUpdate, "re-INVITE with reliable 1xx against UPDATE"),
        (Rollback, "re-INVITE against re-INVITE"),
    ] {
        let scenario = SCENARIOS.iter().find(|s| s.name == scenario).expect("a scenario of that name");
        match explore(scenario, Some(guard)) {
            Err(violation) => println!("without {guard:?}: {violation}"),
            Ok(states) => panic!("{guard:?} is not needed in {states} states of {}", scenario.name),
        }
    }
}
