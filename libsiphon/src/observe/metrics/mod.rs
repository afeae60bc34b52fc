//! Metrics in Prometheus's text format, with the names users of the reference know.
//!
//! Each writer (a shard, or the thread that takes the event stream) counts into its own [`Counters`] without
//! locks; a scrape adds them up. Labels have few values: methods this library does not know are `OTHER`,
//! handlers it does not know are `other`. Metrics of scripts share the registry ([`ScriptMetrics`]).

mod collect;
mod counters;
mod script;

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{Encoder, Registry, TextEncoder};

use crate::base::time::{Duration, Instant};

pub use counters::Counters;
pub use script::{Kind, ScriptMetric, ScriptMetricFault, ScriptMetrics};

/// What is asked at a scrape instead of being counted.
type Source = Box<dyn Fn() -> f64 + Send + Sync>;

/// All series of the process.
pub struct Metrics {
    registry: Registry,
    shared: Arc<Shared>,
    script: Arc<ScriptMetrics>,
}

/// What the collector reads.
struct Shared {
    role: &'static str,
    version: &'static str,
    started: Instant,
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
    writers: Mutex<Vec<Arc<Counters>>>,
    gauges: Mutex<Vec<(Gauge, Source)>>,
}

/// A number that its owner knows better than a count of events does: events may be dropped, the owner's
/// table is the truth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gauge {
    /// `siphon_transactions_active`
    Transactions,
    /// `siphon_registrations_active`
    Registrations,
    /// `siphon_events_dropped_total`: events that observers were too slow for.
    EventsDropped,
    /// `siphon_log_lines_dropped_total`: log lines that the writer was too slow for.
    LogLinesDropped,
    /// `siphon_rtpengine_instances_up`: media engines that take calls.
    MediaEnginesUp,
    /// `siphon_rtpengine_instances_total`: media engines of the configuration.
    MediaEngines,
    /// `siphon_script_generation`: which load the running script came of.
    ScriptGeneration,
}

impl Metrics {
    /// The series of a role. `clock` is asked at a scrape, for the uptime.
    pub fn new(
        role: &'static str,
        version: &'static str,
        clock: impl Fn() -> Instant + Send + Sync + 'static,
    ) -> Result<Arc<Self>, prometheus::Error> {
        let shared = Arc::new(Shared {
            role,
            version,
            started: clock(),
            clock: Box::new(clock),
            writers: Mutex::default(),
            gauges: Mutex::default(),
        });
        let registry = Registry::new();
        registry.register(Box::new(collect::Collector::new(shared.clone())?))?;
        let script = Arc::new(ScriptMetrics::new(registry.clone())?);
        Ok(Arc::new(Self { registry, shared, script }))
    }

    /// Counters for one more writer.
    pub fn writer(&self) -> Arc<Counters> {
        let counters = Arc::new(Counters::default());
        self.shared.writers.lock().unwrap_or_else(PoisonError::into_inner).push(counters.clone());
        counters
    }

    /// Takes a number from its owner at each scrape; the last source given for a gauge counts.
    pub fn source(&self, gauge: Gauge, read: impl Fn() -> f64 + Send + Sync + 'static) {
        let mut gauges = self.shared.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        gauges.retain(|(g, _)| *g != gauge);
        gauges.push((gauge, Box::new(read)));
    }

    /// What scripts define metrics with.
    pub fn script(&self) -> Arc<ScriptMetrics> {
        self.script.clone()
    }

    /// Time since the start.
    pub fn uptime(&self) -> Duration {
        (self.shared.clock)().since(self.shared.started)
    }

    /// The page that Prometheus reads.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        let mut out = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut out)?;
        String::from_utf8(out).map_err(|e| prometheus::Error::Msg(e.to_string()))
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
