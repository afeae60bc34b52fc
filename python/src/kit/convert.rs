//! Values as they go between Python and the network.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use siphon::base::flow::Transport;
use siphon::base::time::Duration;
use siphon::proto::registrar::Binding;
use siphon::script::ScriptSource;
use siphon::sim::log::{Log, What};
use siphon::sim::{CallState, START};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

pub(super) fn wrong(what: impl ToString) -> PyErr {
    PyValueError::new_err(what.to_string())
}

/// A script as Python names it: a file, or a text with a name for tracebacks.
pub(super) fn source(file: Option<PathBuf>, text: Option<(String, String)>) -> Option<ScriptSource> {
    let embedded = text.map(|(name, text)| ScriptSource::Embedded { name, text });
    embedded.or_else(|| file.map(ScriptSource::File))
}

pub(super) fn transport(name: &str) -> PyResult<Transport> {
    Transport::from_token(name).ok_or_else(|| wrong(format!("no transport {name:?}: udp or tcp")))
}

pub(super) fn socket(ip: &str, port: u16) -> PyResult<SocketAddr> {
    let ip: IpAddr = ip.parse().map_err(|_| wrong(format!("{ip:?} is no IP address")))?;
    Ok(SocketAddr::new(ip, port))
}

pub(super) fn span(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong(format!("{seconds} is no number of seconds")))
}

/// A share given as 0 to 1, per thousand.
pub(super) fn share(part: f64) -> PyResult<u32> {
    match (0.0..=1.0).contains(&part) {
        true => Ok((part * 1000.0).round() as u32),
        false => Err(wrong(format!("{part} is no share between 0 and 1"))),
    }
}

/// Seconds since the start, what became of it, transport, from, to, name of the sender, name of the receiver, octets.
pub(super) type Entry<'py> =
    (f64, &'static str, &'static str, String, String, String, String, Bound<'py, PyBytes>);

/// When, Call-ID, method, what, file and line.
pub(super) type Decided = (f64, String, &'static str, String, Option<String>);

/// Contact, q, seconds left, where the REGISTER came from, Path.
pub(super) type Contact = (String, f64, u64, Option<String>, Vec<String>);

/// One entry of the wire's log.
pub(super) fn entry<'py>(py: Python<'py>, log: &Log, entry: &siphon::sim::log::Entry) -> Entry<'py> {
    let what = match entry.what {
        What::Sent => "sent",
        What::Lost => "lost",
        What::Note => "note",
    };
    (
        entry.at.since(START).as_secs_f64(),
        what,
        entry.transport.uri_token(),
        entry.from.to_string(),
        entry.to.to_string(),
        log.name_of(entry.from),
        log.name_of(entry.to),
        PyBytes::new(py, &entry.bytes),
    )
}

/// One decision.
pub(super) fn decided(d: siphon::app::kit::Decision) -> Decided {
    let line = d.script_line.map(|line| line.to_string());
    (d.at.since(START).as_secs_f64(), d.call_id.to_string(), d.method, d.what.to_string(), line)
}

/// One binding.
pub(super) fn contact(b: &Binding, now: siphon::base::time::Instant) -> Contact {
    let path = b.path.iter().map(ToString::to_string).collect();
    let left = b.expires_at.since(now).as_secs();
    (b.uri.to_string(), f64::from(b.q) / 1000.0, left, b.received.map(|r| r.to_string()), path)
}

/// How a call stands, and the status code of a failed one.
pub(super) fn state(state: CallState) -> (&'static str, u16) {
    match state {
        CallState::Calling => ("calling", 0),
        CallState::Incoming => ("incoming", 0),
        CallState::Proceeding => ("proceeding", 0),
        CallState::Confirmed => ("confirmed", 0),
        CallState::Ended => ("ended", 0),
        CallState::Failed(status) => ("failed", status),
    }
}

/// Engine, Call-ID, tags, ports, offers and answers, whether it was answered, tags whose media are blocked and silenced,
/// whether it is recorded.
pub(super) type MediaSession =
    (String, String, Vec<String>, Vec<u16>, u32, bool, Vec<String>, Vec<String>, bool);

pub(super) fn media_session(engine: &str, session: &siphon::sim::media::Session) -> MediaSession {
    let tags = |of: &std::collections::BTreeSet<String>| of.iter().cloned().collect();
    (
        engine.to_owned(),
        session.call_id.clone(),
        session.tags.clone(),
        session.ports.clone(),
        session.exchanges,
        session.answered,
        tags(&session.blocked),
        tags(&session.silenced),
        session.recorded,
    )
}
