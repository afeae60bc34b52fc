//! What a scrape says after a known stream of events.

use std::sync::Arc;

use super::{Gauge, Kind as MetricKind, Metrics, ScriptMetricFault};
use crate::base::flow::{Flow, Transport};
use crate::base::time::{Duration, Instant};
use crate::event::{BindingChange, Event, Kind, ShedReason, Side};
use crate::wire::sip::Method;

fn clock() -> Instant {
    Instant::from_unix_secs(1000)
}

fn metrics() -> Arc<Metrics> {
    Metrics::new("siphon-proxy", "1.2.3", clock).expect("names of series are valid")
}

fn event(kind: Kind) -> Event {
    Event { at: Instant::EPOCH, shard: 0, kind }
}

fn flow() -> Flow {
    let address = std::net::SocketAddr::from(([192, 0, 2, 1], 5060));
    Flow { transport: Transport::Tcp, local: address, remote: address, connection: None }
}

/// The lines of the page that begin with one of these names, without comments.
fn lines(metrics: &Metrics, names: &[&str]) -> String {
    let page = metrics.text().expect("the page is text");
    let wanted = page.lines().filter(|l| names.iter().any(|n| l.starts_with(n)) && !l.ends_with(" 0"));
    wanted.collect::<Vec<_>>().join("\n")
}

#[test]
fn counts_of_several_writers_are_added_up() {
    let metrics = metrics();
    for writer in [metrics.writer(), metrics.writer()] {
        for method in [Method::Invite, Method::Other] {
            writer.count(&event(Kind::TransactionStarted {
                side: Side::Server,
                method,
                call_id: "c".into(),
            }));
        }
        let took = Duration::from_millis(3);
        let side = Side::Server;
        let method = Method::Invite;
        writer.count(&event(Kind::TransactionCompleted {
            side,
            method,
            status: 404,
            took,
            call_id: "c".into(),
        }));
        writer.count(&event(Kind::TransactionEnded { side }));
        writer.count(&event(Kind::Shed { reason: ShedReason::Mailbox, method, call_id: None }));
        writer.count(&event(Kind::ConnectionOpened { flow: flow() }));
        writer.message_received(Transport::Udp);
    }
    let page = lines(
        &metrics,
        &[
            "siphon_requests_total",
            "siphon_responses_total",
            "siphon_transactions_active",
            "siphon_overload",
            "siphon_connections",
            "siphon_sip_messages",
            "siphon_request_duration_seconds_count",
            "siphon_request_duration_seconds_sum",
        ],
    );
    assert_eq!(
        page,
        "siphon_connections_active{transport=\"tcp\"} 2\n\
         siphon_overload_rejected_total{reason=\"mailbox\"} 2\n\
         siphon_request_duration_seconds_sum 0.006\n\
         siphon_request_duration_seconds_count 2\n\
         siphon_requests_total{method=\"INVITE\"} 2\n\
         siphon_requests_total{method=\"OTHER\"} 2\n\
         siphon_responses_total{code=\"404\"} 2\n\
         siphon_sip_messages_received_total{transport=\"udp\"} 2\n\
         siphon_transactions_active 2"
    );
}

#[test]
fn buckets_are_cumulative() {
    let metrics = metrics();
    let writer = metrics.writer();
    for took in [50, 200, 3_000, 99_000_000] {
        let handler = "proxy.on_request".into();
        writer.count(&event(Kind::HandlerRan {
            handler,
            took: Duration::from_micros(took),
            ok: took != 200,
            call_id: None,
        }));
    }
    let page =
        lines(&metrics, &["siphon_script_handler_duration_seconds_bucket{handler=\"proxy.on_request\""]);
    let counts: Vec<&str> = page.lines().filter_map(|l| l.rsplit(' ').next()).collect();
    assert_eq!(counts, ["1", "2", "2", "2", "2", "3", "3", "3", "3", "3", "3", "3", "4"]);
    assert_eq!(lines(&metrics, &["siphon_script_errors_total"]), "siphon_script_errors_total 1");
}

#[test]
fn a_refresh_is_no_new_registration() {
    let metrics = metrics();
    let writer = metrics.writer();
    let changes = [
        BindingChange::Registered,
        BindingChange::Registered,
        BindingChange::Refreshed,
        BindingChange::Expired,
    ];
    for change in changes {
        writer.count(&event(Kind::Binding {
            aor: "a".into(),
            contact: "c".into(),
            change,
            call_id: "i".into(),
        }));
    }
    assert_eq!(lines(&metrics, &["siphon_registrations"]), "siphon_registrations_active 1");
}

