//! A request relayed as it stands whose Request-URI is a GRUU of ours, inside a dialog or not: it goes to the binding
//! that the GRUU stands for (RFC 5627 6.1).

use crate::base::flow::Egress;
use crate::engine::shard::Shard;
use crate::policy::Target;
use crate::wire::sip::{HeaderId, Message};

/// Whom a request relayed as it stands is for.
pub(crate) enum Addressee {
    /// Where its Route, our route token or its Request-URI lead.
    AsItStands,
    /// A binding.
    Binding(Target),
    /// Nobody who can be reached: the status code that says so.
    Nobody(u16),
}

impl Shard {
    /// Whether the Request-URI has the form of a GRUU of a domain of ours, valid or not.
    pub(crate) fn names_own_gruu(&self, request: &Message) -> bool {
        memchr::memchr(b';', request.request_uri().as_bytes()).is_some()
            && request.uri().is_ok_and(|uri| uri.params().has("gr") && self.node.own.is_local(&uri))
    }

    /// Whom `request` is for, of whose Route values the topmost `consumed_routes` are ours; `token` is the flow our
    /// route token carries.
    ///
    /// A Route that comes back to this node is followed first, so that Path is put on top of the last stretch alone.
    /// And where Route or token lead on, a GRUU nobody is registered under does not stop the request: a phone that
    /// unregisters during a call can still be told that it ends.
    pub(crate) fn addressee(
        &self,
        request: &Message,
        consumed_routes: u8,
        token: Option<Egress>,
    ) -> Addressee {
        if !self.names_own_gruu(request) || self.comes_back(request, consumed_routes) {
            return Addressee::AsItStands;
        }
        let routed = request.values(HeaderId::Route).nth(consumed_routes.into()).is_some();
        let gruu = request.uri().ok().and_then(|uri| self.node.registrar.resolve_gruu(&uri, self.now));
        let code = if gruu.is_some() { 480 } else { 404 };
        // Of several contacts of one instance, the one refreshed last (RFC 5627 6.1).
        let binding = gruu.and_then(|gruu| gruu.bindings.into_iter().max_by_key(|b| b.updated_at));
        match binding.map(|b| b.target()) {
            // What comes between us and the binding comes first; its flow would pass that by.
            Some(target) if routed => Addressee::Binding(Target { flow: None, received: None, ..target }),
            Some(target) => Addressee::Binding(target),
            None if routed || token.is_some() => Addressee::AsItStands,
            None => Addressee::Nobody(code),
        }
    }

    fn comes_back(&self, request: &Message, consumed_routes: u8) -> bool {
        let mut ahead = request.routes().skip(consumed_routes.into());
        ahead.any(|route| route.is_ok_and(|route| self.node.own.is_own_route(&route.uri)))
    }
}

#[cfg(test)]
#[path = "gruu_tests.rs"]
mod tests;
