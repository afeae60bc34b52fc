//! Writing header fields: names, and the check that text cannot break out of its line.

use super::error::Unsafe;
use super::header_id::HeaderId;
use super::scan::is_token_text;

/// A header field name given by a caller: a [`HeaderId`], or text in any spelling.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    pub(super) id: HeaderId,
    pub(super) text: &'a str,
}

impl From<HeaderId> for Name<'static> {
    fn from(id: HeaderId) -> Self {
        Name { id, text: id.name() }
    }
}

impl<'a> From<&'a str> for Name<'a> {
    fn from(text: &'a str) -> Self {
        Name { id: HeaderId::from_name(text), text }
    }
}

impl<'a> From<&'a String> for Name<'a> {
    fn from(text: &'a String) -> Self {
        Name::from(text.as_str())
    }
}

impl Name<'_> {
    /// A name that may be written, and whose value is not ours alone to set.
    pub(super) fn check(&self) -> Result<(), Unsafe> {
        if !is_token_text(self.text.as_bytes()) {
            return Err(Unsafe::Name);
        }
        if self.id == HeaderId::ContentLength {
            return Err(Unsafe::ContentLength);
        }
        Ok(())
    }
}

/// Refuses text that would end its line.
pub(super) fn check_text(text: &str) -> Result<(), Unsafe> {
    match text.bytes().any(|c| matches!(c, b'\r' | b'\n' | 0)) {
        true => Err(Unsafe::LineBreak),
        false => Ok(()),
    }
}

/// Refuses text that cannot stand as a Request-URI: empty, or with white space or controls.
pub(super) fn check_uri(text: &str) -> Result<(), Unsafe> {
    check_text(text)?;
    match text.is_empty() || text.bytes().any(|c| c <= b' ' || c == 0x7f || matches!(c, b'<' | b'>')) {
        true => Err(Unsafe::Name),
        false => Ok(()),
    }
}

/// Appends `name: value CRLF`.
pub(super) fn push_line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// A number in decimal digits.
pub(super) struct Decimal {
    digits: [u8; 20],
    at: usize,
}

impl Decimal {
    pub(super) fn of(n: u64) -> Self {
        let mut decimal = Decimal { digits: [b'0'; 20], at: 20 };
        let mut rest = n;
        for slot in decimal.digits.iter_mut().rev() {
            *slot = b'0'.wrapping_add((rest % 10) as u8);
            rest /= 10;
            decimal.at = decimal.at.wrapping_sub(1);
            if rest == 0 {
                break;
            }
        }
        decimal
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.digits.get(self.at..).unwrap_or_default()
    }
}

/// Appends a number in decimal digits.
pub(super) fn push_number(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(Decimal::of(n).bytes());
}

/// Appends Content-Length, the empty line and the body.
pub(super) fn push_body(out: &mut Vec<u8>, body: &[u8]) {
    out.extend_from_slice(b"Content-Length: ");
    push_number(out, body.len() as u64);
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(body);
}
