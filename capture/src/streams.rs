//! All connections of a capture, each direction by itself.

use crate::Content;
use crate::packet::{Ends, TcpPiece};
use crate::stream::Stream;
use crate::tally::Tally;
use std::collections::BTreeMap;

/// Directions that are followed at a time; beyond it the closed ones are forgotten, then those of which nothing
/// was seen for longest.
const MOST: usize = 16_384;
/// Octets of all directions that wait behind missing segments; beyond it nothing waits.
const MOST_EARLY: usize = 32 * 1024 * 1024;

#[derive(Default)]
pub(crate) struct Streams {
    open: BTreeMap<Ends, Stream>,
    early_octets: usize,
}

impl Streams {
    /// Takes a segment, gives the messages that it completed.
    pub(crate) fn add(
        &mut self,
        ends: Ends,
        piece: TcpPiece<'_>,
        at: u64,
        tally: &mut Tally,
    ) -> Vec<Content> {
        let mut out = Vec::new();
        if self.open.len() >= MOST && !self.open.contains_key(&ends) {
            self.forget(tally);
        }
        let stream = self.open.entry(ends).or_insert_with(Stream::new);
        let before = stream.early_octets();
        stream.add(piece, at, tally, &mut out);
        let others = self.early_octets.saturating_sub(before);
        if others.saturating_add(stream.early_octets()) > MOST_EARLY {
            stream.skip_gap(tally, &mut out);
        }
        self.early_octets = others.saturating_add(stream.early_octets());
        out
    }

    /// An eighth at a time, so that the search for the oldest is rare.
    fn forget(&mut self, tally: &mut Tally) {
        let mut ages: Vec<_> = self.open.iter().map(|(ends, s)| (!s.closed, s.seen, *ends)).collect();
        ages.sort_unstable();
        for (_, _, ends) in ages.into_iter().take(MOST / 8) {
            if let Some(stream) = self.open.remove(&ends) {
                self.early_octets = self.early_octets.saturating_sub(stream.early_octets());
                tally.forgotten += u64::from(!stream.closed);
            }
        }
    }

    /// The capture is over: what can still be read of each.
    pub(crate) fn finish(self, tally: &mut Tally) -> Vec<(Ends, Vec<Content>)> {
        let rest = self.open.into_iter().map(|(ends, mut stream)| {
            let mut out = Vec::new();
            stream.finish(tally, &mut out);
            (ends, out)
        });
        rest.filter(|(_, out)| !out.is_empty()).collect()
    }
}
