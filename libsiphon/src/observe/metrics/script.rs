//! Metrics that scripts define; they share the page with the engine's.
//!
//! The same definition again, from a reloaded script, gives the same metric with its values. Bounds: 200
//! metrics, 1000 label sets each; what comes beyond is dropped and counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::{CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounter, Opts, Registry};

/// Metrics that scripts may define.
const METRICS: usize = 200;
/// Label sets one of them may have.
const LABEL_SETS: usize = 1000;

/// What a metric does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

/// Why a definition is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptMetricFault {
    /// The name is not one Prometheus allows, or a label's is not.
    #[error("metric {name:?}: {why}")]
    Name {
        /// The metric's name.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The prefix is the engine's.
    #[error("metric {0:?}: names that begin with `siphon_` are the engine's own")]
    Reserved(String),
    /// The same name stands for something else already.
    #[error("metric {0:?} is defined already, with another kind or other labels")]
    Differs(String),
    /// Too many.
    #[error("metric {0:?}: a script may define {METRICS} metrics, and has")]
    TooMany(String),
}

/// The metrics of scripts.
pub struct ScriptMetrics {
    registry: Registry,
    defined: Mutex<BTreeMap<String, Arc<ScriptMetric>>>,
    dropped: IntCounter,
}

/// One metric of a script. Label values come in the order of the definition's names.
pub struct ScriptMetric {
    kind: Kind,
    labels: Vec<String>,
    values: Values,
    seen: Mutex<BTreeSet<Vec<String>>>,
    dropped: IntCounter,
}

enum Values {
    Counter(CounterVec),
    Gauge(GaugeVec),
    Histogram(HistogramVec),
}

impl ScriptMetrics {
    pub(super) fn new(registry: Registry) -> Result<Self, prometheus::Error> {
        let dropped = IntCounter::new(
            "siphon_script_metric_values_dropped_total",
            "Values of script metrics beyond the bound on label sets, or that the metric cannot take.",
        )?;
        registry.register(Box::new(dropped.clone()))?;
        Ok(Self { registry, defined: Mutex::default(), dropped })
    }

    /// Defines a metric, or finds the one defined like this before. Empty `buckets` mean the usual ones.
    pub fn define(
        &self,
        kind: Kind,
        name: &str,
        help: &str,
        labels: &[String],
        buckets: &[f64],
    ) -> Result<Arc<ScriptMetric>, ScriptMetricFault> {
        let mut defined = self.defined.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = defined.get(name) {
            let same = known.kind == kind && known.labels == labels;
            return if same { Ok(known.clone()) } else { Err(ScriptMetricFault::Differs(name.to_owned())) };
        }
        if name.starts_with("siphon_") {
            return Err(ScriptMetricFault::Reserved(name.to_owned()));
        }
        if defined.len() >= METRICS {
            return Err(ScriptMetricFault::TooMany(name.to_owned()));
        }
        let fault =
            |e: prometheus::Error| ScriptMetricFault::Name { name: name.to_owned(), why: e.to_string() };
        let help = if help.is_empty() { name } else { help };
        let names: Vec<&str> = labels.iter().map(String::as_str).collect();
        let (values, collector): (Values, Box<dyn Collector>) = match kind {
            Kind::Counter => {
                let vec = CounterVec::new(Opts::new(name, help), &names).map_err(fault)?;
                (Values::Counter(vec.clone()), Box::new(vec))
            }
            Kind::Gauge => {
                let vec = GaugeVec::new(Opts::new(name, help), &names).map_err(fault)?;
                (Values::Gauge(vec.clone()), Box::new(vec))
            }
            Kind::Histogram => {
                let mut options = HistogramOpts::new(name, help);
                if !buckets.is_empty() {
                    options = options.buckets(buckets.to_vec());
                }
                let vec = HistogramVec::new(options, &names).map_err(fault)?;
                (Values::Histogram(vec.clone()), Box::new(vec))
            }
        };
        self.registry.register(collector).map_err(fault)?;
        let metric = Arc::new(ScriptMetric {
            kind,
            labels: labels.to_vec(),
            values,
            seen: Mutex::default(),
            dropped: self.dropped.clone(),
        });
        defined.insert(name.to_owned(), metric.clone());
        Ok(metric)
    }
}

impl ScriptMetric {
    /// Adds to a counter or a gauge. A counter never goes down: a negative amount is dropped.
    pub fn add(&self, labels: &[&str], amount: f64) {
        let done = self.admits(labels)
            && match &self.values {
                Values::Counter(vec) if amount >= 0.0 => {
                    vec.get_metric_with_label_values(labels).map(|c| c.inc_by(amount)).is_ok()
                }
                Values::Gauge(vec) => vec.get_metric_with_label_values(labels).map(|g| g.add(amount)).is_ok(),
                Values::Counter(_) | Values::Histogram(_) => false,
            };
        self.note(done);
    }

    /// Sets a gauge.
    pub fn set(&self, labels: &[&str], value: f64) {
        let done = self.admits(labels)
            && match &self.values {
                Values::Gauge(vec) => vec.get_metric_with_label_values(labels).map(|g| g.set(value)).is_ok(),
                Values::Counter(_) | Values::Histogram(_) => false,
            };
        self.note(done);
    }

    /// Records an observation of a histogram.
    pub fn observe(&self, labels: &[&str], value: f64) {
        let done = self.admits(labels)
            && match &self.values {
                Values::Histogram(vec) => {
                    vec.get_metric_with_label_values(labels).map(|h| h.observe(value)).is_ok()
                }
                Values::Counter(_) | Values::Gauge(_) => false,
            };
        self.note(done);
    }

    fn note(&self, done: bool) {
        if !done {
            self.dropped.inc();
        }
    }

    fn admits(&self, labels: &[&str]) -> bool {
        if labels.is_empty() {
            return true;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let key: Vec<String> = labels.iter().map(|l| (*l).to_owned()).collect();
        seen.contains(&key) || (seen.len() < LABEL_SETS && seen.insert(key))
    }
}
