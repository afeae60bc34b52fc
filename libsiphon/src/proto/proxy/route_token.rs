//! The user part of our Record-Route URI when a side of the dialog is reachable only by its flow: a TCP connection, or
//! the NAT binding behind a datagram (the flow token of RFC 5626 5.3, for both directions at once).
//!
//! In-dialog requests then route from Route alone, whatever the Contact says. The side a request comes from is told by
//! its From tag: the caller's leads to the flow of the UAS, any other to the flow of the UAC. A token that is not
//! ours, or names a connection of an earlier life of this node, says nothing and the request is routed as usual.

use crate::base::flow::{ConnectionId, Egress, Transport};
use crate::base::token::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use foldhash::fast::FixedState;
use smallvec::SmallVec;
use std::hash::{BuildHasher, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The keys route tokens are made with.
#[derive(Clone, Debug)]
pub struct RouteSecret {
    mac: Secret,
    seed: u64,
    epoch: u32,
}

/// A token, as it goes before the `@`.
pub type TokenText = SmallVec<[u8; 96]>;

/// The two ends of a dialog as far as they are known by flow only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sides {
    /// Towards the UA that sent the dialog-forming request.
    pub uac: Option<Egress>,
    /// Towards the UA it was sent to.
    pub uas: Option<Egress>,
}

impl Sides {
    /// Whether a token is needed at all.
    pub fn is_empty(&self) -> bool {
        self.uac.is_none() && self.uas.is_none()
    }
}

/// Before every token, so that most user parts that are none cost one comparison. It names the layout too.
const MARK: &[u8] = b"f1";
const CODE: usize = 6;
/// Head, two flows of IPv6 with connection, code.
const LONGEST: usize = 9 + 2 * (1 + 18 + 18 + 9) + CODE;
const SHORTEST: usize = 9 + CODE;

const HAS_UAC: u8 = 1;
const HAS_UAS: u8 = 2;

const STREAM: u8 = 1;
const IPV6: u8 = 2;
const CONNECTION: u8 = 4;
const LOCAL: u8 = 8;

impl RouteSecret {
    /// Derives the keys from the node's secret. `epoch` differs from one start of the node to the next, for connections
    /// do not outlive it.
    pub fn new(node: &Secret, epoch: u32) -> Self {
        let own = node.derive("route token");
        RouteSecret { mac: own, seed: own.mac(&[b"tag"]), epoch }
    }

    /// Makes the token of a dialog. `from_tag` is that of the dialog-forming request.
    pub fn encode(&self, sides: &Sides, from_tag: &str) -> TokenText {
        let mut what: SmallVec<[u8; LONGEST]> = SmallVec::new();
        what.push(
            if sides.uac.is_some() { HAS_UAC } else { 0 } | if sides.uas.is_some() { HAS_UAS } else { 0 },
        );
        what.extend_from_slice(&self.epoch.to_be_bytes());
        what.extend_from_slice(&self.tag_hash(from_tag).to_be_bytes());
        for egress in [&sides.uac, &sides.uas].into_iter().flatten() {
            write_egress(&mut what, egress);
        }
        let code = self.mac.mac(&[&what]).to_be_bytes();
        what.extend_from_slice(code.first_chunk::<CODE>().map_or(&[], |c| c.as_slice()));
        let mut text = TokenText::from_slice(MARK);
        let mut encoded = [0u8; LONGEST * 2];
        let length = URL_SAFE_NO_PAD.encode_slice(&what, &mut encoded).unwrap_or(0);
        text.extend_from_slice(encoded.get(..length).unwrap_or_default());
        text
    }

    /// Where a request with `from_tag` goes that came with `user` in a Route of ours; `None` when the token is not ours,
    /// is stale, or holds no flow in that direction.
    pub fn decode(&self, user: &str, from_tag: &str) -> Option<Egress> {
        let text = user.as_bytes().strip_prefix(MARK)?;
        let mut decoded = [0u8; LONGEST + 3];
        if text.len() > LONGEST.div_ceil(3) * 4 {
            return None;
        }
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut decoded).ok()?;
        let (what, code) =
            decoded.get(..length).filter(|d| d.len() >= SHORTEST)?.split_last_chunk::<CODE>()?;
        if self.mac.mac(&[what]).to_be_bytes().first_chunk::<CODE>() != Some(code) {
            return None;
        }
        let mut reader = Reader { rest: what };
        let which = reader.byte()?;
        let epoch = u32::from_be_bytes(reader.take()?);
        let tag = u32::from_be_bytes(reader.take()?);
        let uac = if which & HAS_UAC != 0 { Some(reader.egress()?) } else { None };
        let uas = if which & HAS_UAS != 0 { Some(reader.egress()?) } else { None };
        let egress = if tag == self.tag_hash(from_tag) { uas } else { uac }?;
        (egress.connection.is_none() || epoch == self.epoch).then_some(egress)
    }

    /// The code covers it, so it need not be strong: who chooses a tag to collide misroutes requests of his own.
    fn tag_hash(&self, tag: &str) -> u32 {
        let mut hasher = FixedState::with_seed(self.seed).build_hasher();
        hasher.write(tag.as_bytes());
        let hash = hasher.finish();
        (hash ^ (hash >> 32)) as u32
    }
}

fn write_egress(out: &mut SmallVec<[u8; LONGEST]>, egress: &Egress) {
    let local = egress.local.filter(|l| l.is_ipv4() == egress.remote.is_ipv4());
    out.push(
        if egress.transport == Transport::Tcp { STREAM } else { 0 }
            | if egress.remote.is_ipv6() { IPV6 } else { 0 }
            | if egress.connection.is_some() { CONNECTION } else { 0 }
            | if local.is_some() { LOCAL } else { 0 },
    );
    for address in std::iter::once(egress.remote).chain(local) {
        match address.ip() {
            IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
        }
        out.extend_from_slice(&address.port().to_be_bytes());
    }
    if let Some(connection) = egress.connection {
        out.push(connection.shard);
        out.extend_from_slice(&connection.slot.to_be_bytes());
        out.extend_from_slice(&connection.generation.to_be_bytes());
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (chunk, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*chunk)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn address(&mut self, ipv6: bool) -> Option<SocketAddr> {
        let ip = if ipv6 {
            IpAddr::V6(Ipv6Addr::from(self.take::<16>()?))
        } else {
            IpAddr::V4(Ipv4Addr::from(self.take::<4>()?))
        };
        Some(SocketAddr::new(ip, u16::from_be_bytes(self.take()?)))
    }

    fn egress(&mut self) -> Option<Egress> {
        let kind = self.byte()?;
        let ipv6 = kind & IPV6 != 0;
        let remote = self.address(ipv6)?;
        let local = if kind & LOCAL != 0 { Some(self.address(ipv6)?) } else { None };
        let connection = if kind & CONNECTION != 0 {
            Some(ConnectionId {
                shard: self.byte()?,
                slot: u32::from_be_bytes(self.take()?),
                generation: u32::from_be_bytes(self.take()?),
            })
        } else {
            None
        };
        let transport = if kind & STREAM != 0 { Transport::Tcp } else { Transport::Udp };
        Some(Egress { transport, local, remote, connection, may_connect: false })
    }
}

#[cfg(test)]
#[path = "route_token_tests.rs"]
mod tests;
