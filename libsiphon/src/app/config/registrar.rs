//! The `registrar` block (RFC 3261 10).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unit::Seconds;

/// Where bindings live and how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Registrar {
    /// Where bindings are kept.
    pub backend: Backend,
    /// Lifetime granted when the REGISTER names none (RFC 3261 10.3 step 7). Default 3600 s.
    #[schemars(extend("x-min" = "1s", "x-max" = "30d"))]
    pub default_expires: Seconds,
    /// Shortest lifetime; a REGISTER asking for less is answered 423 with Min-Expires (RFC 3261 10.3 step 7).
    /// Default 60 s.
    #[schemars(extend("x-min" = "0s", "x-max" = "30d"))]
    pub min_expires: Seconds,
    /// Longest lifetime; a REGISTER asking for more is granted this much. Default 7200 s.
    #[schemars(extend("x-min" = "1s", "x-max" = "30d"))]
    pub max_expires: Seconds,
    /// Contacts one AoR may have; a REGISTER that would exceed it is answered 403. Default 10.
    #[schemars(range(min = 1, max = 1000))]
    pub max_contacts: u32,
    /// Answer 403 when the AoR of a REGISTER (To) is not that of the user who authenticated
    /// (RFC 3261 10.3 step 4). Default true.
    pub enforce_auth_aor_match: bool,
    /// What happens to a Path that the phone does not say it supports (`Supported: path`). RFC 3327 5.3 advises to
    /// refuse it, because the phone would not see what was done to its requests; edge proxies that insert Path for
    /// phones that know nothing of it need `lenient`. Default strict.
    pub path: Path,
    /// Service-Route of the 200 to a REGISTER (RFC 3608): SIP URIs with `lr` through which the phone sends its
    /// requests, in order. Default: none.
    pub service_route: Vec<String>,
}

impl Default for Registrar {
    fn default() -> Self {
        Self {
            backend: Backend::Memory,
            default_expires: Seconds::of(3600),
            min_expires: Seconds::of(60),
            max_expires: Seconds::of(7200),
            max_contacts: 10,
            enforce_auth_aor_match: true,
            path: Path::Strict,
            service_route: Vec::new(),
        }
    }
}

/// What happens to a Path that the phone does not support.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Path {
    /// 420 with `Unsupported: path`.
    #[default]
    Strict,
    /// It is stored and used, and not shown to the phone.
    Lenient,
}

/// Where bindings are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// In this process; gone when it ends.
    #[default]
    Memory,
}
