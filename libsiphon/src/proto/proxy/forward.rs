//! Writing the forwarded request (RFC 3261 16.6) in one pass: Request-URI, Route values, Record-Route, Max-Forwards,
//! Max-Breadth and our Via, and what is noted in the Via of the client. Everything else is copied as it came, in runs
//! of lines.

use super::branch::Branch;
use super::marks::push_number;
pub use super::marks::{Marks, mark_received};
use super::own::{Listener, OwnAddresses};
use super::record_route::host_port;
use super::route_token::RouteSecret;
use super::validate::Hops;
use crate::base::flow::{Egress, Flow, Transport};
use crate::base::text::Text;
use crate::policy::Target;
use crate::proto::auth::Authenticator;
use crate::wire::sip::{HeaderId, Limits, Message, NameAddr, Unsafe, Uri};
use smallvec::SmallVec;
use std::borrow::Cow;

/// Where the lines of a request start whose credentials were for this node.
pub type Spent = SmallVec<[usize; 2]>;

/// Credentials that `auth` has accepted are used up and go (RFC 3261 20.28); those for others stay. The same for every
/// branch of a request.
pub fn spent_credentials(request: &Message, auth: &Authenticator) -> Spent {
    if !request.has(HeaderId::Authorization) && !request.has(HeaderId::ProxyAuthorization) {
        return Spent::new();
    }
    let credentials = |id| matches!(id, HeaderId::Authorization | HeaderId::ProxyAuthorization);
    let lines = request.header_lines().zip(request.headers());
    lines
        .filter(|((_, id), header)| credentials(*id) && auth.has_accepted(&header.text()))
        .map(|((at, _), _)| at)
        .collect()
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
    /// Lines that go with us: [`spent_credentials`] of the request.
    pub spent: &'a Spent,
    /// From [`may_forward`](super::validate::may_forward), with this branch's share of the breadth.
    pub hops: Hops,
}

