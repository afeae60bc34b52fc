//! REFER inside a call (RFC 3515, RFC 5589): this node carries it out, passes it on, or refuses it.
//!
//! Carried out, the target is called without an offer, for its 2xx then has one that the side that stays can answer
//! (`rejoin`). The transferor hears by NOTIFY how far it came, and has a while to hang up by itself. It may hang up
//! before: the transfer goes on. A target that does not answer leaves the old call as it was.

use super::call::{Asking, Call, Phase, Purpose};
use super::exchange::describes;
use super::leg::{End, Invite, Leg, LegDialog, LegId, LegState, SentInvite};
use super::port::{Answer, Env, Hop, Outgoing, Output, ServerRef};
use super::referring::{PassedRefer, Referring};
use super::refresh::{Pace, extensions};
use super::rejoin::{Cause, Swap};
use super::writing::{self, Body};
use crate::base::flow::Flow;
use crate::base::text::Text;
use crate::base::time::{Duration, Instant};
use crate::policy::call::ReferMode;
use crate::policy::{CallEvent, Header, Initiator, ReplySpec, Target};
use crate::proto::dialog::{Sent, tagged};
use crate::proto::session::refer::{Notification, Notifier, Output as Told, Outputs};
use crate::proto::session::{Carrier, Direction};
use crate::wire::sip::{HeaderId, Message, Method, NameAddr, ReferTo, Replaces, sipfrag};

/// How long the target of a transfer may ring.
const RINGS: Duration = Duration::from_secs(60);

/// How long the transferor may take to hang up once it has heard of the success.
const LINGERS: Duration = Duration::from_secs(5);

/// What a call knows of transfers.
#[derive(Clone, Debug, Default)]
pub(super) struct Transfers {
    /// The REFER that is being carried out; a second one meanwhile gets 491.
    pub(super) carried: Option<Box<Transfer>>,
    /// The leg that takes another's place.
    pub(super) swap: Option<Box<Swap>>,
    /// A leg of this call is in another call, which will say what became of it.
    pub(super) lent: bool,
    /// The REFER this node sent.
    pub(super) ours: Option<Box<Referring>>,
    /// A REFER that policy wants sent: to which side, and Refer-To.
    pub(super) wish: Option<(Initiator, Text)>,
    /// REFERs that went from one side to the other.
    pub(super) passed: Vec<PassedRefer>,
    /// What Replaces in the last Refer-To means on the far side of the call it names.
    pub(super) far: Option<Replaces>,
    /// A REFER was accepted before: NOTIFYs of later ones name theirs (RFC 3515 2.4.6).
    had_one: bool,
}

/// A REFER that is being carried out.
#[derive(Clone, Debug)]
pub(super) struct Transfer {
    pub(super) from: LegId,
    pub(super) stays: LegId,
    refer: Message,
    /// Whom policy named, where it did.
    target: Option<Target>,
    notifier: Option<Notifier>,
    pub(super) stage: Stage,
    /// The transferor has hung up.
    pub(super) left: bool,
}

/// How far a transfer has come.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    /// Policy is asked; the REFER waits for its response.
    Asked(ServerRef),
    /// The side that stays goes to the call that Replaces names as soon as nothing is open on its dialog.
    Due(Replaces),
    /// It is there.
    Away,
    /// The target is called.
    Calling(LegId),
    /// It has answered, and takes the transferor's place.
    Joining,
    /// It failed; the last NOTIFY waits for its response.
    Told,
    /// It succeeded; the transferor is to hang up.
    Over(Instant),
}

