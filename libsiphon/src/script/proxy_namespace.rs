//! `proxy`: the decorators of a proxy script, and requests of its own.

use super::awaitable::{Wish, immediate, wish};
use super::checked::Checked;
use super::context::{self, Mode};
use super::convert;
use super::generation::stage;
use super::handler::{Event, Handler};
use super::node_script::Posted;
use super::registrar_namespace::register;
use crate::base::text::Text;
use crate::base::time::Duration;
use crate::policy::{OriginatedRequest, ReplySpec, Want};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

/// The decorators of a proxy script, requests of its own, and checks.
#[pyclass(frozen, module = "siphon", name = "Proxy")]
pub(crate) struct Proxy;

/// What `proxy.on_request("INVITE|SUBSCRIBE")` gives to decorate with.
#[pyclass(frozen, module = "siphon", name = "RequestDecorator")]
pub(crate) struct RequestDecorator {
    filter: Option<Vec<String>>,
}

#[pymethods]
impl RequestDecorator {
    fn __call__<'py>(&self, function: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        register_request(self.filter.clone(), &function)?;
        Ok(function)
    }
}

fn register_request(filter: Option<Vec<String>>, function: &Bound<'_, PyAny>) -> PyResult<()> {
    let handler = Handler::new(Event::Request, function)?;
    stage(|staged| match handler {
        Ok(handler) => staged.add_request(filter, handler),
        Err(wrong) => staged.problem(wrong),
    })
}

fn methods(filter: &str) -> PyResult<Vec<String>> {
    let names: Vec<String> = filter.split('|').map(|m| m.trim().to_owned()).collect();
    let token = |m: &String| {
        !m.is_empty()
            && m.bytes().all(|c| c.is_ascii_uppercase() || b"-.!%*_+`'~".contains(&c) || c.is_ascii_digit())
    };
    if !names.iter().all(token) {
        return Err(PyValueError::new_err(format!(
            "{filter:?} is no list of methods such as \"INVITE|SUBSCRIBE\""
        )));
    }
    for never in ["CANCEL"] {
        if names.iter().any(|m| m == never) {
            return Err(PyValueError::new_err(
                "CANCEL is handled by the transaction layer; see proxy.on_cancel",
            ));
        }
    }
    Ok(names)
}

