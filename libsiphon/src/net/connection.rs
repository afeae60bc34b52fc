//! One stream connection: framing of what comes, a bounded queue of what goes, and when to give it up.
//!
//! Keep-alive is RFC 5626 4.4.1: a double CRLF between messages is a ping, answered with a single CRLF.

use crate::base::flow::Flow;
use crate::base::text::Octets;
use crate::base::time::{Duration, Instant};
use crate::net::flows::FlowKey;
use crate::net::{NetSettings, ReportTo};
use crate::wire::sip::{Frame, Limits, Method, StreamFramer};
use mio::net::TcpStream;
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::net::IpAddr;
use std::sync::Arc;

/// Why a connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The peer closed it.
    ByPeer,
    /// It broke, or could not be opened.
    Broken,
    /// What came cannot be framed.
    Unframeable,
    /// Opening took longer than [`NetSettings::connect_timeout`].
    ConnectTimeout,
    /// The rest of a message did not come within [`NetSettings::partial_message_timeout`].
    PartialMessage,
    /// The peer took nothing for [`NetSettings::stall_timeout`].
    Stalled,
    /// Nothing came or went for [`NetSettings::idle_timeout`].
    Idle,
}

/// What [`Connection::read`] left behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadState {
    /// Nothing more for now: readiness will be reported.
    Drained,
    /// There may be more; others should have their turn first.
    More,
    /// The connection is over.
    Ended(Ended),
}

struct Chunk {
    bytes: Octets,
    report: ReportTo,
}

/// What a connection may take up.
#[derive(Clone, Copy, Debug)]
pub struct Room<'a> {
    /// Limits of its queues and of patience.
    pub settings: &'a NetSettings,
    /// Limits of its messages.
    pub limits: &'a Limits,
}

/// Octets read from one connection per turn, so that a fast peer does not keep the others waiting.
pub const READ_PER_TURN: usize = 64 * 1024;
const SLICES: usize = 32;
/// How long a connection that is over may take to send its last answer.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long a connection whose peer sends no more stays open for answers: Timer F with the default T1 (RFC 3261
/// 17.1.2.2).
const ANSWERS_DUE: Duration = Duration::from_secs(32);

/// One connection.
pub struct Connection {
    stream: TcpStream,
    /// Its ends; the connection id is in it.
    pub flow: Flow,
    /// Its entry in the flow directory.
    pub key: FlowKey,
    /// The address it was accepted from, when the peer opened it.
    pub accepted_from: Option<IpAddr>,
    opening_until: Option<Instant>,
    /// What comes until then is thrown away; then the connection is closed.
    closing_until: Option<Instant>,
    /// The kernel has told that the peer sends no more: what is left is read to its end.
    end_is_near: bool,
    /// The peer sends no more; until then it can have the answers that are due.
    half_closed_until: Option<Instant>,
    /// Requests that came and have no final response yet. A response that is repeated counts for another request's, so
    /// this says when to stop waiting and nothing else.
    unanswered: u32,
    framer: StreamFramer,
    waiting: VecDeque<Chunk>,
    written_of_first: usize,
    waiting_octets: usize,
    max_waiting_octets: usize,
    blocked: bool,
    partial_since: Option<Instant>,
    stalled_since: Option<Instant>,
    last_used: Instant,
    pong: Octets,
}

impl Connection {
    /// An open connection.
    pub fn open(stream: TcpStream, flow: Flow, key: FlowKey, room: &Room<'_>, now: Instant) -> Self {
        Connection {
            stream,
            flow,
            key,
            accepted_from: None,
            opening_until: None,
            closing_until: None,
            end_is_near: false,
            half_closed_until: None,
            unanswered: 0,
            framer: StreamFramer::new(room.limits.clone()),
            waiting: VecDeque::new(),
            written_of_first: 0,
            waiting_octets: 0,
            max_waiting_octets: room.settings.max_queued_octets,
            blocked: false,
            partial_since: None,
            stalled_since: None,
            last_used: now,
            pong: Arc::from(&b"\r\n"[..]),
        }
    }

