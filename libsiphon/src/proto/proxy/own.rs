//! What is ours: listening addresses, the names they are advertised under, the domains this node is responsible for
//! (RFC 3261 16.4, 16.5), and which listener a message leaves from (RFC 3261 18.1.1).

use crate::base::flow::Transport;
use crate::proto::locate::Reach;
use crate::wire::sip::{Scheme, Uri};
use std::cmp::Ordering;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering as Order};
use std::sync::{Arc, PoisonError, RwLock};

/// One listening address and how peers are told to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Transport protocol.
    pub transport: Transport,
    /// The address bound, with the port the kernel gave.
    pub bound: SocketAddr,
    /// Host for Via and Record-Route: the advertised one, or the bound address. An IPv6 address has its brackets.
    pub host: String,
    /// Port for Via and Record-Route.
    pub port: u16,
}

/// A domain this node is responsible for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// The host part, in lower case, without brackets.
    pub host: String,
    /// With a port only that port is meant, without one any.
    pub port: Option<u16>,
}

impl Domain {
    /// Reads `example.com`, `example.com:5080`, `192.0.2.1`, `[2001:db8::1]:5060` or `2001:db8::1`.
    pub fn parse(text: &str) -> Option<Domain> {
        let text = text.trim();
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Some(Domain { host: ip.to_string(), port: None });
        }
        let whole = format!("sip:{text}");
        let uri = Uri::parse(&whole).ok().filter(|u| u.user().is_none() && u.params().is_empty())?;
        let host = uri.host_ip().map_or_else(|| uri.host_bare().to_ascii_lowercase(), |ip| ip.to_string());
        Some(Domain { host, port: uri.port() })
    }
}

/// An address one of our listeners answers at.
#[derive(Clone, Debug)]
struct Address {
    host: String,
    ip: Option<IpAddr>,
    port: u16,
}

/// Everything by which this node recognises itself.
#[derive(Clone, Debug, Default)]
pub struct OwnAddresses {
    listeners: Vec<Listener>,
    addresses: Vec<Address>,
    /// Sorted by host without regard to case.
    domains: Vec<Domain>,
    further: Arc<Further>,
    reach: Reach,
}

/// Domains that came after the start.
#[derive(Debug, Default)]
struct Further {
    any: AtomicBool,
    list: RwLock<Vec<Domain>>,
}

impl OwnAddresses {
    /// `interfaces` are the addresses of this machine: a listener bound to the unspecified address answers at each.
    pub fn new(listeners: Vec<Listener>, mut domains: Vec<Domain>, interfaces: &[IpAddr]) -> Self {
        let mut own = OwnAddresses::default();
        for listener in &listeners {
            own.reach = own.reach.with(listener.transport, &listener.bound);
            let bound = listener.bound.ip();
            own.add(bare(&listener.host), listener.port);
            own.add(&bound.to_string(), listener.bound.port());
            if bound.is_unspecified() {
                for ip in interfaces.iter().filter(|ip| ip.is_ipv4() == bound.is_ipv4()) {
                    own.add(&ip.to_string(), listener.bound.port());
                }
            }
        }
        domains.sort_by(|a, b| compare(&a.host, &b.host));
        OwnAddresses { listeners, domains, ..own }
    }

    fn add(&mut self, host: &str, port: u16) {
        let known = |a: &Address| a.port == port && a.host.eq_ignore_ascii_case(host);
        if !self.addresses.iter().any(known) {
            self.addresses.push(Address { host: host.to_owned(), ip: host.parse().ok(), port });
        }
    }

    /// The listeners, in the order configured.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// What can be sent to from here.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// Whether host and port of `uri` are those of a Record-Route value of ours.
    pub fn is_own_route(&self, uri: &Uri<'_>) -> bool {
        uri.is_sip() && self.is_own_address(uri.host_bare(), uri.is_ipv6(), port_of(uri))
    }

    /// Whether `uri` names this node or one of its domains (RFC 3261 16.5).
    pub fn is_local(&self, uri: &Uri<'_>) -> bool {
        if !uri.is_sip() {
            return false;
        }
        self.is_own_host(uri.host(), port_of(uri)) || uri.port().is_none() && self.is_own_name(uri.host())
    }

    /// Whether a host at a port is an address or a domain of ours.
    pub fn is_own_host(&self, host: &str, port: u16) -> bool {
        let ipv6 = host.starts_with('[');
        let host = bare(host);
        self.is_own_address(host, ipv6, port) || self.is_own_domain(host, port)
    }

    /// Whether an address is one a listener of ours answers at: a request sent there comes back to this node.
    pub fn is_own_socket(&self, remote: &SocketAddr) -> bool {
        self.addresses.iter().any(|a| a.port == remote.port() && a.ip == Some(remote.ip()))
    }

