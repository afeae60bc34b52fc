//! Whose message it is: our Via branch for responses, a keyed hash of the Call-ID for requests. CANCEL, ACK,
//! retransmissions and in-dialog requests bear the Call-ID of their INVITE, so they follow it; a proxied dialog has
//! no state of its own that would have to be found.

use crate::engine::node::Node;
use crate::wire::sip::Message;

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
    (node.call_hash(message.call_id()) % u64::from(node.shards)) as u8
}