impl Forward<'_> {
    /// Appends the request as it goes on the wire. Fails, having appended nothing, when policy chose a URI that cannot
    /// be written.
    pub fn write(&self, own: &OwnAddresses, tokens: &RouteSecret, out: &mut Vec<u8>) -> Result<(), Unsafe> {
        let start = out.len();
        let written = self.try_write(own, tokens, out);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn try_write(&self, own: &OwnAddresses, tokens: &RouteSecret, out: &mut Vec<u8>) -> Result<(), Unsafe> {
        let request = self.request;
        let bytes = request.bytes();
        out.reserve(bytes.len().saturating_add(512));
        let routing = self.routing()?;
        out.extend_from_slice(request.method_name().as_bytes());
        out.push(b' ');
        out.extend_from_slice(routing.uri.as_bytes());
        out.extend_from_slice(b" SIP/2.0\r\n");
        self.write_via(out);
        let marked = self.write_client_via(out)?;
        if self.record_route {
            self.write_record_route(own, tokens, out);
        }
        for value in routing.path {
            check(value, |c| c >= b' ' || c == b'\t')?;
            line(out, b"Route: ", value.as_bytes());
        }
        if routing.moved > 0 {
            for value in request.values(HeaderId::Route).skip(routing.moved) {
                line(out, b"Route: ", value.as_bytes());
            }
        }
        self.copy_fields(marked, routing.moved > 0, out);
        if let Some(uri) = routing.last {
            out.extend_from_slice(b"Route: <");
            out.extend_from_slice(uri.as_bytes());
            out.extend_from_slice(b">\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(request.body());
        Ok(())
    }

    /// The header fields behind the routing ones, with new limits on forwarding.
    fn copy_fields(&self, marked: bool, routes_moved: bool, out: &mut Vec<u8>) {
        let bytes = self.request.bytes();
        let mut lines = self.request.header_lines().peekable();
        let mut marked = marked;
        let (mut has_hops, mut has_breadth, mut has_length) = (false, false, false);
        // The run of lines to copy that has not been copied yet starts here.
        let mut from = lines.peek().map_or(0, |(at, _)| *at);
        while let Some((at, id)) = lines.next() {
            let copied = match id {
                HeaderId::Via => !std::mem::take(&mut marked),
                HeaderId::Route => !routes_moved,
                HeaderId::Authorization | HeaderId::ProxyAuthorization => !self.spent.contains(&at),
                HeaderId::MaxForwards | HeaderId::MaxBreadth => false,
                HeaderId::ContentLength => {
                    has_length = true;
                    true
                }
                _ => true,
            };
            if copied {
                continue;
            }
            out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
            from = lines.peek().map_or_else(|| self.request.headers_end(), |(next, _)| *next);
            match id {
                HeaderId::MaxForwards if !std::mem::replace(&mut has_hops, true) => {
                    self.write_max_forwards(out)
                }
                HeaderId::MaxBreadth if !std::mem::replace(&mut has_breadth, true) => {
                    self.write_max_breadth(out)
                }
                _ => {}
            }
        }
        out.extend_from_slice(bytes.get(from..self.request.headers_end()).unwrap_or_default());
        if !has_hops {
            self.write_max_forwards(out);
        }
        if !has_breadth {
            self.write_max_breadth(out);
        }
        if !has_length {
            // A stream needs it to find the end (RFC 3261 18.3).
            line(out, b"Content-Length: ", self.request.body().len().to_string().as_bytes());
        }
    }

    fn write_max_forwards(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"Max-Forwards: ");
        push_number(out, self.hops.max_forwards.into());
        out.extend_from_slice(b"\r\n");
    }

    fn write_max_breadth(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"Max-Breadth: ");
        push_number(out, self.hops.max_breadth);
        out.extend_from_slice(b"\r\n");
    }

    /// `Via: SIP/2.0/UDP host:port;branch=...;rport`. Responses find their way through a NAT in front of us only with
    /// `rport`, which means nothing on a connection (RFC 3581 3).
    fn write_via(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"Via: SIP/2.0/");
        out.extend_from_slice(self.egress.transport.via_token().as_bytes());
        out.push(b' ');
        host_port(out, self.listener);
        out.extend_from_slice(b";branch=");
        out.extend_from_slice(self.branch.as_bytes());
        if self.egress.transport == Transport::Udp {
            out.extend_from_slice(b";rport");
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The client's Via with its source noted, and the rest of that line. False when there is nothing to note.
    fn write_client_via(&self, out: &mut Vec<u8>) -> Result<bool, Unsafe> {
        let Some(flow) = self.received_on else { return Ok(false) };
        let via = self.request.via();
        let marks = Marks::of(&via, flow);
        if marks.is_empty() {
            return Ok(false);
        }
        out.extend_from_slice(b"Via: ");
        if !marks.write(&via, out) {
            let unlimited =
                Limits { message: usize::MAX, headers: usize::MAX, body: usize::MAX, ..Limits::default() };
            let marked = mark_received(self.request, flow, &unlimited).map_err(|_| Unsafe::Name)?;
            let via = marked.as_ref().unwrap_or(self.request).via();
            out.extend_from_slice(via.value.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        // Further values of the same line get one of their own.
        let top_line = self.request.headers().find(|h| h.id == HeaderId::Via).map_or(&[][..], |h| h.value);
        let rest = top_line.get(via.value.len()..).unwrap_or_default();
        if let Some(first) = rest.iter().position(|c| !matches!(c, b',' | b' ' | b'\t' | b'\r' | b'\n')) {
            line(out, b"Via: ", rest.get(first..).unwrap_or_default());
        }
        Ok(true)
    }

    /// Request-URI and Route (16.6 steps 2 and 6).
    fn routing(&self) -> Result<Routing<'_>, Unsafe> {
        let path = self.target.map_or(&[][..], |t| &t.route);
        let consumed = usize::from(self.consumed_routes);
        let uri = match self.target {
            None => Cow::Borrowed(self.request.request_uri()),
            Some(target) => for_request_line(&target.uri),
        };
        check(&uri, |c| c > b' ' && c != 0x7f && !matches!(c, b'<' | b'>'))?;
        if !self.strict {
            return Ok(Routing { uri, path, moved: consumed, last: None });
        }
        // The strict router expects itself in the Request-URI and the target behind the rest of the Route.
        let (top, path, moved) = match path.split_first() {
            Some((top, path)) => (top.to_string(), path, consumed),
            None => {
                let top = self.request.values(HeaderId::Route).nth(consumed).ok_or(Unsafe::Name)?;
                (top.into_owned(), path, consumed.saturating_add(1))
            }
        };
        let router = NameAddr::parse(&top).map_err(|_| Unsafe::Name)?.uri.as_str().to_owned();
        Ok(Routing { uri: Cow::Owned(router), path, moved, last: Some(uri) })
    }
}

/// What becomes of Request-URI and Route.
struct Routing<'a> {
    uri: Cow<'a, str>,
    /// Route values to put on top.
    path: &'a [Text],
    /// How many of the request's Route values go; when any does, the rest is written on top.
    moved: usize,
    /// The URI to put behind all Route values.
    last: Option<Cow<'a, str>>,
}

fn check(text: &str, legal: impl Fn(u8) -> bool) -> Result<(), Unsafe> {
    if !text.is_empty() && text.bytes().all(legal) { Ok(()) } else { Err(Unsafe::LineBreak) }
}

fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// What may not stand in a Request-URI goes (16.6 step 2, 19.1.1 table 1): header fields and `method`.
fn for_request_line(text: &str) -> Cow<'_, str> {
    let suspect = memchr::memchr(b'?', text.as_bytes()).is_some()
        || memchr::memmem::find(text.as_bytes(), b";method=").is_some();
    if !suspect {
        return Cow::Borrowed(text);
    }
    let Ok(uri) = Uri::parse(text) else { return Cow::Borrowed(text) };
    let headers = if uri.headers().is_empty() { 0 } else { uri.headers().len().saturating_add(1) };
    let rest = text.get(..text.len().saturating_sub(headers)).unwrap_or(text);
    match uri.param("method") {
        Some(method) => Cow::Owned(rest.replacen(&format!(";method={method}"), "", 1)),
        None => Cow::Borrowed(rest),
    }
}

#[cfg(test)]
#[path = "forward_tests.rs"]
mod tests;
