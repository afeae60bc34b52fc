//! The three ways to run a handler: inline, in the lane, on the asyncio loop. (Stepping is in `parked`.)

use super::bridge::{self, Apart, LoopJob};
use super::call::{Call, Input};
use super::context::{self, Context, Mode};
use super::errors::Cancelled;
use super::generation::Generation;
use super::handler::{Handler, Runs};
use super::node_script::{Posted, Script, SyncMode};
use super::policy::ScriptPolicy;
use super::services::LogLevel;
use crate::base::time::{Duration, Instant};
use crate::policy::{Decision, PolicyOutput, QuestionKind, ReplySpec, Ticket, Verdict, Want};
use pyo3::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A handler to be run.
pub(crate) struct Task {
    pub(crate) ticket: Option<Ticket>,
    pub(crate) handler: Arc<Handler>,
    pub(crate) generation: Arc<Generation>,
    pub(crate) input: Input,
    pub(crate) now: Instant,
}

impl Task {
    /// What is answered when there is no room to run it: 503 to a request; other questions go their way unasked.
    pub(crate) fn refusal(&self) -> Option<(Ticket, Verdict)> {
        let is_request =
            matches!(&self.input, Input::Question(q, _) if matches!(q.kind, QuestionKind::Request));
        let verdict = match is_request {
            true => Verdict::of(Decision::Reply(ReplySpec::code(503))),
            false => Verdict::default(),
        };
        self.ticket.map(|ticket| (ticket, verdict))
    }
}

/// The final verdict of a call that returned or raised.
pub(crate) fn conclude(
    py: Python<'_>,
    context: &Context,
    call: &Call,
    handler: &Handler,
    generation: &Arc<Generation>,
    error: Option<&PyErr>,
) -> Verdict {
    match error {
        None => call.commit(generation, handler, true).unwrap_or_default(),
        Some(error) if call.has_ended() && error.is_instance_of::<Cancelled>(py) => {
            // What a handler that does not catch it does: nothing went wrong.
            context.forget_wants();
            call.abandon();
            Verdict::default()
        }
        Some(error) => {
            context.forget_wants();
            let (text, line) = generation.describe(py, error);
            call.fail(text, line, handler, context.services())
        }
    }
}

/// A handler that could not even be called.
pub(crate) fn unmade(error: &PyErr) -> Verdict {
    Verdict::of(Decision::Failed(format!("the handler cannot be called: {error}").into()))
}

/// Sends what a handler apart from its shard wanted besides.
pub(crate) fn post_wants(context: &Context) {
    let mut wants = Vec::new();
    context.drain_wants(&mut wants);
    for want in wants {
        if let Want::SendRequest { request, .. } = want {
            context.script.post(context.shard, Posted::Send { request: Box::new(request), done: None });
        }
    }
}

impl ScriptPolicy {
    pub(crate) fn dispatch(&mut self, task: Task, out: &mut PolicyOutput) {
        match task.handler.runs() {
            Runs::Inline if !self.script.lanes.is_busy() => self.inline(task, out),
            Runs::Inline => self.run_in_lane(task, true, out),
            Runs::Lane => self.run_in_lane(task, false, out),
            // The loop's thread may wait for the interpreter; the shard may not.
            Runs::Stepped if self.script.lanes.is_busy() => self.run_on_loop(task, out),
            Runs::Stepped => self.start(task, out),
            Runs::Loop => self.run_on_loop(task, out),
        }
    }

    /// Runs a sync handler here and now.
    fn inline(&mut self, task: Task, out: &mut PolicyOutput) {
        let Task { ticket, handler, generation, input, now } = task;
        self.stage(Mode::Inline, Some(&input), now);
        let from = out.verdicts.len();
        let (took, ok) = Python::attach(|py| {
            let _entered = context::enter(&self.context);
            let _inside = self.script.inside(py);
            // From here: waiting for the interpreter is not the handler's doing.
            let watch = self.script.stopwatch();
            let (verdict, ok) =
                match Call::make(py, handler.event, input, self.script.services(), now, &mut self.spare) {
                    Ok(call) => {
                        let error = call.invoke(py, &handler).err();
                        let verdict =
                            conclude(py, &self.context, &call, &handler, &generation, error.as_ref());
                        let ok = error.is_none();
                        // Its traceback holds the request.
                        drop(error);
                        call.into_spare(py, &mut self.spare);
                        (verdict, ok)
                    }
                    Err(error) => (unmade(&error), false),
                };
            if let Some(ticket) = ticket {
                out.verdicts.push((ticket, verdict));
            }
            (watch.elapsed(), ok)
        });
        self.hold(from, took, now, out);
        self.flush(out);
        self.ran(handler.event, took, ok, out);
        self.run_delay.called();
        let settings = self.script.settings();
        // `script.sync: inline` is always on the shard's thread.
        let budget = if settings.sync == SyncMode::Inline { Duration::MAX } else { settings.budget };
        // Being kept off the processor is not the handler's doing either; looked at only when it matters.
        let on_time = |policy: &mut Self| took.saturating_sub(policy.run_delay.since()) <= budget;
        let over = took > budget && (self.script.world().is_some() || !on_time(self));
        if over && handler.over_budget(self.script.lanes.is_busy()) {
            let text = format!(
                "{} ({}) took {} ms on its shard's thread; from now on it runs in the lane",
                handler.name,
                handler.event.name(),
                took.as_millis()
            );
            self.log(LogLevel::Warning, &text, &handler.line);
        }
    }

