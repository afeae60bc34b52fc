//! One decorated function: what it is for, where it stands, and whether it runs inline, in the lane or awaits.

use super::frame;
use super::interpreter::support;
use crate::base::text::Text;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What a handler is called for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Event {
    Request,
    Reply,
    Failure,
    Cancel,
    BindingChange,
    Timer,
    CallInvite,
    CallEarlyMedia,
    CallAnswer,
    CallFailure,
    CallBye,
    CallRefer,
    CallCancel,
}

impl Event {
    /// Every event, in the order of its number.
    pub(crate) const ALL: [Event; 13] = [
        Event::Request,
        Event::Reply,
        Event::Failure,
        Event::Cancel,
        Event::BindingChange,
        Event::Timer,
        Event::CallInvite,
        Event::CallEarlyMedia,
        Event::CallAnswer,
        Event::CallFailure,
        Event::CallBye,
        Event::CallRefer,
        Event::CallCancel,
    ];

    /// Its name in logs and metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Event::Request => "proxy.on_request",
            Event::Reply => "proxy.on_reply",
            Event::Failure => "proxy.on_failure",
            Event::Cancel => "proxy.on_cancel",
            Event::BindingChange => "registrar.on_change",
            Event::Timer => "timer",
            Event::CallInvite => "b2bua.on_invite",
            Event::CallEarlyMedia => "b2bua.on_early_media",
            Event::CallAnswer => "b2bua.on_answer",
            Event::CallFailure => "b2bua.on_failure",
            Event::CallBye => "b2bua.on_bye",
            Event::CallRefer => "b2bua.on_refer",
            Event::CallCancel => "b2bua.on_cancel",
        }
    }

    /// Whether it is one of a B2BUA call.
    pub(crate) const fn is_of_call(self) -> bool {
        self as u8 >= Event::CallInvite as u8
    }

    /// What it is called with.
    pub(crate) const fn arguments(self) -> &'static [&'static str] {
        match self {
            Event::Request | Event::Cancel => &["request"],
            Event::Reply | Event::Failure => &["request", "reply"],
            Event::BindingChange => &["aor", "event_type", "contacts"],
            Event::Timer => &[],
            Event::CallInvite | Event::CallRefer | Event::CallCancel => &["call"],
            Event::CallEarlyMedia | Event::CallAnswer => &["call", "reply"],
            Event::CallFailure => &["call", "code", "reason"],
            Event::CallBye => &["call", "initiator"],
        }
    }
}

/// How a handler runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Runs {
    /// On the shard's thread.
    Inline,
    /// In the lane.
    Lane,
    /// A coroutine stepped by the shard.
    Stepped,
    /// A coroutine run as a task of the asyncio loop, because it reaches asyncio libraries.
    Loop,
}

/// A function of the script that is called for an event.
pub(crate) struct Handler {
    pub(crate) event: Event,
    pub(crate) function: Py<PyAny>,
    shape: Arc<Shape>,
}

/// What is known of a function's code; closures made of the same code share it.
pub(crate) struct Shape {
    pub(crate) is_async: bool,
    /// `file.py:12` of its `def`.
    pub(crate) line: Text,
    pub(crate) name: Text,
    /// Runs apart from the shard: in the lane, or on the asyncio loop. Once set it stays.
    apart: AtomicBool,
    /// How often it was over its budget while other Python code ran, which may be what took the time.
    strikes: AtomicU8,
}

impl std::ops::Deref for Handler {
    type Target = Shape;
    fn deref(&self) -> &Shape {
        &self.shape
    }
}

/// Over the budget this often while something else held the interpreter counts as over the budget.
const STRIKES: u8 = 3;

/// Shapes of per-relay callbacks, by code object: their functions are often made anew per request.
static CALLBACKS: Mutex<BTreeMap<(Event, usize), Known>> = Mutex::new(BTreeMap::new());

/// The code object, held so that its address names nothing else, and what is known of it.
type Known = (Py<PyAny>, Arc<Shape>);

/// A script with more callback functions than this has them analysed again.
const MOST_CALLBACKS: usize = 1024;

impl Handler {
    /// Looks at `function`; the inner error says where it stands and why it cannot be called for `event`.
    pub(crate) fn new(
        event: Event,
        function: &Bound<'_, PyAny>,
    ) -> PyResult<Result<Handler, (String, u32, String)>> {
        let py = function.py();
        let support = support(py)?;
        let (file, line, name): (String, u32, String) =
            support.getattr("where")?.call1((function,))?.extract()?;
        let names = event.arguments();
        let wrong: Option<String> =
            support.getattr("wrong_signature")?.call1((function, names))?.extract()?;
        if let Some(wrong) = wrong {
            return Ok(Err((file, line, format!("{name} for {}: {wrong}", event.name()))));
        }
        let shape = Shape {
            is_async: support.getattr("is_async")?.call1((function,))?.extract()?,
            line: frame::short(&file, line.try_into().unwrap_or(0)).into(),
            name: name.into(),
            apart: AtomicBool::new(false),
            strikes: AtomicU8::new(0),
        };
        Ok(Ok(Handler { event, function: function.clone().unbind(), shape: Arc::new(shape) }))
    }

    /// A handler for one transaction, from a function given to `relay`. `analyse` runs for code not met before.
    pub(crate) fn callback(
        event: Event,
        function: &Bound<'_, PyAny>,
        analyse: impl FnOnce(&Handler),
    ) -> PyResult<Arc<Handler>> {
        let code = function.getattr(intern!(function.py(), "__code__")).ok();
        let key = code.as_ref().map(|code| (event, code.as_ptr() as usize));
        if let Some(key) = key {
            let known = CALLBACKS.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, shape)) = known.get(&key) {
                let function = function.clone().unbind();
                return Ok(Arc::new(Handler { event, function, shape: shape.clone() }));
            }
        }
        let handler = Handler::new(event, function)?.map_err(|(_, _, wrong)| PyTypeError::new_err(wrong))?;
        analyse(&handler);
        if let (Some(key), Some(code)) = (key, code) {
            let mut known = CALLBACKS.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= MOST_CALLBACKS {
                known.clear();
            }
            known.insert(key, (code.unbind(), handler.shape.clone()));
        }
        Ok(Arc::new(handler))
    }

    pub(crate) fn runs(&self) -> Runs {
        match (self.is_async, self.apart.load(Ordering::Relaxed)) {
            (false, false) => Runs::Inline,
            (false, true) => Runs::Lane,
            (true, false) => Runs::Stepped,
            (true, true) => Runs::Loop,
        }
    }

    pub(crate) fn runs_apart(&self) -> bool {
        self.apart.load(Ordering::Relaxed)
    }

    pub(crate) fn set_apart(&self) {
        self.apart.store(true, Ordering::Relaxed);
    }

    /// It took longer than its budget. True when it is to run apart from now on.
    pub(crate) fn over_budget(&self, others_ran: bool) -> bool {
        let strikes = self.strikes.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if others_ran && strikes < STRIKES {
            return false;
        }
        !self.apart.swap(true, Ordering::Relaxed)
    }
}

/// Forgets the callbacks of replaced generations.
pub(crate) fn forget_callbacks() {
    let held = std::mem::take(&mut *CALLBACKS.lock().unwrap_or_else(PoisonError::into_inner));
    drop(held);
}
