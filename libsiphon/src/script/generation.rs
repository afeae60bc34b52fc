//! One load of the script: its modules, its handlers by event and method, and what its import staged.

use super::context::{self, Context, Mode};
use super::handler::{Event, Handler};
use super::interpreter::support;
use super::node_script::{LoadError, Script, ScriptSource, SyncMode};
use super::timers::Every;
use crate::base::text::Text;
use crate::policy::{Interest, OriginatedRequest};
use crate::wire::sip::{Message, Method};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A problem found while loading: file, line, what is wrong.
pub(crate) type Found = (String, u32, String);

/// What the import of a script asked for; applied when the load succeeds.
#[derive(Default)]
pub(crate) struct Staged {
    requests: Vec<(Option<Vec<String>>, Arc<Handler>)>,
    on_reply: Option<Arc<Handler>>,
    on_failure: Option<Arc<Handler>>,
    on_cancel: Option<Arc<Handler>>,
    on_change: Vec<Arc<Handler>>,
    /// Handlers of calls.
    calls: BTreeMap<Event, Arc<Handler>>,
    every: Vec<Every>,
    pub(crate) one_shots: Vec<super::timers::OneShot>,
    pub(crate) sends: Vec<OriginatedRequest>,
    problems: Vec<Found>,
}

thread_local! {
    static STAGED: RefCell<Option<Staged>> = const { RefCell::new(None) };
}

/// Hands `f` what the running load has staged; an error when no script is loading on this thread.
pub(crate) fn stage<R>(f: impl FnOnce(&mut Staged) -> R) -> PyResult<R> {
    STAGED.with(|staged| match staged.borrow_mut().as_mut() {
        Some(staged) => Ok(f(staged)),
        None => Err(PyRuntimeError::new_err("handlers are registered while the script loads, not later")),
    })
}

impl Staged {
    /// Registers a handler for requests of some methods, or of all.
    pub(crate) fn add_request(&mut self, filter: Option<Vec<String>>, handler: Handler) {
        let clash = self.requests.iter().find(|(other, _)| match (other, &filter) {
            (None, None) => true,
            (Some(a), Some(b)) => a.iter().any(|m| b.contains(m)),
            _ => false,
        });
        if let Some((_, other)) = clash {
            self.clash(&handler, other.clone());
        }
        self.requests.push((filter, Arc::new(handler)));
    }

    /// Registers a handler for another event.
    pub(crate) fn add(&mut self, handler: Handler) {
        let handler = Arc::new(handler);
        let replaced = match handler.event {
            Event::Reply => self.on_reply.replace(handler.clone()),
            Event::Failure => self.on_failure.replace(handler.clone()),
            Event::Cancel => self.on_cancel.replace(handler.clone()),
            Event::BindingChange | Event::Request | Event::Timer => return self.on_change.push(handler),
            event => self.calls.insert(event, handler.clone()),
        };
        if let Some(other) = replaced {
            self.clash(&handler, other);
        }
    }

    fn clash(&mut self, handler: &Handler, other: Arc<Handler>) {
        let text = format!(
            "{} is a second handler of {}; the first is {} at {}",
            handler.name,
            handler.event.name(),
            other.name,
            other.line
        );
        self.problems.push((handler.line.to_string(), 0, text));
    }

    pub(crate) fn add_every(&mut self, every: Every) {
        if let Some(other) = self.every.iter().find(|other| other.name == every.name) {
            let text =
                format!("a second timer is named {:?}; the first is at {}", every.name, other.handler.line);
            self.problems.push((every.handler.line.to_string(), 0, text));
        }
        self.every.push(every);
    }

    pub(crate) fn problem(&mut self, found: Found) {
        self.problems.push(found);
    }

    fn handlers(&self) -> impl Iterator<Item = &Arc<Handler>> {
        let single = [&self.on_reply, &self.on_failure, &self.on_cancel];
        let requests = self.requests.iter().map(|r| &r.1);
        requests
            .chain(single.into_iter().flatten())
            .chain(&self.on_change)
            .chain(self.calls.values())
            .chain(self.every.iter().map(|e| &e.handler))
    }
}

