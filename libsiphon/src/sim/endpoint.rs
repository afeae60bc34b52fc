//! A socket without a user agent behind it: it sends what it is given and answers nothing. What reaches it is in the log.

use crate::base::flow::Transport;
use crate::base::text::Octets;
use crate::sim::wire::{HostId, StreamEvent, StreamId, Wire};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// An address on the virtual wire.
#[derive(Debug)]
pub struct Endpoint {
    host: HostId,
    name: String,
    address: SocketAddr,
    links: BTreeMap<SocketAddr, Link>,
    next_port: u16,
}

#[derive(Debug)]
struct Link {
    stream: StreamId,
    /// What waits for the connection to open.
    waiting: Option<Vec<Octets>>,
}

impl Endpoint {
    pub(crate) fn new(host: HostId, name: &str, address: SocketAddr, wire: &mut Wire) -> Self {
        wire.log.name(address, name);
        for transport in [Transport::Udp, Transport::Tcp] {
            wire.bind(transport, address, host);
        }
        Endpoint { host, name: name.to_owned(), address, links: BTreeMap::new(), next_port: 50_000 }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends octets as they are; over TCP on the connection it has with `to`, or on a new one.
    pub(crate) fn send(&mut self, transport: Transport, to: SocketAddr, bytes: &Octets, wire: &mut Wire) {
        if transport == Transport::Udp {
            return wire.datagram(self.address, to, bytes);
        }
        if let Some(link) = self.links.get_mut(&to) {
            match &mut link.waiting {
                Some(waiting) => return waiting.push(bytes.clone()),
                None if wire.write(link.stream, self.host, bytes) => return,
                None => {}
            }
        }
        let local = SocketAddr::new(self.address.ip(), self.next_port);
        self.next_port = self.next_port.wrapping_add(1).max(50_000);
        wire.log.name(local, &self.name);
        let stream = wire.connect(self.host, local, to);
        self.links.insert(to, Link { stream, waiting: Some(vec![bytes.clone()]) });
    }

    pub(crate) fn on_stream(&mut self, stream: StreamId, event: StreamEvent, wire: &mut Wire) {
        match event {
            StreamEvent::Accepted { remote, .. } => {
                self.links.insert(remote, Link { stream, waiting: None });
            }
            StreamEvent::Opened => {
                let link = self.links.values_mut().find(|l| l.stream == stream);
                for bytes in link.and_then(|l| l.waiting.take()).unwrap_or_default() {
                    wire.write(stream, self.host, &bytes);
                }
            }
            StreamEvent::Closed => self.links.retain(|_, l| l.stream != stream),
            StreamEvent::Data(_) => {}
        }
    }
}
