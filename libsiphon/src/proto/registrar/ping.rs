//! Keepalive of bindings behind NAT over UDP (RFC 5626 4.4.2 in spirit, without STUN): a CRLF or an OPTIONS before
//! the NAT forgets the way, and removal of a binding whose UA has stopped answering.
//!
//! A machine without I/O: it is told what happens to bindings, and pushes what to send. Pings are spread over the
//! interval by a keyed hash of the binding, so a reboot of the network does not make all of them leave at once.

use super::binding::{Binding, Change};
use crate::base::flow::{Egress, Flow, Transport};
use crate::base::slab::{Key, Slab};
use crate::base::text::Text;
use crate::base::time::{Duration, Instant};
use crate::base::token::Secret;
use crate::base::wheel::{TimerId, Wheel};
use crate::event::BindingChange;
use crate::policy::Target;
use hashbrown::HashTable;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::net::SocketAddr;

/// What a ping is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PingMethod {
    /// An OPTIONS request, which a UA answers: failures are noticed.
    #[default]
    Options,
    /// Two CRLF, which keep the NAT open and which nobody answers over UDP: failures are not noticed.
    Crlf,
}

/// Settings of the keepalive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PingSettings {
    /// What is sent.
    pub method: PingMethod,
    /// Time between two pings of one binding. Default 30 s.
    pub interval: Duration,
    /// Pings in a row without an answer after which a binding is removed. Default 10.
    pub failure_threshold: u32,
    /// Most pings pushed by one [`Pinger::tick`]; the rest follows 10 ms later. Default 100.
    pub per_tick: usize,
    /// Most bindings kept alive; further ones are not pinged, and counted. Default 200,000.
    pub max_bindings: usize,
}

impl Default for PingSettings {
    fn default() -> Self {
        PingSettings {
            method: PingMethod::default(),
            interval: Duration::from_secs(30),
            failure_threshold: 10,
            per_tick: 100,
            max_bindings: 200_000,
        }
    }
}

/// Names one pinged binding. It is never used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PingId(pub u64);

/// What is to be done.
#[derive(Clone, PartialEq, Debug)]
pub enum Ping {
    /// Send CRLF CRLF.
    Crlf {
        /// Where to.
        egress: Egress,
    },
    /// Send an OPTIONS and report any response with [`Pinger::answered`].
    Options {
        /// Goes back with the answer.
        id: PingId,
        /// Where to, and for which Request-URI.
        target: Target,
    },
    /// The UA has not answered: remove the binding
    /// ([`Location::remove_binding`](super::Location::remove_binding)).
    Dead {
        /// Address of record.
        aor: Text,
        /// Contact URI.
        contact: Text,
    },
}

/// How long what exceeds one tick waits.
const BACKLOG_DELAY: Duration = Duration::from_millis(10);

/// One binding that is pinged. Small, for there is one per phone: the target is made of it anew for each ping.
#[derive(Debug)]
struct Entry {
    aor: Text,
    contact: Text,
    remote: SocketAddr,
    /// Where the REGISTER came from, when that is not `remote`.
    received: Option<Box<SocketAddr>>,
    timer: Option<TimerId>,
    misses: u32,
    q: u16,
    /// The address of ours that the flow ends at, by its place in [`Pinger::locals`].
    local: u16,
    /// A ping is out that was not answered.
    unanswered: bool,
}

impl Entry {
    fn is(&self, aor: &str, contact: &str) -> bool {
        *self.aor == *aor && *self.contact == *contact
    }
}

/// Keeps the bindings of a node alive.
#[derive(Debug)]
pub struct Pinger {
    settings: PingSettings,
    secret: Secret,
    entries: Slab<Entry>,
    /// Entries by address of record and contact URI.
    names: HashTable<Key>,
    hasher: foldhash::quality::FixedState,
    /// The local addresses met, a listener's each.
    locals: Vec<SocketAddr>,
    wheel: Wheel,
    /// Due, but beyond what one tick may push.
    backlog: VecDeque<u64>,
    resume_at: Instant,
    unpinged: u64,
}

impl Pinger {
    /// A pinger without bindings whose time is `now`.
    pub fn new(settings: PingSettings, secret: &Secret, now: Instant) -> Self {
        Pinger {
            settings,
            secret: secret.derive("keepalive"),
            entries: Slab::default(),
            names: HashTable::new(),
            hasher: Default::default(),
            locals: Vec::new(),
            wheel: Wheel::new(now),
            backlog: VecDeque::new(),
            resume_at: now,
            unpinged: 0,
        }
    }

    /// How many bindings are kept alive.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many times a binding was not taken in for want of room.
    pub fn unpinged(&self) -> u64 {
        self.unpinged
    }

    /// Takes note of a change of a binding.
    pub fn observe(&mut self, change: &Change, now: Instant) {
        let kept = matches!(change.kind, BindingChange::Registered | BindingChange::Refreshed);
        match needs_keepalive(&change.binding).filter(|_| kept) {
            Some(flow) => self.keep(&change.aor, flow, &change.binding, now),
            None => self.forget(&change.aor, &change.binding.uri),
        }
    }

    fn hash(&self, aor: &str, contact: &str) -> u64 {
        self.hasher.hash_one((aor, contact))
    }

