//! `name-addr` and `addr-spec` with their header parameters (RFC 3261 20.10, 25.1): From, To, Contact, Route and kin.

use std::borrow::Cow;

use super::error::Malformed;
use super::params::Params;
use super::scan::{Cursor, cut, is_no_uri, trim, trimmed};
use super::uri::Uri;

/// The shape of an address, by offsets into the bytes it was read from.
pub(super) struct Shape {
    pub(super) display: (usize, usize),
    pub(super) uri: (usize, usize),
    /// Where the parameters start.
    pub(super) params: usize,
}

/// Reads the shape of the address at `at`; it may reach to the end of `bytes`.
pub(super) fn shape(bytes: &[u8], at: usize) -> Result<Shape, &'static str> {
    let mut cursor = Cursor::new(bytes, at);
    cursor.skip_space();
    let from = cursor.at;
    if cursor.peek() == Some(b'"') {
        if !cursor.skip_quoted() {
            return Err("quoted string does not end");
        }
        let display = (from, cursor.at);
        cursor.skip_space();
        return if cursor.eat(b'<') {
            bracketed(cursor, display)
        } else {
            Err("no URI behind the display name")
        };
    }
    // Either a display name of tokens and a bracket, or an addr-spec: what comes first decides.
    let (_, stop) = cursor.take(|c| !matches!(c, b'<' | b';' | b',' | b'"' | b':'));
    match cursor.peek() {
        Some(b'<') => {
            cursor.bump();
            bracketed(cursor, trimmed(bytes, from, stop))
        }
        Some(b':') => {
            // Without brackets all parameters belong to the header field (RFC 3261 20), and a
            // question mark or comma cannot be part of the URI.
            cursor.take(|c| c != b';');
            let uri = trimmed(bytes, from, cursor.at);
            if cut(bytes, uri.0, uri.1)
                .iter()
                .any(|c| matches!(c, b' ' | b'\t' | b'\r' | b'\n' | b'<' | b'>' | b'"'))
            {
                return Err("display name or URI needs quotes or brackets");
            }
            if cut(bytes, uri.0, uri.1).iter().any(|c| matches!(c, b'?' | b',')) {
                return Err("URI with ? or comma needs brackets");
            }
            Ok(Shape { display: (from, from), uri, params: cursor.at })
        }
        Some(_) => Err("display name needs quotes"),
        None => Err("no URI"),
    }
}

fn bracketed(mut cursor: Cursor<'_>, display: (usize, usize)) -> Result<Shape, &'static str> {
    let uri = cursor.take(|c| !is_no_uri(c));
    match cursor.peek() {
        Some(b'>') if uri.0 < uri.1 => {}
        Some(b'>') => return Err("no URI"),
        None | Some(b'<') => return Err("no > behind the URI"),
        Some(_) => return Err("white space or quote inside < >"),
    }
    cursor.bump();
    Ok(Shape { display, uri, params: cursor.at })
}

/// One address with its parameters, borrowed from the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    display: &'a [u8],
    /// The URI. [`Uri::STAR`] for the `*` of Contact.
    pub uri: Uri<'a>,
    /// The header parameters behind it.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value of From, To, Contact, Route, Record-Route, Path and kin.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        Self::read(text.as_bytes(), |at, to| text.get(at..to))
    }

    pub(super) fn from_bytes(bytes: &'a [u8]) -> Result<Self, Malformed> {
        Self::read(bytes, |at, to| std::str::from_utf8(cut(bytes, at, to)).ok())
    }

    fn read(bytes: &'a [u8], text: impl Fn(usize, usize) -> Option<&'a str>) -> Result<Self, Malformed> {
        if trim(bytes) == b"*" {
            return Ok(NameAddr { display: &[], uri: Uri::STAR, params: Params::default() });
        }
        let shape = shape(bytes, 0).map_err(Malformed::Address)?;
        let uri = text(shape.uri.0, shape.uri.1).ok_or(Malformed::Address("URI is not UTF-8"))?;
        let params = cut(bytes, shape.params, bytes.len());
        check(params).map_err(Malformed::Address)?;
        Ok(NameAddr {
            display: cut(bytes, shape.display.0, shape.display.1),
            uri: Uri::parse(uri)?,
            params: Params::from_bytes(params),
        })
    }

    /// The display name without quotes and escapes; `None` when there is none. What is not UTF-8 shows as U+FFFD.
    pub fn display(&self) -> Option<Cow<'a, str>> {
        if self.display.is_empty() {
            return None;
        }
        Some(match String::from_utf8_lossy(self.display) {
            Cow::Borrowed(text) => super::params::unquote(text),
            Cow::Owned(text) => Cow::Owned(super::params::unquote(&text).into_owned()),
        })
    }

    /// Whether this is the `*` of `Contact: *` (RFC 3261 10.2.2).
    pub fn is_star(&self) -> bool {
        self.uri.is_star()
    }

    /// The value of a header parameter, quotes as written; `Some("")` for a flag.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params.get(name)
    }

    /// The tag of From and To.
    pub fn tag(&self) -> Option<&'a str> {
        self.param("tag")
    }

    /// The `expires` parameter in seconds. A value too large counts as 2^32-1; one that is no number as absent
    /// (RFC 3261 20.10).
    pub fn expires(&self) -> Option<u32> {
        let n = super::scan::digits(self.param("expires")?.as_bytes())?;
        Some(u32::try_from(n).unwrap_or(u32::MAX))
    }

    /// The `q` parameter in thousandths, 0 to 1000 (RFC 3261 25.1 qvalue); `None` when absent or no qvalue.
    pub fn q(&self) -> Option<u16> {
        qvalue(self.param("q")?)
    }
}

impl<'a> TryFrom<&'a str> for NameAddr<'a> {
    type Error = Malformed;
    fn try_from(text: &'a str) -> Result<Self, Malformed> {
        NameAddr::parse(text)
    }
}

fn check(params: &[u8]) -> Result<(), &'static str> {
    let mut at = 0;
    while let Some((_, next)) = super::params::next_param(params, at, params.len(), b';')? {
        at = next;
    }
    Ok(())
}

fn qvalue(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: u16 = match whole {
        "0" | "" => 0,
        "1" => 1000,
        _ => return None,
    };
    if fraction.len() > 3 || !fraction.bytes().all(|c| c.is_ascii_digit()) || text == "." || text.is_empty() {
        return None;
    }
    let thousandths = format!("{fraction:0<3}").parse::<u16>().ok()?;
    let q = whole.saturating_add(thousandths);
    (q <= 1000).then_some(q)
}
