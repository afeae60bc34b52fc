//! Where a request can be sent, with what a binding remembers about reaching it.

use crate::base::flow::Flow;
use crate::base::text::Text;
use std::net::SocketAddr;

/// One target of relaying or forking (RFC 3261 16.5).
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The Request-URI to send.
    pub uri: Text,
    /// Route values to put on top: the binding's Path (RFC 3327), in order.
    pub route: Vec<Text>,
    /// The flow the binding was made on, while it lives.
    pub flow: Option<Flow>,
    /// The address the binding came from, when it is not what its URI says (NAT).
    pub received: Option<SocketAddr>,
    /// Send to this SIP URI, whatever the Route set and the Request-URI say.
    pub next_hop: Option<Text>,
    /// Preference in thousandths, 0 to 1000 (`q`, RFC 3261 10.2.1.2).
    pub q: u16,
}

impl Target {
    /// A target that is nothing but its URI.
    pub fn uri(uri: impl Into<Text>) -> Self {
        Target { uri: uri.into(), route: Vec::new(), flow: None, received: None, next_hop: None, q: 1000 }
    }
}

/// In which order targets are tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Strategy {
    /// All at once.
    #[default]
    Parallel,
    /// One after the other, in the order given.
    Sequential,
    /// Groups of equal q at once, the groups one after the other, highest q first (RFC 3261 16.6).
    ByPreference,
}
