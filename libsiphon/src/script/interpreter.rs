//! The embedded CPython: started once per process, and kept attached-but-detached on each thread that asks it.
//!
//! `PyGILState_Ensure` on a thread without a thread state makes and destroys one, which costs fifteen times a
//! handler. A thread that is wrapped here owns one for its whole life.

use super::siphon_module;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyModule;
use std::sync::Once;

/// Starts the interpreter and makes `import siphon` work. Later calls do nothing.
pub fn initialize() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        Python::initialize();
        Python::attach(|py| {
            if let Err(error) = siphon_module::install(py) {
                // Our own code and nothing of the operator's: there is no script without it.
                panic!("the siphon module does not import: {error}");
            }
        });
    });
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
    let module = SUPPORT.get_or_try_init(py, || {
        let code = std::ffi::CString::new(include_str!("support.py"))?;
        PyModule::from_code(py, &code, c"siphon/support.py", c"siphon_support").map(Bound::unbind)
    })?;
    Ok(module.bind(py))
}
