//! The call, and where each input goes.

use super::early::{Held, How};
use super::exchange::Exchange;
use super::leg::{DialogId, End, Invite, Leg, LegDialog, LegId, LegState};
use super::port::{Answer, ClientRef, Env, Input, Output, ServerRef, Settings, Vars};
use super::refer::Transfers;
use super::refresh::Pace;
use super::setup::{Failure, Run};
use super::staging::Job;
use crate::base::flow::Flow;
use crate::base::text::Text;
use crate::base::time::Instant;
use crate::policy::call::{CallAction, CallState, Dial, HeaderPolicy, MAX_VARS, SessionRefresher, Var};
use crate::policy::{CallEvent, CallView, Initiator, Interest, ReplySpec};
use crate::proto::auth::client::Login;
use crate::wire::sip::{HeaderId, Message, Method};
use std::collections::VecDeque;

/// How far a call has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Phase {
    /// The caller has no final response.
    Setup,
    /// The caller has a 2xx.
    Answered,
    /// It is being taken down.
    Ending,
    /// Nothing is left.
    Over,
}

/// What a client transaction of the call is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Purpose {
    /// The INVITE of a leg.
    Invite(LegId),
    /// A request passed from the other side.
    Exchange(u32),
    /// The BYE of a leg.
    Bye(LegId),
    /// A PRACK that nobody waits for.
    Prack,
    /// A re-INVITE of ours.
    Rejoin(LegId),
    /// A NOTIFY about a transfer.
    Notify,
    /// A REFER of ours.
    Refer,
    /// A refresh of the session of a leg.
    Refresh(LegId),
}

/// What policy is being asked about.
#[derive(Clone, Debug)]
pub(super) enum Asking {
    /// A provisional response: leg, tag of its peer, response.
    Provisional(LegId, Message),
    /// The 2xx of a leg.
    Success(LegId, Message),
    /// No target answered.
    Failed,
    /// A REFER.
    Refer,
}

/// The media session of a call, where its media is anchored.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Anchor {
    pub(super) profile: Option<Text>,
}

/// Session-Expires, Min-SE and refresher that policy asked for (RFC 4028).
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct TimerWish {
    pub(super) expires: u32,
    pub(super) min_se: u32,
    pub(super) refresher: SessionRefresher,
}

/// A call of two legs.
#[derive(Clone, Debug)]
pub struct Call {
    pub(super) id: Text,
    pub(super) phase: Phase,
    pub(super) legs: Vec<Leg>,
    /// The INVITE as policy left it: what the B-legs are made of.
    pub(super) invite: Message,
    pub(super) run: Option<Run>,
    /// The two legs that talk to each other.
    pub(super) joined: Option<(LegId, LegId)>,
    pub(super) best: Option<Failure>,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) clients: Vec<(ClientRef, Purpose)>,
    pub(super) asking: Option<Asking>,
    /// What waits behind the open question, in order.
    pub(super) waiting: VecDeque<Asking>,
    pub(super) jobs: VecDeque<Job>,
    /// A 2xx to the caller that waits for a PRACK.
    pub(super) held: Option<Held>,
    pub(super) interest: Interest,
    pub(super) vars: Vars,
    pub(super) login: Option<Login>,
    pub(super) anchor: Option<Anchor>,
    /// The engine was given an offer, so there is something to delete.
    pub(super) has_media: bool,
    pub(super) timer_wish: Option<TimerWish>,
    pub(super) keep_call_id: bool,
    /// Of the last dial, for what passes later.
    pub(super) policy: HeaderPolicy,
    /// Challenges of the B side go to the caller, and its credentials to the B side.
    pub(super) shows_challenges: bool,
    pub(super) max_duration: Option<crate::base::time::Duration>,
    pub(super) ends: Option<Instant>,
    pub(super) transfers: Transfers,
    /// Somebody was told who hung up.
    pub(super) bye_told: bool,
    next_leg: u16,
    next_number: u32,
}

