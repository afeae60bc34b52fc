//! Requests inside the call: what one side asks, the other answers.

use super::call::{Call, Phase, Purpose};
use super::leg::{Leg, LegId, LegState, Unacked};
use super::port::{Answer, ClientRef, Env, Output, ServerRef};
use super::staging::Item;
use super::writing;
use crate::base::flow::Flow;
use crate::base::text::Text;
use crate::policy::Initiator;
use crate::wire::sip::{Message, Method};

/// A request on its way from one leg to the other.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) number: u32,
    pub(super) from: LegId,
    pub(super) server: ServerRef,
    pub(super) to: LegId,
    pub(super) client: Option<ClientRef>,
    pub(super) method: Method,
    /// CSeq number of the request as received.
    pub(super) cseq: u32,
    /// CSeq number of the request as sent.
    pub(super) sent_cseq: u32,
    pub(super) has_body: bool,
    /// The final response waits for the media engine.
    pub(super) is_answered: bool,
}

impl Exchange {
    /// INVITE and UPDATE change the session; only one such at a time (RFC 3261 14, RFC 3311 5).
    fn changes_session(&self) -> bool {
        matches!(self.method, Method::Invite | Method::Update)
    }
}

impl Call {
    pub(super) fn on_request(
        &mut self,
        id: LegId,
        server: ServerRef,
        request: Message,
        flow: Flow,
        env: &mut Env<'_>,
    ) {
        let Some(dialog) = self.leg(id).and_then(|leg| {
            let tag = request.from_tag().unwrap_or_default().to_owned();
            let at = leg
                .dialogs
                .iter()
                .position(|d| *d.dialog.remote_tag == *tag && Some(&*d.dialog.local_tag) == request.to_tag());
            leg.dialogs.get_mut(at?)
        }) else {
            return self.answer_inside(id, server, 481, env);
        };
        if dialog.dialog.received(&request).is_err() {
            return self.answer_inside(id, server, 500, env);
        }
        let method = request.method();
        if method == Method::Bye {
            return self.on_bye(id, server, &request, env);
        }
        if self.leg(id).is_none_or(|leg| !leg.is_live()) || self.phase == Phase::Ending {
            return self.answer_inside(id, server, 481, env);
        }
        let unknown: Vec<Text> = writing::unsupported(&request);
        if !unknown.is_empty() {
            return self.refuse_options(id, server, &unknown, env);
        }
        if let Some(leg) = self.leg(id)
            && matches!(method, Method::Invite | Method::Update)
        {
            if leg.flow.is_some() {
                leg.flow = writing::needed_flow(&request, &flow).or(leg.flow);
            }
            if let Some(dialog) = leg.dialog() {
                dialog.dialog.refresh(&request);
            }
        }
        self.pass_request(id, server, &request, env);
    }

    fn refuse_options(&mut self, id: LegId, server: ServerRef, unknown: &[Text], env: &mut Env<'_>) {
        let to_tag = self.own_tag(id);
        let headers = vec![(Text::from("Unsupported"), Text::from(unknown.join(", ")))];
        let answer = Answer { code: 420, reason: None, to_tag, contact: None, headers, body: None };
        env.push(Output::Respond { server, answer: Box::new(answer) });
    }

    /// Sends a request on to the other side.
    fn pass_request(&mut self, from: LegId, server: ServerRef, request: &Message, env: &mut Env<'_>) {
        let method = request.method();
        let Some(to) = self.counterpart(from, request) else {
            return self.answer_alone(from, server, request, env);
        };
        if self.exchanges.len() >= env.settings.max_exchanges {
            return self.answer_inside(from, server, 503, env);
        }
        if !self.is_readable(writing::body_of(request).as_ref(), env.settings) {
            return self.answer_inside(from, server, 488, env);
        }
        let changes = matches!(method, Method::Invite | Method::Update);
        if changes && let Some(code) = self.session_is_busy(from, to) {
            return self.refuse_change(from, server, code, env);
        }
        if self.leg(to).is_none_or(|leg| !leg.is_live() || leg.dialogs.is_empty()) {
            return self.answer_inside(from, server, 481, env);
        }
        let number = self.new_number();
        let client = self.new_client(Purpose::Exchange(number));
        let headers = self.passed(request, env.settings);
        let Some(leg) = self.leg(to) else { return };
        let Some(outgoing) = writing::inside(leg, request, headers) else { return };
        let sent_cseq = outgoing.cseq;
        let has_body = outgoing.body.is_some();
        self.exchanges.push(Exchange {
            number,
            from,
            server,
            to,
            client: Some(client),
            method,
            cseq: request.cseq(),
            sent_cseq,
            has_body,
            is_answered: false,
        });
        let item = Item::Request { exchange: number, client, leg: to, request: Box::new(outgoing) };
        self.stage(item, from, to, true, env);
    }

