//! Replies that wait for a store: a REGISTER's 200 leaves after the acknowledgement, never for a binding that
//! was not stored.

use crate::base::slab::Key;
use crate::base::text::Text;
use crate::engine::contract::{Effect, Effects};
use crate::engine::shard::Shard;
use crate::engine::tickets::Purpose;
use crate::event::{Classes, Kind};
use crate::policy::verdict::Commit;
use crate::policy::{Decision, Keep, Ticket};
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
        self.store(commit, Some((server, Box::new(decision))), out);
    }

    fn store(&mut self, commit: Commit, reply: Option<(Key, Box<Decision>)>, out: &mut Effects) {
        let purpose = Purpose::Commit { key: commit.key.clone(), undo: commit.undo.clone(), reply };
        let ticket = self.open_ticket(purpose, None);
        out.push(Effect::Commit { ticket, commit: Box::new(commit) });
    }

    pub(crate) fn on_committed(&mut self, ticket: Ticket, out: &mut Effects) {
        if let Some(Purpose::Commit { undo, reply, .. }) = self.close_commit(ticket) {
            self.correct(undo.as_ref(), out);
            if let Some((server, decision)) = reply {
                self.decide(server, *decision, out);
            }
        }
    }

    pub(crate) fn on_commit_failed(&mut self, ticket: Ticket, out: &mut Effects) {
        if let Some(Purpose::Commit { key, undo, reply }) = self.close_commit(ticket) {
            self.store_refused(key, undo.as_ref(), reply, out);
        }
    }

    fn close_commit(&mut self, ticket: Ticket) -> Option<Purpose> {
        let is_commit = matches!(self.tickets.get(ticket)?.purpose, Purpose::Commit { .. });
        is_commit.then(|| self.close_ticket(ticket).map(|p| p.purpose))?
    }

    /// What was stored holds an older change that was refused since: the store is told better.
    fn correct(&mut self, undo: Option<&Keep>, out: &mut Effects) {
        let Some(rollback) = rollback_of(undo) else { return };
        if let Some(commit) = self.node.registrar.stored(rollback, self.now) {
            self.store(commit, None, out);
        }
    }

    /// The bindings go back to what they were, and the client is told the truth: that it failed, or, where a newer
    /// commit of the same address of record has stored them, what was decided. Where no client waits, the observers are
    /// told that the store holds an older value, which the next commit of the address mends.
    pub(crate) fn store_refused(
        &mut self,
        key: Text,
        undo: Option<&Keep>,
        reply: Option<(Key, Box<Decision>)>,
        out: &mut Effects,
    ) {
        let undone = rollback_of(undo).map(|rollback| self.node.registrar.roll_back(rollback, self.now));
        let stands = matches!(undone, Some(None));
        self.tell_bindings(undone.flatten().unwrap_or_default(), out);
        match reply {
            Some((server, decision)) if stands => self.decide(server, *decision, out),
            Some((server, _)) => {
                let error = Text::from(format!("the store refused the bindings of {key}"));
                self.decide(server, Decision::Failed(error), out);
            }
            None if stands => {}
            None => self.tell(out, Classes::POLICY, || Kind::StoreRefused { aor: key }),
        }
    }
}

fn rollback_of(undo: Option<&Keep>) -> Option<&Rollback> {
    undo?.0.downcast_ref()
}

#[cfg(test)]
#[path = "commits_tests.rs"]
mod tests;
