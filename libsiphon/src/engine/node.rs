//! What the shards of one node share: secrets, own addresses, settings. Read-mostly; what changes is behind a
//! lock of its own (location table, nonce windows) in the type that owns it.

use crate::base::token::Secret;
use crate::engine::settings::Settings;
pub use crate::proto::proxy::own::Listener;

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
