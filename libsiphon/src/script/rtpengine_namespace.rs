//! `rtpengine`: media through rtpengine, for scripts that proxy.

use super::awaitable::{MediaWish, Then, Wish, immediate, wish};
use super::call_object::CallObject;
use super::context::{self, Context};
use super::errors::MediaError;
use super::frame::script_line;
use super::media_target::{MediaTarget, Speaker};
use super::node_script::Posted;
use super::services::{LogLevel, LogLine};
use crate::base::text::{Octets, Text};
use crate::proto::media::desk::half_for;
use crate::proto::media::{Desk, Kept};
use crate::wire::bencode::Value;
use crate::wire::ng::command::PlaybackSource;
use crate::wire::ng::{
    Action, Command, Dtmf, InstanceName, MediaFault, MediaReply, MediaRequest, Negotiation, Party, Playback,
    Recording,
};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use std::sync::Arc;

/// Media through rtpengine. Each call of a proxy script tells by its message whose media are meant.
#[pyclass(frozen, module = "siphon", name = "RtpEngine")]
pub(crate) struct RtpEngine;

/// The two commands that rewrite an SDP.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Offer,
    Answer,
}

#[pymethods]
impl RtpEngine {
    /// Awaitable: anchors the media of the call whose offer this message carries, and replaces its SDP by the one to
    /// pass on. True; False when it carries none.
    ///
    /// `profile` names how (`media.profiles`, or built in: `auto`, `rtp_passthrough`, `srtp_to_rtp`, `rtp_to_srtp`,
    /// `webrtc_to_rtp`, `rtp_to_webrtc`, `ws_to_rtp`, `wss_to_rtp`, `ipv4_to_ipv6`, `ipv6_to_ipv4`); without it a later
    /// offer of the call takes that of the first one, which is `auto`. Raises MediaError when no engine did it within
    /// its `timeout_ms`, RuntimeError after a relay and without `media` in the YAML, ValueError for an unknown profile.
    ///
    /// Of a Call it says what `call.media.anchor()` says; the SDP is replaced when the call is dialled.
    #[pyo3(signature = (request, profile=None))]
    fn offer<'py>(
        &self,
        py: Python<'py>,
        request: &Bound<'py, PyAny>,
        profile: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(call) = request.cast::<CallObject>() {
            // The engine of calls offers when it dials, and follows what comes later.
            call.get().anchor(profile)?;
            return immediate(py, &*context::current()?, "rtpengine.offer()", true);
        }
        negotiate(py, Verb::Offer, request, profile)
    }

    /// Awaitable: the same with the message that carries the answer. `profile` is that of the offer when it is not given.
    #[pyo3(signature = (reply, profile=None))]
    fn answer<'py>(
        &self,
        py: Python<'py>,
        reply: &Bound<'py, PyAny>,
        profile: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        negotiate(py, Verb::Answer, reply, profile)
    }

    /// Awaitable: ends the media sessions of the call. True; False when the engine knew none, or did not do it, which the
    /// log then says: a BYE goes on all the same. Of a Call it is `call.media.release()`.
    fn delete<'py>(&self, py: Python<'py>, request: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(call) = request.cast::<CallObject>() {
            call.get().release()?;
            return immediate(py, &*context::current()?, "rtpengine.delete()", true);
        }
        let asker = Asker::new("rtpengine.delete()")?;
        let speaker = MediaTarget::of(request)?.speaker();
        let (desk, context, call_id) = (asker.desk.clone(), asker.context.clone(), speaker.call_id.clone());
        let line = script_line(py);
        let then: Then = Arc::new(move |py, result| {
            desk.forget(&call_id);
            let done = match result {
                Ok(reply) => reply.warning().is_none(),
                Err(fault) if fault.is_unknown_call() => false,
                Err(fault) => {
                    let text = format!("rtpengine.delete(): {fault}");
                    log(&context, LogLevel::Warning, &text, &line, &call_id);
                    false
                }
            };
            done.into_py_any(py)
        });
        asker.ask(py, speaker.party(), Action::Delete, then)
    }

    /// Awaitable: whether an engine answers.
    fn ping<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let asker = Asker::new("rtpengine.ping()")?;
        let then: Then = Arc::new(|py, result| result.is_ok().into_py_any(py));
        asker.ask(py, Party::default(), Action::Ping, then)
    }

    /// Awaitable: what the engine tells about the call, as it tells it: `created`, `tags`, `totals`, … None when it knows
    /// no such call.
    fn query<'py>(&self, py: Python<'py>, target: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let asker = Asker::new("rtpengine.query()")?;
        let then: Then = Arc::new(|py, result| match result {
            Ok(reply) => document(py, &reply),
            Err(fault) if fault.is_unknown_call() => Ok(py.None()),
            Err(fault) => Err(raised(&fault)),
        });
        asker.ask(py, MediaTarget::of(target)?.speaker().party(), Action::Query, then)
    }

    /// Awaitable: passes no media of the message's sender on. True; False when the engine knows no such call.
    fn block_media<'py>(&self, py: Python<'py>, target: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        simple(py, "rtpengine.block_media()", target, Action::BlockMedia)
    }

    /// Awaitable: passes them on again.
    fn unblock_media<'py>(&self, py: Python<'py>, target: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        simple(py, "rtpengine.unblock_media()", target, Action::UnblockMedia)
    }

    /// Awaitable: passes silence on in place of the audio of the message's sender. True; False when the engine knows no
    /// such call.
    fn silence_media<'py>(&self, py: Python<'py>, target: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        simple(py, "rtpengine.silence_media()", target, Action::SilenceMedia)
    }

    /// Awaitable: passes the audio on again.
    fn unsilence_media<'py>(
        &self,
        py: Python<'py>,
        target: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        simple(py, "rtpengine.unsilence_media()", target, Action::UnsilenceMedia)
    }

    /// Awaitable: plays to the sender of the message: a `file` of the engine's machine, the octets of a media file as
    /// `blob`, or a row `db_id` of its database, `repeat` times. How long it is, in milliseconds; None when the engine
    /// cannot tell. Raises ValueError unless exactly one of the three is given.
    #[pyo3(signature = (target, file=None, blob=None, db_id=None, repeat=None))]
    fn play_media<'py>(
        &self,
        py: Python<'py>,
        target: &Bound<'py, PyAny>,
        file: Option<&str>,
        blob: Option<Vec<u8>>,
        db_id: Option<i64>,
        repeat: Option<u32>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let source = match (file, blob, db_id) {
            (Some(file), None, None) => PlaybackSource::File(file.into()),
            (None, Some(blob), None) => PlaybackSource::Blob(Octets::from(blob)),
            (None, None, Some(id)) => PlaybackSource::Database(id),
            _ => return Err(PyValueError::new_err("play_media: give one of file, blob and db_id")),
        };
        let asker = Asker::new("rtpengine.play_media()")?;
        let then: Then = Arc::new(|py, result| match result {
            Ok(reply) => reply.integer("duration").into_py_any(py),
            Err(fault) => Err(raised(&fault)),
        });
        let party = MediaTarget::of(target)?.speaker().party();
        asker.ask(py, party, Action::PlayMedia(Playback { source, repeat }), then)
    }

    /// Awaitable: stops what is played to the sender of the message. True; False when the engine knows no such call.
    fn stop_media<'py>(&self, py: Python<'py>, target: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        simple(py, "rtpengine.stop_media()", target, Action::StopMedia)
    }

    /// Awaitable: puts a DTMF event (`0`-`9`, `*`, `#`, `A`-`D`) into what the sender of the message sends, so many
    /// milliseconds long and so loud. True; False when the engine knows no such call.
    #[pyo3(signature = (target, code, duration_ms=None, volume_dbm0=None, pause_ms=None))]
    fn play_dtmf<'py>(
        &self,
        py: Python<'py>,
        target: &Bound<'py, PyAny>,
        code: &str,
        duration_ms: Option<u32>,
        volume_dbm0: Option<i32>,
        pause_ms: Option<u32>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut letters = code.chars();
        let one = letters.next().map(|c| c.to_ascii_uppercase()).filter(|c| "0123456789*#ABCD".contains(*c));
        let (Some(code), None) = (one, letters.next()) else {
            return Err(PyValueError::new_err(format!("play_dtmf: {code:?} is no DTMF event")));
        };
        // rtpengine counts how far below 0 dBm0 it is.
        let volume = volume_dbm0.map(i32::unsigned_abs);
        simple(
            py,
            "rtpengine.play_dtmf()",
            target,
            Action::PlayDtmf(Dtmf { code, duration_ms, volume, pause_ms }),
        )
    }

    /// Awaitable: records the call, into the file `path` or where the engine puts recordings. True; False when the engine
    /// knows no such call.
    #[pyo3(signature = (target, path=None))]
    fn start_recording<'py>(
        &self,
        py: Python<'py>,
        target: &Bound<'py, PyAny>,
        path: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let recording = Recording { path: path.map(Text::from) };
        simple(py, "rtpengine.start_recording()", target, Action::StartRecording(recording))
    }

    /// Awaitable: records the call no more. True; False when the engine knows no such call.
    fn stop_recording<'py>(
        &self,
        py: Python<'py>,
        target: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        simple(py, "rtpengine.stop_recording()", target, Action::StopRecording)
    }

    /// How many calls of this node have media sessions that were not deleted; 0 without `media` in the YAML.
    #[getter]
    fn active_sessions(&self) -> PyResult<usize> {
        Ok(context::current()?.services().media().map_or(0, |desk| desk.active()))
    }

    /// How many engines the YAML names; 0 without `media`.
    #[getter]
    fn instance_count(&self) -> PyResult<usize> {
        Ok(context::current()?.services().media().map_or(0, |desk| desk.instances))
    }

    fn __getattr__(&self, name: &str) -> PyResult<()> {
        super::namespace::no_attribute::<RtpEngine>("rtpengine", name)
    }
}

