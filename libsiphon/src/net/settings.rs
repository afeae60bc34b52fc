//! Limits and options of the sockets.

use crate::base::time::Duration;

/// What sockets are opened with and how much each may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetSettings {
    /// Receive buffer asked of the kernel per UDP socket, in bytes. The kernel may give less.
    pub receive_buffer: usize,
    /// Send buffer asked of the kernel per UDP socket, in bytes.
    pub send_buffer: usize,
    /// Differentiated services code point of what is sent, 0 to 63 (RFC 2474); `None` leaves the default.
    pub dscp: Option<u8>,
    /// Datagrams that may wait per UDP socket while the kernel takes none; one more counts as failed.
    pub max_queued_datagrams: usize,
    /// Connections of the node, accepted and opened; one more is closed at once, or not opened.
    pub max_connections: usize,
    /// Accepted connections from one address; one more is closed at once.
    pub max_connections_per_ip: usize,
    /// Octets that may wait on one connection whose peer reads slowly; a message beyond counts as failed.
    pub max_queued_octets: usize,
    /// Messages that may wait for one connection to be opened; one more counts as failed.
    pub max_waiters: usize,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How long the rest of a message that has begun may take to arrive; then the connection is closed.
    pub partial_message_timeout: Duration,
    /// How long octets may wait on a connection whose peer takes none at all; then it is closed.
    pub stall_timeout: Duration,
    /// A connection on which nothing came and nothing went for this long is closed. A peer keeps its
    /// connection with CRLF pings (RFC 5626 4.4.1).
    pub idle_timeout: Duration,
}

impl Default for NetSettings {
    fn default() -> Self {
        NetSettings {
            receive_buffer: 4 * 1024 * 1024,
            send_buffer: 2 * 1024 * 1024,
            dscp: None,
            max_queued_datagrams: 8192,
            max_connections: 50_000,
            max_connections_per_ip: 10_000,
            max_queued_octets: 1024 * 1024,
            max_waiters: 1024,
            connect_timeout: Duration::from_secs(4),
            partial_message_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(3600),
        }
    }
}