impl Call {
    /// The call that `invite` begins. `tag` is the To tag of responses to it, and `id` the name of the call.
    pub fn new(
        id: Text,
        tag: Text,
        server: ServerRef,
        invite: Message,
        flow: Flow,
        settings: &Settings,
        out: &mut Vec<Output>,
    ) -> Call {
        let leg = Leg {
            id: LegId::CALLER,
            who: Initiator::Caller,
            state: LegState::Early,
            call_id: invite.call_id().into(),
            contact: contact_user(&invite),
            dialogs: Vec::new(),
            flow: super::writing::needed_flow(&invite, &flow),
            unacked: None,
            described: None,
            pace: Pace::new(settings.session_timer),
            invite: Invite::Received { server, request: invite.clone(), tag: tag.clone(), answered: false },
        };
        out.push(Output::Found { leg: leg.id, call_id: leg.call_id.clone(), local_tag: tag });
        Call {
            id,
            phase: Phase::Setup,
            legs: vec![leg],
            invite,
            run: None,
            joined: None,
            best: None,
            exchanges: Vec::new(),
            clients: Vec::new(),
            asking: None,
            waiting: VecDeque::new(),
            jobs: VecDeque::new(),
            held: None,
            interest: Interest::default(),
            vars: Vec::new(),
            login: None,
            anchor: None,
            has_media: false,
            timer_wish: None,
            keep_call_id: false,
            policy: HeaderPolicy::default(),
            shows_challenges: false,
            max_duration: settings.max_duration,
            ends: None,
            transfers: Transfers::default(),
            bye_told: false,
            next_leg: 1,
            next_number: 1,
        }
    }

    /// Its name, stable over both legs.
    pub fn id(&self) -> &Text {
        &self.id
    }

    /// Whether [`Output::Ended`] was said.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Whether both sides have answered and nobody has hung up.
    pub fn is_answered(&self) -> bool {
        self.phase == Phase::Answered
    }

    /// The INVITE of the A-leg as policy left it.
    pub fn invite(&self) -> &Message {
        &self.invite
    }

    /// The flow of the A-leg, when it is needed to reach it.
    pub fn caller_flow(&self) -> Option<Flow> {
        self.legs.first().and_then(|leg| leg.flow)
    }

    /// The call as policy sees it.
    pub fn view(&self) -> CallView {
        let state = match self.phase {
            Phase::Setup if self.legs.iter().any(|l| l.is_sent() && l.is_live() && !l.dialogs.is_empty()) => {
                CallState::Ringing
            }
            Phase::Setup => CallState::Calling,
            Phase::Answered => CallState::Answered,
            Phase::Ending | Phase::Over => CallState::Terminating,
        };
        let last = self.joined.map(|(_, b)| b).and_then(|id| self.legs.iter().find(|l| l.id == id));
        let callee = last.or_else(|| self.legs.iter().rev().find(|l| l.is_sent()));
        CallView {
            id: self.id.clone(),
            state,
            vars: self.vars.clone(),
            anchored: self.anchor.is_some(),
            callee: callee.and_then(|leg| match &leg.invite {
                Invite::Sent(sent) => Some(sent.target.uri.clone()),
                Invite::Received { .. } => None,
            }),
        }
    }

    /// Feeds one input.
    pub fn handle(&mut self, input: Input, env: &mut Env<'_>) {
        match input {
            Input::Decided { actions, message, dropped, interest, finished } => {
                if let Some(interest) = interest {
                    self.interest = interest;
                }
                self.decided(actions, message, dropped, finished, env);
            }
            Input::Request { leg, server, request, flow } => self.on_request(leg, server, request, flow, env),
            Input::Ack { leg, request } => self.on_ack(leg, &request, env),
            Input::Cancel { server } => self.on_cancel(server, env),
            Input::Response { client, response, flow } => self.on_response(client, response, flow, env),
            Input::Failed { client, status } => self.on_failed(client, status, env),
            Input::Forgotten { client } => self.forgotten(client, env),
            Input::Media { job, sdp } => self.media_answered(job, sdp, env),
            Input::Adopt { leg, replaced, to } => self.adopt(*leg, replaced, to, env),
            Input::Returned { outcome } => self.lent_returned(outcome, env),
            Input::Terminate { why } => self.hang_up(Initiator::Siphon, None, Some(&why), env),
            Input::Tick => self.tick(env),
        }
        self.poke_transfers(env);
        self.settle(env);
    }

    /// When [`Input::Tick`] is wanted.
    pub fn deadline(&self) -> Option<Instant> {
        let legs = self.legs.iter().filter_map(Leg::deadline);
        let ends = self.ends.filter(|_| self.phase == Phase::Answered);
        legs.chain(ends).chain(self.transfer_deadline()).min()
    }

