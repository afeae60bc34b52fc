//! How long this thread was ready to run and did not: a handler is not slow because the machine is busy.

use crate::base::time::Duration;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Time on the run queue, looked at now and then.
#[derive(Default)]
pub(crate) struct RunDelay {
    /// `schedstat` of the thread that looked first; it stays open, since opening it takes longer than a handler.
    file: Option<File>,
    seen: u64,
    calls: u32,
}

/// The file is read anew after this many calls, so that an old delay does not excuse a new one.
const CALLS: u32 = 4096;

impl RunDelay {
    /// Counts a call.
    pub(crate) fn called(&mut self) {
        if self.calls == 0 {
            self.seen = self.nanoseconds();
        }
        self.calls = self.calls.wrapping_add(1) % CALLS;
    }

    /// What was added since the last look: at most this much of a call was waiting for a processor.
    pub(crate) fn since(&mut self) -> Duration {
        let now = self.nanoseconds();
        let before = std::mem::replace(&mut self.seen, now);
        Duration::from_nanos(now.saturating_sub(before))
    }

    /// The second number of `schedstat` (Linux `sched-stats`); 0 where the kernel keeps none.
    fn nanoseconds(&mut self) -> u64 {
        if self.file.is_none() {
            self.file = File::open("/proc/thread-self/schedstat").ok();
        }
        let mut text = [0; 64];
        let read = self.file.as_ref().and_then(|file| file.read_at(&mut text, 0).ok()).unwrap_or(0);
        let text = text.get(..read).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default();
        text.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
    }
}

#[cfg(test)]
#[path = "run_delay_tests.rs"]
mod tests;
