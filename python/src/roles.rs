//! The roles of this version: one row each. What the console scripts of the wheel call runs them in the interpreter that
//! imported us; the kit and the replay start their nodes on a network of their own.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use siphon::app::cli;
use siphon::app::config::Text;
use siphon::app::kit::{Kit, KitPlan, Replay, ReplayPlan};
use siphon::app::sip::SipRole;
use siphon_proxy::Proxy;
use siphon_sbc::Sbc;
use std::ffi::OsString;
use std::path::PathBuf;

/// The table.
static ROLES: &[Row] = &[Row::of::<Proxy>(), Row::of::<Sbc>()];

/// A role: its embedded files, and the ways to start it.
pub(crate) struct Row {
    /// Name of its binary.
    pub(crate) name: &'static str,
    config: &'static str,
    script: &'static str,
    main: fn(Vec<OsString>) -> u8,
    /// Its node in the test kit.
    pub(crate) kit: fn(KitPlan) -> Result<Kit, String>,
    /// Its node before a recorded trace.
    pub(crate) replay: fn(KitPlan, ReplayPlan) -> Result<Replay, String>,
}

impl Row {
    const fn of<R: SipRole>() -> Row {
        Row {
            name: R::NAME,
            config: R::CONFIG,
            script: R::SCRIPT,
            main: cli::main_with::<R>,
            kit: Kit::start::<R>,
            replay: Replay::start::<R>,
        }
    }

    /// The YAML that Python gives, or the embedded one.
    pub(crate) fn yaml(&self, text: Option<String>, name: String, file: Option<PathBuf>) -> Text {
        match text {
            Some(text) => Text { name, text, file },
            None => Text::embedded(self.name, self.config),
        }
    }
}

/// The row of a role.
pub(crate) fn find(name: &str) -> PyResult<&'static Row> {
    ROLES.iter().find(|row| row.name == name).ok_or_else(|| {
        let have = names().join(", ");
        PyValueError::new_err(format!("this version has no role {name:?}; it has: {have}"))
    })
}

/// The roles of this version.
#[pyfunction(name = "roles")]
pub(crate) fn names() -> Vec<&'static str> {
    ROLES.iter().map(|row| row.name).collect()
}

/// Runs a role until it ends, as its binary would, and gives the exit code. Other Python threads go on meanwhile.
#[pyfunction]
#[pyo3(signature = (role, arguments))]
pub(crate) fn main(py: Python<'_>, role: &str, arguments: Vec<OsString>) -> PyResult<u8> {
    let run = find(role)?.main;
    siphon::script::redirect_output(py)?;
    Ok(py.detach(|| run(arguments)))
}

/// The script and the YAML that a role runs with when it is given none.
#[pyfunction]
pub(crate) fn embedded(role: &str) -> PyResult<(&'static str, &'static str)> {
    find(role).map(|row| (row.script, row.config))
}
