//! RSeq and RAck (RFC 3262 7.1, 7.2): which provisional response is acknowledged.

use std::fmt;

use super::error::Malformed;
use super::method::Method;
use super::scan::digits;

/// A RAck value: what a PRACK acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RAck {
    /// The RSeq of the provisional response.
    pub rseq: u32,
    /// The CSeq number of the request that was answered.
    pub cseq: u32,
    /// The method of that request; [`Method::Other`] for one this library does not know.
    pub method: Method,
}

impl RAck {
    /// Reads a RAck value.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut parts = text.split_ascii_whitespace();
        let mut number = || parts.next().and_then(sequence).ok_or(Malformed::Header("RAck", "no number"));
        let (rseq, cseq) = (number()?, number()?);
        match (parts.next(), parts.next()) {
            (Some(method), None) => Ok(RAck { rseq, cseq, method: Method::from_name(method) }),
            _ => Err(Malformed::Header("RAck", "no method")),
        }
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.rseq, self.cseq, self.method)
    }
}

/// Reads an RSeq value.
pub(super) fn rseq(text: &str) -> Result<u32, Malformed> {
    sequence(text.trim()).ok_or(Malformed::Header("RSeq", "no number below 2^32"))
}

fn sequence(text: &str) -> Option<u32> {
    digits(text.as_bytes()).and_then(|n| u32::try_from(n).ok())
}
