//! Merged requests (RFC 3261 8.2.2.2): one request that reached a UAS twice, by two paths of a fork.
//!
//! Only for requests that are answered here: a proxy forwards both, and it is the UAS that says 482.

use crate::base::table::relax;
use crate::base::token::Secret;
use crate::wire::sip::Message;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// The requests outside a dialog that are being answered here, by From tag, Call-ID and CSeq.
#[derive(Debug)]
pub struct MergedRequests {
    requests: HashTable<Ongoing>,
    secret: Secret,
    limit: usize,
}

/// What identifies the request is kept as a keyed hash of 128 bits: no two requests share one, by chance or by design.
#[derive(Debug)]
struct Ongoing {
    identity: u128,
    owner: u64,
}

/// What a request turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entered {
    /// The first of its kind: it is remembered until [`MergedRequests::leave`].
    First(MergeTicket),
    /// Another transaction has the same request: answer 482.
    Merged {
        /// The owner of that transaction.
        with: u64,
    },
    /// Nothing to remember: it has a To tag, or the limit is reached, where a merged request is answered as if it
    /// were a new one.
    Untracked,
}

/// Names a remembered request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MergeTicket {
    slot: u64,
    owner: u64,
}

impl MergedRequests {
    /// Remembers at most `limit` requests.
    pub fn new(secret: Secret, limit: usize) -> Self {
        MergedRequests { requests: HashTable::new(), secret, limit }
    }

    /// Checks the request of a new server transaction of `owner`. It is called once per transaction, so whatever is
    /// found belongs to another one.
    pub fn enter(&mut self, request: &Message, owner: u64) -> Entered {
        if request.to_tag().is_some() {
            return Entered::Untracked;
        }
        let identity = identity(request, &self.secret);
        let slot = identity as u64;
        let has_room = self.requests.len() < self.limit;
        match self.requests.entry(slot, |o| o.identity == identity, |o| o.identity as u64) {
            Entry::Occupied(other) => Entered::Merged { with: other.get().owner },
            Entry::Vacant(place) if has_room => {
                place.insert(Ongoing { identity, owner });
                Entered::First(MergeTicket { slot, owner })
            }
            Entry::Vacant(_) => Entered::Untracked,
        }
    }

    /// The transaction has ended. A ticket that was given back already does nothing.
    pub fn leave(&mut self, ticket: MergeTicket) {
        if let Ok(found) = self.requests.find_entry(ticket.slot, |o| o.owner == ticket.owner) {
            found.remove();
            relax(&mut self.requests, |o| o.identity as u64);
        }
    }

    /// How many requests are remembered.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }
}

/// From tag, Call-ID and CSeq, exactly as received.
fn identity(request: &Message, secret: &Secret) -> u128 {
    let (tag, call_id) = (request.from_tag().unwrap_or_default(), request.call_id());
    let (number, method) = (request.cseq().to_be_bytes(), request.cseq_method_name());
    secret.mac128(&[tag.as_bytes(), call_id.as_bytes(), &number, method.as_bytes()])
}

#[cfg(test)]
#[path = "merged_tests.rs"]
mod tests;
