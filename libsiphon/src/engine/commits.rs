//! Replies that wait for a store: a REGISTER's 200 leaves after the acknowledgement, never for a binding that
//! was not stored.

use crate::base::slab::Key;
use crate::base::text::Text;
use crate::engine::contract::{Effect, Effects};
use crate::engine::shard::Shard;
use crate::engine::tickets::Purpose;
use crate::policy::verdict::Commit;
use crate::policy::{Decision, Ticket};
use crate::proto::registrar::Rollback;

impl Shard {
    /// Holds `decision` until the store has acknowledged `commit`.
    pub(crate) fn commit_to_store(
        &mut self,
        server: Key,
        commit: Commit,
        decision: Decision,
        out: &mut Effects,
    ) {
        let purpose =
            Purpose::Commit { server, commit: Box::new(commit.clone()), decision: Box::new(decision) };
        let ticket = self.open_ticket(purpose, None);
        out.push(Effect::Commit { ticket, commit: Box::new(commit) });
    }

    pub(crate) fn on_committed(&mut self, ticket: Ticket, out: &mut Effects) {
        if let Some(Purpose::Commit { server, decision, .. }) = self.close_commit(ticket) {
            self.decide(server, *decision, out);
        }
    }

    pub(crate) fn on_commit_failed(&mut self, ticket: Ticket, out: &mut Effects) {
        if let Some(Purpose::Commit { server, commit, .. }) = self.close_commit(ticket) {
            self.store_refused(server, *commit, out);
        }
    }

    fn close_commit(&mut self, ticket: Ticket) -> Option<Purpose> {
        match self.tickets.get(ticket)?.purpose {
            Purpose::Commit { .. } => self.close_ticket(ticket).map(|p| p.purpose),
            _ => None,
        }
    }

    /// The bindings go back to what they were, and the client is told the truth.
    pub(crate) fn store_refused(&mut self, server: Key, commit: Commit, out: &mut Effects) {
        if let Some(rollback) = commit.undo.as_ref().and_then(|undo| undo.0.downcast_ref::<Rollback>()) {
            let changes = self.node.registrar.roll_back(rollback, self.now);
            self.tell_bindings(changes, out);
        }
        let error = Text::from(format!("the store refused the bindings of {}", commit.key));
        self.decide(server, Decision::Failed(error), out);
    }
}
