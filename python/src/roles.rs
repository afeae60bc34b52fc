//! Roles in the interpreter that imported us: what the console scripts of the wheel call.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use siphon::app::cli;
use siphon_proxy::Proxy;
use std::ffi::OsString;

/// Runs a role until it ends, as its binary would, and gives the exit code. Other Python threads go on meanwhile.
#[pyfunction]
#[pyo3(signature = (role, arguments))]
pub(crate) fn main(py: Python<'_>, role: &str, arguments: Vec<OsString>) -> PyResult<u8> {
    let run = match role {
        "siphon-proxy" => cli::main_with::<Proxy>,
        other => {
            return Err(PyValueError::new_err(format!(
                "this version has no role {other:?}; it has: siphon-proxy"
            )));
        }
    };
    siphon::script::redirect_output(py)?;
    Ok(py.detach(|| run(arguments)))
}

/// The script and the YAML that a role runs with when it is given none.
#[pyfunction]
pub(crate) fn embedded(role: &str) -> PyResult<(&'static str, &'static str)> {
    match role {
        "siphon-proxy" => Ok((siphon_proxy::SCRIPT, siphon_proxy::CONFIG)),
        other => {
            Err(PyValueError::new_err(format!("this version has no role {other:?}; it has: siphon-proxy")))
        }
    }
}
