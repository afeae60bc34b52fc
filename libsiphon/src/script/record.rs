//! What a handler has recorded since its last commit, and the rules between verbs (one decision, save and reply).

use super::context;
use super::generation::Generation;
use super::handler::{Event, Handler};
use super::services::{LogLevel, Undo};
use crate::base::text::Text;
use crate::policy::{Commit, Decision, Header, Interest, Keep, RelayOptions, ReplySpec, Verdict};
use crate::wire::sip::Message;
use pyo3::prelude::*;
use std::sync::Arc;

/// What a transaction remembers of its script between questions.
pub(crate) struct TransactionKeep {
    pub(crate) generation: Arc<Generation>,
    pub(crate) on_reply: Option<Arc<Handler>>,
    pub(crate) on_failure: Option<Arc<Handler>>,
    pub(crate) auth_user: Option<Text>,
}

/// Which question the handler answers; it decides what verbs mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Request,
    Reply,
    Failure,
    Cancelled,
}

/// Outcome of a `registrar.save` whose answer has not left.
pub(crate) struct Save {
    pub(crate) ok: bool,
    pub(crate) undo: Option<Undo>,
}

/// A recorded decision and the script line that made it.
pub(crate) struct Decided {
    pub(crate) decision: Decision,
    pub(crate) line: Text,
}

/// Verbs since the last commit.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) decided: Option<Decided>,
    pub(crate) record_route: bool,
    pub(crate) next_hop: Option<Text>,
    pub(crate) reply_headers: Vec<Header>,
    pub(crate) reply_body: Option<(Text, Vec<u8>)>,
    pub(crate) save: Option<Save>,
    pub(crate) commit: Option<Commit>,
    pub(crate) on_reply: Option<Arc<Handler>>,
    pub(crate) on_failure: Option<Arc<Handler>>,
    /// The request before the first edit.
    pub(crate) before: Option<Message>,
}

impl Record {
    /// Nothing to commit at an await. (A Record-Route is said for whatever comes later.)
    pub(crate) fn is_empty(&self) -> bool {
        let said = self.reply_headers.is_empty() && self.reply_body.is_none() && self.next_hop.is_none();
        let done = self.decided.is_none() && self.before.is_none();
        let kept = self.on_reply.is_none() && self.on_failure.is_none();
        said && done && kept && self.save.is_none() && self.commit.is_none()
    }

    /// Takes everything back: the request as it was, and bindings of a save (an exception, RFC 3261 10.3: the
    /// answer will be no 200).
    pub(crate) fn roll_back(&mut self, message: &mut Message) {
        if let Some(before) = self.before.take() {
            *message = before;
        }
        self.undo_save();
        *self = Record::default();
    }

    fn undo_save(&mut self) {
        self.commit = None;
        if let (Some(undo), Ok(context)) = (self.save.take().and_then(|s| s.undo), context::current()) {
            context.services().roll_back(undo, context.now());
        }
    }

    /// Records a decision. A second one is an error in the log, and the first stands.
    pub(crate) fn decide(
        &mut self,
        decision: Decision,
        line: Text,
        message: &Message,
        committed: Option<&Text>,
    ) {
        let earlier = self.decided.as_ref().map(|d| &d.line).or(committed);
        let Some(earlier) = earlier else {
            self.decided = Some(Decided { decision, line });
            return;
        };
        let text =
            format!("{} at {line} comes after the decision at {earlier}, which stands", verb(&decision));
        complain(LogLevel::Error, &text, &line, message);
    }

    /// `request.reply` when a save has recorded the answer: a 2xx merges into a good one and is ignored after a
    /// failed one; anything else takes a good save back.
    pub(crate) fn reply_after_save(&mut self, spec: ReplySpec, line: Text, message: &Message) {
        let ok = self.save.as_ref().is_some_and(|s| s.ok);
        let success = (200..300).contains(&spec.code);
        let Some(Decided { decision: Decision::Reply(recorded), line: saved_at }) = &mut self.decided else {
            return;
        };
        match (ok, success) {
            (true, true) => {
                recorded.headers.extend(spec.headers);
                recorded.body = spec.body.or(recorded.body.take());
                if spec.code == recorded.code && spec.reason.is_some() {
                    recorded.reason = spec.reason;
                }
            }
            (true, false) => {
                *recorded = spec;
                *saved_at = line;
                self.undo_save();
            }
            (false, _) => {
                let text = format!(
                    "reply({}) at {line} is ignored: registrar.save at {saved_at} failed and recorded {}",
                    spec.code, recorded.code
                );
                complain(LogLevel::Warning, &text, &line, message);
            }
        }
    }

