//! Keepalive of bindings behind NAT over UDP (RFC 5626 4.4.2 in spirit, without STUN): a CRLF or an OPTIONS before
//! the NAT forgets the way, and removal of a binding whose UA has stopped answering.
//!
//! A machine without I/O: it is told what happens to bindings, and pushes what to send. Pings are spread over the
//! interval by a keyed hash of the binding, so a reboot of the network does not make all of them leave at once.

use super::binding::{Binding, Change};
use crate::base::flow::{Egress, Flow, Transport};
use crate::base::text::Text;
use crate::base::time::{Duration, Instant};
use crate::base::token::Secret;
use crate::base::wheel::{TimerId, Wheel};
use crate::event::BindingChange;
use crate::policy::Target;
use hashbrown::HashMap;
use std::collections::VecDeque;

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

#[derive(Debug)]
struct Entry {
    name: Name,
    flow: Flow,
    target: Target,
    timer: Option<TimerId>,
    /// A ping is out that was not answered.
    unanswered: bool,
    misses: u32,
}

/// Address of record and contact URI.
type Name = (Text, Text);

/// Keeps the bindings of a node alive.
#[derive(Debug)]
pub struct Pinger {
    settings: PingSettings,
    secret: Secret,
    entries: HashMap<u64, Entry, foldhash::fast::FixedState>,
    ids: HashMap<Name, u64, foldhash::quality::FixedState>,
    next_id: u64,
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
            entries: HashMap::default(),
            ids: HashMap::default(),
            next_id: 0,
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
        let name = (change.aor.clone(), change.binding.uri.clone());
        let kept = matches!(change.kind, BindingChange::Registered | BindingChange::Refreshed);
        match needs_keepalive(&change.binding).filter(|_| kept) {
            Some(flow) => self.keep(name, flow, &change.binding, now),
            None => self.forget(&name),
        }
    }

    fn keep(&mut self, name: Name, flow: Flow, binding: &Binding, now: Instant) {
        if let Some(entry) = self.ids.get(&name).and_then(|id| self.entries.get_mut(id)) {
            entry.flow = flow;
            entry.target = binding.target();
            // A REGISTER is as good a sign of life as an answer.
            entry.misses = 0;
            entry.unanswered = false;
            return;
        }
        if self.entries.len() >= self.settings.max_bindings {
            self.unpinged += 1;
            return;
        }
        let id = self.next_id;
        self.next_id += 1;
        let interval = u64::try_from(self.settings.interval.as_micros()).unwrap_or(u64::MAX).max(1);
        let phase = self.secret.mac(&[name.0.as_bytes(), name.1.as_bytes()]) % interval;
        let timer = Some(self.wheel.add(now + Duration::from_micros(phase), id));
        self.ids.insert(name.clone(), id);
        let entry = Entry { name, flow, target: binding.target(), timer, unanswered: false, misses: 0 };
        self.entries.insert(id, entry);
    }

    fn forget(&mut self, name: &Name) {
        let Some(entry) = self.ids.remove(name).and_then(|id| self.entries.remove(&id)) else { return };
        if let Some(timer) = entry.timer {
            self.wheel.cancel(timer);
        }
    }

    /// A response to an OPTIONS came, whatever its code: the UA is there.
    pub fn answered(&mut self, id: PingId) {
        if let Some(entry) = self.entries.get_mut(&id.0) {
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
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        entry.misses += u32::from(entry.unanswered);
        if entry.misses >= settings.failure_threshold {
            let name = entry.name.clone();
            entry.timer = None;
            self.forget(&name);
            out.push(Ping::Dead { aor: name.0, contact: name.1 });
            return true;
        }
        out.push(match settings.method {
            PingMethod::Crlf => Ping::Crlf { egress: entry.flow.back() },
            PingMethod::Options => {
                entry.unanswered = true;
                Ping::Options { id: PingId(id), target: entry.target.clone() }
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