/// A call of the namespace that found its engines.
struct Asker {
    what: &'static str,
    context: Arc<Context>,
    desk: Arc<Desk>,
}

impl Asker {
    fn new(what: &'static str) -> PyResult<Asker> {
        let context = context::current()?;
        let desk = context.services().media().ok_or_else(|| {
            PyRuntimeError::new_err(format!(
                "{what}: this node has no media engine; give `media.rtpengine.address` in the YAML"
            ))
        })?;
        Ok(Asker { what, context, desk })
    }

    fn ask<'py>(
        &self,
        py: Python<'py>,
        party: Party,
        action: Action,
        then: Then,
    ) -> PyResult<Bound<'py, PyAny>> {
        let at = self.desk.kept(&party.call_id).map(|kept| kept.instance);
        let request = Box::new(MediaRequest { command: Command { party, action }, at });
        wish(py, &self.context, self.what, Wish::Media(MediaWish { request, then }))
    }
}

fn negotiate<'py>(
    py: Python<'py>,
    verb: Verb,
    target: &Bound<'py, PyAny>,
    profile: Option<&str>,
) -> PyResult<Bound<'py, PyAny>> {
    let what = if verb == Verb::Offer { "rtpengine.offer()" } else { "rtpengine.answer()" };
    let asker = Asker::new(what)?;
    let target = MediaTarget::of(target)?;
    let speaker = target.speaker();
    let kept = asker.desk.kept(&speaker.call_id);
    let sdp = speaker.sdp.clone();
    let Some((name, profile)) =
        asker.desk.profile(profile, kept.as_ref(), sdp.as_deref().unwrap_or_default())
    else {
        let known = asker.desk.profiles.names().join(", ");
        let name = profile.unwrap_or_default();
        return Err(PyValueError::new_err(format!(
            "{what}: there is no media profile {name:?}; there are: {known}"
        )));
    };
    let Some(sdp) = sdp else { return immediate(py, &asker.context, what, false) };
    target.check()?;
    let Speaker { caller, source, .. } = &speaker;
    let caller = kept.as_ref().map(|k| k.caller.clone()).or_else(|| caller.clone()).unwrap_or_default();
    let half = half_for(&profile, speaker.tag.as_deref().unwrap_or_default(), &caller);
    let negotiation = Box::new(Negotiation { sdp, half, source: *source });
    let (party, action) = match verb {
        Verb::Offer => (speaker.offerer()?, Action::Offer(negotiation)),
        Verb::Answer => (speaker.answerer()?, Action::Answer(negotiation)),
    };
    let is_new = verb == Verb::Offer && kept.is_none();
    let (desk, context, call_id) = (asker.desk.clone(), asker.context.clone(), speaker.call_id.clone());
    let then: Then = Arc::new(move |py, result| {
        let reply = result.map_err(|fault| raised(&fault))?;
        if let Err(late) = target.set_sdp(reply.sdp.as_deref().unwrap_or_default()) {
            // The transaction is over: nobody would ever delete what the offer made.
            if is_new {
                take_away(&context, &call_id, &reply.instance);
            }
            return Err(late);
        }
        let instance = reply.instance.clone();
        desk.keep(&call_id, Kept { instance, profile: name.clone(), caller: caller.clone() });
        true.into_py_any(py)
    });
    asker.ask(py, party, action, then)
}

