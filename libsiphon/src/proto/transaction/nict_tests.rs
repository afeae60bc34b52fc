use super::super::table::{Situation, assert_codec, assert_legal_cells, print, run};
use super::*;
use crate::base::time::Duration;

const T0: Instant = Instant::from_unix_secs(1_800_000_000);

fn after(ms: u64) -> Instant {
    T0 + Duration::from_millis(ms)
}

fn started(transport: Transport) -> Nict {
    let mut out = Outputs::new();
    let nict = Nict::start(transport, TimerSettings::default(), T0, &mut out);
    assert_eq!(out[..], [Output::SendRequest]);
    nict
}

fn feed(nict: &mut Nict, input: Input, ms: u64) -> Vec<Output> {
    let mut out = Outputs::new();
    nict.handle(input, after(ms), &mut out);
    out.to_vec()
}

fn fed(transport: Transport, inputs: &[Input]) -> Nict {
    let mut nict = started(transport);
    for &input in inputs {
        feed(&mut nict, input, 0);
    }
    nict
}

const TRYING: Input = Input::Response(Class::Provisional);
const OK: Input = Input::Response(Class::Success);
const DENIED: Input = Input::Response(Class::Failure);

fn situations() -> Vec<Situation<Nict>> {
    use Transport::{Tcp, Udp};
    let at = |name, machine| Situation { name, machine, now: T0 };
    let mut resent = started(Udp);
    feed(&mut resent, Input::Tick, 500);
    vec![
        at("UDP: sent", started(Udp)),
        Situation { name: "UDP: sent again", machine: resent, now: after(500) },
        at("TCP: sent", started(Tcp)),
        at("UDP: 100 came", fed(Udp, &[TRYING])),
        at("TCP: 100 came", fed(Tcp, &[TRYING])),
        at("UDP: 200 came", fed(Udp, &[TRYING, OK])),
        at("TCP: 200 came", fed(Tcp, &[OK])),
    ]
}

#[test]
fn the_whole_table() {
    insta::assert_snapshot!(print(&situations()));
    assert_legal_cells(&situations());
    assert_codec(&situations());
}

#[test]
fn an_unanswered_request_over_udp_is_repeated_up_to_every_t2_until_timer_f() {
    let mut nict = started(Transport::Udp);
    let log = run(&mut nict, Input::Tick, T0, after(60_000));
    let sent = [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    let mut expected: Vec<_> = sent.map(|ms| (ms, Output::SendRequest)).to_vec();
    expected.extend([(32_000, Output::Timeout), (32_000, Output::Terminated)]);
    assert_eq!(log, expected);
}

#[test]
fn over_tcp_nothing_is_sent_twice_and_the_final_response_ends_it() {
    let mut nict = started(Transport::Tcp);
    assert_eq!(nict.deadline(), Some(after(32_000)));
    assert_eq!(feed(&mut nict, OK, 10), [Output::PassToTu, Output::Terminated]);
    let mut silent = started(Transport::Tcp);
    let log = run(&mut silent, Input::Tick, T0, after(60_000));
    assert_eq!(log, [(32_000, Output::Timeout), (32_000, Output::Terminated)]);
}

#[test]
fn after_a_provisional_response_the_running_interval_ends_and_then_it_is_t2() {
    let mut nict = started(Transport::Udp);
    feed(&mut nict, Input::Tick, 500);
    assert_eq!(feed(&mut nict, TRYING, 600), [Output::PassToTu]);
    let log = run(&mut nict, Input::Tick, T0, after(10_000));
    assert_eq!(log, [1_500, 5_500, 9_500].map(|ms| (ms, Output::SendRequest)));
    let log = run(&mut nict, Input::Tick, T0, after(60_000));
    assert_eq!(log[log.len() - 2..], [(32_000, Output::Timeout), (32_000, Output::Terminated)]);
}

#[test]
fn copies_of_the_final_response_are_absorbed_until_timer_k() {
    let mut nict = started(Transport::Udp);
    assert_eq!(feed(&mut nict, DENIED, 100), [Output::ForgetRequest, Output::PassToTu]);
    assert_eq!(feed(&mut nict, DENIED, 600), []);
    assert_eq!(feed(&mut nict, OK, 700), []);
    assert_eq!(run(&mut nict, Input::Tick, T0, after(60_000)), [(5_100, Output::Terminated)]);
}

#[test]
fn a_transport_error_ends_it_before_the_final_response_only() {
    let failed = [Output::TransportError, Output::Terminated];
    for waiting in [&[][..], &[TRYING]] {
        assert_eq!(feed(&mut fed(Transport::Udp, waiting), Input::TransportError, 0), failed);
    }
    assert_eq!(feed(&mut fed(Transport::Udp, &[OK]), Input::TransportError, 0), []);
}
