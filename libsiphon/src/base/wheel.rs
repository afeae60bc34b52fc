//! A hierarchical timing wheel: the one place where a shard keeps its deadlines.
//!
//! Four levels of 256 slots over ticks of 4.096 ms. Adding and cancelling are O(1); a timer moves down at
//! most three times before it fires. A timer fires at the first tick that does not precede its deadline:
//! never early, at most one tick late, so that deadlines close to each other share a wake-up.
//! It does not call anybody: keys come out, and the owner of a key knows what it means.

use super::time::Instant;

/// Microseconds of a tick, as a power of two.
const TICK_BITS: u32 = 12;
const SLOTS: usize = 256;
const LEVELS: usize = 4;
/// The first entries of the link arrays are the heads of the slots' circular lists.
const HEADS: u32 = (LEVELS * SLOTS) as u32;
/// Low bits of [`Columns::check`]: where inside its tick a deadline lies.
const FINE_MASK: u32 = (1 << TICK_BITS) - 1;
/// A timer further ahead than this (about 194 days) is due when this much time has passed: with one slot of
/// the top level left over, a slot index never means two different turns of the wheel.
const HORIZON_TICKS: u64 = 254 << 24;
const NONE: u32 = u32::MAX;

/// Names one timer of a [`Wheel`]. An id whose timer has fired or was cancelled names nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TimerId {
    entry: u32,
    check: u32,
}

/// What is known of each timer, one column per fact: 24 bytes together.
///
/// `prev` of an unused entry is `NONE`, its `next` leads to the next unused one.
#[derive(Debug, Default)]
struct Columns {
    next: Vec<u32>,
    prev: Vec<u32>,
    /// The tick in which the timer is due, modulo 2^32.
    tick: Vec<u32>,
    /// Generation of the entry (20 bits) above the deadline's place inside its tick (12 bits). An id must match
    /// both, which makes an id that is stale by a full turn of the generation as good as impossible.
    check: Vec<u32>,
    key: Vec<u64>,
}

/// One timer on its way out, in the order in which timers leave: by deadline, then by age.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    /// Microseconds since a base common to the slot.
    deadline: u64,
    order: u32,
    key: u64,
}

/// Timers of one owner. Holds fewer than 2^32 of them; its memory is that of the largest number held at once.
#[derive(Debug)]
pub struct Wheel {
    columns: Columns,
    occupied: [[u64; SLOTS / 64]; LEVELS],
    /// Every tick before this one has fired, and so has what this one held when it was reached.
    current: u64,
    free: u32,
    len: usize,
    due: Vec<Due>,
}

impl Wheel {
    /// An empty wheel whose time is `start`.
    pub fn new(start: Instant) -> Self {
        let columns =
            Columns { next: (0..HEADS).collect(), prev: (0..HEADS).collect(), ..Columns::default() };
        Wheel {
            columns,
            occupied: Default::default(),
            current: start.0 >> TICK_BITS,
            free: NONE,
            len: 0,
            due: Vec::new(),
        }
    }

    /// How many timers are pending.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is pending.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Arms a timer that yields `key` at `at`, or with the next [`expire`](Self::expire) when `at` has passed.
    ///
    /// A deadline more than about 190 days ahead yields its key then, early: whoever armed it arms it again.
    pub fn add(&mut self, at: Instant, key: u64) -> TimerId {
        let earliest = self.current.saturating_sub(HORIZON_TICKS);
        let tick = at.0.div_ceil(1 << TICK_BITS).clamp(earliest, self.current + HORIZON_TICKS);
        // Counted backwards from the tick's own instant, so that order inside a tick is that of deadlines.
        let fine = (at.0.wrapping_sub(1) as u32) & FINE_MASK;
        let entry = self.allocate(fine);
        let place = (entry - HEADS) as usize;
        self.columns.tick[place] = tick as u32;
        self.columns.key[place] = key;
        self.link(entry, tick);
        self.len += 1;
        TimerId { entry, check: self.columns.check[place] }
    }

    /// Disarms the timer; returns whether it was still pending. A stale id does nothing.
    pub fn cancel(&mut self, id: TimerId) -> bool {
        let place = id.entry.wrapping_sub(HEADS) as usize;
        let pending = self.columns.check.get(place) == Some(&id.check)
            && self.columns.prev.get(id.entry as usize).is_some_and(|&prev| prev != NONE);
        if pending {
            self.unlink(id.entry);
            self.release(id.entry);
        }
        pending
    }

    /// Appends the keys of all timers due at `now`, in the order of their deadlines; equal deadlines in the
    /// order in which they were added. Time that goes back yields nothing.
    pub fn expire(&mut self, now: Instant, out: &mut Vec<u64>) {
        let target = now.0 >> TICK_BITS;
        while let Some((level, tick)) = self.next_slot().filter(|&(_, tick)| tick <= target) {
            self.current = tick;
            let slot = slot_of(level, tick);
            match level {
                0 => self.fire(slot, out),
                _ => self.cascade(level, slot),
            }
        }
        self.current = self.current.max(target);
    }

