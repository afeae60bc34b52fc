//! SIP messages (RFC 3261 7).

/// A message.
#[derive(Clone, Debug)]
pub struct Message;
/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Any.
    Other,
}
/// Limits.
#[derive(Clone, Debug, Default)]
pub struct Limits;
/// What could not be accepted.
#[derive(Debug)]
pub struct Refused;
