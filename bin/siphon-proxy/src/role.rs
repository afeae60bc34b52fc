//! siphon-proxy as a role: which shared blocks it has, what `--check` looks at, how it starts.

use siphon::app::config::Loaded;
use siphon::app::role::{Role, Running, Shared, Start, StartFault};

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

    fn start(_start: Start<'_, ProxyConfig>) -> Result<Box<dyn Running<ProxyConfig>>, StartFault> {
        Err(StartFault::Other("this build has no SIP engine yet".to_owned()))
    }
}
