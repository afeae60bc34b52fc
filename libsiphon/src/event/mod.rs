//! The vocabulary of the event stream. Observers (log, metrics, later CDR, HEP, charging) subscribe by class;
//! what nobody subscribed to is not even made.

use crate::base::flow::{Egress, Flow};
use crate::base::text::{Octets, Text};
use crate::base::time::{Duration, Instant};
use crate::policy::Notice;
use crate::wire::sip::{Message, Method};

/// A set of event classes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Classes(pub u8);

impl Classes {
    /// [`Kind::Received`] and [`Kind::Sent`]: one per message on the wire, with its bytes.
    pub const MESSAGES: Classes = Classes(1);
    /// Transactions starting and ending.
    pub const TRANSACTIONS: Classes = Classes(2);
    /// Bindings.
    pub const REGISTRATIONS: Classes = Classes(4);
    /// Policies and stores that failed.
    pub const POLICY: Classes = Classes(8);
    /// Connections, refused and shed messages.
    pub const EDGE: Classes = Classes(16);
    /// What policy decided, one per request.
    pub const DECISIONS: Classes = Classes(32);
    /// Handlers run, one per question.
    pub const HANDLERS: Classes = Classes(64);
    /// Everything.
    pub const ALL: Classes = Classes(127);

    /// Whether all of `other` is in here.
    pub const fn contains(self, other: Classes) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    pub const fn with(self, other: Classes) -> Classes {
        Classes(self.0 | other.0)
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// On which shard.
    pub shard: u8,
    /// What.
    pub kind: Kind,
}

/// A subscriber of the event stream. It sees everything and decides nothing.
pub trait Observer: Send {
    /// What it wants to see.
    fn classes(&self) -> Classes;

    /// Sees one event of those classes, or of others it did not ask for.
    fn see(&mut self, event: &Event);
}

/// Which side of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Server transaction.
    Server,
    /// Client transaction.
    Client,
}

/// Why a message was shed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShedReason {
    /// More new work than the node sustains.
    Overload,
    /// The transaction table is full.
    Transactions,
    /// The mailbox of the owner shard is full.
    Mailbox,
    /// The node drains.
    Draining,
}

impl ShedReason {
    /// The label in metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            ShedReason::Overload => "overload",
            ShedReason::Transactions => "transactions",
            ShedReason::Mailbox => "mailbox",
            ShedReason::Draining => "draining",
        }
    }
}

/// What became of a binding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BindingChange {
    /// A new contact.
    Registered,
    /// Its lifetime was renewed.
    Refreshed,
    /// The UA removed it, or an operator did.
    Deregistered,
    /// Its lifetime ended.
    Expired,
}

impl BindingChange {
    /// The `event_type` that `@registrar.on_change` is given.
    pub const fn label(self) -> &'static str {
        match self {
            BindingChange::Registered => "registered",
            BindingChange::Refreshed => "refreshed",
            BindingChange::Deregistered => "deregistered",
            BindingChange::Expired => "expired",
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A well-formed message came in.
    Received {
        /// Where it came from.
        flow: Flow,
        /// The message with its wire bytes.
        message: Message,
    },
    /// A message was handed to the transport.
    Sent {
        /// Where to.
        egress: Egress,
        /// As it is on the wire.
        bytes: Octets,
        /// Status code; 0 for a request.
        status: u16,
        /// Method of the transaction.
        method: Method,
    },
    /// A message was refused before it became a transaction.
    Refused {
        /// Where it came from.
        flow: Flow,
        /// What it was or would have been answered with.
        status: u16,
        /// False when it could not be answered.
        answered: bool,
        /// What was wrong.
        fault: Text,
        /// Call-ID of the message, where one is known and somebody reads it.
        call_id: Option<Text>,
    },
    /// A message was turned away for want of room.
    Shed {
        /// Why.
        reason: ShedReason,
        /// Of what.
        method: Method,
        /// Call-ID of the message, where one is known and somebody reads it.
        call_id: Option<Text>,
    },
    /// A transaction began.
    TransactionStarted {
        /// Which side.
        side: Side,
        /// Its method.
        method: Method,
        /// Its Call-ID.
        call_id: Text,
    },
    /// A transaction got its final response; it may linger for retransmissions.
    TransactionCompleted {
        /// Which side.
        side: Side,
        /// Its method.
        method: Method,
        /// The final status code; 0 when it was dropped without one.
        status: u16,
        /// Since it began.
        took: Duration,
        /// Its Call-ID.
        call_id: Text,
    },
    /// A transaction was forgotten.
    TransactionEnded {
        /// Which side.
        side: Side,
    },
    /// Policy decided about a request.
    Decided {
        /// Its Call-ID.
        call_id: Text,
        /// Its method.
        method: Method,
        /// `reply 404`, `relay`, `fork 2`, `drop`.
        decision: Text,
        /// File and line of the script, when a script decided.
        script_line: Option<Text>,
    },
    /// A handler ran.
    HandlerRan {
        /// Its name, e.g. `proxy.on_request`.
        handler: Text,
        /// Wall time.
        took: Duration,
        /// False when it raised.
        ok: bool,
        /// Call-ID of the message, where one is known and somebody reads it.
        call_id: Option<Text>,
    },
    /// A handler failed and the request was answered 500.
    PolicyFailed {
        /// Call-ID of the request.
        call_id: Text,
        /// Traceback or the like.
        error: Text,
    },
    /// The store refused a value that nobody waits for: until the next change of the address it holds an older one.
    StoreRefused {
        /// Address of record.
        aor: Text,
    },
    /// A binding changed.
    Binding {
        /// Address of record.
        aor: Text,
        /// The contact URI.
        contact: Text,
        /// What happened to it.
        change: BindingChange,
        /// Call-ID of the REGISTER that last touched it.
        call_id: Text,
    },
    /// A connection was opened or accepted.
    ConnectionOpened {
        /// The connection.
        flow: Flow,
    },
    /// A connection is gone.
    ConnectionClosed {
        /// The connection.
        flow: Flow,
    },
}

impl Kind {
    /// What a policy reports. `is_read` says whether somebody reads it, beside counters.
    pub fn of(notice: Notice, is_read: bool) -> Kind {
        let Notice::HandlerRan { handler, took, ok, request } = notice;
        let call_id = request.filter(|_| is_read).map(|request| request.call_id().into());
        Kind::HandlerRan { handler, took, ok, call_id }
    }

    /// The class a subscriber asks for to see this.
    pub const fn class(&self) -> Classes {
        match self {
            Kind::Received { .. } | Kind::Sent { .. } => Classes::MESSAGES,
            Kind::TransactionStarted { .. }
            | Kind::TransactionCompleted { .. }
            | Kind::TransactionEnded { .. } => Classes::TRANSACTIONS,
            Kind::Binding { .. } => Classes::REGISTRATIONS,
            Kind::Decided { .. } => Classes::DECISIONS,
            Kind::HandlerRan { .. } => Classes::HANDLERS,
            Kind::PolicyFailed { .. } | Kind::StoreRefused { .. } => Classes::POLICY,
            Kind::Refused { .. }
            | Kind::Shed { .. }
            | Kind::ConnectionOpened { .. }
            | Kind::ConnectionClosed { .. } => Classes::EDGE,
        }
    }
}
