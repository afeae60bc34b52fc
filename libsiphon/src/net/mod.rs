//! Sockets and clients: UDP, TCP, the node's flow directory, DNS, media engines. Bytes only: nothing here decides about SIP.
//!
//! Everything is non-blocking and driven from outside: the driver says when a socket is ready and gives the
//! time. Only the clients of DNS and media engines have threads and clocks of their own.
#![allow(clippy::disallowed_methods)] // The threads and clocks of the clients.
#![allow(clippy::disallowed_types)] // Maps whose keys peers choose are randomly seeded on purpose.

pub mod connection;
pub mod dns;
pub mod flows;
pub mod mmsg;
pub mod rtpengine;
pub mod settings;
pub mod tcp;
pub mod udp;

pub use settings::NetSettings;

use crate::engine::SendReport;

/// Who is to hear that something could not be sent: a shard and a transaction there.
pub type ReportTo = Option<(u8, SendReport)>;
