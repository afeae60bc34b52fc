//! The ACK to a 2xx: it belongs to no transaction and is forwarded without state (RFC 3261 16.11, 17.1.1.3). The
//! policy is asked like about any request, but all it can do is relay it or let it drop.

use crate::base::flow::Egress;
use crate::base::text::{Octets, Text};
use crate::engine::contract::{Effect, Effects};
use crate::engine::relay::towards;
use crate::engine::shard::Shard;
use crate::engine::tickets::{Purpose, StrayAck};
use crate::event::{Classes, Kind};
use crate::policy::{Decision, Verdict};
use crate::proto::locate::{Locator, Step};
use crate::proto::proxy::forward::Forward;
use crate::proto::proxy::nexthop::{self, NextHop};
use crate::proto::proxy::validate;
use crate::wire::sip::Method;

impl Shard {
    pub(crate) fn commit_ack_verdict(&mut self, mut ack: Box<StrayAck>, verdict: Verdict, out: &mut Effects) {
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
            Some(Decision::RoleProcedure) if ack.on_route || !ack.is_local => None,
            Some(Decision::Failed(error)) => {
                let call_id = Text::from(ack.message.call_id());
                return self.tell(out, Classes::POLICY, || Kind::PolicyFailed { call_id, error });
            }
            _ => return,
        };
        let hop = nexthop::next_hop(&ack.message, ack.consumed_routes, target.as_ref(), ack.token_egress);
        ack.target = target;
        ack.strict = hop.as_ref().is_ok_and(|hop| hop.strict);
        match hop.map(|hop| hop.next) {
            Ok(NextHop::Egress(egress)) => self.send_ack(&ack, egress, out),
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
            Step::Try { transport, remote } => self.send_ack(&ack, towards(transport, remote), out),
            Step::Exhausted => {}
        }
    }

    fn send_ack(&mut self, ack: &StrayAck, egress: Egress, out: &mut Effects) {
        let node = self.node.clone();
        let Some(listener) = node.own.listener_for(egress.transport, &egress.remote, egress.local) else {
            return;
        };
        let Ok(hops) = validate::may_forward(&ack.message, node.settings().max_breadth) else { return };
        let egress = Egress { local: egress.local.or(Some(listener.bound)), ..egress };
        let branch = node.branches.encode_stateless(self.index, &ack.message, ack.loop_hash);
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
            hops,
        };
        let mut bytes = Vec::with_capacity(ack.message.bytes().len() + 256);
        if forward.write(&node.own, &node.route_tokens, &mut bytes).is_ok() {
            self.send(egress, Octets::from(bytes), 0, Method::Ack, None, out);
        }
    }
}
