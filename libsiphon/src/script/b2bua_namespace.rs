//! `b2bua`: the decorators for calls of two legs.

use super::handler::Event;
use super::registrar_namespace::register;
use pyo3::prelude::*;

/// The decorators of a script for calls: this node is the other end of both legs (RFC 3261 6). An INVITE outside any
/// dialog goes to `on_invite` when there is one; everything inside a call it made goes to the call, and never to
/// `proxy.on_request`.
#[pyclass(frozen, module = "siphon", name = "B2bua")]
pub(crate) struct B2bua;

#[pymethods]
impl B2bua {
    /// Decorator: `f(call)` is called for each INVITE that may begin a call. It dials, forks, answers, rejects or
    /// terminates; deciding nothing is answered 500.
    fn on_invite<'py>(&self, function: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        register(Event::CallInvite, &function)?;
        Ok(function)
    }

    /// Decorator: `f(call, reply)` is called for each provisional response of a B-leg but 100. It goes to the caller,
    /// with the handler's edits, unless the handler drops it.
    fn on_early_media<'py>(&self, function: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        register(Event::CallEarlyMedia, &function)?;
        Ok(function)
    }

    /// Decorator: `f(call, reply)` is called when a B-leg answers. The 2xx goes to the caller, with the handler's
    /// edits.
    fn on_answer<'py>(&self, function: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        register(Event::CallAnswer, &function)?;
        Ok(function)
    }

    /// Decorator: `f(call, code, reason)` is called once per dial, when every target has failed; never after the caller
    /// gave up. It may dial again, reject, or do nothing: then the best response goes to the caller. A media engine
    /// that fails comes as 503 `media`.
    fn on_failure<'py>(&self, function: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        register(Event::CallFailure, &function)?;
        Ok(function)
    }

    /// Decorator: `f(call, initiator)` is called when an answered call ends; the initiator is the caller, the callee or
    /// siphon. Nothing is awaited.
    fn on_bye<'py>(&self, function: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        register(Event::CallBye, &function)?;
        Ok(function)
    }

    /// Decorator: `f(call)` is called when a side wants to transfer the call (RFC 3515). It accepts or rejects; doing
    /// nothing is what `b2bua.default_refer_mode` of the YAML says.
    fn on_refer<'py>(&self, function: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        register(Event::CallRefer, &function)?;
        Ok(function)
    }

    /// Decorator: `f(call)` is called when the caller gives up before an answer (RFC 3261 9). It decides nothing.
    fn on_cancel<'py>(&self, function: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        register(Event::CallCancel, &function)?;
        Ok(function)
    }

    fn __getattr__(&self, name: &str) -> PyResult<()> {
        super::namespace::no_attribute::<B2bua>("b2bua", name)
    }
}
