//! What `await` gets from us: results that are there already, and wishes that park the handler until they are
//! granted. In a sync handler the same calls give their result directly, and wait for it in the lane.

use super::context::{Context, Mode};
use super::node_script::{Posted, Script};
use super::reply::Reply;
use crate::base::text::Text;
use crate::base::time::Duration;
use crate::policy::{OriginatedRequest, Outcome};
use crate::wire::ng::{Action, MediaFault, MediaRequest, MediaResult};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyRuntimeError, PyStopIteration, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

/// What a parked handler waits for.
pub(crate) enum Wish {
    /// The final response to a request of ours. Boxed: a wish is moved at each await, and most are for time.
    Send(Box<OriginatedRequest>),
    /// Time.
    Sleep(Duration),
    /// A media engine.
    Media(MediaWish),
}

/// Something that a media engine is to do, and what follows from its answer.
pub(crate) struct MediaWish {
    pub(crate) request: Box<MediaRequest>,
    pub(crate) then: Then,
}

/// Makes the value of an answer of a media engine.
pub(crate) type Then = Arc<dyn Fn(Python<'_>, MediaResult) -> PyResult<Py<PyAny>> + Send + Sync>;

enum State {
    Ready(Py<PyAny>),
    Wished(Wish),
    /// Handed to whoever grants it.
    Pending,
    Raises(PyErr),
    Done,
}

/// What calls marked "awaitable" give in an `async def` handler; awaiting it gives the value, once. In a plain `def`
/// they give the value itself. It has no truth value, so that a forgotten `await` is noticed.
#[pyclass(frozen, module = "siphon", name = "Awaitable")]
pub(crate) struct Awaitable {
    what: &'static str,
    state: Mutex<State>,
    then: Option<Then>,
    /// The call that an offer makes its first sessions for.
    offers: Option<Text>,
    script: Arc<Script>,
    shard: u8,
}

impl Awaitable {
    fn swap(&self, next: State) -> State {
        std::mem::replace(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner), next)
    }

    /// Takes the wish to grant it; `None` when there is nothing to wait for.
    pub(crate) fn take_wish(&self) -> Option<Wish> {
        match self.swap(State::Pending) {
            State::Wished(wish) => Some(wish),
            other => {
                self.swap(other);
                None
            }
        }
    }

    /// Gives the result; the next step of the coroutine takes it.
    pub(crate) fn resolve(&self, py: Python<'_>, outcome: Option<Outcome>) {
        let next = match self.value(py, outcome) {
            Ok(value) => State::Ready(value),
            Err(error) => State::Raises(error),
        };
        self.swap(next);
    }
}

impl Awaitable {
    fn value(&self, py: Python<'_>, outcome: Option<Outcome>) -> PyResult<Py<PyAny>> {
        match (outcome, &self.then) {
            (Some(Outcome::Media(answer)), Some(then)) => then(py, *answer),
            (outcome, _) => result(py, outcome),
        }
    }

    /// The call that would have sessions if what is waited for comes to a good end.
    pub(crate) fn offers(&self) -> Option<&Text> {
        self.offers.as_ref()
    }
}

/// The Python value of an outcome: the response, or `None` when there was none; a sleep gives `None`.
fn result(py: Python<'_>, outcome: Option<Outcome>) -> PyResult<Py<PyAny>> {
    match outcome {
        Some(Outcome::Response(message)) => Ok(Py::new(py, Reply::new(message, None, false))?.into_any()),
        Some(Outcome::Failed(_) | Outcome::Media(_)) | None => Ok(py.None()),
    }
}

#[pymethods]
impl Awaitable {
    /// `Awaitable[Reply]` in an annotation.
    #[classmethod]
    #[pyo3(signature = (item, /))]
    fn __class_getitem__<'py>(cls: &Bound<'py, PyType>, item: &Bound<'py, PyAny>) -> Bound<'py, PyType> {
        let _ = item;
        cls.clone()
    }

    fn __await__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let this = slf.get();
        // On an asyncio loop only a future of that loop can be waited for.
        let running = running_loop(py)?;
        if !running.is_none()
            && let Some(wish) = this.take_wish()
        {
            return this.on_loop(&running, wish);
        }
        Ok(slf.clone().into_any())
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(slf: &Bound<'_, Self>) -> PyResult<Option<Py<Self>>> {
        let this = slf.get();
        match this.swap(State::Done) {
            // The end without a value needs no exception object.
            State::Ready(value) if value.is_none(slf.py()) => Ok(None),
            State::Ready(value) => Err(PyStopIteration::new_err((value,))),
            State::Raises(error) => Err(error),
            State::Done => Err(PyRuntimeError::new_err(format!("{} was awaited already", this.what))),
            waiting => {
                this.swap(waiting);
                Ok(Some(slf.clone().unbind()))
            }
        }
    }

    fn __bool__(&self) -> PyResult<bool> {
        Err(PyTypeError::new_err(format!("{} has no truth value: await it", self.what)))
    }

    fn __repr__(&self) -> String {
        format!("<awaitable {}>", self.what)
    }
}

