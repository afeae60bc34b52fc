//! siphon-proxy: SIP registrar and stateful proxy (RFC 3261 10 and 16).
//!
//! What makes the role: its configuration schema, its embedded configuration and its embedded script.

pub mod config;
