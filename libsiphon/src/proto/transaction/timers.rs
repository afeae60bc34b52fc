//! The timers of transactions (RFC 3261 17 and table 4, RFC 6026 7.1): their names, lengths and alarms.

use crate::base::codec::{Codec, DecodeError, Reader, Writer};
use crate::base::time::{Duration, Instant};
use std::fmt;

/// A timer by the letter of the RFC.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// INVITE request retransmission, unreliable transports only: T1, doubling.
    A,
    /// INVITE client transaction timeout: 64*T1.
    B,
    /// How long copies of a failure response to INVITE are acknowledged: at least 32 s, 0 when reliable.
    D,
    /// Non-INVITE request retransmission, unreliable transports only: T1, doubling up to T2.
    E,
    /// Non-INVITE client transaction timeout: 64*T1.
    F,
    /// Retransmission of a failure response to INVITE, unreliable transports only: T1, doubling up to T2.
    G,
    /// How long an ACK is waited for: 64*T1.
    H,
    /// How long copies of the ACK are absorbed: T4, 0 when reliable.
    I,
    /// How long copies of a non-INVITE request are answered: 64*T1, 0 when reliable.
    J,
    /// How long copies of a non-INVITE response are absorbed: T4, 0 when reliable.
    K,
    /// How long copies of an accepted INVITE are absorbed: 64*T1 (RFC 6026).
    L,
    /// How long further 2xx responses to an INVITE are passed on: 64*T1 (RFC 6026).
    M,
    /// How long the TU may take before the server transaction itself says 100 Trying: 200 ms unless set
    /// (RFC 3261 17.2.1, which gives it no letter).
    Trying,
}

impl Timer {
    /// All timers.
    pub const ALL: [Timer; 13] = {
        use Timer::*;
        [A, B, D, E, F, G, H, I, J, K, L, M, Trying]
    };
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// T1, T2 and T4, from which all other lengths follow, and how long a 100 may be put off. A transaction keeps
/// those it was started with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TimerSettings {
    t1_ms: u32,
    t2_ms: u32,
    t4_ms: u32,
    trying_ms: u32,
}

const MAX_MS: u32 = 60_000;
const TRYING_MS: u32 = 200;
/// Timer D has a floor of its own: the server's Timer H runs by the server's T1, which we do not know
/// (RFC 3261 17.1.1.2).
const MIN_D_MS: u32 = 32_000;

impl Default for TimerSettings {
    /// 500 ms, 4 s and 5 s (RFC 3261 table 4); 200 ms (RFC 3261 17.2.1).
    fn default() -> Self {
        TimerSettings { t1_ms: 500, t2_ms: 4_000, t4_ms: 5_000, trying_ms: TRYING_MS }
    }
}

impl TimerSettings {
    /// From an estimate of the round trip (T1), the longest interval between retransmissions (T2) and the longest
    /// time a message stays in the network (T4). Each is held between 1 ms and 60 s, and T2 is at least T1.
    pub fn new(t1: Duration, t2: Duration, t4: Duration) -> Self {
        let ms = |d: Duration| to_ms(d).max(1);
        TimerSettings { t1_ms: ms(t1), t2_ms: ms(t2).max(ms(t1)), t4_ms: ms(t4), trying_ms: TRYING_MS }
    }

    /// The same, with a 100 Trying after `delay` (at most 60 s) instead of 200 ms.
    pub fn with_trying_delay(self, delay: Duration) -> Self {
        TimerSettings { trying_ms: to_ms(delay), ..self }
    }

    /// The estimate of the round trip.
    pub fn t1(&self) -> Duration {
        Duration::from_millis(self.t1_ms.into())
    }

    /// The longest interval between retransmissions of a non-INVITE request or of a response to INVITE.
    pub fn t2(&self) -> Duration {
        Duration::from_millis(self.t2_ms.into())
    }

    /// The longest time a message stays in the network.
    pub fn t4(&self) -> Duration {
        Duration::from_millis(self.t4_ms.into())
    }

    /// 64*T1: how long a transaction waits for the other side (Timers B, F, H, J, L, M).
    pub fn timeout(&self) -> Duration {
        self.length(Timer::B)
    }

    /// The length of a timer on an unreliable transport; of A, E and G the first one.
    pub fn length(&self, timer: Timer) -> Duration {
        Duration::from_millis(self.length_ms(timer).into())
    }

    fn length_ms(&self, timer: Timer) -> u32 {
        // No overflow: T1 is at most 60,000 ms.
        let timeout = 64 * self.t1_ms;
        match timer {
            Timer::A | Timer::E | Timer::G => self.t1_ms,
            Timer::B | Timer::F | Timer::H | Timer::J | Timer::L | Timer::M => timeout,
            Timer::D => timeout.max(MIN_D_MS),
            Timer::I | Timer::K => self.t4_ms,
            Timer::Trying => self.trying_ms,
        }
    }
}

