//! The virtual world between the hosts: clock, event queue, datagrams that get lost, doubled and overtaken, byte
//! streams that arrive in pieces and break. Everything random follows from one seed.

use crate::base::flow::Transport;
use crate::base::rng::Rng;
use crate::base::text::Octets;
use crate::base::time::{Duration, Instant};
use crate::base::token::Secret;
use crate::engine::Input;
use crate::policy::Commit;
use crate::sim::audit::Auditor;
use crate::sim::log::{Log, What};
use crate::sim::media::Engines;
use crate::sim::order::Order;
use crate::sim::reading::Reading;
use crate::sim::store::Store;
use crate::sim::zone::Zone;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names a host: a proxy node or a user agent.
pub type HostId = usize;

/// What the wire does to what is sent over it. Shares are per thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// Datagrams lost. No datagram of the same octets between the same two sockets is lost more than twice, so that
    /// what RFC 3261 promises over a lossy wire is certain and not only likely.
    pub loss: u32,
    /// Datagrams that arrive twice.
    pub duplicates: u32,
    /// Datagrams held back long enough for others to overtake them.
    pub reordered: u32,
    /// Every transfer takes between these two.
    pub delay: (Duration, Duration),
    /// Streams deliver in arbitrary pieces instead of whole writes.
    pub chunked: bool,
    /// Connection attempts that are refused.
    pub refused: u32,
    /// Writes after which the connection is reset.
    pub resets: u32,
    /// Datagrams of a node that its own host refuses to send.
    pub unsendable: u32,
    /// A mail between shards takes up to this long.
    pub mailbox: Duration,
}

impl Conditions {
    /// Nothing goes wrong; a transfer takes 1 to 3 ms.
    pub const CALM: Conditions = Conditions {
        loss: 0,
        duplicates: 0,
        reordered: 0,
        delay: (Duration::from_millis(1), Duration::from_millis(3)),
        chunked: false,
        refused: 0,
        resets: 0,
        unsendable: 0,
        mailbox: Duration::from_micros(300),
    };
    /// One datagram in ten lost, one in twenty doubled, one in ten overtaken; streams in pieces.
    pub const ROUGH: Conditions = Conditions {
        loss: 100,
        duplicates: 50,
        reordered: 100,
        delay: (Duration::from_millis(1), Duration::from_millis(60)),
        chunked: true,
        refused: 0,
        resets: 0,
        unsendable: 0,
        mailbox: Duration::from_millis(5),
    };

    /// Whether messages may get lost, doubled or overtaken.
    pub fn is_rough(&self) -> bool {
        self.loss + self.duplicates + self.reordered > 0
    }
}

/// What can happen at a point in time.
#[derive(Debug)]
pub(crate) enum Event {
    Datagram {
        to: HostId,
        local: SocketAddr,
        from: SocketAddr,
        bytes: Octets,
    },
    Stream {
        to: HostId,
        stream: StreamId,
        event: StreamEvent,
    },
    Timer {
        host: HostId,
        token: u64,
    },
    Order {
        host: HostId,
        order: Order,
    },
    /// The shard or its policy wants to be called.
    Wake {
        host: HostId,
        shard: u8,
    },
    /// Something for a shard: mail, records, an acknowledgement of the store. Void when the node died meanwhile.
    Input {
        host: HostId,
        shard: u8,
        life: u32,
        input: Input,
    },
    /// The store writes what a node committed; whether the node still lives does not matter.
    Write {
        host: HostId,
        commit: Box<Commit>,
    },
    /// Something between a node and a media engine. Void when the node died meanwhile.
    Media {
        host: HostId,
        life: u32,
        event: MediaEvent,
    },
    /// The node dies, or is built anew.
    Power {
        host: HostId,
        on: bool,
    },
}

impl Event {
    /// Whether it is a message, an answer or an order: not something that waits for its time.
    fn is_traffic(&self) -> bool {
        let waits = matches!(self, Event::Media { event: MediaEvent::Wake, .. });
        !waits && !matches!(self, Event::Timer { .. } | Event::Wake { .. } | Event::Power { .. })
    }
}

/// What happens between a node and a media engine, which it knows by its number.
#[derive(Debug)]
pub(crate) enum MediaEvent {
    /// A datagram comes to the engine.
    Command { instance: usize, octets: Vec<u8> },
    /// A datagram comes back.
    Reply { instance: usize, octets: Vec<u8> },
    /// The engine's host says that nobody listens there.
    Unreachable { instance: usize },
    /// The client wants to be called.
    Wake,
}

/// Tells the virtual time from anywhere.
#[derive(Clone, Debug)]
pub struct VirtualClock(Arc<AtomicU64>);

impl VirtualClock {
    /// Now.
    pub fn now(&self) -> Instant {
        Instant(self.0.load(Ordering::Relaxed))
    }
}

/// Names a connection, both ends of it.
pub type StreamId = usize;

/// What happens at one end of a connection.
#[derive(Debug)]
pub(crate) enum StreamEvent {
    /// The peer connected to our listener.
    Accepted { local: SocketAddr, remote: SocketAddr },
    /// Our connect succeeded.
    Opened,
    /// Octets arrived.
    Data(Octets),
    /// Refused, reset or closed.
    Closed,
}