    /// A connection that is being opened; see [`finish_opening`](Self::finish_opening).
    pub fn opening(stream: TcpStream, flow: Flow, key: FlowKey, room: &Room<'_>, now: Instant) -> Self {
        let mut connection = Self::open(stream, flow, key, room, now);
        connection.opening_until = Some(now + room.settings.connect_timeout);
        connection.blocked = true;
        connection
    }

    /// The stream, to wait for its readiness.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Whether it is still being opened.
    pub fn is_opening(&self) -> bool {
        self.opening_until.is_some()
    }

    /// The stream became writable while it was being opened: `Ok(true)` when it is open now.
    pub fn finish_opening(&mut self, now: Instant) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => {
                self.flow.local = self.stream.local_addr()?;
                self.opening_until = None;
                self.blocked = false;
                self.last_used = now;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads up to [`READ_PER_TURN`] octets through `scratch` and appends what they hold to `frames`. Pings are
    /// answered here.
    pub fn read(&mut self, scratch: &mut [u8], now: Instant, frames: &mut Vec<Frame>) -> ReadState {
        let mut total = 0;
        while total < READ_PER_TURN {
            let n = match self.stream.read(scratch) {
                Ok(0) => return ReadState::Ended(Ended::ByPeer),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return ReadState::Drained,
                Err(_) => return ReadState::Ended(Ended::Broken),
            };
            total += n;
            self.last_used = now;
            let Some(bytes) = scratch.get(..n) else { return ReadState::Ended(Ended::Broken) };
            if self.closing_until.is_none() && !self.frame(bytes, now, frames) {
                return ReadState::Ended(Ended::Unframeable);
            }
            // A short read empties the socket; new octets are a new edge. The end of what comes is not.
            if n < scratch.len() && !self.end_is_near {
                return ReadState::Drained;
            }
        }
        ReadState::More
    }

    fn frame(&mut self, bytes: &[u8], now: Instant, frames: &mut Vec<Frame>) -> bool {
        self.framer.feed(bytes);
        let mut goes_on = true;
        while let Some(frame) = self.framer.next() {
            match frame {
                Frame::Ping => {
                    // A peer that does not read its pongs does not need them.
                    let _ = self.queue(self.pong.clone(), None);
                }
                Frame::Pong => {}
                Frame::Message(_) | Frame::Refused(_) => {
                    self.partial_since = None;
                    self.unanswered = self.unanswered.saturating_add(wants_answer(&frame).into());
                    frames.push(frame);
                }
                Frame::Fatal(_) => {
                    goes_on = false;
                    frames.push(frame);
                }
            }
        }
        if self.framer.is_mid_message() {
            self.partial_since.get_or_insert(now);
        } else {
            self.partial_since = None;
        }
        goes_on
    }

    /// Whether such a message may be sent here: a request to where no response can come from has failed.
    pub fn takes(&self, bytes: &[u8]) -> bool {
        !self.is_half_closed() || bytes.starts_with(b"SIP/2.0 ")
    }

    /// Queues a message for the next [`flush`](Self::flush); false when too much waits already. A message may
    /// exceed the limit when nothing waits, so that a large one is not refused for its size.
    pub fn queue(&mut self, bytes: Octets, report: ReportTo) -> bool {
        let is_final = bytes.starts_with(b"SIP/2.0 ") && bytes.get(8).is_some_and(|digit| *digit > b'1');
        if !self.takes(&bytes) {
            return false;
        }
        let total = self.waiting_octets.saturating_add(bytes.len());
        if total > self.max_waiting_octets && !self.waiting.is_empty() {
            return false;
        }
        self.unanswered = self.unanswered.saturating_sub(is_final.into());
        self.waiting_octets = total;
        self.waiting.push_back(Chunk { bytes, report });
        true
    }

    /// Whether [`flush`](Self::flush) would do something.
    pub fn wants_flush(&self) -> bool {
        !self.blocked && !self.waiting.is_empty()
    }

    /// The stream takes octets again.
    pub fn writable(&mut self) {
        self.blocked = self.is_opening();
    }

    /// Writes what is queued until the stream takes no more. An error ends the connection.
    pub fn flush(&mut self, now: Instant) -> io::Result<()> {
        while self.wants_flush() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut skip = self.written_of_first;
            for (slice, chunk) in slices.iter_mut().zip(&self.waiting) {
                *slice = IoSlice::new(chunk.bytes.get(skip..).unwrap_or_default());
                skip = 0;
            }
            let used = self.waiting.len().min(SLICES);
            match self.stream.write_vectored(slices.get(..used).unwrap_or_default()) {
                Ok(n) => {
                    self.wrote(n);
                    self.last_used = now;
                    self.stalled_since = None;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    self.stalled_since.get_or_insert(now);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Nothing more is wanted from the peer. What was asked before is still answered for a moment, by shards that do
    /// not know of the end yet too; closing at once would reset the connection and take those answers with it.
    pub fn begin_closing(&mut self, now: Instant) {
        self.closing_until.get_or_insert(now + LAST_WORDS);
    }

    /// The kernel says that the peer sends no more.
    pub fn end_is_near(&mut self) {
        self.end_is_near = true;
    }

    /// The peer sends no more; it may wait for answers all the same, and they belong on the connection of their request
    /// (RFC 3261 18.2.2). True when one is due: then the connection stays for writing, for a while.
    pub fn half_close(&mut self, now: Instant) -> bool {
        // What a message lacks will not come.
        self.partial_since = None;
        let due = self.owes_answers();
        self.half_closed_until = due.then_some(now + ANSWERS_DUE);
        due
    }

    /// Whether answers are due or not wholly written.
    pub fn owes_answers(&self) -> bool {
        self.unanswered > 0 || !self.waiting.is_empty()
    }

    /// Whether the peer sends no more and the connection stays for answers.
    pub fn is_half_closed(&self) -> bool {
        self.half_closed_until.is_some()
    }

    fn wrote(&mut self, n: usize) {
        self.waiting_octets = self.waiting_octets.saturating_sub(n);
        let mut left = self.written_of_first + n;
        while let Some(first) = self.waiting.front() {
            if left < first.bytes.len() {
                break;
            }
            left -= first.bytes.len();
            self.waiting.pop_front();
        }
        self.written_of_first = left;
    }

    /// When [`overdue`](Self::overdue) is to be looked at again.
    pub fn deadline(&self, settings: &NetSettings) -> Instant {
        self.limits_of_patience(settings).into_iter().map(|(at, _)| at).min().unwrap_or(Instant::FAR)
    }

    /// Why the connection is to be closed at `now`, if it is.
    pub fn overdue(&self, settings: &NetSettings, now: Instant) -> Option<Ended> {
        self.limits_of_patience(settings).into_iter().find(|(at, _)| *at <= now).map(|(_, ended)| ended)
    }

    fn limits_of_patience(&self, settings: &NetSettings) -> [(Instant, Ended); 6] {
        let after = |since: Option<Instant>, wait| since.map_or(Instant::FAR, |at| at + wait);
        [
            (self.opening_until.unwrap_or(Instant::FAR), Ended::ConnectTimeout),
            (self.closing_until.unwrap_or(Instant::FAR), Ended::Unframeable),
            (self.half_closed_until.unwrap_or(Instant::FAR), Ended::ByPeer),
            (after(self.partial_since, settings.partial_message_timeout), Ended::PartialMessage),
            (after(self.stalled_since, settings.stall_timeout), Ended::Stalled),
            (self.last_used + settings.idle_timeout, Ended::Idle),
        ]
    }

    /// The reports of everything that was not wholly written.
    pub fn unsent(&mut self) -> impl Iterator<Item = ReportTo> + '_ {
        self.waiting_octets = 0;
        self.waiting.drain(..).map(|chunk| chunk.report).filter(ReportTo::is_some)
    }
}

/// Whether what came is a request that somebody waits to have answered.
fn wants_answer(frame: &Frame) -> bool {
    let request = match frame {
        Frame::Message(message) => Some(message),
        Frame::Refused(refused) => refused.message.as_ref(),
        _ => None,
    };
    request.is_some_and(|message| message.is_request() && message.method() != Method::Ack)
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
