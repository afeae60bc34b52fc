//! A dialog (RFC 3261 12): the value that makes requests inside it and recognises those of the peer.
//!
//! Plain and encodable. It knows no transactions and no addresses: whoever sends adds Via and Contact.

use crate::base::codec::{Codec, DecodeError, Reader, Writer};
use crate::base::text::Text;
use crate::wire::sip::{HeaderId, Message, NameAddr, Uri};

/// Most Route values a dialog keeps. A longer route set is cut off at its far end, which then cannot be reached.
pub const MAX_ROUTES: usize = 32;

/// One side's view of a dialog.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Dialog {
    /// Call-ID.
    pub call_id: Text,
    /// Our address as From or To show it, tag left out.
    pub local: Text,
    /// Our tag.
    pub local_tag: Text,
    /// The peer's address as From or To show it, tag left out.
    pub remote: Text,
    /// The peer's tag; empty for an RFC 2543 peer.
    pub remote_tag: Text,
    /// CSeq number of the last request we sent.
    pub local_cseq: u32,
    /// CSeq number of the last request the peer sent, when there was one.
    pub remote_cseq: Option<u32>,
    /// Where requests go: the peer's Contact.
    pub target: Text,
    /// The route set, first hop first.
    pub routes: Vec<Text>,
}

/// Why a message cannot make a dialog.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoDialog {
    /// RFC 3261 12.1: without Contact there is no remote target.
    #[error("no Contact")]
    Contact,
    /// From or To cannot be read.
    #[error("From or To cannot be read")]
    Address,
}

/// Why a request inside a dialog is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutOfOrder {
    /// A CSeq number lower than, or equal to, an earlier one: 500 (RFC 3261 12.2.2).
    CSeq,
}

impl Dialog {
    /// The dialog that our response with `local_tag` to `request` makes (RFC 3261 12.1.1).
    pub fn uas(request: &Message, local_tag: &str) -> Result<Dialog, NoDialog> {
        let (remote, tag) = address(request, HeaderId::From)?;
        let (local, _) = address(request, HeaderId::To)?;
        Ok(Dialog {
            call_id: request.call_id().into(),
            local,
            local_tag: local_tag.into(),
            remote,
            remote_tag: tag,
            local_cseq: 0,
            remote_cseq: Some(request.cseq()),
            target: contact(request).ok_or(NoDialog::Contact)?,
            routes: routes(request).collect(),
        })
    }

    /// The dialog that `response` to the request with these From, tag and CSeq makes (RFC 3261 12.1.2). A provisional
    /// response without Contact makes one whose target is the Request-URI until a later response names another.
    pub fn uac(sent: &Sent, response: &Message) -> Result<Dialog, NoDialog> {
        let (remote, tag) = address(response, HeaderId::To)?;
        let target = match contact(response) {
            Some(target) => target,
            None if response.status() < 200 => sent.request_uri.clone(),
            None => return Err(NoDialog::Contact),
        };
        let mut routes: Vec<Text> = routes(response).collect();
        routes.reverse();
        Ok(Dialog {
            call_id: sent.call_id.clone(),
            local: sent.from.clone(),
            local_tag: sent.from_tag.clone(),
            remote,
            remote_tag: tag,
            local_cseq: sent.cseq,
            remote_cseq: None,
            target,
            routes,
        })
    }

    /// Whether a request of the peer belongs here (RFC 3261 12.2.2).
    pub fn is_of(&self, request: &Message) -> bool {
        request.call_id() == &*self.call_id
            && request.to_tag() == Some(&self.local_tag)
            && request.from_tag().unwrap_or_default() == &*self.remote_tag
    }

    /// Takes a request of the peer in (RFC 3261 12.2.2). ACK and CANCEL bear the number of their INVITE and are not
    /// taken in.
    pub fn received(&mut self, request: &Message) -> Result<(), OutOfOrder> {
        let number = request.cseq();
        if self.remote_cseq.is_some_and(|last| number <= last) {
            return Err(OutOfOrder::CSeq);
        }
        self.remote_cseq = Some(number);
        Ok(())
    }

    /// The peer's Contact in a target refresh request or its 2xx replaces the target (RFC 3261 12.2.1.2, 12.2.2).
    pub fn refresh(&mut self, message: &Message) {
        if let Some(target) = contact(message) {
            self.target = target;
        }
    }

    /// The route set of the 2xx replaces that of the provisional response (RFC 3261 13.2.2.4).
    pub fn confirm(&mut self, response: &Message) {
        self.routes = routes(response).collect();
        self.routes.reverse();
        self.refresh(response);
    }

