//! One leg takes another's place beside the leg that stays: two re-INVITEs, or one and an INVITE, that carry one offer
//! and its answer (RFC 3264; RFC 3725 has the flows).
//!
//! | The new leg | Offer | Answer |
//! |---|---|---|
//! | was called without an offer | its 2xx | re-INVITE of the leg that stays, then the new leg's ACK |
//! | came from another call | its 2xx to a re-INVITE without one | the same |
//! | sent an INVITE with an offer | that | re-INVITE of the leg that stays, then the 2xx |
//! | sent an INVITE without | 2xx of the leg that stays to a re-INVITE without one, then the 2xx | its ACK |
//!
//! It waits until both dialogs are free, and tries again after a 491.

use super::call::{Call, Phase, Purpose};
use super::leg::{Invite, Leg, LegDialog, LegId, LegState, Unacked};
use super::port::{Adopted, Answer, ClientRef, Env, Outgoing, Output, ReturnTo, ServerRef};
use super::refer::description;
use super::staging::Item;
use super::writing::{self, Body};
use crate::base::text::{Octets, Text};
use crate::base::time::Instant;
use crate::policy::Initiator;
use crate::proto::dialog::Dialog;
use crate::proto::session::glare::Retry;
use crate::proto::session::{Carrier, Direction};
use crate::wire::sip::Message;

/// A leg that takes another's place.
#[derive(Clone, Debug)]
pub(super) struct Swap {
    pub(super) new: LegId,
    pub(super) old: LegId,
    pub(super) stays: LegId,
    cause: Cause,
    step: Step,
    retry: Retry,
    /// What the new leg offers.
    pub(super) offer: Option<Body>,
    /// A 2xx that waits for its ACK: leg and CSeq number.
    pub(super) owed: Option<(LegId, u32)>,
    /// What the leg that stays was offered, once that has left.
    said: Option<Body>,
    /// The INVITE of the new leg, until it is answered.
    pub(super) invite: Option<ServerRef>,
    /// What was told of the new leg and of the leg that stays, should all stay as it was.
    before: (Option<Octets>, Option<Octets>),
}

/// Why.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    /// A REFER inside this call.
    Refer,
    /// The leg came from another call, which is told what becomes of it.
    Adopted {
        /// That call.
        to: ReturnTo,
        /// Its name for the leg.
        home: LegId,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    /// A dialog is not free.
    Waiting,
    /// A 491 came.
    Refused(Instant),
    /// A re-INVITE without an offer has left.
    Asking(ClientRef),
    /// One with an offer has left, or waits for the media engine.
    Offering(ClientRef),
    /// The 2xx to the new leg waits for the media engine.
    Answering,
}

impl Swap {
    pub(super) fn new(new: LegId, old: LegId, stays: LegId, cause: Cause) -> Self {
        Swap {
            new,
            old,
            stays,
            cause,
            step: Step::Waiting,
            retry: Retry::new(),
            offer: None,
            owed: None,
            invite: None,
            said: None,
            before: (None, None),
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.step {
            Step::Refused(until) => Some(until),
            _ => None,
        }
    }

    /// The leg that stays has been offered what only the new leg can make true.
    pub(super) fn is_half_done(&self) -> bool {
        matches!(self.step, Step::Offering(_) | Step::Answering)
    }

    fn client(&self) -> Option<ClientRef> {
        match self.step {
            Step::Asking(client) | Step::Offering(client) => Some(client),
            _ => None,
        }
    }
}

impl Call {
    /// `told` is what the new leg was last told of its old peer, where it had one: sessions go on under their names
    /// (RFC 3264 8).
    pub(super) fn begin_swap(&mut self, mut swap: Swap, told: Option<Octets>) {
        let described = |call: &mut Call, id| call.leg(id).and_then(|leg| leg.described.clone());
        swap.before = (described(self, swap.new), described(self, swap.stays));
        let of_old = described(self, swap.old);
        if let Some(leg) = self.leg(swap.new) {
            leg.described = of_old;
        }
        if let Some(leg) = self.leg(swap.stays).filter(|_| told.is_some()) {
            leg.described = told.clone();
        }
        self.transfers.swap = Some(Box::new(swap));
    }

