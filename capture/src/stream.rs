//! One direction of a TCP connection: segments in any order become messages (RFC 9293 3.10.7.4, RFC 3261 18.3).

use crate::packet::TcpPiece;
use crate::tally::Tally;
use crate::{Content, begins_like_sip, first_line};
use siphon::wire::sip::{Frame, Limits, Refused, StreamFramer};
use std::collections::BTreeMap;

/// Octets that wait behind a missing segment, of one connection.
const MOST_EARLY: usize = 256 * 1024;
/// Microseconds that they wait.
const PATIENCE: u64 = 10_000_000;

/// One direction.
pub(crate) struct Stream {
    state: State,
    /// The position of the next octet. Positions are sequence numbers that do not wrap.
    next: u64,
    framer: StreamFramer,
    /// Segments that came too early, and when.
    early: BTreeMap<u64, (u64, Vec<u8>)>,
    early_octets: usize,
    /// When something was last seen of it.
    pub(crate) seen: u64,
    /// It was closed or broken off. What comes still is known already.
    pub(crate) closed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was read yet: the beginning of the connection was not captured.
    Unknown,
    /// From here on anything may come.
    Fresh,
    /// Messages come.
    Running,
    /// A part is missing: the next message begins where a segment looks like one.
    Lost,
    /// It carries something else.
    Foreign,
}

impl Stream {
    pub(crate) fn new() -> Self {
        Stream {
            state: State::Unknown,
            next: 0,
            framer: StreamFramer::new(Limits::default()),
            early: BTreeMap::new(),
            early_octets: 0,
            seen: 0,
            closed: false,
        }
    }

    /// Octets that wait.
    pub(crate) fn early_octets(&self) -> usize {
        self.early_octets
    }

    /// Takes a segment.
    pub(crate) fn add(&mut self, piece: TcpPiece<'_>, at: u64, tally: &mut Tally, out: &mut Vec<Content>) {
        self.seen = at;
        if piece.syn {
            self.restart(piece, tally, out);
        }
        self.closed |= piece.fin || piece.rst;
        let sequence = piece.sequence.wrapping_add(u32::from(piece.syn));
        if piece.payload.is_empty() || self.state == State::Foreign {
            return;
        }
        if self.state == State::Unknown {
            if !begins_like_sip(piece.payload) {
                tally.passed_over += 1;
                return;
            }
            self.begin_at(sequence);
        }
        let position = self.position(sequence);
        let end = position.saturating_add(piece.payload.len() as u64);
        if end <= self.next {
            tally.repeated += 1;
            return;
        }
        if position > self.next {
            return self.keep(position, piece.payload, at, tally, out);
        }
        let known = usize::try_from(self.next.saturating_sub(position)).unwrap_or(usize::MAX);
        self.deliver(piece.payload.get(known..).unwrap_or_default(), tally, out);
        self.catch_up(tally, out);
    }

    /// Another connection between the same two.
    fn restart(&mut self, piece: TcpPiece<'_>, tally: &mut Tally, out: &mut Vec<Content>) {
        let again = self.state != State::Unknown
            && self.position(piece.sequence.wrapping_add(1)) <= self.next
            && self.next.saturating_sub(self.position(piece.sequence)) < u64::from(u16::MAX);
        if again {
            // The SYN came twice.
            return;
        }
        self.finish(tally, out);
        let seen = self.seen;
        *self = Stream { seen, ..Stream::new() };
        self.begin_at(piece.sequence.wrapping_add(1));
    }

    fn begin_at(&mut self, sequence: u32) {
        self.state = State::Fresh;
        // Far enough from zero that a position before it is none below zero.
        self.next = (1 << 32) + u64::from(sequence);
    }

    /// The position nearest to where we are.
    fn position(&self, sequence: u32) -> u64 {
        let ahead = sequence.wrapping_sub(self.next as u32) as i32;
        self.next.saturating_add_signed(i64::from(ahead))
    }

