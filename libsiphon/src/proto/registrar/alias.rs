//! The `alias` parameter of contact URIs: the source address of a UA behind NAT, carried by the URI itself as
//! `;alias=address~port~transport`, so that in-dialog requests find the way back although no state is kept
//! (`add_contact_alias`). The form and the transport numbers are Kamailio's, so either can read the other's.

use super::nat::map_contacts;
use crate::base::flow::{Flow, Transport};
use crate::wire::sip::{Message, Uri};
use std::net::{IpAddr, SocketAddr};

const NAME: &str = "alias";

/// Kamailio's numbers of the transports this version sends on.
const NUMBERS: [(Transport, &str); 2] = [(Transport::Udp, "1"), (Transport::Tcp, "2")];

/// A Request-URI whose alias was taken out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Aliased {
    /// The URI as its UA knows it.
    pub uri: String,
    /// The transport to send on.
    pub transport: Transport,
    /// Where to send.
    pub remote: SocketAddr,
}

/// The contact URI with the flow's source as alias; `None` when it says as much already, has an alias, or is no
/// sip URI.
pub fn add_alias(uri: &Uri<'_>, flow: &Flow) -> Option<String> {
    if !uri.is_sip() || uri.params().has(NAME) || says(uri, flow) {
        return None;
    }
    let number = NUMBERS.iter().find(|(t, _)| *t == flow.transport)?.1;
    let ip = match flow.remote.ip().to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    // Before the headers of the URI, behind its parameters.
    let text = uri.as_str();
    let (head, headers) = text.split_at(text.find('?').unwrap_or(text.len()));
    Some(format!("{head};{NAME}={ip}~{}~{number}{headers}", flow.remote.port()))
}

/// Whether host, port and transport of the URI are those of the flow's source.
fn says(uri: &Uri<'_>, flow: &Flow) -> bool {
    let transport = match uri.param("transport") {
        Some(token) => Transport::from_token(token),
        None => Some(Transport::Udp),
    };
    let ip = uri.host_ip().map(|ip| ip.to_canonical());
    ip == Some(flow.remote.ip().to_canonical())
        && uri.port().unwrap_or(5060) == flow.remote.port()
        && transport == Some(flow.transport)
}

/// The new value of each Contact with the flow's source as alias; `None` when nothing is to be changed.
pub fn add_contact_alias(message: &Message, flow: &Flow) -> Option<Vec<String>> {
    map_contacts(message, |uri| add_alias(uri, flow))
}

/// Takes the alias out of a Request-URI. `None` when there is none, or none that names an address this version
/// can send to: the URI is then used as it is.
pub fn take_alias(uri: &Uri<'_>) -> Option<Aliased> {
    let mut pieces = uri.param(NAME)?.split('~');
    let (ip, port, number) = (pieces.next()?, pieces.next()?, pieces.next()?);
    if pieces.next().is_some() {
        return None;
    }
    let ip = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
    let port = port.parse::<u16>().ok().filter(|port| *port > 0)?;
    let remote = SocketAddr::new(ip.parse::<IpAddr>().ok()?, port);
    let transport = NUMBERS.iter().find(|(_, n)| *n == number)?.0;
    Some(Aliased { uri: without_alias(uri)?, transport, remote })
}

fn without_alias(uri: &Uri<'_>) -> Option<String> {
    let text = uri.as_str();
    let params = uri.params().as_str();
    // The parameters are a piece of the URI's text: what stands before them ends at the first semicolon behind
    // the user part.
    let host = text.find('@').unwrap_or(0);
    let begin = host.checked_add(text.get(host..)?.find(';')?)?;
    let end = begin.checked_add(params.len())?;
    let mut out = text.get(..begin)?.to_owned();
    for piece in params.split(';').skip(1) {
        let name = piece.split('=').next().unwrap_or_default().trim();
        if !name.eq_ignore_ascii_case(NAME) {
            out.push(';');
            out.push_str(piece);
        }
    }
    out.push_str(text.get(end..)?);
    Some(out)
}

#[cfg(test)]
#[path = "alias_tests.rs"]
mod tests;