    /// Goes on where both dialogs are free.
    pub(super) fn poke_swap(&mut self, env: &mut Env<'_>) {
        let Some(swap) = self.transfers.swap.as_ref().filter(|s| s.step == Step::Waiting) else { return };
        let (new, stays) = (swap.new, swap.stays);
        if !self.is_free(stays) || !self.is_free(new) {
            return;
        }
        let Some(swap) = self.transfers.swap.as_ref() else { return };
        match swap.offer.clone() {
            Some(offer) => self.offer_to(stays, new, offer, env),
            None => {
                let asked = if swap.invite.is_some() { stays } else { new };
                self.ask_for_offer(asked, env);
            }
        }
    }

    /// Whether no request that changes the session is open on this leg's dialog.
    pub(super) fn is_free(&self, id: LegId) -> bool {
        let open = self.exchanges.iter().any(|e| e.changes_session() && (e.from.leg == id || e.to.leg == id));
        let free = |leg: &Leg| leg.id == id && leg.unacked.is_none() && !leg.pace.is_refreshing();
        !open && self.legs.iter().any(free)
    }

    fn ask_for_offer(&mut self, id: LegId, env: &mut Env<'_>) {
        let Some(request) = self.leg(id).and_then(|leg| reinvite(leg, None)) else {
            return self.swap_failed(480, env);
        };
        let client = self.new_client(Purpose::Rejoin(id));
        if let Some(swap) = self.transfers.swap.as_mut() {
            swap.step = Step::Asking(client);
        }
        env.push(Output::Send { client, leg: id, request: Box::new(request) });
    }

    fn offer_to(&mut self, id: LegId, from: LegId, offer: Body, env: &mut Env<'_>) {
        let Some(request) = self.leg(id).and_then(|leg| reinvite(leg, Some(offer))) else {
            return self.swap_failed(480, env);
        };
        let client = self.new_client(Purpose::Rejoin(id));
        if let Some(swap) = self.transfers.swap.as_mut() {
            swap.step = Step::Offering(client);
        }
        self.stage(Item::Rejoin { client, leg: id, request: Box::new(request) }, from, id, true, env);
    }

    /// The offer leaves.
    pub(super) fn rejoin_leaves(
        &mut self,
        client: ClientRef,
        leg: LegId,
        request: Box<Outgoing>,
        env: &mut Env<'_>,
    ) {
        if let Some(swap) = self.transfers.swap.as_mut().filter(|swap| swap.client() == Some(client)) {
            swap.said = request.body.clone();
            env.push(Output::Send { client, leg, request });
        }
    }

    /// A final response to a re-INVITE of ours, or a copy of its 2xx.
    pub(super) fn on_rejoin_response(
        &mut self,
        id: LegId,
        client: ClientRef,
        response: &Message,
        env: &mut Env<'_>,
    ) {
        let (status, cseq) = (response.status(), response.cseq());
        if status < 200 {
            return;
        }
        let current = self.transfers.swap.as_ref().filter(|swap| swap.client() == Some(client));
        let Some(step) = current.map(|swap| swap.step) else {
            let waits = self.transfers.swap.as_ref().is_some_and(|s| s.owed == Some((id, cseq)));
            if status / 100 == 2 && !waits && !self.acknowledge_again(response, env) {
                self.acknowledge(id, cseq, None, env);
            }
            return;
        };
        let body = description(writing::body_of(response));
        if let Some(dialog) = self.leg(id).and_then(Leg::dialog) {
            let carrier = if status / 100 == 2 { Carrier::InviteOk } else { Carrier::InviteFailed };
            dialog.note(Direction::Received, carrier, cseq, body.is_some());
            if status / 100 == 2 {
                dialog.dialog.refresh(response);
            }
        }
        if status / 100 != 2 {
            return self.rejoin_refused(id, status, env);
        }
        let asked = matches!(step, Step::Asking(_));
        if !asked || body.is_none() {
            self.acknowledge(id, cseq, None, env);
        }
        let Some(body) = body else { return self.swap_failed(488, env) };
        let Some(swap) = self.transfers.swap.as_mut() else { return };
        swap.retry.clear();
        if asked {
            swap.owed = Some((id, cseq));
        }
        let (invite, new, said) = (swap.invite, swap.new, swap.said.take());
        if let Some(dialog) = self.leg(id).and_then(Leg::dialog).filter(|_| said.is_some()) {
            dialog.said = said;
        }
        let Some(swap) = self.transfers.swap.as_mut() else { return };
        match (invite, asked) {
            (Some(server), _) => {
                swap.step = Step::Answering;
                let owes = asked.then_some((id, cseq));
                self.answer_replacing(new, id, server, body, owes, env);
            }
            (None, true) => {
                (swap.offer, swap.step) = (Some(body), Step::Waiting);
                self.poke_swap(env);
            }
            (None, false) => {
                let Some((leg, cseq)) = swap.owed.take() else { return };
                self.swapped(env);
                self.stage(Item::Ack { leg, cseq, body: Some(body) }, id, leg, false, env);
            }
        }
    }

