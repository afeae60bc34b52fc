//! The location table (RFC 3261 10.3): the bindings of every address of record, shared by all shards of a node.
//!
//! Stripes by a keyed hash of the address of record, one lock each and one critical section per address of
//! record. A record is one packed allocation; bindings lapse by a timing wheel per stripe, never by a scan.
//!
//! Limits: [`max_aors`](Location::new) addresses of record; one more is [`Full`] (503). Contacts per address are
//! the registrar's to limit.

use super::binding::{AorState, Binding, Change};
use super::stripe::{Stripe, Swept, connection_key, contact_key, drop_lapsed, hash_of};
use crate::base::codec::{Codec, DecodeError};
use crate::base::flow::ConnectionId;
use crate::base::text::Text;
use crate::base::time::{Duration, Instant};
use crate::base::token::Secret;
use crate::event::BindingChange;
use crate::wire::sip::Uri;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long what a script sets for an address of record waits for its first binding.
const PENDING: Duration = Duration::from_secs(60);

/// The table holds as many addresses of record as it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("location table is full")]
pub struct Full;

/// What an update did.
#[derive(Debug)]
pub struct Updated<T> {
    /// What the editor returned.
    pub value: T,
    /// The state it was given.
    pub before: AorState,
    /// The state it left.
    pub after: AorState,
    /// Bindings found lapsed on the way, before their timer fired.
    pub lapsed: Vec<Change>,
}

#[derive(Debug)]
struct Slot {
    /// When the stripe wants to be swept, readable without its lock.
    deadline: AtomicU64,
    /// How many bindings the stripe has, likewise.
    bindings: AtomicUsize,
    stripe: Mutex<Stripe>,
}

/// The location table of a node.
#[derive(Debug)]
pub struct Location {
    slots: Box<[Slot]>,
    secret: Secret,
    max_aors: usize,
    aors: AtomicUsize,
}

impl Location {
    /// An empty table of `stripes` stripes (rounded up to a power of two, 256 at most) whose time is `now`.
    pub fn new(secret: &Secret, stripes: usize, max_aors: usize, now: Instant) -> Self {
        let secret = secret.derive("location");
        let count = stripes.clamp(1, 256).next_power_of_two();
        let slot = |_| Slot {
            deadline: AtomicU64::new(Instant::FAR.0),
            bindings: AtomicUsize::new(0),
            stripe: Mutex::new(Stripe::new(secret, now)),
        };
        Location { slots: (0..count).map(slot).collect(), secret, max_aors, aors: AtomicUsize::new(0) }
    }

    /// How many stripes there are. Shards share out the sweeping of them.
    pub fn stripes(&self) -> usize {
        self.slots.len()
    }

    /// How many addresses of record have a record.
    pub fn aor_count(&self) -> usize {
        self.aors.load(Ordering::Relaxed)
    }

    /// How many bindings there are. One that lapsed counts until its stripe is swept.
    pub fn binding_count(&self) -> usize {
        self.slots.iter().map(|slot| slot.bindings.load(Ordering::Relaxed)).sum()
    }

    /// Edits the state of one address of record in one critical section. The editor sees live bindings only.
    /// When it fails nothing has changed.
    pub fn update<T, E: From<Full>>(
        &self,
        aor: &Text,
        now: Instant,
        edit: impl FnOnce(&mut AorState) -> Result<T, E>,
    ) -> Result<Updated<T>, E> {
        let hash = hash_of(&self.secret, aor);
        let slot = self.slot(hash);
        let mut stripe = lock(slot);
        let stored = stripe.get(hash, aor);
        let known = stored.is_some();
        let mut before = stored.unwrap_or_default();
        // Kept beside what the editor sees only where the two differ.
        let whole = (!before.bindings.iter().all(|b| b.is_live(now))).then(|| before.clone());
        let lapsed = whole.as_ref().map_or_else(Vec::new, |_| drop_lapsed(aor, &mut before, now));
        let mut after = before.clone();
        let value = edit(&mut after)?;
        let keeps = !after.is_empty(now);
        if !known && keeps && !self.take_place() {
            return Err(Full.into());
        }
        let stored = known.then(|| whole.as_ref().unwrap_or(&before));
        if known || keeps {
            let grown = stripe.put(hash, aor, stored, &after, now);
            if grown < 0 {
                self.aors.fetch_sub(1, Ordering::Relaxed);
            }
            publish(slot, &stripe);
        }
        drop(stripe);
        self.follow_aliases(aor, &before.aliases, &after, now);
        Ok(Updated { value, before, after, lapsed })
    }

