//! Time as a value.
//!
//! An [`Instant`] counts microseconds since the Unix epoch and never goes back: the driver adds a
//! monotonic clock to the wall time it read once at start, the simulator counts by itself. So a deadline
//! is wall time already and can be written into an encoded state as it stands.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
pub use std::time::Duration;

/// A point in time, in microseconds since 1970-01-01T00:00:00Z, monotonic within a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// The start of Unix time.
    pub const EPOCH: Instant = Instant(0);
    /// Later than anything that happens.
    pub const FAR: Instant = Instant(u64::MAX);

    /// From whole seconds of Unix time.
    pub const fn from_unix_secs(secs: u64) -> Self {
        Instant(secs.saturating_mul(1_000_000))
    }

    /// Whole seconds of Unix time, rounded down.
    pub const fn unix_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whole milliseconds of Unix time, rounded down.
    pub const fn unix_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Time since `earlier`, zero when `earlier` is later.
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, rhs: Duration) -> Instant {
        Instant(self.0.saturating_add(u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;
    fn sub(self, rhs: Instant) -> Duration {
        self.since(rhs)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}
