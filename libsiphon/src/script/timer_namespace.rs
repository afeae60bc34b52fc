//! `timer`: periodic handlers, one-shots by key, and a sleep that parks an `async def` handler for nothing.

use super::awaitable::{Wish, wish};
use super::context::{self, Mode};
use super::convert;
use super::generation::stage;
use super::handler::{Event, Handler};
use super::timers::{Every, MOST_ONE_SHOTS, OneShot};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use std::sync::Arc;

/// Handlers that are called by time, and waiting.
#[pyclass(frozen, module = "siphon", name = "Timer")]
pub(crate) struct Timer;

/// What `timer.every` gives to decorate with.
#[pyclass(frozen, module = "siphon", name = "EveryDecorator")]
pub(crate) struct EveryDecorator {
    period: std::time::Duration,
    jitter: std::time::Duration,
    name: Option<String>,
}

#[pymethods]
impl EveryDecorator {
    fn __call__<'py>(&self, function: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let handler = Handler::new(Event::Timer, &function)?;
        stage(|staged| match handler {
            Ok(handler) => {
                let name = self.name.clone().unwrap_or_else(|| handler.name.to_string());
                let (period, jitter) = (self.period, self.jitter);
                staged.add_every(Every { handler: Arc::new(handler), period, jitter, name });
            }
            Err(wrong) => staged.problem(wrong),
        })?;
        Ok(function)
    }
}

/// A timer that was set.
#[pyclass(frozen, module = "siphon", name = "TimerHandle")]
pub(crate) struct TimerHandle {
    key: String,
}

#[pymethods]
impl TimerHandle {
    /// The key it was set under.
    #[getter]
    fn key(&self) -> &str {
        &self.key
    }

    /// Cancels it. False when it fired or was cancelled already.
    fn cancel(&self) -> PyResult<bool> {
        Ok(context::current()?.script.timers.cancel(&self.key))
    }
}

#[pymethods]
impl Timer {
    /// Decorator: `f()` is called every so many seconds (or `"1m"`), once per node, each time up to `jitter` later.
    /// `name` defaults to the function's and must be unique. Raises ValueError for less than a millisecond.
    #[pyo3(signature = (seconds, name=None, jitter=None))]
    fn every(
        &self,
        seconds: &Bound<'_, PyAny>,
        name: Option<String>,
        jitter: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<EveryDecorator> {
        let period = convert::duration(seconds, 1.0)?;
        if period.as_millis() == 0 {
            return Err(PyValueError::new_err("timer.every: the period is at least a millisecond"));
        }
        let jitter = jitter.map(|j| convert::duration(j, 1.0)).transpose()?.unwrap_or_default();
        Ok(EveryDecorator { period, jitter, name })
    }

    /// Calls `handler()` once, after `delay_ms` milliseconds (or `"30s"`). A timer of the same key is replaced. A
    /// reload keeps it, with the function it was set with. Raises RuntimeError at 100,000 timers.
    fn set(
        &self,
        key: String,
        delay_ms: &Bound<'_, PyAny>,
        handler: &Bound<'_, PyAny>,
    ) -> PyResult<TimerHandle> {
        let context = context::current()?;
        let delay = convert::duration(delay_ms, 0.001)?;
        let made =
            Handler::new(Event::Timer, handler)?.map_err(|(_, _, wrong)| PyTypeError::new_err(wrong))?;
        let handle = TimerHandle { key: key.clone() };
        let shot = OneShot { key, delay, handler: Arc::new(made) };
        if context.mode() == Mode::Load {
            stage(|staged| staged.one_shots.push(shot))?;
            return Ok(handle);
        }
        let script = &context.script;
        let generation = script.current().ok_or_else(|| PyRuntimeError::new_err("no script runs"))?;
        generation.choose(handler.py(), script.sync_mode(), &shot.handler);
        if !script.timers.set(shot, &generation, context.now()) {
            return Err(PyRuntimeError::new_err(format!("more than {MOST_ONE_SHOTS} timers are set")));
        }
        script.wake(0);
        Ok(handle)
    }

    /// Cancels the timer of that key. False when there is none, or it fired.
    fn cancel(&self, key: &str) -> PyResult<bool> {
        Ok(context::current()?.script.timers.cancel(key))
    }

    /// Awaitable: parks the handler for so many seconds (or `"500ms"`). What it recorded before takes effect; the
    /// shard goes on.
    fn sleep<'py>(&self, seconds: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let duration = convert::duration(seconds, 1.0)?;
        wish(seconds.py(), &*context::current()?, "timer.sleep()", Wish::Sleep(duration))
    }

    fn __getattr__(&self, name: &str) -> PyResult<()> {
        super::namespace::no_attribute::<Timer>("timer", name)
    }
}
