//! Responses on their way up: policy, the response context, the server transaction (RFC 3261 16.7).

use super::as_asked::as_asked;
use crate::base::flow::Egress;
use crate::base::slab::Key;
use crate::base::text::{Octets, Text};
use crate::engine::client::{ClientOwner, GiveUp};
use crate::engine::contract::Effects;
use crate::engine::respond::TagText;
use crate::engine::server::Held;
use crate::engine::shard::Shard;
use crate::event::{Classes, Kind, Side};
use crate::policy::{Decision, Verdict};
use crate::proto::proxy::context::{Best, Input as ContextInput, Output as ContextOutput, Upward};
use crate::proto::proxy::forward_response::{forward_response, response_hop};
use crate::proto::proxy::nexthop::NextHop;
use crate::wire::sip::{Message, Method, ResponseBuilder};

impl Shard {
    /// A response that the client transaction gave to its user.
    pub(crate) fn response_for_tu(&mut self, key: Key, message: &Message, out: &mut Effects) {
        let status = message.status();
        if status >= 200 {
            self.tell_client_completed(key, status, out);
        }
        let Some(client) = self.clients.get_mut(key) else { return };
        match client.owner {
            ClientOwner::Branch { server, branch } => {
                if status > 100 && status < 200 && matches!(client.give_up, Some((_, GiveUp::TimerC))) {
                    // RFC 3261 16.7 step 2: a provisional response other than 100 restarts Timer C.
                    let at = self.now + self.node.settings().timer_c;
                    self.set_give_up(key, at, GiveUp::TimerC);
                } else if status >= 200 {
                    client.give_up = None;
                }
                self.branch_response(key, server, branch, message, out);
            }
            ClientOwner::Originated { wait } if status >= 200 => {
                self.answer_wait(wait, Ok(message.clone()), out)
            }
            ClientOwner::Call { call, client } => self.response_for_call(key, call, client, message, out),
            ClientOwner::Ping { ping } => self.ping_answered(ping),
            ClientOwner::Originated { .. } | ClientOwner::Nobody => {}
        }
    }

    fn branch_response(&mut self, key: Key, server: Key, branch: u16, message: &Message, out: &mut Effects) {
        let status = message.status();
        if status == 100 {
            return;
        }
        if self.work(server).is_none() {
            // The transaction above has its answer. A 2xx to INVITE, first or again, is forwarded all the same
            // (RFC 3261 16.7 step 5, RFC 6026 7.1).
            return self.forward_late_success(key, server, message, out);
        }
        let restored = self.restored(server, key, message);
        let message = restored.as_ref().unwrap_or(message);
        // RFC 3263 4.3: a server that is out of order is no reason to fail while another is known.
        if status == 503 && self.try_next_address(server, branch, out) {
            return;
        }
        let limit = self.node.settings().max_queued_questions;
        let flow = self.clients.get(key).and_then(|c| c.reply_flow);
        let Some(work) = self.work(server) else { return };
        let flow = flow.unwrap_or(work.flow);
        if work.asking_reply.is_some() {
            // What comes while the policy thinks is bounded: beyond that a provisional response is dropped, and a
            // final one only when it is a copy. Branches are bounded, so final responses are.
            let is_copy = || work.held.iter().any(|h| h.client == key && h.message.status() >= 200);
            if work.held.len() < limit || (status >= 200 && !is_copy()) {
                work.held.push_back(Held { client: key, branch, message: message.clone() });
            }
            return;
        }
        if work.interest.replies {
            work.asked_about = Some((key, branch, message.clone()));
            return self.ask_about_reply(server, message.clone(), flow, out);
        }
        self.accept_response(key, server, branch, message.clone(), out);
    }

    /// The response with the From and To of the request that is answered; `None` when it has them.
    fn restored(&mut self, server: Key, key: Key, message: &Message) -> Option<Message> {
        let node = self.node.clone();
        let work = self.work(server)?;
        let restored = as_asked(&work.request, &work.edited, message, &node.settings().limits)?;
        if restored.status() / 100 == 2
            && let Some(client) = self.clients.get_mut(key)
        {
            client.forwarded = kept(&restored);
        }
        Some(restored)
    }

