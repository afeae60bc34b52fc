//! Session timers (RFC 4028) of one dialog: what our requests and responses say, who refreshes, and when. A B2BUA has
//! one per leg and passes nothing from one to the other.

use super::{earliest, get_option, put_option};
use crate::base::codec::{Codec, DecodeError, Reader, Writer};
use crate::base::time::{Duration, Instant};
use crate::policy::call::SessionRefresher;
use crate::wire::sip::{Method, MethodSet, Refresher, SessionExpires};

/// The least that any session interval may be, in seconds (RFC 4028 4).
pub const LEAST_INTERVAL: u32 = 90;

/// An interval that a peer sets below [`LEAST_INTERVAL`] is kept down to this many seconds.
const LEAST_KEPT: u32 = 10;

/// Most 422 responses to one request that raise the interval.
const MOST_RAISES: u8 = 3;

/// Who is to refresh, when the peer leaves it to us.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Preference {
    /// Who sent the request.
    #[default]
    Uac,
    /// Who answered it.
    Uas,
    /// We, on either side.
    B2bua,
}

impl From<SessionRefresher> for Preference {
    fn from(wanted: SessionRefresher) -> Self {
        match wanted {
            SessionRefresher::Uac => Preference::Uac,
            SessionRefresher::Uas => Preference::Uas,
            SessionRefresher::B2bua => Preference::B2bua,
        }
    }
}

/// What the deployment or the script wants.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SessionTimerSettings {
    enabled: bool,
    interval_secs: u32,
    min_se_secs: u32,
    preference: Preference,
}

impl SessionTimerSettings {
    /// No session timer: Session-Expires of the peer is ignored, as by a UA without the extension.
    pub const OFF: SessionTimerSettings = SessionTimerSettings {
        enabled: false,
        interval_secs: LEAST_INTERVAL,
        min_se_secs: LEAST_INTERVAL,
        preference: Preference::Uac,
    };

    /// The interval wanted and the shortest accepted, in seconds. Both are at least 90, and the interval is at least the
    /// shortest.
    pub fn new(interval_secs: u32, min_se_secs: u32, preference: Preference) -> Self {
        let min_se_secs = min_se_secs.max(LEAST_INTERVAL);
        SessionTimerSettings {
            enabled: true,
            interval_secs: interval_secs.max(min_se_secs),
            min_se_secs,
            preference,
        }
    }

    /// Whether there is a session timer: then our requests and responses say `Supported: timer`.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }
}

/// What an INVITE or UPDATE of ours says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Session-Expires.
    pub session_expires: SessionExpires,
    /// Min-SE.
    pub min_se: Option<u32>,
}

/// The INVITE or UPDATE is refused with 422 and this Min-SE.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("session interval too small, least is {min_se} s")]
pub struct TooSmall {
    /// The value of Min-SE.
    pub min_se: u32,
}

/// What our 2xx to an INVITE or UPDATE says, made when the request comes and kept until the 2xx leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    session: Option<Agreed>,
    require: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Agreed {
    secs: u32,
    we_refresh: bool,
}

impl Plan {
    /// Session-Expires of the 2xx; always with a refresher (RFC 4028 9).
    pub fn session_expires(&self) -> Option<SessionExpires> {
        let refresher = |we| if we { Refresher::Uas } else { Refresher::Uac };
        self.session.map(|s| SessionExpires { secs: s.secs, refresher: Some(refresher(s.we_refresh)) })
    }

    /// Whether the 2xx says `Require: timer` (RFC 4028 9).
    pub fn requires_timer(&self) -> bool {
        self.require
    }
}

/// What time asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// Refresh the session by this method: an UPDATE without a session description, or an INVITE with the current one.
    Refresh(Method),
    /// Nobody refreshed: send BYE (RFC 4028 10).
    Expired,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Running {
    agreed: Agreed,
    refresh_at: Option<Instant>,
    expires_at: Instant,
}

/// The session timer of one dialog.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionTimer {
    settings: SessionTimerSettings,
    /// The largest Min-SE heard in requests and 422 responses, at least our own (RFC 4028 7.4).
    min_se: u32,
    raises: u8,
    by_update: bool,
    running: Option<Running>,
}

