//! The module `siphon` that scripts import: namespaces, the types for annotations, and a clear word about what is
//! not there.

use super::awaitable::Awaitable;
use super::cache_namespace::CacheNamespace;
use super::context;
use super::interpreter::support;
use super::log_namespace::{Log, emitter};
use super::metrics_namespace::{Counter, Gauge, Histogram, Metrics};
use super::proxy_namespace::Proxy;
use super::registrar_namespace::{Auth, Contact, PyFlow, Registrar};
use super::reply::Reply;
use super::request::{Cancelled, Request, TransactionEnded};
use super::surface;
use super::timer_namespace::{Timer, TimerHandle};
use super::uri::SipUri;
use pyo3::exceptions::{PyAttributeError, PyImportError};
use pyo3::prelude::*;
use pyo3::types::PyModule;

/// Makes `siphon` importable and points stdlib output at the log.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let module = PyModule::new(py, "siphon")?;
    module.add("proxy", Proxy)?;
    module.add("registrar", Registrar)?;
    module.add("auth", Auth)?;
    module.add("log", Log)?;
    module.add("timer", Timer)?;
    module.add("cache", CacheNamespace)?;
    module.add("metrics", Metrics)?;
    module.add_class::<Request>()?;
    module.add_class::<Reply>()?;
    module.add_class::<SipUri>()?;
    module.add_class::<Contact>()?;
    module.add_class::<PyFlow>()?;
    module.add_class::<TimerHandle>()?;
    module.add_class::<Counter>()?;
    module.add_class::<Gauge>()?;
    module.add_class::<Histogram>()?;
    module.add_class::<Awaitable>()?;
    module.add("TransactionEnded", py.get_type::<TransactionEnded>())?;
    module.add("Cancelled", py.get_type::<Cancelled>())?;
    module.add_function(wrap_pyfunction!(absent, &module)?)?;
    let absent = module.getattr("__getattr__")?;
    module.setattr("__getattr__", absent)?;
    py.import("sys")?.getattr("modules")?.set_item("siphon", &module)?;
    support(py)?.getattr("install")?.call1((emitter(py)?,))?;
    Ok(())
}

/// What the module says about a name it does not have (PEP 562).
#[pyfunction(name = "__getattr__")]
fn absent(name: &str) -> PyResult<Py<PyAny>> {
    // Dunder names are asked for by the import system and by typing; they get the usual error.
    if name.starts_with("__") {
        return Err(PyAttributeError::new_err(format!("module 'siphon' has no attribute {name:?}")));
    }
    let role = context::try_current().map_or("siphon-proxy", |c| c.script.settings().role);
    Err(PyImportError::new_err(surface::why_absent(name, role)))
}
