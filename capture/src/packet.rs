//! From a packet to a datagram, a piece of a connection, or a fragment of either.

use etherparse::{EtherType, IpNumber, Ipv6ExtensionSlice, LaxNetSlice, LaxSlicedPacket, TcpSlice, UdpSlice};
use std::net::{IpAddr, SocketAddr};

/// Source and destination.
pub(crate) type Ends = (SocketAddr, SocketAddr);

/// What a packet is.
pub(crate) enum Seen<'a> {
    Whole(Segment<'a>),
    Fragment(Piece<'a>),
    /// Neither UDP nor TCP over IP.
    Other,
    /// Its end was not captured.
    Cut,
    Damaged,
    /// Its link type is not read.
    Unread,
}

pub(crate) enum Segment<'a> {
    Udp { ends: Ends, payload: &'a [u8] },
    Tcp { ends: Ends, piece: TcpPiece<'a> },
}

/// A piece of one direction of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TcpPiece<'a> {
    pub(crate) sequence: u32,
    /// It begins here.
    pub(crate) syn: bool,
    /// It ends behind this.
    pub(crate) fin: bool,
    /// It is broken off.
    pub(crate) rst: bool,
    pub(crate) payload: &'a [u8],
}

/// Names a datagram that is in fragments (RFC 791 3.2, RFC 8200 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FragmentKey {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) identification: u32,
}

/// A fragment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) key: FragmentKey,
    pub(crate) offset: usize,
    pub(crate) more: bool,
    pub(crate) payload: &'a [u8],
}

/// Link types, as registered with the libpcap project.
mod link {
    pub(super) const NULL: u16 = 0;
    pub(super) const ETHERNET: u16 = 1;
    /// What some systems write for raw IP.
    pub(super) const RAW_BSD: [u16; 2] = [12, 14];
    pub(super) const RAW: u16 = 101;
    pub(super) const LOOP: u16 = 108;
    pub(super) const LINUX_SLL: u16 = 113;
    pub(super) const IPV4: u16 = 228;
    pub(super) const IPV6: u16 = 229;
    pub(super) const LINUX_SLL2: u16 = 276;
}

/// Says what a captured packet is.
pub(crate) fn look(link: u16, data: &[u8]) -> Seen<'_> {
    let sliced = match link {
        link::ETHERNET => LaxSlicedPacket::from_ethernet(data).ok(),
        link::LINUX_SLL => cooked(data, 14, 16),
        link::LINUX_SLL2 => cooked(data, 0, 20),
        link::NULL | link::LOOP => data.get(4..).and_then(|ip| LaxSlicedPacket::from_ip(ip).ok()),
        link::RAW | link::IPV4 | link::IPV6 => LaxSlicedPacket::from_ip(data).ok(),
        other if link::RAW_BSD.contains(&other) => LaxSlicedPacket::from_ip(data).ok(),
        _ => return Seen::Unread,
    };
    let Some(sliced) = sliced else { return Seen::Damaged };
    let Some(net) = &sliced.net else {
        return if sliced.stop_err.is_some() { Seen::Damaged } else { Seen::Other };
    };
    let Some(ip) = net.ip_payload_ref() else { return Seen::Other };
    let (source, destination) = addresses(net);
    if ![IpNumber::UDP, IpNumber::TCP].contains(&ip.ip_number) {
        return Seen::Other;
    }
    if ip.incomplete {
        return Seen::Cut;
    }
    if ip.fragmented {
        let Some((identification, offset, more)) = fragment(net) else { return Seen::Damaged };
        let key = FragmentKey { source, destination, protocol: ip.ip_number.0, identification };
        return Seen::Fragment(Piece { key, offset, more, payload: ip.payload });
    }
    match transport(ip.ip_number.0, (source, destination), ip.payload) {
        Some(segment) => Seen::Whole(segment),
        None => Seen::Damaged,
    }
}

/// Linux cooked capture: the protocol stands at `protocol`, the packet begins at `begin`.
fn cooked(data: &[u8], protocol: usize, begin: usize) -> Option<LaxSlicedPacket<'_>> {
    let kind = data.get(protocol..protocol + 2)?.try_into().map(u16::from_be_bytes).ok()?;
    Some(LaxSlicedPacket::from_ether_type(EtherType(kind), data.get(begin..)?))
}

fn addresses(net: &LaxNetSlice<'_>) -> (IpAddr, IpAddr) {
    match net {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            (IpAddr::V4(header.source_addr()), IpAddr::V4(header.destination_addr()))
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            (IpAddr::V6(header.source_addr()), IpAddr::V6(header.destination_addr()))
        }
        LaxNetSlice::Arp(_) => (IpAddr::from([0; 4]), IpAddr::from([0; 4])),
    }
}

/// Identification, offset in octets, whether more follow.
fn fragment(net: &LaxNetSlice<'_>) -> Option<(u32, usize, bool)> {
    match net {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            let offset = header.fragments_offset().byte_offset();
            Some((u32::from(header.identification()), usize::from(offset), header.more_fragments()))
        }
        LaxNetSlice::Ipv6(ip) => ip.extensions().clone().into_iter().find_map(|extension| match extension {
            Ipv6ExtensionSlice::Fragment(header) => {
                let offset = header.fragment_offset().byte_offset();
                Some((header.identification(), usize::from(offset), header.more_fragments()))
            }
            _ => None,
        }),
        LaxNetSlice::Arp(_) => None,
    }
}

/// The UDP datagram or TCP segment in `payload`.
pub(crate) fn transport(
    protocol: u8,
    (source, destination): (IpAddr, IpAddr),
    payload: &[u8],
) -> Option<Segment<'_>> {
    match IpNumber(protocol) {
        IpNumber::UDP => {
            let udp = UdpSlice::from_slice_lax(payload).ok()?;
            let ends = (
                SocketAddr::new(source, udp.source_port()),
                SocketAddr::new(destination, udp.destination_port()),
            );
            let payload = payload.get(8..)?.get(..udp.payload().len())?;
            Some(Segment::Udp { ends, payload })
        }
        IpNumber::TCP => {
            let tcp = TcpSlice::from_slice(payload).ok()?;
            let ends = (
                SocketAddr::new(source, tcp.source_port()),
                SocketAddr::new(destination, tcp.destination_port()),
            );
            let (sequence, syn, fin, rst) = (tcp.sequence_number(), tcp.syn(), tcp.fin(), tcp.rst());
            let header = payload.len().saturating_sub(tcp.payload().len());
            Some(Segment::Tcp {
                ends,
                piece: TcpPiece { sequence, syn, fin, rst, payload: payload.get(header..)? },
            })
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;
