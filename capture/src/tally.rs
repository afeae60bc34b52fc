//! What a capture held besides messages.

use std::collections::BTreeMap;

/// Counts. A packet is counted at most once beside [`packets`](Self::packets).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Packets of the file.
    pub packets: u64,
    /// Packets that are neither UDP nor TCP over IP.
    pub other: u64,
    /// Datagrams, and connections, that carry something else than SIP.
    pub not_sip: u64,
    /// Connections that carry TLS: what is inside cannot be read.
    pub tls: u64,
    /// Empty lines that keep a way open.
    pub keepalives: u64,
    /// Packets of which only the beginning was captured.
    pub cut: u64,
    /// Packets whose headers contradict themselves.
    pub damaged: u64,
    /// Packets of link types that are not read, by their number.
    pub unread_links: BTreeMap<u16, u64>,
    /// Datagrams of which a fragment is missing, or that were given up.
    pub fragments_lost: u64,
    /// Segments that came again.
    pub repeated: u64,
    /// Places where a part of a connection is missing.
    pub gaps: u64,
    /// Segments passed over: after a gap, or before the first message of a connection that was there already.
    pub passed_over: u64,
    /// Messages of connections that were not complete at the end.
    pub unfinished: u64,
    /// Connections forgotten because there were too many.
    pub forgotten: u64,
}
