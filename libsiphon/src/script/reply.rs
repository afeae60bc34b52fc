//! `Reply`: a response on a relayed request. It is forwarded unless the handler drops or rejects it.

use super::convert;
use super::convert::status;
use super::edits;
use super::errors::TransactionEnded;
use super::frame::script_line;
use super::record::complain;
use super::services::LogLevel;
use super::uri::SipUri;
use crate::base::flow::Flow;
use crate::base::text::Text;
use crate::policy::{Decision, ReplySpec};
use crate::wire::sip::{HeaderId, Message};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A SIP response on a relayed request, or the answer to a request of our own. It is forwarded when the handler
/// returns, unless it is dropped or rejected (RFC 3261 16.7).
#[pyclass(frozen, module = "siphon", name = "Reply", weakref)]
pub(crate) struct Reply {
    state: Mutex<ReplyState>,
}

pub(crate) struct ReplyState {
    pub(crate) message: Message,
    pub(crate) flow: Option<Flow>,
    pub(crate) is_local: bool,
    pub(crate) decided: Option<(Decision, Text)>,
    pub(crate) edited: bool,
    pub(crate) ended: bool,
}

impl ReplyState {
    fn decide(&mut self, py: Python<'_>, decision: Decision, verb: &str) -> PyResult<bool> {
        self.alive()?;
        let line = script_line(py);
        if let Some((_, first)) = &self.decided {
            let text = format!("{verb} at {line} comes after the decision at {first}, which stands");
            complain(LogLevel::Error, &text, &line, &self.message);
            return Ok(false);
        }
        self.decided = Some((decision, line));
        Ok(true)
    }

    fn alive(&self) -> PyResult<()> {
        if self.ended { Err(TransactionEnded::new_err("the transaction has ended")) } else { Ok(()) }
    }

    pub(crate) fn apply(&mut self, edit: impl FnOnce(&Message) -> PyResult<Option<Message>>) -> PyResult<()> {
        self.alive()?;
        if let Some(message) = edit(&self.message)? {
            self.message = message;
            self.edited = true;
        }
        Ok(())
    }
}

