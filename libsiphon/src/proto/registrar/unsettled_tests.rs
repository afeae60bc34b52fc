use crate::base::codec::Codec;
use crate::base::rng::Rng;
use crate::base::text::Text;
use crate::policy::Commit;
use crate::proto::registrar::harness::*;
use crate::proto::registrar::{AorState, Outcome, Registrar, RegistrarSettings, Rollback};
use std::collections::BTreeMap;

const PHONE: &str = "Contact: <sip:alice@192.0.2.7>";
const NO_PHONE: &str = "Contact: <sip:alice@192.0.2.7>;expires=0";
const DESK: &str = "Contact: <sip:alice@192.0.2.8>";

fn durable() -> Registrar {
    registrar(RegistrarSettings { commit: true, ..RegistrarSettings::default() })
}

/// A REGISTER that has been granted and stored.
fn settled(registrar: &Registrar, call_id: &str, cseq: u32, lines: &[&str]) {
    let outcome = send(registrar, &register(call_id, cseq, lines), NOW);
    assert!(registrar.stored(&outcome.rollback.unwrap(), NOW).is_none());
}

fn refuse(registrar: &Registrar, outcome: Outcome) -> bool {
    registrar.roll_back(&outcome.rollback.unwrap(), NOW).is_some()
}

#[test]
fn a_removal_that_is_refused_after_a_newer_request_was_stored_does_not_bring_the_binding_back() {
    let registrar = durable();
    settled(&registrar, "phone", 1, &[PHONE]);
    let removal = send(&registrar, &register("phone", 2, &[NO_PHONE]), NOW);
    settled(&registrar, "desk", 1, &[DESK]);
    // What was stored for the desk has no phone in it: the removal stands, and may be granted.
    assert!(!refuse(&registrar, removal));
    assert_eq!(contacts(&registrar, NOW), ["sip:alice@192.0.2.8"]);
    assert_eq!(registrar.unsettled.len(), 0);
}

#[test]
fn a_removal_asked_for_twice_is_stored_for_the_second_and_the_first_does_not_undo_it() {
    let registrar = durable();
    settled(&registrar, "phone", 1, &[PHONE]);
    let first = send(&registrar, &register("phone", 2, &[NO_PHONE]), NOW);
    let second = send(&registrar, &register("phone", 3, &[NO_PHONE]), NOW);
    assert!(second.commit.is_some(), "nothing changed, but what is not there may come back");
    assert!(refuse(&registrar, first));
    assert!(contacts(&registrar, NOW).is_empty(), "the second asks for it too");
    assert!(refuse(&registrar, second));
    assert_eq!(contacts(&registrar, NOW), ["sip:alice@192.0.2.7"], "nobody was granted the removal");
}

#[test]
fn a_refresh_that_is_refused_does_not_restore_what_was_refused_before_it() {
    let registrar = durable();
    let first = send(&registrar, &register("phone", 1, &[PHONE]), NOW);
    let second = send(&registrar, &register("phone", 2, &[PHONE]), NOW);
    assert!(refuse(&registrar, first));
    assert_eq!(contacts(&registrar, NOW), ["sip:alice@192.0.2.7"], "the second may still be granted");
    assert!(refuse(&registrar, second));
    assert!(contacts(&registrar, NOW).is_empty());
}

#[test]
fn a_value_that_holds_what_was_undone_since_is_corrected() {
    let registrar = durable();
    let phone = send(&registrar, &register("phone", 1, &[PHONE]), NOW);
    let desk = send(&registrar, &register("desk", 1, &[DESK]), NOW);
    assert!(refuse(&registrar, phone));
    let correction = registrar.stored(&desk.rollback.unwrap(), NOW).unwrap();
    assert!(correction.version > desk.commit.unwrap().version);
    let state = AorState::from_bytes(&correction.value.clone().unwrap()).unwrap();
    assert_eq!(state.bindings.iter().map(|b| &*b.uri).collect::<Vec<_>>(), ["sip:alice@192.0.2.8"]);
    assert!(registrar.stored(rollback_of(&correction), NOW).is_none());
}

