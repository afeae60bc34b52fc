//! Non-INVITE server transaction (RFC 3261 17.2.2).
//!
//! It never answers by itself: a 100 to a request other than INVITE does harm (RFC 4320 4.1). How long the
//! transaction user may take is the owner's limit; no timer runs before the final response.

use super::server::{Event, Input, Output};
use super::timers::{Alarm, Terms, Timer, TimerSettings};
use super::{Class, Machine, Outputs};
use crate::base::codec::{Codec, DecodeError, Reader, Writer};
use crate::base::flow::Transport;
use crate::base::time::Instant;

/// The states of RFC 3261 figure 8.
//
//   start --request to TU--> Trying --1xx from TU--> Proceeding --1xx from TU--> Proceeding
//   Proceeding --request: last 1xx again--> Proceeding
//   Trying, Proceeding --200-699 from TU--> Completed --request: response again--> Completed --J--> Terminated
//   Proceeding, Completed --transport error: tell TU--> Terminated
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum State {
    /// The TU has the request and has not answered; copies of the request are dropped.
    Trying,
    /// The TU answered provisionally.
    Proceeding,
    /// The final response was sent; copies of the request are answered with it.
    Completed,
    /// The end.
    Terminated,
}

/// One request other than INVITE and ACK, received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nist {
    terms: Terms,
    state: State,
    /// Timer J.
    end: Alarm,
}

impl Nist {
    /// Passes the request to the transaction user.
    pub fn start(transport: Transport, settings: TimerSettings, out: &mut Outputs<Output>) -> Self {
        out.push(Output::PassToTu);
        let terms = Terms { settings, reliable: transport.is_reliable() };
        Nist { terms, state: State::Trying, end: Alarm::OFF }
    }

    /// Whether a final response has been sent.
    pub fn is_answered(&self) -> bool {
        matches!(self.state, State::Completed | State::Terminated)
    }

    fn trying(&mut self, event: Event, now: Instant, out: &mut Outputs<Output>) -> State {
        match event {
            Event::Respond(Class::Provisional) => {
                out.push(Output::SendResponse);
                State::Proceeding
            }
            Event::Respond(Class::Success | Class::Failure) => self.complete(now, out),
            _ => State::Trying,
        }
    }

    fn proceeding(&mut self, event: Event, now: Instant, out: &mut Outputs<Output>) -> State {
        match event {
            Event::Request => {
                out.push(Output::ResendResponse);
                State::Proceeding
            }
            Event::Respond(Class::Provisional) => {
                out.push(Output::SendResponse);
                State::Proceeding
            }
            Event::Respond(Class::Success | Class::Failure) => self.complete(now, out),
            Event::TransportError => self.terminate([Output::TransportError], out),
            _ => State::Proceeding,
        }
    }

    fn completed(&mut self, event: Event, out: &mut Outputs<Output>) -> State {
        match event {
            Event::Request => {
                out.push(Output::ResendResponse);
                State::Completed
            }
            Event::TransportError => self.terminate([Output::TransportError], out),
            Event::Timer(Timer::J) => self.terminate([], out),
            _ => State::Completed,
        }
    }

    fn complete(&mut self, now: Instant, out: &mut Outputs<Output>) -> State {
        out.push(Output::SendResponse);
        if self.terms.reliable {
            return self.terminate([], out);
        }
        self.end = self.terms.alarm(Timer::J, now);
        State::Completed
    }

    fn terminate<const N: usize>(&mut self, last: [Output; N], out: &mut Outputs<Output>) -> State {
        self.end = Alarm::OFF;
        out.extend(last);
        out.push(Output::Terminated);
        State::Terminated
    }
}

impl Machine for Nist {
    type State = State;
    type Input = Input;
    type Event = Event;
    type Output = Output;

    const STATES: &'static [State] = &[State::Trying, State::Proceeding, State::Completed, State::Terminated];
    const EVENTS: &'static [Event] = &[
        Event::Request,
        Event::Respond(Class::Provisional),
        Event::Respond(Class::Success),
        Event::Respond(Class::Failure),
        Event::TransportError,
        Event::Timer(Timer::J),
    ];
    const LEGAL: &'static [(State, Event)] = &[
        (State::Trying, Event::Respond(Class::Provisional)),
        (State::Trying, Event::Respond(Class::Success)),
        (State::Trying, Event::Respond(Class::Failure)),
        (State::Proceeding, Event::Request),
        (State::Proceeding, Event::Respond(Class::Provisional)),
        (State::Proceeding, Event::Respond(Class::Success)),
        (State::Proceeding, Event::Respond(Class::Failure)),
        (State::Proceeding, Event::TransportError),
        (State::Completed, Event::Request),
        (State::Completed, Event::TransportError),
        (State::Completed, Event::Timer(Timer::J)),
    ];

    fn state(&self) -> State {
        self.state
    }

    fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }

    fn event_of(input: Input) -> Option<Event> {
        input.event()
    }

    fn alarms(&self) -> [(Timer, Alarm); 3] {
        [(Timer::J, self.end), (Timer::J, Alarm::OFF), (Timer::J, Alarm::OFF)]
    }

    fn step(&mut self, event: Event, now: Instant, out: &mut Outputs<Output>) {
        self.state = match self.state {
            State::Trying => self.trying(event, now, out),
            State::Proceeding => self.proceeding(event, now, out),
            State::Completed => self.completed(event, out),
            State::Terminated => State::Terminated,
        };
    }
}

const VERSION: u8 = 1;

impl Codec for Nist {
    fn encode(&self, w: &mut Writer) {
        w.u8(VERSION);
        w.u8(self.state as u8);
        self.terms.encode(w);
        self.end.encode(w);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.version("Nist", VERSION)?;
        let state = r.one_of("Nist state", Self::STATES)?;
        let (terms, end) = (Terms::decode(r)?, Alarm::decode(r)?);
        if end.is_armed() != (state == State::Completed) {
            return Err(DecodeError::Invalid { what: "timers of Nist in state", value: state as u64 });
        }
        Ok(Nist { terms, state, end })
    }
}

#[cfg(test)]
#[path = "nist_tests.rs"]
mod tests;
