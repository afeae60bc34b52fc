//! What scripts pass in, as Rust values: durations, text that may go on the wire, addresses, targets.

use super::registrar_namespace::Contact;
use super::uri::SipUri;
use crate::base::text::Text;
use crate::base::time::Duration;
use crate::policy::{Strategy, Target};
use crate::wire::sip::{Message, Method, NameAddr, Uri};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyInt, PyString};

/// Refuses text that would become another header field or end the header section.
pub(crate) fn safe(text: &str) -> PyResult<&str> {
    if text.bytes().any(|c| matches!(c, b'\r' | b'\n' | 0)) {
        return Err(PyValueError::new_err("text for a SIP message holds CR, LF or NUL"));
    }
    Ok(text)
}

/// A header field name (RFC 3261 25.1 token).
pub(crate) fn header_name(name: &str) -> PyResult<&str> {
    safe(name)?;
    let token = |c: u8| c.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&c);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(PyValueError::new_err(format!("{name:?} is no header field name")));
    }
    Ok(name)
}

/// A header field value: text, a number, a URI or a contact.
pub(crate) fn header_value(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let text = match value.cast::<PyString>() {
        Ok(text) => text.to_str()?.to_owned(),
        Err(_) => value.str()?.to_str()?.to_owned(),
    };
    safe(&text)?;
    Ok(text)
}

/// The header fields of a mapping from names to values.
pub(crate) fn header_fields(mapping: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<(String, String)>> {
    let Some(mapping) = mapping else { return Ok(Vec::new()) };
    let mut fields = Vec::new();
    for pair in mapping.call_method0("items")?.try_iter()? {
        let (name, value): (String, Bound<'_, PyAny>) = pair?.extract()?;
        header_name(&name)?;
        fields.push((name, header_value(&value)?));
    }
    Ok(fields)
}

/// Body octets from `bytes` or `str`.
pub(crate) fn body(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().to_vec());
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(text.to_str()?.as_bytes().to_vec());
    }
    value.extract::<Vec<u8>>().map_err(|_| PyTypeError::new_err("a body is bytes or str"))
}

/// A duration: a number of `unit` seconds, text with a unit such as `30s` or `500ms`, or a `timedelta`.
pub(crate) fn duration(value: &Bound<'_, PyAny>, unit: f64) -> PyResult<Duration> {
    let wrong = || {
        let shown = value.repr().map(|r| r.to_string()).unwrap_or_default();
        PyValueError::new_err(format!(
            "{shown} is no duration: a number, or text like '30s', '500ms', '5m', '1h'"
        ))
    };
    let seconds = if let Ok(text) = value.cast::<PyString>() {
        parse_duration(text.to_str()?, unit).ok_or_else(wrong)?
    } else if value.is_instance_of::<PyFloat>() || value.is_instance_of::<PyInt>() {
        // Asked first: looking for a method that is not there makes an exception.
        value.extract::<f64>()? * unit
    } else if let Ok(total) = value.call_method0("total_seconds") {
        total.extract::<f64>()?
    } else {
        value.extract::<f64>().map_err(|_| wrong())? * unit
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

fn parse_duration(text: &str, unit: f64) -> Option<f64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text.get(..split)?.parse().ok()?;
    let factor = match text.get(split..)?.trim() {
        "" => unit,
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    Some(number * factor)
}

/// The text of a URI given as `str`, `SipUri` or `Contact`. A name-addr gives the URI inside it.
pub(crate) fn uri_text(value: &Bound<'_, PyAny>) -> PyResult<Text> {
    if let Ok(uri) = value.cast::<SipUri>() {
        return Ok(uri.get().shared_text());
    }
    if let Ok(contact) = value.cast::<Contact>() {
        return Ok(contact.get().binding().uri.clone());
    }
    if let Ok(text) = value.cast::<PyString>() {
        return checked_uri(text.to_str()?);
    }
    // A gateway's destination, or whatever else names its URI.
    if let Ok(inner) = value.getattr("uri") {
        return checked_uri(&inner.str()?.to_string());
    }
    let kind = value.get_type().name()?.to_string();
    Err(PyTypeError::new_err(format!("a URI is a str, SipUri or Contact, not {kind}")))
}

/// `text` as the URI it is or holds, or ValueError.
pub(crate) fn checked_uri(text: &str) -> PyResult<Text> {
    let text = safe(text)?.trim();
    let bad = |error: &dyn std::fmt::Display| PyValueError::new_err(format!("{text:?}: {error}"));
    if text.contains('<') {
        return NameAddr::parse(text).map(|n| n.uri.as_str().into()).map_err(|e| bad(&e));
    }
    Uri::parse(text).map(|u| u.as_str().into()).map_err(|e| bad(&e))
}

/// A target of relaying or forking. A contact, and a URI that came from one, bring their Path and flow.
pub(crate) fn target(value: &Bound<'_, PyAny>) -> PyResult<Target> {
    if let Ok(contact) = value.cast::<Contact>() {
        return Ok(contact.get().target());
    }
    if let Ok(uri) = value.cast::<SipUri>() {
        return Ok(uri.get().target());
    }
    Ok(Target::uri(uri_text(value)?))
}

/// `parallel`, `sequential`, `q`.
pub(crate) fn strategy(name: &str) -> PyResult<Strategy> {
    match name {
        "parallel" => Ok(Strategy::Parallel),
        "sequential" => Ok(Strategy::Sequential),
        "q" | "preference" => Ok(Strategy::ByPreference),
        other => {
            let text = format!("strategy {other:?}: it is 'parallel', 'sequential' or 'q'");
            Err(PyValueError::new_err(text))
        }
    }
}

/// The names of methods as Python strings, made once.
pub(crate) fn method_name<'py>(py: Python<'py>, message: &Message) -> Bound<'py, PyString> {
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
