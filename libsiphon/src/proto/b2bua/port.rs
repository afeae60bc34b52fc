//! What a call is told, and what it wants done.

use super::leg::LegId;
use super::replaces::Handed;
use crate::base::flow::Flow;
use crate::base::rng::Rng;
use crate::base::text::{Octets, Text};
use crate::base::time::{Duration, Instant};
use crate::policy::call::{CallAction, HeaderPreset, ReferMode, Var};
use crate::policy::{CallEvent, Header, Interest, Target};
use crate::proto::session::SessionTimerSettings;
use crate::wire::sip::{Message, Replaces};

/// A server transaction, by a name the engine chose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServerRef(pub u64);

/// A client transaction, by a name the call chose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientRef(pub u32);

/// What happens to a call.
#[derive(Clone, Debug)]
pub enum Input {
    /// Policy decided: the answer to [`Output::Ask`], or a wish of its own.
    Decided {
        /// What to do, in order.
        actions: Vec<CallAction>,
        /// The message of the question with the policy's edits: the INVITE, or the response in question.
        message: Option<Message>,
        /// The response in question is not to be forwarded (provisional only).
        dropped: bool,
        /// Which questions policy wants from now on.
        interest: Option<Interest>,
        /// False when a handler is parked: the question stays open.
        finished: bool,
    },
    /// A new request of a leg's peer. A BYE, a re-INVITE, an INFO; never ACK or CANCEL.
    Request {
        /// Whose.
        leg: LegId,
        /// To be answered here.
        server: ServerRef,
        /// The request.
        request: Message,
        /// Where it came from.
        flow: Flow,
    },
    /// The ACK to a 2xx.
    Ack {
        /// Whose.
        leg: LegId,
        /// The request.
        request: Message,
    },
    /// The peer cancelled an INVITE that is not answered.
    Cancel {
        /// Which.
        server: ServerRef,
    },
    /// A response; of an INVITE also copies of its 2xx.
    Response {
        /// To what.
        client: ClientRef,
        /// The response.
        response: Message,
        /// Where it came from.
        flow: Flow,
    },
    /// No response will come.
    Failed {
        /// To what.
        client: ClientRef,
        /// 408 when nobody answered, 503 when it could not be sent.
        status: u16,
    },
    /// The transaction is forgotten: nothing more comes of it.
    Forgotten {
        /// Which.
        client: ClientRef,
    },
    /// The media engine answered.
    Media {
        /// To what.
        job: u32,
        /// The SDP to pass on; `None` when the engine failed or took too long.
        sdp: Option<Octets>,
    },
    /// A leg of another call takes the place of one of this call's (RFC 3891). [`Output::Returned`] says what became
    /// of it.
    Adopt {
        /// The leg.
        leg: Box<Handed>,
        /// Whose place it takes.
        replaced: LegId,
        /// Where it came from.
        to: ReturnTo,
    },
    /// What became of a leg that was handed over.
    Returned {
        /// That.
        outcome: Adopted,
    },
    /// Somebody here ends the call.
    Terminate {
        /// For Reason.
        why: Text,
    },
    /// Time has passed [`Call::deadline`](super::Call::deadline).
    Tick,
}

/// What a call wants done, in this order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Start a client transaction.
    Send {
        /// Its name.
        client: ClientRef,
        /// The leg it is of.
        leg: LegId,
        /// What to send.
        request: Box<Outgoing>,
    },
    /// Send the ACK to a 2xx, which has no transaction.
    Ack {
        /// The leg it is of.
        leg: LegId,
        /// What to send.
        request: Box<Outgoing>,
    },
    /// Cancel an INVITE (RFC 3261 9.1).
    Cancel {
        /// Which.
        client: ClientRef,
    },
    /// Answer a request.
    Respond {
        /// Which.
        server: ServerRef,
        /// With what.
        answer: Box<Answer>,
    },
    /// The 2xx again (RFC 3261 13.3.1.4).
    Resend {
        /// Of which INVITE.
        server: ServerRef,
    },
    /// The 2xx of this INVITE will not be sent again.
    Settled {
        /// Which.
        server: ServerRef,
    },
    /// Requests with this Call-ID and To tag are this leg's.
    Found {
        /// Which leg.
        leg: LegId,
        /// Call-ID.
        call_id: Text,
        /// Our tag.
        local_tag: Text,
    },
    /// They are nobody's any more.
    Lost {
        /// Call-ID.
        call_id: Text,
        /// Our tag.
        local_tag: Text,
    },
    /// Ask policy, and answer with [`Input::Decided`].
    Ask {
        /// What about.
        event: Box<CallEvent>,
    },
    /// Tell policy; nothing is awaited.
    Notify {
        /// What.
        event: Box<CallEvent>,
    },
    /// Have the media engine rewrite a session description, and answer with [`Input::Media`].
    Media {
        /// Names the answer.
        job: u32,
        /// What.
        sdp: Box<Sdp>,
    },
    /// Delete the media session.
    ReleaseMedia,
    /// Hand a leg to the call that has this dialog; [`Input::Returned`] says what became of it.
    HandOver {
        /// The leg.
        leg: Box<Handed>,
        /// The dialog.
        replaces: Replaces,
    },
    /// Tell the call where a leg came from what became of it.
    Returned {
        /// That call.
        to: ReturnTo,
        /// What.
        outcome: Adopted,
    },
    /// The call is over; nothing of it is left.
    Ended,
}

