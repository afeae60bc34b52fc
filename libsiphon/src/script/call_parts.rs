//! What belongs to a call beside itself: who ended it, and its media.

use super::call_object::CallObject;
use super::context;
use super::convert;
use crate::policy::{CallAction, Initiator};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Which side ended a call. `str()` is `caller`, `callee`, or `siphon` for a timer, an operator or a script; it equals
/// these texts.
#[pyclass(frozen, module = "siphon", name = "ByeInitiator")]
pub(crate) struct ByeInitiator(pub(crate) Initiator);

#[pymethods]
impl ByeInitiator {
    /// `a` for the caller, `b` for the callee, `siphon` for this node.
    #[getter]
    fn side(&self) -> &'static str {
        match self.0 {
            Initiator::Caller => "a",
            Initiator::Callee => "b",
            Initiator::Siphon => "siphon",
        }
    }

    fn __str__(&self) -> &'static str {
        self.0.label()
    }

    fn __repr__(&self) -> String {
        format!("<ByeInitiator {}>", self.0.label())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        if let Ok(other) = other.cast::<ByeInitiator>() {
            return other.get().0 == self.0;
        }
        other.extract::<&str>().is_ok_and(|text| text == self.0.label())
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.label().hash(&mut hasher);
        hasher.finish()
    }
}

impl CallObject {
    /// Records that the media is to be anchored. The last word counts.
    pub(crate) fn anchor(&self, profile: Option<&str>) -> PyResult<()> {
        let profile = profile.map(convert::safe).transpose()?;
        let Some(desk) = context::current()?.services().media() else {
            let text = "anchoring takes a media engine: the YAML has no `media`";
            return Err(PyRuntimeError::new_err(text));
        };
        let known = desk.profiles.names();
        if let Some(name) = profile.filter(|name| !known.contains(name)) {
            let text = format!("there is no media profile {name:?}; there are: {}", known.join(", "));
            return Err(PyValueError::new_err(text));
        }
        let mut state = self.state();
        state.actions().retain(|a| !matches!(a, CallAction::Anchor { .. } | CallAction::Release));
        state.record(CallAction::Anchor { profile: profile.map(Into::into) })
    }

    /// Records that the media is to be let go of, where it is anchored.
    pub(crate) fn release(&self) -> PyResult<()> {
        let mut state = self.state();
        state.invite.alive()?;
        state.actions().retain(|a| !matches!(a, CallAction::Anchor { .. }));
        if state.is_anchored() {
            state.record(CallAction::Release)?;
        }
        Ok(())
    }
}

/// The media of a call: whether it passes through the media engine of this node.
#[pyclass(frozen, module = "siphon", name = "MediaHandle")]
pub(crate) struct MediaHandle {
    pub(crate) call: Py<CallObject>,
}

#[pymethods]
impl MediaHandle {
    /// Has the media of the call pass through the media engine: offers before the B-leg is called, answers, follows
    /// re-INVITE and UPDATE, and ends with the call. Saying it twice is saying it once.
    ///
    /// `profile` is one of `media.profiles` or a built-in one; without it each leg is served as its own SDP and
    /// transport say. Raises RuntimeError where the YAML has no `media`, ValueError for an engine that is not
    /// `rtpengine`.
    #[pyo3(signature = (engine="rtpengine", profile=None))]
    fn anchor(&self, engine: &str, profile: Option<&str>) -> PyResult<()> {
        if engine != "rtpengine" {
            return Err(PyValueError::new_err(format!(
                "engine {engine:?}: this version knows \"rtpengine\""
            )));
        }
        self.call.get().anchor(profile)
    }

    /// Takes the media engine out of the call, or frees what it holds for it. Twice, or without `anchor`, is no error.
    fn release(&self) -> PyResult<()> {
        self.call.get().release()
    }

    /// Whether the media is anchored, or will be when the handler returns.
    #[getter]
    fn is_active(&self) -> bool {
        self.call.get().state().is_anchored()
    }

    fn __repr__(&self) -> &'static str {
        if self.is_active() { "<MediaHandle anchored>" } else { "<MediaHandle>" }
    }
}