impl Reply {
    pub(crate) fn new(message: Message, flow: Option<Flow>, is_local: bool) -> Self {
        let state = ReplyState { message, flow, is_local, decided: None, edited: false, ended: false };
        Reply { state: Mutex::new(state) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, ReplyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Reply {
    /// The status code, 100 to 699 (RFC 3261 7.2).
    #[getter]
    fn status_code(&self) -> u16 {
        self.state().message.status()
    }

    /// The reason phrase; may be empty.
    #[getter]
    fn reason(&self) -> String {
        self.state().message.reason().to_owned()
    }

    /// The URI of From: who sent the request.
    #[getter]
    fn from_uri(&self) -> SipUri {
        let state = self.state();
        state
            .message
            .from()
            .map_or_else(|_| SipUri::own("".into()), |a| SipUri::part(&state.message, a.uri.as_str()))
    }

    /// The URI of To: whom it was for.
    #[getter]
    fn to_uri(&self) -> SipUri {
        let state = self.state();
        state
            .message
            .to()
            .map_or_else(|_| SipUri::own("".into()), |a| SipUri::part(&state.message, a.uri.as_str()))
    }

    /// The tag of From; None when it has none.
    #[getter]
    fn from_tag(&self) -> Option<String> {
        self.state().message.from_tag().map(str::to_owned)
    }

    /// The tag of To; None on a 100 (RFC 3261 8.2.6.2).
    #[getter]
    fn to_tag(&self) -> Option<String> {
        self.state().message.to_tag().map(str::to_owned)
    }

    /// The Call-ID of the request.
    #[getter]
    fn call_id(&self) -> String {
        self.state().message.call_id().to_owned()
    }

    /// The body's octets; None when there is none.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let state = self.state();
        let body = state.message.body();
        (!body.is_empty()).then(|| PyBytes::new(py, body))
    }

    /// The text of Content-Type, parameters included; None when there is none.
    #[getter]
    fn content_type(&self) -> Option<String> {
        self.state().message.header(HeaderId::ContentType).map(|t| t.into_owned())
    }

    /// The address it came from; None for a response that was made here.
    #[getter]
    fn source_ip(&self) -> Option<String> {
        self.state().flow.map(|f| f.remote.ip().to_canonical().to_string())
    }

    /// The port it came from; None for a response that was made here.
    #[getter]
    fn source_port(&self) -> Option<u16> {
        self.state().flow.map(|f| f.remote.port())
    }

    /// Whether it was made here, not received: 408 for a branch without an answer, 503 for one that cannot be reached
    /// (RFC 3261 16.9).
    #[getter]
    fn is_local(&self) -> bool {
        self.state().is_local
    }

    /// The text of the first header field of that name, in any case or compact form; None when there is none.
    fn get_header(&self, name: &str) -> Option<String> {
        self.state().message.header_named(name).map(|v| v.into_owned())
    }

    /// The same as `get_header`.
    fn header(&self, name: &str) -> Option<String> {
        self.get_header(name)
    }

    /// The values of all header fields of that name, in order; lists are split at their commas (RFC 3261 7.3.1).
    fn get_headers(&self, name: &str) -> Vec<String> {
        let state = self.state();
        match HeaderId::from_name(name) {
            HeaderId::Other => state.message.headers_named(name).map(|h| h.text().into_owned()).collect(),
            id => state.message.values(id).map(|v| v.into_owned()).collect(),
        }
    }

    /// Whether there is a header field of that name.
    fn has_header(&self, name: &str) -> bool {
        self.get_header(name).is_some()
    }

    /// Whether there is a body of that media type, in any case and whatever its parameters; also as a part of a
    /// multipart.
    fn has_body(&self, content_type: &str) -> bool {
        edits::has_body(&self.state().message, content_type)
    }

    /// Replaces all header fields of that name by one. Raises ValueError for Via, CSeq, Call-ID and Content-Length,
    /// which belong to the engine, and for CR, LF or NUL.
    fn set_header(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = convert::header_value(value)?;
        self.state().apply(|m| edits::set_header(m, name, &value).map(Some))
    }

    /// Adds a header field below those of that name. Raises as `set_header` does.
    fn add_header(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = convert::header_value(value)?;
        self.state().apply(|m| edits::add_header(m, name, &value).map(Some))
    }

    /// Removes all header fields of that name. Raises as `set_header` does.
    fn remove_header(&self, name: &str) -> PyResult<()> {
        self.state().apply(|m| edits::remove_header(m, name))
    }

    /// Removes the header fields whose name, in its long form, the pattern matches from the start, in any case. A
    /// linear-time regular expression. Raises ValueError for a pattern that is none.
    fn remove_headers_matching(&self, prefix: &str) -> PyResult<()> {
        self.state().apply(|m| edits::remove_matching(m, prefix))
    }

    /// Replaces the body; Content-Length follows. Without `content_type` the old one stays; where there is none,
    /// `text/plain` for text and `application/octet-stream` for octets.
    #[pyo3(signature = (body, content_type=None))]
    fn set_body(&self, body: &Bound<'_, PyAny>, content_type: Option<&str>) -> PyResult<()> {
        let body = edits::Body::of(body, content_type)?;
        self.state().apply(|m| edits::set_body(m, &body).map(Some))
    }

    /// Changes nothing: the reply is forwarded anyway.
    fn relay(&self) -> PyResult<()> {
        self.state().alive()
    }

    /// Changes nothing: the reply is forwarded anyway.
    fn forward(&self) -> PyResult<()> {
        self.state().alive()
    }

    /// Does not forward this provisional reply. Raises ValueError for a final one: the caller would wait for ever.
    fn drop(&self, py: Python<'_>) -> PyResult<()> {
        let mut state = self.state();
        if state.message.status() >= 200 {
            let text = "a final reply cannot be dropped; reply.reject(code) answers the request otherwise";
            return Err(PyValueError::new_err(text));
        }
        state.decide(py, Decision::Drop, "drop()").map(drop)
    }

    /// Answers the request with this failure, 300 to 699, instead, and cancels what still rings. False when something
    /// was decided already. Raises ValueError for another code.
    #[pyo3(signature = (code, reason=None))]
    fn reject(&self, py: Python<'_>, code: u16, reason: Option<&str>) -> PyResult<bool> {
        if status(code)? < 300 {
            return Err(PyValueError::new_err(format!("reject({code}): a failure is 300 to 699")));
        }
        let mut spec = ReplySpec::code(code);
        spec.reason = reason.map(convert::safe).transpose()?.map(Text::from);
        self.state().decide(py, Decision::Reply(spec), &format!("reject({code})"))
    }

    fn __repr__(&self) -> String {
        let state = self.state();
        format!("<Reply {} {}>", state.message.status(), state.message.reason())
    }
}