    /// When [`expire`](Self::expire) must be called next: never later than that call would yield a key, and
    /// early by less than a slot of the level in which the nearest timer waits. `None` when none is pending.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.next_slot().map(|(_, tick)| Instant(tick << TICK_BITS))
    }

    /// The nearest occupied slot, and the first of its ticks.
    ///
    /// A level holds only what shares the current slot of the level above it, so a lower level is always sooner.
    fn next_slot(&self) -> Option<(usize, u64)> {
        let current = self.current;
        if let Some(slot) = self.occupied_from(0, (current & 0xff) as usize) {
            return Some((0, current & !0xff | slot as u64));
        }
        for level in 1..LEVELS {
            let turn = current >> (8 * level);
            // The slot `current` lies in has been emptied downwards on arrival.
            if let Some(slot) = self.occupied_from(level, (turn & 0xff) as usize + 1) {
                return Some((level, (turn & !0xff | slot as u64) << (8 * level)));
            }
        }
        // The top level is a ring: what lies before the current slot belongs to its next turn.
        let turn = (current >> 24 & !0xff) + 0x100;
        self.occupied_from(LEVELS - 1, 0).map(|slot| (LEVELS - 1, (turn | slot as u64) << 24))
    }

    /// The first occupied slot of `level` at or after `from`.
    fn occupied_from(&self, level: usize, from: usize) -> Option<usize> {
        let words = &self.occupied[level];
        let mut index = from / 64;
        let mut word = words.get(index)? & (u64::MAX << (from % 64));
        while word == 0 {
            index += 1;
            word = *words.get(index)?;
        }
        Some(index * 64 + word.trailing_zeros() as usize)
    }

    /// Empties a slot of the lowest level into `out`.
    fn fire(&mut self, slot: usize, out: &mut Vec<u64>) {
        let head = slot as u32;
        let mut due = std::mem::take(&mut self.due);
        let mut entry = self.columns.next[head as usize];
        while entry != head {
            let place = (entry - HEADS) as usize;
            // A timer that was overdue when it was added lies in a later slot than its own.
            let late = (self.current as u32).wrapping_sub(self.columns.tick[place]);
            let fine = self.columns.check[place] & FINE_MASK;
            due.push(Due {
                deadline: u64::from(u32::MAX - late) << TICK_BITS | u64::from(fine),
                order: due.len() as u32,
                key: self.columns.key[place],
            });
            let next = self.columns.next[entry as usize];
            self.release(entry);
            entry = next;
        }
        self.clear(0, slot);
        due.sort_unstable();
        out.extend(due.drain(..).map(|d| d.key));
        self.due = due;
    }

    /// Moves the timers of a slot to lower levels, keeping their order.
    fn cascade(&mut self, level: usize, slot: usize) {
        let head = (level * SLOTS + slot) as u32;
        let mut entry = self.columns.next[head as usize];
        self.clear(level, slot);
        while entry != head {
            let next = self.columns.next[entry as usize];
            let ahead = self.columns.tick[(entry - HEADS) as usize].wrapping_sub(self.current as u32);
            self.link(entry, self.current + u64::from(ahead));
            entry = next;
        }
    }

    /// Makes the list of a slot empty without touching what was on it.
    fn clear(&mut self, level: usize, slot: usize) {
        let head = level * SLOTS + slot;
        self.columns.next[head] = head as u32;
        self.columns.prev[head] = head as u32;
        self.occupied[level][slot / 64] &= !(1 << (slot % 64));
    }

    /// Appends an entry to the list of the slot its tick belongs to.
    fn link(&mut self, entry: u32, tick: u64) {
        let tick = tick.max(self.current);
        let level = level_of(tick ^ self.current);
        let slot = slot_of(level, tick);
        let head = (level * SLOTS + slot) as u32;
        let last = self.columns.prev[head as usize];
        self.columns.next[entry as usize] = head;
        self.columns.prev[entry as usize] = last;
        self.columns.next[last as usize] = entry;
        self.columns.prev[head as usize] = entry;
        self.occupied[level][slot / 64] |= 1 << (slot % 64);
    }

    fn unlink(&mut self, entry: u32) {
        let (prev, next) = (self.columns.prev[entry as usize], self.columns.next[entry as usize]);
        self.columns.next[prev as usize] = next;
        self.columns.prev[next as usize] = prev;
        if prev == next {
            // Both neighbours are the head: the list is empty now, and the head's index names the slot.
            let (level, slot) = (prev as usize / SLOTS, prev as usize % SLOTS);
            self.occupied[level][slot / 64] &= !(1 << (slot % 64));
        }
    }

    /// Takes an unused entry, in a generation of its own.
    fn allocate(&mut self, fine: u32) -> u32 {
        let columns = &mut self.columns;
        if self.free == NONE {
            let entry = u32::try_from(columns.next.len()).ok().filter(|&e| e != NONE);
            let entry = entry.expect("a wheel holds fewer than 2^32 timers");
            columns.next.push(NONE);
            columns.prev.push(NONE);
            columns.tick.push(0);
            columns.check.push(fine);
            columns.key.push(0);
            return entry;
        }
        let entry = self.free;
        self.free = columns.next[entry as usize];
        let check = &mut columns.check[(entry - HEADS) as usize];
        *check = (*check & !FINE_MASK).wrapping_add(1 << TICK_BITS) | fine;
        entry
    }

    fn release(&mut self, entry: u32) {
        self.columns.prev[entry as usize] = NONE;
        self.columns.next[entry as usize] = self.free;
        self.free = entry;
        self.len -= 1;
    }
}

/// The level of a tick, by the highest byte in which it differs from the current one.
fn level_of(difference: u64) -> usize {
    match difference {
        0..=0xff => 0,
        0x100..=0xffff => 1,
        0x1_0000..=0xff_ffff => 2,
        _ => 3,
    }
}

fn slot_of(level: usize, tick: u64) -> usize {
    (tick >> (8 * level) & 0xff) as usize
}

#[cfg(test)]
#[path = "wheel_tests.rs"]
mod tests;
