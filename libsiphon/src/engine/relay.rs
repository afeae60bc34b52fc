//! Relaying: from a verdict to branches, and from branches to the response context (RFC 3261 16.5, 16.6).

use crate::base::flow::{Egress, Transport};
use crate::base::slab::Key;
use crate::base::text::{Octets, Text};
use crate::engine::client::{ClientOwner, GiveUp};
use crate::engine::contract::{Effect, Effects};
use crate::engine::gruu::Addressee;
use crate::engine::server::{Branch, BranchPhase};
use crate::engine::shard::Shard;
use crate::engine::tickets::Purpose;
use crate::event::{Classes, Kind};
use crate::policy::{Decision, RelayOptions, ReplySpec, Strategy, Target, Ticket};
use crate::proto::locate::{Locator, Query, Records, Step};
use crate::proto::proxy::context::{Best, Context, Input as ContextInput};
use crate::proto::proxy::forward::{Forward, spent_credentials};
use crate::proto::proxy::nexthop::{self, NextHop};
use crate::proto::proxy::validate::{self, Hops};
use crate::proto::transaction::merged::Entered;
use crate::wire::sip::Method;
use std::net::SocketAddr;

/// A decision in the words of the event stream.
pub(crate) fn named(decision: &Decision) -> Text {
    match decision {
        Decision::Reply(spec) => format!("reply {}", spec.code).into(),
        Decision::Relay(_) => "relay".into(),
        // What a script calls `relay(next_hop)`.
        Decision::Fork { targets, .. } if matches!(&targets[..], [only] if only.next_hop.is_some()) => {
            "relay".into()
        }
        Decision::Fork { targets, .. } => format!("fork {}", targets.len()).into(),
        Decision::Drop => "drop".into(),
        Decision::Call(actions) => super::calls::named(actions),
        Decision::RoleProcedure => "role procedure".into(),
        Decision::Failed(_) => "failed".into(),
    }
}

impl Shard {
    /// Does what a policy decided about a request.
    pub(crate) fn decide(&mut self, server: Key, decision: Decision, out: &mut Effects) {
        self.tell_decided(server, &decision, out);
        match decision {
            Decision::Reply(spec) => self.answer_as_uas(server, &spec, out),
            Decision::Relay(options) => {
                let Some(work) = self.servers.get(server).and_then(|s| s.work.as_ref()) else { return };
                let target = match self.addressee(&work.edited, work.consumed_routes, work.token_egress) {
                    Addressee::AsItStands => None,
                    Addressee::Binding(target) => Some(target),
                    Addressee::Nobody(code) => return self.reply_code(server, code, &[], out),
                };
                let Some(work) = self.work(server) else { return };
                work.as_it_stands = target.is_none();
                let target = target.unwrap_or_else(|| Target::uri(work.edited.request_uri()));
                self.fork(server, vec![target], Strategy::Parallel, options, out);
            }
            Decision::Fork { targets, strategy, options } => {
                if let Some(work) = self.work(server) {
                    work.as_it_stands = false;
                }
                self.fork(server, targets, strategy, options, out);
            }
            Decision::Drop => self.drop_silently(server, out),
            // Taken before it gets here; on what cannot be a call it is a mistake of the policy.
            Decision::Call(_) => self.reply_code(server, 500, &[], out),
            Decision::RoleProcedure => self.role_procedure(server, out),
            Decision::Failed(error) => {
                self.tell_failed(server, &error, out);
                self.reply_code(server, 500, &[], out);
            }
        }
    }

    fn tell_decided(&self, server: Key, decision: &Decision, out: &mut Effects) {
        if !out.is_read(Classes::DECISIONS) {
            return;
        }
        let Some(work) = self.servers.get(server).and_then(|s| s.work.as_ref()) else { return };
        let (call_id, method) = (work.call_id(true), work.request.method());
        let script_line = work.script_line.clone();
        self.tell(out, Classes::DECISIONS, || Kind::Decided {
            call_id,
            method,
            decision: named(decision),
            script_line,
        });
    }

    /// Deliberate silence: no response, and a copy of the request is asked about anew.
    fn drop_silently(&mut self, server: Key, out: &mut Effects) {
        self.forget_server(server, out);
    }

    /// Starts, or after a failure continues, the response context.
    fn fork(
        &mut self,
        server: Key,
        targets: Vec<Target>,
        strategy: Strategy,
        options: RelayOptions,
        out: &mut Effects,
    ) {
        if targets.is_empty() {
            // Nobody to send to is a failure like any other, and one of ours: `on_failure` may know somebody.
            return self.best_is(server, Best::Local { code: 480 }, out);
        }
        let breadth = self.node.settings().max_breadth;
        let Some(work) = self.work(server) else { return };
        let hops = match validate::may_forward(&work.edited, breadth) {
            Ok(hops) => hops,
            Err(rejection) => return self.reject(server, &rejection, out),
        };
        work.max_forwards = hops.max_forwards;
        work.record_route |= options.record_route;
        work.branch_timeout = options.branch_timeout.or(work.branch_timeout);
        work.send_socket = options.send_socket.or(work.send_socket.take());
        let invite = work.request.method() == Method::Invite;
        work.context.get_or_insert_with(|| Context::new(invite, hops.max_breadth, breadth));
        work.context_done = false;
        self.feed_context(server, ContextInput::Start { targets, strategy }, out);
    }

