//! `siphon_sdk.check`: what `--check` of a role says about a script, as values.

use crate::roles;
use pyo3::prelude::*;
use siphon::script::{ScriptSettings, ScriptSource};
use std::path::PathBuf;

/// File, line, column, severity, message.
type Row = (String, u32, u32, &'static str, String);

/// Looks through a script of `role` and imports it without applying what it asks for.
#[pyfunction]
#[pyo3(signature = (path, role, include_paths))]
pub(crate) fn check(
    py: Python<'_>,
    path: PathBuf,
    role: &str,
    include_paths: Vec<PathBuf>,
) -> PyResult<Vec<Row>> {
    let role = roles::find(role)?.name;
    let settings = ScriptSettings { role, include_paths, ..ScriptSettings::new(ScriptSource::File(path)) };
    let found = py.detach(|| siphon::script::check(settings));
    let severity = |is_warning| if is_warning { "warning" } else { "error" };
    Ok(found.into_iter().map(|p| (p.file, p.line, p.column, severity(p.is_warning), p.message)).collect())
}
