//! What siphon-proxy does when no script decides: a registrar and proxy for its own domains, no open relay.

use crate::base::slab::Key;
use crate::engine::contract::Effects;
use crate::engine::shard::Shard;
use crate::policy::{Decision, RelayOptions, ReplySpec, Strategy};
use crate::proto::auth::{Kind as Challenge, Outcome as AuthOutcome};
use crate::wire::sip::Method;

impl Shard {
    /// In-dialog requests follow their route set; OPTIONS to us is answered, REGISTER authenticated and saved;
    /// what is for a local user goes to its bindings; a stranger's request for a foreign domain is refused.
    pub(crate) fn role_procedure(&mut self, server: Key, out: &mut Effects) {
        let Some(work) = self.work(server) else { return };
        let (request, flow) = (work.edited.clone(), work.flow);
        let (on_route, is_local) = (work.on_route, work.is_local);
        let method = request.method();
        if request.to_tag().is_some() {
            let decision = if on_route || !is_local {
                Decision::Relay(RelayOptions::default())
            } else {
                Decision::Reply(ReplySpec::code(if method == Method::Options { 200 } else { 481 }))
            };
            return self.decide(server, decision, out);
        }
        if is_local && method == Method::Options && request.uri().is_ok_and(|u| u.user().is_none()) {
            return self.decide(server, Decision::Reply(ReplySpec::code(200)), out);
        }
        let user = match self.authenticated(server, &request, method == Method::Register, is_local) {
            Ok(user) => user,
            Err(spec) => return self.decide(server, Decision::Reply(spec), out),
        };
        if method == Method::Register {
            return self.role_register(server, &request, &flow, user.as_deref(), out);
        }
        if !is_local {
            let options = RelayOptions { record_route: true, ..RelayOptions::default() };
            return self.decide(server, Decision::Relay(options), out);
        }
        let targets = self.node.registrar.targets(request.request_uri(), self.now);
        if targets.is_empty() {
            return self.decide(server, Decision::Reply(ReplySpec::code(404)), out);
        }
        let options = RelayOptions { record_route: true, ..RelayOptions::default() };
        self.decide(server, Decision::Fork { targets, strategy: Strategy::ByPreference, options }, out);
    }
}