    /// The response goes into the context.
    fn accept_response(&mut self, _key: Key, server: Key, branch: u16, message: Message, out: &mut Effects) {
        if message.status() < 200 {
            return self.feed_context(server, ContextInput::Provisional { branch, response: message }, out);
        }
        self.branch_done(server, branch);
        self.feed_context(server, ContextInput::Final { branch, response: message }, out);
    }

    /// A 2xx whose server transaction has been answered already. When that has ended too, the response still knows the
    /// way: its next Via, as we noted it on the request (RFC 3261 16.7 step 5, 18.2.2).
    fn forward_late_success(&mut self, key: Key, server: Key, message: &Message, out: &mut Effects) {
        if message.status() / 100 != 2 || message.cseq_method() != Method::Invite {
            return;
        }
        let kept = self.clients.get(key).and_then(|c| c.forwarded.as_ref());
        let kept = kept.filter(|(tag, _)| message.to_tag() == Some(tag)).map(|(_, bytes)| bytes.clone());
        let Some(bytes) = kept.or_else(|| upstream_copy(message, &[])) else { return };
        let back = self.servers.get(server).map(|s| s.back);
        if let Some(egress) = back.or_else(|| self.egress_by_via(&bytes)) {
            self.send(egress, bytes, message.status(), Method::Invite, None, out);
        }
    }

    /// Where a response goes of which no more is known than its topmost Via. A name in it, which we never leave without
    /// `received`, is not looked up.
    fn egress_by_via(&self, response: &[u8]) -> Option<Egress> {
        let message = Message::parse(response, &self.node.settings().limits).ok()?;
        let Some(NextHop::Egress(egress)) = response_hop(&message.via(), None) else { return None };
        let listener = self.node.own.listener_for(egress.transport, &egress.remote, None)?;
        Some(Egress { local: Some(listener.bound), ..egress })
    }

    /// A verdict about a response: it is forwarded unless the verdict drops or rejects it.
    pub(crate) fn commit_reply_verdict(&mut self, server: Key, mut verdict: Verdict, out: &mut Effects) {
        let Some(work) = self.work(server) else { return };
        work.asking_reply = None;
        let Some((key, branch, received)) = work.asked_about.take() else { return };
        if let Some(keep) = verdict.keep.take() {
            work.keep = Some(keep);
            work.interest = verdict.interest;
        }
        let status = received.status();
        let edited = verdict.message.take();
        match verdict.decision {
            Some(Decision::Drop) if status < 200 => {}
            Some(Decision::Reply(spec)) => {
                self.cancel_all_branches(server, out);
                self.branch_done_if_final(server, branch, status);
                self.reply(server, &spec, out);
            }
            Some(Decision::Failed(error)) => {
                self.tell_failed(server, &error, out);
                self.accept_response(key, server, branch, received, out);
            }
            _ => {
                if let Some(edited) = &edited
                    && status / 100 == 2
                    && let Some(client) = self.clients.get_mut(key)
                {
                    client.forwarded = kept(edited);
                }
                self.accept_response(key, server, branch, edited.unwrap_or(received), out);
            }
        }
        self.release_held(server, out);
    }

    fn branch_done_if_final(&mut self, server: Key, branch: u16, status: u16) {
        if status >= 200 {
            self.branch_done(server, branch);
        }
    }

    /// What waited behind the response goes on, in order, until policy is asked again.
    fn release_held(&mut self, server: Key, out: &mut Effects) {
        loop {
            let Some(work) = self.work(server) else { return };
            if work.asking_reply.is_some() {
                return;
            }
            let Some(held) = work.held.pop_front() else { return };
            self.branch_response(held.client, server, held.branch, &held.message, out);
        }
    }