/// One load of the script.
pub(crate) struct Generation {
    pub(crate) number: u64,
    /// Handlers of the methods known by name, in the order of [`Method::ALL`].
    by_method: Vec<Option<Arc<Handler>>>,
    /// Handlers of other methods.
    by_name: Vec<(String, Arc<Handler>)>,
    /// The handler without a filter.
    bare: Option<Arc<Handler>>,
    pub(crate) on_reply: Option<Arc<Handler>>,
    pub(crate) on_failure: Option<Arc<Handler>>,
    pub(crate) on_cancel: Option<Arc<Handler>>,
    pub(crate) on_change: Vec<Arc<Handler>>,
    /// Handlers of calls.
    calls: BTreeMap<Event, Arc<Handler>>,
    pub(crate) every: Vec<Every>,
    /// The Python side: module table and importer.
    modules: Py<PyAny>,
    /// Set when too many younger generations exist: its transactions finish without it.
    retired: AtomicBool,
}

impl Generation {
    /// Loads the script. What its import staged beyond handlers comes back for the caller to apply.
    pub(crate) fn load(script: &Arc<Script>, number: u64) -> Result<(Generation, Staged), LoadError> {
        let source = script.source();
        let text = source.read()?;
        Python::attach(|py| {
            let context = Context::new(script.clone(), 0, Mode::Load);
            context.set_now(script.clock());
            let entered = (context::enter(&context), script.inside(py));
            STAGED.with(|staged| *staged.borrow_mut() = Some(Staged::default()));
            let ran = run(py, &source, script.include_paths(), &text);
            let staged = STAGED.with(|staged| staged.borrow_mut().take()).unwrap_or_default();
            drop(entered);
            let (modules, error) = match ran {
                Ok(modules) => (Some(modules), None),
                Err((modules, error)) => (modules, Some(error)),
            };
            if let (Some(modules), None, true) = (&modules, &error, staged.problems.is_empty()) {
                choose_lanes(py, script.sync_mode(), &staged, modules);
                return Ok(Generation::of(number, modules.clone_ref(py), staged));
            }
            if let Some(modules) = &modules {
                let _ = modules.bind(py).call_method0("discard");
            }
            let (mut problems, mut traceback) = (staged.problems, String::new());
            if let Some(error) = error {
                let (text, file, line) = describe(py, &error, None);
                let kind = error.get_type(py).name().map(|n| n.to_string()).unwrap_or_default();
                problems.push((file, line, format!("{kind}: {}", error.value(py))));
                traceback = text;
            }
            Err(LoadError { problems, traceback })
        })
    }

    fn of(number: u64, modules: Py<PyAny>, mut staged: Staged) -> (Generation, Staged) {
        let bare = staged.requests.iter().find(|r| r.0.is_none()).map(|r| r.1.clone());
        let named = |name: &str| {
            let hit = |r: &&(Option<Vec<String>>, Arc<Handler>)| {
                r.0.as_ref().is_some_and(|f| f.iter().any(|m| m == name))
            };
            staged.requests.iter().find(hit).map(|r| r.1.clone())
        };
        let by_method = Method::ALL.iter().map(|m| named(m.name()).or_else(|| bare.clone())).collect();
        let others = staged.requests.iter().filter_map(|(filter, handler)| Some((filter.as_ref()?, handler)));
        let by_name = others
            .flat_map(|(filter, handler)| filter.iter().map(move |name| (name.clone(), handler.clone())))
            .filter(|(name, _)| Method::from_name(name) == Method::Other)
            .collect();
        let generation = Generation {
            number,
            by_method,
            by_name,
            bare,
            on_reply: staged.on_reply.take(),
            on_failure: staged.on_failure.take(),
            on_cancel: staged.on_cancel.take(),
            on_change: std::mem::take(&mut staged.on_change),
            calls: std::mem::take(&mut staged.calls),
            every: std::mem::take(&mut staged.every),
            modules,
            retired: AtomicBool::new(false),
        };
        (generation, staged)
    }

    /// Who handles this request; nobody when the script has no handler for its method.
    pub(crate) fn request_handler(&self, message: &Message) -> Option<&Arc<Handler>> {
        match message.method() {
            Method::Other => {
                let name = message.method_name();
                self.by_name.iter().find(|n| n.0 == name).map(|n| &n.1).or(self.bare.as_ref())
            }
            method => self.by_method.get(method as usize)?.as_ref(),
        }
    }

    pub(crate) fn interest(&self) -> Interest {
        Interest {
            replies: self.on_reply.is_some(),
            failures: self.on_failure.is_some(),
            cancels: self.on_cancel.is_some(),
            ..Interest::default()
        }
    }

