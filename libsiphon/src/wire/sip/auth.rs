//! Credentials and challenges (RFC 3261 25.1, RFC 7616 3): a scheme and `name=value` parameters with quoted strings.

use std::borrow::Cow;

use super::error::Malformed;
use super::params::unquote;
use super::scan::{Cursor, cut, is_token, trimmed};

/// One value of Authorization, Proxy-Authorization, WWW-Authenticate, Proxy-Authenticate or Authentication-Info.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthParams<'a> {
    scheme: &'a str,
    params: smallvec::SmallVec<[(&'a str, &'a str); 16]>,
}

/// Most parameters read; more are refused.
const MOST: usize = 64;

impl<'a> AuthParams<'a> {
    /// Reads a scheme and its parameters. A parameter given twice is refused: which one counts would be a guess.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(text.as_bytes(), 0);
        cursor.skip_space();
        let (from, to) = cursor.take(is_token);
        let scheme = text.get(from..to).filter(|s| !s.is_empty()).ok_or(Malformed::Auth("no scheme"))?;
        let rest = text.get(cursor.at..).unwrap_or_default();
        Ok(AuthParams { scheme, params: list(rest)? })
    }

    /// Reads parameters without a scheme, as Authentication-Info has them.
    pub fn parse_bare(text: &'a str) -> Result<Self, Malformed> {
        Ok(AuthParams { scheme: "", params: list(text)? })
    }

    /// The scheme as written.
    pub fn scheme(&self) -> &'a str {
        self.scheme
    }

    /// Whether the scheme is Digest.
    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Digest")
    }

    /// The value of a parameter, quotes and quoted pairs undone.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.raw(name).map(unquote)
    }

    /// The value of a parameter as written, quotes included.
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.params.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| *v)
    }

    /// Name and value as written, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.params.iter().copied()
    }
}

fn list(text: &str) -> Result<smallvec::SmallVec<[(&str, &str); 16]>, Malformed> {
    let bytes = text.as_bytes();
    let mut params: smallvec::SmallVec<[(&str, &str); 16]> = smallvec::SmallVec::new();
    let mut cursor = Cursor::new(bytes, 0);
    loop {
        cursor.skip_space();
        if cursor.at_end() {
            return Ok(params);
        }
        if cursor.eat(b',') {
            continue;
        }
        let name = cursor.take(is_token);
        cursor.skip_space();
        if name.0 == name.1 || !cursor.eat(b'=') {
            return Err(Malformed::Auth("no name=value"));
        }
        cursor.skip_space();
        let from = cursor.at;
        if !cursor.skip_quoted() {
            return Err(Malformed::Auth("quoted string does not end"));
        }
        if from == cursor.at {
            cursor.take(|c| c != b',');
        }
        let value = trimmed(bytes, from, cursor.at);
        cursor.skip_space();
        if !cursor.at_end() && cursor.peek() != Some(b',') {
            return Err(Malformed::Auth("no comma between parameters"));
        }
        let text_of =
            |(from, to): (usize, usize)| std::str::from_utf8(cut(bytes, from, to)).unwrap_or_default();
        let (name, value) = (text_of(name), text_of(value));
        if params.iter().any(|(n, _)| n.eq_ignore_ascii_case(name)) {
            return Err(Malformed::Auth("parameter given twice"));
        }
        if params.len() >= MOST {
            return Err(Malformed::Auth("too many parameters"));
        }
        params.push((name, value));
    }
}
