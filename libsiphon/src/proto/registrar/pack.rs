//! The packed form of an address of record: what the location table keeps, and what leaves the process.
//!
//! One layout serves both. In the table, texts that many bindings share are numbers of the stripe's interner and
//! a flow keeps its connection; in the encoded form ([`Codec`]) they are written out and the connection, a handle
//! that means nothing elsewhere, is left behind. An instance id that is a uuid takes its 16 octets.

use super::binding::{AorState, Binding};
use super::intern::Interner;
use crate::base::codec::{Codec, DecodeError, Reader, Writer};
use crate::base::flow::{ConnectionId, Flow, Transport};
use crate::base::text::Text;
use crate::base::time::Instant;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where shared texts are kept.
pub(super) enum Shared<'a> {
    /// Written out.
    Inline,
    /// As numbers, acquired on packing.
    Interned(&'a mut Interner),
}

/// Where shared texts are read.
#[derive(Clone, Copy)]
pub(super) enum SharedIn<'a> {
    /// They are written out.
    Inline,
    /// By number.
    Interned(&'a Interner),
}

const HAS_FLOW: u64 = 1;
const FLOW_IS_TCP: u64 = 1 << 1;
const HAS_CONNECTION: u64 = 1 << 2;
const RECEIVED_IS_REMOTE: u64 = 1 << 3;
const HAS_RECEIVED: u64 = 1 << 4;
const HAS_INSTANCE: u64 = 1 << 5;
const INSTANCE_IS_UUID: u64 = 1 << 6;
const HAS_REG_ID: u64 = 1 << 7;
const HAS_USER_AGENT: u64 = 1 << 8;
const HAS_PATH: u64 = 1 << 9;
const HAS_PARAMS: u64 = 1 << 10;
const HAS_Q: u64 = 1 << 11;

const HAS_EXTRAS: u8 = 1;

/// Appends `state`.
pub(super) fn pack(state: &AorState, shared: &mut Shared<'_>, out: &mut Vec<u8>) {
    match state.has_extras() {
        true => {
            out.push(HAS_EXTRAS);
            for list in [&state.service_routes, &state.associated_uris, &state.aliases] {
                put_varint(out, list.len() as u64);
                list.iter().for_each(|text| put_text(out, text));
            }
            put_varint(out, state.pending_until.0);
        }
        false => out.push(0),
    }
    put_varint(out, state.bindings.len() as u64);
    state.bindings.iter().for_each(|b| pack_binding(b, shared, out));
}

fn pack_binding(b: &Binding, shared: &mut Shared<'_>, out: &mut Vec<u8>) {
    let mut flags = 0;
    let mut set = |flag: u64, on: bool| flags |= if on { flag } else { 0 };
    let keeps_connection = matches!(shared, Shared::Interned(_));
    let connection = b.flow.and_then(|f| f.connection).filter(|_| keeps_connection);
    let uuid = b.instance_id.as_deref().and_then(parse_uuid);
    let received_is_remote = b.received.is_some() && b.received == b.flow.map(|f| f.remote);
    set(HAS_FLOW, b.flow.is_some());
    set(FLOW_IS_TCP, b.flow.is_some_and(|f| f.transport == Transport::Tcp));
    set(HAS_CONNECTION, connection.is_some());
    set(RECEIVED_IS_REMOTE, received_is_remote);
    set(HAS_RECEIVED, b.received.is_some() && !received_is_remote);
    set(HAS_INSTANCE, b.instance_id.is_some());
    set(INSTANCE_IS_UUID, uuid.is_some());
    set(HAS_REG_ID, b.reg_id.is_some());
    set(HAS_USER_AGENT, b.user_agent.is_some());
    set(HAS_PATH, !b.path.is_empty());
    set(HAS_PARAMS, !b.params.is_empty());
    set(HAS_Q, b.q != 1000);
    put_varint(out, flags);
    put_text(out, &b.uri);
    put_text(out, &b.call_id);
    put_varint(out, u64::from(b.cseq));
    put_varint(out, b.expires_at.0);
    // Differences are small, and whatever they are they come back exactly.
    put_varint(out, b.expires_at.0.wrapping_sub(b.updated_at.0));
    put_varint(out, b.updated_at.0.wrapping_sub(b.registered_at.0));
    if !b.params.is_empty() {
        put_text(out, &b.params);
    }
    if b.q != 1000 {
        put_varint(out, u64::from(b.q));
    }
    if let Some(flow) = &b.flow {
        put_address(out, flow.local);
        put_address(out, flow.remote);
    }
    if let Some(id) = connection {
        out.push(id.shard);
        put_varint(out, u64::from(id.slot));
        put_varint(out, u64::from(id.generation));
    }
    if let Some(received) = b.received.filter(|_| !received_is_remote) {
        put_address(out, received);
    }
    match (&b.instance_id, uuid) {
        (_, Some(uuid)) => out.extend_from_slice(&uuid),
        (Some(text), None) => put_text(out, text),
        (None, None) => {}
    }
    if let Some(reg_id) = b.reg_id {
        put_varint(out, u64::from(reg_id));
    }
    if let Some(agent) = &b.user_agent {
        put_shared(out, shared, agent);
    }
    if !b.path.is_empty() {
        // A header field value holds no line feed, so one can stand between them.
        put_shared(out, shared, &b.path.join("\n"));
    }
}

