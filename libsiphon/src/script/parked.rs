//! `async def` handlers stepped by their shard: a coroutine that awaits something of ours is parked until it is
//! granted. What was recorded is committed at each await.

use super::Map;
use super::awaitable::{Awaitable, Wish};
use super::call::Call;
use super::context::{self, Mode};
use super::dispatch::{Task, conclude, unmade};
use super::errors::Cancelled;
use super::frame::{Step, step};
use super::generation::Generation;
use super::handler::Handler;
use super::policy::ScriptPolicy;
use super::stepped::{Stopwatch, World};
use crate::base::text::Text;
use crate::base::time::Instant;
use crate::policy::{Outcome, PolicyOutput, Ticket, WaitId, Want};
use crate::wire::ng::{Command, MediaRequest};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A call that is stepped.
pub(crate) struct Run {
    ticket: Option<Ticket>,
    handler: Arc<Handler>,
    generation: Arc<Generation>,
    call: Call,
    coroutine: Py<PyAny>,
}

/// A run at an await.
struct Parked {
    run: Run,
    awaitable: Py<Awaitable>,
    due: Option<Instant>,
}

enum Waiter {
    Coroutine(Box<Parked>),
    /// A lane thread or a task of the loop.
    Outside(Box<dyn FnOnce(Outcome) + Send>),
}

/// Who waits for what.
#[derive(Default)]
pub(crate) struct Parking {
    waiting: Map<WaitId, Waiter>,
    tickets: Map<Ticket, WaitId>,
    sleeping: BTreeSet<(Instant, u64)>,
    /// Calls whose offer is on its way and whose handler was cancelled; each is answered by its ticket's deadline.
    orphans: Map<WaitId, Text>,
    last: u64,
}

impl Parking {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    fn fresh(&mut self) -> WaitId {
        self.last = self.last.wrapping_add(1);
        WaitId(self.last)
    }

    /// Somebody outside the shard waits.
    pub(crate) fn outside(&mut self, done: Box<dyn FnOnce(Outcome) + Send>) -> WaitId {
        let wait = self.fresh();
        self.waiting.insert(wait, Waiter::Outside(done));
        wait
    }

    pub(crate) fn by_ticket(&self, ticket: Ticket) -> Option<WaitId> {
        self.tickets.get(&ticket).copied()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.sleeping.first().map(|(at, _)| *at)
    }

    pub(crate) fn next_due(&mut self, now: Instant) -> Option<WaitId> {
        let (at, wait) = *self.sleeping.first()?;
        (at <= now).then_some(WaitId(wait))
    }

    /// What is parked in generations that were ended.
    pub(crate) fn in_retired(&self) -> Vec<(WaitId, Option<Ticket>)> {
        let mut found: Vec<_> = self
            .waiting
            .iter()
            .filter_map(|(wait, waiter)| match waiter {
                Waiter::Coroutine(parked) if parked.run.generation.is_retired() => {
                    Some((*wait, parked.run.ticket))
                }
                _ => None,
            })
            .collect();
        // The order of a map decides nothing.
        found.sort_by_key(|(wait, _)| wait.0);
        found
    }

    fn park(&mut self, wait: WaitId, parked: Parked) {
        if let Some(ticket) = parked.run.ticket {
            self.tickets.insert(ticket, wait);
        }
        if let Some(due) = parked.due {
            self.sleeping.insert((due, wait.0));
        }
        self.waiting.insert(wait, Waiter::Coroutine(Box::new(parked)));
    }

    fn take(&mut self, wait: WaitId) -> Option<Waiter> {
        let waiter = self.waiting.remove(&wait)?;
        if let Waiter::Coroutine(parked) = &waiter {
            if let Some(ticket) = parked.run.ticket {
                self.tickets.remove(&ticket);
            }
            if let Some(due) = parked.due {
                self.sleeping.remove(&(due, wait.0));
            }
        }
        Some(waiter)
    }
}

