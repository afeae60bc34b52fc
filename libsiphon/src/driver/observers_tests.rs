use super::*;
use crate::base::time::Instant;
use crate::event::{Kind, ShedReason};
use crate::wire::sip::Method;

fn event(n: u8) -> Event {
    let kind = Kind::Shed { reason: ShedReason::Overload, method: Method::Invite, call_id: None };
    Event { at: Instant::EPOCH, shard: n, kind }
}

fn taken(source: &EventSource) -> (bool, Vec<u8>) {
    let mut events = Vec::new();
    let open = source.take(&mut events, Duration::ZERO);
    (open, events.iter().map(|e| e.shard).collect())
}

#[test]
fn events_come_out_in_order_and_the_stream_ends_after_the_last() {
    let (sink, source) = event_stream(Classes::ALL, 8);
    sink.push_all(&mut vec![event(1), event(2)]);
    sink.push_all(&mut vec![event(3)]);
    sink.close();
    assert_eq!(taken(&source), (true, vec![1, 2, 3]));
    assert_eq!(taken(&source), (false, vec![]));
}

#[test]
fn events_beyond_the_capacity_are_lost_and_counted() {
    let (sink, source) = event_stream(Classes::ALL, 2);
    let mut events = vec![event(1), event(2), event(3), event(4)];
    sink.push_all(&mut events);
    assert!(events.is_empty(), "the shard keeps nothing");
    assert_eq!(taken(&source), (true, vec![1, 2]));
    assert_eq!((sink.lost(), source.lost()), (2, 2));
}

#[test]
fn a_waiting_observer_is_woken() {
    let (sink, source) = event_stream(Classes::ALL, 2);
    let observer = std::thread::spawn(move || {
        let mut events = Vec::new();
        source.take(&mut events, Duration::from_secs(10));
        events.len()
    });
    sink.push_all(&mut vec![event(1)]);
    assert_eq!(observer.join().unwrap(), 1);
}

#[test]
fn observers_that_want_something_else_are_sent_that() {
    let (sink, source) = event_stream(Classes::EDGE, 2);
    assert_eq!(sink.classes(), Classes::EDGE);
    source.subscribe(Classes::ALL);
    assert_eq!(sink.clone().classes(), Classes::ALL);
}
