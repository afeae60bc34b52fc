//! Which message carries an offer and which an answer (RFC 3261 13.2.1 and 14, RFC 3262 5, RFC 3311 5, RFC 6337 2),
//! for one side of one dialog. What the session descriptions say is not looked at.

use super::{get_option, put_option};
use crate::base::codec::{Codec, DecodeError, Reader, Writer};

/// Which way a message goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Direction {
    /// We send it.
    Sent,
    /// We received it.
    Received,
}

/// A message that may carry a session description, or that ends an exchange.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Carrier {
    /// INVITE, first or further.
    Invite,
    /// A 1xx to INVITE without RSeq.
    Provisional,
    /// A 1xx to INVITE with RSeq.
    ReliableProvisional,
    /// A 2xx to INVITE.
    InviteOk,
    /// A final response to INVITE other than 2xx, or none in time.
    InviteFailed,
    /// The ACK to a 2xx.
    Ack,
    /// PRACK.
    Prack,
    /// A 2xx to PRACK.
    PrackOk,
    /// Any other final response to PRACK, or none in time.
    PrackFailed,
    /// UPDATE.
    Update,
    /// A 2xx to UPDATE.
    UpdateOk,
    /// Any other final response to UPDATE, or none in time.
    UpdateFailed,
}

impl Carrier {
    /// All of them.
    pub const ALL: [Carrier; 12] = {
        use Carrier::*;
        [
            Invite,
            Provisional,
            ReliableProvisional,
            InviteOk,
            InviteFailed,
            Ack,
            Prack,
            PrackOk,
            PrackFailed,
            Update,
            UpdateOk,
            UpdateFailed,
        ]
    };
}

/// What a message means to the session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Meaning {
    /// Nothing; a session description in it is ignored.
    Nothing,
    /// Its session description is an offer.
    Offer,
    /// Its session description is the answer: the exchange is complete.
    Answer,
    /// Its session description is what the answer will be; the exchange stays open (RFC 6337 3.1.1).
    Preview,
    /// The preview that came before is the answer, since this message, which had to carry it, does not.
    PreviewHolds,
    /// The open offer is void: the session is as it was before it (RFC 3261 14.1, RFC 3311 5.2).
    Rollback,
}

/// Why a message does not fit. After [`Fault::Broken`] the exchange is over; else nothing has changed: the message
/// counts as not sent or not received, and so do the responses to a request that was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum Fault {
    /// It crossed a request of ours: 491 (RFC 3261 14.2, RFC 3311 5.2).
    #[error("it crossed an offer or INVITE of ours")]
    Glare,
    /// An earlier request of theirs is not through: 500 with a Retry-After of 0 to 10 s (RFC 3261 14.2, RFC 3311 5.2).
    #[error("an earlier offer or INVITE of theirs is open")]
    Pending,
    /// A request with a session description where none may be, or without the answer it owes: 488.
    #[error("a session description is there that may not be, or missing where it must be")]
    Refused,
    /// A 2xx or ACK without the session description it owes: ACK the 2xx and end the dialog (RFC 3261 13.2.1).
    #[error("the offer or answer that was due did not come")]
    Broken,
    /// We may not send it now.
    #[error("it may not be sent now")]
    NotNow,
}

impl Fault {
    /// The status code with which a request is refused; `None` where the dialog ends, or the fault is our own.
    pub const fn status(self) -> Option<u16> {
        match self {
            Fault::Glare => Some(491),
            Fault::Pending => Some(500),
            Fault::Refused => Some(488),
            Fault::Broken | Fault::NotNow => None,
        }
    }
}

/// Whether a message that we want to send carries a session description.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Need {
    /// It must, with this meaning.
    Must(Meaning),
    /// It may, with this meaning.
    May(Meaning),
    /// It must not, or it would be ignored.
    No,
}

/// Whose offer is open.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum State {
    /// Nobody's.
    Idle,
    /// Ours.
    WeOffered,
    /// Theirs.
    TheyOffered,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Side {
    We,
    They,
}

impl Side {
    fn other(self) -> Side {
        match self {
            Side::We => Side::They,
            Side::They => Side::We,
        }
    }
}