    /// The leg a request goes to: the other side, or in the early phase the leg whose dialog the caller's tag names.
    fn counterpart(&mut self, from: LegId, request: &Message) -> Option<LegId> {
        if let Some(other) = self.other(from) {
            return Some(other);
        }
        match from {
            LegId::CALLER => {
                let tag = request.to_tag()?;
                let caller = self.legs.first()?;
                let dialog = caller.dialogs.iter().find(|d| &*d.dialog.local_tag == tag)?;
                dialog.other.as_ref().map(|(leg, _)| *leg)
            }
            _ => Some(LegId::CALLER),
        }
    }

    /// This node is the other side.
    fn answer_alone(&mut self, from: LegId, server: ServerRef, request: &Message, env: &mut Env<'_>) {
        let code = match request.method() {
            Method::Options | Method::Info => 200,
            Method::Invite | Method::Update => 488,
            _ => 501,
        };
        self.answer_inside(from, server, code, env);
    }

    /// Why the session cannot change now: 491 when the other side is at it (RFC 3261 14.2), 500 when the same side has
    /// not seen its last change through.
    fn session_is_busy(&mut self, from: LegId, to: LegId) -> Option<u16> {
        let pending = self.exchanges.iter().find(|e| e.changes_session());
        if let Some(pending) = pending {
            return Some(if pending.from == from { 500 } else { 491 });
        }
        let unacked = |leg: &mut Leg| leg.unacked.is_some();
        // Our own 2xx to this side is not acknowledged: its INVITE goes on still.
        if self.leg(from).is_some_and(unacked) {
            return Some(500);
        }
        if self.leg(to).is_some_and(unacked) {
            return Some(491);
        }
        (self.phase == Phase::Setup && self.leg(from).is_some_and(|l| l.state == LegState::Confirmed))
            .then_some(491)
    }

    fn refuse_change(&mut self, id: LegId, server: ServerRef, code: u16, env: &mut Env<'_>) {
        let to_tag = self.own_tag(id);
        let mut headers = Vec::new();
        if code == 500 {
            // RFC 3261 14.2: "a randomly chosen value of between 0 and 10 seconds".
            let seconds = env.rng.below(11);
            headers.push((Text::from("Retry-After"), Text::from(seconds.to_string())));
        }
        let answer = Answer { code, reason: None, to_tag, contact: None, headers, body: None };
        env.push(Output::Respond { server, answer: Box::new(answer) });
    }

    pub(super) fn on_exchange_response(&mut self, number: u32, response: &Message, env: &mut Env<'_>) {
        let status = response.status();
        if status < 200 {
            return;
        }
        let Some(at) = self.exchanges.iter().position(|e| e.number == number && !e.is_answered) else {
            if status / 100 == 2 && response.cseq_method() == Method::Invite {
                self.acknowledge_again(response, env);
            }
            return;
        };
        let Some(exchange) = self.exchanges.get_mut(at) else { return };
        exchange.client = None;
        exchange.is_answered = true;
        let exchange = exchange.clone();
        let succeeded = status / 100 == 2;
        let body = writing::body_of(response);
        let mut owes = None;
        if succeeded && exchange.changes_session() {
            if let Some(dialog) = self.leg(exchange.to).and_then(Leg::dialog) {
                dialog.dialog.refresh(response);
            }
            if exchange.method == Method::Invite {
                match exchange.has_body {
                    true => self.acknowledge(exchange.to, exchange.sent_cseq, None, env),
                    false => owes = Some((exchange.to, exchange.sent_cseq)),
                }
            }
        }
        let answer = Answer {
            code: if matches!(status, 401 | 407) { 403 } else { status },
            reason: (!matches!(status, 401 | 407)).then(|| response.reason().into()),
            to_tag: self.own_tag(exchange.from),
            contact: (exchange.changes_session() && succeeded).then(|| self.own_contact(exchange.from)),
            headers: self.passed(response, env.settings),
            body,
        };
        let is_offer = owes.is_some();
        let item = Item::Response { exchange: number, answer: Box::new(answer), owes };
        self.stage(item, exchange.to, exchange.from, is_offer, env);
        self.dialog_may_be_dead(exchange.to, exchange.method, status, env);
    }

