//! Requests this element originates: whole ones (RFC 3261 8.1.1), the ACK to a non-2xx (17.1.1.3) and CANCEL (9.1).

use std::borrow::Cow;

use super::build::{Name, check_text, check_uri, push_body, push_line, push_number};
use super::error::{Malformed, Unsafe};
use super::header_id::HeaderId;
use super::limits::Limits;
use super::message::Message;
use super::scan::{cut, element_end, is_token_text};

/// Makes a request. The order of header fields is that of the calls, with Max-Forwards first.
///
/// The first unsafe text is remembered and told by [`write`](Self::write).
pub struct RequestBuilder<'a> {
    method: Cow<'a, str>,
    uri: Cow<'a, str>,
    max_forwards: u8,
    cseq: u32,
    lines: Vec<u8>,
    body: Cow<'a, [u8]>,
    fault: Option<Unsafe>,
}

impl<'a> RequestBuilder<'a> {
    /// A request with Max-Forwards 70 and CSeq 1.
    pub fn new(method: impl Into<Cow<'a, str>>, request_uri: impl Into<Cow<'a, str>>) -> Self {
        let (method, uri) = (method.into(), request_uri.into());
        let mut fault = check_uri(&uri).err();
        if !is_token_text(method.as_bytes()) {
            fault = Some(Unsafe::Name);
        }
        RequestBuilder {
            method,
            uri,
            max_forwards: 70,
            cseq: 1,
            lines: Vec::new(),
            body: Cow::Borrowed(&[]),
            fault,
        }
    }

    /// Adds a Via value below those already added.
    pub fn via(self, value: &str) -> Self {
        self.header(HeaderId::Via, value)
    }

    /// Sets From, tag included.
    pub fn from(self, value: &str) -> Self {
        self.header(HeaderId::From, value)
    }

    /// Sets To.
    pub fn to(self, value: &str) -> Self {
        self.header(HeaderId::To, value)
    }

    /// Sets Call-ID.
    pub fn call_id(self, value: &str) -> Self {
        self.header(HeaderId::CallId, value)
    }

    /// Sets the number of CSeq.
    pub fn cseq(mut self, number: u32) -> Self {
        self.cseq = number;
        self
    }

    /// Sets Max-Forwards.
    pub fn max_forwards(mut self, hops: u8) -> Self {
        self.max_forwards = hops;
        self
    }

    /// Adds a Contact value.
    pub fn contact(self, value: &str) -> Self {
        self.header(HeaderId::Contact, value)
    }

    /// Adds a Route value below those already added.
    pub fn route(self, value: &str) -> Self {
        self.header(HeaderId::Route, value)
    }

    /// Adds a header field.
    pub fn header<'n>(mut self, name: impl Into<Name<'n>>, value: &str) -> Self {
        let name = name.into();
        match name.check().and_then(|()| check_text(value)) {
            Ok(()) => push_line(&mut self.lines, name.text, value.as_bytes()),
            Err(fault) => {
                self.fault.get_or_insert(fault);
            }
        }
        self
    }

    /// Sets the body and its Content-Type.
    pub fn body(mut self, content_type: &str, body: impl Into<Cow<'a, [u8]>>) -> Self {
        self.body = body.into();
        self.header(HeaderId::ContentType, content_type)
    }

    /// Appends the request to `out`.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), Unsafe> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        start_line(out, self.method.as_bytes(), self.uri.as_bytes());
        out.extend_from_slice(b"Max-Forwards: ");
        push_number(out, self.max_forwards.into());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.lines);
        cseq_line(out, self.cseq.into(), self.method.as_bytes());
        push_body(out, &self.body);
        Ok(())
    }

    /// The request as a message of its own.
    pub fn into_message(self, limits: &Limits) -> Result<Message, Malformed> {
        let mut out = Vec::new();
        self.write(&mut out).map_err(|_| Malformed::StartLine("unsafe text"))?;
        Message::parse(&out, limits).map_err(|refused| refused.fault)
    }
}

fn start_line(out: &mut Vec<u8>, method: &[u8], uri: &[u8]) {
    out.extend_from_slice(method);
    out.push(b' ');
    out.extend_from_slice(uri);
    out.extend_from_slice(b" SIP/2.0\r\n");
}

fn cseq_line(out: &mut Vec<u8>, number: u64, method: &[u8]) {
    out.extend_from_slice(b"CSeq: ");
    push_number(out, number);
    out.push(b' ');
    out.extend_from_slice(method);
    out.extend_from_slice(b"\r\n");
}

/// The ACK to a non-2xx response (RFC 3261 17.1.1.3): Request-URI, topmost Via, From, Call-ID, CSeq number and Route
/// are those of the INVITE as it was sent, To is the response's. Empty when `invite` is no request we sent.
pub fn ack_for(invite: &[u8], response: &Message) -> Vec<u8> {
    let to = response.index().entries.iter().find(|e| e.id == HeaderId::To);
    let to = to.map(|e| e.value.of(response.bytes()));
    follow_up(invite, b"ACK", to)
}

/// The CANCEL of a request (RFC 3261 9.1): Request-URI, topmost Via, From, To, Call-ID, CSeq number and Route are
/// those of the request as it was sent. Empty when `request` is no request we sent.
pub fn cancel_for(request: &[u8]) -> Vec<u8> {
    follow_up(request, b"CANCEL", None)
}

/// Both go to where the request went, in the same transaction.
fn follow_up(sent: &[u8], method: &[u8], to: Option<&[u8]>) -> Vec<u8> {
    // Sent messages are in our own memory: an index of them is cheap, and these requests are rare.
    let limits = Limits {
        message: usize::MAX,
        header_section: usize::MAX,
        headers: usize::MAX,
        body: usize::MAX,
        uri: usize::MAX,
    };
    let Some(index) = super::index::index(sent, &limits).index.filter(|i| i.request) else {
        return Vec::new();
    };
    let mut out = Vec::with_capacity(512);
    start_line(&mut out, method, index.request_uri.of(sent));
    let mut via = false;
    for entry in &index.entries {
        let value = entry.value.of(sent);
        match entry.id {
            HeaderId::Via if !via => {
                via = true;
                let top = cut(value, 0, element_end(value, 0, value.len()));
                push_line(&mut out, "Via", super::scan::trim(top));
            }
            HeaderId::To => push_line(&mut out, "To", to.unwrap_or(value)),
            HeaderId::From | HeaderId::CallId | HeaderId::Route => {
                push_line(&mut out, entry.id.name(), value)
            }
            _ => {}
        }
    }
    cseq_line(&mut out, index.cseq.into(), method);
    out.extend_from_slice(b"Max-Forwards: 70\r\n");
    push_body(&mut out, &[]);
    out
}
