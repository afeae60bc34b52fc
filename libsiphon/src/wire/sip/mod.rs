//! SIP messages (RFC 3261 7, 25): one index pass over the received octets, typed values on demand, forwarding by
//! splicing. What is not touched stays byte for byte.
//!
//! - [`Message`] is a parsed message; [`Refused`] says why bytes are none and whether they can be answered.
//! - [`Uri`], [`NameAddr`], [`TopVia`], [`Params`], [`AuthParams`] borrow from it.
//! - [`Splice`] forwards a message with edits; [`ResponseBuilder`], [`RequestBuilder`], [`ack_for`] and
//!   [`cancel_for`] make new ones. No text with CR, LF or NUL gets through them.
//! - [`ReferTo`], [`Replaces`], [`SessionExpires`], [`RAck`] and kin are header fields of calls, read by methods of
//!   [`Message`] and written by `Display`; [`sipfrag`] is the body of a REFER's NOTIFY.
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
mod method_set;
pub mod multipart;
mod name_addr;
mod params;
mod peek;
mod reason;
mod reason_field;
mod refer_to;
mod reliability;
mod replaces;
mod request;
mod response;
mod scan;
mod session_expires;
mod session_fields;
pub mod sipfrag;
mod splice;
mod splice_lines;
mod subscription_state;
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
pub use method_set::MethodSet;
pub use name_addr::NameAddr;
pub use params::{ParamIter, Params, quote, unquote};
pub use peek::{Peek, call_id_of, peek};
pub use reason::reason_phrase;
pub use reason_field::Reason;
pub use refer_to::{ReferTo, ReferredBy};
pub use reliability::RAck;
pub use replaces::Replaces;
pub use request::{RequestBuilder, ack_for, cancel_for};
pub use response::ResponseBuilder;
pub use session_expires::{Refresher, SessionExpires};
pub use splice::Splice;
pub use subscription_state::{Event, Standing, SubscriptionState};
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
#[path = "session_fields_tests.rs"]
mod session_fields_tests;

#[cfg(test)]
#[path = "property_tests.rs"]
mod property_tests;
