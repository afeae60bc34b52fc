//! The extension module `siphon_sdk._engine`: the engine with all roles, in somebody's CPython.
//!
//! Thin as a binary: what scripts find is `siphon::script`, what a role does is `siphon::app`.

mod check;
mod kit;
mod replay;
mod roles;

use pyo3::prelude::*;

/// The engine of siphon: the native half of the package `siphon`, and the roles.
#[pymodule(name = "_engine")]
fn engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    siphon::script::extend(module)?;
    module.add_function(wrap_pyfunction!(roles::main, module)?)?;
    module.add_function(wrap_pyfunction!(roles::embedded, module)?)?;
    module.add_function(wrap_pyfunction!(roles::names, module)?)?;
    module.add_class::<kit::Kit>()?;
    module.add_function(wrap_pyfunction!(check::check, module)?)?;
    module.add_class::<replay::Capture>()?;
    module.add_class::<replay::Captured>()?;
    module.add_class::<replay::Replay>()?;
    module.add_function(wrap_pyfunction!(install, module)?)?;
    module.add("__version__", siphon::app::cli::version())
}

/// Makes sure that `import siphon` gives the package that belongs to this engine.
#[pyfunction]
fn install(py: Python<'_>) -> PyResult<()> {
    siphon::script::install(py)
}
