//! The line of the script that is running, and the step of a coroutine. The one place of this module with `unsafe`:
//! calls of the C API that PyO3 does not wrap.
#![allow(unsafe_code)]

use crate::base::text::Text;
use pyo3::ffi;
use pyo3::prelude::*;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Texts of lines already named, by code object and instruction: a script has few verb calls.
static NAMED: Mutex<BTreeMap<(usize, i32), Named>> = Mutex::new(BTreeMap::new());

/// The code object, held so that its address names nothing else, and the text.
type Named = (Py<PyAny>, Text);

/// A script with more verb calls than this starts the table anew.
const MOST_NAMED: usize = 4096;

/// `file.py:12` of the innermost running Python frame; empty when none runs.
pub(crate) fn script_line(py: Python<'_>) -> Text {
    // SAFETY: attached; the frame is borrowed from the interpreter and lives while its caller runs, which is us.
    let (frame, at) = unsafe {
        let frame = ffi::PyEval_GetFrame();
        if frame.is_null() {
            return Text::from("");
        }
        (frame, position(frame))
    };
    // SAFETY: as above; PyFrame_GetCode gives a new reference, which `Bound` takes over.
    let code = unsafe { Bound::from_owned_ptr(py, ffi::PyFrame_GetCode(frame).cast()) };
    let key = (code.as_ptr() as usize, at);
    let mut named = NAMED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, text)) = named.get(&key) {
        return text.clone();
    }
    // SAFETY: as above.
    let line = unsafe { ffi::PyFrame_GetLineNumber(frame) };
    let file = code.getattr("co_filename").and_then(|f| f.extract::<String>()).unwrap_or_default();
    let text = Text::from(short(&file, line));
    if named.len() >= MOST_NAMED {
        named.clear();
    }
    named.insert(key, (code.unbind(), text.clone()));
    text
}

/// What tells the calls of one code object apart: the instruction, or with the stable ABI, which does not give it, the
/// line.
///
/// # Safety
/// The thread is attached and `frame` is a live frame.
unsafe fn position(frame: *mut ffi::PyFrameObject) -> i32 {
    #[cfg(not(feature = "abi3"))]
    // SAFETY: as the caller's.
    unsafe {
        ffi::PyFrame_GetLasti(frame)
    }
    #[cfg(feature = "abi3")]
    // SAFETY: as the caller's.
    unsafe {
        ffi::PyFrame_GetLineNumber(frame)
    }
}

/// `file.py:12`: the last component of the path and the line.
pub(crate) fn short(file: &str, line: i32) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    if name.is_empty() { String::new() } else { format!("{name}:{line}") }
}

/// Forgets the lines of replaced generations.
pub(crate) fn forget(_py: Python<'_>) {
    let held = std::mem::take(&mut *NAMED.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    drop(held);
}

/// How many references there are to `object`.
pub(crate) fn references<T>(object: &Bound<'_, T>) -> isize {
    // SAFETY: a live object, and we are attached.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) }
}

/// What a step of a coroutine came to.
pub(crate) enum Step<'py> {
    /// It awaits what came out.
    Awaits(Bound<'py, PyAny>),
    /// It returned.
    Returned,
}

/// Runs a coroutine to its next await. Unlike `send` of Python code, its return makes no exception object.
pub(crate) fn step<'py>(coroutine: &Bound<'py, PyAny>) -> PyResult<Step<'py>> {
    let py = coroutine.py();
    let mut value = std::ptr::null_mut();
    // SAFETY: attached, both arguments are live objects, and `value` takes a new reference or stays null.
    let sent = unsafe { ffi::PyIter_Send(coroutine.as_ptr(), ffi::Py_None(), &mut value) };
    match sent {
        ffi::PySendResult::PYGEN_ERROR => Err(PyErr::fetch(py)),
        // SAFETY: a new reference, which `Bound` takes over.
        ffi::PySendResult::PYGEN_NEXT => Ok(Step::Awaits(unsafe { Bound::from_owned_ptr(py, value) })),
        ffi::PySendResult::PYGEN_RETURN => {
            // SAFETY: as above; dropped at once.
            drop(unsafe { Bound::from_owned_ptr(py, value) });
            Ok(Step::Returned)
        }
    }
}
