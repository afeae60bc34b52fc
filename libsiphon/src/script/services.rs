//! What a script can reach of its node, as a trait: the registrar, digest authentication, the log, metrics.
//!
//! The adapter names no engine type, so that tests give it a node of their own. Calls may come from any thread.

use crate::base::flow::Flow;
use crate::base::text::Text;
use crate::base::time::Instant;
use crate::policy::{Commit, Header, ReplySpec};
use crate::proto::media::Desk;
pub use crate::proto::registrar::Binding;
use crate::wire::sip::{Message, Uri};
use std::fmt;
use std::sync::Arc;

/// The node behind a script.
pub trait NodeServices: Send + Sync {
    /// The node's clock, for calls from threads that serve no question.
    fn now(&self) -> Instant;

    /// Whether a URI names this node or one of its domains (`domain.local`): an entry with a port matches exactly
    /// that port, one without any port.
    fn is_local(&self, uri: &Uri<'_>) -> bool;

    /// The digest realm when a script names none (`auth.realm`).
    fn default_realm(&self) -> Text;

    /// Registers the contacts of a REGISTER (RFC 3261 10.3): stores them and says what to answer.
    fn save(&self, request: &SaveRequest<'_>, now: Instant) -> Saved;

    /// Takes back what [`save`](Self::save) stored.
    fn roll_back(&self, undo: Undo, now: Instant);

    /// The bindings of an address of record, best q first. `uri` is a SIP URI or an address of record.
    fn lookup(&self, uri: &str, now: Instant) -> Vec<Binding>;

    /// Removes all bindings of an address of record; how many there were.
    fn remove(&self, uri: &str, now: Instant) -> usize;

    /// How many addresses of record have bindings.
    fn aor_count(&self) -> usize;

    /// Checks the credentials of a request (RFC 7616, RFC 3261 22).
    fn check_digest(&self, check: &DigestCheck<'_>, now: Instant) -> DigestOutcome;

    /// Profiles and sessions of media; `None` without media engines.
    fn media(&self) -> Option<Arc<Desk>> {
        None
    }

    /// Writes one line to the log.
    fn log(&self, line: LogLine<'_>);

    /// Registers a metric of the script's own; the same definition again gives the same metric.
    fn metric(&self, definition: &MetricDefinition) -> Result<Arc<dyn Metric>, String>;

    /// Counts one request of `key` against a limit per window; false when it is over.
    fn rate_limit(&self, key: &str, window_secs: f64, max_requests: u64, now: Instant) -> bool;
}

/// A REGISTER to be saved, with what the script says about it.
#[derive(Debug)]
pub struct SaveRequest<'a> {
    /// The REGISTER.
    pub request: &'a Message,
    /// The flow it came on.
    pub flow: Flow,
    /// Further addresses of record to bind the same contacts to.
    pub aliases: &'a [String],
    /// Drop the bindings that the request does not name.
    pub force: bool,
    /// The user that digest authentication found, if it ran.
    pub auth_user: Option<&'a str>,
    /// Route replies and calls to where the request came from instead of what Contact says (NAT).
    pub natted: bool,
}

/// What came of a save.
#[derive(Debug)]
pub struct Saved {
    /// The bindings are stored.
    pub ok: bool,
    /// What to answer: 200 with Contact, Path, Service-Route; or 400, 403, 423, 500, 503.
    pub reply: ReplySpec,
    /// What a durable store must acknowledge before the reply leaves.
    pub commit: Option<Commit>,
    /// Gives the bindings back as they were.
    pub undo: Option<Undo>,
}

/// The state before a save, opaque to the script layer.
pub struct Undo(pub Box<dyn std::any::Any + Send + Sync>);

impl fmt::Debug for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Undo(..)")
    }
}

/// Which challenge to give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DigestKind {
    /// 401 and WWW-Authenticate (RFC 3261 22.2).
    Www,
    /// 407 and Proxy-Authenticate (RFC 3261 22.3).
    Proxy,
}

/// Credentials to be checked.
#[derive(Debug)]
pub struct DigestCheck<'a> {
    /// The request.
    pub request: &'a Message,
    /// Where it came from.
    pub flow: Flow,
    /// Which header fields and status to use.
    pub kind: DigestKind,
    /// The realm; `None` takes the configured one.
    pub realm: Option<&'a str>,
    /// A password that the script knows, instead of the configured users'.
    pub password: Option<&'a str>,
    /// Likewise, as HA1 (hexadecimal).
    pub ha1: Option<&'a str>,
}

/// What came of a check.
#[derive(Debug)]
pub enum DigestOutcome {
    /// The credentials are right.
    Granted {
        /// The authenticated user.
        user: Text,
        /// Header fields for the response (Authentication-Info).
        reply_headers: Vec<Header>,
    },
    /// They are absent, stale or wrong: what to answer.
    Refused(ReplySpec),
}

/// Severity of a log line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LogLevel {
    /// Detail.
    Debug,
    /// News.
    Info,
    /// Something is odd.
    Warning,
    /// Something failed.
    Error,
}

impl LogLevel {
    /// From the name that Python code uses.
    pub fn from_name(name: &str) -> Self {
        match name {
            "debug" => LogLevel::Debug,
            "warn" | "warning" => LogLevel::Warning,
            "error" => LogLevel::Error,
            _ => LogLevel::Info,
        }
    }
}

/// One line for the log.
#[derive(Debug)]
pub struct LogLine<'a> {
    /// How bad.
    pub level: LogLevel,
    /// What to say. May hold several lines (a traceback) and whatever a peer sent.
    pub text: &'a str,
    /// Named values.
    pub fields: &'a [(String, String)],
    /// `file.py:12`, empty when there is none.
    pub script_line: &'a str,
    /// Call-ID of the message that is being handled.
    pub call_id: Option<&'a str>,
}

/// What kind of metric.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetricKind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

/// A metric that a script defines.
#[derive(Clone, PartialEq, Debug)]
pub struct MetricDefinition {
    /// What kind.
    pub kind: MetricKind,
    /// Its name.
    pub name: String,
    /// Its help text.
    pub help: String,
    /// Names of its labels.
    pub labels: Vec<String>,
    /// Upper bounds of a histogram's buckets; empty for the default ones.
    pub buckets: Vec<f64>,
}

/// A metric. `labels` are values in the order of the definition's names.
pub trait Metric: Send + Sync {
    /// Adds to a counter (never negative) or a gauge.
    fn add(&self, labels: &[&str], amount: f64);
    /// Sets a gauge.
    fn set(&self, labels: &[&str], value: f64);
    /// Records an observation.
    fn observe(&self, labels: &[&str], value: f64);
}
