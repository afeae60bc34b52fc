//! Client transactions of a shard (RFC 3261 17.1): the machine, the octets it may have to send again, and
//! who is to hear of the outcome.

use crate::base::flow::{Egress, Flow};
use crate::base::slab::Key;
use crate::base::text::{Octets, Text};
use crate::base::time::Instant;
use crate::base::wheel::TimerId;
use crate::policy::WaitId;
use crate::proto::b2bua::ClientRef;
use crate::proto::registrar::PingId;
use crate::proto::transaction::client::Client as Machine;
use crate::wire::sip::Method;

/// One client transaction.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) machine: Machine,
    pub(crate) method: Method,
    pub(crate) egress: Egress,
    pub(crate) owner: ClientOwner,
    /// The request as sent; dropped when neither a retransmission nor an ACK or CANCEL can need it.
    pub(crate) sent: Option<Octets>,
    /// The ACK of a non-2xx final response (RFC 3261 17.1.1.3).
    pub(crate) ack: Option<Octets>,
    pub(crate) started: Instant,
    pub(crate) timer: Option<(TimerId, Instant)>,
    /// Timer C, the ring time-out, or 64*T1 after a CANCEL (RFC 3261 9.1): when the branch is given up.
    pub(crate) give_up: Option<(Instant, GiveUp)>,
    pub(crate) cancel: Cancel,
    /// The upstream copy of a 2xx that policy edited, or whose From or To were restored, and its To tag: retransmissions
    /// are forwarded with the same edits. Another To tag is another dialog (RFC 3261 16.7 step 5).
    pub(crate) forwarded: Option<(Text, Octets)>,
    /// The flow of the last response, for policy that is asked about it.
    pub(crate) reply_flow: Option<Flow>,
    /// A provisional response has come.
    pub(crate) proceeding: bool,
    pub(crate) call_id: Text,
}

/// Whose client transaction it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientOwner {
    /// A branch of the request of this server transaction.
    Branch { server: Key, branch: u16 },
    /// A CANCEL or another request nobody waits for.
    Nobody,
    /// An OPTIONS that keeps a binding alive: which pinger's, and which ping.
    Ping { ping: (usize, PingId) },
    /// A request of a call's leg.
    Call { call: Key, client: ClientRef },
    /// A request of a script's.
    Originated { wait: Option<WaitId> },
}

/// Why a branch is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GiveUp {
    TimerC,
    RingTimeout,
    /// The CANCEL brought no final response within 64*T1.
    AfterCancel,
    /// Whoever originated the request waits no longer.
    Originated,
}

/// How far cancelling has come: a CANCEL leaves only after a provisional response (RFC 3261 9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancel {
    No,
    WhenProvisional,
    /// Sent; its own transaction is this one. It shares the INVITE's branch, so responses to it find the INVITE
    /// first and the CSeq method tells them apart.
    Sent(Key),
}
