//! `Request`: the message as a script sees it, and the verbs that decide about it. Edits are in `request_edits`.

use super::convert;
use super::edits;
use super::frame::script_line;
use super::handler::Event;
use super::record::{Phase, Record, TransactionKeep, callback, complain};
use super::request_edits;
use super::services::{LogLevel, Saved};
use super::uri::SipUri;
use crate::base::flow::Flow;
use crate::base::text::Text;
use crate::policy::{Decision, RelayOptions, ReplySpec, Strategy, Target};
use crate::wire::sip::{HeaderId, Message, Method, NameAddr, Scheme, Uri};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pyo3::create_exception!(
    siphon,
    TransactionEnded,
    PyRuntimeError,
    "The transaction ended while the handler was parked: nothing it decides has an effect."
);
pyo3::create_exception!(
    siphon,
    Cancelled,
    pyo3::exceptions::PyException,
    "The client cancelled, or the transaction ended otherwise, while the handler awaited."
);

/// A SIP request.
#[pyclass(frozen, module = "siphon", name = "Request", weakref)]
pub(crate) struct Request {
    state: Mutex<State>,
}

/// What a `Request` holds for the time of its handler.
pub(crate) struct State {
    pub(crate) message: Message,
    pub(crate) flow: Flow,
    pub(crate) consumed_routes: u8,
    pub(crate) on_route: bool,
    pub(crate) is_local: bool,
    pub(crate) auth_user: Option<Text>,
    pub(crate) held: Option<Arc<TransactionKeep>>,
    pub(crate) record: Record,
    /// Line of the decision that was committed.
    pub(crate) committed: Option<Text>,
    /// The request was relayed: edits come too late.
    pub(crate) relayed: bool,
    /// The transaction ended while the handler was parked.
    pub(crate) ended: bool,
    /// The script asked for the topmost own Route values to count as gone.
    pub(crate) loose_routed: bool,
    /// `fix_nated_register` was called.
    pub(crate) natted: bool,
    /// URI objects already made.
    uris: [Option<Py<SipUri>>; 3],
}

/// Slots of [`State::uris`].
#[derive(Clone, Copy)]
enum Which {
    Ruri,
    From,
    To,
}

impl State {
    pub(crate) fn new(
        question: &crate::policy::Question,
        phase: Phase,
        held: Option<Arc<TransactionKeep>>,
    ) -> State {
        State {
            message: question.request.clone(),
            flow: question.flow,
            consumed_routes: question.consumed_routes,
            on_route: question.on_route,
            is_local: question.is_local,
            auth_user: held.as_ref().and_then(|k| k.auth_user.clone()),
            held,
            record: Record::default(),
            committed: None,
            relayed: matches!(phase, Phase::Reply | Phase::Cancelled),
            ended: false,
            loose_routed: false,
            natted: false,
            uris: [None, None, None],
        }
    }

    /// Refuses verbs of a handler whose transaction is gone.
    pub(crate) fn alive(&self) -> PyResult<()> {
        if self.ended { Err(TransactionEnded::new_err("the transaction has ended")) } else { Ok(()) }
    }

    /// Records a decision of the running script line.
    pub(crate) fn decide(&mut self, py: Python<'_>, decision: Decision) -> PyResult<()> {
        self.alive()?;
        let line = script_line(py);
        self.record.decide(decision, line, &self.message, self.committed.as_ref());
        Ok(())
    }

    /// Records what a failed check is answered with.
    pub(crate) fn refuse(&mut self, py: Python<'_>, spec: ReplySpec) -> PyResult<()> {
        if self.message.method() == Method::Ack {
            return self.decide(py, Decision::Drop);
        }
        self.decide(py, Decision::Reply(spec))
    }

    /// Records the answer of a save; it leaves when the handler returns.
    pub(crate) fn saved(&mut self, py: Python<'_>, saved: Saved) -> PyResult<()> {
        let had_decided = self.record.decided.is_some() || self.committed.is_some();
        self.decide(py, Decision::Reply(saved.reply))?;
        if !had_decided {
            self.record.commit = saved.commit;
            self.record.save = Some(super::record::Save { ok: saved.ok, undo: saved.undo });
        }
        Ok(())
    }

    /// The request after an edit.
    pub(crate) fn edited(&mut self, message: Message) {
        let before = std::mem::replace(&mut self.message, message);
        self.record.before.get_or_insert(before);
        self.uris = [None, None, None];
    }

