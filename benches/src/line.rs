//! The sockets of the generator: datagrams, or one stream with its framing and what it could not yet write.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};
use tokio::io::Interest;
use tokio::net::{TcpStream, UdpSocket};

use crate::text::framed;

/// One socket.
pub(crate) enum Line {
    /// Datagrams to and from anybody.
    Udp(UdpSocket),
    /// One connection.
    Tcp(TcpStream, RefCell<Vec<u8>>),
}

impl Line {
    /// A datagram socket on a loopback port of its own, with as much buffer as the kernel gives.
    pub(crate) fn udp() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.set_recv_buffer_size(8 << 20)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        Ok(Self::Udp(UdpSocket::from_std(socket.into())?))
    }

    /// A connection.
    pub(crate) fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream, RefCell::default()))
    }

    /// Its own address.
    pub(crate) fn local(&self) -> SocketAddr {
        let address = match self {
            Self::Udp(socket) => socket.local_addr(),
            Self::Tcp(stream, _) => stream.local_addr(),
        };
        address.expect("an open socket has an address")
    }

    /// Sends a message; what a stream does not take now is kept and written when it does.
    pub(crate) fn send(&self, bytes: &[u8], to: SocketAddr) {
        match self {
            // A full buffer is loss, as on a network.
            Self::Udp(socket) => drop(socket.try_send_to(bytes, to)),
            Self::Tcp(stream, pending) => {
                let mut pending = pending.borrow_mut();
                let written = if pending.is_empty() { stream.try_write(bytes).unwrap_or(0) } else { 0 };
                pending.extend_from_slice(&bytes[written..]);
            }
        }
    }

    /// Reads until the socket ends; `take` gets each message and where it came from.
    pub(crate) async fn read(&self, mut take: impl FnMut(&[u8], SocketAddr)) -> io::Result<()> {
        match self {
            Self::Udp(socket) => {
                let mut buffer = vec![0; 65_536];
                loop {
                    socket.readable().await?;
                    loop {
                        match socket.try_recv_from(&mut buffer) {
                            Ok((n, from)) => take(&buffer[..n], from),
                            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                            Err(_) => {}
                        }
                    }
                }
            }
            Self::Tcp(stream, pending) => {
                let (mut unread, mut buffer) = (Vec::new(), vec![0; 65_536]);
                let peer = stream.peer_addr()?;
                loop {
                    let waiting = !pending.borrow().is_empty();
                    let interest =
                        if waiting { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
                    let ready = stream.ready(interest).await?;
                    if ready.is_writable() && waiting {
                        let mut pending = pending.borrow_mut();
                        let written = stream.try_write(&pending).unwrap_or(0);
                        pending.drain(..written);
                    }
                    match stream.try_read(&mut buffer) {
                        Ok(0) => return Ok(()),
                        Ok(n) => unread.extend_from_slice(&buffer[..n]),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                        Err(error) => return Err(error),
                    }
                    let mut start = 0;
                    while let Some(length) = framed(&unread[start..]) {
                        take(&unread[start..start + length], peer);
                        start += length;
                    }
                    unread.drain(..start);
                }
            }
        }
    }
}
