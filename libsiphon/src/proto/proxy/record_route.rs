//! The Record-Route values that we put on a request (RFC 3261 16.6 step 4, RFC 5658), and which sides of the dialog need
//! a route token in them.

use super::forward::Forward;
use super::marks::push_number;
use super::own::{Listener, OwnAddresses};
use super::route::DOUBLE;
use super::route_token::{RouteSecret, Sides};
use crate::base::flow::{Egress, Flow, Transport};
use crate::wire::sip::Uri;

impl Forward<'_> {
    /// Appends the header fields. Where the two sides of us differ in listener, two (RFC 5658): the one on top is for the
    /// side the request goes to. Both are consumed together when they come back, so one of them carries the token.
    pub(super) fn write_record_route(&self, own: &OwnAddresses, tokens: &RouteSecret, out: &mut Vec<u8>) {
        let from = self.received_on.and_then(|f| own.listener_for(f.transport, &f.remote, Some(f.local)));
        let double = from.filter(|from| !std::ptr::eq(*from, self.listener) && *from != self.listener);
        let sides = self.sides();
        let token = if sides.is_empty() {
            Default::default()
        } else {
            tokens.encode(&sides, self.request.from_tag().unwrap_or_default())
        };
        route_line(out, self.listener, &token, double.is_some());
        if let Some(from) = double {
            route_line(out, from, &[], true);
        }
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

/// `Record-Route: <sip:token@host:port;transport=tcp;r2=on;lr>`.
fn route_line(out: &mut Vec<u8>, listener: &Listener, token: &[u8], double: bool) {
    out.extend_from_slice(b"Record-Route: <sip:");
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
    out.extend_from_slice(b";lr>\r\n");
}

/// Appends host and port as peers are told them.
pub(super) fn host_port(out: &mut Vec<u8>, listener: &Listener) {
    out.extend_from_slice(listener.host.as_bytes());
    out.push(b':');
    push_number(out, listener.port);
}
