//! Whether the node lives, serves, or drains: what `/livez` and `/readyz` say.

use std::sync::atomic::{AtomicU8, Ordering};

/// Where the node is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Not all sockets are open yet.
    Starting,
    /// It serves.
    Ready,
    /// It takes no new work.
    Draining,
}

/// The phase, shared with the health pages.
#[derive(Debug, Default)]
pub struct Health(AtomicU8);

impl Health {
    /// Where the node is.
    pub fn phase(&self) -> Phase {
        match self.0.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }

    /// All sockets are open.
    pub fn ready(&self) {
        self.0.store(1, Ordering::Release);
    }

    /// No new work is taken from now on.
    pub fn draining(&self) {
        self.0.store(2, Ordering::Release);
    }
}

impl Phase {
    /// The word in the health pages.
    pub const fn label(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::Ready => "ready",
            Phase::Draining => "draining",
        }
    }
}
