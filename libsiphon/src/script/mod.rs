//! The PyO3 adapter of [`policy`](crate::policy): Python decides, through verbs that are recorded and committed.
//!
//! The only place that names `pyo3`. [`Script`] is the script of a node: its generations, timers, caches, lanes.
//! [`ScriptPolicy`] is one shard's view of it. Reach of a script: [`NodeServices`].
//!
//! Threads here take their own clock and may block: lane threads, the asyncio loop, the interpreter's own.
#![allow(clippy::disallowed_methods, reason = "a lane thread may sleep, and handlers are timed")]
#![allow(clippy::wrong_self_convention, reason = "the names are the Python API's")]

mod awaitable;
mod b2bua_namespace;
mod bridge;
mod cache;
mod cache_namespace;
mod call;
mod call_dial;
mod call_edits;
mod call_event;
mod call_object;
mod call_parts;
mod call_state;
mod call_vars;
mod check;
mod checked;
mod context;
mod convert;
mod dispatch;
mod edits;
mod errors;
mod frame;
mod generation;
mod handler;
mod interpreter;
mod lane;
mod log_namespace;
mod media_target;
mod metrics_namespace;
mod namespace;
mod node;
mod node_script;
mod parked;
mod policy;
mod proxy_namespace;
mod record;
mod registrar_namespace;
mod reply;
mod request;
mod request_edits;
mod request_state;
mod rtpengine_namespace;
mod run_delay;
mod sanity;
mod sdp_namespace;
mod sdp_objects;
mod services;
mod siphon_module;
mod stepped;
mod substitutes;
mod timer_namespace;
mod timers;
mod uri;

pub use cache::CacheSettings;
pub use check::{Problem, check};
pub use interpreter::{extend, initialize, install, redirect_output, wrap_shard, wrap_thread};
pub use node::{BindingWatcher, Rates, ScriptNode};
pub use node_script::{LoadError, Script, ScriptSettings, ScriptSource, SyncMode};
pub use policy::ScriptPolicy;
pub use services::{
    Binding, DigestCheck, DigestKind, DigestOutcome, LogLevel, LogLine, Metric, MetricDefinition, MetricKind,
    NodeServices, SaveRequest, Saved, Undo,
};
pub use stepped::{ApartMode, World};

/// Keyed by ids of our own making.
type Map<K, V> = hashbrown::HashMap<K, V, foldhash::fast::FixedState>;

#[cfg(test)]
mod tests;
