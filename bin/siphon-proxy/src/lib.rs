//! siphon-proxy: SIP registrar and stateful proxy (RFC 3261 10 and 16).
//!
//! What makes the role: its configuration schema, its embedded configuration and its embedded script.

pub mod config;
mod role;

pub use role::Proxy;

/// The configuration of a start without `--config` and without `/etc/siphon/siphon-proxy.yaml`.
pub const CONFIG: &str = include_str!("../default.yaml");

/// The script of a configuration that names none.
pub const SCRIPT: &str = include_str!("../default.py");
