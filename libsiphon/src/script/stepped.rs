//! Scripts in virtual time, for the test kit: handlers that would run beside their shard run on its thread's behalf, one
//! at a time, until they wait; waiting is virtual.
//!
//! What pretends is a Python object of the kit (`siphon_sdk._world.World`). This file says what is asked of it, and
//! the daemon never makes one.

use super::interpreter::support;
use super::lane::Job;
use super::node_script::Script;
use super::policy::ScriptPolicy;
use super::services::LogLevel;
use super::substitutes;
use crate::base::time::{Duration, Instant};
use crate::policy::{Outcome, PolicyOutput};
use pyo3::intern;
use pyo3::prelude::*;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Where handlers run that cannot run on their shard's thread: sync ones that wait, and those of asyncio libraries.
#[derive(Clone, Debug, Default)]
pub enum ApartMode {
    /// On threads of their own, as in the daemon.
    #[default]
    Threads,
    /// One at a time, in virtual time, while the policy is called: nothing happens between two calls.
    Stepped(World),
}

/// Pretended surroundings: clock, network and dice that script code sees. One for each [`Script`].
#[derive(Clone)]
pub struct World(Arc<Py<PyAny>>);

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World(..)")
    }
}

impl World {
    /// Takes a `siphon_sdk._world.World`, and makes the clocks and dice of the interpreter ask it while code of its
    /// script runs. An interpreter whose clocks cannot be found is an error.
    pub fn new(object: &Bound<'_, PyAny>) -> PyResult<World> {
        let py = object.py();
        substitutes::install(py)?;
        object.setattr("native", Bound::new(py, substitutes::Gate)?)?;
        Ok(World(Arc::new(object.clone().unbind())))
    }

    /// The Python object.
    pub fn object<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.0.bind(py)
    }

    /// The tasks on its asyncio loop.
    pub(crate) fn tasks<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let object = self.object(py);
        let tasks = object.getattr(intern!(py, "tasks"))?;
        if !tasks.is_none() {
            return Ok(tasks);
        }
        let tasks = support(py)?.getattr("Loop")?.call1((object.getattr("loop")?,))?;
        object.setattr("tasks", &tasks)?;
        Ok(tasks)
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Option<Instant> {
        Python::attach(|py| self.object(py).getattr(intern!(py, "now_us"))?.extract().map(Instant)).ok()
    }

    fn advance(&self, now: Instant) {
        // It stores a number.
        let _ = Python::attach(|py| self.object(py).call_method1(intern!(py, "advance"), (now.0,)).map(drop));
    }

    fn run(&self) -> PyResult<()> {
        Python::attach(|py| self.object(py).call_method0(intern!(py, "run")).map(drop))
    }

    fn deadline(&self) -> Option<Instant> {
        Python::attach(|py| {
            let at = self.object(py).call_method0(intern!(py, "deadline")).ok()?;
            at.extract::<Option<u64>>().ok().flatten().map(Instant)
        })
    }

    /// Queues a handler that may wait. False when there is no room.
    pub(crate) fn lane(&self, job: Job, threads: usize, queue: usize) -> bool {
        Python::attach(|py| {
            let job = Bound::new(py, LaneJob(Mutex::new(Some(job))))?;
            self.object(py).call_method1(intern!(py, "lane"), (job, threads, queue))?.extract::<bool>()
        })
        .unwrap_or(false)
    }

    /// Lets the running handler sleep.
    pub(crate) fn sleep(&self, py: Python<'_>, duration: Duration) -> PyResult<()> {
        self.object(py).call_method1(intern!(py, "sleep"), (duration.as_secs_f64(),)).map(drop)
    }

    /// Lets the running handler of the lane wait until `begin`'s answer comes.
    pub(crate) fn wait(
        &self,
        py: Python<'_>,
        begin: impl FnOnce(Box<dyn FnOnce(Outcome) + Send>),
    ) -> PyResult<Option<Outcome>> {
        let waiter = self.object(py).call_method0(intern!(py, "waiter"))?;
        let answer: Arc<Mutex<Option<Outcome>>> = Arc::default();
        let (held, bell) = (answer.clone(), waiter.clone().unbind());
        begin(Box::new(move |outcome| {
            *held.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            // Fails only when the world is closed, and then nobody waits.
            let _ = Python::attach(|py| bell.bind(py).call_method0("notify").map(drop));
        }));
        waiter.call_method0("wait")?;
        Ok(answer.lock().unwrap_or_else(PoisonError::into_inner).take())
    }

    fn enter(&self, py: Python<'_>) -> Option<Inside> {
        self.object(py).call_method0(intern!(py, "enter")).ok().map(|_| Inside { world: self.clone() })
    }
}

