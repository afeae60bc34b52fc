//! Transactions (RFC 3261 17, RFC 6026): the four machines, and how a message finds its machine.
//!
//! The machines hear digested inputs and never see a message: its bytes are kept by the engine beside the
//! machine, which says when to send them and when to forget them. A machine is a small plain value with
//! its deadlines inside; the engine arms one wheel entry per transaction at `deadline()` and feeds `Tick`.

pub mod cells;
pub mod client;
pub mod ict;
pub mod ist;
pub mod key;
pub mod merged;
pub mod nict;
pub mod nist;
pub mod server;
pub mod timers;

pub use cells::Cells;
pub use client::{Client, Input as ClientInput};
pub use ict::Ict;
pub use ist::Ist;
pub use key::{Lookup, ServerKey};
pub use merged::{Entered, MergeTicket, MergedRequests};
pub use nict::Nict;
pub use nist::Nist;
pub use server::{Input as ServerInput, Server};
pub use timers::{Timer, TimerSettings};

use crate::base::codec::Codec;
use crate::base::time::Instant;
use smallvec::SmallVec;
use std::fmt;
use timers::Alarm;

/// What a response means to a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Class {
    /// 1xx.
    Provisional,
    /// 2xx.
    Success,
    /// 300 to 699.
    Failure,
}

impl Class {
    /// All classes.
    pub const ALL: [Class; 3] = [Class::Provisional, Class::Success, Class::Failure];

    /// The class of a status code. The parser admits 100 to 699 only.
    pub const fn of(status: u16) -> Class {
        match status {
            ..=199 => Class::Provisional,
            200..=299 => Class::Success,
            300.. => Class::Failure,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Class::Provisional => "1xx",
            Class::Success => "2xx",
            Class::Failure => "3xx-6xx",
        })
    }
}

/// What one `handle` asks for, in the order in which it must be done. No step asks for more than four things.
pub type Outputs<T> = SmallVec<[T; 8]>;

/// What the four machines have in common. After every `handle`, drain the outputs and sleep until `deadline()`.
pub trait Machine: Copy + Codec + 'static {
    /// The states of the RFC's figure.
    type State: Copy + Eq + fmt::Debug + 'static;
    /// What the owner feeds.
    type Input: Copy;
    /// What an arc of the figure is labelled with: an input, with `Tick` replaced by the timer that fires.
    type Event: Copy + Eq + fmt::Debug + fmt::Display + From<Timer> + 'static;
    /// What the owner is told to do.
    type Output: Copy + Eq + fmt::Debug;

    /// All states.
    const STATES: &'static [Self::State];
    /// All events this machine may meet.
    const EVENTS: &'static [Self::Event];
    /// The cells of the state x event table that ask for something. In every other cell nothing happens.
    const LEGAL: &'static [(Self::State, Self::Event)];

    /// The current state.
    fn state(&self) -> Self::State;

    /// Whether the machine has ended and its owner drops it.
    fn is_terminated(&self) -> bool;

    /// The event an input stands for; `None` for a tick.
    fn event_of(input: Self::Input) -> Option<Self::Event>;

    /// Its timers, those first that win when several are due at once.
    fn alarms(&self) -> [(Timer, Alarm); 3];

    /// One cell of the table. Owners call [`handle`](Self::handle), which finds the timer that is due.
    fn step(&mut self, event: Self::Event, now: Instant, out: &mut Outputs<Self::Output>);

    /// Feeds one input; whatever must happen next is pushed onto `out`.
    fn handle(&mut self, input: Self::Input, now: Instant, out: &mut Outputs<Self::Output>) {
        match Self::event_of(input) {
            Some(event) => self.step(event, now, out),
            None => {
                while let Some(timer) = self.due(now) {
                    self.step(timer.into(), now, out);
                }
            }
        }
    }

    /// The cell that `handle(input, now, ..)` enters first, for whoever counts which cells were reached.
    fn cell(&self, input: Self::Input, now: Instant) -> Option<(Self::State, Self::Event)> {
        let event = Self::event_of(input).or_else(|| self.due(now).map(Into::into))?;
        Some((self.state(), event))
    }

    /// The timer that fires at `now`.
    fn due(&self, now: Instant) -> Option<Timer> {
        self.alarms().into_iter().find(|(_, alarm)| alarm.is_due(now)).map(|(timer, _)| timer)
    }

    /// When the next `Tick` is wanted; `None` when no timer runs.
    fn deadline(&self) -> Option<Instant> {
        self.alarms().into_iter().filter_map(|(_, alarm)| alarm.at()).min()
    }
}

#[cfg(test)]
mod table;
#[cfg(test)]
#[path = "transaction_tests.rs"]
mod tests;
