//! siphon-sbc: session border controller (RFC 5853): calls of two legs (RFC 7092), registrar and proxy.
//!
//! What makes the role: its configuration schema, its embedded configuration and its embedded script.

pub mod config;
mod role;

pub use role::Sbc;

/// The configuration of a start without `--config` and without `/etc/siphon/siphon-sbc.yaml`.
pub const CONFIG: &str = include_str!("../default.yaml");

/// The script of a configuration that names none.
pub const SCRIPT: &str = include_str!("../default.py");
