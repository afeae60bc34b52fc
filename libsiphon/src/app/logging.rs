//! The log's writer: a thread of its own behind a bounded queue, so that a slow disk or pipe delays no call.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use crate::observe::log::{Format, Level, Logger, Sink};

use super::clock;
use super::config::observe as yaml;

/// Records that may wait to be written; one more is dropped and counted.
const WAITING: usize = 8192;

enum Work {
    Line(Box<[u8]>),
    Reopen,
    Flush(SyncSender<()>),
}

/// Hands lines to the writer.
pub struct Writer {
    work: SyncSender<Work>,
    dropped: AtomicU64,
}

impl Sink for Writer {
    fn write(&self, line: &[u8]) {
        if self.work.try_send(Work::Line(line.into())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Writer {
    /// Lines dropped since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Opens the file anew, after logrotate moved it.
    pub fn reopen(&self) {
        // When the queue is full the next SIGHUP does it.
        let _ = self.work.try_send(Work::Reopen);
    }

    /// Waits, a second at most, until what was handed over is written.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.work.send(Work::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(Duration::from_secs(1));
        }
    }
}

/// Starts the writer and makes its log that of the process.
pub fn start(log: &yaml::Log, file: Option<PathBuf>) -> Result<(Arc<Logger>, Arc<Writer>), String> {
    let (logger, writer) = open(log, file)?;
    logger.install().map_err(|e| e.to_string())?;
    Ok((logger, writer))
}

/// Starts the writer and its log.
pub(super) fn open(log: &yaml::Log, file: Option<PathBuf>) -> Result<(Arc<Logger>, Arc<Writer>), String> {
    let mut out = Out::open(file)?;
    let format = match log.format {
        yaml::Format::Json => Format::Json,
        yaml::Format::Pretty => {
            let terminal = matches!(out, Out::Terminal) && io::stdout().is_terminal();
            Format::Pretty { colour: terminal && std::env::var_os("NO_COLOR").is_none() }
        }
    };
    let (work, queue) = sync_channel(WAITING);
    let writer = Arc::new(Writer { work, dropped: AtomicU64::new(0) });
    std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || serve(&queue, &mut out))
        .map_err(|e| format!("cannot start the log's thread: {e}"))?;
    let logger = Logger::new(level(log.level), format, clock::now, writer.clone());
    Ok((logger, writer))
}

/// The level of the YAML.
pub fn level(level: yaml::Level) -> Level {
    match level {
        yaml::Level::Trace => Level::Trace,
        yaml::Level::Debug => Level::Debug,
        yaml::Level::Info => Level::Info,
        yaml::Level::Warn => Level::Warn,
        yaml::Level::Error => Level::Error,
    }
}

enum Out {
    Terminal,
    File(PathBuf, File),
}

impl Out {
    fn open(path: Option<PathBuf>) -> Result<Self, String> {
        let Some(path) = path else { return Ok(Out::Terminal) };
        match OpenOptions::new().create(true).append(true).open(&path) {
            Ok(file) => Ok(Out::File(path, file)),
            Err(error) => Err(format!("log.file: cannot open {}: {error}", path.display())),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Out::Terminal => {
                let mut out = io::stdout().lock();
                out.write_all(bytes)?;
                out.flush()
            }
            Out::File(_, file) => file.write_all(bytes),
        }
    }
}

/// Writes what waits in as few calls as it takes. A write that fails loses its lines: there is no place to say so.
fn serve(queue: &Receiver<Work>, out: &mut Out) {
    let mut batch = Vec::with_capacity(64 * 1024);
    while let Ok(first) = queue.recv() {
        let mut next = Some(first);
        let mut flushed = Vec::new();
        while let Some(work) = next {
            match work {
                Work::Line(line) => batch.extend_from_slice(&line),
                Work::Flush(done) => flushed.push(done),
                Work::Reopen => {
                    let _ = out.write(&batch);
                    batch.clear();
                    if let Out::File(path, _) = out {
                        // The old file goes on when the new one cannot be opened.
                        if let Ok(new) = Out::open(Some(path.clone())) {
                            *out = new;
                        }
                    }
                }
            }
            next = if batch.len() < 256 * 1024 { queue.try_recv().ok() } else { None };
        }
        let _ = out.write(&batch);
        batch.clear();
        for done in flushed {
            let _ = done.send(());
        }
    }
}

#[cfg(test)]
#[path = "logging_tests.rs"]
mod tests;
