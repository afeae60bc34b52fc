//! Multipart bodies (RFC 2046 5.1) as SIP carries them (RFC 5621).

use super::error::Malformed;
use super::params::{Params, unquote};
use super::scan::{cut, is_token_text, trim};

/// A part of a multipart body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    head: &'a [u8],
    /// The part's octets.
    pub body: &'a [u8],
}

/// Most parts of one body; more are refused.
const MOST: usize = 64;

impl<'a> Part<'a> {
    /// A MIME header field of the part, on one line.
    pub fn header(&self, name: &str) -> Option<String> {
        let mut rest = self.head;
        while !rest.is_empty() {
            let (line, next) = field(rest);
            rest = next;
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            if trim(cut(line, 0, colon)).eq_ignore_ascii_case(name.as_bytes()) {
                let value = super::scan::unfold(trim(cut(line, colon.saturating_add(1), line.len())));
                return Some(String::from_utf8_lossy(&value).into_owned());
            }
        }
        None
    }

    /// Content-Type; `text/plain` when the part names none (RFC 2046 5.1).
    pub fn content_type(&self) -> String {
        self.header("Content-Type").unwrap_or_else(|| "text/plain".to_owned())
    }
}

/// One field with its folding, and what follows.
fn field(head: &[u8]) -> (&[u8], &[u8]) {
    let mut from = 0usize;
    loop {
        let rest = head.get(from..).unwrap_or_default();
        let Some(lf) = memchr::memchr(b'\n', rest) else { return (head, &[]) };
        let next = from.saturating_add(lf).saturating_add(1);
        if matches!(head.get(next), Some(b' ' | b'\t')) {
            from = next;
            continue;
        }
        return (cut(head, 0, next), head.get(next..).unwrap_or_default());
    }
}

/// The boundary of a Content-Type value such as `multipart/mixed;boundary="b1"`.
pub fn boundary(content_type: &str) -> Option<String> {
    let (kind, params) = content_type.split_at(content_type.find(';')?);
    if !kind.trim_start().get(..10).is_some_and(|k| k.eq_ignore_ascii_case("multipart/")) {
        return None;
    }
    let boundary = unquote(Params::new(params).get("boundary")?).into_owned();
    (!boundary.is_empty() && boundary.len() <= 70).then_some(boundary)
}

/// The parts of `body`, whose Content-Type is `content_type`.
pub fn split<'a>(content_type: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, Malformed> {
    let boundary = boundary(content_type).ok_or(Malformed::Multipart("no boundary"))?;
    let mark = [b"--", boundary.as_bytes()].concat();
    let finder = memchr::memmem::Finder::new(&mark);
    let mut parts = Vec::new();
    let mut open: Option<usize> = None;
    let mut from = 0usize;
    while let Some(hit) = finder.find(body.get(from..).unwrap_or_default()) {
        let at = from.saturating_add(hit);
        from = at.saturating_add(mark.len());
        // A delimiter stands at the start of a line; text that merely holds it is content.
        if at != 0 && cut(body, at.saturating_sub(2), at) != b"\r\n" {
            continue;
        }
        let rest = body.get(from..).unwrap_or_default();
        let closes = rest.starts_with(b"--");
        let padding = rest.iter().take_while(|c| matches!(c, b' ' | b'\t')).count();
        if !closes && !rest.get(padding..).unwrap_or_default().starts_with(b"\r\n") {
            continue;
        }
        if let Some(start) = open {
            if parts.len() >= MOST {
                return Err(Malformed::Multipart("too many parts"));
            }
            parts.push(part(cut(body, start, at.saturating_sub(2))));
        }
        if closes {
            return Ok(parts);
        }
        from = from.saturating_add(padding).saturating_add(2);
        open = Some(from);
    }
    Err(Malformed::Multipart("no closing boundary"))
}

fn part(bytes: &[u8]) -> Part<'_> {
    // An empty header section is just its empty line.
    if let Some(body) = bytes.strip_prefix(b"\r\n") {
        return Part { head: &[], body };
    }
    match memchr::memmem::find(bytes, b"\r\n\r\n") {
        Some(at) => Part {
            head: cut(bytes, 0, at.saturating_add(2)),
            body: bytes.get(at.saturating_add(4)..).unwrap_or_default(),
        },
        None => Part { head: bytes, body: &[] },
    }
}

/// A part to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewPart<'a> {
    /// Its MIME header fields, name and value.
    pub headers: &'a [(&'a str, &'a str)],
    /// Its octets.
    pub body: &'a [u8],
}

/// Writes a multipart body. `None` when a name or value cannot be written on one line, or when `boundary` is no
/// token or occurs in a part.
pub fn join(boundary: &str, parts: &[NewPart<'_>]) -> Option<Vec<u8>> {
    if !is_token_text(boundary.as_bytes()) || boundary.len() > 70 {
        return None;
    }
    let mark = [b"--", boundary.as_bytes()].concat();
    let mut out = Vec::new();
    for NewPart { headers, body } in parts {
        if memchr::memmem::find(body, &mark).is_some() {
            return None;
        }
        out.extend_from_slice(&mark);
        out.extend_from_slice(b"\r\n");
        for (name, value) in *headers {
            super::build::check_text(value).ok()?;
            if !is_token_text(name.as_bytes()) {
                return None;
            }
            super::build::push_line(&mut out, name, value.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(&mark);
    out.extend_from_slice(b"--\r\n");
    Some(out)
}
