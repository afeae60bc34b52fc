//! Session-Expires and Min-SE (RFC 4028 4, 5).

use std::fmt;

use super::error::Malformed;
use super::params::Params;
use super::scan::digits;

/// Who refreshes the session, named by the roles of the transaction that carries the header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// Who sent the request.
    Uac,
    /// Who answers it.
    Uas,
}

impl Refresher {
    /// The parameter value.
    pub const fn name(self) -> &'static str {
        match self {
            Refresher::Uac => "uac",
            Refresher::Uas => "uas",
        }
    }
}

/// A Session-Expires value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// The session interval in seconds.
    pub secs: u32,
    /// Who refreshes, when it says.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Reads a Session-Expires value. An interval too large counts as 2^32-1; a refresher that is neither `uac` nor
    /// `uas` counts as none.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let (secs, params) = seconds("Session-Expires", text)?;
        let refresher = match params.get("refresher") {
            Some(name) if name.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(name) if name.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            _ => None,
        };
        Ok(SessionExpires { secs, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refresher {
            Some(refresher) => write!(f, "{};refresher={}", self.secs, refresher.name()),
            None => write!(f, "{}", self.secs),
        }
    }
}

/// Reads a Min-SE value in seconds; one too large counts as 2^32-1.
pub(super) fn min_se(text: &str) -> Result<u32, Malformed> {
    seconds("Min-SE", text).map(|(secs, _)| secs)
}

/// `delta-seconds *(SEMI param)`.
fn seconds<'a>(name: &'static str, text: &'a str) -> Result<(u32, Params<'a>), Malformed> {
    let (number, params) = text.split_at(text.find(';').unwrap_or(text.len()));
    let secs = digits(number.trim().as_bytes()).ok_or(Malformed::Header(name, "no number of seconds"))?;
    Ok((u32::try_from(secs).unwrap_or(u32::MAX), Params::new(params)))
}
