//! Where bindings are stored before the reply to a REGISTER leaves.

use crate::driver::mailbox::{Mailboxes, Post};
use crate::policy::{Commit, Ticket};
use std::sync::Arc;

/// A store. It never blocks its caller, which is a shard.
pub trait Store: Send + Sync {
    /// Stores `commit`, or begins to. `Some` is the answer; with `None` the answer comes through `later`.
    /// The store keeps a deadline of its own and answers false when it passes.
    fn commit(&self, commit: &Commit, later: Acknowledge) -> Option<bool>;
}

/// Everything lives in the node's memory, so a commit is done as soon as it is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryStore;

impl Store for MemoryStore {
    fn commit(&self, _: &Commit, later: Acknowledge) -> Option<bool> {
        later.answered_now();
        Some(true)
    }
}

/// The way back to the shard whose commit it is. Dropped without an answer, it says that the store failed.
#[derive(Debug)]
pub struct Acknowledge {
    mailboxes: Arc<Mailboxes>,
    shard: u8,
    ticket: Option<Ticket>,
}

impl Acknowledge {
    pub(crate) fn new(mailboxes: Arc<Mailboxes>, shard: u8, ticket: Ticket) -> Self {
        Acknowledge { mailboxes, shard, ticket: Some(ticket) }
    }

    /// The commit is stored, or is not.
    pub fn answer(mut self, stored: bool) {
        self.send(stored);
    }

    /// The answer was returned by [`Store::commit`] itself.
    pub fn answered_now(mut self) {
        self.ticket = None;
    }

    fn send(&mut self, stored: bool) {
        if let Some(ticket) = self.ticket.take() {
            self.mailboxes.signal(self.shard, Post::Committed { ticket, stored });
        }
    }
}

impl Drop for Acknowledge {
    fn drop(&mut self) {
        self.send(false);
    }
}
