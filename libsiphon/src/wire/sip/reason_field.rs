//! Reason (RFC 3326): why a request was sent, or a call ended.

use std::fmt;

use super::error::Malformed;
use super::params::{Params, quote};
use super::scan::{digits, is_token_text};

/// One value of Reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `SIP`, `Q.850` or another protocol, as written.
    pub protocol: String,
    /// The cause: a status code, or a cause of Q.850.
    pub cause: Option<u16>,
    /// The text for people.
    pub text: Option<String>,
}

impl Reason {
    /// A SIP status code as reason.
    pub fn sip(status: u16, text: &str) -> Self {
        Reason { protocol: "SIP".to_owned(), cause: Some(status), text: Some(text.to_owned()) }
    }

    /// A cause of Q.850 as reason.
    pub fn q850(cause: u16, text: &str) -> Self {
        Reason { protocol: "Q.850".to_owned(), cause: Some(cause), text: Some(text.to_owned()) }
    }

    /// Reads one value. A cause that is no number below 65,536 counts as absent.
    pub fn parse(value: &str) -> Result<Self, Malformed> {
        let (protocol, params) = value.split_at(value.find(';').unwrap_or(value.len()));
        let protocol = protocol.trim();
        if !is_token_text(protocol.as_bytes()) {
            return Err(Malformed::Header("Reason", "no protocol"));
        }
        let params = Params::new(params);
        let cause =
            params.get("cause").and_then(|c| digits(c.as_bytes())).and_then(|n| u16::try_from(n).ok());
        let text = params.unquoted("text").map(|t| t.into_owned());
        Ok(Reason { protocol: protocol.to_owned(), cause, text })
    }

    /// Whether the protocol is SIP.
    pub fn is_sip(&self) -> bool {
        self.protocol.eq_ignore_ascii_case("SIP")
    }

    /// Whether the protocol is Q.850.
    pub fn is_q850(&self) -> bool {
        self.protocol.eq_ignore_ascii_case("Q.850")
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.protocol)?;
        if let Some(cause) = self.cause {
            write!(f, ";cause={cause}")?;
        }
        match &self.text {
            Some(text) => write!(f, ";text={}", quote(text)),
            None => Ok(()),
        }
    }
}
