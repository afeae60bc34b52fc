//! `Sdp` and `MediaSection`: what a script sees of a session description. Edits change their lines and no others.

use super::call_object::CallObject;
use super::convert;
use super::reply::Reply;
use super::request::Request;
use super::sdp_namespace::put;
use crate::wire::sdp::{self, Direction, Media, Unwritable};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A session description (RFC 8866). `bytes()` and `str()` are its text: what was not edited is as it came, octet for
/// octet. `apply` puts it into a message. Names of attributes are compared with their case, names of codecs without.
#[pyclass(frozen, module = "siphon", name = "Sdp")]
pub(crate) struct Sdp {
    value: Mutex<sdp::Sdp>,
}

impl Sdp {
    pub(super) fn new(value: sdp::Sdp) -> Self {
        Sdp { value: Mutex::new(value) }
    }

    fn value(&self) -> MutexGuard<'_, sdp::Sdp> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(fault: Unwritable) -> PyErr {
    PyValueError::new_err(fault.to_string())
}

/// The value of an attribute: none for an empty text, which makes a flag.
fn attribute_value(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<String>> {
    let text = value.map(convert::header_value).transpose()?;
    Ok(text.filter(|t| !t.is_empty()))
}

fn address(text: &str) -> PyResult<IpAddr> {
    text.parse().map_err(|_| PyValueError::new_err(format!("{text:?} is no IP address")))
}

fn texts<'a>(attributes: impl Iterator<Item = sdp::Attribute<'a>>) -> Vec<String> {
    attributes.map(|a| a.text.to_owned()).collect()
}

#[pymethods]
impl Sdp {
    /// What the `o=` line says (RFC 8866 5.2); None when there is none.
    #[getter]
    fn origin(&self) -> Option<String> {
        self.value().origin_line().map(str::to_owned)
    }

    /// What the `s=` line says (RFC 8866 5.3); None when there is none.
    #[getter]
    fn session_name(&self) -> Option<String> {
        self.value().session_name().map(str::to_owned)
    }

    /// What the session's `c=` line says, such as `IN IP4 192.0.2.1` (RFC 8866 5.7); None when there is none.
    #[getter]
    fn connection(&self) -> Option<String> {
        self.value().connection_line().map(str::to_owned)
    }

    /// The session's attributes, each the text behind `a=`, in order. Setting them replaces all, and no other line.
    #[getter]
    fn attrs(&self) -> Vec<String> {
        texts(self.value().attributes())
    }

    #[setter]
    fn set_attrs(&self, attrs: Vec<String>) -> PyResult<()> {
        self.value().set_attributes(attrs.iter().map(String::as_str)).map_err(refused)
    }

    /// The media sections, in order.
    #[getter]
    fn media(slf: &Bound<'_, Self>) -> Vec<MediaSection> {
        let sections = slf.get().value().media().len();
        (0..sections).map(|index| MediaSection { sdp: slf.clone().unbind(), index }).collect()
    }

    /// Whether the whole session is on hold: each section that is not rejected is (RFC 3264 8.4).
    #[getter]
    fn is_held(&self) -> bool {
        self.value().is_session_held()
    }

    /// The value of the session's first attribute of that name; an empty text for a flag such as `ice-lite`; None when
    /// it is absent.
    fn get_attr(&self, name: &str) -> Option<String> {
        self.value().attribute(name).map(|a| a.value.unwrap_or_default().to_owned())
    }

    /// Replaces the session's attributes of that name by one, or adds it behind the others; without a value as a flag.
    /// Raises ValueError for a name that is none, for CR, LF or NUL, and over 2048 lines.
    #[pyo3(signature = (name, value=None))]
    fn set_attr(&self, name: &str, value: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let value = attribute_value(value)?;
        self.value().set_attribute(name, value.as_deref()).map_err(refused)
    }

    /// Removes the session's attributes of that name.
    fn remove_attr(&self, name: &str) {
        self.value().remove_attribute(name);
    }

    /// Whether the session has an attribute of that name.
    fn has_attr(&self, name: &str) -> bool {
        self.value().has_attribute(name)
    }

    /// Keeps these codecs and removes all others from every RTP section, with the lines about them. The list is
    /// complete: name `telephone-event` to keep it. A name is one such as `PCMA`, in any case, or `opus/48000`.
    ///
    /// A section that loses its last codec is rejected: port 0 and one format (RFC 3264 6). `telephone-event` and
    /// `CN` go with the last codec of their clock rate, `rtx` and `red` with what they are about.
    fn filter_codecs(&self, keep: Vec<String>) -> PyResult<()> {
        self.value().filter_codecs(&keep).map_err(refused)
    }

