//! The engine's half of the package `siphon`: namespaces and the types for annotations. The other half, which looks
//! names up by role and says what is not there, is `python/siphon`.

use super::awaitable::Awaitable;
use super::b2bua_namespace::B2bua;
use super::cache_namespace::CacheNamespace;
use super::call_object::CallObject;
use super::call_parts::{ByeInitiator, MediaHandle};
use super::call_vars::CallVars;
use super::context;
use super::errors::{Cancelled, MediaError, TransactionEnded};
use super::log_namespace::Log;
use super::metrics_namespace::{Counter, Gauge, Histogram, Metrics};
use super::proxy_namespace::Proxy;
use super::registrar_namespace::{Auth, Contact, PyFlow, Registrar};
use super::reply::Reply;
use super::request::Request;
use super::rtpengine_namespace::RtpEngine;
use super::sdp_namespace::SdpNamespace;
use super::sdp_objects::{MediaSection, Sdp};
use super::timer_namespace::{Timer, TimerHandle};
use super::uri::SipUri;
use pyo3::prelude::*;
use pyo3::types::PyModule;

/// Puts everything native that `siphon` offers into `module`.
pub(crate) fn fill(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("proxy", Proxy)?;
    module.add("registrar", Registrar)?;
    module.add("auth", Auth)?;
    module.add("log", Log)?;
    module.add("timer", Timer)?;
    module.add("cache", CacheNamespace)?;
    module.add("metrics", Metrics)?;
    module.add("rtpengine", RtpEngine)?;
    module.add("sdp", SdpNamespace)?;
    module.add("b2bua", B2bua)?;
    module.add_class::<Request>()?;
    module.add_class::<Reply>()?;
    module.add_class::<CallObject>()?;
    module.add_class::<CallVars>()?;
    module.add_class::<MediaHandle>()?;
    module.add_class::<ByeInitiator>()?;
    module.add_class::<SipUri>()?;
    module.add_class::<Contact>()?;
    module.add_class::<PyFlow>()?;
    module.add_class::<Sdp>()?;
    module.add_class::<MediaSection>()?;
    module.add_class::<TimerHandle>()?;
    module.add_class::<Counter>()?;
    module.add_class::<Gauge>()?;
    module.add_class::<Histogram>()?;
    module.add_class::<Awaitable>()?;
    module.add("TransactionEnded", py.get_type::<TransactionEnded>())?;
    module.add("MediaError", py.get_type::<MediaError>())?;
    module.add("Cancelled", py.get_type::<Cancelled>())?;
    module.add_function(wrap_pyfunction!(role, module)?)?;
    Ok(())
}

/// The role whose script is running; None outside of any.
#[pyfunction]
fn role() -> Option<&'static str> {
    context::try_current().map(|c| c.script.settings().role)
}