#[derive(Debug)]
struct Stream {
    hosts: [HostId; 2],
    addresses: [SocketAddr; 2],
    open: bool,
    /// When the last octets written towards each end arrive: streams keep their order.
    arrival: [Instant; 2],
    /// Call-IDs of what is under way, and when it arrives.
    under_way: Vec<(Instant, String)>,
}

#[derive(Debug)]
struct Scheduled {
    at: Instant,
    number: u64,
    event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// Everything but the hosts: what a host may touch while it handles an event.
#[derive(Debug)]
pub struct Wire {
    /// The virtual time.
    pub now: Instant,
    /// The one source of chance.
    pub rng: Rng,
    /// What the wire does.
    pub conditions: Conditions,
    /// What happened.
    pub log: Log,
    /// Checks what happened.
    pub audit: Auditor,
    /// The DNS.
    pub zone: Zone,
    /// The store of bindings.
    pub store: Store,
    /// The media engines.
    pub media: Engines,
    queue: BinaryHeap<Reverse<Scheduled>>,
    /// How many of them are messages, answers or orders under way.
    traffic: usize,
    clock: Arc<AtomicU64>,
    next_number: u64,
    /// Who has every address that nobody bound.
    pub(crate) strangers: Option<HostId>,
    udp: BTreeMap<SocketAddr, HostId>,
    tcp: BTreeMap<SocketAddr, HostId>,
    streams: Vec<Stream>,
    /// How often datagrams of the same octets were lost.
    lost: BTreeMap<u64, u8>,
    hash: Secret,
}

/// The virtual clock starts here: a point of Unix time, since bindings expire by wall time.
pub const START: Instant = Instant::from_unix_secs(1_900_000_000);

impl Wire {
    pub(crate) fn seeded(seed: u64) -> Self {
        Wire {
            now: START,
            rng: Rng::seeded(seed),
            conditions: Conditions::CALM,
            log: Log::default(),
            audit: Auditor::default(),
            zone: Zone::default(),
            store: Store::default(),
            media: Engines::default(),
            queue: BinaryHeap::new(),
            traffic: 0,
            clock: Arc::new(AtomicU64::new(START.0)),
            next_number: 0,
            strangers: None,
            udp: BTreeMap::new(),
            tcp: BTreeMap::new(),
            streams: Vec::new(),
            lost: BTreeMap::new(),
            hash: Secret::new(1, 2),
        }
    }

    pub(crate) fn schedule(&mut self, at: Instant, event: Event) {
        let number = self.next_number;
        self.next_number += 1;
        self.traffic += usize::from(event.is_traffic());
        self.queue.push(Reverse(Scheduled { at: at.max(self.now), number, event }));
    }

    /// The next event at or before `until`; the clock moves to it.
    pub(crate) fn next_event(&mut self, until: Instant) -> Option<Event> {
        if self.queue.peek()?.0.at > until {
            return None;
        }
        let Reverse(scheduled) = self.queue.pop()?;
        self.traffic = self.traffic.saturating_sub(usize::from(scheduled.event.is_traffic()));
        self.set_now(scheduled.at);
        Some(scheduled.event)
    }

    /// The clock moves.
    pub(crate) fn set_now(&mut self, now: Instant) {
        self.now = now;
        self.clock.store(now.0, Ordering::Relaxed);
    }

    /// The virtual time for those who cannot hold the wire: a script's reach, a log.
    pub fn clock(&self) -> VirtualClock {
        VirtualClock(self.clock.clone())
    }

    /// Whether something is under way, or due at this moment.
    pub(crate) fn is_busy(&self) -> bool {
        self.traffic > 0 || self.next_at().is_some_and(|at| at <= self.now)
    }

    /// When the next event is due.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.queue.peek().map(|s| s.0.at)
    }

    /// Arms a timer that reaches `host` with `token`.
    pub(crate) fn timer(&mut self, host: HostId, after: Duration, token: u64) {
        self.schedule(self.now + after, Event::Timer { host, token });
    }

    /// A duration between the two, by chance.
    pub fn between(&mut self, (low, high): (Duration, Duration)) -> Duration {
        let span = u64::try_from(high.saturating_sub(low).as_micros()).unwrap_or(0);
        low + Duration::from_micros(self.rng.below(span + 1))
    }

    // ---- datagrams ------------------------------------------------------------------------------------------

    /// `host` receives what is sent to `address` over `transport`.
    pub(crate) fn bind(&mut self, transport: Transport, address: SocketAddr, host: HostId) {
        match transport {
            Transport::Udp => self.udp.insert(address, host),
            Transport::Tcp => self.tcp.insert(address, host),
        };
    }

    /// Nobody listens at `address` any more.
    pub(crate) fn unbind(&mut self, transport: Transport, address: SocketAddr) {
        match transport {
            Transport::Udp => self.udp.remove(&address),
            Transport::Tcp => self.tcp.remove(&address),
        };
    }