    /// The context wants a branch to `target`.
    pub(crate) fn open_branch(
        &mut self,
        server: Key,
        number: u16,
        target: Target,
        breadth: u16,
        out: &mut Effects,
    ) {
        let Some(work) = self.work(server) else { return };
        let target = (!work.as_it_stands).then_some(target);
        let hop = nexthop::next_hop(&work.edited, work.consumed_routes, target.as_ref(), work.token_egress);
        let strict = hop.as_ref().is_ok_and(|hop| hop.strict);
        work.branches.push(Branch {
            number,
            target,
            strict,
            breadth,
            phase: BranchPhase::Done,
            locator: None,
            cancelled: false,
        });
        match hop.map(|hop| hop.next) {
            Ok(next) => self.go(server, number, next, out),
            Err(no_route) => {
                let input = ContextInput::BranchFailed { branch: number, status: no_route.status() };
                self.feed_context(server, input, out);
            }
        }
    }

    /// Sends a branch on its way.
    fn go(&mut self, server: Key, number: u16, next: NextHop, out: &mut Effects) {
        match next {
            NextHop::Egress(egress) => self.launch_branch(server, number, egress, out),
            NextHop::Resolve(query) => {
                let size = self.work(server).map_or(0, |w| w.edited.bytes().len());
                let locator = self.locator(query, size);
                if let Some(branch) = self.work(server).and_then(|w| w.branch_mut(number)) {
                    branch.locator = Some(locator);
                }
                if !self.run_locator(server, number, out) {
                    self.branch_unreachable(server, number, out);
                }
            }
        }
    }

    /// A locator for a request of about `size` octets before our own header fields (RFC 3261 18.1.1).
    pub(crate) fn locator(&self, query: Query, size: usize) -> Box<Locator> {
        /// Via, Record-Route and the longer Request-URI that forwarding adds, at a guess on the safe side.
        const GROWTH: usize = 200;
        let oversize = size.saturating_add(GROWTH) > self.node.settings().max_datagram;
        Box::new(Locator::new(query, self.node.own.reach(), oversize))
    }

    /// Tries the next address a branch's locator gives, or asks DNS what it wants to know (RFC 3263 4.3). False when
    /// there is none left.
    fn run_locator(&mut self, server: Key, number: u16, out: &mut Effects) -> bool {
        let branch = self.work(server).and_then(|w| w.branch_mut(number));
        match branch.and_then(|b| b.locator.as_mut()).map(|l| l.step()) {
            Some(Step::Ask(lookup)) => {
                let ticket = self.open_ticket(Purpose::Locate { server, branch: number }, None);
                if let Some(branch) = self.work(server).and_then(|w| w.branch_mut(number)) {
                    branch.phase = BranchPhase::Locating(ticket);
                }
                out.push(Effect::LookUp { ticket, lookup });
                true
            }
            Some(Step::Try { transport, remote }) => {
                self.launch_branch(server, number, towards(transport, remote), out);
                true
            }
            Some(Step::Exhausted) | None => false,
        }
    }

    pub(crate) fn on_looked_up(&mut self, ticket: Ticket, records: Records, out: &mut Effects) {
        let is_lookup = self.tickets.get(ticket).is_some_and(|p| {
            matches!(
                p.purpose,
                Purpose::Locate { .. }
                    | Purpose::LocateAck { .. }
                    | Purpose::LocateOriginated { .. }
                    | Purpose::LocateCall { .. }
            )
        });
        if !is_lookup {
            self.stats.stale_answers += 1;
            return;
        }
        let dice = self.rng.next_u64();
        match self.close_ticket(ticket).map(|p| p.purpose) {
            Some(Purpose::Locate { server, branch }) => {
                if let Some(entry) = self.work(server).and_then(|w| w.branch_mut(branch)) {
                    entry.phase = BranchPhase::Done;
                    if let Some(locator) = entry.locator.as_mut() {
                        locator.answer(records, dice);
                    }
                }
                if !self.run_locator(server, branch, out) {
                    self.branch_unreachable(server, branch, out);
                }
            }
            Some(Purpose::LocateAck { ack, mut locator }) => {
                locator.answer(records, dice);
                self.locate_ack(ack, locator, out);
            }
            Some(Purpose::LocateCall { call, number }) => {
                self.located_for_call(call, number, records, dice, out);
            }
            Some(Purpose::LocateOriginated { request, mut locator }) => {
                locator.answer(records, dice);
                self.locate_originated(request, locator, out);
            }
            _ => {}
        }
    }

