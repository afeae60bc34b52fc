//! The implicit subscription of a REFER (RFC 3515 2.4.4, RFC 6665): the side that reports how the transfer goes, and the
//! side that asked for it.

use smallvec::SmallVec;

use super::{get_option, put_option};
use crate::base::codec::{Codec, DecodeError, Reader, Writer};
use crate::base::time::{Duration, Instant};
use crate::wire::sip::{Event, SubscriptionState, reason_phrase, sipfrag};

/// How long a subscription lasts unless it is refreshed: longer than a phone rings.
pub const LASTS_SECS: u32 = 300;

/// Longest subscription that is granted or believed.
pub const LONGEST_SECS: u32 = 3600;

/// How long the first NOTIFY is waited for: Timer N of RFC 6665, 64*T1.
const TIMER_N: Duration = Duration::from_secs(32);

/// Why a subscription ended (RFC 6665 4.1.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// The reference is settled.
    NoResource,
    /// It ran out, or was given up.
    Timeout,
}

impl Why {
    const ALL: [Why; 2] = [Why::NoResource, Why::Timeout];
}

/// What one NOTIFY says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Notification {
    event_id: Option<u32>,
    /// The status that the reference has reached.
    pub status: u16,
    /// Seconds left, or why it is the last.
    pub standing: Result<u32, Why>,
}

impl Notification {
    /// Event.
    pub fn event(&self) -> Event {
        Event::refer(self.event_id)
    }

    /// Subscription-State.
    pub fn subscription_state(&self) -> SubscriptionState {
        match self.standing {
            Ok(secs) => SubscriptionState::active(secs),
            Err(Why::NoResource) => SubscriptionState::terminated("noresource"),
            Err(Why::Timeout) => SubscriptionState::terminated("timeout"),
        }
    }

    /// The body, of type [`sipfrag::CONTENT_TYPE`].
    pub fn body(&self) -> Vec<u8> {
        sipfrag::write(self.status, reason_phrase(self.status))
    }
}

/// What the notifier is told to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send NOTIFY.
    Notify(Notification),
    /// The subscription is over; drop it.
    Ended,
}

/// What one step asks for.
pub type Outputs = SmallVec<[Output; 2]>;

/// The state of a subscription as its notifier has it.
//
//   start: NOTIFY 100 --> Active --1xx: NOTIFY--> Active --final status, expiry: NOTIFY--> Closing --2xx to it--> Ended
//   Active, Closing --481, 408, 489 to NOTIFY--> Ended
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Active,
    Closing(Why),
    Ended,
}

/// The side that carries out a REFER. One NOTIFY is on its way at a time: what happens meanwhile goes into the next.
///
/// With `Refer-Sub: false` agreed on (RFC 4488) there is no notifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Notifier {
    event_id: Option<u32>,
    status: u16,
    state: State,
    in_flight: bool,
    /// Something changed that no NOTIFY has said yet.
    unsaid: bool,
    expires_at: Instant,
}

impl Notifier {
    /// The REFER was accepted: the first NOTIFY leaves at once. `event_id` is the CSeq of the REFER; it may be left out
    /// for the first REFER of a dialog (RFC 3515 2.4.6), and old phones expect that.
    pub fn start(event_id: Option<u32>, now: Instant, out: &mut Outputs) -> Self {
        let mut notifier = Notifier {
            event_id,
            status: 100,
            state: State::Active,
            in_flight: false,
            unsaid: false,
            expires_at: now + Duration::from_secs(LASTS_SECS.into()),
        };
        notifier.notify(now, out);
        notifier
    }

    /// The request that the REFER asked for has come to this status. After a final one the subscription ends.
    pub fn progress(&mut self, status: u16, now: Instant, out: &mut Outputs) {
        if self.state != State::Active || status == self.status {
            return;
        }
        self.status = status;
        if status >= 200 {
            self.state = State::Closing(Why::NoResource);
        }
        self.notify(now, out);
    }

    /// The reference is not followed up any more: the last NOTIFY says how far it came.
    pub fn abandon(&mut self, now: Instant, out: &mut Outputs) {
        if self.state == State::Active {
            self.state = State::Closing(Why::Timeout);
            self.notify(now, out);
        }
    }

