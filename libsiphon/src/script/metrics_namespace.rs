//! `metrics`: counters, gauges and histograms of the script's own. The same definition after a reload is the same
//! metric; values go on.

use super::context;
use super::services::{Metric, MetricDefinition, MetricKind};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Arc;

/// Metrics of the script's own, offered beside those of the node. The same definition after a reload is the same
/// metric, and its values go on.
#[pyclass(frozen, module = "siphon", name = "Metrics")]
pub(crate) struct Metrics;

struct Series {
    metric: Arc<dyn Metric>,
    definition: MetricDefinition,
    /// Values of the labels; `None` until `labels()` has given them.
    values: Option<Vec<String>>,
}

impl Series {
    fn define(
        kind: MetricKind,
        name: &str,
        help: &str,
        labels: Option<Vec<String>>,
        buckets: Option<Vec<f64>>,
    ) -> PyResult<Series> {
        let definition = MetricDefinition {
            kind,
            name: name.to_owned(),
            help: help.to_owned(),
            labels: labels.unwrap_or_default(),
            buckets: buckets.unwrap_or_default(),
        };
        let metric = context::current()?.services().metric(&definition).map_err(PyValueError::new_err)?;
        Ok(Series { metric, definition, values: None })
    }

    fn with_labels(&self, given: Option<&Bound<'_, PyDict>>) -> PyResult<Series> {
        let mut values = Vec::new();
        for name in &self.definition.labels {
            let value = given.map(|g| g.get_item(name)).transpose()?.flatten();
            let value = value.ok_or_else(|| self.wrong_labels())?;
            values.push(value.str()?.to_string());
        }
        if given.map_or(0, |g| g.len()) != values.len() {
            return Err(self.wrong_labels());
        }
        let (metric, definition) = (self.metric.clone(), self.definition.clone());
        Ok(Series { metric, definition, values: Some(values) })
    }

    fn wrong_labels(&self) -> PyErr {
        PyValueError::new_err(format!(
            "{} has the labels ({}); give exactly these",
            self.definition.name,
            self.definition.labels.join(", ")
        ))
    }

    fn values(&self) -> PyResult<Vec<&str>> {
        match &self.values {
            Some(values) => Ok(values.iter().map(String::as_str).collect()),
            None if self.definition.labels.is_empty() => Ok(Vec::new()),
            None => Err(self.wrong_labels()),
        }
    }
}

/// A metric that only goes up.
#[pyclass(frozen, module = "siphon", name = "Counter")]
pub(crate) struct Counter(Series);

#[pymethods]
impl Counter {
    /// Adds `n`, 1 by default. Raises ValueError for less than 0, and where labels are missing.
    #[pyo3(signature = (n=1.0))]
    fn inc(&self, n: f64) -> PyResult<()> {
        if !(n.is_finite() && n >= 0.0) {
            return Err(PyValueError::new_err("a counter only goes up"));
        }
        self.0.metric.add(&self.0.values()?, n);
        Ok(())
    }

    /// The series with these values of the labels. Raises ValueError unless exactly the labels of the definition are
    /// given. Past 1000 series of a metric, new ones are not counted.
    #[pyo3(signature = (**values))]
    fn labels(&self, values: Option<&Bound<'_, PyDict>>) -> PyResult<Counter> {
        self.0.with_labels(values).map(Counter)
    }
}

/// A metric that goes up and down.
#[pyclass(frozen, module = "siphon", name = "Gauge")]
pub(crate) struct Gauge(Series);

#[pymethods]
impl Gauge {
    /// Adds `n`, 1 by default.
    #[pyo3(signature = (n=1.0))]
    fn inc(&self, n: f64) -> PyResult<()> {
        self.0.metric.add(&self.0.values()?, n);
        Ok(())
    }

    /// Takes `n` away, 1 by default.
    #[pyo3(signature = (n=1.0))]
    fn dec(&self, n: f64) -> PyResult<()> {
        self.0.metric.add(&self.0.values()?, -n);
        Ok(())
    }

    /// Sets the value.
    fn set(&self, v: f64) -> PyResult<()> {
        self.0.metric.set(&self.0.values()?, v);
        Ok(())
    }

    /// The series with these values of the labels. Raises ValueError unless exactly the labels of the definition are
    /// given. Past 1000 series of a metric, new ones are not counted.
    #[pyo3(signature = (**values))]
    fn labels(&self, values: Option<&Bound<'_, PyDict>>) -> PyResult<Gauge> {
        self.0.with_labels(values).map(Gauge)
    }
}

/// A metric that counts observations by size.
#[pyclass(frozen, module = "siphon", name = "Histogram")]
pub(crate) struct Histogram(Series);

#[pymethods]
impl Histogram {
    /// Counts one observation of this size.
    fn observe(&self, v: f64) -> PyResult<()> {
        self.0.metric.observe(&self.0.values()?, v);
        Ok(())
    }

    /// The series with these values of the labels. Raises ValueError unless exactly the labels of the definition are
    /// given. Past 1000 series of a metric, new ones are not counted.
    #[pyo3(signature = (**values))]
    fn labels(&self, values: Option<&Bound<'_, PyDict>>) -> PyResult<Histogram> {
        self.0.with_labels(values).map(Histogram)
    }
}

#[pymethods]
impl Metrics {
    /// A metric that only goes up. `labels` are the names of its labels. Raises ValueError for a name that is none in
    /// Prometheus or belongs to another definition.
    #[pyo3(signature = (name, help, labels=None))]
    fn counter(&self, name: &str, help: &str, labels: Option<Vec<String>>) -> PyResult<Counter> {
        Series::define(MetricKind::Counter, name, help, labels, None).map(Counter)
    }

    /// A metric that goes up and down. As for `counter`.
    #[pyo3(signature = (name, help, labels=None))]
    fn gauge(&self, name: &str, help: &str, labels: Option<Vec<String>>) -> PyResult<Gauge> {
        Series::define(MetricKind::Gauge, name, help, labels, None).map(Gauge)
    }

    /// A metric that counts observations by size. `buckets` are the upper bounds, ascending; Prometheus' own by
    /// default. As for `counter`.
    #[pyo3(signature = (name, help, labels=None, buckets=None))]
    fn histogram(
        &self,
        name: &str,
        help: &str,
        labels: Option<Vec<String>>,
        buckets: Option<Vec<f64>>,
    ) -> PyResult<Histogram> {
        Series::define(MetricKind::Histogram, name, help, labels, buckets).map(Histogram)
    }

    fn __getattr__(&self, name: &str) -> PyResult<()> {
        super::namespace::no_attribute::<Metrics>("metrics", name)
    }
}