    /// Tries the next address of a branch whose last one failed; false when there is none to try.
    pub(crate) fn try_next_address(&mut self, server: Key, number: u16, out: &mut Effects) -> bool {
        let Some(work) = self.work(server) else { return false };
        if work.cancelled {
            return false;
        }
        if work.branch_mut(number).is_none_or(|b| b.cancelled) {
            return false;
        }
        let without_flow = self.without_token_flow(server, number);
        if let Some(next) = without_flow {
            self.go(server, number, next, out);
            return true;
        }
        self.run_locator(server, number, out)
    }

    /// A route token whose flow leads nowhere any more falls through to normal routing, once.
    fn without_token_flow(&mut self, server: Key, number: u16) -> Option<NextHop> {
        let work = self.work(server)?;
        if !work.as_it_stands || work.token_egress.take().is_none() {
            return None;
        }
        let hop = nexthop::next_hop(&work.edited, work.consumed_routes, None, None).ok()?;
        work.branch_mut(number)?.strict = hop.strict;
        Some(hop.next)
    }

    /// Renders the request for one address and starts its client transaction (RFC 3261 16.6 steps 3 to 11).
    fn launch_branch(&mut self, server: Key, number: u16, egress: Egress, out: &mut Effects) {
        let node = self.node.clone();
        let Some(work) = self.servers.get(server).and_then(|s| s.work.as_ref()) else { return };
        let (method, call_id) = (work.request.method(), work.call_id(out.is_read(Classes::TRANSACTIONS)));
        let wanted = work.send_socket.as_deref();
        let named = wanted.and_then(|text| node.own.listener_named(text, egress.transport, &egress.remote));
        let found = || node.own.listener_for(egress.transport, &egress.remote, egress.local);
        let Some(listener) = named.or_else(found) else {
            return self.branch_unreachable(server, number, out);
        };
        let own_local = egress.local.filter(|_| named.is_none());
        let egress = Egress { local: own_local.or(Some(listener.bound)), ..egress };
        let key =
            self.reserve_client(method, egress, ClientOwner::Branch { server, branch: number }, call_id);
        let Some(work) = self.servers.get_mut(server).and_then(|s| s.work.as_deref_mut()) else { return };
        let max_forwards = work.max_forwards;
        let Some(branch) = work.branches.iter_mut().find(|b| b.number == number) else { return };
        branch.phase = BranchPhase::Sent(key);
        let id = node.branches.encode(self.index, key, work.loop_hash);
        let forward = Forward {
            request: &work.edited,
            received_on: Some(&work.flow),
            consumed_routes: work.consumed_routes,
            target: branch.target.as_ref(),
            strict: branch.strict,
            egress: &egress,
            listener,
            branch: &id,
            record_route: work.record_route,
            spent: work.spent.get_or_insert_with(|| spent_credentials(&work.edited, &node.auth)),
            hops: Hops { max_forwards, max_breadth: branch.breadth },
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let written = forward.write(&node.own, &node.route_tokens, &mut scratch);
        let bytes = Octets::from(scratch.as_slice());
        self.scratch = scratch;
        if written.is_err() {
            self.forget_client(key, out);
            return self.branch_unreachable(server, number, out);
        }
        if method == Method::Invite {
            self.arm_give_up(server, key);
        }
        self.launch_client(key, bytes, out);
    }

    /// Timer C, or the ring time-out where that is shorter.
    fn arm_give_up(&mut self, server: Key, key: Key) {
        let timer_c = (self.now + self.node.settings().timer_c, GiveUp::TimerC);
        let ring = self.work(server).and_then(|w| w.branch_timeout);
        let ring = ring.map(|t| (self.now + t, GiveUp::RingTimeout));
        let (at, why) = ring.filter(|r| r.0 < timer_c.0).unwrap_or(timer_c);
        self.set_give_up(key, at, why);
    }

    /// Nowhere to send to, or nothing that can be sent: 503 for the context (RFC 3261 16.9).
    pub(crate) fn branch_unreachable(&mut self, server: Key, number: u16, out: &mut Effects) {
        if let Some(branch) = self.work(server).and_then(|w| w.branch_mut(number)) {
            branch.phase = BranchPhase::Done;
        }
        self.feed_context(server, ContextInput::BranchFailed { branch: number, status: 503 }, out);
    }

    /// The context wants a branch cancelled.
    pub(crate) fn cancel_branch(&mut self, server: Key, number: u16, out: &mut Effects) {
        let Some(branch) = self.work(server).and_then(|w| w.branch_mut(number)) else { return };
        branch.cancelled = true;
        match branch.phase {
            BranchPhase::Sent(key) => self.cancel_client(key, out),
            BranchPhase::Locating(ticket) => {
                self.close_ticket(ticket);
                self.branch_unreachable(server, number, out);
            }
            BranchPhase::Done => {}
        }
    }

    /// Timer C, the ring time-out, or a CANCEL that brought nothing (RFC 3261 16.8, 9.1).
    pub(crate) fn give_up_branch(&mut self, key: Key, why: GiveUp, out: &mut Effects) {
        let Some(client) = self.clients.get(key) else { return };
        let (server, branch) = match client.owner {
            ClientOwner::Branch { server, branch } => (server, branch),
            ClientOwner::Originated { wait } => {
                self.forget_client(key, out);
                return self.answer_wait(wait, Err("timeout"), out);
            }
            ClientOwner::Call { call, client } => return self.give_up_for_call(key, call, client, why, out),
            ClientOwner::Ping { .. } => return self.forget_client(key, out),
            ClientOwner::Nobody => return,
        };
        let input = match why {
            GiveUp::Originated => return,
            GiveUp::TimerC | GiveUp::RingTimeout => ContextInput::RingTimeout { branch },
            GiveUp::AfterCancel => {
                self.branch_done(server, branch);
                self.forget_client(key, out);
                return self.feed_context(server, ContextInput::BranchTimeout { branch }, out);
            }
        };
        // Without a provisional response there is nobody to CANCEL yet; the branch ends by its transaction's own
        // time-out, or by the CANCEL that leaves with the first provisional.
        self.feed_context(server, input, out);
    }

    pub(crate) fn branch_done(&mut self, server: Key, number: u16) {
        if let Some(branch) = self.work(server).and_then(|w| w.branch_mut(number)) {
            branch.phase = BranchPhase::Done;
        }
    }

    pub(crate) fn client_timed_out(&mut self, key: Key, out: &mut Effects) {
        self.client_without_response(
            key,
            "timeout",
            408,
            |branch| ContextInput::BranchTimeout { branch },
            out,
        );
    }

    pub(crate) fn client_lost_transport(&mut self, key: Key, out: &mut Effects) {
        self.client_without_response(
            key,
            "transport error",
            503,
            |branch| ContextInput::BranchFailed { branch, status: 503 },
            out,
        );
    }

    fn client_without_response(
        &mut self,
        key: Key,
        why: &'static str,
        status: u16,
        input: impl FnOnce(u16) -> ContextInput,
        out: &mut Effects,
    ) {
        self.tell_client_completed(key, 0, out);
        match self.clients.get(key).map(|c| c.owner) {
            Some(ClientOwner::Branch { server, branch }) => {
                if self.try_next_address(server, branch, out) {
                    return;
                }
                self.branch_done(server, branch);
                self.feed_context(server, input(branch), out);
            }
            Some(ClientOwner::Originated { wait }) => self.answer_wait(wait, Err(why), out),
            Some(ClientOwner::Call { call, client }) => {
                self.no_response_for_call(call, client, status, out);
            }
            Some(ClientOwner::Ping { .. } | ClientOwner::Nobody) | None => {}
        }
    }

    fn answer_as_uas(&mut self, server: Key, spec: &ReplySpec, out: &mut Effects) {
        if spec.code >= 200 && self.is_merged(server) {
            return self.reply_code(server, 482, &[], out);
        }
        // A request already relayed whose branches still run is answered over their heads.
        let relayed = self.work(server).is_some_and(|w| w.context.is_some());
        if relayed && spec.code >= 200 {
            self.cancel_all_branches(server, out);
        }
        self.reply(server, spec, out);
    }

    /// Whether the same request is being answered here already, having come by another path (RFC 3261 8.2.2.2).
    pub(crate) fn is_merged(&mut self, server: Key) -> bool {
        let Some(entry) = self.servers.get_mut(server) else { return false };
        let Some(work) = entry.work.as_ref().filter(|w| w.context.is_none() && entry.merge.is_none()) else {
            return false;
        };
        match self.merged.enter(&work.request, server.to_u64()) {
            Entered::First(ticket) => {
                entry.merge = Some(ticket);
                false
            }
            Entered::Merged { .. } => true,
            Entered::Untracked => false,
        }
    }

    pub(crate) fn cancel_all_branches(&mut self, server: Key, out: &mut Effects) {
        let numbers: Vec<u16> =
            self.work(server).map(|w| w.branches.iter().map(|b| b.number).collect()).unwrap_or_default();
        for number in numbers {
            self.cancel_branch(server, number, out);
        }
    }
}

/// To an address found by RFC 3263, by whatever connection leads there.
pub(crate) fn towards(transport: Transport, remote: SocketAddr) -> Egress {
    Egress { transport, local: None, remote, connection: None, may_connect: true }
}
