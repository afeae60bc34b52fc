//! Open tickets: what the shard has asked the world and not been answered. Every ticket has a deadline, and
//! what happens then is decided by its purpose.

use crate::base::flow::Flow;
use crate::base::slab::{Key, Slab};
use crate::base::text::Text;
use crate::base::wheel::TimerId;
use crate::policy::{Decision, Keep, Ticket};
use crate::proto::locate::Locator;
use crate::wire::sip::Message;

/// What an answer is for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// A verdict about a new request.
    Request { server: Key },
    /// A verdict about the ACK to a 2xx, which has no transaction.
    Ack { ack: Box<StrayAck> },
    /// A verdict about a response of a branch.
    Reply { server: Key },
    /// A verdict about the best response.
    Failure { server: Key },
    /// Nobody waits for the answer (`on_cancel`).
    Notice,
    /// DNS for a branch.
    Locate { server: Key, branch: u16 },
    /// DNS for an ACK to a 2xx.
    LocateAck { ack: Box<StrayAck>, locator: Box<Locator> },
    /// A verdict about what happened to a call.
    Call { call: Key },
    /// The same where nothing is awaited; what the handler does to the call counts all the same.
    CallNotice { call: Key },
    /// DNS for a request of a call's leg.
    LocateCall { call: Key, number: u32 },
    /// DNS for a request of our own.
    LocateOriginated { request: Box<super::originate::Originated>, locator: Box<Locator> },
    /// The store, about the value of `key`. A reply that may leave only then has its transaction and decision; nobody
    /// waits for a value that holds no longer what was undone.
    Commit { key: Text, undo: Option<Keep>, reply: Option<(Key, Box<Decision>)> },
    /// A media engine, for a call.
    MediaForCall { call: Key, job: u32 },
    /// A media engine, for the policy.
    MediaForPolicy { wait: Option<crate::policy::WaitId> },
}

/// An ACK to a 2xx on its way through (RFC 3261 16: it is forwarded statelessly).
#[derive(Debug)]
pub(crate) struct StrayAck {
    pub(crate) message: Message,
    pub(crate) flow: Flow,
    pub(crate) consumed_routes: u8,
    pub(crate) on_route: bool,
    pub(crate) is_local: bool,
    pub(crate) token_egress: Option<crate::base::flow::Egress>,
    /// `None`: as it stands.
    pub(crate) target: Option<crate::policy::Target>,
    pub(crate) strict: bool,
    pub(crate) loop_hash: u32,
}

/// One open ticket.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) purpose: Purpose,
    pub(crate) timer: TimerId,
    /// Keyed hash of the Call-ID, for questions that later messages of the call wait behind.
    pub(crate) call: Option<u64>,
}

/// The open tickets of a shard.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    slab: Slab<Pending>,
}

impl Tickets {
    pub(crate) fn open(&mut self, make: impl FnOnce(Ticket) -> Pending) -> Ticket {
        Ticket(self.slab.insert_with(|key| make(Ticket(key))))
    }

    pub(crate) fn get(&self, ticket: Ticket) -> Option<&Pending> {
        self.slab.get(ticket.0)
    }

    pub(crate) fn close(&mut self, ticket: Ticket) -> Option<Pending> {
        self.slab.remove(ticket.0)
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }
}
