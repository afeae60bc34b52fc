//! `cache`: what scripts keep from one request to another. Awaitable in `async def`, direct in sync handlers.

use super::awaitable::immediate;
use super::cache::Cache;
use super::context::{self, Context};
use super::convert;
use pyo3::exceptions::PyLookupError;
use pyo3::prelude::*;
use std::sync::Arc;

/// What scripts keep from one request to another: the caches of the YAML's `cache`, each by its name, in the memory
/// of the node. Full, the least recently used entry goes. An unknown name raises LookupError.
#[pyclass(frozen, module = "siphon", name = "Cache")]
pub(crate) struct CacheNamespace;

fn named<'c>(context: &'c Arc<Context>, name: &str) -> PyResult<&'c Cache> {
    context.script.caches.iter().find(|c| c.name == name).ok_or_else(|| {
        let known: Vec<&str> = context.script.caches.iter().map(|c| c.name.as_str()).collect();
        let known = if known.is_empty() {
            "none is configured".to_owned()
        } else {
            format!("there is {}", known.join(", "))
        };
        PyLookupError::new_err(format!("no cache is named {name:?} under `cache:` in the YAML; {known}"))
    })
}

#[pymethods]
impl CacheNamespace {
    /// Awaitable: the text under `key`; None when there is none, or its time is over.
    fn fetch<'py>(&self, py: Python<'py>, name: &str, key: &str) -> PyResult<Bound<'py, PyAny>> {
        let context = context::current()?;
        let found = named(&context, name)?.fetch(key, context.now());
        immediate(py, &context, "cache.fetch()", found)
    }

    /// Awaitable: stores text for `ttl` seconds (or `"5m"`), by default for the cache's `local_ttl_secs`. True.
    #[pyo3(signature = (name, key, value, ttl=None))]
    fn store<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        key: &str,
        value: String,
        ttl: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let context = context::current()?;
        let ttl = ttl.map(|t| convert::duration(t, 1.0)).transpose()?;
        named(&context, name)?.store(key, value, ttl, context.now());
        immediate(py, &context, "cache.store()", true)
    }

    /// Whether a cache of that name is configured.
    fn has_cache(&self, name: &str) -> PyResult<bool> {
        Ok(context::current()?.script.caches.iter().any(|c| c.name == name))
    }

    /// Awaitable: removes what is under `key`. True when there was something.
    fn delete<'py>(&self, py: Python<'py>, name: &str, key: &str) -> PyResult<Bound<'py, PyAny>> {
        let context = context::current()?;
        let done = named(&context, name)?.delete(key, context.now());
        immediate(py, &context, "cache.delete()", done)
    }

    /// Awaitable: whether there is something under `key`.
    fn exists<'py>(&self, py: Python<'py>, name: &str, key: &str) -> PyResult<Bound<'py, PyAny>> {
        let context = context::current()?;
        let found = named(&context, name)?.exists(key, context.now());
        immediate(py, &context, "cache.exists()", found)
    }

    /// Awaitable: gives what is under `key` another time to live, in seconds from now (or `"5m"`). False when there
    /// is nothing.
    fn expire<'py>(&self, name: &str, key: &str, ttl: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let context = context::current()?;
        let ttl_value = convert::duration(ttl, 1.0)?;
        let done = named(&context, name)?.expire(key, ttl_value, context.now());
        immediate(ttl.py(), &context, "cache.expire()", done)
    }

    /// Awaitable: appends to the list under `key`. Its length; None when `key` holds text or the list has 10,000
    /// items.
    fn list_push<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        key: &str,
        item: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        let context = context::current()?;
        let length = named(&context, name)?.list_push(key, item, context.now());
        immediate(py, &context, "cache.list_push()", length)
    }

    /// Awaitable: takes the whole list under `key`, oldest first; empty when there is none.
    fn list_pop_all<'py>(&self, py: Python<'py>, name: &str, key: &str) -> PyResult<Bound<'py, PyAny>> {
        let context = context::current()?;
        let items = named(&context, name)?.list_pop_all(key, context.now());
        immediate(py, &context, "cache.list_pop_all()", items)
    }

    /// Awaitable: the length of the list under `key`, 0 without one; None when `key` holds text.
    fn list_len<'py>(&self, py: Python<'py>, name: &str, key: &str) -> PyResult<Bound<'py, PyAny>> {
        let context = context::current()?;
        let length = named(&context, name)?.list_len(key, context.now());
        immediate(py, &context, "cache.list_len()", length)
    }

    /// Awaitable: how many items all lists hold whose key begins with `prefix`.
    fn list_len_sum<'py>(&self, py: Python<'py>, name: &str, prefix: &str) -> PyResult<Bound<'py, PyAny>> {
        let context = context::current()?;
        let sum = named(&context, name)?.list_len_sum(prefix, context.now());
        immediate(py, &context, "cache.list_len_sum()", sum)
    }

    fn __getattr__(&self, name: &str) -> PyResult<()> {
        super::namespace::no_attribute::<CacheNamespace>("cache", name)
    }
}
