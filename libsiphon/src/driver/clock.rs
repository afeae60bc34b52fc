//! Where time and randomness come from. The only place of the daemon's core that reads a clock.

use crate::base::rng::Rng;
use crate::base::time::Instant;
use std::time::{SystemTime, UNIX_EPOCH};

/// Wall time at start plus a monotonic clock: never goes back, whatever happens to the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall_at_start: Instant,
    started: std::time::Instant,
}

impl Clock {
    /// Reads the wall clock, once.
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let micros = u64::try_from(since_epoch.as_micros()).unwrap_or(0);
        Clock { wall_at_start: Instant(micros), started: std::time::Instant::now() }
    }

    /// Now.
    pub fn now(&self) -> Instant {
        self.wall_at_start + self.started.elapsed()
    }
}

/// A generator seeded by the operating system.
pub fn seeded_rng() -> std::io::Result<Rng> {
    let seed = getrandom::u64().map_err(std::io::Error::from)?;
    Ok(Rng::seeded(seed))
}
