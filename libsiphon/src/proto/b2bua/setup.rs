//! Calling the other side: targets in their order, forks, provisional responses, and what a failure leads to.

use super::call::{Asking, Call, Phase, Purpose};
use super::leg::{Invite, Leg, LegDialog, LegId, LegState, SentInvite};
use super::port::{Answer, ClientRef, Env, Hop, Output};
use super::refresh::{Pace, extensions};
use super::staging::Item;
use crate::base::flow::Flow;
use crate::base::text::Text;
use crate::policy::call::Dial;
use crate::policy::target::Strategy;
use crate::policy::{CallEvent, Initiator, ReplySpec, Target};
use crate::proto::dialog::Dialog;
use crate::wire::sip::{HeaderId, Message, NameAddr, reason_phrase};
use std::collections::VecDeque;

/// A dial that is being worked off.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) dial: Dial,
    /// Targets that are called together, group after group.
    pub(super) groups: VecDeque<Vec<Target>>,
    /// Contacts of a 3xx, to be called when the group has failed.
    pub(super) redirected: Vec<Target>,
}

/// Why a target did not answer.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) code: u16,
    pub(super) reason: Text,
    pub(super) response: Option<Message>,
}

impl Failure {
    /// One that no response tells.
    pub(super) fn local(code: u16) -> Self {
        Failure { code, reason: reason_phrase(code).into(), response: None }
    }

    /// The media engine could not make an offer.
    pub(super) fn media() -> Self {
        Failure { code: 503, reason: "media".into(), response: None }
    }

    fn received(response: &Message) -> Self {
        Failure {
            code: response.status(),
            reason: response.reason().into(),
            response: Some(response.clone()),
        }
    }

    pub(super) fn event(&self) -> CallEvent {
        CallEvent::Failed { code: self.code, reason: self.reason.clone(), reply: self.response.clone() }
    }

    /// RFC 3261 16.7 step 6: a 6xx before all, then the lowest class; within 4xx those that help to try again.
    fn rank(&self) -> u16 {
        match self.code {
            600.. => 0,
            401 | 407 | 415 | 420 | 484 => 400,
            code => code.saturating_add(100),
        }
    }
}

/// Contacts of one 3xx that are followed.
const MAX_REDIRECTS: usize = 8;

impl Call {
    pub(super) fn start_run(&mut self, dial: Dial, env: &mut Env<'_>) {
        self.policy = dial.headers.clone();
        if !self.is_readable(super::writing::body_of(&self.invite).as_ref(), env.settings) {
            return self.reply_to_caller(&ReplySpec::code(488), env);
        }
        let unknown = self.caller_request().map(|r| super::writing::unsupported(r, env.settings));
        if let Some(unknown) = unknown.filter(|tags| !tags.is_empty()) {
            let headers = vec![(Text::from("Unsupported"), Text::from(unknown.join(", ")))];
            return self.reply_to_caller(&ReplySpec { headers, ..ReplySpec::code(420) }, env);
        }
        if !self.plan_for_caller(env) {
            return;
        }
        let targets = dial.targets.clone();
        let groups = match dial.strategy {
            Strategy::Parallel => VecDeque::from([targets]),
            Strategy::Sequential => targets.into_iter().map(|t| vec![t]).collect(),
            Strategy::ByPreference => by_preference(targets),
        };
        self.shows_challenges = dial.auth_passthrough;
        self.run = Some(Run { dial, groups, redirected: Vec::new() });
        self.best = None;
        self.next_group(env);
    }

    /// Calls the next targets; without any the run has failed.
    fn next_group(&mut self, env: &mut Env<'_>) {
        loop {
            let Some(run) = self.run.as_mut() else { return };
            let redirected = std::mem::take(&mut run.redirected);
            let group = if redirected.is_empty() { run.groups.pop_front() } else { Some(redirected) };
            let Some(group) = group else {
                self.run = None;
                return self.ask(Asking::Failed, env);
            };
            let mut called = false;
            for target in group {
                called |= self.call_target(target, env);
            }
            if called {
                return;
            }
        }
    }

