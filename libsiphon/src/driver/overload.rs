//! When new work is turned away: by how long what arrives waits for its turn, after CoDel (RFC 8289).
//!
//! A queue that is short again within [`OverloadSettings::interval`] was a burst and does no harm. One that stays long is
//! more than this shard sustains: from then on new requests that waited longer than
//! [`OverloadSettings::target`] are shed, which keeps the wait of all others near that target. Everything
//! stays in one queue in the order of arrival, so no CANCEL overtakes its INVITE.

use crate::base::time::{Duration, Instant};

/// Bounds of a shard's backlog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverloadSettings {
    /// How long a message may wait for its turn when the shard is busy.
    pub target: Duration,
    /// How long the wait must stay above the target before it counts as overload.
    pub interval: Duration,
    /// New requests are shed at once while this many messages wait.
    pub max_new: usize,
    /// Sockets are not read any more while this many messages wait; the kernel drops what comes then.
    pub max_waiting: usize,
    /// The same in octets.
    pub max_octets: usize,
    /// Lower and upper bound of the Retry-After of a 503, in seconds.
    pub retry_after: (u32, u32),
}

impl Default for OverloadSettings {
    fn default() -> Self {
        OverloadSettings {
            target: Duration::from_millis(20),
            interval: Duration::from_millis(100),
            max_new: 4096,
            max_waiting: 16_384,
            max_octets: 32 * 1024 * 1024,
            retry_after: (2, 10),
        }
    }
}

/// Watches how long messages wait.
#[derive(Debug, Default)]
pub struct Pressure {
    above_since: Option<Instant>,
    overloaded: bool,
}

impl Pressure {
    /// A message's turn came at `now` after it waited for `delay`.
    pub fn observe(&mut self, settings: &OverloadSettings, delay: Duration, now: Instant) {
        if delay <= settings.target / 4 {
            self.overloaded = false;
            self.above_since = None;
        } else if delay > settings.target {
            let since = *self.above_since.get_or_insert(now);
            self.overloaded |= now.since(since) >= settings.interval;
        } else if !self.overloaded {
            self.above_since = None;
        }
    }

    /// Whether a new request that waited for `delay` is shed.
    pub fn sheds(&self, settings: &OverloadSettings, delay: Duration) -> bool {
        self.overloaded && delay > settings.target
    }

    /// Whether the shard has more work than it sustains.
    pub fn is_overloaded(&self) -> bool {
        self.overloaded
    }
}

/// Remembers the requests of the last 32 to 64 seconds that were let in, so that a retransmission of one is not shed: its
/// transaction exists and will answer it. A request shed by mistake would end the call at the caller while it
/// goes on here; one let in by mistake costs a little work. So a Bloom filter is enough, of two generations.
#[derive(Debug)]
pub struct Admitted {
    current: Box<[u64]>,
    previous: Box<[u64]>,
    turned: Instant,
    hasher: foldhash::fast::RandomState,
}

/// Bits per generation: 1 in 60 is a false hit at 4,000 requests a second.
const BITS: u64 = 1 << 20;
/// Timers B and F (RFC 3261 17.1.1.2): nobody retransmits for longer than 64*T1.
const GENERATION: Duration = Duration::from_secs(32);

impl Admitted {
    /// An empty memory.
    pub fn new(now: Instant) -> Self {
        let empty = || vec![0u64; (BITS / 64) as usize].into_boxed_slice();
        Admitted { current: empty(), previous: empty(), turned: now, hasher: Default::default() }
    }

    /// A hash of a request's octets; a retransmission has the same (RFC 3261 17.1.1.2: "the same request").
    pub fn digest(&self, request: &[u8]) -> u64 {
        use std::hash::BuildHasher;
        self.hasher.hash_one(request)
    }

    /// Remembers a request.
    pub fn insert(&mut self, digest: u64, now: Instant) {
        let age = now.since(self.turned);
        if age >= GENERATION {
            std::mem::swap(&mut self.current, &mut self.previous);
            self.current.fill(0);
            if age >= GENERATION * 2 {
                self.previous.fill(0);
            }
            self.turned = now;
        }
        for (word, bit) in places(digest) {
            if let Some(word) = self.current.get_mut(word) {
                *word |= bit;
            }
        }
    }

    /// Whether the request was, or may have been, remembered.
    pub fn contains(&self, digest: u64) -> bool {
        let within = |bits: &[u64]| {
            places(digest).into_iter().all(|(word, bit)| bits.get(word).is_some_and(|w| w & bit != 0))
        };
        within(&self.current) || within(&self.previous)
    }
}

fn places(digest: u64) -> [(usize, u64); 2] {
    [digest, digest.rotate_right(32)].map(|n| {
        let bit = n % BITS;
        ((bit / 64) as usize, 1 << (bit % 64))
    })
}

#[cfg(test)]
#[path = "overload_tests.rs"]
mod tests;
