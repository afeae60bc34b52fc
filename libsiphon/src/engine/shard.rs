//! One shard: the transactions it owns, its timers, its open tickets. Sans-IO: after every `handle` or `tick`
//! drain the effects, then sleep until `deadline()`.

use crate::base::flow::Egress;
use crate::base::rng::Rng;
use crate::base::slab::{Key, Slab};
use crate::base::text::Octets;
use crate::base::time::Instant;
use crate::base::wheel::{TimerId, Wheel};
use crate::engine::calls::Calls;
use crate::engine::client::Client;
use crate::engine::connections::ByConnection;
use crate::engine::contract::{Effect, Effects, Input, Mail, SendReport};
use crate::engine::node::Node;
use crate::engine::parking::Parking;
use crate::engine::server::Server;
use crate::engine::stray_ack::SentAcks;
use crate::engine::tickets::Tickets;
use crate::event::{Classes, Event, Kind};
use crate::proto::transaction::Cells;
use crate::proto::transaction::merged::MergedRequests;
use crate::wire::sip::Method;
use hashbrown::HashTable;
use std::rc::Rc;
use std::sync::Arc;

/// What a wheel entry stands for; it is packed into the entry's key beside the slab key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TimerOf {
    Server,
    Client,
    Ticket,
    Call,
}

/// Slots fit 28 bits: a shard holds fewer than 2^28 transactions.
const SLOT_BITS: u64 = (1 << 28) - 1;

impl TimerOf {
    pub(crate) fn pack(self, key: Key) -> u64 {
        let kind: u64 = match self {
            TimerOf::Server => 0,
            TimerOf::Client => 1,
            TimerOf::Ticket => 2,
            TimerOf::Call => 3,
        };
        kind << 60 | (u64::from(key.slot) & SLOT_BITS) << 32 | u64::from(key.generation)
    }

    fn unpack(packed: u64) -> (TimerOf, Key) {
        let key = Key { slot: (packed >> 32 & SLOT_BITS) as u32, generation: packed as u32 };
        match packed >> 60 {
            0 => (TimerOf::Server, key),
            1 => (TimerOf::Client, key),
            2 => (TimerOf::Ticket, key),
            _ => (TimerOf::Call, key),
        }
    }
}

/// A shard of the SIP engine.
#[derive(Debug)]
pub struct Shard {
    pub(crate) index: u8,
    /// Counted by the thread, not by the node: each step of a request borrows it, and shards must not meet over a counter.
    #[expect(clippy::redundant_allocation, reason = "the outer count is the thread's own")]
    pub(crate) node: Rc<Arc<Node>>,
    pub(crate) rng: Rng,
    /// The time of the input being handled.
    pub(crate) now: Instant,
    pub(crate) wheel: Wheel,
    pub(crate) servers: Slab<Server>,
    /// Server transactions by the hash of their key; the key itself is compared.
    pub(crate) matching: HashTable<Key>,
    /// Requests we answered as UAS (RFC 3261 8.2.2.2).
    pub(crate) merged: MergedRequests,
    pub(crate) clients: Slab<Client>,
    pub(crate) by_connection: ByConnection,
    pub(crate) sent_acks: SentAcks,
    pub(crate) tickets: Tickets,
    pub(crate) parking: Parking,
    /// Calls of two legs.
    pub(crate) calls: Calls,
    pub(crate) draining: bool,
    /// Server transactions without a final response.
    pub(crate) unanswered: usize,
    pub(crate) stats: Stats,
    /// Which cells of the machines' tables were entered, where somebody counts.
    pub(crate) cells: Option<Box<Cells>>,
    due: Vec<u64>,
    /// Where forwarded messages are written before they are copied to size.
    pub(crate) scratch: Vec<u8>,
    /// The same for the topmost Via of a response.
    pub(crate) via_scratch: Vec<u8>,
}

/// Counts of what a shard holds and did, for metrics and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Responses that matched no client transaction; dropped, because RFC 6026 forbids forwarding them.
    pub stray_responses: u64,
    /// Answers to tickets that were no longer open.
    pub stale_answers: u64,
    /// Questions that were asked.
    pub questions: u64,
    /// New requests turned away.
    pub shed: u64,
}

impl Shard {
    /// Shard number `index` of `node`.
    pub fn new(index: u8, node: Arc<Node>, rng: Rng, now: Instant) -> Self {
        Shard {
            index,
            rng,
            now,
            wheel: Wheel::new(now),
            servers: Slab::default(),
            matching: HashTable::new(),
            merged: MergedRequests::new(node.merging, node.settings().max_transactions),
            clients: Slab::default(),
            by_connection: ByConnection::default(),
            sent_acks: SentAcks::default(),
            tickets: Tickets::default(),
            parking: Parking::default(),
            calls: Calls::default(),
            draining: false,
            unanswered: 0,
            stats: Stats::default(),
            cells: None,
            due: Vec::new(),
            scratch: Vec::new(),
            via_scratch: Vec::new(),
            node: Rc::new(node),
        }
    }

