//! What client transactions hear and say (RFC 3261 17.1), and one type for either kind.

use super::timers::{Timer, TimerSettings};
use super::{Class, Ict, Machine, Nict, Outputs};
use crate::base::codec::{Codec, DecodeError, Reader, Writer};
use crate::base::flow::Transport;
use crate::base::time::Instant;
use std::fmt;

/// What happens to a client transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// A response that matches (RFC 3261 17.1.3).
    Response(Class),
    /// What was to be sent could not be, or the flow it was sent on is gone (RFC 3261 17.1.4).
    TransportError,
    /// Time has passed `deadline()`.
    Tick,
}

impl Input {
    /// All inputs.
    pub const ALL: [Input; 5] = [
        Input::Response(Class::Provisional),
        Input::Response(Class::Success),
        Input::Response(Class::Failure),
        Input::TransportError,
        Input::Tick,
    ];

    pub(super) fn event(self) -> Option<Event> {
        match self {
            Input::Response(class) => Some(Event::Response(class)),
            Input::TransportError => Some(Event::TransportError),
            Input::Tick => None,
        }
    }
}

/// What an arc of a client transaction's figure is labelled with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// A response arrives.
    Response(Class),
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
            Event::Response(class) => class.fmt(f),
            Event::TransportError => f.pad("transport error"),
            Event::Timer(timer) => f.pad(&format!("timer {timer}")),
        }
    }
}

/// What a client transaction asks its owner to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// Send the kept request, for the first time or again.
    SendRequest,
    /// Build the ACK for this failure response from the kept request (RFC 3261 17.1.1.3), send and keep it.
    SendAck,
    /// Send the kept ACK again.
    ResendAck,
    /// Give the response that was fed to the transaction user.
    PassToTu,
    /// Tell the transaction user that no final response came, as if 408 had (RFC 3261 8.1.3.1).
    Timeout,
    /// Tell the transaction user that sending failed, as if 503 had come (RFC 3261 8.1.3.1).
    TransportError,
    /// The kept request is not needed any more.
    ForgetRequest,
    /// The transaction has ended: drop it and whatever is kept for it.
    Terminated,
}

/// A client transaction of either kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Client {
    /// For INVITE.
    Invite(Ict),
    /// For any other method but ACK, which has no transaction.
    NonInvite(Nict),
}

impl Client {
    /// Starts a transaction whose request is about to be sent over `transport`.
    pub fn start(
        is_invite: bool,
        transport: Transport,
        settings: TimerSettings,
        now: Instant,
        out: &mut Outputs<Output>,
    ) -> Self {
        if is_invite {
            Client::Invite(Ict::start(transport, settings, now, out))
        } else {
            Client::NonInvite(Nict::start(transport, settings, now, out))
        }
    }

    /// Feeds one input; whatever must happen next is pushed onto `out`.
    pub fn handle(&mut self, input: Input, now: Instant, out: &mut Outputs<Output>) {
        match self {
            Client::Invite(ict) => ict.handle(input, now, out),
            Client::NonInvite(nict) => nict.handle(input, now, out),
        }
    }

    /// When the next [`Input::Tick`] is wanted.
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Client::Invite(ict) => ict.deadline(),
            Client::NonInvite(nict) => nict.deadline(),
        }
    }

    /// Whether a final response came.
    pub fn is_answered(&self) -> bool {
        match self {
            Client::Invite(ict) => {
                matches!(ict.state(), super::ict::State::Accepted | super::ict::State::Completed)
            }
            Client::NonInvite(nict) => nict.state() == super::nict::State::Completed,
        }
    }

    /// Whether the transaction has ended.
    pub fn is_terminated(&self) -> bool {
        match self {
            Client::Invite(ict) => ict.is_terminated(),
            Client::NonInvite(nict) => nict.is_terminated(),
        }
    }
}

impl Codec for Client {
    fn encode(&self, w: &mut Writer) {
        match self {
            Client::Invite(ict) => {
                w.u8(0);
                ict.encode(w);
            }
            Client::NonInvite(nict) => {
                w.u8(1);
                nict.encode(w);
            }
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match r.u8()? {
            0 => Ict::decode(r).map(Client::Invite),
            1 => Nict::decode(r).map(Client::NonInvite),
            value => Err(DecodeError::Invalid { what: "client transaction kind", value: value.into() }),
        }
    }
}
