//! One shard's policy: finds the handler of a question and hands it on; takes answers that come later.

use super::Map;
use super::bridge::Apart;
use super::call::Input;
use super::call_event;
use super::context::{Context, Mode};
use super::dispatch::Task;
use super::generation::Generation;
use super::handler::{Event, Handler};
use super::node_script::{Port, Posted, Script};
use super::parked::Parking;
use super::record::TransactionKeep;
use super::request::Request;
use super::run_delay::RunDelay;
use super::services::{LogLevel, LogLine};
use crate::base::text::Text;
use crate::base::time::{Duration, Instant};
use crate::policy::{
    Decision, Interest, Notice, Outcome, Policy, PolicyOutput, Question, QuestionKind, Ticket, Verdict,
    WaitId, Want,
};
use crate::wire::sip::Message;
use pyo3::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Decides for one shard by the node's script.
pub struct ScriptPolicy {
    pub(crate) script: Arc<Script>,
    pub(crate) port: Arc<Port>,
    pub(crate) context: Arc<Context>,
    pub(crate) parking: Parking,
    /// Calls in the lane or on the asyncio loop, by ticket; the number names the task on the loop.
    pub(crate) apart: Map<Ticket, (Arc<Apart>, u64)>,
    pub(crate) spare: Option<Py<Request>>,
    pub(crate) run_delay: RunDelay,
    names: [Text; Event::ALL.len()],
    full_told: Instant,
    retired_seen: u64,
    /// Verdicts of code that slept where it cannot wait (in a stepped world only).
    pub(crate) held: BTreeMap<(Instant, u64), (Ticket, Verdict)>,
    pub(crate) held_last: u64,
}

impl ScriptPolicy {
    /// The policy of `shard`. `waker` makes the shard's driver call `wake` soon; it is called from any thread.
    pub fn new(script: &Arc<Script>, shard: u8, waker: Box<dyn Fn() + Send + Sync>) -> Self {
        ScriptPolicy {
            port: script.open_port(shard, waker),
            context: Context::new(script.clone(), shard, Mode::Inline),
            script: script.clone(),
            parking: Parking::default(),
            apart: Map::default(),
            spare: None,
            run_delay: RunDelay::default(),
            names: Event::ALL.map(|e| e.name().into()),
            full_told: Instant::EPOCH,
            retired_seen: 0,
            held: BTreeMap::new(),
            held_last: 0,
        }
    }

    /// Handlers that have not come to their end: parked at an await, in the lane, or on the asyncio loop.
    pub fn pending(&self) -> usize {
        self.parking.len().saturating_add(self.apart.len()).saturating_add(self.held.len())
    }

    /// Sets the stage for Python code of this shard.
    pub(crate) fn stage(&self, mode: Mode, input: Option<&Input>, now: Instant) {
        self.context.set_now(now);
        self.context.set_mode(mode);
        self.context.set_subject(input.map(Input::subject).unwrap_or_default());
    }

    /// Hands over what a handler wanted besides its verdict.
    pub(crate) fn flush(&self, out: &mut PolicyOutput) {
        self.context.drain_wants(&mut out.wants);
    }

    /// Tells the observers that a handler ran. The stage is left: its message goes to those who read about it.
    pub(crate) fn ran(&self, event: Event, took: Duration, ok: bool, out: &mut PolicyOutput) {
        self.ran_about(event, took, ok, self.context.take_message(), out);
    }

    fn ran_about(
        &self,
        event: Event,
        took: Duration,
        ok: bool,
        request: Option<Message>,
        out: &mut PolicyOutput,
    ) {
        if let Some(name) = self.names.get(event as usize) {
            out.wants.push(Want::Tell(Notice::HandlerRan { handler: name.clone(), took, ok, request }));
        }
    }

    pub(crate) fn log(&self, level: LogLevel, text: &str, line: &str) {
        let line = LogLine { level, text, fields: &[], script_line: line, call_id: None };
        self.script.services().log(line);
    }

    /// Answers when there is no room to run a handler; said in the log once a second at most.
    pub(crate) fn refuse(
        &mut self,
        refusal: Option<(Ticket, Verdict)>,
        why: &str,
        now: Instant,
        out: &mut PolicyOutput,
    ) {
        if now.since(self.full_told).as_secs() >= 1 {
            self.full_told = now;
            self.log(LogLevel::Error, &format!("{why}: requests are answered 503 until there is room"), "");
        }
        out.verdicts.extend(refusal);
    }

    /// The handler of a question, by the generation that began its transaction; of a call, by the newest.
    fn find(
        &self,
        question: &Question,
        held: Option<&Arc<TransactionKeep>>,
    ) -> Option<(Arc<Handler>, Arc<Generation>)> {
        let current;
        let of_call = call_event::event_of(question);
        let generation = match held.filter(|_| of_call.is_none()) {
            Some(held) if held.generation.is_retired() => return None,
            Some(held) => &held.generation,
            None => {
                current = self.script.load_current();
                current.as_ref()?
            }
        };
        let handler = match question.kind {
            QuestionKind::Call(_) => generation.call_handler(of_call?),
            QuestionKind::Request => {
                let begins = of_call.and_then(|event| generation.call_handler(event));
                begins.or_else(|| generation.request_handler(&question.request))
            }
            QuestionKind::Reply { .. } => {
                held.and_then(|k| k.on_reply.as_ref()).or(generation.on_reply.as_ref())
            }
            QuestionKind::Failure { .. } => {
                held.and_then(|k| k.on_failure.as_ref()).or(generation.on_failure.as_ref())
            }
            QuestionKind::Cancelled => generation.on_cancel.as_ref(),
        }?;
        Some((handler.clone(), generation.clone()))
    }