impl Call {
    /// A REFER of a leg's peer.
    pub(super) fn on_refer(&mut self, from: LegId, server: ServerRef, request: &Message, env: &mut Env<'_>) {
        let stays = self.other(from).filter(|_| self.phase == Phase::Answered);
        let Some(stays) = stays else {
            let code = if self.phase == Phase::Setup { 491 } else { 403 };
            return self.answer_inside(from, server, code, env);
        };
        if self.transfers.carried.is_some() || self.transfers.swap.is_some() {
            return self.answer_inside(from, server, 491, env);
        }
        if !matches!(request.refer_to(), Ok(Some(_))) {
            // RFC 3515 2.4.1: exactly one.
            return self.answer_inside(from, server, 400, env);
        }
        let stage = Stage::Asked(server);
        let transfer = Transfer {
            from,
            stays,
            refer: request.clone(),
            target: None,
            notifier: None,
            stage,
            left: false,
        };
        self.transfers.carried = Some(Box::new(transfer));
        self.ask(Asking::Refer, env);
    }

    /// The question about it.
    pub(super) fn refer_event(&mut self) -> Option<CallEvent> {
        let transfer = self.transfers.carried.as_ref()?;
        let (from, request) = (transfer.from, transfer.refer.clone());
        let from = self.leg(from)?.who;
        Some(CallEvent::Refer { from, request })
    }

    /// Whether policy is still to say what becomes of a REFER.
    pub(super) fn has_open_refer(&self) -> bool {
        self.transfers.carried.as_ref().is_some_and(|t| matches!(t.stage, Stage::Asked(_)))
    }

    /// Policy refuses it.
    pub(super) fn reject_refer(&mut self, spec: &ReplySpec, env: &mut Env<'_>) {
        let Some(transfer) = self.transfers.carried.take_if(|t| matches!(t.stage, Stage::Asked(_))) else {
            return;
        };
        let Stage::Asked(server) = transfer.stage else { return };
        let answer = Answer {
            code: spec.code,
            reason: spec.reason.clone(),
            to_tag: self.own_tag(transfer.from),
            contact: None,
            headers: spec.headers.clone(),
            body: spec.body.as_ref().map(|(t, b)| (t.clone(), b.as_slice().into())),
        };
        env.push(Output::Respond { server, answer: Box::new(answer) });
    }

    /// Policy, or the configuration, wants it done like this.
    pub(super) fn accept_refer(&mut self, target: Option<Target>, mode: ReferMode, env: &mut Env<'_>) {
        let Some(transfer) = self.transfers.carried.as_ref() else { return };
        let Stage::Asked(server) = transfer.stage else { return };
        let (from, refer) = (transfer.from, transfer.refer.clone());
        match mode {
            ReferMode::Reject => self.reject_refer(&ReplySpec::code(603), env),
            ReferMode::Transparent => {
                self.transfers.carried = None;
                let Some(dialog) = self.leg(from).and_then(Leg::dialog).map(|d| d.id) else { return };
                self.pass_request(End { leg: from, dialog }, server, &refer, env);
            }
            ReferMode::Terminate => self.carry_out(server, target, env),
        }
    }

    fn carry_out(&mut self, server: ServerRef, target: Option<Target>, env: &mut Env<'_>) {
        let Some(transfer) = self.transfers.carried.as_ref() else { return };
        let (from, refer) = (transfer.from, transfer.refer.clone());
        let Ok(Some(refer_to)) = refer.refer_to() else { return };
        let is_sip = target.is_some() || refer_to.target.as_uri().is_sip();
        if refer_to.method != Method::Invite || !is_sip {
            self.transfers.carried = None;
            let code = if is_sip { 403 } else { 416 };
            return self.answer_inside(from, server, code, env);
        }
        let silent = refer.refer_sub() == Ok(Some(false));
        let mut headers: Vec<Header> = Vec::new();
        if silent {
            // RFC 4488 4: no subscription.
            headers.push(("Refer-Sub".into(), "false".into()));
        }
        let answer = Answer {
            code: 202,
            reason: None,
            to_tag: self.own_tag(from),
            contact: Some(self.own_contact(from)),
            headers,
            body: None,
        };
        env.push(Output::Respond { server, answer: Box::new(answer) });
        // Another target than Refer-To has no part in the dialog that Replaces names.
        let same = target.as_ref().is_none_or(|target| *target.uri == *refer_to.target.to_string());
        let replaces = refer_to.replaces.clone().filter(|_| same);
        let event_id = std::mem::replace(&mut self.transfers.had_one, true).then(|| refer.cseq());
        let mut told = Outputs::new();
        if let Some(transfer) = self.transfers.carried.as_mut() {
            if !silent {
                transfer.notifier = Some(Notifier::start(event_id, env.now, &mut told));
            }
            if let Some(replaces) = &replaces {
                transfer.target = target.clone();
                transfer.stage = Stage::Due(replaces.clone());
            }
        }
        self.tell_transferor(told, env);
        if replaces.is_none() {
            let target = target.unwrap_or_else(|| Target::uri(refer_to.target.to_string()));
            self.call_referred(target, &ReferTo { replaces: None, ..refer_to }, env);
        }
    }

