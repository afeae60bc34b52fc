//! A received or built message: its octets as they are on the wire and the index over them (RFC 3261 7).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::error::{Malformed, Refused};
use super::header::{Header, Names, Values, text_at};
use super::header_id::HeaderId;
use super::index::{Entry, Index, Indexed, index};
use super::limits::Limits;
use super::method::Method;
use super::name_addr::NameAddr;
use super::scan::{Stored, cut};
use super::uri::Uri;
use super::via::{self, TopVia, ViaIndex};

/// One SIP message. A clone shares the octets and the index.
///
/// Parsing allocates twice: the octets, copied to size, and the index with up to 24 header fields.
#[derive(Clone)]
pub struct Message(Arc<Inner>);

struct Inner {
    index: Index,
    stored: Stored,
}

impl Message {
    /// Reads one datagram, or one message framed from a stream.
    ///
    /// CRLF before the start line is passed over (RFC 3261 7.5). Octets beyond Content-Length are noise and are
    /// dropped; without Content-Length the body is the rest (RFC 3261 18.3).
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Message, Refused> {
        let bytes = skip_crlf(bytes);
        let mut indexed = index(bytes, limits);
        if indexed.missing > 0 && indexed.fault.is_none() {
            indexed.fault = Some(Malformed::ContentLengthTooLarge);
        }
        Self::assemble(bytes, indexed)
    }

    /// The message that was found at the start of `bytes`.
    pub(super) fn assemble(bytes: &[u8], indexed: Indexed<'_>) -> Result<Message, Refused> {
        let message = indexed.index.map(|index| {
            let text = indexed.text.and_then(|text| match text.len() < index.end {
                // No more than the header section was looked at.
                true => std::str::from_utf8(cut(bytes, 0, index.end)).ok(),
                false => text.get(..index.end),
            });
            let stored = match text {
                Some(text) => Stored::Text(text.into()),
                None => Stored::Octets(cut(bytes, 0, index.end).into()),
            };
            Message(Arc::new(Inner { stored, index }))
        });
        match (message, indexed.fault) {
            (Some(message), None) => Ok(message),
            (message, fault) => {
                let fault = fault.unwrap_or(Malformed::StartLine("empty"));
                Err(Refused { fault, message: message.filter(Message::is_answerable) })
            }
        }
    }

    /// RFC 3261 8.2.6 copies Via into the response, and 17.1.1.3 forbids answering an ACK.
    pub(super) fn is_answerable(&self) -> bool {
        self.is_request() && self.method() != Method::Ack && self.0.index.via.is_some()
    }

    /// Whether all octets are kept as text.
    #[cfg(test)]
    pub(super) fn is_text(&self) -> bool {
        matches!(self.0.stored, Stored::Text(_))
    }

    pub(super) fn index(&self) -> &Index {
        &self.0.index
    }

    /// The message as it is on the wire.
    pub fn bytes(&self) -> &[u8] {
        self.0.stored.bytes()
    }

    /// Whether it is a request.
    pub fn is_request(&self) -> bool {
        self.0.index.request
    }

    /// Whether it is a response.
    pub fn is_response(&self) -> bool {
        !self.0.index.request
    }

    /// The method of a request; of a response, that of its CSeq.
    pub fn method(&self) -> Method {
        self.0.index.method
    }

    /// The method as written.
    pub fn method_name(&self) -> &str {
        self.0.stored.text(self.0.index.method_name)
    }

    /// The Request-URI as written; empty for a response.
    pub fn request_uri(&self) -> &str {
        self.0.stored.text(self.0.index.request_uri)
    }

