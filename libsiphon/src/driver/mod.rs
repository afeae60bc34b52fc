//! The loop that runs shards on real sockets and performs their effects.
//!
//! One thread per shard waits with epoll (through `mio`), reads, feeds the engine, performs what the engine
//! wants, and sends once per turn. Nothing on that thread blocks; DNS and stores answer through the mailbox.
#![allow(clippy::disallowed_methods)] // Here is where the clock is read and threads are started.
#![cfg_attr(test, allow(clippy::disallowed_types))]

mod core;
mod gathering;
mod intake;
mod shard_loop;
mod streams;
mod world;
pub mod clock;
pub mod engine;
pub mod mailbox;
pub mod observers;
pub mod overload;
pub mod priority;
pub mod refusal;
mod shared;
pub mod start;
pub mod store;

pub use clock::Clock;
pub use engine::Engine;
pub use mailbox::{MailLimits, PolicyWaker};
pub use observers::{EventSink, EventSource, event_stream};
pub use overload::OverloadSettings;
pub use shared::Counters;
pub use start::{Bound, DriverConfig, Handle, Listen, Parts, ShardLocal, ShardStart, bind, plain_thread};
pub use store::{Acknowledge, MemoryStore, Store};

#[cfg(test)]
mod fake;
#[cfg(test)]
mod load_tests;
#[cfg(test)]
mod tcp_tests;
#[cfg(test)]
mod udp_tests;
