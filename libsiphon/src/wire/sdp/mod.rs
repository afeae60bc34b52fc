//! Session descriptions (RFC 8866) as values: read, edited line by line, written back byte for byte.
//!
//! - [`Sdp::parse`] keeps every line as it came; [`Sdp::write`] gives the same octets until something is edited, and
//!   then only the edited lines differ.
//! - [`Media`] is one `m=` section; what it takes from the session is asked of the [`Sdp`], as in
//!   [`Sdp::direction_of`].
//! - [`check_answer`] and [`next_version`] are the rules of offer and answer (RFC 3264).
//! - [`PASSED_ATTRIBUTES`] and [`PASSED_LINES`] say what passes a border that hides topology;
//!   [`Sdp::strip_unlisted`] applies them.

mod attributes;
mod codec_edits;
mod codecs;
mod direction;
mod errors;
#[cfg(any(test, fuzzing))]
pub mod fuzz_target;
mod lines;
mod media;
mod offer_answer;
mod profile;
mod rewrite;
mod session;
mod topology;

pub use attributes::Attribute;
pub use codecs::Codec;
pub use direction::Direction;
pub use errors::{Limits, SdpFault, Unwritable};
pub use media::{Media, Rtcp};
pub use offer_answer::{AnswerFault, check_answer, next_version};
pub use profile::Profile;
pub use session::{Bandwidth, Connection, Origin, Sdp, Timing};
pub use topology::{PASSED_ATTRIBUTES, PASSED_LINES, PassedAttribute};

#[cfg(test)]
#[path = "reading_tests.rs"]
mod reading_tests;

#[cfg(test)]
#[path = "editing_tests.rs"]
mod editing_tests;

#[cfg(test)]
#[path = "offer_answer_tests.rs"]
mod offer_answer_tests;

#[cfg(test)]
#[path = "property_tests.rs"]
mod property_tests;
