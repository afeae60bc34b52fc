use super::*;
use crate::base::time::Duration;
use proptest::prelude::*;
use std::collections::BTreeMap;

const TICK: u64 = 1 << TICK_BITS;
const START: Instant = Instant(1_750_000_000_000_321);

fn expired(wheel: &mut Wheel, now: Instant) -> Vec<u64> {
    let mut out = Vec::new();
    wheel.expire(now, &mut out);
    out
}

#[test]
fn a_timer_is_never_early_and_at_most_one_tick_late() {
    for micros in [1, 4_095, 4_096, 500_000, 1_048_575, 1_048_576, 32_000_000, 3_600_000_000] {
        let mut wheel = Wheel::new(START);
        let at = START + Duration::from_micros(micros);
        wheel.add(at, 7);
        assert_eq!(expired(&mut wheel, Instant(at.0 - 1)), [0u64; 0]);
        assert_eq!(expired(&mut wheel, at + Duration::from_micros(TICK - 1)), [7], "{micros} us");
    }
}

#[test]
fn keys_leave_in_the_order_of_deadlines_and_equal_deadlines_in_that_of_adding() {
    let mut wheel = Wheel::new(START);
    let at = |micros| START + Duration::from_micros(micros);
    let (far, near) = (at(90_000_000), at(50_003));
    for (deadline, key) in [(far, 1), (at(50_002), 2), (near, 3), (far, 4), (at(50_001), 5), (near, 6)] {
        wheel.add(deadline, key);
    }
    // The far ones wait in a coarse slot by now; a late arrival with the same deadline comes after them.
    assert_eq!(expired(&mut wheel, at(60_000_000)), [5, 2, 3, 6]);
    wheel.add(far, 7);
    assert_eq!(expired(&mut wheel, at(91_000_000)), [1, 4, 7]);
    assert!(wheel.is_empty());
}

#[test]
fn a_deadline_in_the_past_is_due_at_the_next_expiry_even_without_time_passing() {
    let mut wheel = Wheel::new(START);
    let now = START + Duration::from_secs(10);
    assert_eq!(expired(&mut wheel, now), [0u64; 0]);
    wheel.add(START + Duration::from_secs(5), 2);
    wheel.add(START, 1);
    wheel.add(Instant::EPOCH, 0);
    assert!(wheel.next_deadline().is_some_and(|at| at <= now));
    assert_eq!(expired(&mut wheel, now), [0, 1, 2]);
}

#[test]
fn a_stale_id_cancels_nothing() {
    let mut wheel = Wheel::new(START);
    let at = START + Duration::from_secs(1);
    let fired = wheel.add(at, 1);
    assert_eq!(expired(&mut wheel, at + Duration::from_secs(1)), [1]);
    assert!(!wheel.cancel(fired), "its entry is unused");
    let second = wheel.add(at + Duration::from_secs(9), 2);
    assert_eq!(second.entry, fired.entry, "the entry is used again");
    assert!(!wheel.cancel(fired));
    assert!(wheel.cancel(second));
    assert!(!wheel.cancel(second));
    assert_eq!((wheel.len(), wheel.next_deadline()), (0, None));
    assert!(!wheel.cancel(TimerId { entry: 3, check: 0 }), "no entry of a timer at all");
}

#[test]
fn a_jump_of_hours_visits_only_what_is_armed() {
    let mut wheel = Wheel::new(START);
    for hour in (1..=48).rev() {
        wheel.add(START + Duration::from_secs(3600 * hour), hour);
    }
    let keys = expired(&mut wheel, START + Duration::from_secs(3600 * 47 + 60));
    assert_eq!(keys, (1..=47).collect::<Vec<_>>());
    assert_eq!(expired(&mut wheel, START + Duration::from_secs(3600 * 24 * 3000)), [48]);
}

#[test]
fn a_deadline_beyond_the_horizon_comes_out_early_instead_of_never() {
    let mut wheel = Wheel::new(START);
    wheel.add(Instant::FAR, 1);
    let days = |n: u64| START + Duration::from_secs(86_400 * n);
    assert_eq!(expired(&mut wheel, days(190)), [0u64; 0]);
    assert_eq!(expired(&mut wheel, days(210)), [1]);
}