/// The call that a leg came from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ReturnTo {
    /// Its shard.
    pub shard: u8,
    /// Its name there, which the engine chose.
    pub call: u64,
}

/// What became of a leg that was handed over.
#[derive(Clone, Debug)]
pub enum Adopted {
    /// It has taken its place.
    Joined,
    /// No call has such a dialog.
    Unknown {
        /// It comes back.
        leg: Box<Handed>,
    },
    /// It could not be joined.
    Refused {
        /// Why, as a status code.
        code: u16,
        /// It comes back.
        leg: Box<Handed>,
    },
}

/// A session description for the media engine.
#[derive(Clone, PartialEq, Debug)]
pub struct Sdp {
    /// False for an answer.
    pub is_offer: bool,
    /// The leg it came from.
    pub from: LegId,
    /// The leg it goes to.
    pub to: LegId,
    /// Tag of whoever made the offer, as the media session knows it.
    pub from_tag: Text,
    /// Tag of the answerer.
    pub to_tag: Text,
    /// The description.
    pub body: Octets,
    /// Profile, when policy named one.
    pub profile: Option<Text>,
}

/// Where a request goes.
#[derive(Clone, PartialEq, Debug)]
pub enum Hop {
    /// Where Route and Request-URI lead (RFC 3261 8.1.2).
    Path,
    /// As a binding or policy says.
    Target(Box<Target>),
    /// Where the peer's messages come from: its Contact cannot be reached, or it lives at the end of a connection.
    Flow(Flow),
}

/// A request on its way out. The engine adds Via, and Contact where wanted.
#[derive(Clone, PartialEq, Debug)]
pub struct Outgoing {
    /// Method.
    pub method: Text,
    /// Request-URI.
    pub uri: Text,
    /// Route values.
    pub routes: Vec<Text>,
    /// From, tag included.
    pub from: Text,
    /// To, tag included where there is one.
    pub to: Text,
    /// Call-ID.
    pub call_id: Text,
    /// CSeq number.
    pub cseq: u32,
    /// Max-Forwards.
    pub max_forwards: u8,
    /// User part of our Contact; `None` sends no Contact.
    pub contact: Option<Text>,
    /// All other header fields.
    pub headers: Vec<Header>,
    /// Content-Type and body.
    pub body: Option<(Text, Octets)>,
    /// Where to.
    pub hop: Hop,
    /// Send from this listener.
    pub send_socket: Option<Text>,
}

/// A response on its way out. The engine copies what RFC 3261 8.2.6 says and adds Contact where wanted.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// Status code.
    pub code: u16,
    /// Reason phrase; `None` takes the registered one.
    pub reason: Option<Text>,
    /// Our tag.
    pub to_tag: Text,
    /// User part of our Contact; `None` sends no Contact.
    pub contact: Option<Text>,
    /// All other header fields.
    pub headers: Vec<Header>,
    /// Content-Type and body.
    pub body: Option<(Text, Octets)>,
}

/// What calls are configured with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// T1 (RFC 3261 17.1.1.1).
    pub t1: Duration,
    /// T2.
    pub t2: Duration,
    /// 64*T1: how long the ACK to a 2xx is waited for.
    pub ack_wait: Duration,
    /// Host of From towards the other side, and of our addresses where no listener is known yet.
    pub host: Text,
    /// What passes by default.
    pub preset: HeaderPreset,
    /// What becomes of a REFER nobody decides about.
    pub refer: ReferMode,
    /// Early dialogs of one leg; a provisional response of a further one is dropped.
    pub max_early: usize,
    /// Legs of one call, all attempts counted; a target beyond it is not called.
    pub max_legs: usize,
    /// Requests inside a call that wait for their response at once; a further one gets 503.
    pub max_exchanges: usize,
    /// Messages that wait behind a question; beyond it a request gets 503, a provisional response is dropped.
    pub max_waiting: usize,
    /// A call that lasts longer is ended; `None` for no limit.
    pub max_duration: Option<Duration>,
    /// Whether 100rel is offered to the B side and taken from the A side.
    pub reliable: bool,
    /// The session timer of calls whose policy names none.
    pub session_timer: SessionTimerSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            ack_wait: Duration::from_secs(32),
            host: "siphon.invalid".into(),
            preset: HeaderPreset::TopologyHiding,
            refer: ReferMode::Terminate,
            max_early: 12,
            max_legs: 32,
            max_exchanges: 16,
            max_waiting: 16,
            max_duration: None,
            reliable: true,
            session_timer: SessionTimerSettings::OFF,
        }
    }
}

/// What a call needs while it is fed.
pub struct Env<'a> {
    /// The time.
    pub now: Instant,
    /// Dice.
    pub rng: &'a mut Rng,
    /// Settings.
    pub settings: &'a Settings,
    /// Makes a Call-ID that leads back to this shard.
    pub call_id: &'a dyn Fn(&mut Rng) -> Text,
    /// Where wishes go.
    pub out: &'a mut Vec<Output>,
}

impl Env<'_> {
    pub(super) fn push(&mut self, output: Output) {
        self.out.push(output);
    }

    /// A tag of ours: 48 random bits.
    pub(super) fn tag(&mut self) -> Text {
        let mut text = Vec::with_capacity(12);
        crate::base::text::push_hex(&mut text, self.rng.next_u64(), 12);
        String::from_utf8(text).unwrap_or_default().into()
    }
}

/// Values a script attached, by name, in the order of first attachment.
pub type Vars = Vec<(Text, Var)>;