impl Codec for TimerSettings {
    fn encode(&self, w: &mut Writer) {
        for ms in [self.t1_ms, self.t2_ms, self.t4_ms, self.trying_ms] {
            w.u32(ms);
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut ms = |least| match r.u32()? {
            ms if (least..=MAX_MS).contains(&ms) => Ok(ms),
            ms => Err(DecodeError::Invalid { what: "timer length in ms", value: ms.into() }),
        };
        Ok(TimerSettings { t1_ms: ms(1)?, t2_ms: ms(1)?, t4_ms: ms(1)?, trying_ms: ms(0)? })
    }
}

fn to_ms(d: Duration) -> u32 {
    u32::try_from(d.as_millis()).unwrap_or(MAX_MS).min(MAX_MS)
}

/// A timer that is armed or not, in eight bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alarm(Instant);

impl Alarm {
    /// Not armed.
    pub const OFF: Alarm = Alarm(Instant::FAR);

    /// When it fires, if it is armed.
    pub fn at(self) -> Option<Instant> {
        (self != Alarm::OFF).then_some(self.0)
    }

    /// Whether it is armed.
    pub fn is_armed(self) -> bool {
        self != Alarm::OFF
    }

    /// Whether it is armed and its time has come.
    pub fn is_due(self, now: Instant) -> bool {
        self.is_armed() && self.0 <= now
    }
}

/// A retransmission timer (A, E or G): an alarm, and the interval after which it was last armed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Resend {
    pub(super) alarm: Alarm,
    interval_ms: u32,
}

impl Resend {
    /// Not armed.
    pub(super) const OFF: Resend = Resend { alarm: Alarm::OFF, interval_ms: 0 };

    /// First fires T1 after `now`.
    pub(super) fn start(settings: &TimerSettings, now: Instant) -> Self {
        Resend { alarm: Alarm(now + settings.t1()), interval_ms: settings.t1_ms }
    }

    /// Timer A: twice the last interval.
    pub(super) fn double(&mut self, now: Instant) {
        self.again(self.interval_ms.saturating_mul(2), now);
    }

    /// Timers E and G: twice the last interval, at most T2.
    pub(super) fn double_to_t2(&mut self, settings: &TimerSettings, now: Instant) {
        self.again(self.interval_ms.saturating_mul(2).min(settings.t2_ms), now);
    }

    /// Timer E in Proceeding: T2.
    pub(super) fn every_t2(&mut self, settings: &TimerSettings, now: Instant) {
        self.again(settings.t2_ms, now);
    }

    /// Counts from when the timer was due, so that late ticks do not stretch the schedule; from `now` when whole
    /// intervals were missed, so that a stall is not followed by a burst.
    fn again(&mut self, interval_ms: u32, now: Instant) {
        let interval = Duration::from_millis(interval_ms.into());
        let next = self.alarm.0 + interval;
        self.alarm = Alarm(if next > now { next } else { now + interval });
        self.interval_ms = interval_ms;
    }
}

impl Codec for Alarm {
    fn encode(&self, w: &mut Writer) {
        w.instant(self.0);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.instant().map(Alarm)
    }
}

impl Codec for Resend {
    fn encode(&self, w: &mut Writer) {
        self.alarm.encode(w);
        w.u32(self.interval_ms);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let alarm = Alarm::decode(r)?;
        match (r.u32()?, alarm.is_armed()) {
            // Without an interval a due timer would be due for ever.
            (0, true) => Err(DecodeError::Invalid { what: "retransmission interval", value: 0 }),
            (interval_ms, _) => Ok(Resend { alarm, interval_ms }),
        }
    }
}

/// What every machine carries beside its timers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Terms {
    pub(super) settings: TimerSettings,
    pub(super) reliable: bool,
}

impl Terms {
    /// A retransmission timer; not armed on a reliable transport (RFC 3261 17.1.1.2, 17.1.2.2, 17.2.1).
    pub(super) fn resend(&self, now: Instant) -> Resend {
        if self.reliable { Resend::OFF } else { Resend::start(&self.settings, now) }
    }

    /// A timer of its full length.
    pub(super) fn alarm(&self, timer: Timer, now: Instant) -> Alarm {
        Alarm(now + self.settings.length(timer))
    }
}

impl Codec for Terms {
    fn encode(&self, w: &mut Writer) {
        self.settings.encode(w);
        w.bool(self.reliable);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Terms { settings: TimerSettings::decode(r)?, reliable: r.bool("reliability")? })
    }
}