    /// The 2xx to an INVITE with Replaces, by way of the media engine.
    fn answer_replacing(
        &mut self,
        new: LegId,
        from: LegId,
        server: ServerRef,
        body: Body,
        owes: Option<(LegId, u32)>,
        env: &mut Env<'_>,
    ) {
        let to_tag = match self.leg(new).map(|leg| &leg.invite) {
            Some(Invite::Received { tag, .. }) => tag.clone(),
            _ => return self.swap_failed(500, env),
        };
        let contact = Some(self.own_contact(new));
        let headers: Vec<(Text, Text)> = vec![("Allow".into(), writing::ALLOW.into())];
        let answer = Answer { code: 200, reason: None, to_tag, contact, headers, body: Some(body) };
        let is_offer = owes.is_some();
        self.stage(
            Item::Replacing { leg: new, server, answer: Box::new(answer), owes },
            from,
            new,
            is_offer,
            env,
        );
    }

    /// It leaves: the new leg has its dialog.
    pub(super) fn replacing_answered(
        &mut self,
        id: LegId,
        server: ServerRef,
        answer: Answer,
        owes: Option<(LegId, u32)>,
        env: &mut Env<'_>,
    ) {
        let (now, settings, number) = (env.now, env.settings, self.new_dialog_id());
        let Some(leg) = self.leg(id) else { return };
        let Invite::Received { request, answered, .. } = &mut leg.invite else { return };
        if std::mem::replace(answered, true) {
            return;
        }
        let cseq = request.cseq();
        let Ok(dialog) = Dialog::uas(request, &answer.to_tag) else {
            *answered = false;
            return self.swap_failed(400, env);
        };
        let mut dialog = LegDialog { is_confirmed: true, ..LegDialog::calling(number, dialog, request) };
        dialog.note(Direction::Sent, Carrier::InviteOk, cseq, true);
        dialog.said = answer.body.clone();
        leg.dialogs = vec![dialog];
        leg.state = LegState::Confirmed;
        leg.unacked = Some(Unacked {
            server,
            cseq,
            next: now + settings.t1,
            interval: settings.t1,
            until: now + settings.ack_wait,
            owes,
            then_bye: false,
        });
        if let Some(swap) = self.transfers.swap.as_mut() {
            (swap.invite, swap.owed) = (None, None);
        }
        env.push(Output::Respond { server, answer: Box::new(answer) });
        self.swapped(env);
    }

    fn rejoin_refused(&mut self, id: LegId, status: u16, env: &mut Env<'_>) {
        let ours = self.leg(id).is_some_and(|leg| leg.is_sent());
        let now = env.now;
        let Some(swap) = self.transfers.swap.as_mut() else { return };
        if status == 491
            && let Some(at) = swap.retry.glare(ours, env.rng, now)
        {
            swap.step = Step::Refused(at);
            return;
        }
        let stays = swap.stays;
        self.swap_failed(status, env);
        if id == stays && matches!(status, 408 | 481) {
            // RFC 3261 14.1, 12.2.1.2: its dialog is dead.
            self.hang_up(Initiator::Siphon, None, Some("the other side is gone"), env);
        }
    }

    /// No response came to a re-INVITE of ours, or the media engine failed.
    pub(super) fn rejoin_failed(&mut self, client: ClientRef, status: u16, env: &mut Env<'_>) {
        let Some(swap) = self.transfers.swap.as_ref().filter(|s| s.client() == Some(client)) else { return };
        let asked = matches!(swap.step, Step::Asking(_)) && swap.invite.is_none();
        let id = if asked { swap.new } else { swap.stays };
        if let Some(dialog) = self.leg(id).and_then(Leg::dialog) {
            let cseq = dialog.dialog.local_cseq;
            dialog.note(Direction::Received, Carrier::InviteFailed, cseq, false);
        }
        self.rejoin_refused(id, status, env);
    }

