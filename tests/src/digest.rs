//! The client's half of digest access authentication (RFC 7616 3.4, RFC 8760, RFC 2617 3.2.2), with qop=auth.

use std::fmt::Write;

use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};

/// The value of an Authorization header that answers `challenge`.
pub fn answer(challenge: &str, method: &str, uri: &str, user: &str, password: &str) -> String {
    let realm = param(challenge, "realm");
    let nonce = param(challenge, "nonce");
    let algorithm = param(challenge, "algorithm");
    let algorithm = if algorithm.is_empty() { "MD5" } else { algorithm };
    let hex = |text: &str| hash(algorithm, text);
    let a1 = hex(&format!("{user}:{realm}:{password}"));
    let a2 = hex(&format!("{method}:{uri}"));
    let mut out = format!(r#"Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}""#);
    if param(challenge, "qop").split(',').any(|qop| qop.trim() == "auth") {
        let response = hex(&format!("{a1}:{nonce}:00000001:c0ffee:auth:{a2}"));
        out += &format!(
            r#", response="{response}", algorithm={algorithm}, qop=auth, nc=00000001, cnonce="c0ffee""#
        );
    } else {
        out += &format!(r#", response="{}", algorithm={algorithm}"#, hex(&format!("{a1}:{nonce}:{a2}")));
    }
    let opaque = param(challenge, "opaque");
    if !opaque.is_empty() {
        out += &format!(r#", opaque="{opaque}""#);
    }
    out
}

/// A parameter of a challenge, without its quotes; empty when it is not there.
pub fn param<'a>(challenge: &'a str, name: &str) -> &'a str {
    let mut rest = challenge.trim_start().strip_prefix("Digest").unwrap_or(challenge);
    while let Some((key, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim_matches([' ', ',', '\t']).eq_ignore_ascii_case(name) {
            return value.trim();
        }
        rest = next;
    }
    ""
}

/// A hash of that text by the algorithm of that name, in hexadecimal.
pub fn hash(algorithm: &str, text: &str) -> String {
    let octets = match algorithm {
        "SHA-256" => Sha256::digest(text.as_bytes()).to_vec(),
        "SHA-512-256" => Sha512_256::digest(text.as_bytes()).to_vec(),
        _ => Md5::digest(text.as_bytes()).to_vec(),
    };
    octets.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
