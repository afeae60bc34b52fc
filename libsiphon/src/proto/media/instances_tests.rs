use super::{Health, Instance, State, Thresholds, bit, by_call_id, for_new_call};
use crate::base::time::{Duration, Instant};
use crate::wire::ng::InstanceName;

const THRESHOLDS: Thresholds = Thresholds { down_after: 3, up_after: 2, rest: Duration::from_secs(1) };

fn states(weights: &[u32]) -> Vec<State> {
    let state = |(n, weight): (usize, &u32)| {
        let name = InstanceName::new(&format!("10.0.0.{n}:22222"));
        State::new(Instance { name, weight: *weight, timeout: Duration::from_secs(1) }, None)
    };
    weights.iter().enumerate().map(state).collect()
}

fn shares(states: &[State], calls: u32) -> Vec<u32> {
    let mut shares = vec![0; states.len()];
    for call in 0..calls {
        if let Some(index) = for_new_call(states, &format!("call-{call}@host"), 0) {
            shares[index] += 1;
        }
    }
    shares
}

#[test]
fn calls_are_shared_by_weight() {
    let shares = shares(&states(&[1, 2, 5]), 8000);
    for (share, wanted) in shares.iter().zip([1000u32, 2000, 5000]) {
        assert!(share.abs_diff(wanted) < 150, "{shares:?}");
    }
}

#[test]
fn only_the_calls_of_an_instance_that_goes_down_move() {
    let mut states = states(&[1, 1, 1]);
    let calls: Vec<String> = (0..500).map(|n| format!("{n}")).collect();
    let before: Vec<_> = calls.iter().map(|c| for_new_call(&states, c, 0).unwrap()).collect();
    for _ in 0..3 {
        states[1].failed(&THRESHOLDS, Instant::EPOCH);
    }
    for (call, before) in calls.iter().zip(before) {
        let now = for_new_call(&states, call, 0).unwrap();
        assert!(now != 1 && (before == 1 || now == before));
        assert_eq!(
            by_call_id(&states, call),
            Some(before),
            "who is not remembered is looked for where he was"
        );
    }
    assert_eq!(for_new_call(&states, "x", bit(0) | bit(2)), None);
}

#[test]
fn failures_in_a_row_take_it_down_and_answers_in_a_row_bring_it_back() {
    let mut state = states(&[1]).remove(0);
    assert!(!state.failed(&THRESHOLDS, Instant::EPOCH) && !state.failed(&THRESHOLDS, Instant::EPOCH));
    assert!(!state.answered(&THRESHOLDS));
    assert!(!state.failed(&THRESHOLDS, Instant::EPOCH) && !state.failed(&THRESHOLDS, Instant::EPOCH));
    assert_eq!(state.health, Health::Up, "an answer between them forgives");
    assert!(state.failed(&THRESHOLDS, Instant::EPOCH));
    assert_eq!(state.health, Health::Down);
    assert!(state.answered(&THRESHOLDS));
    assert_eq!(state.health, Health::HalfOpen);
    assert!(state.failed(&THRESHOLDS, Instant::EPOCH));
    assert_eq!(state.health, Health::Down, "one failure of a half-open one is enough");
    state.answered(&THRESHOLDS);
    assert!(state.answered(&THRESHOLDS));
    assert_eq!(state.health, Health::Up);
}

#[test]
fn a_half_open_instance_tries_one_new_call_at_a_time_unless_none_is_up() {
    let mut states = states(&[1, 1]);
    states[0].health = Health::HalfOpen;
    let call = (0..100).map(|n| format!("{n}")).find(|c| by_call_id(&states, c) == Some(0)).unwrap();
    assert_eq!(for_new_call(&states, &call, 0), Some(0));
    states[0].trial = Some(1);
    assert_eq!(for_new_call(&states, &call, 0), Some(1));
    states[1].health = Health::Down;
    assert_eq!(for_new_call(&states, &call, 0), Some(0));
}
