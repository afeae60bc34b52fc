//! Nonces (RFC 7616 3.3, 5.4): stateless, keyed, limited in time, valid for one realm.
//!
//! A nonce is `time counter code` in hexadecimal. The code authenticates the other two and the realm, so none
//! can be invented; the counter makes all nonces of a node distinct, and is what replay windows go by.

use crate::base::text::{parse_hex, push_hex};
use crate::base::time::{Duration, Instant};
use crate::base::token::Secret;
use std::sync::atomic::{AtomicU32, Ordering};
use subtle::ConstantTimeEq;

const TIME_DIGITS: u32 = 11;
const COUNTER_DIGITS: u32 = 8;
const CODE_DIGITS: u32 = 16;
const LENGTH: usize = (TIME_DIGITS + COUNTER_DIGITS + CODE_DIGITS) as usize;

/// A nonce that this node, or one with the same secret, has issued.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Nonce {
    /// When, in milliseconds of Unix time.
    pub issued_millis: u64,
    /// Which of those issued in that millisecond; wraps after 2^32.
    pub counter: u32,
}

/// Issues nonces and recognises them.
#[derive(Debug)]
pub struct Nonces {
    secret: Secret,
    lifetime: Duration,
    counter: AtomicU32,
}

impl Nonces {
    /// Nonces under `secret`, each valid for `lifetime`.
    pub fn new(secret: Secret, lifetime: Duration) -> Self {
        Nonces { secret: secret.derive("digest nonce"), lifetime, counter: AtomicU32::new(0) }
    }

    /// How long a nonce is accepted.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A nonce that no other call returns.
    pub fn issue(&self, realm: &str, now: Instant) -> String {
        let nonce =
            Nonce { issued_millis: now.unix_millis(), counter: self.counter.fetch_add(1, Ordering::Relaxed) };
        let mut text = Vec::with_capacity(LENGTH);
        push_hex(&mut text, nonce.issued_millis, TIME_DIGITS);
        push_hex(&mut text, u64::from(nonce.counter), COUNTER_DIGITS);
        push_hex(&mut text, self.code(nonce, realm), CODE_DIGITS);
        String::from_utf8(text).unwrap_or_default()
    }

    /// Reads a nonce back. `None` when it is not one of ours for this realm.
    pub fn recognise(&self, text: &str, realm: &str) -> Option<Nonce> {
        let text = text.as_bytes();
        if text.len() != LENGTH {
            return None;
        }
        let (time, rest) = text.split_at_checked(TIME_DIGITS as usize)?;
        let (counter, code) = rest.split_at_checked(COUNTER_DIGITS as usize)?;
        let nonce =
            Nonce { issued_millis: parse_hex(time)?, counter: u32::try_from(parse_hex(counter)?).ok()? };
        let genuine = self.code(nonce, realm).to_be_bytes().ct_eq(&parse_hex(code)?.to_be_bytes());
        bool::from(genuine).then_some(nonce)
    }

    /// Whether the nonce is still within its time. One from the future (another node's clock) counts as fresh.
    pub fn is_fresh(&self, nonce: Nonce, now: Instant) -> bool {
        let age = now.unix_millis().saturating_sub(nonce.issued_millis);
        u128::from(age) < self.lifetime.as_millis()
    }

    fn code(&self, nonce: Nonce, realm: &str) -> u64 {
        self.secret.mac(&[&nonce.issued_millis.to_be_bytes(), &nonce.counter.to_be_bytes(), realm.as_bytes()])
    }
}

#[cfg(test)]
#[path = "nonce_tests.rs"]
mod tests;
