//! One stripe of the location table: packed records, their timers, and the indexes by contact and connection.

use super::binding::{AorState, Binding, Change};
use super::intern::Interner;
use super::pack::{Shared, SharedIn, Unpacker, pack, put_text, release, unpack};
use crate::base::flow::ConnectionId;
use crate::base::text::Text;
use crate::base::time::Instant;
use crate::base::token::Secret;
use crate::base::wheel::{TimerId, Wheel};
use crate::event::BindingChange;
use hashbrown::{HashMap, HashTable};
use smallvec::SmallVec;

/// An address of record: its name, then its packed state, in one allocation.
#[derive(Debug)]
struct Record {
    packed: Box<[u8]>,
    timer: TimerId,
}

impl Record {
    fn aor(&self) -> &str {
        Unpacker::new(&self.packed, SharedIn::Inline).text().unwrap_or_default()
    }

    fn state(&self, interner: &Interner) -> AorState {
        let mut unpacker = Unpacker::new(&self.packed, SharedIn::Interned(interner));
        // What is in the table was packed here; a fault would be ours, and an empty state is the safe reading.
        unpacker.text().and_then(|_| unpack(&mut unpacker)).unwrap_or_default()
    }
}

/// Leads from a contact or a connection to the record that may have it. Keys may collide; the record decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Ref {
    key: u32,
    /// The record's hash, in two halves so that an entry takes 12 octets.
    record: [u32; 2],
}

impl Ref {
    fn new(key: u32, hash: u64) -> Self {
        Ref { key, record: [(hash >> 32) as u32, hash as u32] }
    }

    fn hash(&self) -> u64 {
        u64::from(self.record[0]) << 32 | u64::from(self.record[1])
    }
}

