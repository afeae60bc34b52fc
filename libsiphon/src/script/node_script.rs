//! The script of a node: its source, its generations, and what they share (timers, caches, lanes).

use super::cache::{Cache, CacheSettings};
use super::context;
use super::generation::{Found, Generation};
use super::handler::Event;
use super::lane::Lanes;
use super::services::{LogLevel, LogLine, NodeServices};
use super::stepped::ApartMode;
use super::timers::Timers;
use super::{frame, handler, interpreter};
use crate::base::rng::Rng;
use crate::base::text::Text;
use crate::base::time::Duration;
use crate::event::BindingChange;
use crate::policy::{Interest, OriginatedRequest, Outcome, Ticket, Verdict};
use crate::wire::ng::{MediaFault, MediaRequest};
use crate::wire::sip::Message;
use arc_swap::ArcSwapOption;
use pyo3::prelude::*;
use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

/// How sync handlers run (`script.sync`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SyncMode {
    /// Inline, but for handlers that reach a waiting call.
    #[default]
    Auto,
    /// On the shard's thread.
    Inline,
    /// In the lane.
    Lane,
}

/// Where the script is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ScriptSource {
    /// A file, read at each load.
    File(PathBuf),
    /// Text inside the binary.
    Embedded {
        /// Shown in tracebacks.
        name: String,
        /// The script.
        text: String,
    },
}

impl ScriptSource {
    /// What tracebacks call it.
    pub(crate) fn name(&self) -> String {
        match self {
            ScriptSource::File(path) => path.to_string_lossy().into_owned(),
            ScriptSource::Embedded { name, .. } => name.clone(),
        }
    }

    pub(crate) fn read(&self) -> Result<String, LoadError> {
        match self {
            ScriptSource::Embedded { text, .. } => Ok(text.clone()),
            ScriptSource::File(path) => std::fs::read_to_string(path).map_err(|error| LoadError {
                problems: vec![(self.name(), 0, format!("cannot be read: {error}"))],
                traceback: String::new(),
            }),
        }
    }
}

/// Settings of a script.
#[derive(Clone, Debug)]
pub struct ScriptSettings {
    /// The script.
    pub source: ScriptSource,
    /// Directories whose modules belong to the script and reload with it, besides its own.
    pub include_paths: Vec<PathBuf>,
    /// The binary's name, for messages about names of other roles.
    pub role: &'static str,
    /// How sync handlers run.
    pub sync: SyncMode,
    /// How long a handler may run on a shard's thread before it is moved to the lane. Default 5 ms.
    pub budget: Duration,
    /// Threads of the lane. Default 8.
    pub lane_threads: usize,
    /// Questions that may wait for a lane thread; beyond it requests are answered 503. Default 1024.
    pub lane_queue: usize,
    /// Handlers that may be parked at an await, per shard; beyond it requests are answered 503. Default 100 000.
    pub max_parked: usize,
    /// Caches by name.
    pub caches: Vec<CacheSettings>,
    /// Seeds the jitter of timers.
    pub seed: u64,
    /// Where handlers run that cannot run on their shard's thread.
    pub apart: ApartMode,
}

impl ScriptSettings {
    /// Defaults for a script of `siphon-proxy`.
    pub fn new(source: ScriptSource) -> Self {
        ScriptSettings {
            source,
            include_paths: Vec::new(),
            role: "siphon-proxy",
            sync: SyncMode::Auto,
            budget: Duration::from_millis(5),
            lane_threads: 8,
            lane_queue: 1024,
            max_parked: 100_000,
            caches: Vec::new(),
            seed: 0,
            apart: ApartMode::Threads,
        }
    }
}

/// Why a script did not load; the one before, if any, keeps running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// File, line (0 when unknown) and what is wrong.
    pub(crate) problems: Vec<Found>,
    /// The Python traceback, when an exception ended the load.
    pub traceback: String,
}

impl LoadError {
    /// What is wrong, with file and line.
    pub fn problems(&self) -> impl Iterator<Item = super::Problem> + '_ {
        self.problems.iter().map(|(file, line, message)| super::Problem {
            file: file.clone(),
            line: *line,
            column: 0,
            is_warning: false,
            message: message.clone(),
        })
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.problems().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        if !self.traceback.is_empty() {
            write!(f, "\n{}", self.traceback)?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}

/// What other threads hand to a shard's policy.
pub(crate) enum Posted {
    /// A lane or the asyncio loop answered.
    Verdict(Ticket, Box<Verdict>),
    /// Send a request of ours and tell the outcome.
    Send { request: Box<OriginatedRequest>, done: Option<Box<dyn FnOnce(Outcome) + Send>> },
    /// Ask a media engine and tell the outcome.
    Media { request: Box<MediaRequest>, done: Option<Box<dyn FnOnce(Outcome) + Send>> },
    /// A binding changed.
    Binding { aor: Text, change: BindingChange },
    /// A handler ran in the lane.
    Ran { event: Event, took: Duration, ok: bool, request: Option<Message> },
}

/// What may wait for a shard's policy; beyond it binding changes are dropped, the rest never comes close.
const MOST_POSTED: usize = 100_000;

/// The door to one shard's policy.
pub(crate) struct Port {
    inbox: Mutex<VecDeque<Posted>>,
    filled: AtomicBool,
    waker: Box<dyn Fn() + Send + Sync>,
}

impl Port {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Posted>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_filled(&self) -> bool {
        self.filled.load(Ordering::Acquire)
    }

