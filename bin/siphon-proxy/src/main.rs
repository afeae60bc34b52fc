//! siphon-proxy: SIP registrar and stateful proxy (RFC 3261 10 and 16).

use std::process::ExitCode;

fn main() -> ExitCode {
    siphon::app::cli::main::<siphon_proxy::Proxy>()
}
