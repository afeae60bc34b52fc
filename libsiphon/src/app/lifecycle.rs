//! Signals and file changes as values: drain, stop, reload. Knows no engine.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::role::Reload;
use super::watch::Watch;

/// What the process is told to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// SIGTERM or SIGINT for the first time: take no new work, end when the rest is done.
    Drain,
    /// The same again: end now.
    Stop,
    /// SIGHUP, or a watched file changed.
    Reload {
        /// What may have changed.
        what: Reload,
        /// Asked for by SIGHUP: log files are opened anew, too.
        by_signal: bool,
    },
}

/// Where commands come from. Everything arrives in one place and in order.
pub struct Lifecycle {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    watch: Option<Watch>,
    draining: bool,
}

impl Lifecycle {
    /// Takes over SIGTERM, SIGINT and SIGHUP. Needs a tokio runtime.
    pub fn new(watch: Option<Watch>) -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            watch,
            draining: false,
        })
    }

    /// Watches what `renew` makes of the running watch from now on.
    pub fn rewatch(&mut self, renew: impl FnOnce(Option<Watch>) -> Option<Watch>) {
        self.watch = renew(self.watch.take());
    }

    /// Waits for the next command; cancel-safe.
    pub async fn next(&mut self) -> Command {
        let changed = async {
            match &mut self.watch {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => self.end(),
            _ = self.interrupt.recv() => self.end(),
            _ = self.hangup.recv() => {
                Command::Reload { what: Reload { config: true, script: true }, by_signal: true }
            }
            what = changed => Command::Reload { what, by_signal: false },
        }
    }

    fn end(&mut self) -> Command {
        if std::mem::replace(&mut self.draining, true) { Command::Stop } else { Command::Drain }
    }
}

/// How long files must be quiet before a change counts: an editor writes, truncates and renames in a row.
pub(super) const QUIET: Duration = Duration::from_millis(150);

#[cfg(test)]
#[path = "lifecycle_tests.rs"]
pub(super) mod tests;