impl Awaitable {
    fn on_loop<'py>(&self, running: &Bound<'py, PyAny>, wish: Wish) -> PyResult<Bound<'py, PyAny>> {
        let py = running.py();
        match wish {
            Wish::Sleep(duration) => {
                let sleep = py.import("asyncio")?.call_method1("sleep", (duration.as_secs_f64(),))?;
                sleep.call_method0("__await__")
            }
            Wish::Send(request) => {
                let future = running.call_method0("create_future")?;
                let (running, waiting) = (running.clone().unbind(), future.clone().unbind());
                let done = Box::new(move |outcome: Outcome| {
                    Python::attach(|py| {
                        let set = super::interpreter::support(py).and_then(|s| s.getattr("set_result"));
                        if let (Ok(set), Ok(value)) = (set, result(py, Some(outcome))) {
                            // Fails only when the loop is closed, and then nobody waits.
                            let _ =
                                running.bind(py).call_method1("call_soon_threadsafe", (set, waiting, value));
                        }
                    });
                });
                self.script.post(self.shard, Posted::Send { request, done: Some(done) });
                future.call_method0("__await__")
            }
            Wish::Media(media) => {
                let future = running.call_method0("create_future")?;
                let (running, waiting) = (running.clone().unbind(), future.clone().unbind());
                let then = media.then;
                let done = Box::new(move |outcome: Outcome| {
                    Python::attach(|py| {
                        let Outcome::Media(answer) = outcome else { return };
                        let (how, value) = match then(py, *answer) {
                            Ok(value) => ("set_result", value),
                            Err(error) => ("set_exception", error.into_value(py).into_any()),
                        };
                        if let Ok(set) = super::interpreter::support(py).and_then(|s| s.getattr(how)) {
                            // Fails only when the loop is closed, and then nobody waits.
                            let _ =
                                running.bind(py).call_method1("call_soon_threadsafe", (set, waiting, value));
                        }
                    });
                });
                self.script.post(self.shard, Posted::Media { request: media.request, done: Some(done) });
                future.call_method0("__await__")
            }
        }
    }
}

/// A value that is there already: itself in a sync handler, an awaitable of it in an `async def`.
pub(crate) fn immediate<'py>(
    py: Python<'py>,
    context: &Context,
    what: &'static str,
    value: impl IntoPyObjectExt<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let value = value.into_bound_py_any(py)?;
    if is_sync(py, context)? {
        return Ok(value);
    }
    make(py, context, what, State::Ready(value.unbind()))
}

/// The asyncio loop that runs on this thread, or None.
fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static FUNCTION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = || py.import("asyncio")?.getattr("_get_running_loop").map(Bound::unbind);
    FUNCTION.get_or_try_init(py, make)?.bind(py).call0()
}

/// Whether the caller cannot await: a sync handler, or a thread that runs no asyncio loop.
fn is_sync(py: Python<'_>, context: &Context) -> PyResult<bool> {
    Ok(match context.mode() {
        Mode::Async => false,
        Mode::Load | Mode::Inline | Mode::Lane => true,
        Mode::Outside => running_loop(py)?.is_none(),
    })
}

fn make<'py>(
    py: Python<'py>,
    context: &Context,
    what: &'static str,
    state: State,
) -> PyResult<Bound<'py, PyAny>> {
    let (then, offers) = match &state {
        State::Wished(Wish::Media(media)) => {
            let command = &media.request.command;
            let is_new = media.request.at.is_none() && matches!(command.action, Action::Offer(_));
            (Some(media.then.clone()), is_new.then(|| command.party.call_id.clone()))
        }
        _ => (None, None),
    };
    let (script, shard) = (context.script.clone(), context.shard);
    let made = Awaitable { what, state: Mutex::new(state), then, offers, script, shard };
    Ok(Bound::new(py, made)?.into_any())
}

/// A wish: an awaitable in an `async def`; in a sync handler it is waited for, which only the lane can do.
pub(crate) fn wish<'py>(
    py: Python<'py>,
    context: &Context,
    what: &'static str,
    wish: Wish,
) -> PyResult<Bound<'py, PyAny>> {
    if !is_sync(py, context)? {
        return make(py, context, what, State::Wished(wish));
    }
    if matches!(context.mode(), Mode::Inline | Mode::Load) {
        let text = format!("{what} waits: await it in an `async def` handler, or set `script.sync: lane`");
        return Err(PyRuntimeError::new_err(text));
    }
    let post = |request: Box<OriginatedRequest>, done: Box<dyn FnOnce(Outcome) + Send>| {
        context.script.post(context.shard, Posted::Send { request, done: Some(done) });
    };
    let outcome = match (wish, context.script.world()) {
        (Wish::Sleep(duration), Some(world)) => world.sleep(py, duration).map(|()| None)?,
        (Wish::Send(request), Some(world)) => world.wait(py, |done| post(request, done))?,
        (Wish::Media(media), world) => {
            let ask = |done: Box<dyn FnOnce(Outcome) + Send>| {
                let posted = Posted::Media { request: media.request, done: Some(done) };
                context.script.post(context.shard, posted);
            };
            let outcome = match world {
                Some(world) => world.wait(py, ask)?,
                None => wait_for(py, MEDIA_PATIENCE, ask),
            };
            return match outcome {
                Some(Outcome::Media(answer)) => Ok((media.then)(py, *answer)?.into_bound(py)),
                _ => Ok((media.then)(py, Err(MediaFault::TimedOut))?.into_bound(py)),
            };
        }
        (Wish::Sleep(duration), None) => {
            py.detach(|| std::thread::sleep(duration));
            None
        }
        (Wish::Send(request), None) => {
            let patience = request.timeout.saturating_add(Duration::from_secs(5));
            wait_for(py, patience, |done| post(request, done))
        }
    };
    Ok(result(py, outcome)?.into_bound(py))
}

/// Longer than any command to a media engine takes.
const MEDIA_PATIENCE: Duration = Duration::from_secs(65);

/// Waits on this thread, without the interpreter, until `begin`'s answer comes.
fn wait_for(
    py: Python<'_>,
    patience: Duration,
    begin: impl FnOnce(Box<dyn FnOnce(Outcome) + Send>),
) -> Option<Outcome> {
    let (send, receive) = mpsc::channel();
    begin(Box::new(move |outcome| {
        // The handler may have given up.
        let _ = send.send(outcome);
    }));
    py.detach(move || receive.recv_timeout(patience).ok())
}
