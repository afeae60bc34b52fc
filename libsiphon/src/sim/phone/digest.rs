//! Answers to digest challenges (RFC 2617 3.2.2, RFC 7616), written for the peers of the simulator alone.

use crate::base::text::push_hex;
use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};

/// The value of Authorization or Proxy-Authorization that answers `challenge`, or `None` for a challenge of another kind
/// (RFC 7616 3.3, RFC 8760).
pub(super) fn answer(
    challenge: &str,
    (user, password): (&str, &str),
    method: &str,
    uri: &str,
    count: u32,
    cnonce: &str,
) -> Option<String> {
    let rest = challenge.strip_prefix("Digest ")?;
    let algorithm = value(rest, "algorithm").unwrap_or("MD5");
    let hash: fn(&str) -> String = match algorithm.to_ascii_uppercase().as_str() {
        "MD5" => hashed::<Md5>,
        "SHA-256" => hashed::<Sha256>,
        "SHA-512-256" => hashed::<Sha512_256>,
        _ => return None,
    };
    let (realm, nonce) = (value(rest, "realm")?, value(rest, "nonce")?);
    let ha1 = hash(&format!("{user}:{realm}:{password}"));
    let ha2 = hash(&format!("{method}:{uri}"));
    let mut text = format!("Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\"");
    let response = match value(rest, "qop") {
        Some(_) => {
            text.push_str(&format!(", qop=auth, nc={count:08x}, cnonce=\"{cnonce}\""));
            hash(&format!("{ha1}:{nonce}:{count:08x}:{cnonce}:auth:{ha2}"))
        }
        None => hash(&format!("{ha1}:{nonce}:{ha2}")),
    };
    text.push_str(&format!(", response=\"{response}\", algorithm={algorithm}"));
    if let Some(opaque) = value(rest, "opaque") {
        text.push_str(&format!(", opaque=\"{opaque}\""));
    }
    Some(text)
}

/// The realm of a challenge.
pub(super) fn realm(challenge: &str) -> String {
    challenge.strip_prefix("Digest ").and_then(|rest| value(rest, "realm")).unwrap_or("").to_owned()
}

/// A parameter of a challenge, quoted or not.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = text;
    loop {
        let (key, after) = rest.split_once('=')?;
        let key = key.trim_matches([' ', ',']);
        let (found, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.eq_ignore_ascii_case(name) {
            return Some(found.trim());
        }
        rest = next;
    }
}

fn hashed<D: Digest>(text: &str) -> String {
    let mut out = Vec::with_capacity(64);
    for byte in D::digest(text.as_bytes()) {
        push_hex(&mut out, u64::from(byte), 2);
    }
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_example_of_rfc_2617_is_answered_as_printed_there() {
        let challenge = "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
             nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
        let user = ("Mufasa", "Circle Of Life");
        let answer = super::answer(challenge, user, "GET", "/dir/index.html", 1, "0a4f113b").unwrap();
        assert!(answer.contains("response=\"6629fae49393a05397450978507c4ef1\""), "{answer}");
    }
}
