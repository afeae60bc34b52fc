//! Non-INVITE client transaction (RFC 3261 17.1.2).

use super::client::{Event, Input, Output};
use super::timers::{Alarm, Resend, Terms, Timer, TimerSettings};
use super::{Class, Machine, Outputs};
use crate::base::codec::{Codec, DecodeError, Reader, Writer};
use crate::base::flow::Transport;
use crate::base::time::Instant;

/// The states of RFC 3261 figure 6.
//
//   start --request sent--> Trying
//   Trying --E: request again--> Trying --1xx--> Proceeding
//   Proceeding --E: request again--> Proceeding --1xx--> Proceeding
//   Trying, Proceeding --200-699--> Completed --K--> Terminated
//   Trying, Proceeding --F or transport error--> Terminated
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum State {
    /// The request was sent, nothing came back.
    Trying,
    /// A provisional response came; the request is still repeated, every T2.
    Proceeding,
    /// A final response came; its copies are absorbed.
    Completed,
    /// The end.
    Terminated,
}

/// One request other than INVITE and ACK, sent to one target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nict {
    terms: Terms,
    state: State,
    /// Timer E.
    resend: Resend,
    /// Timer F or K, by the state.
    end: Alarm,
}

impl Nict {
    /// Sends the request.
    pub fn start(
        transport: Transport,
        settings: TimerSettings,
        now: Instant,
        out: &mut Outputs<Output>,
    ) -> Self {
        let terms = Terms { settings, reliable: transport.is_reliable() };
        out.push(Output::SendRequest);
        Nict { terms, state: State::Trying, resend: terms.resend(now), end: terms.alarm(Timer::F, now) }
    }

    fn trying(&mut self, event: Event, now: Instant, out: &mut Outputs<Output>) -> State {
        match event {
            Event::Timer(Timer::E) => {
                self.resend.double_to_t2(&self.terms.settings, now);
                out.push(Output::SendRequest);
                State::Trying
            }
            Event::Response(Class::Provisional) => {
                out.push(Output::PassToTu);
                State::Proceeding
            }
            event => self.unanswered(State::Trying, event, now, out),
        }
    }

    fn proceeding(&mut self, event: Event, now: Instant, out: &mut Outputs<Output>) -> State {
        match event {
            // The provisional response left the running Timer E alone; from its next firing on it is T2.
            Event::Timer(Timer::E) => {
                self.resend.every_t2(&self.terms.settings, now);
                out.push(Output::SendRequest);
                State::Proceeding
            }
            Event::Response(Class::Provisional) => {
                out.push(Output::PassToTu);
                State::Proceeding
            }
            event => self.unanswered(State::Proceeding, event, now, out),
        }
    }

    /// What Trying and Proceeding have in common.
    fn unanswered(&mut self, state: State, event: Event, now: Instant, out: &mut Outputs<Output>) -> State {
        match event {
            Event::Response(Class::Success | Class::Failure) => self.complete(now, out),
            Event::TransportError => self.terminate([Output::TransportError], out),
            Event::Timer(Timer::F) => self.terminate([Output::Timeout], out),
            _ => state,
        }
    }

    fn completed(&mut self, event: Event, out: &mut Outputs<Output>) -> State {
        match event {
            Event::Timer(Timer::K) => self.terminate([], out),
            _ => State::Completed,
        }
    }

    fn complete(&mut self, now: Instant, out: &mut Outputs<Output>) -> State {
        if self.terms.reliable {
            return self.terminate([Output::PassToTu], out);
        }
        self.resend = Resend::OFF;
        self.end = self.terms.alarm(Timer::K, now);
        out.extend([Output::ForgetRequest, Output::PassToTu]);
        State::Completed
    }

    fn terminate<const N: usize>(&mut self, last: [Output; N], out: &mut Outputs<Output>) -> State {
        self.resend = Resend::OFF;
        self.end = Alarm::OFF;
        out.extend(last);
        out.push(Output::Terminated);
        State::Terminated
    }
}

const P: Event = Event::Response(Class::Provisional);
const S: Event = Event::Response(Class::Success);
const F: Event = Event::Response(Class::Failure);

impl Machine for Nict {
    type State = State;
    type Input = Input;
    type Event = Event;
    type Output = Output;

    const STATES: &'static [State] = &[State::Trying, State::Proceeding, State::Completed, State::Terminated];
    const EVENTS: &'static [Event] = &[
        P,
        S,
        F,
        Event::TransportError,
        Event::Timer(Timer::E),
        Event::Timer(Timer::F),
        Event::Timer(Timer::K),
    ];
    const LEGAL: &'static [(State, Event)] = &[
        (State::Trying, P),
        (State::Trying, S),
        (State::Trying, F),
        (State::Trying, Event::TransportError),
        (State::Trying, Event::Timer(Timer::E)),
        (State::Trying, Event::Timer(Timer::F)),
        (State::Proceeding, P),
        (State::Proceeding, S),
        (State::Proceeding, F),
        (State::Proceeding, Event::TransportError),
        (State::Proceeding, Event::Timer(Timer::E)),
        (State::Proceeding, Event::Timer(Timer::F)),
        (State::Completed, Event::Timer(Timer::K)),
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
        let end = if self.state == State::Completed { Timer::K } else { Timer::F };
        [(end, self.end), (Timer::E, self.resend.alarm), (Timer::E, Alarm::OFF)]
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

impl Codec for Nict {
    fn encode(&self, w: &mut Writer) {
        w.u8(VERSION);
        w.u8(self.state as u8);
        self.terms.encode(w);
        self.resend.encode(w);
        self.end.encode(w);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.version("Nict", VERSION)?;
        let state = r.one_of("Nict state", Self::STATES)?;
        let (terms, resend, end) = (Terms::decode(r)?, Resend::decode(r)?, Alarm::decode(r)?);
        let armed = match state {
            State::Trying | State::Proceeding => end.is_armed(),
            State::Completed => end.is_armed() && !resend.alarm.is_armed(),
            State::Terminated => !end.is_armed() && !resend.alarm.is_armed(),
        };
        if !armed {
            return Err(DecodeError::Invalid { what: "timers of Nict in state", value: state as u64 });
        }
        Ok(Nict { terms, state, resend, end })
    }
}

#[cfg(test)]
#[path = "nict_tests.rs"]
mod tests;