    /// Who handles this event of a call.
    pub(crate) fn call_handler(&self, event: Event) -> Option<&Arc<Handler>> {
        self.calls.get(&event)
    }

    /// What is to be asked about a call.
    pub(crate) fn call_interest(&self) -> Interest {
        let wants = |event| self.calls.contains_key(&event);
        Interest {
            replies: false,
            failures: wants(Event::CallFailure),
            cancels: wants(Event::CallCancel),
            early_media: wants(Event::CallEarlyMedia),
            answers: wants(Event::CallAnswer),
            byes: wants(Event::CallBye),
            refers: wants(Event::CallRefer),
        }
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// Makes its modules the ones that libraries find by name.
    pub(crate) fn show(&self, py: Python<'_>) {
        let _ = self.modules.bind(py).call_method0("show");
    }

    /// Takes that back.
    pub(crate) fn hide(&self, py: Python<'_>) {
        let _ = self.modules.bind(py).call_method0("discard");
    }

    /// Decides how a per-relay callback runs.
    pub(crate) fn choose(&self, py: Python<'_>, mode: SyncMode, handler: &Handler) {
        if let Ok(owns) = self.modules.bind(py).getattr("owns_file") {
            choose(mode, handler, &owns);
        }
    }

    /// The Python side, for tests that watch it go.
    #[cfg(test)]
    pub(crate) fn modules(&self) -> &Py<PyAny> {
        &self.modules
    }

    /// Text of a traceback, shortened to `file:line` for the log, and the line itself.
    pub(crate) fn describe(&self, py: Python<'_>, error: &PyErr) -> (String, Text) {
        let (text, file, line) = describe(py, error, Some(&self.modules));
        (text, super::frame::short(&file, line.try_into().unwrap_or(0)).into())
    }
}

type RunError = (Option<Py<PyAny>>, PyErr);

fn run(py: Python<'_>, source: &ScriptSource, include: &[String], text: &str) -> Result<Py<PyAny>, RunError> {
    let start = || -> PyResult<Bound<'_, PyAny>> {
        py.import("importlib")?.call_method0("invalidate_caches")?;
        if let ScriptSource::Embedded { name, text } = source {
            let lines: Vec<&str> = text.split_inclusive('\n').collect();
            let cache = py.import("linecache")?.getattr("cache")?;
            cache.set_item(name, (text.len(), py.None(), lines, name))?;
        }
        let emit = super::log_namespace::emitter(py)?;
        support(py)?.getattr("Generation")?.call1((source.name(), include, emit))
    };
    let modules = start().map_err(|error| (None, error))?;
    match modules.call_method1("run", (text,)) {
        Ok(_) => Ok(modules.unbind()),
        Err(error) => Err((Some(modules.unbind()), error)),
    }
}

/// Traceback, file and line of an exception; of the script's own innermost frame when `modules` is given.
pub(crate) fn describe(py: Python<'_>, error: &PyErr, modules: Option<&Py<PyAny>>) -> (String, String, u32) {
    let owns = modules.and_then(|m| m.bind(py).getattr("owns_file").ok());
    let told = support(py)
        .and_then(|s| s.getattr("describe")?.call1((error.clone_ref(py).into_value(py), owns)))
        .and_then(|t| t.extract::<(String, String, u32)>());
    told.unwrap_or_else(|_| (error.to_string(), String::new(), 0))
}

/// Decides at load which handlers run apart from the shard.
fn choose_lanes(py: Python<'_>, mode: SyncMode, staged: &Staged, modules: &Py<PyAny>) {
    let Ok(owns) = modules.bind(py).getattr("owns_file") else { return };
    for handler in staged.handlers() {
        choose(mode, handler, &owns);
    }
}

fn choose(mode: SyncMode, handler: &Handler, owns: &Bound<'_, PyAny>) {
    let analysis = if handler.is_async { "needs_loop" } else { "first_waiting_call" };
    let apart = match mode {
        SyncMode::Inline if !handler.is_async => false,
        SyncMode::Lane if !handler.is_async => true,
        _ => {
            let call = support(owns.py()).and_then(|s| s.getattr(analysis)?.call1((&handler.function, owns)));
            call.and_then(|c| c.extract::<Option<String>>()).ok().flatten().is_some()
        }
    };
    if apart {
        handler.set_apart();
    }
}