#[pymethods]
impl Proxy {
    /// Decorator: `f(request)` is called for every new request, in-dialog requests and the ACK to a 2xx included;
    /// with a filter such as `"INVITE|SUBSCRIBE"` for those methods only. CANCEL, retransmissions and the ACK to a
    /// failure never come (RFC 3261 16.10, 17.2). A method without a handler is routed by the engine.
    #[pyo3(signature = (fn_or_filter=None))]
    fn on_request<'py>(
        &self,
        py: Python<'py>,
        fn_or_filter: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let filter = match &fn_or_filter {
            None => None,
            Some(given) => match given.cast::<PyString>() {
                Ok(text) => Some(methods(text.to_str()?)?),
                Err(_) if given.is_callable() => {
                    register_request(None, given)?;
                    return Ok(given.clone());
                }
                Err(_) => {
                    return Err(PyTypeError::new_err(
                        "on_request takes a function or a filter such as \"INVITE\"",
                    ));
                }
            },
        };
        Ok(Bound::new(py, RequestDecorator { filter })?.into_any())
    }

    /// Decorator: `f(request, reply)` is called for each response on a relayed request but 100; it is forwarded
    /// unless the handler says otherwise (RFC 3261 16.7).
    fn on_reply<'py>(&self, function: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        register(Event::Reply, &function)?;
        Ok(function)
    }

    /// Decorator: `f(request, reply)` is called once, with the best final response of 300 or more of the whole
    /// transaction (RFC 3261 16.7 step 6); a time-out arrives as a local 408. Never after CANCEL. It may relay, fork
    /// or reply; doing nothing sends the response up.
    fn on_failure<'py>(&self, function: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        register(Event::Failure, &function)?;
        Ok(function)
    }

    /// Decorator: `f(request)` is called when the client cancels a relayed INVITE, which is answered already (RFC
    /// 3261 16.10). It decides nothing.
    fn on_cancel<'py>(&self, function: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        register(Event::Cancel, &function)?;
        Ok(function)
    }

    /// Awaitable: sends a request of our own, outside any dialog (RFC 3261 8.1).
    ///
    /// With `wait_for_response` the result is the final Reply, or None when none came within `timeout_ms`
    /// milliseconds (or `"2s"`; default 2 s); otherwise None at once. `headers` are added to what the engine makes; a
    /// Route among them is followed unless `next_hop` is given. It leaves with what the handler records, and is
    /// dropped with it. Raises ValueError for ACK, CANCEL and text that is no URI.
    #[pyo3(signature = (method, ruri, headers=None, body=None, next_hop=None, wait_for_response=false, timeout_ms=None))]
    #[allow(clippy::too_many_arguments, reason = "the keywords scripts know")]
    fn send_request<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        ruri: &Bound<'py, PyAny>,
        headers: Option<&Bound<'py, PyAny>>,
        body: Option<&Bound<'py, PyAny>>,
        next_hop: Option<&Bound<'py, PyAny>>,
        wait_for_response: bool,
        timeout_ms: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let context = context::current()?;
        convert::header_name(method)?;
        if matches!(method, "ACK" | "CANCEL") {
            return Err(PyValueError::new_err(format!("{method} is no request of its own")));
        }
        let mut content_type: Text = "application/octet-stream".into();
        let mut fields = Vec::new();
        for (name, value) in convert::header_fields(headers)? {
            let value = Text::from(value);
            match name.to_ascii_lowercase().as_str() {
                "content-type" | "c" => content_type = value,
                "content-length" | "l" | "via" | "v" => {}
                _ => fields.push((Text::from(name), value)),
            }
        }
        if body.is_some_and(|b| b.is_instance_of::<PyString>())
            && &*content_type == "application/octet-stream"
        {
            content_type = "text/plain".into();
        }
        let request = OriginatedRequest {
            method: method.into(),
            ruri: convert::uri_text(ruri)?,
            headers: fields,
            body: body.map(|b| Ok::<_, PyErr>((content_type, convert::body(b)?))).transpose()?,
            next_hop: next_hop.map(convert::uri_text).transpose()?,
            flow: None,
            timeout: timeout_ms.map_or(Ok(Duration::from_secs(2)), |t| convert::duration(t, 0.001))?,
        };
        if wait_for_response {
            return wish(py, &context, "proxy.send_request()", Wish::Send(Box::new(request)));
        }
        match context.mode() {
            Mode::Load => stage(|staged| staged.sends.push(request))?,
            // It leaves with what the handler records, and is dropped with it.
            Mode::Inline | Mode::Async | Mode::Lane => {
                context.want(Want::SendRequest { wait: None, request });
            }
            Mode::Outside => {
                context.script.post(context.shard, Posted::Send { request: Box::new(request), done: None })
            }
        }
        immediate(py, &context, "proxy.send_request()", py.None())
    }

    /// The checks under the place that older scripts know.
    #[getter]
    fn _utils(&self) -> ProxyUtils {
        ProxyUtils
    }

    /// Counts the request against its source address. When that sent more than `max_requests` in a window of so many
    /// seconds the result is False, and the 503 with Retry-After is recorded.
    fn rate_limit(&self, request: Checked<'_>, window_secs: f64, max_requests: u64) -> PyResult<bool> {
        ProxyUtils.rate_limit(request, window_secs, max_requests)
    }

    /// False when something is missing or malformed that serving the request takes; the 400 or 483 is recorded (RFC
    /// 3261 16.3).
    fn sanity_check(&self, request: Checked<'_>) -> PyResult<bool> {
        ProxyUtils.sanity_check(request)
    }

    fn __getattr__(&self, name: &str) -> PyResult<()> {
        super::namespace::no_attribute::<Proxy>("proxy", name)
    }
}

/// Checks against floods and malformed requests: `proxy._utils`.
#[pyclass(frozen, module = "siphon", name = "ProxyUtils")]
pub(crate) struct ProxyUtils;

#[pymethods]
impl ProxyUtils {
    /// Counts the request against its source address. When that sent more than `max_requests` in a window of so many
    /// seconds the result is False, and the 503 with Retry-After is recorded.
    fn rate_limit(&self, request: Checked<'_>, window_secs: f64, max_requests: u64) -> PyResult<bool> {
        if !(window_secs.is_finite() && window_secs > 0.0) {
            return Err(PyValueError::new_err("rate_limit: the window is a positive number of seconds"));
        }
        let context = context::current()?;
        let key = request.with(|state| state.flow.remote.ip().to_canonical().to_string())?;
        let within = context.services().rate_limit(&key, window_secs, max_requests, context.now());
        if !within {
            let mut spec = ReplySpec::code(503);
            let wait = window_secs.ceil().clamp(1.0, 3600.0) as u32;
            spec.headers.push(("Retry-After".into(), wait.to_string().into()));
            request.refuse(spec)?;
        }
        Ok(within)
    }

    /// False when something is missing or malformed that serving the request takes; the 400 or 483 is recorded (RFC
    /// 3261 16.3).
    fn sanity_check(&self, request: Checked<'_>) -> PyResult<bool> {
        let message = request.with(|state| state.message.clone())?;
        let Some((code, reason)) = super::sanity::insane(&message) else { return Ok(true) };
        let spec = ReplySpec { reason: Some(reason.into()), ..ReplySpec::code(code) };
        request.refuse(spec)?;
        Ok(false)
    }

    /// Share of the machine's memory in use, in percent.
    fn memory_used_pct(&self) -> u8 {
        super::sanity::memory_used_percent()
    }

    fn __getattr__(&self, name: &str) -> PyResult<()> {
        super::namespace::no_attribute::<ProxyUtils>("proxy._utils", name)
    }
}
