//! Blocks about the node itself and its surroundings: `server`, `dns`, `cache`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address::Nameserver;
use super::unit::{Millis, Seconds};

/// How the node names itself, how it works and how it ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Server header field of responses made here (RFC 3261 20.35). Default: none is sent.
    #[schemars(length(min = 1))]
    pub server_header: Option<String>,
    /// How long SIGTERM waits for running transactions before the process ends. Default 30 s.
    #[schemars(extend("x-min" = "0s", "x-max" = "1d"))]
    pub drain_secs: Seconds,
    /// The longest that a busy shard lets messages gather before it looks again: less CPU per message. It delays a
    /// message by at most so much at each hop inside the node: at the socket, and where another shard owns the call.
    /// A shard to which little comes looks at once. 0 looks always at once. Default 2 ms.
    #[schemars(extend("x-min" = "0ms", "x-max" = "20ms"))]
    pub gather_ms: Millis,
}

impl Default for Server {
    fn default() -> Self {
        Self { server_header: None, drain_secs: Seconds::of(30), gather_ms: Millis::of(2) }
    }
}

/// Name resolution (RFC 3263).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dns {
    /// Name servers to ask, `address` or `address:port`. Default: those of the system.
    pub servers: Vec<Nameserver>,
    /// How long one look-up may take, retries included. Beyond it the target counts as not found. Default 2000 ms.
    #[schemars(extend("x-min" = "10ms", "x-max" = "60s"))]
    pub timeout_ms: Millis,
}

impl Default for Dns {
    fn default() -> Self {
        Self { servers: Vec::new(), timeout_ms: Millis::of(2000) }
    }
}

/// One cache that scripts reach by its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// The name a script gives to `cache.fetch`, `cache.store` and the like.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Entries kept; beyond it the one unused for longest goes. Default 10000.
    #[serde(default = "entries")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub local_max_entries: u32,
    /// How long an entry lives when the script names no time. Default 300 s.
    #[serde(default = "ttl")]
    #[schemars(extend("x-min" = "1s", "x-max" = "30d"))]
    pub local_ttl_secs: Seconds,
}

fn entries() -> u32 {
    10_000
}

fn ttl() -> Seconds {
    Seconds::of(300)
}
