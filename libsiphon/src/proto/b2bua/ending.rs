//! Taking a call down: who is told what, and who must be waited for (RFC 3261 9, 15).

use super::call::{Call, Phase, Purpose};
use super::leg::{Invite, Leg, LegId, LegState};
use super::port::{Answer, Env, Output, ServerRef};
use super::writing;
use crate::base::text::Text;
use crate::policy::{CallEvent, Initiator, ReplySpec};
use crate::wire::sip::Message;

impl Call {
    /// A BYE: answered at once, whatever else goes on (RFC 3261 15.1.2).
    pub(super) fn on_bye(&mut self, id: LegId, server: ServerRef, request: &Message, env: &mut Env<'_>) {
        self.answer_inside(id, server, 200, env);
        let Some(leg) = self.leg(id) else { return };
        let who = leg.who;
        if leg.state == LegState::Gone {
            return;
        }
        if let Some(unacked) = leg.unacked.take() {
            env.push(Output::Settled { server: unacked.server });
        }
        let reason = request.header_named("Reason").map(|r| r.into_owned());
        self.leg_left(id, env);
        if self.goes_on_without(id, env) {
            return;
        }
        self.hang_up(who, Some(id), reason.as_deref(), env);
    }

    /// The caller gave up (RFC 3261 9.2): its INVITE is answered 487 unless it was answered before. Or a side cancelled
    /// its re-INVITE, which is cancelled on the other side too.
    pub(super) fn on_cancel(&mut self, server: ServerRef, env: &mut Env<'_>) {
        match self.caller() {
            Some((invite, _, false)) if invite == server => {
                if self.interest.cancels {
                    env.push(Output::Notify { event: Box::new(CallEvent::Cancelled) });
                }
                self.withdraw(env);
                self.reply_to_caller(&ReplySpec::code(487), env);
                self.end_others(None, env);
            }
            Some((invite, ..)) if invite == server => {}
            _ if self.cancel_swap(server, env) => {}
            _ => self.cancel_exchange(server, env),
        }
    }

    /// Ends the call: BYE or CANCEL to every leg but `except`, which has left by itself.
    pub(super) fn hang_up(
        &mut self,
        who: Initiator,
        except: Option<LegId>,
        reason: Option<&str>,
        env: &mut Env<'_>,
    ) {
        if matches!(self.phase, Phase::Ending | Phase::Over) {
            return;
        }
        let was_answered = self.phase == Phase::Answered;
        self.withdraw(env);
        if was_answered {
            self.phase = Phase::Ending;
            if self.interest.byes && !std::mem::replace(&mut self.bye_told, true) {
                env.push(Output::Notify { event: Box::new(CallEvent::Bye { initiator: who }) });
            }
        } else if except != Some(LegId::CALLER) {
            self.reply_to_caller(&ReplySpec::code(if who == Initiator::Siphon { 503 } else { 487 }), env);
        }
        self.phase = Phase::Ending;
        self.end_transfers(env);
        self.refuse_exchanges(env);
        self.end_others(reason, env);
        self.release_media(env);
    }

    /// No question is open any more, and nothing waits for the media engine.
    pub(super) fn withdraw(&mut self, env: &mut Env<'_>) {
        self.asking = None;
        self.held = None;
        self.waiting.clear();
        self.run = None;
        let jobs = std::mem::take(&mut self.jobs);
        for job in jobs {
            self.abandon(job, env);
        }
    }

    /// BYE or CANCEL to every leg that is up.
    pub(super) fn end_others(&mut self, reason: Option<&str>, env: &mut Env<'_>) {
        let up: Vec<LegId> = self.legs.iter().filter(|leg| leg.is_live()).map(|leg| leg.id).collect();
        for id in up {
            let Some(leg) = self.leg(id) else { continue };
            match (leg.state, leg.is_sent()) {
                (LegState::Early, true) => self.cancel_target(id, env),
                (LegState::Early, false) => {}
                _ => {
                    self.settle_debt(id, env);
                    self.say_bye(id, reason, env);
                }
            }
        }
    }