    /// Makes a leg for `target` and its INVITE. False when there is no room for another leg.
    fn call_target(&mut self, target: Target, env: &mut Env<'_>) -> bool {
        if self.legs.len() >= env.settings.max_legs {
            return false;
        }
        let Some(run) = &self.run else { return false };
        let dial = run.dial.clone();
        let id = self.new_leg_id();
        let tag = env.tag();
        let call_id = match self.keep_call_id {
            true => Text::from(self.invite.call_id()),
            false => (env.call_id)(env.rng),
        };
        let client = self.new_client(Purpose::Invite(id));
        let (mut request, sent) = self.first_invite(&dial, &target, &call_id, &tag, env);
        let has_offer = super::exchange::describes(request.body.as_ref());
        let reliable = self.offers_reliable(env.settings);
        let pace = Pace::new(self.timer_settings(env.settings));
        request.headers.extend(extensions(reliable, &pace.timer));
        env.push(Output::Found { leg: id, call_id: call_id.clone(), local_tag: tag });
        self.legs.push(Leg {
            id,
            who: Initiator::Callee,
            state: LegState::Early,
            call_id,
            contact: request.contact.clone().unwrap_or_default(),
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
                has_offer,
                reliable,
                cancelled: false,
                give_up: Some(env.now + dial.timeout),
                timeout: dial.timeout,
                logins: 0,
            })),
        });
        self.stage(
            Item::Invite { leg: id, client, request: Box::new(request) },
            LegId::CALLER,
            id,
            true,
            env,
        );
        // The media engine may have failed at once, and the leg with it.
        true
    }

    pub(super) fn on_invite_response(
        &mut self,
        id: LegId,
        client: ClientRef,
        response: &Message,
        flow: &Flow,
        env: &mut Env<'_>,
    ) {
        let status = response.status();
        if status < 200 {
            return self.on_provisional(id, response, flow, env);
        }
        if status < 300 {
            return self.on_success(id, response, flow, env);
        }
        let Some(sent) = self.leg(id).and_then(Leg::sent).filter(|s| s.client == Some(client)) else {
            return;
        };
        sent.client = None;
        let cancelled = sent.cancelled;
        if cancelled {
            return self.leg_gone(id, env);
        }
        if matches!(status, 401 | 407) && self.log_in(id, response, env) {
            return;
        }
        if status == 422 && self.raise_interval(id, response, env) {
            return;
        }
        let follows = self.run.as_ref().is_some_and(|run| run.dial.follow_redirects);
        if status / 100 == 3
            && follows
            && let Some(run) = self.run.as_mut()
        {
            run.redirected.extend(redirects(response));
        }
        self.target_failed(id, Failure::received(response), env);
    }

    fn on_provisional(&mut self, id: LegId, response: &Message, flow: &Flow, env: &mut Env<'_>) {
        if response.status() == 100 {
            return;
        }
        let (most, number) = (env.settings.max_early, self.new_dialog_id());
        let Some(leg) = self.leg(id) else { return };
        if leg.state != LegState::Early {
            return;
        }
        let Invite::Sent(sent) = &leg.invite else { return };
        if sent.cancelled {
            return;
        }
        let tag = response.to_tag().unwrap_or_default();
        if leg.dialog_with(tag).is_none() && !tag.is_empty() {
            if leg.dialogs.len() >= most {
                return;
            }
            let Invite::Sent(sent) = &leg.invite else { return };
            let Ok(dialog) = Dialog::uac(&sent.sent, response) else { return };
            let dialog = LegDialog::called(number, dialog, sent);
            leg.dialogs.push(dialog);
        } else if let Some(known) = leg.dialog_with(tag) {
            known.dialog.refresh(response);
        }
        if leg.flow.is_none() {
            leg.flow = super::writing::needed_flow(response, flow);
        }
        if self.is_referred(id) {
            return self.referred_progress(response.status(), env);
        }
        if self.hear(id, response, env) {
            self.ask(Asking::Provisional(id, response.clone()), env);
        }
    }

    /// A provisional response goes to the caller, under the tag that stands for its dialog.
    pub(super) fn pass_provisional(&mut self, id: LegId, response: &Message, env: &mut Env<'_>) {
        let Some((server, _, false)) = self.caller() else { return };
        if self.phase != Phase::Setup || self.leg(id).is_none_or(|l| !l.is_live()) {
            return;
        }
        let to_tag = self.caller_tag_for(id, response.to_tag().unwrap_or_default(), env);
        let answer = Answer {
            code: response.status(),
            reason: Some(response.reason().into()),
            to_tag,
            contact: Some(self.own_contact(LegId::CALLER)),
            headers: self.passed(response, env.settings),
            body: super::writing::body_of(response),
        };
        let how = self.how_it_came(id, response);
        let is_offer = how.owed.is_some();
        let item = Item::Provisional { server, answer: Box::new(answer), how };
        self.stage(item, id, LegId::CALLER, is_offer, env);
    }

    /// The tag towards the caller that stands for a dialog of a B-leg: the first takes the tag of the INVITE's plain
    /// responses, further ones a tag of their own, so that answers of forks are not mixed (RFC 3261 12.1, 13.2.1).
    pub(super) fn caller_tag_for(&mut self, id: LegId, remote_tag: &str, env: &mut Env<'_>) -> Text {
        let other = (id, Text::from(remote_tag));
        let Some(caller) = self.legs.first() else { return Text::default() };
        if let Some(known) = caller.dialogs.iter().find(|d| d.other.as_ref() == Some(&other)) {
            return known.dialog.local_tag.clone();
        }
        let Invite::Received { request, tag, .. } = &caller.invite else { return Text::default() };
        let tag = if caller.dialogs.is_empty() { tag.clone() } else { env.tag() };
        let (request, call_id) = (request.clone(), caller.call_id.clone());
        let number = self.new_dialog_id();
        if let Ok(dialog) = Dialog::uas(&request, &tag)
            && let Some(caller) = self.legs.first_mut()
        {
            let dialog = LegDialog::calling(number, dialog, &request);
            caller.dialogs.push(LegDialog { other: Some(other), ..dialog });
            env.push(Output::Found { leg: LegId::CALLER, call_id, local_tag: tag.clone() });
        }
        tag
    }

    /// A target is out. The rest of its group goes on; the last one's failure decides what comes next.
    pub(super) fn target_failed(&mut self, id: LegId, failure: Failure, env: &mut Env<'_>) {
        let Some(leg) = self.leg(id) else { return };
        let was_called = leg.state == LegState::Early;
        match leg.sent() {
            // A time-out of the INVITE, after an answer or a CANCEL.
            Some(sent) if was_called || sent.cancelled => sent.client = None,
            _ => return,
        }
        self.leg_gone(id, env);
        if self.is_referred(id) {
            return self.transfer_failed(failure.code, env);
        }
        if self.phase != Phase::Setup || !was_called {
            return;
        }
        let (code, is_final) = (failure.code, failure.code >= 600);
        if self.best.as_ref().is_none_or(|best| failure.rank() < best.rank()) {
            self.best = Some(failure);
        }
        if is_final {
            // RFC 3261 16.7 step 5: a 6xx ends all.
            self.cancel_targets(env);
            if let Some(run) = self.run.as_mut() {
                run.groups.clear();
                run.redirected.clear();
            }
        }
        let Some(run) = self.run.as_mut() else { return };
        let goes_on = run.dial.failover.is_empty() || run.dial.failover.contains(&code);
        if !goes_on && run.dial.strategy != Strategy::Parallel {
            run.groups.clear();
        }
        let still_calling = self.legs.iter().any(|leg| leg.is_sent() && leg.state == LegState::Early);
        if !still_calling {
            self.next_group(env);
        }
    }

    /// Gives up on whoever has not answered.
    pub(super) fn cancel_targets(&mut self, env: &mut Env<'_>) {
        self.run = None;
        let calling: Vec<LegId> = self
            .legs
            .iter()
            .filter(|leg| leg.is_sent() && leg.state == LegState::Early)
            .map(|leg| leg.id)
            .collect();
        for id in calling {
            self.cancel_target(id, env);
        }
    }

    pub(super) fn cancel_target(&mut self, id: LegId, env: &mut Env<'_>) {
        let Some(sent) = self.leg(id).and_then(Leg::sent) else { return };
        if std::mem::replace(&mut sent.cancelled, true) {
            return;
        }
        sent.give_up = None;
        let client = sent.client;
        match client {
            Some(client) if !self.unstage_invite(client) => {
                // What comes of the CANCEL is the leg's own affair; the call goes on without it.
                if let Some(leg) = self.leg(id) {
                    leg.state = LegState::Leaving;
                }
                env.push(Output::Cancel { client });
            }
            // Its INVITE has not left: it waits for the media engine.
            _ => self.leg_gone(id, env),
        }
    }

    /// The ring time-out of a target (RFC 3261 16.8 for a proxy; here the caller of the leg decides).
    pub(super) fn ring_timeout(&mut self, id: LegId, env: &mut Env<'_>) {
        self.give_target_up(id, Failure::local(408), env);
    }

    /// Cancels a target that rings and goes on to the next.
    pub(super) fn give_target_up(&mut self, id: LegId, failure: Failure, env: &mut Env<'_>) {
        self.cancel_target(id, env);
        if self.is_referred(id) {
            return self.transfer_failed(failure.code, env);
        }
        if self.best.as_ref().is_none_or(|best| failure.rank() < best.rank()) {
            self.best = Some(failure);
        }
        let still_calling = self.legs.iter().any(|leg| leg.is_sent() && leg.state == LegState::Early);
        if self.phase == Phase::Setup && !still_calling {
            self.next_group(env);
        }
    }

    /// Every target failed and policy had no better idea.
    pub(super) fn send_best(&mut self, env: &mut Env<'_>) {
        let failure = self.best.take().unwrap_or_else(|| Failure::local(480));
        let Some((server, tag, false)) = self.caller() else { return };
        let Some(response) = &failure.response else {
            let spec = ReplySpec { code: failure.code, reason: Some(failure.reason), ..ReplySpec::default() };
            return self.reply_to_caller(&spec, env);
        };
        let passthrough = self.shows_challenges;
        // A challenge that the caller is not shown is a refusal (RFC 3261 21.4.4).
        let code = match response.status() {
            401 | 407 if !passthrough => 403,
            code => code,
        };
        let mut headers = self.passed(response, env.settings);
        if passthrough {
            for id in [HeaderId::WwwAuthenticate, HeaderId::ProxyAuthenticate] {
                headers.extend(response.values(id).map(|v| (Text::from(id.name()), Text::from(&*v))));
            }
        }
        let reason = (code == response.status()).then(|| Text::from(response.reason()));
        let answer = Answer { code, reason, to_tag: tag, contact: None, headers, body: None };
        self.refuse_caller(env);
        env.push(Output::Respond { server, answer: Box::new(answer) });
        self.phase = Phase::Ending;
        self.release_media(env);
    }

    /// Where an in-dialog request of this leg goes.
    pub(super) fn hop_of(leg: &Leg, routed: bool) -> Hop {
        match leg.flow {
            Some(flow) if !routed => Hop::Flow(flow),
            _ => Hop::Path,
        }
    }
}

fn by_preference(mut targets: Vec<Target>) -> VecDeque<Vec<Target>> {
    targets.sort_by_key(|t| std::cmp::Reverse(t.q));
    let mut groups: VecDeque<Vec<Target>> = VecDeque::new();
    for target in targets {
        match groups.back_mut() {
            Some(group) if group.first().is_some_and(|t| t.q == target.q) => group.push(target),
            _ => groups.push_back(vec![target]),
        }
    }
    groups
}

/// The targets a 3xx names, best first (RFC 3261 8.1.3.4).
fn redirects(response: &Message) -> Vec<Target> {
    let contacts = response.contacts().filter_map(Result::ok).filter(|c: &NameAddr<'_>| c.uri.is_sip());
    let mut targets: Vec<Target> = contacts
        .take(MAX_REDIRECTS)
        .map(|c| Target { q: c.q().unwrap_or(1000), ..Target::uri(c.uri.as_str()) })
        .collect();
    targets.sort_by_key(|t| std::cmp::Reverse(t.q));
    targets
}
