//! One pass over received bytes: where the start line, each header field and the body are, and the fields every
//! layer asks for (RFC 3261 7, 18.3). Nothing is copied and nothing is allocated for up to [`INLINE`] header fields.
//!
//! The pass goes on after a fault as long as it can, so that the message can be answered.

use smallvec::SmallVec;

use super::error::Malformed;
use super::header_id::HeaderId;
use super::limits::Limits;
use super::method::Method;
use super::name_addr;
use super::params;
use super::scan::{Span, cut, digits, is_space, is_token_text, offset, trimmed};
use super::uri::{Scheme, Uri};
use super::via::{self, ViaIndex};

/// Header fields that fit without an allocation of their own; an INVITE of a phone has about 17.
pub(super) const INLINE: usize = 24;

/// One header field line, folding included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Where the line starts; it ends where the next one starts.
    pub(super) at: u16,
    /// Where the name ends.
    pub(super) name_end: u16,
    /// The value without white space at its ends.
    pub(super) value: Span,
    pub(super) id: HeaderId,
}

impl Entry {
    pub(super) fn name<'a>(&self, bytes: &'a [u8]) -> &'a str {
        Span { at: self.at, end: self.name_end }.text(bytes)
    }
}

/// Where everything is.
#[derive(Clone, Debug)]
pub(super) struct Index {
    pub(super) entries: SmallVec<[Entry; INLINE]>,
    /// The names that occur, by [`HeaderId::bit`].
    pub(super) present: u128,
    pub(super) request: bool,
    /// The request's, or that of CSeq in a response.
    pub(super) method: Method,
    pub(super) method_name: Span,
    pub(super) request_uri: Span,
    pub(super) status: u16,
    pub(super) reason: Span,
    /// Where the first header field starts.
    pub(super) headers_at: u16,
    /// Where the empty line starts.
    pub(super) headers_end: u16,
    pub(super) body_at: u16,
    /// Where the body ends; what a datagram holds beyond it is noise.
    pub(super) end: usize,
    pub(super) via: Option<ViaIndex>,
    pub(super) call_id: Span,
    pub(super) cseq: u32,
    pub(super) cseq_method: Method,
    pub(super) cseq_name: Span,
    pub(super) from_tag: Span,
    pub(super) to_tag: Span,
    pub(super) max_forwards: Option<u8>,
    pub(super) expires: Option<u32>,
    pub(super) content_length: Option<usize>,
}

/// What indexing found: the index, unless there is no start line at all, and the first fault.
pub(super) struct Indexed<'a> {
    pub(super) index: Option<Index>,
    /// The octets that were looked at, when all of them are text.
    pub(super) text: Option<&'a str>,
    pub(super) fault: Option<Malformed>,
    /// A fault that leaves no telling where the message ends, though another may have come first.
    pub(super) unframed: Option<Malformed>,
    /// How many octets of the body Content-Length speaks of are not there.
    pub(super) missing: usize,
}

/// Indexes one message. `bytes` starts with the start line.
pub(super) fn index<'a>(bytes: &'a [u8], limits: &Limits) -> Indexed<'a> {
    index_with_head(bytes, bytes.len(), limits)
}

/// The same where the header section, its empty line included, is known to end at `head`: nothing behind it is looked at.
pub(super) fn index_with_head<'a>(bytes: &'a [u8], head: usize, limits: &Limits) -> Indexed<'a> {
    let mut indexer = match Indexer::start(bytes, head, limits) {
        Ok(indexer) => indexer,
        Err(fault) => {
            let (fault, unframed) = (Some(fault), Some(fault));
            return Indexed { index: None, text: None, fault, unframed, missing: 0 };
        }
    };
    indexer.header_section();
    indexer.mandatory();
    let missing = indexer.body();
    let Indexer { index, text, fault, unframed, .. } = indexer;
    Indexed { index: Some(index), text, fault, unframed, missing }
}

/// Longest header section that 16-bit offsets reach.
const REACH: usize = u16::MAX as usize;

struct Indexer<'a, 'l> {
    /// The header section as far as limits let it reach; the body may be beyond.
    head: &'a [u8],
    /// The same, when all of it is text: then every part between two delimiters is.
    text: Option<&'a str>,
    total: usize,
    limits: &'l Limits,
    at: usize,
    index: Index,
    fault: Option<Malformed>,
    unframed: Option<Malformed>,
}

/// A line of the header section.
struct Line {
    /// Where its text ends, before CRLF.
    end: usize,
    /// Where the next line starts.
    next: usize,
}