    /// The live bindings of an address of record or of an alias of one: by q, then the most recent first.
    pub fn lookup(&self, aor: &str, now: Instant) -> Vec<Binding> {
        self.state(aor, now).map(|(_, state)| state.in_order(now)).unwrap_or_default()
    }

    /// The state of an address of record with its live bindings, and its own name when `aor` is an alias of it.
    /// `None` when nothing is known of it.
    pub fn state(&self, aor: &str, now: Instant) -> Option<(Text, AorState)> {
        let hash = hash_of(&self.secret, aor);
        let stripe = lock(self.slot(hash));
        let own = stripe.get(hash, aor).map(|mut state| {
            state.bindings.retain(|b| b.is_live(now));
            (Text::from(aor), state)
        });
        let of = stripe.alias(aor).cloned();
        drop(stripe);
        if own.as_ref().is_some_and(|(_, state)| !state.bindings.is_empty()) {
            return own;
        }
        // The primary's own list has the last word: it is edited first.
        let primary = of.and_then(|of| {
            let hash = hash_of(&self.secret, &of);
            let mut state = lock(self.slot(hash)).get(hash, &of)?;
            state.bindings.retain(|b| b.is_live(now));
            state.aliases.iter().any(|a| **a == *aor).then_some((of, state))
        });
        primary.or(own)
    }

    /// Whether an address of record, or the one it is an alias of, has a live binding.
    pub fn is_registered(&self, aor: &str, now: Instant) -> bool {
        self.state(aor, now).is_some_and(|(_, state)| !state.bindings.is_empty())
    }