    /// A SUBSCRIBE refreshes the subscription, or ends it with 0. Returns Expires of its 200; `None`: 481.
    pub fn subscribed(&mut self, expires_secs: u32, now: Instant, out: &mut Outputs) -> Option<u32> {
        if self.state != State::Active {
            return None;
        }
        let secs = expires_secs.min(LONGEST_SECS);
        if secs == 0 {
            self.state = State::Closing(Why::Timeout);
        }
        self.expires_at = now + Duration::from_secs(secs.into());
        self.notify(now, out);
        Some(secs)
    }

    /// The NOTIFY on its way got this final status; 408 for none.
    pub fn notified(&mut self, status: u16, now: Instant, out: &mut Outputs) {
        if !self.in_flight || self.state == State::Ended {
            return;
        }
        self.in_flight = false;
        // RFC 6665 4.2.2: these end the subscription; others may concern this NOTIFY only.
        if matches!(status, 408 | 481 | 489) {
            self.end(out);
        } else if self.unsaid {
            self.notify(now, out);
        } else if self.state != State::Active {
            self.end(out);
        }
    }

    fn end(&mut self, out: &mut Outputs) {
        self.state = State::Ended;
        out.push(Output::Ended);
    }

    fn notify(&mut self, now: Instant, out: &mut Outputs) {
        self.unsaid = self.in_flight;
        if self.in_flight {
            return;
        }
        self.in_flight = true;
        let left = self.expires_at.since(now).as_secs();
        let standing = match self.state {
            State::Closing(why) => Err(why),
            State::Active | State::Ended => Ok(u32::try_from(left).unwrap_or(LONGEST_SECS)),
        };
        out.push(Output::Notify(Notification { event_id: self.event_id, status: self.status, standing }));
    }

    /// Whether the subscription is over.
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// When [`tick`](Self::tick) is wanted.
    pub fn deadline(&self) -> Option<Instant> {
        (self.state == State::Active).then_some(self.expires_at)
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Instant, out: &mut Outputs) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.abandon(now, out);
        }
    }
}

/// How a reference ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The other side reached the target.
    Succeeded,
    /// It did not, or refused to try: the status.
    Failed(u16),
    /// It stopped telling.
    Unknown,
}

/// What a NOTIFY told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// Nothing new.
    Nothing,
    /// The reference has come to this provisional status.
    Progress(u16),
    /// It has ended.
    Done(Outcome),
}

/// The side that sent a REFER. A NOTIFY may come before the 2xx to the REFER.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subscriber {
    cseq: u32,
    /// Whether NOTIFYs are still taken.
    open: bool,
    outcome: Option<Outcome>,
    status: u16,
    /// Set once the REFER was accepted or a NOTIFY came.
    give_up_at: Option<Instant>,
}

impl Subscriber {
    /// A REFER with that CSeq was sent.
    pub const fn new(cseq: u32) -> Self {
        Subscriber { cseq, open: true, outcome: None, status: 0, give_up_at: None }
    }

    /// The final response to the REFER; 408 for none. `refer_sub` is Refer-Sub of the response: `false` means that no
    /// NOTIFY will come (RFC 4488 4).
    pub fn answered(&mut self, status: u16, refer_sub: Option<bool>, now: Instant) -> Told {
        match status {
            ..=199 => Told::Nothing,
            200..=299 if refer_sub == Some(false) => self.close(Outcome::Unknown),
            200..=299 => {
                self.give_up_at = self.give_up_at.or(Some(now + TIMER_N));
                Told::Nothing
            }
            300.. => self.close(Outcome::Failed(status)),
        }
    }