    /// The number of the next request we send.
    pub fn next_cseq(&mut self) -> u32 {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.local_cseq
    }

    /// From of our requests, tag included.
    pub fn from(&self) -> String {
        tagged(&self.local, &self.local_tag)
    }

    /// To of our requests, tag included.
    pub fn to(&self) -> String {
        tagged(&self.remote, &self.remote_tag)
    }

    /// Request-URI and Route values of our requests (RFC 3261 12.2.1.1). A strict first hop gets the old form.
    pub fn path(&self) -> (Text, Vec<Text>) {
        let first = self.routes.first().and_then(|route| NameAddr::parse(route).ok());
        match first {
            Some(first) if !first.uri.is_loose() => {
                let mut routes: Vec<Text> = self.routes.iter().skip(1).cloned().collect();
                routes.push(format!("<{}>", self.target).into());
                (first.uri.as_str().into(), routes)
            }
            _ => (self.target.clone(), self.routes.clone()),
        }
    }
}

/// What a dialog is made of on the side that sent the request.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Sent {
    /// Call-ID.
    pub call_id: Text,
    /// From, tag left out.
    pub from: Text,
    /// Its tag.
    pub from_tag: Text,
    /// CSeq number.
    pub cseq: u32,
    /// Request-URI.
    pub request_uri: Text,
}

/// An address with its tag.
pub fn tagged(address: &str, tag: &str) -> String {
    match tag {
        "" => address.to_owned(),
        tag => format!("{address};tag={tag}"),
    }
}

/// Display name and URI in brackets, other parameters than the tag behind; and the tag.
fn address(message: &Message, id: HeaderId) -> Result<(Text, Text), NoDialog> {
    let value = message.header(id).ok_or(NoDialog::Address)?;
    let parsed = NameAddr::parse(&value).map_err(|_| NoDialog::Address)?;
    let mut text = String::with_capacity(value.len());
    if let Some(display) = parsed.display() {
        text.push_str(&crate::wire::sip::quote(&display));
        text.push(' ');
    }
    text.push('<');
    text.push_str(parsed.uri.as_str());
    text.push('>');
    for (name, value) in parsed.params.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("tag")) {
        text.push(';');
        text.push_str(name);
        if let Some(value) = value {
            text.push('=');
            text.push_str(value);
        }
    }
    Ok((text.into(), parsed.tag().unwrap_or_default().into()))
}

fn contact(message: &Message) -> Option<Text> {
    let contact = message.contacts().next()?.ok()?;
    let uri: Uri<'_> = contact.uri;
    (!uri.is_star()).then(|| uri.as_str().into())
}

fn routes(message: &Message) -> impl Iterator<Item = Text> + '_ {
    message.values(HeaderId::RecordRoute).take(MAX_ROUTES).map(|value| Text::from(&*value))
}

impl Codec for Dialog {
    fn encode(&self, w: &mut Writer) {
        w.u8(1);
        let texts =
            [&self.call_id, &self.local, &self.local_tag, &self.remote, &self.remote_tag, &self.target];
        for text in texts {
            w.bytes(text.as_bytes());
        }
        w.u32(self.local_cseq);
        w.bool(self.remote_cseq.is_some());
        w.u32(self.remote_cseq.unwrap_or_default());
        w.u8(self.routes.len() as u8);
        for route in &self.routes {
            w.bytes(route.as_bytes());
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.version("dialog", 1)?;
        let call_id = read_text(r)?;
        let local = read_text(r)?;
        let local_tag = read_text(r)?;
        let remote = read_text(r)?;
        let remote_tag = read_text(r)?;
        let target = read_text(r)?;
        let local_cseq = r.u32()?;
        let known = r.bool("remote CSeq")?;
        let number = r.u32()?;
        let count = r.u8()?;
        if usize::from(count) > MAX_ROUTES {
            return Err(DecodeError::Invalid { what: "route set", value: count.into() });
        }
        let routes = (0..count).map(|_| read_text(r)).collect::<Result<_, _>>()?;
        let remote_cseq = known.then_some(number);
        Ok(Dialog { call_id, local, local_tag, remote, remote_tag, local_cseq, remote_cseq, target, routes })
    }
}

/// A byte string that must be UTF-8.
pub(crate) fn read_text(r: &mut Reader<'_>) -> Result<Text, DecodeError> {
    let bytes = r.bytes()?;
    let text = std::str::from_utf8(bytes)
        .map_err(|fault| DecodeError::Invalid { what: "text", value: fault.valid_up_to() as u64 })?;
    Ok(text.into())
}

#[cfg(test)]
#[path = "dialog_tests.rs"]
mod tests;
