//! A slab whose keys carry a generation: a key that outlived its entry finds nothing, never another's slot.

/// Names one entry of a [`Slab`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Key {
    /// Index of the slot.
    pub slot: u32,
    /// Which use of the slot is meant.
    pub generation: u32,
}

impl Key {
    /// Both halves in one number.
    pub const fn to_u64(self) -> u64 {
        (self.slot as u64) << 32 | self.generation as u64
    }

    /// The reverse of [`to_u64`](Self::to_u64).
    pub const fn from_u64(n: u64) -> Self {
        Key { slot: (n >> 32) as u32, generation: n as u32 }
    }
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    entry: Option<T>,
}

/// Entries in reusable slots. Iteration is in slot order, so it is the same in every run.
#[derive(Debug)]
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Stores `entry` and names it.
    pub fn insert(&mut self, entry: T) -> Key {
        self.insert_with(|_| entry)
    }

    /// Stores what `make` returns; `make` is told the key.
    pub fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        match self.free.pop() {
            Some(slot) => {
                let place = &mut self.slots[slot as usize];
                let key = Key { slot, generation: place.generation };
                place.entry = Some(make(key));
                key
            }
            None => {
                let slot = u32::try_from(self.slots.len()).expect("a slab holds fewer than 2^32 entries");
                let key = Key { slot, generation: 1 };
                self.slots.push(Slot { generation: 1, entry: Some(make(key)) });
                key
            }
        }
    }

    /// The entry of `key`, unless it was removed.
    pub fn get(&self, key: Key) -> Option<&T> {
        self.slots.get(key.slot as usize).filter(|s| s.generation == key.generation)?.entry.as_ref()
    }

    /// The entry of `key`, unless it was removed.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slots.get_mut(key.slot as usize).filter(|s| s.generation == key.generation)?.entry.as_mut()
    }

    /// Removes and returns the entry; its key is stale from now on.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let place = self.slots.get_mut(key.slot as usize).filter(|s| s.generation == key.generation)?;
        let entry = place.entry.take()?;
        place.generation = place.generation.wrapping_add(1).max(1);
        self.free.push(key.slot);
        Some(entry)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All entries in slot order.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots.iter().enumerate().filter_map(|(slot, place)| {
            let entry = place.entry.as_ref()?;
            Some((Key { slot: slot as u32, generation: place.generation }, entry))
        })
    }
}

#[cfg(test)]
#[path = "slab_tests.rs"]
mod tests;