impl ScriptPolicy {
    /// Starts an `async def` handler.
    pub(crate) fn start(&mut self, task: Task, out: &mut PolicyOutput) {
        if self.parking.len() >= self.script.settings().max_parked {
            let (refusal, now) = (task.refusal(), task.now);
            return self.refuse(refusal, "too many handlers are parked", now, out);
        }
        let Task { ticket, handler, generation, input, now } = task;
        self.stage(Mode::Async, Some(&input), now);
        let (from, context) = (out.verdicts.len(), self.context.clone());
        let took = Python::attach(|py| {
            let _entered = context::enter(&context);
            let _inside = context.script.inside(py);
            let watch = context.script.stopwatch();
            let made = Call::make(py, handler.event, input, self.script.services(), now, &mut self.spare)
                .and_then(|call| {
                    let coroutine = call.invoke(py, &handler)?.unbind();
                    Ok(Run { ticket, handler, generation, call, coroutine })
                });
            match made {
                Ok(run) => self.step(py, run, None, &watch, out),
                Err(error) => out.verdicts.extend(ticket.map(|t| (t, unmade(&error)))),
            }
            watch.elapsed()
        });
        self.hold(from, took, now, out);
    }

    /// Runs a coroutine to its next await of something that is not there yet, or to its end.
    fn step(
        &mut self,
        py: Python<'_>,
        run: Run,
        mut raise: Option<PyErr>,
        watch: &Stopwatch<'_>,
        out: &mut PolicyOutput,
    ) {
        let coroutine = run.coroutine.bind(py);
        loop {
            let stepped = match raise.take() {
                None => step(coroutine),
                Some(error) => throw(coroutine, error),
            };
            match stepped {
                Ok(Step::Awaits(awaited)) => match awaited.cast_into::<Awaitable>() {
                    Ok(awaitable) => match awaitable.get().take_wish() {
                        Some(wish) => {
                            let (event, took) = (run.handler.event, watch.elapsed());
                            self.park(run, awaitable.unbind(), wish, out);
                            return self.ran(event, took, true, out);
                        }
                        None => raise = Some(PyRuntimeError::new_err("it is awaited elsewhere already")),
                    },
                    Err(foreign) => {
                        // Only an asyncio loop can resume it; the next call of this handler runs there.
                        run.handler.set_apart();
                        let kind =
                            foreign.into_inner().get_type().name().map(|n| n.to_string()).unwrap_or_default();
                        let text =
                            format!("{kind} needs the asyncio loop; this handler runs there from now on");
                        raise = Some(PyRuntimeError::new_err(text));
                    }
                },
                Ok(Step::Returned) => return self.finish(py, run, None, watch, out),
                Err(error) => {
                    if !run.handler.runs_apart() && wants_loop(py, &error) {
                        run.handler.set_apart();
                    }
                    return self.finish(py, run, Some(error), watch, out);
                }
            }
        }
    }

    fn finish(
        &mut self,
        py: Python<'_>,
        run: Run,
        error: Option<PyErr>,
        watch: &Stopwatch<'_>,
        out: &mut PolicyOutput,
    ) {
        let verdict = conclude(py, &self.context, &run.call, &run.handler, &run.generation, error.as_ref());
        if let Some(ticket) = run.ticket {
            out.verdicts.push((ticket, verdict));
        }
        self.flush(out);
        let (took, ok) = (watch.elapsed(), error.is_none());
        drop((error, run.coroutine));
        run.call.into_spare(py, &mut self.spare);
        self.ran(run.handler.event, took, ok, out);
    }

