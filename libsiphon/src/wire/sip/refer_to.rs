//! Refer-To (RFC 3515 2.1), Referred-By (RFC 3892 3) and Refer-Sub (RFC 4488 4).

use std::fmt;

use super::error::Malformed;
use super::header_id::HeaderId;
use super::method::Method;
use super::name_addr::NameAddr;
use super::params::quote;
use super::replaces::Replaces;
use super::uri::{Uri, unescape};
use super::uri_buf::UriBuf;

/// Most header fields that a Refer-To URI may carry.
const MOST_HEADERS: usize = 16;

/// A Refer-To value taken apart: who is to be asked, by which method, and with which header fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferTo {
    /// The display name.
    pub display: Option<String>,
    /// The URI without its `method` parameter and its header part.
    pub target: UriBuf,
    /// The method to use; INVITE unless the URI says otherwise (RFC 3261 19.1.1).
    pub method: Method,
    /// The dialog that the new one replaces.
    pub replaces: Option<Replaces>,
    /// The other header fields of the URI, escapes undone, in order. [`honoured`](Self::honoured) leaves out those
    /// that a stranger must not set.
    pub headers: Vec<(String, String)>,
}

impl ReferTo {
    /// A Refer-To of one target.
    pub fn new(target: UriBuf, replaces: Option<Replaces>) -> Self {
        ReferTo { display: None, target, method: Method::Invite, replaces, headers: Vec::new() }
    }

    /// Reads a Refer-To value. A URI with a header part is read without its angle brackets, too: phones leave them out.
    /// An escape that stands for CR, LF or NUL is refused, for it would become a header field of its own.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let bad = |what| Malformed::Header("Refer-To", what);
        let (display, uri) = match NameAddr::parse(text) {
            Ok(address) if address.is_star() => return Err(bad("no URI")),
            Ok(address) => (address.display().map(|d| d.into_owned()), address.uri),
            Err(fault) if text.contains('<') => return Err(fault),
            Err(_) => (None, Uri::parse(text.trim())?),
        };
        let mut target = UriBuf::from(uri);
        let mut to = ReferTo::new(target.clone(), None);
        to.display = display;
        if uri.is_sip() {
            if let Some(method) = uri.param("method") {
                to.method = Method::from_name(&unescape(method));
                target.remove_param("method")?;
            }
            for (name, value) in uri.header_pairs() {
                if name.is_empty() || breaks_line(&name) || breaks_line(&value) {
                    return Err(bad("line break in an escaped header field"));
                }
                if HeaderId::from_name(&name) != HeaderId::Replaces {
                    to.headers.push((name.into_owned(), value.into_owned()));
                } else if to.replaces.replace(Replaces::parse(&value)?).is_some() {
                    return Err(bad("two Replaces"));
                }
                if to.headers.len() > MOST_HEADERS {
                    return Err(bad("too many header fields"));
                }
            }
            target.remove_headers()?;
        }
        to.target = target;
        Ok(to)
    }

    /// The header fields that may be copied into the request: RFC 3261 19.1.5 warns of those that route, identify or
    /// frame a message.
    pub fn honoured(&self) -> impl Iterator<Item = (&str, &str)> {
        use HeaderId::*;
        let kept = |name: &str| {
            let refused = [
                From,
                To,
                CallId,
                CSeq,
                Via,
                Route,
                RecordRoute,
                Path,
                Contact,
                MaxForwards,
                ContentLength,
                ContentType,
                ContentEncoding,
                ContentDisposition,
                MimeVersion,
                Require,
                ProxyRequire,
                Supported,
                Allow,
                Authorization,
                ProxyAuthorization,
                PAssertedIdentity,
                PPreferredIdentity,
                Privacy,
                Identity,
                ReferredBy,
                ReferTo,
                Replaces,
                Join,
                Expires,
                SessionExpires,
                MinSe,
                RAck,
                RSeq,
                Event,
            ];
            !refused.contains(&HeaderId::from_name(name)) && !name.eq_ignore_ascii_case("body")
        };
        self.headers.iter().filter(move |(name, _)| kept(name)).map(|(n, v)| (n.as_str(), v.as_str()))
    }
}

fn breaks_line(text: &str) -> bool {
    text.contains(['\r', '\n', '\0'])
}

impl fmt::Display for ReferTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_display(f, self.display.as_deref())?;
        write!(f, "<{}", self.target)?;
        if self.method != Method::Invite && self.method != Method::Other {
            write!(f, ";method={}", self.method)?;
        }
        let mut mark = '?';
        let mut header = |f: &mut fmt::Formatter<'_>, name: &str, value: &str| {
            let before = std::mem::replace(&mut mark, '&');
            write!(f, "{before}{}={}", Escaped(name), Escaped(value))
        };
        if let Some(replaces) = &self.replaces {
            header(f, "Replaces", &replaces.to_string())?;
        }
        for (name, value) in &self.headers {
            header(f, name, value)?;
        }
        f.write_str(">")
    }
}

fn write_display(f: &mut fmt::Formatter<'_>, display: Option<&str>) -> fmt::Result {
    match display {
        Some(display) => write!(f, "{} ", quote(display)),
        None => Ok(()),
    }
}

/// `hname` and `hvalue` of RFC 3261 25.1.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.bytes() {
            match c.is_ascii_alphanumeric() || b"[]/?:+$-_.!~*'()".contains(&c) {
                true => write!(f, "{}", c as char)?,
                false => write!(f, "%{c:02X}")?,
            }
        }
        Ok(())
    }
}

/// A Referred-By value: who asked for the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferredBy {
    /// The display name.
    pub display: Option<String>,
    /// The referrer.
    pub uri: UriBuf,
    /// The Content-ID of the body part that proves it (RFC 3892 3).
    pub cid: Option<String>,
}

impl ReferredBy {
    /// Reads a Referred-By value.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let address = NameAddr::parse(text)?;
        if address.is_star() {
            return Err(Malformed::Header("Referred-By", "no URI"));
        }
        Ok(ReferredBy {
            display: address.display().map(|d| d.into_owned()),
            uri: address.uri.into(),
            cid: address.params.unquoted("cid").filter(|cid| !cid.is_empty()).map(|cid| cid.into_owned()),
        })
    }
}

impl fmt::Display for ReferredBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_display(f, self.display.as_deref())?;
        write!(f, "<{}>", self.uri)?;
        match &self.cid {
            Some(cid) => write!(f, ";cid={}", quote(cid)),
            None => Ok(()),
        }
    }
}

/// Reads a Refer-Sub value: whether the referrer wants the implicit subscription.
pub(super) fn refer_sub(text: &str) -> Result<bool, Malformed> {
    let value = text.split(';').next().unwrap_or_default().trim();
    match value {
        _ if value.eq_ignore_ascii_case("true") => Ok(true),
        _ if value.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(Malformed::Header("Refer-Sub", "neither true nor false")),
    }
}
