//! The connections whose I/O one shard does: its listeners, its table, their deadlines.

use crate::base::flow::{ConnectionId, Flow, Transport};
use crate::base::slab::{Key, Slab};
use crate::base::text::Octets;
use crate::base::time::{Duration, Instant};
use crate::driver::shared::Shared;
use crate::net::connection::{Connection, Ended, ReadState, Room};
use crate::net::flows::FlowKey;
use crate::net::{ReportTo, tcp};
use crate::wire::sip::Frame;
use mio::net::TcpListener;
use mio::{Interest, Registry, Token};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

/// What came of a connection.
#[derive(Debug)]
pub(super) enum StreamEvent {
    /// It is open.
    Opened(Flow),
    /// It is gone, after it had been open.
    Closed(Flow),
}

/// What a connection is ready for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The peer sends no more.
    pub(super) at_end: bool,
}

struct Entry {
    connection: Connection,
    /// It waits in `readable`.
    to_read: bool,
    /// It waits in `to_flush`.
    to_flush: bool,
    /// The entry of `deadlines` that counts.
    wakes_at: Instant,
}

pub(super) struct Listener {
    socket: TcpListener,
    readable: bool,
    /// The process had no room for another connection: accepting is tried again then.
    paused_until: Option<Instant>,
}

/// Connections accepted per listener and turn.
const ACCEPTS_PER_TURN: usize = 64;
/// How long accepting rests when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

pub(super) struct Streams {
    shard: u8,
    shared: Arc<Shared>,
    registry: Registry,
    pub(super) listeners: Vec<Listener>,
    table: Slab<Entry>,
    readable: VecDeque<Key>,
    to_flush: Vec<Key>,
    deadlines: BinaryHeap<Reverse<(Instant, Key)>>,
    scratch: Vec<u8>,
    pub(super) events: VecDeque<StreamEvent>,
    /// Reports of messages that waited for a connection, with the connection they got.
    pub(super) sent_on: Vec<(ReportTo, ConnectionId)>,
    /// Reports of messages that will not be sent.
    pub(super) failed: Vec<ReportTo>,
}

impl Streams {
    pub(super) fn new(
        shard: u8,
        shared: Arc<Shared>,
        registry: Registry,
        listeners: Vec<TcpListener>,
    ) -> Self {
        let listener = |socket| Listener { socket, readable: true, paused_until: None };
        Streams {
            shard,
            shared,
            registry,
            listeners: listeners.into_iter().map(listener).collect(),
            table: Slab::default(),
            readable: VecDeque::new(),
            to_flush: Vec::new(),
            deadlines: BinaryHeap::new(),
            scratch: vec![0; 16 * 1024],
            events: VecDeque::new(),
            sent_on: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// A listener has connections to accept.
    pub(super) fn listener_ready(&mut self, index: usize) {
        if let Some(listener) = self.listeners.get_mut(index) {
            listener.readable = true;
        }
    }

    /// The connection `key` is ready.
    pub(super) fn ready(&mut self, key: Key, ready: Ready, now: Instant) {
        let Some(entry) = self.table.get_mut(key) else { return };
        let Ready { readable, writable, at_end } = ready;
        if at_end {
            entry.connection.end_is_near();
        }
        if entry.connection.is_opening() {
            return self.finish_opening(key, now);
        }
        if writable {
            entry.connection.writable();
            self.mark_to_flush(key);
        }
        if readable {
            self.mark_to_read(key);
        }
    }

    fn mark_to_read(&mut self, key: Key) {
        if let Some(entry) = self.table.get_mut(key)
            && !std::mem::replace(&mut entry.to_read, true)
        {
            self.readable.push_back(key);
        }
    }

    fn mark_to_flush(&mut self, key: Key) {
        if let Some(entry) = self.table.get_mut(key)
            && entry.connection.wants_flush()
            && !std::mem::replace(&mut entry.to_flush, true)
        {
            self.to_flush.push(key);
        }
    }

    /// Whether there is no connection.
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Whether there is something to do without waiting.
    pub(super) fn has_work(&self) -> bool {
        !self.readable.is_empty()
            || !self.events.is_empty()
            || !self.to_flush.is_empty()
            || self.listeners.iter().any(|l| l.readable && l.paused_until.is_none())
    }

    /// Accepts what the listeners have, up to a bound.
    pub(super) fn accept(&mut self, now: Instant) {
        for index in 0..self.listeners.len() {
            self.accept_from(index, now);
        }
    }

    fn accept_from(&mut self, index: usize, now: Instant) {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(listener) = self.listeners.get_mut(index) else { return };
            if !listener.readable || listener.paused_until.is_some_and(|at| at > now) {
                return;
            }
            listener.paused_until = None;
            match listener.socket.accept() {
                Ok((stream, remote)) => self.take_in(stream, remote, now),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    listener.readable = false;
                }
                // Readiness was reported once and will not be again for those who wait already.
                Err(error) if tcp::is_out_of_room(&error) => {
                    listener.paused_until = Some(now + ACCEPT_PAUSE);
                }
                // The peer gave up while it waited; the next one may not have.
                Err(_) => {}
            }
        }
    }

