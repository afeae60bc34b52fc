//! When a shard to which much comes looks again: not for every message, but after a moment in which several gather.
//!
//! Waking a thread costs more than what it does for one message. A network card that interrupts for every packet has the
//! same trouble and the same remedy. The price is delay, at most [`DEFAULT_GATHER`] each time the shard is waited for: at
//! the socket, in the mailbox of the shard that owns the call, at the answer of DNS, store or lane. A shard with little to
//! do pays none, because it is woken by the message itself.

use crate::base::time::{Duration, Instant};

/// The longest a message waits for others to come, unless configured.
pub(super) const DEFAULT_GATHER: Duration = Duration::from_millis(2);

/// So many messages must be expected within the longest nap for it to be worth while.
const WORTH: u64 = 2;
/// A nap ends when about so many have come: more would gain little and crowd the sockets' buffers.
const ENOUGH: u64 = 16;
/// The mean follows a change within about so many messages.
const WEIGHT: u64 = 8;

/// Watches how fast messages come.
#[derive(Debug)]
pub(super) struct Gathering {
    most: Duration,
    /// Microseconds between two messages, a moving mean.
    gap: u64,
    counted_at: Instant,
}

impl Gathering {
    pub(super) fn new(most: Duration, now: Instant) -> Self {
        Gathering { most, gap: IDLE, counted_at: now }
    }

    /// A turn that ended about `now` took in `count` messages.
    pub(super) fn turned(&mut self, count: u32, now: Instant) {
        let since = now.0.saturating_sub(self.counted_at.0).min(IDLE);
        if count == 0 {
            // Silence is news only when it is longer than the mean.
            self.gap = self.gap.max(since);
            return;
        }
        self.counted_at = now;
        let count = u64::from(count);
        let (gap, weight) = (since / count, count.min(WEIGHT));
        self.gap = (self.gap * (WEIGHT - weight) + gap * weight) / WEIGHT;
    }

    /// How long to let messages gather; `None` when too few come for it to be worth while.
    pub(super) fn nap(&self) -> Option<Duration> {
        let most = u64::try_from(self.most.as_micros()).unwrap_or(IDLE);
        let worth = self.gap * WORTH <= most && most > 0;
        worth.then(|| Duration::from_micros(most.min(self.gap.max(1) * ENOUGH)))
    }
}

/// Longer gaps do not matter.
const IDLE: u64 = 1_000_000;

#[cfg(test)]
#[path = "gathering_tests.rs"]
mod tests;
