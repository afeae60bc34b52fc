//! The `transaction` block: timers of the transaction layer (RFC 3261 17, Table 4) and of the proxy (16.6, 16.8).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unit::{Millis, Seconds};

/// Timers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Transaction {
    /// T1, the round-trip estimate; timers B, F, H and J are 64 of it (RFC 3261 17.1.1.1). Default 500 ms.
    #[schemars(extend("x-min" = "10ms", "x-max" = "10s"))]
    pub t1_ms: Millis,
    /// T2, the longest interval between retransmissions of a non-INVITE request or an INVITE's final
    /// response (RFC 3261 17.1.2.1). Default 4000 ms.
    #[schemars(extend("x-min" = "10ms", "x-max" = "60s"))]
    pub t2_ms: Millis,
    /// T4, the longest time a message stays in the network; timers I and K (RFC 3261 17.1.2.2). Default 5000 ms.
    #[schemars(extend("x-min" = "10ms", "x-max" = "60s"))]
    pub t4_ms: Millis,
    /// Timer C, how long a forwarded INVITE may ring without a further provisional response; the RFC wants
    /// more than three minutes (RFC 3261 16.6 step 11). Default 181 s.
    #[schemars(extend("x-min" = "1s", "x-max" = "1h"))]
    pub timer_c_secs: Seconds,
    /// How long an INVITE waits for something better before the node sends 100 Trying by itself
    /// (RFC 3261 17.2.1). Default 200 ms.
    #[schemars(extend("x-min" = "0ms", "x-max" = "5s"))]
    pub auto_emit_100_trying_delay_ms: Millis,
}

impl Default for Transaction {
    fn default() -> Self {
        Self {
            t1_ms: Millis::of(500),
            t2_ms: Millis::of(4000),
            t4_ms: Millis::of(5000),
            timer_c_secs: Seconds::of(181),
            auto_emit_100_trying_delay_ms: Millis::of(200),
        }
    }
}
