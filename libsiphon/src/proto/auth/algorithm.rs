//! The hash algorithms of Digest (RFC 7616 3.2, RFC 8760 2) and their hexadecimal results.

use md5::Md5;
use sha2::{Sha256, Sha512_256};
use subtle::ConstantTimeEq;

/// A hash algorithm, in ascending order of strength.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Algorithm {
    /// RFC 1321; what every phone speaks.
    Md5,
    /// FIPS 180-4.
    Sha256,
    /// FIPS 180-4, SHA-512 cut to 256 bits with initial values of its own.
    Sha512_256,
}

impl Algorithm {
    /// All of them, strongest first: the order of challenges (RFC 8760 2.4).
    pub const ALL: [Algorithm; 3] = [Algorithm::Sha512_256, Algorithm::Sha256, Algorithm::Md5];

    /// The token of the `algorithm` parameter.
    pub const fn token(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512_256 => "SHA-512-256",
        }
    }

    /// Reads the token in any case; the flag is true for the `-sess` variant (RFC 7616 3.4.2).
    pub fn from_token(token: &str) -> Option<(Algorithm, bool)> {
        let (name, session) = match token.len().checked_sub(5).and_then(|at| token.split_at_checked(at)) {
            Some((name, suffix)) if suffix.eq_ignore_ascii_case("-sess") => (name, true),
            _ => (token, false),
        };
        Self::ALL.into_iter().find(|a| a.token().eq_ignore_ascii_case(name)).map(|a| (a, session))
    }

    /// How many hexadecimal digits a result has.
    pub const fn digits(self) -> usize {
        match self {
            Algorithm::Md5 => 32,
            Algorithm::Sha256 | Algorithm::Sha512_256 => 64,
        }
    }

    /// Hashes `parts` joined by colons: `H(concat(..))` as RFC 7616 3.4 writes it.
    pub fn hash(self, parts: &[&[u8]]) -> HexDigest {
        match self {
            Algorithm::Md5 => HexDigest::of::<Md5>(parts),
            Algorithm::Sha256 => HexDigest::of::<Sha256>(parts),
            Algorithm::Sha512_256 => HexDigest::of::<Sha512_256>(parts),
        }
    }
}

/// The result of a hash as lower-case hexadecimal digits, held without allocation.
#[derive(Clone, Copy)]
pub struct HexDigest {
    digits: [u8; 64],
    len: u8,
}

impl HexDigest {
    fn of<D: sha2::Digest>(parts: &[&[u8]]) -> Self {
        let mut hasher = D::new();
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                hasher.update(b":");
            }
            hasher.update(part);
        }
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 64];
        let mut len = 0;
        for (pair, octet) in digits.chunks_exact_mut(2).zip(hasher.finalize()) {
            pair.copy_from_slice(&[HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 15)]]);
            len += 2;
        }
        HexDigest { digits, len }
    }

    /// Reads a stored result: exactly the digits `algorithm` has, in either case.
    pub fn parse(algorithm: Algorithm, text: &str) -> Option<Self> {
        if text.len() != algorithm.digits() || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
            return None;
        }
        let mut digits = [0; 64];
        for (to, from) in digits.iter_mut().zip(text.bytes()) {
            *to = from.to_ascii_lowercase();
        }
        Some(HexDigest { digits, len: u8::try_from(text.len()).ok()? })
    }

    /// The digits.
    pub fn as_bytes(&self) -> &[u8] {
        self.digits.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The digits as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// Compares with digits a peer sent, in either case, in a time that depends on lengths only.
    pub fn matches(&self, presented: &[u8]) -> bool {
        if presented.len() != usize::from(self.len) {
            return false;
        }
        let mut lower = [0; 64];
        for (to, from) in lower.iter_mut().zip(presented) {
            *to = from.to_ascii_lowercase();
        }
        self.digits[..].ct_eq(&lower[..]).into()
    }
}

impl std::fmt::Debug for HexDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // HA1 is as good as a password.
        f.write_str("HexDigest(..)")
    }
}

#[cfg(test)]
#[path = "algorithm_tests.rs"]
mod tests;