fn take_away(context: &Context, call_id: &Text, at: &InstanceName) {
    let request = MediaRequest { command: Command::delete(call_id.clone()), at: Some(at.clone()) };
    context.script.post(context.shard, Posted::Media { request: Box::new(request), done: None });
}

/// A command whose answer says nothing but that it was done.
fn simple<'py>(
    py: Python<'py>,
    what: &'static str,
    target: &Bound<'py, PyAny>,
    action: Action,
) -> PyResult<Bound<'py, PyAny>> {
    let asker = Asker::new(what)?;
    let then: Then = Arc::new(|py, result| match result {
        Ok(_) => true.into_py_any(py),
        Err(fault) if fault.is_unknown_call() => false.into_py_any(py),
        Err(fault) => Err(raised(&fault)),
    });
    asker.ask(py, MediaTarget::of(target)?.speaker().party(), action, then)
}

fn raised(fault: &MediaFault) -> PyErr {
    MediaError::new_err(fault.to_string())
}

fn log(context: &Context, level: LogLevel, text: &str, line: &str, call_id: &str) {
    let call_id = Some(call_id);
    context.services().log(LogLine { level, text, fields: &[], script_line: line, call_id });
}

fn document(py: Python<'_>, reply: &MediaReply) -> PyResult<Py<PyAny>> {
    value(py, &Value::Dictionary(reply.document.clone()))
}

/// A bencoded value as Python has it; octets that are no UTF-8 are replaced.
fn value(py: Python<'_>, of: &Value) -> PyResult<Py<PyAny>> {
    match of {
        Value::Integer(number) => number.into_py_any(py),
        Value::Bytes(octets) => String::from_utf8_lossy(octets).into_owned().into_py_any(py),
        Value::List(list) => {
            let list = list.iter().map(|v| value(py, v)).collect::<PyResult<Vec<_>>>()?;
            PyList::new(py, list)?.into_py_any(py)
        }
        Value::Dictionary(entries) => {
            let made = PyDict::new(py);
            for (key, entry) in entries {
                made.set_item(String::from_utf8_lossy(key).into_owned(), value(py, entry)?)?;
            }
            made.into_py_any(py)
        }
    }
}
