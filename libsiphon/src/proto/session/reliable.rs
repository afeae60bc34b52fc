//! Reliable provisional responses (RFC 3262): the side that sends them with RSeq, and the side that acknowledges them.

use smallvec::SmallVec;

use super::{earliest, get_option, put_option};
use crate::base::codec::{Codec, DecodeError, Reader, Writer};
use crate::base::time::{Duration, Instant};
use crate::wire::sip::{Method, RAck};

/// Most responses that wait behind the one that is not acknowledged.
pub const MOST_WAITING: usize = 8;

/// What the sender of reliable responses is told to do. Responses go by their RSeq; the owner keeps their octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send the response for the first time.
    Send(u32),
    /// Send it again.
    Resend(u32),
    /// It was acknowledged; its octets can go.
    Acknowledged(u32),
    /// Nobody acknowledged it in 64*T1: refuse the INVITE with a 5xx (RFC 3262 3).
    GiveUp(u32),
}

/// What one step asks for, in order.
pub type Outputs = SmallVec<[Output; 4]>;

/// Why no reliable response can be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotSent {
    /// [`MOST_WAITING`] of them wait already.
    #[error("{MOST_WAITING} reliable responses wait already")]
    Full,
    /// The final response was sent (RFC 3262 3), or one was given up.
    #[error("the final response was sent")]
    Answered,
}

/// No reliable response is waiting for that PRACK: 481 (RFC 3262 3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no response waits for this PRACK")]
pub struct NoMatch;

/// The response that is not acknowledged yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Open {
    rseq: u32,
    sdp: bool,
    /// When it is sent again; not once the final response was sent.
    resend_at: Option<Instant>,
    interval_ms: u32,
    give_up_at: Instant,
}

/// The answering side of one INVITE. One response at a time is on its way; the rest wait in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Uas {
    cseq: u32,
    t1_ms: u32,
    next_rseq: u32,
    open: Option<Open>,
    /// Whether each that waits has a session description. Their RSeqs end before `next_rseq`.
    waiting: SmallVec<[bool; MOST_WAITING]>,
    answered: bool,
}

impl Uas {
    /// For the INVITE of that CSeq. `random` gives the first RSeq, between 1 and 2^31-1 (RFC 3262 3).
    pub fn new(cseq: u32, random: u64, t1: Duration) -> Self {
        let first = random % u64::from(i32::MAX.unsigned_abs()) + 1;
        let t1_ms = u32::try_from(t1.as_millis()).unwrap_or(u32::MAX).clamp(1, 60_000);
        Uas {
            cseq,
            t1_ms,
            next_rseq: u32::try_from(first).unwrap_or(1),
            open: None,
            waiting: SmallVec::new(),
            answered: false,
        }
    }

    /// Takes in one response and returns its RSeq. `out` says when it may leave: now, or when those before it are
    /// acknowledged.
    pub fn send(&mut self, sdp: bool, now: Instant, out: &mut Outputs) -> Result<u32, NotSent> {
        if self.answered {
            return Err(NotSent::Answered);
        }
        if self.waiting.len() >= MOST_WAITING {
            return Err(NotSent::Full);
        }
        let rseq = self.next_rseq;
        // The first is at most 2^31-1 and no INVITE has 2^31 of them.
        self.next_rseq = rseq.saturating_add(1);
        match self.open {
            Some(_) => self.waiting.push(sdp),
            None => self.open(rseq, sdp, now, out),
        }
        Ok(rseq)
    }

    fn open(&mut self, rseq: u32, sdp: bool, now: Instant, out: &mut Outputs) {
        let t1 = Duration::from_millis(self.t1_ms.into());
        let give_up_at = now + t1.saturating_mul(64);
        self.open = Some(Open { rseq, sdp, resend_at: Some(now + t1), interval_ms: self.t1_ms, give_up_at });
        out.push(Output::Send(rseq));
    }

    /// Takes in a PRACK. Copies of it are absorbed by its transaction and do not get here.
    pub fn prack(&mut self, rack: RAck, now: Instant, out: &mut Outputs) -> Result<(), NoMatch> {
        let open = self.open.ok_or(NoMatch)?;
        if rack != (RAck { rseq: open.rseq, cseq: self.cseq, method: Method::Invite }) {
            return Err(NoMatch);
        }
        self.open = None;
        out.push(Output::Acknowledged(open.rseq));
        if !self.waiting.is_empty() {
            let sdp = self.waiting.remove(0);
            self.open(open.rseq.saturating_add(1), sdp, now, out);
        }
        Ok(())
    }

    /// Whether a 2xx may be sent: all responses with a session description are acknowledged (RFC 3262 3).
    pub fn may_succeed(&self) -> bool {
        !self.waiting.contains(&true) && !self.open.is_some_and(|open| open.sdp)
    }

    /// Whether a response waits for its PRACK.
    pub fn is_waiting(&self) -> bool {
        self.open.is_some()
    }

