//! The `b2bua` and `session_timer` blocks, and what they come to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unit::Seconds;
use crate::base::time::Duration;
use crate::policy::call;
use crate::proto::session::SessionTimerSettings;

/// How calls are made of two legs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct B2buaBlock {
    /// Which header fields of one side reach the other, where `call.dial` names no `header_policy`. Default
    /// topology-hiding.
    pub default_header_policy: HeaderPolicy,
    /// What becomes of a REFER that no script decides about (RFC 3515). Default terminate.
    pub default_refer_mode: ReferMode,
}

/// Which header fields pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HeaderPolicy {
    /// What a call needs; the addresses of the other side are replaced.
    #[default]
    TopologyHiding,
    /// The same, and asserted identities, diversion and privacy.
    Trunk,
    /// Everything that is end to end.
    Transparent,
}

/// What becomes of a REFER.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReferMode {
    /// This node calls the target and joins it with the side that stays.
    #[default]
    Terminate,
    /// The other side gets the REFER.
    Transparent,
    /// 603.
    Reject,
}

/// Session timers: a call whose peers vanish ends by itself (RFC 4028).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SessionTimerBlock {
    /// Whether calls have one. Default true.
    pub enabled: bool,
    /// Session-Expires of the calls of this node (RFC 4028 4). Default 1800 s.
    #[schemars(extend("x-min" = "90s", "x-max" = "1d"))]
    pub session_expires: Seconds,
    /// Min-SE: less is answered 422 (RFC 4028 5). Default 90 s.
    #[schemars(extend("x-min" = "90s", "x-max" = "1d"))]
    pub min_se: Seconds,
    /// Who refreshes where the peers leave it open. Default uac.
    pub refresher: Refresher,
}

impl Default for SessionTimerBlock {
    fn default() -> Self {
        Self {
            enabled: true,
            session_expires: Seconds::of(1800),
            min_se: Seconds::of(90),
            refresher: Refresher::Uac,
        }
    }
}

/// Who refreshes a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Refresher {
    /// Whoever sent the INVITE of the leg.
    #[default]
    Uac,
    /// Whoever answered it.
    Uas,
    /// This node, on both legs.
    B2bua,
}

/// What the blocks come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct B2bua {
    /// Header fields of a dial that names no policy.
    pub headers: call::HeaderPreset,
    /// What becomes of a REFER that nobody decides about.
    pub refer: call::ReferMode,
    /// The session timer of calls whose script names none; `None`: none.
    pub session_timer: Option<SessionTimer>,
}

/// A session timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionTimer {
    /// Session-Expires.
    pub expires: Duration,
    /// Min-SE.
    pub min_se: Duration,
    /// Who refreshes.
    pub refresher: call::SessionRefresher,
}

impl SessionTimer {
    /// As the machine of a dialog takes it.
    pub fn settings(&self) -> SessionTimerSettings {
        let secs = |d: Duration| u32::try_from(d.as_secs()).unwrap_or(u32::MAX);
        SessionTimerSettings::new(secs(self.expires), secs(self.min_se), self.refresher.into())
    }
}

impl B2bua {
    /// From the blocks of a YAML.
    pub fn of(block: &B2buaBlock, timer: &SessionTimerBlock) -> Self {
        let session_timer = timer.enabled.then_some(SessionTimer {
            expires: timer.session_expires.0,
            min_se: timer.min_se.0,
            refresher: match timer.refresher {
                Refresher::Uac => call::SessionRefresher::Uac,
                Refresher::Uas => call::SessionRefresher::Uas,
                Refresher::B2bua => call::SessionRefresher::B2bua,
            },
        });
        B2bua {
            headers: match block.default_header_policy {
                HeaderPolicy::TopologyHiding => call::HeaderPreset::TopologyHiding,
                HeaderPolicy::Trunk => call::HeaderPreset::Trunk,
                HeaderPolicy::Transparent => call::HeaderPreset::Transparent,
            },
            refer: match block.default_refer_mode {
                ReferMode::Terminate => call::ReferMode::Terminate,
                ReferMode::Transparent => call::ReferMode::Transparent,
                ReferMode::Reject => call::ReferMode::Reject,
            },
            session_timer,
        }
    }
}

#[cfg(test)]
#[path = "b2bua_tests.rs"]
mod tests;
