//! What server transactions hear and say (RFC 3261 17.2), and one type for either kind.

use super::timers::{Timer, TimerSettings};
use super::{Class, Ist, Machine, Nist, Outputs};
use crate::base::codec::{Codec, DecodeError, Reader, Writer};
use crate::base::flow::Transport;
use crate::base::time::Instant;
use std::fmt;

/// What happens to a server transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// A copy of the request that started it.
    Request,
    /// An ACK that matches (RFC 3261 17.2.3).
    Ack,
    /// The transaction user answers.
    Respond(Class),
    /// A response could not be sent (RFC 3261 17.2.4).
    TransportError,
    /// Time has passed `deadline()`.
    Tick,
}

impl Input {
    /// All inputs.
    pub const ALL: [Input; 7] = [
        Input::Request,
        Input::Ack,
        Input::Respond(Class::Provisional),
        Input::Respond(Class::Success),
        Input::Respond(Class::Failure),
        Input::TransportError,
        Input::Tick,
    ];

    pub(super) fn event(self) -> Option<Event> {
        match self {
            Input::Request => Some(Event::Request),
            Input::Ack => Some(Event::Ack),
            Input::Respond(class) => Some(Event::Respond(class)),
            Input::TransportError => Some(Event::TransportError),
            Input::Tick => None,
        }
    }
}

/// What an arc of a server transaction's figure is labelled with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// The request arrives again.
    Request,
    /// An ACK arrives.
    Ack,
    /// The transaction user answers.
    Respond(Class),
    /// Sending failed.
    TransportError,
    /// A timer fires.
    Timer(Timer),
}

impl From<Timer> for Event {
    fn from(timer: Timer) -> Self {
        Event::Timer(timer)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Request => f.pad("request again"),
            Event::Ack => f.pad("ACK"),
            Event::Respond(class) => f.pad(&format!("{class} from TU")),
            Event::TransportError => f.pad("transport error"),
            Event::Timer(timer) => f.pad(&format!("timer {timer}")),
        }
    }
}

/// What a server transaction asks its owner to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// Give the message that was fed to the transaction user: the request at the start, or an ACK.
    PassToTu,
    /// Build a 100 Trying, send and keep it as if the transaction user had answered it.
    Send100,
    /// Send the response the transaction user gave and keep it in place of an earlier one.
    SendResponse,
    /// Send the kept response again.
    ResendResponse,
    /// Tell the transaction user that no ACK came.
    Timeout,
    /// Tell the transaction user that sending failed.
    TransportError,
    /// The kept response is not needed any more.
    ForgetResponse,
    /// The transaction has ended: drop it and whatever is kept for it.
    Terminated,
}

/// A server transaction of either kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Server {
    /// For INVITE.
    Invite(Ist),
    /// For any other method but ACK, which has no transaction.
    NonInvite(Nist),
}

impl Server {
    /// Starts a transaction for a request that came over `transport`.
    pub fn start(
        is_invite: bool,
        transport: Transport,
        settings: TimerSettings,
        now: Instant,
        out: &mut Outputs<Output>,
    ) -> Self {
        if is_invite {
            Server::Invite(Ist::start(transport, settings, now, out))
        } else {
            Server::NonInvite(Nist::start(transport, settings, out))
        }
    }

    /// Feeds one input; whatever must happen next is pushed onto `out`.
    pub fn handle(&mut self, input: Input, now: Instant, out: &mut Outputs<Output>) {
        match self {
            Server::Invite(ist) => ist.handle(input, now, out),
            Server::NonInvite(nist) => nist.handle(input, now, out),
        }
    }

    /// When the next [`Input::Tick`] is wanted.
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Server::Invite(ist) => ist.deadline(),
            Server::NonInvite(nist) => nist.deadline(),
        }
    }

    /// Whether the transaction has ended.
    pub fn is_terminated(&self) -> bool {
        match self {
            Server::Invite(ist) => ist.is_terminated(),
            Server::NonInvite(nist) => nist.is_terminated(),
        }
    }

    /// Whether a 2xx to INVITE has been sent, whose ACK is the transaction user's (RFC 6026 7.1).
    pub fn has_succeeded(&self) -> bool {
        matches!(self, Server::Invite(ist) if ist.state() == super::ist::State::Accepted)
    }

    /// Whether a final response has been sent: what CANCEL asks (RFC 3261 9.2), and why a second one is dropped.
    pub fn is_answered(&self) -> bool {
        match self {
            Server::Invite(ist) => ist.is_answered(),
            Server::NonInvite(nist) => nist.is_answered(),
        }
    }
}

impl Codec for Server {
    fn encode(&self, w: &mut Writer) {
        match self {
            Server::Invite(ist) => {
                w.u8(0);
                ist.encode(w);
            }
            Server::NonInvite(nist) => {
                w.u8(1);
                nist.encode(w);
            }
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match r.u8()? {
            0 => Ist::decode(r).map(Server::Invite),
            1 => Nist::decode(r).map(Server::NonInvite),
            value => Err(DecodeError::Invalid { what: "server transaction kind", value: value.into() }),
        }
    }
}