    fn take_in(&mut self, stream: mio::net::TcpStream, remote: SocketAddr, now: Instant) {
        let remote = plain(remote);
        if !self.shared.census.admit(remote.ip(), &self.shared.net) {
            return;
        }
        let Ok(local) = stream.local_addr() else {
            return self.shared.census.leave(Some(remote.ip()));
        };
        tcp::prepare(&stream, remote, &self.shared.net);
        let local = plain(local);
        let key = FlowKey::new(Transport::Tcp, Some(local), remote);
        let flow = Flow { transport: Transport::Tcp, local, remote, connection: None };
        let room = Room { settings: &self.shared.net, limits: &self.shared.limits };
        let mut connection = Connection::open(stream, flow, key, &room, now);
        connection.accepted_from = Some(remote.ip());
        if let Some(key) = self.install(connection)
            && let Some(entry) = self.table.get(key)
        {
            let flow = entry.connection.flow;
            if let Some(id) = flow.connection {
                self.shared.directory.accepted(entry.connection.key, id);
            }
            self.events.push_back(StreamEvent::Opened(flow));
        }
    }

    /// Begins to open a connection for what waits under `key` in the directory.
    pub(super) fn connect(&mut self, key: FlowKey, now: Instant) {
        if !self.shared.census.admit_outgoing(&self.shared.net) {
            return self.give_up(key);
        }
        let Ok(stream) = tcp::connect(key.local, key.remote, &self.shared.net) else {
            self.shared.census.leave(None);
            return self.give_up(key);
        };
        let local = SocketAddr::new(key.local.unwrap_or(unspecified(key.remote)), 0);
        let flow = Flow { transport: key.transport, local, remote: key.remote, connection: None };
        let room = Room { settings: &self.shared.net, limits: &self.shared.limits };
        if self.install(Connection::opening(stream, flow, key, &room, now)).is_none() {
            self.give_up(key);
        }
    }

    fn give_up(&mut self, key: FlowKey) {
        self.failed.extend(self.shared.directory.failed(key).into_iter().map(|waiting| waiting.report));
    }

    fn install(&mut self, connection: Connection) -> Option<Key> {
        let shard = self.shard;
        let accepted_from = connection.accepted_from;
        let wakes_at = connection.deadline(&self.shared.net);
        let key = self.table.insert_with(|key| {
            let mut connection = connection;
            connection.flow.connection = Some(tcp::connection_id(shard, key));
            Entry { connection, to_read: false, to_flush: false, wakes_at }
        });
        let token = Token(key.to_u64() as usize);
        let interest = Interest::READABLE | Interest::WRITABLE;
        let entry = self.table.get_mut(key)?;
        if self.registry.register(entry.connection.stream(), token, interest).is_err() {
            self.table.remove(key);
            self.shared.census.leave(accepted_from);
            return None;
        }
        self.deadlines.push(Reverse((wakes_at, key)));
        Some(key)
    }

    fn finish_opening(&mut self, key: Key, now: Instant) {
        let Some(entry) = self.table.get_mut(key) else { return };
        match entry.connection.finish_opening(now) {
            Ok(false) => {}
            Err(_) => self.close(key, Ended::Broken),
            Ok(true) => {
                let flow = entry.connection.flow;
                let Some(id) = flow.connection else { return };
                for waiting in self.shared.directory.opened(entry.connection.key, id) {
                    self.sent_on.push((waiting.report, id));
                    if !entry.connection.queue(waiting.bytes, waiting.report) {
                        self.failed.push(waiting.report);
                    }
                }
                self.events.push_back(StreamEvent::Opened(flow));
                self.mark_to_flush(key);
                self.mark_to_read(key);
                self.reschedule(key);
            }
        }
    }

    /// Queues octets on the connection `key`; false when it is gone or takes no more.
    pub(super) fn queue(&mut self, key: Key, bytes: Octets, report: ReportTo) -> bool {
        let Some(entry) = self.table.get_mut(key) else { return false };
        if !entry.connection.queue(bytes, report) {
            return false;
        }
        self.mark_to_flush(key);
        true
    }

    /// Whether the connection `key` is there, and takes this: one whose peer has ended its half takes responses only.
    pub(super) fn takes(&self, key: Key, bytes: &[u8]) -> bool {
        self.table.get(key).is_some_and(|entry| entry.connection.takes(bytes))
    }

