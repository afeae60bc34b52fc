//! One shard's thread: wait, read a bounded amount of everything that is ready, hand it to the engine, send what came of
//! it, wait again.

use crate::base::flow::{Flow, Transport};
use crate::base::slab::Key;
use crate::base::time::{Duration, Instant};
use crate::driver::core::{Core, committed};
use crate::driver::engine::Engine;
use crate::driver::gathering::Gathering;
use crate::driver::intake::Intake;
use crate::driver::mailbox::Post;
use crate::driver::start::{Controls, ShardLocal};
use crate::driver::streams::{Ready, StreamEvent};
use crate::driver::world::World;
use crate::engine::{Input, Mail};
use crate::event::Kind;
use crate::net::mmsg::{BATCH, ReceiveBatch};
use crate::wire::sip::Frame;
use mio::event::Event as Readiness;
use mio::{Events, Poll, Token};
use std::collections::VecDeque;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// Tokens of sockets count down from here, those of connections are their keys, far below.
const FIRST_SOCKET: usize = usize::MAX - 1;
/// The token of the mailbox's wake-up.
pub(super) const MAIL: Token = Token(usize::MAX);

/// The token of the socket or, behind the UDP sockets, the listener at `index`.
pub(super) fn socket_token(index: usize) -> Token {
    Token(FIRST_SOCKET - index)
}

/// Posts and backlog entries handled, and connections read, per turn before what they caused is sent.
const POSTS_PER_TURN: usize = 256;
const BACKLOG_PER_TURN: usize = 128;
const READS_PER_TURN: usize = 16;
/// Batches that one turn takes out of a socket.
const BATCHES_PER_TURN: usize = 8;
/// After this long each kind of work makes room for the next, so that slow handlers do not leave the sockets unread.
const PATIENCE_PER_KIND: Duration = Duration::from_millis(2);
/// How long a socket that takes no more datagrams is left alone.
const SEND_AGAIN: Duration = Duration::from_millis(1);
/// How many naps in a row may go by without asking what is ready.
const NAPS_UNASKED: u32 = 3;
/// The longest a shard sleeps.
const LONGEST_NAP: Duration = Duration::from_secs(1);
/// How often a draining shard asks its engine whether it is done.
const QUIET_CHECK: Duration = Duration::from_millis(20);

pub(super) struct ShardLoop<E> {
    pub(super) poll: Poll,
    pub(super) core: Core<E>,
    pub(super) world: World,
    pub(super) intake: Intake,
    pub(super) controls: Controls<E>,
    pub(super) mail: VecDeque<(Instant, Post)>,
    pub(super) next_quiet_check: Instant,
    /// UDP sockets that may have datagrams.
    pub(super) readable: Vec<bool>,
    /// UDP sockets that had something when they were last read.
    pub(super) warm: Vec<bool>,
    /// Naps since readiness was last asked for.
    pub(super) unasked: u32,
    pub(super) batch: ReceiveBatch,
    pub(super) frames: Vec<Frame>,
    pub(super) gathering: Gathering,
    /// Messages and posts taken in this turn.
    pub(super) taken: u32,
}

