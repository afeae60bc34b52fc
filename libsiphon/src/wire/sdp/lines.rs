//! Lines of a section, each as it came or as it was written since (RFC 8866 5).

use super::errors::{Limits, Unwritable};
use std::ops::Range;
use std::sync::Arc;

/// What ends a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Crlf,
    /// Taken though RFC 8866 5 wants CRLF, as that clause suggests.
    Lf,
    /// The last line, cut short.
    Nothing,
}

impl End {
    fn octets(self) -> &'static [u8] {
        match self {
            End::Crlf => b"\r\n",
            End::Lf => b"\n",
            End::Nothing => b"",
        }
    }
}

#[derive(Clone, Debug)]
enum Text {
    /// Where it stands in the source, which is UTF-8 there.
    Kept(Range<usize>),
    /// As received in another character set, and as text with what is unreadable replaced.
    Foreign(Range<usize>, Box<str>),
    Written(Box<str>),
}

#[derive(Clone, Debug)]
struct Line {
    text: Text,
    end: End,
}

/// A line of the form `x=value`.
#[derive(Clone, Copy)]
pub(super) struct Typed<'a> {
    /// Its place in the section.
    pub(super) at: usize,
    pub(super) letter: u8,
    pub(super) value: &'a str,
}

/// The lines of the session or of one medium. A section owns what it needs: media can be moved and cloned alone.
#[derive(Clone, Debug)]
pub(super) struct Section {
    source: Arc<[u8]>,
    lines: Vec<Line>,
    /// How new lines end.
    end: End,
    /// Order of the line types (RFC 8866 5), for new lines.
    order: &'static [u8],
}

const SESSION_ORDER: &[u8] = b"vosiuepcbtrzka";
const MEDIA_ORDER: &[u8] = b"micbka";

impl Section {
    pub(super) fn session(source: Arc<[u8]>, end: End) -> Self {
        Section { source, lines: Vec::new(), end, order: SESSION_ORDER }
    }

    /// The section of the next `m=` line.
    pub(super) fn medium(&self) -> Self {
        Section { source: self.source.clone(), lines: Vec::new(), end: self.end, order: MEDIA_ORDER }
    }

    /// Adds the received line at `range`.
    pub(super) fn push(&mut self, range: Range<usize>, end: End) {
        let octets = self.source.get(range.clone()).unwrap_or_default();
        let text = match std::str::from_utf8(octets) {
            Ok(_) => Text::Kept(range),
            Err(_) => Text::Foreign(range, String::from_utf8_lossy(octets).into()),
        };
        self.lines.push(Line { text, end });
    }

    fn octets<'a>(&'a self, line: &'a Line) -> &'a [u8] {
        match &line.text {
            Text::Kept(range) | Text::Foreign(range, _) => self.source.get(range.clone()).unwrap_or_default(),
            Text::Written(text) => text.as_bytes(),
        }
    }

    fn text<'a>(&'a self, line: &'a Line) -> &'a str {
        match &line.text {
            Text::Foreign(_, text) | Text::Written(text) => text,
            Text::Kept(_) => std::str::from_utf8(self.octets(line)).unwrap_or_default(),
        }
    }

    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        for line in &self.lines {
            out.extend_from_slice(self.octets(line));
            out.extend_from_slice(line.end.octets());
        }
    }

    /// The octets of each line whose type is not `passed_over`, without what ends it.
    pub(super) fn octets_but(&self, passed_over: u8) -> impl Iterator<Item = &[u8]> {
        self.lines
            .iter()
            .map(|l| self.octets(l))
            .filter(move |o| o.first_chunk() != Some(&[passed_over, b'=']))
    }

    /// The lines of the form `x=value`.
    pub(super) fn typed(&self) -> impl Iterator<Item = Typed<'_>> {
        self.lines.iter().enumerate().filter_map(|(at, line)| {
            let (letter, value) = typed(self.text(line))?;
            Some(Typed { at, letter, value })
        })
    }

    /// The value of the first line of that type.
    pub(super) fn first(&self, letter: u8) -> Option<&str> {
        self.typed().find(|l| l.letter == letter).map(|l| l.value)
    }

    /// Puts `value` in place of the value of the line at `at`, whatever its end was.
    pub(super) fn replace(&mut self, at: usize, letter: u8, value: &str) -> Result<(), Unwritable> {
        let text = written(letter, value)?;
        if let Some(line) = self.lines.get_mut(at) {
            line.text = text;
        }
        Ok(())
    }

    /// Replaces the first line of that type, or adds one where RFC 8866 5 has its place.
    pub(super) fn set(&mut self, letter: u8, value: &str) -> Result<(), Unwritable> {
        let found = self.typed().find(|l| l.letter == letter).map(|l| (l.at, l.value == value));
        match found {
            Some((_, true)) => Ok(()),
            Some((at, false)) => self.replace(at, letter, value),
            None => self.insert(letter, value),
        }
    }

    /// Adds a line behind those of its type, or where RFC 8866 5 has its place.
    pub(super) fn insert(&mut self, letter: u8, value: &str) -> Result<(), Unwritable> {
        if self.lines.len() >= Limits::DEFAULT.lines {
            return Err(Unwritable::TooMuch);
        }
        let text = written(letter, value)?;
        let rank = |letter: u8| self.order.iter().position(|known| *known == letter);
        let own = rank(letter);
        let before = self.typed().filter(|l| rank(l.letter).is_some_and(|r| Some(r) <= own)).last();
        let at = before.map_or(0, |l| l.at.saturating_add(1));
        if let Some(line) = at.checked_sub(1).and_then(|before| self.lines.get_mut(before))
            && line.end == End::Nothing
        {
            line.end = self.end;
        }
        self.lines.insert(at.min(self.lines.len()), Line { text, end: self.end });
        Ok(())
    }

    /// Keeps the lines for which `stays` holds; it gets None for a line that is not of the form `x=value`. Gives how
    /// many went.
    pub(super) fn retain(&mut self, mut stays: impl FnMut(Option<(u8, &str)>) -> bool) -> usize {
        let verdicts: Vec<bool> = self.lines.iter().map(|l| stays(typed(self.text(l)))).collect();
        let before = self.lines.len();
        let mut verdicts = verdicts.into_iter();
        self.lines.retain(|_| verdicts.next().unwrap_or(true));
        before.saturating_sub(self.lines.len())
    }
}

fn typed(text: &str) -> Option<(u8, &str)> {
    match text.as_bytes() {
        [letter, b'=', ..] => Some((*letter, text.get(2..)?)),
        _ => None,
    }
}

fn written(letter: u8, value: &str) -> Result<Text, Unwritable> {
    checked(value)?;
    Ok(Text::Written(format!("{}={value}", char::from(letter)).into()))
}

/// Refuses text that would become another line.
pub(super) fn checked(value: &str) -> Result<&str, Unwritable> {
    if value.bytes().any(|c| matches!(c, b'\r' | b'\n' | 0)) {
        return Err(Unwritable::LineBreak);
    }
    if value.len() > Limits::DEFAULT.octets {
        return Err(Unwritable::TooMuch);
    }
    Ok(value)
}

/// Where the `nth` word of `text` stands, words being parted by white space.
pub(super) fn word_at(text: &str, nth: usize) -> Option<Range<usize>> {
    let word = text.split_ascii_whitespace().nth(nth)?;
    let start = (word.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    Some(start..start.checked_add(word.len())?)
}
