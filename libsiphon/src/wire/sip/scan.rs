//! Reading bytes by the lexical rules of RFC 3261 25.1: character classes, linear white space, quoted strings.
//!
//! Nothing here fails loudly on an offset outside the input: it reads as the end of the input.

/// A stretch of the header section, by offsets. The section is at most 65,535 octets, so 16 bits do.
/// The empty span at 0 stands for "absent".
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Span {
    pub(super) at: u16,
    pub(super) end: u16,
}

impl Span {
    pub(super) const ABSENT: Span = Span { at: 0, end: 0 };

    pub(super) fn new(at: usize, end: usize) -> Self {
        Span { at: offset(at), end: offset(end) }
    }

    pub(super) fn is_absent(self) -> bool {
        self.end == 0
    }

    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        cut(bytes, self.at.into(), self.end.into())
    }

    /// The text of the span; empty when it is not UTF-8 (indexing has checked the spans that are exposed).
    pub(super) fn text(self, bytes: &[u8]) -> &str {
        std::str::from_utf8(self.of(bytes)).unwrap_or_default()
    }
}

/// The octets of a message. Almost always all of them are text; that is found out once, and a part of text is text
/// without another look at it.
pub(super) enum Stored {
    Text(Box<str>),
    Octets(Box<[u8]>),
}

impl Stored {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Stored::Text(text) => text.as_bytes(),
            Stored::Octets(octets) => octets,
        }
    }

    /// The text of a span; empty when it is not UTF-8 (indexing has checked the spans that are exposed).
    #[inline]
    pub(super) fn text(&self, span: Span) -> &str {
        match self {
            Stored::Text(text) => text.get(span.at.into()..span.end.into()).unwrap_or_default(),
            Stored::Octets(octets) => span.text(octets),
        }
    }

    /// The part between two offsets when the message is text.
    #[inline]
    pub(super) fn part(&self, at: usize, end: usize) -> Option<&str> {
        match self {
            Stored::Text(text) => text.get(at..end),
            Stored::Octets(_) => None,
        }
    }

    /// `None` for an absent span.
    #[inline]
    pub(super) fn option(&self, span: Span) -> Option<&str> {
        (!span.is_absent()).then(|| self.text(span))
    }
}

/// An offset into the header section, which indexing keeps below 65,536.
pub(super) fn offset(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

/// `bytes[from..to]`, empty where that does not exist.
pub(super) fn cut(bytes: &[u8], from: usize, to: usize) -> &[u8] {
    bytes.get(from..to).unwrap_or_default()
}

const TOKEN: u8 = 1;
const HOST: u8 = 2;
const SPACE: u8 = 4;
const NO_URI: u8 = 8;
const PARAM: u8 = 16;

const CLASSES: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut c = 0;
    while c < 256 {
        let byte = c as u8;
        if byte.is_ascii_alphanumeric() {
            table[c] = TOKEN | HOST;
        }
        c += 1;
    }
    let marks = b"-.!%*_+`'~";
    let mut i = 0;
    while i < marks.len() {
        table[marks[i] as usize] |= TOKEN;
        i += 1;
    }
    // Underscore is no host name character, but host names in the field carry it.
    let marks = b"-._";
    i = 0;
    while i < marks.len() {
        table[marks[i] as usize] |= HOST;
        i += 1;
    }
    let marks = b";,=\"";
    i = 0;
    while i < marks.len() {
        table[marks[i] as usize] |= PARAM;
        i += 1;
    }
    i = 0;
    while i <= b' ' as usize {
        table[i] |= NO_URI;
        i += 1;
    }
    let marks = b"<>\"\x7f";
    i = 0;
    while i < marks.len() {
        table[marks[i] as usize] |= NO_URI;
        i += 1;
    }
    let marks = b" \t\r\n";
    i = 0;
    while i < marks.len() {
        table[marks[i] as usize] |= SPACE;
        i += 1;
    }
    table
};

#[inline]
fn class(c: u8) -> u8 {
    CLASSES.get(c as usize).copied().unwrap_or(0)
}

/// `token` characters.
#[inline]
pub(super) fn is_token(c: u8) -> bool {
    class(c) & TOKEN != 0
}

/// Characters of a host name or dotted address.
#[inline]
pub(super) fn is_host(c: u8) -> bool {
    class(c) & HOST != 0
}

/// Linear white space. CR and LF occur inside a value only as folding, which indexing has checked.
#[inline]
pub(super) fn is_space(c: u8) -> bool {
    class(c) & SPACE != 0
}

