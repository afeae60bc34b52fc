//! The script of a SIP role: from its YAML to the policies of the shards.

use crate::app::config::node::Cache;
use crate::app::config::script::{self as yaml, Sync};
use crate::app::role::{Fault, StartFault};
use crate::app::sip::node::PolicyParts;
use crate::app::sip::role::SipRole;
use crate::app::sip::settings::SipBlocks;
use crate::base::text::Text;
use crate::driver::{Clock, EventSink, ShardStart};
use crate::engine::Node;
use crate::observe::log::Logger;
use crate::observe::metrics::{Gauge, Metrics, ScriptMetrics};
use crate::policy::Policy;
use crate::script::{
    BindingWatcher, CacheSettings, Problem, Rates, Script, ScriptNode, ScriptPolicy, ScriptSettings,
    ScriptSource, SyncMode, check as check_script, wrap_shard,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a role's script comes from.
pub struct Scripted<'a> {
    /// The role's binary.
    pub role: &'static str,
    /// The `script` block.
    pub yaml: &'a yaml::Script,
    /// The `cache` block.
    pub caches: &'a [Cache],
    /// The script inside the binary, for a configuration that names none.
    pub embedded: &'static str,
    /// From a path of the YAML to one of the process.
    pub resolve: &'a dyn Fn(&Path) -> PathBuf,
}

impl<'a> Scripted<'a> {
    /// The script of a role, with paths that count from its configuration.
    pub fn of<R: SipRole>(config: &'a R::Config, resolve: &'a dyn Fn(&Path) -> PathBuf) -> Self {
        let SipBlocks { script, cache, .. } = R::blocks(config);
        Scripted { role: R::NAME, yaml: script, caches: cache, embedded: R::SCRIPT, resolve }
    }

    /// Settings of the script.
    pub fn settings(&self) -> ScriptSettings {
        let source = match &self.yaml.path {
            Some(path) => ScriptSource::File((self.resolve)(path)),
            None => ScriptSource::Embedded {
                name: format!("<{} default.py>", self.role),
                text: self.embedded.to_owned(),
            },
        };
        let cache = |c: &Cache| CacheSettings {
            name: c.name.clone(),
            ttl: Some(c.local_ttl_secs.0),
            max_entries: c.local_max_entries as usize,
        };
        ScriptSettings {
            role: self.role,
            include_paths: self.yaml.include_paths.iter().map(|p| (self.resolve)(p)).collect(),
            sync: match self.yaml.sync {
                Sync::Auto => SyncMode::Auto,
                Sync::Inline => SyncMode::Inline,
                Sync::Lane => SyncMode::Lane,
            },
            caches: self.caches.iter().map(cache).collect(),
            ..ScriptSettings::new(source)
        }
    }

    /// What `--check` says about the script.
    pub fn check(&self) -> Vec<Fault> {
        let fault = |p: &Problem| Fault { text: p.to_string(), is_warning: p.is_warning };
        check_script(self.settings()).iter().map(fault).collect()
    }

    /// Loads the script over a node.
    pub fn load(
        &self,
        node: &Arc<Node>,
        events: &EventSink,
        realm: Text,
        logger: Arc<Logger>,
        metrics: Arc<ScriptMetrics>,
        bindings: &BindingWatcher,
    ) -> Result<Arc<Script>, StartFault> {
        let (node, events, clock) = (node.clone(), events.clone(), Clock::start());
        let clock = Arc::new(move || clock.now());
        let services = ScriptNode {
            node,
            events,
            logger,
            metrics,
            clock,
            realm,
            rates: Rates::default(),
            bindings: bindings.clone(),
        };
        let mut settings = self.settings();
        settings.seed = (services.clock)().0;
        let script = Script::load(settings, Arc::new(services))
            .map_err(|error| StartFault::Script(error.to_string()))?;
        bindings.watch_for(&script);
        Ok(script)
    }
}

/// The generation of a script, for the metrics of its node.
pub fn source(series: &Metrics, script: &Arc<Script>) {
    let script = Arc::downgrade(script);
    let generation = move || script.upgrade().map_or(0, |script| script.generation());
    series.source(Gauge::ScriptGeneration, move || generation() as f64);
}

/// The policies of the shards that run `script`.
pub fn policies(script: &Arc<Script>) -> PolicyParts {
    let script = script.clone();
    let make = move |start: &mut ShardStart| -> Box<dyn Policy> {
        let waker = start.waker.clone();
        Box::new(ScriptPolicy::new(&script, start.index, Box::new(move || waker.wake())))
    };
    PolicyParts { factory: Arc::new(make), wrap_thread: wrap_shard }
}