    /// The final response was sent: no more copies and no more responses, but the PRACK is still known (RFC 3262 3).
    pub fn answered(&mut self) {
        self.answered = true;
        self.waiting.clear();
        if let Some(open) = &mut self.open {
            open.resend_at = None;
        }
    }

    /// When the next [`tick`](Self::tick) is wanted.
    pub fn deadline(&self) -> Option<Instant> {
        let open = self.open?;
        let give_up = (!self.answered).then_some(open.give_up_at);
        earliest([open.resend_at, give_up])
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Instant, out: &mut Outputs) {
        if self.answered {
            return;
        }
        let Some(open) = &mut self.open else { return };
        if open.give_up_at <= now {
            let rseq = open.rseq;
            self.open = None;
            self.waiting.clear();
            self.answered = true;
            out.push(Output::GiveUp(rseq));
            return;
        }
        let Some(at) = open.resend_at.filter(|&at| at <= now) else { return };
        open.interval_ms = open.interval_ms.saturating_mul(2);
        let interval = Duration::from_millis(open.interval_ms.into());
        // Counted from when it was due; from now when a stall missed whole intervals.
        open.resend_at = Some(if at + interval > now { at + interval } else { now + interval });
        out.push(Output::Resend(open.rseq));
    }
}

const VERSION: u8 = 1;

impl Codec for Uas {
    fn encode(&self, w: &mut Writer) {
        w.u8(VERSION);
        w.u32(self.cseq);
        w.u32(self.t1_ms);
        w.u32(self.next_rseq);
        w.bool(self.answered);
        put_option(w, self.open, |w, open| {
            w.u32(open.rseq);
            w.bool(open.sdp);
            put_option(w, open.resend_at, Writer::instant);
            w.u32(open.interval_ms);
            w.instant(open.give_up_at);
        });
        w.u8(self.waiting.len() as u8);
        self.waiting.iter().for_each(|&sdp| w.bool(sdp));
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.version("reliable responses", VERSION)?;
        let (cseq, t1_ms, next_rseq) = (r.u32()?, r.u32()?, r.u32()?);
        let answered = r.bool("final response sent")?;
        let open = get_option(r, "response to be acknowledged", |r| {
            Ok(Open {
                rseq: r.u32()?,
                sdp: r.bool("session description")?,
                resend_at: get_option(r, "retransmission", Reader::instant)?,
                interval_ms: r.u32()?,
                give_up_at: r.instant()?,
            })
        })?;
        let count = r.u8()?;
        if usize::from(count) > MOST_WAITING || (count > 0 && (open.is_none() || answered)) {
            return Err(DecodeError::Invalid { what: "waiting reliable responses", value: count.into() });
        }
        // Without an interval a due timer would be due for ever.
        for ms in [t1_ms, open.map_or(1, |open| open.interval_ms)] {
            if ms == 0 {
                return Err(DecodeError::Invalid { what: "retransmission interval", value: 0 });
            }
        }
        if t1_ms > 60_000 {
            return Err(DecodeError::Invalid { what: "T1 in ms", value: t1_ms.into() });
        }
        let waiting =
            (0..count).map(|_| r.bool("session description")).collect::<Result<SmallVec<_>, _>>()?;
        Ok(Uas { cseq, t1_ms, next_rseq, open, waiting, answered })
    }
}

/// What a reliable response is to the side that called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// The next in order: process it and send a PRACK with this RAck.
    New(RAck),
    /// One that was acknowledged: the transaction of its PRACK takes care of it.
    Copy,
    /// One whose predecessor is missing: neither processed nor acknowledged (RFC 3262 4).
    OutOfOrder,
}

/// The calling side of one INVITE, in one early dialog: each dialog of a fork counts on its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Uac {
    cseq: u32,
    last: Option<u32>,
}

impl Uac {
    /// For the INVITE of that CSeq.
    pub const fn new(cseq: u32) -> Self {
        Uac { cseq, last: None }
    }

    /// Takes in a provisional response with that RSeq.
    pub fn hear(&mut self, rseq: u32) -> Heard {
        match self.last {
            Some(last) if rseq <= last => return Heard::Copy,
            Some(last) if last.checked_add(1) != Some(rseq) => return Heard::OutOfOrder,
            _ => self.last = Some(rseq),
        }
        Heard::New(RAck { rseq, cseq: self.cseq, method: Method::Invite })
    }
}

impl Codec for Uac {
    fn encode(&self, w: &mut Writer) {
        w.u8(VERSION);
        w.u32(self.cseq);
        put_option(w, self.last, Writer::u32);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.version("heard reliable responses", VERSION)?;
        Ok(Uac { cseq: r.u32()?, last: get_option(r, "last RSeq", Reader::u32)? })
    }
}

#[cfg(test)]
#[path = "reliable_tests.rs"]
mod tests;
