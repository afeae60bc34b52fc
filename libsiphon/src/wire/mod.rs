//! Bytes to values and back: SIP messages and headers, session descriptions, bencode and the NG protocol. No I/O, no
//! clock, no policy.

pub mod bencode;
pub mod ng;
pub mod sdp;
pub mod sip;
