//! `registrar` and `auth`, and the objects they deal in: `Contact`, `Flow`.

use super::checked::Checked;
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
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Arc;

/// The path a message took: transport, both ends, connection (RFC 5626).
#[pyclass(frozen, module = "siphon", name = "Flow")]
#[derive(Clone)]
pub(crate) struct PyFlow {
    pub(crate) flow: Flow,
    pub(crate) alive: bool,
}

#[pymethods]
impl PyFlow {
    /// The transport in lower case: `udp` or `tcp` in this version.
    #[getter]
    fn transport(&self) -> &'static str {
        self.flow.transport.uri_token()
    }

    /// `address:port` of the other end.
    #[getter]
    fn remote_addr(&self) -> String {
        self.flow.remote.to_string()
    }

    /// `address:port` of this end.
    #[getter]
    fn local_addr(&self) -> String {
        self.flow.local.to_string()
    }

    /// Names the connection within this node; None for UDP.
    #[getter]
    fn connection_id(&self) -> Option<String> {
        self.flow.connection.map(|c| format!("{}-{}-{}", c.shard, c.slot, c.generation))
    }

    /// Whether it led somewhere when it was asked for.
    #[getter]
    fn is_alive(&self) -> bool {
        self.alive
    }

    fn __repr__(&self) -> String {
        format!("<Flow {} {}>", self.flow.transport, self.flow.remote)
    }
}

/// A binding of an address of record, as it was when it was looked up (RFC 3261 10). `str()` is its URI.
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
    /// The contact URI. It remembers its binding: relaying or forking to it takes Path, flow and received address, as
    /// passing the Contact does.
    #[getter]
    fn uri(&self) -> SipUri {
        SipUri::of_binding(&self.binding)
    }

    /// The preference, 0.0 to 1.0 (RFC 3261 20.10). Default 1.0.
    #[getter]
    fn q(&self) -> f64 {
        f64::from(self.binding.q) / 1000.0
    }

    /// Seconds it has left.
    #[getter]
    fn expires(&self) -> u64 {
        self.binding.expires_in(self.at)
    }

    /// Seconds since its last REGISTER.
    #[getter]
    fn age_secs(&self) -> u64 {
        self.binding.age_secs(self.at)
    }

    /// The Path it registered with, topmost first; requests to it go that way (RFC 3327).
    #[getter]
    fn path(&self) -> Vec<&str> {
        self.binding.path.iter().map(|p| &**p).collect()
    }

    /// `address:port` that the REGISTER came from, where the contact URI says otherwise; else None.
    #[getter]
    fn received(&self) -> Option<String> {
        self.binding.received.map(|r| r.to_string())
    }

    /// The path of the REGISTER, where requests must go back along it; else None.
    #[getter]
    fn flow(&self) -> Option<PyFlow> {
        self.binding.flow.map(|flow| PyFlow { flow, alive: true })
    }

    /// User-Agent of the REGISTER; None when it had none.
    #[getter]
    fn user_agent(&self) -> Option<&str> {
        self.binding.user_agent.as_deref()
    }

    /// The `+sip.instance` of the phone; None when it gave none (RFC 5626 4.1).
    #[getter]
    fn instance_id(&self) -> Option<&str> {
        self.binding.instance_id.as_deref()
    }

    /// The `reg-id` of the flow; None when it gave none (RFC 5626 4.2).
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

    /// Other parameters of the Contact header field, such as RFC 3840 feature tags; a flag has the value None.
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

/// The location service of the node: addresses of record and their bindings (RFC 3261 10).
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
    /// Stores the bindings of a REGISTER and records the answer: 200 with the contacts, Path, Service-Route and GRUU,
    /// or 400, 403, 423, 500, 503 (RFC 3261 10.3). True when they are stored. The answer leaves when the handler
    /// returns.
    ///
    /// `force` has them replace all others of the address of record, whatever Call-ID and CSeq say. `aliases` are
    /// further addresses of record that share them. A later `reply` with 300 or more takes them back. Raises ValueError
    /// for a `flow_token`, which is not in this version.
    #[pyo3(signature = (request, force=false, aliases=None, flow_token=None))]
    fn save(
        &self,
        py: Python<'_>,
        request: &Bound<'_, Request>,
        force: bool,
        aliases: Option<Vec<String>>,
        flow_token: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        if flow_token.is_some() {
            return Err(PyValueError::new_err("registrar.save(flow_token=) is not in this version"));
        }
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

    /// The bindings of an address of record, best `q` first, also for an alias or a GRUU (RFC 5627); an empty list
    /// when nobody is registered. Text without a scheme counts as `sip:`. Raises ValueError for text that is no URI.
    fn lookup(&self, uri: &Bound<'_, PyAny>) -> PyResult<Vec<Contact>> {
        let context = context::current()?;
        let found = context.services().lookup(&address_of_record(uri)?, context.now());
        Ok(found.into_iter().map(|b| Contact::of(b, context.now())).collect())
    }

    /// Whether the address of record has a binding.
    fn is_registered(&self, uri: &Bound<'_, PyAny>) -> PyResult<bool> {
        let context = context::current()?;
        Ok(!context.services().lookup(&address_of_record(uri)?, context.now()).is_empty())
    }

    /// Removes all bindings of an address of record at once. True when there were any.
    fn remove(&self, uri: &Bound<'_, PyAny>) -> PyResult<bool> {
        let context = context::current()?;
        Ok(context.services().remove(&address_of_record(uri)?, context.now()) > 0)
    }

    /// Removes all bindings of an address of record, as the end of their time would. True when there were any.
    fn expire(&self, uri: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.remove(uri)
    }

    /// Awaitable: how many addresses of record have bindings.
    fn aor_count<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let context = context::current()?;
        super::awaitable::immediate(py, &context, "registrar.aor_count()", context.services().aor_count())
    }

    /// Decorator: `f(aor, event_type, contacts)` is called after bindings changed, with the address of record,
    /// `registered`, `refreshed`, `deregistered` or `expired`, and the contacts that are left. It decides nothing.
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

