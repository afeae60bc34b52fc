//! The lines of a message under edit: the original ones by number, changed and added ones by reference into an
//! arena. Edits apply one after the other, so a line added by one can be removed by the next.

use smallvec::SmallVec;

use super::build::Name;
use super::error::Unsafe;
use super::header_id::HeaderId;
use super::index::Entry;
use super::message::Message;
use super::scan::{cut, element_end, trimmed};

/// Numbers below are lines of the message; from here on, places in [`Lines::changed`].
const CHANGED: u16 = 0x8000;

/// A range of the arena.
#[derive(Clone, Copy, Default)]
pub(super) struct Kept {
    at: u32,
    end: u32,
}

/// A line that is not as it came.
#[derive(Clone, Copy)]
struct Changed {
    id: HeaderId,
    /// The message's line whose name and spacing are kept; `None` for an added line.
    original: Option<u16>,
    /// The name of an added line that is [`HeaderId::Other`].
    name: Kept,
    value: Kept,
}

/// See the file's comment.
pub(super) struct Lines<'m> {
    message: &'m Message,
    order: SmallVec<[u16; 40]>,
    changed: SmallVec<[Changed; 8]>,
    arena: SmallVec<[u8; 512]>,
}

impl<'m> Lines<'m> {
    pub(super) fn of(message: &'m Message) -> Self {
        let n = super::scan::offset(message.index().entries.len());
        Lines { message, order: (0..n).collect(), changed: SmallVec::new(), arena: SmallVec::new() }
    }

    /// Whether there is room for another edit. A script in a loop must not fill the memory; what the parser takes
    /// is less than this.
    pub(super) fn room(&self) -> Result<(), Unsafe> {
        match self.changed.len() >= MOST_CHANGES || self.arena.len() >= MOST_TEXT {
            true => Err(Unsafe::TooMuch),
            false => Ok(()),
        }
    }

    pub(super) fn keep(&mut self, parts: &[&[u8]]) -> Kept {
        let at = self.arena.len() as u32;
        for part in parts {
            self.arena.extend_from_slice(part);
        }
        Kept { at, end: self.arena.len() as u32 }
    }

    /// Keeps pieces of the value at place `at`.
    fn keep_value(&mut self, at: usize, pieces: &[(usize, usize)]) -> Kept {
        let message = self.message;
        let copy: Vec<u8>;
        let value = match self.is_original(at).and_then(|n| message.index().entries.get(n)) {
            Some(entry) => entry.value.of(message.bytes()),
            None => {
                copy = self.value(at).to_vec();
                &copy
            }
        };
        let start = self.arena.len() as u32;
        for &(from, to) in pieces {
            self.arena.extend_from_slice(cut(value, from, to));
        }
        Kept { at: start, end: self.arena.len() as u32 }
    }

    pub(super) fn kept(&self, kept: Kept) -> &[u8] {
        cut(&self.arena, kept.at as usize, kept.end as usize)
    }

    fn changed(&self, line: u16) -> Option<&Changed> {
        self.changed.get(usize::from(line.checked_sub(CHANGED)?))
    }

    fn id(&self, line: u16) -> HeaderId {
        match self.changed(line) {
            Some(changed) => changed.id,
            None => self.message.index().entries.get(usize::from(line)).map_or(HeaderId::Other, |e| e.id),
        }
    }

    fn name(&self, line: u16) -> &[u8] {
        let original = match self.changed(line) {
            Some(changed @ Changed { original: None, .. }) => return self.new_name(changed),
            Some(Changed { original: Some(line), .. }) => *line,
            None => line,
        };
        let bytes = self.message.bytes();
        let entry = self.message.index().entries.get(usize::from(original));
        entry.map_or(&[], |e| cut(bytes, e.at.into(), e.name_end.into()))
    }

