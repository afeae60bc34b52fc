use super::client::Client;
use super::server::Server;
use super::*;
use crate::base::flow::Transport;
use crate::base::time::Duration;

#[test]
fn a_machine_takes_at_most_64_bytes() {
    for (name, size) in [
        ("Ict", size_of::<Ict>()),
        ("Ist", size_of::<Ist>()),
        ("Nict", size_of::<Nict>()),
        ("Nist", size_of::<Nist>()),
        ("Client", size_of::<Client>()),
        ("Server", size_of::<Server>()),
    ] {
        assert!(size <= 64, "{name} takes {size} bytes");
    }
}

#[test]
fn either_kind_survives_encoding_and_goes_on_where_it_was() {
    let now = Instant::from_unix_secs(1_800_000_000);
    let settings =
        TimerSettings::new(Duration::from_millis(80), Duration::from_secs(1), Duration::from_secs(2));
    for is_invite in [true, false] {
        let client = Client::start(is_invite, Transport::Udp, settings, now, &mut Outputs::new());
        let mut server = Server::start(is_invite, Transport::Udp, settings, now, &mut Outputs::new());
        server.handle(server::Input::Respond(Class::Failure), now, &mut Outputs::new());
        let restored = Client::from_bytes(&client.to_bytes()).expect("what was encoded decodes");
        assert_eq!((restored, restored.deadline()), (client, Some(now + Duration::from_millis(80))));
        assert_eq!(Server::from_bytes(&server.to_bytes()), Ok(server));
        assert!(server.is_answered() && server.deadline().is_some());
    }
    assert!(Client::from_bytes(&[2]).is_err() && Server::from_bytes(&[2]).is_err());
}

#[test]
fn a_tick_names_the_cell_it_will_enter() {
    let now = Instant::from_unix_secs(1_800_000_000);
    let ict = Ict::start(Transport::Udp, TimerSettings::default(), now, &mut Outputs::new());
    let tick = client::Input::Tick;
    assert_eq!(ict.cell(tick, now), None, "nothing is due yet");
    let cell = ict.cell(tick, now + Duration::from_millis(500));
    assert_eq!(cell, Some((ict::State::Calling, client::Event::Timer(Timer::A))));
    assert!(cell.is_some_and(|cell| Ict::LEGAL.contains(&cell)));
    let cell = ict.cell(client::Input::TransportError, now);
    assert_eq!(cell, Some((ict::State::Calling, client::Event::TransportError)));
}

#[test]
fn status_codes_fall_into_their_classes() {
    let classes = [100, 199, 200, 299, 300, 487, 699].map(Class::of);
    use Class::{Failure as F, Provisional as P, Success as S};
    assert_eq!(classes, [P, P, S, S, F, F, F]);
}

#[test]
fn settings_are_held_in_range_and_t2_is_at_least_t1() {
    let s = TimerSettings::new(Duration::from_secs(6), Duration::ZERO, Duration::MAX);
    assert_eq!((s.t1(), s.t2(), s.t4()), (s.t1(), Duration::from_secs(6), Duration::from_secs(60)));
    assert_eq!(s.timeout(), Duration::from_secs(64 * 6));
    assert_eq!(TimerSettings::default().timeout(), Duration::from_secs(32));
}

#[test]
fn the_100_trying_leaves_after_the_delay_that_is_set() {
    let now = Instant::from_unix_secs(1_800_000_000);
    let settings = TimerSettings::default().with_trying_delay(Duration::from_millis(20));
    let ist = Ist::start(Transport::Udp, settings, now, &mut Outputs::new());
    assert_eq!(ist.deadline(), Some(now + Duration::from_millis(20)));
}
