//! Changes of bindings that may still be taken back: a store has not acknowledged them, or the script that made them
//! has not finished.
//!
//! Changes of one address of record are in order, by version. A store writes whole values, each with all older changes in
//! it, so an acknowledgement settles the older ones too, whatever becomes of their own writes. What is undone while a
//! newer change of the same contact stands is undone in what that one would restore.

use super::binding::{AorState, Binding};
use crate::base::text::Text;
use crate::base::time::Instant;
use crate::event::BindingChange;
use crate::wire::sip::Uri;
use hashbrown::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a request did to one contact.
#[derive(Clone, Debug)]
pub(super) struct Touch {
    /// A binding of that contact, for its identity alone.
    pub(super) contact: Binding,
    pub(super) before: Option<Binding>,
    pub(super) after: Option<Binding>,
}

impl Touch {
    fn is_of(&self, contact: &Binding) -> bool {
        is_same_contact(&self.contact, contact)
    }
}

/// One change that is not settled.
#[derive(Debug)]
struct Pending {
    version: u64,
    touches: Vec<Touch>,
    aliases: (Vec<Text>, Vec<Text>),
    /// A newer value that contains it is stored.
    stored: bool,
    /// Its own value contains an older change that was undone since.
    outdated: bool,
}

/// The unsettled changes of a registrar. The number of entries is bounded by that of transactions: each hangs on one.
#[derive(Debug)]
pub(super) struct Unsettled {
    aors: Box<[Mutex<Aors>]>,
    version: AtomicU64,
}

type Aors = HashMap<Text, Vec<Pending>, foldhash::quality::FixedState>;

/// What came of taking a change back.
#[derive(Debug)]
pub(super) enum Undo {
    /// A newer value that contains it is stored: it stands.
    Stands,
    /// These bindings changed.
    Undone(Vec<(BindingChange, Binding)>),
}

impl Unsettled {
    pub(super) fn new() -> Self {
        let stripe = |_| Mutex::default();
        Unsettled { aors: (0..16).map(stripe).collect(), version: AtomicU64::new(0) }
    }

    fn stripe(&self, aor: &str) -> MutexGuard<'_, Aors> {
        let sum = aor.bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
        // There are sixteen.
        self.aors[sum & 15].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A version above all given out before, also by earlier lives of this node as long as its clock goes on.
    pub(super) fn next_version(&self, now: Instant) -> u64 {
        let next = |last: u64| now.0.max(last.saturating_add(1));
        let before = self.version.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        before.map_or(now.0, next)
    }

    /// The contacts that unsettled changes have removed: a request that names one counts, though it finds nothing.
    pub(super) fn removed(&self, aor: &str) -> Vec<Binding> {
        let stripe = self.stripe(aor);
        let touches = stripe.get(aor).into_iter().flatten().flat_map(|pending| &pending.touches);
        touches.filter(|touch| touch.after.is_none()).map(|touch| touch.contact.clone()).collect()
    }

    /// Enters a change. The caller holds the lock of the address of record, so that changes are in order.
    pub(super) fn enter(
        self: &Arc<Self>,
        aor: &Text,
        version: u64,
        touches: Vec<Touch>,
        aliases: (Vec<Text>, Vec<Text>),
    ) -> Rollback {
        let pending = Pending { version, touches, aliases, stored: false, outdated: false };
        self.stripe(aor).entry(aor.clone()).or_default().push(pending);
        Rollback { unsettled: self.clone(), aor: aor.clone(), version }
    }

    /// The value of that version is stored: so is all that is older. True when it holds something that was undone since.
    pub(super) fn stored(&self, aor: &str, version: u64) -> bool {
        self.take(aor, version, |older, pending, _| {
            older.iter_mut().for_each(|p| p.stored = true);
            pending.outdated
        })
        .unwrap_or(false)
    }

    /// The change stands without a store: what is older does not come back over it.
    fn kept(&self, aor: &str, version: u64) {
        self.take(aor, version, |older, pending, _| {
            for touch in &pending.touches {
                older.iter_mut().for_each(|p| p.touches.retain(|t| !t.is_of(&touch.contact)));
            }
        });
    }

