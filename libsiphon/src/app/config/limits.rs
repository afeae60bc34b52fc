//! The `limits` and `overload` blocks: what is bounded, and what happens at the bound.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unit::{Bytes, Millis, Seconds};

/// Bounds on sizes and numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Longest message. Beyond it a request is answered 513 (RFC 3261 21.5.7) and a stream is closed.
    /// Default 64 KiB.
    #[schemars(extend("x-min" = "1KiB", "x-max" = "8MiB"))]
    pub message_bytes: Bytes,
    /// Longest header section, start line included. Beyond it 513. Default 32 KiB.
    #[schemars(extend("x-min" = "1KiB", "x-max" = "64KiB"))]
    pub header_bytes: Bytes,
    /// Header fields of one message. Beyond it 513. Default 256.
    #[schemars(range(min = 16, max = 10_000))]
    pub headers: u32,
    /// Longest Request-URI. Beyond it 414 (RFC 3261 21.4.12). Default 4 KiB.
    #[schemars(extend("x-min" = "64", "x-max" = "64KiB"))]
    pub uri_bytes: Bytes,
    /// Longest body. Beyond it 413 (RFC 3261 21.4.11). Default 64 KiB.
    #[schemars(extend("x-min" = "0", "x-max" = "8MiB"))]
    pub body_bytes: Bytes,
    /// Transactions of one shard, lingering ones included. Beyond it a new request is answered 503.
    /// Default 500000.
    #[schemars(range(min = 100, max = 10_000_000))]
    pub transactions: u32,
    /// Branches of one request, over all its targets (Max-Breadth, RFC 5393 5). Targets beyond it are not tried. Default 60.
    #[schemars(range(min = 1, max = 1000))]
    pub branches: u16,
    /// Connections of the whole node. Beyond it a new one is closed at once. Default 50000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: u32,
    /// Accepted connections from one address. Beyond it a new one is closed at once. Default 10000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_per_address: u32,
    /// A connection on which nothing came or went for this long is closed; pings keep it
    /// (RFC 5626 4.4.1). Default 1 h.
    #[schemars(extend("x-min" = "1s", "x-max" = "30d"))]
    pub connection_idle_secs: Seconds,
    /// Bytes that may wait to be written to one connection. A message beyond it counts as not sent. Default 1 MiB.
    #[schemars(extend("x-min" = "16KiB", "x-max" = "64MiB"))]
    pub send_queue_bytes: Bytes,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: Bytes::kib(64),
            header_bytes: Bytes::kib(32),
            headers: 256,
            uri_bytes: Bytes::kib(4),
            body_bytes: Bytes::kib(64),
            transactions: 500_000,
            branches: 60,
            connections: 50_000,
            connections_per_address: 10_000,
            connection_idle_secs: Seconds::of(3600),
            send_queue_bytes: Bytes::kib(1024),
        }
    }
}

/// When new work is turned away: by how long what arrives waits for its turn (after RFC 8289). In-dialog and
/// emergency requests and responses are never turned away before new calls are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Overload {
    /// How long a message may wait for its shard when that is busy; a new request that waited longer during
    /// overload is answered 503. Default 20 ms.
    #[schemars(extend("x-min" = "1ms", "x-max" = "5s"))]
    pub target_ms: Millis,
    /// How long the wait must stay above `target_ms` before it counts as overload, not as a burst.
    /// Default 100 ms.
    #[schemars(extend("x-min" = "1ms", "x-max" = "60s"))]
    pub interval_ms: Millis,
    /// Least Retry-After of the 503 (RFC 3261 20.33). Default 2 s.
    #[schemars(extend("x-min" = "1s", "x-max" = "1h"))]
    pub retry_after_min_secs: Seconds,
    /// Most; each 503 names a random time between the two, so that peers do not come back together. Default 10 s.
    #[schemars(extend("x-min" = "1s", "x-max" = "1h"))]
    pub retry_after_max_secs: Seconds,
}

impl Default for Overload {
    fn default() -> Self {
        Self {
            target_ms: Millis::of(20),
            interval_ms: Millis::of(100),
            retry_after_min_secs: Seconds::of(2),
            retry_after_max_secs: Seconds::of(10),
        }
    }
}
