//! What hangs on a connection: client transactions sent on it, bindings made on it. A closing connection reaches
//! them (RFC 3261 16.9, RFC 5626 4.2.2).

use crate::base::flow::ConnectionId;
use crate::base::slab::Key;
use crate::base::time::Instant;
use crate::engine::client::ClientOwner;
use crate::engine::contract::{Effects, SendReport};
use crate::engine::shard::Shard;
use crate::event::{Classes, Kind};
use crate::proto::proxy::context::Input as ContextInput;
use crate::proto::registrar::Change;
use crate::proto::transaction::client::Input as ClientInput;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

/// Client transactions by the connection their request went out on.
#[derive(Debug, Default)]
pub(crate) struct ByConnection {
    clients: HashMap<ConnectionId, HashSet<Key, FixedState>, FixedState>,
}

impl ByConnection {
    pub(crate) fn add(&mut self, connection: ConnectionId, client: Key) {
        self.clients.entry(connection).or_default().insert(client);
    }

    pub(crate) fn remove(&mut self, connection: ConnectionId, client: Key) {
        if let Some(keys) = self.clients.get_mut(&connection) {
            keys.remove(&client);
            if keys.is_empty() {
                self.clients.remove(&connection);
            }
        }
    }

    /// In the order of their slots: how the set lies must not decide what happens first.
    fn take(&mut self, connection: ConnectionId) -> Vec<Key> {
        let mut keys: Vec<Key> = self.clients.remove(&connection).into_iter().flatten().collect();
        keys.sort_unstable();
        keys
    }
}

impl Shard {
    /// The driver found or opened the connection that a request went out on: what breaks it fails the transaction at
    /// once, and does not leave it to Timer B or F (RFC 3261 16.9, 17.1.4).
    pub(crate) fn on_sent_on(&mut self, report: SendReport, connection: ConnectionId) {
        let SendReport::Client(key) = report else { return };
        let Some(client) = self.clients.get_mut(key) else { return };
        let before = client.egress.connection.replace(connection);
        if before == Some(connection) {
            return;
        }
        if let Some(before) = before {
            self.by_connection.remove(before, key);
        }
        self.by_connection.add(connection, key);
    }

    pub(crate) fn on_connection_closed(&mut self, connection: ConnectionId, out: &mut Effects) {
        for key in self.by_connection.take(connection) {
            self.client_lost_connection(key, out);
        }
        // Every shard hears of the connection; the location table is told once.
        if connection.shard == self.index {
            let changes = self.node.registrar.location.flow_gone(connection, self.now);
            self.tell_bindings(changes, out);
        }
    }

    /// Nothing was answered yet: the machine fails it. A call that rings is past the machine's help, because a
    /// response could come by another connection; but a peer behind NAT has no other, so the branch fails. A call that
    /// was answered has what it wanted, and copies of its 2xx, on whatever connection, still belong to it.
    fn client_lost_connection(&mut self, key: Key, out: &mut Effects) {
        let Some(client) = self.clients.get(key) else { return };
        if !client.proceeding {
            return self.client_input(key, ClientInput::TransportError, None, out);
        }
        if client.egress.may_connect || client.machine.is_answered() {
            return;
        }
        if let ClientOwner::Branch { server, branch } = client.owner {
            self.forget_client(key, out);
            self.branch_done(server, branch);
            self.feed_context(server, ContextInput::BranchFailed { branch, status: 503 }, out);
        }
    }

    /// Bindings whose time has come, on the stripes of the location table that this shard looks after.
    pub(crate) fn expire_bindings(&mut self, out: &mut Effects) {
        let now = self.now;
        let mut stripe = usize::from(self.index);
        while stripe < self.node.registrar.location.stripes() {
            if self.node.registrar.location.next_deadline(stripe).is_some_and(|at| at <= now) {
                let changes = self.node.registrar.location.sweep(stripe, now);
                self.tell_bindings(changes, out);
            }
            stripe += usize::from(self.node.shards);
        }
    }

    /// When a binding lapses or a ping is due that this shard looks after.
    pub(crate) fn next_binding_deadline(&self) -> Option<Instant> {
        let stripes = (usize::from(self.index)..self.node.registrar.location.stripes())
            .step_by(self.node.shards.into());
        let lapse = stripes.filter_map(|stripe| self.node.registrar.location.next_deadline(stripe)).min();
        let ping = self.node.keepalive.deadline().filter(|_| self.index == 0);
        [lapse, ping].into_iter().flatten().min()
    }

    pub(crate) fn tell_bindings(&mut self, changes: Vec<Change>, out: &mut Effects) {
        self.node.keepalive.observe(&changes, self.now);
        for change in changes {
            self.tell(out, Classes::REGISTRATIONS, || Kind::Binding {
                aor: change.aor.clone(),
                contact: change.binding.uri.clone(),
                change: change.kind,
                call_id: change.binding.call_id.clone(),
            });
        }
    }
}
