//! What `rtpengine` works on: whose SDP it is, which call it belongs to, and where the rewritten one goes.

use super::edits::{self, Body};
use super::reply::Reply;
use super::request::Request;
use crate::base::text::{Octets, Text};
use crate::wire::ng::Party;
use crate::wire::sip::{HeaderId, Message};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use std::net::IpAddr;

/// A message that carries an SDP, or tells a call and a party.
pub(crate) enum MediaTarget {
    Request(Py<Request>),
    Reply(Py<Reply>),
}

/// What a target says about its call.
pub(crate) struct Speaker {
    /// Call-ID.
    pub(crate) call_id: Text,
    /// The tag of who sent the message.
    pub(crate) tag: Option<Text>,
    /// The tag of the other one, when it is known.
    pub(crate) peer: Option<Text>,
    /// The tag of who sent the request: of the caller, when it begins the call.
    pub(crate) caller: Option<Text>,
    /// The SDP it carries.
    pub(crate) sdp: Option<Octets>,
    /// Where it came from.
    pub(crate) source: Option<IpAddr>,
}

impl MediaTarget {
    /// From what a script passes.
    pub(crate) fn of(target: &Bound<'_, PyAny>) -> PyResult<MediaTarget> {
        if let Ok(request) = target.cast::<Request>() {
            return Ok(MediaTarget::Request(request.clone().unbind()));
        }
        if let Ok(reply) = target.cast::<Reply>() {
            return Ok(MediaTarget::Reply(reply.clone().unbind()));
        }
        let kind = target.get_type().name().map(|n| n.to_string()).unwrap_or_default();
        Err(PyTypeError::new_err(format!("rtpengine takes a Request or a Reply, not {kind}")))
    }

    /// What it says about its call.
    pub(crate) fn speaker(&self) -> Speaker {
        match self {
            MediaTarget::Request(request) => {
                let state = request.get().state();
                let (from, to) = tags(&state.message);
                let source = Some(state.flow.remote.ip());
                speaker(&state.message, from.clone(), to, from, source)
            }
            MediaTarget::Reply(reply) => {
                let state = reply.get().state();
                let (from, to) = tags(&state.message);
                let source = state.flow.map(|flow| flow.remote.ip());
                speaker(&state.message, to, from.clone(), from, source)
            }
        }
    }

    /// Raises when the SDP can no longer be replaced.
    pub(crate) fn check(&self) -> PyResult<()> {
        match self {
            MediaTarget::Request(request) => request.get().state().apply(|_| Ok(None)),
            MediaTarget::Reply(reply) => reply.get().state().apply(|_| Ok(None)),
        }
    }

    /// Replaces the SDP.
    pub(crate) fn set_sdp(&self, sdp: &[u8]) -> PyResult<()> {
        let edit = |message: &Message| edits::set_body(message, &Body::sdp(sdp)).map(Some);
        match self {
            MediaTarget::Request(request) => request.get().state().apply(edit),
            MediaTarget::Reply(reply) => reply.get().state().apply(edit),
        }
    }
}

fn tags(message: &Message) -> (Option<Text>, Option<Text>) {
    (message.from_tag().map(Text::from), message.to_tag().map(Text::from))
}

fn speaker(
    message: &Message,
    tag: Option<Text>,
    peer: Option<Text>,
    caller: Option<Text>,
    source: Option<IpAddr>,
) -> Speaker {
    Speaker { call_id: message.call_id().into(), tag, peer, caller, sdp: sdp_of(message), source }
}

/// The body, when all of it is an SDP.
fn sdp_of(message: &Message) -> Option<Octets> {
    let stated = message.header(HeaderId::ContentType)?;
    let kind = stated.split(';').next().unwrap_or_default().trim();
    let body = message.body();
    (kind.eq_ignore_ascii_case("application/sdp") && !body.is_empty()).then(|| Octets::from(body))
}

impl Speaker {
    fn own_tag(&self) -> PyResult<Text> {
        let text =
            "the message has no tag of its sender: a 100 has none, and no request without one is sound";
        self.tag.clone().ok_or_else(|| PyValueError::new_err(text))
    }

    /// The party of an offer: who sent it.
    pub(crate) fn offerer(&self) -> PyResult<Party> {
        let from_tag = Some(self.own_tag()?);
        Ok(Party { call_id: self.call_id.clone(), from_tag, to_tag: self.peer.clone(), via_branch: None })
    }

    /// The party of an answer: who made the offer that it answers.
    pub(crate) fn answerer(&self) -> PyResult<Party> {
        let to_tag = Some(self.own_tag()?);
        Ok(Party { call_id: self.call_id.clone(), from_tag: self.peer.clone(), to_tag, via_branch: None })
    }

    /// The sender and his media.
    pub(crate) fn party(&self) -> Party {
        Party { call_id: self.call_id.clone(), from_tag: self.tag.clone(), to_tag: None, via_branch: None }
    }
}
