//! The scrape: adds up what the writers counted, and asks the owners of gauges.

use std::sync::{Arc, PoisonError};

use prometheus::core::Desc;
use prometheus::proto::{
    Bucket, Counter, Gauge as GaugeValue, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};

use super::counters::{BUCKETS, CODES, Cell, Counters, HANDLERS, METHODS, REASONS, Spread, TRANSPORTS};
use super::{Gauge, Shared};
use crate::wire::sip::Method;

/// Name, help and type of each series.
const SERIES: &[(&str, &str, MetricType)] = &[
    ("siphon_build_info", "Role and version of this binary; always 1.", MetricType::GAUGE),
    ("siphon_uptime_seconds", "Seconds since the start.", MetricType::GAUGE),
    ("siphon_requests_total", "Requests that began a server transaction, by method.", MetricType::COUNTER),
    (
        "siphon_responses_total",
        "Final responses of server transactions, by status code.",
        MetricType::COUNTER,
    ),
    ("siphon_request_duration_seconds", "From a request to its final response.", MetricType::HISTOGRAM),
    ("siphon_transactions_active", "Transactions, lingering ones included.", MetricType::GAUGE),
    ("siphon_registrations_active", "Contacts that are registered.", MetricType::GAUGE),
    ("siphon_connections_active", "Connections, by transport.", MetricType::GAUGE),
    ("siphon_sip_messages_received_total", "Messages received, by transport.", MetricType::COUNTER),
    ("siphon_sip_messages_sent_total", "Messages sent, by transport.", MetricType::COUNTER),
    ("siphon_script_executions_total", "Handlers run, by handler.", MetricType::COUNTER),
    ("siphon_script_handler_duration_seconds", "Wall time of a handler.", MetricType::HISTOGRAM),
    ("siphon_script_errors_total", "Handlers that raised.", MetricType::COUNTER),
    (
        "siphon_overload_rejected_total",
        "Requests turned away for want of room, by reason.",
        MetricType::COUNTER,
    ),
    (
        "siphon_malformed_messages_total",
        "Messages refused before they became a transaction.",
        MetricType::COUNTER,
    ),
    ("siphon_events_dropped_total", "Events that observers were too slow for.", MetricType::COUNTER),
    ("siphon_log_lines_dropped_total", "Log lines that the writer was too slow for.", MetricType::COUNTER),
    ("siphon_rtpengine_instances_up", "Media engines that take calls.", MetricType::GAUGE),
    ("siphon_rtpengine_instances_total", "Media engines of the configuration.", MetricType::GAUGE),
    ("siphon_script_generation", "Which load the running script came of, counted from 1.", MetricType::GAUGE),
];

/// Collects the series of the engine.
pub(super) struct Collector {
    shared: Arc<Shared>,
    descriptions: Vec<Desc>,
}

impl Collector {
    pub(super) fn new(shared: Arc<Shared>) -> Result<Self, prometheus::Error> {
        let describe = |(name, help, _): &(&str, &str, MetricType)| {
            Desc::new((*name).to_owned(), (*help).to_owned(), Vec::new(), Default::default())
        };
        let descriptions = SERIES.iter().map(describe).collect::<Result<_, _>>()?;
        Ok(Self { shared, descriptions })
    }

