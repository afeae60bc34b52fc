//! Our Via branch (RFC 3261 16.6 step 8): it says which shard and which client transaction a response belongs to,
//! carries the loop hash of RFC 5393 4.2, and is authenticated, so that nobody else's branch finds a slot of ours.
//!
//! `z9hG4bK`, then in hexadecimal: kind, shard, two words, loop hash, code. A stateful branch has slot and generation
//! of the client transaction for its words, a stateless one (RFC 3261 16.11) a hash that repeats with the message.

use crate::base::slab::Key;
use crate::base::text::parse_hex;
use crate::base::token::Secret;
use crate::wire::sip::{HeaderId, Message};
use foldhash::fast::FixedState;
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

/// What our branch says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BranchId {
    /// The shard whose transaction it is.
    pub shard: u8,
    /// The client transaction; `None` for a request that was forwarded without state.
    pub key: Option<Key>,
    /// What [`BranchSecret::loop_hash`] gave for the request as it was received.
    pub loop_hash: u32,
}

/// A branch as it goes into a Via.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Branch([u8; LENGTH]);

const COOKIE: &[u8; 7] = b"z9hG4bK";
const LENGTH: usize = 42;
const STATEFUL: u8 = b't';
const STATELESS: u8 = b's';

impl Branch {
    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The text as octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Branch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The keys branches are made with.
#[derive(Clone, Debug)]
pub struct BranchSecret {
    mac: Secret,
    seed: u64,
}

impl BranchSecret {
    /// Derives them from the node's secret.
    pub fn new(node: &Secret) -> Self {
        let own = node.derive("via branch");
        BranchSecret { mac: own, seed: own.mac(&[b"loop"]) }
    }

    /// The branch of a client transaction.
    pub fn encode(&self, shard: u8, key: Key, loop_hash: u32) -> Branch {
        self.write(STATEFUL, shard, key.to_u64(), loop_hash)
    }

    /// The branch of a request that is forwarded without state. A retransmission gets the same one, because it follows
    /// from the message alone (RFC 3261 16.11).
    pub fn encode_stateless(&self, shard: u8, request: &Message, loop_hash: u32) -> Branch {
        let mut hasher = self.hasher();
        let via = request.via();
        match via.rfc3261_branch() {
            Some(branch) => part(&mut hasher, branch.as_bytes()),
            // An RFC 2543 peer: what 16.11 lists makes up for the branch.
            None => part(&mut hasher, via.value.as_bytes()),
        }
        part(&mut hasher, request.request_uri().as_bytes());
        part(&mut hasher, request.to_tag().unwrap_or_default().as_bytes());
        part(&mut hasher, request.from_tag().unwrap_or_default().as_bytes());
        part(&mut hasher, request.call_id().as_bytes());
        hasher.write_u32(request.cseq());
        self.write(STATELESS, shard, hasher.finish(), loop_hash)
    }

    /// Reads a branch; `None` when it is not one of ours.
    pub fn decode(&self, branch: &str) -> Option<BranchId> {
        self.read(branch.as_bytes().try_into().ok()?)
    }

    fn read(&self, text: &[u8; LENGTH]) -> Option<BranchId> {
        let (cookie, rest) = text.split_first_chunk::<7>()?;
        let (&[kind], rest) = rest.split_first_chunk::<1>()?;
        let kind = kind.to_ascii_lowercase();
        if !matches!(kind, STATEFUL | STATELESS) || !cookie.eq_ignore_ascii_case(COOKIE) {
            return None;
        }
        let (shard, rest) = rest.split_first_chunk::<2>()?;
        let (words, rest) = rest.split_first_chunk::<16>()?;
        let (loop_hash, code) = rest.split_first_chunk::<8>()?;
        let shard = u8::try_from(parse_hex(shard)?).ok()?;
        let words = parse_hex(words)?;
        let loop_hash = u32::try_from(parse_hex(loop_hash)?).ok()?;
        if parse_hex(code)? != u64::from(self.code(kind, shard, words, loop_hash)) {
            return None;
        }
        let key = (kind == STATEFUL).then(|| Key::from_u64(words));
        Some(BranchId { shard, key, loop_hash })
    }

