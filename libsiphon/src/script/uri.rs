//! `SipUri`: a URI of a message or of a script, parsed when a part of it is read.

use super::context;
use super::convert;
use super::services::Binding;
use crate::base::text::Text;
use crate::policy::Target;
use crate::wire::sip::{Message, Scheme, Uri};
use pyo3::prelude::*;
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Where the text of a URI stands.
#[derive(Clone)]
enum Source {
    /// The Request-URI of a message.
    RequestUri(Message),
    /// Somewhere in a message.
    Part(Message, usize, usize),
    /// Its own text.
    Own(Text),
    /// The contact URI of a binding.
    Binding(Arc<Binding>),
}

/// A SIP, SIPS or tel URI (RFC 3261 19.1, RFC 3966). `==` is RFC 3261 19.1.4; `str()` is its text. The `uri` of a
/// Contact remembers its binding: relaying or forking to it takes Path and flow. `SipUri(text)` takes text, also a
/// name-addr, a SipUri or a Contact, and raises ValueError for anything else.
#[pyclass(frozen, module = "siphon", name = "SipUri")]
pub(crate) struct SipUri {
    source: Source,
    /// Known for the Request-URI, which the engine has looked at already.
    local: Option<bool>,
}

impl SipUri {
    pub(crate) fn request_uri(message: &Message, is_local: bool) -> Self {
        SipUri { source: Source::RequestUri(message.clone()), local: Some(is_local) }
    }

    /// The URI `part`, which must borrow from `message`.
    pub(crate) fn part(message: &Message, part: &str) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(message.bytes().as_ptr() as usize);
        let end = start.wrapping_add(part.len());
        match message.bytes().get(start..end) {
            Some(found) if found == part.as_bytes() => {
                SipUri { source: Source::Part(message.clone(), start, end), local: None }
            }
            _ => SipUri::own(part.into()),
        }
    }

    pub(crate) fn own(text: Text) -> Self {
        SipUri { source: Source::Own(text), local: None }
    }

    pub(crate) fn of_binding(binding: &Arc<Binding>) -> Self {
        SipUri { source: Source::Binding(binding.clone()), local: None }
    }

    pub(crate) fn text(&self) -> &str {
        match &self.source {
            Source::RequestUri(message) => message.request_uri(),
            Source::Part(message, start, end) => message
                .bytes()
                .get(*start..*end)
                .and_then(|b| std::str::from_utf8(b).ok())
                .unwrap_or_default(),
            Source::Own(text) => text,
            Source::Binding(binding) => &binding.uri,
        }
    }

    pub(crate) fn shared_text(&self) -> Text {
        match &self.source {
            Source::Own(text) => text.clone(),
            Source::Binding(binding) => binding.uri.clone(),
            _ => self.text().into(),
        }
    }

    /// The binding behind the URI, for a contact's.
    pub(crate) fn binding(&self) -> Option<&Arc<Binding>> {
        match &self.source {
            Source::Binding(binding) => Some(binding),
            _ => None,
        }
    }

    pub(crate) fn target(&self) -> Target {
        match self.binding() {
            Some(binding) => binding.target(),
            None => Target::uri(self.shared_text()),
        }
    }

    fn parsed(&self) -> Option<Uri<'_>> {
        Uri::parse(self.text()).ok()
    }
}

/// The user of a URI like `sip:user@host`, with nothing in it that must be parsed: what scripts read most.
fn plain_user(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("sip:")?;
    let (user, host) = rest.split_at(memchr::memchr(b'@', rest.as_bytes())?);
    let host = host.strip_prefix('@')?;
    let is =
        |text: &str, part: u8| text.bytes().all(|c| PLAIN.get(usize::from(c)).is_some_and(|p| p & part != 0));
    (!user.is_empty() && !host.is_empty() && is(user, USER) && is(host, HOST)).then_some(user)
}

const USER: u8 = 1;
const HOST: u8 = 2;

/// In which part of a URI an octet means nothing but itself.
static PLAIN: [u8; 256] = {
    let mut table = [0; 256];
    let mut c = 0_u8;
    while c < 128 {
        table[c as usize] = match c {
            b'.' | b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => USER | HOST,
            b'+' | b'_' => USER,
            _ => 0,
        };
        c += 1;
    }
    table
};

#[pymethods]
impl SipUri {
    #[new]
    fn new(text: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(SipUri::own(convert::uri_text(text)?))
    }

    /// `sip`, `sips`, `tel` or another scheme, in lower case.
    #[getter]
    fn scheme(&self) -> String {
        self.parsed().map(|u| u.scheme_name().to_ascii_lowercase()).unwrap_or_default()
    }

    /// The user part without escapes, or the number of a tel URI; None when there is none.
    #[getter]
    fn user(&self) -> Option<Cow<'_, str>> {
        if let Some(user) = plain_user(self.text()) {
            return Some(Cow::Borrowed(user));
        }
        self.parsed().and_then(|u| u.user_unescaped())
    }

    /// The host as written; an IPv6 address in brackets; empty for a tel URI.
    #[getter]
    fn host(&self) -> &str {
        self.parsed().map_or("", |u| u.host())
    }

    /// The port; None when none is written, which is not the same as 5060 (RFC 3261 19.1.4).
    #[getter]
    fn port(&self) -> Option<u16> {
        self.parsed().and_then(|u| u.port())
    }

    /// The `transport` parameter in lower case; None when there is none.
    #[getter]
    fn transport(&self) -> Option<String> {
        self.parsed().and_then(|u| u.param("transport").map(str::to_ascii_lowercase))
    }

    /// Whether it is a tel URI (RFC 3966).
    #[getter]
    fn is_tel(&self) -> bool {
        self.parsed().is_some_and(|u| u.scheme() == Scheme::Tel)
    }

    /// Whether it names this node: one of its own addresses or of `domain.local`. An entry with a port matches that
    /// port alone.
    #[getter]
    fn is_local(&self) -> PyResult<bool> {
        if let Some(local) = self.local {
            return Ok(local);
        }
        let Some(uri) = self.parsed() else { return Ok(false) };
        Ok(context::current()?.services().is_local(&uri))
    }

    /// The value of a URI parameter, its name in any case; an empty text for a flag such as `lr`; None when it is
    /// absent.
    fn param(&self, name: &str) -> Option<String> {
        self.parsed().and_then(|u| u.param(name).map(str::to_owned))
    }

    fn __str__(&self) -> &str {
        self.text()
    }

    fn __repr__(&self) -> String {
        format!("SipUri({:?})", self.text())
    }

    /// RFC 3261 19.1.4.
    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        let equal = |other: &str| match (self.parsed(), Uri::parse(other)) {
            (Some(a), Ok(b)) => a.same_as(&b),
            _ => self.text() == other,
        };
        if let Ok(uri) = other.cast::<SipUri>() {
            return equal(uri.get().text());
        }
        other.extract::<&str>().is_ok_and(equal)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        if let Some(uri) = self.parsed() {
            uri.user_unescaped().hash(&mut hasher);
            uri.host().to_ascii_lowercase().hash(&mut hasher);
        }
        hasher.finish()
    }
}

#[cfg(test)]
#[path = "uri_tests.rs"]
mod tests;
