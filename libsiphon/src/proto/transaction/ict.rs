//! INVITE client transaction (RFC 3261 17.1.1, with Accepted of RFC 6026 7.2 and 8.4).
//!
//! Timer C is the proxy's (RFC 3261 16.6 step 11), and so is the CANCEL it leads to.

use super::client::{Event, Input, Output};
use super::timers::{Alarm, Resend, Terms, Timer, TimerSettings};
use super::{Class, Machine, Outputs};
use crate::base::codec::{Codec, DecodeError, Reader, Writer};
use crate::base::flow::Transport;
use crate::base::time::Instant;

/// The states of RFC 3261 figure 5 and RFC 6026 figure 4.
//
//   start --INVITE sent--> Calling
//   Calling --A: INVITE again--> Calling
//   Calling --1xx--> Proceeding --1xx--> Proceeding
//   Calling, Proceeding --2xx--> Accepted --2xx--> Accepted --M--> Terminated
//   Calling, Proceeding --300-699: ACK--> Completed --300-699: ACK again--> Completed --D--> Terminated
//   Calling --B or transport error--> Terminated;   Completed --transport error--> Terminated
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum State {
    /// The INVITE was sent, nothing came back.
    Calling,
    /// A provisional response came. No timer runs: how long this may last is Timer C's question.
    Proceeding,
    /// A 2xx came; further ones, of any fork, are passed on.
    Accepted,
    /// A failure response came and was acknowledged; its copies are acknowledged too.
    Completed,
    /// The end.
    Terminated,
}

/// One INVITE, sent to one target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ict {
    terms: Terms,
    state: State,
    /// Timer A.
    resend: Resend,
    /// Timer B, D or M, by the state.
    end: Alarm,
}

impl Ict {
    /// Sends the INVITE.
    pub fn start(
        transport: Transport,
        settings: TimerSettings,
        now: Instant,
        out: &mut Outputs<Output>,
    ) -> Self {
        let terms = Terms { settings, reliable: transport.is_reliable() };
        out.push(Output::SendRequest);
        Ict { terms, state: State::Calling, resend: terms.resend(now), end: terms.alarm(Timer::B, now) }
    }

    fn calling(&mut self, event: Event, now: Instant, out: &mut Outputs<Output>) -> State {
        match event {
            Event::Response(Class::Provisional) => {
                self.resend = Resend::OFF;
                self.end = Alarm::OFF;
                out.push(Output::PassToTu);
                State::Proceeding
            }
            Event::Response(Class::Success) => self.accept(now, out),
            Event::Response(Class::Failure) => self.complete(now, out),
            Event::TransportError => self.terminate([Output::TransportError], out),
            Event::Timer(Timer::A) => {
                self.resend.double(now);
                out.push(Output::SendRequest);
                State::Calling
            }
            Event::Timer(Timer::B) => self.terminate([Output::Timeout], out),
            Event::Timer(_) => State::Calling,
        }
    }

    fn proceeding(&mut self, event: Event, now: Instant, out: &mut Outputs<Output>) -> State {
        match event {
            Event::Response(Class::Provisional) => {
                out.push(Output::PassToTu);
                State::Proceeding
            }
            Event::Response(Class::Success) => self.accept(now, out),
            Event::Response(Class::Failure) => self.complete(now, out),
            // Nothing of this transaction is on its way out, and the response may come on another connection
            // (RFC 3261 18.2.2), so a lost one is no failure yet.
            Event::TransportError | Event::Timer(_) => State::Proceeding,
        }
    }

    fn accepted(&mut self, event: Event, out: &mut Outputs<Output>) -> State {
        match event {
            Event::Response(Class::Success) => {
                out.push(Output::PassToTu);
                State::Accepted
            }
            Event::Timer(Timer::M) => self.terminate([], out),
            _ => State::Accepted,
        }
    }

    fn completed(&mut self, event: Event, out: &mut Outputs<Output>) -> State {
        match event {
            Event::Response(Class::Failure) => {
                out.push(Output::ResendAck);
                State::Completed
            }
            Event::TransportError => self.terminate([Output::TransportError], out),
            Event::Timer(Timer::D) => self.terminate([], out),
            _ => State::Completed,
        }
    }

    fn accept(&mut self, now: Instant, out: &mut Outputs<Output>) -> State {
        self.resend = Resend::OFF;
        // Whatever the transport: the 2xx of other forks arrive on a reliable one too (RFC 6026 8.4).
        self.end = self.terms.alarm(Timer::M, now);
        out.extend([Output::ForgetRequest, Output::PassToTu]);
        State::Accepted
    }

    fn complete(&mut self, now: Instant, out: &mut Outputs<Output>) -> State {
        out.push(Output::SendAck);
        if self.terms.reliable {
            return self.terminate([Output::PassToTu], out);
        }
        self.resend = Resend::OFF;
        self.end = self.terms.alarm(Timer::D, now);
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

impl Machine for Ict {
    type State = State;
    type Input = Input;
    type Event = Event;
    type Output = Output;

    const STATES: &'static [State] =
        &[State::Calling, State::Proceeding, State::Accepted, State::Completed, State::Terminated];
    const EVENTS: &'static [Event] = &[
        P,
        S,
        F,
        Event::TransportError,
        Event::Timer(Timer::A),
        Event::Timer(Timer::B),
        Event::Timer(Timer::D),
        Event::Timer(Timer::M),
    ];
    const LEGAL: &'static [(State, Event)] = &[
        (State::Calling, P),
        (State::Calling, S),
        (State::Calling, F),
        (State::Calling, Event::TransportError),
        (State::Calling, Event::Timer(Timer::A)),
        (State::Calling, Event::Timer(Timer::B)),
        (State::Proceeding, P),
        (State::Proceeding, S),
        (State::Proceeding, F),
        (State::Accepted, S),
        (State::Accepted, Event::Timer(Timer::M)),
        (State::Completed, F),
        (State::Completed, Event::TransportError),
        (State::Completed, Event::Timer(Timer::D)),
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
        let end = match self.state {
            State::Accepted => Timer::M,
            State::Completed => Timer::D,
            _ => Timer::B,
        };
        [(end, self.end), (Timer::A, self.resend.alarm), (Timer::A, Alarm::OFF)]
    }

    fn step(&mut self, event: Event, now: Instant, out: &mut Outputs<Output>) {
        self.state = match self.state {
            State::Calling => self.calling(event, now, out),
            State::Proceeding => self.proceeding(event, now, out),
            State::Accepted => self.accepted(event, out),
            State::Completed => self.completed(event, out),
            State::Terminated => State::Terminated,
        };
    }
}

const VERSION: u8 = 1;

impl Codec for Ict {
    fn encode(&self, w: &mut Writer) {
        w.u8(VERSION);
        w.u8(self.state as u8);
        self.terms.encode(w);
        self.resend.encode(w);
        self.end.encode(w);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.version("Ict", VERSION)?;
        let state = r.one_of("Ict state", Self::STATES)?;
        let (terms, resend, end) = (Terms::decode(r)?, Resend::decode(r)?, Alarm::decode(r)?);
        let armed = match (resend.alarm.is_armed(), end.is_armed()) {
            (_, true) if state == State::Calling => true,
            (false, end) => end == matches!(state, State::Accepted | State::Completed),
            (true, _) => false,
        };
        if !armed {
            return Err(DecodeError::Invalid { what: "timers of Ict in state", value: state as u64 });
        }
        Ok(Ict { terms, state, resend, end })
    }
}

#[cfg(test)]
#[path = "ict_tests.rs"]
mod tests;
