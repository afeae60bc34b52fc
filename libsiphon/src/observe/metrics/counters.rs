//! Plain counters of one writer, fed from the event stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::flow::Transport;
use crate::base::time::Duration;
use crate::event::{BindingChange, Classes, Event, Kind, ShedReason, Side};
use crate::observe::Observer;
use crate::wire::sip::Method;

/// Upper bounds of the duration buckets, in microseconds.
pub(super) const BUCKETS: [u64; 12] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 500_000, 2_500_000, 10_000_000];
/// Methods with a series of their own, and one more for the rest.
pub(super) const METHODS: usize = Method::ALL.len() + 1;
/// Status codes 100 to 699.
pub(super) const CODES: usize = 600;
/// Handlers with a series of their own; the last stands for the rest.
pub(super) const HANDLERS: [&str; 8] = [
    "proxy.on_request",
    "proxy.on_reply",
    "proxy.on_failure",
    "proxy.on_cancel",
    "registrar.on_change",
    "timer.every",
    "timer.set",
    "other",
];
pub(super) const REASONS: [ShedReason; 4] =
    [ShedReason::Overload, ShedReason::Transactions, ShedReason::Mailbox, ShedReason::Draining];
pub(super) const TRANSPORTS: [Transport; 2] = [Transport::Udp, Transport::Tcp];

/// A counter with one writer: a load and a store, no locked instruction.
#[derive(Default)]
pub(super) struct Cell(AtomicU64);

impl Cell {
    fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A histogram with one writer.
#[derive(Default)]
pub(super) struct Spread {
    pub(super) buckets: [Cell; BUCKETS.len()],
    pub(super) count: Cell,
    pub(super) micros: Cell,
}

impl Spread {
    fn observe(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = BUCKETS.iter().zip(&self.buckets).find(|(bound, _)| micros <= **bound) {
            bucket.1.add(1);
        }
        self.count.add(1);
        self.micros.add(micros);
    }
}

/// What one writer counted. Only one thread may write; any may read.
pub struct Counters {
    pub(super) requests: [Cell; METHODS],
    pub(super) responses: Box<[Cell]>,
    pub(super) started: [Cell; 2],
    pub(super) ended: [Cell; 2],
    pub(super) request_time: Spread,
    pub(super) registered: Cell,
    pub(super) removed: Cell,
    pub(super) opened: [Cell; TRANSPORTS.len()],
    pub(super) closed: [Cell; TRANSPORTS.len()],
    pub(super) handlers: [Spread; HANDLERS.len()],
    pub(super) handler_errors: Cell,
    pub(super) shed: [Cell; REASONS.len()],
    pub(super) malformed: Cell,
    pub(super) received: [Cell; TRANSPORTS.len()],
    pub(super) sent: [Cell; TRANSPORTS.len()],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            requests: Default::default(),
            responses: (0..CODES).map(|_| Cell::default()).collect(),
            started: Default::default(),
            ended: Default::default(),
            request_time: Spread::default(),
            registered: Cell::default(),
            removed: Cell::default(),
            opened: Default::default(),
            closed: Default::default(),
            handlers: Default::default(),
            handler_errors: Cell::default(),
            shed: Default::default(),
            malformed: Cell::default(),
            received: Default::default(),
            sent: Default::default(),
        }
    }
}

fn bump(cells: &[Cell], index: usize) {
    if let Some(cell) = cells.get(index) {
        cell.add(1);
    }
}

const fn transport(transport: Transport) -> usize {
    match transport {
        Transport::Udp => 0,
        Transport::Tcp => 1,
    }
}

const fn side(side: Side) -> usize {
    match side {
        Side::Server => 0,
        Side::Client => 1,
    }
}

impl Counters {
    /// A message came in; for a driver that counts without making an event of each.
    pub fn message_received(&self, by: Transport) {
        bump(&self.received, transport(by));
    }

    /// A message was handed to the transport.
    pub fn message_sent(&self, by: Transport) {
        bump(&self.sent, transport(by));
    }

    /// Counts one event.
    pub fn count(&self, event: &Event) {
        match &event.kind {
            Kind::TransactionStarted { side: of, method, .. } => {
                bump(&self.started, side(*of));
                if *of == Side::Server {
                    let known = Method::ALL.iter().position(|m| m == method);
                    bump(&self.requests, known.unwrap_or(METHODS - 1));
                }
            }
            Kind::TransactionCompleted { side: Side::Server, status, took, .. } => {
                bump(&self.responses, usize::from(*status).wrapping_sub(100));
                self.request_time.observe(*took);
            }
            Kind::TransactionCompleted { .. } => {}
            Kind::TransactionEnded { side: of } => bump(&self.ended, side(*of)),
            Kind::Binding { change, .. } => match change {
                BindingChange::Registered => self.registered.add(1),
                BindingChange::Refreshed => {}
                BindingChange::Deregistered | BindingChange::Expired => self.removed.add(1),
            },
            Kind::HandlerRan { handler, took, ok, .. } => {
                let known = HANDLERS.iter().position(|h| *h == &**handler);
                if let Some(spread) = self.handlers.get(known.unwrap_or(HANDLERS.len() - 1)) {
                    spread.observe(*took);
                }
                if !ok {
                    self.handler_errors.add(1);
                }
            }
            Kind::Refused { .. } => self.malformed.add(1),
            Kind::Shed { reason, .. } => {
                bump(&self.shed, REASONS.iter().position(|r| r == reason).unwrap_or(usize::MAX));
            }
            Kind::ConnectionOpened { flow } => bump(&self.opened, transport(flow.transport)),
            Kind::ConnectionClosed { flow } => bump(&self.closed, transport(flow.transport)),
            Kind::Received { flow, .. } => self.message_received(flow.transport),
            Kind::Sent { egress, .. } => self.message_sent(egress.transport),
            Kind::Decided { .. } | Kind::PolicyFailed { .. } | Kind::StoreRefused { .. } => {}
        }
    }
}

impl Observer for Arc<Counters> {
    fn classes(&self) -> Classes {
        Classes::TRANSACTIONS.with(Classes::REGISTRATIONS).with(Classes::HANDLERS).with(Classes::EDGE)
    }

    fn see(&mut self, event: &Event) {
        self.count(event);
    }
}
