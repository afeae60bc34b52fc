//! The pages for probes and for Prometheus. Which of them a server offers depends on the listener.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::health::{Health, Phase};
use super::metrics::Metrics;

/// What the pages show.
#[derive(Clone)]
pub struct Pages {
    /// Phase of the node.
    pub health: Arc<Health>,
    /// The series.
    pub metrics: Arc<Metrics>,
    /// Name of the binary.
    pub role: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// Which pages a server offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// `/livez`, `/readyz`, `/admin/health`.
    pub health: bool,
    /// Path of the metrics page.
    pub metrics: Option<String>,
}

/// The pages of one server.
pub fn router(pages: &Pages, offer: &Offer) -> Router {
    let mut router = Router::new();
    if offer.health {
        let live = || async { "ok\n" };
        let health = pages.health.clone();
        let ready = move || {
            let phase = health.phase();
            async move { (status(phase), format!("{}\n", phase.label())) }
        };
        let pages = pages.clone();
        let about = move || {
            let (pages, phase) = (pages.clone(), pages.health.phase());
            async move {
                let uptime = pages.metrics.uptime().as_secs();
                let body = json!({
                    "status": phase.label(),
                    "role": pages.role,
                    "version": pages.version,
                    "uptime_seconds": uptime,
                });
                (status(phase), axum::Json(body))
            }
        };
        router =
            router.route("/livez", get(live)).route("/readyz", get(ready)).route("/admin/health", get(about));
    }
    if let Some(path) = &offer.metrics {
        let metrics = pages.metrics.clone();
        router = router.route(path, get(move || async move { text(&metrics) }));
    }
    router
}

/// A probe must stop sending work at the first sign of a drain; whether the process lives is another question.
fn status(phase: Phase) -> StatusCode {
    match phase {
        Phase::Ready => StatusCode::OK,
        Phase::Starting | Phase::Draining => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn text(metrics: &Metrics) -> Response {
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
