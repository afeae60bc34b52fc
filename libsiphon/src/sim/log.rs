//! The event log of a simulated network: every message that was put on the wire, in order, with a hash over all of it.
//! The same seed gives the same hash.

use crate::base::flow::Transport;
use crate::base::text::Octets;
use crate::base::time::Instant;
use siphasher::sip::SipHasher13;
use std::collections::BTreeMap;
use std::hash::Hasher;
use std::net::SocketAddr;

/// What happened to a message, or beside the messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// It was put on the wire and will arrive if somebody is there.
    Sent,
    /// It was put on the wire and is lost.
    Lost,
    /// No message: a connection, a death.
    Note,
}

/// One line of the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When.
    pub at: Instant,
    /// What.
    pub what: What,
    /// Over which transport.
    pub transport: Transport,
    /// Who sent it.
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// The message; of a note its text.
    pub bytes: Octets,
}

/// The log.
#[derive(Debug, Default)]
pub struct Log {
    entries: Vec<Entry>,
    names: BTreeMap<SocketAddr, String>,
    hasher: SipHasher13,
}

impl Log {
    pub(crate) fn add(
        &mut self,
        at: Instant,
        what: What,
        transport: Transport,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &Octets,
    ) {
        self.hasher.write_u64(at.0);
        self.hasher.write_u8(what as u8);
        for address in [from, to] {
            match address {
                SocketAddr::V4(a) => self.hasher.write_u32(u32::from(*a.ip())),
                SocketAddr::V6(a) => self.hasher.write_u128(u128::from(*a.ip())),
            }
            self.hasher.write_u16(address.port());
        }
        self.hasher.write(bytes);
        self.entries.push(Entry { at, what, transport, from, to, bytes: bytes.clone() });
    }

    pub(crate) fn note(&mut self, at: Instant, from: SocketAddr, to: SocketAddr, text: &str) {
        self.add(at, What::Note, Transport::Tcp, from, to, &Octets::from(text.as_bytes()));
    }

    /// What the host at `address` is called.
    pub fn name(&mut self, address: SocketAddr, name: &str) {
        self.names.insert(address, name.to_owned());
    }

    /// The name of the host at `address`, else the address.
    pub fn name_of(&self, address: SocketAddr) -> String {
        self.names.get(&address).cloned().unwrap_or_else(|| address.to_string())
    }

    /// Everything, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// A hash over everything so far.
    pub fn hash(&self) -> u64 {
        self.hasher.finish()
    }
}
