//! siphon-proxy: SIP registrar and stateful proxy (RFC 3261 10 and 16).

use std::process::ExitCode;

// Gives memory of a busy hour back, where the C library's allocator keeps it (docs/decisions/mimalloc.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    siphon::app::cli::main::<siphon_proxy::Proxy>()
}
