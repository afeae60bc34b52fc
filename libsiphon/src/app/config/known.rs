//! Keys that are known but not offered: of another role, of a later version, or under another name here.
//!
//! So that an operator who brings a file from elsewhere reads what became of a key, not "unknown key".

/// What became of a key.
#[derive(Clone, Copy)]
enum Fate {
    /// Belongs to these roles.
    Role(&'static str),
    /// Not built yet.
    Later,
    /// Something else does it here.
    Instead(&'static str),
}

use Fate::{Instead, Later, Role};

/// By path of the block (list positions and map keys left out), then key; a block stands for all below it.
const KEYS: &[(&str, &str, Fate)] = &[
    ("", "b2bua", Role("siphon-sbc")),
    ("", "session_timer", Role("siphon-sbc")),
    ("", "srs", Role("siphon-sbc")),
    ("", "lcr", Role("siphon-sbc")),
    ("", "control", Role("siphon-sbc")),
    ("", "header_policies", Role("siphon-sbc")),
    ("", "ipsec", Role("siphon-pcscf")),
    ("", "isc", Role("siphon-scscf")),
    ("", "ro", Role("siphon-scscf")),
    ("", "rf", Role("siphon-scscf")),
    ("", "diameter", Role("siphon-pcscf, siphon-icscf, siphon-scscf")),
    ("", "sbi", Role("siphon-pcscf, siphon-scscf")),
    ("", "lawful_intercept", Role("siphon-li")),
    ("", "gateway", Later),
    ("", "cdr", Later),
    ("", "tls", Later),
    ("", "tracing", Later),
    ("", "registrant", Later),
    ("", "numbering", Later),
    ("", "number_policies", Later),
    ("", "stir", Later),
    ("", "security", Later),
    ("", "presence", Later),
    ("", "subscribe_state", Later),
    ("", "dialog", Later),
    ("", "extensions", Later),
    ("", "memory", Instead("the allocator of the system is used as it is")),
    (
        "nat.crlf_keepalive",
        "failure_threshold",
        Instead("nobody answers empty lines over UDP; `nat.keepalive` tells who is gone"),
    ),
    ("media", "siphon_rtp", Instead("the engine is rtpengine: give `media.rtpengine`")),
    ("media", "rtpproxy", Instead("the engine is rtpengine: give `media.rtpengine`")),
    ("media", "sdp_name", Later),
    ("media", "events", Later),
    ("listen", "tls", Later),
    ("listen", "ws", Later),
    ("listen", "wss", Later),
    ("listen", "sctp", Later),
    ("listen", "dscp", Later),
    ("listen.udp", "dscp", Later),
    ("listen.tcp", "dscp", Later),
    ("script", "async_pool_size", Instead("coroutines are stepped by the shards; see `script.sync`")),
    ("script", "sync_pool_size", Instead("see `script.sync`")),
    ("script", "sync_pool_max", Instead("see `script.sync`")),
    (
        "script",
        "handler_stall_abort_secs",
        Instead("a stalled handler never stops the node; see `script.sync`"),
    ),
    ("script", "executor_queue_capacity", Instead("see `script.sync` and `overload`")),
    ("registrar", "liveness", Later),
    ("registrar", "redis", Later),
    ("registrar", "postgres", Later),
    ("auth", "aka_credentials", Role("siphon-scscf")),
    ("auth", "diameter", Role("siphon-scscf")),
    ("auth", "http", Later),
    ("auth", "database", Later),
    ("nat", "fix_contact", Instead("call `request.fix_nated_contact()` in the script")),
    (
        "transaction",
        "auto_emit_100_trying",
        Instead("100 Trying is always sent (RFC 3261 17.2.1); see `auto_emit_100_trying_delay_ms`"),
    ),
    ("transaction", "timeout_secs", Instead("Timer F is 64 times `transaction.t1_ms` (RFC 3261 17.1.2.2)")),
    (
        "transaction",
        "invite_timeout_secs",
        Instead("Timer B is 64 times `transaction.t1_ms`; ringing ends by `transaction.timer_c_secs`"),
    ),
    ("cache", "url", Later),
    ("server", "user_agent_header", Later),
    ("server", "instance_id", Later),
    ("metrics.prometheus", "cors", Later),
    ("admin", "auth", Later),
    ("admin", "cors", Later),
    ("admin", "ui", Later),
];

/// A key that is known but not offered.
pub(super) struct Known {
    fate: Fate,
}

/// Looks a key up by the path of the mapping it stands in.
pub(super) fn find(path: &str, key: &str) -> Option<Known> {
    let block = plain(path);
    KEYS.iter().find(|(b, k, _)| *b == block && *k == key).map(|(_, _, fate)| Known { fate: *fate })
}

/// Values that are known but not offered, by the path of their key.
const VALUES: &[(&str, &str)] = &[
    ("registrar.backend", "redis"),
    ("registrar.backend", "postgres"),
    ("registrar.backend", "python"),
    ("media.backend", "rtpproxy"),
    ("media.backend", "siphon-rtp"),
    ("auth.backend", "http"),
    ("auth.backend", "database"),
    ("auth.backend", "diameter_cx"),
];

/// Whether a value of an enumeration is one of a later version.
pub(super) fn later_value(path: &str, value: &str) -> bool {
    VALUES.iter().any(|(p, v)| *p == path && *v == value)
}

/// The path without list positions.
fn plain(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            _ if inside => {}
            _ => out.push(c),
        }
    }
    out
}

impl Known {
    /// What is wrong with it here.
    pub(super) fn what(&self, role: &str) -> String {
        match self.fate {
            Role(roles) if roles.split(", ").any(|r| r == role) => format!("not in this version of {role}"),
            Role(_) => format!("not a key of {role}"),
            Later => format!("not in this version of {role}"),
            Instead(_) => format!("{role} has no such key"),
        }
    }

    /// Where it belongs, or what does its work.
    pub(super) fn help(&self, role: &str) -> Option<String> {
        match self.fate {
            Role(roles) if roles.split(", ").any(|r| r == role) => None,
            Role(roles) => Some(format!("it belongs to {roles}")),
            Later => None,
            Instead(what) => Some(what.to_owned()),
        }
    }
}