    fn uri(&mut self, py: Python<'_>, which: Which) -> PyResult<Py<SipUri>> {
        let slot = which as usize;
        if let Some(Some(made)) = self.uris.get(slot) {
            return Ok(made.clone_ref(py));
        }
        let address = |a: Result<NameAddr<'_>, _>| match a {
            Ok(a) => SipUri::part(&self.message, a.uri.as_str()),
            Err(_) => SipUri::own("".into()),
        };
        let uri = match which {
            Which::Ruri => SipUri::request_uri(&self.message, self.is_local),
            Which::From => address(self.message.from()),
            Which::To => address(self.message.to()),
        };
        let made = Py::new(py, uri)?;
        if let Some(place) = self.uris.get_mut(slot) {
            *place = Some(made.clone_ref(py));
        }
        Ok(made)
    }

    /// Called before a header field of that name changes.
    fn about_to_touch(&mut self, name: &str) -> PyResult<()> {
        if HeaderId::from_name(name) == HeaderId::Route { self.pop_consumed() } else { Ok(()) }
    }

    /// Topmost Route values that the script is shown as gone.
    pub(crate) fn hidden_routes(&self) -> usize {
        if self.loose_routed { usize::from(self.consumed_routes) } else { 0 }
    }

    /// Options and extra targets of a relay, in the engine's words.
    fn relay_decision(&self, target: Option<Target>, options: RelayOptions) -> Decision {
        match target {
            None => Decision::Relay(options),
            Some(target) => Decision::Fork { targets: vec![target], strategy: Strategy::Sequential, options },
        }
    }
}

impl Request {
    pub(crate) fn new(state: State) -> Self {
        Request { state: Mutex::new(state) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replied(&self, py: Python<'_>, spec: ReplySpec) -> PyResult<()> {
        let mut state = self.state();
        state.alive()?;
        if state.message.method() == Method::Ack {
            let line = script_line(py);
            let text = format!("reply({}) to an ACK: nothing is sent", spec.code);
            complain(LogLevel::Error, &text, &line, &state.message);
            return Ok(());
        }
        if state.record.save.is_some() {
            let (line, message) = (script_line(py), state.message.clone());
            state.record.reply_after_save(spec, line, &message);
            return Ok(());
        }
        state.decide(py, Decision::Reply(spec))
    }
}

/// The names of methods as Python strings, made once.
fn method_name<'py>(py: Python<'py>, message: &Message) -> Bound<'py, PyString> {
    static NAMES: pyo3::sync::PyOnceLock<Vec<Py<PyString>>> = pyo3::sync::PyOnceLock::new();
    let names = NAMES
        .get_or_init(py, || Method::ALL.iter().map(|m| PyString::intern(py, m.name()).unbind()).collect());
    match message.method() {
        Method::Other => PyString::new(py, message.method_name()),
        method => match names.get(method as usize) {
            Some(name) => name.bind(py).clone(),
            None => PyString::new(py, message.method_name()),
        },
    }
}

/// A status code that a response can have.
pub(crate) fn status(code: u16) -> PyResult<u16> {
    if (100..700).contains(&code) {
        Ok(code)
    } else {
        Err(PyValueError::new_err(format!("{code} is no SIP status code")))
    }
}

