//! The From and To that a script gives the callee are between proxy and callee: what goes back to the caller bears those
//! of its own request (RFC 3261 8.2.6.2), or a caller that compares them takes the response for another's.

use crate::wire::sip::{HeaderId, Limits, Message, Splice};

/// `response` with the From and To of `asked`, where `sent` went out with others. The To tag stays the callee's.
/// `None` when there is nothing to restore.
pub(crate) fn as_asked(
    asked: &Message,
    sent: &Message,
    response: &Message,
    limits: &Limits,
) -> Option<Message> {
    // Most scripts edit nothing, and then both are one message.
    if asked.bytes().as_ptr() == sent.bytes().as_ptr() {
        return None;
    }
    let was_edited = |id| asked.header(id) != sent.header(id);
    let (from, to) = (was_edited(HeaderId::From), was_edited(HeaderId::To));
    if !from && !to {
        return None;
    }
    let mut splice = Splice::of(response);
    if from {
        splice.set(HeaderId::From, &asked.header(HeaderId::From)?).ok()?;
    }
    if to {
        splice.set(HeaderId::To, &asked.header(HeaderId::To)?).ok()?;
        if let Some(tag) = response.to_tag() {
            splice.set_to_tag(tag).ok()?;
        }
    }
    splice.into_message(limits).ok()
}