#[test]
fn the_wheel_outlives_the_range_of_its_tick_column() {
    let mut wheel = Wheel::new(START);
    let mut now = START;
    for key in 0..40u64 {
        // 40 times 31 days: several turns of the top level.
        wheel.add(now + Duration::from_secs(86_400 * 31), key);
        wheel.add(now + Duration::from_millis(700), 1000 + key);
        now += Duration::from_secs(1);
        assert_eq!(expired(&mut wheel, now), [1000 + key]);
        now += Duration::from_secs(86_400 * 31 - 2);
        assert_eq!(expired(&mut wheel, now), [0u64; 0]);
        now += Duration::from_secs(2);
        assert_eq!(expired(&mut wheel, now), [key]);
    }
}

#[test]
fn a_timer_takes_24_bytes() {
    let c = Columns::default();
    fn width<T>(_: &[T]) -> usize {
        size_of::<T>()
    }
    assert_eq!(width(&c.next) + width(&c.prev) + width(&c.tick) + width(&c.check) + width(&c.key), 24);
}

#[derive(Clone, Debug)]
enum Op {
    Add(u64),
    AddPast(u64),
    Cancel(usize),
    Advance(u64),
}

/// Spans of every size, so that all levels and the boundaries between them are met.
fn span() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..3 * TICK,
        4 => (1..600u64).prop_map(|ticks| ticks * TICK),
        3 => 0..600_000_000u64,
        2 => 0..400_000_000_000u64,
        1 => 0..8_000_000_000_000u64,
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => span().prop_map(Op::Add),
        1 => span().prop_map(Op::AddPast),
        2 => any::<usize>().prop_map(Op::Cancel),
        3 => span().prop_map(Op::Advance),
    ]
}

fn due_tick(at: u64) -> u64 {
    at.div_ceil(TICK)
}

proptest! {
    #[test]
    fn the_wheel_does_what_an_ordered_map_does(ops in prop::collection::vec(op(), 1..200)) {
        let mut wheel = Wheel::new(START);
        let mut model: BTreeMap<(u64, u64), TimerId> = BTreeMap::new();
        let mut ids = Vec::new();
        let mut now = START.0;
        for (key, op) in ops.into_iter().enumerate() {
            let key = key as u64;
            match op {
                Op::Add(span) => {
                    let id = wheel.add(Instant(now + span), key);
                    model.insert((now + span, key), id);
                    ids.push(((now + span, key), id));
                }
                Op::AddPast(span) => {
                    let id = wheel.add(Instant(now - span), key);
                    model.insert((now - span, key), id);
                    ids.push(((now - span, key), id));
                }
                Op::Cancel(choice) if !ids.is_empty() => {
                    let (name, id) = ids[choice % ids.len()];
                    prop_assert_eq!(wheel.cancel(id), model.remove(&name).is_some());
                }
                Op::Cancel(_) => {}
                Op::Advance(span) => {
                    now += span;
                    let due: Vec<_> = model.keys().copied().filter(|(at, _)| due_tick(*at) <= now / TICK).collect();
                    let mut out = Vec::new();
                    wheel.expire(Instant(now), &mut out);
                    prop_assert_eq!(out, due.iter().map(|(_, key)| *key).collect::<Vec<_>>());
                    for name in due {
                        model.remove(&name);
                    }
                }
            }
            prop_assert_eq!(wheel.len(), model.len());
            let first = model.keys().next().map(|(at, _)| due_tick(*at));
            match (wheel.next_deadline(), first) {
                (None, None) => {}
                (Some(wake), Some(tick)) => {
                    let wake = wake.0 / TICK;
                    let tick = tick.max(wheel.current);
                    prop_assert!(wake <= tick, "late");
                    // Early by less than a slot of the level the nearest timer lies in.
                    let slot = 1 << (8 * level_of(tick ^ wheel.current));
                    prop_assert!(tick - wake < slot, "more than a slot early");
                }
                (wake, tick) => prop_assert!(false, "wheel {:?}, model {:?}", wake, tick),
            }
        }
    }
}