    /// Takes in a NOTIFY of the dialog: its Event, its Subscription-State and the status of its body. `Err` is the status
    /// to answer with; 200 otherwise.
    pub fn notified(
        &mut self,
        event: Option<&Event>,
        state: Option<&SubscriptionState>,
        status: Option<u16>,
        now: Instant,
    ) -> Result<Told, u16> {
        let event = event.ok_or(489u16)?;
        if event.package != "refer" {
            return Err(489);
        }
        let ours = event.id.as_ref().is_none_or(|id| id.parse() == Ok(self.cseq));
        if !ours || !self.open {
            return Err(481);
        }
        let state = state.ok_or(400u16)?;
        let expires = state.expires.unwrap_or(LASTS_SECS).min(LONGEST_SECS);
        // The last NOTIFY says that time is up; we wait for it a little longer.
        self.give_up_at = Some(now + Duration::from_secs(expires.into()) + TIMER_N);
        let told = match status {
            _ if self.outcome.is_some() => Told::Nothing,
            Some(status @ 100..=199) if status != self.status && !state.is_terminated() => {
                self.status = status;
                Told::Progress(status)
            }
            Some(200..=299) => self.settle(Outcome::Succeeded),
            Some(status @ 300..) => self.settle(Outcome::Failed(status)),
            _ if state.is_terminated() => self.settle(Outcome::Unknown),
            _ => Told::Nothing,
        };
        if state.is_terminated() {
            self.open = false;
            self.give_up_at = None;
        }
        Ok(told)
    }

    fn settle(&mut self, outcome: Outcome) -> Told {
        if self.outcome.is_some() {
            return Told::Nothing;
        }
        self.outcome = Some(outcome);
        Told::Done(outcome)
    }

    fn close(&mut self, outcome: Outcome) -> Told {
        self.open = false;
        self.give_up_at = None;
        self.settle(outcome)
    }

    /// How it ended, once it has.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Whether a NOTIFY may still come.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// When [`tick`](Self::tick) is wanted.
    pub fn deadline(&self) -> Option<Instant> {
        self.give_up_at
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Instant) -> Told {
        match self.give_up_at.is_some_and(|at| at <= now) {
            true => self.close(Outcome::Unknown),
            false => Told::Nothing,
        }
    }
}

const VERSION: u8 = 1;

impl Codec for Notifier {
    fn encode(&self, w: &mut Writer) {
        w.u8(VERSION);
        put_option(w, self.event_id, Writer::u32);
        w.u16(self.status);
        match self.state {
            State::Active => w.u8(0),
            State::Ended => w.u8(1),
            State::Closing(why) => {
                w.u8(2);
                w.u8(why as u8);
            }
        }
        w.bool(self.in_flight);
        w.bool(self.unsaid);
        w.instant(self.expires_at);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.version("notifier of REFER", VERSION)?;
        Ok(Notifier {
            event_id: get_option(r, "event id", Reader::u32)?,
            status: r.u16()?,
            state: match r.u8()? {
                0 => State::Active,
                1 => State::Ended,
                2 => State::Closing(r.one_of("reason of end", &Why::ALL)?),
                n => return Err(DecodeError::Invalid { what: "state of notifier", value: n.into() }),
            },
            in_flight: r.bool("NOTIFY in flight")?,
            unsaid: r.bool("NOTIFY due")?,
            expires_at: r.instant()?,
        })
    }
}

impl Codec for Subscriber {
    fn encode(&self, w: &mut Writer) {
        w.u8(VERSION);
        w.u32(self.cseq);
        w.bool(self.open);
        put_option(w, self.outcome, |w, outcome| {
            let code = match outcome {
                Outcome::Unknown => 0,
                Outcome::Succeeded => 200,
                Outcome::Failed(status) => status,
            };
            w.u16(code);
        });
        w.u16(self.status);
        put_option(w, self.give_up_at, Writer::instant);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.version("subscriber of REFER", VERSION)?;
        Ok(Subscriber {
            cseq: r.u32()?,
            open: r.bool("subscription open")?,
            outcome: get_option(r, "outcome", |r| match r.u16()? {
                0 => Ok(Outcome::Unknown),
                200 => Ok(Outcome::Succeeded),
                status @ 300.. => Ok(Outcome::Failed(status)),
                n => Err(DecodeError::Invalid { what: "outcome", value: n.into() }),
            })?,
            status: r.u16()?,
            give_up_at: get_option(r, "end of subscription", Reader::instant)?,
        })
    }
}

#[cfg(test)]
#[path = "refer_tests.rs"]
mod tests;
