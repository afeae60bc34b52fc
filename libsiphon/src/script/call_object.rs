//! `Call`: a call of two legs as a script sees it, and the verbs that decide about it.

use super::call_dial::{self, How, Way};
use super::call_parts::MediaHandle;
use super::call_state::CallState;
use super::call_vars::CallVars;
use super::convert::{self, status};
use super::edits;
use super::handler::Event;
use super::registrar_namespace::PyFlow;
use super::request_edits;
use super::request_state::Which;
use super::uri::SipUri;
use crate::base::text::Text;
use crate::base::time::Duration;
use crate::policy::call::{ReferMode, SessionRefresher};
use crate::policy::{CallAction, Initiator, ReplySpec, Strategy, Target};
use crate::wire::sip::{HeaderId, ReferTo, Replaces, UriBuf};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A call of two legs: the caller's, whose INVITE it shows, and the one that is dialled. It belongs to its handler; what
/// outlives it is in `vars`.
#[pyclass(frozen, module = "siphon", name = "Call", weakref)]
pub(crate) struct CallObject {
    state: Mutex<CallState>,
}

impl CallObject {
    pub(crate) fn new(state: CallState) -> Self {
        CallObject { state: Mutex::new(state) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, CallState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records what `dial` and `fork` come to.
    fn dial_to(
        &self,
        py: Python<'_>,
        verb: &str,
        targets: &Bound<'_, PyAny>,
        way: &Way<'_, '_>,
        how: How<'_, '_>,
        strategy: Strategy,
    ) -> PyResult<()> {
        let dialled = {
            let state = self.state();
            state.only_in(verb, &[Event::CallInvite, Event::CallFailure])?;
            let uri = state.invite.message.uri().ok();
            uri.and_then(|uri| uri.user_unescaped().map(|user| user.into_owned()))
        };
        let targets = call_dial::targets(targets, dialled.as_deref(), way)?;
        let mut dial = how.dial(targets, strategy)?;
        let mut state = self.state();
        dial.headers.own = state.own();
        let action = match dial.targets.is_empty() {
            true => CallAction::Reject(ReplySpec::code(480)),
            false => CallAction::Dial(Box::new(dial)),
        };
        state.decide(py, &format!("{verb}()"), action)
    }
}

/// A response that a script makes.
fn spec(
    code: u16,
    allowed: std::ops::Range<u16>,
    reason: Option<&str>,
    body: Option<&Bound<'_, PyAny>>,
    content_type: Option<&str>,
) -> PyResult<ReplySpec> {
    if !allowed.contains(&status(code)?) {
        let (least, most) = (allowed.start, allowed.end.saturating_sub(1));
        return Err(PyValueError::new_err(format!("{code}: this verb takes {least} to {most}")));
    }
    let mut spec = ReplySpec::code(code);
    spec.reason = reason.map(convert::safe).transpose()?.map(Text::from);
    let content_type = convert::safe(content_type.unwrap_or("application/sdp"))?;
    spec.body = match body {
        Some(body) => Some((content_type.into(), convert::body(body)?)),
        None => None,
    };
    Ok(spec)
}

/// The moments at which a call may still be answered otherwise.
const UNANSWERED: &[Event] =
    &[Event::CallInvite, Event::CallEarlyMedia, Event::CallAnswer, Event::CallFailure];

#[pymethods]
impl CallObject {
    /// Our name of the call: the same for both legs and all its life, in every log line.
    #[getter]
    fn id(&self) -> String {
        self.state().view.id.to_string()
    }

    /// How far it has come: `calling`, `ringing`, `answered` or `terminating`.
    #[getter(state)]
    fn progress_made(&self) -> &'static str {
        self.state().view.state.label()
    }

    /// The address that the INVITE came from, as text.
    #[getter]
    fn source_ip(&self) -> String {
        self.state().invite.flow.remote.ip().to_canonical().to_string()
    }

    /// The port that the INVITE came from.
    #[getter]
    fn source_port(&self) -> u16 {
        self.state().invite.flow.remote.port()
    }

    /// The transport that the INVITE came over, in lower case: `udp` or `tcp` in this version.
    #[getter]
    fn transport(&self) -> &'static str {
        self.state().invite.flow.transport.uri_token()
    }

    /// The path that the INVITE came by.
    #[getter]
    fn flow(&self) -> PyFlow {
        PyFlow { flow: self.state().invite.flow, alive: true }
    }

