//! What the shards push arrives at every observer that asked for it, to the last event.

use std::sync::{Arc, Mutex};

use super::spawn;
use crate::base::time::{Duration, Instant};
use crate::driver::observers::event_stream;
use crate::event::{Classes, Event, Kind, Side};
use crate::observe::{Observer, Observers};

struct Counting(Classes, Arc<Mutex<usize>>);

impl Observer for Counting {
    fn classes(&self) -> Classes {
        self.0
    }

    fn see(&mut self, _: &Event) {
        *self.1.lock().expect("no test panics here") += 1;
    }
}

#[test]
fn every_observer_sees_what_it_asked_for_and_the_thread_ends_with_the_stream() {
    let (transactions, policy) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let mut observers = Observers::default();
    observers.add(Counting(Classes::TRANSACTIONS, transactions.clone()));
    observers.add(Counting(Classes::POLICY, policy.clone()));
    assert_eq!(observers.classes(), Classes::TRANSACTIONS.with(Classes::POLICY));
    let (sink, source) = event_stream(observers.classes(), 100);
    let thread = spawn(source, observers).expect("a thread");
    for n in 0..50 {
        let kind = match n % 5 {
            0 => Kind::HandlerRan { handler: "h".into(), took: Duration::ZERO, ok: true },
            _ => Kind::TransactionEnded { side: Side::Server },
        };
        sink.push_all(&mut vec![Event { at: Instant::EPOCH, shard: 0, kind }]);
    }
    sink.close();
    thread.join().expect("it ends");
    assert_eq!((*transactions.lock().expect("done"), *policy.lock().expect("done")), (40, 10));
}
