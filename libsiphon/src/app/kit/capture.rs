//! The log of a kit: kept line by line.

use crate::observe::log::Sink;
use std::sync::{Mutex, PoisonError};

/// Lines that are kept; the last one says that it is, and what comes after is lost.
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
        let room = MOST_LINES.saturating_sub(lines.len());
        if room > 1 {
            lines.push(String::from_utf8_lossy(line).trim_end().to_owned());
        } else if room == 1 {
            lines.push(full());
        }
    }
}

/// The last line, in the shape of the others.
fn full() -> String {
    let message = format!("the log of the kit is full at {MOST_LINES} lines: what follows is lost");
    format!(r#"{{"ts":"","level":"ERROR","target":"siphon::kit","msg":"{message}"}}"#)
}

#[cfg(test)]
#[path = "capture_tests.rs"]
mod tests;
