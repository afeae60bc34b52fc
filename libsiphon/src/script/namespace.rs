//! What every namespace does about a name it does not have: say so, and guess what was meant.

use super::surface::closest;
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::type_object::PyTypeInfo;

/// Names of the reference surface that this version leaves out, by namespace.
const ABSENT: &[(&str, &[&str])] = &[
    ("proxy", &["on_register_reply", "subscribe_state"]),
    (
        "registrar",
        &[
            "save_proxy",
            "lookup_contact",
            "save_as_contact",
            "lookup_by_token",
            "is_registered_contact",
            "save_pending",
            "confirm_pending",
            "asserted_identity",
            "set_service_routes",
            "service_route",
            "set_associated_uris",
            "associated_uris",
            "reginfo_xml",
        ],
    ),
    ("auth", &["generate_nonce", "validate_nonce", "require_ims_digest", "require_aka_digest"]),
];

/// The AttributeError for `name` of a namespace.
pub(crate) fn no_attribute<T: PyTypeInfo>(namespace: &str, name: &str) -> PyResult<()> {
    if ABSENT.iter().any(|(n, names)| *n == namespace && names.contains(&name)) {
        return Err(PyAttributeError::new_err(format!("{namespace}.{name} is not in this version")));
    }
    let known: Vec<String> = Python::attach(|py| {
        let names = py.get_type::<T>().as_any().dir()?;
        Ok::<_, PyErr>(names.iter().map(|n| n.to_string()).filter(|n| !n.starts_with("__")).collect())
    })?;
    let text = match closest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("{namespace} has no {name:?}; did you mean {near:?}?"),
        None => format!("{namespace} has no {name:?}"),
    };
    Err(PyAttributeError::new_err(text))
}
