//! Locating SIP servers (RFC 3263): which lookups a URI needs, and which targets their answers give.
//!
//! The vocabulary is here; [`Query`] says what is sought, [`Locator`] seeks it.

mod locator;
mod query;

pub use locator::{Locator, Step};
pub use query::{Host, NoRoute, Query, Reach};

use crate::base::text::Text;
use std::net::IpAddr;

/// One DNS question.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Lookup {
    /// NAPTR records of a domain.
    Naptr(Text),
    /// SRV records of a name such as `_sip._udp.example.com`.
    Srv(Text),
    /// A and AAAA records of a host.
    Addresses(Text),
}

/// What DNS said. Empty lists mean that there is no such record, or that the lookup failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    /// Answers to [`Lookup::Naptr`].
    Naptr(Vec<Naptr>),
    /// Answers to [`Lookup::Srv`].
    Srv(Vec<Srv>),
    /// Answers to [`Lookup::Addresses`], in the order received.
    Addresses(Vec<IpAddr>),
}

/// A NAPTR record (RFC 3403 4.1) as RFC 3263 4.1 uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Lower first.
    pub order: u16,
    /// Lower first among equal order.
    pub preference: u16,
    /// `s` means that `replacement` names SRV records.
    pub flags: Text,
    /// `SIP+D2U`, `SIP+D2T`, ...
    pub service: Text,
    /// The name to ask next.
    pub replacement: Text,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower first.
    pub priority: u16,
    /// Share among equal priority.
    pub weight: u16,
    /// Port.
    pub port: u16,
    /// Host.
    pub target: Text,
}
