//! Responses to a request (RFC 3261 8.2.6).

use std::borrow::Cow;

use super::build::{Name, check_text, push_body, push_line, push_number};
use super::error::{Malformed, Unsafe};
use super::header_id::HeaderId;
use super::limits::Limits;
use super::message::Message;
use super::method::Method;
use super::reason::reason_phrase;
use super::scan::is_token_text;

/// Makes a response: Via, From, To, Call-ID and CSeq of the request are copied byte for byte, Timestamp into a 100,
/// Record-Route into a 101-299 that may make a dialog.
///
/// The first unsafe text is remembered and told by [`write`](Self::write).
pub struct ResponseBuilder<'a> {
    request: &'a Message,
    code: u16,
    reason: Cow<'a, str>,
    tag: Option<Cow<'a, str>>,
    top_via: &'a [u8],
    /// Header lines, ready.
    lines: Vec<u8>,
    body: Cow<'a, [u8]>,
    fault: Option<Unsafe>,
}

impl<'a> ResponseBuilder<'a> {
    /// A response with the registered reason phrase.
    pub fn to(request: &'a Message, code: u16) -> Self {
        let fault = (!(100..700).contains(&code)).then_some(Unsafe::Name);
        ResponseBuilder {
            request,
            code,
            reason: Cow::Borrowed(reason_phrase(code)),
            tag: None,
            top_via: &[],
            lines: Vec::new(),
            body: Cow::Borrowed(&[]),
            fault,
        }
    }

    /// Another reason phrase.
    pub fn reason(mut self, reason: impl Into<Cow<'a, str>>) -> Self {
        self.reason = reason.into();
        self.note(check_text(&self.reason));
        self
    }

    /// The value to write in place of the request's topmost Via: the same with `received` and `rport` noted in it
    /// (RFC 3261 18.2.1). It is taken from the request, so it holds no line break.
    pub fn top_via(mut self, value: &'a [u8]) -> Self {
        self.top_via = value;
        self
    }

    /// The tag for To, used when the request's To has none and the code is above 100 (RFC 3261 8.2.6.2).
    pub fn to_tag(mut self, tag: impl Into<Cow<'a, str>>) -> Self {
        let tag = tag.into();
        if !is_token_text(tag.as_bytes()) {
            self.fault.get_or_insert(Unsafe::Name);
        }
        self.tag = Some(tag);
        self
    }

    /// Adds a header field.
    pub fn header<'n>(mut self, name: impl Into<Name<'n>>, value: &str) -> Self {
        let name = name.into();
        match name.check().and_then(|()| check_text(value)) {
            Ok(()) => {
                self.lines.reserve(ROOM_FOR_LINES.saturating_sub(self.lines.len()));
                push_line(&mut self.lines, name.text, value.as_bytes());
            }
            Err(fault) => self.note(Err(fault)),
        }
        self
    }

    /// Adds a Contact value.
    pub fn contact(self, value: &str) -> Self {
        self.header(HeaderId::Contact, value)
    }

    /// Sets the body and its Content-Type.
    pub fn body(mut self, content_type: &str, body: impl Into<Cow<'a, [u8]>>) -> Self {
        self.body = body.into();
        self.header(HeaderId::ContentType, content_type)
    }

    fn note(&mut self, check: Result<(), Unsafe>) {
        if let Err(fault) = check {
            self.fault.get_or_insert(fault);
        }
    }

    /// Appends the response to `out`.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), Unsafe> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        out.extend_from_slice(b"SIP/2.0 ");
        push_number(out, self.code.into());
        out.push(b' ');
        out.extend_from_slice(self.reason.as_bytes());
        out.extend_from_slice(b"\r\n");
        self.copy_fields(out);
        out.extend_from_slice(&self.lines);
        push_body(out, &self.body);
        Ok(())
    }

    fn copy_fields(&self, out: &mut Vec<u8>) {
        let request = self.request;
        let bytes = request.bytes();
        let dialog = (101..300).contains(&self.code) && may_form_dialog(request.method());
        let own_tag = self.tag.as_ref().filter(|_| self.code > 100 && request.to_tag().is_none());
        let mut top_via = Some(self.top_via).filter(|v| !v.is_empty());
        for entry in &request.index().entries {
            let wanted = match entry.id {
                HeaderId::Via | HeaderId::From | HeaderId::To | HeaderId::CallId | HeaderId::CSeq => true,
                HeaderId::Timestamp => self.code == 100,
                HeaderId::RecordRoute => dialog,
                _ => false,
            };
            if !wanted {
                continue;
            }
            out.extend_from_slice(entry.id.name().as_bytes());
            out.extend_from_slice(b": ");
            let value = entry.value.of(bytes);
            let own_via = if entry.id == HeaderId::Via { top_via.take() } else { None };
            match own_via.zip(value.strip_prefix(request.via().value.as_bytes())) {
                Some((via, others)) => {
                    out.extend_from_slice(via);
                    out.extend_from_slice(others);
                }
                None => out.extend_from_slice(value),
            }
            if let Some(tag) = own_tag.filter(|_| entry.id == HeaderId::To) {
                out.extend_from_slice(b";tag=");
                out.extend_from_slice(tag.as_bytes());
            }
            out.extend_from_slice(b"\r\n");
        }
    }

    /// The response as a message of its own.
    pub fn into_message(self, limits: &Limits) -> Result<Message, Malformed> {
        let mut out = Vec::new();
        self.write(&mut out).map_err(|_| Malformed::StartLine("unsafe text"))?;
        Message::parse(&out, limits).map_err(|refused| refused.fault)
    }
}

/// Taken at the first header field, so that the usual few need no second allocation.
const ROOM_FOR_LINES: usize = 192;

/// RFC 3261 12.1.1, RFC 6665 4.1: the UAS of a dialog copies Record-Route.
fn may_form_dialog(method: Method) -> bool {
    method.forms_dialog()
}