    /// Nothing more comes of a transaction. A cancelled INVITE that was answered after all, once or by several, owes
    /// nothing from here on (RFC 3261 13.2.2.4: 64*T1 after the first 2xx).
    fn forgotten(&mut self, client: ClientRef, env: &mut Env<'_>) {
        let Some(at) = self.clients.iter().position(|(c, _)| *c == client) else { return };
        if let (_, Purpose::Invite(leg)) = self.clients.swap_remove(at)
            && self.leg(leg).is_some_and(|l| l.is_sent() && l.state == LegState::Leaving && !l.said_bye())
        {
            self.leg_gone(leg, env);
        }
    }

    /// What policy wants, in order; then, when it has finished, what its question was about.
    fn decided(
        &mut self,
        actions: Vec<CallAction>,
        message: Option<Message>,
        dropped: bool,
        finished: bool,
        env: &mut Env<'_>,
    ) {
        let about_response = matches!(self.asking, Some(Asking::Provisional(..) | Asking::Success(..)));
        let mut edited = None;
        match message {
            Some(response) if about_response => edited = Some(response),
            Some(invite) if invite.is_request() => self.invite = invite,
            _ => {}
        }
        for action in actions {
            self.act(action, env);
        }
        if !finished {
            return;
        }
        match self.asking.take() {
            Some(Asking::Provisional(leg, response)) if !dropped || self.is_owed(leg, &response) => {
                self.pass_provisional(leg, &edited.unwrap_or(response), env);
            }
            Some(Asking::Provisional(..)) => {}
            Some(Asking::Success(leg, response)) => self.pass_success(leg, &edited.unwrap_or(response), env),
            Some(Asking::Failed) if self.run.is_none() => self.send_best(env),
            Some(Asking::Failed) => {}
            Some(Asking::Refer) => self.accept_refer(None, env.settings.refer, env),
            None if self.phase == Phase::Setup && self.is_idle() => {
                self.reply_to_caller(&ReplySpec::code(500), env);
            }
            None => {}
        }
        self.ask_next(env);
    }

    /// Nobody is called and nothing is asked: the caller would wait for ever.
    fn is_idle(&self) -> bool {
        self.run.is_none() && self.asking.is_none() && self.waiting.is_empty() && self.joined.is_none()
    }

    fn act(&mut self, action: CallAction, env: &mut Env<'_>) {
        match action {
            CallAction::Progress(spec) | CallAction::Answer(spec) => self.reply_to_caller(&spec, env),
            CallAction::RejectRefer(spec) => self.reject_refer(&spec, env),
            CallAction::Reject(spec) if self.has_open_refer() => self.reject_refer(&spec, env),
            CallAction::AcceptRefer { target, mode } => {
                let mode = mode.unwrap_or(env.settings.refer);
                self.accept_refer(target.map(|t| *t), mode, env);
            }
            CallAction::Refer { to, target } => self.refer_side(to, target, env),
            CallAction::Reject(spec) => {
                self.cancel_targets(env);
                self.reply_to_caller(&spec, env);
            }
            CallAction::Dial(dial) => self.dial(*dial, env),
            CallAction::Terminate(why) => self.hang_up(Initiator::Siphon, None, Some(&why), env),
            CallAction::Anchor { profile } => self.anchor = Some(Anchor { profile }),
            CallAction::Release => {
                self.anchor = None;
                self.release_media(env);
            }
            CallAction::SessionTimer { expires, min_se, refresher } => {
                let secs = |d: crate::base::time::Duration| u32::try_from(d.as_secs()).unwrap_or(u32::MAX);
                self.timer_wish = Some(TimerWish { expires: secs(expires), min_se: secs(min_se), refresher });
            }
            CallAction::Credentials { username, password } => {
                self.login = Some(Login {
                    realm: Text::default(),
                    user: username,
                    secret: crate::proto::auth::UserSecret::Password(password),
                });
            }
            CallAction::KeepCallId => self.keep_call_id = true,
            CallAction::MaxDuration(limit) => {
                self.max_duration = Some(limit);
                if self.phase == Phase::Answered {
                    self.ends = Some(env.now + limit);
                }
            }
            CallAction::SetVars(vars) => self.set_vars(vars),
        }
    }

