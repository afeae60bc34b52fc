//! Replaces (RFC 3891): a leg leaves its call and takes a place in the call whose dialog is named.
//!
//! The leg goes as a value. Its dialogs are the other call's from then on; when it cannot be joined there, it comes
//! back. An INVITE with Replaces is a call of its own until policy has decided about it, and then gives away its caller.

use super::call::{Call, Phase};
use super::leg::{Invite, Leg, LegId, LegState};
use super::port::{Adopted, Env, Output, ReturnTo, ServerRef};
use super::refer::Stage;
use super::rejoin::{Cause, Swap};
use super::writing;
use crate::base::text::{Octets, Text};
use crate::policy::{Initiator, ReplySpec};
use crate::wire::sip::Replaces;

/// A leg on its way from one call to another.
#[derive(Clone, Debug)]
pub struct Handed {
    leg: Leg,
    /// What its peer was last told of the other side.
    told: Option<Octets>,
}

impl Handed {
    /// The INVITE that brought the leg, while it waits for its final response.
    pub fn server(&self) -> Option<ServerRef> {
        match &self.leg.invite {
            Invite::Received { server, answered: false, .. } => Some(*server),
            _ => None,
        }
    }
}

impl Call {
    /// The leg that `replaces` wants gone, when `leg` has a dialog that it names; else the status to refuse with
    /// (RFC 3891 3). It may be named as its peer sees it, too: then it is the peer that is to get a new partner.
    pub fn replaced(&self, leg: LegId, replaces: &Replaces) -> Result<LegId, u16> {
        let found = self.legs.iter().find(|l| l.id == leg).ok_or(481u16)?;
        let same = |known: &str, named: &str| known == named || known.is_empty() && named == "0";
        let named = |to_tag: &str, from_tag: &str| {
            let mut all = found.dialogs.iter();
            all.any(|d| &*d.dialog.local_tag == to_tag && same(&d.dialog.remote_tag, from_tag))
        };
        let replaced = if named(&replaces.to_tag, &replaces.from_tag) {
            leg
        } else if named(&replaces.from_tag, &replaces.to_tag) {
            self.other(leg).ok_or(481u16)?
        } else {
            return Err(481);
        };
        match self.phase {
            // RFC 3891 3: "terminated" is declined; an early dialog that this node did not initiate does not match, and
            // one that it did has two offers open, which no answer fits.
            Phase::Ending | Phase::Over => Err(603),
            Phase::Setup => Err(481),
            Phase::Answered if self.other(replaced).is_none() => Err(481),
            Phase::Answered if replaces.early_only => Err(486),
            Phase::Answered => Ok(replaced),
        }
    }

    /// What names the far side of `leg`'s call to the peer there.
    pub fn far_side(&self, leg: LegId) -> Option<Replaces> {
        let far = self.other(leg)?;
        let dialog = &self.legs.iter().find(|l| l.id == far)?.dialogs.first()?.dialog;
        Some(Replaces {
            call_id: dialog.call_id.to_string(),
            to_tag: dialog.remote_tag.to_string(),
            from_tag: dialog.local_tag.to_string(),
            early_only: false,
        })
    }

    /// What Replaces in the Refer-To of the next REFER means on the far side of the call it names.
    pub fn set_far_side(&mut self, far: Option<Replaces>) {
        self.transfers.far = far;
    }

    /// Hands a leg to the call that `replaces` names, as soon as nothing is open on its dialog.
    pub(super) fn lend(&mut self, id: LegId, replaces: Replaces, env: &mut Env<'_>) {
        let open = self.exchanges.iter().any(|e| e.from.leg == id || e.to.leg == id);
        if open || !self.is_free(id) || !self.jobs.is_empty() {
            return;
        }
        if let Some(transfer) = self.transfers.carried.as_mut() {
            transfer.stage = Stage::Away;
        }
        let other = self.other(id);
        let told = other.and_then(|other| self.leg(other)).and_then(|leg| leg.described.clone());
        self.forget_dialogs(id, env);
        let Some(at) = self.legs.iter().position(|leg| leg.id == id) else { return };
        let leg = self.legs.remove(at);
        self.transfers.lent = true;
        env.push(Output::HandOver { leg: Box::new(Handed { leg, told }), replaces });
    }

