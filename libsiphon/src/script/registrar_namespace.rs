//! `registrar` and `auth`, and the objects they deal in: `Contact`, `Flow`.

use super::context;
use super::convert;
use super::generation::stage;
use super::handler::{Event, Handler};
use super::request::Request;
use super::services::{Binding, DigestCheck, DigestKind, DigestOutcome, SaveRequest};
use super::uri::SipUri;
use crate::base::flow::Flow;
use crate::base::text::Text;
use crate::base::time::Instant;
use crate::policy::Target;
use crate::wire::sip::{Params, Uri, unquote};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Arc;

/// The path a message took.
#[pyclass(frozen, module = "siphon", name = "Flow")]
#[derive(Clone)]
pub(crate) struct PyFlow {
    pub(crate) flow: Flow,
    pub(crate) alive: bool,
}

#[pymethods]
impl PyFlow {
    #[getter]
    fn transport(&self) -> &'static str {
        self.flow.transport.uri_token()
    }

    #[getter]
    fn remote_addr(&self) -> String {
        self.flow.remote.to_string()
    }

    #[getter]
    fn local_addr(&self) -> String {
        self.flow.local.to_string()
    }

    /// Names the connection within this node; `None` for UDP.
    #[getter]
    fn connection_id(&self) -> Option<String> {
        self.flow.connection.map(|c| format!("{}-{}-{}", c.shard, c.slot, c.generation))
    }

    #[getter]
    fn is_alive(&self) -> bool {
        self.alive
    }

    fn __repr__(&self) -> String {
        format!("<Flow {} {}>", self.flow.transport, self.flow.remote)
    }
}

/// A binding of an address of record, as it was when it was looked up.
#[pyclass(frozen, module = "siphon", name = "Contact")]
pub(crate) struct Contact {
    binding: Arc<Binding>,
    /// When it was looked up.
    at: Instant,
}

impl Contact {
    pub(crate) fn of(binding: Binding, at: Instant) -> Self {
        Contact { binding: Arc::new(binding), at }
    }

    pub(crate) fn binding(&self) -> &Arc<Binding> {
        &self.binding
    }

    pub(crate) fn target(&self) -> Target {
        self.binding.target()
    }
}

/// Whether relaying to `value` means a binding, with its Path and flow, and not just a next hop.
pub(crate) fn has_binding(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<Contact>() || value.cast::<SipUri>().is_ok_and(|u| u.get().binding().is_some())
}

#[pymethods]
impl Contact {
    /// The contact URI. It remembers its binding: relaying or forking to it takes Path, flow and received address.
    #[getter]
    fn uri(&self) -> SipUri {
        SipUri::of_binding(&self.binding)
    }

    #[getter]
    fn q(&self) -> f64 {
        f64::from(self.binding.q) / 1000.0
    }

    /// Seconds it has left.
    #[getter]
    fn expires(&self) -> u64 {
        self.binding.expires_in(self.at)
    }

    #[getter]
    fn age_secs(&self) -> u64 {
        self.binding.age_secs(self.at)
    }

    #[getter]
    fn path(&self) -> Vec<&str> {
        self.binding.path.iter().map(|p| &**p).collect()
    }

    /// `address:port` that the REGISTER came from, when the contact URI says otherwise.
    #[getter]
    fn received(&self) -> Option<String> {
        self.binding.received.map(|r| r.to_string())
    }

    #[getter]
    fn flow(&self) -> Option<PyFlow> {
        self.binding.flow.map(|flow| PyFlow { flow, alive: true })
    }

    /// User-Agent of the REGISTER.
    #[getter]
    fn user_agent(&self) -> Option<&str> {
        self.binding.user_agent.as_deref()
    }

    #[getter]
    fn instance_id(&self) -> Option<&str> {
        self.binding.instance_id.as_deref()
    }

    #[getter]
    fn reg_id(&self) -> Option<u32> {
        self.binding.reg_id
    }

    /// Whether the contact URI names this node.
    #[getter]
    fn is_local(&self) -> PyResult<bool> {
        let Ok(uri) = Uri::parse(&self.binding.uri) else { return Ok(false) };
        Ok(context::current()?.services().is_local(&uri))
    }

    /// Other parameters of the Contact header field (RFC 3840 feature tags and the like).
    #[getter]
    fn params<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let params = PyDict::new(py);
        for (name, value) in Params::new(&self.binding.params).iter() {
            params.set_item(name, value.map(unquote))?;
        }
        Ok(params)
    }

    fn __str__(&self) -> &str {
        &self.binding.uri
    }

    fn __repr__(&self) -> String {
        format!("<Contact {} expires={}>", self.binding.uri, self.expires())
    }
}

/// The location service (RFC 3261 10).
#[pyclass(frozen, module = "siphon", name = "Registrar")]
pub(crate) struct Registrar;

fn address_of_record(value: &Bound<'_, PyAny>) -> PyResult<Text> {
    if let Ok(text) = value.extract::<&str>()
        && !text.contains(':')
    {
        return Ok(format!("sip:{}", convert::safe(text)?).into());
    }
    convert::uri_text(value)
}

#[pymethods]
impl Registrar {
    /// Stores the bindings of a REGISTER and records the reply; True when they are stored.
    #[pyo3(signature = (request, force=false, aliases=None))]
    fn save(
        &self,
        py: Python<'_>,
        request: &Bound<'_, Request>,
        force: bool,
        aliases: Option<Vec<String>>,
    ) -> PyResult<bool> {
        let context = context::current()?;
        let mut state = request.get().state();
        state.alive()?;
        let (message, user) = (state.message.clone(), state.auth_user.clone());
        let save = SaveRequest {
            request: &message,
            flow: state.flow,
            aliases: aliases.as_deref().unwrap_or_default(),
            force,
            auth_user: user.as_deref(),
            natted: state.natted,
        };
        let saved = context.services().save(&save, context.now());
        let ok = saved.ok;
        state.saved(py, saved)?;
        Ok(ok)
    }