    fn set_vars(&mut self, vars: Vec<(Text, Var)>) {
        for (name, value) in vars {
            if let Some(entry) = self.vars.iter_mut().find(|(n, _)| *n == name) {
                entry.1 = value;
            } else if self.vars.len() < MAX_VARS {
                self.vars.push((name, value));
            }
        }
    }

    // ---- questions -----------------------------------------------------------------------------------------

    /// Asks, or waits its turn.
    pub(super) fn ask(&mut self, about: Asking, env: &mut Env<'_>) {
        if self.asking.is_some() {
            let provisional = matches!(about, Asking::Provisional(..));
            if !provisional || self.waiting.len() < env.settings.max_waiting {
                self.waiting.push_back(about);
            }
            return;
        }
        let wanted = match &about {
            Asking::Provisional(..) => self.interest.early_media,
            Asking::Success(..) => self.interest.answers,
            Asking::Failed => self.interest.failures,
            Asking::Refer => self.interest.refers,
        };
        if !wanted {
            return self.unasked(about, env);
        }
        let event = match &about {
            Asking::Provisional(_, reply) => CallEvent::EarlyMedia { reply: reply.clone() },
            Asking::Success(_, reply) => CallEvent::Answered { reply: reply.clone() },
            Asking::Refer => match self.refer_event() {
                Some(event) => event,
                None => return self.ask_next(env),
            },
            Asking::Failed => self.best.as_ref().map(Failure::event).unwrap_or(CallEvent::Failed {
                code: 480,
                reason: crate::wire::sip::reason_phrase(480).into(),
                reply: None,
            }),
        };
        self.asking = Some(about);
        env.push(Output::Ask { event: Box::new(event) });
    }

    fn unasked(&mut self, about: Asking, env: &mut Env<'_>) {
        match about {
            Asking::Provisional(leg, response) => self.pass_provisional(leg, &response, env),
            Asking::Success(leg, response) => self.pass_success(leg, &response, env),
            Asking::Failed => self.send_best(env),
            Asking::Refer => self.accept_refer(None, env.settings.refer, env),
        }
    }

    fn ask_next(&mut self, env: &mut Env<'_>) {
        while self.asking.is_none() {
            let Some(about) = self.waiting.pop_front() else { return };
            self.ask(about, env);
        }
    }

    // ---- helpers -------------------------------------------------------------------------------------------

