//! Answers: the 2xx of a target, the 2xx to the caller with its copies, and both ACKs (RFC 3261 13.2.2.4, 13.3.1.4).

use super::call::{Asking, Call, Phase, Purpose};
use super::exchange::describes;
use super::leg::{Invite, Leg, LegDialog, LegId, LegState, Unacked};
use super::port::{Answer, Env, Outgoing, Output, ServerRef};
use super::setup::Failure;
use super::staging::Item;
use super::writing;
use crate::base::flow::Flow;
use crate::policy::Initiator;
use crate::proto::dialog::Dialog;
use crate::proto::session::{Carrier, Direction, Meaning};
use crate::wire::sip::Message;

impl Call {
    /// A 2xx to an INVITE of ours: the first wins, a copy is acknowledged again, any other is hung up.
    pub(super) fn on_success(&mut self, id: LegId, response: &Message, flow: &Flow, env: &mut Env<'_>) {
        let tag = response.to_tag().unwrap_or_default();
        if self.acknowledge_copy(response, env) {
            return;
        }
        let number = self.new_dialog_id();
        let Some(leg) = self.leg(id) else { return };
        let is_first = leg.state == LegState::Early;
        let Invite::Sent(sent) = &leg.invite else { return };
        let mut dialog = match leg.dialogs.iter().find(|d| &*d.dialog.remote_tag == tag) {
            Some(early) => {
                let mut early = early.clone();
                early.dialog.confirm(response);
                early
            }
            None => {
                // Without Contact there is nowhere to send an ACK to: the Request-URI has to do (RFC 3261 12.1.2 wants
                // one).
                let dialog = Dialog::uac(&sent.sent, response)
                    .unwrap_or_else(|_| writing::dialog_without_contact(&sent.sent, response));
                LegDialog::called(number, dialog, sent)
            }
        };
        dialog.is_confirmed = true;
        if is_first && self.phase == Phase::Answered && self.is_referred(id) {
            let now = env.now;
            if let Some(leg) = self.leg(id) {
                super::refresh::accepted(leg, response, now);
            }
            return self.referred_answered(id, dialog, response, flow, env);
        }
        if !is_first || self.phase != Phase::Setup || self.joined.is_some() {
            return self.discard(id, dialog, response, env);
        }
        let Some(leg) = self.leg(id) else { return };
        let flow = leg.flow.or_else(|| writing::needed_flow(response, flow));
        leg.flow = flow;
        leg.state = LegState::Confirmed;
        let sdp = describes(writing::body_of(response).as_ref());
        let meaning = dialog.note(Direction::Received, Carrier::InviteOk, response.cseq(), sdp);
        leg.dialogs = vec![dialog];
        super::refresh::accepted(leg, response, env.now);
        if let Some(sent) = leg.sent() {
            sent.give_up = None;
        }
        self.joined = Some((LegId::CALLER, id));
        self.cancel_targets(env);
        // An offer is answered in the ACK, which waits for the caller's.
        if meaning != Meaning::Offer {
            self.acknowledge(id, response.cseq(), None, env);
        }
        self.ask(Asking::Success(id, response.clone()), env);
    }

    /// The 2xx came before: its ACK was lost (RFC 3261 13.2.2.4).
    fn acknowledge_copy(&mut self, response: &Message, env: &mut Env<'_>) -> bool {
        let tag = response.to_tag().unwrap_or_default();
        for leg in &self.legs {
            if &*leg.call_id != response.call_id() {
                continue;
            }
            let Some(dialog) = leg.dialogs.iter().find(|d| &*d.dialog.remote_tag == tag) else { continue };
            match &dialog.ack {
                Some((cseq, ack)) if *cseq == response.cseq() => {
                    env.push(Output::Ack { leg: leg.id, request: ack.clone() });
                    return true;
                }
                // It waits for the answer that the ACK has to carry, or a newer INVITE has been acknowledged since.
                _ if dialog.is_confirmed => return true,
                _ => {}
            }
        }
        false
    }