    fn due_timers(&mut self, now: Instant, out: &mut PolicyOutput) {
        if self.context.shard != 0 {
            return;
        }
        let script = self.script.clone();
        for due in script.timers.due(now, || script.dice()) {
            let (handler, generation) = (due.handler, due.generation);
            self.dispatch(Task { ticket: None, handler, generation, input: Input::Timer, now }, out);
        }
    }

    fn binding_changed(
        &mut self,
        aor: Text,
        change: crate::event::BindingChange,
        now: Instant,
        out: &mut PolicyOutput,
    ) {
        let Some(generation) = self.script.current() else { return };
        for handler in &generation.on_change {
            let input = Input::Binding { aor: aor.clone(), change };
            let task =
                Task { ticket: None, handler: handler.clone(), generation: generation.clone(), input, now };
            self.dispatch(task, out);
        }
    }

    pub(crate) fn take_posted(&mut self, posted: Posted, now: Instant, out: &mut PolicyOutput) {
        match posted {
            Posted::Verdict(ticket, verdict) => {
                if verdict.finished {
                    self.apart.remove(&ticket);
                }
                out.verdicts.push((ticket, *verdict));
            }
            Posted::Send { request, done } => {
                let wait = done.map(|done| self.parking.outside(done));
                out.wants.push(Want::SendRequest { wait, request: *request });
            }
            Posted::Media { request, done } => {
                let wait = done.map(|done| self.parking.outside(done));
                out.wants.push(Want::Media { wait, request });
            }
            Posted::Binding { aor, change } => self.binding_changed(aor, change, now, out),
            Posted::Ran { event, took, ok, request } => self.ran_about(event, took, ok, request, out),
        }
    }

    /// Ends what is parked in generations that were retired.
    fn end_retired(&mut self, out: &mut PolicyOutput) {
        let seen = self.script.retirements();
        if std::mem::replace(&mut self.retired_seen, seen) == seen {
            return;
        }
        for (wait, ticket) in self.parking.in_retired() {
            self.cancel_parked(wait, out);
            if let Some(ticket) = ticket {
                let text = "the handler's generation of the script was ended while it awaited";
                out.verdicts.push((ticket, Verdict::of(Decision::Failed(text.into()))));
            }
        }
    }
}

impl Policy for ScriptPolicy {
    fn ask(&mut self, ticket: Ticket, question: Question, now: Instant, out: &mut PolicyOutput) {
        self.advance(now);
        let held = question.keep.as_ref().and_then(|k| k.0.clone().downcast::<TransactionKeep>().ok());
        match self.find(&question, held.as_ref()) {
            Some((handler, generation)) => {
                let input = Input::Question(Box::new(question), held);
                self.dispatch(Task { ticket: Some(ticket), handler, generation, input, now }, out);
            }
            None => {
                let is_request = matches!(question.kind, QuestionKind::Request);
                let decision = is_request.then_some(Decision::RoleProcedure);
                out.verdicts.push((ticket, Verdict { decision, ..Verdict::default() }));
            }
        }
        self.settle(now, out);
    }

    fn resume(&mut self, wait: WaitId, outcome: Outcome, now: Instant, out: &mut PolicyOutput) {
        self.advance(now);
        self.granted(wait, Some(outcome), now, out);
        self.settle(now, out);
    }

    fn withdraw(&mut self, ticket: Ticket, now: Instant, out: &mut PolicyOutput) {
        self.advance(now);
        self.context.set_now(now);
        self.held.retain(|_, (held, _)| *held != ticket);
        if let Some(wait) = self.parking.by_ticket(ticket) {
            self.cancel_parked(wait, out);
        }
        if let Some((apart, number)) = self.apart.remove(&ticket) {
            apart.end();
            if number != 0 {
                Python::attach(|py| {
                    // The loop runs as long as the process.
                    let _ = super::bridge::cancel(py, &self.script, number);
                });
            }
        }
        self.settle(now, out);
    }

    fn deadline(&self) -> Option<Instant> {
        if self.port.is_filled() || self.retired_seen != self.script.retirements() {
            return Some(Instant::EPOCH);
        }
        let timers = if self.context.shard == 0 { self.script.timers.deadline() } else { None };
        let held = self.held.first_key_value().map(|(key, _)| key.0);
        [timers, self.parking.deadline(), held, self.world_deadline()].into_iter().flatten().min()
    }

    fn wake(&mut self, now: Instant, out: &mut PolicyOutput) {
        self.advance(now);
        self.release(now, out);
        if self.port.is_filled() {
            for posted in self.port.drain() {
                self.take_posted(posted, now, out);
            }
        }
        while let Some(wait) = self.parking.next_due(now) {
            self.granted(wait, None, now, out);
        }
        self.end_retired(out);
        self.due_timers(now, out);
        self.settle(now, out);
    }

    fn interest(&self) -> Interest {
        self.script.interest()
    }
}
