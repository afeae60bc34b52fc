//! The SIP messages in a PCAP or PCAPNG file, in the order they were captured.
//!
//! The file is read from beginning to end and never held; what waits for its rest (fragments of a datagram, segments of
//! a connection) is bounded. Addresses are those of the outermost IP header. Nothing that stands in a file is trusted:
//! what cannot be read is counted in the [`Tally`].
//!
//! Read are the link types Ethernet, Linux cooked (1 and 2), raw IP and loopback, with VLAN tags; IPv4 and IPv6 with their
//! fragments; UDP and TCP. Tunnels, TLS and WebSocket are not.

mod file;
mod fragments;
mod packet;
mod stream;
mod streams;
mod tally;
#[cfg(test)]
mod testing;

pub use file::CaptureError;
pub use tally::Tally;

use file::File;
use fragments::Fragments;
use packet::{Ends, Seen, Segment};
use siphon::base::flow::Transport;
use siphon::wire::sip::{Limits, Message};
use std::collections::VecDeque;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use streams::Streams;

/// One message of a capture.
#[derive(Clone, Debug)]
pub struct Captured {
    /// When, in microseconds of Unix time: of the packet that completed it.
    pub at: u64,
    /// Over which transport.
    pub transport: Transport,
    /// Who sent it.
    pub source: SocketAddr,
    /// Whom to.
    pub destination: SocketAddr,
    /// What.
    pub content: Content,
}

/// What was captured.
#[derive(Clone, Debug)]
pub enum Content {
    /// A request or a response.
    Message(Message),
    /// Something that begins like one and is none.
    Malformed {
        /// What is wrong with it.
        fault: String,
        /// Its first line, as far as that is text.
        first_line: String,
    },
}

/// Reads a capture. After an error nothing follows.
pub struct Capture {
    file: File,
    fragments: Fragments,
    streams: Streams,
    tally: Tally,
    ready: VecDeque<Captured>,
    end: Option<Result<(), CaptureError>>,
}

impl Capture {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let file = std::fs::File::open(path).map_err(CaptureError::Open)?;
        Capture::read(file)
    }

    /// Reads from anything; `input` need not be buffered.
    pub fn read(input: impl Read + Send + 'static) -> Result<Self, CaptureError> {
        Ok(Capture {
            file: File::new(input)?,
            fragments: Fragments::default(),
            streams: Streams::default(),
            tally: Tally::default(),
            ready: VecDeque::new(),
            end: None,
        })
    }

    /// What was met so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Looks at the next packet.
    fn step(&mut self) {
        let Capture { file, fragments, streams, tally, ready, .. } = self;
        let read = file.next(|packet| {
            tally.packets += 1;
            let mut sink = Sink { at: packet.at, streams, tally, ready };
            match packet::look(packet.link, packet.data) {
                Seen::Whole(segment) => sink.take(segment),
                Seen::Fragment(piece) => {
                    let key = piece.key;
                    if let Some(whole) = fragments.add(piece, packet.at, sink.tally) {
                        match packet::transport(key.protocol, (key.source, key.destination), &whole) {
                            Some(segment) => sink.take(segment),
                            None => sink.tally.other += 1,
                        }
                    }
                }
                Seen::Other => sink.tally.other += 1,
                Seen::Cut => sink.tally.cut += 1,
                Seen::Damaged => sink.tally.damaged += 1,
                Seen::Unread => *sink.tally.unread_links.entry(packet.link).or_default() += 1,
            }
        });
        let over = match read {
            Ok(true) => return,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        let at = self.file.last_time();
        self.tally.damaged += self.file.strays();
        self.tally.fragments_lost += self.fragments.give_up();
        let streams = std::mem::take(&mut self.streams);
        let mut sink =
            Sink { at, streams: &mut Streams::default(), tally: &mut self.tally, ready: &mut self.ready };
        for (ends, contents) in streams.finish(sink.tally) {
            sink.give(Transport::Tcp, ends, contents);
        }
        self.end = Some(over);
    }
}

impl Iterator for Capture {
    type Item = Result<Captured, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(captured) = self.ready.pop_front() {
                return Some(Ok(captured));
            }
            match &mut self.end {
                None => self.step(),
                Some(end) => return std::mem::replace(end, Ok(())).err().map(Err),
            }
        }
    }
}

/// Where the contents of one packet go.
struct Sink<'a> {
    at: u64,
    streams: &'a mut Streams,
    tally: &'a mut Tally,
    ready: &'a mut VecDeque<Captured>,
}

impl Sink<'_> {
    fn take(&mut self, segment: Segment<'_>) {
        match segment {
            Segment::Udp { ends, payload } => {
                let content = datagram(payload, self.tally);
                self.give(Transport::Udp, ends, content.into_iter().collect());
            }
            Segment::Tcp { ends, piece } => {
                let contents = self.streams.add(ends, piece, self.at, self.tally);
                self.give(Transport::Tcp, ends, contents);
            }
        }
    }

    fn give(&mut self, transport: Transport, (source, destination): Ends, contents: Vec<Content>) {
        let at = self.at;
        self.ready.extend(contents.into_iter().map(|content| Captured {
            at,
            transport,
            source,
            destination,
            content,
        }));
    }
}

fn datagram(payload: &[u8], tally: &mut Tally) -> Option<Content> {
    // Empty lines and the like keep a way through a NAT open (RFC 5626 4.4.1, RFC 6223).
    if payload.iter().all(|octet| b"\r\n\0".contains(octet)) {
        tally.keepalives += 1;
        return None;
    }
    match Message::parse(payload, &Limits::default()) {
        Ok(message) => Some(Content::Message(message)),
        Err(refused) if begins_like_sip(payload) => {
            Some(Content::Malformed { fault: refused.fault.to_string(), first_line: first_line(payload) })
        }
        Err(_) => {
            tally.not_sip += 1;
            None
        }
    }
}

/// Whether this can be the beginning of a message: a status line, or a method and a URI (RFC 3261 7.1, 7.2).
fn begins_like_sip(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"SIP/2.0 ") {
        return true;
    }
    let Some(space) = bytes.iter().take(33).position(|b| *b == b' ') else { return false };
    let (method, rest) = bytes.split_at(space);
    let uri = rest.get(1..).unwrap_or_default();
    let is_scheme =
        |scheme: &[u8]| uri.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme));
    let token = |b: &u8| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(b);
    !method.is_empty()
        && method.iter().all(token)
        && [&b"sip:"[..], b"sips:", b"tel:", b"urn:"].into_iter().any(is_scheme)
}

fn first_line(bytes: &[u8]) -> String {
    let line = bytes.split(|b| b"\r\n".contains(b)).next().unwrap_or_default();
    line.utf8_chunks().flat_map(|c| c.valid().chars()).filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
#[path = "capture_tests.rs"]
mod tests;
