use super::super::table::{Situation, assert_codec, assert_legal_cells, print, run};
use super::*;
use crate::base::time::Duration;

const T0: Instant = Instant::from_unix_secs(1_800_000_000);

fn after(ms: u64) -> Instant {
    T0 + Duration::from_millis(ms)
}

fn started(transport: Transport) -> Ict {
    let mut out = Outputs::new();
    let ict = Ict::start(transport, TimerSettings::default(), T0, &mut out);
    assert_eq!(out[..], [Output::SendRequest]);
    ict
}

fn feed(ict: &mut Ict, input: Input, ms: u64) -> Vec<Output> {
    let mut out = Outputs::new();
    ict.handle(input, after(ms), &mut out);
    out.to_vec()
}

fn fed(transport: Transport, inputs: &[Input]) -> Ict {
    let mut ict = started(transport);
    for &input in inputs {
        feed(&mut ict, input, 0);
    }
    ict
}

const TRYING: Input = Input::Response(Class::Provisional);
const OK: Input = Input::Response(Class::Success);
const BUSY: Input = Input::Response(Class::Failure);

fn situations() -> Vec<Situation<Ict>> {
    use Transport::{Tcp, Udp};
    let at = |name, machine| Situation { name, machine, now: T0 };
    let mut resent = started(Udp);
    feed(&mut resent, Input::Tick, 500);
    vec![
        at("UDP: sent", started(Udp)),
        Situation { name: "UDP: sent again", machine: resent, now: after(500) },
        at("TCP: sent", started(Tcp)),
        at("UDP: 180 came", fed(Udp, &[TRYING])),
        at("TCP: 180 came", fed(Tcp, &[TRYING])),
        at("UDP: 200 came", fed(Udp, &[TRYING, OK])),
        at("TCP: 200 came", fed(Tcp, &[OK])),
        at("UDP: 486 came", fed(Udp, &[BUSY])),
        at("TCP: 486 came", fed(Tcp, &[BUSY])),
    ]
}

#[test]
fn the_whole_table() {
    insta::assert_snapshot!(print(&situations()));
    assert_legal_cells(&situations());
    assert_codec(&situations());
}

#[test]
fn an_unanswered_invite_over_udp_is_sent_seven_times_and_times_out_after_32_seconds() {
    let mut ict = started(Transport::Udp);
    let log = run(&mut ict, Input::Tick, T0, after(60_000));
    let mut expected: Vec<_> =
        [500, 1_500, 3_500, 7_500, 15_500, 31_500].map(|ms| (ms, Output::SendRequest)).to_vec();
    expected.extend([(32_000, Output::Timeout), (32_000, Output::Terminated)]);
    assert_eq!(log, expected);
}

#[test]
fn over_tcp_nothing_is_sent_twice() {
    let mut ict = started(Transport::Tcp);
    let log = run(&mut ict, Input::Tick, T0, after(60_000));
    assert_eq!(log, [(32_000, Output::Timeout), (32_000, Output::Terminated)]);
}

#[test]
fn a_provisional_response_ends_retransmission_and_the_timeout() {
    let mut ict = started(Transport::Udp);
    assert_eq!(feed(&mut ict, TRYING, 100), [Output::PassToTu]);
    assert_eq!(ict.deadline(), None);
    assert_eq!(feed(&mut ict, TRYING, 170_000), [Output::PassToTu]);
}

#[test]
fn retransmitted_and_forked_2xx_are_passed_on_until_timer_m() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut ict = started(transport);
        assert_eq!(feed(&mut ict, OK, 300), [Output::ForgetRequest, Output::PassToTu]);
        assert_eq!(feed(&mut ict, OK, 800), [Output::PassToTu]);
        assert_eq!(feed(&mut ict, BUSY, 900), []);
        assert_eq!(feed(&mut ict, TRYING, 900), []);
        assert_eq!(feed(&mut ict, OK, 32_299), [Output::PassToTu]);
        let log = run(&mut ict, Input::Tick, T0, after(60_000));
        assert_eq!(log, [(32_300, Output::Terminated)]);
        assert_eq!(feed(&mut ict, OK, 32_301), []);
    }
}

#[test]
fn copies_of_a_failure_response_are_acknowledged_and_not_passed_on() {
    let mut ict = started(Transport::Udp);
    assert_eq!(feed(&mut ict, BUSY, 700), [Output::SendAck, Output::ForgetRequest, Output::PassToTu]);
    assert_eq!(feed(&mut ict, BUSY, 1_200), [Output::ResendAck]);
    assert_eq!(feed(&mut ict, OK, 1_300), []);
    assert_eq!(run(&mut ict, Input::Tick, T0, after(90_000)), [(32_700, Output::Terminated)]);
}

#[test]
fn timer_d_is_32_seconds_even_when_t1_is_short_and_zero_on_tcp() {
    let ms = Duration::from_millis;
    let settings = TimerSettings::new(ms(50), ms(400), ms(500));
    let mut ict = Ict::start(Transport::Udp, settings, T0, &mut Outputs::new());
    feed(&mut ict, BUSY, 0);
    assert_eq!(ict.deadline(), Some(after(32_000)));
    let mut ict = Ict::start(Transport::Tcp, settings, T0, &mut Outputs::new());
    assert_eq!(feed(&mut ict, BUSY, 0), [Output::SendAck, Output::PassToTu, Output::Terminated]);
}

#[test]
fn a_transport_error_ends_what_is_sending_and_nothing_else() {
    let failed = [Output::TransportError, Output::Terminated];
    assert_eq!(feed(&mut started(Transport::Udp), Input::TransportError, 0), failed);
    assert_eq!(feed(&mut fed(Transport::Udp, &[BUSY]), Input::TransportError, 0), failed);
    for quiet in [&[TRYING][..], &[OK]] {
        assert_eq!(feed(&mut fed(Transport::Udp, quiet), Input::TransportError, 0), []);
    }
}

#[test]
fn a_late_tick_does_not_shift_the_schedule_and_a_stall_is_not_followed_by_a_burst() {
    let mut ict = started(Transport::Udp);
    feed(&mut ict, Input::Tick, 504);
    assert_eq!(ict.deadline(), Some(after(1_500)));
    assert_eq!(feed(&mut ict, Input::Tick, 20_000), [Output::SendRequest]);
    assert_eq!(ict.deadline(), Some(after(22_000)));
    let mut stalled = started(Transport::Udp);
    assert_eq!(feed(&mut stalled, Input::Tick, 40_000), [Output::Timeout, Output::Terminated]);
}