    /// Runs a sync handler on another thread: in the lane, or on the express thread when it is only the interpreter
    /// that is taken.
    fn run_in_lane(&mut self, task: Task, express: bool, out: &mut PolicyOutput) {
        let (ticket, refusal, now) = (task.ticket, task.refusal(), task.now);
        let apart = Apart::new();
        let (script, shard, shared) = (self.script.clone(), self.context.shard, apart.clone());
        let job = Box::new(move || run_apart(&script, shard, task, &shared, express));
        let (lanes, settings) = (&self.script.lanes, self.script.settings());
        let submitted = match self.script.world() {
            Some(world) => world.lane(job, settings.lane_threads, settings.lane_queue),
            None if express => lanes.express(job).is_ok(),
            None => lanes.submit(job).is_ok(),
        };
        match (submitted, ticket) {
            (true, Some(ticket)) => {
                self.apart.insert(ticket, (apart, 0));
            }
            (true, None) => {}
            (false, _) => self.refuse(refusal, "the lane is full", now, out),
        }
    }

    /// Runs an `async def` handler as a task of the asyncio loop.
    fn run_on_loop(&mut self, task: Task, out: &mut PolicyOutput) {
        let refusal = task.refusal();
        let Task { ticket, handler, generation, input, now } = task;
        let context = Context::new(self.script.clone(), self.context.shard, Mode::Async);
        context.set_now(now);
        context.set_subject(input.subject());
        let apart = Apart::new();
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let submitted = Python::attach(|py| -> PyResult<bool> {
            let _entered = context::enter(&context);
            let _inside = self.script.inside(py);
            let call =
                Arc::new(Call::make(py, handler.event, input, self.script.services(), now, &mut None)?);
            apart.started(&call);
            let coroutine = call.invoke(py, &handler)?;
            let (apart, outer) = (apart.clone(), Mutex::new(None));
            let job = LoopJob { call, handler, generation, ticket, context: context.clone(), apart, outer };
            bridge::submit(&coroutine, number, job)
        });
        match (submitted, ticket) {
            (Ok(true), Some(ticket)) => {
                self.apart.insert(ticket, (apart, number));
            }
            (Ok(true), None) => {}
            (Ok(false), _) => self.refuse(refusal, "the asyncio loop has too many tasks", now, out),
            (Err(error), ticket) => out.verdicts.extend(ticket.map(|t| (t, unmade(&error)))),
        }
    }
}

/// The job of a lane thread.
fn run_apart(script: &Arc<Script>, shard: u8, task: Task, apart: &Apart, express: bool) {
    let Task { ticket, handler, generation, input, now } = task;
    let context = Context::new(script.clone(), shard, if express { Mode::Inline } else { Mode::Lane });
    context.set_now(now);
    context.set_subject(input.subject());
    let (verdict, took, ok) = Python::attach(|py| {
        let _entered = context::enter(&context);
        let _inside = script.inside(py);
        let watch = script.stopwatch();
        match Call::make(py, handler.event, input, script.services(), now, &mut None) {
            Ok(call) => {
                let call = Arc::new(call);
                apart.started(&call);
                let error = call.invoke(py, &handler).err();
                let verdict = conclude(py, &context, &call, &handler, &generation, error.as_ref());
                (verdict, watch.elapsed(), error.is_none())
            }
            Err(error) => (unmade(&error), watch.elapsed(), false),
        }
    });
    post_wants(&context);
    script.post(shard, Posted::Ran { event: handler.event, took, ok, request: context.take_message() });
    if let Some(ticket) = ticket {
        script.post(shard, Posted::Verdict(ticket, Box::new(verdict)));
    }
}
