//! `sdp`: session descriptions for scripts, out of messages and back into them (RFC 8866, RFC 3264).

use super::call_object::CallObject;
use super::convert;
use super::edits::splice;
use super::reply::Reply;
use super::request::Request;
use super::sdp_objects::Sdp;
use crate::wire::sdp;
use crate::wire::sip::{HeaderId, Message, multipart};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyString};
use std::ops::Range;

/// Session descriptions: `sdp.parse(request)` gives an `Sdp`, to be read and edited; `apply` puts it back.
#[pyclass(frozen, module = "siphon", name = "SdpNamespace")]
pub(crate) struct SdpNamespace;

#[pymethods]
impl SdpNamespace {
    /// The session description of a request or reply, also where it is a part of a multipart body; or the one that
    /// octets or text are (RFC 8866). Nothing of the message changes until `apply`. Raises ValueError when there is
    /// none, when it does not begin with `v=0`, has an `m=` line without a port, or goes over the limits: 64 KiB, 2048
    /// lines, 64 media sections with 256 formats each.
    fn parse(&self, source: &Bound<'_, PyAny>) -> PyResult<Sdp> {
        let octets = octets(source)?;
        let parsed = sdp::Sdp::parse(&octets);
        parsed.map(Sdp::new).map_err(|fault| PyValueError::new_err(fault.to_string()))
    }

    fn __repr__(&self) -> &'static str {
        "<SdpNamespace>"
    }

    fn __getattr__(&self, name: &str) -> PyResult<()> {
        super::namespace::no_attribute::<SdpNamespace>("sdp", name)
    }
}

fn octets(source: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(request) = source.cast::<Request>() {
        return of_message(&request.get().state().message);
    }
    if let Ok(reply) = source.cast::<Reply>() {
        return of_message(&reply.get().state().message);
    }
    if let Ok(call) = source.cast::<CallObject>() {
        return of_message(&call.get().state().invite.message);
    }
    let is_text = source.is_instance_of::<PyString>()
        || source.is_instance_of::<PyBytes>()
        || source.is_instance_of::<PyByteArray>();
    if is_text {
        return convert::body(source);
    }
    // Whatever else carries a body, such as a message of the test kit.
    let Some(body) = source.getattr_opt("body")? else {
        let kind = source.get_type().name()?.to_string();
        let text = format!("sdp.parse takes a Request, a Reply, a Call, bytes or str, not {kind}");
        return Err(PyTypeError::new_err(text));
    };
    if body.is_none() { Err(no_body()) } else { convert::body(&body) }
}

fn no_body() -> PyErr {
    PyValueError::new_err("the message has no SDP body")
}

fn of_message(message: &Message) -> PyResult<Vec<u8>> {
    let place = place(message).ok_or_else(no_body)?;
    Ok(message.body().get(place).unwrap_or_default().to_vec())
}

const SDP: &str = "application/sdp";

fn is_sdp(content_type: &str) -> bool {
    content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(SDP)
}

/// Where in the body the description stands: all of it, or a part of a multipart (RFC 5621 3.1). A body without a type
/// is taken for one.
fn place(message: &Message) -> Option<Range<usize>> {
    let body = message.body();
    if body.is_empty() {
        return None;
    }
    let Some(kind) = message.header(HeaderId::ContentType) else { return Some(0..body.len()) };
    if is_sdp(&kind) {
        return Some(0..body.len());
    }
    let part = multipart::split(&kind, body).ok()?.into_iter().find(|p| is_sdp(&p.content_type()))?;
    let start = (part.body.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
    Some(start..start.checked_add(part.body.len())?)
}

/// The message with this description in place of its own, or as its body.
pub(super) fn put(message: &Message, octets: &[u8]) -> PyResult<Option<Message>> {
    let body = message.body();
    let whole = |content_type: Option<&str>| {
        splice(message, |s| s.set_body(content_type, octets).map(drop)).map(Some)
    };
    let Some(place) = place(message) else { return whole(Some(SDP)) };
    if body.get(place.clone()) == Some(octets) {
        return Ok(None);
    }
    if place == (0..body.len()) {
        return whole((!message.has(HeaderId::ContentType)).then_some(SDP));
    }
    let mut made = body.to_vec();
    made.splice(place, octets.iter().copied());
    splice(message, |s| s.set_body(None, &made).map(drop)).map(Some)
}
