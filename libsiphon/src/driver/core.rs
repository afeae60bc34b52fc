//! Engine and policy of one shard, and the order in which their effects happen.

use crate::base::time::{Duration, Instant};
use crate::driver::clock::Clock;
use crate::driver::engine::Engine;
use crate::driver::mailbox::Post;
use crate::driver::world::World;
use crate::engine::{Effect, Effects, Input};
use crate::event::{Classes, Event, Kind};
use crate::policy::{Policy, PolicyOutput, Want};
use std::collections::VecDeque;

/// Timers do not wake a shard twice within this time; they fire that much late at most, and at once when something else
/// wakes it.
const TIMERS_REST: Duration = Duration::from_millis(10);

pub(super) struct Core<E> {
    pub(super) engine: E,
    pub(super) policy: Box<dyn Policy>,
    clock: Clock,
    effects: Effects,
    /// First in, first out: what an answer of policy causes happens after what was decided before it.
    queue: VecDeque<Effect>,
    answers: PolicyOutput,
    ticked_at: Instant,
}

impl<E: Engine> Core<E> {
    pub(super) fn new(engine: E, policy: Box<dyn Policy>, clock: Clock, effects: Effects) -> Self {
        Core {
            engine,
            policy,
            clock,
            effects,
            queue: VecDeque::new(),
            answers: PolicyOutput::default(),
            ticked_at: Instant::EPOCH,
        }
    }

    /// What the observers want from now on.
    pub(super) fn subscribe(&mut self, classes: Classes) {
        self.effects.subscribe(classes);
    }

    /// Feeds one input and performs everything that follows from it.
    pub(super) fn feed(&mut self, input: Input, world: &mut World) {
        self.feed_at(input, self.clock.now(), world);
    }

    /// The same for who has just looked at the clock.
    pub(super) fn feed_at(&mut self, input: Input, now: Instant, world: &mut World) {
        self.engine.handle(input, now, &mut self.effects);
        self.perform(now, world);
    }

    /// Runs what is due.
    pub(super) fn tick(&mut self, now: Instant, world: &mut World) {
        if self.engine.deadline().is_some_and(|at| at <= now) {
            self.ticked_at = now;
            self.engine.tick(now, &mut self.effects);
            self.perform(now, world);
        }
        if self.policy.deadline().is_some_and(|at| at <= now) {
            self.wake_policy(world);
        }
    }

    pub(super) fn wake_policy(&mut self, world: &mut World) {
        let now = self.clock.now();
        self.policy.wake(now, &mut self.answers);
        self.commit_answers(now, world);
        self.perform(now, world);
    }

    /// Lets `change` work on engine and policy, and performs what follows.
    pub(super) fn with<R>(
        &mut self,
        world: &mut World,
        change: impl FnOnce(&mut E, &mut Box<dyn Policy>, Instant, &mut Effects) -> R,
    ) -> R {
        let now = self.clock.now();
        let result = change(&mut self.engine, &mut self.policy, now, &mut self.effects);
        self.perform(now, world);
        result
    }

    /// When to wake for `tick` at the latest. The engine's timers wait a little for each other: nearly all of them end a
    /// transaction that lingers, one per message and half a minute later.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let rested = self.ticked_at + TIMERS_REST;
        let engine = self.engine.deadline().map(|at| at.max(rested));
        [engine, self.policy.deadline()].into_iter().flatten().min()
    }

    fn perform(&mut self, now: Instant, world: &mut World) {
        loop {
            self.queue.extend(self.effects.list.drain(..));
            let Some(effect) = self.queue.pop_front() else { return };
            match effect {
                Effect::Send { egress, bytes, report } => {
                    let report = report.map(|report| (world.shard(), report));
                    world.send(&egress, bytes, report, now);
                    self.link(now, world);
                }
                Effect::Ask { ticket, question } => {
                    self.policy.ask(ticket, *question, now, &mut self.answers);
                    self.commit_answers(now, world);
                }
                Effect::Withdraw { ticket } => {
                    self.policy.withdraw(ticket, now, &mut self.answers);
                    self.commit_answers(now, world);
                }
                Effect::Answered { wait, outcome } => {
                    self.policy.resume(wait, *outcome, now, &mut self.answers);
                    self.commit_answers(now, world);
                }
                Effect::LookUp { ticket, lookup } => {
                    if let Some(records) = world.look_up(ticket, &lookup) {
                        self.engine.handle(Input::LookedUp { ticket, records }, now, &mut self.effects);
                    }
                }
                Effect::Media { ticket, request } => {
                    if let Some(result) = world.media(ticket, request) {
                        self.engine.handle(Input::MediaDone { ticket, result }, now, &mut self.effects);
                    }
                }
                Effect::Commit { ticket, commit } => {
                    if let Some(stored) = world.commit(ticket, &commit) {
                        self.engine.handle(committed(ticket, stored), now, &mut self.effects);
                    }
                }
                Effect::Post { to, mail } => world.post(to, Post::Mail(*mail)),
                Effect::Tell(event) => world.tell(*event),
            }
        }
    }

    /// Hands the engine which connections took its requests.
    fn link(&mut self, now: Instant, world: &mut World) {
        for (report, connection) in world.sent_on.drain(..) {
            self.engine.handle(Input::SentOn { report, connection }, now, &mut self.effects);
        }
    }

    /// The same between inputs, for what was sent for other shards or waited for a connection.
    pub(super) fn link_opened(&mut self, world: &mut World) {
        world.tell_opened();
        self.link(self.clock.now(), world);
    }

    /// Hands what policy pushed to the engine, in order.
    fn commit_answers(&mut self, now: Instant, world: &mut World) {
        for (ticket, verdict) in self.answers.verdicts.drain(..) {
            let input = Input::Decided { ticket, verdict: Box::new(verdict) };
            self.engine.handle(input, now, &mut self.effects);
        }
        for want in self.answers.wants.drain(..) {
            match want {
                Want::SendRequest { wait, request } => {
                    let input = Input::Originate { wait, request: Box::new(request) };
                    self.engine.handle(input, now, &mut self.effects);
                }
                Want::Media { wait, request } => {
                    self.engine.handle(Input::Media { wait, request }, now, &mut self.effects);
                }
                Want::Tell(notice) => {
                    let (shard, is_read) = (world.shard(), self.effects.is_read(Classes::HANDLERS));
                    self.effects.tell(Classes::HANDLERS, || Event {
                        at: now,
                        shard,
                        kind: Kind::of(notice, is_read),
                    });
                }
            }
        }
    }
}

pub(super) fn committed(ticket: crate::policy::Ticket, stored: bool) -> Input {
    if stored { Input::Committed { ticket } } else { Input::CommitFailed { ticket } }
}
