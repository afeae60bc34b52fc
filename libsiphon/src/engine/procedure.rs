//! What siphon-proxy does when no script decides: a registrar and proxy for its own domains, no open relay.

use crate::base::flow::Flow;
use crate::base::slab::Key;
use crate::base::text::Text;
use crate::engine::contract::Effects;
use crate::engine::inbound::PROXY_OPTIONS;
use crate::engine::shard::Shard;
use crate::policy::{Decision, Keep, RelayOptions, ReplySpec, Strategy};
use crate::proto::auth::{AuthOutcome, Kind};
use crate::proto::proxy::validate;
use crate::proto::registrar::{Binding, Registration};
use crate::wire::sip::{HeaderId, Message, Method};
use std::sync::Arc;

impl Shard {
    /// In-dialog requests follow their route set; OPTIONS to us is answered, REGISTER authenticated and saved;
    /// what is for a local user goes to its bindings; a foreign domain is open to our own users alone.
    pub(crate) fn role_procedure(&mut self, server: Key, out: &mut Effects) {
        let Some(work) = self.work(server) else { return };
        let (request, flow) = (work.edited.clone(), work.flow);
        let (on_route, is_local) = (work.on_route, work.is_local);
        let method = request.method();
        let in_dialog = request.to_tag().is_some();
        let decision = match method {
            // In a dialog or not, the GRUU leads here, and on (RFC 5627 6.1). A preloaded Route takes no stranger further.
            _ if method != Method::Register && (in_dialog || !on_route) && self.names_own_gruu(&request) => {
                let record_route = !in_dialog;
                Decision::Relay(RelayOptions { record_route, ..RelayOptions::default() })
            }
            _ if in_dialog => within_dialog(method, on_route, is_local),
            Method::Options if is_local && request.uri().is_ok_and(|u| u.user().is_none()) => {
                Decision::Reply(ReplySpec::code(200))
            }
            Method::Register if is_local => match self.user_of(&request, Kind::Www) {
                Ok(user) => return self.role_register(server, &request, &flow, user.as_deref(), out),
                Err(reply) => Decision::Reply(reply),
            },
            Method::Register => Decision::Reply(ReplySpec::code(403)),
            _ if is_local => self.to_bindings(&request),
            _ => self.to_the_world(&request),
        };
        // Whoever asks what we can do learns it of what we cannot, too; the registrar looks at its requests itself.
        if method == Method::Options
            && matches!(&decision, Decision::Reply(spec) if spec.code == 200)
            && let Err(rejection) = validate::requires(&request, HeaderId::Require, PROXY_OPTIONS)
        {
            return self.reject(server, &rejection, out);
        }
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

    /// A foreign domain is open to our own users only, under their own names.
    fn to_the_world(&self, request: &Message) -> Decision {
        match self.user_of(request, Kind::Proxy) {
            Ok(Some(user)) if is_from(request, &user) => {
                Decision::Relay(RelayOptions { record_route: true, ..RelayOptions::default() })
            }
            Ok(_) => Decision::Reply(ReplySpec::code(403)),
            Err(reply) => Decision::Reply(reply),
        }
    }

    /// The user who proved to be one; `None` where nobody is configured to log in.
    fn user_of(&self, request: &Message, kind: Kind) -> Result<Option<Text>, ReplySpec> {
        let Some(logins) = self.node.logins.load_full() else { return Ok(None) };
        match self.node.auth.check(&*logins.users, request, &logins.realm, kind, self.now) {
            AuthOutcome::Ok { user } => Ok(Some(user)),
            AuthOutcome::Challenge { reply, .. } | AuthOutcome::Bad(reply) => Err(reply),
        }
    }

    fn role_register(
        &mut self,
        server: Key,
        request: &Message,
        flow: &Flow,
        user: Option<&str>,
        out: &mut Effects,
    ) {
        let registration = Registration { authenticated_user: user, ..Registration::new(request, flow) };
        let outcome = self.node.registrar.process(&registration, self.now);
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

/// Whether the From URI is that user's: nobody calls the world under another's name.
fn is_from(request: &Message, user: &str) -> bool {
    let name = user.split('@').next().unwrap_or(user);
    request.from().is_ok_and(|from| from.uri.user_unescaped().is_some_and(|u| u == name))
}

/// Along the route set, or to the remote target when there is none; what is for us has no dialog here.
fn within_dialog(method: Method, on_route: bool, is_local: bool) -> Decision {
    if on_route || !is_local {
        return Decision::Relay(RelayOptions::default());
    }
    Decision::Reply(ReplySpec::code(if method == Method::Options { 200 } else { 481 }))
}
