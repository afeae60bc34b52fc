//! A policy that is a Rust closure: what a script is to the daemon. It may answer at once, later, or never.

use crate::base::rng::Rng;
use crate::base::time::{Duration, Instant};
use crate::engine::Node;
use crate::policy::{
    Decision, Interest, OriginatedRequest, Outcome, Policy, PolicyOutput, Question, Ticket, Verdict, WaitId,
    Want,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a handler makes of the outcome of its own request.
pub type Then = Box<dyn FnOnce(&Outcome) -> Verdict>;

/// What a handler answers, and when.
pub struct Answer {
    /// After this long; `None` is never: the handler is parked for good.
    pub after: Option<Duration>,
    /// What.
    pub verdict: Verdict,
    /// Requests of its own to send, with the first answer.
    pub send: Vec<OriginatedRequest>,
    /// A request whose outcome it waits for: the verdict is what is made of it, in place of the one above.
    pub ask: Option<(OriginatedRequest, Then)>,
}

impl Answer {
    /// An answer in the same moment.
    pub fn now(verdict: Verdict) -> Self {
        Answer { after: Some(Duration::ZERO), verdict, send: Vec::new(), ask: None }
    }

    /// What `then` makes of the outcome of `request`, when it has one.
    pub fn when(request: OriginatedRequest, then: impl FnOnce(&Outcome) -> Verdict + 'static) -> Self {
        Answer { ask: Some((request, Box::new(then))), ..Answer::now(Verdict::default()) }
    }

    /// A decision in the same moment.
    pub fn of(decision: Decision) -> Self {
        Answer::now(Verdict::of(decision))
    }

    /// The same, after a while.
    pub fn later(mut self, after: Duration) -> Self {
        self.after = Some(after);
        self
    }

    /// The same, never.
    pub fn never(mut self) -> Self {
        self.after = None;
        self
    }
}

/// What a handler may look at beside the question.
pub struct Scene<'a> {
    /// The node: registrar, own addresses.
    pub node: &'a Arc<Node>,
    /// The time.
    pub now: Instant,
    /// Chance.
    pub rng: &'a mut Rng,
}

/// Decides about one question.
pub type Handler = Box<dyn FnMut(&Question, &mut Scene<'_>) -> Answer>;

/// A policy made of a [`Handler`].
pub struct ScriptedPolicy {
    node: Arc<Node>,
    rng: Rng,
    handler: Handler,
    parked: BTreeMap<(Instant, u64), (Ticket, Verdict)>,
    /// Tickets of handlers that never answer.
    stuck: Vec<Ticket>,
    /// Handlers that wait for the outcome of a request of theirs.
    waiting: BTreeMap<u64, (Ticket, Then)>,
    serial: u64,
}

impl ScriptedPolicy {
    /// The policy of one shard.
    pub fn new(node: &Arc<Node>, shard: u8, handler: Handler) -> Self {
        ScriptedPolicy {
            node: node.clone(),
            rng: Rng::seeded(1000 + u64::from(shard)),
            handler,
            parked: BTreeMap::new(),
            stuck: Vec::new(),
            waiting: BTreeMap::new(),
            serial: 0,
        }
    }
}

impl Policy for ScriptedPolicy {
    fn ask(&mut self, ticket: Ticket, question: Question, now: Instant, out: &mut PolicyOutput) {
        let mut scene = Scene { node: &self.node, now, rng: &mut self.rng };
        let Answer { after, verdict, send, ask } = (self.handler)(&question, &mut scene);
        out.wants.extend(send.into_iter().map(|request| Want::SendRequest { wait: None, request }));
        if let Some((request, then)) = ask {
            self.serial += 1;
            self.waiting.insert(self.serial, (ticket, then));
            return out.wants.push(Want::SendRequest { wait: Some(WaitId(self.serial)), request });
        }
        match after {
            Some(Duration::ZERO) => out.verdicts.push((ticket, verdict)),
            Some(after) => {
                self.serial += 1;
                self.parked.insert((now + after, self.serial), (ticket, verdict));
            }
            None => self.stuck.push(ticket),
        }
    }

    fn resume(&mut self, wait: WaitId, outcome: Outcome, _now: Instant, out: &mut PolicyOutput) {
        if let Some((ticket, then)) = self.waiting.remove(&wait.0) {
            out.verdicts.push((ticket, then(&outcome)));
        }
    }

    fn withdraw(&mut self, ticket: Ticket, _now: Instant, _out: &mut PolicyOutput) {
        // Half of those who are told still answer: a verdict that comes too late must not matter.
        self.stuck.retain(|t| *t != ticket);
        if self.rng.chance(500) {
            self.parked.retain(|_, (t, _)| *t != ticket);
            self.waiting.retain(|_, (t, _)| *t != ticket);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.parked.keys().next().map(|(at, _)| *at)
    }

    fn wake(&mut self, now: Instant, out: &mut PolicyOutput) {
        while let Some(entry) = self.parked.first_entry().filter(|e| e.key().0 <= now) {
            out.verdicts.push(entry.remove());
        }
    }

    fn interest(&self) -> Interest {
        Interest::default()
    }
}
