//! DNS lookups for RFC 3263: asynchronous, coalesced over the node, cached by TTL, negative answers too (RFC 2308).
//!
//! One background thread runs the resolver. A shard that asks gets what the cache knows at once and everything
//! else through its callback; it never waits. Names are looked up one record type at a time, as the locator asks.

use crate::base::time::Duration;
use crate::proto::locate::{Lookup, Records};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::mpsc;

/// Answers DNS questions without ever blocking its caller, which is a shard.
pub trait Names: Send + Sync {
    /// Looks something up. `Some` is the answer, known already; otherwise `done` is called with it, once,
    /// from another thread.
    fn look_up(&self, lookup: &Lookup, done: Done) -> Option<Records>;
}

/// What a lookup calls with its answer.
pub type Done = Box<dyn FnOnce(Records) + Send>;

/// How names are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSettings {
    /// Servers to ask; empty takes those of the system (`/etc/resolv.conf`), with its search list and hosts file.
    pub servers: Vec<SocketAddr>,
    /// How long one question may take in all; after it the answer is empty.
    pub timeout: Duration,
    /// How often a server is asked within that time.
    pub attempts: usize,
    /// Answers that are kept; the one that expires first makes room for a new one.
    pub max_entries: usize,
    /// Questions that may be open at a time; one more is answered empty at once, and not cached.
    pub max_open: usize,
    /// No answer is kept for longer, whatever its TTL.
    pub max_ttl: Duration,
    /// How long "there is no such record" is kept where the answer does not say (RFC 2308 5), and at most.
    pub negative_ttl: Duration,
    /// How long a server failure or time-out is kept, so that an outage is not asked about for each call
    /// (RFC 2308 7: at most 5 minutes).
    pub failure_ttl: Duration,
}

impl Default for DnsSettings {
    fn default() -> Self {
        DnsSettings {
            servers: Vec::new(),
            timeout: Duration::from_secs(4),
            attempts: 2,
            max_entries: 4096,
            max_open: 1024,
            max_ttl: Duration::from_secs(86_400),
            negative_ttl: Duration::from_secs(30),
            failure_ttl: Duration::from_secs(2),
        }
    }
}

/// Records taken from one answer; more are passed over.
pub const MAX_RECORDS: usize = 32;

/// The node's DNS client.
pub struct Dns {
    cache: Arc<Cache>,
    questions: mpsc::UnboundedSender<Lookup>,
}

struct Cache {
    entries: Mutex<Entries>,
    settings: DnsSettings,
}

#[derive(Default)]
struct Entries {
    known: HashMap<Lookup, (Records, Instant)>,
    /// Questions on their way, with everybody who waits for the answer.
    open: HashMap<Lookup, Vec<Done>>,
    waiting: usize,
}

/// Waiters of all open questions together, per open question allowed.
const WAITERS_PER_QUESTION: usize = 16;

impl Cache {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self, lookup: Lookup, records: Records, ttl: Duration) {
        let waiters = {
            let mut entries = self.entries();
            let waiters = entries.open.remove(&lookup).unwrap_or_default();
            entries.waiting = entries.waiting.saturating_sub(waiters.len());
            let now = Instant::now();
            if !ttl.is_zero() && entries.make_room(self.settings.max_entries, now) {
                entries.known.insert(lookup, (records.clone(), now + ttl));
            }
            waiters
        };
        for done in waiters {
            done(records.clone());
        }
    }
}

impl Entries {
    /// Makes room for one more answer; false when there can be none.
    fn make_room(&mut self, max: usize, now: Instant) -> bool {
        if self.known.len() >= max {
            self.known.retain(|_, (_, until)| *until > now);
        }
        if self.known.len() >= max
            && let Some(first) =
                self.known.iter().min_by_key(|(_, (_, until))| *until).map(|(k, _)| k.clone())
        {
            self.known.remove(&first);
        }
        self.known.len() < max
    }
}

impl Names for Dns {
    fn look_up(&self, lookup: &Lookup, done: Done) -> Option<Records> {
        let lookup = normal(lookup);
        let settings = &self.cache.settings;
        let mut entries = self.cache.entries();
        if let Some((records, until)) = entries.known.get(&lookup)
            && *until > Instant::now()
        {
            return Some(records.clone());
        }
        let too_many = entries.waiting >= settings.max_open.saturating_mul(WAITERS_PER_QUESTION);
        if let Some(waiters) = entries.open.get_mut(&lookup) {
            if too_many {
                return Some(nothing(&lookup));
            }
            waiters.push(done);
        } else if entries.open.len() >= settings.max_open || self.questions.send(lookup.clone()).is_err() {
            return Some(nothing(&lookup));
        } else {
            entries.open.insert(lookup, vec![done]);
        }
        entries.waiting += 1;
        None
    }
}

impl Dns {
    /// Starts the background thread.
    pub fn start(settings: DnsSettings) -> io::Result<Self> {
        let (questions, asked) = mpsc::unbounded_channel();
        let cache = Arc::new(Cache { entries: Mutex::default(), settings });
        let of_thread = cache.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .name("dns".into())
            .spawn(move || runtime.block_on(answer(asked, of_thread)))?;
        Ok(Dns { cache, questions })
    }

    /// How many answers are known.
    pub fn len(&self) -> usize {
        self.cache.entries().known.len()
    }

    /// Whether no answer is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets every answer.
    pub fn clear(&self) {
        self.cache.entries().known.clear();
    }
}

/// Ends when the last [`Dns`] is gone.
async fn answer(mut asked: mpsc::UnboundedReceiver<Lookup>, cache: Arc<Cache>) {
    let resolver = match records::resolver(&cache.settings) {
        Ok(resolver) => Some(resolver),
        Err(error) => {
            tracing::warn!(%error, "no DNS servers: only IP addresses can be reached");
            None
        }
    };
    while let Some(lookup) = asked.recv().await {
        let (cache, resolver) = (cache.clone(), resolver.clone());
        tokio::spawn(async move {
            let settings = &cache.settings;
            let (records, ttl) = match &resolver {
                Some(resolver) => {
                    let answer = records::look_up(resolver, &lookup, settings);
                    let failed = || (nothing(&lookup), settings.failure_ttl);
                    tokio::time::timeout(settings.timeout, answer).await.unwrap_or_else(|_| failed())
                }
                None => (nothing(&lookup), settings.failure_ttl),
            };
            cache.answered(lookup, records, ttl.min(settings.max_ttl));
        });
    }
}

/// Names compare without regard to case and to the final dot (RFC 4343).
fn normal(lookup: &Lookup) -> Lookup {
    let name = |text: &str| text.trim_end_matches('.').to_ascii_lowercase().into();
    match lookup {
        Lookup::Naptr(text) => Lookup::Naptr(name(text)),
        Lookup::Srv(text) => Lookup::Srv(name(text)),
        Lookup::Addresses(text) => Lookup::Addresses(name(text)),
    }
}

/// The empty answer to a lookup.
fn nothing(lookup: &Lookup) -> Records {
    match lookup {
        Lookup::Naptr(_) => Records::Naptr(Vec::new()),
        Lookup::Srv(_) => Records::Srv(Vec::new()),
        Lookup::Addresses(_) => Records::Addresses(Vec::new()),
    }
}

#[path = "dns_records.rs"]
mod records;

#[cfg(test)]
#[path = "dns_tests.rs"]
mod tests;
