use super::super::table::{Situation, assert_codec, assert_legal_cells, print, run};
use super::*;
use crate::base::time::Duration;

const T0: Instant = Instant::from_unix_secs(1_800_000_000);

fn after(ms: u64) -> Instant {
    T0 + Duration::from_millis(ms)
}

fn started(transport: Transport) -> Nist {
    let mut out = Outputs::new();
    let nist = Nist::start(transport, TimerSettings::default(), &mut out);
    assert_eq!(out[..], [Output::PassToTu]);
    nist
}

fn feed(nist: &mut Nist, input: Input, ms: u64) -> Vec<Output> {
    let mut out = Outputs::new();
    nist.handle(input, after(ms), &mut out);
    out.to_vec()
}

fn fed(transport: Transport, inputs: &[Input]) -> Nist {
    let mut nist = started(transport);
    for &input in inputs {
        feed(&mut nist, input, 0);
    }
    nist
}

const PROGRESS: Input = Input::Respond(Class::Provisional);
const OK: Input = Input::Respond(Class::Success);
const DENIED: Input = Input::Respond(Class::Failure);

fn situations() -> Vec<Situation<Nist>> {
    use Transport::{Tcp, Udp};
    let at = |name, machine| Situation { name, machine, now: T0 };
    vec![
        at("UDP: request came", started(Udp)),
        at("TCP: request came", started(Tcp)),
        at("UDP: 100 sent", fed(Udp, &[PROGRESS])),
        at("TCP: 100 sent", fed(Tcp, &[PROGRESS])),
        at("UDP: 200 sent", fed(Udp, &[PROGRESS, OK])),
        at("TCP: 200 sent", fed(Tcp, &[OK])),
    ]
}

#[test]
fn the_whole_table() {
    insta::assert_snapshot!(print(&situations()));
    assert_legal_cells(&situations());
    assert_codec(&situations());
}

#[test]
fn it_says_nothing_by_itself_while_the_tu_is_silent() {
    let mut nist = started(Transport::Udp);
    assert_eq!(nist.deadline(), None);
    assert_eq!(feed(&mut nist, Input::Request, 500), []);
    assert_eq!(feed(&mut nist, Input::TransportError, 500), []);
}

#[test]
fn copies_of_the_request_get_the_last_response_until_timer_j() {
    let mut nist = started(Transport::Udp);
    assert_eq!(feed(&mut nist, PROGRESS, 3_000), [Output::SendResponse]);
    assert_eq!(feed(&mut nist, Input::Request, 3_500), [Output::ResendResponse]);
    assert_eq!(feed(&mut nist, DENIED, 4_000), [Output::SendResponse]);
    assert_eq!(feed(&mut nist, Input::Request, 5_000), [Output::ResendResponse]);
    assert_eq!(feed(&mut nist, OK, 6_000), [], "a second final response is dropped");
    assert_eq!(run(&mut nist, Input::Tick, T0, after(90_000)), [(36_000, Output::Terminated)]);
}

#[test]
fn over_tcp_the_final_response_ends_it() {
    let mut nist = started(Transport::Tcp);
    assert_eq!(feed(&mut nist, OK, 20), [Output::SendResponse, Output::Terminated]);
    assert!(nist.is_answered());
    assert_eq!(nist.deadline(), None);
}

#[test]
fn a_transport_error_ends_it_once_a_response_was_sent() {
    let failed = [Output::TransportError, Output::Terminated];
    for sent in [PROGRESS, OK] {
        assert_eq!(feed(&mut fed(Transport::Udp, &[sent]), Input::TransportError, 0), failed);
    }
}

#[test]
fn an_ack_means_nothing_to_it() {
    for mut nist in [started(Transport::Udp), fed(Transport::Udp, &[OK])] {
        assert_eq!(feed(&mut nist, Input::Ack, 10), []);
    }
}
