//! Handlers that reach asyncio libraries run as tasks of one asyncio loop, on a thread of its own. Each await
//! commits what was recorded, as on the shard.

use super::call::Call;
use super::context::{self, Context};
use super::dispatch::{conclude, post_wants};
use super::errors::Cancelled;
use super::generation::Generation;
use super::handler::Handler;
use super::interpreter::support;
use super::node_script::{Posted, Script};
use crate::policy::{Ticket, Verdict};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Tasks on the loop; beyond it requests are answered 503.
const MOST_TASKS: usize = 10_000;

static TASKS: AtomicUsize = AtomicUsize::new(0);

/// What a call that runs apart shares with its shard.
pub(crate) struct Apart {
    /// The transaction ended meanwhile.
    pub(crate) ended: AtomicBool,
    /// The call, once it has become Python objects.
    pub(crate) call: Mutex<Option<Arc<Call>>>,
}

impl Apart {
    pub(crate) fn new() -> Arc<Apart> {
        Arc::new(Apart { ended: AtomicBool::new(false), call: Mutex::new(None) })
    }

    /// Says which objects the handler holds.
    pub(crate) fn started(&self, call: &Arc<Call>) {
        *self.call.lock().unwrap_or_else(PoisonError::into_inner) = Some(call.clone());
        if self.ended.load(Ordering::Acquire) {
            call.end();
        }
    }

    /// The transaction is gone.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        if let Some(call) = &*self.call.lock().unwrap_or_else(PoisonError::into_inner) {
            call.end();
        }
    }
}

/// A coroutine of a handler, on the loop.
#[pyclass(frozen, module = "siphon", name = "LoopJob")]
pub(crate) struct LoopJob {
    pub(crate) call: Arc<Call>,
    pub(crate) handler: Arc<Handler>,
    pub(crate) generation: Arc<Generation>,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) context: Arc<Context>,
    pub(crate) apart: Arc<Apart>,
    pub(crate) outer: Mutex<Option<Arc<Context>>>,
}

impl LoopJob {
    fn post(&self, verdict: Option<Verdict>) {
        post_wants(&self.context);
        if let (Some(ticket), Some(verdict)) = (self.ticket, verdict) {
            self.context.script.post(self.context.shard, Posted::Verdict(ticket, Box::new(verdict)));
        }
    }
}

#[pymethods]
impl LoopJob {
    fn enter(&self) {
        self.context.set_now(self.context.script.clock());
        let outer = context::swap(Some(self.context.clone()));
        *self.outer.lock().unwrap_or_else(PoisonError::into_inner) = outer;
    }

    fn leave(&self) {
        context::swap(self.outer.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn commit(&self) {
        self.post(self.call.commit(&self.generation, &self.handler, false));
    }

    /// What to raise at the await when the transaction has ended.
    fn cancelled(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let ended = self.apart.ended.load(Ordering::Acquire) || self.generation.is_retired();
        ended.then(|| Cancelled::new_err("the transaction has ended").into_value(py).into_any())
    }

    fn finish(&self, py: Python<'_>, error: Option<Bound<'_, PyAny>>) {
        let outer = context::swap(Some(self.context.clone()));
        let error = error.map(PyErr::from_value);
        let verdict =
            conclude(py, &self.context, &self.call, &self.handler, &self.generation, error.as_ref());
        context::swap(outer);
        self.post(Some(verdict));
    }
}

/// A job that is gone, finished or not, is no longer on the loop.
impl Drop for LoopJob {
    fn drop(&mut self) {
        TASKS.fetch_sub(1, Ordering::AcqRel);
    }
}

fn the_loop<'py>(py: Python<'py>, script: &Script) -> PyResult<Bound<'py, PyAny>> {
    if let Some(world) = script.world() {
        return world.tasks(py);
    }
    static LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = LOOP.get_or_try_init(py, || support(py)?.getattr("Loop")?.call0().map(Bound::unbind))?;
    Ok(made.bind(py).clone())
}

/// Runs a handler's coroutine on the loop. False when there are too many.
pub(crate) fn submit(coroutine: &Bound<'_, PyAny>, number: u64, job: LoopJob) -> PyResult<bool> {
    if TASKS.fetch_add(1, Ordering::AcqRel) >= MOST_TASKS {
        coroutine.call_method0("close")?;
        return Ok(false);
    }
    let py = coroutine.py();
    let script = job.context.script.clone();
    the_loop(py, &script)?.call_method1("submit", (number, coroutine, Bound::new(py, job)?))?;
    Ok(true)
}

/// Cancels the tasks whose generation was ended.
pub(crate) fn cancel_retired(py: Python<'_>, script: &Script) -> PyResult<()> {
    if TASKS.load(Ordering::Acquire) == 0 {
        return Ok(());
    }
    the_loop(py, script)?.call_method0("cancel_ended").map(drop)
}

/// Cancels a task.
pub(crate) fn cancel(py: Python<'_>, script: &Script, number: u64) -> PyResult<()> {
    the_loop(py, script)?.call_method1("cancel", (number,)).map(drop)
}