    /// A 2xx of a re-INVITE came again after its exchange was over.
    fn acknowledge_again(&mut self, response: &Message, env: &mut Env<'_>) {
        let known = self.legs.iter().find_map(|leg| {
            let dialog = leg.dialogs.first().filter(|_| &*leg.call_id == response.call_id())?;
            let (cseq, ack) = dialog.ack.as_ref()?;
            (*cseq == response.cseq()).then(|| (leg.id, ack.clone()))
        });
        if let Some((leg, request)) = known {
            env.push(Output::Ack { leg, request });
        }
    }

    /// No answer, or none could be had.
    pub(super) fn exchange_failed(&mut self, number: u32, status: u16, env: &mut Env<'_>) {
        let Some(at) = self.exchanges.iter().position(|e| e.number == number && !e.is_answered) else {
            return;
        };
        let exchange = self.exchanges.remove(at);
        self.answer_inside(exchange.from, exchange.server, status, env);
        self.dialog_may_be_dead(exchange.to, exchange.method, status, env);
    }

    /// 481 ends the dialog, and so does a re-INVITE nobody answers (RFC 3261 12.2.1.2, 14.1; RFC 5057 5.1).
    fn dialog_may_be_dead(&mut self, id: LegId, method: Method, status: u16, env: &mut Env<'_>) {
        let dead = match status {
            481 => true,
            408 => matches!(method, Method::Invite | Method::Update),
            _ => false,
        };
        if dead {
            self.hang_up(Initiator::Siphon, None, Some("the other side is gone"), env);
            let _ = id;
        }
    }

    /// The response goes to whoever asked.
    pub(super) fn conclude(
        &mut self,
        number: u32,
        answer: Answer,
        owes: Option<(LegId, u32)>,
        env: &mut Env<'_>,
    ) {
        let Some(at) = self.exchanges.iter().position(|e| e.number == number) else { return };
        let exchange = self.exchanges.remove(at);
        let succeeded = answer.code / 100 == 2;
        env.push(Output::Respond { server: exchange.server, answer: Box::new(answer) });
        if exchange.method == Method::Invite && succeeded {
            let (now, settings) = (env.now, env.settings);
            if let Some(leg) = self.leg(exchange.from) {
                leg.unacked = Some(Unacked {
                    server: exchange.server,
                    cseq: exchange.cseq,
                    next: now + settings.t1,
                    interval: settings.t1,
                    until: now + settings.ack_wait,
                    owes,
                    then_bye: false,
                });
            }
        }
    }

    /// A side cancelled its re-INVITE.
    pub(super) fn cancel_exchange(&mut self, server: ServerRef, env: &mut Env<'_>) {
        let exchange = self.exchanges.iter().find(|e| e.server == server && !e.is_answered);
        let Some(client) = exchange.and_then(|e| e.client) else { return };
        if !self.unstage_request(client, env) {
            env.push(Output::Cancel { client });
        }
    }

    /// The call ends: requests that wait for an answer get 487 (RFC 3261 15.1.2).
    pub(super) fn refuse_exchanges(&mut self, env: &mut Env<'_>) {
        for exchange in std::mem::take(&mut self.exchanges) {
            self.answer_inside(exchange.from, exchange.server, 487, env);
            if let Some(client) = exchange.client.filter(|_| exchange.method == Method::Invite) {
                env.push(Output::Cancel { client });
            }
        }
    }
}

/// A body that describes a session.
pub(super) fn is_sdp(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/sdp")
}