/// How far the INVITE that is under way has come.
//
//   INVITE without SDP: Due --offer in reliable 1xx--> Pracking;   Due --offer in 2xx--> Acking
//   INVITE with SDP: Offered --answer in reliable 1xx--> Pracking;   Offered --answer in 2xx--> Acking
//   Pracking --PRACK--> Settled --2xx--> Acking --ACK--> (none);   any but Acking --300-699--> (none)
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Phase {
    /// It had no offer; the first reliable response owes one.
    Due,
    /// It had an offer; a reliable 1xx or the 2xx owes the answer.
    Offered,
    /// A reliable 1xx had its offer or answer; the PRACK is not through.
    Pracking,
    /// Its own exchange is through: UPDATE and PRACK may carry the next.
    Settled,
    /// The 2xx is through, the ACK is not.
    Acking,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Invite {
    /// Who sent it.
    by: Side,
    cseq: u32,
    phase: Phase,
    /// A session description came in an unreliable 1xx.
    previewed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Offer {
    by: Side,
    within: Carrier,
    /// The CSeq of the request, or of the one that is answered.
    cseq: u32,
}

/// A rule that keeps two sides from disagreeing; the model check takes each away in turn.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Guard {
    /// No request with an offer while ours is open.
    OurOffer,
    /// No request with an offer while theirs is open.
    TheirOffer,
    /// No INVITE while one is open.
    OpenInvite,
    /// No UPDATE or PRACK with an offer while an INVITE waits for one.
    LateOffer,
    /// No UPDATE with an offer from who answers an INVITE before the PRACK.
    EarlyUpdate,
    /// The offer of a request that failed is void.
    Rollback,
}

/// One side's view of the offer/answer exchanges of a dialog.
///
/// Early dialogs that a fork makes of one INVITE each have their own: copies of what the INVITE left behind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct OfferAnswer {
    offer: Option<Offer>,
    invite: Option<Invite>,
    #[cfg(test)]
    pub(super) without: Option<Guard>,
}

type Step = Result<Meaning, Fault>;

impl OfferAnswer {
    /// Before the first INVITE.
    pub const fn new() -> Self {
        OfferAnswer {
            offer: None,
            invite: None,
            #[cfg(test)]
            without: None,
        }
    }

    /// Whose offer is open.
    pub fn state(&self) -> State {
        match self.offer.map(|offer| offer.by) {
            None => State::Idle,
            Some(Side::We) => State::WeOffered,
            Some(Side::They) => State::TheyOffered,
        }
    }

    /// Whether an INVITE is under way, its ACK included.
    pub fn has_open_invite(&self) -> bool {
        self.invite.is_some()
    }

    /// Takes in one message, each once: `cseq` is the number of its CSeq, `sdp` whether it has a session description. What
    /// belongs to a request that was refused with a [`Fault`], or to none that is open, means nothing.
    pub fn handle(&mut self, direction: Direction, carrier: Carrier, cseq: u32, sdp: bool) -> Step {
        let by = match direction {
            Direction::Sent => Side::We,
            Direction::Received => Side::They,
        };
        match carrier {
            Carrier::Invite => self.invite(by, cseq, sdp),
            Carrier::Provisional => self.provisional(by, cseq, sdp),
            Carrier::ReliableProvisional => self.reliable(by, cseq, sdp),
            Carrier::InviteOk => self.invite_ok(by, cseq, sdp),
            Carrier::InviteFailed => self.invite_failed(by, cseq),
            Carrier::Ack => self.ack(by, cseq, sdp),
            Carrier::Prack => self.prack(by, cseq, sdp),
            Carrier::Update => self.update(by, cseq, sdp),
            Carrier::PrackOk => self.answered(Carrier::Prack, by, cseq, sdp),
            Carrier::UpdateOk => self.answered(Carrier::Update, by, cseq, sdp),
            Carrier::PrackFailed => self.failed(Carrier::Prack, by, cseq),
            Carrier::UpdateFailed => self.failed(Carrier::Update, by, cseq),
        }
    }

