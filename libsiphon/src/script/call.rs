//! One call of a handler: its arguments as Python objects, and the verdict that its verbs amount to.

use super::call_event::{self, Talk};
use super::context::Subject;
use super::frame::references;
use super::generation::Generation;
use super::handler::{Event, Handler};
use super::record::{KeepSource, Phase, TransactionKeep, complain};
use super::registrar_namespace::Contact;
use super::reply::Reply;
use super::request::{Request, State};
use super::services::{LogLevel, NodeServices};
use crate::base::text::Text;
use crate::base::time::Instant;
use crate::event::BindingChange;
use crate::policy::{Decision, Question, QuestionKind, Verdict};
use crate::wire::sip::Method;
use pyo3::prelude::*;
use std::sync::Arc;

/// What a handler is called about, before it has become Python objects.
pub(crate) enum Input {
    Question(Box<Question>, Option<Arc<TransactionKeep>>),
    Timer,
    Binding { aor: Text, change: BindingChange },
}

impl Input {
    /// What log lines name.
    pub(crate) fn subject(&self) -> Subject {
        match self {
            Input::Question(question, _) => {
                let call = call_event::id_of(question).cloned();
                Subject { message: Some(question.request.clone()), call }
            }
            _ => Subject::default(),
        }
    }
}

/// A call with its arguments.
pub(crate) enum Call {
    Request(Py<Request>),
    Cancelled(Py<Request>),
    Reply(Py<Request>, Py<Reply>),
    Failure(Py<Request>, Py<Reply>),
    /// About a call of a B2BUA.
    Talk(Talk),
    Timer,
    Binding {
        aor: Text,
        change: BindingChange,
        contacts: Vec<Py<Contact>>,
    },
}

impl Call {
    /// Makes the arguments. `spare` is a request object that nobody holds any more.
    pub(crate) fn make(
        py: Python<'_>,
        event: Event,
        input: Input,
        services: &dyn NodeServices,
        now: Instant,
        spare: &mut Option<Py<Request>>,
    ) -> PyResult<Call> {
        let (question, held) = match input {
            Input::Question(question, held) => (question, held),
            Input::Timer => return Ok(Call::Timer),
            Input::Binding { aor, change } => {
                let left = services.lookup(&aor, now).into_iter();
                let contacts = left.map(|b| Py::new(py, Contact::of(b, now))).collect::<PyResult<_>>()?;
                return Ok(Call::Binding { aor, change, contacts });
            }
        };
        if event.is_of_call() {
            return Talk::make(py, *question, event, services).map(Call::Talk);
        }
        let mut request = |phase| -> PyResult<Py<Request>> {
            let state = State::new(&question, phase, held.clone());
            match spare.take() {
                Some(old) => {
                    *old.get().state() = state;
                    Ok(old)
                }
                None => Py::new(py, Request::new(state)),
            }
        };
        Ok(match &question.kind {
            QuestionKind::Request => Call::Request(request(Phase::Request)?),
            QuestionKind::Cancelled => Call::Cancelled(request(Phase::Cancelled)?),
            QuestionKind::Call(_) => {
                return Err(pyo3::exceptions::PyRuntimeError::new_err("a call is no request"));
            }
            QuestionKind::Reply { reply, flow } => {
                let reply = Reply::new(reply.clone(), Some(*flow), false);
                Call::Reply(request(Phase::Reply)?, Py::new(py, reply)?)
            }
            QuestionKind::Failure { reply, is_local } => {
                let reply = Reply::new(reply.clone(), None, *is_local);
                Call::Failure(request(Phase::Failure)?, Py::new(py, reply)?)
            }
        })
    }

