//! Clocks and dice of the interpreter that ask a [`World`](super::stepped::World) while code of its script runs, and
//! themselves otherwise.
//!
//! The C function behind `time.time` and its like is exchanged where the interpreter keeps the pointer to it, so a
//! name that was imported long before (`from time import monotonic`) is covered, and `datetime.datetime` stays the
//! class that it is. Which world is asked is a matter of the thread. Done once per process, by the first world.
#![allow(unsafe_code)]

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;
use std::cell::RefCell;
use std::ffi::{c_char, c_int};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

type Object = *mut ffi::PyObject;
type Call = unsafe extern "C" fn(Object, Object) -> Object;
type Fast = unsafe extern "C" fn(Object, *const Object, ffi::Py_ssize_t) -> Object;
type FastNamed = unsafe extern "C" fn(Object, *const Object, ffi::Py_ssize_t, Object) -> Object;

thread_local! {
    /// The worlds that code of this thread runs in; the last one answers.
    static WORLDS: RefCell<Vec<Py<PyAny>>> = const { RefCell::new(Vec::new()) };
}

/// How a world says that its code runs on this thread.
#[pyclass(frozen, module = "siphon", name = "Gate")]
pub(crate) struct Gate;

#[pymethods]
impl Gate {
    #[staticmethod]
    fn enter(world: Py<PyAny>) {
        WORLDS.with(|w| w.borrow_mut().push(world));
    }

    #[staticmethod]
    fn leave() {
        let left = WORLDS.with(|w| w.borrow_mut().pop());
        drop(left);
    }
}

fn world(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
    WORLDS.try_with(|w| w.borrow().last().map(|world| world.bind(py).clone())).ok().flatten()
}

/// The start of `PyCFunctionObject`, which the limited API does not name.
#[repr(C)]
struct BuiltinFunction {
    head: ffi::PyObject,
    definition: *mut Definition,
}

/// `PyMethodDef`.
#[repr(C)]
struct Definition {
    name: *const c_char,
    function: *mut (),
    flags: c_int,
    doc: *const c_char,
}

/// What stands in for one function.
struct Substitute<'py> {
    function: Bound<'py, PyAny>,
    original: &'static AtomicPtr<()>,
    replacement: *mut (),
    flags: c_int,
}

impl Substitute<'_> {
    /// Whether the function is one that can be exchanged; the error names it.
    fn fits(&self) -> PyResult<()> {
        let function = &self.function;
        let builtin = function.py().import("builtins")?.getattr("len")?.get_type();
        if !function.is_instance(&builtin)? {
            return Err(PyRuntimeError::new_err(format!("{function} is not the interpreter's own")));
        }
        // SAFETY: a built-in function, as was seen.
        let flags = unsafe { (*self.definition()).flags };
        if flags != self.flags {
            return Err(PyRuntimeError::new_err(format!("{function} is called in a way that is not known")));
        }
        Ok(())
    }

    /// # Safety
    /// The function is a built-in one.
    unsafe fn definition(&self) -> *mut Definition {
        // SAFETY: the second field of a live built-in function is its definition, a static of the module that has it.
        unsafe { (*self.function.as_ptr().cast::<BuiltinFunction>()).definition }
    }

    /// Exchanges the function.
    ///
    /// # Safety
    /// `fits` said so, and nothing was exchanged before.
    unsafe fn exchange(&self) {
        // SAFETY: the replacement is called as the flags say, which were compared.
        unsafe {
            let definition = self.definition();
            self.original.store((*definition).function, Ordering::Release);
            (*definition).function = self.replacement;
        }
    }
}

/// What a replacement returns to C.
fn give<'py>(py: Python<'py>, result: PyResult<Bound<'py, PyAny>>) -> Object {
    match result {
        Ok(value) => value.into_ptr(),
        Err(error) => {
            error.restore(py);
            ptr::null_mut()
        }
    }
}

/// A replacement with two arguments in C: `self`, and nothing, one argument or a tuple. The body sees the world, the
/// argument and a way to the original; outside a world the original is called.
macro_rules! substitute {
    ($name:ident, |$world:ident, $own:ident, $argument:ident, $original:ident| $body:expr) => {
        mod $name {
            use super::*;
            pub(super) static ORIGINAL: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

            pub(super) unsafe extern "C" fn replacement(own: Object, argument: Object) -> Object {
                // SAFETY: called by the interpreter, attached, with live objects; the original was stored before
                // this took its place and has this signature.
                unsafe {
                    let py = Python::assume_attached();
                    let $original: Call = std::mem::transmute(ORIGINAL.load(Ordering::Acquire));
                    let Some($world) = world(py) else { return $original(own, argument) };
                    let ($own, $argument) = (own, argument);
                    $body
                }
            }
        }
    };
}

fn number<'py>(world: &Bound<'py, PyAny>, name: &str) -> Object {
    give(world.py(), world.getattr(name))
}

