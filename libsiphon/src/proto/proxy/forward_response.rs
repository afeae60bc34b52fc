//! Responses on their way back (RFC 3261 16.7 step 3, 18.2.2): our Via is taken off, the next one says where to send.

use super::nexthop::NextHop;
use crate::base::flow::{Egress, Flow, Transport};
use crate::policy::Header;
use crate::proto::locate::{Host, Query};
use crate::wire::sip::{HeaderId, Message, Rport, Splice, TopVia, Unsafe};
use std::net::{IpAddr, SocketAddr};

/// Appends `response` without its topmost Via, and with `headers` added.
pub fn forward_response(response: &Message, headers: &[Header], out: &mut Vec<u8>) -> Result<(), Unsafe> {
    if headers.is_empty()
        && let Some((from, to)) = top_via_line(response)
    {
        let bytes = response.bytes();
        out.reserve(bytes.len());
        out.extend_from_slice(bytes.get(..from).unwrap_or_default());
        out.extend_from_slice(bytes.get(to..).unwrap_or_default());
        return Ok(());
    }
    let mut splice = Splice::of(response);
    splice.pop_via();
    for (name, value) in headers {
        splice.append(&**name, value)?;
    }
    splice.write(out);
    Ok(())
}

/// The line that is the topmost Via and nothing else; `None` when it holds more values, or Content-Length has to be
/// added for the sake of a stream (RFC 3261 18.3).
fn top_via_line(response: &Message) -> Option<(usize, usize)> {
    let alone = response.headers().find(|h| h.id == HeaderId::Via)?.value.len() == response.via().value.len();
    let mut lines = response.header_lines().skip_while(|(_, id)| *id != HeaderId::Via);
    let (from, _) = lines.next()?;
    let to = lines.next().map_or_else(|| response.headers_end(), |(next, _)| next);
    (alone && response.has(HeaderId::ContentLength)).then_some((from, to))
}

/// Where the response to a request with this topmost Via goes (RFC 3261 18.2.2, RFC 3581 4).
///
/// `flow` is the one the request came on; a stateless proxy that does not know it has the Via alone. `None` when the
/// Via names a transport this version does not speak.
pub fn response_hop(via: &TopVia<'_>, flow: Option<&Flow>) -> Option<NextHop> {
    let transport = flow.map(|f| f.transport).or_else(|| Transport::from_token(via.transport))?;
    let source = flow.map(|f| f.remote.ip()).or(via.received);
    let sent_by_port = via.port.unwrap_or(5060);
    // Reading an address costs, and over UDP it is seldom asked for.
    let sent_by = || via.host_bare().parse::<IpAddr>().ok();
    let hop = |ip, port, may_connect| {
        NextHop::Egress(Egress {
            transport,
            local: flow.map(|f| f.local),
            remote: SocketAddr::new(ip, port),
            connection: flow.and_then(|f| f.connection),
            may_connect,
        })
    };
    if transport.is_reliable() {
        // The connection the request came on; when it is gone, one to the source at the port of sent-by, unless a NAT
        // is between: its address is not where the client listens.
        let behind_nat = source.is_some() && sent_by().is_some_and(|ip| Some(ip) != source);
        // Whoever does not know the flow knows by `rport` the far end of the connection, which may still be there.
        let port = match (via.rport, flow) {
            (Rport::Port(port), None) if behind_nat => port,
            _ => sent_by_port,
        };
        if let Some(ip) = source.or_else(sent_by) {
            return Some(hop(ip, port, !behind_nat));
        }
    } else {
        if let Some(maddr) = via.maddr {
            return Some(match maddr.parse() {
                Ok(ip) => hop(ip, sent_by_port, false),
                Err(_) => resolve(maddr, sent_by_port, transport),
            });
        }
        let port = match (via.rport, flow) {
            (Rport::Absent, _) | (Rport::Asked, None) => sent_by_port,
            (_, Some(flow)) => flow.remote.port(),
            (Rport::Port(port), None) => port,
        };
        if let Some(ip) = source.or_else(sent_by) {
            return Some(hop(ip, port, false));
        }
    }
    // RFC 3263 5, without SRV where sent-by names a port; a server of that name alone is looked up likewise.
    Some(match via.port {
        Some(port) => resolve(via.host, port, transport),
        None => NextHop::Resolve(Query {
            host: Host::Name(via.host.into()),
            port: None,
            transport: Some(transport),
        }),
    })
}

fn resolve(host: &str, port: u16, transport: Transport) -> NextHop {
    NextHop::Resolve(Query { host: Host::Name(host.into()), port: Some(port), transport: Some(transport) })
}

#[cfg(test)]
#[path = "forward_response_tests.rs"]
mod tests;
