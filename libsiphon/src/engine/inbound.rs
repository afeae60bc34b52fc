//! What came in: which machine a message is for (RFC 3261 17.1.3, 17.2.3, 9.2), and how a new request starts.

use crate::base::flow::{Egress, Flow};
use crate::base::slab::Key;
use crate::base::text::Text;
use crate::engine::contract::Effects;
use crate::engine::parking::Waiting;
use crate::engine::server::{Server, Work};
use crate::engine::shard::Shard;
use crate::engine::tickets::StrayAck;
use crate::event::{Classes, Kind, ShedReason, Side};
use crate::policy::{Interest, QuestionKind, ReplySpec};
use crate::proto::proxy::branch::Loop;
use crate::proto::proxy::forward_response::response_hop;
use crate::proto::proxy::nexthop::NextHop;
use crate::proto::proxy::{route, validate};
use crate::proto::transaction::Outputs;
use crate::proto::transaction::key::Lookup;
use crate::proto::transaction::server::{Input as ServerInput, Output as ServerOutput, Server as Machine};
use crate::wire::sip::{HeaderId, Message, Method, Refused};
use std::collections::VecDeque;

impl Shard {
    pub(crate) fn on_message(&mut self, flow: Flow, message: Message, out: &mut Effects) {
        self.tell(out, Classes::MESSAGES, || Kind::Received { flow, message: message.clone() });
        let tickets = &self.tickets;
        self.parking.settle(|ticket| tickets.get(ticket).is_some());
        if !message.is_request() {
            return self.on_response(flow, message, out);
        }
        match message.method() {
            Method::Ack => self.on_ack(flow, message, out),
            Method::Cancel => self.on_cancel(flow, message, out),
            _ => self.on_request(flow, message, out),
        }
    }

    fn on_request(&mut self, flow: Flow, message: Message, out: &mut Effects) {
        let key = Lookup::of(&message, &self.node.matching);
        if let Some(server) = self.find_server(&key) {
            return self.feed_server(server, ServerInput::Request, out);
        }
        if let Some(reason) = self.no_room_for(&message) {
            return self.shed(&flow, &message, reason, out);
        }
        let call = self.find_dialog(&message);
        let server = self.start_server(&key, &flow, message, out);
        match call {
            Some((call, leg)) => self.request_of_call(server, call, leg, out),
            None => self.admit(server, out),
        }
    }

    /// RFC 3261 16.3 and 16.4, then policy.
    fn admit(&mut self, server: Key, out: &mut Effects) {
        let node = self.node.clone();
        let Some(work) = self.work(server) else { return };
        let request = work.request.clone();
        let prepared = match route::preprocess(
            &request,
            &work.flow,
            &node.own,
            &node.route_tokens,
            &node.settings().limits,
        ) {
            Ok(prepared) => prepared,
            Err(fault) => {
                let spec = ReplySpec {
                    code: fault.status(),
                    reason: Some(Text::from(fault.to_string())),
                    ..ReplySpec::default()
                };
                return self.reply(server, &spec, out);
            }
        };
        work.loop_hash = node.branches.loop_hash(&request, work.flow.remote.ip());
        work.consumed_routes = prepared.consumed_routes;
        work.on_route = prepared.on_route;
        work.is_local = prepared.is_local;
        work.token_egress = prepared.flow;
        let passage = node.branches.loop_check(&request, work.loop_hash);
        if let Some(message) = prepared.message {
            (work.edited, work.spent) = (message, None);
        }
        if let Err(rejection) = validate::validate(&request, passage, prepared.is_local, PROXY_OPTIONS) {
            return self.reject(server, &rejection, out);
        }
        if self.is_of_no_call(&request, prepared.on_route, prepared.is_local) {
            return self.reply_code(server, 481, &[], out);
        }
        let call = self.node.call_hash(request.call_id());
        if self.parking.is_parked(call) {
            let limit = self.node.settings().max_queued_questions;
            if self.parking.queue(call, Waiting::Request(server), limit).is_err() {
                self.reply_code(server, 503, &[], out);
            }
            return;
        }
        self.ask_about_request(server, out);
    }

    /// Why a request cannot be served now; in-dialog requests are served while anything is.
    fn no_room_for(&self, message: &Message) -> Option<ShedReason> {
        let in_dialog = message.to_tag().is_some();
        if self.draining && !in_dialog {
            return Some(ShedReason::Draining);
        }
        // A tenth is kept back for requests inside dialogs and for the branches of what was admitted.
        let most = self.node.settings().max_transactions;
        let room = if in_dialog { most } else { most - most / 10 };
        (self.servers.len() + self.clients.len() >= room).then_some(ShedReason::Transactions)
    }

