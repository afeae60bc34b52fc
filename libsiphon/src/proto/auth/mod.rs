//! Digest authentication (RFC 3261 22, RFC 7616, RFC 8760): challenging and checking, and answering challenges.

pub mod algorithm;
pub mod client;
pub mod credentials;
pub mod nonce;
pub mod response;
pub mod server;
pub mod window;

pub use algorithm::{Algorithm, HexDigest};
pub use credentials::{Credentials, StaticUsers, UserSecret};
pub use nonce::Nonces;
pub use response::{Qop, Signed};
pub use server::{AuthOutcome, Authenticator, DigestSettings, Kind, UriCheck, Verified};
pub use window::Windows;
