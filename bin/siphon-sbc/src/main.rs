//! siphon-sbc: session border controller (RFC 5853) of calls of two legs (RFC 7092).

use std::process::ExitCode;

// Gives memory of a busy hour back, where the C library's allocator keeps it (docs/decisions/mimalloc.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    siphon::app::cli::main::<siphon_sbc::Sbc>()
}
