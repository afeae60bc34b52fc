//! What `call.dial` and `call.fork` are given: targets, header policy, and how each is tried.

use super::convert;
use super::registrar_namespace::{Contact, PyFlow, has_binding};
use super::request_edits::{route_value, with_parts};
use super::uri::SipUri;
use crate::base::text::Text;
use crate::base::time::Duration;
use crate::policy::call::{HeaderPolicy, HeaderPreset};
use crate::policy::{Dial, Strategy, Target};
use crate::wire::sip::Uri;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// Keywords that `dial` and `fork` share.
pub(crate) struct How<'a, 'py> {
    pub(crate) timeout: Option<&'a Bound<'py, PyAny>>,
    pub(crate) header_policy: Option<&'a str>,
    pub(crate) copy: Option<&'a Bound<'py, PyAny>>,
    pub(crate) strip: Option<&'a Bound<'py, PyAny>>,
    pub(crate) translate: Option<&'a Bound<'py, PyAny>>,
    pub(crate) send_socket: Option<&'a str>,
    pub(crate) auth_passthrough: bool,
    pub(crate) number_policy: Option<&'a Bound<'py, PyAny>>,
    pub(crate) follow_redirects: bool,
    pub(crate) failover: Option<Vec<u16>>,
}

impl How<'_, '_> {
    /// The dial, without the header fields that are the script's own.
    pub(crate) fn dial(self, targets: Vec<Target>, strategy: Strategy) -> PyResult<Dial> {
        if self.number_policy.is_some_and(|policy| !policy.is_none()) {
            let text = "number_policy is not in this version: number normalisation is not built yet";
            return Err(PyValueError::new_err(text));
        }
        let failover = self.failover.unwrap_or_default();
        if let Some(code) = failover.iter().find(|code| !(300..700).contains(*code)) {
            return Err(PyValueError::new_err(format!("failover {code}: a failure is 300 to 699")));
        }
        let timeout = self.timeout.map_or(Ok(Duration::from_secs(30)), |t| convert::duration(t, 1.0))?;
        Ok(Dial {
            strategy,
            timeout,
            headers: HeaderPolicy {
                preset: self.header_policy.map(preset).transpose()?,
                copy: names(self.copy)?,
                strip: names(self.strip)?,
                translate: translations(self.translate)?,
                own: Vec::new(),
            },
            send_socket: self.send_socket.map(convert::safe).transpose()?.map(Text::from),
            auth_passthrough: self.auth_passthrough,
            follow_redirects: self.follow_redirects,
            failover,
            ..Dial::of(targets)
        })
    }
}

fn preset(name: &str) -> PyResult<HeaderPreset> {
    HeaderPreset::from_name(name).ok_or_else(|| {
        let known: Vec<String> = HeaderPreset::ALL.iter().map(|p| format!("{:?}", p.name())).collect();
        PyValueError::new_err(format!("header_policy {name:?}: it is one of {}", known.join(", ")))
    })
}

/// Names of header fields: a list of them, or one.
fn names(given: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<Text>> {
    let Some(given) = given else { return Ok(Vec::new()) };
    let all: Vec<String> = match given.cast::<PyString>() {
        Ok(one) => vec![one.to_str()?.to_owned()],
        Err(_) => given.try_iter()?.map(|name| name?.extract()).collect::<PyResult<_>>()?,
    };
    all.iter().map(|name| convert::header_name(name).map(Text::from)).collect()
}

fn translations(given: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<(Text, Text)>> {
    let Some(given) = given else { return Ok(Vec::new()) };
    let given = given
        .cast::<PyDict>()
        .map_err(|_| PyTypeError::new_err("translate takes a dict from name to name"))?;
    let pair = |(from, to): (Bound<'_, PyAny>, Bound<'_, PyAny>)| -> PyResult<(Text, Text)> {
        let (from, to): (String, String) = (from.extract()?, to.extract()?);
        Ok((convert::header_name(&from)?.into(), convert::header_name(&to)?.into()))
    };
    given.iter().map(pair).collect()
}

/// Where a dial goes besides what its targets say.
#[derive(Default)]
pub(crate) struct Way<'a, 'py> {
    pub(crate) next_hop: Option<&'a Bound<'py, PyAny>>,
    pub(crate) flow: Option<&'a Bound<'py, PyFlow>>,
    pub(crate) route: Option<&'a Bound<'py, PyAny>>,
}

/// The targets that a script names: one, or a list. `dialled` is the user of the Request-URI, which a target that
/// names a host alone is asked for.
pub(crate) fn targets(
    given: &Bound<'_, PyAny>,
    dialled: Option<&str>,
    way: &Way<'_, '_>,
) -> PyResult<Vec<Target>> {
    let given: Vec<Bound<'_, PyAny>> = match is_one(given)? {
        true => vec![given.clone()],
        false => given.try_iter()?.collect::<PyResult<_>>()?,
    };
    let next_hop = way.next_hop.map(convert::uri_text).transpose()?;
    let route = routes(way.route)?;
    let made = |given: &Bound<'_, PyAny>| -> PyResult<Target> {
        let mut target = convert::target(given)?;
        if let (Some(user), false) = (dialled, has_binding(given))
            && Uri::parse(&target.uri).is_ok_and(|uri| uri.is_sip() && uri.user().is_none())
        {
            target.uri = with_parts(&target.uri, Some(user), None)?.into();
        }
        target.route.splice(0..0, route.iter().cloned());
        target.next_hop = next_hop.clone().or(target.next_hop);
        target.flow = way.flow.map(|flow| flow.get().flow).or(target.flow);
        Ok(target)
    };
    given.iter().map(made).collect()
}

/// Whether it names one target.
fn is_one(given: &Bound<'_, PyAny>) -> PyResult<bool> {
    let known = given.is_instance_of::<PyString>()
        || given.is_instance_of::<SipUri>()
        || given.is_instance_of::<Contact>();
    if !known && given.is_none() {
        let text = "there is nobody to dial: the target is None";
        return Err(PyTypeError::new_err(text));
    }
    Ok(known || given.hasattr("uri")?)
}

fn routes(given: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<Text>> {
    let Some(given) = given else { return Ok(Vec::new()) };
    if is_one(given)? {
        return Ok(vec![route_value(given)?.into()]);
    }
    given.try_iter()?.map(|uri| route_value(&uri?).map(Text::from)).collect()
}
