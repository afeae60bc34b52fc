//! Everybody who is not on the network by name: whatever is sent to an address that nobody has bound arrives here, and a
//! test can send from any address. No user agent; only the ACK to a final response is sent, where a test asked for it
//! with the INVITE (RFC 3261 13.2.2.4, 17.1.1.3).

use crate::base::flow::Transport;
use crate::base::text::Octets;
use crate::sim::reading::{Reading, address};
use crate::sim::wire::{HostId, StreamEvent, StreamId, Wire};
use crate::wire::sip::{Frame, Limits, StreamFramer};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::net::SocketAddr;

/// The rest of the world.
#[derive(Default)]
pub struct Strangers {
    host: HostId,
    /// By stream; a later one has a higher number.
    links: BTreeMap<StreamId, Link>,
    /// The stream between two ends, the own one first.
    between: BTreeMap<Ends, StreamId>,
    /// INVITEs whose final response is to be acknowledged, by branch.
    invites: BTreeMap<String, Octets>,
    /// Their branches, the oldest first.
    order: VecDeque<String>,
    acks: u64,
}

/// The own end of a connection and the other.
type Ends = (SocketAddr, SocketAddr);

/// Connections and INVITEs that are kept; beyond, the oldest connection is closed and the oldest INVITE forgotten.
const KEPT: usize = 50_000;

struct Link {
    ends: Ends,
    framer: StreamFramer,
    /// What waits for the connection to open.
    waiting: Option<Vec<Octets>>,
}

/// Over which way something goes.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Transport.
    pub transport: Transport,
    /// The stranger.
    pub from: SocketAddr,
    /// Whom it sends to.
    pub to: SocketAddr,
}

impl Link {
    fn new(ends: Ends, waiting: Option<Vec<Octets>>) -> Self {
        Link { ends, framer: StreamFramer::new(Limits::default()), waiting }
    }
}

impl Strangers {
    pub(crate) fn new(host: HostId) -> Self {
        Strangers { host, ..Strangers::default() }
    }

    /// Sends octets as they are; over TCP on the connection between the two, or on a new one.
    pub(crate) fn send(&mut self, way: Way, bytes: &Octets, acknowledge: bool, wire: &mut Wire) {
        if acknowledge
            && let Some(r) = Reading::of(bytes).filter(|r| r.is_request() && r.method() == "INVITE")
        {
            let branch = r.branch(0).to_owned();
            if self.invites.insert(branch.clone(), bytes.clone()).is_none() {
                self.order.push_back(branch);
            }
            if self.order.len() > KEPT
                && let Some(oldest) = self.order.pop_front()
            {
                self.invites.remove(&oldest);
            }
        }
        let Way { transport, from, to } = way;
        if transport == Transport::Udp {
            return wire.datagram(from, to, bytes);
        }
        if let Some(stream) = self.between.get(&(from, to)).copied()
            && let Some(link) = self.links.get_mut(&stream)
        {
            match &mut link.waiting {
                Some(waiting) => return waiting.push(bytes.clone()),
                None if wire.write(stream, self.host, bytes) => return,
                None => {}
            }
        }
        let stream = wire.connect(self.host, from, to);
        self.keep(stream, Link::new((from, to), Some(vec![bytes.clone()])), wire);
    }

    /// Remembers a connection, in place of an earlier one between the same ends.
    fn keep(&mut self, stream: StreamId, link: Link, wire: &mut Wire) {
        if let Some(earlier) = self.between.insert(link.ends, stream) {
            self.links.remove(&earlier);
        }
        self.links.insert(stream, link);
        if self.links.len() > KEPT
            && let Some((oldest, _)) = self.links.first_key_value()
        {
            let oldest = *oldest;
            self.forget(oldest);
            wire.reset(oldest);
        }
    }

    /// Breaks the connections of an address.
    pub(crate) fn disconnect(&mut self, from: SocketAddr, wire: &mut Wire) {
        let own = |(stream, link): (&StreamId, &Link)| (link.ends.0 == from).then_some(*stream);
        for stream in self.links.iter().filter_map(own).collect::<Vec<_>>() {
            self.forget(stream);
            wire.reset(stream);
        }
    }

    fn forget(&mut self, stream: StreamId) {
        if let Some(link) = self.links.remove(&stream) {
            self.between.remove(&link.ends);
        }
    }

    pub(crate) fn on_datagram(
        &mut self,
        local: SocketAddr,
        from: SocketAddr,
        bytes: &Octets,
        wire: &mut Wire,
    ) {
        let way = Way { transport: Transport::Udp, from: local, to: from };
        self.on_message(way, bytes, wire);
    }

    pub(crate) fn on_stream(&mut self, stream: StreamId, event: StreamEvent, wire: &mut Wire) {
        if let StreamEvent::Accepted { local, remote } = event {
            return self.keep(stream, Link::new((local, remote), None), wire);
        }
        let Some(link) = self.links.get_mut(&stream) else { return };
        let ends = link.ends;
        match event {
            StreamEvent::Opened => {
                for bytes in link.waiting.take().unwrap_or_default() {
                    wire.write(stream, self.host, &bytes);
                }
            }
            StreamEvent::Data(bytes) => {
                link.framer.feed(&bytes);
                let mut messages = Vec::new();
                while let Some(frame) = link.framer.next() {
                    match frame {
                        Frame::Message(message) => messages.push(Octets::from(message.bytes())),
                        Frame::Fatal(_) => break,
                        _ => {}
                    }
                }
                let way = Way { transport: Transport::Tcp, from: ends.0, to: ends.1 };
                for message in messages {
                    self.on_message(way, &message, wire);
                }
            }
            _ => self.forget(stream),
        }
    }

    fn on_message(&mut self, way: Way, bytes: &Octets, wire: &mut Wire) {
        let Some(response) = Reading::of(bytes).filter(|r| r.status() >= 200 && r.method() == "INVITE")
        else {
            return;
        };
        let Some(invite) = self.invites.get(response.branch(0)).cloned() else { return };
        if let Some(invite) = Reading::of(&invite) {
            self.acks += 1;
            let ack = acknowledgement(&invite, &response, self.acks);
            self.send(way, &Octets::from(ack.into_bytes()), false, wire);
        }
    }
}

/// The ACK to `response`: by hop for a failure, along the route set for a 2xx.
fn acknowledgement(invite: &Reading<'_>, response: &Reading<'_>, serial: u64) -> String {
    let failed = response.status() >= 300;
    let mut routes: Vec<&str> = match failed {
        true => invite.values("Route"),
        false => response.values("Record-Route"),
    };
    let via = invite.via(0).unwrap_or("").to_owned();
    let (uri, via) = match failed {
        true => (invite.uri(), via),
        false => {
            routes.reverse();
            let target = response.header("Contact").map_or(invite.uri(), address);
            (target, via.replace(invite.branch(0), &format!("z9hG4bK-ack-{serial}-{}", invite.cseq().0)))
        }
    };
    let mut text = format!("ACK {uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\n");
    for route in routes {
        let _ = write!(text, "Route: {route}\r\n");
    }
    let header = |reading: &Reading<'_>, name: &str| reading.header(name).unwrap_or("").to_owned();
    let _ = write!(
        text,
        "From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} ACK\r\nContent-Length: 0\r\n\r\n",
        header(invite, "From"),
        header(response, "To"),
        invite.call_id(),
        invite.cseq().0,
    );
    text
}

#[cfg(test)]
#[path = "strangers_tests.rs"]
mod tests;