    /// Feeds the response context and does what it asks.
    pub(crate) fn feed_context(&mut self, server: Key, input: ContextInput, out: &mut Effects) {
        let Some(context) = self.work(server).and_then(|w| w.context.as_mut()) else { return };
        let mut outputs = Vec::new();
        context.handle(input, &mut outputs);
        for output in outputs {
            match output {
                ContextOutput::Open { branch, target, breadth } => {
                    self.open_branch(server, branch, *target, breadth, out);
                }
                ContextOutput::CancelBranch { branch } => self.cancel_branch(server, branch, out),
                ContextOutput::ForwardProvisional { response, .. }
                | ContextOutput::ForwardSuccess { response, .. } => self.forward_up(server, &response, out),
                ContextOutput::Best(best) => self.best_is(server, best, out),
                ContextOutput::Done => self.context_done(server),
            }
        }
    }

    fn context_done(&mut self, server: Key) {
        if let Some(work) = self.work(server) {
            work.branches.clear();
            work.context_done = true;
        }
        self.release_work(server);
    }

    /// The best response is known: policy may have a better idea, unless the client has given up.
    pub(crate) fn best_is(&mut self, server: Key, best: Best, out: &mut Effects) {
        let Some(work) = self.work(server) else { return };
        let ask = work.interest.failures && !work.cancelled;
        let request = work.request.clone();
        let tag = work.local_tag;
        work.best = Some(best.clone());
        if !ask {
            return self.send_best(server, out);
        }
        // `on_failure` runs once for the whole transaction.
        work.interest.failures = false;
        match best {
            Best::Received(reply) => self.ask_about_failure(server, reply, false, out),
            Best::Local { code } => {
                let made = ResponseBuilder::to(&request, code)
                    .to_tag(TagText::of(tag).as_str())
                    .into_message(&self.node.settings().limits);
                match made {
                    Ok(reply) => self.ask_about_failure(server, reply, true, out),
                    Err(_) => self.send_best(server, out),
                }
            }
        }
    }

    /// Sends the best response up.
    pub(crate) fn send_best(&mut self, server: Key, out: &mut Effects) {
        let Some(work) = self.work(server) else { return };
        let invite = work.request.method() == Method::Invite;
        match work.best.take().map(|best| best.upward(invite)) {
            Some(Upward::Forward(message)) => self.forward_up(server, &message, out),
            Some(Upward::Answer(code)) => self.reply_code(server, code, &[], out),
            Some(Upward::Nothing) => self.forget_server(server, out),
            None => {}
        }
    }

    /// Forwards a response upstream: our Via off, the rest as it came (RFC 3261 16.7 steps 3 to 9).
    fn forward_up(&mut self, server: Key, message: &Message, out: &mut Effects) {
        let status = message.status();
        let Some(entry) = self.servers.get_mut(server) else { return };
        let Some(work) = entry.work.as_ref() else { return };
        let Some(bytes) = upstream_copy(message, &work.reply_headers) else { return };
        if entry.machine.is_answered() {
            // A second 2xx of a forked INVITE passes the answered transaction by (RFC 6026 7.1).
            if status / 100 == 2 && entry.method == Method::Invite {
                let (egress, method) = (entry.back, entry.method);
                self.send(egress, bytes, status, method, None, out);
            }
            return;
        }
        self.respond(server, status, bytes, out);
    }

    pub(crate) fn tell_client_completed(&mut self, key: Key, status: u16, out: &mut Effects) {
        let Some(client) = self.clients.get(key) else { return };
        let (method, took) = (client.method, self.now.since(client.started));
        let call_id = match client.owner {
            ClientOwner::Branch { server, .. } if client.call_id.is_empty() => {
                let work = self.servers.get(server).and_then(|s| s.work.as_ref());
                work.map(|w| w.call_id(out.is_read(Classes::TRANSACTIONS))).unwrap_or_default()
            }
            _ => client.call_id.clone(),
        };
        self.tell(out, Classes::TRANSACTIONS, || Kind::TransactionCompleted {
            side: Side::Client,
            method,
            status,
            took,
            call_id,
        });
    }
}

/// What copies of this 2xx are forwarded as.
fn kept(success: &Message) -> Option<(Text, Octets)> {
    Some((success.to_tag()?.into(), upstream_copy(success, &[])?))
}

fn upstream_copy(response: &Message, headers: &[crate::policy::Header]) -> Option<Octets> {
    let mut bytes = Vec::with_capacity(response.bytes().len());
    forward_response(response, headers, &mut bytes).ok()?;
    Some(Octets::from(bytes))
}
