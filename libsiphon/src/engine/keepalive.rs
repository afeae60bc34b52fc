//! Keeping the way to phones behind a NAT open: CRLF and OPTIONS pings of the node's bindings (RFC 5626 4.4, 3.5).
//!
//! Bindings change on every shard and in scripts; the pingers are the node's, behind one lock that is taken once per
//! change of a binding. Shard 0 sends what is due.

use crate::base::text::{Octets, Text};
use crate::base::time::{Duration, Instant};
use crate::base::token::Secret;
use crate::engine::contract::{Effect, Effects};
use crate::engine::originate::Originated;
use crate::engine::shard::Shard;
use crate::policy::{OriginatedRequest, Target};
use crate::proto::registrar::{Change, Ping, PingId, PingSettings, Pinger};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The pingers of a node.
#[derive(Debug)]
pub struct Keepalive {
    settings: Vec<PingSettings>,
    secret: Secret,
    pingers: Mutex<Vec<Pinger>>,
    /// The earliest deadline of all, so that looking at it needs no lock.
    deadline: AtomicU64,
}

impl Keepalive {
    /// One pinger for each of `settings`; with none, nothing is pinged.
    pub fn new(settings: Vec<PingSettings>, secret: Secret) -> Self {
        Keepalive { settings, secret, pingers: Mutex::default(), deadline: AtomicU64::new(u64::MAX) }
    }

    /// Takes note of changes of bindings, whoever made them.
    pub fn observe(&self, changes: &[Change], now: Instant) {
        if self.settings.is_empty() || changes.is_empty() {
            return;
        }
        self.with(now, |pingers| {
            for change in changes {
                pingers.iter_mut().for_each(|pinger| pinger.observe(change, now));
            }
        });
    }

    fn with(&self, now: Instant, work: impl FnOnce(&mut [Pinger])) {
        let mut pingers = self.pingers.lock().unwrap_or_else(PoisonError::into_inner);
        if pingers.is_empty() {
            pingers.extend(self.settings.iter().map(|s| Pinger::new(*s, &self.secret, now)));
        }
        work(&mut pingers);
        let next = pingers.iter().filter_map(Pinger::deadline).min().unwrap_or(Instant::FAR);
        self.deadline.store(next.0, Ordering::Relaxed);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let at = Instant(self.deadline.load(Ordering::Relaxed));
        (at != Instant::FAR).then_some(at)
    }
}

/// How long an answer to a ping is waited for; after it the ping counts as missed.
const PATIENCE: Duration = Duration::from_secs(10);

impl Shard {
    /// Sends the pings that are due, and removes the bindings whose phones have fallen silent.
    pub(crate) fn ping_bindings(&mut self, out: &mut Effects) {
        if self.index != 0 || self.node.keepalive.deadline().is_none_or(|at| at > self.now) {
            return;
        }
        let (now, mut due) = (self.now, Vec::new());
        self.node.keepalive.with(now, |pingers| {
            for (nth, pinger) in pingers.iter_mut().enumerate() {
                let mut pings = Vec::new();
                pinger.tick(now, &mut pings);
                due.extend(pings.into_iter().map(|ping| (nth, ping)));
            }
        });
        for (nth, ping) in due {
            match ping {
                Ping::Crlf { egress } => {
                    let bytes = Octets::from(b"\r\n\r\n".as_slice());
                    out.push(Effect::Send { egress, bytes, report: None });
                }
                Ping::Options { id, target } => self.send_ping((nth, id), &target, out),
                Ping::Dead { aor, contact } => {
                    let changes = self.node.registrar.location.remove_binding(&aor, &contact, now);
                    self.tell_bindings(changes, out);
                }
            }
        }
    }

    fn send_ping(&mut self, ping: (usize, PingId), target: &Target, out: &mut Effects) {
        let Some(flow) = target.flow else { return };
        let request = OriginatedRequest {
            method: Text::from("OPTIONS"),
            ruri: target.uri.clone(),
            headers: Vec::new(),
            body: None,
            next_hop: None,
            flow: Some(flow),
            timeout: PATIENCE,
        };
        self.launch_originated(Originated { request, wait: None, ping: Some(ping) }, flow.back(), out);
    }

    /// A response to an OPTIONS of ours came, whatever its code: the phone is there.
    pub(crate) fn ping_answered(&mut self, (nth, id): (usize, PingId)) {
        self.node.keepalive.with(self.now, |pingers| {
            if let Some(pinger) = pingers.get_mut(nth) {
                pinger.answered(id);
            }
        });
    }
}

#[cfg(test)]
#[path = "keepalive_tests.rs"]
mod tests;