    /// Calls the handler.
    pub(crate) fn invoke<'py>(&self, py: Python<'py>, handler: &Handler) -> PyResult<Bound<'py, PyAny>> {
        let function = handler.function.bind(py);
        match self {
            Call::Request(request) | Call::Cancelled(request) => function.call1((request,)),
            Call::Reply(request, reply) | Call::Failure(request, reply) => function.call1((request, reply)),
            Call::Talk(talk) => talk.invoke(function),
            Call::Timer => function.call0(),
            Call::Binding { aor, change, contacts } => function.call1((&**aor, change.label(), contacts)),
        }
    }

    fn request(&self) -> Option<&Py<Request>> {
        match self {
            Call::Request(r) | Call::Cancelled(r) | Call::Reply(r, _) | Call::Failure(r, _) => Some(r),
            Call::Talk(_) | Call::Timer | Call::Binding { .. } => None,
        }
    }

    /// What log lines name.
    pub(crate) fn subject(&self) -> Subject {
        match self {
            Call::Talk(talk) => talk.subject(),
            _ => Subject { message: self.request().map(|r| r.get().state().message.clone()), call: None },
        }
    }

    /// The transaction is gone: verbs raise from now on.
    pub(crate) fn end(&self) {
        if let Call::Talk(talk) = self {
            talk.end();
        }
        if let Some(request) = self.request() {
            request.get().state().ended = true;
        }
        if let Call::Reply(_, reply) | Call::Failure(_, reply) = self {
            reply.get().state().ended = true;
        }
    }

    /// Whether the transaction ended before the handler did.
    pub(crate) fn has_ended(&self) -> bool {
        match self {
            Call::Talk(talk) => talk.has_ended(),
            _ => self.request().is_some_and(|request| request.get().state().ended),
        }
    }

    /// Takes back what was recorded since the last commit.
    pub(crate) fn abandon(&self) {
        if let Call::Talk(talk) = self {
            talk.abandon();
        }
        if let Some(request) = self.request() {
            let mut guard = request.get().state();
            let state = &mut *guard;
            state.record.roll_back(&mut state.message);
        }
    }

    /// Gives the request object back for another call, when the script kept no reference.
    pub(crate) fn into_spare(self, py: Python<'_>, spare: &mut Option<Py<Request>>) {
        if let Call::Request(request) = self
            && references(request.bind(py)) == 1
        {
            *spare = Some(request);
        }
    }

    /// The verdict of what was recorded until here. `finished` is false at an await; then `None` says that there is
    /// nothing to commit.
    pub(crate) fn commit(
        &self,
        generation: &Arc<Generation>,
        handler: &Handler,
        finished: bool,
    ) -> Option<Verdict> {
        if let Call::Talk(talk) = self {
            return talk.commit(generation, handler, finished);
        }
        let Some(request) = self.request() else { return finished.then(Verdict::default) };
        let mut guard = request.get().state();
        let state = &mut *guard;
        if state.ended {
            return finished.then(Verdict::default);
        }
        if !finished && matches!(self, Call::Request(_)) && state.record.is_empty() {
            return None;
        }
        let line = state.record.decided.as_ref().map(|d| d.line.clone());
        let keep = KeepSource { generation, auth_user: state.auth_user.as_ref(), held: state.held.as_ref() };
        let mut verdict = state.record.take_verdict(&state.message, &keep, finished);
        verdict.script_line = line.clone();
        verdict.consumed_routes = verdict.message.is_some().then_some(state.consumed_routes);
        match self {
            Call::Request(_) => {
                let nothing = verdict.decision.is_none() && state.committed.is_none();
                if finished && nothing && state.message.method() != Method::Ack {
                    let text = format!(
                        "{} at {} decided nothing: reply, relay, fork or drop the request",
                        handler.name, handler.line
                    );
                    verdict.script_line = Some(handler.line.clone());
                    verdict.decision = Some(Decision::Failed(text.into()));
                }
            }
            Call::Reply(_, reply) => reply_verdict(&mut reply.get().state(), &mut verdict),
            Call::Failure(_, reply) => {
                if let (None, Some((decision, line))) =
                    (&verdict.decision, reply.get().state().decided.take())
                {
                    (verdict.decision, verdict.script_line) = (Some(decision), Some(line));
                }
            }
            // Nothing is awaited.
            Call::Cancelled(_) => verdict = Verdict { finished, ..Verdict::default() },
            Call::Talk(_) | Call::Timer | Call::Binding { .. } => {}
        }
        if matches!(verdict.decision, Some(Decision::Relay(_) | Decision::Fork { .. })) {
            state.relayed = true;
        }
        if verdict.decision.is_some() {
            state.committed = verdict.script_line.clone().or_else(|| Some("".into()));
        }
        let something =
            verdict.decision.is_some() || verdict.message.is_some() || !verdict.reply_headers.is_empty();
        (finished || something).then_some(verdict)
    }

    /// The verdict when the handler raised: what was recorded since the last commit is dropped.
    pub(crate) fn fail(
        &self,
        text: String,
        line: Text,
        handler: &Handler,
        services: &dyn NodeServices,
    ) -> Verdict {
        let text = format!("{} ({}, {}) raised: {text}", handler.event.name(), handler.name, handler.line);
        if let Call::Talk(talk) = self {
            return talk.fail(text, line);
        }
        let Some(request) = self.request() else {
            services.log(super::services::LogLine {
                level: LogLevel::Error,
                text: &text,
                fields: &[],
                script_line: &line,
                call_id: None,
            });
            return Verdict::default();
        };
        self.abandon();
        let state = request.get().state();
        if state.ended || state.committed.is_some() || matches!(self, Call::Cancelled(_)) {
            complain(LogLevel::Error, &text, &line, &state.message);
            return Verdict::default();
        }
        Verdict { script_line: Some(line), ..Verdict::of(Decision::Failed(text.into())) }
    }
}

/// What a reply handler decided: about the reply, or with the request's own verbs.
fn reply_verdict(reply: &mut super::reply::ReplyState, verdict: &mut Verdict) {
    let from_request = verdict.decision.take();
    let headers = std::mem::take(&mut verdict.reply_headers);
    (verdict.interest, verdict.keep) = Default::default();
    let mut edited = std::mem::take(&mut reply.edited);
    // Header fields for replies on the transaction: this one is made elsewhere, so they are put on it.
    for (name, value) in &headers {
        if let Ok(message) = super::edits::splice(&reply.message, |s| s.set(&**name, value).map(drop)) {
            reply.message = message;
            edited = true;
        }
    }
    verdict.message = edited.then(|| reply.message.clone());
    verdict.consumed_routes = None;
    match (reply.decided.take(), from_request) {
        (Some((decision, line)), _) => (verdict.decision, verdict.script_line) = (Some(decision), Some(line)),
        // request.reply() in on_reply means what reply.reject() does.
        (None, Some(decision @ Decision::Reply(_))) => verdict.decision = Some(decision),
        // The request is relayed already, and the reply goes on its way.
        (None, _) => {}
    }
}