impl SessionTimer {
    /// Before the first INVITE.
    pub fn new(settings: SessionTimerSettings) -> Self {
        SessionTimer { settings, min_se: settings.min_se_secs, raises: 0, by_update: false, running: None }
    }

    /// Takes in the Allow of a request or response of the peer: a refresh is an UPDATE when it allows that.
    pub fn peer_allows(&mut self, allow: MethodSet) {
        self.by_update = allow.contains(Method::Update);
    }

    /// What our next INVITE or UPDATE says (RFC 4028 7.1, 7.4); `None` when the timer is off.
    pub fn ask(&self) -> Option<Ask> {
        if !self.settings.enabled {
            return None;
        }
        let (wanted, we_refresh) = match self.running {
            Some(running) => (running.agreed.secs, running.agreed.we_refresh),
            None => (self.settings.interval_secs, self.settings.preference != Preference::Uas),
        };
        let refresher = Some(if we_refresh { Refresher::Uac } else { Refresher::Uas });
        let session_expires = SessionExpires { secs: wanted.max(self.min_se), refresher };
        Some(Ask { session_expires, min_se: Some(self.min_se).filter(|&secs| secs > LEAST_INTERVAL) })
    }

    /// Takes in a 422 with its Min-SE. Whether to try again with what [`ask`](Self::ask) says now (RFC 4028 7.3).
    pub fn refused(&mut self, min_se: Option<u32>) -> bool {
        let (Some(ask), Some(min_se)) = (self.ask(), min_se) else { return false };
        if min_se <= ask.session_expires.secs || self.raises >= MOST_RAISES {
            return false;
        }
        self.raises = self.raises.saturating_add(1);
        self.min_se = min_se;
        true
    }

    /// Takes in the 2xx to an INVITE or UPDATE of ours (RFC 4028 7.2). Without Session-Expires the session does not
    /// expire, and nobody refreshes it.
    pub fn accepted(&mut self, session_expires: Option<SessionExpires>, now: Instant) {
        if !self.settings.enabled {
            return;
        }
        self.raises = 0;
        let agreed = session_expires.map(|s| Agreed {
            secs: s.secs.max(LEAST_KEPT),
            // A 2xx has to say who refreshes. Where it does not, to refresh does no harm.
            we_refresh: s.refresher != Some(Refresher::Uas),
        });
        self.run(agreed, now);
    }

    /// Takes in an INVITE or UPDATE of the peer (RFC 4028 9). `supports` is whether it has `timer` in Supported or
    /// Require.
    pub fn asked(
        &mut self,
        session_expires: Option<SessionExpires>,
        min_se: Option<u32>,
        supports: bool,
    ) -> Result<Plan, TooSmall> {
        if !self.settings.enabled {
            return Ok(Plan::default());
        }
        // Session-Expires of a peer without the extension is a proxy's, and the peer would not understand a 422.
        if supports && session_expires.is_some_and(|s| s.secs < self.settings.min_se_secs) {
            return Err(TooSmall { min_se: self.settings.min_se_secs });
        }
        self.min_se = self.min_se.max(min_se.unwrap_or(0));
        let wanted = self.settings.interval_secs.max(self.min_se);
        // The interval asked for may be lowered, never raised.
        let secs = session_expires.map_or(wanted, |s| s.secs.min(wanted)).max(LEAST_KEPT);
        let current = self.running.map(|running| running.agreed.we_refresh);
        // RFC 4028 table 2.
        let we_refresh = match session_expires.and_then(|s| s.refresher) {
            _ if !supports => true,
            Some(Refresher::Uas) => true,
            Some(Refresher::Uac) => false,
            None => current.unwrap_or(self.settings.preference != Preference::Uac),
        };
        Ok(Plan { session: Some(Agreed { secs, we_refresh }), require: supports })
    }

    /// The 2xx with this plan was sent.
    pub fn answered(&mut self, plan: Plan, now: Instant) {
        self.run(plan.session, now);
    }