    /// What would happen, without it happening.
    pub fn check(&self, direction: Direction, carrier: Carrier, cseq: u32, sdp: bool) -> Step {
        let mut copy = *self;
        copy.handle(direction, carrier, cseq, sdp)
    }

    /// Whether a request of ours may carry an offer now.
    pub fn may_offer(&self, carrier: Carrier) -> bool {
        self.check(Direction::Sent, carrier, 0, true) == Ok(Meaning::Offer)
    }

    /// Whether a message that we are about to send needs a session description. `Err`: it may not be sent at all. The CSeq
    /// counts for responses and ACK.
    pub fn need(&self, carrier: Carrier, cseq: u32) -> Result<Need, Fault> {
        let with = self.check(Direction::Sent, carrier, cseq, true);
        let without = self.check(Direction::Sent, carrier, cseq, false);
        match (with, without) {
            (Ok(Meaning::Nothing | Meaning::Rollback) | Err(_), Ok(_)) => Ok(Need::No),
            (Ok(meaning), Ok(_)) => Ok(Need::May(meaning)),
            (Ok(meaning), Err(_)) => Ok(Need::Must(meaning)),
            (Err(fault), Err(_)) => Err(fault),
        }
    }

    /// Whether nobody stands in the way of a request. RFC 6337 4.3: what crossed ours goes before what overtook theirs.
    fn free(&self, by: Side, blockers: [Option<Side>; 2]) -> Result<(), Fault> {
        let ours = blockers.contains(&Some(Side::We));
        match (ours || blockers.contains(&Some(Side::They)), by) {
            (false, _) => Ok(()),
            (true, Side::We) => Err(Fault::NotNow),
            (true, Side::They) if ours => Err(Fault::Glare),
            (true, Side::They) => Err(Fault::Pending),
        }
    }

    /// Who has an offer open.
    fn offerer(&self) -> Option<Side> {
        self.offer.map(|offer| offer.by).filter(|by| match by {
            Side::We => self.keeps(Guard::OurOffer),
            Side::They => self.keeps(Guard::TheirOffer),
        })
    }

    /// Whose INVITE still waits for its first offer.
    fn waits_for_offer(&self) -> Option<Side> {
        let due = self.invite.filter(|invite| invite.phase == Phase::Due);
        due.filter(|_| self.keeps(Guard::LateOffer)).map(|invite| invite.by)
    }

    fn invite(&mut self, by: Side, cseq: u32, sdp: bool) -> Step {
        // An offer in an INVITE may not overtake an open one; without SDP it asks us for an offer that we could not
        // make (RFC 6337 4.3). One whose ACK is late does not keep the other side's next INVITE out.
        let open = self.invite.filter(|open| by == Side::We || open.phase != Phase::Acking);
        let open = open.filter(|_| self.keeps(Guard::OpenInvite)).map(|invite| invite.by);
        self.free(by, [self.offerer(), open])?;
        let phase = if sdp { Phase::Offered } else { Phase::Due };
        self.invite = Some(Invite { by, cseq, phase, previewed: false });
        Ok(if sdp { self.offered(by, Carrier::Invite, cseq) } else { Meaning::Nothing })
    }

    fn offered(&mut self, by: Side, within: Carrier, cseq: u32) -> Meaning {
        self.offer = Some(Offer { by, within, cseq });
        Meaning::Offer
    }

    /// The INVITE that `by` answers.
    fn answers(&self, by: Side, cseq: u32) -> Option<Invite> {
        let hit = |i: &Invite| i.by == by.other() && i.cseq == cseq && i.phase != Phase::Acking;
        self.invite.filter(hit)
    }

    fn provisional(&mut self, by: Side, cseq: u32, sdp: bool) -> Step {
        let Some(invite) = self.answers(by, cseq) else { return no_transaction(by) };
        if !sdp || invite.phase != Phase::Offered {
            return Ok(Meaning::Nothing);
        }
        self.invite = Some(Invite { previewed: true, ..invite });
        Ok(Meaning::Preview)
    }

