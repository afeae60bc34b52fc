//! The connections of one simulated node: who does their I/O, where they lead, what waits for one to open.

use crate::base::flow::{ConnectionId, Flow, Transport};
use crate::base::text::Octets;
use crate::engine::SendReport;
use crate::sim::wire::StreamId;
use crate::wire::sip::{Limits, StreamFramer};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A message that waits for its connection, and the shard that is to hear if it cannot be sent.
pub(super) type Waiting = (Octets, Option<(u8, SendReport)>);

pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) framer: StreamFramer,
    /// `Some` while it is being opened.
    pub(super) waiting: Option<Vec<Waiting>>,
}

impl Connection {
    pub(super) fn flow(&self) -> Flow {
        Flow { transport: Transport::Tcp, local: self.local, remote: self.remote, connection: Some(self.id) }
    }
}

#[derive(Default)]
pub(super) struct Connections {
    by_stream: BTreeMap<StreamId, Connection>,
    by_id: BTreeMap<ConnectionId, StreamId>,
    /// The one outbound connection to each remote address.
    outbound: BTreeMap<SocketAddr, StreamId>,
    next_slot: u32,
}

impl Connections {
    pub(super) fn add(
        &mut self,
        stream: StreamId,
        shard: u8,
        (local, remote): (SocketAddr, SocketAddr),
        outbound: bool,
        limits: Limits,
    ) -> ConnectionId {
        let id = ConnectionId { shard, slot: self.next_slot, generation: 1 };
        self.next_slot += 1;
        let waiting = outbound.then(Vec::new);
        if outbound {
            self.outbound.insert(remote, stream);
        }
        self.by_id.insert(id, stream);
        let framer = StreamFramer::new(limits);
        self.by_stream.insert(stream, Connection { id, local, remote, framer, waiting });
        id
    }

    pub(super) fn get_mut(&mut self, stream: StreamId) -> Option<&mut Connection> {
        self.by_stream.get_mut(&stream)
    }

    pub(super) fn stream_of(&self, id: ConnectionId) -> Option<StreamId> {
        self.by_id.get(&id).copied()
    }

    /// The connection that leads to `remote` by our own choice, and the shard that does its I/O.
    pub(super) fn outbound_to(&self, remote: SocketAddr) -> Option<(StreamId, u8)> {
        let stream = self.outbound.get(&remote)?;
        Some((*stream, self.by_stream.get(stream)?.id.shard))
    }

    pub(super) fn remove(&mut self, stream: StreamId) -> Option<Connection> {
        let connection = self.by_stream.remove(&stream)?;
        self.by_id.remove(&connection.id);
        if self.outbound.get(&connection.remote) == Some(&stream) {
            self.outbound.remove(&connection.remote);
        }
        Some(connection)
    }

    pub(super) fn len(&self) -> usize {
        self.by_stream.len()
    }

    pub(super) fn clear(&mut self) {
        let next_slot = self.next_slot;
        *self = Connections { next_slot, ..Connections::default() };
    }
}
