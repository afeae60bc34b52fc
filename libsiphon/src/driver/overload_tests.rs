use super::*;

fn at(ms: u64) -> Instant {
    Instant(1_000_000_000 + ms * 1000)
}

const LONG: Duration = Duration::from_millis(30);

#[test]
fn a_burst_that_is_worked_off_within_the_interval_sheds_nothing() {
    let settings = OverloadSettings::default();
    let mut pressure = Pressure::default();
    for ms in 0..90 {
        pressure.observe(&settings, LONG, at(ms));
        assert!(!pressure.sheds(&settings, LONG));
    }
    pressure.observe(&settings, Duration::ZERO, at(95));
    pressure.observe(&settings, LONG, at(120));
    assert!(!pressure.is_overloaded(), "the wait had been short in between");
}

#[test]
fn a_standing_queue_sheds_what_waited_longer_than_the_target_until_it_is_short() {
    let settings = OverloadSettings::default();
    let mut pressure = Pressure::default();
    for ms in 0..=100 {
        pressure.observe(&settings, LONG, at(ms));
    }
    assert!(pressure.sheds(&settings, LONG));
    assert!(!pressure.sheds(&settings, Duration::from_millis(19)), "what waited less is served");
    pressure.observe(&settings, Duration::from_millis(10), at(110));
    assert!(pressure.sheds(&settings, LONG), "half the target is not short yet");
    pressure.observe(&settings, Duration::from_millis(5), at(120));
    assert!(!pressure.is_overloaded());
}

#[test]
fn a_request_let_in_is_remembered_for_64_t1_and_forgotten_after_twice_that() {
    let mut admitted = Admitted::new(at(0));
    let digest = admitted.digest(b"INVITE sip:bob@example.com SIP/2.0\r\n");
    admitted.insert(digest, at(0));
    let other = admitted.digest(b"OPTIONS sip:bob@example.com SIP/2.0\r\n");
    admitted.insert(other, at(32_000));
    assert!(admitted.contains(digest), "32 s later");
    admitted.insert(other, at(64_000));
    assert!(!admitted.contains(digest), "64 s later");
    assert!(admitted.contains(other));
}

#[test]
fn few_requests_are_taken_for_another_at_four_thousand_a_second() {
    let mut admitted = Admitted::new(at(0));
    for n in 0..128_000u64 {
        let digest = admitted.digest(&n.to_be_bytes());
        admitted.insert(digest, at(0));
    }
    let mistaken =
        (1_000_000..1_010_000u64).filter(|n| admitted.contains(admitted.digest(&n.to_be_bytes()))).count();
    assert!(mistaken < 700, "{mistaken} of 10,000");
}
