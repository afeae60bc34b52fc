//! Header fields as views into a message: text without folding, and lists split into values (RFC 3261 7.3.1).

use std::borrow::Cow;

use super::header_id::HeaderId;
use super::index::Entry;
use super::scan::{Stored, cut, element_end, trimmed, unfold};

/// One header field.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// Which one.
    pub id: HeaderId,
    /// The name as written.
    pub name: &'a str,
    /// The value as written, folding included, without white space at its ends.
    pub value: &'a [u8],
}

impl<'a> Header<'a> {
    /// The value on one line. What is not UTF-8 shows as U+FFFD.
    pub fn text(&self) -> Cow<'a, str> {
        text_of(self.value)
    }

    /// The long spelling of the name, where there is one.
    pub fn long_name(&self) -> &'a str {
        if self.id == HeaderId::Other { self.name } else { self.id.name() }
    }
}

/// A value on one line.
pub(super) fn text_of(value: &[u8]) -> Cow<'_, str> {
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return String::from_utf8_lossy(value);
    }
    Cow::Owned(
        String::from_utf8(unfold(value))
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()),
    )
}

/// A part of a message on one line.
pub(super) fn text_at(stored: &Stored, at: usize, to: usize) -> Cow<'_, str> {
    match stored.part(at, to) {
        Some(text) if memchr::memchr2(b'\r', b'\n', text.as_bytes()).is_none() => Cow::Borrowed(text),
        _ => text_of(cut(stored.bytes(), at, to)),
    }
}

/// What a header field name given by a caller stands for: every spelling of it.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) id: HeaderId,
    pub(super) text: &'a str,
}

impl<'a> Names<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Names { id: HeaderId::from_name(text), text }
    }

    pub(super) fn hit<'b>(&self, id: HeaderId, name: impl FnOnce() -> &'b str) -> bool {
        id == self.id && (id != HeaderId::Other || name().eq_ignore_ascii_case(self.text))
    }
}

/// See [`Message::values`](super::Message::values).
#[derive(Clone)]
pub struct Values<'a> {
    stored: &'a Stored,
    bytes: &'a [u8],
    entries: std::slice::Iter<'a, Entry>,
    id: HeaderId,
    /// What is left of the current header field.
    rest: Option<(usize, usize)>,
}

impl<'a> Values<'a> {
    pub(super) fn new(stored: &'a Stored, entries: &'a [Entry], id: HeaderId, present: bool) -> Self {
        let entries = if present && id != HeaderId::Other { entries } else { &[] };
        Values { stored, bytes: stored.bytes(), entries: entries.iter(), id, rest: None }
    }

    /// The offsets of each value.
    pub(super) fn raw(mut self) -> impl Iterator<Item = (usize, usize)> + use<'a> {
        std::iter::from_fn(move || self.advance())
    }

    fn advance(&mut self) -> Option<(usize, usize)> {
        loop {
            let Some((at, to)) = self.rest.take() else {
                let entry = self.entries.find(|e| e.id == self.id)?;
                self.rest = Some((entry.value.at.into(), entry.value.end.into()));
                continue;
            };
            let end = if self.id.is_list() { element_end(self.bytes, at, to) } else { to };
            if end < to {
                self.rest = Some((end.saturating_add(1), to));
            }
            let (from, end) = trimmed(self.bytes, at, end);
            if from < end {
                return Some((from, end));
            }
        }
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Cow<'a, str>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().map(|(at, to)| text_at(self.stored, at, to))
    }
}