    /// Sends BYE, or notes that it is due: the callee must not before its ACK has come (RFC 3261 15).
    pub(super) fn say_bye(&mut self, id: LegId, reason: Option<&str>, env: &mut Env<'_>) {
        let Some(leg) = self.leg(id) else { return };
        if leg.state == LegState::Gone {
            return;
        }
        if let Some(unacked) = leg.unacked.as_mut() {
            unacked.then_bye = true;
            leg.state = LegState::Leaving;
            return;
        }
        leg.state = LegState::Leaving;
        let reason: Option<Text> = reason.map(reason_header);
        self.send_inside(id, Purpose::Bye(id), |leg| writing::bye(leg, reason), env);
    }

    /// The leg has said goodbye itself: requests that wait for its answer wait in vain.
    fn leg_left(&mut self, id: LegId, env: &mut Env<'_>) {
        if let Some(leg) = self.leg(id) {
            leg.state = LegState::Gone;
        }
        self.forget_dialogs(id, env);
    }

    /// Nothing is owed on the leg any more.
    pub(super) fn leg_gone(&mut self, id: LegId, env: &mut Env<'_>) {
        let Some(leg) = self.leg(id) else { return };
        if std::mem::replace(&mut leg.state, LegState::Gone) != LegState::Gone {
            self.forget_dialogs(id, env);
        }
    }

    pub(super) fn release_media(&mut self, env: &mut Env<'_>) {
        if std::mem::take(&mut self.has_media) {
            env.push(Output::ReleaseMedia);
        }
    }

    /// Answers a request of a leg's peer with a code and nothing else.
    pub(super) fn answer_inside(&mut self, id: LegId, server: ServerRef, code: u16, env: &mut Env<'_>) {
        let to_tag = self.own_tag(id);
        let answer = Answer { code, reason: None, to_tag, contact: None, headers: Vec::new(), body: None };
        env.push(Output::Respond { server, answer: Box::new(answer) });
    }

    pub(super) fn own_tag(&mut self, id: LegId) -> Text {
        self.leg(id).and_then(Leg::dialog).map(|d| d.dialog.local_tag.clone()).unwrap_or_default()
    }

    /// After each input: the call is over when no leg owes or is owed anything.
    pub(super) fn settle(&mut self, env: &mut Env<'_>) {
        if self.phase != Phase::Ending
            || !self.exchanges.is_empty()
            || !self.jobs.is_empty()
            || self.transfers.lent
        {
            return;
        }
        if self.legs.iter().any(|leg| leg.state != LegState::Gone || leg.unacked.is_some()) {
            return;
        }
        self.phase = Phase::Over;
        self.release_media(env);
        env.push(Output::Ended);
    }

    pub(super) fn tick(&mut self, env: &mut Env<'_>) {
        let now = env.now;
        if self.phase == Phase::Answered && self.ends.is_some_and(|at| at <= now) {
            self.hang_up(Initiator::Siphon, None, Some("maximum call duration"), env);
        }
        self.transfer_tick(env);
        let due: Vec<LegId> =
            self.legs.iter().filter(|l| l.deadline().is_some_and(|at| at <= now)).map(|l| l.id).collect();
        for id in due {
            let Some(leg) = self.leg(id) else { continue };
            let rings_too_long = leg.state == LegState::Early
                && matches!(&leg.invite, Invite::Sent(sent) if sent.give_up.is_some_and(|at| at <= now));
            if rings_too_long {
                self.ring_timeout(id, env);
            } else {
                self.unacked_due(id, env);
                self.assured_due(id, env);
                self.session_due(id, env);
            }
        }
    }
}

/// RFC 3326. What a peer wrote as Reason passes as it is; our own words become the text of a Q.850 "normal clearing".
fn reason_header(text: &str) -> Text {
    match text.contains(';') {
        true => text.into(),
        false => format!("Q.850;cause=16;text={}", crate::wire::sip::quote(text)).into(),
    }
}
