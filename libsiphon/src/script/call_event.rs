//! One call of a `@b2bua` handler: its arguments, and the verdict that its verbs amount to.

use super::call_object::CallObject;
use super::call_parts::ByeInitiator;
use super::call_state::CallState;
use super::context::Subject;
use super::generation::Generation;
use super::handler::{Event, Handler};
use super::record::complain;
use super::reply::{Reply, ReplyState};
use super::services::{LogLevel, NodeServices};
use crate::base::text::Text;
use crate::policy::{CallAction, CallEvent, Decision, Question, QuestionKind, Verdict};
use pyo3::prelude::*;
use std::sync::Arc;

/// The event of a call that a question is about.
pub(crate) fn event_of(question: &Question) -> Option<Event> {
    match &question.kind {
        QuestionKind::Request => question.may_call.is_some().then_some(Event::CallInvite),
        QuestionKind::Call(asked) => Some(match &asked.event {
            CallEvent::EarlyMedia { .. } => Event::CallEarlyMedia,
            CallEvent::Answered { .. } => Event::CallAnswer,
            CallEvent::Failed { .. } => Event::CallFailure,
            CallEvent::Bye { .. } => Event::CallBye,
            CallEvent::Cancelled => Event::CallCancel,
            CallEvent::Refer { .. } => Event::CallRefer,
        }),
        _ => None,
    }
}

/// Our id of the call that a question is about.
pub(crate) fn id_of(question: &Question) -> Option<&Text> {
    match &question.kind {
        QuestionKind::Call(asked) => Some(&asked.call.id),
        _ => question.may_call.as_ref(),
    }
}

/// A handler of a call with its arguments.
pub(crate) struct Talk {
    call: Py<CallObject>,
    with: With,
}

/// What a handler gets besides the call.
enum With {
    Nothing,
    Reply(Py<Reply>),
    Failure(u16, Text),
    Initiator(Py<ByeInitiator>),
}

impl Talk {
    /// Makes the arguments.
    pub(crate) fn make(
        py: Python<'_>,
        question: Question,
        event: Event,
        services: &dyn NodeServices,
    ) -> PyResult<Talk> {
        let call = Py::new(py, CallObject::new(CallState::new(&question, event, services)))?;
        let with = match question.kind {
            QuestionKind::Call(asked) => match asked.event {
                CallEvent::EarlyMedia { reply } | CallEvent::Answered { reply } => {
                    With::Reply(Py::new(py, Reply::new(reply, None, false))?)
                }
                CallEvent::Failed { code, reason, .. } => With::Failure(code, reason),
                CallEvent::Bye { initiator } => With::Initiator(Py::new(py, ByeInitiator(initiator))?),
                CallEvent::Cancelled | CallEvent::Refer { .. } => With::Nothing,
            },
            _ => With::Nothing,
        };
        Ok(Talk { call, with })
    }

    pub(crate) fn invoke<'py>(&self, function: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match &self.with {
            With::Nothing => function.call1((&self.call,)),
            With::Reply(reply) => function.call1((&self.call, reply)),
            With::Failure(code, reason) => function.call1((&self.call, code, &**reason)),
            With::Initiator(initiator) => function.call1((&self.call, initiator)),
        }
    }

    /// The call is gone: verbs raise from now on.
    pub(crate) fn end(&self) {
        self.call.get().state().invite.ended = true;
        if let With::Reply(reply) = &self.with {
            reply.get().state().ended = true;
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.call.get().state().invite.ended
    }

    /// Takes back what was recorded since the last commit.
    pub(crate) fn abandon(&self) {
        self.call.get().state().roll_back();
    }

    pub(crate) fn subject(&self) -> Subject {
        let state = self.call.get().state();
        Subject { message: Some(state.invite.message.clone()), call: Some(state.view.id.clone()) }
    }

    /// The verdict of what was recorded until here; at an await, `None` when there is nothing to commit.
    pub(crate) fn commit(
        &self,
        generation: &Arc<Generation>,
        handler: &Handler,
        finished: bool,
    ) -> Option<Verdict> {
        let mut guard = self.call.get().state();
        let state = &mut *guard;
        if state.invite.ended {
            return finished.then(Verdict::default);
        }
        let mut verdict = Verdict { finished, ..Verdict::default() };
        let mut is_dropped = None;
        if let With::Reply(reply) = &self.with {
            is_dropped = said_of_reply(state, &mut reply.get().state(), &mut verdict);
        } else if state.invite.record.before.take().is_some() {
            verdict.message = Some(state.invite.message.clone());
            verdict.consumed_routes = Some(state.invite.consumed_routes);
        }
        verdict.reply_headers = std::mem::take(&mut state.invite.record.reply_headers);
        let (actions, line) = state.take();
        verdict.script_line = line.or_else(|| is_dropped.clone());
        match is_dropped {
            Some(line) => {
                if !actions.is_empty() {
                    let text =
                        format!("reply.drop() at {line} stands alone: nothing else is done with the call");
                    complain(LogLevel::Error, &text, &line, &state.invite.message);
                }
                verdict.decision = Some(Decision::Drop);
            }
            None if !actions.is_empty() => {
                verdict.interest = generation.call_interest();
                verdict.decision = Some(Decision::Call(actions));
            }
            None => {}
        }
        if finished && state.event == Event::CallInvite && !state.has_decided() {
            let text = format!(
                "{} at {} decided nothing: dial, fork, answer, reject or terminate the call",
                handler.name, handler.line
            );
            verdict = Verdict {
                script_line: Some(handler.line.clone()),
                ..Verdict::of(Decision::Failed(text.into()))
            };
        }
        let something =
            verdict.decision.is_some() || verdict.message.is_some() || !verdict.reply_headers.is_empty();
        (finished || something).then_some(verdict)
    }

    /// The verdict when the handler raised: what was recorded since the last commit is dropped.
    pub(crate) fn fail(&self, text: String, line: Text) -> Verdict {
        self.abandon();
        let state = self.call.get().state();
        let is_over = matches!(state.event, Event::CallBye | Event::CallCancel);
        if state.invite.ended || state.invite.committed.is_some() || is_over {
            complain(LogLevel::Error, &text, &line, &state.invite.message);
            return Verdict::default();
        }
        Verdict { script_line: Some(line), ..Verdict::of(Decision::Failed(text.into())) }
    }
}

/// Takes over what the handler did to the response in question. The line that dropped it comes back.
fn said_of_reply(state: &mut CallState, reply: &mut ReplyState, verdict: &mut Verdict) -> Option<Text> {
    if std::mem::take(&mut reply.edited) {
        verdict.message = Some(reply.message.clone());
    }
    match reply.decided.take()? {
        (Decision::Reply(spec), line) => {
            let verb = format!("reply.reject({})", spec.code);
            state.decide_at(line, &verb, CallAction::Reject(spec));
            None
        }
        (_, line) => Some(line),
    }
}
