//! Bytes to values and back: SIP messages and headers, session descriptions. No I/O, no clock, no policy.

pub mod sdp;
pub mod sip;
