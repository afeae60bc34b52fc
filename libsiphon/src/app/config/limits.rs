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
    #[schemars(extend("x-min" = "1KiB", "x-max" = "1MiB"))]
    pub header_bytes: Bytes,
    /// Header fields of one message. Beyond it 400. Default 256.
    #[schemars(range(min = 16, max = 10_000))]
    pub headers: u32,
    /// Longest Request-URI. Beyond it 414 (RFC 3261 21.4.12). Default 4 KiB.
    #[schemars(extend("x-min" = "64", "x-max" = "64KiB"))]
    pub uri_bytes: Bytes,
    /// Longest body. Beyond it 413 (RFC 3261 21.4.11). Default 60 KiB.
    #[schemars(extend("x-min" = "0", "x-max" = "8MiB"))]
    pub body_bytes: Bytes,
    /// Transactions of one shard, lingering ones included. Beyond it a new request is answered 503.
    /// Default 200000.
    #[schemars(range(min = 100, max = 10_000_000))]
    pub transactions: u32,
    /// Connections of the whole node. Beyond it a new one is closed at once. Default 10000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: u32,
    /// Bytes that may wait to be written to one connection. Beyond it the connection is closed. Default 1 MiB.
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
            body_bytes: Bytes::kib(60),
            transactions: 200_000,
            connections: 10_000,
            send_queue_bytes: Bytes::kib(1024),
        }
    }
}

/// What is shed when more arrives than can be served. Responses, in-dialog and emergency requests go first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Overload {
    /// Whether new work is shed at all before memory limits do it. Default true.
    pub enabled: bool,
    /// How long a new request may have waited for its shard; one that waited longer is answered 503.
    /// Default 100 ms.
    #[schemars(extend("x-min" = "1ms", "x-max" = "5s"))]
    pub max_delay_ms: Millis,
    /// Retry-After of the 503; each one names a random time from this to twice this (RFC 3261 20.33).
    /// Default 5 s.
    #[schemars(extend("x-min" = "1s", "x-max" = "1h"))]
    pub retry_after_secs: Seconds,
}

impl Default for Overload {
    fn default() -> Self {
        Self { enabled: true, max_delay_ms: Millis::of(100), retry_after_secs: Seconds::of(5) }
    }
}
