//! The thread of the observers: takes events in bundles from the driver's stream and shows them to each.

use std::thread::JoinHandle;
use std::time::Duration;

use crate::driver::observers::EventSource;
use crate::observe::{Observer, Observers};

/// Longest wait for the first event of a bundle.
const PATIENCE: Duration = Duration::from_secs(1);
/// Events gather this long, so that the shards seldom have to wake this thread.
const GATHER: Duration = Duration::from_millis(5);

/// Runs until the stream is closed and everything in it was seen.
pub fn spawn(source: EventSource, mut observers: Observers) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("observers".to_owned()).spawn(move || {
        let mut events = Vec::new();
        while source.take(&mut events, PATIENCE) {
            for event in events.drain(..) {
                observers.see(&event);
            }
            std::thread::sleep(GATHER);
        }
    })
}

#[cfg(test)]
#[path = "watchers_tests.rs"]
mod tests;
