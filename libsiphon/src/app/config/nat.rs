//! The `nat` block: keeping the way to phones behind a NAT open (RFC 5626 3.5, RFC 6223).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unit::Seconds;

/// Keepalives towards registered contacts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Nat {
    /// CRLF pings towards bindings that came over UDP from behind a NAT.
    pub crlf_keepalive: CrlfKeepalive,
    /// OPTIONS pings towards bindings from behind a NAT; a binding that stops answering is removed.
    pub keepalive: Keepalive,
}

/// CRLF pings (RFC 5626 3.5.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CrlfKeepalive {
    /// Whether to send them. Default true.
    pub enabled: bool,
    /// Time between two pings to a binding. Default 30 s.
    #[schemars(extend("x-min" = "1s", "x-max" = "1h"))]
    pub interval_secs: Seconds,
}

impl Default for CrlfKeepalive {
    fn default() -> Self {
        Self { enabled: true, interval_secs: Seconds::of(30) }
    }
}

/// OPTIONS pings (RFC 3261 11).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Keepalive {
    /// Whether to send them. Default true.
    pub enabled: bool,
    /// Time between two pings to a binding. Default 30 s.
    #[schemars(extend("x-min" = "1s", "x-max" = "1h"))]
    pub interval_secs: Seconds,
    /// Pings in a row that may stay unanswered before the binding is removed. Default 10.
    #[schemars(range(min = 1, max = 100))]
    pub failure_threshold: u32,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { enabled: true, interval_secs: Seconds::of(30), failure_threshold: 10 }
    }
}