    fn find(&self, aor: &str, contact: &str) -> Option<Key> {
        let is_it = |key: &Key| self.entries.get(*key).is_some_and(|entry| entry.is(aor, contact));
        self.names.find(self.hash(aor, contact), is_it).copied()
    }

    /// The place of one of our addresses; `None` beyond any number of listeners.
    fn place_of(&mut self, local: SocketAddr) -> Option<u16> {
        let known = self.locals.iter().position(|l| *l == local);
        let place = u16::try_from(known.unwrap_or(self.locals.len())).ok()?;
        if known.is_none() {
            self.locals.push(local);
        }
        Some(place)
    }

    fn keep(&mut self, aor: &Text, flow: Flow, binding: &Binding, now: Instant) {
        let known = self.find(aor, &binding.uri);
        let room = known.is_some() || self.entries.len() < self.settings.max_bindings;
        let Some(local) = self.place_of(flow.local).filter(|_| room) else {
            self.unpinged += 1;
            return;
        };
        let received = binding.received.filter(|r| *r != flow.remote).map(Box::new);
        if let Some(entry) = known.and_then(|key| self.entries.get_mut(key)) {
            (entry.remote, entry.local, entry.received, entry.q) = (flow.remote, local, received, binding.q);
            // A REGISTER is as good a sign of life as an answer.
            entry.misses = 0;
            entry.unanswered = false;
            return;
        }
        let interval = u64::try_from(self.settings.interval.as_micros()).unwrap_or(u64::MAX).max(1);
        let phase = self.secret.mac(&[aor.as_bytes(), binding.uri.as_bytes()]) % interval;
        let wheel = &mut self.wheel;
        let key = self.entries.insert_with(|key| Entry {
            aor: aor.clone(),
            contact: binding.uri.clone(),
            remote: flow.remote,
            received,
            timer: Some(wheel.add(now + Duration::from_micros(phase), key.to_u64())),
            misses: 0,
            q: binding.q,
            local,
            unanswered: false,
        });
        let (hash, entries, hasher) = (self.hash(aor, &binding.uri), &self.entries, &self.hasher);
        self.names.insert_unique(hash, key, |key| {
            entries.get(*key).map_or(0, |entry| hasher.hash_one((&*entry.aor, &*entry.contact)))
        });
    }

    fn forget(&mut self, aor: &str, contact: &str) {
        let Some(key) = self.find(aor, contact) else { return };
        if let Ok(found) = self.names.find_entry(self.hash(aor, contact), |k| *k == key) {
            found.remove();
        }
        if let Some(timer) = self.entries.remove(key).and_then(|entry| entry.timer) {
            self.wheel.cancel(timer);
        }
    }

    /// A response to an OPTIONS came, whatever its code: the UA is there.
    pub fn answered(&mut self, id: PingId) {
        if let Some(entry) = self.entries.get_mut(Key::from_u64(id.0)) {
            entry.unanswered = false;
            entry.misses = 0;
        }
    }

    /// When [`tick`](Self::tick) must be called next.
    pub fn deadline(&self) -> Option<Instant> {
        match self.backlog.is_empty() {
            true => self.wheel.next_deadline(),
            false => Some(self.resume_at),
        }
    }

    /// Pushes what is due.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<Ping>) {
        let mut due = Vec::new();
        self.wheel.expire(now, &mut due);
        self.backlog.extend(due);
        if now < self.resume_at {
            return;
        }
        let mut left = self.settings.per_tick.max(1);
        while left > 0 {
            let Some(id) = self.backlog.pop_front() else { return };
            left -= usize::from(self.serve(id, now, out));
        }
        self.resume_at = now + BACKLOG_DELAY;
    }

    /// Serves one binding whose turn has come; returns whether it is still there.
    fn serve(&mut self, id: u64, now: Instant, out: &mut Vec<Ping>) -> bool {
        let settings = self.settings;
        let Some(entry) = self.entries.get_mut(Key::from_u64(id)) else { return false };
        let Some(local) = self.locals.get(usize::from(entry.local)).copied() else { return false };
        entry.misses += u32::from(entry.unanswered);
        if entry.misses >= settings.failure_threshold {
            let (aor, contact) = (entry.aor.clone(), entry.contact.clone());
            entry.timer = None;
            self.forget(&aor, &contact);
            out.push(Ping::Dead { aor, contact });
            return true;
        }
        let flow = Flow { transport: Transport::Udp, local, remote: entry.remote, connection: None };
        out.push(match settings.method {
            PingMethod::Crlf => Ping::Crlf { egress: flow.back() },
            PingMethod::Options => {
                entry.unanswered = true;
                let received = entry.received.as_deref().copied().or(Some(entry.remote));
                let target =
                    Target { flow: Some(flow), received, q: entry.q, ..Target::uri(entry.contact.clone()) };
                Ping::Options { id: PingId(id), target }
            }
        });
        entry.timer = Some(self.wheel.add(now + settings.interval, id));
        true
    }
}

/// The flow to keep open: a UDP flow straight to a UA that is not where its URI says.
fn needs_keepalive(binding: &Binding) -> Option<Flow> {
    let hidden = binding.path.is_empty() && binding.received.is_some();
    binding.flow.filter(|flow| hidden && flow.transport == Transport::Udp)
}

#[cfg(test)]
#[path = "ping_tests.rs"]
mod tests;