    fn start_server(&mut self, lookup: &Lookup, flow: &Flow, request: Message, out: &mut Effects) -> Key {
        let method = request.method();
        let mut outputs = Outputs::new();
        let machine = Machine::start(
            method == Method::Invite,
            flow.transport,
            self.node.timers(),
            self.now,
            &mut outputs,
        );
        let hash = lookup.hash();
        let local_tag = self.rng.next_u64();
        let work = Box::new(Work {
            // Counters need no name: it is made where somebody reads the events.
            call_id: match out.is_read(Classes::TRANSACTIONS) || out.is_read(Classes::DECISIONS) {
                true => Text::from(request.call_id()),
                false => Text::default(),
            },
            edited: request.clone(),
            flow: *flow,
            consumed_routes: 0,
            script_line: None,
            on_route: false,
            is_local: false,
            token_egress: None,
            local_tag,
            interest: Interest::default(),
            keep: None,
            reply_headers: Vec::new(),
            asking: None,
            decided: false,
            record_route: false,
            branch_timeout: None,
            send_socket: None,
            as_it_stands: false,
            max_forwards: 0,
            spent: None,
            loop_hash: 0,
            context: None,
            context_done: false,
            best: None,
            asked_about: None,
            asking_reply: None,
            branches: smallvec::SmallVec::new(),
            held: VecDeque::new(),
            cancelled: false,
            request,
        });
        let back = response_egress(&work.request, flow);
        let alias = self.hold_alias(&work.request);
        let server = self.servers.insert(Server {
            machine,
            key: lookup.to_key(),
            method,
            back,
            last: None,
            started: self.now,
            timer: None,
            merge: None,
            call: None,
            alias,
            work: Some(work),
        });
        let servers = &self.servers;
        self.matching.insert_unique(hash, server, |k| servers.get(*k).map_or(0, |s| s.key.hash()));
        self.unanswered += 1;
        self.tell_started(Side::Server, server, out);
        // The first output hands us the request, which is in our hands already.
        outputs.retain(|o| *o != ServerOutput::PassToTu);
        self.run_server(server, outputs, out);
        server
    }

    fn tell_started(&self, side: Side, server: Key, out: &mut Effects) {
        if let Some(work) = self.servers.get(server).and_then(|s| s.work.as_ref()) {
            self.tell(out, Classes::TRANSACTIONS, || Kind::TransactionStarted {
                side,
                method: work.request.method(),
                call_id: work.call_id.clone(),
            });
        }
    }

    /// An ACK ends a failed INVITE at its server transaction; the ACK to a 2xx is policy's (RFC 3261 17.2.3).
    fn on_ack(&mut self, flow: Flow, message: Message, out: &mut Effects) {
        let key = Lookup::of(&message, &self.node.matching);
        if let Some(server) = self.find_server(&key) {
            let succeeded = self.servers.get(server).is_some_and(|s| s.machine.has_succeeded());
            self.feed_server(server, ServerInput::Ack, out);
            // RFC 6026 7.1: in Accepted the ACK is for the transaction user, here whoever sent the 2xx. It bears the
            // INVITE's branch where the client is an RFC 2543 one.
            if !succeeded {
                return;
            }
        }
        if self.ack_of_call(&message, out) {
            return;
        }
        let node = self.node.clone();
        let limits = &node.settings().limits;
        // Nothing answers an ACK: one that must not go on is dropped (RFC 3261 16.3 with 8.2.7).
        let Ok(prepared) = route::preprocess(&message, &flow, &node.own, &node.route_tokens, limits) else {
            return;
        };
        let loop_hash = node.branches.loop_hash(&message, flow.remote.ip());
        let passage = node.branches.loop_check(&message, loop_hash);
        if passage == Loop::Loop
            || validate::validate(&message, passage, prepared.is_local, PROXY_OPTIONS).is_err()
        {
            return;
        }
        let call = self.node.call_hash(message.call_id());
        let ack = Box::new(StrayAck {
            message: prepared.message.unwrap_or(message),
            flow,
            consumed_routes: prepared.consumed_routes,
            on_route: prepared.on_route,
            is_local: prepared.is_local,
            token_egress: prepared.flow,
            target: None,
            strict: false,
            loop_hash,
        });
        if self.parking.is_parked(call) {
            let limit = self.node.settings().max_queued_questions;
            // At the limit the ACK is dropped; the 2xx it answers comes again and so does the ACK.
            let _dropped_at_limit = self.parking.queue(call, Waiting::Ack(ack), limit);
            return;
        }
        self.ask_about_ack(ack, out);
    }

