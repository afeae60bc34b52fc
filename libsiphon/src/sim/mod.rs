//! The other driver: whole networks of shards and phones on a virtual wire, with a virtual clock, all from one seed.
//!
//! Nothing here waits, and nothing is random: the same seed gives the same event log, message for message, so whatever is
//! found can be repeated. The network loses, doubles and reorders datagrams, breaks streams into pieces and resets them,
//! answers DNS late or never, refuses commits, delays the mail between shards and kills nodes. Meanwhile the
//! [`audit`] checks what must hold in every case.
//!
//! ```
//! use siphon::sim::{Net, NodePlan};
//! use std::time::Duration;
//!
//! let mut net = Net::seeded(7);
//! let proxy = net.proxy(NodePlan::new("proxy", "10.0.0.1:5060"));
//! let (alice, bob) = (net.ua("alice", proxy), net.ua("bob", proxy));
//! net.register(bob, 3600);
//! net.advance(Duration::from_secs(1));
//! net.call(alice, "sip:bob@example.com", Duration::from_secs(2));
//! net.run_to_rest();
//! assert_eq!(net.statuses(alice), [200, 200]); // INVITE and BYE
//! net.check().unwrap();
//! ```

pub mod audit;
mod connections;
pub mod ladder;
pub mod log;
pub mod media;
pub mod net;
pub mod node;
pub mod order;
pub mod phone;
pub mod plan;
pub mod reading;
pub mod script;
pub mod seam;
pub mod store;
pub mod strangers;
pub mod wire;
pub mod zone;

pub use audit::{Auditor, Violation};
pub use ladder::{ladder, ladder_from};
pub use net::Net;
pub use node::{Blueprint, Watch};
pub use order::{CallPlan, Expect, Manner, Order, Then};
pub use phone::{Account, CallState, Outcome, Phone};
pub use plan::NodePlan;
pub use script::{Answer, Handler, Scene, ScriptedPolicy};
pub use seam::Seam;
pub use strangers::Way;
pub use wire::{Conditions, HostId, START};

#[cfg(test)]
#[path = "sim_tests.rs"]
mod tests;