    /// Commits what was recorded and leaves the coroutine until its wish is granted.
    fn park(&mut self, run: Run, awaitable: Py<Awaitable>, wish: Wish, out: &mut PolicyOutput) {
        if let (Some(ticket), Some(verdict)) =
            (run.ticket, run.call.commit(&run.generation, &run.handler, false))
        {
            out.verdicts.push((ticket, verdict));
        }
        self.flush(out);
        let wait = self.parking.fresh();
        let due = match wish {
            Wish::Sleep(duration) => {
                let now = self.script.world().and_then(World::now).unwrap_or_else(|| self.context.now());
                Some(now + duration)
            }
            Wish::Media(media) => {
                out.wants.push(Want::Media { wait: Some(wait), request: media.request });
                None
            }
            Wish::Send(request) => {
                out.wants.push(Want::SendRequest { wait: Some(wait), request: *request });
                None
            }
        };
        self.parking.park(wait, Parked { run, awaitable, due });
    }

    /// What somebody waits for has come.
    pub(crate) fn granted(
        &mut self,
        wait: WaitId,
        outcome: Option<Outcome>,
        now: Instant,
        out: &mut PolicyOutput,
    ) {
        match self.parking.take(wait) {
            Some(Waiter::Coroutine(parked)) => self.go_on(*parked, Ok(outcome), now, out),
            Some(Waiter::Outside(done)) => {
                if let Some(outcome) = outcome {
                    done(outcome);
                }
            }
            None => self.take_away(wait, outcome, out),
        }
    }

    /// What nobody waits for any more has come: the sessions of an offer would stay for ever.
    fn take_away(&mut self, wait: WaitId, outcome: Option<Outcome>, out: &mut PolicyOutput) {
        let Some(call_id) = self.parking.orphans.remove(&wait) else { return };
        if let Some(Outcome::Media(answer)) = outcome
            && let Ok(reply) = *answer
        {
            let request = MediaRequest { command: Command::delete(call_id), at: Some(reply.instance) };
            out.wants.push(Want::Media { wait: None, request: Box::new(request) });
        }
    }

    /// The transaction of a parked handler is gone: it gets `Cancelled` at its await.
    pub(crate) fn cancel_parked(&mut self, wait: WaitId, out: &mut PolicyOutput) {
        if let Some(Waiter::Coroutine(mut parked)) = self.parking.take(wait) {
            if let Some(call_id) = parked.awaitable.get().offers() {
                self.parking.orphans.insert(wait, call_id.clone());
            }
            parked.run.call.end();
            parked.run.ticket = None;
            let now = self.context.now();
            self.go_on(*parked, Err(Cancelled::new_err("the transaction has ended")), now, out);
        }
    }

    fn go_on(
        &mut self,
        parked: Parked,
        with: Result<Option<Outcome>, PyErr>,
        now: Instant,
        out: &mut PolicyOutput,
    ) {
        let Parked { run, awaitable, .. } = parked;
        self.stage(Mode::Async, None, now);
        self.context.set_subject(run.call.subject());
        let (from, context) = (out.verdicts.len(), self.context.clone());
        let took = Python::attach(|py| {
            let _entered = context::enter(&context);
            let _inside = context.script.inside(py);
            let watch = context.script.stopwatch();
            let raise = match with {
                Ok(outcome) => {
                    awaitable.get().resolve(py, outcome);
                    None
                }
                Err(error) => Some(error),
            };
            // Let go of here: without the interpreter it would have to be put off.
            drop(awaitable);
            self.step(py, run, raise, &watch, out);
            watch.elapsed()
        });
        self.hold(from, took, now, out);
    }
}

fn throw<'py>(coroutine: &Bound<'py, PyAny>, error: PyErr) -> PyResult<Step<'py>> {
    let py = coroutine.py();
    match coroutine.call_method1("throw", (error.into_value(py),)) {
        Ok(awaited) => Ok(Step::Awaits(awaited)),
        Err(stop) if stop.is_instance_of::<pyo3::exceptions::PyStopIteration>(py) => Ok(Step::Returned),
        Err(error) => Err(error),
    }
}

/// Whether a coroutine failed for want of a running asyncio loop.
fn wants_loop(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyRuntimeError>(py) && error.value(py).to_string().contains("event loop")
}