    /// The dialog that Replaces names is none of ours: the target gets it to know it by.
    pub(super) fn call_replacing(&mut self, env: &mut Env<'_>) {
        let Some(transfer) = self.transfers.carried.as_mut() else { return };
        let Ok(Some(refer_to)) = transfer.refer.refer_to() else { return };
        let target = transfer.target.take().unwrap_or_else(|| Target::uri(refer_to.target.to_string()));
        self.call_referred(target, &refer_to, env);
    }

    /// Calls whom Refer-To names, without an offer.
    fn call_referred(&mut self, target: Target, refer_to: &ReferTo, env: &mut Env<'_>) {
        let Some(transfer) = self.transfers.carried.as_ref() else { return };
        let (from, stays, refer) = (transfer.from, transfer.stays, transfer.refer.clone());
        if self.legs.len() >= env.settings.max_legs {
            return self.transfer_failed(503, env);
        }
        let who = self.leg(from).map_or(Initiator::Siphon, |leg| leg.who);
        let Some(dialog) = self.leg(stays).and_then(Leg::dialog) else {
            return self.transfer_failed(480, env);
        };
        let (address, user) = shown(&dialog.dialog.remote, &env.settings.host);
        let (id, tag, call_id) = (self.new_leg_id(), env.tag(), (env.call_id)(env.rng));
        let mut headers: Vec<Header> = vec![("Allow".into(), writing::ALLOW.into())];
        let pace = Pace::new(self.timer_settings(env.settings));
        headers.extend(extensions(false, &pace.timer));
        headers.extend(self.headers_for_target(stays, &refer, refer_to, env));
        let request = Outgoing {
            method: "INVITE".into(),
            uri: target.uri.clone(),
            routes: target.route.clone(),
            from: tagged(&address, &tag).into(),
            to: format!("<{}>", writing::bare(&target.uri)).into(),
            call_id: call_id.clone(),
            cseq: 1,
            max_forwards: refer.max_forwards().unwrap_or(70).saturating_sub(1),
            contact: Some(user.clone()),
            headers,
            body: None,
            hop: Hop::Target(Box::new(target.clone())),
            send_socket: None,
        };
        let sent = Sent {
            call_id: call_id.clone(),
            from: address.into(),
            from_tag: tag.clone(),
            cseq: 1,
            request_uri: target.uri.clone(),
        };
        let client = self.new_client(Purpose::Invite(id));
        env.push(Output::Found { leg: id, call_id: call_id.clone(), local_tag: tag });
        self.legs.push(Leg {
            id,
            who,
            state: LegState::Early,
            call_id,
            contact: user,
            dialogs: Vec::new(),
            flow: target.flow,
            unacked: None,
            described: None,
            pace,
            invite: Invite::Sent(Box::new(SentInvite {
                client: Some(client),
                sent,
                target,
                request: request.clone(),
                has_offer: false,
                reliable: false,
                cancelled: false,
                give_up: Some(env.now + RINGS),
                timeout: RINGS,
                logins: 0,
            })),
        });
        if let Some(transfer) = self.transfers.carried.as_mut() {
            transfer.stage = Stage::Calling(id);
        }
        env.push(Output::Send { client, leg: id, request: Box::new(request) });
    }

