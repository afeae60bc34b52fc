//! Texts that many bindings share (User-Agent, Path), kept once per stripe and counted.

use crate::base::text::Text;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// A table of counted texts. Holds as many texts as live bindings refer to, and no more.
#[derive(Debug, Default)]
pub(super) struct Interner {
    slots: Vec<Option<(Text, u32)>>,
    free: Vec<u32>,
    ids: HashTable<u32>,
    hasher: foldhash::quality::FixedState,
}

impl Interner {
    /// The id of `text`, with one more reference to it.
    pub(super) fn acquire(&mut self, text: &str) -> u32 {
        let hash = self.hasher.hash_one(text);
        let slots = &mut self.slots;
        let same = |id: &u32| matches!(slots.get(*id as usize), Some(Some((t, _))) if **t == *text);
        if let Some(&id) = self.ids.find(hash, same) {
            if let Some(Some((_, count))) = slots.get_mut(id as usize) {
                *count += 1;
            }
            return id;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            slots.push(None);
            (slots.len() - 1) as u32
        });
        if let Some(slot) = slots.get_mut(id as usize) {
            *slot = Some((text.into(), 1));
        }
        let hasher = &self.hasher;
        let rehash = |id: &u32| match slots.get(*id as usize) {
            Some(Some((t, _))) => hasher.hash_one(&**t),
            _ => 0,
        };
        self.ids.insert_unique(hash, id, rehash);
        id
    }

    /// The text of `id`.
    pub(super) fn get(&self, id: u32) -> Option<&Text> {
        self.slots.get(id as usize)?.as_ref().map(|(text, _)| text)
    }

    /// Gives one reference back; the text goes with the last.
    pub(super) fn release(&mut self, text: &str) {
        let slots = &mut self.slots;
        let same = |id: &u32| matches!(slots.get(*id as usize), Some(Some((t, _))) if **t == *text);
        let Ok(entry) = self.ids.find_entry(self.hasher.hash_one(text), same) else { return };
        let id = *entry.get();
        let Some(Some((_, count))) = slots.get_mut(id as usize) else { return };
        *count -= 1;
        if *count == 0 {
            entry.remove();
            self.free.push(id);
            if let Some(slot) = slots.get_mut(id as usize) {
                *slot = None;
            }
        }
    }

    /// How many different texts there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}
