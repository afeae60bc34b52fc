//! INVITE server transaction (RFC 3261 17.2.1, with Accepted of RFC 6026 7.1 and 8.7).

use super::server::{Event, Input, Output};
use super::timers::{Alarm, Resend, Terms, Timer, TimerSettings};
use super::{Class, Machine, Outputs};
use crate::base::codec::{Codec, DecodeError, Reader, Writer};
use crate::base::flow::Transport;
use crate::base::time::Instant;

/// The states of RFC 3261 figure 7 and RFC 6026 figure 5.
//
//   start --INVITE to TU--> Proceeding
//   Proceeding --200 ms of silence: 100--> Proceeding --1xx from TU--> Proceeding
//   Proceeding --INVITE: last 1xx again--> Proceeding
//   Proceeding --2xx from TU--> Accepted --2xx from TU--> Accepted --ACK to TU--> Accepted --L--> Terminated
//   Proceeding --300-699 from TU--> Completed --INVITE or G: response again--> Completed
//   Completed --ACK--> Confirmed --I--> Terminated;   Completed --H: no ACK--> Terminated
//   Proceeding, Accepted, Completed --transport error: tell TU--> same state (RFC 6026 7.1)
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum State {
    /// The TU has the INVITE; no final response yet.
    Proceeding,
    /// A 2xx was sent. Repeating it until the ACK is the TU's work; copies of the INVITE end here.
    Accepted,
    /// A failure response was sent and is repeated until the ACK.
    Completed,
    /// The ACK came; its copies end here.
    Confirmed,
    /// The end.
    Terminated,
}

/// One INVITE, received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ist {
    terms: Terms,
    state: State,
    /// Armed from the start until a response is sent, so that it also tells whether one was.
    trying: Alarm,
    /// Timer G.
    resend: Resend,
    /// Timer H, I or L, by the state.
    end: Alarm,
}

impl Ist {
    /// Passes the INVITE to the transaction user.
    pub fn start(
        transport: Transport,
        settings: TimerSettings,
        now: Instant,
        out: &mut Outputs<Output>,
    ) -> Self {
        let terms = Terms { settings, reliable: transport.is_reliable() };
        out.push(Output::PassToTu);
        Ist {
            terms,
            state: State::Proceeding,
            trying: terms.alarm(Timer::Trying, now),
            resend: Resend::OFF,
            end: Alarm::OFF,
        }
    }

    /// Whether a final response has been sent.
    pub fn is_answered(&self) -> bool {
        self.state != State::Proceeding
    }

    fn proceeding(&mut self, event: Event, now: Instant, out: &mut Outputs<Output>) -> State {
        match event {
            Event::Request => {
                if !self.trying.is_armed() {
                    out.push(Output::ResendResponse);
                }
                State::Proceeding
            }
            Event::Timer(Timer::Trying) => {
                self.trying = Alarm::OFF;
                out.push(Output::Send100);
                State::Proceeding
            }
            Event::Respond(Class::Provisional) => {
                self.trying = Alarm::OFF;
                out.push(Output::SendResponse);
                State::Proceeding
            }
            Event::Respond(Class::Success) => {
                self.trying = Alarm::OFF;
                self.end = self.terms.alarm(Timer::L, now);
                out.extend([Output::SendResponse, Output::ForgetResponse]);
                State::Accepted
            }
            Event::Respond(Class::Failure) => {
                self.trying = Alarm::OFF;
                self.resend = self.terms.resend(now);
                self.end = self.terms.alarm(Timer::H, now);
                out.push(Output::SendResponse);
                State::Completed
            }
            // Without the transaction a copy of the INVITE would be a new one (RFC 6026 7.1).
            Event::TransportError => {
                out.push(Output::TransportError);
                State::Proceeding
            }
            Event::Ack | Event::Timer(_) => State::Proceeding,
        }
    }

    fn accepted(&mut self, event: Event, out: &mut Outputs<Output>) -> State {
        match event {
            Event::Respond(Class::Success) => {
                out.extend([Output::SendResponse, Output::ForgetResponse]);
                State::Accepted
            }
            Event::Ack => {
                out.push(Output::PassToTu);
                State::Accepted
            }
            Event::TransportError => {
                out.push(Output::TransportError);
                State::Accepted
            }
            Event::Timer(Timer::L) => self.terminate([], out),
            _ => State::Accepted,
        }
    }