    fn write(&self, kind: u8, shard: u8, words: u64, loop_hash: u32) -> Branch {
        let mut text = [0u8; LENGTH];
        let (head, digits) = text.split_at_mut(COOKIE.len() + 1);
        head.copy_from_slice(&[b'z', b'9', b'h', b'G', b'4', b'b', b'K', kind]);
        let code = self.code(kind, shard, words, loop_hash);
        let (field, digits) = digits.split_at_mut(2);
        write_hex(field, shard.into());
        let (field, digits) = digits.split_at_mut(16);
        write_hex(field, words);
        let (field, digits) = digits.split_at_mut(8);
        write_hex(field, loop_hash.into());
        write_hex(digits, code.into());
        Branch(text)
    }

    fn code(&self, kind: u8, shard: u8, words: u64, loop_hash: u32) -> u32 {
        let mut what = [0u8; 14];
        let (head, rest) = what.split_at_mut(2);
        head.copy_from_slice(&[kind, shard]);
        let (word, hash) = rest.split_at_mut(8);
        word.copy_from_slice(&words.to_be_bytes());
        hash.copy_from_slice(&loop_hash.to_be_bytes());
        // The low half: a guess has to be right in 32 bits and in the slot's generation.
        self.mac.mac(&[&what]) as u32
    }

    fn hasher(&self) -> impl Hasher + use<> {
        FixedState::with_seed(self.seed).build_hasher()
    }

    /// Everything of a received request that decides where it goes (RFC 5393 4.2.1): Request-URI, Route set, tags,
    /// Call-ID, CSeq number, Proxy-Require and Proxy-Authorization; and the address it came from, because scripts
    /// route by it. A loop therefore shows at its second passage by the same way. The method stays out, so that
    /// CANCEL and ACK get the branch of their INVITE.
    pub fn loop_hash(&self, request: &Message, source: IpAddr) -> u32 {
        let mut hasher = self.hasher();
        part(&mut hasher, request.request_uri().as_bytes());
        part(&mut hasher, request.from_tag().unwrap_or_default().as_bytes());
        part(&mut hasher, request.to_tag().unwrap_or_default().as_bytes());
        part(&mut hasher, request.call_id().as_bytes());
        hasher.write_u32(request.cseq());
        for id in [HeaderId::Route, HeaderId::ProxyRequire, HeaderId::ProxyAuthorization] {
            if request.has(id) {
                hasher.write_u8(id as u8);
                for value in request.values(id) {
                    part(&mut hasher, value.as_bytes());
                }
            }
        }
        match source {
            IpAddr::V4(ip) => hasher.write_u32(ip.to_bits()),
            IpAddr::V6(ip) => hasher.write_u128(ip.to_bits()),
        }
        let hash = hasher.finish();
        (hash ^ (hash >> 32)) as u32
    }

    /// Whether a request has been here before (RFC 5393 4.2.2). `loop_hash` is that of the request as received.
    pub fn loop_check(&self, request: &Message, loop_hash: u32) -> Loop {
        let mut found = Loop::None;
        for header in request.headers().filter(|h| h.id == HeaderId::Via) {
            for id in self.branches_in(header.value) {
                if id.loop_hash == loop_hash {
                    return Loop::Loop;
                }
                found = Loop::Spiral;
            }
        }
        found
    }

    /// Our branches in the values of one Via header field. They are plain tokens, so finding the cookie is enough.
    fn branches_in<'a>(&'a self, value: &'a [u8]) -> impl Iterator<Item = BranchId> + 'a {
        let mut rest = value;
        std::iter::from_fn(move || {
            // Few octets of a Via are a z; a searcher for the whole cookie costs more than looking at each.
            let at = memchr::memchr(b'z', rest)?;
            let branch = rest.get(at..).unwrap_or_default();
            rest = branch.get(1..).unwrap_or_default();
            let own = branch.first_chunk::<LENGTH>().filter(|text| text.starts_with(COOKIE));
            Some(own.and_then(|text| self.read(text)))
        })
        .flatten()
    }
}

/// What the Via values say about a request's way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loop {
    /// It has not been here.
    None,
    /// It has been here exactly like this: going on would never end.
    Loop,
    /// It has been here, and something that decides about its way has changed since.
    Spiral,
}

fn part(hasher: &mut impl Hasher, text: &[u8]) {
    hasher.write(text);
    hasher.write_usize(text.len());
}

fn write_hex(field: &mut [u8], mut n: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for place in field.iter_mut().rev() {
        *place = DIGITS[(n & 0xf) as usize];
        n >>= 4;
    }
}

#[cfg(test)]
#[path = "branch_tests.rs"]
mod tests;