#[test]
fn without_a_store_a_removal_that_fails_late_does_not_undo_one_that_was_granted() {
    let registrar = registrar(RegistrarSettings::default());
    send(&registrar, &register("phone", 1, &[PHONE]), NOW);
    let slow = send(&registrar, &register("phone", 2, &[NO_PHONE]), NOW);
    // The phone asks again, and this time it is granted: dropping the outcome lets it stand.
    assert_eq!(answer(&send(&registrar, &register("phone", 3, &[NO_PHONE]), NOW)), "200");
    assert!(refuse(&registrar, slow));
    assert!(contacts(&registrar, NOW).is_empty());
    assert_eq!(registrar.unsettled.len(), 0);
}

fn rollback_of(commit: &Commit) -> &Rollback {
    commit.undo.as_ref().unwrap().0.downcast_ref().unwrap()
}

/// A store that writes in any order and keeps the highest version.
#[derive(Default)]
struct Held(BTreeMap<Text, (u64, Option<Vec<u8>>)>);

impl Held {
    fn write(&mut self, commit: &Commit) {
        let held = self.0.entry(commit.key.clone()).or_default();
        if held.0 < commit.version {
            *held = (commit.version, commit.value.clone());
        }
    }

    fn contacts(&self) -> Vec<String> {
        let values = self.0.values().filter_map(|(_, value)| value.as_ref());
        let mut uris: Vec<String> = values
            .flat_map(|v| AorState::from_bytes(v).unwrap().bindings)
            .map(|b| b.uri.to_string())
            .collect();
        uris.sort();
        uris
    }
}

/// What a request asks for: contacts and whether they are to be there.
type Asked = Vec<(String, bool)>;

#[test]
fn whatever_the_store_says_and_when_the_table_is_what_was_granted_in_the_order_it_came() {
    for seed in 0..3000 {
        let mut rng = Rng::seeded(seed);
        let (registrar, mut store) = (durable(), Held::default());
        let mut granted: Vec<(usize, Asked)> = Vec::new();
        let mut open: Vec<(usize, Asked, Outcome)> = Vec::new();
        for turn in 0..12 {
            let mut asked: Asked = Vec::new();
            for host in 1..4 {
                if rng.chance(500) {
                    asked.push((format!("sip:a@h{host}"), rng.chance(500)));
                }
            }
            let line = |(uri, wanted): &(String, bool)| {
                format!("Contact: <{uri}>;expires={}", if *wanted { 3600 } else { 0 })
            };
            let lines: Vec<String> = asked.iter().map(line).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let outcome = send(&registrar, &register(&format!("c{turn}"), 1, &lines), at(turn as u64));
            match outcome.commit {
                Some(_) => open.push((turn, asked, outcome)),
                None => granted.push((turn, asked)),
            }
            while !open.is_empty() && rng.chance(if turn == 11 { 1000 } else { 450 }) {
                let (turn, asked, outcome) = open.remove(rng.below(open.len() as u64) as usize);
                let rollback = outcome.rollback.unwrap();
                if rng.chance(600) {
                    store.write(outcome.commit.as_ref().unwrap());
                    granted.push((turn, asked));
                    if let Some(correction) = registrar.stored(&rollback, at(12)) {
                        store.write(&correction);
                        assert!(registrar.stored(rollback_of(&correction), at(12)).is_none());
                    }
                } else if registrar.roll_back(&rollback, at(12)).is_none() {
                    granted.push((turn, asked));
                }
            }
        }
        granted.sort();
        let mut right: BTreeMap<String, bool> = BTreeMap::new();
        granted.into_iter().flat_map(|(_, asked)| asked).for_each(|(uri, wanted)| {
            right.insert(uri, wanted);
        });
        let right: Vec<String> = right.into_iter().filter(|(_, there)| *there).map(|(uri, _)| uri).collect();
        let mut table = contacts(&registrar, at(13));
        table.sort();
        assert_eq!(table, right, "seed {seed}: the table");
        assert_eq!(store.contacts(), right, "seed {seed}: the store");
        assert_eq!(registrar.unsettled.len(), 0, "seed {seed}");
    }
}
