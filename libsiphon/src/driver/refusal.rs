//! The 503 for a request that is shed: made from the request's octets without parsing it, so that turning a request
//! away costs less than serving it. Stateless, as RFC 3261 8.2.7 describes it: the same request gets the
//! same answer, and the ACK to it is passed over.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

/// What every 503 of this node has in common.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Begins the To tag of each, so that the ACK is recognised.
    tag_prefix: String,
    tail: String,
}

impl Refusal {
    /// `nonce` tells this node's tags from all others.
    pub fn new(nonce: u32, server: Option<&str>) -> Self {
        let server = server.map(|s| format!("Server: {s}\r\n")).unwrap_or_default();
        Refusal {
            tag_prefix: format!("shed-{nonce:08x}-"),
            tail: format!("{server}Content-Length: 0\r\n\r\n"),
        }
    }

    /// Writes the answer to `request`, which came from `from`, and returns where it goes (RFC 3261 18.2.2, RFC
    /// 3581 4). `None`: it cannot be answered, because a header field that an answer copies is missing.
    pub fn write(
        &self,
        request: &[u8],
        from: SocketAddr,
        digest: u64,
        retry_after: u32,
        out: &mut Vec<u8>,
    ) -> Option<SocketAddr> {
        out.extend_from_slice(b"SIP/2.0 503 Service Unavailable\r\n");
        let mut to_address = None;
        let mut seen = 0u8;
        for line in Fields(request).skip(1) {
            let Some(field) = CopiedField::of(line) else { continue };
            seen |= field as u8;
            match field {
                CopiedField::Via if to_address.is_none() => {
                    to_address = Some(write_top_via(line, from, out)?)
                }
                CopiedField::To => {
                    out.extend_from_slice(line);
                    let _ = write!(out, ";tag={}{digest:08x}", self.tag_prefix);
                }
                _ => out.extend_from_slice(line),
            }
            out.extend_from_slice(b"\r\n");
        }
        if seen != CopiedField::ALL {
            return None;
        }
        let _ = write!(out, "Retry-After: {retry_after}\r\n{}", self.tail);
        to_address
    }

    /// Whether octets that start like an ACK acknowledge one of these answers.
    pub fn is_its_ack(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(b"ACK ") && memchr::memmem::find(bytes, self.tag_prefix.as_bytes()).is_some()
    }
}

/// Header fields that every response copies (RFC 3261 8.2.6.2).
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum CopiedField {
    Via = 1,
    From = 2,
    To = 4,
    CallId = 8,
    CSeq = 16,
}

impl CopiedField {
    const ALL: u8 = 31;

    fn of(line: &[u8]) -> Option<Self> {
        let colon = memchr::memchr(b':', line)?;
        let name = line.get(..colon)?.trim_ascii_end();
        let is = |long: &[u8], compact: &[u8]| {
            name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(compact)
        };
        match name.len() {
            1..=7 if is(b"via", b"v") => Some(CopiedField::Via),
            1..=7 if is(b"from", b"f") => Some(CopiedField::From),
            1..=7 if is(b"to", b"t") => Some(CopiedField::To),
            1..=7 if is(b"call-id", b"i") => Some(CopiedField::CallId),
            1..=7 if is(b"cseq", b"cseq") => Some(CopiedField::CSeq),
            _ => None,
        }
    }
}

/// Lines of a header section, each with its foldings and without its line end.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut end = 0;
        loop {
            end += memchr::memchr(b'\n', self.0.get(end..)?)? + 1;
            if !matches!(self.0.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (line, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        let line = line.trim_ascii_end();
        (!line.is_empty()).then_some(line)
    }
}

/// Copies the topmost Via with `received` and `rport` as RFC 3581 4 wants them, and returns where the answer
/// goes.
fn write_top_via(line: &[u8], from: SocketAddr, out: &mut Vec<u8>) -> Option<SocketAddr> {
    let value_at = memchr::memchr(b':', line)? + 1;
    let value_end = memchr::memchr(b',', line).unwrap_or(line.len());
    let value = line.get(value_at..value_end)?;
    let params_at = memchr::memchr(b';', value).unwrap_or(value.len());
    let sent_by = value.get(..params_at)?.trim_ascii();
    let sent_by = sent_by.get(sent_by.iter().rposition(u8::is_ascii_whitespace)? + 1..)?;
    let mut port = sent_by_port(sent_by);
    out.extend_from_slice(line.get(..value_at + params_at)?);
    for param in value.get(params_at..)?.split(|&c| c == b';').skip(1) {
        let name = param.split(|&c| c == b'=').next().unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"received") {
            continue;
        }
        if name.eq_ignore_ascii_case(b"rport") {
            port = from.port();
            let _ = write!(out, ";rport={port}");
        } else {
            out.push(b';');
            out.extend_from_slice(param);
        }
    }
    let _ = match from.ip() {
        IpAddr::V4(ip) => write!(out, ";received={ip}"),
        IpAddr::V6(ip) => write!(out, ";received={ip}"),
    };
    out.extend_from_slice(line.get(value_end..)?);
    let mut to = from;
    to.set_port(port);
    Some(to)
}

/// RFC 3261 18.1.1: 5060 where none is given.
fn sent_by_port(sent_by: &[u8]) -> u16 {
    let after_host = match memchr::memrchr(b']', sent_by) {
        Some(end) => sent_by.get(end..),
        None => Some(sent_by),
    };
    let digits = after_host.and_then(|rest| rest.get(memchr::memchr(b':', rest)? + 1..));
    digits.and_then(|d| std::str::from_utf8(d).ok()?.trim().parse().ok()).unwrap_or(5060)
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
