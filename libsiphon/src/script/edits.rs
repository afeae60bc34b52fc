//! Edits that requests and replies share: each makes a new message by splicing, and bytes not named stay.
//!
//! They take plain values: turning a Python object into one may run code of the script, which may touch the very
//! message, so it happens before the message is locked.

use super::convert;
use crate::wire::sip::{HeaderId, Limits, Message, Splice, Unsafe};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use regex::{Regex, RegexBuilder};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Applies edits to a message.
pub(crate) fn splice(
    message: &Message,
    edit: impl FnOnce(&mut Splice<'_>) -> Result<(), Unsafe>,
) -> PyResult<Message> {
    let mut splice = Splice::of(message);
    edit(&mut splice).map_err(|e| PyValueError::new_err(e.to_string()))?;
    // What a script writes is held to the same limits as what a peer sends.
    splice
        .into_message(&limits())
        .map_err(|e| PyValueError::new_err(format!("the edit breaks the message: {e}")))
}

/// As received messages, with room for the header fields that edits add.
fn limits() -> Limits {
    let received = Limits::default();
    Limits { headers: received.headers.saturating_mul(2), header_section: 65_535, ..received }
}

/// Header fields that say what the message is; a script changes them through other verbs, or not at all.
fn writable(name: &str) -> PyResult<HeaderId> {
    convert::header_name(name)?;
    let id = HeaderId::from_name(name);
    match id {
        HeaderId::ContentLength => Err(PyValueError::new_err("Content-Length follows the body")),
        HeaderId::Via | HeaderId::CSeq | HeaderId::CallId => {
            Err(PyValueError::new_err(format!("{} belongs to the transaction layer", id.name())))
        }
        _ => Ok(id),
    }
}

pub(crate) fn set_header(message: &Message, name: &str, value: &str) -> PyResult<Message> {
    writable(name)?;
    splice(message, |s| s.set(name, value).map(drop))
}

pub(crate) fn add_header(message: &Message, name: &str, value: &str) -> PyResult<Message> {
    writable(name)?;
    splice(message, |s| s.append(name, value).map(drop))
}

pub(crate) fn remove_header(message: &Message, name: &str) -> PyResult<Option<Message>> {
    writable(name)?;
    if message.headers_named(name).next().is_none() {
        return Ok(None);
    }
    splice(message, |s| {
        s.remove_named(name);
        Ok(())
    })
    .map(Some)
}

/// Header fields that no pattern removes: a message without them is none.
const KEPT: &[HeaderId] = &[
    HeaderId::Via,
    HeaderId::From,
    HeaderId::To,
    HeaderId::CallId,
    HeaderId::CSeq,
    HeaderId::MaxForwards,
    HeaderId::ContentLength,
];

/// Removes the header fields whose name, in its long form, the pattern matches from the start, in any case.
pub(crate) fn remove_matching(message: &Message, pattern: &str) -> PyResult<Option<Message>> {
    let regex = compiled(pattern)?;
    let hit = |name: &str| regex.is_match(name);
    let names: Vec<String> = message
        .headers()
        .filter(|h| !KEPT.contains(&h.id) && (hit(h.long_name()) || hit(h.name)))
        .map(|h| h.name.to_owned())
        .collect();
    if names.is_empty() {
        return Ok(None);
    }
    splice(message, |s| {
        names.iter().for_each(|name| {
            s.remove_named(name);
        });
        Ok(())
    })
    .map(Some)
}

/// Compiled patterns by their text: scripts have few.
static PATTERNS: Mutex<BTreeMap<String, Regex>> = Mutex::new(BTreeMap::new());

/// A script with more patterns than this compiles them again.
const MOST_PATTERNS: usize = 256;

fn compiled(pattern: &str) -> PyResult<Regex> {
    let mut patterns = PATTERNS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = patterns.get(pattern) {
        return Ok(regex.clone());
    }
    // The regex crate runs in linear time and bounds the compiled size, whatever the pattern.
    let regex = RegexBuilder::new(&format!("^(?:{pattern})"))
        .case_insensitive(true)
        .build()
        .map_err(|e| PyValueError::new_err(format!("{pattern:?}: {e}")))?;
    if patterns.len() >= MOST_PATTERNS {
        patterns.clear();
    }
    patterns.insert(pattern.to_owned(), regex.clone());
    Ok(regex)
}

/// A body from a script: its octets, and the type to give it where none is stated.
pub(crate) struct Body {
    octets: Vec<u8>,
    stated: Option<String>,
    usual: &'static str,
}

impl Body {
    /// An SDP in place of another one: the type stays as it was spelled.
    pub(crate) fn sdp(octets: &[u8]) -> Body {
        Body { octets: octets.to_vec(), stated: None, usual: "application/sdp" }
    }

    pub(crate) fn of(body: &Bound<'_, PyAny>, content_type: Option<&str>) -> PyResult<Body> {
        let usual = if body.is_instance_of::<PyString>() { "text/plain" } else { "application/octet-stream" };
        let stated = content_type.map(convert::safe).transpose()?.map(str::to_owned);
        Ok(Body { octets: convert::body(body)?, stated, usual })
    }
}

/// Gives the message another body.
pub(crate) fn set_body(message: &Message, body: &Body) -> PyResult<Message> {
    // A body with no type is none that a peer could read (RFC 3261 20.15).
    let untyped = !body.octets.is_empty() && !message.has(HeaderId::ContentType);
    let content_type = body.stated.as_deref().or_else(|| untyped.then_some(body.usual));
    splice(message, |s| s.set_body(content_type, &body.octets).map(drop))
}

/// Whether the message has a body of that type, parameters and case aside; or is a multipart that names it.
pub(crate) fn has_body(message: &Message, content_type: &str) -> bool {
    if message.body().is_empty() {
        return false;
    }
    let Some(stated) = message.header(HeaderId::ContentType) else { return false };
    let kind = stated.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case(content_type.trim()) {
        return true;
    }
    let wanted = content_type.trim().to_ascii_lowercase();
    kind.to_ascii_lowercase().starts_with("multipart/")
        && String::from_utf8_lossy(message.body())
            .to_ascii_lowercase()
            .contains(&format!("content-type: {wanted}"))
}