    pub(crate) fn drain(&self) -> VecDeque<Posted> {
        let mut inbox = self.lock();
        self.filled.store(false, Ordering::Release);
        std::mem::take(&mut *inbox)
    }

    pub(crate) fn post(&self, posted: Posted) {
        let mut inbox = self.lock();
        if inbox.len() >= MOST_POSTED && matches!(posted, Posted::Binding { .. }) {
            return;
        }
        inbox.push_back(posted);
        let first = !self.filled.swap(true, Ordering::AcqRel);
        drop(inbox);
        if first {
            (self.waker)();
        }
    }
}

/// The script of a node.
pub struct Script {
    settings: ScriptSettings,
    source: RwLock<ScriptSource>,
    include_paths: Vec<String>,
    services: Arc<dyn NodeServices>,
    current: ArcSwapOption<Generation>,
    /// Older generations, oldest first, for as long as something holds them.
    old: Mutex<Vec<Weak<Generation>>>,
    loads: AtomicU64,
    /// How many generations were ended while something held them.
    retirements: AtomicU64,
    loading: Mutex<()>,
    ports: RwLock<Vec<Option<Arc<Port>>>>,
    pub(crate) timers: Timers,
    pub(crate) caches: Vec<Cache>,
    pub(crate) lanes: Lanes,
    dice: Mutex<Rng>,
}

/// Older generations that may stay alive beside the current one.
const MOST_OLD: usize = 2;

impl Script {
    /// Loads a script for the first time.
    pub fn load(settings: ScriptSettings, services: Arc<dyn NodeServices>) -> Result<Arc<Script>, LoadError> {
        let script = Script::unloaded(settings, services);
        context::set_newest(&script);
        script.reload()?;
        Ok(script)
    }

    pub(crate) fn unloaded(settings: ScriptSettings, services: Arc<dyn NodeServices>) -> Arc<Script> {
        interpreter::initialize();
        let include_paths = settings.include_paths.iter().map(|p| p.to_string_lossy().into_owned()).collect();
        Arc::new(Script {
            include_paths,
            services,
            current: ArcSwapOption::empty(),
            old: Mutex::default(),
            loads: AtomicU64::new(0),
            retirements: AtomicU64::new(0),
            loading: Mutex::new(()),
            ports: RwLock::default(),
            timers: Timers::default(),
            caches: settings.caches.iter().map(Cache::new).collect(),
            lanes: Lanes::new(settings.lane_threads, settings.lane_queue),
            dice: Mutex::new(Rng::seeded(settings.seed)),
            source: RwLock::new(settings.source.clone()),
            settings,
        })
    }

