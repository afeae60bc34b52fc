//! UDP sockets (RFC 3261 18): batches in and out, replies from the address that was spoken to, and what the
//! network says about a datagram brought back to whoever sent it (RFC 3261 18.4).

use crate::base::text::Octets;
use crate::net::mmsg::{self, Datagram, Outgoing, ReceiveBatch, SendBatch};
use crate::net::{NetSettings, ReportTo};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::os::fd::AsFd;

/// Binds a non-blocking socket. With `shared`, more sockets of this user may be bound to the same address and
/// the kernel spreads the peers over them.
pub fn bind(address: SocketAddr, shared: bool, settings: &NetSettings) -> io::Result<StdSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_port(shared)?;
    // The kernel caps these at rmem_max and wmem_max, save for a privileged process that insists. A smaller buffer
    // is no reason not to start.
    let insist = |option, size: usize| {
        mmsg::set_option(socket.as_fd(), libc::SOL_SOCKET, option, i32::try_from(size).unwrap_or(i32::MAX))
    };
    let _ = insist(libc::SO_RCVBUFFORCE, settings.receive_buffer)
        .or_else(|_| socket.set_recv_buffer_size(settings.receive_buffer));
    let _ = insist(libc::SO_SNDBUFFORCE, settings.send_buffer)
        .or_else(|_| socket.set_send_buffer_size(settings.send_buffer));
    // IP_MTU_DISCOVER stays at the system's default: datagrams above the path MTU are sent in fragments.
    let on = |level, option| mmsg::set_option(socket.as_fd(), level, option, 1);
    // Bound to one address, every datagram came to that one.
    let any = address.ip().is_unspecified();
    let traffic_class = settings.dscp.map(|dscp| i32::from(dscp & 0x3f) << 2);
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
        if any {
            on(libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)?;
        }
        on(libc::IPPROTO_IPV6, libc::IPV6_RECVERR)?;
        if let Some(class) = traffic_class {
            mmsg::set_option(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_TCLASS, class)?;
        }
    } else {
        if any {
            on(libc::IPPROTO_IP, libc::IP_PKTINFO)?;
        }
        on(libc::IPPROTO_IP, libc::IP_RECVERR)?;
        if let Some(class) = traffic_class {
            mmsg::set_option(socket.as_fd(), libc::IPPROTO_IP, libc::IP_TOS, class)?;
        }
    }
    on(libc::SOL_SOCKET, libc::SO_RXQ_OVFL)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

struct Queued {
    to: SocketAddr,
    from: Option<IpAddr>,
    bytes: Octets,
    report: ReportTo,
}

struct Sent {
    to: SocketAddr,
    bytes: Octets,
    report: ReportTo,
}

/// What one [`UdpSocket::receive`] brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Received {
    /// How many datagrams are in the batch.
    pub count: usize,
    /// Whether more may be waiting.
    pub more: bool,
}

/// One bound socket of one shard.
pub struct UdpSocket {
    socket: StdSocket,
    bound: SocketAddr,
    waiting: VecDeque<Queued>,
    max_waiting: usize,
    /// The kernel took no more the last time.
    blocked: bool,
    /// The last datagrams with somebody to report to, for what ICMP brings back.
    sent: VecDeque<Sent>,
    dropped: u32,
}

/// How many datagrams are remembered for ICMP errors, which come within a round trip.
const REMEMBERED: usize = 256;
/// An ICMP error must quote this much of the datagram to be believed: request line and Via, whose branch an
/// attacker off the path cannot guess. Routers quote 548 octets as a rule (RFC 1812 4.3.2.3).
const MIN_QUOTE: usize = 128;

impl UdpSocket {
    /// Takes over a socket made by [`bind`].
    pub fn new(socket: StdSocket, settings: &NetSettings) -> io::Result<Self> {
        Ok(UdpSocket {
            bound: socket.local_addr()?,
            socket,
            waiting: VecDeque::new(),
            max_waiting: settings.max_queued_datagrams,
            blocked: false,
            sent: VecDeque::with_capacity(REMEMBERED),
            dropped: 0,
        })
    }

    /// The address it is bound to.
    pub fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// The socket, to wait for its readiness.
    pub fn socket(&self) -> &StdSocket {
        &self.socket
    }

    /// Datagrams that the kernel dropped because this socket was not read in time, since it was bound
    /// (SO_RXQ_OVFL). Known only when a later datagram brings the news.
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Whether `local` is an address of this socket's.
    pub fn serves(&self, local: SocketAddr) -> bool {
        self.bound == local
            || (self.bound.ip().is_unspecified()
                && self.bound.port() == local.port()
                && self.bound.is_ipv4() == local.is_ipv4())
    }

