//! See `siphon::wire::ng::fuzz_target::datagram`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| siphon::wire::ng::fuzz_target::datagram(bytes));