    fn reliable(&mut self, by: Side, cseq: u32, sdp: bool) -> Step {
        let Some(invite) = self.answers(by, cseq) else { return no_transaction(by) };
        let pracking = Some(Invite { phase: Phase::Pracking, ..invite });
        match (invite.phase, sdp) {
            (Phase::Offered, true) => {
                (self.invite, self.offer) = (pracking, None);
                Ok(Meaning::Answer)
            }
            (Phase::Due, true) => {
                self.invite = pracking;
                Ok(self.offered(by, Carrier::ReliableProvisional, cseq))
            }
            // RFC 3261 13.2.1: the offer is in the first reliable response. Others may get it wrong.
            (Phase::Due, false) if by == Side::We => Err(Fault::NotNow),
            _ => Ok(Meaning::Nothing),
        }
    }

    fn invite_ok(&mut self, by: Side, cseq: u32, sdp: bool) -> Step {
        let Some(invite) = self.answers(by, cseq) else { return no_transaction(by) };
        let acking = Some(Invite { phase: Phase::Acking, ..invite });
        let ours = by == Side::We;
        match (invite.phase, sdp) {
            // RFC 3262 3: no 2xx while a reliable 1xx with a session description is not acknowledged.
            (Phase::Pracking, _) if ours => Err(Fault::NotNow),
            (Phase::Offered | Phase::Due, false) if ours => Err(Fault::NotNow),
            (Phase::Offered, true) => {
                (self.invite, self.offer) = (acking, None);
                Ok(Meaning::Answer)
            }
            (Phase::Offered, false) => {
                (self.invite, self.offer) = (acking, None);
                if invite.previewed { Ok(Meaning::PreviewHolds) } else { Err(Fault::Broken) }
            }
            (Phase::Due, true) => {
                self.invite = acking;
                Ok(self.offered(by, Carrier::InviteOk, cseq))
            }
            (Phase::Due, false) => {
                self.invite = acking;
                Err(Fault::Broken)
            }
            (Phase::Pracking | Phase::Settled | Phase::Acking, _) => {
                self.invite = acking;
                Ok(Meaning::Nothing)
            }
        }
    }

    fn invite_failed(&mut self, by: Side, cseq: u32) -> Step {
        if self.answers(by, cseq).is_none() {
            return Ok(Meaning::Nothing);
        }
        self.invite = None;
        // What UPDATE or PRACK carry ends with their own transactions.
        let within = |c| matches!(c, Carrier::Invite | Carrier::ReliableProvisional);
        Ok(self.void(|offer| within(offer.within)))
    }

    fn void(&mut self, hit: impl Fn(Offer) -> bool) -> Meaning {
        if self.keeps(Guard::Rollback) && self.offer.is_some_and(hit) {
            self.offer = None;
            return Meaning::Rollback;
        }
        Meaning::Nothing
    }

    fn ack(&mut self, by: Side, cseq: u32, sdp: bool) -> Step {
        let hit = |i: Invite| i.by == by && i.cseq == cseq && i.phase == Phase::Acking;
        if !self.invite.is_some_and(hit) {
            return no_transaction(by);
        }
        let due = self.offer == Some(Offer { by: by.other(), within: Carrier::InviteOk, cseq });
        if due && !sdp && by == Side::We {
            return Err(Fault::NotNow);
        }
        self.invite = None;
        if !due {
            return Ok(Meaning::Nothing);
        }
        self.offer = None;
        if sdp { Ok(Meaning::Answer) } else { Err(Fault::Broken) }
    }

    fn prack(&mut self, by: Side, cseq: u32, sdp: bool) -> Step {
        let meaning = self.prack_means(by, sdp)?;
        match meaning {
            Meaning::Answer => self.offer = None,
            Meaning::Offer => self.offer = Some(Offer { by, within: Carrier::Prack, cseq }),
            _ => {}
        }
        if let Some(invite) = self.invite.as_mut().filter(|i| i.by == by && i.phase == Phase::Pracking) {
            invite.phase = Phase::Settled;
        }
        Ok(meaning)
    }

