//! Cutting a byte stream into messages (RFC 3261 18.3) and keep-alives (RFC 5626 4.4.1).
//!
//! Every octet is looked at a bounded number of times however it arrives, and no more is held than the limits allow:
//! a body that is too long is refused by its Content-Length, before it is read.

use memchr::memmem;

use super::error::{Malformed, Refused};
use super::limits::Limits;
use super::message::Message;
use super::scan::{cut, is_token};

/// What a stream holds next.
#[derive(Clone, Debug)]
pub enum Frame {
    /// A message.
    Message(Message),
    /// A message that is refused; the stream goes on behind it.
    Refused(Refused),
    /// The second CRLF of a double CRLF: the peer asks whether we live and gets one CRLF (RFC 5626 4.4.1).
    /// Its first CRLF was reported as [`Frame::Pong`].
    Ping,
    /// A CRLF between messages: the answer to our ping, or the first half of a ping. The peer lives.
    Pong,
    /// The stream cannot be cut any further: answer, if that is possible, and close. Nothing follows.
    Fatal(Refused),
}

/// Holds the unfinished end of one stream.
pub struct StreamFramer {
    limits: Limits,
    buffer: Vec<u8>,
    /// Where the next message starts.
    at: usize,
    /// Up to here there is no end of the header section.
    searched: usize,
    /// The whole length of the message at `at`, once its header section is complete.
    length: Option<usize>,
    /// The last thing seen was a lone CRLF.
    half_ping: bool,
    closed: bool,
}

impl StreamFramer {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        StreamFramer {
            limits,
            buffer: Vec::new(),
            at: 0,
            searched: 0,
            length: None,
            half_ping: false,
            closed: false,
        }
    }

    /// Takes what was read. Call [`next`](Self::next) until it has no more before reading again: that bounds what is
    /// held to one message and one read.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.closed {
            return;
        }
        if self.at > 0 && (self.at == self.buffer.len() || self.at >= COMPACT) {
            self.buffer.drain(..self.at);
            self.searched = self.searched.saturating_sub(self.at);
            self.at = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// How many octets are held.
    pub fn held(&self) -> usize {
        self.buffer.len().saturating_sub(self.at)
    }

    /// Whether a message has begun and is not complete: a peer that leaves it so is to be timed out.
    pub fn is_mid_message(&self) -> bool {
        self.held() > 0
    }

    /// The next frame; `None` until more is fed.
    #[allow(clippy::should_implement_trait)] // An iterator that ends is done; this one goes on when fed.
    pub fn next(&mut self) -> Option<Frame> {
        if self.closed {
            return None;
        }
        let parsed = match self.length {
            None => {
                if let Some(frame) = self.keepalive() {
                    return Some(frame);
                }
                match self.head() {
                    Ok(parsed) => parsed?,
                    Err(refused) => {
                        self.closed = true;
                        self.buffer = Vec::new();
                        self.at = 0;
                        return Some(Frame::Fatal(refused));
                    }
                }
            }
            Some(length) => {
                let end = self.at.saturating_add(length);
                if self.buffer.len() < end {
                    return None;
                }
                self.length = None;
                let parsed = Message::parse(cut(&self.buffer, self.at, end), &self.limits);
                self.at = end;
                parsed
            }
        };
        self.searched = self.at;
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
            self.searched = 0;
            if self.buffer.capacity() > KEEP {
                self.buffer = Vec::new();
            }
        }
        Some(parsed.map_or_else(Frame::Refused, Frame::Message))
    }

    /// CRLF where a message could start.
    fn keepalive(&mut self) -> Option<Frame> {
        if cut(&self.buffer, self.at, self.at.saturating_add(2)) != b"\r\n" {
            if self.held() > 1 {
                self.half_ping = false;
            }
            return None;
        }
        self.at = self.at.saturating_add(2);
        self.searched = self.at;
        self.half_ping = !self.half_ping;
        Some(if self.half_ping { Frame::Pong } else { Frame::Ping })
    }

    /// Reads the header section at `at` once it is complete. With its body there, the message is done and passed;
    /// without, its length is noted. An error leaves no telling where the message ends.
    fn head(&mut self) -> Result<Option<Result<Message, Refused>>, Refused> {
        let held = self.buffer.get(self.at..).unwrap_or_default();
        match held.first() {
            None => return Ok(None),
            Some(b'\r') if held.len() == 1 => return Ok(None),
            Some(&c) if is_token(c) => {}
            Some(_) => return Err(hopeless(Malformed::StartLine("neither request nor response"))),
        }
        let limit = self.limits.header_section;
        // The end may straddle what was searched.
        let from = self.searched.saturating_sub(3).max(self.at);
        let found = memmem::find(self.buffer.get(from..).unwrap_or_default(), b"\r\n\r\n");
        let Some(hit) = found else {
            self.searched = self.buffer.len();
            if held.len() > limit {
                return Err(self.refuse(held.len(), Malformed::HeaderSectionTooLarge { limit }));
            }
            return Ok(None);
        };
        let head = from.saturating_add(hit).saturating_add(4).saturating_sub(self.at);
        if head > limit {
            return Err(self.refuse(head, Malformed::HeaderSectionTooLarge { limit }));
        }
        let indexed = super::index::index_with_head(held, head, &self.limits);
        let Some(index) = &indexed.index else {
            let fault = indexed.fault.unwrap_or(Malformed::StartLine("neither request nor response"));
            return Err(hopeless(fault));
        };
        let framing = match indexed.unframed {
            Some(fault) => Err(fault),
            None => index.content_length.ok_or(Malformed::ContentLengthRequired),
        };
        let body = match framing {
            Err(fault) => return Err(self.refuse(head, fault)),
            Ok(body) if body > self.limits.body => {
                return Err(self.refuse(head, Malformed::BodyTooLarge { limit: self.limits.body }));
            }
            Ok(body) => body,
        };
        let length = head.saturating_add(body);
        if length > self.limits.message {
            return Err(self.refuse(head, Malformed::MessageTooLarge { limit: self.limits.message }));
        }
        if indexed.missing > 0 {
            self.length = Some(length);
            return Ok(None);
        }
        let parsed = Message::assemble(held, indexed);
        self.at = self.at.saturating_add(length);
        Ok(Some(parsed))
    }

    /// What is there of the message, for an answer, with the fault that ends the stream.
    fn refuse(&self, head: usize, fault: Malformed) -> Refused {
        let end = self.at.saturating_add(head);
        match Message::parse(cut(&self.buffer, self.at, end), &self.limits) {
            Ok(message) => Refused { fault, message: Some(message).filter(Message::is_answerable) },
            Err(refused) => Refused { fault, message: refused.message },
        }
    }
}

impl Default for StreamFramer {
    /// With [`Limits::default`].
    fn default() -> Self {
        StreamFramer::new(Limits::default())
    }
}

fn hopeless(fault: Malformed) -> Refused {
    Refused { fault, message: None }
}

/// Consumed octets are dropped from the front of the buffer once there are this many.
const COMPACT: usize = 16 * 1024;

/// An empty buffer larger than this is given back.
const KEEP: usize = 16 * 1024;

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;
