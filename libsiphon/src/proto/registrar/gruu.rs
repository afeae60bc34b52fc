//! Globally routable UA URIs (RFC 5627): made for a 200, and resolved from a Request-URI.
//!
//! A public GRUU is the address of record with `gr=` and the instance id. A temporary one has a user part that
//! only this registrar, or one with the same secret, can read: the keyed hash of the address of record, a hash of
//! the instance and the time its registration began, encrypted under a synthetic nonce (the code over the whole),
//! so that two of them cannot be linked. It is valid until the last binding of the instance is gone, or the
//! instance registers under another Call-ID (RFC 5627 5.2): both change the time.

use super::binding::Binding;
use super::location::Location;
use crate::base::text::Text;
use crate::base::time::Instant;
use crate::base::token::Secret;
use crate::wire::sip::Uri;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

const PREFIX: &str = "tgruu.";
const CLEAR: usize = 24;

/// The keys under which temporary GRUUs are made.
#[derive(Clone, Copy, Debug)]
pub struct GruuKeys {
    code: Secret,
    stream: Secret,
    instance: Secret,
}

/// What a temporary GRUU says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Temporary {
    /// The location table's hash of the address of record.
    aor: u64,
    instance: u32,
    /// Milliseconds of [`Binding::registered_at`], the low 32 bits.
    since: u32,
    /// Makes each one different.
    unique: u64,
}

/// A Request-URI that is a GRUU of ours.
#[derive(Clone, PartialEq, Debug)]
pub struct Gruu {
    /// The address of record.
    pub aor: Text,
    /// The instance's live bindings; empty when it is not registered (480, RFC 5627 5.4).
    pub bindings: Vec<Binding>,
}

impl GruuKeys {
    /// Keys derived from the node's or cluster's secret.
    pub fn new(secret: &Secret) -> Self {
        let key = |purpose| secret.derive(purpose);
        GruuKeys { code: key("gruu code"), stream: key("gruu stream"), instance: key("gruu instance") }
    }

    /// The public GRUU of an instance of `aor`, as a URI. `None` for an address of record that is no sip URI.
    pub fn public(aor: &str, instance_id: &str) -> Option<String> {
        is_sip(aor).then(|| format!("{aor};gr={}", escape(urn(instance_id))))
    }

    /// A temporary GRUU of a binding's instance: a new one with each call.
    pub fn temporary(&self, aor: &str, hash: u64, binding: &Binding, now: Instant) -> Option<String> {
        let instance_id = binding.instance_id.as_deref()?;
        if !is_sip(aor) {
            return None;
        }
        let host = aor.rsplit_once('@').map(|(_, host)| host)?;
        let token = Temporary {
            aor: hash,
            instance: self.instance_hash(instance_id),
            since: since(binding),
            unique: now.0,
        };
        Some(format!("sip:{PREFIX}{}@{host};gr", self.seal(token)))
    }

    /// Reads a GRUU. `None` when the URI is none, or one that was never or is no longer valid (404, RFC 5627 5.4).
    pub fn resolve(&self, uri: &Uri<'_>, location: &Location, now: Instant) -> Option<Gruu> {
        let gr = uri.param("gr")?;
        match uri.user().and_then(|user| user.strip_prefix(PREFIX)) {
            Some(sealed) if gr.is_empty() => self.resolve_temporary(sealed, location, now),
            _ if gr.is_empty() => None,
            _ => {
                let (aor, state) = location.state(&uri.canonical_aor(), now)?;
                let gr = crate::wire::sip::unescape(gr);
                let of_instance = |b: &Binding| {
                    b.instance_id.as_deref().is_some_and(|id| urn(id).eq_ignore_ascii_case(&gr))
                };
                let bindings = state.in_order(now).into_iter().filter(of_instance).collect();
                Some(Gruu { aor, bindings })
            }
        }
    }

    fn resolve_temporary(&self, sealed: &str, location: &Location, now: Instant) -> Option<Gruu> {
        let token = self.open(sealed)?;
        let of_instance = |b: &Binding| {
            let id = b.instance_id.as_deref();
            id.is_some_and(|id| self.instance_hash(id) == token.instance) && since(b) == token.since
        };
        location.by_hash(token.aor).into_iter().find_map(|(aor, state)| {
            let bindings: Vec<_> = state.in_order(now).into_iter().filter(of_instance).collect();
            (!bindings.is_empty()).then_some(Gruu { aor, bindings })
        })
    }

    fn instance_hash(&self, instance_id: &str) -> u32 {
        self.instance.mac(&[instance_id.as_bytes()]) as u32
    }

    fn seal(&self, token: Temporary) -> String {
        let mut octets = [0; CLEAR];
        let fields = token.aor.to_be_bytes().into_iter().chain(token.instance.to_be_bytes());
        let fields = fields.chain(token.since.to_be_bytes()).chain(token.unique.to_be_bytes());
        octets.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        let code = self.code.mac(&[&octets]);
        self.apply_stream(code, &mut octets);
        URL_SAFE_NO_PAD.encode([code.to_be_bytes().as_slice(), &octets].concat())
    }

    fn open(&self, sealed: &str) -> Option<Temporary> {
        let octets = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (code, rest) = octets.split_first_chunk::<8>()?;
        let code = u64::from_be_bytes(*code);
        let mut clear: [u8; CLEAR] = rest.try_into().ok()?;
        self.apply_stream(code, &mut clear);
        let genuine = self.code.mac(&[&clear]).to_be_bytes().ct_eq(&code.to_be_bytes());
        if !bool::from(genuine) {
            return None;
        }
        let (aor, rest) = clear.split_first_chunk()?;
        let (instance, rest) = rest.split_first_chunk()?;
        let (since, rest) = rest.split_first_chunk()?;
        Some(Temporary {
            aor: u64::from_be_bytes(*aor),
            instance: u32::from_be_bytes(*instance),
            since: u32::from_be_bytes(*since),
            unique: u64::from_be_bytes(rest.try_into().ok()?),
        })
    }

    fn apply_stream(&self, nonce: u64, octets: &mut [u8; CLEAR]) {
        for (block, chunk) in (0u64..).zip(octets.chunks_mut(8)) {
            let key = self.stream.mac(&[&nonce.to_be_bytes(), &block.to_be_bytes()]).to_be_bytes();
            chunk.iter_mut().zip(key).for_each(|(octet, key)| *octet ^= key);
        }
    }
}

fn since(binding: &Binding) -> u32 {
    binding.registered_at.unix_millis() as u32
}

fn is_sip(aor: &str) -> bool {
    aor.starts_with("sip:") || aor.starts_with("sips:")
}

/// The URN of an instance id without its angle brackets.
fn urn(instance_id: &str) -> &str {
    instance_id.trim_start_matches('<').trim_end_matches('>')
}

/// Escapes what may not stand in a URI parameter (RFC 3261 25.1 pvalue).
fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for octet in value.bytes() {
        if octet.is_ascii_alphanumeric() || b"-_.!~*'()[]/:&+$".contains(&octet) {
            out.push(char::from(octet));
        } else {
            out.push_str(&format!("%{octet:02X}"));
        }
    }
    out
}

#[cfg(test)]
#[path = "gruu_tests.rs"]
mod tests;
