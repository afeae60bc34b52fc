//! siphon-proxy as a role: which shared blocks it has, what `--check` looks at, how it starts.

use siphon::app::config::Loaded;
use siphon::app::role::{Reload, Role, Running, Shared, Start, StartFault};
use siphon::app::sip::{PolicyParts, SipBlocks, SipNode, node};
use siphon::driver::start::PolicyFactory;
use siphon::driver::{EventSink, plain_thread};
use siphon::engine::Node;
use siphon::observe::Observers;
use siphon::observe::log::EventLog;
use siphon::observe::metrics::Gauge;
use siphon::policy::Builtin;
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

    fn check(loaded: &Loaded<ProxyConfig>) -> Vec<String> {
        let path = loaded.config.script.path.as_deref().map(|p| loaded.resolve(p));
        let unreadable = path.and_then(|path| {
            let fault = std::fs::read_to_string(&path).err()?;
            Some(format!("{}: script.path: cannot read {}: {fault}", loaded.name, path.display()))
        });
        unreadable.into_iter().collect()
    }

    fn start(start: Start<'_, ProxyConfig>) -> Result<Box<dyn Running<ProxyConfig>>, StartFault> {
        let mut observers = Observers::default();
        observers.add(EventLog::new(start.logger.clone()));
        let policy = |_: &Arc<Node>, _: &EventSink| {
            let factory: PolicyFactory = Arc::new(|_| Box::new(Builtin));
            Ok(PolicyParts { factory, wrap_thread: plain_thread })
        };
        let node = node::run(&blocks(&start.loaded.config), policy, start.series.clone(), observers)?;
        let location = node.node.registrar.location.clone();
        start.series.source(Gauge::Registrations, move || location.aor_count() as f64);
        start.health.ready();
        Ok(Box::new(RunningProxy { node: Some(node) }))
    }
}

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
        transaction: &config.transaction,
        limits: &config.limits,
        overload: &config.overload,
        shards: config.shards,
        dns: &config.dns,
        cache: &config.cache,
        server: &config.server,
    }
}

struct RunningProxy {
    node: Option<SipNode>,
}

impl Running<ProxyConfig> for RunningProxy {
    fn listening(&self) -> Vec<String> {
        self.node.as_ref().map(SipNode::listening).unwrap_or_default()
    }

    fn reload(&mut self, loaded: &Loaded<ProxyConfig>, what: Reload) -> Result<String, String> {
        Ok(self.node.as_ref().map(|n| n.reload(&blocks(&loaded.config), what)).unwrap_or_default())
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