    fn metrics(&self, name: &str, writers: &[Arc<Counters>]) -> Vec<Metric> {
        let sum =
            |cell: &dyn Fn(&Counters) -> u64| writers.iter().map(|w| cell(w)).fold(0, u64::wrapping_add);
        let owned = |gauge: Gauge| {
            let gauges = self.shared.gauges.lock().unwrap_or_else(PoisonError::into_inner);
            gauges.iter().find(|(g, _)| *g == gauge).map(|(_, read)| read())
        };
        // A difference of counts that events make; never below zero when some were dropped.
        let difference = |up: u64, down: u64| up.saturating_sub(down) as f64;
        match name {
            "siphon_build_info" => {
                vec![with(gauge(1.0), &[("role", self.shared.role), ("version", self.shared.version)])]
            }
            "siphon_uptime_seconds" => {
                let up = (self.shared.clock)().since(self.shared.started);
                vec![gauge(up.as_secs_f64())]
            }
            "siphon_requests_total" => (0..METHODS)
                .map(|i| {
                    let method = Method::ALL.get(i).map_or("OTHER", |m| m.name());
                    with(counter(sum(&|c| at(&c.requests, i))), &[("method", method)])
                })
                .collect(),
            "siphon_responses_total" => (0..CODES)
                .map(|i| (i.wrapping_add(100), sum(&|c| at(&c.responses, i))))
                .filter(|(_, n)| *n > 0)
                .map(|(code, n)| with(counter(n), &[("code", &code.to_string())]))
                .collect(),
            "siphon_request_duration_seconds" => vec![histogram(writers.iter().map(|w| &w.request_time))],
            "siphon_transactions_active" => {
                let counted = || difference(sum(&|c| total(&c.started)), sum(&|c| total(&c.ended)));
                vec![gauge(owned(Gauge::Transactions).unwrap_or_else(counted))]
            }
            "siphon_registrations_active" => {
                let counted = || difference(sum(&|c| c.registered.read()), sum(&|c| c.removed.read()));
                vec![gauge(owned(Gauge::Registrations).unwrap_or_else(counted))]
            }
            "siphon_connections_active" => {
                by_transport(|i| gauge(difference(sum(&|c| at(&c.opened, i)), sum(&|c| at(&c.closed, i)))))
            }
            "siphon_sip_messages_received_total" => by_transport(|i| counter(sum(&|c| at(&c.received, i)))),
            "siphon_sip_messages_sent_total" => by_transport(|i| counter(sum(&|c| at(&c.sent, i)))),
            "siphon_script_executions_total" => {
                by_handler(|i| counter(sum(&|c| c.handlers.get(i).map_or(0, |h| h.count.read()))))
            }
            "siphon_script_handler_duration_seconds" => {
                by_handler(|i| histogram(writers.iter().filter_map(|w| w.handlers.get(i))))
            }
            "siphon_script_errors_total" => vec![counter(sum(&|c| c.handler_errors.read()))],
            "siphon_overload_rejected_total" => REASONS
                .iter()
                .enumerate()
                .map(|(i, reason)| with(counter(sum(&|c| at(&c.shed, i))), &[("reason", reason.label())]))
                .collect(),
            "siphon_malformed_messages_total" => vec![counter(sum(&|c| c.malformed.read()))],
            "siphon_events_dropped_total" => vec![count_of(owned(Gauge::EventsDropped))],
            "siphon_log_lines_dropped_total" => vec![count_of(owned(Gauge::LogLinesDropped))],
            "siphon_rtpengine_instances_up" => owned(Gauge::MediaEnginesUp).map(gauge).into_iter().collect(),
            "siphon_rtpengine_instances_total" => owned(Gauge::MediaEngines).map(gauge).into_iter().collect(),
            "siphon_script_generation" => owned(Gauge::ScriptGeneration).map(gauge).into_iter().collect(),
            _ => Vec::new(),
        }
    }
}

impl prometheus::core::Collector for Collector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let writers = self.shared.writers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let family = |(name, help, kind): &(&str, &str, MetricType)| {
            let mut family = MetricFamily::default();
            family.set_name((*name).to_owned());
            family.set_help((*help).to_owned());
            family.set_field_type(*kind);
            family.set_metric(self.metrics(name, &writers));
            family
        };
        SERIES.iter().map(family).filter(|f| !f.get_metric().is_empty()).collect()
    }
}

fn at(cells: &[Cell], index: usize) -> u64 {
    cells.get(index).map_or(0, Cell::read)
}

fn total(cells: &[Cell]) -> u64 {
    cells.iter().map(Cell::read).fold(0, u64::wrapping_add)
}

fn by_transport(value: impl Fn(usize) -> Metric) -> Vec<Metric> {
    TRANSPORTS.iter().enumerate().map(|(i, t)| with(value(i), &[("transport", t.uri_token())])).collect()
}

fn by_handler(value: impl Fn(usize) -> Metric) -> Vec<Metric> {
    HANDLERS.iter().enumerate().map(|(i, h)| with(value(i), &[("handler", h)])).collect()
}

fn gauge(value: f64) -> Metric {
    let mut gauge = GaugeValue::default();
    gauge.set_value(value);
    Metric::from_gauge(gauge)
}

fn count_of(value: Option<f64>) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(value.unwrap_or(0.0));
    let mut metric = Metric::default();
    metric.set_counter(counter);
    metric
}

fn counter(value: u64) -> Metric {
    count_of(Some(value as f64))
}

fn histogram<'a>(parts: impl Iterator<Item = &'a Spread> + Clone) -> Metric {
    let sum = |read: &dyn Fn(&Spread) -> u64| parts.clone().map(read).fold(0, u64::wrapping_add);
    let mut below = 0u64;
    let buckets = BUCKETS.iter().enumerate().map(|(i, bound)| {
        below = below.wrapping_add(sum(&|s| at(&s.buckets, i)));
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*bound as f64 / 1e6);
        bucket.set_cumulative_count(below);
        bucket
    });
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(sum(&|s| s.count.read()));
    histogram.set_sample_sum(sum(&|s| s.micros.read()) as f64 / 1e6);
    let mut metric = Metric::default();
    metric.set_histogram(histogram);
    metric
}

fn with(mut metric: Metric, labels: &[(&str, &str)]) -> Metric {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    metric.set_label(labels.iter().map(pair).collect());
    metric
}
