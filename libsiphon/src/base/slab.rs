//! A slab whose keys carry a generation: a key that outlived its entry finds nothing, never another's slot.
//!
//! Entries lie in pages, and a page without entries is given back: after a busy hour a slab is small again. No entry ever
//! moves, and nothing is done at once for all of them.

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

/// Entries of a page, as a power of two.
const PAGE_BITS: u32 = 6;
const PAGE: u32 = 1 << PAGE_BITS;

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    entry: Option<T>,
}

/// Slots that are allocated and given back together.
#[derive(Debug)]
struct Page<T> {
    /// As many as were used at a time since the page was allocated.
    slots: Vec<Slot<T>>,
    /// A bit for each slot that has an entry.
    used: u64,
    /// The generation in which a slot begins: above those of all keys there were when the page was given back.
    first: u32,
    /// It is on the list of pages with room.
    listed: bool,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Page { slots: Vec::new(), used: 0, first: 1, listed: false }
    }
}

impl<T> Page<T> {
    fn slot(&self, key: Key) -> Option<&Slot<T>> {
        self.slots.get((key.slot % PAGE) as usize).filter(|s| s.generation == key.generation)
    }

    fn slot_mut(&mut self, key: Key) -> Option<&mut Slot<T>> {
        self.slots.get_mut((key.slot % PAGE) as usize).filter(|s| s.generation == key.generation)
    }

    fn give_back(&mut self) {
        self.first = self.slots.iter().map(|s| s.generation).fold(self.first, u32::max);
        self.slots = Vec::new();
    }
}

/// Entries in reusable slots. Iteration is in slot order, so it is the same in every run.
#[derive(Debug)]
pub struct Slab<T> {
    pages: Vec<Page<T>>,
    /// Pages with room, the one to be used next last. One that has filled up or was given back stays until it is looked at.
    roomy: Vec<u32>,
    /// Pages that were given back.
    absent: Vec<u32>,
    /// A page without entries that is kept, so that an entry that comes and goes does not make a page come and go.
    spare: Option<u32>,
    len: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { pages: Vec::new(), roomy: Vec::new(), absent: Vec::new(), spare: None, len: 0 }
    }
}

impl<T> Slab<T> {
    /// Stores `entry` and names it.
    pub fn insert(&mut self, entry: T) -> Key {
        self.insert_with(|_| entry)
    }

    /// Stores what `make` returns; `make` is told the key.
    pub fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        let number = self.page_with_room();
        let page = &mut self.pages[number as usize];
        let place = (!page.used).trailing_zeros();
        if page.slots.len() == place as usize {
            if page.slots.is_empty() {
                page.slots.reserve_exact(PAGE as usize);
            }
            page.slots.push(Slot { generation: page.first, entry: None });
        }
        let slot = &mut page.slots[place as usize];
        let key = Key { slot: number << PAGE_BITS | place, generation: slot.generation };
        slot.entry = Some(make(key));
        page.used |= 1 << place;
        self.len += 1;
        if self.spare == Some(number) {
            self.spare = None;
        }
        key
    }

    /// A page with a free slot: one that has entries, else one that was given back, else a new one.
    fn page_with_room(&mut self) -> u32 {
        while let Some(&number) = self.roomy.last() {
            let page = &mut self.pages[number as usize];
            if page.used != u64::MAX && !page.slots.is_empty() {
                return number;
            }
            page.listed = false;
            self.roomy.pop();
        }
        let number = self.absent.pop().unwrap_or_else(|| {
            self.pages.push(Page::default());
            let last = u32::try_from(self.pages.len() - 1).ok().filter(|n| *n < 1 << (32 - PAGE_BITS));
            last.expect("a slab holds fewer than 2^32 entries")
        });
        self.pages[number as usize].listed = true;
        self.roomy.push(number);
        number
    }

    /// The entry of `key`, unless it was removed.
    pub fn get(&self, key: Key) -> Option<&T> {
        self.pages.get((key.slot >> PAGE_BITS) as usize)?.slot(key)?.entry.as_ref()
    }

    /// The entry of `key`, unless it was removed.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.pages.get_mut((key.slot >> PAGE_BITS) as usize)?.slot_mut(key)?.entry.as_mut()
    }

    /// Removes and returns the entry; its key is stale from now on.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let number = key.slot >> PAGE_BITS;
        let page = self.pages.get_mut(number as usize)?;
        let slot = page.slot_mut(key)?;
        let entry = slot.entry.take()?;
        slot.generation = slot.generation.wrapping_add(1).max(1);
        page.used &= !(1 << (key.slot % PAGE));
        self.len -= 1;
        if page.used == 0 {
            match self.spare {
                None => self.spare = Some(number),
                Some(_) => {
                    page.give_back();
                    self.absent.push(number);
                    return Some(entry);
                }
            }
        }
        if !page.listed {
            page.listed = true;
            self.roomy.push(number);
        }
        Some(entry)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many entries there is memory for.
    pub fn capacity(&self) -> usize {
        self.pages.iter().map(|page| page.slots.capacity()).sum()
    }

    /// All entries in slot order.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        let slots =
            (0..).zip(&self.pages).flat_map(|(number, page)| (number << PAGE_BITS..).zip(&page.slots));
        slots.filter_map(|(slot, place)| {
            let entry = place.entry.as_ref()?;
            Some((Key { slot, generation: place.generation }, entry))
        })
    }
}

#[cfg(test)]
#[path = "slab_tests.rs"]
mod tests;
