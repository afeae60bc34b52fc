//! From octets to the owner shard: a first look, shedding, parsing, hand-over.
//!
//! While a shard keeps up, a datagram is parsed where the kernel put it. When more comes than can be handled at
//! once, the sockets are emptied into a backlog, in order, so that what is dropped is chosen here and not by a
//! full socket buffer.

use crate::base::flow::Flow;
use crate::base::rng::Rng;
use crate::base::time::{Duration, Instant};
use crate::driver::core::Core;
use crate::driver::engine::Engine;
use crate::driver::mailbox::Post;
use crate::driver::overload::{Admitted, Pressure};
use crate::driver::priority::{begins_new_work, is_new_work};
use crate::driver::world::World;
use crate::engine::{Input, Mail};
use crate::event::ShedReason;
use crate::wire::sip::{Frame, Message, Method, peek};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

struct Arrived {
    at: Instant,
    flow: Flow,
    bytes: Box<[u8]>,
}

pub(super) struct Intake {
    backlog: VecDeque<Arrived>,
    backlog_octets: usize,
    pub(super) pressure: Pressure,
    /// Of the mailbox. The two are served in turns, so one may be long while the other is short.
    mail_pressure: Pressure,
    admitted: Admitted,
    /// A 503 was sent without a transaction: its ACK is on its way.
    has_shed: bool,
    rng: Rng,
}

impl Intake {
    pub(super) fn new(rng: Rng, now: Instant) -> Self {
        Intake {
            backlog: VecDeque::new(),
            backlog_octets: 0,
            pressure: Pressure::default(),
            mail_pressure: Pressure::default(),
            admitted: Admitted::new(now),
            has_shed: false,
            rng,
        }
    }

    pub(super) fn backlog(&self) -> usize {
        self.backlog.len()
    }

    /// Whether another batch of datagrams finds room.
    pub(super) fn has_room(&self, world: &World) -> bool {
        let overload = &world.shared.overload;
        self.backlog.len() < overload.max_waiting && self.backlog_octets < overload.max_octets
    }

    /// Keeps a datagram for later, or sheds it when it is new and too much waits.
    pub(super) fn keep(&mut self, flow: Flow, bytes: &[u8], now: Instant, world: &mut World) {
        if self.backlog.len() >= world.shared.overload.max_new
            && self.turn_away(&flow, bytes, now, world, None)
        {
            return;
        }
        self.backlog_octets += bytes.len();
        self.backlog.push_back(Arrived { at: now, flow, bytes: bytes.into() });
    }

    /// Handles the oldest of the backlog; false when it is empty.
    pub(super) fn handle_oldest<E: Engine>(&mut self, core: &mut Core<E>, world: &mut World) -> bool {
        let Some(oldest) = self.backlog.pop_front() else { return false };
        self.backlog_octets = self.backlog_octets.saturating_sub(oldest.bytes.len());
        let now = world.shared.clock.now();
        let delay = now.since(oldest.at);
        self.datagram(oldest.flow, &oldest.bytes, delay, now, core, world);
        true
    }