substitute!(time, |world, _own, _argument, _original| number(&world, "time"));
substitute!(time_ns, |world, _own, _argument, _original| number(&world, "time_ns"));
substitute!(monotonic, |world, _own, _argument, _original| number(&world, "monotonic"));
substitute!(monotonic_ns, |world, _own, _argument, _original| number(&world, "monotonic_ns"));
substitute!(perf_counter, |world, _own, _argument, _original| number(&world, "monotonic"));
substitute!(perf_counter_ns, |world, _own, _argument, _original| number(&world, "monotonic_ns"));
substitute!(sleep, |world, _own, argument, _original| {
    let py = world.py();
    let seconds = Bound::from_borrowed_ptr(py, argument);
    give(py, world.call_method1(intern!(py, "sleep"), (seconds,)))
});
substitute!(localtime, |world, own, argument, original| with_now(&world, own, argument, 0, original));
substitute!(gmtime, |world, own, argument, original| with_now(&world, own, argument, 0, original));
substitute!(ctime, |world, own, argument, original| with_now(&world, own, argument, 0, original));
substitute!(asctime, |world, own, argument, original| with_local(&world, own, argument, 0, original));
substitute!(strftime, |world, own, argument, original| with_local(&world, own, argument, 1, original));
substitute!(utcnow, |world, own, _argument, _original| {
    let py = world.py();
    let class = Bound::from_borrowed_ptr(py, own);
    let made = world.getattr(intern!(py, "time")).and_then(|t| class.call_method1("utcfromtimestamp", (t,)));
    give(py, made)
});
substitute!(today, |world, own, _argument, _original| {
    let py = world.py();
    let class = Bound::from_borrowed_ptr(py, own);
    give(py, world.getattr(intern!(py, "time")).and_then(|t| class.call_method1("fromtimestamp", (t,))))
});
substitute!(urandom, |world, _own, argument, _original| {
    let py = world.py();
    let size = Bound::from_borrowed_ptr(py, argument);
    give(py, world.call_method1(intern!(py, "urandom"), (size,)))
});
substitute!(random, |world, own, argument, original| dice(&world, own, |own| original(own, argument)));
substitute!(getrandbits, |world, own, argument, original| dice(&world, own, |own| original(own, argument)));
substitute!(getstate, |world, own, argument, original| dice(&world, own, |own| original(own, argument)));
substitute!(setstate, |world, own, argument, original| dice(&world, own, |own| original(own, argument)));

static NOW: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// `datetime.now(tz=None)`.
unsafe extern "C" fn now(
    own: Object,
    values: *const Object,
    count: ffi::Py_ssize_t,
    names: Object,
) -> Object {
    // SAFETY: called by the interpreter, attached, by the vectorcall convention; see `exchange`.
    unsafe {
        let py = Python::assume_attached();
        let original: FastNamed = std::mem::transmute(NOW.load(Ordering::Acquire));
        let Some(world) = world(py) else { return original(own, values, count, names) };
        let named = if names.is_null() { 0 } else { ffi::PyTuple_Size(names) };
        let class = Bound::from_borrowed_ptr(py, own);
        let arguments = if count.saturating_add(named) == 1 {
            // The original complains of a wrong name or a wrong value, and its result is let go.
            let checked = original(own, values, count, names);
            if checked.is_null() {
                return checked;
            }
            ffi::Py_DECREF(checked);
            Some(Bound::from_borrowed_ptr(py, *values))
        } else if count.saturating_add(named) == 0 {
            None
        } else {
            return original(own, values, count, names);
        };
        give(
            py,
            world
                .getattr(intern!(py, "time"))
                .and_then(|t| class.call_method1("fromtimestamp", (t, arguments))),
        )
    }
}

static SEED: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// `Random.seed(a)` of the C base class.
unsafe extern "C" fn seed(own: Object, values: *const Object, count: ffi::Py_ssize_t) -> Object {
    // SAFETY: as for `now`.
    unsafe {
        let py = Python::assume_attached();
        let original: Fast = std::mem::transmute(SEED.load(Ordering::Acquire));
        match world(py) {
            None => original(own, values, count),
            Some(world) => dice(&world, own, |own| original(own, values, count)),
        }
    }
}

/// Calls the original with the time of the world where the caller gave none.
fn with_now(
    world: &Bound<'_, PyAny>,
    own: Object,
    argument: Object,
    before: usize,
    original: Call,
) -> Object {
    complete(world, own, argument, before, original, |world| world.getattr("time"))
}

/// Likewise with the local time as a tuple.
fn with_local(
    world: &Bound<'_, PyAny>,
    own: Object,
    argument: Object,
    before: usize,
    original: Call,
) -> Object {
    complete(world, own, argument, before, original, |world| {
        world.py().import("time")?.call_method1("localtime", (world.getattr("time")?,))
    })
}

