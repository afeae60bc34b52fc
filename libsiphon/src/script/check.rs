//! `--check`: everything wrong with a script in one go, without running a node.

use super::generation::Generation;
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
    /// The column, from 1; 0 when none is known.
    pub column: u32,
    /// Whether a script with it can be right nevertheless: it is said and fails no check.
    pub is_warning: bool,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        for place in [self.line, self.column].into_iter().take_while(|place| *place > 0) {
            write!(f, ":{place}")?;
        }
        write!(f, ": {}{}", if self.is_warning { "warning: " } else { "" }, self.message)
    }
}

/// Looks through the script and the modules beside it (`siphon._check`), and imports it without applying what it
/// asks for.
pub fn check(settings: ScriptSettings) -> Vec<Problem> {
    let script = Script::unloaded(settings, Arc::new(NoNode));
    let mut problems = static_problems(&script);
    if let Err(error) =
        Generation::load(&script, 0).map(|(generation, _)| Python::attach(|py| generation.hide(py)))
    {
        for told in error.problems().map(|told| located(told, script.source().name())) {
            // Looking at the text finds much of what the import stumbles over, and says it better.
            if !problems.iter().any(|p| !p.is_warning && (&p.file, p.line) == (&told.file, told.line)) {
                problems.push(told);
            }
        }
    }
    problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    problems
}

/// A handler is placed as logs name it, `file.py:12`; this gives file and line back.
fn located(mut told: Problem, script: String) -> Problem {
    if told.line == 0
        && let Some((short, line)) = told.file.rsplit_once(':')
        && let (true, Ok(line)) = (script.ends_with(short), line.parse())
    {
        (told.file, told.line) = (script, line);
    }
    told
}

/// A finding as Python gives it.
#[derive(FromPyObject)]
struct Found {
    file: String,
    line: u32,
    column: u32,
    severity: String,
    message: String,
}

fn static_problems(script: &Script) -> Vec<Problem> {
    let name = script.source().name();
    let text = match script.source().read() {
        Ok(text) => text,
        // The import says so.
        Err(_) => return Vec::new(),
    };
    let found = Python::attach(|py| -> PyResult<Vec<Found>> {
        let check = py.import("siphon._check")?.getattr("check")?;
        let settings = script.settings();
        let caches: Vec<&str> = settings.caches.iter().map(|cache| cache.name.as_str()).collect();
        let include = script.include_paths().to_vec();
        check.call1((&name, text, (STUBS,), include, settings.role, caches))?.extract()
    });
    match found {
        Ok(found) => found.into_iter().map(Problem::from).collect(),
        // Our own fault. A check that did not look must not say that all is well.
        Err(error) => {
            let message =
                format!("the text could not be looked through, which is a fault of siphon: {error}");
            vec![Problem { file: name, line: 0, column: 0, is_warning: false, message }]
        }
    }
}

impl From<Found> for Problem {
    fn from(found: Found) -> Problem {
        let is_warning = found.severity == "warning";
        let Found { file, line, column, message, .. } = found;
        Problem { file, line, column, is_warning, message }
    }
}

/// What scripts can say: names, parameters and results.
const STUBS: &str = include_str!("../../../python/siphon/__init__.pyi");

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
