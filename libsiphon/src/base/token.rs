//! Keyed hashes: the node's secret, and short authentication codes for tokens that travel on the wire.

use siphasher::sip::SipHasher24;
use siphasher::sip128::{Hasher128, SipHasher24 as SipHasher24Wide};
use std::hash::Hasher;

/// A 128-bit secret of the node (or, where nodes share tokens, of the cluster).
#[derive(Clone, Copy)]
pub struct Secret {
    keys: (u64, u64),
}

impl Secret {
    /// From two random words.
    pub const fn new(k0: u64, k1: u64) -> Self {
        Secret { keys: (k0, k1) }
    }

    /// A secret of its own for `purpose`, so that a token made for one use is worthless in another.
    pub fn derive(&self, purpose: &str) -> Secret {
        Secret { keys: (self.mac(&[purpose.as_bytes(), b"0"]), self.mac(&[purpose.as_bytes(), b"1"])) }
    }

    /// SipHash-2-4 over `parts`, each preceded by its length so that no two lists of parts collide by design.
    pub fn mac(&self, parts: &[&[u8]]) -> u64 {
        let mut hasher = SipHasher24::new_with_keys(self.keys.0, self.keys.1);
        for part in parts {
            hasher.write_u64(part.len() as u64);
            hasher.write(part);
        }
        hasher.finish()
    }

    /// The same in 128 bits, which can stand for the parts: nobody finds two lists that share one.
    pub fn mac128(&self, parts: &[&[u8]]) -> u128 {
        let mut hasher = SipHasher24Wide::new_with_keys(self.keys.0, self.keys.1);
        for part in parts {
            hasher.write_u64(part.len() as u64);
            hasher.write(part);
        }
        hasher.finish128().as_u128()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}
