//! What a `Call` holds for the time of its handler: the INVITE of its A-leg, what was recorded, what was decided.

use super::call_vars::Vars;
use super::frame::script_line;
use super::handler::Event;
use super::record::{Phase, complain};
use super::request::State;
use super::services::{LogLevel, NodeServices};
use crate::base::text::Text;
use crate::policy::call::{CallState as Progress, Var};
use crate::policy::{CallAction, CallView, Initiator, Question, QuestionKind, ReplySpec};
use crate::wire::sip::{HeaderId, Message};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// The value under which the node keeps who authenticated. Scripts do not see it.
const AUTH_USER: &str = "siphon:auth_user";

/// What a `Call` holds for the time of its handler.
pub(crate) struct CallState {
    /// The INVITE of the A-leg, and what may be done to it.
    pub(crate) invite: State,
    pub(crate) event: Event,
    pub(crate) view: CallView,
    /// Who sent which REFER.
    pub(crate) refer: Option<(Initiator, Message)>,
    pub(crate) vars: Vars,
    /// What is to be done, since the last commit.
    actions: Vec<CallAction>,
    /// Line of the decision since the last commit.
    decided: Option<Text>,
    /// Header fields that the script set or changed: they pass to the B-leg.
    own: Vec<Text>,
    /// The user who is known to the call already.
    known_user: Option<Text>,
}

/// A call of which nothing is known but that it begins.
fn new_call(id: Text) -> CallView {
    CallView { id, state: Progress::Calling, vars: Vec::new(), anchored: false, callee: None }
}

impl CallState {
    pub(crate) fn new(question: &Question, event: Event, services: &dyn NodeServices) -> CallState {
        let (mut view, refer) = match &question.kind {
            QuestionKind::Call(asked) => {
                let refer = match &asked.event {
                    crate::policy::CallEvent::Refer { from, request } => Some((*from, request.clone())),
                    _ => None,
                };
                (asked.call.clone(), refer)
            }
            _ => (new_call(question.may_call.clone().unwrap_or_default()), None),
        };
        let mut vars = std::mem::take(&mut view.vars);
        let user = vars.iter().position(|(name, _)| &**name == AUTH_USER).map(|at| vars.remove(at).1);
        let known_user = match user {
            Some(Var::Text(user)) => Some(user),
            _ => None,
        };
        let mut invite = State::new(question, Phase::Request, None);
        invite.auth_user = known_user.clone();
        if matches!(question.kind, QuestionKind::Call(_)) {
            invite.is_local = invite.message.uri().is_ok_and(|uri| services.is_local(&uri));
        }
        let (actions, own) = (Vec::new(), Vec::new());
        let vars = Vars::new(vars);
        CallState { invite, event, view, refer, vars, actions, decided: None, own, known_user }
    }

    /// Records something that decides nothing.
    pub(crate) fn record(&mut self, action: CallAction) -> PyResult<()> {
        self.invite.alive()?;
        self.actions.push(action);
        Ok(())
    }

    /// What is recorded since the last commit.
    pub(crate) fn actions(&mut self) -> &mut Vec<CallAction> {
        &mut self.actions
    }

    /// Records a decision of the running script line. A second one is an error in the log, and the first stands.
    pub(crate) fn decide(&mut self, py: Python<'_>, verb: &str, action: CallAction) -> PyResult<()> {
        self.invite.alive()?;
        self.decide_at(script_line(py), verb, action);
        Ok(())
    }

    /// The same of a line that is known.
    pub(crate) fn decide_at(&mut self, line: Text, verb: &str, action: CallAction) {
        let Some(earlier) = self.decided.as_ref().or(self.invite.committed.as_ref()) else {
            self.decided = Some(line);
            self.actions.push(action);
            return;
        };
        let text = format!("{verb} at {line} comes after the decision at {earlier}, which stands");
        complain(LogLevel::Error, &text, &line, &self.invite.message);
    }

    /// Refuses a verb at an event that it does not belong to.
    pub(crate) fn only_in(&self, verb: &str, events: &[Event]) -> PyResult<()> {
        if events.contains(&self.event) {
            return Ok(());
        }
        let names: Vec<&str> = events.iter().map(|e| e.name().trim_start_matches("b2bua.")).collect();
        let text = format!(
            "call.{verb}() belongs to {}; this is {}",
            names.join(", "),
            self.event.name().trim_start_matches("b2bua.")
        );
        Err(PyRuntimeError::new_err(text))
    }

    /// Refuses edits that come too late.
    pub(crate) fn editable(&self) -> PyResult<()> {
        self.invite.alive()?;
        if !matches!(self.event, Event::CallInvite | Event::CallFailure) {
            let text = "the INVITE of a call is edited in on_invite and on_failure, before dial() or fork()";
            return Err(PyRuntimeError::new_err(text));
        }
        if self.invite.relayed {
            return Err(PyRuntimeError::new_err(
                "the call was dialled already: edit it before dial() or fork()",
            ));
        }
        Ok(())
    }

    /// Notes that a header field is the script's own.
    pub(crate) fn owns(&mut self, name: &str) {
        let name = match HeaderId::from_name(name) {
            HeaderId::Other => name,
            id => id.name(),
        };
        if !self.own.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            self.own.push(name.into());
        }
    }

    /// Header fields that are the script's own.
    pub(crate) fn own(&self) -> Vec<Text> {
        self.own.clone()
    }

    /// Records what a failed check is answered with.
    pub(crate) fn refuse(&mut self, py: Python<'_>, spec: ReplySpec) -> PyResult<()> {
        let verb = format!("the {} of a check", spec.code);
        self.only_in("reject", &[Event::CallInvite, Event::CallFailure])?;
        self.decide(py, &verb, CallAction::Reject(spec))
    }

    /// Whether its media is anchored, or will be.
    pub(crate) fn is_anchored(&self) -> bool {
        let said = self.actions.iter().rev().find_map(|action| match action {
            CallAction::Anchor { .. } => Some(true),
            CallAction::Release => Some(false),
            _ => None,
        });
        said.unwrap_or(self.view.anchored)
    }

    /// Takes back what was recorded since the last commit.
    pub(crate) fn roll_back(&mut self) {
        self.actions.clear();
        self.decided = None;
        self.vars.roll_back();
        self.invite.record.roll_back(&mut self.invite.message);
    }

    /// Whether something was decided, now or before.
    pub(crate) fn has_decided(&self) -> bool {
        self.decided.is_some() || self.invite.committed.is_some()
    }

    /// Takes what is to be done, and the line that decided.
    pub(crate) fn take(&mut self) -> (Vec<CallAction>, Option<Text>) {
        let mut changed = self.vars.take_changes();
        if self.invite.auth_user != self.known_user {
            self.known_user = self.invite.auth_user.clone();
            let user = self.known_user.clone().map_or(Var::Null, Var::Text);
            changed.push((AUTH_USER.into(), user));
        }
        let mut actions = std::mem::take(&mut self.actions);
        if !changed.is_empty() {
            // Attached before whatever follows from the decision.
            actions.insert(0, CallAction::SetVars(changed));
        }
        self.invite.relayed |= actions.iter().any(|action| matches!(action, CallAction::Dial(_)));
        for action in &actions {
            match action {
                CallAction::Anchor { .. } => self.view.anchored = true,
                CallAction::Release => self.view.anchored = false,
                _ => {}
            }
        }
        let line = self.decided.take();
        if line.is_some() {
            self.invite.committed.clone_from(&line);
        }
        (actions, line)
    }
}
