//! Reliable provisional responses (RFC 3262), each leg for itself.
//!
//! The B side's are acknowledged as they come. The exception is one with an offer: it goes on to the caller, whose PRACK
//! has the answer, which goes on in ours. The caller gets them reliably where its INVITE demands it, or where it
//! understands and the B side's was reliable and told a session.

use super::call::{Call, Purpose};
use super::exchange::{Passage, describes};
use super::leg::{End, Invite, Leg, LegDialog, LegId};
use super::port::{Answer, Env, Output, ServerRef, Settings};
use super::setup::Failure;
use super::writing;
use crate::base::text::Text;
use crate::base::time::Instant;
use crate::policy::ReplySpec;
use crate::proto::dialog::Dialog;
use crate::proto::session::reliable::{Heard, Output as Step, Outputs as Steps, Uas};
use crate::proto::session::{Carrier, Direction, Meaning};
use crate::wire::sip::{HeaderId, Message, Method, RAck};

/// PRACKs of one call that wait for their response at once. A reliable response beyond it counts as lost: it comes again.
const MOST_PRACKS: usize = 32;

/// The reliable responses of an early dialog of the caller.
#[derive(Clone, Debug)]
pub(super) struct Assured {
    uas: Uas,
    kept: Vec<Kept>,
}

/// One that is not acknowledged.
#[derive(Clone, Debug)]
struct Kept {
    rseq: u32,
    answer: Box<Answer>,
    owed: Option<Owed>,
}

impl Assured {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.uas.deadline()
    }
}

/// A reliable response of the B side whose offer the caller answers in its PRACK.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owed {
    pub(super) to: End,
    rack: RAck,
}

/// How a provisional response came from the B side.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct How {
    reliable: bool,
    pub(super) owed: Option<Owed>,
}

/// A 2xx that waits until the caller has acknowledged what was told before it (RFC 3262 3).
#[derive(Clone, Debug)]
pub(super) struct Held {
    server: ServerRef,
    answer: Answer,
    owes: Option<(LegId, u32)>,
}

impl Call {
    /// The INVITE of the caller as it came.
    pub(super) fn caller_request(&self) -> Option<&Message> {
        match &self.legs.first()?.invite {
            Invite::Received { request, .. } => Some(request),
            Invite::Sent(_) => None,
        }
    }

    /// Whether INVITEs of ours say `Supported: 100rel`. Without an offer in them the first reliable response has it, which
    /// only a caller that understands can answer.
    pub(super) fn offers_reliable(&self, settings: &Settings) -> bool {
        let has_offer = || describes(writing::body_of(&self.invite).as_ref());
        settings.reliable && (has_offer() || self.caller_request().is_some_and(|r| r.supports("100rel")))
    }

    // ---- the B side ----------------------------------------------------------------------------------------

    /// Takes in a provisional response of a leg. False when it is not processed: a copy, or one too early.
    pub(super) fn hear(&mut self, id: LegId, response: &Message, env: &mut Env<'_>) -> bool {
        let open = self.clients.iter().filter(|(_, purpose)| *purpose == Purpose::Prack).count();
        let Some(leg) = self.leg(id) else { return false };
        let offered = leg.sent().is_some_and(|sent| sent.reliable);
        let Some(dialog) = leg.dialog_with(response.to_tag().unwrap_or_default()) else { return true };
        let body = writing::body_of(response).filter(|body| describes(Some(body)));
        let (cseq, sdp) = (response.cseq(), body.is_some());
        let Some(rseq) = rseq_of(response).filter(|_| offered) else {
            dialog.note(Direction::Received, Carrier::Provisional, cseq, sdp);
            return true;
        };
        if open >= MOST_PRACKS {
            return false;
        }
        let Heard::New(rack) = dialog.heard.hear(rseq) else { return false };
        if sdp {
            dialog.told = body;
        }
        let end = End { leg: id, dialog: dialog.id };
        match dialog.note(Direction::Received, Carrier::ReliableProvisional, cseq, sdp) {
            Meaning::Offer => dialog.owed = Some(rack),
            _ => self.acknowledge_early(end, rack, env),
        }
        true
    }

