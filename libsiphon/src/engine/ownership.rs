//! Whose message it is: our Via branch for responses, a keyed hash of the Call-ID for requests. CANCEL, ACK,
//! retransmissions and in-dialog requests bear the Call-ID of their INVITE, so they follow it; a proxied dialog has
//! no state of its own that would have to be found. An INVITE with Replaces goes to the call that it names (RFC 3891), and
//! what moved is in the node's table of aliases.

use crate::engine::node::Node;
use crate::wire::sip::{HeaderId, Message, Method};

/// The shard that handles `message`.
pub fn owner(message: &Message, node: &Node) -> u8 {
    if node.shards == 1 {
        return 0;
    }
    if !message.is_request()
        && let Some(id) = message.via().branch.and_then(|b| node.branches.decode(b))
        && id.shard < node.shards
    {
        return id.shard;
    }
    if let Some(shard) = node.aliases.find(message.call_id()) {
        return shard;
    }
    match replaced(message).filter(|_| node.settings().b2bua.is_some()) {
        Some(call_id) => node.home_of(&call_id),
        None => node.hashed_home_of(message.call_id()),
    }
}

/// The Call-ID in Replaces of an INVITE that begins a dialog.
fn replaced(message: &Message) -> Option<String> {
    let begins = message.is_request() && message.method() == Method::Invite && message.to_tag().is_none();
    if !begins || !message.has(HeaderId::Replaces) {
        return None;
    }
    Some(message.replaces().ok()??.call_id)
}
