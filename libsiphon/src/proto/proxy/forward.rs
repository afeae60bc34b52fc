//! Writing the forwarded request (RFC 3261 16.6) in one splice: Request-URI, Route values, Record-Route, Max-Forwards,
//! Max-Breadth and our Via; and what is noted in the Via of the client (RFC 3261 18.2.1, RFC 3581 4).

use super::branch::Branch;
use super::own::{Listener, OwnAddresses};
use super::route::DOUBLE;
use super::route_token::{RouteSecret, Sides};
use super::validate::Hops;
use crate::base::flow::{Egress, Flow, Transport};
use crate::policy::Target;
use crate::wire::sip::{HeaderId, Limits, Malformed, Message, NameAddr, Rport, Splice, TopVia, Unsafe, Uri};
use smallvec::SmallVec;
use std::net::IpAddr;

/// What the server notes in the topmost Via of a request: where it really came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Marks {
    /// RFC 3261 18.2.1: the source address where sent-by says another; RFC 3581 4: always when `rport` was asked for.
    pub received: Option<IpAddr>,
    /// RFC 3581 4: the source port when it was asked for.
    pub rport: Option<u16>,
}

impl Marks {
    /// What has to be noted for a request that came on `flow`; nothing when it stands there already.
    pub fn of(via: &TopVia<'_>, flow: &Flow) -> Marks {
        let (ip, port) = (flow.remote.ip(), flow.remote.port());
        let asked = via.rport != Rport::Absent;
        let rport = (asked && via.rport != Rport::Port(port)).then_some(port);
        let differs = via.host_bare().parse() != Ok(ip);
        let received = ((asked || differs) && via.received != Some(ip)).then_some(ip);
        Marks { received, rport }
    }

    /// Whether there is nothing to note.
    pub fn is_empty(&self) -> bool {
        self.received.is_none() && self.rport.is_none()
    }
}

/// The request with its source noted in the topmost Via; `None` when there is nothing to note.
///
/// [`Forward`] does the same on the way, so only what is answered here needs it.
pub fn mark_received(request: &Message, flow: &Flow, limits: &Limits) -> Result<Option<Message>, Malformed> {
    let marks = Marks::of(&request.via(), flow);
    if marks.is_empty() {
        return Ok(None);
    }
    let mut splice = Splice::of(request);
    splice.mark_via(marks.received, marks.rport);
    splice.into_message(limits).map(Some)
}

/// One branch of a request on its way out.
#[derive(Clone, Copy, Debug)]
pub struct Forward<'a> {
    /// The request as policy left it.
    pub request: &'a Message,
    /// The flow it came on; `None` for a request of our own.
    pub received_on: Option<&'a Flow>,
    /// How many topmost Route values are ours and go.
    pub consumed_routes: u8,
    /// What policy chose; `None` keeps the Request-URI and the Route values.
    pub target: Option<&'a Target>,
    /// See [`Hop::strict`](super::nexthop::Hop::strict).
    pub strict: bool,
    /// Where this attempt goes.
    pub egress: &'a Egress,
    /// The listener that responses are to come back to.
    pub listener: &'a Listener,
    /// Our branch.
    pub branch: &'a Branch,
    /// Put Record-Route on the request.
    pub record_route: bool,
    /// From [`may_forward`](super::validate::may_forward), with this branch's share of the breadth.
    pub hops: Hops,
}

/// Text of one header field value.
type Value = SmallVec<[u8; 256]>;