    /// Sends the ACK to a 2xx, with an answer in it where the 2xx had the offer.
    pub(super) fn acknowledge(
        &mut self,
        id: LegId,
        cseq: u32,
        body: Option<writing::Body>,
        env: &mut Env<'_>,
    ) {
        let Some(leg) = self.leg(id) else { return };
        let Some(dialog) = leg.dialogs.first() else { return };
        let ack = Box::new(writing::ack(leg, &dialog.dialog, cseq, body));
        if let Some(dialog) = leg.dialog() {
            dialog.note(Direction::Sent, Carrier::Ack, cseq, describes(ack.body.as_ref()));
            if ack.body.is_some() {
                dialog.said = ack.body.clone();
            }
            dialog.ack = Some((cseq, ack.clone()));
        }
        env.push(Output::Ack { leg: id, request: ack });
    }

    /// An answer nobody waits for: ACK and BYE. It becomes a leg of its own, since the INVITE may have been answered
    /// by several (RFC 3261 13.2.2.4).
    fn discard(&mut self, id: LegId, dialog: LegDialog, response: &Message, env: &mut Env<'_>) {
        let stray = self.new_leg_id();
        let Some(leg) = self.leg(id) else { return };
        let mut twin = leg.clone();
        let single = leg.state == LegState::Leaving && leg.dialogs.len() <= 1;
        twin.id = stray;
        twin.state = LegState::Confirmed;
        twin.dialogs = vec![dialog];
        self.legs.push(twin);
        if single {
            // It was cancelled, and answered all the same: no other answer will end it.
            self.leg_gone(id, env);
        }
        self.acknowledge(stray, response.cseq(), None, env);
        self.say_bye(stray, None, env);
    }

    /// The 2xx goes to the caller.
    pub(super) fn pass_success(&mut self, id: LegId, response: &Message, env: &mut Env<'_>) {
        let Some((server, _, false)) = self.caller() else {
            // The caller gave up, or policy refused, while policy thought: the leg is being hung up already.
            return;
        };
        if self.phase != Phase::Setup {
            return;
        }
        let to_tag = self.caller_tag_for(id, response.to_tag().unwrap_or_default(), env);
        let answer = Answer {
            code: response.status(),
            reason: Some(response.reason().into()),
            to_tag,
            contact: Some(self.own_contact(LegId::CALLER)),
            headers: self.passed(response, env.settings),
            body: writing::body_of(response).or_else(|| self.told_before(id)),
        };
        let waits_for_ack = self.leg(id).and_then(Leg::dialog).is_some_and(|d| d.ack.is_none());
        let owes = waits_for_ack.then(|| (id, response.cseq()));
        let is_offer = owes.is_some();
        let item = Item::Success { server, answer: Box::new(answer), owes };
        self.stage(item, id, LegId::CALLER, is_offer, env);
    }

    /// The caller is answered: its leg is confirmed by the ACK that must come.
    pub(super) fn answer_caller(
        &mut self,
        server: ServerRef,
        mut answer: Answer,
        owes: Option<(LegId, u32)>,
        env: &mut Env<'_>,
    ) {
        let number = self.new_dialog_id();
        let (settings, now) = (env.settings, env.now);
        let limit = self.max_duration;
        let Some(leg) = self.legs.first_mut() else { return };
        let Invite::Received { request, answered, .. } = &mut leg.invite else { return };
        if std::mem::replace(answered, true) {
            return;
        }
        let (cseq, request) = (request.cseq(), request.clone());
        let known = leg.dialogs.iter().position(|d| d.dialog.local_tag == answer.to_tag);
        let chosen = known.map(|at| leg.dialogs.swap_remove(at)).or_else(|| {
            let dialog = Dialog::uas(&request, &answer.to_tag).ok()?;
            Some(LegDialog::calling(number, dialog, &request))
        });
        let Some(chosen) = chosen else {
            // An INVITE without Contact cannot become a dialog (RFC 3261 8.1.1.8).
            *answered = false;
            let spec = crate::policy::ReplySpec::code(400);
            self.hang_up(Initiator::Siphon, Some(LegId::CALLER), None, env);
            return self.reply_to_caller(&spec, env);
        };
        let mut chosen = LegDialog { is_confirmed: true, ..chosen };
        super::early::answered(&mut chosen, cseq, &mut answer);
        super::refresh::say_plan(leg, leg.pace.plan, &mut answer.headers, now);
        let others = std::mem::replace(&mut leg.dialogs, vec![chosen]);
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
        let call_id = leg.call_id.clone();
        for other in others {
            let local_tag = other.dialog.local_tag;
            env.push(Output::Lost { call_id: call_id.clone(), local_tag });
        }
        self.phase = Phase::Answered;
        self.ends = limit.map(|limit| now + limit);
        env.push(Output::Respond { server, answer: Box::new(answer) });
    }