    /// The bindings of an address of record, best `q` first.
    fn lookup(&self, uri: &Bound<'_, PyAny>) -> PyResult<Vec<Contact>> {
        let context = context::current()?;
        let found = context.services().lookup(&address_of_record(uri)?, context.now());
        Ok(found.into_iter().map(|b| Contact::of(b, context.now())).collect())
    }

    fn is_registered(&self, uri: &Bound<'_, PyAny>) -> PyResult<bool> {
        let context = context::current()?;
        Ok(!context.services().lookup(&address_of_record(uri)?, context.now()).is_empty())
    }

    /// Removes all bindings of an address of record.
    fn remove(&self, uri: &Bound<'_, PyAny>) -> PyResult<bool> {
        let context = context::current()?;
        Ok(context.services().remove(&address_of_record(uri)?, context.now()) > 0)
    }

    /// Removes all bindings of an address of record, as their end of life would.
    fn expire(&self, uri: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.remove(uri)
    }

    /// How many addresses of record have bindings.
    fn aor_count<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let context = context::current()?;
        super::awaitable::immediate(py, &context, "registrar.aor_count()", context.services().aor_count())
    }

    /// Decorator: called with the address of record, `registered`, `refreshed`, `deregistered` or `expired`, and
    /// the contacts left.
    fn on_change<'py>(&self, function: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        register(Event::BindingChange, &function)?;
        Ok(function)
    }

    fn __getattr__(&self, name: &str) -> PyResult<()> {
        super::namespace::no_attribute::<Registrar>("registrar", name)
    }
}

/// Stages a handler for an event other than a request.
pub(crate) fn register(event: Event, function: &Bound<'_, PyAny>) -> PyResult<()> {
    let handler = Handler::new(event, function)?;
    stage(|staged| match handler {
        Ok(handler) => staged.add(handler),
        Err(wrong) => staged.problem(wrong),
    })
}

/// Digest authentication (RFC 7616, RFC 3261 22).
#[pyclass(frozen, module = "siphon", name = "Auth")]
pub(crate) struct Auth;

fn check(
    py: Python<'_>,
    request: &Bound<'_, Request>,
    kind: DigestKind,
    realm: Option<&str>,
    secret: (Option<&str>, Option<&str>),
    challenge: bool,
) -> PyResult<bool> {
    let context = context::current()?;
    let mut state = request.get().state();
    state.alive()?;
    let message = state.message.clone();
    let realm = realm.map(convert::safe).transpose()?;
    let asked =
        DigestCheck { request: &message, flow: state.flow, kind, realm, password: secret.0, ha1: secret.1 };
    match context.services().check_digest(&asked, context.now()) {
        DigestOutcome::Granted { user, reply_headers } => {
            state.auth_user = Some(user);
            state.record.reply_headers.extend(reply_headers);
            Ok(true)
        }
        DigestOutcome::Refused(_) if !challenge => Ok(false),
        DigestOutcome::Refused(spec) => {
            state.refuse(py, spec)?;
            Ok(false)
        }
    }
}

#[pymethods]
impl Auth {
    /// True when the request carries the right Authorization; otherwise the 401 is recorded.
    #[pyo3(signature = (target, realm=None, password=None, ha1=None))]
    fn require_www_digest(
        &self,
        target: &Bound<'_, Request>,
        realm: Option<&str>,
        password: Option<&str>,
        ha1: Option<&str>,
    ) -> PyResult<bool> {
        check(target.py(), target, DigestKind::Www, realm, (password, ha1), true)
    }

    /// The same as `require_www_digest`.
    #[pyo3(signature = (target, realm=None, password=None, ha1=None))]
    fn require_digest(
        &self,
        target: &Bound<'_, Request>,
        realm: Option<&str>,
        password: Option<&str>,
        ha1: Option<&str>,
    ) -> PyResult<bool> {
        check(target.py(), target, DigestKind::Www, realm, (password, ha1), true)
    }

    /// True when the request carries the right Proxy-Authorization; otherwise the 407 is recorded.
    #[pyo3(signature = (target, realm=None, password=None, ha1=None))]
    fn require_proxy_digest(
        &self,
        target: &Bound<'_, Request>,
        realm: Option<&str>,
        password: Option<&str>,
        ha1: Option<&str>,
    ) -> PyResult<bool> {
        check(target.py(), target, DigestKind::Proxy, realm, (password, ha1), true)
    }

    /// Checks Authorization or, when there is none, Proxy-Authorization, and decides nothing.
    #[pyo3(signature = (target, realm=None, password=None, ha1=None))]
    fn verify_digest(
        &self,
        target: &Bound<'_, Request>,
        realm: Option<&str>,
        password: Option<&str>,
        ha1: Option<&str>,
    ) -> PyResult<bool> {
        let www = target.get().state().message.header_named("Authorization").is_some();
        let kind = if www { DigestKind::Www } else { DigestKind::Proxy };
        check(target.py(), target, kind, realm, (password, ha1), false)
    }

    fn __getattr__(&self, name: &str) -> PyResult<()> {
        super::namespace::no_attribute::<Auth>("auth", name)
    }
}
