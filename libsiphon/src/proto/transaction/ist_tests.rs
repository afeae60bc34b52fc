use super::super::table::{Situation, assert_codec, assert_legal_cells, print, run};
use super::*;
use crate::base::time::Duration;

const T0: Instant = Instant::from_unix_secs(1_800_000_000);

fn after(ms: u64) -> Instant {
    T0 + Duration::from_millis(ms)
}

fn started(transport: Transport) -> Ist {
    let mut out = Outputs::new();
    let ist = Ist::start(transport, TimerSettings::default(), T0, &mut out);
    assert_eq!(out[..], [Output::PassToTu]);
    ist
}

fn feed(ist: &mut Ist, input: Input, ms: u64) -> Vec<Output> {
    let mut out = Outputs::new();
    ist.handle(input, after(ms), &mut out);
    out.to_vec()
}

fn fed(transport: Transport, inputs: &[Input]) -> Ist {
    let mut ist = started(transport);
    for &input in inputs {
        feed(&mut ist, input, 0);
    }
    ist
}

const RING: Input = Input::Respond(Class::Provisional);
const OK: Input = Input::Respond(Class::Success);
const BUSY: Input = Input::Respond(Class::Failure);

fn situations() -> Vec<Situation<Ist>> {
    use Transport::{Tcp, Udp};
    let at = |name, machine| Situation { name, machine, now: T0 };
    let mut resent = fed(Udp, &[BUSY]);
    feed(&mut resent, Input::Tick, 500);
    vec![
        at("UDP: INVITE came", started(Udp)),
        at("UDP: 180 sent", fed(Udp, &[RING])),
        at("TCP: 180 sent", fed(Tcp, &[RING])),
        at("UDP: 200 sent", fed(Udp, &[RING, OK])),
        at("TCP: 200 sent", fed(Tcp, &[OK])),
        at("UDP: 486 sent", fed(Udp, &[BUSY])),
        Situation { name: "UDP: 486 sent again", machine: resent, now: after(500) },
        at("TCP: 486 sent", fed(Tcp, &[BUSY])),
        at("UDP: ACK came", fed(Udp, &[BUSY, Input::Ack])),
        at("TCP: ACK came", fed(Tcp, &[BUSY, Input::Ack])),
    ]
}

#[test]
fn the_whole_table() {
    insta::assert_snapshot!(print(&situations()));
    assert_legal_cells(&situations());
    assert_codec(&situations());
}

#[test]
fn a_silent_tu_makes_it_say_100_after_200_ms_once() {
    let mut ist = started(Transport::Udp);
    assert_eq!(feed(&mut ist, Input::Request, 199), [], "nothing was sent that could be repeated");
    assert_eq!(run(&mut ist, Input::Tick, T0, after(60_000)), [(200, Output::Send100)]);
    assert_eq!(feed(&mut ist, Input::Request, 500), [Output::ResendResponse]);
    assert_eq!(ist.deadline(), None);
}

#[test]
fn an_answer_within_200_ms_needs_no_100() {
    let mut ist = started(Transport::Tcp);
    assert_eq!(feed(&mut ist, RING, 150), [Output::SendResponse]);
    assert_eq!(ist.deadline(), None);
    assert_eq!(feed(&mut ist, Input::Request, 500), [Output::ResendResponse]);
}

#[test]
fn a_failure_response_without_ack_is_repeated_until_timer_h() {
    let mut ist = started(Transport::Udp);
    assert_eq!(feed(&mut ist, BUSY, 0), [Output::SendResponse]);
    let log = run(&mut ist, Input::Tick, T0, after(60_000));
    let sent = [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    let mut expected: Vec<_> = sent.map(|ms| (ms, Output::ResendResponse)).to_vec();
    expected.extend([(32_000, Output::Timeout), (32_000, Output::Terminated)]);
    assert_eq!(log, expected);
}

#[test]
fn over_tcp_a_failure_response_is_sent_once_and_the_ack_ends_it() {
    let mut lost = fed(Transport::Tcp, &[BUSY]);
    let log = run(&mut lost, Input::Tick, T0, after(60_000));
    assert_eq!(log, [(32_000, Output::Timeout), (32_000, Output::Terminated)]);
    let mut ist = fed(Transport::Tcp, &[BUSY]);
    assert_eq!(feed(&mut ist, Input::Ack, 30), [Output::Terminated]);
}

#[test]
fn the_ack_of_a_failure_response_and_its_copies_are_absorbed() {
    let mut ist = fed(Transport::Udp, &[RING, BUSY]);
    assert_eq!(feed(&mut ist, Input::Request, 100), [Output::ResendResponse]);
    assert_eq!(feed(&mut ist, Input::Ack, 200), [Output::ForgetResponse]);
    assert_eq!(feed(&mut ist, Input::Ack, 300), []);
    assert_eq!(feed(&mut ist, Input::Request, 300), []);
    assert_eq!(run(&mut ist, Input::Tick, T0, after(60_000)), [(5_200, Output::Terminated)]);
}

#[test]
fn after_a_2xx_copies_of_the_invite_are_absorbed_and_further_2xx_and_acks_pass() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut ist = started(transport);
        let sent = [Output::SendResponse, Output::ForgetResponse];
        assert_eq!(feed(&mut ist, OK, 0), sent);
        assert_eq!(feed(&mut ist, Input::Request, 100), []);
        assert_eq!(feed(&mut ist, OK, 500), sent);
        assert_eq!(feed(&mut ist, BUSY, 600), [], "the caller has its final response");
        assert_eq!(feed(&mut ist, Input::Ack, 700), [Output::PassToTu]);
        assert_eq!(run(&mut ist, Input::Tick, T0, after(60_000)), [(32_000, Output::Terminated)]);
    }
}

#[test]
fn a_transport_error_is_told_and_the_transaction_stays_to_absorb_copies() {
    for (inputs, state) in
        [(&[RING][..], State::Proceeding), (&[OK], State::Accepted), (&[BUSY], State::Completed)]
    {
        let mut ist = fed(Transport::Udp, inputs);
        let deadline = ist.deadline();
        assert_eq!(feed(&mut ist, Input::TransportError, 0), [Output::TransportError]);
        assert_eq!((ist.state(), ist.deadline()), (state, deadline));
    }
    let mut confirmed = fed(Transport::Udp, &[BUSY, Input::Ack]);
    assert_eq!(feed(&mut confirmed, Input::TransportError, 0), []);
}

#[test]
fn a_second_final_response_is_dropped() {
    let mut ist = fed(Transport::Udp, &[BUSY]);
    assert!(ist.is_answered());
    for response in [RING, OK, BUSY] {
        assert_eq!(feed(&mut ist, response, 10), []);
    }
}
