//! What siphon-proxy does when no script decides: a registrar and proxy for its own domains, no open relay.

use crate::base::flow::Flow;
use crate::base::slab::Key;
use crate::engine::contract::Effects;
use crate::engine::shard::Shard;
use crate::policy::{Decision, Keep, RelayOptions, ReplySpec, Strategy};
use crate::proto::registrar::{Binding, Registration};
use crate::wire::sip::{Message, Method};
use std::sync::Arc;

impl Shard {
    /// In-dialog requests follow their route set; OPTIONS to us is answered, REGISTER saved; what is for a local
    /// user goes to its bindings; a request for a foreign domain is refused.
    pub(crate) fn role_procedure(&mut self, server: Key, out: &mut Effects) {
        let Some(work) = self.work(server) else { return };
        let (request, flow) = (work.edited.clone(), work.flow);
        let (on_route, is_local) = (work.on_route, work.is_local);
        let method = request.method();
        let decision = match method {
            _ if request.to_tag().is_some() => in_dialog(method, on_route, is_local),
            _ if !is_local => Decision::Reply(ReplySpec::code(403)),
            Method::Register => return self.role_register(server, &request, &flow, out),
            Method::Options if request.uri().is_ok_and(|u| u.user().is_none()) => {
                Decision::Reply(ReplySpec::code(200))
            }
            _ => self.to_bindings(&request),
        };
        self.decide(server, decision, out);
    }

    fn to_bindings(&self, request: &Message) -> Decision {
        let bindings =
            request.uri().map(|uri| self.node.registrar.lookup(&uri, self.now)).unwrap_or_default();
        if bindings.is_empty() {
            return Decision::Reply(ReplySpec::code(404));
        }
        let options = RelayOptions { record_route: true, ..RelayOptions::default() };
        let targets = bindings.iter().map(Binding::target).collect();
        Decision::Fork { targets, strategy: Strategy::ByPreference, options }
    }

    fn role_register(&mut self, server: Key, request: &Message, flow: &Flow, out: &mut Effects) {
        let outcome = self.node.registrar.process(&Registration::new(request, flow), self.now);
        self.tell_bindings(outcome.changes, out);
        let decision = Decision::Reply(outcome.reply);
        match outcome.commit {
            Some(mut commit) => {
                commit.undo = outcome.rollback.map(|rollback| Keep(Arc::new(rollback)));
                self.commit_to_store(server, commit, decision, out);
            }
            None => self.decide(server, decision, out),
        }
    }
}

/// Along the route set, or to the remote target when there is none; what is for us has no dialog here.
fn in_dialog(method: Method, on_route: bool, is_local: bool) -> Decision {
    if on_route || !is_local {
        return Decision::Relay(RelayOptions::default());
    }
    Decision::Reply(ReplySpec::code(if method == Method::Options { 200 } else { 481 }))
}