    /// The Request-URI, parsed.
    pub fn uri(&self) -> Result<Uri<'_>, Malformed> {
        Uri::parse(self.request_uri())
    }

    /// The status code of a response, 100 to 699; 0 for a request.
    pub fn status(&self) -> u16 {
        self.0.index.status
    }

    /// The reason phrase up to the first octet that is not UTF-8; empty for a request.
    pub fn reason(&self) -> &str {
        let bytes = self.0.index.reason.of(self.bytes());
        match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(cut(bytes, 0, error.valid_up_to())).unwrap_or_default(),
        }
    }

    /// The topmost Via.
    pub fn via(&self) -> TopVia<'_> {
        // Only a message inside `Refused` may lack it, and that one is not handed out without.
        self.0.index.via.as_ref().unwrap_or(&NO_VIA).view(&self.0.stored)
    }

    /// The Via below the topmost; `None` when there is none, or it breaks its grammar.
    pub fn second_via(&self) -> Option<TopVia<'_>> {
        let bytes = self.bytes();
        let (at, to) = self.values(HeaderId::Via).raw().nth(1)?;
        via::parse(bytes, at, to).ok().map(|v| v.view(&self.0.stored))
    }

    /// Call-ID.
    pub fn call_id(&self) -> &str {
        self.0.stored.text(self.0.index.call_id)
    }

    /// The number of CSeq.
    pub fn cseq(&self) -> u32 {
        self.0.index.cseq
    }

    /// The method of CSeq.
    pub fn cseq_method(&self) -> Method {
        self.0.index.cseq_method
    }

    /// The method of CSeq as written.
    pub fn cseq_method_name(&self) -> &str {
        self.0.stored.text(self.0.index.cseq_name)
    }

    /// The tag of From; RFC 2543 peers may send none.
    pub fn from_tag(&self) -> Option<&str> {
        self.0.stored.option(self.0.index.from_tag)
    }

    /// The tag of To.
    pub fn to_tag(&self) -> Option<&str> {
        self.0.stored.option(self.0.index.to_tag)
    }

    /// Max-Forwards.
    pub fn max_forwards(&self) -> Option<u8> {
        self.0.index.max_forwards
    }

    /// Expires in seconds. Too large a value counts as 2^32-1, one that is no number as absent.
    pub fn expires(&self) -> Option<u32> {
        self.0.index.expires
    }

    /// From.
    pub fn from(&self) -> Result<NameAddr<'_>, Malformed> {
        self.single_address(HeaderId::From)
    }

    /// To.
    pub fn to(&self) -> Result<NameAddr<'_>, Malformed> {
        self.single_address(HeaderId::To)
    }

    fn single_address(&self, id: HeaderId) -> Result<NameAddr<'_>, Malformed> {
        let entry = self.first(id).ok_or(Malformed::Missing(id.name()))?;
        self.address_at(entry.value.at.into(), entry.value.end.into())
    }

    fn address_at(&self, at: usize, to: usize) -> Result<NameAddr<'_>, Malformed> {
        match self.0.stored.part(at, to) {
            Some(text) => NameAddr::parse(text),
            None => NameAddr::from_bytes(cut(self.bytes(), at, to)),
        }
    }

    /// The body; empty when there is none.
    pub fn body(&self) -> &[u8] {
        self.bytes().get(self.0.index.body_at.into()..).unwrap_or_default()
    }

    /// All header fields in order.
    pub fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        self.0.index.entries.iter().map(|entry| self.view(entry))
    }

    /// Where in [`bytes`](Self::bytes) the line of each header field starts, and which one it is. A line ends where the
    /// next one starts, the last one at [`headers_end`](Self::headers_end).
    pub fn header_lines(&self) -> impl Iterator<Item = (usize, HeaderId)> {
        self.0.index.entries.iter().map(|entry| (entry.at.into(), entry.id))
    }

    /// Where in [`bytes`](Self::bytes) the empty line behind the header fields starts.
    pub fn headers_end(&self) -> usize {
        self.0.index.headers_end.into()
    }

    fn view(&self, entry: &Entry) -> Header<'_> {
        Header { id: entry.id, name: entry.name(self.bytes()), value: entry.value.of(self.bytes()) }
    }

    pub(super) fn first(&self, id: HeaderId) -> Option<&Entry> {
        if self.0.index.present & id.bit() == 0 {
            return None;
        }
        self.0.index.entries.iter().find(|entry| entry.id == id)
    }

    /// Whether a header field of that name is there.
    pub fn has(&self, id: HeaderId) -> bool {
        self.0.index.present & id.bit() != 0
    }

    /// The value of the first header field of that name, unfolded.
    pub fn header(&self, id: HeaderId) -> Option<Cow<'_, str>> {
        self.first(id).map(|entry| text_at(&self.0.stored, entry.value.at.into(), entry.value.end.into()))
    }

    /// The value of the first header field of that name in any spelling: long, compact, upper or lower case.
    pub fn header_named(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers_named(name).next().map(|header| header.text())
    }

    /// Every header field of that name in any spelling, in order.
    pub fn headers_named(&self, name: &str) -> impl Iterator<Item = Header<'_>> {
        let names = Names::new(name);
        let bytes = self.bytes();
        let hits = self.0.index.entries.iter().filter(move |e| names.hit(e.id, || e.name(bytes)));
        hits.map(|entry| self.view(entry)).collect::<smallvec::SmallVec<[_; 4]>>().into_iter()
    }

    /// The values of all header fields of that name, in order: comma-separated lists are split where the header
    /// field is one ([`HeaderId::is_list`]), quotes and angle brackets respected. Empty values are passed over.
    pub fn values(&self, id: HeaderId) -> Values<'_> {
        Values::new(&self.0.stored, &self.0.index.entries, id, self.has(id))
    }

    /// The values of a header field that holds addresses.
    pub fn addresses(&self, id: HeaderId) -> impl Iterator<Item = Result<NameAddr<'_>, Malformed>> {
        self.values(id).raw().map(move |(at, to)| self.address_at(at, to))
    }

    /// Route, topmost first.
    pub fn routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, Malformed>> {
        self.addresses(HeaderId::Route)
    }

    /// Record-Route, topmost first.
    pub fn record_routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, Malformed>> {
        self.addresses(HeaderId::RecordRoute)
    }

    /// Contact.
    pub fn contacts(&self) -> impl Iterator<Item = Result<NameAddr<'_>, Malformed>> {
        self.addresses(HeaderId::Contact)
    }

    /// Path (RFC 3327), topmost first.
    pub fn paths(&self) -> impl Iterator<Item = Result<NameAddr<'_>, Malformed>> {
        self.addresses(HeaderId::Path)
    }
}

static NO_VIA: ViaIndex = ViaIndex::NONE;

/// RFC 3261 7.5: CRLF before the start line is ignored.
pub(super) fn skip_crlf(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(b"\r\n") {
        bytes = rest;
    }
    bytes
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Credentials and bodies stay out of logs.
        match self.is_request() {
            true => write!(f, "Message({} {}, ", self.method_name(), self.request_uri())?,
            false => write!(f, "Message({} to {}, ", self.status(), self.cseq_method_name())?,
        }
        write!(f, "Call-ID {}, CSeq {})", self.call_id(), self.cseq())
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Message {}
