//! `Reply`: a response on a relayed request. It is forwarded unless the handler drops or rejects it.

use super::convert;
use super::edits;
use super::frame::script_line;
use super::record::complain;
use super::request::{TransactionEnded, status};
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

/// A SIP response.
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

    fn apply(&mut self, edit: impl FnOnce(&Message) -> PyResult<Option<Message>>) -> PyResult<()> {
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
    #[getter]
    fn status_code(&self) -> u16 {
        self.state().message.status()
    }

    #[getter]
    fn reason(&self) -> String {
        self.state().message.reason().to_owned()
    }

    #[getter]
    fn from_uri(&self) -> SipUri {
        let state = self.state();
        state
            .message
            .from()
            .map_or_else(|_| SipUri::own("".into()), |a| SipUri::part(&state.message, a.uri.as_str()))
    }

    #[getter]
    fn to_uri(&self) -> SipUri {
        let state = self.state();
        state
            .message
            .to()
            .map_or_else(|_| SipUri::own("".into()), |a| SipUri::part(&state.message, a.uri.as_str()))
    }

    #[getter]
    fn from_tag(&self) -> Option<String> {
        self.state().message.from_tag().map(str::to_owned)
    }

    #[getter]
    fn to_tag(&self) -> Option<String> {
        self.state().message.to_tag().map(str::to_owned)
    }

    #[getter]
    fn call_id(&self) -> String {
        self.state().message.call_id().to_owned()
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let state = self.state();
        let body = state.message.body();
        (!body.is_empty()).then(|| PyBytes::new(py, body))
    }

    #[getter]
    fn content_type(&self) -> Option<String> {
        self.state().message.header(HeaderId::ContentType).map(|t| t.into_owned())
    }

    /// Where it came from; `None` for a response that was made here.
    #[getter]
    fn source_ip(&self) -> Option<String> {
        self.state().flow.map(|f| f.remote.ip().to_canonical().to_string())
    }

    #[getter]
    fn source_port(&self) -> Option<u16> {
        self.state().flow.map(|f| f.remote.port())
    }

    /// Whether it was made here (408 for a time-out, 503 for a lost transport), not received.
    #[getter]
    fn is_local(&self) -> bool {
        self.state().is_local
    }

    fn get_header(&self, name: &str) -> Option<String> {
        self.state().message.header_named(name).map(|v| v.into_owned())
    }

    fn header(&self, name: &str) -> Option<String> {
        self.get_header(name)
    }

    /// The values of all header fields of that name, lists split.
    fn get_headers(&self, name: &str) -> Vec<String> {
        let state = self.state();
        match HeaderId::from_name(name) {
            HeaderId::Other => state.message.headers_named(name).map(|h| h.text().into_owned()).collect(),
            id => state.message.values(id).map(|v| v.into_owned()).collect(),
        }
    }

    fn has_header(&self, name: &str) -> bool {
        self.get_header(name).is_some()
    }

    fn has_body(&self, content_type: &str) -> bool {
        edits::has_body(&self.state().message, content_type)
    }

    fn set_header(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = convert::header_value(value)?;
        self.state().apply(|m| edits::set_header(m, name, &value).map(Some))
    }

    fn add_header(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = convert::header_value(value)?;
        self.state().apply(|m| edits::add_header(m, name, &value).map(Some))
    }

    fn remove_header(&self, name: &str) -> PyResult<()> {
        self.state().apply(|m| edits::remove_header(m, name))
    }

    fn remove_headers_matching(&self, prefix: &str) -> PyResult<()> {
        self.state().apply(|m| edits::remove_matching(m, prefix))
    }

    #[pyo3(signature = (body, content_type=None))]
    fn set_body(&self, body: &Bound<'_, PyAny>, content_type: Option<&str>) -> PyResult<()> {
        let body = edits::Body::of(body, content_type)?;
        self.state().apply(|m| edits::set_body(m, &body).map(Some))
    }

    /// What happens anyway: the reply is forwarded.
    fn relay(&self) -> PyResult<()> {
        self.state().alive()
    }

    /// What happens anyway: the reply is forwarded.
    fn forward(&self) -> PyResult<()> {
        self.state().alive()
    }

    /// Does not forward this provisional reply. A final one cannot be dropped: the caller would wait for ever.
    fn drop(&self, py: Python<'_>) -> PyResult<()> {
        let mut state = self.state();
        if state.message.status() >= 200 {
            let text = "a final reply cannot be dropped; reply.reject(code) answers the request otherwise";
            return Err(PyValueError::new_err(text));
        }
        state.decide(py, Decision::Drop, "drop()").map(drop)
    }

    /// Answers the request with this failure instead; what is still ringing is cancelled. False when something was
    /// decided already.
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
