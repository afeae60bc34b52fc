//! What a proxy checks before it serves a request (RFC 3261 16.3, RFC 5393 4.2 and 5.3), and again what limits
//! forwarding once it is to be forwarded. Syntax was checked when the message was indexed.

use super::branch::Loop;
use crate::wire::sip::{HeaderId, Message, Method};
use smallvec::SmallVec;

/// Why a request is refused, as the response to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Status code.
    pub code: u16,
    /// Header fields of the response.
    pub headers: SmallVec<[(HeaderId, String); 1]>,
}

impl Rejection {
    fn code(code: u16) -> Self {
        Rejection { code, headers: SmallVec::new() }
    }
}

/// What a request that is to be forwarded leaves with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hops {
    /// Its Max-Forwards (RFC 3261 16.6 step 3).
    pub max_forwards: u8,
    /// The Max-Breadth that its branches share (RFC 5393 5.3.3).
    pub max_breadth: u16,
}

/// Checks a request as received; `passage` is what [`BranchSecret::loop_check`](super::branch::BranchSecret::loop_check)
/// said. `is_local` requests may be answered here, so those are held to the limits on forwarding only when they are
/// forwarded ([`may_forward`]). An ACK that is refused is dropped, for nothing answers an ACK.
///
/// `supported` are the option tags of Proxy-Require that this proxy understands.
pub fn validate(
    request: &Message,
    passage: Loop,
    is_local: bool,
    supported: &[&str],
) -> Result<(), Rejection> {
    // Step 2. tel and urn are understood; whether they can be routed is known once policy has seen them.
    if !has_known_scheme(request.request_uri()) {
        return Err(Rejection::code(416));
    }
    if !is_local {
        // Steps 3 and RFC 5393 5.3.3.1; the default of Max-Breadth does not matter here.
        may_forward(request, 1)?;
    }
    // Step 4.
    if passage == Loop::Loop {
        return Err(Rejection::code(482));
    }
    requires(request, HeaderId::ProxyRequire, supported)
}

fn has_known_scheme(uri: &str) -> bool {
    let known = |scheme: &str| uri.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
    ["sip:", "tel:", "sips:", "urn:"].into_iter().any(known)
}

/// Step 5, and for a request that is answered here Require (RFC 3261 8.2.2.3): an option tag in `header` that is none of
/// `supported` is 420. Neither ACK nor CANCEL is refused for it.
pub fn requires(request: &Message, header: HeaderId, supported: &[&str]) -> Result<(), Rejection> {
    if !request.has(header) || matches!(request.method(), Method::Ack | Method::Cancel) {
        return Ok(());
    }
    let mut unknown = String::new();
    for tag in request.values(header) {
        if !supported.iter().any(|s| s.eq_ignore_ascii_case(&tag)) {
            if !unknown.is_empty() {
                unknown.push_str(", ");
            }
            unknown.push_str(&tag);
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Rejection { code: 420, headers: SmallVec::from_iter([(HeaderId::Unsupported, unknown)]) })
}

/// Whether a request may be forwarded, and with which limits. `default_breadth` is used where Max-Breadth is absent or
/// no number, and is the most that is granted.
pub fn may_forward(request: &Message, default_breadth: u16) -> Result<Hops, Rejection> {
    let max_forwards = match request.max_forwards() {
        None => FRESH_MAX_FORWARDS,
        Some(hops) => hops.checked_sub(1).ok_or_else(|| Rejection::code(483))?,
    };
    let breadth = request.header(HeaderId::MaxBreadth).and_then(|text| text.parse::<u64>().ok());
    let max_breadth = match breadth {
        None => default_breadth,
        Some(0) => return Err(Rejection::code(440)),
        Some(n) => u16::try_from(n).unwrap_or(u16::MAX).min(default_breadth),
    };
    Ok(Hops { max_forwards, max_breadth })
}

/// RFC 3261 16.6 step 3.
const FRESH_MAX_FORWARDS: u8 = 70;

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