    /// Takes a change back in `state`. The caller holds the lock of the address of record. A change that is settled
    /// already stands.
    pub(super) fn undo(&self, aor: &str, version: u64, state: &mut AorState, now: Instant) -> Undo {
        self.take(aor, version, |_, pending, newer| {
            if pending.stored {
                return Undo::Stands;
            }
            let mut changes = Vec::new();
            for touch in pending.touches.iter().rev() {
                let mut over = newer.iter_mut().flat_map(|p| &mut p.touches);
                match over.find(|t| t.is_of(&touch.contact)) {
                    Some(over) => over.before.clone_from(&touch.before),
                    None => changes.extend(undo(state, touch, now)),
                }
            }
            match newer.iter_mut().find(|p| p.aliases.0 != p.aliases.1) {
                Some(over) if over.aliases.0 == pending.aliases.1 => {
                    over.aliases.0.clone_from(&pending.aliases.0);
                }
                None if state.aliases == pending.aliases.1 => state.aliases.clone_from(&pending.aliases.0),
                _ => {}
            }
            newer.iter_mut().for_each(|p| p.outdated = true);
            changes.reverse();
            Undo::Undone(changes)
        })
        .unwrap_or(Undo::Stands)
    }

    /// Takes the entry out and shows it with those before and behind it.
    fn take<R>(
        &self,
        aor: &str,
        version: u64,
        settle: impl FnOnce(&mut [Pending], &Pending, &mut [Pending]) -> R,
    ) -> Option<R> {
        let mut stripe = self.stripe(aor);
        let list = stripe.get_mut(aor)?;
        let at = list.iter().position(|p| p.version == version)?;
        let pending = list.remove(at);
        let (older, newer) = list.split_at_mut_checked(at)?;
        let settled = settle(older, &pending, newer);
        if list.is_empty() {
            stripe.remove(aor);
        }
        Some(settled)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.aors.iter().map(|s| s.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }
}

/// Leads to one change, so that it can be taken back without taking back what others did since. Dropped, it lets the
/// change stand.
#[derive(Debug)]
pub struct Rollback {
    pub(super) unsettled: Arc<Unsettled>,
    pub(super) aor: Text,
    pub(super) version: u64,
}

impl Drop for Rollback {
    fn drop(&mut self) {
        self.unsettled.kept(&self.aor, self.version);
    }
}

/// Undoes one touch where the binding is still as the touch left it.
fn undo(state: &mut AorState, touch: &Touch, now: Instant) -> Option<(BindingChange, Binding)> {
    let before = touch.before.as_ref().filter(|b| b.is_live(now));
    if let Some(after) = &touch.after {
        let at = state.bindings.iter().position(|b| b == after)?;
        return match before {
            Some(before) => {
                *state.bindings.get_mut(at)? = before.clone();
                Some((BindingChange::Refreshed, before.clone()))
            }
            None => Some((BindingChange::Deregistered, state.bindings.remove(at))),
        };
    }
    // Another REGISTER may have made it anew meanwhile.
    let before = before.filter(|before| !state.bindings.iter().any(|b| is_same_contact(b, before)))?;
    state.bindings.push(before.clone());
    Some((BindingChange::Registered, before.clone()))
}

/// Whether two bindings are of one contact: the same flow of the same instance (RFC 5626 6), else an equivalent URI
/// (RFC 3261 10.3 step 7, 19.1.4).
fn is_same_contact(a: &Binding, b: &Binding) -> bool {
    if a.reg_id.is_some() || b.reg_id.is_some() {
        return a.reg_id == b.reg_id && a.instance_id == b.instance_id;
    }
    a.uri == b.uri || matches!((Uri::parse(&a.uri), Uri::parse(&b.uri)), (Ok(a), Ok(b)) if a.same_as(&b))
}

#[cfg(test)]
#[path = "unsettled_tests.rs"]
mod tests;
