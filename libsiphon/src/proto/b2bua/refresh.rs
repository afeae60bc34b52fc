//! Session timers (RFC 4028), each leg for itself: nothing of them passes from side to side.
//!
//! What one side's re-INVITE or UPDATE says of its session is answered on its leg, and our own terms go with it on the
//! other. Between them this node refreshes by itself where it is its turn: by UPDATE without a session description, or by
//! INVITE with the one that was said there last, to a peer that does not allow UPDATE.

use super::call::{Call, Purpose};
use super::exchange::{carriers, describes};
use super::leg::{Leg, LegId, LegState};
use super::port::{Answer, ClientRef, Env, Output, ServerRef, Settings};
use super::writing::{self, Body};
use crate::base::text::Text;
use crate::base::time::{Duration, Instant};
use crate::policy::{Header, Initiator, ReplySpec};
use crate::proto::session::timer::{Due, TooSmall};
use crate::proto::session::{Direction, Plan, Retry, SessionTimer, SessionTimerSettings};
use crate::wire::sip::{HeaderId, Message, Method};

/// After a refusal that does not say when to try again, in seconds.
const PAUSE: u32 = 10;

/// A refresh of ours that waits for its response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refresh {
    client: ClientRef,
    method: Method,
    cseq: u32,
}

/// The session timer of a leg, and what this node owes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) timer: SessionTimer,
    /// What the 2xx to the INVITE of the leg says.
    pub(super) plan: Plan,
    refresh: Option<Refresh>,
    retry: Retry,
    /// The peer does not say that it does not take UPDATE.
    pub(super) takes_update: bool,
}

impl Pace {
    pub(super) fn new(settings: SessionTimerSettings) -> Self {
        Pace {
            timer: SessionTimer::new(settings),
            plan: Plan::default(),
            refresh: None,
            retry: Retry::new(),
            takes_update: true,
        }
    }

    /// Whether a refresh of ours waits for its response.
    pub(super) fn is_refreshing(&self) -> bool {
        self.refresh.is_some()
    }

    /// The leg has come from another call: what that asked is not answered here.
    pub(super) fn moved(&mut self, now: Instant) {
        if self.refresh.take().is_some() {
            self.timer.refresh_failed(491, Duration::from_secs(PAUSE.into()), now);
        }
    }
}

impl Call {
    /// The terms of this call's sessions.
    pub(super) fn timer_settings(&self, settings: &Settings) -> SessionTimerSettings {
        let Some(wish) = self.timer_wish else { return settings.session_timer };
        SessionTimerSettings::new(wish.expires, wish.min_se, wish.refresher.into())
    }

    /// What the 2xx to the caller will say. False when the caller was refused: its interval is too small.
    pub(super) fn plan_for_caller(&mut self, env: &mut Env<'_>) -> bool {
        let wanted = self.timer_settings(env.settings);
        let Some(request) = self.caller_request().cloned() else { return true };
        let Some(caller) = self.legs.first_mut() else { return true };
        caller.pace = Pace::new(wanted);
        match plan(caller, &request) {
            Ok(plan) => {
                caller.pace.plan = plan;
                true
            }
            Err(small) => {
                let headers = vec![min_se(small.min_se)];
                self.reply_to_caller(&ReplySpec { headers, ..ReplySpec::code(422) }, env);
                false
            }
        }
    }

    /// A target found the interval too small: its INVITE goes out again with a longer one (RFC 4028 7.3).
    pub(super) fn raise_interval(&mut self, id: LegId, response: &Message, env: &mut Env<'_>) -> bool {
        let Some(leg) = self.leg(id) else { return false };
        if !leg.pace.timer.refused(response.min_se().ok().flatten()) {
            return false;
        }
        let fields = asked_fields(&leg.pace.timer);
        let Some(sent) = leg.sent() else { return false };
        sent.request.headers.retain(|(name, _)| {
            !matches!(HeaderId::from_name(name), HeaderId::SessionExpires | HeaderId::MinSe)
        });
        sent.request.headers.extend(fields);
        self.invite_again(id, env);
        true
    }