impl Forward<'_> {
    /// Appends the request as it goes on the wire. Fails when policy chose a URI that cannot be written.
    pub fn write(&self, own: &OwnAddresses, tokens: &RouteSecret, out: &mut Vec<u8>) -> Result<(), Unsafe> {
        let mut splice = Splice::of(self.request);
        if let Some(flow) = self.received_on {
            let marks = Marks::of(&self.request.via(), flow);
            if !marks.is_empty() {
                splice.mark_via(marks.received, marks.rport);
            }
        }
        self.routing(&mut splice)?;
        if self.record_route {
            self.push_record_route(&mut splice, own, tokens)?;
        }
        splice.set_max_forwards(self.hops.max_forwards);
        let mut text = Value::new();
        push_number(&mut text, self.hops.max_breadth);
        splice.set(HeaderId::MaxBreadth, as_text(&text))?;
        text.clear();
        via_value(&mut text, self.egress.transport, self.listener, self.branch);
        splice.push_via(as_text(&text))?;
        splice.write(out);
        Ok(())
    }

    /// Request-URI and Route (16.6 steps 2, 6).
    fn routing(&self, splice: &mut Splice<'_>) -> Result<(), Unsafe> {
        if self.consumed_routes > 0 {
            splice.pop_routes(self.consumed_routes.into());
        }
        let path = self.target.map_or(&[][..], |t| &t.route);
        for value in path.iter().rev() {
            splice.push_route(value)?;
        }
        let cleaned;
        let uri = match self.target {
            None => self.request.request_uri(),
            Some(target) => {
                cleaned = for_request_line(&target.uri);
                cleaned.as_deref().unwrap_or(&target.uri)
            }
        };
        if self.strict {
            return self.for_strict_router(splice, uri);
        }
        if uri != self.request.request_uri() {
            splice.set_request_uri(uri)?;
        }
        Ok(())
    }

    /// 16.6 step 6: the strict router expects itself in the Request-URI and the rest in Route.
    fn for_strict_router(&self, splice: &mut Splice<'_>, uri: &str) -> Result<(), Unsafe> {
        let path = self.target.map_or(&[][..], |t| &t.route);
        let own_top;
        let top = match path.first() {
            Some(value) => NameAddr::parse(value),
            None => {
                own_top = self.request.routes().nth(self.consumed_routes.into());
                own_top.unwrap_or(Err(Malformed::Missing("Route")))
            }
        };
        let top = top.map_err(|_| Unsafe::Name)?;
        splice.pop_routes(1);
        splice.set_request_uri(top.uri.as_str())?;
        splice.append(HeaderId::Route, &format!("<{uri}>"))?;
        Ok(())
    }

    /// 16.6 step 4. Where the two sides of us differ in listener, two values (RFC 5658): the one on top is for the
    /// side the request goes to. Both are consumed together when they come back, so one of them carries the token.
    fn push_record_route(
        &self,
        splice: &mut Splice<'_>,
        own: &OwnAddresses,
        tokens: &RouteSecret,
    ) -> Result<(), Unsafe> {
        let from = self.received_on.and_then(|f| own.listener_for(f.transport, &f.remote, Some(f.local)));
        let double = from.filter(|from| !std::ptr::eq(*from, self.listener) && *from != self.listener);
        let sides = self.sides();
        let token = if sides.is_empty() {
            Default::default()
        } else {
            tokens.encode(&sides, self.request.from_tag().unwrap_or_default())
        };
        let mut text = Value::new();
        if let Some(from) = double {
            route_value(&mut text, from, &[], true);
            splice.push_record_route(as_text(&text))?;
            text.clear();
        }
        route_value(&mut text, self.listener, &token, double.is_some());
        splice.push_record_route(as_text(&text))?;
        Ok(())
    }

    /// Which ends of the dialog this request forms are reachable by their flow only. An end behind another proxy is
    /// that proxy's to reach, and a dialog that stands keeps the route set it has (RFC 3261 12.2).
    fn sides(&self) -> Sides {
        if self.request.to_tag().is_some() {
            return Sides::default();
        }
        let uac = self.received_on.filter(|flow| self.is_uac_by_flow(flow)).map(Flow::back);
        let uas = self.target.filter(|t| t.route.is_empty()).and_then(|target| {
            match (&target.flow, target.received) {
                (Some(flow), _) => {
                    (flow.transport == Transport::Tcp || !names(&target.uri, flow)).then(|| flow.back())
                }
                (None, Some(_)) => Some(Egress { may_connect: false, ..*self.egress }),
                (None, None) => None,
            }
        });
        Sides { uac, uas }
    }

    fn is_uac_by_flow(&self, flow: &Flow) -> bool {
        let adjacent = self.request.second_via().is_none();
        adjacent
            && match flow.transport {
                // The port that a phone connects from is none it listens on.
                Transport::Tcp => true,
                Transport::Udp => {
                    let contact = self.request.contacts().next();
                    contact.is_some_and(|c| c.is_ok_and(|c| !is_at(&c.uri, flow)))
                }
            }
    }
}