    /// The user whose credentials `auth.require_*` or `verify_digest` accepted; None before. It is known to all later
    /// handlers of the call. It may be set, for a script with a check of its own.
    #[getter]
    fn auth_user(&self) -> Option<String> {
        self.state().invite.auth_user.as_ref().map(|user| user.to_string())
    }

    #[setter]
    fn set_auth_user(&self, user: Option<String>) {
        self.state().invite.auth_user = user.map(Text::from);
    }

    /// The URI of From (RFC 3261 20.20), after any `set_from_*`.
    #[getter]
    fn from_uri(&self, py: Python<'_>) -> PyResult<Py<SipUri>> {
        self.state().invite.uri(py, Which::From)
    }

    /// The URI of To (RFC 3261 20.39): whom the caller meant.
    #[getter]
    fn to_uri(&self, py: Python<'_>) -> PyResult<Py<SipUri>> {
        self.state().invite.uri(py, Which::To)
    }

    /// The Request-URI of the INVITE (RFC 3261 7.1), after any `set_ruri_user`.
    #[getter]
    fn ruri(&self, py: Python<'_>) -> PyResult<Py<SipUri>> {
        self.state().invite.uri(py, Which::Ruri)
    }

    /// The Call-ID of the caller's leg (RFC 3261 20.8). The other leg has its own unless `keep_call_id` was said.
    #[getter]
    fn call_id(&self) -> String {
        self.state().invite.message.call_id().to_owned()
    }

    /// The Request-URI of the leg that answered, or was dialled last; None before.
    #[getter]
    fn callee(&self) -> Option<SipUri> {
        self.state().view.callee.clone().map(SipUri::own)
    }

