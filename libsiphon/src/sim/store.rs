//! The store of bindings that a simulated network has: it keeps encoded values, acknowledges late, refuses, or stays
//! silent. A node that is built anew starts from what is in it.

use crate::base::text::Text;
use crate::base::time::Duration;
use crate::policy::Commit;
use std::collections::BTreeMap;

/// Encoded values by key, and how the store behaves. Shares are per thousand.
#[derive(Debug, Default)]
pub struct Store {
    /// With the version they were written with; a removal leaves its version.
    values: BTreeMap<Text, (u64, Option<Vec<u8>>)>,
    /// An acknowledgement takes between these two.
    pub delay: (Duration, Duration),
    /// Commits that are refused.
    pub refused: u32,
    /// Commits that are never answered, and not stored.
    pub silent: u32,
    /// How many commits were made.
    pub commits: u64,
}

impl Store {
    /// Takes the value over, unless a newer one came before it; the caller has decided that the store does not refuse.
    pub(crate) fn keep(&mut self, commit: &Commit) {
        let held = self.values.entry(commit.key.clone()).or_default();
        if held.0 < commit.version {
            *held = (commit.version, commit.value.clone());
        }
    }

    /// What is stored, in the order of its keys.
    pub fn values(&self) -> impl Iterator<Item = (&Text, &[u8])> {
        self.values.iter().filter_map(|(key, (_, value))| Some((key, value.as_deref()?)))
    }
}
