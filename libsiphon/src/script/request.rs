//! `Request`: the message as a script sees it, and the verbs that decide about it. Edits are in `request_edits`.

use super::convert::{self, method_name, status};
use super::edits;
use super::handler::Event;
use super::record::callback;
use super::request_edits;
pub(crate) use super::request_state::State;
use super::request_state::Which;
use super::uri::SipUri;
use crate::base::text::Text;
use crate::policy::{Decision, RelayOptions, ReplySpec, Target};
use crate::wire::sip::{HeaderId, Scheme, Uri};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A SIP request: the message as received, with the edits made so far. It belongs to its handler: after the
/// transaction has ended its verbs raise `TransactionEnded`.
#[pyclass(frozen, module = "siphon", name = "Request", weakref)]
pub(crate) struct Request {
    state: Mutex<State>,
}

impl Request {
    pub(crate) fn new(state: State) -> Self {
        Request { state: Mutex::new(state) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Request {
    /// The method, such as `INVITE`, as the request line has it (RFC 3261 7.1).
    #[getter]
    fn method<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        method_name(py, &self.state().message)
    }

    /// The Request-URI (RFC 3261 7.1), after any `set_ruri`. `ruri.is_local` says whether it is this node's to serve.
    #[getter]
    fn ruri(&self, py: Python<'_>) -> PyResult<Py<SipUri>> {
        self.state().uri(py, Which::Ruri)
    }

    /// The URI of From (RFC 3261 20.20). It is what the sender claims; `auth_user` is what was proved.
    #[getter]
    fn from_uri(&self, py: Python<'_>) -> PyResult<Py<SipUri>> {
        self.state().uri(py, Which::From)
    }

    /// The URI of To (RFC 3261 20.39): whom the sender meant, whatever the Request-URI has become.
    #[getter]
    fn to_uri(&self, py: Python<'_>) -> PyResult<Py<SipUri>> {
        self.state().uri(py, Which::To)
    }

    /// The tag of From; None when it has none (RFC 3261 19.3).
    #[getter]
    fn from_tag(&self) -> Option<String> {
        self.state().message.from_tag().map(str::to_owned)
    }

    /// The tag of To; None outside a dialog (RFC 3261 19.3).
    #[getter]
    fn to_tag(&self) -> Option<String> {
        self.state().message.to_tag().map(str::to_owned)
    }

    /// The Call-ID (RFC 3261 20.8); equal over all requests of a dialog.
    #[getter]
    fn call_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, self.state().message.call_id())
    }

    /// The number of CSeq, 0 to 2**31-1 (RFC 3261 8.1.1.5).
    #[getter]
    fn cseq(&self) -> u32 {
        self.state().message.cseq()
    }

    /// Whether To has a tag, so that the request belongs to a dialog (RFC 3261 12.2).
    #[getter]
    fn in_dialog(&self) -> bool {
        self.state().message.to_tag().is_some()
    }

    /// Max-Forwards as received, 0 to 255; None when it is missing (RFC 3261 20.22). The engine counts it down and
    /// answers 483.
    #[getter]
    fn max_forwards(&self) -> Option<u8> {
        self.state().message.max_forwards()
    }

