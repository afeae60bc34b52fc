//! What SIP roles are composed of: their YAML blocks turned into settings, and the running node.

pub mod media;
pub mod node;
pub mod role;
#[cfg(feature = "python")]
pub mod running;
#[cfg(feature = "python")]
pub mod scripting;
pub mod settings;

pub use node::{PolicyParts, SipNode};
pub use role::SipRole;
pub use settings::SipBlocks;
