//! `call.vars`: values of a script that belong to a call and outlive its handlers and its script.
//!
//! They are data that the node keeps, so a reloaded script finds them. None is the same as absence.

use super::call_object::CallObject;
use crate::base::text::Text;
use crate::policy::call::{MAX_VAR_TEXT, MAX_VARS, Var};
use pyo3::exceptions::{PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyIterator, PyList, PyString};
use pyo3::{IntoPyObjectExt, intern};

/// The values of a call, and which of them changed since the last commit.
pub(crate) struct Vars {
    now: Vec<(Text, Var)>,
    /// As they were at the last commit, once one has changed.
    before: Option<Vec<(Text, Var)>>,
    changed: Vec<Text>,
}

impl Vars {
    pub(crate) fn new(mut all: Vec<(Text, Var)>) -> Vars {
        all.retain(|(_, value)| *value != Var::Null);
        Vars { now: all, before: None, changed: Vec::new() }
    }

    fn get(&self, name: &str) -> Option<&Var> {
        self.now.iter().find(|(known, _)| &**known == name).map(|(_, value)| value)
    }

    fn set(&mut self, name: &str, value: Var) -> PyResult<()> {
        let at = self.now.iter().position(|(known, _)| &**known == name);
        if at.is_none() && value == Var::Null {
            return Ok(());
        }
        // One place is the node's own.
        if at.is_none() && self.now.len() >= MAX_VARS.saturating_sub(1) {
            let most = MAX_VARS.saturating_sub(1);
            return Err(PyValueError::new_err(format!("a call holds at most {most} values")));
        }
        self.before.get_or_insert_with(|| self.now.clone());
        match (at, value) {
            (Some(at), Var::Null) => {
                self.now.remove(at);
            }
            (Some(at), value) => {
                if let Some(place) = self.now.get_mut(at) {
                    place.1 = value;
                }
            }
            (None, value) => self.now.push((name.into(), value)),
        }
        if !self.changed.iter().any(|known| &**known == name) {
            self.changed.push(name.into());
        }
        Ok(())
    }

    pub(crate) fn roll_back(&mut self) {
        if let Some(before) = self.before.take() {
            self.now = before;
        }
        self.changed.clear();
    }

    /// What changed since the last commit, in the order of the first change; what is gone is Null.
    pub(crate) fn take_changes(&mut self) -> Vec<(Text, Var)> {
        self.before = None;
        let changed = std::mem::take(&mut self.changed);
        let value = |name: &Text| self.get(name).cloned().unwrap_or(Var::Null);
        changed.into_iter().map(|name| (name.clone(), value(&name))).collect()
    }
}

fn name_of(name: &str) -> PyResult<&str> {
    if name.is_empty() || name.len() > MAX_VAR_TEXT {
        let text = format!("the name of a value has 1 to {MAX_VAR_TEXT} octets");
        return Err(PyValueError::new_err(text));
    }
    if name.starts_with("siphon:") {
        return Err(PyValueError::new_err("names that begin with \"siphon:\" are the node's own"));
    }
    Ok(name)
}

fn value_of(value: &Bound<'_, PyAny>) -> PyResult<Var> {
    if value.is_none() {
        return Ok(Var::Null);
    }
    // Before int: True is one.
    if let Ok(value) = value.cast::<PyBool>() {
        return Ok(Var::Bool(value.is_true()));
    }
    if value.is_instance_of::<PyInt>() {
        let whole = value.extract().map_err(|_| PyValueError::new_err("a whole number of 64 bits at most"));
        return whole.map(Var::Int);
    }
    if let Ok(value) = value.cast::<PyFloat>() {
        return Ok(Var::Float(value.value()));
    }
    let text = match value.cast::<PyString>() {
        Ok(text) => text.to_str()?,
        Err(_) => {
            let kind = value.get_type().name()?.to_string();
            let text = format!("a call holds None, bool, int, float and str, not {kind}");
            return Err(PyTypeError::new_err(text));
        }
    };
    if text.len() > MAX_VAR_TEXT {
        return Err(PyValueError::new_err(format!("text of at most {MAX_VAR_TEXT} octets")));
    }
    Ok(Var::Text(text.into()))
}