    /// What the target's INVITE has of the side that stays, of the REFER, and of Refer-To.
    fn headers_for_target(
        &self,
        stays: LegId,
        refer: &Message,
        refer_to: &ReferTo,
        env: &Env<'_>,
    ) -> Vec<Header> {
        let mut headers: Vec<Header> = Vec::new();
        if stays == LegId::CALLER {
            let about_body = [
                HeaderId::ContentDisposition,
                HeaderId::ContentEncoding,
                HeaderId::ContentLanguage,
                HeaderId::MimeVersion,
                HeaderId::ReferredBy,
            ];
            let passed = self.passed(&self.invite, env.settings);
            headers.extend(passed.into_iter().filter(|(n, _)| !about_body.contains(&HeaderId::from_name(n))));
        }
        // RFC 3892 2.1: the referee passes it to the refer target.
        let by = refer.values(HeaderId::ReferredBy).map(|v| (Text::from("Referred-By"), Text::from(&*v)));
        headers.extend(by.take(1));
        let wished = refer_to.honoured().map(|(n, v)| (Text::from(n), Text::from(v)));
        let wished: Vec<Header> = wished.filter(|(n, _)| !headers.iter().any(|(h, _)| h == n)).collect();
        headers.extend(wished);
        headers.extend(refer_to.replaces.as_ref().map(|r| ("Replaces".into(), r.to_string().into())));
        headers
    }

    // ---- what comes of it ----------------------------------------------------------------------------------

    /// Whether this leg calls the target of a transfer.
    pub(super) fn is_referred(&self, id: LegId) -> bool {
        self.transfers.carried.as_ref().is_some_and(|t| t.stage == Stage::Calling(id))
    }

    /// The target rings, or is on its way to.
    pub(super) fn referred_progress(&mut self, status: u16, env: &mut Env<'_>) {
        self.progress_of_transfer(status, env);
    }

    /// The target answered: it takes the transferor's place.
    pub(super) fn referred_answered(
        &mut self,
        id: LegId,
        mut dialog: LegDialog,
        response: &Message,
        flow: &Flow,
        env: &mut Env<'_>,
    ) {
        let Some(transfer) = self.transfers.carried.as_mut() else { return };
        transfer.stage = Stage::Joining;
        let (old, stays) = (transfer.from, transfer.stays);
        let Some(leg) = self.leg(id) else { return };
        leg.flow = leg.flow.or_else(|| writing::needed_flow(response, flow));
        leg.state = LegState::Confirmed;
        let body = writing::body_of(response);
        dialog.note(Direction::Received, Carrier::InviteOk, response.cseq(), describes(body.as_ref()));
        leg.dialogs = vec![dialog];
        if let Some(sent) = leg.sent() {
            sent.give_up = None;
        }
        let mut swap = Swap::new(id, old, stays, Cause::Refer);
        swap.owed = Some((id, response.cseq()));
        swap.offer = description(body);
        let offers = swap.offer.is_some();
        self.begin_swap(swap, None);
        if !offers {
            return self.swap_failed(488, env);
        }
        self.poke_swap(env);
    }

    /// The transfer came to nothing: the old call goes on, unless the transferor has left it already.
    pub(super) fn transfer_failed(&mut self, code: u16, env: &mut Env<'_>) {
        let Some(transfer) = self.transfers.carried.as_mut() else { return };
        transfer.stage = Stage::Told;
        if transfer.left {
            self.transfers.carried = None;
            return self.hang_up(Initiator::Siphon, None, Some("transfer failed"), env);
        }
        self.progress_of_transfer(code, env);
        self.transfer_may_be_over();
    }

