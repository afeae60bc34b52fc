//! Replies of rtpengine.

use super::InstanceName;
use crate::base::text::{Octets, Text};
use crate::wire::bencode::{self, Dictionary, Limits, Value};

/// What a reply datagram says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It is done; `pong` is this too.
    Done(Dictionary),
    /// The instance takes no more calls.
    LoadLimit,
    /// It is refused, with this reason.
    Error(Text),
}

/// Why a datagram is no reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoReply {
    /// There is no cookie before a space.
    #[error("no cookie")]
    Cookie,
    /// What follows is no bencoded dictionary.
    #[error("behind the cookie: {0}")]
    Malformed(#[from] bencode::Malformed),
    /// It has no `result`, or one that is unknown.
    #[error("no result")]
    Result,
}

/// The longest cookie that is looked at.
const LONGEST_COOKIE: usize = 64;

/// Reads a datagram: the cookie, and what it says.
pub fn read(datagram: &[u8]) -> Result<(&str, Answer), NoReply> {
    let space = datagram.iter().take(LONGEST_COOKIE).position(|o| *o == b' ').ok_or(NoReply::Cookie)?;
    let (cookie, rest) = datagram.split_at(space);
    let cookie = std::str::from_utf8(cookie).map_err(|_| NoReply::Cookie)?;
    let value = bencode::parse(rest.get(1..).unwrap_or_default(), &Limits::default())?;
    let text = |key| value.get(key).and_then(Value::as_str);
    let answer = match text("result") {
        Some("load limit") => Answer::LoadLimit,
        Some("error") => Answer::Error(text("error-reason").unwrap_or("no reason given").into()),
        Some("ok" | "pong") => match value {
            Value::Dictionary(dictionary) => Answer::Done(dictionary),
            _ => return Err(NoReply::Result),
        },
        _ => return Err(NoReply::Result),
    };
    Ok((cookie, answer))
}

/// What came of a command.
pub type MediaResult = Result<MediaReply, MediaFault>;

/// A command was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MediaReply {
    /// Who did it: later commands of the call go there.
    pub instance: InstanceName,
    /// The SDP to pass on; there for every offer and answer.
    pub sdp: Option<Octets>,
    /// All else that was said.
    pub document: Dictionary,
}

/// Packets of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// RTP packets.
    pub packets: u64,
    /// Their octets.
    pub octets: u64,
    /// Packets that could not be passed on.
    pub errors: u64,
}

impl MediaReply {
    /// From the dictionary of a reply.
    pub fn of(instance: InstanceName, mut document: Dictionary) -> Self {
        let sdp = match document.remove(b"sdp".as_slice()) {
            Some(Value::Bytes(sdp)) => Some(sdp.into()),
            _ => None,
        };
        MediaReply { instance, sdp, document }
    }

    /// RTP of the whole call, in the reply to a query or a delete.
    pub fn totals(&self) -> Option<Totals> {
        let rtp = self.document.get(b"totals".as_slice())?.get("RTP")?;
        let count = |key| rtp.get(key).and_then(Value::as_integer).and_then(|n| u64::try_from(n).ok());
        Some(Totals { packets: count("packets")?, octets: count("bytes")?, errors: count("errors")? })
    }

    /// A number that the reply bears: the `duration` of what is played, in milliseconds.
    pub fn integer(&self, key: &str) -> Option<i64> {
        self.document.get(key.as_bytes()).and_then(Value::as_integer)
    }

    /// Something was odd: a delete that found nothing says so.
    pub fn warning(&self) -> Option<&str> {
        self.document.get(b"warning".as_slice()).and_then(Value::as_str)
    }
}

/// Why a command was not done.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MediaFault {
    /// The instance refused, with its reason.
    #[error("the media engine refused: {0}")]
    Refused(Text),
    /// No instance takes another call.
    #[error("the media engines take no more calls")]
    LoadLimit,
    /// No reply came in time.
    #[error("the media engine did not answer in time")]
    TimedOut,
    /// No instance is up.
    #[error("no media engine is up")]
    Down,
    /// The call's instance is none of this node's.
    #[error("{0} is no media engine of this node")]
    Unknown(InstanceName),
    /// Too many commands wait for their replies.
    #[error("too many commands wait for the media engines")]
    Busy,
    /// The command does not fit a datagram.
    #[error("the command is too large for a datagram")]
    TooLarge,
    /// The reply bears no SDP.
    #[error("the media engine answered without an SDP")]
    NoSdp,
    /// The node has no media engine.
    #[error("this node has no media engine: `media` is not in its configuration")]
    NotConfigured,
}

impl MediaFault {
    /// Whether the engine said that it does not know the call: nothing is left to do there.
    pub fn is_unknown_call(&self) -> bool {
        matches!(self, MediaFault::Refused(reason) if reason.to_ascii_lowercase().starts_with("unknown call-id"))
    }
}
