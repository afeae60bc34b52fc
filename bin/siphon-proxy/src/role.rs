//! siphon-proxy as a role: which shared blocks it has. What it does with them is `app::sip::running`.

use siphon::app::config::Loaded;
use siphon::app::role::{Fault, Role, Running, Shared, Start, StartFault};
use siphon::app::sip::{SipBlocks, SipRole, running};

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
        running::is_taken_over::<Proxy>(key, config)
    }

    fn check(loaded: &Loaded<ProxyConfig>) -> Vec<Fault> {
        running::check::<Proxy>(loaded)
    }

    fn start(start: Start<'_, ProxyConfig>) -> Result<Box<dyn Running<ProxyConfig>>, StartFault> {
        running::start::<Proxy>(start)
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
            b2bua: None,
        }
    }
}
