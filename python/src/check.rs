//! `siphon_sdk.check`: what `--check` of a role says about a script, as values.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use siphon::app::role::Role;
use siphon::script::{ScriptSettings, ScriptSource};
use siphon_proxy::Proxy;
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
    let role = [Proxy::NAME].into_iter().find(|name| *name == role).ok_or_else(|| {
        PyValueError::new_err(format!("this version has no role {role:?}; it has: {}", Proxy::NAME))
    })?;
    let settings = ScriptSettings { role, include_paths, ..ScriptSettings::new(ScriptSource::File(path)) };
    let found = py.detach(|| siphon::script::check(settings));
    let severity = |is_warning| if is_warning { "warning" } else { "error" };
    Ok(found.into_iter().map(|p| (p.file, p.line, p.column, severity(p.is_warning), p.message)).collect())
}
