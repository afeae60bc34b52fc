//! Which server transaction a request belongs to (RFC 3261 17.2.3, 9.2), with the rules for RFC 2543 peers.
//!
//! A transaction keeps a [`ServerKey`]: a keyed hash to find it by, and the text that was hashed, so that two
//! requests whose hashes collide are still told apart. A message makes a [`Lookup`] on the stack.

use crate::base::codec::{DecodeError, Reader, Writer};
use crate::base::token::Secret;
use crate::wire::sip::{Message, Method};
use smallvec::SmallVec;

const INVITE: &str = "INVITE";
/// First octet of the text of a request with a branch by RFC 3261.
const BRANCH: u8 = b'1';
/// First octet of the text of any other.
const LEGACY: u8 = b'2';

/// What identifies one server transaction; kept beside its machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerKey {
    hash: u64,
    text: Box<[u8]>,
}

/// The transaction a request asks for.
#[derive(Clone, Debug)]
pub struct Lookup {
    hash: u64,
    text: SmallVec<[u8; 128]>,
    is_ack: bool,
}

impl Lookup {
    /// The transaction `request` belongs to, or starts. An ACK belongs to its INVITE.
    pub fn of(request: &Message, secret: &Secret) -> Self {
        let is_ack = request.method() == Method::Ack;
        let method = if is_ack { INVITE } else { request.method_name() };
        Self::with_method(request, method, is_ack, secret)
    }

    /// The transaction a CANCEL wants to end: that of the INVITE with the same identification. CANCEL has no
    /// effect on other methods (RFC 3261 9.1), so theirs are not looked for.
    pub fn cancelled_by(cancel: &Message, secret: &Secret) -> Self {
        Self::with_method(cancel, INVITE, false, secret)
    }

    /// The hash to look up.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The key of the transaction that this request starts.
    pub fn to_key(&self) -> ServerKey {
        ServerKey { hash: self.hash, text: self.text.as_slice().into() }
    }

    fn with_method(request: &Message, method: &str, is_ack: bool, secret: &Secret) -> Self {
        let mut text = SmallVec::new();
        match request.via().rfc3261_branch() {
            Some(branch) => by_branch(&mut text, request, method, branch),
            None => by_headers(&mut text, request, method),
        }
        let hash = secret.mac(&[hashed(&text)]);
        Lookup { hash, text, is_ack }
    }
}

impl ServerKey {
    /// The hash it is found by.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Whether the request belongs to this transaction. `sent_tag` is the To tag of the last response sent, by
    /// which alone an RFC 2543 ACK can be told (RFC 3261 17.2.3).
    pub fn matches(&self, lookup: &Lookup, sent_tag: Option<&str>) -> bool {
        if lookup.is_ack && lookup.text.first() == Some(&LEGACY) {
            hashed(&self.text) == hashed(&lookup.text)
                && sent_tag.is_some_and(|tag| tag.as_bytes() == unhashed(&lookup.text))
        } else {
            *self.text == *lookup.text
        }
    }

    /// Writes the text; the hash belongs to the node's secret and stays.
    pub fn encode(&self, w: &mut Writer) {
        w.u8(VERSION);
        w.bytes(&self.text);
    }

    /// Reads what [`encode`](Self::encode) wrote, under the secret of this node.
    pub fn decode(r: &mut Reader<'_>, secret: &Secret) -> Result<Self, DecodeError> {
        r.version("ServerKey", VERSION)?;
        let text: Box<[u8]> = r.bytes()?.into();
        let hash = secret.mac(&[hashed(&text)]);
        Ok(ServerKey { hash, text })
    }
}

const VERSION: u8 = 1;

/// Branch, sent-by and method. The branch is compared octet by octet, as it was made; the host of sent-by in
/// any case, and an absent port as the default one.
fn by_branch(text: &mut SmallVec<[u8; 128]>, request: &Message, method: &str, branch: &str) {
    let via = request.via();
    text.push(BRANCH);
    // Neither a method nor a host contains a zero octet, and the branch comes last: no two requests share a text
    // by accident of concatenation.
    text.extend_from_slice(method.as_bytes());
    text.push(0);
    text.extend(via.host.bytes().map(|c| c.to_ascii_lowercase()));
    text.push(0);
    text.extend_from_slice(&via.port.unwrap_or(5060).to_be_bytes());
    text.extend_from_slice(branch.as_bytes());
}

/// What RFC 2543 gives: Request-URI, From tag, Call-ID, CSeq, the top Via and, after these, the To tag. An ACK
/// carries the To tag of the response in place of the INVITE's, so that tag is not part of the hash.
fn by_headers(text: &mut SmallVec<[u8; 128]>, request: &Message, method: &str) {
    let parts = [
        request.request_uri(),
        request.from_tag().unwrap_or_default(),
        request.call_id(),
        method,
        request.via().value,
    ];
    let len: usize = parts.iter().map(|part| part.len() + 4).sum::<usize>() + 4;
    text.push(LEGACY);
    text.extend_from_slice(&length(len));
    for part in parts {
        text.extend_from_slice(&length(part.len()));
        text.extend_from_slice(part.as_bytes());
    }
    text.extend_from_slice(&request.cseq().to_be_bytes());
    text.extend_from_slice(request.to_tag().unwrap_or_default().as_bytes());
}

fn length(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes()
}

/// Where the part of a text that is hashed ends.
fn split(text: &[u8]) -> (&[u8], &[u8]) {
    let legacy = text.strip_prefix(&[LEGACY]).and_then(<[u8]>::split_first_chunk);
    legacy.map_or((text, &[]), |(len, _)| {
        // The kind and the length itself precede what is counted.
        let end = 5usize.saturating_add(u32::from_be_bytes(*len) as usize);
        text.split_at_checked(end).unwrap_or((text, &[]))
    })
}

fn hashed(text: &[u8]) -> &[u8] {
    split(text).0
}

fn unhashed(text: &[u8]) -> &[u8] {
    split(text).1
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
