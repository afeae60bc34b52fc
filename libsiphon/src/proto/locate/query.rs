//! What is to be located: host, port and transport of a URI (RFC 3263 4), and what this node can reach.

use crate::base::flow::Transport;
use crate::base::text::Text;
use crate::wire::sip::{Scheme, Uri};
use std::net::{IpAddr, SocketAddr};

/// The TARGET of RFC 3263 4: `maddr` where given, else the host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Host {
    /// A numeric address.
    Ip(IpAddr),
    /// A name to look up.
    Name(Text),
}

/// What to locate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// Where.
    pub host: Host,
    /// The port, when written.
    pub port: Option<u16>,
    /// The transport, when written.
    pub transport: Option<Transport>,
}

/// Why a URI leads nowhere from here. A request for it is answered as if a 503 had come (RFC 3261 16.9).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoRoute {
    /// `sips` asks for TLS on every hop (RFC 3261 26.2.2), which this version does not speak.
    #[error("sips needs TLS, which this version does not speak")]
    Sips,
    /// A transport this version does not speak.
    #[error("the URI's transport is not one this version speaks")]
    Transport,
    /// No SIP URI: a tel URI or a URN has to be translated before it can be routed.
    #[error("only sip URIs can be routed")]
    Scheme,
    /// No host, or one that is too long to be a name.
    #[error("the URI's host is no host name")]
    Host,
}

impl NoRoute {
    /// The status that a branch without a route counts as having got. What is our own lack of a scheme is told to the
    /// client (RFC 3261 16.3 step 2), everything else counts as a 503 from below (16.9).
    pub const fn status(self) -> u16 {
        match self {
            NoRoute::Sips | NoRoute::Scheme => 416,
            NoRoute::Transport | NoRoute::Host => 503,
        }
    }
}

/// The longest name DNS knows (RFC 1035 2.3.4), less the `_sip._udp.` that SRV puts in front.
const LONGEST_NAME: usize = 243;

impl Query {
    /// What `uri` asks for.
    pub fn of_uri(uri: &Uri<'_>) -> Result<Query, NoRoute> {
        match uri.scheme() {
            Scheme::Sip => {}
            Scheme::Sips => return Err(NoRoute::Sips),
            _ => return Err(NoRoute::Scheme),
        }
        let (mut transport, mut maddr) = (None, None);
        for (name, value) in uri.params() {
            match value {
                Some(value) if name.eq_ignore_ascii_case("transport") => {
                    transport = Some(Transport::from_token(value).ok_or(NoRoute::Transport)?);
                }
                Some(value) if name.eq_ignore_ascii_case("maddr") => maddr = Some(value),
                _ => {}
            }
        }
        let host = maddr.unwrap_or_else(|| uri.host());
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let host = match bare.parse::<IpAddr>() {
            Ok(ip) => Host::Ip(ip),
            Err(_) => Host::Name(name(bare)?),
        };
        Ok(Query { host, port: uri.port(), transport })
    }

    /// An address that needs no lookup.
    pub fn address(transport: Transport, remote: SocketAddr) -> Query {
        Query { host: Host::Ip(remote.ip()), port: Some(remote.port()), transport: Some(transport) }
    }
}

fn name(text: &str) -> Result<Text, NoRoute> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() || text.len() > LONGEST_NAME {
        return Err(NoRoute::Host);
    }
    Ok(text.into())
}

/// From which transports and address families this node can send: those it listens on, for the Via must
/// name a place where responses arrive (RFC 3261 18.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reach {
    bits: u8,
}

impl Reach {
    /// Adds what a listener bound to `bound` gives.
    pub fn with(self, transport: Transport, bound: &SocketAddr) -> Reach {
        Reach { bits: self.bits | bit(transport, bound.ip()) }
    }

    /// Whether something at `ip` can be sent to over `transport`.
    pub fn covers(self, transport: Transport, ip: IpAddr) -> bool {
        self.bits & bit(transport, ip) != 0
    }

    /// Whether `transport` is there for any family.
    pub fn speaks(self, transport: Transport) -> bool {
        self.bits & bits(transport) != 0
    }
}

const fn bits(transport: Transport) -> u8 {
    match transport {
        Transport::Udp => 0b0011,
        Transport::Tcp => 0b1100,
    }
}

const fn bit(transport: Transport, ip: IpAddr) -> u8 {
    let family = match ip {
        IpAddr::V4(_) => 0b0101,
        IpAddr::V6(_) => 0b1010,
    };
    bits(transport) & family
}