fn complete<'py>(
    world: &Bound<'py, PyAny>,
    own: Object,
    argument: Object,
    before: usize,
    original: Call,
    value: impl FnOnce(&Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>,
) -> Object {
    let py = world.py();
    // SAFETY: the interpreter passed a live tuple, and `original` takes one.
    unsafe {
        let given = Bound::from_borrowed_ptr(py, argument);
        let Ok(given) = given.cast_into::<PyTuple>() else { return original(own, argument) };
        let missing = given.len() == before || given.get_item(before).is_ok_and(|last| last.is_none());
        if !missing {
            return original(own, argument);
        }
        let all = value(world).and_then(|value| {
            PyTuple::new(py, given.iter().take(before).chain(std::iter::once(value)).collect::<Vec<_>>())
        });
        match all {
            Ok(all) => original(own, all.as_ptr()),
            Err(error) => give(py, Err(error)),
        }
    }
}

/// The module's own dice are those of the world; an instance that the script made stays its own.
fn dice(world: &Bound<'_, PyAny>, own: Object, call: impl FnOnce(Object) -> Object) -> Object {
    let py = world.py();
    let shared = py.import("random").and_then(|r| r.getattr(intern!(py, "_inst")));
    match (shared, world.getattr(intern!(py, "random"))) {
        (Ok(shared), Ok(of_world)) if shared.as_ptr() == own => call(of_world.as_ptr()),
        _ => call(own),
    }
}

/// Puts the substitutes in place: all, or none if one does not fit. Later calls do nothing.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    static INSTALLED: PyOnceLock<()> = PyOnceLock::new();
    let put = || {
        let all = substitutes(py)?;
        all.iter().try_for_each(Substitute::fits)?;
        for one in &all {
            // SAFETY: all fit, and this happens once.
            unsafe { one.exchange() };
        }
        Ok(())
    };
    INSTALLED.get_or_try_init(py, put).copied()
}

fn substitutes(py: Python<'_>) -> PyResult<Vec<Substitute<'_>>> {
    let (time_module, os, class) =
        (py.import("time")?, py.import("os")?, py.import("datetime")?.getattr("datetime")?);
    // `Random` of the module wraps some of these in Python; the C class has them all.
    let base = py.import("_random")?.getattr("Random")?.call0()?;
    let (none, one, tuple, on_class) =
        (ffi::METH_NOARGS, ffi::METH_O, ffi::METH_VARARGS, ffi::METH_NOARGS | ffi::METH_CLASS);
    let time_module = time_module.as_any();
    type Pair<'a, 'py> = (&'a Bound<'py, PyAny>, &'a str, &'static AtomicPtr<()>, Call, c_int);
    let pairs: [Pair<'_, '_>; 19] = [
        (time_module, "time", &time::ORIGINAL, time::replacement, none),
        (time_module, "time_ns", &time_ns::ORIGINAL, time_ns::replacement, none),
        (time_module, "monotonic", &monotonic::ORIGINAL, monotonic::replacement, none),
        (time_module, "monotonic_ns", &monotonic_ns::ORIGINAL, monotonic_ns::replacement, none),
        (time_module, "perf_counter", &perf_counter::ORIGINAL, perf_counter::replacement, none),
        (time_module, "perf_counter_ns", &perf_counter_ns::ORIGINAL, perf_counter_ns::replacement, none),
        (time_module, "sleep", &sleep::ORIGINAL, sleep::replacement, one),
        (time_module, "localtime", &localtime::ORIGINAL, localtime::replacement, tuple),
        (time_module, "gmtime", &gmtime::ORIGINAL, gmtime::replacement, tuple),
        (time_module, "ctime", &ctime::ORIGINAL, ctime::replacement, tuple),
        (time_module, "asctime", &asctime::ORIGINAL, asctime::replacement, tuple),
        (time_module, "strftime", &strftime::ORIGINAL, strftime::replacement, tuple),
        (&os, "urandom", &urandom::ORIGINAL, urandom::replacement, one),
        (&class, "utcnow", &utcnow::ORIGINAL, utcnow::replacement, on_class),
        (&class, "today", &today::ORIGINAL, today::replacement, on_class),
        (&base, "random", &random::ORIGINAL, random::replacement, none),
        (&base, "getrandbits", &getrandbits::ORIGINAL, getrandbits::replacement, one),
        (&base, "getstate", &getstate::ORIGINAL, getstate::replacement, none),
        (&base, "setstate", &setstate::ORIGINAL, setstate::replacement, one),
    ];
    fn made<'py>(
        of: &Bound<'py, PyAny>,
        name: &str,
        original: &'static AtomicPtr<()>,
        replacement: *mut (),
        flags: c_int,
    ) -> PyResult<Substitute<'py>> {
        Ok(Substitute { function: of.getattr(name)?, original, replacement, flags })
    }
    let mut all: Vec<_> = pairs
        .into_iter()
        .map(|(of, name, original, by, flags)| made(of, name, original, by as *mut (), flags))
        .collect::<PyResult<_>>()?;
    let named = ffi::METH_FASTCALL | ffi::METH_KEYWORDS | ffi::METH_CLASS;
    all.push(made(&class, "now", &NOW, now as *mut (), named)?);
    all.push(made(&base, "seed", &SEED, seed as *mut (), ffi::METH_FASTCALL)?);
    Ok(all)
}
