//! What goes on inside an INVITE dialog: offer/answer (RFC 3264, 6337), reliable provisional responses (RFC 3262),
//! session timers (RFC 4028), glare (RFC 3261 14, RFC 3311 5.2) and the subscription of a REFER (RFC 3515).
//!
//! The machines are small values that one side of one dialog owns. They hear digested inputs and never see a message;
//! each can be encoded and goes on where it was. Retransmissions are absorbed by the transactions and never get here.

pub mod glare;
pub mod offer_answer;
pub mod refer;
pub mod reliable;
pub mod timer;

pub use glare::Retry;
pub use offer_answer::{Carrier, Direction, Fault, Meaning, Need, OfferAnswer};
pub use refer::{Notification, Notifier, Outcome, Subscriber};
pub use timer::{Plan, Preference, SessionTimer, SessionTimerSettings};

use crate::base::codec::{DecodeError, Reader, Writer};
use crate::base::time::Instant;

/// Writes a value that may be absent.
fn put_option<T>(w: &mut Writer, value: Option<T>, put: impl Fn(&mut Writer, T)) {
    w.bool(value.is_some());
    if let Some(value) = value {
        put(w, value);
    }
}

/// Reads a value that may be absent.
fn get_option<'a, T>(
    r: &mut Reader<'a>,
    what: &'static str,
    get: impl Fn(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    match r.bool(what)? {
        true => get(r).map(Some),
        false => Ok(None),
    }
}

/// The earliest of some deadlines.
fn earliest<const N: usize>(deadlines: [Option<Instant>; N]) -> Option<Instant> {
    deadlines.into_iter().flatten().min()
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod pair;
#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