    fn acknowledge_early(&mut self, end: End, rack: RAck, env: &mut Env<'_>) {
        let Some(leg) = self.leg(end.leg) else { return };
        let Some(mut request) = writing::own(leg, end.dialog, Method::Prack) else { return };
        request.headers.push(rack_field(rack));
        if let Some(dialog) = leg.dialog_at(end.dialog) {
            dialog.note(Direction::Sent, Carrier::Prack, request.cseq, false);
        }
        let client = self.new_client(Purpose::Prack);
        env.push(Output::Send { client, leg: end.leg, request: Box::new(request) });
    }

    /// Whether the B side waits for what the caller says to this.
    pub(super) fn is_owed(&mut self, id: LegId, response: &Message) -> bool {
        let dialog = self.leg(id).and_then(|l| l.dialog_with(response.to_tag().unwrap_or_default()));
        dialog.and_then(|d| d.owed).is_some_and(|rack| Some(rack.rseq) == rseq_of(response))
    }

    pub(super) fn how_it_came(&mut self, id: LegId, response: &Message) -> How {
        let rseq = rseq_of(response);
        let dialog = self.leg(id).and_then(|l| l.dialog_with(response.to_tag().unwrap_or_default()));
        let owed = dialog.and_then(|dialog| {
            let rack = dialog.owed.take_if(|rack| Some(rack.rseq) == rseq)?;
            Some(Owed { to: End { leg: id, dialog: dialog.id }, rack })
        });
        How { reliable: rseq.is_some(), owed }
    }

    /// What the callee told reliably before its 2xx, which then need not tell it again (RFC 6337 2.2). A caller that heard
    /// it in an unreliable response must hear it in the 2xx.
    pub(super) fn told_before(&mut self, id: LegId) -> Option<writing::Body> {
        self.leg(id).and_then(Leg::dialog).and_then(|d| d.told.clone())
    }

    // ---- the caller ----------------------------------------------------------------------------------------

    fn caller_demands(&self, settings: &Settings) -> bool {
        settings.reliable && self.caller_request().is_some_and(|r| r.has_option(HeaderId::Require, "100rel"))
    }

    /// A provisional response of this node's own: where it must be reliable there must be a dialog to acknowledge it in.
    pub(super) fn make_way_for_progress(&mut self, tag: &Text, env: &mut Env<'_>) {
        if !self.caller_demands(env.settings) {
            return;
        }
        let id = self.new_dialog_id();
        let Some(request) = self.caller_request().cloned() else { return };
        let Some(caller) = self.legs.first_mut() else { return };
        if caller.dialogs.iter().any(|d| d.dialog.local_tag == *tag) {
            return;
        }
        if let Ok(dialog) = Dialog::uas(&request, tag) {
            caller.dialogs.push(LegDialog::calling(id, dialog, &request));
        }
    }

    /// A provisional response leaves for the caller, reliably or not.
    pub(super) fn tell_caller(
        &mut self,
        server: ServerRef,
        mut answer: Box<Answer>,
        how: How,
        env: &mut Env<'_>,
    ) {
        let Some((_, _, false)) = self.caller() else { return };
        let demands = self.caller_demands(env.settings);
        let Some(request) = self.caller_request() else { return };
        let (cseq, supports) = (request.cseq(), env.settings.reliable && request.supports("100rel"));
        let mut sdp = describes(answer.body.as_ref());
        let wanted = demands || (supports && how.reliable && sdp);
        let (now, t1, dice) = (env.now, env.settings.t1, env.rng.next_u64());
        let Some(caller) = self.legs.first_mut() else { return };
        let mut dialog = caller.dialogs.iter_mut().find(|d| d.dialog.local_tag == answer.to_tag);
        if let Some(dialog) = dialog.as_deref_mut().filter(|_| wanted) {
            let meaning = dialog.session.check(Direction::Sent, Carrier::ReliableProvisional, cseq, sdp);
            if sdp && meaning == Ok(Meaning::Nothing) {
                // The offer was answered before (RFC 6337 2.2).
                answer.body = None;
                sdp = false;
            }
            let new = || Box::new(Assured { uas: Uas::new(cseq, dice, t1), kept: Vec::new() });
            let mut steps = Steps::new();
            let rseq = meaning
                .ok()
                .and_then(|_| dialog.assured.get_or_insert_with(new).uas.send(sdp, now, &mut steps).ok());
            if let (Some(rseq), Some(assured)) = (rseq, &mut dialog.assured) {
                answer.headers.push((Text::from("Require"), Text::from("100rel")));
                answer.headers.push((Text::from("RSeq"), rseq.to_string().into()));
                answer.headers.push((Text::from("Allow"), Text::from(writing::ALLOW)));
                assured.kept.push(Kept { rseq, answer, owed: how.owed });
                let end = End { leg: LegId::CALLER, dialog: dialog.id };
                return self.follow_assured(end, steps, env);
            }
        }
        match how.owed {
            Some(owed) => self.give_target_up(owed.to.leg, Failure::local(500), env),
            // What must be reliable and cannot be is left out: provisional responses may be.
            None if demands => {}
            None => {
                if let Some(dialog) = dialog {
                    dialog.note(Direction::Sent, Carrier::Provisional, cseq, sdp);
                    if sdp {
                        dialog.said = answer.body.clone();
                    }
                }
                env.push(Output::Respond { server, answer });
            }
        }
    }