/// Digest authentication against `auth.users`, or against what the script passes (RFC 7616, RFC 3261 22).
#[pyclass(frozen, module = "siphon", name = "Auth")]
pub(crate) struct Auth;

fn check(
    target: &Checked<'_>,
    kind: Option<DigestKind>,
    realm: Option<&str>,
    secret: (Option<&str>, Option<&str>),
) -> PyResult<bool> {
    let context = context::current()?;
    let realm = realm.map(convert::safe).transpose()?;
    let (message, flow) = target.with(|state| (state.message.clone(), state.flow))?;
    let by_field = || match message.header_named("Authorization") {
        Some(_) => DigestKind::Www,
        None => DigestKind::Proxy,
    };
    let challenge = kind.is_some();
    let kind = kind.unwrap_or_else(by_field);
    let asked = DigestCheck { request: &message, flow, kind, realm, password: secret.0, ha1: secret.1 };
    match context.services().check_digest(&asked, context.now()) {
        DigestOutcome::Granted { user, reply_headers } => target.with(|state| {
            state.auth_user = Some(user);
            state.record.reply_headers.extend(reply_headers);
            true
        }),
        DigestOutcome::Refused(_) if !challenge => Ok(false),
        DigestOutcome::Refused(spec) => target.refuse(spec).map(|()| false),
    }
}

#[pymethods]
impl Auth {
    /// True when the Authorization is right, as a registrar asks for it; `auth_user` has the name then. Otherwise
    /// False, and the 401 is recorded: the handler just returns (RFC 3261 22.2).
    ///
    /// `realm` defaults to `auth.realm`. With `password`, or `ha1` (hexadecimal MD5 of `user:realm:password`), that
    /// is checked in place of `auth.users`.
    #[pyo3(signature = (target, realm=None, password=None, ha1=None))]
    fn require_www_digest(
        &self,
        target: Checked<'_>,
        realm: Option<&str>,
        password: Option<&str>,
        ha1: Option<&str>,
    ) -> PyResult<bool> {
        check(&target, Some(DigestKind::Www), realm, (password, ha1))
    }

    /// The same as `require_www_digest`.
    #[pyo3(signature = (target, realm=None, password=None, ha1=None))]
    fn require_digest(
        &self,
        target: Checked<'_>,
        realm: Option<&str>,
        password: Option<&str>,
        ha1: Option<&str>,
    ) -> PyResult<bool> {
        check(&target, Some(DigestKind::Www), realm, (password, ha1))
    }

    /// True when the Proxy-Authorization is right; `auth_user` has the name then. Otherwise False, and the 407 is
    /// recorded (RFC 3261 22.3). Arguments as for `require_www_digest`.
    #[pyo3(signature = (target, realm=None, password=None, ha1=None))]
    fn require_proxy_digest(
        &self,
        target: Checked<'_>,
        realm: Option<&str>,
        password: Option<&str>,
        ha1: Option<&str>,
    ) -> PyResult<bool> {
        check(&target, Some(DigestKind::Proxy), realm, (password, ha1))
    }

    /// Whether Authorization or, when there is none, Proxy-Authorization is right; decides nothing and challenges
    /// nobody. Arguments as for `require_www_digest`.
    #[pyo3(signature = (target, realm=None, password=None, ha1=None))]
    fn verify_digest(
        &self,
        target: Checked<'_>,
        realm: Option<&str>,
        password: Option<&str>,
        ha1: Option<&str>,
    ) -> PyResult<bool> {
        check(&target, None, realm, (password, ha1))
    }

    fn __getattr__(&self, name: &str) -> PyResult<()> {
        super::namespace::no_attribute::<Auth>("auth", name)
    }
}
