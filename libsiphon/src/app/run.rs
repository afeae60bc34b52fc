//! A role's life: log, pages, engines, then commands until it ends.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::observe::health::Health;
use crate::observe::http::Pages;
use crate::observe::log::Logger;
use crate::observe::metrics::{Gauge, Metrics};

use super::cli::{self, FAILED};
use super::config::Loaded;
use super::config::changes::Values;
use super::config::script::Reload as When;
use super::lifecycle::{Command, Lifecycle};
use super::role::{Reload, Role, Running, Start, StartFault};
use super::watch::{Seen, Watch, Watched};
use super::{clock, logging, owner, pages};

/// How often a drain looks whether all is done.
const LOOK: Duration = Duration::from_millis(20);

/// Runs a role until it is told to end. What comes back is the exit code.
pub(super) fn run<R: Role>(loaded: Loaded<R::Config>) -> u8 {
    let log = R::shared(&loaded.config).log;
    let file = log.file.as_deref().map(|f| loaded.resolve(f));
    let (logger, writer) = match logging::start(log, file) {
        Ok(log) => log,
        Err(fault) => {
            eprintln!("{}: {fault}", loaded.name);
            return FAILED;
        }
    };
    tell_panics();
    let code = match Node::<R>::start(loaded, logger, writer.clone()) {
        Ok(node) => node.live(),
        Err(fault) => {
            tracing::error!("{} does not start: {}", R::NAME, explain(&fault));
            FAILED
        }
    };
    writer.flush();
    code
}

/// A panic is a bug of ours: it is in the log with its place, and the thread it happened in ends.
fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text =
            text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("something that is no text");
        let thread = std::thread::current();
        tracing::error!(place, thread = thread.name().unwrap_or_default(), "panicked: {text}");
    }));
}

/// The fault, and for a busy port whose it is and what to do.
pub(super) fn explain(fault: &StartFault) -> String {
    let StartFault::Bind { transport, address, error } = fault else { return fault.to_string() };
    if error.kind() != std::io::ErrorKind::AddrInUse {
        return fault.to_string();
    }
    let port = address.port();
    let whose = match owner::of(transport, *address) {
        Some(owner) => format!("{} (pid {}) has it", owner.name, owner.pid),
        None => "another user's process has it".to_owned(),
    };
    let other = port.checked_add(10).unwrap_or(port.saturating_sub(10));
    format!(
        "cannot listen on {transport} {address}: the port is in use, {whose}. Stop it, or choose another \
         port: `SIPHON_PORT={other}` for the embedded configuration, `make run PORT={other}`, or `listen` in the YAML"
    )
}

struct Node<R: Role> {
    loaded: Loaded<R::Config>,
    running: Box<dyn Running<R::Config>>,
    health: Arc<Health>,
    logger: Arc<Logger>,
    writer: Arc<logging::Writer>,
    /// Addresses of the pages for probes and metrics.
    pages: Vec<String>,
    /// The configuration it was started with.
    started: Values,
    /// The files as they were before they were loaded, until the watch begins.
    seen: Option<Seen>,
}

impl<R: Role> Node<R> {
    fn start(
        loaded: Loaded<R::Config>,
        logger: Arc<Logger>,
        writer: Arc<logging::Writer>,
    ) -> Result<Self, StartFault> {
        let seen = watched::<R>(&loaded, Vec::new()).map(|w| Seen::now(w).with_config(loaded.read));
        let health = Arc::new(Health::default());
        let series = Metrics::new(R::NAME, cli::version(), clock::now);
        let series = series.map_err(|e| StartFault::Other(e.to_string()))?;
        let lines = writer.clone();
        series.source(Gauge::LogLinesDropped, move || lines.dropped() as f64);
        let shared = R::shared(&loaded.config);
        let pages =
            Pages { health: health.clone(), metrics: series.clone(), role: R::NAME, version: cli::version() };
        let bound = pages::serve(&pages, pages::offers(shared.metrics, shared.admin))?;
        let start = Start { loaded: &loaded, series, health: health.clone(), logger: logger.clone() };
        let running = R::start(start)?;
        let pages = bound.iter().map(ToString::to_string).collect();
        health.ready();
        let started = Values::of(&loaded.config);
        Ok(Self { loaded, running, health, logger, writer, pages, started, seen })
    }

