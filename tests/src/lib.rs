//! What the tests share: processes, ports, temporary folders, and SIP text as a peer sees it.
//!
//! Nothing here knows Siphon's inside: the wire is the only interface, so the same scenario runs against
//! Kamailio as a reference (`SUBJECT=kamailio`) and against siphon-proxy.

#![allow(clippy::disallowed_methods, reason = "real peers live in real time")]

pub mod baresip;
pub mod daemon;
pub mod digest;
pub mod ladder;
pub mod message;
pub mod nameserver;
pub mod peer;
pub mod phone;
pub mod port;
pub mod process;
pub mod rtpengine;
pub mod scratch;
pub mod sipp;
pub mod subject;
pub mod tone;