    /// Reads the next readable connection and appends what came to `frames`; `None` when there is none.
    pub(super) fn read_next(&mut self, now: Instant, frames: &mut Vec<Frame>) -> Option<Flow> {
        let key = loop {
            let key = self.readable.pop_front()?;
            if let Some(entry) = self.table.get_mut(key) {
                entry.to_read = false;
                break key;
            }
        };
        let entry = self.table.get_mut(key)?;
        let flow = entry.connection.flow;
        match entry.connection.read(&mut self.scratch, now, frames) {
            ReadState::Drained => {}
            ReadState::More => self.mark_to_read(key),
            ReadState::Ended(Ended::Unframeable) => {
                // The answer to what cannot be framed goes out before the connection goes.
                entry.connection.begin_closing(now);
                self.mark_to_read(key);
                if let Some(entry) = self.table.get_mut(key)
                    && !std::mem::replace(&mut entry.to_flush, true)
                {
                    self.to_flush.push(key);
                }
            }
            ReadState::Ended(Ended::ByPeer) if entry.connection.is_half_closed() => {}
            // What came with the end is handled first: the event stands behind it.
            ReadState::Ended(Ended::ByPeer) if entry.connection.half_close(now) => {
                // Nobody can ask this peer anything any more.
                if let Some(id) = flow.connection {
                    self.shared.directory.closed(entry.connection.key, id);
                }
                self.events.push_back(StreamEvent::Closed(flow));
            }
            ReadState::Ended(why) => {
                self.close(key, why);
                return Some(flow);
            }
        }
        self.mark_to_flush(key);
        self.reschedule(key);
        Some(flow)
    }

    /// Writes what was queued during the turn.
    pub(super) fn flush(&mut self, now: Instant) {
        for key in std::mem::take(&mut self.to_flush) {
            let Some(entry) = self.table.get_mut(key) else { continue };
            entry.to_flush = false;
            match entry.connection.flush(now) {
                Ok(()) if entry.connection.is_half_closed() && !entry.connection.owes_answers() => {
                    self.close(key, Ended::ByPeer);
                }
                Ok(()) => self.reschedule(key),
                Err(_) => self.close(key, Ended::Broken),
            }
        }
    }

    /// The earliest deadline of a connection or a paused listener.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let paused = self.listeners.iter().filter_map(|l| l.paused_until).min();
        let waiting = self.deadlines.peek().map(|Reverse((at, _))| *at);
        [paused, waiting].into_iter().flatten().min()
    }

    /// Closes connections whose time is up.
    pub(super) fn tick(&mut self, now: Instant) {
        for listener in &mut self.listeners {
            listener.paused_until = listener.paused_until.filter(|at| *at > now);
        }
        while let Some(Reverse((at, key))) = self.deadlines.peek().copied()
            && at <= now
        {
            self.deadlines.pop();
            let Some(entry) = self.table.get_mut(key).filter(|e| e.wakes_at == at) else { continue };
            match entry.connection.overdue(&self.shared.net, now) {
                Some(why) => self.close(key, why),
                None => {
                    entry.wakes_at = entry.connection.deadline(&self.shared.net);
                    self.deadlines.push(Reverse((entry.wakes_at, key)));
                }
            }
        }
    }

    /// Makes sure that a deadline that came nearer is met. One that moved away is found out when its old time
    /// comes, so a busy connection does not touch the heap.
    fn reschedule(&mut self, key: Key) {
        let Some(entry) = self.table.get_mut(key) else { return };
        let at = entry.connection.deadline(&self.shared.net);
        if at < entry.wakes_at {
            entry.wakes_at = at;
            self.deadlines.push(Reverse((at, key)));
        }
    }

    fn close(&mut self, key: Key, why: Ended) {
        let Some(mut entry) = self.table.remove(key) else { return };
        let connection = &mut entry.connection;
        let _ = self.registry.deregister(connection.stream());
        self.shared.census.leave(connection.accepted_from);
        self.failed.extend(connection.unsent());
        if connection.is_opening() {
            self.give_up(connection.key);
        } else if connection.is_half_closed() {
            // That was told when the peer ended its half.
        } else if let Some(id) = connection.flow.connection {
            self.shared.directory.closed(connection.key, id);
            self.events.push_back(StreamEvent::Closed(connection.flow));
        }
        let (remote, shard) = (connection.flow.remote, self.shard);
        tracing::debug!(%remote, shard, ?why, "connection ended");
    }
}

/// Without the flow label, so that equal addresses compare equal.
fn plain(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(mut v6) => {
            v6.set_flowinfo(0);
            SocketAddr::V6(v6)
        }
        v4 => v4,
    }
}

fn unspecified(like: SocketAddr) -> std::net::IpAddr {
    match like {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    }
}
