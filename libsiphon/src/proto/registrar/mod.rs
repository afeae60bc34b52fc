//! The registrar (RFC 3261 10): location table, REGISTER processing, GRUU, NAT repair and keepalive.

pub mod alias;
mod binding;
mod contact;
pub mod gruu;
#[cfg(test)]
mod harness;
mod intern;
pub mod location;
pub mod nat;
mod pack;
pub mod ping;
pub mod register;
mod reply;
pub mod settings;
mod stripe;
mod unsettled;

pub use binding::{AorState, Binding, Change};
pub use gruu::{Gruu, GruuKeys};
pub use location::{Full, Location, RestoreError, Updated};
pub use ping::{Ping, PingId, PingMethod, PingSettings, Pinger};
pub use register::{Outcome, Registrar, Registration, Rollback};
pub use settings::{OverLimit, PathPolicy, RegistrarSettings};
