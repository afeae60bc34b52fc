//! Bytes to values and back: SIP messages and headers. No I/O, no clock, no policy.

pub mod sip;
