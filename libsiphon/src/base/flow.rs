//! Flows as values (RFC 5626 3.1, RFC 3261 18): where a message came from and where one can be sent.

use std::fmt;
use std::net::SocketAddr;

/// A transport protocol that this version sends and receives on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Transport {
    /// RFC 3261 18, unreliable.
    Udp,
    /// RFC 3261 18, a reliable stream.
    Tcp,
}

impl Transport {
    /// Whether retransmission timers stay off (RFC 3261 17).
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Transport::Udp)
    }

    /// The token of the Via header field, in upper case.
    pub const fn via_token(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        }
    }

    /// The value of a URI's `transport` parameter, in lower case.
    pub const fn uri_token(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        }
    }

    /// Reads either spelling, in any case; `None` for a transport this version does not speak.
    pub fn from_token(token: &str) -> Option<Self> {
        [Transport::Udp, Transport::Tcp].into_iter().find(|t| token.eq_ignore_ascii_case(t.uri_token()))
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.uri_token())
    }
}

/// Names one connection of this node: the shard that does its I/O, a slot there and the slot's generation.
/// A stale id matches nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ConnectionId {
    /// The shard that accepted or opened the connection.
    pub shard: u8,
    /// The slot in that shard's connection table.
    pub slot: u32,
    /// Which use of the slot is meant.
    pub generation: u32,
}

/// The path a message took, or is to take.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Flow {
    /// Transport protocol.
    pub transport: Transport,
    /// Our address: the one the datagram was sent to, or the connection's local end.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
    /// The connection, for stream transports.
    pub connection: Option<ConnectionId>,
}

/// Where to send: by a known flow, or to an address by whatever connection leads there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Egress {
    /// Transport protocol.
    pub transport: Transport,
    /// The local address to send from; `None` lets the driver pick the listener of that family.
    pub local: Option<SocketAddr>,
    /// The peer's address.
    pub remote: SocketAddr,
    /// Use this connection while it lives.
    pub connection: Option<ConnectionId>,
    /// Whether a connection may be opened to `remote` when `connection` is `None` or gone. A response to a
    /// client behind NAT, or a binding known only by its flow, may not.
    pub may_connect: bool,
}

impl Flow {
    /// Sends back along this flow and nowhere else.
    pub fn back(&self) -> Egress {
        Egress {
            transport: self.transport,
            local: Some(self.local),
            remote: self.remote,
            connection: self.connection,
            may_connect: false,
        }
    }
}
