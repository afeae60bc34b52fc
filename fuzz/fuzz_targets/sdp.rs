//! See `siphon::wire::sdp::fuzz_target::description`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| siphon::wire::sdp::fuzz_target::description(bytes));
