//! Server transactions of a shard (RFC 3261 17.2): the machine, what it needs to resend, and the work that
//! hangs on it until the final response is out.

use crate::base::flow::{Egress, Flow};
use crate::base::slab::Key;
use crate::base::text::{Octets, Text};
use crate::base::time::Instant;
use crate::base::wheel::TimerId;
use crate::policy::verdict::Header;
use crate::policy::{Interest, Keep, Ticket};
use crate::proto::locate::Locator;
use crate::proto::proxy::context::{Best, Context};
use crate::proto::proxy::forward::Spent;
use crate::proto::transaction::key::ServerKey;
use crate::proto::transaction::merged::MergeTicket;
use crate::proto::transaction::server::Server as Machine;
use crate::wire::sip::{Message, Method};
use smallvec::SmallVec;
use std::collections::VecDeque;

/// One server transaction. It lingers after its final response, so everything that is needed only until
/// then is in `work`.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) machine: Machine,
    pub(crate) key: ServerKey,
    pub(crate) method: Method,
    /// Where responses go (RFC 3261 18.2.2, RFC 3581 4).
    pub(crate) back: Egress,
    /// The last response, while it may have to be sent again.
    pub(crate) last: Option<Octets>,
    pub(crate) started: Instant,
    pub(crate) timer: Option<(TimerId, Instant)>,
    /// Remembered because we answered it as UAS (RFC 3261 8.2.2.2).
    pub(crate) merge: Option<MergeTicket>,
    /// The call it is of.
    pub(crate) call: Option<Key>,
    /// The Call-ID that it holds on this shard.
    pub(crate) alias: Option<Text>,
    pub(crate) work: Option<Box<Work>>,
}

/// What a server transaction needs until its final response has left.
#[derive(Debug)]
pub(crate) struct Work {
    /// The request as received, its topmost Via marked (RFC 3261 18.2.1).
    pub(crate) request: Message,
    /// The request as policy last left it.
    pub(crate) edited: Message,
    /// Shared with the client transactions and the events of this request.
    pub(crate) call_id: Text,
    pub(crate) flow: Flow,
    /// Topmost Route values that are ours.
    pub(crate) consumed_routes: u8,
    pub(crate) on_route: bool,
    pub(crate) is_local: bool,
    /// Where the route token says to send in-dialog requests.
    pub(crate) token_egress: Option<Egress>,
    /// The To tag of responses made here, as a number.
    pub(crate) local_tag: u64,
    pub(crate) interest: Interest,
    pub(crate) keep: Option<Keep>,
    pub(crate) reply_headers: Vec<Header>,
    /// File and line of the script that decided last.
    pub(crate) script_line: Option<Text>,
    /// The question about this transaction that is open.
    pub(crate) asking: Option<Ticket>,
    /// What the open question is about was decided already: a later decision of the same handler is ignored.
    pub(crate) decided: bool,
    pub(crate) record_route: bool,
    /// Limits how long one branch may ring.
    pub(crate) branch_timeout: Option<crate::base::time::Duration>,
    pub(crate) send_socket: Option<Text>,
    /// The request is relayed as it stands; of a fork, each branch has its target.
    pub(crate) as_it_stands: bool,
    /// Max-Forwards of what is forwarded.
    pub(crate) max_forwards: u8,
    /// Of `edited`, since its first branch was made.
    pub(crate) spent: Option<Spent>,
    /// RFC 5393 4.2, of the request as received.
    pub(crate) loop_hash: u32,
    pub(crate) context: Option<Context>,
    /// All branches have their final responses.
    pub(crate) context_done: bool,
    /// The best response, while policy is asked about it.
    pub(crate) best: Option<Best>,
    /// The response policy is being asked about: its client transaction, branch, and the response as received.
    pub(crate) asked_about: Option<(Key, u16, Message)>,
    /// The open question about a response.
    pub(crate) asking_reply: Option<Ticket>,
    pub(crate) branches: SmallVec<[Branch; 2]>,
    /// Responses waiting behind one that policy is being asked about, in order of arrival.
    pub(crate) held: VecDeque<Held>,
    pub(crate) cancelled: bool,
}

/// A response that waits for policy's answer about an earlier one.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) client: Key,
    pub(crate) branch: u16,
    pub(crate) message: Message,
}

/// One branch of a relayed request.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) number: u16,
    /// `None`: the request as it stands.
    pub(crate) target: Option<crate::policy::Target>,
    /// The next hop is a strict router (RFC 3261 16.6 step 6).
    pub(crate) strict: bool,
    /// Its share of Max-Breadth (RFC 5393 5.3.3.2).
    pub(crate) breadth: u16,
    pub(crate) phase: BranchPhase,
    /// Gives the addresses still to be tried (RFC 3263 4.3).
    pub(crate) locator: Option<Box<Locator>>,
    pub(crate) cancelled: bool,
}

/// How far a branch has come.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) enum BranchPhase {
    /// DNS is being asked.
    Locating(Ticket),
    /// Its client transaction runs.
    Sent(Key),
    /// It has its final response.
    Done,
}

impl Work {
    /// The Call-ID for an event. None was noted where nobody read events when the request came; the log's level may have
    /// been raised since.
    pub(crate) fn call_id(&self, is_read: bool) -> Text {
        match is_read && self.call_id.is_empty() {
            true => Text::from(self.request.call_id()),
            false => self.call_id.clone(),
        }
    }

    pub(crate) fn branch_mut(&mut self, number: u16) -> Option<&mut Branch> {
        self.branches.iter_mut().find(|b| b.number == number)
    }
}
