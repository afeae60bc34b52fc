//! `log`: text and named values, with the script's line and the Call-ID of what is being handled.

use super::context;
use super::frame::{script_line, short};
use super::services::LogLevel;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict};

/// The log of the node. Fields are named values: `log.info("a call", caller=user)`. The script's line and the Call-ID
/// are added.
#[pyclass(frozen, module = "siphon", name = "Log")]
pub(crate) struct Log;

fn write(level: LogLevel, text: &Bound<'_, PyAny>, fields: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
    let line = script_line(text.py());
    let text = text.str()?;
    let mut values = Vec::new();
    for (name, value) in fields.into_iter().flatten() {
        values.push((name.str()?.to_string(), value.str()?.to_string()));
    }
    emit(level, text.to_str()?, &values, &line);
    Ok(())
}

/// Writes one line with the current Call-ID.
pub(crate) fn emit(level: LogLevel, text: &str, fields: &[(String, String)], script_line: &str) {
    let Some(context) = context::try_current() else { return };
    context.write(level, text, fields, script_line);
}

/// The function that print, logging and warnings of a script end in: level, text, file, line.
pub(crate) fn emitter(py: Python<'_>) -> PyResult<Bound<'_, PyCFunction>> {
    PyCFunction::new_closure(py, None, None, |args, _| -> PyResult<()> {
        let (level, text, file, line): (String, String, String, i32) = args.extract()?;
        emit(LogLevel::from_name(&level), &text, &[], &short(&file, line));
        Ok(())
    })
}

#[pymethods]
impl Log {
    /// Writes a line that `log.level: debug` shows.
    #[pyo3(signature = (text, **fields))]
    fn debug(&self, text: &Bound<'_, PyAny>, fields: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        write(LogLevel::Debug, text, fields)
    }

    /// Writes a line that `log.level: info` shows.
    #[pyo3(signature = (text, **fields))]
    fn info(&self, text: &Bound<'_, PyAny>, fields: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        write(LogLevel::Info, text, fields)
    }

    /// The same as `warning`.
    #[pyo3(signature = (text, **fields))]
    fn warn(&self, text: &Bound<'_, PyAny>, fields: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        write(LogLevel::Warning, text, fields)
    }

    /// Writes a line about something that needs a look.
    #[pyo3(signature = (text, **fields))]
    fn warning(&self, text: &Bound<'_, PyAny>, fields: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        write(LogLevel::Warning, text, fields)
    }

    /// Writes a line about something that is broken.
    #[pyo3(signature = (text, **fields))]
    fn error(&self, text: &Bound<'_, PyAny>, fields: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        write(LogLevel::Error, text, fields)
    }

    fn __getattr__(&self, name: &str) -> PyResult<()> {
        super::namespace::no_attribute::<Log>("log", name)
    }
}