/// White space, controls and delimiters: never part of a URI.
#[inline]
pub(super) fn is_no_uri(c: u8) -> bool {
    class(c) & NO_URI != 0
}

/// What structures a parameter list: semicolon, comma, equals sign, quote.
#[inline]
pub(super) fn is_param_mark(c: u8) -> bool {
    class(c) & PARAM != 0
}

/// A non-empty `token`.
pub(super) fn is_token_text(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&c| is_token(c))
}

/// A place in some bytes.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Cursor { bytes, at }
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(super) fn bump(&mut self) {
        self.at = self.at.saturating_add(1).min(self.bytes.len());
    }

    /// Takes `c` if it is next.
    #[inline]
    pub(super) fn eat(&mut self, c: u8) -> bool {
        let hit = self.peek() == Some(c);
        if hit {
            self.bump();
        }
        hit
    }

    /// Skips while `keep` holds and returns what was skipped, by offsets.
    #[inline]
    pub(super) fn take(&mut self, keep: impl Fn(u8) -> bool) -> (usize, usize) {
        let from = self.at;
        let rest = self.bytes.get(from..).unwrap_or_default();
        let n = rest.iter().position(|&c| !keep(c)).unwrap_or(rest.len());
        self.at = from.saturating_add(n);
        (from, self.at)
    }

    #[inline]
    pub(super) fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.bump();
        }
    }

    /// Skips a quoted string when one starts here. `false` when it never ends (RFC 3261 25.1).
    pub(super) fn skip_quoted(&mut self) -> bool {
        if !self.eat(b'"') {
            return true;
        }
        loop {
            match self.peek() {
                None => return false,
                Some(b'"') => {
                    self.bump();
                    return true;
                }
                Some(b'\\') => {
                    self.bump();
                    if self.peek().is_none() {
                        return false;
                    }
                    self.bump();
                }
                Some(_) => self.bump(),
            }
        }
    }

    pub(super) fn at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }
}

/// Without linear white space at either end.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let (from, to) = trimmed(bytes, 0, bytes.len());
    cut(bytes, from, to)
}

/// `from..to` without linear white space at either end.
#[inline]
pub(super) fn trimmed(bytes: &[u8], from: usize, to: usize) -> (usize, usize) {
    let mut part = cut(bytes, from, to);
    let mut at = from;
    while let Some((&c, rest)) = part.split_first() {
        if !is_space(c) {
            break;
        }
        part = rest;
        at = at.wrapping_add(1);
    }
    while let Some((&c, rest)) = part.split_last() {
        if !is_space(c) {
            break;
        }
        part = rest;
    }
    (at, at.wrapping_add(part.len()))
}

/// 1*DIGIT. `None` when that is not what it is; `u64::MAX` when it is larger than that.
pub(super) fn digits(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0u64, |n, &c| {
        let digit = u64::from(c.wrapping_sub(b'0'));
        (digit < 10).then(|| n.saturating_mul(10).saturating_add(digit))
    })
}

/// Finds the end of a list element that starts at `from`: the comma outside quotes and angle brackets, or `to`.
/// A quote or bracket that does not end swallows the rest: splitting it would invent values.
pub(super) fn element_end(bytes: &[u8], from: usize, to: usize) -> usize {
    let mut at = from;
    loop {
        let rest = cut(bytes, at, to);
        let Some(hit) = memchr::memchr3(b',', b'"', b'<', rest) else { return to };
        let mark = at.saturating_add(hit);
        match rest.get(hit) {
            Some(b',') => return mark,
            Some(b'<') => {
                let Some(close) = memchr::memchr(b'>', cut(rest, hit, rest.len())) else { return to };
                at = mark.saturating_add(close).saturating_add(1);
            }
            _ => {
                let mut cursor = Cursor::new(bytes.get(..to).unwrap_or(bytes), mark);
                if !cursor.skip_quoted() {
                    return to;
                }
                at = cursor.at;
            }
        }
    }
}

/// Appends `value` with each folding (and the white space around it) as one space (RFC 3261 7.3.1).
pub(super) fn unfold(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        let (line, tail) = rest.split_at(at);
        let keep = line.iter().rposition(|&c| !is_space(c)).map_or(0, |n| n.saturating_add(1));
        out.extend_from_slice(cut(line, 0, keep));
        let skip = tail.iter().position(|&c| !is_space(c)).unwrap_or(tail.len());
        rest = tail.get(skip..).unwrap_or_default();
        if !out.is_empty() && !rest.is_empty() {
            out.push(b' ');
        }
    }
    out.extend_from_slice(rest);
    out
}
