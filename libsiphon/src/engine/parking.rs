//! Calls whose policy is parked: later questions of the same call wait their turn (bounded), so that a
//! handler that awaits does not see the call's next request overtake it.
//!
//! A question answered at once never gets here: only tickets that are still open when the next message
//! arrives are entered.

use crate::base::slab::Key;
use crate::engine::tickets::StrayAck;
use crate::policy::Ticket;
use hashbrown::HashMap;
use std::collections::VecDeque;

/// A question that waits until the open one of its call is answered. A request has its server transaction
/// already, so its retransmissions are absorbed.
#[derive(Debug)]
pub(crate) enum Waiting {
    Request(Key),
    Ack(Box<StrayAck>),
}

#[derive(Debug)]
struct ParkedCall {
    ticket: Ticket,
    waiting: VecDeque<Waiting>,
}

/// The calls with an open question about a request.
#[derive(Debug, Default)]
pub(crate) struct Parking {
    /// Asked since the last message came in, not known to be parked.
    fresh: Vec<(u64, Ticket)>,
    calls: HashMap<u64, ParkedCall, foldhash::fast::FixedState>,
}

impl Parking {
    /// A question of call `call` was asked.
    pub(crate) fn asked(&mut self, call: u64, ticket: Ticket) {
        self.fresh.push((call, ticket));
    }

    /// Enters those of the fresh questions that are still open.
    pub(crate) fn settle(&mut self, is_open: impl Fn(Ticket) -> bool) {
        for (call, ticket) in self.fresh.drain(..) {
            if is_open(ticket) {
                self.calls
                    .entry(call)
                    .and_modify(|parked| parked.ticket = ticket)
                    .or_insert_with(|| ParkedCall { ticket, waiting: VecDeque::new() });
            }
        }
    }

    /// Whether a question of `call` is open.
    pub(crate) fn is_parked(&self, call: u64) -> bool {
        !self.calls.is_empty() && self.calls.contains_key(&call)
    }

    /// Queues a request of a parked call; gives it back when `limit` already wait.
    pub(crate) fn queue(&mut self, call: u64, waiting: Waiting, limit: usize) -> Result<(), Waiting> {
        match self.calls.get_mut(&call) {
            Some(parked) if parked.waiting.len() < limit => {
                parked.waiting.push_back(waiting);
                Ok(())
            }
            _ => Err(waiting),
        }
    }

    /// The question `ticket` of `call` is decided and its handler goes on: it is not what the call waits for any more,
    /// even when that happened before anything else could arrive.
    pub(crate) fn decided(&mut self, call: u64, ticket: Ticket) -> VecDeque<Waiting> {
        self.fresh.retain(|(_, fresh)| *fresh != ticket);
        self.answered(call, ticket)
    }

    /// The rest of what waited goes on waiting, now behind `ticket`.
    pub(crate) fn wait_behind(&mut self, call: u64, ticket: Ticket, waiting: VecDeque<Waiting>) {
        if !waiting.is_empty() {
            self.calls.insert(call, ParkedCall { ticket, waiting });
        }
    }

    /// The question `ticket` of `call` was answered: what waited behind it may go on, in order.
    pub(crate) fn answered(&mut self, call: u64, ticket: Ticket) -> VecDeque<Waiting> {
        if self.calls.get(&call).is_some_and(|parked| parked.ticket == ticket) {
            return self.calls.remove(&call).map(|parked| parked.waiting).unwrap_or_default();
        }
        VecDeque::new()
    }
}
