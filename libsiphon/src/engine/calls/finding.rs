//! Whose request inside a dialog this is: Call-ID and our tag name the leg (RFC 3261 12.2.2).

use crate::base::slab::Key;
use crate::base::text::Text;
use crate::engine::shard::Shard;
use crate::proto::b2bua::LegId;
use crate::wire::sip::Message;
use hashbrown::HashTable;

/// The dialogs of the calls of a shard.
#[derive(Debug, Default)]
pub(crate) struct Dialogs {
    table: HashTable<Entry>,
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    call: Key,
    leg: LegId,
    call_id: Text,
    local_tag: Text,
}

impl Dialogs {
    /// False when it was there before.
    pub(crate) fn add(&mut self, hash: u64, call: Key, leg: LegId, call_id: Text, local_tag: Text) -> bool {
        let is_new = self.find(hash, &call_id, &local_tag).is_none();
        if is_new {
            let entry = Entry { hash, call, leg, call_id, local_tag };
            self.table.insert_unique(hash, entry, |e| e.hash);
        }
        is_new
    }

    pub(crate) fn find(&self, hash: u64, call_id: &str, local_tag: &str) -> Option<(Key, LegId)> {
        self.table
            .find(hash, |e| &*e.call_id == call_id && &*e.local_tag == local_tag)
            .map(|e| (e.call, e.leg))
    }

    /// False when it was not there.
    pub(crate) fn remove(&mut self, hash: u64, call: Key, call_id: &str, local_tag: &str) -> bool {
        let found = self
            .table
            .find_entry(hash, |e| e.call == call && &*e.call_id == call_id && &*e.local_tag == local_tag);
        found.map(|entry| entry.remove()).is_ok()
    }

    /// The call is over. Its legs said so of each dialog before.
    pub(crate) fn forget(&mut self, call: Key) {
        debug_assert!(self.table.iter().all(|e| e.call != call), "a call ended with dialogs");
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }
}

impl Shard {
    pub(crate) fn dialog_hash(&self, call_id: &str, local_tag: &str) -> u64 {
        self.node.dialog_hash(call_id, local_tag)
    }

    /// The call and leg whose dialog a request is in.
    pub(crate) fn find_dialog(&self, request: &Message) -> Option<(Key, LegId)> {
        if self.calls.slab.is_empty() {
            return None;
        }
        let tag = request.to_tag()?;
        self.calls.dialogs.find(self.dialog_hash(request.call_id(), tag), request.call_id(), tag)
    }

    /// Dialogs of calls this shard holds.
    pub fn dialogs(&self) -> usize {
        self.calls.dialogs.len()
    }
}
