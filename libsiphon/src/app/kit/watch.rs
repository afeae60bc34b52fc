//! Who sees the events of a kit's node: the counters inline, log and script as the daemon's observers, and a list of what
//! was decided.

use super::{Stage, locked};
use crate::base::text::Text;
use crate::base::time::{Duration, Instant};
use crate::driver::EventSource;
use crate::engine::Effects;
use crate::event::{Classes, Event, Kind};
use crate::observe::metrics::Metrics;
use crate::observe::{Observer, Observers};
use crate::policy::{Outcome, Policy, PolicyOutput, Question, QuestionKind, Ticket, Verdict, WaitId};
use crate::sim::Watch;
use crate::sim::plan::role_procedure;
use std::sync::Arc;

/// What policy decided about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// When.
    pub at: Instant,
    /// Of which call.
    pub call_id: Text,
    /// The request's method.
    pub method: &'static str,
    /// `reply 404`, `relay`, `fork 2`, `drop`, `failed`, `role procedure`.
    pub what: Text,
    /// File and line of the script.
    pub script_line: Option<Text>,
}

/// Brings events to whom they concern.
pub(super) struct Watcher {
    series: Arc<Metrics>,
    observers: Observers,
    /// What the script told itself, beside the shards.
    source: EventSource,
    stage: Arc<Stage>,
    waiting: Vec<Event>,
}

impl Watcher {
    pub(super) fn new(
        series: Arc<Metrics>,
        observers: Observers,
        source: EventSource,
        stage: Arc<Stage>,
    ) -> Self {
        Watcher { series, observers, source, stage, waiting: Vec::new() }
    }
}

impl Watch for Watcher {
    fn effects(&mut self) -> Effects {
        let queued = self.observers.classes().with(Classes::DECISIONS);
        Effects::with_inline(queued, Box::new(self.series.writer()))
    }

    fn see(&mut self, event: Event) {
        if let Kind::Decided { call_id, method, decision, script_line } = &event.kind {
            locked(&self.stage.decisions).push(Decision {
                at: event.at,
                call_id: call_id.clone(),
                method: method.name(),
                what: decision.clone(),
                script_line: script_line.clone(),
            });
        }
        self.observers.see(&event);
    }

    fn settle(&mut self) {
        self.source.take(&mut self.waiting, Duration::ZERO);
        for event in std::mem::take(&mut self.waiting) {
            self.observers.see(&event);
        }
    }
}

/// The policy of a node whose script did not load.
pub(super) struct NoScript;

impl Policy for NoScript {
    fn ask(&mut self, ticket: Ticket, question: Question, _now: Instant, out: &mut PolicyOutput) {
        let kind: &QuestionKind = &question.kind;
        let verdict: Verdict = role_procedure(kind);
        out.verdicts.push((ticket, verdict));
    }
    fn resume(&mut self, _wait: WaitId, _outcome: Outcome, _now: Instant, _out: &mut PolicyOutput) {}
    fn withdraw(&mut self, _ticket: Ticket, _now: Instant, _out: &mut PolicyOutput) {}
    fn deadline(&self) -> Option<Instant> {
        None
    }
    fn wake(&mut self, _now: Instant, _out: &mut PolicyOutput) {}
    fn interest(&self) -> crate::policy::Interest {
        crate::policy::Interest::default()
    }
}