    fn follow_assured(&mut self, end: End, steps: Steps, env: &mut Env<'_>) {
        let Some((server, ..)) = self.caller() else { return };
        let Some(cseq) = self.caller_request().map(Message::cseq) else { return };
        for step in steps {
            let Some(dialog) = self.dialog_at(end) else { return };
            let Some(assured) = dialog.assured.as_mut() else { return };
            match step {
                Step::Send(rseq) | Step::Resend(rseq) => {
                    let Some(kept) = assured.kept.iter().find(|k| k.rseq == rseq) else { continue };
                    let answer = kept.answer.clone();
                    if matches!(step, Step::Send(_)) {
                        let sdp = describes(answer.body.as_ref());
                        dialog.note(Direction::Sent, Carrier::ReliableProvisional, cseq, sdp);
                        if sdp {
                            dialog.said = answer.body.clone();
                        }
                    }
                    env.push(Output::Respond { server, answer });
                }
                Step::Acknowledged(rseq) => assured.kept.retain(|k| k.rseq != rseq),
                Step::GiveUp(_) => return self.nobody_acknowledges(env),
            }
        }
    }

    /// RFC 3262 3: "the UAS SHOULD reject the original request with a 5xx response".
    fn nobody_acknowledges(&mut self, env: &mut Env<'_>) {
        self.withdraw(env);
        self.reply_to_caller(&ReplySpec::code(504), env);
        self.end_others(Some("no PRACK"), env);
    }

    /// A reliable response is due again, or was not acknowledged in time.
    pub(super) fn assured_due(&mut self, id: LegId, env: &mut Env<'_>) {
        let now = env.now;
        let Some(leg) = self.leg(id) else { return };
        if leg.assured_deadline().is_none_or(|at| at > now) {
            return;
        }
        let mut all = Vec::new();
        for dialog in &mut leg.dialogs {
            let mut steps = Steps::new();
            if let Some(assured) = &mut dialog.assured {
                assured.uas.tick(now, &mut steps);
                all.push((End { leg: id, dialog: dialog.id }, steps));
            }
        }
        for (end, steps) in all {
            self.follow_assured(end, steps, env);
        }
    }

