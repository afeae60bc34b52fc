//! What one shard does to the world: sends, questions to DNS and the store, events, mail to other shards.

use crate::base::flow::{ConnectionId, Egress, Transport};
use crate::base::slab::Key;
use crate::base::text::{Octets, Text};
use crate::base::time::Instant;
use crate::driver::mailbox::Post;
use crate::driver::shared::Shared;
use crate::driver::store::Acknowledge;
use crate::driver::streams::Streams;
use crate::engine::{Mail, SendReport};
use crate::event::{Classes, Event, Kind, Observer, ShedReason};
use crate::net::ReportTo;
use crate::net::flows::{FlowKey, Waiting, Way};
use crate::net::mmsg::SendBatch;
use crate::net::udp::UdpSocket;
use crate::policy::{Commit, Ticket};
use crate::proto::locate::{Lookup, Records};
use crate::wire::ng::{MediaRequest, MediaResult};
use crate::wire::sip::{Method, call_id_of};
use std::net::SocketAddr;
use std::sync::Arc;

pub(super) struct World {
    shard: u8,
    pub(super) shared: Arc<Shared>,
    pub(super) udp: Vec<UdpSocket>,
    pub(super) streams: Streams,
    batch: SendBatch,
    /// Mail of this turn, per shard.
    outboxes: Vec<Vec<Post>>,
    events: Vec<Event>,
    /// Sees what happens at the edge of the node at once.
    inline: Box<dyn Observer>,
    failed: Vec<ReportTo>,
    /// Which connections requests of this shard's own went out on, to be handed to the engine.
    pub(super) sent_on: Vec<(SendReport, ConnectionId)>,
    /// Failed sends of this shard's own transactions, to be handed to the engine.
    pub(super) failures: Vec<SendReport>,
    /// Mail that its shard had no room for.
    pub(super) refused_mail: Vec<Post>,
}

impl World {
    pub(super) fn new(shard: u8, shared: Arc<Shared>, udp: Vec<UdpSocket>, streams: Streams) -> Self {
        World {
            shard,
            outboxes: (0..shared.mailboxes.shards()).map(|_| Vec::new()).collect(),
            udp,
            streams,
            batch: SendBatch::new(),
            events: Vec::new(),
            inline: (shared.inline)(),
            failed: Vec::new(),
            sent_on: Vec::new(),
            failures: Vec::new(),
            refused_mail: Vec::new(),
            shared,
        }
    }

    pub(super) fn shard(&self) -> u8 {
        self.shard
    }

    /// Sends octets; a failure is reported, now or later.
    pub(super) fn send(&mut self, egress: &Egress, bytes: Octets, report: ReportTo, now: Instant) {
        match egress.transport {
            Transport::Udp => {
                let sent = self.udp_socket(egress.local, egress.remote).is_some_and(|i| {
                    self.udp.get_mut(i).is_some_and(|s| s.queue(egress.remote, egress.local, bytes, report))
                });
                if !sent {
                    self.fail(report);
                }
            }
            Transport::Tcp => self.send_on_stream(egress, bytes, report, now),
        }
    }

    /// The socket on `local`, else on every address of its port, else any of the family.
    fn udp_socket(&self, local: Option<SocketAddr>, remote: SocketAddr) -> Option<usize> {
        let exact = |s: &UdpSocket| local == Some(s.bound());
        let serves = |s: &UdpSocket| local.is_some_and(|local| s.serves(local));
        let of_family = |s: &UdpSocket| s.bound().is_ipv4() == remote.is_ipv4();
        let find = |by: &dyn Fn(&UdpSocket) -> bool| self.udp.iter().position(by);
        find(&exact).or_else(|| find(&serves)).or_else(|| find(&of_family))
    }

    fn send_on_stream(&mut self, egress: &Egress, bytes: Octets, report: ReportTo, now: Instant) {
        if let Some(id) = egress.connection {
            if id.shard != self.shard {
                return self.post(id.shard, Post::Mail(Mail::Send { egress: *egress, bytes, report }));
            }
            if self.streams.takes(key_of(id), &bytes) {
                if !self.streams.queue(key_of(id), bytes, report) {
                    self.fail(report);
                }
                return;
            }
        }
        let key = FlowKey::new(egress.transport, egress.local, egress.remote);
        match self.shared.directory.way(key, Waiting { bytes, report }, egress.may_connect) {
            Way::Open(id, waiting) if id.shard == self.shard => {
                self.tell_sent_on(waiting.report, id);
                if !self.streams.queue(key_of(id), waiting.bytes, waiting.report) {
                    self.fail(waiting.report);
                }
            }
            Way::Open(id, waiting) => {
                self.tell_sent_on(waiting.report, id);
                let egress = Egress { connection: Some(id), ..*egress };
                let mail = Mail::Send { egress, bytes: waiting.bytes, report: waiting.report };
                self.post(id.shard, Post::Mail(mail));
            }
            Way::Connect => self.streams.connect(key, now),
            Way::Waits => {}
            Way::Refused(waiting) => self.fail(waiting.report),
        }
    }

    /// Tells the transaction of a request which connection took it.
    fn tell_sent_on(&mut self, report: ReportTo, connection: ConnectionId) {
        match report {
            Some((shard, report @ SendReport::Client(_))) if shard == self.shard => {
                self.sent_on.push((report, connection));
            }
            Some((shard, report @ SendReport::Client(_))) => {
                self.post(shard, Post::Mail(Mail::SentOn { report, connection }));
            }
            _ => {}
        }
    }