/// Reads what [`pack`] wrote.
pub(super) fn unpack(unpacker: &mut Unpacker<'_>) -> Option<AorState> {
    let mut state = AorState::default();
    if unpacker.octet()? & HAS_EXTRAS != 0 {
        state.service_routes = unpacker.texts()?;
        state.associated_uris = unpacker.texts()?;
        state.aliases = unpacker.texts()?;
        state.pending_until = Instant(unpacker.varint()?);
    }
    let count = unpacker.varint()?;
    for _ in 0..count {
        state.bindings.push(unpacker.binding()?);
    }
    Some(state)
}

/// Reads packed octets from the front.
pub(super) struct Unpacker<'a> {
    rest: &'a [u8],
    shared: SharedIn<'a>,
}

impl<'a> Unpacker<'a> {
    pub(super) fn new(packed: &'a [u8], shared: SharedIn<'a>) -> Self {
        Unpacker { rest: packed, shared }
    }

    fn octet(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn octets(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    /// Little-endian groups of seven bits.
    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            n |= u64::from(octet & 0x7f).checked_shl(shift)?;
            if octet & 0x80 == 0 {
                return Some(n);
            }
        }
        None
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let len = usize::try_from(self.varint()?).ok()?;
        std::str::from_utf8(self.octets(len)?).ok()
    }

    fn texts(&mut self) -> Option<Vec<Text>> {
        let count = self.varint()?;
        // Grows as texts are found, for the count is not trusted.
        let mut texts = Vec::new();
        for _ in 0..count {
            texts.push(self.text()?.into());
        }
        Some(texts)
    }

    fn shared(&mut self) -> Option<Text> {
        match self.shared {
            SharedIn::Inline => self.text().map(Text::from),
            SharedIn::Interned(interner) => interner.get(u32::try_from(self.varint()?).ok()?).cloned(),
        }
    }

    fn address(&mut self) -> Option<SocketAddr> {
        let ip = match self.octet()? {
            4 => IpAddr::V4(Ipv4Addr::from(self.array::<4>()?)),
            6 => IpAddr::V6(Ipv6Addr::from(self.array::<16>()?)),
            _ => return None,
        };
        Some(SocketAddr::new(ip, u16::from_be_bytes(self.array()?)))
    }

    fn connection(&mut self) -> Option<ConnectionId> {
        Some(ConnectionId {
            shard: self.octet()?,
            slot: u32::try_from(self.varint()?).ok()?,
            generation: u32::try_from(self.varint()?).ok()?,
        })
    }

    fn flow(&mut self, flags: u64) -> Option<Flow> {
        let transport = if flags & FLOW_IS_TCP != 0 { Transport::Tcp } else { Transport::Udp };
        let (local, remote) = (self.address()?, self.address()?);
        let connection = if flags & HAS_CONNECTION != 0 { Some(self.connection()?) } else { None };
        Some(Flow { transport, local, remote, connection })
    }

