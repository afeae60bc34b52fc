//! Glare: how long to wait before a request that crossed another is tried again (RFC 3261 14.1, 14.2, RFC 3311 5.2).

use super::{get_option, put_option};
use crate::base::codec::{Codec, DecodeError, Reader, Writer};
use crate::base::rng::Rng;
use crate::base::time::{Duration, Instant};

/// How long to wait after a 491: 2.1 to 4 s for the side that chose the Call-ID, 0 to 2 s for the other, in steps of
/// 10 ms (RFC 3261 14.1).
pub fn wait_after_491(owns_call_id: bool, rng: &mut Rng) -> Duration {
    let (least, most) = if owns_call_id { (210, 400) } else { (0, 200) };
    let steps = rng.below(most - least + 1).saturating_add(least);
    Duration::from_millis(steps.saturating_mul(10))
}

/// The Retry-After of a 500 that refuses a request because an earlier one is open: 0 to 10 s (RFC 3261 14.2).
pub fn retry_after(rng: &mut Rng) -> u32 {
    u32::try_from(rng.below(11)).unwrap_or(0)
}

/// Most attempts of one request, the first included.
pub const MOST_ATTEMPTS: u8 = 6;

/// Longest Retry-After that a change of a session waits for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A request that is to be tried again: at most [`MOST_ATTEMPTS`] times.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retry {
    refused: u8,
    at: Option<Instant>,
}

impl Retry {
    /// Nothing was refused.
    pub const fn new() -> Self {
        Retry { refused: 0, at: None }
    }

    /// Takes in a 491. Returns when the request is due; `None`: it was tried often enough.
    pub fn glare(&mut self, owns_call_id: bool, rng: &mut Rng, now: Instant) -> Option<Instant> {
        self.again(wait_after_491(owns_call_id, rng), now)
    }

    /// Takes in a 500 or 503 with Retry-After, of which at most 60 s are waited for.
    pub fn busy(&mut self, retry_after_secs: u32, now: Instant) -> Option<Instant> {
        self.again(Duration::from_secs(retry_after_secs.into()), now)
    }

    fn again(&mut self, wait: Duration, now: Instant) -> Option<Instant> {
        self.refused = self.refused.saturating_add(1);
        self.at = (self.refused < MOST_ATTEMPTS).then(|| now + wait.min(LONGEST_WAIT));
        self.at
    }

    /// The request went through, or is not wanted any more.
    pub fn clear(&mut self) {
        *self = Retry::new();
    }

    /// When [`take_due`](Self::take_due) is wanted.
    pub fn deadline(&self) -> Option<Instant> {
        self.at
    }

    /// Whether the request is due. Says so once.
    pub fn take_due(&mut self, now: Instant) -> bool {
        let due = self.at.is_some_and(|at| at <= now);
        if due {
            self.at = None;
        }
        due
    }
}

const VERSION: u8 = 1;

impl Codec for Retry {
    fn encode(&self, w: &mut Writer) {
        w.u8(VERSION);
        w.u8(self.refused);
        put_option(w, self.at, Writer::instant);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.version("retry", VERSION)?;
        Ok(Retry { refused: r.u8()?, at: get_option(r, "time of retry", Reader::instant)? })
    }
}

#[cfg(test)]
#[path = "glare_tests.rs"]
mod tests;
