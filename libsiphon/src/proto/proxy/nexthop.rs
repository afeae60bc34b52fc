//! Where a branch goes (RFC 3261 16.6 steps 6 and 7): the flow of a binding, the address it came from, what policy
//! says, the topmost Route, the flow of a route token, the Request-URI; the first of these that is there.

use crate::base::flow::{Egress, Transport};
use crate::policy::Target;
use crate::proto::locate::{NoRoute, Query};
use crate::wire::sip::{HeaderId, Message, NameAddr, Uri};
use std::borrow::Cow;

/// Where to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextHop {
    /// Exactly here.
    Egress(Egress),
    /// To what a [`Locator`](crate::proto::locate::Locator) finds.
    Resolve(Query),
}

/// The next hop of one branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Where to send.
    pub next: NextHop,
    /// The topmost Route names a strict router, so that the request has to be rewritten for it (16.6 step 6).
    pub strict: bool,
}

/// The next hop of `request`, of whose Route values the topmost `consumed_routes` are ours.
///
/// `target` is what policy chose, `None` when it relays the request as it stands; only then counts `flow`, which
/// [`preprocess`](super::route::preprocess) read from our route token. When sending by `flow` fails, ask again
/// without it: a token that leads nowhere falls through to normal routing.
pub fn next_hop(
    request: &Message,
    consumed_routes: u8,
    target: Option<&Target>,
    flow: Option<Egress>,
) -> Result<Hop, NoRoute> {
    let top = match target.and_then(|t| t.route.first()) {
        Some(path) => Some(Cow::Borrowed(&**path)),
        None => request.values(HeaderId::Route).nth(consumed_routes.into()),
    };
    let route = match &top {
        Some(top) => Some(NameAddr::parse(top).map_err(|_| NoRoute::Host)?.uri),
        None => None,
    };
    let strict = route.is_some_and(|uri| !uri.is_loose());
    let next = match target {
        Some(Target { flow: Some(flow), .. }) => NextHop::Egress(flow.back()),
        Some(Target { received: Some(remote), uri, .. }) => NextHop::Egress(Egress {
            transport: transport_of(uri),
            local: None,
            remote: *remote,
            connection: None,
            // What lies behind a NAT accepts no connections.
            may_connect: false,
        }),
        Some(Target { next_hop: Some(uri), .. }) => resolve(uri)?,
        target => match (route, flow.filter(|_| target.is_none())) {
            (Some(route), _) => NextHop::Resolve(Query::of_uri(&route)?),
            (None, Some(egress)) => NextHop::Egress(egress),
            (None, None) => resolve(target.map_or(request.request_uri(), |t| &t.uri))?,
        },
    };
    Ok(Hop { next, strict })
}

fn resolve(uri: &str) -> Result<NextHop, NoRoute> {
    // A next hop may be written with brackets, as Route values are.
    let uri = match Uri::parse(uri) {
        Ok(uri) => uri,
        Err(_) => NameAddr::parse(uri).map_err(|_| NoRoute::Host)?.uri,
    };
    Query::of_uri(&uri).map(NextHop::Resolve)
}

fn transport_of(uri: &str) -> Transport {
    let named = Uri::parse(uri).ok().and_then(|uri| uri.param("transport").and_then(Transport::from_token));
    named.unwrap_or(Transport::Udp)
}

#[cfg(test)]
#[path = "nexthop_tests.rs"]
mod tests;