    fn new_name<'a>(&'a self, changed: &Changed) -> &'a [u8] {
        match changed.id {
            HeaderId::Other => self.kept(changed.name),
            known => known.name().as_bytes(),
        }
    }

    /// The value of the line at place `at`, as it stands now.
    pub(super) fn value(&self, at: usize) -> &[u8] {
        let Some(&line) = self.order.get(at) else { return &[] };
        match self.changed(line) {
            Some(changed) => self.kept(changed.value),
            None => {
                let entry = self.message.index().entries.get(usize::from(line));
                entry.map_or(&[], |e| e.value.of(self.message.bytes()))
            }
        }
    }

    /// Which line of the message stands at place `at`, when it is as it came.
    pub(super) fn is_original(&self, at: usize) -> Option<usize> {
        self.order.get(at).filter(|&&line| line < CHANGED).map(|&line| line.into())
    }

    fn hit(&self, entries: &[Entry], line: u16, name: &Name<'_>) -> bool {
        let id = match entries.get(usize::from(line)) {
            Some(entry) => entry.id,
            None => self.changed(line).map_or(HeaderId::Other, |c| c.id),
        };
        id == name.id && (id != HeaderId::Other || self.name(line).eq_ignore_ascii_case(name.text.as_bytes()))
    }

    /// The place of the first line of that name at or after `from`.
    pub(super) fn find(&self, name: &Name<'_>, from: usize) -> Option<usize> {
        if self.changed.is_empty() && name.id != HeaderId::Other && !self.message.has(name.id) {
            return None;
        }
        let entries = self.message.index().entries.as_slice();
        let rest = self.order.get(from..)?;
        Some(from.saturating_add(rest.iter().position(|&line| self.hit(entries, line, name))?))
    }

    /// The place behind the first Via fields, where routing header fields go when there is none yet.
    pub(super) fn behind_via(&self) -> usize {
        let via = Name::from(HeaderId::Via);
        let entries = self.message.index().entries.as_slice();
        let Some(first) = self.find(&via, 0) else { return 0 };
        let rest = self.order.get(first..).unwrap_or_default();
        let run = rest.iter().take_while(|&&line| self.hit(entries, line, &via)).count();
        first.saturating_add(run)
    }

    pub(super) fn count(&self) -> usize {
        self.order.len()
    }

    /// Gives the line at place `at` another value.
    pub(super) fn replace(&mut self, at: usize, value: Kept) {
        let Some(&line) = self.order.get(at) else { return };
        if let Some(changed) = line.checked_sub(CHANGED).and_then(|n| self.changed.get_mut(usize::from(n))) {
            changed.value = value;
            return;
        }
        let changed = Changed { id: self.id(line), original: Some(line), name: Kept::default(), value };
        let number = self.number(changed);
        if let Some(slot) = self.order.get_mut(at) {
            *slot = number;
        }
    }

    fn number(&mut self, changed: Changed) -> u16 {
        let number = CHANGED | super::scan::offset(self.changed.len());
        self.changed.push(changed);
        number
    }

    /// Adds a line at place `at`.
    pub(super) fn insert(&mut self, at: usize, name: &Name<'_>, value: &[&[u8]]) -> Result<(), Unsafe> {
        self.room()?;
        let name_text = match name.id {
            HeaderId::Other => self.keep(&[name.text.as_bytes()]),
            _ => Kept::default(),
        };
        let value = self.keep(value);
        let number = self.number(Changed { id: name.id, original: None, name: name_text, value });
        self.order.insert(at.min(self.order.len()), number);
        Ok(())
    }

    /// Removes every line of that name at or after place `from`.
    pub(super) fn remove(&mut self, name: &Name<'_>, from: usize) {
        if name.id != HeaderId::Other && from == 0 && !self.message.has(name.id) && self.changed.is_empty() {
            return;
        }
        let mut at = from;
        while let Some(hit) = self.find(name, at) {
            self.order.remove(hit);
            at = hit;
        }
    }

    /// Removes `count` list values of header field `id`, from the `nth` on (0 is the topmost).
    pub(super) fn remove_values(&mut self, id: HeaderId, nth: usize, count: usize) {
        let name = Name::from(id);
        let (mut skip, mut count, mut at) = (nth, count, 0);
        while let Some(hit) = self.find(&name, at).filter(|_| count > 0) {
            let value = self.value(hit);
            let spans = elements(value, id);
            let gone = spans.len().saturating_sub(skip).min(count);
            if gone == spans.len() {
                self.order.remove(hit);
                at = hit;
            } else {
                if gone > 0 {
                    let ((from, to), total) = (gap(&spans, skip, gone, value.len()), value.len());
                    let kept = self.keep_value(hit, &[(0, from), (to, total)]);
                    self.replace(hit, kept);
                }
                at = hit.saturating_add(1);
            }
            skip = skip.saturating_sub(spans.len());
            count = count.saturating_sub(gone);
        }
    }

    /// Appends the lines; neighbours that are as they came are copied in one go.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.write_if(out, |_| true);
    }

    /// As [`write`](Self::write), without Content-Length.
    pub(super) fn write_without_length(&self, out: &mut Vec<u8>) {
        self.write_if(out, |id| id != HeaderId::ContentLength);
    }

    fn write_if(&self, out: &mut Vec<u8>, wanted: impl Fn(HeaderId) -> bool) {
        let bytes = self.message.bytes();
        let mut run: Option<(u16, u16)> = None;
        for &line in self.order.iter().filter(|&&line| wanted(self.id(line))) {
            match run {
                Some((from, to)) if line == to => run = Some((from, to.saturating_add(1))),
                _ => {
                    self.write_run(out, run.take());
                    if line < CHANGED {
                        run = Some((line, line.saturating_add(1)));
                    } else if let Some(changed) = self.changed(line) {
                        self.write_changed(out, bytes, changed);
                    }
                }
            }
        }
        self.write_run(out, run);
    }

    /// Where line `n` starts; the end of the header section for the one behind the last.
    fn start(&self, n: u16) -> usize {
        let index = self.message.index();
        index.entries.get(usize::from(n)).map_or(index.headers_end, |e| e.at).into()
    }

    fn write_run(&self, out: &mut Vec<u8>, run: Option<(u16, u16)>) {
        if let Some((from, to)) = run {
            out.extend_from_slice(cut(self.message.bytes(), self.start(from), self.start(to)));
        }
    }

    fn write_changed(&self, out: &mut Vec<u8>, bytes: &[u8], changed: &Changed) {
        match changed.original.and_then(|n| self.message.index().entries.get(usize::from(n))) {
            Some(entry) => out.extend_from_slice(cut(bytes, entry.at.into(), entry.value.at.into())),
            None => {
                out.extend_from_slice(self.new_name(changed));
                out.extend_from_slice(b": ");
            }
        }
        out.extend_from_slice(self.kept(changed.value));
        out.extend_from_slice(b"\r\n");
    }
}

/// Most lines that edits of one message change or add, and most octets they write.
const MOST_CHANGES: usize = 1024;
const MOST_TEXT: usize = 1 << 20;

/// The offsets of the values of a list.
pub(super) fn elements(value: &[u8], id: HeaderId) -> SmallVec<[(usize, usize); 4]> {
    let mut spans = SmallVec::new();
    let mut at = 0;
    while at < value.len() {
        let end = if id.is_list() { element_end(value, at, value.len()) } else { value.len() };
        let span = trimmed(value, at, end);
        if span.0 < span.1 {
            spans.push(span);
        }
        at = end.saturating_add(1);
    }
    spans
}

/// What to cut for `gone` (fewer than all) elements from `skip` on to go, with the comma that goes with them.
fn gap(spans: &[(usize, usize)], skip: usize, gone: usize, len: usize) -> (usize, usize) {
    let behind = spans.get(skip.saturating_add(gone));
    let before = skip.checked_sub(1).and_then(|n| spans.get(n));
    match (before, behind) {
        (_, Some(next)) => (spans.get(skip).map_or(0, |s| s.0), next.0),
        (Some(last), None) => (last.1, len),
        (None, None) => (len, len),
    }
}
