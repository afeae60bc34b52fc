//! Bodies on their way from side to side: through the media engine where the media is anchored, in the order in which
//! the messages came.
//!
//! Whatever goes from one leg to the other passes here, with a body or without, so that a 200 never overtakes the 183
//! before it. What must not wait (BYE, CANCEL, ACK to an answer) does not.

use super::call::Call;
use super::early::How;
use super::exchange::{describes, is_sdp};
use super::leg::{Leg, LegId, LegState};
use super::port::{Answer, ClientRef, Env, Outgoing, Output, Sdp, ServerRef};
use super::setup::Failure;
use super::writing::Body;
use crate::base::text::Octets;

/// A message that waits, or waits behind one that waits.
#[derive(Clone, Debug)]
pub(super) struct Job {
    number: u32,
    item: Item,
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq)]
enum Stage {
    /// The media engine is at it.
    Asked,
    /// It may go.
    Ready,
    /// The media engine failed.
    Failed,
}

/// What is to leave.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// The INVITE of a leg.
    Invite { leg: LegId, client: ClientRef, request: Box<Outgoing> },
    /// A provisional response to the caller.
    Provisional { server: ServerRef, answer: Box<Answer>, how: How },
    /// The 2xx to the caller.
    Success { server: ServerRef, answer: Box<Answer>, owes: Option<(LegId, u32)> },
    /// A request inside the call.
    Request { exchange: u32, client: ClientRef, leg: LegId, request: Box<Outgoing> },
    /// Its final response.
    Response { exchange: u32, answer: Box<Answer>, owes: Option<(LegId, u32)> },
    /// The ACK with the answer to a late offer.
    Ack { leg: LegId, cseq: u32, body: Option<Body> },
    /// The re-INVITE that offers what a new leg offers.
    Rejoin { client: ClientRef, leg: LegId, request: Box<Outgoing> },
    /// The 2xx to an INVITE with Replaces.
    Replacing { leg: LegId, server: ServerRef, answer: Box<Answer>, owes: Option<(LegId, u32)> },
}

impl Item {
    fn body(&mut self) -> &mut Option<Body> {
        match self {
            Item::Invite { request, .. } | Item::Request { request, .. } | Item::Rejoin { request, .. } => {
                &mut request.body
            }
            Item::Provisional { answer, .. }
            | Item::Success { answer, .. }
            | Item::Response { answer, .. }
            | Item::Replacing { answer, .. } => &mut answer.body,
            Item::Ack { body, .. } => body,
        }
    }
}

impl Call {
    /// Sends `item`, which came from one leg for the other, when its turn has come.
    pub(super) fn stage(
        &mut self,
        mut item: Item,
        from: LegId,
        to: LegId,
        is_offer: bool,
        env: &mut Env<'_>,
    ) {
        let number = self.new_number();
        let sdp = item.body().as_ref().filter(|(kind, _)| is_sdp(kind)).map(|(_, body)| body.clone());
        let stage = match (sdp, &self.anchor) {
            (Some(body), Some(anchor)) => {
                let profile = anchor.profile.clone();
                let (from_tag, to_tag) = (self.media_tag(from), self.media_tag(to));
                self.has_media = true;
                let sdp = Sdp { is_offer, from, to, from_tag, to_tag, body, profile };
                env.push(Output::Media { job: number, sdp: Box::new(sdp) });
                Stage::Asked
            }
            (Some(body), None) => match (self.described(from, &body, env.settings), item.body()) {
                (Some(passed), Some(entry)) => {
                    entry.1 = passed;
                    Stage::Ready
                }
                _ => Stage::Failed,
            },
            (None, _) => Stage::Ready,
        };
        self.jobs.push_back(Job { number, item, stage });
        self.pump(env);
    }

    /// The name the media engine knows a leg by: stable over early dialogs, since it is ours.
    fn media_tag(&self, id: LegId) -> crate::base::text::Text {
        format!("{}-{}", self.id, id.0).into()
    }

    pub(super) fn media_answered(&mut self, number: u32, sdp: Option<Octets>, env: &mut Env<'_>) {
        let Some(job) = self.jobs.iter_mut().find(|j| j.number == number && j.stage == Stage::Asked) else {
            return;
        };
        match (sdp, job.item.body()) {
            (Some(sdp), Some(body)) => {
                body.1 = sdp;
                job.stage = Stage::Ready;
            }
            _ => job.stage = Stage::Failed,
        }
        self.pump(env);
    }

    fn pump(&mut self, env: &mut Env<'_>) {
        while self.jobs.front().is_some_and(|job| job.stage != Stage::Asked) {
            let Some(job) = self.jobs.pop_front() else { return };
            match job.stage {
                Stage::Failed => self.without_media(job.item, env),
                _ => self.emit(job.item, env),
            }
        }
    }

