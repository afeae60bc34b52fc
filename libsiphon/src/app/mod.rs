//! Composition: the configuration of a role, its command line, and its life from start to drain.
//!
//! Assumes neither SIP nor Python: a [`role::Role`] brings its schema and starts its engines.

#![allow(clippy::disallowed_methods, reason = "composition owns the wall clock, threads and signals")]

pub mod cli;
pub mod clock;
pub mod config;
#[cfg(feature = "python")]
pub mod kit;
pub mod lifecycle;
pub mod logging;
mod owner;
mod pages;
pub mod role;
pub mod sip;
mod run;
pub mod watch;
