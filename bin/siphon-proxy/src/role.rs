//! siphon-proxy as a role: which shared blocks it has, what `--check` looks at, how it starts.

use siphon::app::config::Loaded;
use siphon::app::role::{Fault, Reload, Role, Running, Shared, Start, StartFault};
use siphon::app::sip::scripting::{self, Scripted};
use siphon::app::sip::{SipBlocks, SipNode, SipRole, node};
use siphon::driver::EventSink;
use siphon::engine::Node;
use siphon::observe::Observers;
use siphon::observe::log::EventLog;
use siphon::script::{BindingWatcher, Script};
use std::path::Path;
use std::sync::Arc;

use crate::config::ProxyConfig;

/// The role.
pub struct Proxy;

impl Role for Proxy {
    const NAME: &'static str = "siphon-proxy";
    const ABOUT: &'static str = "SIP registrar and stateful proxy, scripted in Python";
    const CONFIG: &'static str = crate::CONFIG;
    type Config = ProxyConfig;

    fn shared(config: &ProxyConfig) -> Shared<'_> {
        Shared {
            log: &config.log,
            metrics: &config.metrics,
            admin: config.admin.as_ref(),
            drain: config.server.drain_secs.0,
            script: Some(&config.script),
            listen: Some(&config.listen),
        }
    }

    fn is_taken_over(key: &str, config: &ProxyConfig) -> bool {
        // The first are taken by what stands around the node: log, drain, watch.
        ["log.level", "server.drain_secs", "script.reload"].contains(&key)
            || SipNode::is_taken_over(key, !config.auth.users.is_empty())
    }

    fn check(loaded: &Loaded<ProxyConfig>) -> Vec<Fault> {
        Scripted::of::<Proxy>(&loaded.config, &|path| loaded.resolve(path)).check()
    }

    fn start(start: Start<'_, ProxyConfig>) -> Result<Box<dyn Running<ProxyConfig>>, StartFault> {
        let mut observers = Observers::default();
        observers.add(EventLog::new(start.logger.clone()));
        let bindings = BindingWatcher::default();
        let loaded = start.loaded;
        let mut loaded_script = None;
        let policy = |node: &Arc<Node>, events: &EventSink| {
            let (realm, metrics) = (loaded.config.realm().into(), start.series.script());
            let resolve = |path: &Path| loaded.resolve(path);
            let scripted = Scripted::of::<Proxy>(&loaded.config, &resolve);
            let script = scripted.load(node, events, realm, start.logger.clone(), metrics, &bindings)?;
            scripting::source(&start.series, &script);
            let parts = scripting::policies(&script);
            loaded_script = Some(script);
            Ok(parts)
        };
        let watched = bindings.clone();
        let at_once = move |inline: &mut Observers| inline.add(watched.clone());
        let blocks = Proxy::blocks(&start.loaded.config);
        let node = node::run(&blocks, policy, start.series.clone(), at_once, observers)?;
        start.health.ready();
        let own_realm = loaded.config.own_realm().to_owned();
        Ok(Box::new(RunningProxy { node: Some(node), script: loaded_script, own_realm }))
    }
}

impl SipRole for Proxy {
    const SCRIPT: &'static str = crate::SCRIPT;

    fn blocks(config: &ProxyConfig) -> SipBlocks<'_> {
        SipBlocks {
            listen: &config.listen,
            advertised: config.advertised_address.as_ref(),
            domain: &config.domain,
            script: &config.script,
            registrar: &config.registrar,
            auth: &config.auth,
            realm: config.realm(),
            nat: &config.nat,
            media: config.media.as_ref(),
            transaction: &config.transaction,
            limits: &config.limits,
            overload: &config.overload,
            shards: config.shards,
            dns: &config.dns,
            cache: &config.cache,
            server: &config.server,
        }
    }
}

struct RunningProxy {
    node: Option<SipNode>,
    script: Option<Arc<Script>>,
    /// The realm of a configuration that names none: domains stay as they were at the start.
    own_realm: String,
}

impl Running<ProxyConfig> for RunningProxy {
    fn listening(&self) -> Vec<String> {
        self.node.as_ref().map(SipNode::listening).unwrap_or_default()
    }

    fn reload(&mut self, loaded: &Loaded<ProxyConfig>, what: Reload) -> Result<String, String> {
        let mut done = Vec::new();
        if let (Some(script), true) = (&self.script, what.script) {
            let number = script.reload().map_err(|e| format!("the script stays as it was: {e}"))?;
            done.push(format!("script, generation {number}"));
        }
        if let (Some(node), true) = (&self.node, what.config) {
            let realm = loaded.config.auth.realm.as_deref().unwrap_or(&self.own_realm);
            done.push(node.reload(&SipBlocks { realm, ..Proxy::blocks(&loaded.config) }));
        }
        Ok(done.join("; "))
    }

    fn drain(&mut self) {
        if let Some(node) = &mut self.node {
            node.drain();
        }
    }

    fn is_idle(&self) -> bool {
        self.node.as_ref().is_none_or(SipNode::is_idle)
    }

    fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop();
        }
    }
}