fn shown<'py>(py: Python<'py>, value: &Var) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Var::Null => py.None().into_bound_py_any(py),
        Var::Bool(value) => value.into_bound_py_any(py),
        Var::Int(value) => value.into_bound_py_any(py),
        Var::Float(value) => value.into_bound_py_any(py),
        Var::Text(value) => (&**value).into_bound_py_any(py),
    }
}

/// The values of a call, as a mapping: they outlive the handler, and a reload of the script. Names are text, values
/// None, bool, int, float or str; None is the same as absence. At most 63, names and texts of 4096 octets at most.
/// What changes is kept when the handler returns or awaits; an exception takes it back.
#[pyclass(frozen, mapping, module = "siphon", name = "CallVars")]
pub(crate) struct CallVars {
    pub(crate) call: Py<CallObject>,
}

impl CallVars {
    fn set(&self, name: &str, value: Var) -> PyResult<()> {
        let name = name_of(name)?;
        let mut state = self.call.get().state();
        state.invite.alive()?;
        state.vars.set(name, value)
    }

    fn pairs<'py>(&self, py: Python<'py>) -> PyResult<Vec<(String, Bound<'py, PyAny>)>> {
        let state = self.call.get().state();
        state.vars.now.iter().map(|(name, value)| Ok((name.to_string(), shown(py, value)?))).collect()
    }
}

#[pymethods]
impl CallVars {
    fn __len__(&self) -> usize {
        self.call.get().state().vars.now.len()
    }

    fn __contains__(&self, name: &Bound<'_, PyAny>) -> bool {
        name.extract::<&str>().is_ok_and(|name| self.call.get().state().vars.get(name).is_some())
    }

    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        match self.call.get().state().vars.get(name) {
            Some(value) => shown(py, value),
            None => Err(PyKeyError::new_err(name.to_owned())),
        }
    }

    fn __setitem__(&self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(name, value_of(value)?)
    }

    fn __delitem__(&self, name: &str) -> PyResult<()> {
        if self.call.get().state().vars.get(name).is_none() {
            return Err(PyKeyError::new_err(name.to_owned()));
        }
        self.set(name, Var::Null)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.keys())?.try_iter()
    }

    /// The value of that name; `default` when there is none.
    #[pyo3(signature = (name, default=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self.call.get().state().vars.get(name) {
            Some(value) => shown(py, value),
            None => Ok(default.unwrap_or_else(|| py.None().into_bound(py))),
        }
    }

    /// Takes a value out and gives it; `default` when there is none.
    #[pyo3(signature = (name, default=None))]
    fn pop<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let value = self.get(py, name, default)?;
        self.set(name, Var::Null)?;
        Ok(value)
    }

    /// Attaches the values of a mapping, or of keywords.
    #[pyo3(signature = (values=None, **more))]
    fn update(&self, values: Option<&Bound<'_, PyAny>>, more: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        for given in values.into_iter().chain(more.map(|m| m.as_any())) {
            for pair in given.call_method0(intern!(given.py(), "items"))?.try_iter()? {
                let (name, value): (String, Bound<'_, PyAny>) = pair?.extract()?;
                self.set(&name, value_of(&value)?)?;
            }
        }
        Ok(())
    }

    /// The names, in the order of first attachment.
    fn keys(&self) -> Vec<String> {
        self.call.get().state().vars.now.iter().map(|(name, _)| name.to_string()).collect()
    }

    /// The values, in the same order.
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        Ok(self.pairs(py)?.into_iter().map(|(_, value)| value).collect())
    }

    /// Pairs of name and value, in the same order.
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Vec<(String, Bound<'py, PyAny>)>> {
        self.pairs(py)
    }

    fn __repr__<'py>(&self, py: Python<'py>) -> PyResult<String> {
        let dict = PyDict::new(py);
        for (name, value) in self.pairs(py)? {
            dict.set_item(name, value)?;
        }
        Ok(format!("<CallVars {}>", dict.repr()?))
    }
}