fn names(uri: &str, flow: &Flow) -> bool {
    Uri::parse(uri).is_ok_and(|uri| is_at(&uri, flow))
}

/// Whether a URI names the very address a flow came from.
fn is_at(uri: &Uri<'_>, flow: &Flow) -> bool {
    uri.port().unwrap_or(5060) == flow.remote.port() && uri.host_ip() == Some(flow.remote.ip())
}

/// What may not stand in a Request-URI goes (16.6 step 2, 19.1.1 table 1): header fields and `method`. `None` when
/// there is nothing of it.
fn for_request_line(text: &str) -> Option<String> {
    let suspect = memchr::memchr(b'?', text.as_bytes()).is_some()
        || memchr::memmem::find(text.as_bytes(), b";method=").is_some();
    let uri = if suspect { Uri::parse(text).ok()? } else { return None };
    let headers = if uri.headers().is_empty() { 0 } else { uri.headers().len().checked_add(1)? };
    let mut rest = text.get(..text.len().checked_sub(headers)?)?.to_owned();
    if let Some(method) = uri.param("method") {
        rest = rest.replacen(&format!(";method={method}"), "", 1);
    }
    Some(rest)
}

/// `SIP/2.0/UDP host:port;branch=...;rport`. Responses find their way through a NAT in front of us only with `rport`,
/// which means nothing on a connection (RFC 3581 3).
fn via_value(out: &mut Value, transport: Transport, listener: &Listener, branch: &Branch) {
    out.extend_from_slice(b"SIP/2.0/");
    out.extend_from_slice(transport.via_token().as_bytes());
    out.push(b' ');
    host_port(out, listener);
    out.extend_from_slice(b";branch=");
    out.extend_from_slice(branch.as_bytes());
    if transport == Transport::Udp {
        out.extend_from_slice(b";rport");
    }
}

/// `<sip:token@host:port;transport=tcp;r2=on;lr>`.
fn route_value(out: &mut Value, listener: &Listener, token: &[u8], double: bool) {
    out.extend_from_slice(b"<sip:");
    if !token.is_empty() {
        out.extend_from_slice(token);
        out.push(b'@');
    }
    host_port(out, listener);
    if listener.transport != Transport::Udp {
        out.extend_from_slice(b";transport=");
        out.extend_from_slice(listener.transport.uri_token().as_bytes());
    }
    if double {
        out.push(b';');
        out.extend_from_slice(DOUBLE.as_bytes());
        out.extend_from_slice(b"=on");
    }
    out.extend_from_slice(b";lr>");
}

fn host_port(out: &mut Value, listener: &Listener) {
    out.extend_from_slice(listener.host.as_bytes());
    out.push(b':');
    push_number(out, listener.port);
}

fn push_number(out: &mut Value, n: u16) {
    let mut power = 10_000;
    while power > 1 && n < power {
        power /= 10;
    }
    while power > 0 {
        // A digit, so below ten.
        out.push(b'0' | (n / power % 10) as u8);
        power /= 10;
    }
}

/// Everything written into a [`Value`] is text.
fn as_text(value: &Value) -> &str {
    std::str::from_utf8(value).unwrap_or_default()
}

#[cfg(test)]
#[path = "forward_tests.rs"]
mod tests;
