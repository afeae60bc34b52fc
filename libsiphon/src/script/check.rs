//! `--check`: everything wrong with a script in one go, without running a node.

use super::generation::Generation;
use super::interpreter::support;
use super::script::{Script, ScriptSettings};
use super::services::NodeServices;
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
/// not there. `services` answers what the import itself asks of the node.
pub fn check(settings: ScriptSettings, services: Arc<dyn NodeServices>) -> Vec<Problem> {
    let script = Script::unloaded(settings, services);
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
