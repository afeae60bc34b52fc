//! siphon-sbc as a role: which shared blocks it has. What it does with them is `app::sip::running`.

use siphon::app::config::Loaded;
use siphon::app::config::b2bua::B2bua;
use siphon::app::role::{Fault, Role, Running, Shared, Start, StartFault};
use siphon::app::sip::{SipBlocks, SipRole, running};

use crate::config::SbcConfig;

/// The role.
pub struct Sbc;

impl Role for Sbc {
    const NAME: &'static str = "siphon-sbc";
    const ABOUT: &'static str =
        "Session border controller: calls of two legs, registrar and proxy, scripted in Python";
    const CONFIG: &'static str = crate::CONFIG;
    type Config = SbcConfig;

    fn shared(config: &SbcConfig) -> Shared<'_> {
        Shared {
            log: &config.log,
            metrics: &config.metrics,
            admin: config.admin.as_ref(),
            drain: config.server.drain_secs.0,
            script: Some(&config.script),
            listen: Some(&config.listen),
        }
    }

    fn is_taken_over(key: &str, config: &SbcConfig) -> bool {
        running::is_taken_over::<Sbc>(key, config)
    }

    fn check(loaded: &Loaded<SbcConfig>) -> Vec<Fault> {
        running::check::<Sbc>(loaded)
    }

    fn start(start: Start<'_, SbcConfig>) -> Result<Box<dyn Running<SbcConfig>>, StartFault> {
        running::start::<Sbc>(start)
    }
}

impl SipRole for Sbc {
    const SCRIPT: &'static str = crate::SCRIPT;

    fn blocks(config: &SbcConfig) -> SipBlocks<'_> {
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
            media: config.media.as_ref(),
            b2bua: Some(B2bua::of(&config.b2bua, &config.session_timer)),
        }
    }
}
