//! Sockets and clients: UDP, TCP, the node's flow directory, DNS. Bytes only: nothing here decides about SIP.
//!
//! Everything is non-blocking and driven from outside: the driver says when a socket is ready and gives the
//! time. Only the DNS client has a thread and a clock of its own.
#![allow(clippy::disallowed_methods)] // The thread and the clock of the DNS client.
#![allow(clippy::disallowed_types)] // Maps whose keys peers choose are randomly seeded on purpose.

pub mod connection;
pub mod dns;
pub mod flows;
pub mod mmsg;
pub mod settings;
pub mod tcp;
pub mod udp;

pub use settings::NetSettings;

use crate::engine::SendReport;

/// Who is to hear that something could not be sent: a shard and a transaction there.
pub type ReportTo = Option<(u8, SendReport)>;
