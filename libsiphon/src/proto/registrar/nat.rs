//! Seeing and repairing NAT: private addresses (RFC 1918, RFC 6598, RFC 4193), Via and Contact against the source
//! address (RFC 3261 18.2.1, RFC 3581), and contacts that are told where they really came from.

use crate::base::flow::{Flow, Transport};
use crate::wire::sip::{HeaderId, Message, Uri};
use std::net::{IpAddr, SocketAddr};

/// What says that a request came through a NAT.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NatSigns {
    /// The Contact host is a private address, and not the source address.
    pub private_contact: bool,
    /// The Contact host is an address, and not the source address.
    pub contact_elsewhere: bool,
    /// The topmost Via's sent-by host is a private address, and not the source address.
    pub private_via: bool,
    /// The topmost Via's sent-by host is an address, and not the source address; or, over UDP, its port is not.
    pub via_elsewhere: bool,
}

impl NatSigns {
    /// Looks at a request and the flow it came on.
    pub fn of(request: &Message, flow: &Flow) -> Self {
        let source = flow.remote;
        let mut signs = NatSigns::default();
        for contact in request.contacts().filter_map(Result::ok) {
            let Some(ip) = contact.uri.host_ip() else { continue };
            signs.private_contact |= is_private(ip) && !same_ip(ip, source.ip());
            signs.contact_elsewhere |= !same_ip(ip, source.ip());
        }
        let via = request.via();
        if let Ok(ip) = via.host_bare().parse::<IpAddr>() {
            signs.private_via = is_private(ip) && !same_ip(ip, source.ip());
            // A client of a stream transport sends from any port.
            let port_differs = flow.transport == Transport::Udp && via.port.unwrap_or(5060) != source.port();
            signs.via_elsewhere = !same_ip(ip, source.ip()) || port_differs;
        }
        signs
    }

    /// Whether any sign is there.
    pub fn any(&self) -> bool {
        self.private_contact || self.contact_elsewhere || self.private_via || self.via_elsewhere
    }
}

/// Whether a request came through a NAT, by any of the signs.
pub fn is_nated(request: &Message, flow: &Flow) -> bool {
    NatSigns::of(request, flow).any()
}

/// An address that means nothing on the public Internet: private (RFC 1918), shared by a carrier's NAT (RFC 6598),
/// link-local (RFC 3927, RFC 4291), loopback, unique local (RFC 4193).
pub fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let carrier = first == 100 && (64..128).contains(&second);
            ip.is_private() || ip.is_link_local() || ip.is_loopback() || ip.is_unspecified() || carrier
        }
        IpAddr::V6(ip) => {
            ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback() || ip.is_unspecified()
        }
    }
}

/// Whether a contact whose host is the address `ip` is elsewhere than `source`. A name may lead anywhere, so it is
/// not asked about. Ports are left out: a UA may send from another port than the one it listens on.
pub(super) fn is_elsewhere(ip: IpAddr, source: IpAddr) -> bool {
    !same_ip(ip, source)
}

fn same_ip(a: IpAddr, b: IpAddr) -> bool {
    a.to_canonical() == b.to_canonical()
}

/// Puts the source address in place of host and port of a contact URI (`fix_nated_contact`): user, parameters and
/// headers stay. `None` for a URI without host.
pub fn rewrite_host(uri: &Uri<'_>, source: SocketAddr) -> Option<String> {
    let text = uri.as_str();
    let (before, behind) = around_host(uri)?;
    let host = match source.ip().to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    Some(format!("{}{host}:{}{}", text.get(..before)?, source.port(), text.get(behind..)?))
}

/// Where host and port begin and end in the text of a sip URI.
fn around_host(uri: &Uri<'_>) -> Option<(usize, usize)> {
    if !uri.is_sip() {
        return None;
    }
    let text = uri.as_str();
    let begin = text.find('@').or_else(|| text.find(':'))?.checked_add(1)?;
    let rest = text.get(begin..)?;
    let end = rest.find([';', '?']).unwrap_or(rest.len());
    Some((begin, begin.checked_add(end)?))
}

/// The new value of each Contact of a message whose contacts are told where they came from (`fix_nated_contact`);
/// `None` when nothing is to be changed.
pub fn fix_contacts(message: &Message, source: SocketAddr) -> Option<Vec<String>> {
    map_contacts(message, |uri| rewrite_host(uri, source).filter(|fixed| *fixed != uri.as_str()))
}

/// The value of each Contact with its URI replaced where `map` has another, display name and parameters kept;
/// `None` when it has none.
pub(super) fn map_contacts(
    message: &Message,
    map: impl Fn(&Uri<'_>) -> Option<String>,
) -> Option<Vec<String>> {
    let mut changed = false;
    let mut values = Vec::new();
    for (contact, text) in message.contacts().zip(message.values(HeaderId::Contact)) {
        let contact = contact.ok().filter(|c| !c.is_star());
        let mapped = contact.and_then(|contact| replace_uri(&text, &contact.uri, &map(&contact.uri)?));
        changed |= mapped.is_some();
        values.push(mapped.unwrap_or_else(|| text.into_owned()));
    }
    changed.then_some(values)
}

/// A name-addr or addr-spec with another URI, in brackets.
fn replace_uri(value: &str, uri: &Uri<'_>, with: &str) -> Option<String> {
    let (at, open, close) = match bracket(value) {
        Some(bracket) => (bracket.checked_add(1)?, "", ""),
        None => (value.find(uri.as_str())?, "<", ">"),
    };
    let end = at.checked_add(uri.as_str().len())?;
    Some(format!("{}{open}{with}{close}{}", value.get(..at)?, value.get(end..)?))
}

/// Where the `<` of a name-addr stands; one inside a quoted display name does not count.
fn bracket(value: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in value.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => return Some(at),
            // The parameters of an addr-spec without brackets.
            ';' if !quoted => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
#[path = "nat_tests.rs"]
mod tests;