#[test]
fn the_owner_of_a_number_is_believed_more_than_a_count_of_events() {
    let metrics = metrics();
    metrics.source(Gauge::Registrations, || 7.0);
    assert_eq!(lines(&metrics, &["siphon_registrations"]), "siphon_registrations_active 7");
}

#[test]
fn the_default_page_keeps_the_label_budget() {
    let metrics = metrics();
    let writer = metrics.writer();
    for status in 0..=u16::MAX {
        let (side, method, took) = (Side::Server, Method::Other, Duration::ZERO);
        writer.count(&event(Kind::TransactionCompleted { side, method, status, took, call_id: "c".into() }));
    }
    for handler in 0..10_000 {
        let handler = format!("handler{handler}").into();
        writer.count(&event(Kind::HandlerRan { handler, took: Duration::ZERO, ok: true, call_id: None }));
    }
    let page = metrics.text().expect("the page is text");
    let series = page.lines().filter(|l| !l.starts_with('#')).count();
    assert!(series < 2_000, "{series} series");
}

#[test]
fn a_script_metric_keeps_its_value_over_a_reload() {
    let metrics = metrics();
    let define = || {
        let labels = ["dest".to_owned()];
        metrics
            .script()
            .define(MetricKind::Counter, "calls_total", "Calls.", &labels, &[])
            .expect("a valid name")
    };
    define().add(&["paris"], 2.0);
    define().add(&["paris"], 1.0);
    define().add(&["paris"], -5.0);
    define().add(&["too", "many"], 1.0);
    assert_eq!(lines(&metrics, &["calls_total"]), "calls_total{dest=\"paris\"} 3");
    let dropped = "siphon_script_metric_values_dropped_total";
    assert_eq!(lines(&metrics, &[dropped]), format!("{dropped} 2"));
}

#[test]
fn gauges_and_histograms_of_scripts_are_on_the_page() {
    let metrics = metrics();
    let script = metrics.script();
    let gauge = script.define(MetricKind::Gauge, "depth", "", &[], &[]).expect("a valid name");
    gauge.set(&[], 5.0);
    gauge.add(&[], -2.0);
    let histogram = script.define(MetricKind::Histogram, "wait", "Wait.", &[], &[1.0, 2.0]).expect("valid");
    histogram.observe(&[], 1.5);
    assert_eq!(
        lines(&metrics, &["depth", "wait"]),
        "depth 3\nwait_bucket{le=\"2\"} 1\nwait_bucket{le=\"+Inf\"} 1\nwait_sum 1.5\nwait_count 1"
    );
}

#[test]
fn definitions_that_cannot_stand_are_refused() {
    let metrics = metrics();
    let script = metrics.script();
    let define = |kind, name: &str| script.define(kind, name, "", &[], &[]).map(|_| ());
    assert_eq!(define(MetricKind::Counter, "x"), Ok(()));
    assert_eq!(define(MetricKind::Gauge, "x"), Err(ScriptMetricFault::Differs("x".to_owned())));
    assert_eq!(
        define(MetricKind::Gauge, "siphon_x"),
        Err(ScriptMetricFault::Reserved("siphon_x".to_owned()))
    );
    assert!(matches!(define(MetricKind::Gauge, "no spaces"), Err(ScriptMetricFault::Name { .. })));
    for n in 0..199 {
        assert_eq!(define(MetricKind::Gauge, &format!("g{n}")), Ok(()));
    }
    assert_eq!(define(MetricKind::Gauge, "one_more"), Err(ScriptMetricFault::TooMany("one_more".to_owned())));
}

#[test]
fn label_sets_beyond_the_bound_are_dropped_and_counted() {
    let metrics = metrics();
    let labels = ["who".to_owned()];
    let counter = metrics.script().define(MetricKind::Counter, "who_total", "", &labels, &[]).expect("valid");
    for n in 0..1500 {
        counter.add(&[&n.to_string()], 1.0);
    }
    let page = metrics.text().expect("the page is text");
    assert_eq!(page.lines().filter(|l| l.starts_with("who_total{")).count(), 1000);
    assert!(page.contains("siphon_script_metric_values_dropped_total 500"));
}
