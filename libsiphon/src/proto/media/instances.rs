//! The instances of a node: which are up, and which one a call goes to.
//!
//! ```text
//!   Up --`down_after` failures in a row--> Down --an answer--> HalfOpen --`up_after` answers in a row--> Up
//!   HalfOpen --failure--> Down
//! ```
//! A half-open instance gets one new call at a time while others are up.

use crate::base::time::{Duration, Instant};
use crate::wire::ng::InstanceName;

/// One instance, as configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    /// Its address, and so its name.
    pub name: InstanceName,
    /// Its share of the calls, at least 1.
    pub weight: u32,
    /// How long a command may take there.
    pub timeout: Duration,
}

/// How an instance does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Health {
    /// It answers.
    Up,
    /// It answers again, and has to show that it goes on doing so.
    HalfOpen,
    /// It does not answer.
    Down,
}

/// When an instance counts as down, and as up again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Thresholds {
    /// Failures in a row.
    pub down_after: u32,
    /// Answers in a row.
    pub up_after: u32,
    /// Without pings: how long a down instance is left alone before a call is tried on it.
    pub rest: Duration,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) instance: Instance,
    pub(super) health: Health,
    failures: u32,
    successes: u32,
    failed_at: Instant,
    /// The new call that tries it out while it is half open.
    pub(super) trial: Option<u64>,
    /// When the next ping leaves.
    pub(super) ping_at: Option<Instant>,
    pub(super) pinging: bool,
}

/// Most instances of a node.
pub const MOST: usize = 64;

impl State {
    pub(super) fn new(instance: Instance, ping_at: Option<Instant>) -> Self {
        State {
            instance,
            health: Health::Up,
            failures: 0,
            successes: 0,
            failed_at: Instant::EPOCH,
            trial: None,
            ping_at,
            pinging: false,
        }
    }

    /// It is up, and has not failed since it last answered.
    pub(super) fn is_sound(&self) -> bool {
        self.health == Health::Up && self.failures == 0
    }

    /// It answered. Whether its health changed.
    pub(super) fn answered(&mut self, thresholds: &Thresholds) -> bool {
        let before = self.health;
        self.failures = 0;
        self.successes = self.successes.saturating_add(1);
        self.health = match self.health {
            Health::Down => {
                self.successes = 1;
                if thresholds.up_after <= 1 { Health::Up } else { Health::HalfOpen }
            }
            Health::HalfOpen if self.successes >= thresholds.up_after => Health::Up,
            same => same,
        };
        self.health != before
    }

    /// It did not. Whether its health changed.
    pub(super) fn failed(&mut self, thresholds: &Thresholds, now: Instant) -> bool {
        let before = self.health;
        self.failures = self.failures.saturating_add(1);
        (self.successes, self.failed_at) = (0, now);
        if self.health == Health::HalfOpen || self.failures >= thresholds.down_after {
            self.health = Health::Down;
        }
        self.health != before
    }

    /// Without pings nobody would ever find out that it lives again but a call.
    pub(super) fn rested(&mut self, thresholds: &Thresholds, pings: bool, now: Instant) -> bool {
        let rested = self.health == Health::Down && !pings && now.since(self.failed_at) >= thresholds.rest;
        if rested {
            self.health = Health::HalfOpen;
        }
        rested
    }
}

/// The instance for a new call, of those not in `tried`: by weight, and the same one for the same Call-ID as long as the
/// same are up. `None` when none is up.
pub(super) fn for_new_call(states: &[State], call_id: &str, tried: u64) -> Option<usize> {
    let open = |(index, _): &(usize, &State)| tried & bit(*index) == 0;
    let best = |fits: &dyn Fn(&State) -> bool| {
        let candidates = states.iter().enumerate().filter(open).filter(|(_, state)| fits(state));
        lightest(candidates, call_id)
    };
    best(&|state| state.health == Health::Up || (state.health == Health::HalfOpen && state.trial.is_none()))
        // None is up: then those that may be.
        .or_else(|| best(&|state| state.health == Health::HalfOpen))
}

/// The instance that a call would have gone to with all of them up: where to ask for one that nobody remembers.
pub(super) fn by_call_id(states: &[State], call_id: &str) -> Option<usize> {
    lightest(states.iter().enumerate(), call_id)
}

pub(super) const fn bit(index: usize) -> u64 {
    1u64.wrapping_shl(index as u32)
}

/// Weighted rendezvous hashing: each instance draws a number for the call, and the least one wins. What an instance that
/// is down would have got is spread over the others, and nothing else moves. The hash has no key, so that it is the same
/// after a restart: whoever chooses Call-IDs to fit chooses his engine, and gains nothing by it.
fn lightest<'a>(candidates: impl Iterator<Item = (usize, &'a State)>, call_id: &str) -> Option<usize> {
    let drawn = candidates.map(|(index, state)| {
        let hash = hash(call_id, &state.instance.name.0);
        let uniform = ((hash >> 11) as f64 + 1.0) / (1u64 << 53) as f64;
        (index, -uniform.ln() / f64::from(state.instance.weight.max(1)))
    });
    drawn.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index)
}

/// FNV-1a over both, stirred at the end so that the high bits are as good as the low ones.
fn hash(call_id: &str, name: &str) -> u64 {
    let octets = call_id.bytes().chain([0]).chain(name.bytes());
    let fnv =
        octets.fold(0xcbf2_9ce4_8422_2325, |h: u64, o| (h ^ u64::from(o)).wrapping_mul(0x0100_0000_01b3));
    let stirred = (fnv ^ (fnv >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let stirred = (stirred ^ (stirred >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    stirred ^ (stirred >> 33)
}

#[cfg(test)]
#[path = "instances_tests.rs"]
mod tests;