impl<E: Engine> ShardLoop<E> {
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(256);
        while !self.world.shared.stopping.load(Ordering::Relaxed) {
            match self.wait(&mut events) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, shard = self.world.shard(), "waiting for sockets failed: shard ends");
                    break;
                }
            }
            let now = self.now();
            for event in &events {
                self.note(event, now);
            }
            self.turn(now);
            self.gathering.turned(std::mem::take(&mut self.taken), now);
        }
        // What was decided before the stop still leaves.
        self.world.flush(self.now());
    }

    /// Waits for something to do. A shard to which much comes first lets it gather.
    fn wait(&mut self, events: &mut Events) -> std::io::Result<()> {
        let patience = self.patience();
        if patience.is_zero() {
            return self.poll.poll(events, Some(patience));
        }
        if let Some(nap) = self.gathering.nap() {
            std::thread::sleep(nap.min(patience));
            if self.expects_datagrams_alone() {
                events.clear();
                return Ok(());
            }
            return self.poll.poll(events, Some(Duration::ZERO));
        }
        let mailboxes = &self.world.shared.mailboxes;
        if !mailboxes.falls_asleep(self.world.shard()) {
            return self.poll.poll(events, Some(Duration::ZERO));
        }
        let waited = self.poll.poll(events, Some(patience));
        mailboxes.wakes_up(self.world.shard());
        waited
    }

    fn now(&self) -> Instant {
        self.world.shared.clock.now()
    }

    /// Whether, behind a nap, the sockets may be read without asking which of them has something: where datagrams came
    /// last, more will have come. Whatever else there is waits for a few naps at most.
    fn expects_datagrams_alone(&mut self) -> bool {
        let asks =
            self.unasked >= NAPS_UNASKED || !self.world.streams.is_empty() || !self.warm.contains(&true);
        self.unasked = if asks { 0 } else { self.unasked + 1 };
        if !asks {
            self.readable.clone_from(&self.warm);
        }
        !asks
    }

    /// How long the shard may sleep.
    fn patience(&self) -> Duration {
        if self.has_work() {
            return Duration::ZERO;
        }
        let check = self.world.shared.draining.load(Ordering::Relaxed).then_some(self.next_quiet_check);
        let now = self.now();
        let blocked = self.world.is_blocked().then_some(now + SEND_AGAIN);
        let deadlines = [self.core.deadline(), self.world.streams.deadline(), check, blocked];
        let nap = deadlines.into_iter().flatten().min().map(|at| at.since(now));
        // What another thread did to the node, a binding saved there say, may have given this shard a deadline.
        nap.unwrap_or(LONGEST_NAP).min(LONGEST_NAP)
    }

    fn has_work(&self) -> bool {
        !self.mail.is_empty()
            || self.intake.backlog() > 0
            || self.readable.contains(&true)
            || self.world.has_work()
    }

    fn note(&mut self, event: &Readiness, now: Instant) {
        let token = event.token();
        if token == MAIL {
            return;
        }
        let index = FIRST_SOCKET.saturating_sub(token.0);
        if let Some(readable) = self.readable.get_mut(index) {
            *readable |= event.is_readable();
            if event.is_error() {
                self.world.take_errors(index);
            }
        } else if index < self.readable.len() + self.world.streams.listeners.len() {
            self.world.streams.listener_ready(index - self.readable.len());
        } else {
            let at_end = event.is_read_closed();
            let readable = event.is_readable() || at_end || event.is_error();
            let writable = event.is_writable() || event.is_error();
            let key = Key::from_u64(token.0 as u64);
            self.world.streams.ready(key, Ready { readable, writable, at_end }, now);
        }
    }

    fn turn(&mut self, now: Instant) {
        self.core.subscribe(self.world.shared.events.classes());
        self.world.try_again();
        self.handle_failures();
        self.handle_mail();
        self.read_sockets();
        self.handle_backlog();
        self.world.flush_datagrams();
        self.world.streams.accept(now);
        self.handle_stream_events(now);
        for _ in 0..READS_PER_TURN {
            let Some(flow) = self.world.streams.read_next(now, &mut self.frames) else { break };
            self.taken += self.frames.len() as u32;
            for frame in std::mem::take(&mut self.frames) {
                self.intake.frame(flow, frame, now, &mut self.core, &mut self.world);
            }
            self.handle_stream_events(now);
        }
        let now = self.now();
        self.world.streams.tick(now);
        self.handle_stream_events(now);
        self.core.tick(now, &mut self.world);
        for post in std::mem::take(&mut self.world.refused_mail) {
            self.intake.refused_mail(post, now, &mut self.world);
        }
        self.world.flush(now);
        self.report_quiet(now);
    }

    fn handle_failures(&mut self) {
        for report in std::mem::take(&mut self.world.failures) {
            self.core.feed(Input::SendFailed { report }, &mut self.world);
        }
    }

    fn handle_mail(&mut self) {
        let shard = self.world.shard();
        if self.world.shared.mailboxes.is_filled(shard) {
            self.world.shared.mailboxes.take(shard, &mut self.mail);
        }
        if self.mail.is_empty() {
            return;
        }
        let started = self.now();
        for _ in 0..POSTS_PER_TURN {
            let Some((posted, post)) = self.mail.pop_front() else { break };
            self.world.shared.mailboxes.settle(shard, &self.mail);
            self.taken += 1;
            self.handle_post(posted, post);
            if self.now().since(started) >= PATIENCE_PER_KIND {
                break;
            }
        }
    }

    fn handle_backlog(&mut self) {
        if self.intake.backlog() == 0 {
            return;
        }
        let started = self.now();
        for _ in 0..BACKLOG_PER_TURN {
            let went_on = self.intake.handle_oldest(&mut self.core, &mut self.world);
            if !went_on || self.now().since(started) >= PATIENCE_PER_KIND {
                return;
            }
        }
    }

    fn handle_post(&mut self, posted: Instant, post: Post) {
        let (core, world) = (&mut self.core, &mut self.world);
        match post {
            Post::Mail(Mail::Message { flow, message }) => {
                let now = world.shared.clock.now();
                self.intake.mail(flow, message, now.since(posted), now, core, world);
            }
            Post::Mail(Mail::Send { egress, bytes, report }) => {
                let now = world.shared.clock.now();
                world.send(&egress, bytes, report, now);
            }
            Post::Mail(Mail::SendFailed(report)) => core.feed(Input::SendFailed { report }, world),
            Post::Mail(Mail::SentOn { report, connection }) => {
                core.feed(Input::SentOn { report, connection }, world);
            }
            Post::Mail(Mail::ConnectionClosed(connection)) => {
                core.feed(Input::ConnectionClosed { connection }, world);
            }
            Post::Mail(Mail::Decided { ticket, verdict }) => {
                core.feed(Input::Decided { ticket, verdict }, world)
            }
            Post::Mail(mail @ (Mail::Adopt { .. } | Mail::Returned { .. })) => {
                core.feed(Input::Mail(mail), world);
            }
            Post::LookedUp { ticket, records } => core.feed(Input::LookedUp { ticket, records }, world),
            Post::MediaDone { ticket, result } => core.feed(Input::MediaDone { ticket, result }, world),
            Post::Committed { ticket, stored } => core.feed(committed(ticket, stored), world),
            Post::WakePolicy => core.wake_policy(world),
            Post::Control => {
                for control in self.controls.take() {
                    let index = world.shard();
                    core.with(world, |engine, policy, now, effects| {
                        control(&mut ShardLocal { index, engine, policy, now, effects });
                    });
                }
            }
        }
    }

    fn read_sockets(&mut self) {
        for index in 0..self.readable.len() {
            for _ in 0..BATCHES_PER_TURN {
                if self.readable.get(index) != Some(&true) || !self.intake.has_room(&self.world) {
                    break;
                }
                let received = self.world.receive(index, &mut self.batch);
                if let Some(warm) = self.warm.get_mut(index) {
                    *warm = received.count > 0;
                }
                if let Some(readable) = self.readable.get_mut(index) {
                    *readable = received.more;
                }
                self.taken += received.count as u32;
                self.take_in(index, received.count);
            }
        }
    }

    /// Handles a batch at once when the shard keeps up, else puts it into the backlog.
    fn take_in(&mut self, index: usize, count: usize) {
        let keeps_up = count < BATCH;
        let arrived = self.now();
        for i in 0..count {
            let Some(datagram) = self.batch.datagram(i) else { continue };
            let Some(socket) = self.world.udp.get_mut(index) else { return };
            let dropped_before = socket.dropped();
            let local = socket.local_of(&datagram);
            let lost = socket.dropped().wrapping_sub(dropped_before);
            if lost > 0 {
                self.world.shared.counters.datagrams_dropped.fetch_add(u64::from(lost), Ordering::Relaxed);
            }
            let flow = Flow { transport: Transport::Udp, local, remote: datagram.from, connection: None };
            let now = if i == 0 { arrived } else { self.now() };
            let waited = now.since(arrived);
            // Once one is kept all behind it are: they stay in order.
            if keeps_up && self.intake.backlog() == 0 && waited < PATIENCE_PER_KIND {
                let (core, world) = (&mut self.core, &mut self.world);
                self.intake.datagram(flow, datagram.bytes, waited, now, core, world);
            } else {
                self.intake.keep(flow, datagram.bytes, arrived, &mut self.world);
            }
        }
    }

    fn handle_stream_events(&mut self, now: Instant) {
        // Before the end of a connection, who hangs on it.
        self.core.link_opened(&mut self.world);
        while let Some(event) = self.world.streams.events.pop_front() {
            match event {
                StreamEvent::Opened(flow) => self.world.tell_edge(now, Kind::ConnectionOpened { flow }),
                StreamEvent::Closed(flow) => {
                    self.world.tell_edge(now, Kind::ConnectionClosed { flow });
                    if let Some(connection) = flow.connection {
                        self.world.tell_others_closed(connection);
                        self.core.feed(Input::ConnectionClosed { connection }, &mut self.world);
                    }
                }
            }
        }
    }

    /// While the node drains: whether there is anything left to finish here.
    fn report_quiet(&mut self, now: Instant) {
        let shared = &self.world.shared;
        if !shared.draining.load(Ordering::Relaxed) || now < self.next_quiet_check {
            return;
        }
        self.next_quiet_check = now + QUIET_CHECK;
        let quiet = self.intake.backlog() == 0 && self.mail.is_empty() && self.core.engine.is_quiet();
        if let Some(place) = shared.quiet.get(usize::from(self.world.shard()))
            && place.swap(quiet, Ordering::Relaxed) != quiet
            && quiet
        {
            // Under the lock, so that a waiter cannot miss it between looking and waiting.
            let _held = shared.became_quiet.0.lock().unwrap_or_else(PoisonError::into_inner);
            shared.became_quiet.1.notify_all();
        }
    }
}
