//! Requests inside the call: what one side asks, the other answers.

use super::call::{Call, Phase, Purpose};
use super::leg::{End, LegId, LegState, Unacked};
use super::port::{Answer, ClientRef, Env, Output, ServerRef};
use super::refresh::{accepted, asked_fields, say_plan};
use super::staging::Item;
use super::writing::{self, Body};
use crate::base::flow::Flow;
use crate::base::text::Text;
use crate::policy::{Header, Initiator};
use crate::proto::session::{Carrier, Direction, Plan};
use crate::wire::sip::{Message, Method};

/// A request on its way from one leg to the other.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) number: u32,
    pub(super) from: End,
    pub(super) server: ServerRef,
    pub(super) to: End,
    pub(super) client: Option<ClientRef>,
    pub(super) method: Method,
    /// The method it was sent on with.
    pub(super) sent_as: Method,
    /// CSeq number of the request as received.
    pub(super) cseq: u32,
    /// CSeq number of the request as sent.
    pub(super) sent_cseq: u32,
    pub(super) has_body: bool,
    /// The session description it told, once it has left.
    pub(super) said: Option<Body>,
    /// What the 2xx to whoever asked says of the session timer.
    pub(super) plan: Option<Plan>,
    /// The final response waits for the media engine.
    pub(super) is_answered: bool,
}

/// A request that goes on to the other side.
pub(super) struct Passage<'a> {
    pub(super) from: End,
    pub(super) to: End,
    pub(super) server: ServerRef,
    pub(super) request: &'a Message,
    pub(super) sent_as: Method,
    /// Header fields that go with it.
    pub(super) headers: Vec<Header>,
    pub(super) is_offer: bool,
    /// What the 2xx to it says of the session timer.
    pub(super) plan: Option<Plan>,
}

/// What a request and its responses are to the session: the request, its 2xx, any other final response.
pub(super) fn carriers(method: Method) -> Option<[Carrier; 3]> {
    match method {
        Method::Invite => Some([Carrier::Invite, Carrier::InviteOk, Carrier::InviteFailed]),
        Method::Update => Some([Carrier::Update, Carrier::UpdateOk, Carrier::UpdateFailed]),
        Method::Prack => Some([Carrier::Prack, Carrier::PrackOk, Carrier::PrackFailed]),
        _ => None,
    }
}

impl Exchange {
    /// INVITE and UPDATE change the session; only one such at a time (RFC 3261 14, RFC 3311 5).
    pub(super) fn changes_session(&self) -> bool {
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
        let from = End { leg: id, dialog: dialog.id };
        let method = request.method();
        if method == Method::Bye {
            return self.on_bye(id, server, &request, env);
        }
        if self.leg(id).is_none_or(|leg| !leg.is_live()) || self.phase == Phase::Ending {
            return self.answer_inside(id, server, 481, env);
        }
        let unknown: Vec<Text> = writing::unsupported(&request, env.settings);
        if !unknown.is_empty() {
            return self.refuse_options(id, server, &unknown, env);
        }
        if let Some(leg) = self.leg(id)
            && matches!(method, Method::Invite | Method::Update)
        {
            if leg.flow.is_some() {
                leg.flow = writing::needed_flow(&request, &flow).or(leg.flow);
            }
            if let Some(dialog) = leg.dialog_at(from.dialog) {
                dialog.dialog.refresh(&request);
            }
        }
        match method {
            Method::Prack => self.on_prack(from, server, &request, env),
            Method::Refer => self.on_refer(id, server, &request, env),
            Method::Notify if self.took_notify(id, server, &request, env) => {}
            _ if self.is_between_peers(id, server, method, env) => {}
            _ => self.pass_request(from, server, &request, env),
        }
    }

    fn refuse_options(&mut self, id: LegId, server: ServerRef, unknown: &[Text], env: &mut Env<'_>) {
        let to_tag = self.own_tag(id);
        let headers = vec![(Text::from("Unsupported"), Text::from(unknown.join(", ")))];
        let answer = Answer { code: 420, reason: None, to_tag, contact: None, headers, body: None };
        env.push(Output::Respond { server, answer: Box::new(answer) });
    }

