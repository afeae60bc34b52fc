//! The shard: owns the machines, decides whose message this is, turns inputs into effects. Sans-IO itself:
//! it names no socket, and the daemon, the simulator and the test kit differ only in the driver around it.

mod aliases;
mod as_asked;
mod client;
mod commits;
mod connections;
mod calls;
pub mod contract;
mod gruu;
mod inbound;
pub mod keepalive;
pub mod node;
mod media;
mod originate;
pub mod ownership;
mod parking;
mod procedure;
mod questions;
mod relay;
mod replies;
mod respond;
mod server;
pub mod settings;
pub mod shard;
mod stray_ack;
mod tickets;
mod transactions;

pub use contract::{Effect, Effects, Input, Mail, PostTo, SendReport};
pub use node::Node;
pub use ownership::owner;
pub use settings::Settings;
pub use shard::{Shard, Stats};

#[cfg(test)]
#[path = "shard_tests.rs"]
mod shard_tests;
#[cfg(test)]
mod testing;