    fn run(&mut self, agreed: Option<Agreed>, now: Instant) {
        self.running = agreed.map(|agreed| {
            let interval = Duration::from_secs(agreed.secs.into());
            // RFC 4028 10: BYE goes out before the other side forgets the session.
            let margin = (interval / 3).min(Duration::from_secs(32));
            Running {
                agreed,
                refresh_at: agreed.we_refresh.then(|| now + interval / 2),
                expires_at: now + interval.saturating_sub(margin),
            }
        });
    }

    /// Takes in a failure response to a refresh, or 408 for none; 422 goes to [`refused`](Self::refused). `wait` is how
    /// long to wait before the next attempt, as glare or Retry-After say.
    pub fn refresh_failed(&mut self, status: u16, wait: Duration, now: Instant) -> Option<Due> {
        let running = self.running.as_mut()?;
        match status {
            // RFC 4028 10 and RFC 3261 12.2.1.2: the dialog is gone.
            408 | 481 => {
                self.running = None;
                return Some(Due::Expired);
            }
            405 | 501 if self.by_update => {
                self.by_update = false;
                running.refresh_at = Some(now);
            }
            _ => running.refresh_at = Some(now + wait.max(Duration::from_millis(10))),
        }
        None
    }

    /// Whether the session expires, and after how many seconds.
    pub fn interval(&self) -> Option<u32> {
        self.running.map(|running| running.agreed.secs)
    }

    /// Whether it is our turn to refresh.
    pub fn we_refresh(&self) -> bool {
        self.running.is_some_and(|running| running.agreed.we_refresh)
    }

    /// The session is over.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// When [`tick`](Self::tick) is wanted.
    pub fn deadline(&self) -> Option<Instant> {
        let running = self.running?;
        earliest([running.refresh_at, Some(running.expires_at)])
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Instant) -> Option<Due> {
        let running = self.running.as_mut()?;
        if running.expires_at <= now {
            self.running = None;
            return Some(Due::Expired);
        }
        running.refresh_at.filter(|&at| at <= now)?;
        running.refresh_at = None;
        Some(Due::Refresh(if self.by_update { Method::Update } else { Method::Invite }))
    }
}

const VERSION: u8 = 1;
const PREFERENCES: [Preference; 3] = [Preference::Uac, Preference::Uas, Preference::B2bua];

fn put_agreed(w: &mut Writer, agreed: Agreed) {
    w.u32(agreed.secs);
    w.bool(agreed.we_refresh);
}

fn get_agreed(r: &mut Reader<'_>) -> Result<Agreed, DecodeError> {
    Ok(Agreed { secs: r.u32()?, we_refresh: r.bool("who refreshes")? })
}

impl Codec for Plan {
    fn encode(&self, w: &mut Writer) {
        w.u8(VERSION);
        put_option(w, self.session, put_agreed);
        w.bool(self.require);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.version("session timer plan", VERSION)?;
        Ok(Plan { session: get_option(r, "session interval", get_agreed)?, require: r.bool("Require")? })
    }
}

impl Codec for SessionTimer {
    fn encode(&self, w: &mut Writer) {
        w.u8(VERSION);
        w.bool(self.settings.enabled);
        w.u32(self.settings.interval_secs);
        w.u32(self.settings.min_se_secs);
        w.u8(self.settings.preference as u8);
        w.u32(self.min_se);
        w.u8(self.raises);
        w.bool(self.by_update);
        put_option(w, self.running, |w, running| {
            put_agreed(w, running.agreed);
            put_option(w, running.refresh_at, Writer::instant);
            w.instant(running.expires_at);
        });
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.version("session timer", VERSION)?;
        let settings = SessionTimerSettings {
            enabled: r.bool("session timer enabled")?,
            interval_secs: r.u32()?,
            min_se_secs: r.u32()?,
            preference: r.one_of("preferred refresher", &PREFERENCES)?,
        };
        Ok(SessionTimer {
            settings,
            min_se: r.u32()?,
            raises: r.u8()?,
            by_update: r.bool("refresh by UPDATE")?,
            running: get_option(r, "session interval", |r| {
                Ok(Running {
                    agreed: get_agreed(r)?,
                    refresh_at: get_option(r, "time of refresh", Reader::instant)?,
                    expires_at: r.instant()?,
                })
            })?,
        })
    }
}

#[cfg(test)]
#[path = "timer_tests.rs"]
mod tests;
