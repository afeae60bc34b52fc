//! A URI that owns its text and can be edited part by part.

use std::fmt;
use std::str::FromStr;

use super::error::Malformed;
use super::uri::{Scheme, Uri};

/// An owned URI. It always holds text that [`Uri::parse`] accepts; an edit that would break it is refused and
/// changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UriBuf {
    text: String,
}

impl UriBuf {
    /// Reads and keeps a URI.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        Uri::parse(text)?;
        Ok(UriBuf { text: text.to_owned() })
    }

    /// The URI, borrowed.
    pub fn as_uri(&self) -> Uri<'_> {
        // The text was accepted before it was kept.
        Uri::parse(&self.text).unwrap_or(Uri::STAR)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Gives a sip URI another user part (escaped as needed), or none.
    pub fn set_user(&mut self, user: Option<&str>) -> Result<(), Malformed> {
        let escaped = user.map(|u| super::uri::escape_user(u).into_owned());
        self.edit(|parts| parts.user = escaped)
    }

    /// Gives a sip URI another host; an IPv6 address may come without its brackets.
    pub fn set_host(&mut self, host: &str) -> Result<(), Malformed> {
        let host = match host.contains(':') && !host.starts_with('[') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        self.edit(|parts| parts.host = host)
    }

    /// Gives a sip URI another port, or none.
    pub fn set_port(&mut self, port: Option<u16>) -> Result<(), Malformed> {
        self.edit(|parts| parts.port = port)
    }

    /// Sets a URI parameter; `None` sets a flag such as `lr`.
    pub fn set_param(&mut self, name: &str, value: Option<&str>) -> Result<(), Malformed> {
        let legal = |text: &str| !text.is_empty() && !text.contains([';', '?', '@', '&', '=', ',']);
        if !legal(name) || value.is_some_and(|v| !legal(v)) {
            return Err(Malformed::Uri("bad parameter"));
        }
        let param = (name.to_owned(), value.map(str::to_owned));
        self.edit(|parts| match parts.params.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            Some(slot) => *slot = param,
            None => parts.params.push(param),
        })
    }

    /// Takes a URI parameter out.
    pub fn remove_param(&mut self, name: &str) -> Result<(), Malformed> {
        self.edit(|parts| parts.params.retain(|(n, _)| !n.eq_ignore_ascii_case(name)))
    }

    /// Takes the `?name=value` part out.
    pub fn remove_headers(&mut self) -> Result<(), Malformed> {
        self.edit(|parts| parts.headers.clear())
    }

    fn edit(&mut self, change: impl FnOnce(&mut Parts)) -> Result<(), Malformed> {
        let uri = self.as_uri();
        if !matches!(uri.scheme(), Scheme::Sip | Scheme::Sips) {
            return Err(Malformed::Scheme);
        }
        let mut parts = Parts::of(&uri);
        change(&mut parts);
        *self = UriBuf::parse(&parts.to_string())?;
        Ok(())
    }
}

impl From<Uri<'_>> for UriBuf {
    fn from(uri: Uri<'_>) -> Self {
        UriBuf { text: uri.as_str().to_owned() }
    }
}

impl FromStr for UriBuf {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        UriBuf::parse(text)
    }
}

impl fmt::Display for UriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A sip URI taken apart.
struct Parts {
    scheme: String,
    user: Option<String>,
    password: Option<String>,
    host: String,
    port: Option<u16>,
    params: Vec<(String, Option<String>)>,
    headers: String,
}

impl Parts {
    fn of(uri: &Uri<'_>) -> Self {
        Parts {
            scheme: uri.scheme_name().to_owned(),
            user: uri.user().map(str::to_owned),
            password: uri.password().map(str::to_owned),
            host: uri.host().to_owned(),
            port: uri.port(),
            params: uri.params().iter().map(|(n, v)| (n.to_owned(), v.map(str::to_owned))).collect(),
            headers: uri.headers().to_owned(),
        }
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme)?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        for (name, value) in &self.params {
            match value {
                Some(value) => write!(f, ";{name}={value}")?,
                None => write!(f, ";{name}")?,
            }
        }
        if !self.headers.is_empty() {
            write!(f, "?{}", self.headers)?;
        }
        Ok(())
    }
}
