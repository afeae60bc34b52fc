//! What the shards of one node share: secrets, own addresses, settings. Read-mostly; what changes is behind a
//! lock of its own (location table, nonce windows) in the type that owns it.

use crate::base::flow::Transport;
use crate::base::token::Secret;
use crate::engine::settings::Settings;
use std::net::SocketAddr;

/// One listening address and how peers are told to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Transport protocol.
    pub transport: Transport,
    /// The address bound, with the port the kernel gave.
    pub bound: SocketAddr,
    /// Host for Via and Record-Route: the advertised one, or the bound address.
    pub host: String,
    /// Port for Via and Record-Route.
    pub port: u16,
}

/// What the shards share.
#[derive(Debug)]
pub struct Node {
    /// The node's secret; tokens on the wire use secrets derived from it.
    pub secret: Secret,
    /// How many shards there are.
    pub shards: u8,
    /// Listening addresses.
    pub listeners: Vec<Listener>,
    /// Settings of the engine.
    pub settings: Settings,
}
