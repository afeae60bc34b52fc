//! Media engines: the client of rtpengine's NG protocol without sockets, profiles, and where each call's sessions are.
//!
//! The commands and replies are values of [`wire::ng`](crate::wire::ng).

pub mod client;
pub mod desk;
pub mod instances;
pub mod profile;

pub use crate::wire::ng::command;
pub use crate::wire::ng::reply;
pub use crate::wire::ng::{
    Action, Command, Half, InstanceName, MediaFault, MediaReply, MediaRequest, MediaResult, Negotiation,
    Party,
};
pub use client::{Client, Effect, Input, Settings, Stats};
pub use desk::{Desk, Kept};
pub use instances::{Health, Instance};
pub use profile::{Leg, Profile, Profiles};
