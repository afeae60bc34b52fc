//! Encoded state: a tiny byte format in which machines leave the process and come back.
//!
//! Integers are big-endian, byte strings carry their length, and each value starts with the version of its
//! own layout. What is read is not trusted: every fault is a value and every length has a limit.

use super::time::Instant;

/// Longest byte string that is written or read.
pub const MAX_BYTES: usize = 1 << 20;

/// Why encoded state was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The input ends inside a value.
    #[error("encoded state ends early")]
    Truncated,
    /// The layout is one this build does not know.
    #[error("{what} has version {found}, this build reads {known}")]
    Version {
        /// The kind of value.
        what: &'static str,
        /// The version found.
        found: u8,
        /// The version this build writes.
        known: u8,
    },
    /// A field holds a number that means nothing there.
    #[error("{what} cannot be {value}")]
    Invalid {
        /// The field.
        what: &'static str,
        /// What was found.
        value: u64,
    },
    /// A byte string is longer than [`MAX_BYTES`].
    #[error("byte string of {len} bytes exceeds {MAX_BYTES}")]
    TooLong {
        /// The length it claims.
        len: u32,
    },
    /// Bytes follow the value.
    #[error("{count} bytes follow the encoded state")]
    Trailing {
        /// How many.
        count: usize,
    },
}

/// A value with a versioned layout.
pub trait Codec: Sized {
    /// Appends the value.
    fn encode(&self, w: &mut Writer);

    /// Reads what [`encode`](Self::encode) wrote, and no more.
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// The value alone, as bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::default();
        self.encode(&mut w);
        w.into_bytes()
    }

    /// The value that is all of `bytes`.
    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let value = Self::decode(&mut r)?;
        r.finish()?;
        Ok(value)
    }
}

/// Collects encoded state.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// One byte.
    pub fn u8(&mut self, n: u8) {
        self.bytes.push(n);
    }

    /// Two bytes.
    pub fn u16(&mut self, n: u16) {
        self.bytes.extend_from_slice(&n.to_be_bytes());
    }

    /// Four bytes.
    pub fn u32(&mut self, n: u32) {
        self.bytes.extend_from_slice(&n.to_be_bytes());
    }

    /// Eight bytes.
    pub fn u64(&mut self, n: u64) {
        self.bytes.extend_from_slice(&n.to_be_bytes());
    }

    /// One byte, 0 or 1.
    pub fn bool(&mut self, b: bool) {
        self.u8(u8::from(b));
    }

    /// A point in time.
    pub fn instant(&mut self, at: Instant) {
        self.u64(at.0);
    }

    /// A length of four bytes and the bytes. What exceeds [`MAX_BYTES`] is cut there: the owners' own limits
    /// are far lower.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(..MAX_BYTES).unwrap_or(bytes);
        self.u32(bytes.len() as u32);
        self.bytes.extend_from_slice(bytes);
    }
}

/// Reads encoded state from the front.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Refuses bytes that nobody read.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(DecodeError::Trailing { count }),
        }
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[b]| b)
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// One byte that must be 0 or 1.
    pub fn bool(&mut self, what: &'static str) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(DecodeError::Invalid { what, value: value.into() }),
        }
    }

    /// A point in time.
    pub fn instant(&mut self) -> Result<Instant, DecodeError> {
        self.u64().map(Instant)
    }

    /// A byte string.
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.u32()?;
        if len as usize > MAX_BYTES {
            return Err(DecodeError::TooLong { len });
        }
        let (taken, rest) = self.rest.split_at_checked(len as usize).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The version byte of a value of kind `what`; any but `known` is refused.
    pub fn version(&mut self, what: &'static str, known: u8) -> Result<(), DecodeError> {
        match self.u8()? {
            found if found == known => Ok(()),
            found => Err(DecodeError::Version { what, found, known }),
        }
    }

    /// A byte that is an index into `all`.
    pub fn one_of<T: Copy>(&mut self, what: &'static str, all: &[T]) -> Result<T, DecodeError> {
        let index = self.u8()?;
        all.get(usize::from(index)).copied().ok_or(DecodeError::Invalid { what, value: index.into() })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
