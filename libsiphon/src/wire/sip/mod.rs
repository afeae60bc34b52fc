//! SIP messages (RFC 3261 7, 25): one index pass over the received octets, typed values on demand, forwarding by
//! splicing. What is not touched stays byte for byte.
//!
//! - [`Message`] is a parsed message; [`Refused`] says why bytes are none and whether they can be answered.
//! - [`Uri`], [`NameAddr`], [`TopVia`], [`Params`], [`AuthParams`] borrow from it.
//! - [`Splice`] forwards a message with edits; [`ResponseBuilder`], [`RequestBuilder`], [`ack_for`] and
//!   [`cancel_for`] make new ones. No text with CR, LF or NUL gets through them.
//! - [`framing`] cuts streams into messages, [`peek`] looks at bytes that may have to be shed, [`multipart`] splits
//!   bodies.

mod auth;
mod build;
mod error;
pub mod framing;
#[cfg(any(test, fuzzing))]
pub mod fuzz_targets;
mod header;
mod header_id;
mod index;
mod limits;
mod message;
mod method;
pub mod multipart;
mod name_addr;
mod params;
mod peek;
mod reason;
mod request;
mod response;
mod scan;
mod splice;
mod splice_lines;
mod uri;
mod uri_buf;
mod uri_compare;
mod via;

pub use auth::AuthParams;
pub use build::Name;
pub use error::{Malformed, Refused, Unsafe};
pub use framing::{Frame, StreamFramer};
pub use header::{Header, Values};
pub use header_id::HeaderId;
pub use limits::Limits;
pub use message::Message;
pub use method::Method;
pub use name_addr::NameAddr;
pub use params::{ParamIter, Params, quote, unquote};
pub use peek::{Peek, call_id_of, peek};
pub use reason::reason_phrase;
pub use request::{RequestBuilder, ack_for, cancel_for};
pub use response::ResponseBuilder;
pub use splice::Splice;
pub use uri::{Scheme, Uri, escape_user, unescape};
pub use uri_buf::UriBuf;
pub use via::{COOKIE, Rport, TopVia};

#[cfg(test)]
#[path = "message_tests.rs"]
mod message_tests;

#[cfg(test)]
#[path = "torture_tests.rs"]
mod torture_tests;

#[cfg(test)]
#[path = "uri_tests.rs"]
mod uri_tests;

#[cfg(test)]
#[path = "fields_tests.rs"]
mod fields_tests;

#[cfg(test)]
#[path = "property_tests.rs"]
mod property_tests;
