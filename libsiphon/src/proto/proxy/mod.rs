//! Proxy behaviour (RFC 3261 16) as pure steps and one machine.
//!
//! In the order a request meets them: [`branch`] tells a loop, [`validate`] refuses what may not be served (16.3),
//! [`route`] consumes our own Route values (16.4), policy chooses the targets (16.5), [`nexthop`] says where a branch
//! goes, [`forward`] writes the request (16.6), [`context`] chooses among the responses (16.7) and [`forward_response`]
//! takes them back.
//! [`own`] is what this node recognises itself by, [`route_token`] the flow that its Record-Route remembers.

pub mod branch;
pub mod context;
pub mod forward;
pub mod forward_response;
mod marks;
pub mod nexthop;
pub mod own;
mod record_route;
pub mod route;
pub mod route_token;
pub mod validate;
