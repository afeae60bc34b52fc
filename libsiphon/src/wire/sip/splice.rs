//! Forwarding by splicing (RFC 3261 16.6): an edit list over a message, written without touching the rest.

use std::net::IpAddr;

use super::build::{Decimal, Name, check_text, check_uri};
use super::error::{Malformed, Unsafe};
use super::header_id::HeaderId;
use super::limits::Limits;
use super::message::Message;
use super::scan::{cut, is_token_text};
use super::splice_lines::{Kept, Lines, elements};
use super::{name_addr, params, via};

/// Edits of a message, applied one after the other. What no edit names is written byte for byte as it came.
///
/// Text with CR, LF or NUL is refused with [`Unsafe`]. Content-Length follows the body, and is added when the message
/// came without (RFC 3261 18.3).
pub struct Splice<'m> {
    message: &'m Message,
    lines: Lines<'m>,
    start: Option<Kept>,
    body: Option<Vec<u8>>,
}

impl<'m> Splice<'m> {
    /// No edits yet.
    pub fn of(message: &'m Message) -> Self {
        Splice { message, lines: Lines::of(message), start: None, body: None }
    }

    /// The message under edit.
    pub fn message(&self) -> &'m Message {
        self.message
    }

    /// Gives a request another Request-URI.
    pub fn set_request_uri(&mut self, uri: &str) -> Result<&mut Self, Unsafe> {
        self.lines.room()?;
        check_uri(uri)?;
        if !self.message.is_request() {
            return Err(Unsafe::Name);
        }
        let method = self.message.method_name();
        self.start = Some(self.lines.keep(&[method.as_bytes(), b" ", uri.as_bytes(), b" SIP/2.0\r\n"]));
        Ok(self)
    }

    /// Gives a response another status code and reason phrase.
    pub fn set_status(&mut self, code: u16, reason: &str) -> Result<&mut Self, Unsafe> {
        self.lines.room()?;
        check_text(reason)?;
        if self.message.is_request() || !(100..700).contains(&code) {
            return Err(Unsafe::Name);
        }
        let code = code.to_string();
        self.start = Some(self.lines.keep(&[b"SIP/2.0 ", code.as_bytes(), b" ", reason.as_bytes(), b"\r\n"]));
        Ok(self)
    }

    /// Puts a Via on top (RFC 3261 16.6 step 8).
    pub fn push_via(&mut self, value: &str) -> Result<&mut Self, Unsafe> {
        check_text(value)?;
        let name = Name::from(HeaderId::Via);
        let at = self.lines.find(&name, 0).unwrap_or(0);
        self.lines.insert(at, &name, &[value.as_bytes()])?;
        Ok(self)
    }

    /// Takes the topmost Via off (RFC 3261 16.7 step 3).
    pub fn pop_via(&mut self) -> &mut Self {
        self.lines.remove_values(HeaderId::Via, 0, 1);
        self
    }

    /// Writes the source address into the topmost Via: `received` (RFC 3261 18.2.1) and `rport` (RFC 3581 4).
    /// What the sender put there itself is replaced.
    pub fn mark_via(&mut self, received: Option<IpAddr>, rport: Option<u16>) -> &mut Self {
        let Some(at) = self.lines.find(&Name::from(HeaderId::Via), 0) else { return self };
        let message = self.message;
        let known = message.index().via.as_ref().filter(|_| self.lines.is_original(at).is_some());
        let (value, via, base) = match (known, message.first(HeaderId::Via)) {
            // Its offsets count from the start of the message, not of the value.
            (Some(via), Some(entry)) => (entry.value.of(message.bytes()), *via, usize::from(entry.value.at)),
            _ => {
                let value = self.lines.value(at);
                let Ok(via) = via::parse(value, 0, value.len()) else { return self };
                (value, via, 0)
            }
        };
        let place = |n: u16| usize::from(n).saturating_sub(base);
        let end = place(via.value.end);
        // The two cuts, in order: (from, to, what goes there instead).
        let mut cuts: [Option<(usize, usize, Option<u16>)>; 2] = [None; 2];
        if received.is_some() && !via.received_param.is_absent() {
            cuts[0] = Some((place(via.received_param.at), place(via.received_param.end), None));
        }
        if rport.is_some() && !via.rport_param.is_absent() {
            cuts[1] = Some((place(via.rport_param.at), place(via.rport_param.end), rport));
        }
        cuts.sort_by_key(|c| c.map(|c| c.0));
        let mut text: smallvec::SmallVec<[u8; 256]> = smallvec::SmallVec::new();
        let mut from = 0;
        for (cut_at, cut_end, port) in cuts.into_iter().flatten() {
            text.extend_from_slice(cut(value, from, cut_at));
            if let Some(port) = port {
                text.extend_from_slice(b"rport=");
                text.extend_from_slice(Decimal::of(port.into()).bytes());
            }
            from = cut_end;
        }
        text.extend_from_slice(cut(value, from, end));
        if let Some(ip) = received {
            text.extend_from_slice(b";received=");
            push_ip(&mut text, ip);
        }
        text.extend_from_slice(cut(value, end, value.len()));
        let kept = self.lines.keep(&[&text]);
        self.lines.replace(at, kept);
        self
    }

    /// Puts a Record-Route value on top (RFC 3261 16.6 step 4).
    pub fn push_record_route(&mut self, value: &str) -> Result<&mut Self, Unsafe> {
        self.prepend(HeaderId::RecordRoute, value)
    }

    /// Puts a Route value on top (RFC 3261 16.6 step 6).
    pub fn push_route(&mut self, value: &str) -> Result<&mut Self, Unsafe> {
        self.prepend(HeaderId::Route, value)
    }

    /// Takes the topmost `n` Route values off (RFC 3261 16.4).
    pub fn pop_routes(&mut self, n: usize) -> &mut Self {
        self.lines.remove_values(HeaderId::Route, 0, n);
        self
    }

    /// Takes all header fields of that name out.
    pub fn remove(&mut self, id: HeaderId) -> &mut Self {
        if id != HeaderId::Other {
            self.lines.remove(&Name::from(id), 0);
        }
        self
    }

    /// Takes all header fields of that name out, whatever their spelling.
    pub fn remove_named(&mut self, name: &str) -> &mut Self {
        self.lines.remove(&Name::from(name), 0);
        self
    }

    /// Takes one list value out, counted over all header fields of that name from 0.
    pub fn remove_value(&mut self, id: HeaderId, nth: usize) -> &mut Self {
        self.lines.remove_values(id, nth, 1);
        self
    }

    /// Gives one list value, counted over all header fields of that name from 0, another text.
    pub fn replace_value(&mut self, id: HeaderId, nth: usize, text: &str) -> Result<&mut Self, Unsafe> {
        self.lines.room()?;
        check_text(text)?;
        let name = Name::from(id);
        name.check()?;
        let (mut skip, mut at) = (nth, 0);
        while let Some(hit) = self.lines.find(&name, at) {
            let value = self.lines.value(hit);
            let spans = elements(value, id);
            if let Some(&(from, to)) = spans.get(skip) {
                let whole = [cut(value, 0, from), text.as_bytes(), cut(value, to, value.len())].concat();
                let kept = self.lines.keep(&[&whole]);
                self.lines.replace(hit, kept);
                break;
            }
            skip = skip.saturating_sub(spans.len());
            at = hit.saturating_add(1);
        }
        Ok(self)
    }

    /// Replaces the first header field of that name and drops the others; appends it when there is none.
    pub fn set<'n>(&mut self, name: impl Into<Name<'n>>, value: &str) -> Result<&mut Self, Unsafe> {
        let name = name.into();
        name.check()?;
        check_text(value)?;
        self.put(&name, value.as_bytes())?;
        Ok(self)
    }

    fn put(&mut self, name: &Name<'_>, value: &[u8]) -> Result<(), Unsafe> {
        self.lines.room()?;
        match self.lines.find(name, 0) {
            None => self.lines.insert(self.lines.count(), name, &[value]),
            Some(at) => {
                let kept = self.lines.keep(&[value]);
                self.lines.replace(at, kept);
                self.lines.remove(name, at.saturating_add(1));
                Ok(())
            }
        }
    }

    /// Adds a header field behind all others.
    pub fn append<'n>(&mut self, name: impl Into<Name<'n>>, value: &str) -> Result<&mut Self, Unsafe> {
        let name = name.into();
        name.check()?;
        check_text(value)?;
        self.lines.insert(self.lines.count(), &name, &[value.as_bytes()])?;
        Ok(self)
    }

    /// Adds a header field before the first of its name; behind the Via header fields when there is none.
    pub fn prepend<'n>(&mut self, name: impl Into<Name<'n>>, value: &str) -> Result<&mut Self, Unsafe> {
        let name = name.into();
        name.check()?;
        check_text(value)?;
        let at = self.lines.find(&name, 0).unwrap_or_else(|| self.lines.behind_via());
        self.lines.insert(at, &name, &[value.as_bytes()])?;
        Ok(self)
    }

    /// Sets Max-Forwards (RFC 3261 16.6 step 3).
    pub fn set_max_forwards(&mut self, hops: u8) -> &mut Self {
        // Only a message under a thousand other edits has no room, and it keeps what it came with.
        let _ = self.put(&Name::from(HeaderId::MaxForwards), Decimal::of(hops.into()).bytes());
        self
    }

    /// Gives To a tag, in place of the one it has.
    pub fn set_to_tag(&mut self, tag: &str) -> Result<&mut Self, Unsafe> {
        self.lines.room()?;
        check_text(tag)?;
        if !is_token_text(tag.as_bytes()) {
            return Err(Unsafe::Name);
        }
        if let Some(at) = self.lines.find(&Name::from(HeaderId::To), 0) {
            let value = self.lines.value(at).to_vec();
            let kept = match name_addr::shape(&value, 0)
                .and_then(|shape| params::find(&value, shape.params, value.len(), b"tag"))
            {
                Ok(Some(Some((from, to)))) => {
                    self.lines.keep(&[cut(&value, 0, from), tag.as_bytes(), cut(&value, to, value.len())])
                }
                _ => self.lines.keep(&[&value, b";tag=", tag.as_bytes()]),
            };
            self.lines.replace(at, kept);
        }
        Ok(self)
    }

    /// Gives the message another body. `content_type` replaces Content-Type; `None` keeps it for a body and takes it
    /// out with an empty one.
    pub fn set_body(&mut self, content_type: Option<&str>, body: &[u8]) -> Result<&mut Self, Unsafe> {
        match content_type {
            Some(text) => {
                self.set(HeaderId::ContentType, text)?;
            }
            None if body.is_empty() => {
                self.remove(HeaderId::ContentType);
            }
            None => {}
        }
        self.body = Some(body.to_vec());
        Ok(self)
    }

    /// Appends the edited message to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let bytes = self.message.bytes();
        let index = self.message.index();
        out.reserve(bytes.len().saturating_add(512));
        match self.start {
            Some(start) => out.extend_from_slice(self.lines.kept(start)),
            None => out.extend_from_slice(cut(bytes, 0, index.headers_at.into())),
        }
        let body = self.body.as_deref().unwrap_or(self.message.body());
        let length = Name::from(HeaderId::ContentLength);
        let as_came = self.body.is_none() && self.lines.find(&length, 0).is_some();
        if as_came {
            self.lines.write(out);
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(body);
        } else {
            self.lines.write_without_length(out);
            super::build::push_body(out, body);
        }
    }

    /// The edited message as a message of its own.
    pub fn into_message(self, limits: &Limits) -> Result<Message, Malformed> {
        let mut out = Vec::new();
        self.write(&mut out);
        Message::parse(&out, limits).map_err(|refused| refused.fault)
    }
}

/// Appends an address; the dotted form by hand, for it is written for nearly every request.
fn push_ip(out: &mut smallvec::SmallVec<[u8; 256]>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            for (n, octet) in ip.octets().into_iter().enumerate() {
                if n > 0 {
                    out.push(b'.');
                }
                out.extend_from_slice(Decimal::of(octet.into()).bytes());
            }
        }
        IpAddr::V6(ip) => out.extend_from_slice(ip.to_string().as_bytes()),
    }
}
