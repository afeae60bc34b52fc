//! Timers of scripts: `timer.every`, once per node, and one-shots by key. They fire on shard 0.

use super::generation::Generation;
use super::handler::Handler;
use crate::base::time::{Duration, Instant};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A periodic handler of a generation.
#[derive(Clone)]
pub(crate) struct Every {
    pub(crate) handler: Arc<Handler>,
    pub(crate) period: Duration,
    pub(crate) jitter: Duration,
    pub(crate) name: String,
}

/// A timer that fires once.
pub(crate) struct OneShot {
    pub(crate) key: String,
    pub(crate) delay: Duration,
    pub(crate) handler: Arc<Handler>,
}

/// Something due: its handler, and the generation it belongs to.
pub(crate) struct Due {
    pub(crate) handler: Arc<Handler>,
    pub(crate) generation: Arc<Generation>,
}

enum Entry {
    Once { key: String, handler: Arc<Handler>, generation: Arc<Generation> },
    Every { every: Every, generation: Arc<Generation> },
}

#[derive(Default)]
struct Inner {
    by_time: BTreeMap<(Instant, u64), Entry>,
    by_key: BTreeMap<String, (Instant, u64)>,
    next: u64,
}

/// All timers of a script.
pub(crate) struct Timers {
    inner: Mutex<Inner>,
    /// The earliest deadline in microseconds, readable without the lock.
    earliest: AtomicU64,
}

/// One-shot timers beyond this many are refused.
pub(crate) const MOST_ONE_SHOTS: usize = 100_000;

impl Default for Timers {
    fn default() -> Self {
        Timers { inner: Mutex::default(), earliest: AtomicU64::new(u64::MAX) }
    }
}

impl Timers {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, inner: &Inner) {
        let earliest = inner.by_time.first_key_value().map_or(u64::MAX, |(k, _)| k.0.0);
        self.earliest.store(earliest, Ordering::Release);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.earliest.load(Ordering::Acquire) {
            u64::MAX => None,
            at => Some(Instant(at)),
        }
    }

    /// Sets a one-shot timer; an earlier one of that key is replaced. False when there are too many.
    pub(crate) fn set(&self, shot: OneShot, generation: &Arc<Generation>, now: Instant) -> bool {
        // Dropped after the lock is released: the end of a Python object may run code that sets timers.
        let _replaced;
        let mut inner = self.lock();
        if let Some(at) = inner.by_key.remove(&shot.key) {
            _replaced = inner.by_time.remove(&at);
        }
        if inner.by_key.len() >= MOST_ONE_SHOTS {
            return false;
        }
        let at = inner.slot(now + shot.delay);
        inner.by_key.insert(shot.key.clone(), at);
        let entry = Entry::Once { key: shot.key, handler: shot.handler, generation: generation.clone() };
        inner.by_time.insert(at, entry);
        self.note(&inner);
        true
    }

    /// Cancels a one-shot timer; false when there is none of that key.
    pub(crate) fn cancel(&self, key: &str) -> bool {
        let _gone;
        let mut inner = self.lock();
        let Some(at) = inner.by_key.remove(key) else { return false };
        _gone = inner.by_time.remove(&at);
        self.note(&inner);
        true
    }

    /// Puts the periodic handlers of `generation` in place of those of earlier ones.
    pub(crate) fn replace_every(
        &self,
        generation: &Arc<Generation>,
        now: Instant,
        mut dice: impl FnMut() -> f64,
    ) {
        let mut replaced = BTreeMap::new();
        let mut inner = self.lock();
        for (at, entry) in std::mem::take(&mut inner.by_time) {
            match &entry {
                Entry::Once { .. } => {
                    inner.by_time.insert(at, entry);
                }
                Entry::Every { every, .. } => {
                    replaced.insert(every.name.clone(), (at.0, every.period, entry));
                }
            }
        }
        for every in &generation.every {
            // One that goes on under its name keeps its time: reloads do not put it off.
            let at = match replaced.get(&every.name) {
                Some((at, period, _)) if *period == every.period => *at,
                _ => now + every.period + every.jitter.mul_f64(dice()),
            };
            let at = inner.slot(at);
            inner.by_time.insert(at, Entry::Every { every: every.clone(), generation: generation.clone() });
        }
        self.note(&inner);
    }

    /// Drops the one-shots of generations that are retired; how many there were.
    pub(crate) fn drop_retired(&self) -> usize {
        let mut gone = Vec::new();
        let mut inner = self.lock();
        for (at, entry) in std::mem::take(&mut inner.by_time) {
            match entry {
                Entry::Once { ref key, ref generation, .. } if generation.is_retired() => {
                    inner.by_key.remove(key);
                    gone.push(entry);
                }
                entry => {
                    inner.by_time.insert(at, entry);
                }
            }
        }
        self.note(&inner);
        drop(inner);
        gone.len()
    }

    /// What is due at `now`, in order.
    pub(crate) fn due(&self, now: Instant, mut dice: impl FnMut() -> f64) -> Vec<Due> {
        let mut due = Vec::new();
        if self.deadline().is_none_or(|at| at > now) {
            return due;
        }
        let mut inner = self.lock();
        while let Some(first) = inner.by_time.first_entry() {
            if first.key().0 > now {
                break;
            }
            match first.remove() {
                Entry::Once { key, handler, generation } => {
                    inner.by_key.remove(&key);
                    due.push(Due { handler, generation });
                }
                Entry::Every { every, generation } => {
                    due.push(Due { handler: every.handler.clone(), generation: generation.clone() });
                    // Counted from now: periods missed by a sleeping machine are not made up for.
                    let at = inner.slot(now + every.period + every.jitter.mul_f64(dice()));
                    inner.by_time.insert(at, Entry::Every { every, generation });
                }
            }
        }
        self.note(&inner);
        due
    }
}

impl Inner {
    fn slot(&mut self, at: Instant) -> (Instant, u64) {
        self.next = self.next.wrapping_add(1);
        (at, self.next)
    }
}
