//! The ACK to a 2xx: it belongs to no transaction and is forwarded without state (RFC 3261 16.11, 17.1.1.3). The
//! policy is asked like about any request, but all it can do is relay it or let it drop.

use crate::base::flow::Egress;
use crate::base::text::{Octets, Text};
use crate::engine::contract::{Effect, Effects, SendReport};
use crate::engine::gruu::Addressee;
use crate::engine::relay::{named, towards};
use crate::engine::shard::Shard;
use crate::engine::tickets::{Purpose, StrayAck};
use crate::event::{Classes, Kind};
use crate::policy::{Decision, Verdict};
use crate::proto::locate::{Locator, Step};
use crate::proto::proxy::forward::{Forward, spent_credentials};
use crate::proto::proxy::nexthop::{self, NextHop};
use crate::proto::proxy::validate;
use crate::wire::sip::Method;
use std::collections::VecDeque;

/// The last ACKs that were sent by the flow of a route token, so that one whose flow turns out to be gone can go on
/// without it. Beyond the bound the oldest is forgotten: should it be lost, the 2xx comes again and so does the ACK.
#[derive(Debug, Default)]
pub(crate) struct SentAcks {
    acks: VecDeque<(u32, Box<StrayAck>)>,
    next: u32,
}

/// The driver tells of a failure within milliseconds.
const MOST_SENT_ACKS: usize = 64;

impl SentAcks {
    fn remember(&mut self, ack: Box<StrayAck>) -> u32 {
        if self.acks.len() >= MOST_SENT_ACKS {
            self.acks.pop_front();
        }
        let number = self.next;
        self.next = number.wrapping_add(1);
        self.acks.push_back((number, ack));
        number
    }

    fn take(&mut self, number: u32) -> Option<Box<StrayAck>> {
        let at = self.acks.iter().position(|(n, _)| *n == number)?;
        self.acks.remove(at).map(|(_, ack)| ack)
    }
}

impl Shard {
    pub(crate) fn commit_ack_verdict(&mut self, mut ack: Box<StrayAck>, verdict: Verdict, out: &mut Effects) {
        if let Some(decision) = &verdict.decision {
            self.tell(out, Classes::DECISIONS, || Kind::Decided {
                call_id: ack.message.call_id().into(),
                method: Method::Ack,
                decision: named(decision),
                script_line: verdict.script_line,
            });
        }
        if let Some(message) = verdict.message {
            ack.message = message;
        }
        ack.consumed_routes = verdict.consumed_routes.unwrap_or(ack.consumed_routes);
        let target = match verdict.decision {
            Some(Decision::Relay(_)) => None,
            // An ACK goes to one place; of several targets the first.
            Some(Decision::Fork { targets, .. }) => match targets.into_iter().next() {
                Some(target) => Some(target),
                None => return,
            },
            // In-dialog: along the route set. An ACK to us that nobody wants goes nowhere.
            Some(Decision::RoleProcedure)
                if ack.on_route || !ack.is_local || self.names_own_gruu(&ack.message) =>
            {
                None
            }
            Some(Decision::Failed(error)) => {
                let call_id = Text::from(ack.message.call_id());
                return self.tell(out, Classes::POLICY, || Kind::PolicyFailed { call_id, error });
            }
            _ => return,
        };
        ack.target = target;
        self.route_ack(ack, out);
    }

    /// A route token whose flow leads nowhere any more falls through to normal routing, once.
    pub(crate) fn ack_lost_flow(&mut self, number: u32, out: &mut Effects) {
        if let Some(mut ack) = self.sent_acks.take(number) {
            ack.token_egress = None;
            self.route_ack(ack, out);
        }
    }

    fn route_ack(&mut self, mut ack: Box<StrayAck>, out: &mut Effects) {
        if ack.target.is_none() {
            match self.addressee(&ack.message, ack.consumed_routes, ack.token_egress) {
                Addressee::AsItStands => {}
                Addressee::Binding(target) => {
                    ack.target = Some(target);
                    ack.token_egress = None;
                }
                // Nobody answers an ACK.
                Addressee::Nobody(_) => return,
            }
        }
        let hop = nexthop::next_hop(&ack.message, ack.consumed_routes, ack.target.as_ref(), ack.token_egress);
        ack.strict = hop.as_ref().is_ok_and(|hop| hop.strict);
        match hop.map(|hop| hop.next) {
            Ok(NextHop::Egress(egress)) => self.send_ack(ack, egress, out),
            Ok(NextHop::Resolve(query)) => {
                let locator = self.locator(query, ack.message.bytes().len());
                self.locate_ack(ack, locator, out);
            }
            Err(_unroutable) => {}
        }
    }

    pub(crate) fn locate_ack(&mut self, ack: Box<StrayAck>, mut locator: Box<Locator>, out: &mut Effects) {
        match locator.step() {
            Step::Ask(lookup) => {
                let ticket = self.open_ticket(Purpose::LocateAck { ack, locator }, None);
                out.push(Effect::LookUp { ticket, lookup });
            }
            Step::Try { transport, remote } => self.send_ack(ack, towards(transport, remote), out),
            Step::Exhausted => {}
        }
    }

    fn send_ack(&mut self, ack: Box<StrayAck>, egress: Egress, out: &mut Effects) {
        let node = self.node.clone();
        let Some(listener) = node.own.listener_for(egress.transport, &egress.remote, egress.local) else {
            return;
        };
        let Ok(hops) = validate::may_forward(&ack.message, node.settings().max_breadth) else { return };
        let egress = Egress { local: egress.local.or(Some(listener.bound)), ..egress };
        let branch = node.branches.encode_stateless(self.index, &ack.message, ack.loop_hash);
        let spent = spent_credentials(&ack.message, &node.auth);
        let forward = Forward {
            request: &ack.message,
            received_on: Some(&ack.flow),
            consumed_routes: ack.consumed_routes,
            target: ack.target.as_ref(),
            strict: ack.strict,
            egress: &egress,
            listener,
            branch: &branch,
            record_route: false,
            spent: &spent,
            hops,
        };
        let mut bytes = Vec::with_capacity(ack.message.bytes().len() + 256);
        if forward.write(&node.own, &node.route_tokens, &mut bytes).is_ok() {
            let by_token = ack.token_egress.is_some();
            let report = by_token.then(|| SendReport::Ack(self.sent_acks.remember(ack)));
            self.send(egress, Octets::from(bytes), 0, Method::Ack, report, out);
        }
    }
}
