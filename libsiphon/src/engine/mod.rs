//! The shard: owns the machines, decides whose message this is, turns inputs into effects. Sans-IO itself:
//! it names no socket, and the daemon, the simulator and the test kit differ only in the driver around it.

pub mod contract;
pub mod node;
pub mod settings;

pub use contract::{Effect, Effects, Input, Mail, PostTo, SendReport};
pub use node::Node;
pub use settings::Settings;
