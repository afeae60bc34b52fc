//! Sans-IO protocol machines (RFC 3261 and its updates).
//!
//! One contract for every machine: feed one input with `handle(input, now, &mut out)`, drain what was
//! pushed onto `out`, then sleep until `deadline()`. A machine never reads a clock, opens a socket, spawns
//! or rolls dice, and the order of what it pushes never depends on the iteration of a map.

pub mod dialog;
pub mod locate;
pub mod media;
pub mod transaction;
pub mod proxy;
pub mod registrar;
pub mod auth;
pub mod session;
pub mod b2bua;