    fn binding(&mut self) -> Option<Binding> {
        let flags = self.varint()?;
        let has = |flag: u64| flags & flag != 0;
        let uri = self.text()?.into();
        let call_id = self.text()?.into();
        let cseq = u32::try_from(self.varint()?).ok()?;
        let expires_at = Instant(self.varint()?);
        let updated_at = Instant(expires_at.0.wrapping_sub(self.varint()?));
        let registered_at = Instant(updated_at.0.wrapping_sub(self.varint()?));
        let params = if has(HAS_PARAMS) { self.text()?.into() } else { no_text() };
        let q = if has(HAS_Q) { u16::try_from(self.varint()?).ok()? } else { 1000 };
        let flow = if has(HAS_FLOW) { Some(self.flow(flags)?) } else { None };
        let received = match (has(HAS_RECEIVED), has(RECEIVED_IS_REMOTE)) {
            (true, _) => Some(self.address()?),
            (false, true) => flow.map(|f| f.remote),
            (false, false) => None,
        };
        let instance_id = match (has(INSTANCE_IS_UUID), has(HAS_INSTANCE)) {
            (true, _) => Some(write_uuid(self.array()?)),
            (false, true) => Some(self.text()?.into()),
            (false, false) => None,
        };
        let reg_id = if has(HAS_REG_ID) { Some(u32::try_from(self.varint()?).ok()?) } else { None };
        let user_agent = if has(HAS_USER_AGENT) { Some(self.shared()?) } else { None };
        let path = match has(HAS_PATH) {
            true => self.shared()?.split('\n').map(Text::from).collect(),
            false => Vec::new(),
        };
        Some(Binding {
            uri,
            params,
            q,
            expires_at,
            updated_at,
            registered_at,
            call_id,
            cseq,
            path,
            user_agent,
            received,
            flow,
            instance_id,
            reg_id,
        })
    }
}

fn no_text() -> Text {
    Text::default()
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn put_shared(out: &mut Vec<u8>, shared: &mut Shared<'_>, text: &str) {
    match shared {
        Shared::Inline => put_text(out, text),
        Shared::Interned(interner) => put_varint(out, u64::from(interner.acquire(text))),
    }
}

/// IPv6 scope and flow label are left out: they are of this host's interfaces.
fn put_address(out: &mut Vec<u8>, address: SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend_from_slice(&ip.octets());
        }
    }
    out.extend_from_slice(&address.port().to_be_bytes());
}

const UUID_HEAD: &str = "<urn:uuid:";
const UUID_GROUPS: [usize; 5] = [4, 2, 2, 2, 6];

/// The octets of `<urn:uuid:...>` in the one spelling that [`write_uuid`] gives back; others stay text.
fn parse_uuid(instance: &str) -> Option<[u8; 16]> {
    let digits = instance.strip_prefix(UUID_HEAD)?.strip_suffix('>')?;
    let mut uuid = [0; 16];
    let mut octets = uuid.iter_mut();
    let mut groups = digits.split('-');
    for len in UUID_GROUPS {
        let group = groups.next()?;
        if group.len() != len * 2 || group.bytes().any(|c| c.is_ascii_uppercase()) {
            return None;
        }
        let n = crate::base::text::parse_hex(group.as_bytes())?;
        for octet in n.to_be_bytes().iter().skip(8 - len) {
            *octets.next()? = *octet;
        }
    }
    groups.next().is_none().then_some(uuid)
}

fn write_uuid(uuid: [u8; 16]) -> Text {
    let mut text = UUID_HEAD.as_bytes().to_vec();
    let mut octets = uuid.iter();
    for (i, len) in UUID_GROUPS.into_iter().enumerate() {
        if i > 0 {
            text.push(b'-');
        }
        octets.by_ref().take(len).for_each(|o| crate::base::text::push_hex(&mut text, u64::from(*o), 2));
    }
    text.push(b'>');
    String::from_utf8(text).unwrap_or_default().into()
}

const VERSION: u8 = 1;

impl Codec for AorState {
    fn encode(&self, w: &mut Writer) {
        let mut packed = Vec::new();
        pack(self, &mut Shared::Inline, &mut packed);
        w.u8(VERSION);
        w.bytes(&packed);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.version("address of record", VERSION)?;
        let mut unpacker = Unpacker::new(r.bytes()?, SharedIn::Inline);
        let state = unpack(&mut unpacker).ok_or(DecodeError::Truncated)?;
        match unpacker.rest.len() {
            0 => Ok(state),
            count => Err(DecodeError::Trailing { count }),
        }
    }
}

/// Gives back the shared texts that `state`, packed into the table, holds.
pub(super) fn release(state: &AorState, interner: &mut Interner) {
    for binding in &state.bindings {
        if let Some(agent) = &binding.user_agent {
            interner.release(agent);
        }
        if !binding.path.is_empty() {
            interner.release(&binding.path.join("\n"));
        }
    }
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
