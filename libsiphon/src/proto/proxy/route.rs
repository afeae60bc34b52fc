//! Route preprocessing (RFC 3261 16.4): what an upstream strict router did to the Request-URI is undone, `maddr` of
//! ours is removed, our own topmost Route values count as consumed, and a flow they carry is read.

use super::own::OwnAddresses;
use super::route_token::RouteSecret;
use crate::base::flow::{Egress, Flow, Transport};
use crate::wire::sip::{HeaderId, Limits, Malformed, Message, Splice, Uri};

/// A request as policy is to see it.
#[derive(Clone, Debug)]
pub struct Preprocessed {
    /// The request with another Request-URI (and without the Route value it came from); `None` when it stays as it is.
    pub message: Option<Message>,
    /// How many topmost Route values are ours. They stay in the message until it is forwarded.
    pub consumed_routes: u8,
    /// The request carried a route set, or came on our Record-Route.
    pub on_route: bool,
    /// The Request-URI names this node or one of its domains.
    pub is_local: bool,
    /// Where our route token says an in-dialog request goes.
    pub flow: Option<Egress>,
}

/// The parameter that marks both halves of a double Record-Route (RFC 5658), so that they are consumed together.
pub(super) const DOUBLE: &str = "r2";

/// Does the steps of RFC 3261 16.4 for a request that came on `flow`. The error is answered 400.
pub fn preprocess(
    request: &Message,
    flow: &Flow,
    own: &OwnAddresses,
    tokens: &RouteSecret,
    limits: &Limits,
) -> Result<Preprocessed, Malformed> {
    let uri = request.uri()?;
    let routed = request.has(HeaderId::Route);
    let mut found = Found { in_dialog: request.to_tag().is_some(), ..Found::default() };
    let mut changed = None;
    // A value that we put into Record-Route has lr; a plain request to one of our addresses does not.
    if routed && uri.is_loose() && own.is_own_route(&uri) {
        changed = undo_strict_router(request, limits)?;
    }
    let strict = changed.is_some();
    if strict {
        found.note(&uri, request, tokens);
    }
    if let Some(maddr) = changed_maddr(changed.as_ref().unwrap_or(request), flow, own, limits)? {
        changed = Some(maddr);
    }
    let message = changed.as_ref().unwrap_or(request);
    let consumed_routes = if routed { consume(message, own, tokens, &mut found)? } else { 0 };
    let is_local = if changed.is_none() { own.is_local(&uri) } else { own.is_local(&message.uri()?) };
    let on_route = routed || strict;
    Ok(Preprocessed { is_local, consumed_routes, on_route, flow: found.flow, message: changed })
}

/// The request without an maddr of ours, when it had one.
fn changed_maddr(
    request: &Message,
    flow: &Flow,
    own: &OwnAddresses,
    limits: &Limits,
) -> Result<Option<Message>, Malformed> {
    if memchr::memchr(b';', request.request_uri().as_bytes()).is_none() {
        return Ok(None);
    }
    let Some(without) = without_own_maddr(&request.uri()?, flow, own) else { return Ok(None) };
    let mut splice = Splice::of(request);
    splice.set_request_uri(&without).map_err(|_| Malformed::RequestUri("maddr"))?;
    splice.into_message(limits).map(Some)
}

/// What our own Route values told.
#[derive(Default)]
struct Found {
    in_dialog: bool,
    /// The last one was half of a double Record-Route whose other half must follow.
    half: bool,
    flow: Option<Egress>,
}

impl Found {
    fn note(&mut self, uri: &Uri<'_>, request: &Message, tokens: &RouteSecret) {
        self.half = !self.half && uri.params().has(DOUBLE);
        // Only a dialog has two sides; a token in a preloaded Route is none of ours to follow.
        if let (None, true, Some(user)) = (self.flow, self.in_dialog, uri.user()) {
            self.flow = tokens.decode(user, request.from_tag().unwrap_or_default());
        }
    }
}

/// The Request-URI is ours, and what it should be is the last Route value (RFC 3261 16.4, first paragraph).
fn undo_strict_router(request: &Message, limits: &Limits) -> Result<Option<Message>, Malformed> {
    let Some((at, last)) = request.routes().enumerate().last() else { return Ok(None) };
    let last = last?;
    let mut splice = Splice::of(request);
    splice.set_request_uri(last.uri.as_str()).map_err(|_| Malformed::RequestUri("last Route"))?;
    splice.remove_value(HeaderId::Route, at);
    splice.into_message(limits).map(Some)
}

/// RFC 3261 16.4, second paragraph: an maddr of ours, reached by the port and transport the URI names, is removed with
/// them.
fn without_own_maddr(uri: &Uri<'_>, flow: &Flow, own: &OwnAddresses) -> Option<String> {
    let maddr = uri.param("maddr")?;
    let port = uri.port().unwrap_or(5060);
    let transport = uri.param("transport").map_or(Some(Transport::Udp), Transport::from_token);
    if transport != Some(flow.transport) || port != flow.local.port() || !own.is_own_host(maddr, port) {
        return None;
    }
    let mut text = format!("{}:", uri.scheme_name());
    if let Some(user) = uri.user() {
        text.push_str(user);
        if let Some(password) = uri.password() {
            text.push(':');
            text.push_str(password);
        }
        text.push('@');
    }
    text.push_str(uri.host());
    for (name, value) in uri.params() {
        if name.eq_ignore_ascii_case("maddr") || name.eq_ignore_ascii_case("transport") {
            continue;
        }
        text.push(';');
        text.push_str(name);
        if let Some(value) = value {
            text.push('=');
            text.push_str(value);
        }
    }
    Some(text)
}

/// Counts our own topmost Route values: one, or both of a double Record-Route.
fn consume(
    message: &Message,
    own: &OwnAddresses,
    tokens: &RouteSecret,
    found: &mut Found,
) -> Result<u8, Malformed> {
    let mut consumed = 0u8;
    for route in message.routes() {
        let uri = route?.uri;
        if !own.is_local(&uri) {
            break;
        }
        // Behind the first, only the other half of a double Record-Route: a spiral visits us once more on purpose.
        if consumed > 0 && !(found.half && uri.params().has(DOUBLE)) {
            break;
        }
        found.note(&uri, message, tokens);
        consumed = consumed.saturating_add(1);
        if !found.half {
            break;
        }
    }
    Ok(consumed)
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
