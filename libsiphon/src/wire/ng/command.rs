//! Commands to rtpengine.

use super::InstanceName;
use super::half::Half;
use crate::base::text::{Octets, Text};
use crate::wire::bencode::{Dictionary, Value};
use std::net::IpAddr;
use std::sync::Arc;

/// Whose media: the call, and in it the party whose media is meant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Party {
    /// Call-ID.
    pub call_id: Text,
    /// In an offer the tag of who sent the SDP; in an answer that of who made the offer; else that of whose media is
    /// meant, or `None` for the whole call.
    pub from_tag: Option<Text>,
    /// The tag of the other one, when it is known.
    pub to_tag: Option<Text>,
    /// Tells apart the branches of a forked INVITE.
    pub via_branch: Option<Text>,
}

/// One command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// Whose media; of no meaning for [`Action::Ping`].
    pub party: Party,
    /// What to do.
    pub action: Action,
}

/// What to do with media.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Say that you live.
    Ping,
    /// Take an SDP offer and give the one to pass on.
    Offer(Box<Negotiation>),
    /// Take an SDP answer and give the one to pass on.
    Answer(Box<Negotiation>),
    /// End all sessions of the call; with a `via_branch`, those of that branch.
    Delete,
    /// Tell what there is of the call.
    Query,
    /// Pass no media of the party on.
    BlockMedia,
    /// Pass it on again.
    UnblockMedia,
    /// Pass no DTMF events of the party on (RFC 4733).
    BlockDtmf,
    /// Pass them on again.
    UnblockDtmf,
    /// Pass silence on in place of the party's audio.
    SilenceMedia,
    /// Pass its audio on again.
    UnsilenceMedia,
    /// Play to the party.
    PlayMedia(Playback),
    /// Stop playing.
    StopMedia,
    /// Put a DTMF event into what the party sends.
    PlayDtmf(Dtmf),
    /// Record the call.
    StartRecording(Recording),
    /// Record it no more.
    StopRecording,
}

/// An SDP and how to rewrite it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Negotiation {
    /// The SDP as it came.
    pub sdp: Octets,
    /// How to rewrite it.
    pub half: Arc<Half>,
    /// Where the SIP message came from; told when the half says so.
    pub source: Option<IpAddr>,
}

/// What to play.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Playback {
    /// What.
    pub source: PlaybackSource,
    /// How many times.
    pub repeat: Option<u32>,
}

/// Where what is played comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PlaybackSource {
    /// A file of the machine that rtpengine runs on.
    File(Text),
    /// The octets of a media file.
    Blob(Octets),
    /// A row of rtpengine's database.
    Database(i64),
}

/// A DTMF event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dtmf {
    /// `0`-`9`, `*`, `#`, `A`-`D`.
    pub code: char,
    /// How long it is, 100 to 5000 ms. Default 250.
    pub duration_ms: Option<u32>,
    /// How loud, in -dBm0. Default 8.
    pub volume: Option<u32>,
    /// The pause behind it, 100 to 5000 ms. Default 100.
    pub pause_ms: Option<u32>,
}

/// How to record.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recording {
    /// The file to write; `None` leaves it to rtpengine.
    pub path: Option<Text>,
}

/// A command and where it goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MediaRequest {
    /// What.
    pub command: Command,
    /// The instance that has the call's sessions. `None` for a call that has none yet: one is chosen.
    pub at: Option<InstanceName>,
}

impl Action {
    /// The name of the command on the wire.
    pub const fn verb(&self) -> &'static str {
        match self {
            Action::Ping => "ping",
            Action::Offer(_) => "offer",
            Action::Answer(_) => "answer",
            Action::Delete => "delete",
            Action::Query => "query",
            Action::BlockMedia => "block media",
            Action::UnblockMedia => "unblock media",
            Action::BlockDtmf => "block DTMF",
            Action::UnblockDtmf => "unblock DTMF",
            Action::SilenceMedia => "silence media",
            Action::UnsilenceMedia => "unsilence media",
            Action::PlayMedia(_) => "play media",
            Action::StopMedia => "stop media",
            Action::PlayDtmf(_) => "play DTMF",
            Action::StartRecording(_) => "start recording",
            Action::StopRecording => "stop recording",
        }
    }
}

impl Command {
    /// Whether an instance is asked to rewrite an SDP: its reply must bear one.
    pub fn wants_sdp(&self) -> bool {
        matches!(self.action, Action::Offer(_) | Action::Answer(_))
    }

    /// The command that undoes an offer.
    pub fn delete(call_id: Text) -> Command {
        Command { party: Party { call_id, ..Party::default() }, action: Action::Delete }
    }

    /// The command as a dictionary.
    pub fn dictionary(&self) -> Dictionary {
        let mut out = Dictionary::new();
        let mut put = |key: &str, value: Value| {
            out.insert(key.as_bytes().to_vec(), value);
        };
        put("command", Value::from(self.action.verb()));
        if self.action == Action::Ping {
            return out;
        }
        let Party { call_id, from_tag, to_tag, via_branch } = &self.party;
        put("call-id", Value::from(&**call_id));
        // A tag that is none of the call's makes rtpengine delete nothing, and who hangs up may be of another branch.
        let whole_call = self.action == Action::Delete && via_branch.is_none();
        let tags = [("from-tag", from_tag), ("to-tag", to_tag), ("via-branch", via_branch)];
        for (key, value) in tags {
            if let Some(value) = value.as_ref().filter(|_| !whole_call) {
                put(key, Value::from(&**value));
            }
        }
        match &self.action {
            Action::Offer(negotiation) | Action::Answer(negotiation) => {
                put("sdp", Value::from(&*negotiation.sdp));
                if let Some(source) = negotiation.source.filter(|_| negotiation.half.received_from) {
                    let source = source.to_canonical();
                    let family = if source.is_ipv4() { "IP4" } else { "IP6" };
                    let source = source.to_string();
                    put("received from", Value::List(vec![family.into(), source.as_str().into()]));
                }
                if matches!(self.action, Action::Offer(_)) {
                    put("supports", Value::List(vec!["load limit".into()]));
                }
                negotiation.half.put_into(&mut out);
            }
            // By default the ports stay taken for half a minute more.
            Action::Delete => put("delete delay", Value::Integer(0)),
            Action::PlayMedia(playback) => {
                match &playback.source {
                    PlaybackSource::File(path) => put("file", Value::from(&**path)),
                    PlaybackSource::Blob(octets) => put("blob", Value::from(&**octets)),
                    PlaybackSource::Database(id) => put("db-id", Value::Integer(*id)),
                }
                if let Some(repeat) = playback.repeat {
                    put("repeat-times", Value::Integer(repeat.into()));
                }
            }
            Action::PlayDtmf(dtmf) => {
                put("code", Value::from(dtmf.code.to_string().as_str()));
                for (key, number) in
                    [("duration", dtmf.duration_ms), ("volume", dtmf.volume), ("pause", dtmf.pause_ms)]
                {
                    if let Some(number) = number {
                        put(key, Value::Integer(number.into()));
                    }
                }
            }
            Action::StartRecording(Recording { path: Some(path) }) => {
                put("output-destination", Value::from(&**path));
            }
            _ => {}
        }
        out
    }

    /// The datagram.
    pub fn datagram(&self, cookie: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(cookie.as_bytes());
        out.push(b' ');
        Value::Dictionary(self.dictionary()).write(&mut out);
        out
    }
}