    pub(super) fn leg(&mut self, id: LegId) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.id == id)
    }

    pub(super) fn dialog_at(&mut self, end: End) -> Option<&mut LegDialog> {
        self.leg(end.leg)?.dialog_at(end.dialog)
    }

    pub(super) fn new_dialog_id(&mut self) -> DialogId {
        DialogId(self.new_number())
    }

    pub(super) fn new_leg_id(&mut self) -> LegId {
        let id = LegId(self.next_leg);
        self.next_leg = self.next_leg.saturating_add(1);
        id
    }

    pub(super) fn new_client(&mut self, purpose: Purpose) -> ClientRef {
        let client = ClientRef(self.new_number());
        self.clients.push((client, purpose));
        client
    }

    pub(super) fn new_number(&mut self) -> u32 {
        let number = self.next_number;
        self.next_number = self.next_number.wrapping_add(1);
        number
    }

    /// The leg that `leg` talks to.
    pub(super) fn other(&self, leg: LegId) -> Option<LegId> {
        let (a, b) = self.joined?;
        match leg {
            leg if leg == a => Some(b),
            leg if leg == b => Some(a),
            _ => None,
        }
    }

    /// The caller's INVITE transaction and the tag of plain responses to it.
    pub(super) fn caller(&self) -> Option<(ServerRef, Text, bool)> {
        match &self.legs.first()?.invite {
            Invite::Received { server, tag, answered, .. } => Some((*server, tag.clone(), *answered)),
            Invite::Sent(_) => None,
        }
    }

    /// Says what comes of nobody's doing but this node's.
    pub(super) fn reply_to_caller(&mut self, spec: &ReplySpec, env: &mut Env<'_>) {
        let Some((server, tag, false)) = self.caller() else { return };
        let answer = Answer {
            code: spec.code,
            reason: spec.reason.clone(),
            to_tag: tag,
            contact: (spec.code > 100 && spec.code < 300).then(|| self.own_contact(LegId::CALLER)),
            headers: spec.headers.clone(),
            body: spec.body.as_ref().map(|(t, b)| (t.clone(), b.as_slice().into())),
        };
        match spec.code {
            101..=199 => {
                self.make_way_for_progress(&answer.to_tag, env);
                self.tell_caller(server, Box::new(answer), How::default(), env);
            }
            200..=299 => {
                if self.plan_for_caller(env) {
                    self.succeed(server, answer, None, env);
                }
            }
            _ => {
                self.refuse_caller(env);
                env.push(Output::Respond { server, answer: Box::new(answer) });
                self.phase = Phase::Ending;
                self.release_media(env);
            }
        }
    }

    /// The caller's INVITE has its final refusal, or will have it at once.
    pub(super) fn refuse_caller(&mut self, env: &mut Env<'_>) {
        if let Some(leg) = self.leg(LegId::CALLER) {
            leg.state = LegState::Gone;
            if let Invite::Received { answered, .. } = &mut leg.invite {
                *answered = true;
            }
        }
        self.forget_dialogs(LegId::CALLER, env);
    }

    pub(super) fn own_contact(&self, leg: LegId) -> Text {
        self.legs.iter().find(|l| l.id == leg).map(|l| l.contact.clone()).unwrap_or_default()
    }

    /// Requests of this leg's dialogs are not ours any more.
    pub(super) fn forget_dialogs(&mut self, id: LegId, env: &mut Env<'_>) {
        let Some(leg) = self.leg(id) else { return };
        let (tags, call_id) = (leg.tags(), leg.call_id.clone());
        for local_tag in tags {
            env.push(Output::Lost { call_id: call_id.clone(), local_tag });
        }
    }

    fn on_response(&mut self, client: ClientRef, response: Message, flow: Flow, env: &mut Env<'_>) {
        let Some(purpose) = self.clients.iter().find(|(c, _)| *c == client).map(|(_, p)| *p) else { return };
        match purpose {
            Purpose::Invite(leg) => self.on_invite_response(leg, client, &response, &flow, env),
            Purpose::Exchange(number) => self.on_exchange_response(number, &response, env),
            Purpose::Rejoin(leg) => self.on_rejoin_response(leg, client, &response, env),
            Purpose::Notify | Purpose::Refer if response.status() < 200 => {}
            Purpose::Notify => self.notify_answered(response.status(), env),
            Purpose::Refer => {
                self.refer_answered(response.status(), response.refer_sub().ok().flatten(), env);
            }
            Purpose::Bye(leg) if response.status() >= 200 => self.leg_gone(leg, env),
            Purpose::Refresh(leg) => self.on_refresh_response(leg, client, &response, env),
            Purpose::Bye(_) | Purpose::Prack => {}
        }
    }

    fn on_failed(&mut self, client: ClientRef, status: u16, env: &mut Env<'_>) {
        let Some(purpose) = self.clients.iter().find(|(c, _)| *c == client).map(|(_, p)| *p) else { return };
        match purpose {
            Purpose::Invite(leg) => self.target_failed(leg, Failure::local(status), env),
            Purpose::Exchange(number) => self.exchange_failed(number, status, env),
            Purpose::Bye(leg) => self.leg_gone(leg, env),
            Purpose::Refresh(leg) => self.refresh_failed(leg, client, status, env),
            Purpose::Prack => {}
            Purpose::Rejoin(_) => self.rejoin_failed(client, status, env),
            Purpose::Notify => self.notify_answered(status, env),
            Purpose::Refer => self.refer_answered(status, None, env),
        }
    }

    /// What policy dials.
    fn dial(&mut self, dial: Dial, env: &mut Env<'_>) {
        let waits = self.phase == Phase::Setup && self.caller().is_some_and(|(_, _, answered)| !answered);
        if waits && !self.lend_caller(env) {
            self.start_run(dial, env);
        }
    }
}

/// The user part of our Contact towards whoever sent this: none of theirs.
fn contact_user(invite: &Message) -> Text {
    let to = invite.header(HeaderId::To);
    let user = to.as_deref().and_then(|to| {
        let to = crate::wire::sip::NameAddr::parse(to).ok()?;
        to.uri.user().map(Text::from)
    });
    debug_assert!(invite.method() == Method::Invite);
    user.unwrap_or_default()
}