    /// Handles one datagram that waited for `delay`.
    pub(super) fn datagram<E: Engine>(
        &mut self,
        flow: Flow,
        bytes: &[u8],
        delay: Duration,
        now: Instant,
        core: &mut Core<E>,
        world: &mut World,
    ) {
        self.pressure.observe(&world.shared.overload, delay, now);
        if bytes.iter().all(|c| matches!(c, b'\r' | b'\n' | 0)) {
            // Keeps a NAT binding open; RFC 5626 4.4 has no answer to it over UDP.
            world.shared.counters.keepalives.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if self.has_shed && world.shared.refusal.is_its_ack(bytes) {
            return;
        }
        let draining = world.shared.draining.load(Ordering::Relaxed);
        if (draining || self.pressure.sheds(&world.shared.overload, delay))
            && self.turn_away(&flow, bytes, now, world, draining.then_some(ShedReason::Draining))
        {
            return;
        }
        match Message::parse(bytes, &world.shared.limits) {
            Ok(message) => {
                self.hand_over(flow, message, now, core, world);
            }
            Err(refused) => core.feed(Input::Refused { flow, refused: Box::new(refused) }, world),
        }
    }

    /// What came on a connection.
    pub(super) fn frame<E: Engine>(
        &mut self,
        flow: Flow,
        frame: Frame,
        now: Instant,
        core: &mut Core<E>,
        world: &mut World,
    ) {
        match frame {
            Frame::Message(message) => {
                if self.has_shed && world.shared.refusal.is_its_ack(message.bytes()) {
                    return;
                }
                let draining = world.shared.draining.load(Ordering::Relaxed);
                if (draining || self.pressure.is_overloaded()) && is_new_work(&message) {
                    let reason = if draining { ShedReason::Draining } else { ShedReason::Overload };
                    return self.refuse(&flow, message.bytes(), message.method(), reason, now, world);
                }
                self.hand_over(flow, message, now, core, world);
            }
            Frame::Refused(refused) | Frame::Fatal(refused) => {
                core.feed(Input::Refused { flow, refused: Box::new(refused) }, world);
            }
            Frame::Ping | Frame::Pong => {}
        }
    }

    /// A message from another shard, which waited for `delay` in the mailbox.
    pub(super) fn mail<E: Engine>(
        &mut self,
        flow: Flow,
        message: Message,
        delay: Duration,
        now: Instant,
        core: &mut Core<E>,
        world: &mut World,
    ) {
        let was_overloaded = self.mail_pressure.is_overloaded();
        self.mail_pressure.observe(&world.shared.overload, delay, now);
        if self.mail_pressure.is_overloaded() != was_overloaded {
            world.shared.mailboxes.set_overloaded(world.shard(), !was_overloaded);
        }
        // The shard that received it knows only of what it refused itself.
        if self.has_shed && world.shared.refusal.is_its_ack(message.bytes()) {
            return;
        }
        if self.mail_pressure.sheds(&world.shared.overload, delay) && self.is_new(&message) {
            return self.refuse(&flow, message.bytes(), message.method(), ShedReason::Overload, now, world);
        }
        self.admit(&message, now);
        core.feed_at(Input::Message { flow, message }, now, world);
    }

    /// To the shard that owns the message; a new request only while that keeps up with its mail.
    fn hand_over<E: Engine>(
        &mut self,
        flow: Flow,
        message: Message,
        now: Instant,
        core: &mut Core<E>,
        world: &mut World,
    ) {
        let owner = core.engine.owner(&message);
        if owner == world.shard() {
            self.admit(&message, now);
            return core.feed_at(Input::Message { flow, message }, now, world);
        }
        if world.shared.mailboxes.is_late(owner, &world.shared.overload, now) && self.is_new(&message) {
            return self.refuse(&flow, message.bytes(), message.method(), ShedReason::Overload, now, world);
        }
        self.admit(&message, now);
        world.post(owner, Post::Mail(Mail::Message { flow, message }));
    }

    /// Whether a message begins something new, and is no retransmission of what was let in.
    fn is_new(&self, message: &Message) -> bool {
        is_new_work(message) && !self.admitted.contains(self.admitted.digest(message.bytes()))
    }

    /// Remembers a request that is let in, so that its retransmissions are.
    fn admit(&mut self, message: &Message, now: Instant) {
        if message.is_request() && message.to_tag().is_none() {
            self.admitted.insert(self.admitted.digest(message.bytes()), now);
        }
    }

    /// Mail that its shard had no room for: that message is shed, and reading goes on.
    pub(super) fn refused_mail(&mut self, post: Post, now: Instant, world: &mut World) {
        match post {
            Post::Mail(Mail::Message { flow, message }) => {
                let (method, reason) = (message.method(), ShedReason::Mailbox);
                if is_new_work(&message) {
                    self.refuse(&flow, message.bytes(), method, reason, now, world);
                } else {
                    world.count_shed(reason, method, message.bytes(), now);
                }
            }
            Post::Mail(Mail::Send { report, .. }) => world.fail(report),
            _ => {}
        }
    }

    /// Sheds octets that begin something new. A retransmission of a request that was let in does not: the
    /// transaction that it belongs to absorbs it.
    fn turn_away(
        &mut self,
        flow: &Flow,
        bytes: &[u8],
        now: Instant,
        world: &mut World,
        reason: Option<ShedReason>,
    ) -> bool {
        let seen = peek(bytes);
        if !begins_new_work(&seen) || self.admitted.contains(self.admitted.digest(bytes)) {
            return false;
        }
        self.refuse(flow, bytes, seen.method, reason.unwrap_or(ShedReason::Overload), now, world);
        true
    }

    fn refuse(
        &mut self,
        flow: &Flow,
        bytes: &[u8],
        method: Method,
        reason: ShedReason,
        now: Instant,
        world: &mut World,
    ) {
        self.has_shed = true;
        world.count_shed(reason, method, bytes, now);
        let (low, high) = world.shared.overload.retry_after;
        let retry_after = low.saturating_add(self.rng.below(u64::from(high.saturating_sub(low)) + 1) as u32);
        let digest = self.admitted.digest(bytes) & 0xffff_ffff;
        let mut out = Vec::with_capacity(512);
        if let Some(to) = world.shared.refusal.write(bytes, flow.remote, digest, retry_after, &mut out) {
            let mut egress = flow.back();
            if !flow.transport.is_reliable() {
                egress.remote = to;
            }
            world.send(&egress, out.into(), None, now);
        }
    }
}
