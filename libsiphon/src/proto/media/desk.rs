//! What a node knows of media beside the client: its profiles, and which engine has the sessions of calls that nobody
//! else keeps state of, as a proxy's.

use super::{Half, InstanceName, Leg, Profile, Profiles};
use crate::base::text::Text;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Calls that are remembered; beyond it the oldest is forgotten, and asked for by its Call-ID's hash.
pub const MOST_CALLS: usize = 200_000;

/// A call that has sessions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Where.
    pub instance: InstanceName,
    /// The profile of its offer.
    pub profile: Text,
    /// The tag of the caller: an SDP of his goes towards the callee.
    pub caller: Text,
}

/// Profiles and sessions of a node.
#[derive(Debug)]
pub struct Desk {
    /// The profiles.
    pub profiles: Profiles,
    /// How many instances there are.
    pub instances: usize,
    calls: Mutex<Calls>,
    most: usize,
}

#[derive(Debug, Default)]
struct Calls {
    by_id: BTreeMap<Text, (u64, Kept)>,
    by_age: BTreeMap<u64, Text>,
    last: u64,
}

impl Desk {
    /// With these profiles, for so many instances.
    pub fn new(profiles: Profiles, instances: usize) -> Self {
        Desk { profiles, instances, calls: Mutex::default(), most: MOST_CALLS }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The call has sessions.
    pub fn keep(&self, call_id: &Text, kept: Kept) {
        let mut calls = self.calls();
        calls.forget(call_id);
        if calls.by_id.len() >= self.most
            && let Some((_, oldest)) = calls.by_age.pop_first()
        {
            calls.by_id.remove(&oldest);
        }
        calls.last = calls.last.wrapping_add(1);
        let age = calls.last;
        calls.by_age.insert(age, call_id.clone());
        calls.by_id.insert(call_id.clone(), (age, kept));
    }

    /// What is known of a call.
    pub fn kept(&self, call_id: &str) -> Option<Kept> {
        self.calls().by_id.get(call_id).map(|(_, kept)| kept.clone())
    }

    /// The call has no sessions any more.
    pub fn forget(&self, call_id: &str) {
        self.calls().forget(call_id);
    }

    /// How many calls have sessions.
    pub fn active(&self) -> usize {
        self.calls().by_id.len()
    }
}

impl Calls {
    fn forget(&mut self, call_id: &str) {
        if let Some((age, _)) = self.by_id.remove(call_id) {
            self.by_age.remove(&age);
        }
    }
}

/// The half of a profile for an SDP of `sender`: an offer of the callee's goes the other way than the profile is written.
pub fn half_for(profile: &Profile, sender: &str, caller: &str) -> Arc<Half> {
    if sender == caller { profile.offer.clone() } else { profile.answer.clone() }
}

impl Desk {
    /// The profile named, else that of the call's offer, else [`AUTO`](super::profile::AUTO). `None` when there is none
    /// of that name.
    pub fn profile(&self, named: Option<&str>, kept: Option<&Kept>, sdp: &[u8]) -> Option<(Text, Profile)> {
        let name = named.or(kept.map(|k| &*k.profile)).unwrap_or(super::profile::AUTO);
        Some((name.into(), self.profiles.get(name, Leg::of_sdp(sdp), None)?))
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