    /// RFC 3261 9.2 and 16.10.
    fn on_cancel(&mut self, flow: Flow, message: Message, out: &mut Effects) {
        let key = Lookup::of(&message, &self.node.matching);
        if let Some(server) = self.find_server(&key) {
            return self.feed_server(server, ServerInput::Request, out);
        }
        let target = self.find_server(&Lookup::cancelled_by(&message, &self.node.matching));
        let cancel = self.start_server(&key, &flow, message, out);
        let Some(invite) = target else {
            return self.reply_code(cancel, 481, &[], out);
        };
        // The 200 bears the To tag of the responses to the INVITE (RFC 3261 9.2).
        let tag = self.work(invite).map(|w| w.local_tag);
        if let (Some(tag), Some(work)) = (tag, self.work(cancel)) {
            work.local_tag = tag;
        }
        self.reply_code(cancel, 200, &[], out);
        self.cancel_server(invite, out);
    }

    /// The client gave up on `invite`. What has been answered finally is past cancelling.
    fn cancel_server(&mut self, invite: Key, out: &mut Effects) {
        let Some(server) = self.servers.get_mut(invite) else { return };
        if server.machine.is_answered() || server.method != Method::Invite {
            return;
        }
        let Some(work) = server.work.as_mut() else { return };
        if std::mem::replace(&mut work.cancelled, true) {
            return;
        }
        let (asking, wants_notice) = (work.asking.take(), work.interest.cancels && server.call.is_none());
        if wants_notice {
            self.ask_notice(invite, QuestionKind::Cancelled, out);
        }
        if let Some(ticket) = asking {
            self.withdraw(ticket, out);
        }
        if let Some(call) = self.servers.get(invite).and_then(|s| s.call) {
            return self.cancel_of_call(invite, call, out);
        }
        let relayed = self.work(invite).is_some_and(|w| w.context.is_some());
        if relayed {
            self.feed_context(invite, crate::proto::proxy::context::Input::Cancel, out);
        } else {
            self.reply_code(invite, 487, &[], out);
        }
    }

    pub(crate) fn on_refused(&mut self, flow: &Flow, refused: &Refused, out: &mut Effects) {
        let status = refused.fault.status();
        let answered = refused.message.is_some();
        let fault = Text::from(refused.fault.to_string());
        if let Some(message) = &refused.message {
            self.reply_stateless(flow, message, status, Some(&fault), &[], out);
        }
        let (flow, is_read) = (*flow, out.is_read(Classes::EDGE));
        let call_id = || {
            let message = refused.message.as_ref().filter(|m| is_read && m.has(HeaderId::CallId))?;
            Some(message.call_id().into())
        };
        self.tell(out, Classes::EDGE, || Kind::Refused { flow, status, answered, fault, call_id: call_id() });
    }

    fn shed(&mut self, flow: &Flow, message: &Message, reason: ShedReason, out: &mut Effects) {
        self.stats.shed += 1;
        let (low, high) = self.node.settings().retry_after;
        let seconds = u64::from(low) + self.rng.below(u64::from(high.saturating_sub(low)) + 1);
        let header = (Text::from("Retry-After"), Text::from(seconds.to_string()));
        let method = message.method();
        self.reply_stateless(flow, message, 503, None, &[header], out);
        let is_read = out.is_read(Classes::EDGE);
        let call_id = || is_read.then(|| message.call_id().into());
        self.tell(out, Classes::EDGE, || Kind::Shed { reason, method, call_id: call_id() });
    }

    pub(crate) fn find_server(&self, lookup: &Lookup) -> Option<Key> {
        self.matching
            .find(lookup.hash(), |k| {
                self.servers
                    .get(*k)
                    .is_some_and(|s| s.key.matches(lookup, None) || self.matches_old_ack(s, lookup))
            })
            .copied()
    }

    /// The ACK of an RFC 2543 peer is told by the To tag of the response it acknowledges (RFC 3261 17.2.3).
    fn matches_old_ack(&self, server: &Server, lookup: &Lookup) -> bool {
        let Some(last) = &server.last else { return false };
        let sent = Message::parse(last, &self.node.settings().limits);
        sent.is_ok_and(|sent| server.key.matches(lookup, sent.to_tag()))
    }

    pub(crate) fn work(&mut self, server: Key) -> Option<&mut Work> {
        self.servers.get_mut(server)?.work.as_deref_mut()
    }
}

/// The option tags of Proxy-Require this proxy understands: none needs anything of a proxy that it would not do.
pub(crate) const PROXY_OPTIONS: &[&str] = &["path", "outbound"];

/// Where the response goes. A Via with a name for `maddr` cannot be waited for here: the source is tried instead.
pub(crate) fn response_egress(request: &Message, flow: &Flow) -> Egress {
    match response_hop(&request.via(), Some(flow)) {
        Some(NextHop::Egress(egress)) => egress,
        Some(NextHop::Resolve(_)) | None => flow.back(),
    }
}
