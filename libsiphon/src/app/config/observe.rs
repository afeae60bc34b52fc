//! Blocks for those who watch: `log`, `metrics`, `admin`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address::Endpoint;

/// The log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Lines below this level are not written. Default `info`. A reload changes it at once.
    pub level: Level,
    /// How a line looks.
    pub format: Format,
    /// Append to this file, relative to this YAML file, and open it anew on SIGHUP (logrotate).
    /// Default: standard output.
    pub file: Option<PathBuf>,
}

/// Least important level that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Everything, each effect of the engine included.
    Trace,
    /// Each message and each decision.
    Debug,
    /// Changes of the service's state.
    #[default]
    Info,
    /// What an operator should look at.
    Warn,
    /// What failed.
    Error,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people: time, level, text, fields.
    #[default]
    Pretty,
    /// For machines: one JSON object per line.
    Json,
}

/// Where metrics are offered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Prometheus text over HTTP. Default: not offered.
    pub prometheus: Option<Prometheus>,
}

/// Prometheus text over HTTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Prometheus {
    /// Address and port to listen on. Default `127.0.0.1:9091`.
    pub listen: Endpoint,
    /// Path of the page. Default `/metrics`.
    #[schemars(extend("x-kind" = "http-path"))]
    pub path: String,
}

impl Default for Prometheus {
    fn default() -> Self {
        Self { listen: loopback(9091), path: "/metrics".to_owned() }
    }
}

/// Health pages: `/livez`, `/readyz`, `/admin/health`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Address and port to listen on. Default `127.0.0.1:9092`. The same as `metrics.prometheus.listen` is
    /// allowed: one server then answers both.
    pub listen: Endpoint,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: loopback(9092) }
    }
}

fn loopback(port: u16) -> Endpoint {
    Endpoint(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}