    /// The octets of the INVITE's body; None when there is none.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let state = self.state();
        let body = state.invite.message.body();
        (!body.is_empty()).then(|| PyBytes::new(py, body))
    }

    /// The text of the INVITE's Content-Type, parameters included; None when there is none.
    #[getter]
    fn content_type(&self) -> Option<String> {
        self.state().invite.message.header(HeaderId::ContentType).map(|t| t.into_owned())
    }

    /// The media of the call.
    #[getter]
    fn media(slf: Py<Self>) -> MediaHandle {
        MediaHandle { call: slf }
    }

    /// Values of the script's own that belong to the call.
    #[getter]
    fn vars(slf: Py<Self>) -> CallVars {
        CallVars { call: slf }
    }

    /// In `on_refer`, whom the call is to be transferred to: the URI of Refer-To without its Replaces (RFC 3515 2.1);
    /// else None.
    #[getter]
    fn refer_to(&self) -> Option<String> {
        self.refer().map(|refer| refer.target.as_str().to_owned())
    }

    /// In `on_refer`, the Replaces of an attended transfer (RFC 3891): Call-ID, `to-tag` and `from-tag`; else None.
    #[getter]
    fn refer_replaces(&self) -> Option<String> {
        self.refer()?.replaces.map(|replaces| replaces.to_string())
    }

    /// In `on_refer`, who wants the transfer: `caller` or `callee`; else None.
    #[getter]
    fn refer_from(&self) -> Option<&'static str> {
        self.state().refer.as_ref().map(|(from, _)| from.label())
    }

    /// Whether the INVITE's source address lies in one of the networks, each written `192.0.2.0/24`, `2001:db8::/32` or
    /// as one address. Raises ValueError for text that is neither.
    fn source_ip_in(&self, networks: &Bound<'_, PyAny>) -> PyResult<bool> {
        let ip = self.state().invite.flow.remote.ip().to_canonical();
        request_edits::in_networks(ip, networks)
    }

    /// Decides: refuses the call with this failure, 300 to 699 (RFC 3261 21). Without `reason` the registered phrase is
    /// used. `headers` are added to the response. A leg that rings is cancelled.
    #[pyo3(signature = (code, reason=None, headers=None))]
    fn reject(
        &self,
        py: Python<'_>,
        code: u16,
        reason: Option<&str>,
        headers: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let mut spec = spec(code, 300..700, reason, None, None)?;
        spec.headers =
            convert::header_fields(headers)?.into_iter().map(|(n, v)| (n.into(), v.into())).collect();
        let mut state = self.state();
        state.only_in("reject", UNANSWERED)?;
        state.decide(py, &format!("reject({code})"), CallAction::Reject(spec))
    }

    /// Decides: answers the caller from here, with 200 to 299: this node is the other side. `body` is octets or text,
    /// `application/sdp` unless `content_type` says otherwise.
    #[pyo3(signature = (code=200, reason=None, body=None, content_type=None))]
    fn answer(
        &self,
        py: Python<'_>,
        code: u16,
        reason: Option<&str>,
        body: Option<&Bound<'_, PyAny>>,
        content_type: Option<&str>,
    ) -> PyResult<()> {
        let spec = spec(code, 200..300, reason, body, content_type)?;
        let mut state = self.state();
        state.only_in("answer", &[Event::CallInvite, Event::CallFailure])?;
        state.decide(py, &format!("answer({code})"), CallAction::Answer(spec))
    }

    /// Sends the caller a provisional response, 101 to 199, and decides nothing. `body` as for `answer`.
    #[pyo3(signature = (code=180, reason=None, body=None, content_type=None))]
    fn progress(
        &self,
        code: u16,
        reason: Option<&str>,
        body: Option<&Bound<'_, PyAny>>,
        content_type: Option<&str>,
    ) -> PyResult<()> {
        let spec = spec(code, 101..200, reason, body, content_type)?;
        let mut state = self.state();
        state.only_in("progress", &[Event::CallInvite, Event::CallEarlyMedia, Event::CallFailure])?;
        state.record(CallAction::Progress(spec))
    }

    /// Decides: calls the other side. `uri` is whom: text, a SipUri, a Contact, a gateway's destination, or a list of
    /// them, which ring all at once. A Contact, or the `uri` of one, is called along its Path and flow. A SIP URI that
    /// names no user gets that of the Request-URI, so that `dial("sip:carrier.example.net")` asks it for the number.
    ///
    /// `timeout` is how long a target may take to answer, in seconds or as `"10s"`. `next_hop` is where the INVITE is
    /// sent instead, `flow` along which path, `route` the Route values on top, `send_socket` from which listener.
    ///
    /// `header_policy` is `topology-hiding`, `trunk` or `transparent`; default: `b2bua.default_header_policy` of the
    /// YAML. `copy` names header fields that pass besides, `strip` those that do not, `translate` maps a name to the one
    /// under which it arrives. What the script set or changed passes.
    ///
    /// With `auth_passthrough` the caller answers a challenge of the other side. With `follow_redirects` a 3xx is
    /// followed (RFC 3261 8.1.3.4). No target is answered 480. Raises TypeError when the target is None, ValueError
    /// for text that is no URI and for a `number_policy`, which is not in this version.
    #[pyo3(signature = (
        uri, timeout=None, next_hop=None, flow=None, header_policy=None, copy=None, strip=None, translate=None,
        route=None, send_socket=None, auth_passthrough=false, number_policy=None, follow_redirects=false,
    ))]
    #[allow(clippy::too_many_arguments, reason = "the keywords scripts know")]
    fn dial(
        &self,
        py: Python<'_>,
        uri: &Bound<'_, PyAny>,
        timeout: Option<&Bound<'_, PyAny>>,
        next_hop: Option<&Bound<'_, PyAny>>,
        flow: Option<&Bound<'_, PyFlow>>,
        header_policy: Option<&str>,
        copy: Option<&Bound<'_, PyAny>>,
        strip: Option<&Bound<'_, PyAny>>,
        translate: Option<&Bound<'_, PyAny>>,
        route: Option<&Bound<'_, PyAny>>,
        send_socket: Option<&str>,
        auth_passthrough: bool,
        number_policy: Option<&Bound<'_, PyAny>>,
        follow_redirects: bool,
    ) -> PyResult<()> {
        let failover = None;
        let how = How {
            timeout,
            header_policy,
            copy,
            strip,
            translate,
            send_socket,
            auth_passthrough,
            number_policy,
            follow_redirects,
            failover,
        };
        self.dial_to(py, "dial", uri, &Way { next_hop, flow, route }, how, Strategy::Parallel)
    }

    /// Decides: calls several targets; the first that answers has the call, and the others are cancelled.
    ///
    /// `strategy` `parallel` rings all at once; `sequential` one after the other in the order given; `q` (or
    /// `preference`) one group of equal `q` after the other, best first. `timeout` is per target. `failover` names the
    /// codes at which the next is tried; without it any failure but 6xx. The other keywords are those of `dial`.
    #[pyo3(signature = (
        targets, strategy="parallel", timeout=None, header_policy=None, copy=None, strip=None, translate=None,
        send_socket=None, auth_passthrough=false, number_policy=None, follow_redirects=false, failover=None,
    ))]
    #[allow(clippy::too_many_arguments, reason = "the keywords scripts know")]
    fn fork(
        &self,
        py: Python<'_>,
        targets: &Bound<'_, PyAny>,
        strategy: &str,
        timeout: Option<&Bound<'_, PyAny>>,
        header_policy: Option<&str>,
        copy: Option<&Bound<'_, PyAny>>,
        strip: Option<&Bound<'_, PyAny>>,
        translate: Option<&Bound<'_, PyAny>>,
        send_socket: Option<&str>,
        auth_passthrough: bool,
        number_policy: Option<&Bound<'_, PyAny>>,
        follow_redirects: bool,
        failover: Option<Vec<u16>>,
    ) -> PyResult<()> {
        if targets.is_instance_of::<PyString>() {
            return Err(pyo3::exceptions::PyTypeError::new_err("fork takes a list of targets"));
        }
        let how = How {
            timeout,
            header_policy,
            copy,
            strip,
            translate,
            send_socket,
            auth_passthrough,
            number_policy,
            follow_redirects,
            failover,
        };
        self.dial_to(py, "fork", targets, &Way::default(), how, convert::strategy(strategy)?)
    }

    /// Decides: ends the call on both sides, whatever state they are in. `reason` is the text of Reason (RFC 3326).
    #[pyo3(signature = (reason=None))]
    fn terminate(&self, py: Python<'_>, reason: Option<&str>) -> PyResult<()> {
        let reason = convert::safe(reason.unwrap_or("Normal Clearing"))?.into();
        let mut state = self.state();
        let mut moments = UNANSWERED.to_vec();
        moments.push(Event::CallRefer);
        state.only_in("terminate", &moments)?;
        state.decide(py, "terminate()", CallAction::Terminate(reason))
    }

    /// Decides, in `on_refer`: transfers the call (RFC 3515). `target` instead of Refer-To, `next_hop` where its INVITE
    /// is sent. `mode` `terminate` has this node call the target and join it with the side that stays, `transparent`
    /// hands the REFER on; default: `b2bua.default_refer_mode` of the YAML.
    #[pyo3(signature = (target=None, next_hop=None, mode=None))]
    fn accept_refer(
        &self,
        py: Python<'_>,
        target: Option<&Bound<'_, PyAny>>,
        next_hop: Option<&Bound<'_, PyAny>>,
        mode: Option<&str>,
    ) -> PyResult<()> {
        let mode = mode.map(refer_mode).transpose()?;
        let mut target = target.map(convert::target).transpose()?;
        if let Some(next_hop) = next_hop {
            let to = || Some(Target::uri(self.refer()?.target.as_str()));
            let missing = || PyValueError::new_err("the REFER has no Refer-To that can be read");
            let mut named = target.take().or_else(to).ok_or_else(missing)?;
            named.next_hop = Some(convert::uri_text(next_hop)?);
            target = Some(named);
        }
        let mut state = self.state();
        state.only_in("accept_refer", &[Event::CallRefer])?;
        let target = target.map(Box::new);
        state.decide(py, "accept_refer()", CallAction::AcceptRefer { target, mode })
    }

    /// Decides, in `on_refer`: refuses the transfer with this failure, 300 to 699; the call goes on.
    #[pyo3(signature = (code=603, reason=None))]
    fn reject_refer(&self, py: Python<'_>, code: u16, reason: Option<&str>) -> PyResult<()> {
        let spec = spec(code, 300..700, reason, None, None)?;
        let mut state = self.state();
        state.only_in("reject_refer", &[Event::CallRefer])?;
        state.decide(py, &format!("reject_refer({code})"), CallAction::RejectRefer(spec))
    }

    /// Asks a side, `caller` or `callee`, to call `target` instead (RFC 3515). `replaces` (Call-ID, `to-tag` and
    /// `from-tag` as in RFC 3891 6.1) names the dialog to take over there. Decides nothing.
    #[pyo3(name = "refer", signature = (target, replaces=None, to="caller"))]
    fn send_refer(&self, target: &Bound<'_, PyAny>, replaces: Option<&str>, to: &str) -> PyResult<()> {
        let to = match to {
            "caller" => Initiator::Caller,
            "callee" => Initiator::Callee,
            other => {
                return Err(PyValueError::new_err(format!("to {other:?}: it is 'caller' or 'callee'")));
            }
        };
        let target = convert::uri_text(target)?;
        let wrong = |e: &dyn std::fmt::Display| PyValueError::new_err(e.to_string());
        let replaces = match replaces {
            Some(text) => Some(Replaces::parse(convert::safe(text)?).map_err(|e| wrong(&e))?),
            None => None,
        };
        let value = ReferTo::new(UriBuf::parse(&target).map_err(|e| wrong(&e))?, replaces).to_string();
        let mut state = self.state();
        state.only_in("refer", &[Event::CallAnswer, Event::CallRefer])?;
        state.record(CallAction::Refer { to, target: value.into() })
    }

    /// Sets the session timer of both legs (RFC 4028), in seconds: Session-Expires, Min-SE (90 at least), and who
    /// refreshes: `uac`, `uas` or `b2bua`. Default: `session_timer` of the YAML.
    #[pyo3(signature = (expires, min_se=None, refresher="uac"))]
    fn session_timer(
        &self,
        expires: &Bound<'_, PyAny>,
        min_se: Option<&Bound<'_, PyAny>>,
        refresher: &str,
    ) -> PyResult<()> {
        let least = Duration::from_secs(90);
        let expires = convert::duration(expires, 1.0)?;
        let min_se = min_se.map_or(Ok(least), |t| convert::duration(t, 1.0))?;
        if min_se < least || expires < min_se {
            let text =
                "session_timer: min_se is 90 seconds at least (RFC 4028 5), and expires is no less than it";
            return Err(PyValueError::new_err(text));
        }
        let refresher = SessionRefresher::from_name(refresher).ok_or_else(|| {
            PyValueError::new_err(format!("refresher {refresher:?}: it is 'uac', 'uas' or 'b2bua'"))
        })?;
        self.before_answer("session_timer", CallAction::SessionTimer { expires, min_se, refresher })
    }

    /// Gives the B-leg the Call-ID of the A-leg, for peers that need it.
    fn keep_call_id(&self) -> PyResult<()> {
        self.before_answer("keep_call_id", CallAction::KeepCallId)
    }

    /// What challenges of the other side are answered with (RFC 3261 22).
    fn set_credentials(&self, username: &str, password: &str) -> PyResult<()> {
        let username = convert::safe(username)?.into();
        let password = convert::safe(password)?.into();
        self.before_answer("set_credentials", CallAction::Credentials { username, password })
    }

    /// Ends the call this long after its answer: seconds, or `"1h"`.
    fn max_duration(&self, seconds: &Bound<'_, PyAny>) -> PyResult<()> {
        let after = convert::duration(seconds, 1.0)?;
        self.before_answer("max_duration", CallAction::MaxDuration(after))
    }

    /// Replaces the user part of the Request-URI, which targets without a user are asked for. Raises ValueError for a
    /// tel URI.
    fn set_ruri_user(&self, value: &str) -> PyResult<()> {
        let mut state = self.state();
        state.editable()?;
        let uri = state.invite.ruri_with(Some(value), None)?;
        state.invite.set_ruri(&uri)
    }

    /// Hides who calls: From becomes anonymous, and Privacy `id` asks everybody who knows to say nothing (RFC 3323, RFC
    /// 3325).
    fn restrict_caller_id(&self) -> PyResult<()> {
        self.state().restrict_caller_id()
    }

    /// Gives From, P-Asserted-Identity, P-Preferred-Identity and Remote-Party-ID another number; display names go with
    /// the old one. False when the caller withholds the number; then nothing is changed.
    fn set_caller_id(&self, number: &str) -> PyResult<bool> {
        self.state().set_caller_id(number)
    }

    /// Replaces the user part of the From URI, or the number of a tel URI.
    fn set_from_user(&self, value: &str) -> PyResult<()> {
        self.state().set_part(HeaderId::From, Some(value), None)
    }

    /// Replaces the user part of the To URI, or the number of a tel URI.
    fn set_to_user(&self, value: &str) -> PyResult<()> {
        self.state().set_part(HeaderId::To, Some(value), None)
    }

    /// Replaces host, or `host:port`, of the From URI. Raises ValueError for a tel URI.
    fn set_from_host(&self, value: &str) -> PyResult<()> {
        self.state().set_part(HeaderId::From, None, Some(value))
    }

    /// Replaces host, or `host:port`, of the To URI. Raises ValueError for a tel URI.
    fn set_to_host(&self, value: &str) -> PyResult<()> {
        self.state().set_part(HeaderId::To, None, Some(value))
    }

    /// Replaces the URI of From; the display name stays.
    fn set_from_uri(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let uri = request_edits::address_uri(value)?;
        self.state().set_address(HeaderId::From, None, &uri)
    }

    /// Replaces the URI of To; the display name stays.
    fn set_to_uri(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let uri = request_edits::address_uri(value)?;
        self.state().set_address(HeaderId::To, None, &uri)
    }

    /// Gives the Contact of the B-leg this user part; an empty text takes it away.
    fn set_contact_user(&self, value: &str) -> PyResult<()> {
        let mut state = self.state();
        state.editable()?;
        state.invite.map_contacts(|uri| request_edits::with_parts(uri.as_str(), Some(value), None))?;
        state.owns("Contact");
        Ok(())
    }

    /// Gives the B-leg this Contact URI. In-dialog requests of the other side go there: it must lead to this node.
    fn set_contact_uri(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let uri = convert::uri_text(value)?;
        let mut state = self.state();
        state.editable()?;
        state.invite.map_contacts(|_| Ok(uri.to_string()))?;
        state.owns("Contact");
        Ok(())
    }

    /// The text of the INVITE's first header field of that name, in any case or compact form; None when there is none.
    fn get_header(&self, name: &str) -> Option<String> {
        self.state().invite.message.header_named(name).map(|v| v.into_owned())
    }

    /// The same as `get_header`.
    fn header(&self, name: &str) -> Option<String> {
        self.get_header(name)
    }

    /// The values of all header fields of that name, in order; lists are split at their commas (RFC 3261 7.3.1).
    fn get_headers(&self, name: &str) -> Vec<String> {
        let state = self.state();
        let message = &state.invite.message;
        match HeaderId::from_name(name) {
            HeaderId::Other => message.headers_named(name).map(|h| h.text().into_owned()).collect(),
            id => message.values(id).map(|v| v.into_owned()).collect(),
        }
    }

    /// Whether the INVITE has a header field of that name.
    fn has_header(&self, name: &str) -> bool {
        self.get_header(name).is_some()
    }

    /// Gives the INVITE of the B-leg this header field, in place of all of that name; it passes whatever
    /// `header_policy` says. Raises ValueError for Via, CSeq, Call-ID and Content-Length, which belong to the engine, and
    /// for CR, LF or NUL; RuntimeError once the call was dialled.
    fn set_header(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = convert::header_value(value)?;
        self.state().edit_field(name, |m| edits::set_header(m, name, &value).map(Some))
    }

    /// Gives the INVITE of the B-leg one more header field of that name. Otherwise as `set_header`.
    fn add_header(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = convert::header_value(value)?;
        self.state().edit_field(name, |m| edits::add_header(m, name, &value).map(Some))
    }

    /// Removes all header fields of that name. Raises as `set_header` does.
    fn remove_header(&self, name: &str) -> PyResult<()> {
        self.state().apply(|m| edits::remove_header(m, name))
    }

    /// Removes the header fields whose name, in its long form, the pattern matches from the start, in any case:
    /// `"X-"` and `"^X-"` do the same. A linear-time regular expression. What a message cannot do without stays.
    fn remove_headers_matching(&self, prefix: &str) -> PyResult<()> {
        self.state().apply(|m| edits::remove_matching(m, prefix))
    }

    /// Replaces the body that the B-leg gets. Without `content_type` the old one stays; where there is none,
    /// `text/plain` for text and `application/octet-stream` for octets.
    #[pyo3(signature = (body, content_type=None))]
    fn set_body(&self, body: &Bound<'_, PyAny>, content_type: Option<&str>) -> PyResult<()> {
        let body = edits::Body::of(body, content_type)?;
        self.state().apply(|m| edits::set_body(m, &body).map(Some))
    }

    fn __repr__(&self) -> String {
        let state = self.state();
        format!("<Call {} {}>", state.view.id, state.view.state.label())
    }
}

impl CallObject {
    fn refer(&self) -> Option<ReferTo> {
        self.state().refer.as_ref().and_then(|(_, request)| request.refer_to().ok().flatten())
    }

    /// Records what must be said before the call is answered.
    fn before_answer(&self, verb: &str, action: CallAction) -> PyResult<()> {
        let mut state = self.state();
        state.only_in(verb, UNANSWERED)?;
        state.record(action)
    }
}

fn refer_mode(name: &str) -> PyResult<ReferMode> {
    let known = ReferMode::from_name(name).filter(|mode| *mode != ReferMode::Reject);
    known.ok_or_else(|| {
        let text = format!("mode {name:?}: it is 'terminate' or 'transparent'; reject_refer() refuses");
        PyValueError::new_err(text)
    })
}
