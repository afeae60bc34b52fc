//! Targets that are not tried yet, in groups: one group is tried at once, the groups one after the other
//! (RFC 3261 16.6).

use crate::policy::{Strategy, Target};
use std::collections::VecDeque;

/// Targets in the order they are to be tried, each with the number of its group.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    targets: VecDeque<(u16, Target)>,
    /// The group whose targets may be opened.
    current: u16,
    last: u16,
}

impl Waiting {
    /// Adds targets behind those that wait.
    pub(super) fn add(&mut self, mut targets: Vec<Target>, strategy: Strategy) {
        if strategy == Strategy::ByPreference {
            // A stable sort: equal q stays in the order given.
            targets.sort_by_key(|t| std::cmp::Reverse(t.q));
        }
        let mut group = self.last;
        let mut before: Option<u16> = None;
        for target in targets {
            let joins = match strategy {
                Strategy::Parallel => before.is_some(),
                Strategy::Sequential => false,
                Strategy::ByPreference => before == Some(target.q),
            };
            if !joins {
                group = group.wrapping_add(1);
            }
            before = Some(target.q);
            self.targets.push_back((group, target));
        }
        self.last = group;
    }

    pub(super) fn clear(&mut self) {
        self.targets = VecDeque::new();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// How many targets of the current group wait, at least 1. `may_advance` makes the next group the current one
    /// when none of this one is left.
    pub(super) fn due(&mut self, may_advance: bool) -> u16 {
        if let Some((group, _)) = self.targets.front().filter(|_| may_advance) {
            self.current = *group;
        }
        let due = self.targets.iter().take_while(|(group, _)| *group == self.current).count();
        u16::try_from(due).unwrap_or(u16::MAX).max(1)
    }

    /// The next target of the current group.
    pub(super) fn next(&mut self) -> Option<Target> {
        self.targets.front().filter(|(group, _)| *group == self.current)?;
        self.targets.pop_front().map(|(_, target)| target)
    }
}
