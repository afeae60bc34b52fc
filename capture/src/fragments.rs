//! Putting IP datagrams together (RFC 791 3.2, RFC 8200 4.5). A datagram whose fragments contradict each other is dropped
//! (RFC 5722 4).

use crate::packet::{FragmentKey, Piece};
use crate::tally::Tally;
use std::collections::BTreeMap;

/// Datagrams that may be incomplete at a time; then the oldest is given up.
const MOST: usize = 1024;
/// Microseconds that a fragment waits for the others.
const PATIENCE: u64 = 60_000_000;
/// No datagram is longer.
const LONGEST: usize = 65_535;

/// Datagrams of which something is missing.
#[derive(Default)]
pub(crate) struct Fragments {
    open: BTreeMap<FragmentKey, Open>,
}

struct Open {
    began: u64,
    data: Vec<u8>,
    /// What is there: begin and end, in order.
    ranges: Vec<(usize, usize)>,
    length: Option<usize>,
}

impl Fragments {
    /// Adds a fragment. Gives the datagram's content when that was the last one.
    pub(crate) fn add(&mut self, piece: Piece<'_>, at: u64, tally: &mut Tally) -> Option<Vec<u8>> {
        let Piece { key, .. } = piece;
        if self.open.get(&key).is_some_and(|open| at.saturating_sub(open.began) > PATIENCE) {
            self.open.remove(&key);
            tally.fragments_lost += 1;
        }
        if self.open.len() >= MOST && !self.open.contains_key(&key) {
            let oldest = self.open.iter().min_by_key(|(_, open)| open.began).map(|(key, _)| *key);
            oldest.and_then(|key| self.open.remove(&key));
            tally.fragments_lost += 1;
        }
        let open = self.open.entry(key).or_insert_with(|| Open {
            began: at,
            data: Vec::new(),
            ranges: Vec::new(),
            length: None,
        });
        match open.add(&piece) {
            Some(false) => None,
            Some(true) => self.open.remove(&key).map(|open| open.data),
            None => {
                self.open.remove(&key);
                tally.damaged += 1;
                None
            }
        }
    }

    /// Nothing more will come: how many are incomplete.
    pub(crate) fn give_up(&mut self) -> u64 {
        std::mem::take(&mut self.open).len() as u64
    }
}

impl Open {
    /// Whether it is complete; `None` when the fragments contradict each other.
    fn add(&mut self, piece: &Piece<'_>) -> Option<bool> {
        let end = piece.offset.checked_add(piece.payload.len()).filter(|end| *end <= LONGEST)?;
        if !piece.more {
            self.length.is_none_or(|length| length == end).then_some(())?;
            self.length = Some(end);
        }
        if self.ranges.contains(&(piece.offset, end)) {
            // The same fragment again, if it says the same.
            return (self.data.get(piece.offset..end)? == piece.payload).then_some(false);
        }
        if piece.payload.is_empty() || self.ranges.iter().any(|(b, e)| piece.offset < *e && *b < end) {
            return None;
        }
        if self.data.len() < end {
            self.data.resize(end, 0);
        }
        self.data.get_mut(piece.offset..end)?.copy_from_slice(piece.payload);
        let place = self.ranges.partition_point(|range| *range < (piece.offset, end));
        self.ranges.insert(place, (piece.offset, end));
        let mut reached = 0;
        for (begin, end) in &self.ranges {
            if *begin != reached {
                return Some(false);
            }
            reached = *end;
        }
        match self.length {
            Some(length) if reached > length => None,
            Some(length) => Some(reached == length),
            None => Some(false),
        }
    }
}
