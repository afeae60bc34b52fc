//! Digest authentication (RFC 3261 22, RFC 7616, RFC 8760): challenging and checking, and answering challenges.

pub mod algorithm;
pub mod nonce;
pub mod window;

pub use algorithm::{Algorithm, HexDigest};
pub use nonce::Nonces;
pub use window::Windows;