    /// Feeds one input; what must happen next is pushed onto `out`.
    pub fn handle(&mut self, input: Input, now: Instant, out: &mut Effects) {
        self.now = self.now.max(now);
        match input {
            Input::Message { flow, message } | Input::Mail(Mail::Message { flow, message }) => {
                self.on_message(flow, message, out);
            }
            Input::Refused { flow, refused } => self.on_refused(&flow, &refused, out),
            Input::Decided { ticket, verdict } | Input::Mail(Mail::Decided { ticket, verdict }) => {
                self.on_decided(ticket, *verdict, out);
            }
            Input::LookedUp { ticket, records } => self.on_looked_up(ticket, records, out),
            Input::Committed { ticket } => self.on_committed(ticket, out),
            Input::CommitFailed { ticket } => self.on_commit_failed(ticket, out),
            Input::SendFailed { report } | Input::Mail(Mail::SendFailed(report)) => {
                self.on_send_failed(report, out);
            }
            Input::SentOn { report, connection } | Input::Mail(Mail::SentOn { report, connection }) => {
                self.on_sent_on(report, connection);
            }
            Input::ConnectionClosed { connection } | Input::Mail(Mail::ConnectionClosed(connection)) => {
                self.on_connection_closed(connection, out);
            }
            Input::Originate { wait, request } => self.originate(wait, *request, out),
            Input::Media { wait, request } => self.media_for_policy(wait, request, out),
            Input::MediaDone { ticket, result } => self.on_media_done(ticket, result, out),
            Input::Mail(Mail::Adopt { leg, replaces, to }) => self.take_in(to, leg, &replaces, out),
            Input::Mail(Mail::Returned { to, outcome }) => self.return_leg(to, outcome, out),
            // The driver performs posted sends itself; it never hands one to the engine.
            Input::Mail(Mail::Send { .. }) => {}
        }
    }

    /// Fires what is due at `now`.
    pub fn tick(&mut self, now: Instant, out: &mut Effects) {
        self.now = self.now.max(now);
        let mut due = std::mem::take(&mut self.due);
        self.wheel.expire(self.now, &mut due);
        for packed in due.drain(..) {
            let (of, key) = TimerOf::unpack(packed);
            match of {
                TimerOf::Server => self.server_tick(key, out),
                TimerOf::Client => self.client_tick(key, out),
                TimerOf::Ticket => self.ticket_expired(crate::policy::Ticket(key), out),
                TimerOf::Call => self.call_tick(key, out),
            }
        }
        self.due = due;
        self.expire_bindings(out);
        self.ping_bindings(out);
    }

    /// When `tick` is wanted; `None` when nothing is pending.
    pub fn deadline(&self) -> Option<Instant> {
        let bindings = self.next_binding_deadline();
        match (self.wheel.next_deadline(), bindings) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// From now on, new requests outside dialogs are answered 503; what runs goes on.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Whether no transaction waits for a final response and no ticket is open.
    pub fn is_quiet(&self) -> bool {
        self.tickets.len() == 0 && self.unanswered == 0
    }

    /// Server and client transactions held, lingering ones included.
    pub fn transactions(&self) -> (usize, usize) {
        (self.servers.len(), self.clients.len())
    }

    /// Open tickets.
    pub fn open_tickets(&self) -> usize {
        self.tickets.len()
    }

    /// Notes from now on which cells of the transaction machines' tables are entered.
    pub fn count_cells(&mut self) {
        self.cells.get_or_insert_default();
    }

    /// The cells entered since [`count_cells`](Self::count_cells).
    pub fn cells(&self) -> Option<&Cells> {
        self.cells.as_deref()
    }

    /// Counts since the start.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// What the shards of the node share.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    pub(crate) fn send(
        &mut self,
        egress: Egress,
        bytes: Octets,
        status: u16,
        method: Method,
        report: Option<SendReport>,
        out: &mut Effects,
    ) {
        self.tell(out, Classes::MESSAGES, || Kind::Sent { egress, bytes: bytes.clone(), status, method });
        out.push(Effect::Send { egress, bytes, report });
    }

    pub(crate) fn tell(&self, out: &mut Effects, class: Classes, kind: impl FnOnce() -> Kind) {
        let (at, shard) = (self.now, self.index);
        out.tell(class, || Event { at, shard, kind: kind() });
    }

    /// Arms, moves or disarms the one wheel entry of a transaction.
    pub(crate) fn rearm(
        wheel: &mut Wheel,
        timer: &mut Option<(TimerId, Instant)>,
        wanted: Option<Instant>,
        of: TimerOf,
        key: Key,
    ) {
        if timer.as_ref().map(|(_, at)| *at) == wanted {
            return;
        }
        if let Some((id, _)) = timer.take() {
            wheel.cancel(id);
        }
        if let Some(at) = wanted {
            *timer = Some((wheel.add(at, of.pack(key)), at));
        }
    }
}