    fn keep(&mut self, position: u64, payload: &[u8], at: u64, tally: &mut Tally, out: &mut Vec<Content>) {
        let longer = self.early.get(&position).is_none_or(|(_, held)| held.len() < payload.len());
        if !longer {
            tally.repeated += 1;
            return;
        }
        if let Some((_, shorter)) = self.early.insert(position, (at, payload.to_vec())) {
            self.early_octets = self.early_octets.saturating_sub(shorter.len());
        }
        self.early_octets = self.early_octets.saturating_add(payload.len());
        let oldest = self.early.values().map(|(at, _)| *at).min().unwrap_or(at);
        if self.early_octets > MOST_EARLY || at.saturating_sub(oldest) > PATIENCE {
            self.skip_gap(tally, out);
        }
    }

    /// What is missing will not come any more: goes on behind it.
    pub(crate) fn skip_gap(&mut self, tally: &mut Tally, out: &mut Vec<Content>) {
        let Some(position) = self.early.keys().next().copied() else { return };
        tally.gaps += 1;
        self.lose(tally);
        self.next = position;
        self.catch_up(tally, out);
    }

    fn lose(&mut self, tally: &mut Tally) {
        tally.unfinished += u64::from(self.framer.is_mid_message());
        self.framer = StreamFramer::new(Limits::default());
        self.state = State::Lost;
    }

    /// Delivers what waited and is due now.
    fn catch_up(&mut self, tally: &mut Tally, out: &mut Vec<Content>) {
        while self.early.first_key_value().is_some_and(|(position, _)| *position <= self.next) {
            let Some((position, (_, payload))) = self.early.pop_first() else { return };
            self.early_octets = self.early_octets.saturating_sub(payload.len());
            let known = usize::try_from(self.next.saturating_sub(position)).unwrap_or(usize::MAX);
            self.deliver(payload.get(known..).unwrap_or_default(), tally, out);
        }
    }

    fn deliver(&mut self, octets: &[u8], tally: &mut Tally, out: &mut Vec<Content>) {
        self.next = self.next.saturating_add(octets.len() as u64);
        match self.state {
            State::Foreign => return,
            State::Lost if !begins_like_sip(octets) => {
                tally.passed_over += u64::from(!octets.is_empty());
                return;
            }
            State::Fresh if octets.starts_with(&[0x16, 3]) => {
                // A TLS handshake (RFC 8446 5.1).
                tally.tls += 1;
                self.state = State::Foreign;
                return;
            }
            State::Lost => self.state = State::Running,
            _ => {}
        }
        self.framer.feed(octets);
        while let Some(frame) = self.framer.next() {
            match frame {
                Frame::Message(message) => {
                    self.state = State::Running;
                    out.push(Content::Message(message));
                }
                Frame::Refused(refused) => {
                    self.state = State::Running;
                    out.push(malformed(&refused, octets));
                }
                Frame::Fatal(refused) if self.state == State::Running || begins_like_sip(octets) => {
                    out.push(malformed(&refused, octets));
                    self.lose(tally);
                    return;
                }
                Frame::Fatal(_) => {
                    tally.not_sip += 1;
                    self.state = State::Foreign;
                    return;
                }
                Frame::Ping | Frame::Pong => tally.keepalives += 1,
            }
        }
    }

    /// Nothing more comes.
    pub(crate) fn finish(&mut self, tally: &mut Tally, out: &mut Vec<Content>) {
        while !self.early.is_empty() {
            self.skip_gap(tally, out);
        }
        tally.unfinished += u64::from(self.state != State::Foreign && self.framer.is_mid_message());
    }
}

fn malformed(refused: &Refused, octets: &[u8]) -> Content {
    let bytes = refused.message.as_ref().map_or(octets, |m| m.bytes());
    Content::Malformed { fault: refused.fault.to_string(), first_line: first_line(bytes) }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