    fn emit(&mut self, item: Item, env: &mut Env<'_>) {
        match item {
            Item::Invite { leg, client, request } => {
                let calls = self.leg(leg).is_some_and(|l| l.state == LegState::Early);
                // What is sent again with credentials is what the media engine made of it.
                if let Some(sent) = self.leg(leg).and_then(Leg::sent) {
                    sent.request.body = request.body.clone();
                }
                if calls {
                    env.push(Output::Send { client, leg, request });
                }
            }
            Item::Provisional { server, answer, how } => self.tell_caller(server, answer, how, env),
            Item::Success { server, answer, owes } => self.succeed(server, *answer, owes, env),
            Item::Request { exchange, client, leg, request } => {
                if let Some(exchange) = self.exchanges.iter_mut().find(|e| e.number == exchange) {
                    exchange.said = request.body.clone().filter(|body| describes(Some(body)));
                }
                env.push(Output::Send { client, leg, request });
            }
            Item::Response { exchange, answer, owes } => self.conclude(exchange, *answer, owes, env),
            Item::Rejoin { client, leg, request } => self.rejoin_leaves(client, leg, request, env),
            Item::Replacing { leg, server, answer, owes } => {
                self.replacing_answered(leg, server, *answer, owes, env);
            }
            Item::Ack { leg, cseq, body } => {
                if self.leg(leg).is_some_and(|l| l.state == LegState::Confirmed) {
                    self.acknowledge(leg, cseq, body, env);
                }
            }
        }
    }

    /// What happens to each when the media engine has failed.
    fn without_media(&mut self, item: Item, env: &mut Env<'_>) {
        match item {
            Item::Invite { leg, .. } => self.target_failed(leg, Failure::media(), env),
            // The caller hears that it rings, and nothing of early media.
            Item::Provisional { server, mut answer, how } => {
                answer.body = None;
                self.emit(Item::Provisional { server, answer, how: How::default() }, env);
                // An offer that nobody can be shown is never answered.
                if let Some(owed) = how.owed {
                    self.give_target_up(owed.to.leg, Failure::media(), env);
                }
            }
            Item::Success { .. } => self.success_without_media(env),
            Item::Request { exchange, .. } => self.exchange_failed(exchange, 503, env),
            Item::Response { exchange, mut answer, owes } => {
                if let Some((leg, cseq)) = owes {
                    self.acknowledge(leg, cseq, None, env);
                }
                *answer = Answer { code: 503, body: None, reason: None, contact: None, ..*answer };
                self.conclude(exchange, *answer, None, env);
            }
            Item::Rejoin { client, .. } => self.rejoin_failed(client, 503, env),
            Item::Replacing { .. } => self.swap_failed(503, env),
            Item::Ack { leg, cseq, .. } => {
                self.acknowledge(leg, cseq, None, env);
                self.hang_up(crate::policy::Initiator::Siphon, None, Some("media"), env);
            }
        }
    }

    /// The call ends while this waits.
    pub(super) fn abandon(&mut self, job: Job, env: &mut Env<'_>) {
        match job.item {
            Item::Invite { leg, .. } => self.leg_gone(leg, env),
            Item::Ack { leg, cseq, .. } => self.acknowledge(leg, cseq, None, env),
            Item::Response { owes: Some((leg, cseq)), .. } => self.acknowledge(leg, cseq, None, env),
            // Whoever waits for these is answered by whoever ends the call.
            Item::Provisional { .. }
            | Item::Success { .. }
            | Item::Request { .. }
            | Item::Response { .. }
            | Item::Rejoin { .. }
            | Item::Replacing { .. } => {}
        }
    }

    /// Takes an INVITE that has not left out of the queue.
    pub(super) fn unstage_invite(&mut self, client: ClientRef) -> bool {
        let before = self.jobs.len();
        self.jobs.retain(|job| !matches!(&job.item, Item::Invite { client: c, .. } if *c == client));
        self.jobs.len() < before
    }

    /// The same of a re-INVITE, which then is answered 487.
    pub(super) fn unstage_request(&mut self, client: ClientRef, env: &mut Env<'_>) -> bool {
        let staged = self
            .jobs
            .iter()
            .position(|job| matches!(&job.item, Item::Request { client: c, .. } if *c == client));
        let Some(Item::Request { exchange, .. }) =
            staged.and_then(|at| self.jobs.remove(at)).map(|job| job.item)
        else {
            return false;
        };
        self.exchange_failed(exchange, 487, env);
        true
    }
}
