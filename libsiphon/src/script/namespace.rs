//! What every namespace does about a name it does not have: say so, and guess what was meant.

use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::type_object::PyTypeInfo;

/// The AttributeError for `name` of a namespace, in the words of the table of the surface.
pub(crate) fn no_attribute<T: PyTypeInfo>(namespace: &str, name: &str) -> PyResult<()> {
    Err(Python::attach(|py| {
        let why = || -> PyResult<String> {
            let surface = py.import("siphon._surface")?;
            let known = py.get_type::<T>().as_any().dir()?;
            surface.call_method1("why_no_attribute", (namespace, name, known))?.extract()
        };
        why().map_or_else(|error| error, PyAttributeError::new_err)
    }))
}