impl<'a, 'l> Indexer<'a, 'l> {
    fn start(bytes: &'a [u8], head: usize, limits: &'l Limits) -> Result<Self, Malformed> {
        let reach = limits.header_section.min(REACH).min(head).min(bytes.len());
        let head = cut(bytes, 0, reach);
        let line = line(head, 0, false)?;
        let mut indexer = Indexer {
            head,
            text: std::str::from_utf8(head).ok(),
            total: bytes.len(),
            limits,
            at: line.next,
            index: Index {
                entries: SmallVec::new(),
                present: 0,
                request: true,
                method: Method::Other,
                method_name: Span::default(),
                request_uri: Span::default(),
                status: 0,
                reason: Span::default(),
                headers_at: offset(line.next),
                headers_end: offset(line.next),
                body_at: offset(line.next),
                end: bytes.len(),
                via: None,
                call_id: Span::default(),
                cseq: 0,
                cseq_method: Method::Other,
                cseq_name: Span::default(),
                from_tag: Span::default(),
                to_tag: Span::default(),
                max_forwards: None,
                expires: None,
                content_length: None,
            },
            fault: None,
            unframed: None,
        };
        let text = cut(head, 0, line.end);
        if text.get(..4).is_some_and(|t| t.eq_ignore_ascii_case(b"SIP/")) {
            indexer.status_line(text)?;
        } else {
            indexer.request_line(text)?;
        }
        Ok(indexer)
    }

    /// Whether a part of the header section is text.
    fn is_text(&self, part: &[u8]) -> bool {
        self.text.is_some() || std::str::from_utf8(part).is_ok()
    }

    /// The first fault is the one that is told.
    fn fault(&mut self, fault: Malformed) {
        self.fault.get_or_insert(fault);
    }

    /// RFC 3261 7.1: Method SP Request-URI SP SIP-Version. Exactly one space each, though a line that breaks only
    /// this is still understood well enough to be answered.
    fn request_line(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let bad = Malformed::StartLine;
        let method_end = line.iter().position(|&c| c == b' ').ok_or(bad("neither request nor response"))?;
        if !is_token_text(cut(line, 0, method_end)) {
            return Err(bad("method is no token"));
        }
        let (_, text_end) = trimmed(line, 0, line.len());
        let last = cut(line, 0, text_end).iter().rposition(|&c| c == b' ').unwrap_or(method_end);
        let version = cut(line, last.saturating_add(1), text_end);
        if last <= method_end || !version.get(..4).is_some_and(|v| v.eq_ignore_ascii_case(b"SIP/")) {
            return Err(bad("no SIP version"));
        }
        let from = method_end.saturating_add(1);
        let uri = trimmed(line, from, last);
        self.index.method_name = Span::new(0, method_end);
        self.index.method = Method::from_bytes(cut(line, 0, method_end));
        self.index.request_uri = Span::new(uri.0, uri.1);
        if text_end != line.len() || uri != (from, last) {
            self.fault(bad("extra white space"));
        }
        if !version.eq_ignore_ascii_case(b"SIP/2.0") {
            self.fault(Malformed::Version);
        }
        if let Some(fault) = request_uri_fault(cut(line, uri.0, uri.1), self.limits) {
            self.fault(fault);
        }
        Ok(())
    }

    /// RFC 3261 7.2: SIP-Version SP Status-Code SP Reason-Phrase. The space before an empty reason may be missing.
    fn status_line(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let bad = Malformed::StartLine;
        if line.get(..8).is_none_or(|v| !v.eq_ignore_ascii_case(b"SIP/2.0 ")) {
            return Err(Malformed::Version);
        }
        let code =
            digits(cut(line, 8, 11)).and_then(|n| u16::try_from(n).ok()).ok_or(bad("no status code"))?;
        if !(100..700).contains(&code) {
            return Err(bad("status code out of range"));
        }
        match line.get(11) {
            None | Some(b' ') => {}
            Some(_) => return Err(bad("status code is not three digits")),
        }
        self.index.request = false;
        self.index.status = code;
        self.index.reason = Span::new(line.len().min(12), line.len());
        Ok(())
    }

    /// A fault behind which nothing can be told from anything.
    fn stop(&mut self, fault: Malformed) {
        self.fault(fault);
        self.unframed.get_or_insert(fault);
    }

