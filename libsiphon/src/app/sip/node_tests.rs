//! Tests of what a node tells its metrics.
use super::*;
use crate::driver::EventSink;
use crate::event::{Event, Kind, ShedReason};
use crate::wire::sip::Method;

#[test]
fn events_that_found_no_room_are_on_the_metrics_page() {
    let series = Metrics::new("test", "1", clock::now).expect("the series");
    let location = Arc::new(Location::new(&Secret::new(1, 2), 4, 8, Instant::EPOCH));
    let (events, _source): (EventSink, _) = event_stream(crate::event::Classes::ALL, 1);
    sources(&series, &location, &events);
    let kind = Kind::Shed { reason: ShedReason::Overload, method: Method::Invite, call_id: None };
    events.push_all(&mut vec![Event { at: Instant::EPOCH, shard: 0, kind }; 3]);
    let page = series.text().expect("the page");
    assert!(page.contains("siphon_events_dropped_total 2\n"), "{page}");
    assert!(page.contains("siphon_registrations_active 0\n"), "{page}");
}
