//! Replay windows (RFC 7616 3.3, 5.5): each nonce count is accepted once per nonce, on this node.
//!
//! A window exists from the first *successful* use of a nonce, so nobody without a password can fill the table.
//! It is bounded: when a stripe's newer half is full the older half is forgotten, and with it goes the right to
//! use a nonce of that age that is in no window: its holder is told `stale` and signs again with a new one.

use super::nonce::Nonce;
use hashbrown::HashMap;
use std::sync::{Mutex, PoisonError};

const STRIPES: usize = 16;

/// What a nonce count is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// Seen for the first time.
    Fresh,
    /// Seen before, too far behind the highest one, or of a nonce whose window was forgotten.
    Replayed,
}

/// The counts of one nonce: the highest, and which of the 64 below it were used.
#[derive(Clone, Copy, Debug)]
struct Window {
    highest: u32,
    /// Bit `n` stands for `highest - n`.
    used: u64,
}

impl Window {
    fn admit(&mut self, count: u32) -> Use {
        if count > self.highest {
            let ahead = count - self.highest;
            self.used = self.used.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = count;
            return Use::Fresh;
        }
        let Some(bit) = 1u64.checked_shl(self.highest - count).filter(|bit| self.used & bit == 0) else {
            return Use::Replayed;
        };
        self.used |= bit;
        Use::Fresh
    }
}

#[derive(Debug, Default)]
struct Stripe {
    newer: HashMap<Nonce, Window, foldhash::fast::FixedState>,
    older: HashMap<Nonce, Window, foldhash::fast::FixedState>,
    /// The latest issue time of a nonce whose window was forgotten, and of those in either half.
    forgotten: u64,
    latest_older: u64,
    latest_newer: u64,
}

impl Stripe {
    fn admit(&mut self, nonce: Nonce, count: u32, limit: usize) -> Use {
        if let Some(window) = self.newer.get_mut(&nonce).or_else(|| self.older.get_mut(&nonce)) {
            return window.admit(count);
        }
        if nonce.issued_millis <= self.forgotten {
            return Use::Replayed;
        }
        if self.newer.len() >= limit {
            self.turn();
        }
        self.latest_newer = self.latest_newer.max(nonce.issued_millis);
        self.newer.insert(nonce, Window { highest: count, used: 1 });
        Use::Fresh
    }

    /// Forgets the older half; the newer one takes its place.
    fn turn(&mut self) {
        self.forgotten = self.forgotten.max(self.latest_older);
        self.latest_older = std::mem::take(&mut self.latest_newer);
        self.older = std::mem::take(&mut self.newer);
    }

    /// Forgets both halves where all nonces in them are too old to be accepted anyway.
    fn sweep(&mut self, expired_before: u64) {
        if self.latest_older < expired_before && !self.older.is_empty() {
            self.older = HashMap::default();
        }
        if self.latest_newer < expired_before && !self.newer.is_empty() {
            self.newer = HashMap::default();
        }
    }
}

/// The windows of a node, striped.
#[derive(Debug)]
pub struct Windows {
    stripes: [Mutex<Stripe>; STRIPES],
    per_half: usize,
}

impl Windows {
    /// At most `limit` nonces at a time, 32 at the least.
    pub fn new(limit: usize) -> Self {
        Windows { stripes: Default::default(), per_half: (limit / STRIPES / 2).max(1) }
    }

    /// Uses `count` of `nonce`. `expired_before` is the issue time, in milliseconds, before which nonces are
    /// refused for their age.
    pub fn admit(&self, nonce: Nonce, count: u32, expired_before: u64) -> Use {
        let Some(stripe) = self.stripes.get(nonce.counter as usize % STRIPES) else { return Use::Replayed };
        let mut stripe = stripe.lock().unwrap_or_else(PoisonError::into_inner);
        stripe.sweep(expired_before);
        stripe.admit(nonce, count, self.per_half)
    }

    /// Whether `nonce` was used here and its window is not forgotten.
    pub fn knows(&self, nonce: Nonce) -> bool {
        let Some(stripe) = self.stripes.get(nonce.counter as usize % STRIPES) else { return false };
        let stripe = stripe.lock().unwrap_or_else(PoisonError::into_inner);
        stripe.newer.contains_key(&nonce) || stripe.older.contains_key(&nonce)
    }

    /// How many nonces have a window.
    pub fn len(&self) -> usize {
        let count = |s: &Mutex<Stripe>| {
            let stripe = s.lock().unwrap_or_else(PoisonError::into_inner);
            stripe.newer.len() + stripe.older.len()
        };
        self.stripes.iter().map(count).sum()
    }

    /// Whether no nonce has a window.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
