//! The event stream's way from the shards to whoever observes: one bounded queue, filled once per turn.
//! Lossy by design: an observer that is slow loses events, counted, and never slows a call.

use crate::base::time::Duration;
use crate::event::{Classes, Event};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

#[derive(Debug, Default)]
struct Queue {
    events: Mutex<State>,
    filled: Condvar,
    lost: AtomicU64,
    /// What the observers want.
    classes: AtomicU8,
}

#[derive(Debug, Default)]
struct State {
    list: Vec<Event>,
    closed: bool,
}

/// The shards' end.
#[derive(Clone, Debug)]
pub struct EventSink {
    queue: Arc<Queue>,
    capacity: usize,
}

/// The observers' end.
#[derive(Debug)]
pub struct EventSource {
    queue: Arc<Queue>,
}

/// A stream of events of `classes`, of which up to `capacity` wait.
pub fn event_stream(classes: Classes, capacity: usize) -> (EventSink, EventSource) {
    let queue = Arc::new(Queue { classes: AtomicU8::new(classes.0), ..Queue::default() });
    (EventSink { queue: queue.clone(), capacity }, EventSource { queue })
}

impl EventSink {
    /// A stream that nobody listens to.
    pub fn none() -> Self {
        event_stream(Classes::default(), 0).0
    }

    /// What the observers subscribed to.
    pub fn classes(&self) -> Classes {
        Classes(self.queue.classes.load(Ordering::Relaxed))
    }

    /// Hands over the events of one turn. Those beyond the capacity are dropped and counted.
    pub fn push_all(&self, events: &mut Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let wake = {
            let mut state = self.queue.events.lock().unwrap_or_else(PoisonError::into_inner);
            let was_empty = state.list.is_empty();
            let room = self.capacity.saturating_sub(state.list.len()).min(events.len());
            let lost = events.len() - room;
            state.list.extend(events.drain(..room));
            events.clear();
            if lost > 0 {
                self.queue.lost.fetch_add(lost as u64, Ordering::Relaxed);
            }
            was_empty && room > 0
        };
        if wake {
            self.queue.filled.notify_one();
        }
    }

    /// How many events were dropped because the observers were slow.
    pub fn lost(&self) -> u64 {
        self.queue.lost.load(Ordering::Relaxed)
    }

    /// No more events come.
    pub fn close(&self) {
        self.queue.events.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.queue.filled.notify_all();
    }
}

impl EventSource {
    /// From now on the observers want these: a log whose level changes wants others than before.
    pub fn subscribe(&self, classes: Classes) {
        self.queue.classes.store(classes.0, Ordering::Relaxed);
    }

    /// Moves the waiting events into `into`, after waiting up to `patience` for some to come; false when the
    /// stream is closed and empty. An observer that sleeps a little between calls lets events gather, so that
    /// shards seldom have to wake it.
    pub fn take(&self, into: &mut Vec<Event>, patience: Duration) -> bool {
        let state = self.queue.events.lock().unwrap_or_else(PoisonError::into_inner);
        let waited =
            self.queue.filled.wait_timeout_while(state, patience, |s| s.list.is_empty() && !s.closed);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        into.append(&mut state.list);
        !(state.closed && into.is_empty())
    }

    /// How many events were dropped because nobody took them in time.
    pub fn lost(&self) -> u64 {
        self.queue.lost.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
#[path = "observers_tests.rs"]
mod tests;
