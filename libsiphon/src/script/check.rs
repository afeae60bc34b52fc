//! `--check`: everything wrong with a script in one go, without running a node.

use super::generation::Generation;
use super::interpreter::support;
use super::node_script::{Script, ScriptSettings};
use super::services::{
    Binding, DigestCheck, DigestOutcome, LogLine, Metric, MetricDefinition, NodeServices, SaveRequest, Saved,
    Undo,
};
use crate::base::text::Text;
use crate::base::time::Instant;
use crate::policy::ReplySpec;
use crate::wire::sip::Uri;
use pyo3::prelude::*;
use std::fmt;
use std::sync::Arc;

/// Something wrong with a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line; 0 when none is known.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}: {}", self.file, self.message),
        }
    }
}

/// Imports the script without applying what it asks for, and looks through its text for names of `siphon` that are
/// not there.
pub fn check(settings: ScriptSettings) -> Vec<Problem> {
    let script = Script::unloaded(settings, Arc::new(NoNode));
    let mut problems = Vec::new();
    if let Err(error) =
        Generation::load(&script, 0).map(|(generation, _)| Python::attach(|py| generation.hide(py)))
    {
        problems.extend(error.problems());
    }
    problems.extend(static_problems(&script));
    problems.sort_by(|a, b| (&a.file, a.line, &a.message).cmp(&(&b.file, b.line, &b.message)));
    // An import that fails is found by both ways of looking.
    problems.dedup_by(|a, b| a.file == b.file && a.line == b.line && a.line != 0);
    problems
}

fn static_problems(script: &Script) -> Vec<Problem> {
    let Ok(text) = script.source().read() else { return Vec::new() };
    let name = script.source().name();
    let found: PyResult<Vec<(u32, String)>> =
        Python::attach(|py| support(py)?.getattr("static_problems")?.call1((text,))?.extract());
    let problem = |(line, message)| Problem { file: name.clone(), line, message };
    found.unwrap_or_default().into_iter().map(problem).collect()
}

/// What an import asks of a node that does not run.
struct NoNode;

impl NodeServices for NoNode {
    fn now(&self) -> Instant {
        Instant::EPOCH
    }
    fn is_local(&self, _uri: &Uri<'_>) -> bool {
        false
    }
    fn default_realm(&self) -> Text {
        Text::from("")
    }
    fn save(&self, _request: &SaveRequest<'_>, _now: Instant) -> Saved {
        Saved { ok: false, reply: ReplySpec::code(503), commit: None, undo: None }
    }
    fn roll_back(&self, _undo: Undo, _now: Instant) {}
    fn lookup(&self, _uri: &str, _now: Instant) -> Vec<Binding> {
        Vec::new()
    }
    fn remove(&self, _uri: &str, _now: Instant) -> usize {
        0
    }
    fn aor_count(&self) -> usize {
        0
    }
    fn check_digest(&self, _check: &DigestCheck<'_>, _now: Instant) -> DigestOutcome {
        DigestOutcome::Refused(ReplySpec::code(403))
    }
    fn log(&self, _line: LogLine<'_>) {}
    fn metric(&self, _definition: &MetricDefinition) -> Result<Arc<dyn Metric>, String> {
        Ok(Arc::new(NoMetric))
    }
    fn rate_limit(&self, _key: &str, _window_secs: f64, _max_requests: u64, _now: Instant) -> bool {
        true
    }
}

struct NoMetric;

impl Metric for NoMetric {
    fn add(&self, _labels: &[&str], _amount: f64) {}
    fn set(&self, _labels: &[&str], _value: f64) {}
    fn observe(&self, _labels: &[&str], _value: f64) {}
}
