//! What a `Request` holds for the time of its handler: the message, its edits, and what was decided.

use super::errors::TransactionEnded;
use super::frame::script_line;
use super::record::{Phase, Record, TransactionKeep, complain};
use super::services::LogLevel;
use super::services::Saved;
use super::uri::SipUri;
use crate::base::flow::Flow;
use crate::base::text::Text;
use crate::policy::{Decision, RelayOptions, ReplySpec, Strategy, Target};
use crate::wire::sip::{HeaderId, Message, Method, NameAddr};
use pyo3::prelude::*;
use std::sync::Arc;

/// What a `Request` holds for the time of its handler.
pub(crate) struct State {
    pub(crate) message: Message,
    pub(crate) flow: Flow,
    pub(crate) consumed_routes: u8,
    pub(crate) on_route: bool,
    pub(crate) is_local: bool,
    pub(crate) auth_user: Option<Text>,
    pub(crate) held: Option<Arc<TransactionKeep>>,
    pub(crate) record: Record,
    /// Line of the decision that was committed.
    pub(crate) committed: Option<Text>,
    /// The request was relayed: edits come too late.
    pub(crate) relayed: bool,
    /// The transaction ended while the handler was parked.
    pub(crate) ended: bool,
    /// The script asked for the topmost own Route values to count as gone.
    pub(crate) loose_routed: bool,
    /// `fix_nated_register` was called.
    pub(crate) natted: bool,
    /// URI objects already made.
    uris: [Option<Py<SipUri>>; 3],
}

/// Slots of [`State::uris`].
#[derive(Clone, Copy)]
pub(crate) enum Which {
    Ruri,
    From,
    To,
}

impl State {
    /// Records a reply: to an ACK there is none, after a save it merges into the answer to the REGISTER.
    pub(crate) fn replied(&mut self, py: Python<'_>, spec: ReplySpec) -> PyResult<()> {
        self.alive()?;
        if self.message.method() == Method::Ack {
            let line = script_line(py);
            let text = format!("reply({}) to an ACK: nothing is sent", spec.code);
            complain(LogLevel::Error, &text, &line, &self.message);
            return Ok(());
        }
        if self.record.save.is_some() {
            let (line, message) = (script_line(py), self.message.clone());
            self.record.reply_after_save(spec, line, &message);
            return Ok(());
        }
        self.decide(py, Decision::Reply(spec))
    }

    pub(crate) fn new(
        question: &crate::policy::Question,
        phase: Phase,
        held: Option<Arc<TransactionKeep>>,
    ) -> State {
        State {
            message: question.request.clone(),
            flow: question.flow,
            consumed_routes: question.consumed_routes,
            on_route: question.on_route,
            is_local: question.is_local,
            auth_user: held.as_ref().and_then(|k| k.auth_user.clone()),
            held,
            record: Record::default(),
            committed: None,
            relayed: matches!(phase, Phase::Reply | Phase::Cancelled),
            ended: false,
            loose_routed: false,
            natted: false,
            uris: [None, None, None],
        }
    }

    /// Refuses verbs of a handler whose transaction is gone.
    pub(crate) fn alive(&self) -> PyResult<()> {
        if self.ended { Err(TransactionEnded::new_err("the transaction has ended")) } else { Ok(()) }
    }

    /// Records a decision of the running script line.
    pub(crate) fn decide(&mut self, py: Python<'_>, decision: Decision) -> PyResult<()> {
        self.alive()?;
        let line = script_line(py);
        self.record.decide(decision, line, &self.message, self.committed.as_ref());
        Ok(())
    }

    /// Records what a failed check is answered with.
    pub(crate) fn refuse(&mut self, py: Python<'_>, spec: ReplySpec) -> PyResult<()> {
        if self.message.method() == Method::Ack {
            return self.decide(py, Decision::Drop);
        }
        self.decide(py, Decision::Reply(spec))
    }

    /// Records the answer of a save; it leaves when the handler returns.
    pub(crate) fn saved(&mut self, py: Python<'_>, saved: Saved) -> PyResult<()> {
        let had_decided = self.record.decided.is_some() || self.committed.is_some();
        self.decide(py, Decision::Reply(saved.reply))?;
        if !had_decided {
            self.record.commit = saved.commit;
            self.record.save = Some(super::record::Save { ok: saved.ok, undo: saved.undo });
        }
        Ok(())
    }

    /// The request after an edit.
    pub(crate) fn edited(&mut self, message: Message) {
        let before = std::mem::replace(&mut self.message, message);
        self.record.before.get_or_insert(before);
        self.uris = [None, None, None];
    }

    pub(crate) fn uri(&mut self, py: Python<'_>, which: Which) -> PyResult<Py<SipUri>> {
        let slot = which as usize;
        if let Some(Some(made)) = self.uris.get(slot) {
            return Ok(made.clone_ref(py));
        }
        let address = |a: Result<NameAddr<'_>, _>| match a {
            Ok(a) => SipUri::part(&self.message, a.uri.as_str()),
            Err(_) => SipUri::own("".into()),
        };
        let uri = match which {
            Which::Ruri => SipUri::request_uri(&self.message, self.is_local),
            Which::From => address(self.message.from()),
            Which::To => address(self.message.to()),
        };
        let made = Py::new(py, uri)?;
        if let Some(place) = self.uris.get_mut(slot) {
            *place = Some(made.clone_ref(py));
        }
        Ok(made)
    }

    /// Called before a header field of that name changes.
    pub(crate) fn about_to_touch(&mut self, name: &str) -> PyResult<()> {
        if HeaderId::from_name(name) == HeaderId::Route { self.pop_consumed() } else { Ok(()) }
    }

    /// Topmost Route values that the script is shown as gone.
    pub(crate) fn hidden_routes(&self) -> usize {
        if self.loose_routed { usize::from(self.consumed_routes) } else { 0 }
    }

    /// Options and extra targets of a relay, in the engine's words.
    pub(crate) fn relay_decision(&self, target: Option<Target>, options: RelayOptions) -> Decision {
        match target {
            None => Decision::Relay(options),
            Some(target) => Decision::Fork { targets: vec![target], strategy: Strategy::Sequential, options },
        }
    }
}
