//! The one integration test executable: a module per behaviour.
//!
//! `SUBJECT=kamailio` runs the scenarios against Kamailio, which proves the scenarios.

#![allow(clippy::disallowed_methods, reason = "real peers live in real time")]

mod answers;
mod calls;
mod command_line;
mod config;
mod dependencies;
mod docs_snippets;
mod flows;
mod forking;
mod kit;
mod keys;
mod keys_in_time;
mod life;
mod make_call;
mod neighbours;
mod parked;
mod refusals;
mod registering;
mod repeats;
mod reloads;
mod replay;
mod rtpengine;
mod sbc_calls;
mod sbc_config;
mod simulation;
mod softphones;
mod strained;
mod torture;
mod wrong_scripts;