    /// The live bindings whose contact is equivalent to `uri` (RFC 3261 19.1.4), with their address of record.
    pub fn lookup_contact(&self, uri: &Uri<'_>, now: Instant) -> Vec<(Text, Binding)> {
        let key = contact_key(&self.secret, uri.as_str());
        let same = |b: &Binding| b.is_live(now) && Uri::parse(&b.uri).is_ok_and(|u| u.same_as(uri));
        let mut found = Vec::new();
        for slot in &self.slots {
            for (_, aor, state) in lock(slot).find(key) {
                found.extend(state.bindings.into_iter().filter(same).map(|b| (aor.clone(), b)));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    /// The records of that keyed hash, for tokens that carry one in place of the name.
    pub(super) fn by_hash(&self, hash: u64) -> Vec<(Text, AorState)> {
        lock(self.slot(hash)).get_by_hash(hash)
    }

    /// The keyed hash under which an address of record is kept.
    pub(super) fn hash(&self, aor: &str) -> u64 {
        hash_of(&self.secret, aor)
    }

    /// Removes all bindings of an address of record.
    pub fn remove(&self, aor: &Text, now: Instant) -> Vec<Change> {
        self.clear(aor, now, BindingChange::Deregistered)
    }

    /// Ends the life of all bindings of an address of record now.
    pub fn expire(&self, aor: &Text, now: Instant) -> Vec<Change> {
        self.clear(aor, now, BindingChange::Expired)
    }

    fn clear(&self, aor: &Text, now: Instant, kind: BindingChange) -> Vec<Change> {
        let emptied = self.update(aor, now, |state| {
            state.pending_until = Instant::EPOCH;
            Ok::<_, Full>(std::mem::take(&mut state.bindings))
        });
        let Ok(Updated { value, lapsed, .. }) = emptied else { return Vec::new() };
        let change = |binding| Change { aor: aor.clone(), kind, binding };
        lapsed.into_iter().chain(value.into_iter().map(change)).collect()
    }

    /// Removes the binding of `aor` with exactly this contact URI, as a failed keepalive asks for.
    pub fn remove_binding(&self, aor: &Text, uri: &str, now: Instant) -> Vec<Change> {
        let removed = self.update(aor, now, |state| {
            Ok::<_, Full>(state.bindings.extract_if(.., |b| *b.uri == *uri).collect::<Vec<_>>())
        });
        let Ok(Updated { value, lapsed, .. }) = removed else { return Vec::new() };
        let change = |binding| Change { aor: aor.clone(), kind: BindingChange::Expired, binding };
        lapsed.into_iter().chain(value.into_iter().map(change)).collect()
    }

    /// A connection of this node is gone.
    ///
    /// Bindings that only it led to are removed: those made for that flow (RFC 5626 4.2.2, 6) and those whose URI
    /// is not where they came from. Others lose the connection and are reached by their URI from now on.
    pub fn flow_gone(&self, connection: ConnectionId, now: Instant) -> Vec<Change> {
        let key = connection_key(&self.secret, connection);
        let mut changes = Vec::new();
        for slot in &self.slots {
            let found = lock(slot).find(key);
            for (_, aor, _) in found {
                let removed = self.update(&aor, now, |state| Ok::<_, Full>(cut_flow(state, connection)));
                let Ok(Updated { value, lapsed, .. }) = removed else { continue };
                changes.extend(lapsed);
                let change = |binding| Change { aor: aor.clone(), kind: BindingChange::Expired, binding };
                changes.extend(value.into_iter().map(change));
            }
        }
        changes
    }

    /// Sets the Service-Route values (RFC 3608) that UAs of this address of record are given. Without bindings
    /// they wait a minute for the first.
    pub fn set_service_routes(&self, aor: &Text, routes: Vec<Text>, now: Instant) -> Result<(), Full> {
        self.set(aor, now, |state| state.service_routes = routes)
    }

    /// Sets the P-Associated-URI values (RFC 7315 4.1), on the same terms.
    pub fn set_associated_uris(&self, aor: &Text, uris: Vec<Text>, now: Instant) -> Result<(), Full> {
        self.set(aor, now, |state| state.associated_uris = uris)
    }

    fn set(&self, aor: &Text, now: Instant, edit: impl FnOnce(&mut AorState)) -> Result<(), Full> {
        self.update(aor, now, |state| {
            edit(state);
            state.pending_until = now + PENDING;
            Ok(())
        })
        .map(|_: Updated<()>| ())
    }

    /// Drops what has lapsed in one stripe.
    pub fn sweep(&self, stripe: usize, now: Instant) -> Vec<Change> {
        let Some(slot) = self.slots.get(stripe) else { return Vec::new() };
        if slot.deadline.load(Ordering::Relaxed) > now.0 {
            return Vec::new();
        }
        let mut swept = Swept::default();
        let mut locked = lock(slot);
        locked.sweep(now, &mut swept);
        publish(slot, &locked);
        drop(locked);
        self.aors.fetch_sub(swept.dropped, Ordering::Relaxed);
        for (alias, aor) in &swept.aliases {
            lock(self.slot(hash_of(&self.secret, alias))).remove_alias(alias, aor);
        }
        swept.changes
    }

    /// When [`sweep`](Self::sweep) of that stripe is due; read without a lock.
    pub fn next_deadline(&self, stripe: usize) -> Option<Instant> {
        let at = Instant(self.slots.get(stripe)?.deadline.load(Ordering::Relaxed));
        (at != Instant::FAR).then_some(at)
    }

    /// The state of an address of record as a value that can leave the process; `None` when there is none.
    pub fn encoded(&self, aor: &str) -> Option<Vec<u8>> {
        let hash = hash_of(&self.secret, aor);
        let state = lock(self.slot(hash)).get(hash, aor)?;
        Some(state.to_bytes())
    }

    /// Puts an encoded state back in place of whatever is there; `None` removes it. Lapsed bindings stay out.
    pub fn restore(&self, aor: &Text, encoded: Option<&[u8]>, now: Instant) -> Result<(), RestoreError> {
        let state = encoded.map(AorState::from_bytes).transpose()?.unwrap_or_default();
        self.update(aor, now, |current| {
            *current = state;
            current.bindings.retain(|b| b.is_live(now));
            Ok::<_, Full>(())
        })?;
        Ok(())
    }

    /// The names of all addresses of record, sorted. Visits every stripe in turn: for administration.
    pub fn names(&self) -> Vec<Text> {
        let mut names = Vec::with_capacity(self.aor_count());
        for slot in &self.slots {
            names.extend(lock(slot).names().map(Text::from));
        }
        names.sort_unstable();
        names
    }

    fn slot(&self, hash: u64) -> &Slot {
        // The upper bits; the hash tables inside use the lower ones first. `slots` is never empty.
        &self.slots[(hash >> 48) as usize & (self.slots.len() - 1)]
    }

    /// Counts one more address of record, where there is room.
    fn take_place(&self) -> bool {
        let more = |n: usize| (n < self.max_aors).then_some(n + 1);
        self.aors.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Brings the alias entries, which live in other stripes, in line with what `after` says.
    fn follow_aliases(&self, aor: &Text, before: &[Text], after: &AorState, now: Instant) {
        let kept: &[Text] = if after.is_empty(now) { &[] } else { &after.aliases };
        if before == kept {
            return;
        }
        for alias in before.iter().filter(|a| !kept.contains(a)) {
            lock(self.slot(hash_of(&self.secret, alias))).remove_alias(alias, aor);
        }
        for alias in kept {
            lock(self.slot(hash_of(&self.secret, alias))).set_alias(alias, aor);
        }
    }

    #[cfg(test)]
    fn packed_size(&self, aor: &str) -> usize {
        let hash = hash_of(&self.secret, aor);
        lock(self.slot(hash)).packed_size(hash, aor)
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize, usize, usize) {
        let add = |a: (usize, usize, usize, usize), b: (usize, usize, usize, usize)| {
            (a.0 + b.0, a.1 + b.1, a.2 + b.2, a.3 + b.3)
        };
        self.slots.iter().map(|s| lock(s).sizes()).fold((0, 0, 0, 0), add)
    }
}

/// Why an encoded state was not put back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RestoreError {
    /// It cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// There is no room for it.
    #[error(transparent)]
    Full(#[from] Full),
}

/// A panic inside a critical section happens before anything is stored, so what a poisoned lock guards is whole.
fn lock(slot: &Slot) -> MutexGuard<'_, Stripe> {
    slot.stripe.lock().unwrap_or_else(PoisonError::into_inner)
}

fn publish(slot: &Slot, stripe: &Stripe) {
    slot.deadline.store(stripe.deadline().0, Ordering::Relaxed);
    slot.bindings.store(stripe.binding_count(), Ordering::Relaxed);
}

/// Takes `connection` from the state; returns the bindings that cannot live without it.
fn cut_flow(state: &mut AorState, connection: ConnectionId) -> Vec<Binding> {
    let mut gone: Vec<Binding> = Vec::new();
    state.bindings.retain_mut(|b| {
        if b.connection() != Some(connection) {
            return true;
        }
        if b.reg_id.is_some() || b.received.is_some() {
            gone.push(b.clone());
            return false;
        }
        b.flow = b.flow.map(|f| crate::base::flow::Flow { connection: None, ..f });
        true
    });
    gone
}

#[cfg(test)]
#[path = "location_tests.rs"]
mod tests;