    /// Removes these codecs from every RTP section, with the lines about them, and what served only them. As for
    /// `filter_codecs`.
    fn remove_codecs(&self, remove: Vec<String>) -> PyResult<()> {
        self.value().remove_codecs(&remove).map_err(refused)
    }

    /// Puts these codecs first in every RTP section, in this order; the others follow in theirs.
    fn reorder_codecs(&self, preference: Vec<String>) -> PyResult<()> {
        self.value().reorder_codecs(&preference).map_err(refused)
    }

    /// Rejects the sections of that type, such as `video`: port 0, one format, and out of the bundle (RFC 3264 6, RFC
    /// 9143 7.3.3). They stay in `media`: an answer has a section for each of the offer, whoever removed what.
    fn remove_media(&self, media_type: &str) -> PyResult<()> {
        self.value().reject_media(media_type).map(drop).map_err(refused)
    }

    /// Makes all media go to this IP address: every `c=` line and, with `rtcp`, the addresses of `a=rtcp`. A line with
    /// 0.0.0.0 stays, as the stream is held. Raises ValueError for text that is no address.
    #[pyo3(signature = (address, rtcp=true))]
    fn set_address(&self, address: &str, rtcp: bool) -> PyResult<()> {
        let address = self::address(address)?;
        self.value().set_address(address, rtcp).map_err(refused)
    }

    /// Puts the other side on hold: `sendrecv` becomes `sendonly` and `recvonly` becomes `inactive`, in every section
    /// that is not rejected (RFC 3264 8.4).
    fn hold(&self) -> PyResult<()> {
        self.value().hold().map_err(refused)
    }

    /// Takes the other side from hold: `sendonly` becomes `sendrecv` and `inactive` becomes `recvonly`.
    fn resume(&self) -> PyResult<()> {
        self.value().resume().map_err(refused)
    }

    /// Puts the description into a request, a reply or the INVITE of a call: in place of the one it has, in a multipart body in place of that
    /// part, else as the body, of type `application/sdp`. Raises RuntimeError when the request was relayed already.
    fn apply(&self, target: &Bound<'_, PyAny>) -> PyResult<()> {
        let octets = self.value().write();
        if let Ok(request) = target.cast::<Request>() {
            return request.get().state().apply(|m| put(m, &octets));
        }
        if let Ok(reply) = target.cast::<Reply>() {
            return reply.get().state().apply(|m| put(m, &octets));
        }
        if let Ok(call) = target.cast::<CallObject>() {
            return call.get().state().apply(|m| put(m, &octets));
        }
        if let Some(set_body) = target.getattr_opt("set_body")? {
            return set_body.call1((PyBytes::new(target.py(), &octets), "application/sdp")).map(drop);
        }
        let kind = target.get_type().name()?.to_string();
        Err(PyTypeError::new_err(format!("apply takes a Request, a Reply or a Call, not {kind}")))
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.value().write())
    }

    fn __str__(&self) -> String {
        String::from_utf8_lossy(&self.value().write()).into_owned()
    }

    fn __repr__(&self) -> String {
        let value = self.value();
        let kinds: Vec<&str> = value.media().iter().map(Media::kind).collect();
        format!("<Sdp {:?} {}>", value.session_name().unwrap_or_default(), kinds.join(" "))
    }
}

/// A media section of an `Sdp`: an `m=` line and the lines below it (RFC 8866 5.14). Edits are edits of that `Sdp`.
#[pyclass(frozen, module = "siphon", name = "MediaSection")]
pub(crate) struct MediaSection {
    sdp: Py<Sdp>,
    index: usize,
}

impl MediaSection {
    /// No verb of `Sdp` takes sections out, so it is there.
    fn gone() -> PyErr {
        PyRuntimeError::new_err("the section is no longer in its session description")
    }

    fn read<T>(&self, read: impl FnOnce(&sdp::Sdp, &Media) -> T) -> PyResult<T> {
        let value = self.sdp.get().value();
        let media = value.media().get(self.index).ok_or_else(Self::gone)?;
        Ok(read(&value, media))
    }

    fn edit<T>(&self, edit: impl FnOnce(&mut Media) -> Result<T, Unwritable>) -> PyResult<T> {
        let mut value = self.sdp.get().value();
        let media = value.media_mut().get_mut(self.index).ok_or_else(Self::gone)?;
        edit(media).map_err(refused)
    }
}

#[pymethods]
impl MediaSection {
    /// `audio`, `video`, `text`, `application`, `message`, `image` or another.
    #[getter]
    fn media_type(&self) -> PyResult<String> {
        self.read(|_, m| m.kind().to_owned())
    }