    fn header_section(&mut self) {
        loop {
            let at = self.at;
            if cut(self.head, at, at.saturating_add(2)) == b"\r\n" {
                self.index.headers_end = offset(at);
                self.at = at.saturating_add(2);
                break;
            }
            if at >= self.head.len() {
                self.unended();
                break;
            }
            if self.index.entries.len() >= self.limits.headers {
                self.stop(Malformed::TooManyHeaders { limit: self.limits.headers });
                self.index.headers_end = offset(at);
                break;
            }
            if let Err(fault) = self.header(at) {
                match fault {
                    // A line that runs into the limit was cut by us.
                    Malformed::Truncated if self.head.len() < self.total => self.unended(),
                    fault => self.stop(fault),
                }
                self.index.headers_end = offset(at);
                break;
            }
        }
        self.index.body_at = offset(self.at);
    }

    /// The header section stops before its empty line.
    fn unended(&mut self) {
        let limit = self.limits.header_section.min(REACH);
        self.stop(match self.head.len() < self.total {
            true => Malformed::HeaderSectionTooLarge { limit },
            false => Malformed::Truncated,
        });
        self.index.headers_end = offset(self.at);
    }

    /// One header field. An error ends the header section; a mere fault does not.
    fn header(&mut self, at: usize) -> Result<(), Malformed> {
        let head = self.head;
        let rest = cut(head, at, head.len());
        let colon = memchr::memchr3(b':', b'\r', b'\n', rest).unwrap_or(rest.len());
        let mut name = cut(rest, 0, colon);
        while let Some((b' ' | b'\t', shorter)) = name.split_last() {
            name = shorter;
        }
        let id = HeaderId::from_bytes(name);
        // A known name is a token already.
        if rest.get(colon) != Some(&b':') || (id == HeaderId::Other && !is_token_text(name)) {
            self.at = line(head, at, true)?.next;
            self.fault(Malformed::HeaderName);
            return Ok(());
        }
        let value_at = at.saturating_add(colon).saturating_add(1);
        let line = line(head, value_at, true)?;
        self.at = line.next;
        let value = trimmed(head, value_at, line.end);
        let name_end = offset(at.saturating_add(name.len()));
        self.index.entries.push(Entry { at: offset(at), name_end, value: Span::new(value.0, value.1), id });
        let repeated = self.index.present & id.bit() != 0;
        self.index.present |= id.bit();
        let fault = match self.eager(id, value.0, value.1, repeated) {
            _ if repeated && id.is_single() => Malformed::Repeated(id.name()),
            Err(why) => Malformed::Header(id.name(), why),
            Ok(()) => return Ok(()),
        };
        match id {
            HeaderId::ContentLength => self.stop(fault),
            _ => self.fault(fault),
        }
        Ok(())
    }

