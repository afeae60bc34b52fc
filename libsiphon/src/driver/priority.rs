//! What may be turned away when there is too much: a request that begins something new. Responses, requests
//! inside a dialog, what ends or acknowledges a transaction, and emergency calls never are (RFC 5390, RFC 4412).

use crate::wire::sip::{Message, Method, Peek, peek};

/// Whether a message begins something new, judged from a first look at its octets.
pub fn begins_new_work(seen: &Peek) -> bool {
    !seen.response && !seen.keepalive && !seen.in_dialog && !seen.priority && !belongs_to_another(seen.method)
}

/// Whether a message begins something new.
pub fn is_new_work(message: &Message) -> bool {
    message.is_request()
        && message.to_tag().is_none()
        && !belongs_to_another(message.method())
        && begins_new_work(&peek(message.bytes()))
}

/// Methods that make no sense without an earlier request.
const fn belongs_to_another(method: Method) -> bool {
    matches!(method, Method::Ack | Method::Cancel | Method::Bye | Method::Prack)
}