    pub(super) fn swap_tick(&mut self, env: &mut Env<'_>) {
        let now = env.now;
        if let Some(swap) = self.transfers.swap.as_mut()
            && swap.deadline().is_some_and(|at| at <= now)
        {
            swap.step = Step::Waiting;
            self.poke_swap(env);
        }
    }

    /// The new leg is in the old one's place.
    fn swapped(&mut self, env: &mut Env<'_>) {
        let Some(swap) = self.transfers.swap.take() else { return };
        let who = self.leg(swap.old).map(|leg| leg.who);
        if let (Some(who), Some(leg)) = (who, self.leg(swap.new)) {
            leg.who = who;
        }
        self.joined = self.joined.map(|(a, b)| match swap.old == a {
            true => (swap.new, b),
            false => (a, swap.new),
        });
        self.refuse_exchanges_of(swap.old, env);
        match swap.cause {
            Cause::Refer => self.transfer_succeeded(env),
            Cause::Adopted { to, .. } => {
                self.say_bye(swap.old, Some("replaced"), env);
                env.push(Output::Returned { to, outcome: Adopted::Joined });
            }
        }
    }

    /// All stays as it was.
    pub(super) fn swap_failed(&mut self, code: u16, env: &mut Env<'_>) {
        let Some(swap) = self.transfers.swap.take() else { return };
        if let Some(leg) = self.leg(swap.stays) {
            leg.described = swap.before.1;
        }
        if let Some((leg, cseq)) = swap.owed {
            // Its offer wants an answer: what it had before.
            let body = self.leg(leg).and_then(Leg::dialog).and_then(|d| d.said.clone());
            self.acknowledge(leg, cseq, body, env);
        }
        let old_is_gone = self.leg(swap.old).is_none_or(|leg| leg.state == LegState::Gone);
        match swap.cause {
            Cause::Refer => {
                self.say_bye(swap.new, None, env);
                return self.transfer_failed(code, env);
            }
            Cause::Adopted { to, home } => {
                if let Some(leg) = self.leg(swap.new) {
                    leg.described = swap.before.0;
                }
                self.give_back(swap.new, home, to, code, env);
            }
        }
        if old_is_gone && self.phase == Phase::Answered {
            self.hang_up(Initiator::Siphon, None, Some("the other side is gone"), env);
        }
    }

    /// The call ends while legs change places.
    pub(super) fn drop_swap(&mut self, env: &mut Env<'_>) {
        let Some(swap) = self.transfers.swap.as_ref() else { return };
        let (client, refers) = (swap.client(), matches!(swap.cause, Cause::Refer));
        if let Some(client) = client {
            env.push(Output::Cancel { client });
        }
        if refers {
            let Some(swap) = self.transfers.swap.take() else { return };
            if let Some((leg, cseq)) = swap.owed {
                self.acknowledge(leg, cseq, None, env);
            }
            return;
        }
        self.swap_failed(487, env);
    }

    /// The new leg's INVITE is cancelled: so is the re-INVITE that has its offer, and when that is answered all the
    /// same, so is the INVITE. True when it was that INVITE.
    pub(super) fn cancel_swap(&mut self, server: ServerRef, env: &mut Env<'_>) -> bool {
        let Some(swap) = self.transfers.swap.as_ref().filter(|swap| swap.invite == Some(server)) else {
            return false;
        };
        match (swap.client(), swap.step) {
            (Some(client), _) => env.push(Output::Cancel { client }),
            (None, Step::Answering) => {}
            (None, _) => self.swap_failed(487, env),
        }
        true
    }
}

/// A re-INVITE of ours, with an offer or asking for one.
fn reinvite(leg: &mut Leg, offer: Option<Body>) -> Option<Outgoing> {
    let cseq = leg.dialog()?.dialog.next_cseq();
    leg.dialog()?.note(Direction::Sent, Carrier::Invite, cseq, offer.is_some());
    let contact = leg.contact.clone();
    let dialog = &leg.dialogs.first()?.dialog;
    let headers = vec![("Allow".into(), writing::ALLOW.into())];
    let request = writing::in_dialog(leg, dialog, "INVITE", cseq);
    Some(Outgoing { contact: Some(contact), headers, body: offer, ..request })
}
