//! The log: one record, two looks. Text that came from a peer cannot forge a line or drive a terminal.
//!
//! `tracing` events of this library, lines of scripts and the event stream all end here. Writing is the
//! [`Sink`]'s business: it must not block, and drops (and counts) what it cannot take.

mod events;
mod layer;
mod record;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::base::time::Instant;

pub use events::EventLog;
pub use record::{Format, Level, Record};

/// Takes finished lines, each with its line break. Never blocks.
pub trait Sink: Send + Sync {
    /// Takes one record's bytes.
    fn write(&self, line: &[u8]);
}

/// Where everything that is logged goes.
pub struct Logger {
    level: AtomicU8,
    format: Format,
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
    sink: Arc<dyn Sink>,
}

impl Logger {
    /// A log of this level and look. `clock` stamps what carries no time of its own.
    pub fn new(
        level: Level,
        format: Format,
        clock: impl Fn() -> Instant + Send + Sync + 'static,
        sink: Arc<dyn Sink>,
    ) -> Arc<Self> {
        Arc::new(Self { level: AtomicU8::new(level as u8), format, clock: Box::new(clock), sink })
    }

    /// Makes this the log of the process: `tracing` events end here from now on.
    pub fn install(self: &Arc<Self>) -> Result<(), TryInitError> {
        tracing_subscriber::registry().with(layer::LogLayer::new(self.clone())).try_init()
    }

    /// Changes the level at once.
    pub fn set_level(&self, level: Level) {
        self.level.store(level as u8, Ordering::Relaxed);
        tracing::callsite::rebuild_interest_cache();
    }

    /// Whether a record of this level is written.
    pub fn writes(&self, level: Level) -> bool {
        level as u8 <= self.level.load(Ordering::Relaxed)
    }

    /// Writes one record, if its level is written.
    pub fn write(&self, record: &Record<'_>) {
        if self.writes(record.level) {
            let at = record.at.unwrap_or_else(&self.clock);
            let mut line = String::with_capacity(256);
            record.render(at, self.format, &mut line);
            self.sink.write(line.as_bytes());
        }
    }

    fn filter(&self) -> LevelFilter {
        match self.level.load(Ordering::Relaxed) {
            0 => LevelFilter::ERROR,
            1 => LevelFilter::WARN,
            2 => LevelFilter::INFO,
            3 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        }
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