    fn prack_means(&self, by: Side, sdp: bool) -> Step {
        let ours = by == Side::We;
        let due = |o: Offer| o.by == by.other() && o.within == Carrier::ReliableProvisional;
        if self.offer.is_some_and(due) {
            // RFC 3262 5: an offer in the 1xx is answered in its PRACK.
            return match sdp {
                true => Ok(Meaning::Answer),
                false => Err(if ours { Fault::NotNow } else { Fault::Refused }),
            };
        }
        if !sdp {
            return Ok(Meaning::Nothing);
        }
        self.free(by, [self.offerer(), self.waits_for_offer()])?;
        let fits = |i: Invite| i.by == by && !matches!(i.phase, Phase::Due | Phase::Offered);
        match self.invite.is_some_and(fits) {
            true => Ok(Meaning::Offer),
            false => Err(if ours { Fault::NotNow } else { Fault::Refused }),
        }
    }

    fn update(&mut self, by: Side, cseq: u32, sdp: bool) -> Step {
        if !sdp {
            return Ok(Meaning::Nothing);
        }
        self.free(by, [self.offerer(), self.waits_for_offer()])?;
        // RFC 3311 5.1: who answers waits for the PRACK, which may bring the next offer itself.
        let early = |i: Invite| i.by == Side::They && i.phase == Phase::Pracking;
        if by == Side::We && self.keeps(Guard::EarlyUpdate) && self.invite.is_some_and(early) {
            return Err(Fault::NotNow);
        }
        Ok(self.offered(by, Carrier::Update, cseq))
    }

    /// A 2xx to the PRACK or UPDATE of the other side.
    fn answered(&mut self, within: Carrier, by: Side, cseq: u32, sdp: bool) -> Step {
        let asked = Offer { by: by.other(), within, cseq };
        if self.offer != Some(asked) {
            return Ok(Meaning::Nothing);
        }
        match (sdp, by) {
            (true, _) => {
                self.offer = None;
                Ok(Meaning::Answer)
            }
            (false, Side::We) => Err(Fault::NotNow),
            // The offer was not taken up. The session it would have changed is still there.
            (false, Side::They) => Ok(self.void(|offer| offer == asked)),
        }
    }

    fn failed(&mut self, within: Carrier, by: Side, cseq: u32) -> Step {
        let asked = Offer { by: by.other(), within, cseq };
        Ok(self.void(|offer| offer == asked))
    }

    #[cfg(not(test))]
    const fn keeps(&self, _: Guard) -> bool {
        true
    }

    #[cfg(test)]
    fn keeps(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }
}

/// A message of an INVITE that is not there: a late one when received, a mistake when sent.
fn no_transaction(by: Side) -> Step {
    match by {
        Side::We => Err(Fault::NotNow),
        Side::They => Ok(Meaning::Nothing),
    }
}

const VERSION: u8 = 1;
const SIDES: [Side; 2] = [Side::We, Side::They];
const PHASES: [Phase; 5] = [Phase::Due, Phase::Offered, Phase::Pracking, Phase::Settled, Phase::Acking];

impl Codec for OfferAnswer {
    fn encode(&self, w: &mut Writer) {
        w.u8(VERSION);
        put_option(w, self.offer, |w, offer| {
            w.u8(offer.by as u8);
            w.u8(offer.within as u8);
            w.u32(offer.cseq);
        });
        put_option(w, self.invite, |w, invite| {
            w.u8(invite.by as u8);
            w.u32(invite.cseq);
            w.u8(invite.phase as u8);
            w.bool(invite.previewed);
        });
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.version("OfferAnswer", VERSION)?;
        let offer = get_option(r, "open offer", |r| {
            let by = r.one_of("who offered", &SIDES)?;
            Ok(Offer { by, within: r.one_of("what carried the offer", &Carrier::ALL)?, cseq: r.u32()? })
        })?;
        let invite = get_option(r, "open INVITE", |r| {
            let by = r.one_of("who sent INVITE", &SIDES)?;
            let cseq = r.u32()?;
            let phase = r.one_of("phase of INVITE", &PHASES)?;
            Ok(Invite { by, cseq, phase, previewed: r.bool("preview")? })
        })?;
        let mut machine = OfferAnswer::new();
        (machine.offer, machine.invite) = (offer, invite);
        Ok(machine)
    }
}

#[cfg(test)]
#[path = "offer_answer_tests.rs"]
mod tests;
