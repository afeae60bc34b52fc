//! siphon-proxy: SIP registrar and stateful proxy (RFC 3261 sections 10 and 16).

fn main() {}
