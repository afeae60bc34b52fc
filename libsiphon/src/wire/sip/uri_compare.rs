//! When two URIs mean the same: RFC 3261 19.1.4 for sip and sips, RFC 3966 4 for tel; and the canonical AoR.

use std::borrow::Cow;

use super::params::Params;
use super::uri::{Scheme, Uri, escape, unescape};

impl Uri<'_> {
    /// Whether the two are equivalent by the rules of their scheme. Not transitive for sip URIs (RFC 3261 19.1.4).
    pub fn same_as(&self, other: &Uri<'_>) -> bool {
        if self.as_str() == other.as_str() {
            return true;
        }
        if self.scheme() != other.scheme() {
            return false;
        }
        match self.scheme() {
            Scheme::Sip | Scheme::Sips => same_sip(self, other),
            Scheme::Tel => same_tel(self, other),
            Scheme::Urn => self.as_str().eq_ignore_ascii_case(other.as_str()),
            Scheme::Other => {
                let behind = |u: &Uri<'_>| u.as_str().split_once(':').map(|(_, rest)| rest.to_owned());
                self.scheme_name().eq_ignore_ascii_case(other.scheme_name()) && behind(self) == behind(other)
            }
        }
    }

    /// The key of an address-of-record (RFC 3261 10.3 step 5): without parameters and headers, escapes of the user
    /// part undone, host in lower case. A tel URI loses its visual separators and keeps its phone-context.
    ///
    /// A port stays, for it names another AoR.
    pub fn canonical_aor(&self) -> String {
        self.aor_key().into_owned()
    }

    /// As [`canonical_aor`](Self::canonical_aor), borrowed where the URI is written that way already.
    pub fn aor_key(&self) -> Cow<'_, str> {
        let text = self.as_str();
        let plain = |c: u8| !c.is_ascii_uppercase() && c != b'%' && c != b'[';
        // `sip:user@host`, or without a user: no port, parameters, headers or password behind them.
        let user = self.user().map_or(0, |user| user.len().saturating_add(1));
        let length = "sip:".len().saturating_add(user).saturating_add(self.host().len());
        let host_is_plain = self.host().bytes().all(plain);
        let user_is_plain = self.user().is_none_or(|user| !user.contains('%'));
        if text.len() == length && text.starts_with("sip:") && host_is_plain && user_is_plain {
            return Cow::Borrowed(text);
        }
        Cow::Owned(self.made_canonical())
    }

    fn made_canonical(&self) -> String {
        let mut out = String::with_capacity(self.as_str().len());
        match self.scheme() {
            Scheme::Sip | Scheme::Sips => {
                out.push_str(if self.scheme() == Scheme::Sip { "sip:" } else { "sips:" });
                if let Some(user) = self.user() {
                    out.push_str(&unescape(user));
                    out.push('@');
                }
                push_host(&mut out, self);
                if let Some(port) = self.port() {
                    out.push(':');
                    out.push_str(&port.to_string());
                }
            }
            Scheme::Tel => {
                out.push_str("tel:");
                out.extend(number(self));
                if let Some(context) = self.param("phone-context") {
                    out.push_str(";phone-context=");
                    out.push_str(&context.to_ascii_lowercase());
                }
            }
            Scheme::Urn => out.push_str(&self.as_str().to_ascii_lowercase()),
            Scheme::Other => out.push_str(self.as_str()),
        }
        out
    }
}

fn push_host(out: &mut String, uri: &Uri<'_>) {
    match uri.host_ip().filter(|_| uri.is_ipv6()) {
        // Two spellings of one IPv6 address are one host.
        Some(std::net::IpAddr::V6(ip)) => {
            out.push('[');
            out.push_str(&ip.to_string());
            out.push(']');
        }
        _ => out.extend(uri.host().chars().map(|c| c.to_ascii_lowercase())),
    }
}

fn same_host(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    a.host().eq_ignore_ascii_case(b.host()) || a.host_ip().is_some_and(|ip| Some(ip) == b.host_ip())
}

fn same_sip(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    same_text(a.user(), b.user())
        && same_text(a.password(), b.password())
        && same_host(a, b)
        && a.port() == b.port()
        && same_params(a.params(), b.params())
        && same_headers(a, b)
}

/// Case counts in the user part; an escape and the character it stands for are one unless it is reserved.
fn same_text(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b || normal(a) == normal(b),
        (None, None) => true,
        _ => false,
    }
}

/// Escapes of unreserved characters undone, the digits of the others in upper case.
fn normal(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&c, tail)) = rest.split_first() {
        rest = tail;
        match (c, escape(tail)) {
            (b'%', Some((byte, tail))) => {
                rest = tail;
                if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
                    out.push(byte);
                } else {
                    out.extend_from_slice(format!("%{byte:02X}").as_bytes());
                }
            }
            _ => out.push(c),
        }
    }
    out
}

fn same_params(a: Params<'_>, b: Params<'_>) -> bool {
    // These change where a request goes or what it is, so one alone never matches (RFC 3261 19.1.4).
    const BOTH_OR_NONE: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
    let agree = |x: &str, y: &str| normal(x).eq_ignore_ascii_case(&normal(y));
    let covered = |a: Params<'_>, b: Params<'_>| {
        a.iter().all(|(name, value)| match b.get(name) {
            Some(theirs) => agree(value.unwrap_or_default(), theirs),
            None => !BOTH_OR_NONE.iter().any(|n| n.eq_ignore_ascii_case(name)),
        })
    };
    covered(a, b) && covered(b, a)
}

/// Header components are never ignored; their order does not count.
fn same_headers(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    if a.headers() == b.headers() {
        return true;
    }
    let sorted = |u: &Uri<'_>| {
        let mut pairs: Vec<_> =
            u.header_pairs().map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned())).collect();
        pairs.sort_unstable();
        pairs
    };
    sorted(a) == sorted(b)
}

/// The number without visual separators, hexadecimal digits in lower case.
fn number(uri: &Uri<'_>) -> impl Iterator<Item = char> {
    uri.user()
        .unwrap_or_default()
        .chars()
        .filter(|c| !matches!(c, '-' | '.' | '(' | ')'))
        .map(|c| c.to_ascii_lowercase())
}

fn same_tel(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    let sorted = |u: &Uri<'_>| {
        let mut params: Vec<_> = u
            .params()
            .iter()
            .map(|(name, value)| {
                let value = value.unwrap_or_default().to_ascii_lowercase();
                // The extension is a number too, and a phone-context may be a global one.
                let value: String = match value.starts_with('+') || name.eq_ignore_ascii_case("ext") {
                    true => value.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect(),
                    false => value,
                };
                (name.to_ascii_lowercase(), value)
            })
            .collect();
        params.sort_unstable();
        params
    };
    number(a).eq(number(b)) && sorted(a) == sorted(b)
}
