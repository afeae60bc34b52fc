//! The node's flow directory: which connection leads to an address, and who waits for one to be opened.
//!
//! One connection per (local address, remote address, transport) and node: whichever shard asks first opens
//! it, the others leave their messages with the entry, in order, and use the connection from then on.

use crate::base::flow::{ConnectionId, Transport};
use crate::base::text::Octets;
use crate::net::ReportTo;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

/// What a connection is found by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FlowKey {
    /// Transport protocol.
    pub transport: Transport,
    /// The address of ours to connect from; `None` when any will do.
    pub local: Option<IpAddr>,
    /// The peer's address.
    pub remote: SocketAddr,
}

impl FlowKey {
    /// The key of what is sent from `local`; an unspecified address is none.
    pub fn new(transport: Transport, local: Option<SocketAddr>, remote: SocketAddr) -> Self {
        FlowKey { transport, local: local.map(|a| a.ip()).filter(|ip| !ip.is_unspecified()), remote }
    }
}

/// A message that waits for its connection.
#[derive(Debug)]
pub struct Waiting {
    /// The message.
    pub bytes: Octets,
    /// Who is to hear that it could not be sent.
    pub report: ReportTo,
}

/// What to do with a message for an address.
#[derive(Debug)]
pub enum Way {
    /// Send it on this connection.
    Open(ConnectionId, Waiting),
    /// The caller must open a connection, then say [`opened`](FlowDirectory::opened) or
    /// [`failed`](FlowDirectory::failed). The message waits in the directory.
    Connect,
    /// Somebody is opening a connection. The message waits in the directory.
    Waits,
    /// There is no connection and none may be opened, or too many messages wait for one.
    Refused(Waiting),
}

#[derive(Debug)]
enum Entry {
    Connecting(Vec<Waiting>),
    Open(ConnectionId),
}

/// The directory. Shared by the shards; each operation is one short critical section.
#[derive(Debug)]
pub struct FlowDirectory {
    entries: Mutex<HashMap<FlowKey, Entry>>,
    max_waiters: usize,
}

impl FlowDirectory {
    /// An empty directory in which up to `max_waiters` messages wait for one connection. The number of entries
    /// is bounded by that of connections.
    pub fn new(max_waiters: usize) -> Self {
        FlowDirectory { entries: Mutex::default(), max_waiters }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, HashMap<FlowKey, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the way for one message.
    pub fn way(&self, key: FlowKey, waiting: Waiting, may_connect: bool) -> Way {
        let mut entries = self.entries();
        match entries.get_mut(&key) {
            Some(Entry::Open(id)) => Way::Open(*id, waiting),
            Some(Entry::Connecting(waiters)) if waiters.len() < self.max_waiters => {
                waiters.push(waiting);
                Way::Waits
            }
            None if may_connect => {
                entries.insert(key, Entry::Connecting(vec![waiting]));
                Way::Connect
            }
            _ => Way::Refused(waiting),
        }
    }

    /// The connection that [`Way::Connect`] asked for is open. Returns what waited for it, in order; it is to be
    /// queued before anything else is sent there.
    pub fn opened(&self, key: FlowKey, id: ConnectionId) -> Vec<Waiting> {
        match self.entries().insert(key, Entry::Open(id)) {
            Some(Entry::Connecting(waiters)) => waiters,
            _ => Vec::new(),
        }
    }

    /// The connection that [`Way::Connect`] asked for could not be opened. Returns what waited for it.
    pub fn failed(&self, key: FlowKey) -> Vec<Waiting> {
        let mut entries = self.entries();
        match entries.remove(&key) {
            Some(Entry::Connecting(waiters)) => waiters,
            Some(open) => {
                entries.insert(key, open);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// A peer opened a connection: it leads back to that peer, unless another one does already.
    pub fn accepted(&self, key: FlowKey, id: ConnectionId) {
        self.entries().entry(key).or_insert(Entry::Open(id));
    }

    /// A connection is gone. An entry that names another connection by now is left alone.
    pub fn closed(&self, key: FlowKey, id: ConnectionId) {
        let mut entries = self.entries();
        if matches!(entries.get(&key), Some(Entry::Open(open)) if *open == id) {
            entries.remove(&key);
        }
    }

    /// How many connections are known or being opened.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
#[path = "flows_tests.rs"]
mod tests;
