//! Parameters: `;name=value` lists of header fields and URIs (RFC 3261 25.1 generic-param, 19.1.1).

use std::borrow::Cow;

use super::scan::{Cursor, cut, is_param_mark, trim, trimmed};

/// One parameter, by offsets. `value` is `None` for a flag such as `lr`.
pub(super) struct RawParam {
    pub(super) name: (usize, usize),
    pub(super) value: Option<(usize, usize)>,
}

/// Reads the next parameter of `bytes` at or after `at`, up to `to` and (outside quotes) `stop`, a comma or semicolon.
/// Returns it with the offset behind it. An empty parameter reads as an empty name.
pub(super) fn next_param(
    bytes: &[u8],
    at: usize,
    to: usize,
    stop: u8,
) -> Result<Option<(RawParam, usize)>, &'static str> {
    let mut cursor = Cursor::new(bytes.get(..to).unwrap_or(bytes), at);
    cursor.skip_space();
    if !cursor.eat(b';') {
        return match cursor.peek() {
            None => Ok(None),
            Some(c) if c == stop => Ok(None),
            Some(_) => Err("unexpected text before a parameter"),
        };
    }
    let from = cursor.at;
    let (mut equals, mut to) = (None, cursor.bytes.len());
    loop {
        cursor.take(|c| !is_param_mark(c));
        match cursor.peek() {
            None => break,
            Some(b'"') => {
                if !cursor.skip_quoted() {
                    return Err("quoted string does not end");
                }
                continue;
            }
            Some(c) if c == b';' || c == stop => {
                to = cursor.at;
                break;
            }
            Some(b'=') if equals.is_none() => equals = Some(cursor.at),
            Some(_) => {}
        }
        cursor.bump();
    }
    let param = match equals {
        None => RawParam { name: trimmed(bytes, from, to), value: None },
        Some(eq) => {
            RawParam { name: trimmed(bytes, from, eq), value: Some(trimmed(bytes, eq.saturating_add(1), to)) }
        }
    };
    Ok(Some((param, to)))
}

/// The offsets of the value of parameter `name` in `bytes[at..to]`: `Some(None)` for a flag.
pub(super) fn find(
    bytes: &[u8],
    mut at: usize,
    to: usize,
    name: &[u8],
) -> Result<Option<Option<(usize, usize)>>, &'static str> {
    // No stop character: the list ends with the value.
    while let Some((param, next)) = next_param(bytes, at, to, b';')? {
        if cut(bytes, param.name.0, param.name.1).eq_ignore_ascii_case(name) {
            return Ok(Some(param.value));
        }
        at = next;
    }
    Ok(None)
}

/// The parameters of a header field value or a URI, as written. Starts with `;` or is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a> {
    bytes: &'a [u8],
}

impl<'a> Params<'a> {
    /// From text that starts with `;` or is empty.
    pub fn new(text: &'a str) -> Self {
        Params { bytes: text.as_bytes() }
    }

    pub(super) fn from_bytes(bytes: &'a [u8]) -> Self {
        Params { bytes }
    }

    /// The text as written, white space at the ends aside; empty when it is not UTF-8.
    pub fn as_str(&self) -> &'a str {
        std::str::from_utf8(trim(self.bytes)).unwrap_or_default()
    }

    /// The value of the parameter of that name, in any case, with quotes as written: `Some("")` for a flag such as `lr`.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.unwrap_or_default())
    }

    /// As [`get`](Self::get), with quotes and quoted pairs undone.
    pub fn unquoted(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).map(unquote)
    }

    /// Whether a parameter of that name is there.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// No parameter at all.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Name and value in order. Empty parameters, and what is not UTF-8, are passed over.
    pub fn iter(&self) -> ParamIter<'a> {
        ParamIter { bytes: self.bytes, at: 0 }
    }
}

impl<'a> IntoIterator for Params<'a> {
    type Item = (&'a str, Option<&'a str>);
    type IntoIter = ParamIter<'a>;
    fn into_iter(self) -> ParamIter<'a> {
        self.iter()
    }
}

/// See [`Params::iter`].
#[derive(Clone, Debug)]
pub struct ParamIter<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for ParamIter<'a> {
    type Item = (&'a str, Option<&'a str>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (param, next) = next_param(self.bytes, self.at, self.bytes.len(), b';').ok().flatten()?;
            self.at = next;
            let Ok(name) = std::str::from_utf8(cut(self.bytes, param.name.0, param.name.1)) else { continue };
            let value = param.value.map(|(from, to)| std::str::from_utf8(cut(self.bytes, from, to)));
            match value {
                _ if name.is_empty() => continue,
                Some(Err(_)) => continue,
                Some(Ok(text)) => return Some((name, Some(text))),
                None => return Some((name, None)),
            }
        }
    }
}

/// A quoted string without its quotes, quoted pairs undone (RFC 3261 25.1); any other text as it is.
pub fn unquote(text: &str) -> Cow<'_, str> {
    let inner = text.trim();
    let Some(inner) = inner.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return Cow::Borrowed(text);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// `text` as a quoted string: `"` and `\` escaped. CR, LF and NUL are left out, for they cannot be sent.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for c in text.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0')) {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}
