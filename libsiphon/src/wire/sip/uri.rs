//! URIs as SIP uses them: sip and sips (RFC 3261 19.1), tel (RFC 3966), urn and whatever else, borrowed as written.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

use super::error::Malformed;
use super::params::Params;
use super::scan::{is_host, is_no_uri};

/// The scheme of a URI.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scheme {
    /// `sip` (RFC 3261 19.1).
    Sip,
    /// `sips` (RFC 3261 19.1).
    Sips,
    /// `tel` (RFC 3966).
    Tel,
    /// `urn`, such as the emergency services of RFC 5031.
    Urn,
    /// Any other.
    Other,
}

impl Scheme {
    fn from_text(text: &str) -> Self {
        const NAMED: [(&str, Scheme); 4] =
            [("sip", Scheme::Sip), ("tel", Scheme::Tel), ("sips", Scheme::Sips), ("urn", Scheme::Urn)];
        NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map_or(Scheme::Other, |n| n.1)
    }
}

/// A URI, parsed and borrowed. Every octet of it can be had again with [`as_str`](Self::as_str).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    text: &'a str,
    scheme: Scheme,
    user: Option<&'a str>,
    password: Option<&'a str>,
    host: &'a str,
    port: Option<u16>,
    params: &'a str,
    headers: &'a str,
}

impl<'a> Uri<'a> {
    /// The `*` of `Contact: *`, which is no URI.
    pub const STAR: Uri<'static> = Uri {
        text: "*",
        scheme: Scheme::Other,
        user: None,
        password: None,
        host: "",
        port: None,
        params: "",
        headers: "",
    };

    /// Reads a URI. sip, sips and tel are checked against their grammar; of others only the scheme is.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        parse(text).map_err(Malformed::Uri)
    }

    /// The URI as written.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The scheme as written.
    pub fn scheme_name(&self) -> &'a str {
        self.text.split_once(':').map_or("", |(scheme, _)| scheme)
    }

    /// sip or sips.
    pub fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// Whether this is the `*` of `Contact: *`.
    pub fn is_star(&self) -> bool {
        self.text == "*"
    }

    /// The user part as written, escapes included; for tel the number as written.
    pub fn user(&self) -> Option<&'a str> {
        self.user
    }

    /// The user part with its escapes undone, once (RFC 4475 3.1.1.3).
    pub fn user_unescaped(&self) -> Option<Cow<'a, str>> {
        self.user.map(unescape)
    }

    /// The password as written.
    pub fn password(&self) -> Option<&'a str> {
        self.password
    }

    /// The host as written, an IPv6 address in its brackets; empty for URIs without one.
    pub fn host(&self) -> &'a str {
        self.host
    }

    /// The host without the brackets of an IPv6 address.
    pub fn host_bare(&self) -> &'a str {
        self.host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(self.host)
    }

    /// Whether the host is an IPv6 reference.
    pub fn is_ipv6(&self) -> bool {
        self.host.starts_with('[')
    }

    /// The host as an address, when it is one.
    pub fn host_ip(&self) -> Option<std::net::IpAddr> {
        self.host_bare().parse().ok()
    }

    /// The port, when written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The URI parameters.
    pub fn params(&self) -> Params<'a> {
        Params::new(self.params)
    }

    /// The value of a URI parameter as written; `Some("")` for a flag such as `lr`.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params().get(name)
    }

    /// Whether the URI names a loose router (RFC 3261 16.12).
    pub fn is_loose(&self) -> bool {
        self.params().has("lr")
    }

    /// The `?name=value&...` part without the question mark, as written; empty when there is none.
    pub fn headers(&self) -> &'a str {
        self.headers
    }

    /// Name and value of each header of the URI, escapes undone.
    pub fn header_pairs(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        self.headers.split('&').filter(|h| !h.is_empty()).map(|h| {
            let (name, value) = h.split_once('=').unwrap_or((h, ""));
            (unescape(name), unescape(value))
        })
    }

    /// An emergency service (RFC 5031 `urn:service:sos` and its children).
    pub fn is_emergency(&self) -> bool {
        is_emergency(self.text.as_bytes())
    }
}

/// Whether the text of a URI names an emergency service.
pub(super) fn is_emergency(text: &[u8]) -> bool {
    const SOS: &[u8] = b"urn:service:sos";
    text.get(..SOS.len()).is_some_and(|head| head.eq_ignore_ascii_case(SOS))
        && matches!(text.get(SOS.len()), None | Some(b'.' | b';'))
}

