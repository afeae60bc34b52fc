//! `message/sipfrag` (RFC 3420) as REFER uses it (RFC 3515 2.4.5): a status line.

use super::build::check_text;
use super::scan::digits;

/// The Content-Type.
pub const CONTENT_TYPE: &str = "message/sipfrag;version=2.0";

/// A body with the status line alone. A phrase that cannot stand on one line is left out.
pub fn write(status: u16, phrase: &str) -> Vec<u8> {
    let phrase = if check_text(phrase).is_ok() { phrase } else { "" };
    format!("SIP/2.0 {status} {phrase}\r\n").into_bytes()
}

/// The status code and the phrase with which a body starts; `None` when it starts with no status line. Empty lines
/// before it, a missing line end and a missing phrase are passed over.
pub fn status(body: &[u8]) -> Option<(u16, String)> {
    let start = body.iter().position(|c| !c.is_ascii_whitespace())?;
    let body = body.get(start..)?;
    let line = body.get(..memchr::memchr2(b'\r', b'\n', body).unwrap_or(body.len()))?;
    let (version, rest) = line.split_at_checked(b"SIP/2.0".len())?;
    if !version.eq_ignore_ascii_case(b"SIP/2.0") || !rest.first()?.is_ascii_whitespace() {
        return None;
    }
    let rest = rest.trim_ascii_start();
    let (code, phrase) = rest.split_at_checked(3)?;
    if phrase.first().is_some_and(|c| !c.is_ascii_whitespace()) {
        return None;
    }
    let code = digits(code).and_then(|n| u16::try_from(n).ok()).filter(|n| (100..700).contains(n))?;
    Some((code, String::from_utf8_lossy(phrase.trim_ascii()).into_owned()))
}
