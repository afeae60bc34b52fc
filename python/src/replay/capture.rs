//! `_engine.Capture`: the SIP messages of a file, one after the other.

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use siphon::sim::Way;
use siphon::wire::sip::Message;
use siphon_capture::{CaptureError, Content};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A capture file.
#[pyclass(unsendable, module = "siphon_sdk._engine")]
pub(crate) struct Capture {
    file: siphon_capture::Capture,
}

#[pymethods]
impl Capture {
    #[new]
    fn new(path: PathBuf) -> PyResult<Capture> {
        let file = siphon_capture::Capture::open(&path).map_err(error)?;
        Ok(Capture { file })
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&mut self) -> PyResult<Option<Captured>> {
        self.file.next().transpose().map(|next| next.map(Captured)).map_err(error)
    }

    /// What was met besides messages: counts by name.
    fn tally(&self) -> BTreeMap<String, u64> {
        let tally = self.file.tally();
        let counts = [
            ("packets", tally.packets),
            ("other", tally.other),
            ("not_sip", tally.not_sip),
            ("tls", tally.tls),
            ("keepalives", tally.keepalives),
            ("cut", tally.cut),
            ("damaged", tally.damaged),
            ("fragments_lost", tally.fragments_lost),
            ("repeated", tally.repeated),
            ("gaps", tally.gaps),
            ("passed_over", tally.passed_over),
            ("unfinished", tally.unfinished),
            ("forgotten", tally.forgotten),
        ];
        let counts = counts.into_iter().map(|(name, count)| (name.to_owned(), count));
        let links = tally.unread_links.iter().map(|(link, count)| (format!("link {link}"), *count));
        counts.chain(links).collect()
    }
}

fn error(error: CaptureError) -> PyErr {
    match error {
        CaptureError::Open(error) => PyOSError::new_err(error.to_string()),
        other => PyValueError::new_err(other.to_string()),
    }
}

/// One message.
#[pyclass(frozen, module = "siphon_sdk._engine")]
pub(crate) struct Captured(siphon_capture::Captured);

impl Captured {
    pub(crate) fn at(&self) -> u64 {
        self.0.at
    }

    pub(crate) fn way(&self) -> Way {
        Way { transport: self.0.transport, from: self.0.source, to: self.0.destination }
    }

    pub(crate) fn message(&self) -> PyResult<&Message> {
        match &self.0.content {
            Content::Message(message) => Ok(message),
            Content::Malformed { fault, .. } => Err(PyValueError::new_err(fault.clone())),
        }
    }

    fn request(&self) -> Option<&Message> {
        self.message().ok().filter(|m| m.is_request())
    }
}

#[pymethods]
impl Captured {
    /// Microseconds of Unix time.
    #[getter]
    fn micros(&self) -> u64 {
        self.at()
    }

    /// `udp` or `tcp`.
    #[getter]
    fn transport(&self) -> &'static str {
        self.0.transport.uri_token()
    }

    /// Address and port.
    #[getter]
    fn source(&self) -> (String, u16) {
        (self.0.source.ip().to_string(), self.0.source.port())
    }

    #[getter]
    fn destination(&self) -> (String, u16) {
        (self.0.destination.ip().to_string(), self.0.destination.port())
    }

    /// The method of a request; None for all else.
    #[getter]
    fn method(&self) -> Option<&str> {
        self.request().map(Message::method_name)
    }

    /// The Request-URI; empty for all else.
    #[getter]
    fn uri(&self) -> &str {
        self.request().map(Message::request_uri).unwrap_or_default()
    }

    #[getter]
    fn call_id(&self) -> &str {
        self.message().map(Message::call_id).unwrap_or_default()
    }

    #[getter]
    fn cseq(&self) -> u32 {
        self.message().map(Message::cseq).unwrap_or_default()
    }

    /// What is wrong with it; None when it is a message.
    #[getter]
    fn fault(&self) -> Option<&str> {
        match &self.0.content {
            Content::Malformed { fault, .. } => Some(fault),
            Content::Message(_) => None,
        }
    }

    /// The first line, as far as it is text.
    #[getter]
    fn first_line(&self) -> String {
        match &self.0.content {
            Content::Malformed { first_line, .. } => first_line.clone(),
            Content::Message(message) => {
                String::from_utf8_lossy(message.bytes()).lines().next().unwrap_or_default().to_owned()
            }
        }
    }

    /// The message as it was captured; empty when it is none.
    #[getter]
    fn octets<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.message().map(Message::bytes).unwrap_or_default())
    }
}