    /// The port; 0 when the section is rejected (RFC 3264 6). It may be set, 0 to 65535; a number of ports that stands
    /// behind it stays, but for port 0.
    #[getter]
    fn port(&self) -> PyResult<u16> {
        self.read(|_, m| m.port())
    }

    #[setter]
    fn set_port(&self, port: i64) -> PyResult<()> {
        let port = u16::try_from(port).map_err(|_| PyValueError::new_err(format!("{port} is no port")))?;
        self.edit(|m| m.set_port(port))
    }

    /// The transport protocol, such as `RTP/AVP`; empty when the line has none.
    #[getter]
    fn protocol(&self) -> PyResult<String> {
        self.read(|_, m| m.protocol().to_owned())
    }

    /// The encoding names of the codecs, best first, those of static payload types included (RFC 3551 6). A payload
    /// type that nothing names is its number as text. Empty unless the section is RTP.
    #[getter]
    fn codecs(&self) -> PyResult<Vec<String>> {
        let named = |codec: &sdp::Codec<'_>| match codec.name {
            "" => codec.payload_type.to_string(),
            name => name.to_owned(),
        };
        self.read(|_, m| m.codecs().iter().map(named).collect())
    }

    /// What its own `c=` line says; None when it has none, and that of the `Sdp` holds (RFC 8866 5.7).
    #[getter]
    fn connection(&self) -> PyResult<Option<String>> {
        self.read(|_, m| m.connection_line().map(str::to_owned))
    }

    /// Its attributes, each the text behind `a=`, in order. Setting them replaces all, and no other line.
    #[getter]
    fn attrs(&self) -> PyResult<Vec<String>> {
        self.read(|_, m| texts(m.attributes()))
    }

    #[setter]
    fn set_attrs(&self, attrs: Vec<String>) -> PyResult<()> {
        self.edit(|m| m.set_attributes(attrs.iter().map(String::as_str)))
    }

    /// `sendrecv`, `sendonly`, `recvonly` or `inactive`: what the section says, else what the session says, else
    /// `sendrecv` (RFC 8866 6.7). It may be set. Raises ValueError for another text.
    #[getter]
    fn direction(&self) -> PyResult<&'static str> {
        self.read(|sdp, m| sdp.direction_of(m).name())
    }

    #[setter]
    fn set_direction(&self, direction: &str) -> PyResult<()> {
        let wrong = || {
            PyValueError::new_err(format!("{direction:?}: it is sendrecv, sendonly, recvonly or inactive"))
        };
        let wanted = Direction::from_name(direction).ok_or_else(wrong)?;
        if self.read(|sdp, m| sdp.direction_of(m))? == wanted {
            return Ok(());
        }
        self.edit(|m| m.set_direction(wanted))
    }

    /// Whether its sender holds the stream: it says `sendonly` or `inactive`, or gives the address 0.0.0.0 without ICE
    /// (RFC 3264 8.4). A rejected section is not held.
    #[getter]
    fn is_held(&self) -> PyResult<bool> {
        self.read(sdp::Sdp::is_held)
    }

    /// Whether it is rejected: its port is 0, and it is not a part of a bundle that has the port of another (RFC 3264
    /// 6, RFC 9143 6).
    #[getter]
    fn is_rejected(&self) -> PyResult<bool> {
        self.read(|_, m| m.is_rejected())
    }

    /// The value of its first attribute of that name; an empty text for a flag such as `rtcp-mux`; None when it is
    /// absent.
    fn get_attr(&self, name: &str) -> PyResult<Option<String>> {
        self.read(|_, m| m.attribute(name).map(|a| a.value.unwrap_or_default().to_owned()))
    }

    /// Replaces its attributes of that name by one, or adds it behind the others; without a value as a flag. Raises
    /// ValueError as `Sdp.set_attr` does.
    #[pyo3(signature = (name, value=None))]
    fn set_attr(&self, name: &str, value: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let value = attribute_value(value)?;
        self.edit(|m| m.set_attribute(name, value.as_deref()))
    }

    /// Removes its attributes of that name.
    fn remove_attr(&self, name: &str) -> PyResult<()> {
        self.edit(|m| {
            m.remove_attribute(name);
            Ok(())
        })
    }

    /// Whether it has an attribute of that name.
    fn has_attr(&self, name: &str) -> PyResult<bool> {
        self.read(|_, m| m.has_attribute(name))
    }

    fn __repr__(&self) -> PyResult<String> {
        self.read(|_, m| format!("<MediaSection {} {} {}>", m.kind(), m.port(), m.protocol()))
    }
}