    /// The ACK to a 2xx of ours.
    pub(super) fn on_ack(&mut self, id: LegId, request: &Message, env: &mut Env<'_>) {
        let Some(leg) = self.leg(id) else { return };
        let Some(unacked) = leg.unacked.take_if(|u| u.cseq == request.cseq()) else { return };
        env.push(Output::Settled { server: unacked.server });
        if let Some(dialog) = leg.dialog() {
            let sdp = describes(writing::body_of(request).as_ref());
            dialog.note(Direction::Received, Carrier::Ack, request.cseq(), sdp);
        }
        if let Some((other, cseq)) = unacked.owes {
            self.pass_answer_in_ack(id, other, cseq, request, env);
        }
        if unacked.then_bye {
            self.say_bye(id, None, env);
        }
    }

    /// The answer to a late offer comes in the ACK, and goes on in ours (RFC 3261 13.2.1).
    fn pass_answer_in_ack(
        &mut self,
        from: LegId,
        to: LegId,
        cseq: u32,
        request: &Message,
        env: &mut Env<'_>,
    ) {
        if self.leg(to).is_none_or(|leg| leg.state != LegState::Confirmed) {
            return;
        }
        let body = writing::body_of(request);
        self.stage(Item::Ack { leg: to, cseq, body }, from, to, false, env);
    }

    /// Nobody acknowledged: send again, or give up (RFC 3261 13.3.1.4).
    pub(super) fn unacked_due(&mut self, id: LegId, env: &mut Env<'_>) {
        let (now, t2) = (env.now, env.settings.t2);
        let Some(leg) = self.leg(id) else { return };
        let Some(unacked) = leg.unacked.as_mut() else { return };
        if unacked.until > now {
            if unacked.next <= now {
                unacked.interval = (unacked.interval * 2).min(t2);
                unacked.next = now + unacked.interval;
                env.push(Output::Resend { server: unacked.server });
            }
            return;
        }
        let Some(unacked) = leg.unacked.take() else { return };
        env.push(Output::Settled { server: unacked.server });
        if unacked.then_bye {
            return self.say_bye(id, None, env);
        }
        // "the UAS SHOULD terminate the session with a BYE"; the other side goes with it.
        self.hang_up(Initiator::Siphon, None, Some("no ACK"), env);
    }

    /// The media engine has no answer for the caller.
    pub(super) fn success_without_media(&mut self, env: &mut Env<'_>) {
        let Some((_, winner)) = self.joined.take() else { return };
        self.settle_debt(winner, env);
        self.say_bye(winner, None, env);
        self.best = Some(Failure::media());
        self.ask(Asking::Failed, env);
    }

    /// A leg that waits for an answer in its ACK gets an ACK without one, since its BYE must come after it.
    pub(super) fn settle_debt(&mut self, id: LegId, env: &mut Env<'_>) {
        let Some(leg) = self.leg(id) else { return };
        if !leg.is_sent() || leg.state != LegState::Confirmed {
            return;
        }
        let Some(dialog) = leg.dialogs.first() else { return };
        let Invite::Sent(sent) = &leg.invite else { return };
        if dialog.ack.is_none() {
            let cseq = sent.sent.cseq;
            self.acknowledge(id, cseq, None, env);
        }
    }

    /// A client transaction for a request inside `leg`'s dialog.
    pub(super) fn send_inside(
        &mut self,
        id: LegId,
        purpose: Purpose,
        make: impl FnOnce(&mut Leg) -> Option<Outgoing>,
        env: &mut Env<'_>,
    ) {
        let Some(request) = self.leg(id).and_then(make) else { return };
        let client = self.new_client(purpose);
        env.push(Output::Send { client, leg: id, request: Box::new(request) });
    }
}
