//! A binding (RFC 3261 10.1): one contact of an address of record, with what is needed to reach it; and all
//! that is known of one address of record.

use crate::base::flow::{ConnectionId, Flow};
use crate::base::text::Text;
use crate::base::time::Instant;
use crate::event::BindingChange;
use crate::policy::Target;
use std::net::SocketAddr;

/// One contact of an address of record.
#[derive(Clone, PartialEq, Debug)]
pub struct Binding {
    /// The contact URI, as the UA wrote it or as NAT repair left it.
    pub uri: Text,
    /// Header parameters of the Contact as written, each with its `;`, except `q`, `expires`, `+sip.instance` and
    /// `reg-id`, which have fields of their own.
    pub params: Text,
    /// Preference in thousandths, 0 to 1000 (RFC 3261 10.2.1.2). 1000 where none was given.
    pub q: u16,
    /// When it lapses.
    pub expires_at: Instant,
    /// When it was last made or refreshed.
    pub updated_at: Instant,
    /// When this UA first registered it under this Call-ID; temporary GRUUs are valid from here on.
    pub registered_at: Instant,
    /// Call-ID of the REGISTER that last touched it.
    pub call_id: Text,
    /// CSeq number of that REGISTER.
    pub cseq: u32,
    /// Path values (RFC 3327), topmost first.
    pub path: Vec<Text>,
    /// User-Agent, cut to 128 octets.
    pub user_agent: Option<Text>,
    /// Where the REGISTER came from, when that is not what the URI says.
    pub received: Option<SocketAddr>,
    /// The flow the REGISTER came on. Behind a Path it is the last proxy's, not the UA's.
    pub flow: Option<Flow>,
    /// `+sip.instance` without quotes, e.g. `<urn:uuid:...>` (RFC 5626 4.1).
    pub instance_id: Option<Text>,
    /// `reg-id`, when outbound was applied (RFC 5626 6).
    pub reg_id: Option<u32>,
}

impl Binding {
    /// Where a request for this binding goes.
    pub fn target(&self) -> Target {
        let direct = self.path.is_empty();
        // Behind a Path the first proxy of it is the next hop, and the flow to the UA is that proxy's business.
        // A plain UDP binding whose URI is true needs no flow either.
        let by_flow = |f: &Flow| direct && (f.connection.is_some() || self.received.is_some());
        Target {
            uri: self.uri.clone(),
            route: self.path.clone(),
            flow: self.flow.filter(by_flow),
            received: self.received.filter(|_| direct),
            next_hop: None,
            q: self.q,
        }
    }

    /// Whether it still counts.
    pub fn is_live(&self, now: Instant) -> bool {
        self.expires_at > now
    }

    /// Seconds it has left, rounded up: a binding that counts never shows 0.
    pub fn expires_in(&self, now: Instant) -> u64 {
        self.expires_at.0.saturating_sub(now.0).div_ceil(1_000_000)
    }

    /// Seconds since it was last made or refreshed.
    pub fn age_secs(&self, now: Instant) -> u64 {
        now.since(self.updated_at).as_secs()
    }

    /// The connection the UA is reached through, when there is one.
    pub fn connection(&self) -> Option<ConnectionId> {
        self.flow.and_then(|f| f.connection).filter(|_| self.path.is_empty())
    }
}

/// Everything kept about one address of record.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct AorState {
    /// Its contacts, in the order in which they came.
    pub bindings: Vec<Binding>,
    /// Service-Route values given to its UAs (RFC 3608).
    pub service_routes: Vec<Text>,
    /// P-Associated-URI values given to its UAs (RFC 7315 4.1).
    pub associated_uris: Vec<Text>,
    /// Other addresses of record that lead to the same bindings.
    pub aliases: Vec<Text>,
    /// Until when a state without bindings is kept.
    pub pending_until: Instant,
}

impl AorState {
    /// Whether nothing of it is worth keeping at `now`.
    pub fn is_empty(&self, now: Instant) -> bool {
        self.bindings.is_empty() && (self.pending_until <= now || !self.has_extras())
    }

    /// Whether anything besides bindings is set.
    pub fn has_extras(&self) -> bool {
        !(self.service_routes.is_empty() && self.associated_uris.is_empty() && self.aliases.is_empty())
    }

    /// When something in it lapses.
    pub fn deadline(&self) -> Instant {
        self.bindings.iter().map(|b| b.expires_at).min().unwrap_or(self.pending_until)
    }

    /// The live bindings: by q, then the most recent first (RFC 3261 16.6 leaves the second to us).
    pub fn in_order(&self, now: Instant) -> Vec<Binding> {
        self.refs_in_order(now).into_iter().cloned().collect()
    }

    /// As [`in_order`](Self::in_order), borrowed.
    pub fn refs_in_order(&self, now: Instant) -> Vec<&Binding> {
        let mut live: Vec<&Binding> = self.bindings.iter().filter(|b| b.is_live(now)).collect();
        live.sort_by_key(|b| (std::cmp::Reverse(b.q), std::cmp::Reverse(b.updated_at)));
        live
    }
}

/// Something that happened to a binding.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The address of record.
    pub aor: Text,
    /// What happened.
    pub kind: BindingChange,
    /// The binding as it is now, or as it was last.
    pub binding: Binding,
}