    /// Sends a request on to the other side.
    pub(super) fn pass_request(
        &mut self,
        from: End,
        server: ServerRef,
        request: &Message,
        env: &mut Env<'_>,
    ) {
        let method = request.method();
        let changes = matches!(method, Method::Invite | Method::Update);
        let Some(side) = self.other_side(from) else {
            return self.answer_alone(from.leg, server, request, env);
        };
        if self.exchanges.len() >= env.settings.max_exchanges {
            return self.answer_inside(from.leg, server, 503, env);
        }
        let body = writing::body_of(request);
        if !self.is_readable(body.as_ref(), env.settings) {
            return self.answer_inside(from.leg, server, 488, env);
        }
        if self.leg(side).is_none_or(|leg| !leg.is_live()) {
            return self.answer_inside(from.leg, server, 481, env);
        }
        let Some(to) = self.counterpart(from) else {
            // The other side has not heard of this dialog yet.
            return self.refuse_change(from.leg, server, 500, env);
        };
        if changes && let Some(code) = self.session_is_busy(from, to, request) {
            return self.refuse_change(from.leg, server, code, env);
        }
        let plan = match changes.then(|| self.plan_of(from.leg, request)) {
            Some(Err(small)) => return self.refuse_interval(from.leg, server, small, env),
            Some(Ok(plan)) => plan,
            None => None,
        };
        let takes_update = self.leg(to.leg).is_some_and(|leg| leg.pace.takes_update);
        if method == Method::Update && body.is_none() && !takes_update {
            return self.answer_refresh(from.leg, server, plan, env);
        }
        if let (Some([asked, ..]), Some(dialog)) = (carriers(method), self.dialog_at(from)) {
            dialog.note(Direction::Received, asked, request.cseq(), describes(body.as_ref()));
        }
        let mut headers = self.passed(request, env.settings);
        self.add_referral(request, from.leg, &mut headers);
        let passage = Passage { from, to, server, request, sent_as: method, headers, is_offer: true, plan };
        self.pass_on(passage, env);
    }

    pub(super) fn pass_on(&mut self, passage: Passage<'_>, env: &mut Env<'_>) {
        let Passage { from, to, server, request, sent_as, headers, is_offer, plan } = passage;
        let number = self.new_number();
        let client = self.new_client(Purpose::Exchange(number));
        let method = request.method();
        let Some(leg) = self.leg(to.leg) else { return };
        let other_method = Some(sent_as).filter(|sent_as| *sent_as != method);
        let Some(mut outgoing) = writing::inside(leg, to.dialog, request, other_method, headers) else {
            return;
        };
        if leg.state == LegState::Confirmed && leg.pace.timer.ask().is_some() && plan.is_some() {
            outgoing.headers.push((Text::from("Supported"), Text::from("timer")));
            outgoing.headers.extend(asked_fields(&leg.pace.timer));
        }
        let sent_cseq = outgoing.cseq;
        let has_body = outgoing.body.is_some();
        if let (Some([asked, ..]), Some(dialog)) = (carriers(sent_as), leg.dialog_at(to.dialog)) {
            dialog.note(Direction::Sent, asked, sent_cseq, describes(outgoing.body.as_ref()));
        }
        self.exchanges.push(Exchange {
            number,
            from,
            server,
            to,
            client: Some(client),
            method,
            sent_as,
            cseq: request.cseq(),
            sent_cseq,
            has_body,
            said: None,
            plan,
            is_answered: false,
        });
        self.note_passed(request, to.leg, sent_cseq);
        let item = Item::Request { exchange: number, client, leg: to.leg, request: Box::new(outgoing) };
        self.stage(item, from.leg, to.leg, is_offer, env);
    }

    /// The leg a request goes to: the other side, or in the early phase the leg whose dialog the caller's tag names.
    fn other_side(&mut self, from: End) -> Option<LegId> {
        if let Some(other) = self.other(from.leg) {
            return Some(other);
        }
        if self.phase != Phase::Setup {
            return None;
        }
        match from.leg {
            LegId::CALLER => Some(self.dialog_at(from)?.other.as_ref()?.0),
            _ => Some(LegId::CALLER),
        }
    }

    /// The dialog that stands for this one on the other side.
    pub(super) fn counterpart(&mut self, from: End) -> Option<End> {
        let side = self.other_side(from)?;
        let dialog = self.dialog_at(from)?;
        let (tag, other) = (dialog.dialog.remote_tag.clone(), dialog.other.clone());
        let leg = self.leg(side)?;
        let dialog = match (leg.state, leg.is_sent()) {
            (LegState::Early, true) => leg.dialog_with(&other.filter(|(leg, _)| *leg == side)?.1)?.id,
            (LegState::Early, false) => {
                leg.dialogs.iter().find(|d| d.other == Some((from.leg, tag.clone())))?.id
            }
            _ => leg.dialogs.first()?.id,
        };
        Some(End { leg: side, dialog })
    }