    fn completed(&mut self, event: Event, now: Instant, out: &mut Outputs<Output>) -> State {
        match event {
            Event::Request => {
                out.push(Output::ResendResponse);
                State::Completed
            }
            Event::Timer(Timer::G) => {
                self.resend.double_to_t2(&self.terms.settings, now);
                out.push(Output::ResendResponse);
                State::Completed
            }
            Event::Ack if self.terms.reliable => self.terminate([], out),
            Event::Ack => {
                self.resend = Resend::OFF;
                self.end = self.terms.alarm(Timer::I, now);
                out.push(Output::ForgetResponse);
                State::Confirmed
            }
            Event::TransportError => {
                out.push(Output::TransportError);
                State::Completed
            }
            Event::Timer(Timer::H) => self.terminate([Output::Timeout], out),
            Event::Respond(_) | Event::Timer(_) => State::Completed,
        }
    }

    fn confirmed(&mut self, event: Event, out: &mut Outputs<Output>) -> State {
        match event {
            Event::Timer(Timer::I) => self.terminate([], out),
            _ => State::Confirmed,
        }
    }

    fn terminate<const N: usize>(&mut self, last: [Output; N], out: &mut Outputs<Output>) -> State {
        self.resend = Resend::OFF;
        self.end = Alarm::OFF;
        out.extend(last);
        out.push(Output::Terminated);
        State::Terminated
    }
}

impl Machine for Ist {
    type State = State;
    type Input = Input;
    type Event = Event;
    type Output = Output;

    const STATES: &'static [State] =
        &[State::Proceeding, State::Accepted, State::Completed, State::Confirmed, State::Terminated];
    const EVENTS: &'static [Event] = &[
        Event::Request,
        Event::Ack,
        Event::Respond(Class::Provisional),
        Event::Respond(Class::Success),
        Event::Respond(Class::Failure),
        Event::TransportError,
        Event::Timer(Timer::Trying),
        Event::Timer(Timer::G),
        Event::Timer(Timer::H),
        Event::Timer(Timer::I),
        Event::Timer(Timer::L),
    ];
    const LEGAL: &'static [(State, Event)] = &[
        (State::Proceeding, Event::Request),
        (State::Proceeding, Event::Respond(Class::Provisional)),
        (State::Proceeding, Event::Respond(Class::Success)),
        (State::Proceeding, Event::Respond(Class::Failure)),
        (State::Proceeding, Event::TransportError),
        (State::Proceeding, Event::Timer(Timer::Trying)),
        (State::Accepted, Event::Ack),
        (State::Accepted, Event::Respond(Class::Success)),
        (State::Accepted, Event::TransportError),
        (State::Accepted, Event::Timer(Timer::L)),
        (State::Completed, Event::Request),
        (State::Completed, Event::Ack),
        (State::Completed, Event::TransportError),
        (State::Completed, Event::Timer(Timer::G)),
        (State::Completed, Event::Timer(Timer::H)),
        (State::Confirmed, Event::Timer(Timer::I)),
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
            State::Accepted => Timer::L,
            State::Confirmed => Timer::I,
            _ => Timer::H,
        };
        [(end, self.end), (Timer::G, self.resend.alarm), (Timer::Trying, self.trying)]
    }

    fn step(&mut self, event: Event, now: Instant, out: &mut Outputs<Output>) {
        self.state = match self.state {
            State::Proceeding => self.proceeding(event, now, out),
            State::Accepted => self.accepted(event, out),
            State::Completed => self.completed(event, now, out),
            State::Confirmed => self.confirmed(event, out),
            State::Terminated => State::Terminated,
        };
    }
}

const VERSION: u8 = 1;

impl Codec for Ist {
    fn encode(&self, w: &mut Writer) {
        w.u8(VERSION);
        w.u8(self.state as u8);
        self.terms.encode(w);
        self.trying.encode(w);
        self.resend.encode(w);
        self.end.encode(w);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.version("Ist", VERSION)?;
        let state = r.one_of("Ist state", Self::STATES)?;
        let (terms, trying) = (Terms::decode(r)?, Alarm::decode(r)?);
        let (resend, end) = (Resend::decode(r)?, Alarm::decode(r)?);
        let armed = match (trying.is_armed(), resend.alarm.is_armed(), end.is_armed()) {
            (_, false, false) if state == State::Proceeding => true,
            (false, _, true) if state == State::Completed => true,
            (false, false, true) => matches!(state, State::Accepted | State::Confirmed),
            (false, false, false) => state == State::Terminated,
            _ => false,
        };
        if !armed {
            return Err(DecodeError::Invalid { what: "timers of Ist in state", value: state as u64 });
        }
        Ok(Ist { terms, state, trying, resend, end })
    }
}

#[cfg(test)]
#[path = "ist_tests.rs"]
mod tests;