impl<'a> TryFrom<&'a str> for Uri<'a> {
    type Error = Malformed;
    fn try_from(text: &'a str) -> Result<Self, Malformed> {
        Uri::parse(text)
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

fn parse(text: &str) -> Result<Uri<'_>, &'static str> {
    let (scheme, rest) = split(text, b':').ok_or("no scheme")?;
    let legal = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.');
    if !scheme.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) || !scheme.as_bytes().iter().all(legal)
    {
        return Err("bad scheme");
    }
    if rest.is_empty() {
        return Err("nothing behind the scheme");
    }
    if text.bytes().any(is_no_uri) {
        return Err("white space or delimiter inside");
    }
    let uri = Uri { text, scheme: Scheme::from_text(scheme), ..Uri::STAR };
    match uri.scheme {
        Scheme::Sip | Scheme::Sips => parse_sip(uri, rest),
        Scheme::Tel => parse_tel(uri, rest),
        Scheme::Urn | Scheme::Other => Ok(uri),
    }
}

/// What stands before and behind the first `mark`.
fn split(text: &str, mark: u8) -> Option<(&str, &str)> {
    let at = memchr::memchr(mark, text.as_bytes())?;
    Some((text.get(..at)?, text.get(at.saturating_add(1)..)?))
}

fn parse_sip<'a>(uri: Uri<'a>, rest: &'a str) -> Result<Uri<'a>, &'static str> {
    let (userinfo, rest) = match split(rest, b'@') {
        None => (None, rest),
        // An @ in parameters or headers is escaped, so that two of them leave no telling which host is meant.
        Some((_, rest)) if memchr::memchr(b'@', rest.as_bytes()).is_some() => return Err("more than one @"),
        Some((userinfo, rest)) => (Some(userinfo), rest),
    };
    let (user, password) = match userinfo.map(|u| split(u, b':').ok_or(u)) {
        None => (None, None),
        Some(Err("")) | Some(Ok(("", _))) => return Err("empty user"),
        Some(Err(user)) => (Some(user), None),
        Some(Ok((user, password))) => (Some(user), Some(password)),
    };
    let host_end = rest.bytes().position(|c| matches!(c, b';' | b'?')).unwrap_or(rest.len());
    let (hostport, rest) = rest.split_at(host_end);
    let (host, port) = host_port(hostport)?;
    let (params, headers) = match rest {
        "" => ("", ""),
        rest => split(rest, b'?').unwrap_or((rest, "")),
    };
    Ok(Uri { user, password, host, port, params, headers, ..uri })
}

/// `hostport` of RFC 3261 25.1. The host keeps the brackets of an IPv6 reference.
pub(super) fn host_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    let end = if text.starts_with('[') {
        let end = text.find(']').ok_or("IPv6 address without ]")?.saturating_add(1);
        let inner = text.get(1..end.saturating_sub(1)).unwrap_or_default();
        inner.parse::<Ipv6Addr>().map_err(|_| "bad IPv6 address")?;
        end
    } else {
        text.bytes().position(|c| c == b':').unwrap_or(text.len())
    };
    let (host, port) = text.split_at(end);
    if host.is_empty() {
        return Err("no host");
    }
    if !host.starts_with('[') && !host.bytes().all(is_host) {
        return Err("bad host");
    }
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        None => return Err("text behind the host"),
        Some(digits) => Some(parse_port(digits.as_bytes()).ok_or("bad port")?),
    };
    Ok((host, port))
}

pub(super) fn parse_port(digits: &[u8]) -> Option<u16> {
    super::scan::digits(digits).and_then(|n| u16::try_from(n).ok())
}

fn parse_tel<'a>(uri: Uri<'a>, rest: &'a str) -> Result<Uri<'a>, &'static str> {
    let (number, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
    let digits = number.strip_prefix('+').unwrap_or(number);
    let global = digits.len() < number.len();
    // RFC 3966 3: a global number is digits, a local one may hold hexadecimal digits, * and #.
    let legal = |c: u8| match c {
        b'0'..=b'9' | b'-' | b'.' | b'(' | b')' => true,
        b'*' | b'#' => !global,
        c => !global && c.is_ascii_hexdigit(),
    };
    if !digits.bytes().all(legal) || !digits.bytes().any(|c| !matches!(c, b'-' | b'.' | b'(' | b')')) {
        return Err("bad telephone number");
    }
    Ok(Uri { user: Some(number), params, ..uri })
}

/// Undoes `%HH` escapes, once. An escape that is none, or that would not leave UTF-8, stays as it is.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&c, tail)) = rest.split_first() {
        match (c, escape(tail)) {
            (b'%', Some((byte, tail))) => {
                out.push(byte);
                rest = tail;
            }
            _ => {
                out.push(c);
                rest = tail;
            }
        }
    }
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}

pub(super) fn escape(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (&[high, low], tail) = bytes.split_first_chunk::<2>()?;
    let value = |c: u8| (c as char).to_digit(16);
    let byte = value(high)?.checked_mul(16)?.checked_add(value(low)?)?;
    Some((u8::try_from(byte).ok()?, tail))
}

/// Escapes what may not stand in the user part of a sip URI (RFC 3261 25.1 user).
pub fn escape_user(text: &str) -> Cow<'_, str> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&c);
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len().saturating_add(8));
    for c in text.bytes() {
        if plain(c) {
            out.push(c as char);
        } else {
            out.push_str(&format!("%{c:02X}"));
        }
    }
    Cow::Owned(out)
}