    /// The caller of an INVITE with Replaces, which policy has let in. False when there is none to lend.
    pub(super) fn lend_caller(&mut self, env: &mut Env<'_>) -> bool {
        match self.invite.replaces() {
            Ok(None) => return false,
            Ok(Some(replaces)) => self.lend(LegId::CALLER, replaces, env),
            Err(_) => self.reply_to_caller(&ReplySpec::code(400), env),
        }
        true
    }

    /// A leg of another call takes the place of `old`.
    pub(super) fn adopt(&mut self, handed: Handed, old: LegId, to: ReturnTo, env: &mut Env<'_>) {
        let Handed { leg, told } = handed;
        let busy = self.transfers.swap.is_some()
            || self.transfers.carried.as_ref().is_some_and(|t| !matches!(t.stage, Stage::Over(_)));
        let stays = self.other(old).filter(|_| self.phase == Phase::Answered);
        let full = self.legs.len() >= env.settings.max_legs;
        let (Some(stays), false, false) = (stays, busy, full) else {
            let code = if full { 503 } else { 491 };
            let leg = Box::new(Handed { leg, told });
            env.push(Output::Returned { to, outcome: Adopted::Refused { code, leg } });
            return;
        };
        let id = self.new_leg_id();
        let mut swap = Swap::new(id, old, stays, Cause::Adopted { to, home: leg.id });
        if let Invite::Received { server, request, answered: false, .. } = &leg.invite {
            swap.invite = Some(*server);
            swap.offer = super::refer::description(writing::body_of(request));
        }
        self.legs.push(Leg { id, ..leg });
        self.claim_dialogs(id, env);
        self.begin_swap(swap, told);
        self.poke_swap(env);
    }

    /// A leg that could not be joined goes back to where it came from.
    pub(super) fn give_back(&mut self, id: LegId, home: LegId, to: ReturnTo, code: u16, env: &mut Env<'_>) {
        self.forget_dialogs(id, env);
        let Some(at) = self.legs.iter().position(|leg| leg.id == id) else { return };
        let leg = Leg { id: home, ..self.legs.remove(at) };
        let leg = Box::new(Handed { leg, told: None });
        env.push(Output::Returned { to, outcome: Adopted::Refused { code, leg } });
    }

    /// What became of a leg that was lent.
    pub(super) fn lent_returned(&mut self, outcome: Adopted, env: &mut Env<'_>) {
        self.transfers.lent = false;
        let (code, unknown, leg) = match outcome {
            Adopted::Joined => return self.lent_for_good(env),
            Adopted::Unknown { leg } => (481, true, leg.leg),
            Adopted::Refused { code, leg } => (code, false, leg.leg),
        };
        let (id, who, gone) = (leg.id, leg.who, leg.state == LegState::Gone);
        match id {
            LegId::CALLER => self.legs.insert(0, leg),
            _ => self.legs.push(leg),
        }
        if gone {
            return self.hang_up(who, Some(id), None, env);
        }
        self.claim_dialogs(id, env);
        match self.phase {
            Phase::Setup => self.reply_to_caller(&ReplySpec::code(code), env),
            // It was ended meanwhile.
            Phase::Ending | Phase::Over => match self.caller() {
                Some((.., false)) => self.reply_to_caller(&ReplySpec::code(487), env),
                _ => self.say_bye(id, None, env),
            },
            Phase::Answered if unknown => self.call_replacing(env),
            Phase::Answered => self.transfer_failed(code, env),
        }
    }

    fn lent_for_good(&mut self, env: &mut Env<'_>) {
        if self.phase == Phase::Setup {
            self.phase = Phase::Ending;
            return;
        }
        self.joined = None;
        self.release_media(env);
        if self.phase != Phase::Answered {
            return;
        }
        match self.transfers.carried.is_some() {
            true => self.transfer_succeeded(env),
            false => self.hang_up(Initiator::Siphon, None, Some("transferred"), env),
        }
    }

    /// Requests of this leg's dialogs are ours from now on.
    fn claim_dialogs(&mut self, id: LegId, env: &mut Env<'_>) {
        let Some(leg) = self.leg(id) else { return };
        leg.pace.moved(env.now);
        let call_id = leg.call_id.clone();
        let tags: Vec<Text> = leg.tags();
        for local_tag in tags {
            env.push(Output::Found { leg: id, call_id: call_id.clone(), local_tag });
        }
    }
}
