//! What SIP roles are composed of: their YAML blocks turned into settings, and the running node.

pub mod node;
#[cfg(feature = "python")]
pub mod scripting;
pub mod settings;

pub use node::{PolicyParts, SipNode};
pub use settings::SipBlocks;