    /// Tells that it is there. Signals and changed files are watched by now: whoever waits for this line may use them.
    fn announce(&self) {
        let listening = self.running.listening().join(", ");
        tracing::info!(config = self.loaded.name, "{} {} listens on {listening}", R::NAME, cli::version());
        for address in &self.pages {
            tracing::info!("pages for probes and metrics on http://{address}");
        }
    }

    fn live(mut self) -> u8 {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::error!("cannot wait for signals: {error}");
                return FAILED;
            }
        };
        runtime.block_on(async {
            let mut lifecycle = match Lifecycle::new(self.watch(None)) {
                Ok(lifecycle) => lifecycle,
                Err(error) => {
                    tracing::error!("cannot wait for signals: {error}");
                    return FAILED;
                }
            };
            self.announce();
            loop {
                match lifecycle.next().await {
                    Command::Reload { what, by_signal } => {
                        if by_signal {
                            self.writer.reopen();
                        }
                        if self.reload(what) {
                            lifecycle.rewatch(|running| self.watch(running));
                        }
                    }
                    Command::Drain => {
                        self.drain(&mut lifecycle).await;
                        break;
                    }
                    Command::Stop => break,
                }
            }
            self.running.stop();
            tracing::info!("{} ended", R::NAME);
            0
        })
    }

    /// The watch the configuration asks for; it goes on from what `running` has seen.
    fn watch(&mut self, running: Option<Watch>) -> Option<Watch> {
        let watched = watched::<R>(&self.loaded, self.running.watched())?;
        let watch = match running {
            Some(running) => Watch::renew(running, watched),
            None => {
                let seen = self.seen.take().unwrap_or_else(|| Seen::now(watched.clone()));
                Watch::since(seen, watched)
            }
        };
        watch.inspect_err(|e| tracing::warn!("changes of files are not noticed, SIGHUP reloads: {e}")).ok()
    }

    /// Validates, then swaps; what is wrong is told and everything stays as it was. True when it took over.
    fn reload(&mut self, what: Reload) -> bool {
        let new = match what.config {
            true => match cli::load_again::<R>(&self.loaded) {
                Ok(new) => Some(new),
                Err(problems) => {
                    tracing::error!("the configuration stays as it was: {problems}");
                    return false;
                }
            },
            false => None,
        };
        match self.running.reload(new.as_ref().unwrap_or(&self.loaded), what) {
            Ok(done) => tracing::info!("reloaded: {done}"),
            Err(fault) => {
                tracing::error!("nothing was reloaded: {fault}");
                return false;
            }
        }
        if let Some(new) = new {
            self.tell_what_waits(&new.config);
            self.logger.set_level(logging::level(R::shared(&new.config).log.level));
            self.loaded = new;
        }
        true
    }

    /// Names the keys that are other than at the start and are not taken over while running.
    fn tell_what_waits(&self, new: &R::Config) {
        let mut keys = self.started.changed(&Values::of(new));
        keys.retain(|key| !R::is_taken_over(key, new));
        if !keys.is_empty() {
            tracing::warn!("changed, and in effect at the next start only: {}", keys.join(", "));
        }
    }

    async fn drain(&mut self, lifecycle: &mut Lifecycle) {
        let patience = R::shared(&self.loaded.config).drain;
        self.health.draining();
        self.running.drain();
        tracing::info!("draining for up to {patience:?}: no new calls, running transactions finish");
        let deadline = tokio::time::sleep(patience);
        tokio::pin!(deadline);
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                _ = look.tick() => if self.running.is_idle() {
                    return tracing::info!("all transactions are finished");
                },
                () = &mut deadline => return tracing::warn!("some transactions are cut off: the time to drain is over"),
                command = lifecycle.next() => if command == Command::Stop {
                    return tracing::warn!("some transactions are cut off: told to end at once");
                },
            }
        }
    }
}

/// The files the configuration wants watched; `more` are further directories of the script.
fn watched<R: Role>(loaded: &Loaded<R::Config>, more: Vec<PathBuf>) -> Option<Watched> {
    let script = R::shared(&loaded.config).script;
    if script.is_some_and(|s| s.reload == When::Sighup) {
        return None;
    }
    let mut modules: Vec<_> =
        script.iter().flat_map(|s| &s.include_paths).map(|p| loaded.resolve(p)).collect();
    modules.extend(more);
    let watched = Watched {
        config: loaded.file.clone(),
        script: script.and_then(|s| s.path.as_deref()).map(|p: &Path| loaded.resolve(p)),
        modules,
    };
    (watched != Watched::default()).then_some(watched)
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