    /// This node is the other side.
    fn answer_alone(&mut self, from: LegId, server: ServerRef, request: &Message, env: &mut Env<'_>) {
        let code = match request.method() {
            Method::Options | Method::Info => 200,
            Method::Update if writing::body_of(request).is_none() => {
                return match self.plan_of(from, request) {
                    Ok(plan) => self.answer_refresh(from, server, plan, env),
                    Err(small) => self.refuse_interval(from, server, small, env),
                };
            }
            Method::Invite | Method::Update => 488,
            _ => 501,
        };
        self.answer_inside(from, server, code, env);
    }

    /// Why the session cannot change now: 491 when the other side is at it (RFC 3261 14.2), 500 when the same side has
    /// not seen its last change through, 488 when it is none.
    fn session_is_busy(&mut self, from: End, to: End, request: &Message) -> Option<u16> {
        let [asked, ..] = carriers(request.method())?;
        let sdp = describes(writing::body_of(request).as_ref());
        let heard = self.dialog_at(from)?.session.check(Direction::Received, asked, request.cseq(), sdp);
        if let Err(fault) = heard {
            return Some(fault.status().unwrap_or(500));
        }
        // The ACK of the other side to our own 2xx has not come: that INVITE goes on still.
        if self.leg(to.leg).is_some_and(|leg| leg.unacked.is_some()) {
            return Some(491);
        }
        let said = self.dialog_at(to)?.session.check(Direction::Sent, asked, 0, sdp);
        said.is_err().then_some(491)
    }

    pub(super) fn refuse_change(&mut self, id: LegId, server: ServerRef, code: u16, env: &mut Env<'_>) {
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
                let _known = self.acknowledge_again(response, env);
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
        if let (Some([_, ok, failed]), Some(dialog)) =
            (carriers(exchange.sent_as), self.dialog_at(exchange.to))
        {
            let carrier = if succeeded { ok } else { failed };
            dialog.note(Direction::Received, carrier, exchange.sent_cseq, describes(body.as_ref()));
            if succeeded && exchange.said.is_some() {
                dialog.said = exchange.said.clone();
            }
        }
        if succeeded && exchange.changes_session() {
            if let Some(dialog) = self.dialog_at(exchange.to) {
                dialog.dialog.refresh(response);
            }
            let now = env.now;
            if let Some(leg) = self.leg(exchange.to.leg).filter(|_| exchange.plan.is_some()) {
                accepted(leg, response, now);
            }
            if exchange.method == Method::Invite {
                match exchange.has_body {
                    true => self.acknowledge(exchange.to.leg, exchange.sent_cseq, None, env),
                    false => owes = Some((exchange.to.leg, exchange.sent_cseq)),
                }
            }
        }
        let code = match status {
            401 | 407 => 403,
            // The offer of a PRACK that went on in an UPDATE.
            300.. if exchange.sent_as != exchange.method => 488,
            // Too short for the other side alone: whoever asked may try again, and then it is longer.
            422 if self.raises(&exchange, response) => 500,
            status => status,
        };
        let answer = Answer {
            code,
            reason: (code == status).then(|| response.reason().into()),
            to_tag: self.tag_of(exchange.from),
            contact: (exchange.changes_session() && succeeded).then(|| self.own_contact(exchange.from.leg)),
            headers: self.passed(response, env.settings),
            body,
        };
        let mut answer = answer;
        if code == 500 && status == 422 {
            answer.headers.push((Text::from("Retry-After"), Text::from("0")));
        }
        let is_offer = owes.is_some();
        let item = Item::Response { exchange: number, answer: Box::new(answer), owes };
        self.stage(item, exchange.to.leg, exchange.from.leg, is_offer, env);
        self.dialog_may_be_dead(exchange.to.leg, exchange.sent_as, status, env);
    }

    /// A 2xx of a re-INVITE came again after its exchange was over.
    pub(super) fn acknowledge_again(&mut self, response: &Message, env: &mut Env<'_>) -> bool {
        let known = self.legs.iter().find_map(|leg| {
            let dialog = leg.dialogs.first().filter(|_| &*leg.call_id == response.call_id())?;
            let (cseq, ack) = dialog.ack.as_ref()?;
            (*cseq == response.cseq()).then(|| (leg.id, ack.clone()))
        });
        let Some((leg, request)) = known else { return false };
        env.push(Output::Ack { leg, request });
        true
    }