#[pymethods]
impl Request {
    #[getter]
    fn method<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        method_name(py, &self.state().message)
    }

    #[getter]
    fn ruri(&self, py: Python<'_>) -> PyResult<Py<SipUri>> {
        self.state().uri(py, Which::Ruri)
    }

    #[getter]
    fn from_uri(&self, py: Python<'_>) -> PyResult<Py<SipUri>> {
        self.state().uri(py, Which::From)
    }

    #[getter]
    fn to_uri(&self, py: Python<'_>) -> PyResult<Py<SipUri>> {
        self.state().uri(py, Which::To)
    }

    #[getter]
    fn from_tag(&self) -> Option<String> {
        self.state().message.from_tag().map(str::to_owned)
    }

    #[getter]
    fn to_tag(&self) -> Option<String> {
        self.state().message.to_tag().map(str::to_owned)
    }

    #[getter]
    fn call_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, self.state().message.call_id())
    }

    #[getter]
    fn cseq(&self) -> u32 {
        self.state().message.cseq()
    }

    #[getter]
    fn in_dialog(&self) -> bool {
        self.state().message.to_tag().is_some()
    }

    #[getter]
    fn max_forwards(&self) -> Option<u8> {
        self.state().message.max_forwards()
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let state = self.state();
        let body = state.message.body();
        (!body.is_empty()).then(|| PyBytes::new(py, body))
    }

    #[getter]
    fn content_type(&self) -> Option<String> {
        self.state().message.header(HeaderId::ContentType).map(|t| t.into_owned())
    }

    #[getter]
    fn user_agent(&self) -> Option<String> {
        self.state().message.header_named("User-Agent").map(|t| t.into_owned())
    }

    #[getter]
    fn event(&self) -> Option<String> {
        let state = self.state();
        let event = state.message.header(HeaderId::Event)?;
        Some(event.split(';').next().unwrap_or_default().trim().to_owned())
    }

    #[getter]
    fn transport(&self) -> &'static str {
        self.state().flow.transport.uri_token()
    }

    #[getter]
    fn source_ip(&self) -> String {
        self.state().flow.remote.ip().to_canonical().to_string()
    }

    #[getter]
    fn source_port(&self) -> u16 {
        self.state().flow.remote.port()
    }

    #[getter]
    fn flow(&self) -> super::registrar_namespace::PyFlow {
        super::registrar_namespace::PyFlow { flow: self.state().flow, alive: true }
    }

    #[getter]
    fn auth_user(&self) -> Option<String> {
        self.state().auth_user.as_ref().map(|u| u.to_string())
    }

    #[setter]
    fn set_auth_user(&self, user: Option<String>) {
        self.state().auth_user = user.map(Text::from);
    }

    /// Lifetime that a REGISTER asks for its first contact: its `expires`, or the Expires header field.
    #[getter]
    fn contact_expires(&self) -> Option<u32> {
        let state = self.state();
        let first = state.message.contacts().next().and_then(Result::ok);
        first.and_then(|c| c.expires()).or_else(|| state.message.expires())
    }

    /// User part of the topmost Route that is not ours.
    #[getter]
    fn route_user(&self) -> Option<String> {
        let state = self.state();
        let route = state.message.routes().nth(usize::from(state.consumed_routes))?.ok()?;
        route.uri.user_unescaped().map(|u| u.into_owned())
    }

    /// User part of our own topmost Route.
    #[getter]
    fn consumed_route_user(&self) -> Option<String> {
        let state = self.state();
        let mut own = state.message.routes().take(usize::from(state.consumed_routes)).filter_map(Result::ok);
        own.find_map(|r| r.uri.user_unescaped().map(|u| u.into_owned()))
    }

    /// Our own topmost Route values, as URIs.
    #[getter]
    fn consumed_routes(&self) -> Vec<SipUri> {
        let state = self.state();
        let own = state.message.routes().take(usize::from(state.consumed_routes)).filter_map(Result::ok);
        own.map(|r| SipUri::part(&state.message, r.uri.as_str())).collect()
    }

    /// The topmost of them.
    #[getter]
    fn consumed_route(&self) -> Option<SipUri> {
        self.consumed_routes().into_iter().next()
    }

    /// Whether the source address lies in one of the networks.
    fn source_ip_in(&self, networks: &Bound<'_, PyAny>) -> PyResult<bool> {
        let networks: Vec<String> = match networks.cast::<PyString>() {
            Ok(one) => vec![one.to_str()?.to_owned()],
            Err(_) => networks.extract()?,
        };
        let ip = self.state().flow.remote.ip().to_canonical();
        networks.iter().try_fold(false, |hit, network| Ok(hit | request_edits::in_network(ip, network)?))
    }

    /// Answers the request. Without a reason the registered phrase is used.
    #[pyo3(signature = (code, reason=None, headers=None, body=None, content_type=None))]
    fn reply(
        &self,
        py: Python<'_>,
        code: u16,
        reason: Option<&str>,
        headers: Option<&Bound<'_, pyo3::types::PyDict>>,
        body: Option<&Bound<'_, PyAny>>,
        content_type: Option<&str>,
    ) -> PyResult<()> {
        let mut spec = ReplySpec::code(status(code)?);
        spec.reason = reason.map(convert::safe).transpose()?.map(Text::from);
        for (name, value) in headers.into_iter().flatten() {
            let name = name.extract::<String>()?;
            spec.headers.push((convert::header_name(&name)?.into(), convert::header_value(&value)?.into()));
        }
        let content_type = convert::safe(content_type.unwrap_or("text/plain"))?;
        spec.body = match body {
            Some(body) => Some((content_type.into(), convert::body(body)?)),
            None => self.state().record.reply_body.clone(),
        };
        self.replied(py, spec)
    }

    /// Relays the request: along its Route set and Request-URI; to a next hop, leaving the Request-URI alone; or to
    /// a contact, with its Path and flow.
    #[pyo3(signature = (next_hop=None, on_reply=None, on_failure=None, flow=None, send_socket=None, timeout=None))]
    #[allow(clippy::too_many_arguments, reason = "the keywords scripts know")]
    fn relay(
        &self,
        py: Python<'_>,
        next_hop: Option<&Bound<'_, PyAny>>,
        on_reply: Option<&Bound<'_, PyAny>>,
        on_failure: Option<&Bound<'_, PyAny>>,
        flow: Option<&Bound<'_, super::registrar_namespace::PyFlow>>,
        send_socket: Option<&str>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let on_reply = callback(Event::Reply, on_reply)?;
        let on_failure = callback(Event::Failure, on_failure)?;
        let named = next_hop.map(convert::target).transpose()?;
        let is_binding = next_hop.is_some_and(super::registrar_namespace::has_binding);
        let options = relay_options(send_socket, timeout)?;
        let mut state = self.state();
        state.alive()?;
        let here = |state: &State| Target::uri(state.message.request_uri());
        let mut target = named.map(|named| match is_binding {
            true => named,
            false => Target { next_hop: Some(named.uri), ..here(&state) },
        });
        if target.is_none() && state.record.next_hop.is_some() {
            target = Some(Target { next_hop: state.record.next_hop.clone(), ..here(&state) });
        }
        if let Some(flow) = flow {
            target.get_or_insert_with(|| here(&state)).flow = Some(flow.get().flow);
        }
        if target.is_none() && state.message.to_tag().is_some() {
            target = request_edits::alias_target(&state);
        }
        let decision = state.relay_decision(target, options);
        let first = state.record.decided.is_none() && state.committed.is_none();
        state.decide(py, decision)?;
        if first {
            state.record.on_reply = on_reply;
            state.record.on_failure = on_failure;
        }
        Ok(())
    }

    /// Sends the request to several targets, `parallel`, `sequential`, or by their `q`. No target is 480.
    #[pyo3(signature = (targets, strategy="parallel", send_socket=None, timeout=None, on_reply=None, on_failure=None))]
    #[allow(clippy::too_many_arguments, reason = "the keywords scripts know")]
    fn fork(
        &self,
        py: Python<'_>,
        targets: &Bound<'_, PyAny>,
        strategy: &str,
        send_socket: Option<&str>,
        timeout: Option<&Bound<'_, PyAny>>,
        on_reply: Option<&Bound<'_, PyAny>>,
        on_failure: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        if targets.is_instance_of::<PyString>() {
            return Err(PyTypeError::new_err("fork takes a list of targets"));
        }
        let targets = targets.try_iter()?.map(|t| convert::target(&t?)).collect::<PyResult<Vec<_>>>()?;
        let strategy = match strategy {
            "parallel" => Strategy::Parallel,
            "sequential" => Strategy::Sequential,
            "q" | "preference" => Strategy::ByPreference,
            other => {
                let text = format!("strategy {other:?}: it is 'parallel', 'sequential' or 'q'");
                return Err(PyValueError::new_err(text));
            }
        };
        let options = relay_options(send_socket, timeout)?;
        let on_reply = callback(Event::Reply, on_reply)?;
        let on_failure = callback(Event::Failure, on_failure)?;
        let mut state = self.state();
        let first = state.record.decided.is_none() && state.committed.is_none();
        state.decide(py, Decision::Fork { targets, strategy, options })?;
        if first {
            state.record.on_reply = on_reply;
            state.record.on_failure = on_failure;
        }
        Ok(())
    }

    /// Says nothing: no answer is sent.
    fn drop(&self, py: Python<'_>) -> PyResult<()> {
        self.state().decide(py, Decision::Drop)
    }

    /// Stays in the path of the dialog (RFC 3261 16.6 step 4).
    fn record_route(&self) -> PyResult<()> {
        let mut state = self.state();
        state.alive()?;
        state.record.record_route = true;
        Ok(())
    }

    /// Whether the request carried a route set or came on our Record-Route; our own entries count as consumed.
    fn loose_route(&self) -> bool {
        let mut state = self.state();
        state.loose_routed = true;
        state.on_route
    }

    /// The value of the first header field of that name; of Route, without our own consumed values.
    fn get_header(&self, name: &str) -> Option<String> {
        let state = self.state();
        if HeaderId::from_name(name) == HeaderId::Route && state.hidden_routes() > 0 {
            let left = state.message.values(HeaderId::Route).nth(state.hidden_routes());
            return left.map(|v| v.into_owned());
        }
        state.message.header_named(name).map(|v| v.into_owned())
    }

    fn header(&self, name: &str) -> Option<String> {
        self.get_header(name)
    }

    /// The values of all header fields of that name, lists split.
    fn get_headers(&self, name: &str) -> Vec<String> {
        let state = self.state();
        match HeaderId::from_name(name) {
            HeaderId::Other => state.message.headers_named(name).map(|h| h.text().into_owned()).collect(),
            HeaderId::Route => {
                let hidden = state.hidden_routes();
                state.message.values(HeaderId::Route).skip(hidden).map(|v| v.into_owned()).collect()
            }
            id => state.message.values(id).map(|v| v.into_owned()).collect(),
        }
    }

    fn has_header(&self, name: &str) -> bool {
        self.get_header(name).is_some()
    }

    fn has_body(&self, content_type: &str) -> bool {
        edits::has_body(&self.state().message, content_type)
    }

    fn set_header(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = convert::header_value(value)?;
        let mut state = self.state();
        state.about_to_touch(name)?;
        state.apply(|m| edits::set_header(m, name, &value).map(Some))
    }

    fn add_header(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = convert::header_value(value)?;
        let mut state = self.state();
        state.about_to_touch(name)?;
        state.apply(|m| edits::add_header(m, name, &value).map(Some))
    }

    /// Sets a header field that is not there.
    fn ensure_header(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = convert::header_value(value)?;
        let mut state = self.state();
        state.apply(|m| match m.headers_named(name).next() {
            Some(_) => Ok(None),
            None => edits::set_header(m, name, &value).map(Some),
        })
    }

    fn remove_header(&self, name: &str) -> PyResult<()> {
        let mut state = self.state();
        state.about_to_touch(name)?;
        state.apply(|m| edits::remove_header(m, name))
    }

    fn remove_headers_matching(&self, prefix: &str) -> PyResult<()> {
        let mut state = self.state();
        state.apply(|m| edits::remove_matching(m, prefix))
    }

    fn remove_from_header_list(&self, name: &str, value: &str) -> PyResult<()> {
        let mut state = self.state();
        state.about_to_touch(name)?;
        state.apply(|m| request_edits::remove_from_list(m, name, value))
    }

    #[pyo3(signature = (body, content_type=None))]
    fn set_body(&self, body: &Bound<'_, PyAny>, content_type: Option<&str>) -> PyResult<()> {
        let body = edits::Body::of(body, content_type)?;
        self.state().apply(|m| edits::set_body(m, &body).map(Some))
    }

    fn set_ruri(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let uri = convert::uri_text(value)?;
        self.state().set_ruri(&uri)
    }

    fn set_ruri_user(&self, value: &str) -> PyResult<()> {
        let mut state = self.state();
        let uri = state.ruri_with(Some(value), None)?;
        state.splice(|s| s.set_request_uri(&uri).map(drop))
    }

    fn set_ruri_host(&self, value: &str) -> PyResult<()> {
        let mut state = self.state();
        let uri = state.ruri_with(None, Some(value))?;
        state.set_ruri(&uri)
    }

    fn set_from_display(&self, display_name: &str) -> PyResult<()> {
        self.state().set_address(HeaderId::From, Some(display_name), None)
    }

    fn set_to_display(&self, display_name: &str) -> PyResult<()> {
        self.state().set_address(HeaderId::To, Some(display_name), None)
    }

    fn set_from_uri(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let uri = request_edits::address_uri(value)?;
        self.state().set_address(HeaderId::From, None, Some(&uri))
    }

    fn set_to_uri(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let uri = request_edits::address_uri(value)?;
        self.state().set_address(HeaderId::To, None, Some(&uri))
    }

    /// Puts a Path value on top of a REGISTER (RFC 3327).
    fn add_path(&self, uri: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = request_edits::route_value(uri)?;
        self.state().splice(|s| s.prepend(HeaderId::Path, &value).map(drop))
    }

    /// Puts a Route value on top; it becomes the next hop.
    fn prepend_route(&self, uri: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = request_edits::route_value(uri)?;
        let mut state = self.state();
        state.pop_consumed()?;
        state.splice(|s| s.push_route(&value).map(drop))
    }

    fn add_contact_alias(&self) -> PyResult<()> {
        self.state().add_contact_alias()
    }

    fn set_contact_uri(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let uri = convert::uri_text(value)?;
        self.state().map_contacts(|_| Ok(uri.to_string()))
    }

    fn set_contact_user(&self, value: &str) -> PyResult<()> {
        self.state().map_contacts(|uri| request_edits::with_parts(uri.as_str(), Some(value), None))
    }

    /// The registrar keeps the source of this REGISTER as the way to its contacts.
    fn fix_nated_register(&self) -> PyResult<()> {
        let mut state = self.state();
        state.alive()?;
        state.natted = true;
        Ok(())
    }

    fn fix_nated_contact(&self) -> PyResult<()> {
        self.state().fix_nated_contact()
    }

    /// Relays to this address over this transport, whatever Route and Request-URI say.
    fn force_send_via(&self, transport: &str, target: &Bound<'_, PyAny>) -> PyResult<()> {
        let next_hop = request_edits::forced_next_hop(transport, target)?;
        let mut state = self.state();
        state.alive()?;
        state.record.next_hop = Some(next_hop);
        Ok(())
    }

    /// Header fields for the responses that this node makes or forwards on the transaction.
    #[getter]
    fn reply_headers(&self) -> Vec<(String, String)> {
        let state = self.state();
        state.record.reply_headers.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect()
    }

    fn get_reply_header(&self, name: &str) -> Option<String> {
        let state = self.state();
        let hit = state.record.reply_headers.iter().find(|(n, _)| same_header(n, name));
        hit.map(|(_, v)| v.to_string())
    }

    fn set_reply_header(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let (name, value) = (convert::header_name(name)?, convert::header_value(value)?);
        let mut state = self.state();
        state.alive()?;
        state.record.reply_headers.retain(|(n, _)| !same_header(n, name));
        state.record.reply_headers.push((name.into(), value.into()));
        Ok(())
    }

    fn add_reply_header(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let (name, value) = (convert::header_name(name)?, convert::header_value(value)?);
        let mut state = self.state();
        state.alive()?;
        state.record.reply_headers.push((name.into(), value.into()));
        Ok(())
    }

    /// Body of the reply that `reply` makes afterwards.
    fn set_reply_body(&self, body: &Bound<'_, PyAny>, content_type: &str) -> PyResult<()> {
        let body = (convert::safe(content_type)?.into(), convert::body(body)?);
        let mut state = self.state();
        state.alive()?;
        state.record.reply_body = Some(body);
        Ok(())
    }

    fn __repr__(&self) -> String {
        let state = self.state();
        format!("<Request {} {}>", state.message.method_name(), state.message.request_uri())
    }
}

fn relay_options(send_socket: Option<&str>, timeout: Option<&Bound<'_, PyAny>>) -> PyResult<RelayOptions> {
    Ok(RelayOptions {
        send_socket: send_socket.map(convert::safe).transpose()?.map(Text::from),
        branch_timeout: timeout.map(|t| convert::duration(t, 1.0)).transpose()?,
        ..RelayOptions::default()
    })
}

fn same_header(a: &str, b: &str) -> bool {
    let (x, y) = (HeaderId::from_name(a), HeaderId::from_name(b));
    x == y && (x != HeaderId::Other || a.eq_ignore_ascii_case(b))
}

/// Whether `text` is a URI this module can take apart: sip or sips.
pub(crate) fn sip_uri(text: &str) -> PyResult<Uri<'_>> {
    match Uri::parse(text) {
        Ok(uri) if matches!(uri.scheme(), Scheme::Sip | Scheme::Sips) => Ok(uri),
        _ => Err(PyValueError::new_err(format!("{text:?} is no SIP URI"))),
    }
}
