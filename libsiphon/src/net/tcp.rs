//! TCP listeners and outgoing connections (RFC 3261 18): sockets only, what runs on them is in `connection`.

use crate::base::flow::ConnectionId;
use crate::net::NetSettings;
use mio::net::{TcpListener, TcpStream};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

/// Connections the kernel may hold for us before they are accepted.
const BACKLOG: i32 = 1024;

/// Binds a non-blocking listener. With `shared`, more listeners of this user may be bound to the same address
/// and the kernel spreads the peers over them.
pub fn bind(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // A restart must not wait for connections of the previous run in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Begins to open a connection to `remote`; it is open or has failed when it becomes writable.
pub fn connect(local: Option<IpAddr>, remote: SocketAddr, settings: &NetSettings) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(remote), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if let Some(ip) = local.filter(|ip| ip.is_ipv4() == remote.is_ipv4()) {
        socket.bind(&SocketAddr::new(ip, 0).into())?;
    }
    prepare(&socket, remote, settings);
    match socket.connect(&remote.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// Sets the options that every connection has.
pub fn prepare<'a>(stream: impl Into<socket2::SockRef<'a>>, remote: SocketAddr, settings: &NetSettings) {
    let socket = stream.into();
    // None of these failing keeps a connection from working.
    let _ = socket.set_tcp_nodelay(true);
    if let Some(dscp) = settings.dscp {
        let class = u32::from(dscp & 0x3f) << 2;
        let _ = if remote.is_ipv4() { socket.set_tos_v4(class) } else { socket.set_tclass_v6(class) };
    }
}

/// How many connections the node has, and from whom.
#[derive(Debug, Default)]
pub struct Census {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    accepted: HashMap<IpAddr, usize>,
}

impl Census {
    /// Counts a connection accepted from `ip`; false, and nothing counted, when there are too many.
    pub fn admit(&self, ip: IpAddr, settings: &NetSettings) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let of_ip = counts.accepted.get(&ip).copied().unwrap_or(0);
        if counts.all >= settings.max_connections || of_ip >= settings.max_connections_per_ip {
            return false;
        }
        counts.all += 1;
        counts.accepted.insert(ip, of_ip + 1);
        true
    }

    /// Counts a connection opened by us; false when there are too many.
    pub fn admit_outgoing(&self, settings: &NetSettings) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.all >= settings.max_connections {
            return false;
        }
        counts.all += 1;
        true
    }

    /// A connection that was admitted is gone; `accepted_from` when the peer had opened it.
    pub fn leave(&self, accepted_from: Option<IpAddr>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all = counts.all.saturating_sub(1);
        if let Some(ip) = accepted_from
            && let Some(n) = counts.accepted.get_mut(&ip)
        {
            *n = n.saturating_sub(1);
            if *n == 0 {
                counts.accepted.remove(&ip);
            }
        }
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).all
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whether an error of `accept` means that the process or the system has no room for another connection, so
/// that trying again at once is of no use.
pub fn is_out_of_room(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// Names a connection by its place in the table of `shard`.
pub fn connection_id(shard: u8, key: crate::base::slab::Key) -> ConnectionId {
    ConnectionId { shard, slot: key.slot, generation: key.generation }
}

#[cfg(test)]
#[path = "tcp_tests.rs"]
mod tests;