    fn is_own_address(&self, host: &str, ipv6: bool, port: u16) -> bool {
        // An IPv6 address has many spellings (RFC 5118 4.6), a name and an IPv4 address but one.
        let ip = if ipv6 { host.parse::<IpAddr>().ok() } else { None };
        self.addresses
            .iter()
            .any(|a| a.port == port && (a.host.eq_ignore_ascii_case(host) || ip.is_some() && a.ip == ip))
    }

    fn is_own_domain(&self, host: &str, port: u16) -> bool {
        let from = self.domains.partition_point(|d| compare(&d.host, host) == Ordering::Less);
        let mut named = self.domains.iter().skip(from).take_while(|d| d.host.eq_ignore_ascii_case(host));
        named.any(|d| d.port.is_none_or(|p| p == port)) || self.is_further_domain(host, port)
    }

    /// The domains beside the configured ones from now on, in place of those given before.
    pub fn set_further_domains(&self, domains: Vec<Domain>) {
        self.further.any.store(!domains.is_empty(), Order::Release);
        *self.further.list.write().unwrap_or_else(PoisonError::into_inner) = domains;
    }

    fn is_further_domain(&self, host: &str, port: u16) -> bool {
        let fits = |d: &Domain| d.host.eq_ignore_ascii_case(host) && d.port.is_none_or(|p| p == port);
        self.further.any.load(Order::Acquire)
            && self.further.list.read().unwrap_or_else(PoisonError::into_inner).iter().any(fits)
    }

    /// An advertised name without a port leads here by SRV or by configuration, whatever the port is.
    fn is_own_name(&self, host: &str) -> bool {
        self.addresses.iter().any(|a| a.ip.is_none() && a.host.eq_ignore_ascii_case(host))
    }

    /// The listener whose address goes into the Via of a request to `remote`, and which a datagram is sent from.
    ///
    /// `local` is the address asked for, where there is one: that of a flow, or of `send_socket`. The local end of a
    /// connection we opened has a port of its own, so the address alone counts there.
    pub fn listener_for(
        &self,
        transport: Transport,
        remote: &SocketAddr,
        local: Option<SocketAddr>,
    ) -> Option<&Listener> {
        let fits = |l: &&Listener| l.transport == transport && l.bound.is_ipv4() == remote.is_ipv4();
        let fit = || self.listeners.iter().filter(fits);
        if let Some(local) = local {
            let exact = fit().find(|l| l.bound == local);
            let port = || fit().find(|l| l.bound.ip().is_unspecified() && l.bound.port() == local.port());
            let address = || fit().find(|l| l.bound.ip() == local.ip());
            let found = exact.or_else(port).or_else(address);
            if found.is_some() {
                return found;
            }
        }
        let loopback = remote.ip().is_loopback();
        let apt = |l: &&Listener| l.bound.ip().is_unspecified() || l.bound.ip().is_loopback() == loopback;
        fit().find(apt).or_else(|| fit().next())
    }

    /// The listener that `text` names, by bound or advertised address, with or without a transport in front
    /// (`udp:192.0.2.1:5060`, `192.0.2.1:5060`, `192.0.2.1`), for `transport` and the family of `remote`.
    pub fn listener_named(&self, text: &str, transport: Transport, remote: &SocketAddr) -> Option<&Listener> {
        let (wanted, address) = match text.split_once(':').map(|(t, rest)| (Transport::from_token(t), rest)) {
            Some((Some(wanted), rest)) => (Some(wanted), rest.trim_start_matches('/')),
            _ => (None, text),
        };
        let domain = Domain::parse(address)?;
        let host = domain.host.as_str();
        self.listeners.iter().find(|l| {
            let bound = l.bound.ip().to_string() == host && domain.port.is_none_or(|p| p == l.bound.port());
            let advertised =
                bare(&l.host).eq_ignore_ascii_case(host) && domain.port.is_none_or(|p| p == l.port);
            l.transport == transport
                && wanted.is_none_or(|w| w == transport)
                && l.bound.is_ipv4() == remote.is_ipv4()
                && (bound || advertised)
        })
    }
}

/// The port of a sip or sips URI (RFC 3261 19.1.2).
fn port_of(uri: &Uri<'_>) -> u16 {
    uri.port().unwrap_or(if uri.scheme() == Scheme::Sips { 5061 } else { 5060 })
}

fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host)
}

/// By bytes, without regard to ASCII case.
fn compare(a: &str, b: &str) -> Ordering {
    let lower = |c: u8| c.to_ascii_lowercase();
    a.bytes().map(lower).cmp(b.bytes().map(lower))
}

#[cfg(test)]
#[path = "own_tests.rs"]
mod tests;
