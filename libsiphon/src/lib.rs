//! libsiphon: SIP and IMS protocol machines, the engine that runs them, and what surrounds them.
//!
//! The modules below are layers, bottom first. A layer uses what is declared above it in this file
//! and never what is below; `tests/architecture.rs` fails on an upward `use`.

pub mod base;
pub mod wire;
pub mod policy;
pub mod event;
pub mod proto;
pub mod engine;
pub mod net;
pub mod driver;
pub mod sim;
pub mod observe;
#[cfg(feature = "python")]
pub mod script;
pub mod app;
