use super::*;

const START: Instant = Instant::from_unix_secs(1_700_000_000);

fn after(micros: u64) -> Instant {
    START + Duration::from_micros(micros)
}

/// Messages every `gap` microseconds for `turns` turns of `count` messages each.
fn fed(gathering: &mut Gathering, from: u64, gap: u64, count: u32, turns: u64) -> u64 {
    let mut at = from;
    for _ in 0..turns {
        at += gap * u64::from(count);
        gathering.turned(count, after(at));
    }
    at
}

#[test]
fn a_shard_with_little_to_do_does_not_wait_for_more() {
    let mut gathering = Gathering::new(DEFAULT_GATHER, START);
    assert_eq!(gathering.nap(), None);
    fed(&mut gathering, 0, 5_000, 1, 100);
    assert_eq!(gathering.nap(), None, "200 a second");
}

#[test]
fn a_busy_shard_waits_until_several_have_come_and_never_longer_than_configured() {
    let mut gathering = Gathering::new(DEFAULT_GATHER, START);
    let at = fed(&mut gathering, 0, 200, 1, 100);
    assert_eq!(gathering.nap(), Some(DEFAULT_GATHER), "5,000 a second");
    fed(&mut gathering, at, 10, 16, 100);
    assert_eq!(gathering.nap(), Some(Duration::from_micros(160)), "100,000 a second");
}

#[test]
fn after_a_burst_the_first_silence_ends_the_waiting() {
    let mut gathering = Gathering::new(DEFAULT_GATHER, START);
    let at = fed(&mut gathering, 0, 100, 10, 100);
    assert!(gathering.nap().is_some());
    gathering.turned(0, after(at + 2_000));
    assert_eq!(gathering.nap(), None);
}

#[test]
fn zero_turns_it_off() {
    let mut gathering = Gathering::new(Duration::ZERO, START);
    fed(&mut gathering, 0, 0, 64, 100);
    assert_eq!(gathering.nap(), None, "however fast they come");
}
