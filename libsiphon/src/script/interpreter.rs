//! The CPython that scripts run in: started here once per process, or the host's where the engine is an extension
//! module. Kept attached-but-detached on each thread that asks it.
//!
//! `PyGILState_Ensure` on a thread without a thread state makes and destroys one, which costs fifteen times a
//! handler. A thread that is wrapped here owns one for its whole life.

use super::log_namespace::emitter;
use super::siphon_module;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyModule};
use std::ffi::CString;

/// The sources of the package `siphon`: what scripts import here, an editor reads, and the wheel installs.
pub(super) const FILES: &[(&str, &str)] = &[
    ("siphon", include_str!("../../../python/siphon/__init__.py")),
    ("siphon._check", include_str!("../../../python/siphon/_check/__init__.py")),
    ("siphon._check.arguments", include_str!("../../../python/siphon/_check/arguments.py")),
    ("siphon._check.deciding", include_str!("../../../python/siphon/_check/deciding.py")),
    ("siphon._check.finding", include_str!("../../../python/siphon/_check/finding.py")),
    ("siphon._check.handlers", include_str!("../../../python/siphon/_check/handlers.py")),
    ("siphon._check.imports", include_str!("../../../python/siphon/_check/imports.py")),
    ("siphon._check.kinds", include_str!("../../../python/siphon/_check/kinds.py")),
    ("siphon._check.literals", include_str!("../../../python/siphon/_check/literals.py")),
    ("siphon._check.members", include_str!("../../../python/siphon/_check/members.py")),
    ("siphon._check.names", include_str!("../../../python/siphon/_check/names.py")),
    ("siphon._check.project", include_str!("../../../python/siphon/_check/project.py")),
    ("siphon._check.reach", include_str!("../../../python/siphon/_check/reach.py")),
    ("siphon._check.scope", include_str!("../../../python/siphon/_check/scope.py")),
    ("siphon._check.source", include_str!("../../../python/siphon/_check/source.py")),
    ("siphon._check.stored", include_str!("../../../python/siphon/_check/stored.py")),
    ("siphon._check.stub", include_str!("../../../python/siphon/_check/stub.py")),
    ("siphon._check.waiting", include_str!("../../../python/siphon/_check/waiting.py")),
    ("siphon._check.walk", include_str!("../../../python/siphon/_check/walk.py")),
    ("siphon._support", include_str!("../../../python/siphon/_support.py")),
    ("siphon._surface", include_str!("../../../python/siphon/_surface.py")),
];

/// Set once `import siphon` works.
static INSTALLED: PyOnceLock<()> = PyOnceLock::new();

/// The extension module, where the interpreter is the host's.
static EXTENSION: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// Starts the interpreter if nobody did, and makes `import siphon` work. Later calls do nothing.
pub fn initialize() {
    Python::initialize();
    Python::attach(|py| {
        if let Err(error) = install(py) {
            // Our own code and nothing of the operator's: there is no script without it.
            panic!("the siphon module does not import: {error}");
        }
    });
}

/// Makes `import siphon` work in the interpreter that is there. What an extension module calls when it is imported,
/// to have the error as an exception.
pub fn install(py: Python<'_>) -> PyResult<()> {
    INSTALLED
        .get_or_try_init(py, || {
            let extension = EXTENSION.get(py).map(|m| m.bind(py).clone());
            let native = match &extension {
                Some(module) => module.clone(),
                None => {
                    let module = PyModule::new(py, "siphon._native")?;
                    siphon_module::fill(&module)?;
                    module
                }
            };
            let files = PyDict::new(py);
            for (name, text) in FILES {
                files.set_item(name, text)?;
            }
            let code = CString::new(include_str!("embedded.py"))?;
            let importer = PyModule::from_code(py, &code, c"<siphon/embedded.py>", c"siphon_embedded")?;
            let foreign: Option<String> =
                importer.call_method1("offer", (files, native, extension.is_some()))?.extract()?;
            if extension.is_none() {
                redirect_output(py)?;
            }
            match (foreign, extension) {
                (Some(sentence), Some(_)) => {
                    py.import("warnings")?.call_method1("warn", (sentence,)).map(|_| ())
                }
                (Some(sentence), None) => {
                    tracing::warn!("{sentence}");
                    Ok(())
                }
                (None, _) => Ok(()),
            }
        })
        .copied()
}

/// Puts the engine's half of `siphon` into an extension module, which thereby says that the interpreter is the host's.
pub fn extend(module: &Bound<'_, PyModule>) -> PyResult<()> {
    siphon_module::fill(module)?;
    EXTENSION.get_or_init(module.py(), || module.clone().unbind());
    Ok(())
}

/// Sends what Python code prints, logs and warns of to the log of the node that runs.
pub fn redirect_output(py: Python<'_>) -> PyResult<()> {
    support(py)?.getattr("install")?.call1((emitter(py)?,)).map(|_| ())
}

/// Runs `f` on this thread with a Python thread state that lives as long as `f`, detached until somebody attaches.
pub fn wrap_thread<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    initialize();
    Python::attach(|py| py.detach(f))
}

/// The same, in the shape that the driver's shard threads take.
pub fn wrap_shard(life: Box<dyn FnOnce() + Send>) {
    wrap_thread(life);
}

/// The support module: generations, analysis of handlers, stdlib bridges.
pub(crate) fn support<'py>(py: Python<'py>) -> PyResult<&'py Bound<'py, PyModule>> {
    static SUPPORT: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = SUPPORT.get_or_try_init(py, || py.import("siphon._support").map(Bound::unbind))?;
    Ok(module.bind(py))
}
