//! What the shards of one node share: keys, own addresses, settings. Read-mostly; what changes is behind a lock
//! of its own (location table, nonce windows) in the type that owns it.

use crate::base::text::Text;
use crate::base::time::Duration;
use crate::base::token::Secret;
use crate::engine::aliases::Aliases;
use crate::engine::keepalive::Keepalive;
use crate::engine::settings::Settings;
use crate::proto::auth::{Authenticator, Credentials};
use crate::proto::media::Desk;
use crate::proto::proxy::branch::BranchSecret;
use crate::proto::proxy::own::OwnAddresses;
use crate::proto::proxy::route_token::RouteSecret;
use crate::proto::registrar::Registrar;
use crate::proto::transaction::TimerSettings;
use arc_swap::ArcSwapOption;

/// Who may log in, and where.
pub struct Logins {
    /// The realm challenges name when the policy gives none.
    pub realm: Text,
    /// The users and their secrets.
    pub users: Box<dyn Credentials + Send + Sync>,
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logins").field("realm", &self.realm).finish_non_exhaustive()
    }
}

/// What the shards share.
#[derive(Debug)]
pub struct Node {
    /// How many shards there are.
    pub shards: u8,
    /// Listening addresses and domains.
    pub own: OwnAddresses,
    /// Keys of our Via branches.
    pub branches: BranchSecret,
    /// Keys of the tokens in our Record-Route and Path URIs.
    pub route_tokens: RouteSecret,
    /// Keys of transaction matching.
    pub matching: Secret,
    /// Keys of the table of merged requests.
    pub merging: Secret,
    /// The registrar with its location table.
    pub registrar: Registrar,
    /// Digest authentication.
    pub auth: Authenticator,
    /// Who may log in; `None` when the configuration names nobody.
    pub logins: ArcSwapOption<Logins>,
    /// Pings of bindings behind a NAT.
    pub keepalive: Keepalive,
    /// Profiles and sessions of media; `None` without media engines.
    pub media: ArcSwapOption<Desk>,
    /// Call-IDs that live on another shard than their hash says.
    pub aliases: Aliases,
    settings: Settings,
    calls: Secret,
}

impl Node {
    /// A node of `shards` shards. Everything that must be unpredictable from outside follows from `secret`;
    /// `epoch` differs from one start to the next, because connection ids begin anew.
    pub fn new(
        shards: u8,
        secret: Secret,
        epoch: u32,
        own: OwnAddresses,
        registrar: Registrar,
        auth: Authenticator,
        settings: Settings,
    ) -> Self {
        Node {
            shards: shards.max(1),
            own,
            // A late response to what an earlier start sent must not find a transaction of this one.
            branches: BranchSecret::new(&secret.derive(&format!("start {epoch}"))),
            route_tokens: RouteSecret::new(&secret, epoch),
            matching: secret.derive("server transaction"),
            merging: secret.derive("merged request"),
            registrar,
            auth,
            logins: ArcSwapOption::empty(),
            keepalive: Keepalive::new(settings.pings.clone(), secret.derive("keepalive")),
            media: ArcSwapOption::empty(),
            aliases: Aliases::default(),
            settings,
            calls: secret.derive("call"),
        }
    }

    /// Settings of the engine.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// T1, T2 and T4.
    pub fn timers(&self) -> TimerSettings {
        self.settings.timers
    }

    /// How long to wait for a final response to a CANCELled INVITE (RFC 3261 9.1).
    pub fn after_cancel(&self) -> Duration {
        self.settings.timers.timeout()
    }

    /// A keyed hash of Call-ID and tag: which dialog of a call.
    pub(crate) fn dialog_hash(&self, call_id: &str, local_tag: &str) -> u64 {
        self.calls.mac(&[call_id.as_bytes(), b"\0", local_tag.as_bytes()])
    }

    /// The shard of messages with this Call-ID.
    pub fn home_of(&self, call_id: &str) -> u8 {
        self.aliases.find(call_id).unwrap_or_else(|| self.hashed_home_of(call_id))
    }

    /// The same while it has no alias.
    pub(crate) fn hashed_home_of(&self, call_id: &str) -> u8 {
        (self.call_hash(call_id) % u64::from(self.shards)) as u8
    }

    /// A keyed hash of a Call-ID: an attacker chooses Call-IDs, and must not choose shards or buckets with them.
    pub fn call_hash(&self, call_id: &str) -> u64 {
        self.calls.mac(&[call_id.as_bytes()])
    }
}