/// Spreads a key over the 64 bits that the hash table looks at.
fn spread(key: u32) -> u64 {
    u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

type Keys = SmallVec<[u32; 4]>;

/// One stripe. The caller holds its lock.
#[derive(Debug)]
pub(super) struct Stripe {
    records: HashTable<Record>,
    index: HashTable<Ref>,
    aliases: HashMap<Text, Text, foldhash::quality::FixedState>,
    interner: Interner,
    wheel: Wheel,
    secret: Secret,
    /// Bindings in all records.
    bindings: usize,
    /// Reused for packing.
    scratch: Vec<u8>,
}

/// What a sweep of a stripe found.
#[derive(Debug, Default)]
pub(super) struct Swept {
    /// Bindings that lapsed.
    pub(super) changes: Vec<Change>,
    /// Aliases that lead nowhere any more, with the address of record they led to.
    pub(super) aliases: Vec<(Text, Text)>,
    /// How many addresses of record were dropped.
    pub(super) dropped: usize,
}

impl Stripe {
    pub(super) fn new(secret: Secret, start: Instant) -> Self {
        Stripe {
            records: HashTable::new(),
            index: HashTable::new(),
            aliases: HashMap::default(),
            interner: Interner::default(),
            wheel: Wheel::new(start),
            secret,
            bindings: 0,
            scratch: Vec::new(),
        }
    }

    /// When [`sweep`](Self::sweep) must run next.
    pub(super) fn deadline(&self) -> Instant {
        self.wheel.next_deadline().unwrap_or(Instant::FAR)
    }

    /// How many bindings there are, lapsed ones that were not swept yet included.
    pub(super) fn binding_count(&self) -> usize {
        self.bindings
    }

    /// What is stored for `aor`, lapsed bindings included.
    pub(super) fn get(&self, hash: u64, aor: &str) -> Option<AorState> {
        self.records.find(hash, |r| r.aor() == aor).map(|r| r.state(&self.interner))
    }

    /// Every record of that hash: one, barring a collision of 64 bits.
    pub(super) fn get_by_hash(&self, hash: u64) -> Vec<(Text, AorState)> {
        let found = self.records.iter_hash(hash).map(|r| (Text::from(r.aor()), r.state(&self.interner)));
        found.filter(|(aor, _)| hash_of(&self.secret, aor) == hash).collect()
    }

    /// Replaces `old`, which is what [`get`](Self::get) gave, by `new`; an empty `new` removes the record.
    /// Returns by how much the number of records grew.
    pub(super) fn put(
        &mut self,
        hash: u64,
        aor: &str,
        old: Option<&AorState>,
        new: &AorState,
        now: Instant,
    ) -> isize {
        let gone = new.is_empty(now);
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        if !gone {
            put_text(&mut scratch, aor);
            pack(new, &mut Shared::Interned(&mut self.interner), &mut scratch);
        }
        // Copied to size: growing in place would leave the slack in the heap.
        let packed: Box<[u8]> = scratch.as_slice().into();
        self.scratch = scratch;
        // Released after the new state has acquired, so that a text in both never leaves the table.
        if let Some(old) = old {
            release(old, &mut self.interner);
        }
        let empty = AorState::default();
        let (before, after) = (old.unwrap_or(&empty), if gone { &empty } else { new });
        self.reindex(hash, before, after);
        self.bindings = (self.bindings + after.bindings.len()).saturating_sub(before.bindings.len());
        let secret = self.secret;
        let entry = self.records.entry(hash, |r| r.aor() == aor, |r| hash_of(&secret, r.aor()));
        match entry {
            hashbrown::hash_table::Entry::Occupied(mut entry) => {
                self.wheel.cancel(entry.get().timer);
                if gone {
                    entry.remove();
                    return -1;
                }
                let timer = self.wheel.add(new.deadline(), hash);
                *entry.get_mut() = Record { packed, timer };
                0
            }
            hashbrown::hash_table::Entry::Vacant(_) if gone => 0,
            hashbrown::hash_table::Entry::Vacant(entry) => {
                let timer = self.wheel.add(new.deadline(), hash);
                entry.insert(Record { packed, timer });
                1
            }
        }
    }

    /// Drops what has lapsed at `now`.
    pub(super) fn sweep(&mut self, now: Instant, swept: &mut Swept) {
        let mut due = Vec::new();
        self.wheel.expire(now, &mut due);
        for hash in due {
            for (aor, old) in self.get_by_hash(hash) {
                let mut new = old.clone();
                swept.changes.extend(drop_lapsed(&aor, &mut new, now));
                if self.put(hash, &aor, Some(&old), &new, now) < 0 {
                    swept.dropped += 1;
                    swept.aliases.extend(old.aliases.iter().map(|alias| (alias.clone(), aor.clone())));
                }
            }
        }
    }

    /// The records that may have a binding of that contact key or connection key.
    pub(super) fn find(&self, key: u32) -> Vec<(u64, Text, AorState)> {
        let mut hashes: Vec<u64> =
            self.index.iter_hash(spread(key)).filter(|r| r.key == key).map(Ref::hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        let records = |hash| self.get_by_hash(hash).into_iter().map(move |(aor, state)| (hash, aor, state));
        hashes.into_iter().flat_map(records).collect()
    }

    /// The address of record that `alias` stands for.
    pub(super) fn alias(&self, alias: &str) -> Option<&Text> {
        self.aliases.get(alias)
    }

    /// Makes `alias` stand for `aor`.
    pub(super) fn set_alias(&mut self, alias: &Text, aor: &Text) {
        self.aliases.insert(alias.clone(), aor.clone());
    }

    /// Forgets `alias` where it stands for `aor`.
    pub(super) fn remove_alias(&mut self, alias: &str, aor: &str) {
        if self.aliases.get(alias).is_some_and(|of| **of == *aor) {
            self.aliases.remove(alias);
        }
    }

    /// Every address of record, in no order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.records.iter().map(Record::aor)
    }

    fn reindex(&mut self, hash: u64, old: &AorState, new: &AorState) {
        let unchanged = |(a, b): (&Binding, &Binding)| a.uri == b.uri && a.connection() == b.connection();
        if old.bindings.len() == new.bindings.len() && old.bindings.iter().zip(&new.bindings).all(unchanged) {
            return;
        }
        let (old, new) = (self.keys_of(old), self.keys_of(new));
        for key in old {
            let entry = Ref::new(key, hash);
            if let Ok(found) = self.index.find_entry(spread(key), |r| *r == entry) {
                found.remove();
            }
        }
        for key in new {
            self.index.insert_unique(spread(key), Ref::new(key, hash), |r| spread(r.key));
        }
    }

    fn keys_of(&self, state: &AorState) -> Keys {
        let mut keys = Keys::new();
        for binding in &state.bindings {
            keys.push(contact_key(&self.secret, &binding.uri));
            keys.extend(binding.connection().map(|id| connection_key(&self.secret, id)));
        }
        keys
    }

    #[cfg(test)]
    pub(super) fn packed_size(&self, hash: u64, aor: &str) -> usize {
        self.records.find(hash, |r| r.aor() == aor).map_or(0, |r| r.packed.len())
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize, usize, usize) {
        (self.records.len(), self.index.len(), self.aliases.len(), self.interner.len())
    }
}

/// The keyed hash that chooses stripe and slot: peers choose names, so they must not foresee it.
pub(super) fn hash_of(secret: &Secret, aor: &str) -> u64 {
    secret.mac(&[aor.as_bytes()])
}

/// Takes lapsed bindings out of `state` and tells them.
pub(super) fn drop_lapsed(aor: &Text, state: &mut AorState, now: Instant) -> Vec<Change> {
    let lapsed = state.bindings.extract_if(.., |b| !b.is_live(now));
    lapsed.map(|binding| Change { aor: aor.clone(), kind: BindingChange::Expired, binding }).collect()
}

/// A number that URIs equal by RFC 3261 19.1.4 share: it looks at user, host and port alone, in one case.
pub(super) fn contact_key(secret: &Secret, uri: &str) -> u32 {
    let end = uri.find([';', '?']).unwrap_or(uri.len());
    let mut head = crate::wire::sip::unescape(uri.get(..end).unwrap_or(uri)).into_owned();
    head.make_ascii_lowercase();
    secret.mac(&[head.as_bytes()]) as u32
}

/// As [`contact_key`], for a connection.
pub(super) fn connection_key(secret: &Secret, id: ConnectionId) -> u32 {
    secret.mac(&[&[id.shard], &id.slot.to_be_bytes(), &id.generation.to_be_bytes()]) as u32
}
