//! The YAML schema of siphon-sbc: the shared blocks this role offers, in the order of its reference page.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use siphon::app::config::address::HostPort;
use siphon::app::config::auth::Auth;
use siphon::app::config::b2bua::{B2buaBlock, SessionTimerBlock};
use siphon::app::config::limits::{Limits, Overload};
use siphon::app::config::listen::{Domain, Listen};
use siphon::app::config::media::Media;
use siphon::app::config::nat::Nat;
use siphon::app::config::node::{Cache, Dns, Server};
use siphon::app::config::observe::{Admin, Log, Metrics};
use siphon::app::config::registrar::Registrar;
use siphon::app::config::script::Script;
use siphon::app::config::transaction::Transaction;
use siphon::app::config::{Config, Report, rules};
use siphon::app::sip::settings::own_realm;

/// Configuration of siphon-sbc, a session border controller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SbcConfig {
    /// Sockets to listen on.
    pub listen: Listen,
    /// Host, or host and port, that Via, Record-Route and Contact name in place of the bound address of every
    /// listener without its own `advertise`. Needed when listening on `0.0.0.0` behind a NAT. Default: the
    /// bound address.
    pub advertised_address: Option<HostPort>,
    /// The domains this node is responsible for.
    pub domain: Domain,
    /// The Python script.
    pub script: Script,
    /// How calls are made of two legs.
    pub b2bua: B2buaBlock,
    /// Session timers: a call whose peers vanish ends by itself.
    pub session_timer: SessionTimerBlock,
    /// Where bindings live and how long.
    pub registrar: Registrar,
    /// Who may authenticate, and how they are challenged.
    pub auth: Auth,
    /// Keepalives towards registered contacts.
    pub nat: Nat,
    /// Media engines that calls are anchored in. Default: none, and the script's `rtpengine` raises.
    pub media: Option<Media>,
    /// Timers.
    pub transaction: Transaction,
    /// Bounds on sizes and numbers.
    pub limits: Limits,
    /// What is shed when more arrives than can be served.
    pub overload: Overload,
    /// Threads that serve traffic, each with its own sockets and calls. Default: one per processor core.
    #[schemars(range(min = 1, max = 64))]
    pub shards: Option<u8>,
    /// Name resolution.
    pub dns: Dns,
    /// Caches that scripts reach by name.
    pub cache: Vec<Cache>,
    /// How the node names itself and how it ends.
    pub server: Server,
    /// The log.
    pub log: Log,
    /// Where metrics are offered.
    pub metrics: Metrics,
    /// Health pages. Default: not offered.
    pub admin: Option<Admin>,
}

impl SbcConfig {
    /// The realm of challenges whose script names none.
    pub fn realm(&self) -> &str {
        self.auth.realm.as_deref().unwrap_or_else(|| own_realm(&self.domain))
    }
}

impl Config for SbcConfig {
    fn validate(&self, report: &mut Report<'_>) {
        rules::listen(&self.listen, report);
        rules::session_timer(&self.session_timer, report);
        rules::registrar(&self.registrar, report);
        rules::auth(&self.auth, report);
        if let Some(media) = &self.media {
            rules::media(media, report);
        }
        rules::transaction(&self.transaction, report);
        rules::limits(&self.limits, report);
        rules::overload(&self.overload, report);
        rules::cache(&self.cache, report);
        rules::http(&self.metrics, self.admin.as_ref(), report);
    }
}
