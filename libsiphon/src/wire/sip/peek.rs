//! A first look at bytes that may have to be shed: no index, no copy, no checks.

use super::message::skip_crlf;
use super::method::Method;
use super::scan::{cut, is_token};
use super::uri::is_emergency;

/// What [`peek`] saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Peek {
    /// CRLF and nothing else: a keep-alive (RFC 5626 4.4.1).
    pub keepalive: bool,
    /// A response; `method` says nothing then.
    pub response: bool,
    /// The request's method.
    pub method: Method,
    /// To carries a tag: the request belongs to a dialog.
    pub in_dialog: bool,
    /// An emergency service in the Request-URI, or a Resource-Priority header field.
    pub priority: bool,
}

/// Looks at the start line and, in a request, at header fields up to To and Resource-Priority. What is no SIP at all
/// reads as a request of an unknown method.
pub fn peek(bytes: &[u8]) -> Peek {
    let rest = skip_crlf(bytes);
    let mut seen = Peek { keepalive: rest.is_empty(), ..Peek::default() };
    if rest.get(..4).is_some_and(|v| v.eq_ignore_ascii_case(b"SIP/")) {
        seen.response = true;
        return seen;
    }
    let mut lines = Lines(rest);
    let first = lines.next().unwrap_or_default();
    let space = first.iter().position(|&c| c == b' ').unwrap_or(first.len());
    seen.method = Method::from_bytes(cut(first, 0, space));
    seen.priority = is_emergency(cut(first, space.saturating_add(1), last_space(first)));
    for line in lines {
        match line.first() {
            None => break,
            Some(b't' | b'T') if is_field(line, b"t") || is_field(line, b"to") => {
                seen.in_dialog |= has_tag(line);
            }
            Some(b'r' | b'R') if is_field(line, b"resource-priority") => seen.priority = true,
            _ => {}
        }
    }
    seen
}

/// The Call-ID of a message that is not parsed; `None` when it has none, or one that is no text.
pub fn call_id_of(bytes: &[u8]) -> Option<&str> {
    let head = Lines(skip_crlf(bytes)).skip(1).take_while(|line| !line.is_empty());
    let line = { head }.find(|line| is_field(line, b"call-id") || is_field(line, b"i"))?;
    let colon = memchr::memchr(b':', line)?;
    let value = super::scan::trim(line.get(colon.saturating_add(1)..)?);
    std::str::from_utf8(value).ok().filter(|value| !value.is_empty())
}

/// Lines of a header section without their CRLF; a line and its foldings come apart, save that of the header
/// field's first line.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let mut from = 0usize;
        loop {
            let rest = self.0.get(from..).unwrap_or_default();
            let lf = memchr::memchr(b'\n', rest).map_or(self.0.len(), |n| from.saturating_add(n));
            let next = lf.saturating_add(1);
            if matches!(self.0.get(next), Some(b' ' | b'\t')) {
                from = next;
                continue;
            }
            let line = cut(self.0, 0, lf);
            self.0 = self.0.get(next..).unwrap_or_default();
            return Some(line.strip_suffix(b"\r").unwrap_or(line));
        }
    }
}

fn last_space(line: &[u8]) -> usize {
    line.iter().rposition(|&c| c == b' ').unwrap_or(line.len())
}

fn is_field(line: &[u8], name: &[u8]) -> bool {
    let end = line.iter().position(|&c| !is_token(c)).unwrap_or(line.len());
    cut(line, 0, end).eq_ignore_ascii_case(name)
}

/// `tag=` as a parameter: behind the closing bracket when there is one, so that no display name or URI passes for it.
fn has_tag(line: &[u8]) -> bool {
    let from = memchr::memrchr(b'>', line).or_else(|| memchr::memchr(b';', line)).unwrap_or(line.len());
    let params = line.get(from..).unwrap_or_default();
    let mut rest = params;
    while let Some(at) = memchr::memchr(b';', rest) {
        rest = rest.get(at.saturating_add(1)..).unwrap_or_default();
        let name = super::scan::trim(rest);
        if name.get(..3).is_some_and(|n| n.eq_ignore_ascii_case(b"tag"))
            && name.get(3).is_some_and(|&c| c == b'=' || super::scan::is_space(c))
        {
            return true;
        }
    }
    false
}