    /// No answer, or none could be had.
    pub(super) fn exchange_failed(&mut self, number: u32, status: u16, env: &mut Env<'_>) {
        let Some(at) = self.exchanges.iter().position(|e| e.number == number && !e.is_answered) else {
            return;
        };
        let exchange = self.exchanges.remove(at);
        if let (Some([.., failed]), Some(dialog)) = (carriers(exchange.sent_as), self.dialog_at(exchange.to))
        {
            dialog.note(Direction::Received, failed, exchange.sent_cseq, false);
        }
        self.note_conclusion(&exchange, false, None);
        self.answer_inside(exchange.from.leg, exchange.server, status, env);
        self.dialog_may_be_dead(exchange.to.leg, exchange.sent_as, status, env);
    }

    /// 481 ends the dialog, and so does a re-INVITE nobody answers (RFC 3261 12.2.1.2, 14.1; RFC 5057 5.1).
    fn dialog_may_be_dead(&mut self, id: LegId, method: Method, status: u16, env: &mut Env<'_>) {
        let dead = match status {
            481 => true,
            408 => matches!(method, Method::Invite | Method::Update),
            _ => false,
        };
        // A fork that fails before the answer leaves the others.
        if dead && self.leg(id).is_some_and(|leg| leg.state != LegState::Early) {
            self.hang_up(Initiator::Siphon, None, Some("the other side is gone"), env);
        }
    }

    /// What the response to whoever asked is to the session there.
    fn note_conclusion(&mut self, exchange: &Exchange, succeeded: bool, body: Option<&Body>) {
        let Some([_, ok, failed]) = carriers(exchange.method) else { return };
        let Some(dialog) = self.dialog_at(exchange.from) else { return };
        let sdp = describes(body);
        dialog.note(Direction::Sent, if succeeded { ok } else { failed }, exchange.cseq, sdp);
        if succeeded && sdp {
            dialog.said = body.cloned();
        }
    }

    /// The other side found the interval of its own leg too small.
    fn raises(&mut self, exchange: &Exchange, response: &Message) -> bool {
        let min_se = response.min_se().ok().flatten();
        exchange.plan.is_some() && self.leg(exchange.to.leg).is_some_and(|leg| leg.pace.timer.refused(min_se))
    }

    fn tag_of(&mut self, end: End) -> Text {
        self.dialog_at(end).map(|d| d.dialog.local_tag.clone()).unwrap_or_default()
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
        self.note_conclusion(&exchange, succeeded, answer.body.as_ref());
        let mut answer = answer;
        let now = env.now;
        if let (true, Some(plan), Some(leg)) = (succeeded, exchange.plan, self.leg(exchange.from.leg)) {
            say_plan(leg, plan, &mut answer.headers, now);
        }
        env.push(Output::Respond { server: exchange.server, answer: Box::new(answer) });
        if exchange.method == Method::Invite && succeeded {
            let (now, settings) = (env.now, env.settings);
            if let Some(leg) = self.leg(exchange.from.leg) {
                if let Some(last) = leg.unacked.take() {
                    env.push(Output::Settled { server: last.server });
                }
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

    /// Requests to and from a leg that is not there any more.
    pub(super) fn refuse_exchanges_of(&mut self, id: LegId, env: &mut Env<'_>) {
        let all = std::mem::take(&mut self.exchanges);
        let (of_it, others) = all.into_iter().partition(|e| e.from.leg == id || e.to.leg == id);
        self.exchanges = of_it;
        self.refuse_exchanges(env);
        self.exchanges = others;
    }

    /// The call ends: requests that wait for an answer get 487 (RFC 3261 15.1.2).
    pub(super) fn refuse_exchanges(&mut self, env: &mut Env<'_>) {
        for exchange in std::mem::take(&mut self.exchanges) {
            self.answer_inside(exchange.from.leg, exchange.server, 487, env);
            if let Some(client) = exchange.client.filter(|_| exchange.method == Method::Invite) {
                env.push(Output::Cancel { client });
            }
        }
    }
}

/// Whether a body describes a session, as itself or as a part.
pub(super) fn describes(body: Option<&Body>) -> bool {
    let is_multipart =
        |kind: &str| kind.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"));
    body.is_some_and(|(kind, _)| is_sdp(kind) || is_multipart(kind))
}

/// A body that is a session description.
pub(super) fn is_sdp(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/sdp")
}
