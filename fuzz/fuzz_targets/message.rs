//! See `siphon::wire::sip::fuzz_targets::message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| siphon::wire::sip::fuzz_targets::message(bytes));
