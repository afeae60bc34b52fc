//! A named cache of the node: least recently used goes first, entries end with their time to live. In memory.

use crate::base::time::{Duration, Instant};
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Settings of one cache (`cache[]` in the YAML).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// Its name in scripts.
    pub name: String,
    /// How long an entry lives that is stored without a time of its own; `None` for ever.
    pub ttl: Option<Duration>,
    /// Most entries; the least recently used one makes room. Default 10 000.
    pub max_entries: usize,
}

impl CacheSettings {
    /// A cache of that name with default limits.
    pub fn named(name: impl Into<String>) -> Self {
        CacheSettings { name: name.into(), ttl: None, max_entries: 10_000 }
    }
}

/// Longest list under one key; a push beyond it is refused.
const LONGEST_LIST: usize = 10_000;

#[derive(Clone)]
enum Value {
    Text(String),
    List(Vec<String>),
}

struct Entry {
    value: Value,
    until: Option<Instant>,
    used: u64,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<String, Entry, foldhash::fast::RandomState>,
    /// Keys by when they were last used.
    by_use: BTreeMap<u64, String>,
    clock: u64,
}

/// One cache.
pub(crate) struct Cache {
    pub(crate) name: String,
    ttl: Option<Duration>,
    max_entries: usize,
    inner: Mutex<Inner>,
}

impl Cache {
    pub(crate) fn new(settings: &CacheSettings) -> Self {
        Cache {
            name: settings.name.clone(),
            ttl: settings.ttl,
            max_entries: settings.max_entries.max(1),
            inner: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text under `key`.
    pub(crate) fn fetch(&self, key: &str, now: Instant) -> Option<String> {
        match self.lock().touch(key, now)?.value {
            Value::Text(ref text) => Some(text.clone()),
            Value::List(_) => None,
        }
    }

    pub(crate) fn store(&self, key: &str, value: String, ttl: Option<Duration>, now: Instant) {
        let until = ttl.or(self.ttl).map(|ttl| now + ttl);
        self.lock().put(key, Value::Text(value), until, self.max_entries, now);
    }

    pub(crate) fn delete(&self, key: &str, now: Instant) -> bool {
        let mut inner = self.lock();
        inner.touch(key, now).is_some() && inner.remove(key)
    }

    pub(crate) fn exists(&self, key: &str, now: Instant) -> bool {
        self.lock().touch(key, now).is_some()
    }

    pub(crate) fn expire(&self, key: &str, ttl: Duration, now: Instant) -> bool {
        let mut inner = self.lock();
        let Some(entry) = inner.touch(key, now) else { return false };
        entry.until = Some(now + ttl);
        true
    }

    /// The length after the push; `None` when `key` holds text, or the list is full.
    pub(crate) fn list_push(&self, key: &str, item: String, now: Instant) -> Option<usize> {
        let mut inner = self.lock();
        match inner.touch(key, now).map(|entry| &mut entry.value) {
            Some(Value::List(list)) if list.len() < LONGEST_LIST => {
                list.push(item);
                Some(list.len())
            }
            Some(_) => None,
            None => {
                let until = self.ttl.map(|ttl| now + ttl);
                inner.put(key, Value::List(vec![item]), until, self.max_entries, now);
                Some(1)
            }
        }
    }

    pub(crate) fn list_pop_all(&self, key: &str, now: Instant) -> Vec<String> {
        let mut inner = self.lock();
        let taken = match inner.touch(key, now).map(|entry| &mut entry.value) {
            Some(Value::List(list)) => std::mem::take(list),
            _ => return Vec::new(),
        };
        inner.remove(key);
        taken
    }

    /// `None` when `key` holds text; 0 when it holds nothing.
    pub(crate) fn list_len(&self, key: &str, now: Instant) -> Option<usize> {
        match self.lock().touch(key, now).map(|entry| &entry.value) {
            Some(Value::List(list)) => Some(list.len()),
            Some(Value::Text(_)) => None,
            None => Some(0),
        }
    }

    /// Items in all lists whose key begins with `prefix`. Walks the whole cache.
    pub(crate) fn list_len_sum(&self, prefix: &str, now: Instant) -> usize {
        let inner = self.lock();
        let alive =
            inner.entries.iter().filter(|(k, e)| k.starts_with(prefix) && e.until.is_none_or(|u| u > now));
        alive.map(|(_, e)| if let Value::List(list) = &e.value { list.len() } else { 0 }).sum()
    }
}

impl Inner {
    /// The living entry under `key`, which is now the most recently used.
    fn touch(&mut self, key: &str, now: Instant) -> Option<&mut Entry> {
        if self.entries.get(key)?.until.is_some_and(|until| until <= now) {
            self.remove(key);
            return None;
        }
        self.clock = self.clock.wrapping_add(1);
        let entry = self.entries.get_mut(key)?;
        if let Some(name) = self.by_use.remove(&entry.used) {
            self.by_use.insert(self.clock, name);
        }
        entry.used = self.clock;
        Some(entry)
    }

    fn put(&mut self, key: &str, value: Value, until: Option<Instant>, most: usize, now: Instant) {
        if let Some(entry) = self.touch(key, now) {
            (entry.value, entry.until) = (value, until);
            return;
        }
        while self.entries.len() >= most {
            let Some((_, oldest)) = self.by_use.pop_first() else { break };
            self.entries.remove(&oldest);
        }
        self.clock = self.clock.wrapping_add(1);
        self.by_use.insert(self.clock, key.to_owned());
        self.entries.insert(key.to_owned(), Entry { value, until, used: self.clock });
    }

    fn remove(&mut self, key: &str) -> bool {
        let Some(entry) = self.entries.remove(key) else { return false };
        self.by_use.remove(&entry.used);
        true
    }
}
