//! The client's half of digest access authentication (RFC 7616 3.4, RFC 2617 3.2.2), MD5 with qop=auth.

use std::fmt::Write;

use md5::{Digest, Md5};

/// The value of an Authorization header that answers `challenge`.
pub fn answer(challenge: &str, method: &str, uri: &str, user: &str, password: &str) -> String {
    let realm = param(challenge, "realm");
    let nonce = param(challenge, "nonce");
    let a1 = md5_hex(&format!("{user}:{realm}:{password}"));
    let a2 = md5_hex(&format!("{method}:{uri}"));
    let mut out = format!(r#"Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}""#);
    if param(challenge, "qop").split(',').any(|qop| qop.trim() == "auth") {
        let response = md5_hex(&format!("{a1}:{nonce}:00000001:c0ffee:auth:{a2}"));
        out += &format!(r#", response="{response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="c0ffee""#);
    } else {
        out += &format!(r#", response="{}", algorithm=MD5"#, md5_hex(&format!("{a1}:{nonce}:{a2}")));
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

fn md5_hex(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