    /// The fields that are read while the bytes are hot.
    fn eager(&mut self, id: HeaderId, at: usize, to: usize, repeated: bool) -> Result<(), &'static str> {
        let head = self.head;
        let value = cut(head, at, to);
        match id {
            HeaderId::Via if !repeated => {
                let mut via = ViaIndex::default();
                let read = via::parse_into(&mut via, head, at, to);
                self.index.via = (!via.host.is_absent()).then_some(via);
                read?;
                if !self.is_text(via.value.of(head)) {
                    return Err("not UTF-8");
                }
            }
            HeaderId::From => self.index.from_tag = self.tag(at, to)?,
            HeaderId::To => self.index.to_tag = self.tag(at, to)?,
            HeaderId::CallId => {
                if value.is_empty() || value.iter().any(|&c| c <= b' ') || !self.is_text(value) {
                    return Err("not a Call-ID");
                }
                self.index.call_id = Span::new(at, to);
            }
            HeaderId::CSeq => self.cseq(at, to)?,
            HeaderId::MaxForwards => {
                let n = digits(value).ok_or("not a number")?;
                self.index.max_forwards = Some(u8::try_from(n).map_err(|_| "larger than 255")?);
            }
            HeaderId::ContentLength => {
                let n = digits(value).ok_or("not a number")?;
                self.index.content_length = Some(usize::try_from(n).unwrap_or(usize::MAX));
            }
            // RFC 3261 20.19 and 10.2.1.1: a value that is no number counts as absent.
            HeaderId::Expires => {
                self.index.expires = digits(value).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
            }
            _ => {}
        }
        Ok(())
    }

    /// The tag of From and To.
    fn tag(&self, at: usize, to: usize) -> Result<Span, &'static str> {
        let head = self.head;
        let value = head.get(..to).unwrap_or(head);
        let shape = name_addr::shape(value, at)?;
        if !self.is_text(cut(head, shape.uri.0, shape.uri.1)) {
            return Err("URI is not UTF-8");
        }
        match params::find(value, shape.params, to, b"tag")? {
            None => Ok(Span::default()),
            Some(value) => {
                let (from, to) = value.unwrap_or_default();
                let text = cut(head, from, to);
                let legal = |c: &u8| *c > b' ' && !matches!(c, b',' | b'<' | b'>' | b'"');
                if text.is_empty() || !text.iter().all(legal) || !self.is_text(text) {
                    return Err("bad tag");
                }
                Ok(Span::new(from, to))
            }
        }
    }

    fn cseq(&mut self, at: usize, to: usize) -> Result<(), &'static str> {
        let value = cut(self.head, at, to);
        let number = value.iter().position(|c| !c.is_ascii_digit()).unwrap_or(value.len());
        let blanks = value.get(number..).unwrap_or_default().iter().position(|&c| !is_space(c)).unwrap_or(0);
        let name = at.saturating_add(number).saturating_add(blanks);
        let n = digits(cut(value, 0, number)).ok_or("not a number")?;
        self.index.cseq = u32::try_from(n).map_err(|_| "number larger than 2^32-1")?;
        if blanks == 0 || !is_token_text(cut(self.head, name, to)) {
            return Err("no method");
        }
        self.index.cseq_name = Span::new(name, to);
        self.index.cseq_method = Method::from_bytes(cut(self.head, name, to));
        Ok(())
    }

    /// RFC 3261 8.1.1 without Max-Forwards, which RFC 2543 peers do not send.
    fn mandatory(&mut self) {
        const FIELDS: [HeaderId; 5] =
            [HeaderId::Via, HeaderId::From, HeaderId::To, HeaderId::CallId, HeaderId::CSeq];
        for id in FIELDS {
            if self.index.present & id.bit() == 0 {
                self.fault(Malformed::Missing(id.name()));
            }
        }
        let index = &mut self.index;
        if !index.request {
            index.method = index.cseq_method;
            index.method_name = index.cseq_name;
        } else if index.method_name.of(self.head) != index.cseq_name.of(self.head) {
            self.fault(Malformed::CSeqMethod);
        }
    }

    /// RFC 3261 18.3: the body is Content-Length octets, or all of the datagram. Returns how many are missing.
    fn body(&mut self) -> usize {
        let here = self.total.saturating_sub(self.at);
        let length = self.index.content_length.unwrap_or(here);
        if length > self.limits.body {
            self.fault(Malformed::BodyTooLarge { limit: self.limits.body });
        }
        if self.at.saturating_add(length) > self.limits.message {
            self.fault(Malformed::MessageTooLarge { limit: self.limits.message });
        }
        self.index.end = self.at.saturating_add(length.min(here));
        length.saturating_sub(here)
    }
}

/// Finds the end of the line that starts at `at`; with `folds`, of all lines it is folded over (RFC 3261 7.3.1).
fn line(head: &[u8], at: usize, folds: bool) -> Result<Line, Malformed> {
    let mut from = at;
    loop {
        let rest = cut(head, from, head.len());
        let end = from.saturating_add(memchr::memchr2(b'\r', b'\n', rest).ok_or(Malformed::Truncated)?);
        let next = end.saturating_add(2);
        match head.get(end..) {
            Some([b'\r', b'\n', ..]) => {}
            Some([b'\r']) => return Err(Malformed::Truncated),
            _ => return Err(Malformed::LineEnd),
        }
        if folds && matches!(head.get(next), Some(b' ' | b'\t')) {
            from = next;
            continue;
        }
        return Ok(Line { end, next });
    }
}

fn request_uri_fault(uri: &[u8], limits: &Limits) -> Option<Malformed> {
    if uri.len() > limits.uri {
        return Some(Malformed::UriTooLong { limit: limits.uri });
    }
    let Ok(text) = std::str::from_utf8(uri) else { return Some(Malformed::RequestUri("not UTF-8")) };
    match Uri::parse(text) {
        Err(Malformed::Uri(why)) => Some(Malformed::RequestUri(why)),
        Err(fault) => Some(fault),
        // RFC 3261 19.1.1 table 1: header fields may not stand in a Request-URI.
        Ok(uri)
            if matches!(uri.scheme(), Scheme::Sip | Scheme::Sips)
                && text.contains('?')
                && !uri.headers().is_empty() =>
        {
            Some(Malformed::RequestUri("header fields inside"))
        }
        Ok(_) => None,
    }
}