    /// The side that stays talks to its new peer.
    pub(super) fn transfer_succeeded(&mut self, env: &mut Env<'_>) {
        let until = env.now + LINGERS;
        let Some(transfer) = self.transfers.carried.as_mut() else { return };
        transfer.stage = Stage::Over(until);
        if !transfer.left {
            return self.progress_of_transfer(200, env);
        }
        self.transfers.carried = None;
        if self.joined.is_none() {
            self.hang_up(Initiator::Siphon, None, Some("transferred"), env);
        }
    }

    fn progress_of_transfer(&mut self, status: u16, env: &mut Env<'_>) {
        let mut told = Outputs::new();
        if let Some(notifier) = self.transfers.carried.as_mut().and_then(|t| t.notifier.as_mut()) {
            notifier.progress(status, env.now, &mut told);
        }
        self.tell_transferor(told, env);
    }

    fn tell_transferor(&mut self, told: Outputs, env: &mut Env<'_>) {
        for output in told {
            let Some(transfer) = self.transfers.carried.as_mut() else { return };
            match output {
                Told::Notify(said) => {
                    let from = transfer.from;
                    self.send_inside(from, Purpose::Notify, |leg| notify(leg, &said), env);
                }
                Told::Ended => transfer.notifier = None,
            }
        }
    }

    /// The response to a NOTIFY of ours; 408 for none.
    pub(super) fn notify_answered(&mut self, status: u16, env: &mut Env<'_>) {
        let mut told = Outputs::new();
        if let Some(notifier) = self.transfers.carried.as_mut().and_then(|t| t.notifier.as_mut()) {
            notifier.notified(status, env.now, &mut told);
        }
        self.tell_transferor(told, env);
        self.transfer_may_be_over();
    }

    fn transfer_may_be_over(&mut self) {
        self.transfers.carried.take_if(|t| t.stage == Stage::Told && t.notifier.is_none());
    }

    /// A leg has hung up. True when the call goes on without it.
    pub(super) fn goes_on_without(&mut self, id: LegId, env: &mut Env<'_>) -> bool {
        let Some((a, b)) = self.joined.filter(|_| self.phase == Phase::Answered) else {
            self.transfers.carried.take_if(|t| t.from == id && matches!(t.stage, Stage::Over(_)));
            return false;
        };
        let swap = self.transfers.swap.as_ref();
        if let Some(half_done) = swap.filter(|swap| swap.new == id).map(|swap| swap.is_half_done()) {
            self.swap_failed(487, env);
            if half_done {
                self.hang_up(Initiator::Siphon, None, Some("the new side is gone"), env);
            }
            return true;
        }
        if id != a && id != b {
            self.transfers.carried.take_if(|t| t.from == id);
            return true;
        }
        let transferor = self.transfers.carried.as_mut().filter(|t| t.from == id);
        if let Some(transfer) = transferor
            && !matches!(transfer.stage, Stage::Asked(_) | Stage::Told)
        {
            // RFC 5589 6.1: it need not wait for the outcome.
            (transfer.left, transfer.notifier) = (true, None);
            self.refuse_exchanges_of(id, env);
            return true;
        }
        if self.transfers.swap.as_ref().is_some_and(|swap| swap.old == id) {
            self.refuse_exchanges_of(id, env);
            return true;
        }
        false
    }

    /// The call ends, and what is open of a transfer with it.
    pub(super) fn end_transfers(&mut self, env: &mut Env<'_>) {
        self.drop_swap(env);
        if self.has_open_refer() {
            return self.reject_refer(&ReplySpec::code(487), env);
        }
        self.progress_of_transfer(487, env);
        self.transfers.carried = None;
        self.transfers.ours = None;
    }