    /// The caller acknowledges.
    pub(super) fn on_prack(&mut self, from: End, server: ServerRef, request: &Message, env: &mut Env<'_>) {
        let full = self.exchanges.len() >= env.settings.max_exchanges;
        let Ok(Some(rack)) = request.rack() else {
            return self.answer_inside(from.leg, server, 400, env);
        };
        let body = writing::body_of(request);
        let (cseq, sdp) = (request.cseq(), describes(body.as_ref()));
        if !self.is_readable(body.as_ref(), env.settings) {
            return self.answer_inside(from.leg, server, 488, env);
        }
        let Some(dialog) = self.dialog_at(from) else { return };
        let checked = dialog.session.check(Direction::Received, Carrier::Prack, cseq, sdp);
        let Some(assured) = dialog.assured.as_mut() else {
            return self.answer_inside(from.leg, server, 481, env);
        };
        let refusal = match checked {
            Ok(_) if sdp && full => Some(503),
            Ok(_) => None,
            Err(fault) => Some(fault.status().unwrap_or(500)),
        };
        if let Some(code) = refusal {
            return self.refuse_change(from.leg, server, code, env);
        }
        let mut steps = Steps::new();
        if assured.uas.prack(rack, env.now, &mut steps).is_err() {
            return self.answer_inside(from.leg, server, 481, env);
        }
        let owed = assured.kept.iter_mut().find(|k| k.rseq == rack.rseq).and_then(|k| k.owed.take());
        let meaning = dialog.note(Direction::Received, Carrier::Prack, cseq, sdp);
        self.pass_prack(from, server, request, meaning, owed, env);
        self.follow_assured(from, steps, env);
        if let Some(held) = self.held.take() {
            self.succeed(held.server, held.answer, held.owes, env);
        }
    }

    /// An answer goes on in the PRACK that waited for it, an offer in an UPDATE: our own PRACK has left. Anything else ends
    /// here.
    fn pass_prack(
        &mut self,
        from: End,
        server: ServerRef,
        request: &Message,
        meaning: Meaning,
        owed: Option<Owed>,
        env: &mut Env<'_>,
    ) {
        let is_offer = meaning == Meaning::Offer;
        let to = match owed {
            Some(owed) => Some(owed.to),
            None if is_offer => self.counterpart(from),
            None => None,
        };
        let to = to.filter(|to| self.leg(to.leg).is_some_and(|leg| leg.is_live()));
        let Some(to) = to.filter(|to| self.dialog_at(*to).is_some()) else {
            let (ok, code) = if is_offer { (Carrier::PrackFailed, 488) } else { (Carrier::PrackOk, 200) };
            if let Some(dialog) = self.dialog_at(from) {
                dialog.note(Direction::Sent, ok, request.cseq(), false);
            }
            return self.answer_inside(from.leg, server, code, env);
        };
        let mut headers = self.passed(request, env.settings);
        headers.extend(owed.map(|owed| rack_field(owed.rack)));
        let sent_as = if is_offer { Method::Update } else { Method::Prack };
        let passage = Passage { from, to, server, request, sent_as, headers, is_offer, plan: None };
        self.pass_on(passage, env);
    }

    /// A 2xx leaves for the caller, or waits for a PRACK.
    pub(super) fn succeed(
        &mut self,
        server: ServerRef,
        answer: Answer,
        owes: Option<(LegId, u32)>,
        env: &mut Env<'_>,
    ) {
        let dialog = self.legs.first().and_then(|leg| {
            leg.dialogs.iter().find(|d| d.dialog.local_tag == answer.to_tag)?.assured.as_ref()
        });
        match dialog.is_some_and(|assured| !assured.uas.may_succeed()) {
            true => self.held = Some(Held { server, answer, owes }),
            false => self.answer_caller(server, answer, owes, env),
        }
    }
}

/// The 2xx leaves in this dialog. A session description that a reliable response has told is not told again.
pub(super) fn answered(dialog: &mut LegDialog, cseq: u32, answer: &mut Answer) {
    if let Some(assured) = &mut dialog.assured {
        assured.uas.answered();
        assured.kept.clear();
    }
    let mut sdp = describes(answer.body.as_ref());
    let meaning = dialog.session.check(Direction::Sent, Carrier::InviteOk, cseq, sdp);
    if sdp && meaning == Ok(Meaning::Nothing) && dialog.said == answer.body {
        answer.body = None;
        sdp = false;
    }
    dialog.note(Direction::Sent, Carrier::InviteOk, cseq, sdp);
    if sdp {
        dialog.said = answer.body.clone();
    }
}

/// RSeq of a response that is to be acknowledged.
fn rseq_of(response: &Message) -> Option<u32> {
    response.rseq().ok().flatten().filter(|_| response.has_option(HeaderId::Require, "100rel"))
}

fn rack_field(rack: RAck) -> (Text, Text) {
    (Text::from("RAck"), rack.to_string().into())
}