    /// A request that one side refreshes its session with.
    pub(super) fn plan_of(&mut self, id: LegId, request: &Message) -> Result<Option<Plan>, TooSmall> {
        match self.leg(id).filter(|leg| leg.state == LegState::Confirmed) {
            Some(leg) => plan(leg, request).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn refuse_interval(
        &mut self,
        id: LegId,
        server: ServerRef,
        small: TooSmall,
        env: &mut Env<'_>,
    ) {
        let headers = vec![min_se(small.min_se)];
        let to_tag = self.own_tag(id);
        let answer = Answer { code: 422, reason: None, to_tag, contact: None, headers, body: None };
        env.push(Output::Respond { server, answer: Box::new(answer) });
    }

    /// An UPDATE that refreshes and says nothing else, where the other side could not take it.
    pub(super) fn answer_refresh(
        &mut self,
        id: LegId,
        server: ServerRef,
        plan: Option<Plan>,
        env: &mut Env<'_>,
    ) {
        let (to_tag, contact) = (self.own_tag(id), self.own_contact(id));
        let mut headers = Vec::new();
        if let (Some(leg), Some(plan)) = (self.leg(id), plan) {
            say_plan(leg, plan, &mut headers, env.now);
        }
        let answer = Answer { code: 200, reason: None, to_tag, contact: Some(contact), headers, body: None };
        env.push(Output::Respond { server, answer: Box::new(answer) });
    }

    /// The time of a leg's session has come.
    pub(super) fn session_due(&mut self, id: LegId, env: &mut Env<'_>) {
        let now = env.now;
        let Some(leg) = self.leg(id).filter(|leg| leg.state == LegState::Confirmed) else { return };
        match leg.pace.timer.tick(now) {
            Some(Due::Refresh(method)) => self.refresh(id, method, env),
            Some(Due::Expired) => self.expired(env),
            None => {}
        }
    }

    fn expired(&mut self, env: &mut Env<'_>) {
        self.hang_up(Initiator::Siphon, None, Some("session expired"), env);
    }

    fn refresh(&mut self, id: LegId, method: Method, env: &mut Env<'_>) {
        let Some(leg) = self.leg(id) else { return };
        let Some(dialog) = leg.dialogs.first() else { return };
        let number = dialog.id;
        let body: Option<Body> = dialog.said.clone().filter(|_| method == Method::Invite);
        let sdp = body.is_some();
        let Some([asked, ..]) = carriers(method) else { return };
        let fits = sdp || method == Method::Update;
        let free = dialog.session.check(Direction::Sent, asked, 0, sdp).is_ok() && leg.unacked.is_none();
        if !free || !fits || leg.pace.refresh.is_some() {
            return self.refresh_again(id, None, env);
        }
        let Some(mut request) = writing::own(leg, number, method) else { return };
        request.contact = Some(leg.contact.clone());
        request.headers.push((Text::from("Allow"), Text::from(writing::ALLOW)));
        request.headers.push((Text::from("Supported"), Text::from("timer")));
        request.headers.extend(asked_fields(&leg.pace.timer));
        request.body = body;
        let cseq = request.cseq;
        if let Some(dialog) = leg.dialog() {
            dialog.note(Direction::Sent, asked, cseq, sdp);
        }
        let client = self.new_client(Purpose::Refresh(id));
        if let Some(leg) = self.leg(id) {
            leg.pace.refresh = Some(Refresh { client, method, cseq });
        }
        env.push(Output::Send { client, leg: id, request: Box::new(request) });
    }

    pub(super) fn on_refresh_response(
        &mut self,
        id: LegId,
        client: ClientRef,
        response: &Message,
        env: &mut Env<'_>,
    ) {
        let (status, now) = (response.status(), env.now);
        if status < 200 {
            return;
        }
        let Some(leg) = self.leg(id) else { return };
        let Some(refresh) = leg.pace.refresh.take_if(|r| r.client == client) else {
            if status < 300 && response.cseq_method() == Method::Invite {
                let _known = self.acknowledge_again(response, env);
            }
            return;
        };
        let sdp = describes(writing::body_of(response).as_ref());
        let succeeded = status < 300;
        note_refresh(leg, refresh, succeeded, sdp);
        if !succeeded {
            return self.refresh_refused(id, refresh.method, status, Some(response), env);
        }
        if let Some(dialog) = leg.dialog() {
            dialog.dialog.refresh(response);
        }
        accepted(leg, response, now);
        if refresh.method == Method::Invite {
            self.acknowledge(id, refresh.cseq, None, env);
        }
    }

    /// No response to a refresh.
    pub(super) fn refresh_failed(&mut self, id: LegId, client: ClientRef, status: u16, env: &mut Env<'_>) {
        let Some(leg) = self.leg(id) else { return };
        let Some(refresh) = leg.pace.refresh.take_if(|r| r.client == client) else { return };
        note_refresh(leg, refresh, false, false);
        self.refresh_refused(id, refresh.method, status, None, env);
    }

    fn refresh_refused(
        &mut self,
        id: LegId,
        method: Method,
        status: u16,
        response: Option<&Message>,
        env: &mut Env<'_>,
    ) {
        let now = env.now;
        let Some(leg) = self.leg(id).filter(|leg| leg.state == LegState::Confirmed) else { return };
        match status {
            408 | 481 => {
                leg.pace.timer.refresh_failed(status, Duration::default(), now);
                self.expired(env);
            }
            405 | 501 if method == Method::Update => {
                leg.pace.timer.refresh_failed(status, Duration::default(), now);
            }
            422 if leg.pace.timer.refused(response.and_then(|r| r.min_se().ok().flatten())) => {
                self.refresh(id, method, env);
            }
            491 => self.refresh_again(id, None, env),
            _ => {
                let wait = response
                    .and_then(|r| r.header(HeaderId::RetryAfter))
                    .and_then(|value| value.split([';', '(', ' ']).next().and_then(|secs| secs.parse().ok()));
                self.refresh_again(id, Some(wait.unwrap_or(PAUSE)), env);
            }
        }
    }

    /// Tries later; after `secs`, or as glare says. After the last try the session runs out.
    fn refresh_again(&mut self, id: LegId, secs: Option<u32>, env: &mut Env<'_>) {
        let now = env.now;
        let Some(leg) = self.leg(id) else { return };
        let at = match secs {
            Some(secs) => leg.pace.retry.busy(secs, now),
            None => leg.pace.retry.glare(leg.is_sent(), env.rng, now),
        };
        if let Some(at) = at {
            leg.pace.timer.refresh_failed(491, at.since(now), now);
        }
    }
}

/// What our 2xx to a request of a leg's peer will say.
fn plan(leg: &mut Leg, request: &Message) -> Result<Plan, TooSmall> {
    heed_allow(leg, request);
    let interval = request.session_expires().ok().flatten();
    leg.pace.timer.asked(interval, request.min_se().ok().flatten(), request.supports("timer"))
}

fn heed_allow(leg: &mut Leg, message: &Message) {
    if let Some(allow) = message.allow() {
        leg.pace.timer.peer_allows(allow);
        leg.pace.takes_update = allow.contains(Method::Update);
    }
}

/// The 2xx to an INVITE or UPDATE of ours.
pub(super) fn accepted(leg: &mut Leg, response: &Message, now: Instant) {
    heed_allow(leg, response);
    leg.pace.retry.clear();
    leg.pace.timer.accepted(response.session_expires().ok().flatten(), now);
}

/// The 2xx to a request of the peer leaves.
pub(super) fn say_plan(leg: &mut Leg, plan: Plan, headers: &mut Vec<Header>, now: Instant) {
    let own = [
        Some((Text::from("Allow"), Text::from(writing::ALLOW))),
        leg.pace.timer.ask().map(|_| (Text::from("Supported"), Text::from("timer"))),
        plan.requires_timer().then(|| (Text::from("Require"), Text::from("timer"))),
        plan.session_expires().map(|s| (Text::from("Session-Expires"), s.to_string().into())),
    ];
    for field in own.into_iter().flatten() {
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(&field.0)) {
            headers.push(field);
        }
    }
    leg.pace.timer.answered(plan, now);
}

/// What the INVITE of a target says of the extensions of its leg.
pub(super) fn extensions(reliable: bool, timer: &SessionTimer) -> Vec<Header> {
    let supported = [("100rel", reliable), ("timer", timer.ask().is_some())];
    let supported: Vec<&str> = supported.into_iter().filter(|(_, is)| *is).map(|(tag, _)| tag).collect();
    let mut headers = Vec::new();
    if !supported.is_empty() {
        headers.push((Text::from("Supported"), supported.join(", ").into()));
    }
    headers.extend(asked_fields(timer));
    headers
}

/// Session-Expires and Min-SE of a request of ours.
pub(super) fn asked_fields(timer: &SessionTimer) -> impl Iterator<Item = Header> + use<> {
    let ask = timer.ask();
    let interval = ask.map(|ask| (Text::from("Session-Expires"), ask.session_expires.to_string().into()));
    interval.into_iter().chain(ask.and_then(|ask| ask.min_se).map(min_se))
}

fn min_se(secs: u32) -> Header {
    (Text::from("Min-SE"), secs.to_string().into())
}

fn note_refresh(leg: &mut Leg, refresh: Refresh, succeeded: bool, sdp: bool) {
    if let (Some([_, ok, failed]), Some(dialog)) = (carriers(refresh.method), leg.dialog()) {
        dialog.note(Direction::Received, if succeeded { ok } else { failed }, refresh.cseq, sdp);
    }
}