    /// Turns what was recorded into a verdict.
    pub(crate) fn take_verdict(
        &mut self,
        message: &Message,
        keep: &KeepSource<'_>,
        finished: bool,
    ) -> Verdict {
        let mut record = std::mem::take(self);
        let edited = record.before.is_some().then(|| message.clone());
        let decision = record.decided.take().map(|d| d.decision).map(|decision| match decision {
            Decision::Relay(options) => Decision::Relay(record.relay_options(options)),
            Decision::Fork { targets, strategy, options } => {
                Decision::Fork { targets, strategy, options: record.relay_options(options) }
            }
            other => other,
        });
        let forwards = matches!(decision, Some(Decision::Relay(_) | Decision::Fork { .. }));
        if !finished {
            // Said once, for whatever comes before the end of the handler.
            self.record_route = record.record_route && !forwards;
        }
        let (interest, keep) = if forwards { keep.attach(&mut record) } else { (Interest::default(), None) };
        Verdict {
            decision,
            message: edited,
            reply_headers: record.reply_headers,
            commit: record.commit,
            interest,
            keep,
            finished,
            ..Verdict::default()
        }
    }

    fn relay_options(&self, options: RelayOptions) -> RelayOptions {
        RelayOptions { record_route: options.record_route || self.record_route, ..options }
    }
}

/// What a relayed transaction is to be given along.
pub(crate) struct KeepSource<'a> {
    pub(crate) generation: &'a Arc<Generation>,
    pub(crate) auth_user: Option<&'a Text>,
    /// What it has already, from an earlier question.
    pub(crate) held: Option<&'a Arc<TransactionKeep>>,
}

impl KeepSource<'_> {
    fn attach(&self, record: &mut Record) -> (Interest, Option<Keep>) {
        let own = (record.on_reply.take(), record.on_failure.take());
        let held = self.held.map(|k| (k.on_reply.clone(), k.on_failure.clone())).unwrap_or_default();
        let (on_reply, on_failure) = (own.0.or(held.0), own.1.or(held.1));
        let mut interest = self.generation.interest();
        interest.replies |= on_reply.is_some();
        interest.failures |= on_failure.is_some();
        if interest == Interest::default() {
            return (interest, None);
        }
        let keep = TransactionKeep {
            generation: self.generation.clone(),
            on_reply,
            on_failure,
            auth_user: self.auth_user.cloned(),
        };
        (interest, Some(Keep(Arc::new(keep))))
    }
}

/// Writes a line about what a handler did to the log.
pub(crate) fn complain(level: LogLevel, text: &str, line: &str, message: &Message) {
    if let Ok(context) = context::current() {
        context.write_about(message, level, text, line);
    }
}

/// How a script spells a decision.
fn verb(decision: &Decision) -> String {
    match decision {
        Decision::Reply(spec) => format!("reply({})", spec.code),
        Decision::Relay(_) => "relay()".into(),
        Decision::Fork { .. } => "fork()".into(),
        Decision::Drop => "drop()".into(),
        Decision::Call(_) | Decision::RoleProcedure | Decision::Failed(_) => "a decision".into(),
    }
}

/// Makes a handler of a per-relay callback.
pub(crate) fn callback(event: Event, function: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Arc<Handler>>> {
    let Some(function) = function else { return Ok(None) };
    let analyse = |handler: &Handler| {
        let Ok(context) = context::current() else { return };
        if let Some(generation) = context.script.current() {
            generation.choose(function.py(), context.script.sync_mode(), handler);
        }
    };
    Handler::callback(event, function, analyse).map(Some)
}