    /// The same for what waited for connections that are open now.
    pub(super) fn tell_opened(&mut self) {
        for (report, connection) in std::mem::take(&mut self.streams.sent_on) {
            self.tell_sent_on(report, connection);
        }
    }

    /// Tells whoever waits for it that something was not sent.
    pub(super) fn fail(&mut self, report: ReportTo) {
        match report {
            Some((shard, report)) if shard == self.shard => self.failures.push(report),
            Some((shard, report)) => self.post(shard, Post::Mail(Mail::SendFailed(report))),
            None => {}
        }
    }

    /// Puts mail for another shard into this turn's batch.
    pub(super) fn post(&mut self, to: u8, post: Post) {
        if let Some(outbox) = self.outboxes.get_mut(usize::from(to)) {
            outbox.push(post);
        }
    }

    /// A connection of this shard's is gone: every other shard hears of it.
    pub(super) fn tell_others_closed(&mut self, connection: ConnectionId) {
        let own = self.shard;
        for shard in (0..self.shared.mailboxes.shards()).filter(|s| *s != own) {
            self.post(shard, Post::Mail(Mail::ConnectionClosed(connection)));
        }
    }

    pub(super) fn look_up(&self, ticket: Ticket, lookup: &Lookup) -> Option<Records> {
        let (mailboxes, shard) = (self.shared.mailboxes.clone(), self.shard);
        let done = move |records| mailboxes.signal(shard, Post::LookedUp { ticket, records });
        self.shared.names.look_up(lookup, Box::new(done))
    }

    pub(super) fn media(&self, ticket: Ticket, request: Box<MediaRequest>) -> Option<Box<MediaResult>> {
        let (mailboxes, shard) = (self.shared.mailboxes.clone(), self.shard);
        let done = move |result| mailboxes.signal(shard, Post::MediaDone { ticket, result });
        self.shared.media.ask(request, Box::new(done))
    }

    pub(super) fn commit(&self, ticket: Ticket, commit: &Commit) -> Option<bool> {
        let later = Acknowledge::new(self.shared.mailboxes.clone(), self.shard, ticket);
        self.shared.store.commit(commit, later)
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Tells the observers of something at the edge of the node, when one of them wants to know.
    pub(super) fn tell_edge(&mut self, at: Instant, kind: Kind) {
        let event = Event { at, shard: self.shard, kind };
        if self.inline.classes().contains(Classes::EDGE) {
            self.inline.see(&event);
        }
        if self.shared.events.classes().contains(Classes::EDGE) {
            self.events.push(event);
        }
    }

    pub(super) fn count_shed(&mut self, reason: ShedReason, method: Method, bytes: &[u8], at: Instant) {
        self.shared.counters.count_shed(reason);
        let is_read = self.shared.events.classes().contains(Classes::EDGE);
        let call_id = is_read.then(|| call_id_of(bytes)).flatten().map(Text::from);
        self.tell_edge(at, Kind::Shed { reason, method, call_id });
    }

    /// Puts everything on its way that this turn queued.
    pub(super) fn flush(&mut self, now: Instant) {
        self.flush_datagrams();
        self.streams.flush(now);
        self.failed.append(&mut self.streams.failed);
        for report in std::mem::take(&mut self.failed) {
            self.fail(report);
        }
        for (shard, posts) in (0u8..).zip(&mut self.outboxes) {
            if !posts.is_empty() {
                self.shared.mailboxes.post_all(shard, now, posts, &mut self.refused_mail);
            }
        }
        self.shared.events.push_all(&mut self.events);
    }

    /// Whether a socket took no more datagrams the last time, with more waiting.
    pub(super) fn is_blocked(&self) -> bool {
        self.udp.iter().any(UdpSocket::is_blocked)
    }

    /// Lets such sockets try again.
    pub(super) fn try_again(&mut self) {
        self.udp.iter_mut().for_each(UdpSocket::try_again);
    }

    /// Sends the queued datagrams.
    pub(super) fn flush_datagrams(&mut self) {
        for socket in self.udp.iter_mut().filter(|s| s.wants_flush()) {
            socket.flush(&mut self.batch, &mut self.failed);
        }
    }

    /// The error queue of a socket has something.
    pub(super) fn take_errors(&mut self, socket: usize) {
        if let Some(socket) = self.udp.get_mut(socket) {
            socket.take_errors(&mut self.failed);
        }
    }

    /// Receives into `batch`.
    pub(super) fn receive(
        &mut self,
        socket: usize,
        batch: &mut crate::net::mmsg::ReceiveBatch,
    ) -> crate::net::udp::Received {
        self.udp.get_mut(socket).map(|s| s.receive(batch, &mut self.failed)).unwrap_or_default()
    }

    /// Whether there is something to do without waiting.
    pub(super) fn has_work(&self) -> bool {
        !self.failures.is_empty()
            || !self.failed.is_empty()
            || !self.refused_mail.is_empty()
            || self.streams.has_work()
            || self.outboxes.iter().any(|o| !o.is_empty())
            || self.udp.iter().any(UdpSocket::wants_flush)
    }
}

fn key_of(id: ConnectionId) -> Key {
    Key { slot: id.slot, generation: id.generation }
}
