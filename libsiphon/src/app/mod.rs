//! Composition: the configuration of a role, its command line, and its life from start to drain.

pub mod config;
