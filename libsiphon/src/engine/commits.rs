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
        match self.close_commit(ticket) {
            Some(Purpose::Commit { server, commit, decision }) => {
                self.correct(&commit, out);
                self.decide(server, *decision, out);
            }
            Some(Purpose::Correction { commit }) => self.correct(&commit, out),
            _ => {}
        }
    }

    pub(crate) fn on_commit_failed(&mut self, ticket: Ticket, out: &mut Effects) {
        if let Some(Purpose::Commit { server, commit, decision }) = self.close_commit(ticket) {
            self.store_refused(server, &commit, *decision, out);
        }
    }

    fn close_commit(&mut self, ticket: Ticket) -> Option<Purpose> {
        match self.tickets.get(ticket)?.purpose {
            Purpose::Commit { .. } | Purpose::Correction { .. } => {
                self.close_ticket(ticket).map(|p| p.purpose)
            }
            _ => None,
        }
    }

    /// What was stored holds an older change that was refused since: the store is told better.
    fn correct(&mut self, commit: &Commit, out: &mut Effects) {
        let Some(rollback) = rollback_of(commit) else { return };
        if let Some(commit) = self.node.registrar.stored(rollback, self.now) {
            let ticket = self.open_ticket(Purpose::Correction { commit: Box::new(commit.clone()) }, None);
            out.push(Effect::Commit { ticket, commit: Box::new(commit) });
        }
    }

    /// The bindings go back to what they were, and the client is told the truth: that it failed, or, where a newer
    /// commit of the same address of record has stored them, what was decided.
    pub(crate) fn store_refused(
        &mut self,
        server: Key,
        commit: &Commit,
        decision: Decision,
        out: &mut Effects,
    ) {
        if let Some(rollback) = rollback_of(commit) {
            match self.node.registrar.roll_back(rollback, self.now) {
                Some(changes) => self.tell_bindings(changes, out),
                None => return self.decide(server, decision, out),
            }
        }
        let error = Text::from(format!("the store refused the bindings of {}", commit.key));
        self.decide(server, Decision::Failed(error), out);
    }
}

fn rollback_of(commit: &Commit) -> Option<&Rollback> {
    commit.undo.as_ref()?.0.downcast_ref()
}
