//! What checks take: a request, or the call that an INVITE begins.

use super::call_object::CallObject;
use super::request::{Request, State};
use crate::policy::ReplySpec;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// A request or a call.
pub(crate) enum Checked<'py> {
    Request(Bound<'py, Request>),
    Call(Bound<'py, CallObject>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Checked<'py> {
    type Error = PyErr;

    fn extract(given: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(request) = given.cast::<Request>() {
            return Ok(Checked::Request(request.to_owned()));
        }
        if let Ok(call) = given.cast::<CallObject>() {
            return Ok(Checked::Call(call.to_owned()));
        }
        let kind = given.get_type().name()?.to_string();
        Err(PyTypeError::new_err(format!("it takes a Request or a Call, not {kind}")))
    }
}

impl<'py> Checked<'py> {
    pub(crate) fn py(&self) -> Python<'py> {
        match self {
            Checked::Request(request) => request.py(),
            Checked::Call(call) => call.py(),
        }
    }

    /// Hands `f` the message and what is known of it; raises when the transaction is over.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> PyResult<R> {
        let of = |state: &mut State| {
            state.alive()?;
            Ok(f(state))
        };
        match self {
            Checked::Request(request) => of(&mut request.get().state()),
            Checked::Call(call) => of(&mut call.get().state().invite),
        }
    }

    /// Records what a failed check is answered with.
    pub(crate) fn refuse(&self, spec: ReplySpec) -> PyResult<()> {
        match self {
            Checked::Request(request) => request.get().state().refuse(self.py(), spec),
            Checked::Call(call) => call.get().state().refuse(self.py(), spec),
        }
    }
}
