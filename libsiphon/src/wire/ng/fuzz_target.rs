//! What fuzzing checks, as a plain function: `fuzz/` runs it under libFuzzer, a test under `cargo test`.

use super::{InstanceName, MediaReply, reply};
use crate::wire::bencode::{Limits, Value, parse};

/// Reads a reply, and what it says; reads a bencoded value, and what was written of it. Panics when a promise of the
/// modules does not hold.
pub fn datagram(bytes: &[u8]) {
    if let Ok((cookie, answer)) = reply::read(bytes) {
        assert!(!cookie.contains(' ') && cookie.len() < bytes.len());
        if let reply::Answer::Done(document) = answer {
            let reply = MediaReply::of(InstanceName::new("fuzz:1"), document);
            let _ = (reply.totals(), reply.integer("duration"), reply.warning());
        }
    }
    // What begins with a digit is a value of its own.
    for octets in [bytes, bytes.splitn(2, |o| *o == b' ').nth(1).unwrap_or_default()] {
        let Ok(value) = parse(octets, &Limits::default()) else { continue };
        let written = |value: &Value| {
            let mut out = Vec::new();
            value.write(&mut out);
            out
        };
        let once = written(&value);
        assert_eq!(once.len(), octets.len(), "there is one way to write each value");
        assert_eq!(parse(&once, &Limits::default()), Ok(value));
    }
}
