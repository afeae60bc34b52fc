//! The wall clock as the rest of the library sees it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::time::Instant;

/// Now, by the system's clock.
pub fn now() -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Instant(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