    pub(super) fn transfer_deadline(&self) -> Option<Instant> {
        let carried = self.transfers.carried.as_ref();
        let notifier = carried.and_then(|t| t.notifier.as_ref()).and_then(Notifier::deadline);
        let over = carried.and_then(|t| match t.stage {
            Stage::Over(until) => Some(until),
            _ => None,
        });
        let ours = self.transfers.ours.as_ref().and_then(|r| r.deadline());
        let swap = self.transfers.swap.as_ref().and_then(|s| s.deadline());
        [notifier, over, ours, swap].into_iter().flatten().min()
    }

    pub(super) fn transfer_tick(&mut self, env: &mut Env<'_>) {
        let now = env.now;
        let mut told = Outputs::new();
        if let Some(notifier) = self.transfers.carried.as_mut().and_then(|t| t.notifier.as_mut()) {
            notifier.tick(now, &mut told);
        }
        self.tell_transferor(told, env);
        self.referring_tick(env);
        self.swap_tick(env);
        let over = |t: &mut Box<Transfer>| matches!(t.stage, Stage::Over(until) if until <= now);
        let Some(transfer) = self.transfers.carried.take_if(over) else { return };
        match self.joined {
            Some(_) => self.say_bye(transfer.from, Some("transferred"), env),
            None => self.hang_up(Initiator::Siphon, None, Some("transferred"), env),
        }
    }

    /// Does what waited until a dialog was free.
    pub(super) fn poke_transfers(&mut self, env: &mut Env<'_>) {
        self.poke_swap(env);
        self.poke_wish(env);
        let Some(transfer) = self.transfers.carried.as_ref() else { return };
        if let Stage::Due(replaces) = &transfer.stage {
            let (stays, replaces) = (transfer.stays, replaces.clone());
            self.lend(stays, replaces, env);
        }
    }

    /// A request that finds nobody on the other side, or a session that is being changed from here. True when it is
    /// answered.
    pub(super) fn is_between_peers(
        &mut self,
        from: LegId,
        server: ServerRef,
        method: Method,
        env: &mut Env<'_>,
    ) -> bool {
        let changes = matches!(method, Method::Invite | Method::Update);
        let other = self.other(from);
        let alone = other.is_some_and(|id| self.leg(id).is_none_or(|leg| leg.state == LegState::Gone));
        let moving = self.transfers.swap.is_some() || self.transfers.carried.is_some();
        if changes && self.transfers.swap.is_some() || alone && moving && changes {
            self.answer_inside(from, server, 491, env);
        } else if alone && moving {
            let code = if matches!(method, Method::Options | Method::Info) { 200 } else { 480 };
            self.answer_inside(from, server, code, env);
        } else {
            return false;
        }
        true
    }
}

/// The body and its type, where there is a session description.
pub(super) fn description(body: Option<Body>) -> Option<Body> {
    body.filter(|(kind, _)| super::exchange::is_sdp(kind))
}

/// A NOTIFY of ours.
fn notify(leg: &mut Leg, said: &Notification) -> Option<Outgoing> {
    let cseq = leg.dialog()?.dialog.next_cseq();
    let contact = leg.contact.clone();
    let dialog = &leg.dialogs.first()?.dialog;
    let headers = vec![
        ("Event".into(), said.event().to_string().into()),
        ("Subscription-State".into(), said.subscription_state().to_string().into()),
    ];
    let body = Some((sipfrag::CONTENT_TYPE.into(), said.body().into()));
    let request = writing::in_dialog(leg, dialog, "NOTIFY", cseq);
    Some(Outgoing { contact: Some(contact), headers, body, ..request })
}

/// A peer's address as the other side sees it, and the user part of our Contact there.
fn shown(remote: &str, host: &str) -> (String, Text) {
    match NameAddr::parse(remote) {
        Ok(address) => {
            let user = address.uri.user().map(Text::from).unwrap_or_default();
            (writing::address(address.display().as_deref(), &writing::hosted(&address.uri, host)), user)
        }
        Err(_) => (format!("<sip:anonymous@{host}>"), Text::default()),
    }
}