    /// Loads the script anew and swaps it in. A script that fails leaves the running one alone. The number of the
    /// generation that runs now comes back.
    pub fn reload(self: &Arc<Self>) -> Result<u64, LoadError> {
        let _one_at_a_time = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.loads.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let loaded = Generation::load(self, number);
        let (generation, staged) = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                Python::attach(|py| self.current().inspect(|current| current.show(py)));
                return Err(error);
            }
        };
        let generation = Arc::new(generation);
        let replaced = self.current.swap(Some(generation.clone()));
        let now = self.clock();
        self.timers.replace_every(&generation, now, || self.dice());
        for shot in staged.one_shots {
            self.timers.set(shot, &generation, now);
        }
        for request in staged.sends {
            self.post(0, Posted::Send { request: Box::new(request), done: None });
        }
        self.retire(replaced);
        Python::attach(|py| tidy(py, self.world().is_none()));
        self.wake(0);
        Ok(number)
    }

    /// Lets go of the replaced generation, and ends the oldest when too many are still held.
    fn retire(&self, replaced: Option<Arc<Generation>>) {
        let mut old = self.old.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(replaced) = replaced {
            Python::attach(|py| replaced.hide(py));
            old.push(Arc::downgrade(&replaced));
        }
        old.retain(|generation| generation.strong_count() > 0);
        while old.len() > MOST_OLD {
            if let Some(oldest) = old.remove(0).upgrade() {
                oldest.retire();
                // The loop runs as long as the process.
                let _ = Python::attach(|py| super::bridge::cancel_retired(py, self));
                self.retirements.fetch_add(1, Ordering::Release);
                let dropped = self.timers.drop_retired();
                let text = format!(
                    "generation {} of the script is ended: {MOST_OLD} younger ones are still held by transactions{}",
                    oldest.number,
                    if dropped > 0 {
                        format!("; {dropped} of its timers are dropped")
                    } else {
                        String::new()
                    }
                );
                let level = LogLevel::Warning;
                self.services.log(LogLine {
                    level,
                    text: &text,
                    fields: &[],
                    script_line: "",
                    call_id: None,
                });
                // Policies look at it when they are woken, and end what is parked in it.
                for shard in 0..self.ports_len() {
                    self.wake(shard);
                }
            }
        }
    }

    /// The running generation.
    pub(crate) fn current(&self) -> Option<Arc<Generation>> {
        self.current.load_full()
    }

    pub(crate) fn load_current(&self) -> arc_swap::Guard<Option<Arc<Generation>>> {
        self.current.load()
    }

    /// The number of the running generation, counted from 1 over all loads, failed ones included.
    pub fn generation(&self) -> u64 {
        self.current.load().as_ref().map_or(0, |g| g.number)
    }

    /// How many older generations are still held by something.
    pub fn old_generations(&self) -> usize {
        let old = self.old.lock().unwrap_or_else(PoisonError::into_inner);
        old.iter().filter(|g| g.upgrade().is_some_and(|g| !g.is_retired())).count()
    }

    /// What the script wants to be asked about.
    pub fn interest(&self) -> Interest {
        self.current.load().as_ref().map(|g| g.interest()).unwrap_or_default()
    }

    /// Whether the script wants to hear of changes of bindings.
    pub fn wants_binding_changes(&self) -> bool {
        self.current.load().as_ref().is_some_and(|g| !g.on_change.is_empty())
    }

    /// Tells `@registrar.on_change` handlers, on shard 0.
    pub fn binding_changed(&self, aor: &str, change: BindingChange) {
        if self.wants_binding_changes() {
            self.post(0, Posted::Binding { aor: aor.into(), change });
        }
    }

    /// The directories whose changes mean a reload.
    pub fn directories(&self) -> Vec<PathBuf> {
        let mut directories = self.settings.include_paths.clone();
        if let ScriptSource::File(path) = self.source() {
            directories.extend(path.parent().map(|p| p.to_path_buf()));
        }
        directories
    }

    pub(crate) fn retirements(&self) -> u64 {
        self.retirements.load(Ordering::Acquire)
    }

    pub(crate) fn services(&self) -> &dyn NodeServices {
        &*self.services
    }

    pub(crate) fn source(&self) -> ScriptSource {
        self.source.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where the next [`reload`](Self::reload) reads the script.
    pub fn set_source(&self, source: ScriptSource) {
        *self.source.write().unwrap_or_else(PoisonError::into_inner) = source;
    }

    pub(crate) fn settings(&self) -> &ScriptSettings {
        &self.settings
    }

    pub(crate) fn include_paths(&self) -> &[String] {
        &self.include_paths
    }

    pub(crate) fn sync_mode(&self) -> SyncMode {
        self.settings.sync
    }

    /// A number in 0..1 for jitter.
    pub(crate) fn dice(&self) -> f64 {
        let n = self.dice.lock().unwrap_or_else(PoisonError::into_inner).below(1 << 20);
        n as f64 / f64::from(1u32 << 20)
    }

    /// Opens the door of a shard's policy.
    pub(crate) fn open_port(&self, shard: u8, waker: Box<dyn Fn() + Send + Sync>) -> Arc<Port> {
        let port = Arc::new(Port { inbox: Mutex::default(), filled: AtomicBool::new(false), waker });
        let mut ports = self.ports.write().unwrap_or_else(PoisonError::into_inner);
        let at = usize::from(shard);
        if ports.len() <= at {
            ports.resize(at.saturating_add(1), None);
        }
        if let Some(place) = ports.get_mut(at) {
            *place = Some(port.clone());
        }
        port
    }

    fn ports_len(&self) -> u8 {
        let ports = self.ports.read().unwrap_or_else(PoisonError::into_inner);
        u8::try_from(ports.len()).unwrap_or(u8::MAX)
    }

    pub(crate) fn port(&self, shard: u8) -> Option<Arc<Port>> {
        self.ports.read().unwrap_or_else(PoisonError::into_inner).get(usize::from(shard)).cloned().flatten()
    }

    /// Hands something to a shard's policy.
    pub(crate) fn post(&self, shard: u8, posted: Posted) {
        match (self.port(shard), posted) {
            (Some(port), posted) => port.post(posted),
            (None, Posted::Send { done: Some(done), .. }) => done(Outcome::Failed("no shard runs")),
            (None, Posted::Media { done: Some(done), .. }) => {
                done(Outcome::Media(Box::new(Err(MediaFault::Down))));
            }
            (None, _) => {}
        }
    }

    pub(crate) fn wake(&self, shard: u8) {
        if let Some(port) = self.port(shard) {
            (port.waker)();
        }
    }
}

/// After a load: what is gone is collected, what stays is out of the collector's way. The collector of a test's
/// interpreter is not `ours`: it has other things to hold, and a thousand loads.
fn tidy(py: Python<'_>, ours: bool) {
    frame::forget(py);
    handler::forget_callbacks();
    let collect = || -> PyResult<()> {
        let gc = py.import("gc")?;
        gc.call_method0("unfreeze")?;
        gc.call_method0("collect")?;
        gc.call_method0("freeze")?;
        Ok(())
    };
    if ours {
        // The collector not running costs memory and nothing else.
        let _ = collect();
    }
}