/// A handler for a helper thread of the kit.
#[pyclass(frozen, module = "siphon", name = "LaneJob")]
struct LaneJob(Mutex<Option<Job>>);

#[pymethods]
impl LaneJob {
    fn __call__(&self) {
        let job = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(job) = job {
            job();
        }
    }
}

/// While it lives, code on this thread sees the world. Left when dropped.
pub(crate) struct Inside {
    world: World,
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = Python::attach(|py| self.world.object(py).call_method0(intern!(py, "leave")).map(drop));
    }
}

/// Since when.
pub(crate) struct Stopwatch<'a> {
    world: Option<(&'a World, Instant)>,
    started: std::time::Instant,
}

impl Stopwatch<'_> {
    pub(crate) fn elapsed(&self) -> Duration {
        match self.world {
            Some((world, since)) => world.now().map_or(Duration::ZERO, |now| now.since(since)),
            None => self.started.elapsed(),
        }
    }
}

impl Script {
    /// The pretended world, when there is one.
    pub(crate) fn world(&self) -> Option<&World> {
        match &self.settings().apart {
            ApartMode::Threads => None,
            ApartMode::Stepped(world) => Some(world),
        }
    }

    /// Shows the world to the code that runs next on this thread.
    pub(crate) fn inside(&self, py: Python<'_>) -> Option<Inside> {
        self.world()?.enter(py)
    }

    /// Measures what a handler takes: in the world's time, when there is a world.
    pub(crate) fn stopwatch(&self) -> Stopwatch<'_> {
        let world = self.world().and_then(|world| Some((world, world.now()?)));
        Stopwatch { world, started: std::time::Instant::now() }
    }

    /// The clock for code that no question came with.
    pub(crate) fn clock(&self) -> Instant {
        self.world().and_then(World::now).unwrap_or_else(|| self.services().now())
    }
}

impl ScriptPolicy {
    /// Sets the world's clock.
    pub(crate) fn advance(&self, now: Instant) {
        if let Some(world) = self.script.world() {
            world.advance(now);
        }
    }

    /// Lets everything in the world run that does not wait, and takes what it answers.
    pub(crate) fn settle(&mut self, now: Instant, out: &mut PolicyOutput) {
        if self.script.world().is_none() {
            return;
        }
        let script = self.script.clone();
        while let Some(world) = script.world() {
            if let Err(error) = world.run() {
                self.log(LogLevel::Error, &error.to_string(), "");
            }
            if !self.port.is_filled() {
                return;
            }
            for posted in self.port.drain() {
                self.take_posted(posted, now, out);
            }
        }
    }

    /// When the world wants to run again; shard 0 sees to it.
    pub(crate) fn world_deadline(&self) -> Option<Instant> {
        let world = self.script.world().filter(|_| self.context.shard == 0)?;
        world.deadline()
    }

    /// In a world, verdicts of code that slept on the shard's thread, which cannot wait, leave when that much time has
    /// passed. (The code itself saw the clock move on.)
    pub(crate) fn hold(&mut self, from: usize, slept: Duration, now: Instant, out: &mut PolicyOutput) {
        if slept.is_zero() || self.script.world().is_none() {
            return;
        }
        for verdict in out.verdicts.drain(from.min(out.verdicts.len())..) {
            self.held_last = self.held_last.wrapping_add(1);
            self.held.insert((now + slept, self.held_last), verdict);
        }
    }

    /// Gives out the held verdicts that are due.
    pub(crate) fn release(&mut self, now: Instant, out: &mut PolicyOutput) {
        while let Some(first) = self.held.first_entry().filter(|e| e.key().0 <= now) {
            out.verdicts.push(first.remove());
        }
    }
}