    /// Fills `batch` from the socket.
    pub fn receive(&mut self, batch: &mut ReceiveBatch, failed: &mut Vec<ReportTo>) -> Received {
        loop {
            match batch.receive(self.socket.as_fd()) {
                // A short batch means that the queue was empty at that moment: the next datagram wakes us.
                Ok(count) => return Received { count, more: count == mmsg::BATCH },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Received::default(),
                // IP_RECVERR: an error of an earlier datagram is reported here once. The queue is still there.
                Err(_) => {
                    self.take_errors(failed);
                    return Received { count: 0, more: true };
                }
            }
        }
    }

    /// The address of ours that a datagram came to.
    pub fn local_of(&mut self, datagram: &Datagram<'_>) -> SocketAddr {
        if let Some(dropped) = datagram.dropped {
            self.dropped = dropped;
        }
        SocketAddr::new(datagram.to.unwrap_or(self.bound.ip()), self.bound.port())
    }

    /// Queues a datagram for the next [`flush`](Self::flush); false when the queue is full.
    pub fn queue(
        &mut self,
        to: SocketAddr,
        from: Option<SocketAddr>,
        bytes: Octets,
        report: ReportTo,
    ) -> bool {
        if self.waiting.len() >= self.max_waiting {
            return false;
        }
        // Only a socket on the unspecified address has a choice of source addresses.
        let from = from.map(|a| a.ip()).filter(|ip| self.bound.ip().is_unspecified() && !ip.is_unspecified());
        self.waiting.push_back(Queued { to, from, bytes, report });
        true
    }

    /// Whether [`flush`](Self::flush) would do something.
    pub fn wants_flush(&self) -> bool {
        !self.blocked && !self.waiting.is_empty()
    }

    /// Whether the kernel took no more the last time. There is no report of when it does again: try after a
    /// moment.
    pub fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// A moment has passed.
    pub fn try_again(&mut self) {
        self.blocked = false;
    }

    /// Sends what is queued, in order. Datagrams that cannot be sent put their report into `failed` and do
    /// not hold up the others.
    pub fn flush(&mut self, batch: &mut SendBatch, failed: &mut Vec<ReportTo>) {
        let mut tried_again = false;
        while self.wants_flush() {
            let out = self.waiting.iter().map(|q| Outgoing { to: q.to, from: q.from, bytes: &q.bytes });
            match batch.send(self.socket.as_fd(), out) {
                Ok(count) => {
                    tried_again = false;
                    for _ in 0..count {
                        self.remember_first();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.blocked = true,
                // The kernel may report the error of an earlier datagram here (IP_RECVERR), once. Only when the
                // same datagram fails again is the error its own.
                Err(_) if !tried_again => {
                    tried_again = true;
                    self.take_errors(failed);
                }
                Err(_) => {
                    tried_again = false;
                    if let Some(lost) = self.waiting.pop_front()
                        && lost.report.is_some()
                    {
                        failed.push(lost.report);
                    }
                }
            }
        }
    }

    fn remember_first(&mut self) {
        let Some(sent) = self.waiting.pop_front() else { return };
        if sent.report.is_some() {
            if self.sent.len() == REMEMBERED {
                self.sent.pop_front();
            }
            self.sent.push_back(Sent { to: sent.to, bytes: sent.bytes, report: sent.report });
        }
    }

    /// Empties the error queue. RFC 3261 18.4: host, network, port or protocol unreachable is a transport
    /// error of the datagram that it quotes; anything else is ignored.
    pub fn take_errors(&mut self, failed: &mut Vec<ReportTo>) {
        let mut quote = [0u8; 2048];
        while let Ok(Some(error)) = mmsg::receive_error(self.socket.as_fd(), &mut quote) {
            let unreachable = matches!(
                error.errno,
                libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH | libc::ENOPROTOOPT
            );
            let Some(quoted) = quote.get(..error.quoted) else { continue };
            if !(unreachable && error.from_network) {
                continue;
            }
            let is_it = |sent: &Sent| {
                sent.to == error.to
                    && quoted.len() >= MIN_QUOTE.min(sent.bytes.len())
                    && sent.bytes.starts_with(quoted)
            };
            // The latest: a retransmission is the same bytes with the same report.
            if let Some(at) = self.sent.iter().rposition(is_it)
                && let Some(sent) = self.sent.remove(at)
            {
                failed.push(sent.report);
            }
        }
    }
}

#[cfg(test)]
#[path = "udp_tests.rs"]
mod tests;