    /// The body's octets; None when there is none.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let state = self.state();
        let body = state.message.body();
        (!body.is_empty()).then(|| PyBytes::new(py, body))
    }

    /// The text of Content-Type, parameters included; None when there is none (RFC 3261 20.15).
    #[getter]
    fn content_type(&self) -> Option<String> {
        self.state().message.header(HeaderId::ContentType).map(|t| t.into_owned())
    }

    /// The text of User-Agent; None when there is none (RFC 3261 20.41).
    #[getter]
    fn user_agent(&self) -> Option<String> {
        self.state().message.header_named("User-Agent").map(|t| t.into_owned())
    }

    /// The event package of SUBSCRIBE, NOTIFY and PUBLISH, without parameters; None when there is no Event (RFC 6665
    /// 8.2.1).
    #[getter]
    fn event(&self) -> Option<String> {
        let state = self.state();
        let event = state.message.header(HeaderId::Event)?;
        Some(event.split(';').next().unwrap_or_default().trim().to_owned())
    }

    /// The transport it came over, in lower case: `udp` or `tcp` in this version.
    #[getter]
    fn transport(&self) -> &'static str {
        self.state().flow.transport.uri_token()
    }

    /// The address it came from, as text; an IPv4 address is never shown as mapped into IPv6.
    #[getter]
    fn source_ip(&self) -> String {
        self.state().flow.remote.ip().to_canonical().to_string()
    }

    /// The port it came from.
    #[getter]
    fn source_port(&self) -> u16 {
        self.state().flow.remote.port()
    }

    /// The path it came by. `relay(flow=...)` sends something back along it.
    #[getter]
    fn flow(&self) -> super::registrar_namespace::PyFlow {
        super::registrar_namespace::PyFlow { flow: self.state().flow, alive: true }
    }

    /// The user whose credentials `auth.require_*` or `verify_digest` accepted; None before. It may be set, for a
    /// script with a check of its own; `registrar.save` compares it where `registrar.enforce_auth_aor_match` asks for
    /// that.
    #[getter]
    fn auth_user(&self) -> Option<String> {
        self.state().auth_user.as_ref().map(|u| u.to_string())
    }

    #[setter]
    fn set_auth_user(&self, user: Option<String>) {
        self.state().auth_user = user.map(Text::from);
    }

    /// Seconds that a REGISTER or SUBSCRIBE asks for: the `expires` of its first Contact, else Expires; None when
    /// neither is there (RFC 3261 10.2.1.1).
    #[getter]
    fn contact_expires(&self) -> Option<u32> {
        let state = self.state();
        let first = state.message.contacts().next().and_then(Result::ok);
        first.and_then(|c| c.expires()).or_else(|| state.message.expires())
    }

    /// User part, without escapes, of the topmost Route that is not ours; None when there is none.
    #[getter]
    fn route_user(&self) -> Option<String> {
        let state = self.state();
        let route = state.message.routes().nth(usize::from(state.consumed_routes))?.ok()?;
        route.uri.user_unescaped().map(|u| u.into_owned())
    }

    /// User part, without escapes, of the first of our own topmost Route values that has one; None when there is
    /// none.
    #[getter]
    fn consumed_route_user(&self) -> Option<String> {
        let state = self.state();
        let mut own = state.message.routes().take(usize::from(state.consumed_routes)).filter_map(Result::ok);
        own.find_map(|r| r.uri.user_unescaped().map(|u| u.into_owned()))
    }

    /// Our own topmost Route values as URIs, topmost first; both of a double Record-Route (RFC 3261 16.4, RFC 5658).
    #[getter]
    fn consumed_routes(&self) -> Vec<SipUri> {
        let state = self.state();
        let own = state.message.routes().take(usize::from(state.consumed_routes)).filter_map(Result::ok);
        own.map(|r| SipUri::part(&state.message, r.uri.as_str())).collect()
    }

    /// The topmost of `consumed_routes`; None when there is none.
    #[getter]
    fn consumed_route(&self) -> Option<SipUri> {
        self.consumed_routes().into_iter().next()
    }

    /// Whether the source address lies in one of the networks, each written `192.0.2.0/24`, `2001:db8::/32` or as one
    /// address. Raises ValueError for text that is neither.
    fn source_ip_in(&self, networks: &Bound<'_, PyAny>) -> PyResult<bool> {
        let ip = self.state().flow.remote.ip().to_canonical();
        request_edits::in_networks(ip, networks)
    }

    /// Decides: answers with this status code, 100 to 699 (RFC 3261 8.2.6, 16.7 for what is forwarded instead).
    ///
    /// Without `reason` the registered phrase is used. `body` is octets or text, `text/plain` unless `content_type`
    /// says otherwise; without one, what `set_reply_body` left. To an ACK nothing is sent and the log has an error.
    /// After `registrar.save` a 2xx merges into the recorded answer, and a failure takes the bindings back. Raises
    /// ValueError for another code, for CR, LF or NUL in any text, and for `reliable=True` (RFC 3262), which is not in
    /// this version.
    #[pyo3(signature = (code, reason=None, headers=None, body=None, content_type=None, reliable=false))]
    #[allow(clippy::too_many_arguments, reason = "the keywords scripts know")]
    fn reply(
        &self,
        py: Python<'_>,
        code: u16,
        reason: Option<&str>,
        headers: Option<&Bound<'_, PyAny>>,
        body: Option<&Bound<'_, PyAny>>,
        content_type: Option<&str>,
        reliable: bool,
    ) -> PyResult<()> {
        if reliable {
            return Err(PyValueError::new_err("request.reply(reliable=True) is not in this version"));
        }
        let mut spec = ReplySpec::code(status(code)?);
        spec.reason = reason.map(convert::safe).transpose()?.map(Text::from);
        spec.headers.extend(convert::header_fields(headers)?.into_iter().map(|(n, v)| (n.into(), v.into())));
        let content_type = convert::safe(content_type.unwrap_or("text/plain"))?;
        spec.body = match body {
            Some(body) => Some((content_type.into(), convert::body(body)?)),
            None => self.state().record.reply_body.clone(),
        };
        self.state().replied(py, spec)
    }

    /// Decides: sends the request on (RFC 3261 16.6).
    ///
    /// Without arguments it goes along its Route set and Request-URI. A text or SipUri as `next_hop` is where it is
    /// sent, and the Request-URI stays; a Contact, or the `uri` of one, is a binding: it becomes the Request-URI,
    /// with the binding's Path and flow. `flow` sends along that path, `send_socket` (`address:port` of a listener)
    /// from that one. `timeout` is how long a branch of an INVITE may ring, in seconds or as `"10s"`; then it is
    /// cancelled and counts as 408. Default: Timer C.
    ///
    /// `on_reply(request, reply)` and `on_failure(request, reply)` replace the script's own for this transaction.
    /// Raises ValueError for text that is no URI.
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

    /// Decides: sends the request to several targets (RFC 3261 16.6, 16.7), each as `relay` would.
    ///
    /// `strategy` `parallel` rings all at once; `sequential` one after the other in the order given; `q` (or
    /// `preference`) one group of equal `q` after the other, best first. `timeout` is per branch. No target is
    /// a local 480, which `on_failure` may mend. More than `limits.branches` are not tried. Raises TypeError for a text in place of a list,
    /// ValueError for text that is no URI and for another strategy.
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
        let strategy = convert::strategy(strategy)?;
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

    /// Decides: no answer is sent, ever. Deliberate silence, as towards a scanner; deciding nothing at all is a 500.
    fn drop(&self, py: Python<'_>) -> PyResult<()> {
        self.state().decide(py, Decision::Drop)
    }

    /// Stays in the path of the dialog this request begins: puts a Record-Route when it is relayed (RFC 3261 16.6
    /// step 4).
    fn record_route(&self) -> PyResult<()> {
        let mut state = self.state();
        state.alive()?;
        state.record.record_route = true;
        Ok(())
    }

    /// Whether the request carried a route set or came on our Record-Route (RFC 3261 16.4). Our own Route values
    /// count as consumed from then on, for `get_header` too; `relay` skips them in any case.
    fn loose_route(&self) -> bool {
        let mut state = self.state();
        state.loose_routed = true;
        state.on_route
    }

    /// The text of the first header field of that name, in any case or compact form; None when there is none. Of
    /// Route after `loose_route`, the first that is not ours.
    fn get_header(&self, name: &str) -> Option<String> {
        let state = self.state();
        if HeaderId::from_name(name) == HeaderId::Route && state.hidden_routes() > 0 {
            let left = state.message.values(HeaderId::Route).nth(state.hidden_routes());
            return left.map(|v| v.into_owned());
        }
        state.message.header_named(name).map(|v| v.into_owned())
    }

    /// The same as `get_header`.
    fn header(&self, name: &str) -> Option<String> {
        self.get_header(name)
    }

    /// The values of all header fields of that name, in order; lists are split at their commas (RFC 3261 7.3.1).
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

    /// Whether there is a header field of that name.
    fn has_header(&self, name: &str) -> bool {
        self.get_header(name).is_some()
    }

    /// Whether there is a body of that media type, in any case and whatever its parameters; also as a part of a
    /// multipart.
    fn has_body(&self, content_type: &str) -> bool {
        edits::has_body(&self.state().message, content_type)
    }

    /// Replaces all header fields of that name by one. Raises ValueError for Via, CSeq, Call-ID and Content-Length,
    /// which belong to the engine, and for CR, LF or NUL; RuntimeError once the request was relayed.
    fn set_header(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = convert::header_value(value)?;
        let mut state = self.state();
        state.about_to_touch(name)?;
        state.apply(|m| edits::set_header(m, name, &value).map(Some))
    }

    /// Adds a header field below those of that name. Raises as `set_header` does.
    fn add_header(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = convert::header_value(value)?;
        let mut state = self.state();
        state.about_to_touch(name)?;
        state.apply(|m| edits::add_header(m, name, &value).map(Some))
    }

    /// Adds the header field when there is none of that name. Raises as `set_header` does.
    fn ensure_header(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = convert::header_value(value)?;
        let mut state = self.state();
        state.apply(|m| match m.headers_named(name).next() {
            Some(_) => Ok(None),
            None => edits::set_header(m, name, &value).map(Some),
        })
    }

    /// Removes all header fields of that name. Raises as `set_header` does.
    fn remove_header(&self, name: &str) -> PyResult<()> {
        let mut state = self.state();
        state.about_to_touch(name)?;
        state.apply(|m| edits::remove_header(m, name))
    }

    /// Removes the header fields whose name, in its long form, the pattern matches from the start, in any case:
    /// `"X-"` and `"^X-"` do the same. A linear-time regular expression. What a message cannot do without stays.
    /// Raises ValueError for a pattern that is none.
    fn remove_headers_matching(&self, prefix: &str) -> PyResult<()> {
        let mut state = self.state();
        state.apply(|m| edits::remove_matching(m, prefix))
    }

    /// Removes one value, in any case, from a list such as Supported or Allow. Raises ValueError for a header field
    /// that is no list.
    fn remove_from_header_list(&self, name: &str, value: &str) -> PyResult<()> {
        let mut state = self.state();
        state.about_to_touch(name)?;
        state.apply(|m| request_edits::remove_from_list(m, name, value))
    }

    /// Replaces the body; Content-Length follows (RFC 3261 20.14). Without `content_type` the old one stays; where
    /// there is none, `text/plain` for text and `application/octet-stream` for octets.
    #[pyo3(signature = (body, content_type=None))]
    fn set_body(&self, body: &Bound<'_, PyAny>, content_type: Option<&str>) -> PyResult<()> {
        let body = edits::Body::of(body, content_type)?;
        self.state().apply(|m| edits::set_body(m, &body).map(Some))
    }

    /// Replaces the Request-URI (RFC 3261 16.5: it decides where the request goes). Raises ValueError for text that
    /// is no URI.
    fn set_ruri(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let uri = convert::uri_text(value)?;
        self.state().set_ruri(&uri)
    }

    /// Replaces the user part of the Request-URI, escaping what must be; an empty text removes it. Raises ValueError
    /// for a tel URI.
    fn set_ruri_user(&self, value: &str) -> PyResult<()> {
        let mut state = self.state();
        let uri = state.ruri_with(Some(value), None)?;
        state.splice(|s| s.set_request_uri(&uri).map(drop))
    }

    /// Replaces host, or `host:port`, of the Request-URI; parameters stay. Raises ValueError for a tel URI.
    fn set_ruri_host(&self, value: &str) -> PyResult<()> {
        let mut state = self.state();
        let uri = state.ruri_with(None, Some(value))?;
        state.set_ruri(&uri)
    }

    /// Replaces the display name of From; the tag stays (RFC 3261 20.20).
    fn set_from_display(&self, display_name: &str) -> PyResult<()> {
        self.state().set_address(HeaderId::From, Some(display_name), None)
    }

    /// Replaces the display name of To; the tag stays (RFC 3261 20.39).
    fn set_to_display(&self, display_name: &str) -> PyResult<()> {
        self.state().set_address(HeaderId::To, Some(display_name), None)
    }

    /// Replaces the URI of From; display name and tag stay. Peers older than RFC 4916 match dialogs by it: change it
    /// in both directions or not at all.
    fn set_from_uri(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let uri = request_edits::address_uri(value)?;
        self.state().set_address(HeaderId::From, None, Some(&uri))
    }

    /// Replaces the URI of To; display name and tag stay. As for `set_from_uri`.
    fn set_to_uri(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let uri = request_edits::address_uri(value)?;
        self.state().set_address(HeaderId::To, None, Some(&uri))
    }

    /// Puts a Path value on top of a REGISTER, so that requests to its contacts come by there (RFC 3327 4).
    fn add_path(&self, uri: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = request_edits::route_value(uri)?;
        self.state().splice(|s| s.prepend(HeaderId::Path, &value).map(drop))
    }

    /// Puts a loose Route value on top: it becomes the next hop (RFC 3261 20.34).
    fn prepend_route(&self, uri: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = request_edits::route_value(uri)?;
        let mut state = self.state();
        state.pop_consumed()?;
        state.splice(|s| s.push_route(&value).map(drop))
    }

    /// Gives each Contact URI an `alias` parameter with the source of this request: in-dialog requests to it go
    /// there, through the NAT.
    fn add_contact_alias(&self) -> PyResult<()> {
        self.state().add_contact_alias()
    }

    /// Replaces the URI of each Contact; their parameters stay.
    fn set_contact_uri(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let uri = convert::uri_text(value)?;
        self.state().map_contacts(|_| Ok(uri.to_string()))
    }

    /// Replaces the user part of each Contact URI; an empty text removes it.
    fn set_contact_user(&self, value: &str) -> PyResult<()> {
        self.state().map_contacts(|uri| request_edits::with_parts(uri.as_str(), Some(value), None))
    }

    /// Has `registrar.save` keep the source of this REGISTER as the way to its contacts.
    fn fix_nated_register(&self) -> PyResult<()> {
        let mut state = self.state();
        state.alive()?;
        state.natted = true;
        Ok(())
    }

    /// Replaces host and port of each Contact URI by the source of the request, so that in-dialog requests come back
    /// through the NAT.
    fn fix_nated_contact(&self) -> PyResult<()> {
        self.state().fix_nated_contact()
    }

    /// Has a later `relay()` send to this address over this transport, `udp` or `tcp`, whatever Route and Request-URI
    /// say. Raises ValueError for another transport.
    fn force_send_via(&self, transport: &str, target: &Bound<'_, PyAny>) -> PyResult<()> {
        let next_hop = request_edits::forced_next_hop(transport, target)?;
        let mut state = self.state();
        state.alive()?;
        state.record.next_hop = Some(next_hop);
        Ok(())
    }

    /// Header fields that responses made or forwarded here on the transaction get, as pairs of name and value.
    #[getter]
    fn reply_headers(&self) -> Vec<(String, String)> {
        let state = self.state();
        state.record.reply_headers.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect()
    }

    /// The first of `reply_headers` of that name, in any case; None when there is none.
    fn get_reply_header(&self, name: &str) -> Option<String> {
        let state = self.state();
        let hit = state.record.reply_headers.iter().find(|(n, _)| same_header(n, name));
        hit.map(|(_, v)| v.to_string())
    }

    /// Gives the responses made or forwarded here on the transaction this header field, in place of earlier ones of
    /// that name. Raises ValueError for CR, LF or NUL.
    fn set_reply_header(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let (name, value) = (convert::header_name(name)?, convert::header_value(value)?);
        let mut state = self.state();
        state.alive()?;
        state.record.reply_headers.retain(|(n, _)| !same_header(n, name));
        state.record.reply_headers.push((name.into(), value.into()));
        Ok(())
    }

    /// Gives the responses made or forwarded here on the transaction one more header field. Raises ValueError for CR,
    /// LF or NUL.
    fn add_reply_header(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let (name, value) = (convert::header_name(name)?, convert::header_value(value)?);
        let mut state = self.state();
        state.alive()?;
        state.record.reply_headers.push((name.into(), value.into()));
        Ok(())
    }

    /// The body of a `reply` made afterwards without one of its own.
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
