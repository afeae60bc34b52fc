//! Which shard has the dialogs of a Call-ID whose hash names another: legs that were handed to a call there, and INVITEs
//! with Replaces on their way to it (RFC 3891).
//!
//! Small: only what moves from shard to shard is in it, for as long as somebody holds it. While it is empty, a look costs
//! one load.

use crate::base::text::Text;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Most Call-IDs of a node that live away from home. A leg is not handed over beyond it, and a further INVITE with
/// Replaces can be answered, but not cancelled.
pub(super) const MOST_ALIASES: usize = 4096;

/// The table.
#[derive(Debug, Default)]
pub struct Aliases {
    entries: AtomicUsize,
    table: RwLock<BTreeMap<Text, Entry>>,
}

#[derive(Debug)]
struct Entry {
    shard: u8,
    holders: u32,
}

impl Aliases {
    /// Where the Call-ID lives, when that is not where its hash says.
    pub fn find(&self, call_id: &str) -> Option<u8> {
        if self.is_empty() {
            return None;
        }
        self.read().get(call_id).map(|entry| entry.shard)
    }

    /// Whether every Call-ID is at home.
    pub fn is_empty(&self) -> bool {
        self.entries.load(Ordering::Acquire) == 0
    }

    /// Whether another Call-ID may live away from home.
    pub fn has_room(&self) -> bool {
        self.entries.load(Ordering::Acquire) < MOST_ALIASES
    }

    /// From now on messages with this Call-ID go to `shard`, until each who holds it has let go. False at the limit.
    pub fn hold(&self, call_id: &str, shard: u8) -> bool {
        let mut table = self.write();
        if let Some(entry) = table.get_mut(call_id) {
            (entry.shard, entry.holders) = (shard, entry.holders.saturating_add(1));
            return true;
        }
        if table.len() >= MOST_ALIASES {
            return false;
        }
        table.insert(call_id.into(), Entry { shard, holders: 1 });
        self.entries.store(table.len(), Ordering::Release);
        true
    }

    /// The Call-ID lives on `shard` now, if it is known here at all.
    pub fn redirect(&self, call_id: &str, shard: u8) {
        if self.is_empty() {
            return;
        }
        if let Some(entry) = self.write().get_mut(call_id) {
            entry.shard = shard;
        }
    }

    /// One who held it lets go.
    pub fn release(&self, call_id: &str) {
        let mut table = self.write();
        let Some(entry) = table.get_mut(call_id) else { return };
        entry.holders = entry.holders.saturating_sub(1);
        if entry.holders == 0 {
            table.remove(call_id);
        }
        self.entries.store(table.len(), Ordering::Release);
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Text, Entry>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Text, Entry>> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_lasts_until_the_last_holder_lets_go() {
        let aliases = Aliases::default();
        assert_eq!(aliases.find("a"), None);
        assert!(aliases.hold("a", 1) && aliases.hold("a", 2));
        assert_eq!(aliases.find("a"), Some(2));
        aliases.redirect("a", 3);
        aliases.release("a");
        assert_eq!(aliases.find("a"), Some(3));
        aliases.release("a");
        assert!(aliases.is_empty() && aliases.find("a").is_none());
    }

    #[test]
    fn there_is_an_end_to_what_is_held() {
        let aliases = Aliases::default();
        for n in 0..MOST_ALIASES {
            assert!(aliases.hold(&n.to_string(), 0));
        }
        assert!(!aliases.has_room() && !aliases.hold("one more", 0) && aliases.hold("7", 1));
    }
}