    /// Puts a datagram on the wire.
    pub(crate) fn datagram(&mut self, from: SocketAddr, to: SocketAddr, bytes: &Octets) {
        let c = self.conditions;
        let lost = self.rng.chance(c.loss) && self.may_lose(from, to, bytes);
        let what = if lost { What::Lost } else { What::Sent };
        self.log.add(self.now, what, Transport::Udp, from, to, bytes);
        let known = self.udp.get(&to).copied().or(self.strangers);
        let Some(host) = known.filter(|_| !lost) else { return };
        let copies = if self.rng.chance(c.duplicates) { 2 } else { 1 };
        for _ in 0..copies {
            let mut delay = self.between(c.delay);
            if self.rng.chance(c.reordered) {
                delay += self.between((Duration::from_millis(20), Duration::from_millis(400)));
            }
            let event = Event::Datagram { to: host, local: to, from, bytes: bytes.clone() };
            self.schedule(self.now + delay, event);
        }
    }

    fn may_lose(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> bool {
        let key = self.hash.mac(&[from.to_string().as_bytes(), to.to_string().as_bytes(), bytes]);
        let times = self.lost.entry(key).or_default();
        *times += 1;
        *times <= 2
    }

    // ---- streams --------------------------------------------------------------------------------------------

    /// Connects; `host` hears [`StreamEvent::Opened`] or [`StreamEvent::Closed`].
    pub(crate) fn connect(&mut self, host: HostId, local: SocketAddr, remote: SocketAddr) -> StreamId {
        let stream = self.streams.len();
        let at = self.now + self.between(self.conditions.delay);
        let refused = self.rng.chance(self.conditions.refused);
        let peer = self.tcp.get(&remote).copied().or(self.strangers).filter(|_| !refused);
        self.streams.push(Stream {
            hosts: [host, peer.unwrap_or(host)],
            addresses: [local, remote],
            open: peer.is_some(),
            arrival: [at, at],
            under_way: Vec::new(),
        });
        self.log.note(self.now, local, remote, if peer.is_some() { "connect" } else { "connect refused" });
        match peer {
            Some(peer) => {
                let accepted = StreamEvent::Accepted { local: remote, remote: local };
                self.schedule(at, Event::Stream { to: peer, stream, event: accepted });
                self.schedule(at, Event::Stream { to: host, stream, event: StreamEvent::Opened });
            }
            None => self.schedule(at, Event::Stream { to: host, stream, event: StreamEvent::Closed }),
        }
        stream
    }

    /// Writes a message; false when the connection is gone.
    pub(crate) fn write(&mut self, stream: StreamId, host: HostId, bytes: &Octets) -> bool {
        let Some(s) = self.streams.get(stream).filter(|s| s.open) else { return false };
        let to = if s.hosts[0] == host { 1 } else { 0 };
        let (from_address, to_address, peer) = (s.addresses[1 - to], s.addresses[to], s.hosts[to]);
        let mut at = s.arrival[to].max(self.now);
        self.log.add(self.now, What::Sent, Transport::Tcp, from_address, to_address, bytes);
        let mut rest: &[u8] = bytes;
        while !rest.is_empty() {
            let size = match self.conditions.chunked && self.rng.chance(300) {
                true => 1 + self.rng.below(rest.len() as u64) as usize,
                false => rest.len(),
            };
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            at += self.between(self.conditions.delay);
            let event = StreamEvent::Data(Octets::from(chunk));
            self.schedule(at, Event::Stream { to: peer, stream, event });
            rest = after;
        }
        if let Some(s) = self.streams.get_mut(stream) {
            s.arrival[to] = at;
            s.under_way.retain(|(arrival, _)| *arrival >= self.now);
            s.under_way.extend(Reading::of(bytes).map(|r| (at, r.call_id().to_owned())));
        }
        if self.rng.chance(self.conditions.resets) {
            self.reset(stream);
        }
        true
    }

    /// Breaks the connection: what is under way is lost, both ends hear of it.
    pub(crate) fn reset(&mut self, stream: StreamId) {
        let Some(s) = self.streams.get_mut(stream).filter(|s| s.open) else { return };
        s.open = false;
        for (_, call_id) in s.under_way.drain(..).filter(|(arrival, _)| *arrival >= self.now) {
            self.audit.excuse(&call_id);
        }
        let (hosts, addresses) = (s.hosts, s.addresses);
        self.log.note(self.now, addresses[0], addresses[1], "reset");
        for to in hosts {
            let at = self.now + self.between(self.conditions.delay);
            self.schedule(at, Event::Stream { to, stream, event: StreamEvent::Closed });
        }
    }

    /// Breaks every connection of `host`.
    pub(crate) fn reset_all_of(&mut self, host: HostId) {
        for stream in 0..self.streams.len() {
            if self.streams.get(stream).is_some_and(|s| s.open && s.hosts.contains(&host)) {
                self.reset(stream);
            }
        }
    }

    /// How many connections are up.
    pub fn open_streams(&self) -> usize {
        self.streams.iter().filter(|s| s.open).count()
    }
}
