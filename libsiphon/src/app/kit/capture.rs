//! The log of a kit: kept line by line.

use crate::observe::log::Sink;
use std::sync::{Mutex, PoisonError};

/// Lines that are kept; what comes after is not.
const MOST_LINES: usize = 100_000;

/// Keeps log lines.
#[derive(Default)]
pub(super) struct Lines(Mutex<Vec<String>>);

impl Lines {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// From the line numbered `first` on.
    pub(super) fn from(&self, first: usize) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().skip(first).cloned().collect()
    }

    /// All, which are not kept any longer.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for Lines {
    fn write(&self, line: &[u8]) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < MOST_LINES {
            lines.push(String::from_utf8_lossy(line).trim_end().to_owned());
        }
    }
}
