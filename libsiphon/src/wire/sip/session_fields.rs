//! The header fields of sessions and transfers as typed values of a message: RFC 3262, 3311, 3326, 3515, 3891, 3892,
//! 4028, 4488, 6665. A field that is there once at most gives `Ok(None)` when absent and `Err` when it breaks its grammar.

use std::borrow::Cow;

use super::error::Malformed;
use super::header_id::HeaderId;
use super::message::Message;
use super::method::Method;
use super::method_set::MethodSet;
use super::reason_field::Reason;
use super::refer_to::{ReferTo, ReferredBy, refer_sub};
use super::reliability::{RAck, rseq};
use super::replaces::Replaces;
use super::session_expires::{SessionExpires, min_se};
use super::subscription_state::{Event, SubscriptionState};

impl Message {
    fn typed<T>(
        &self,
        id: HeaderId,
        parse: impl Fn(&str) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        self.header(id).map(|text| parse(&text)).transpose()
    }

    /// RSeq (RFC 3262 7.1).
    pub fn rseq(&self) -> Result<Option<u32>, Malformed> {
        self.typed(HeaderId::RSeq, rseq)
    }

    /// RAck (RFC 3262 7.2).
    pub fn rack(&self) -> Result<Option<RAck>, Malformed> {
        self.typed(HeaderId::RAck, RAck::parse)
    }

    /// Session-Expires (RFC 4028 4).
    pub fn session_expires(&self) -> Result<Option<SessionExpires>, Malformed> {
        self.typed(HeaderId::SessionExpires, SessionExpires::parse)
    }

    /// Min-SE in seconds (RFC 4028 5).
    pub fn min_se(&self) -> Result<Option<u32>, Malformed> {
        self.typed(HeaderId::MinSe, min_se)
    }

    /// Replaces (RFC 3891 6.1). A second one is refused by the parser.
    pub fn replaces(&self) -> Result<Option<Replaces>, Malformed> {
        self.typed(HeaderId::Replaces, Replaces::parse)
    }

    /// Refer-To (RFC 3515 2.1).
    pub fn refer_to(&self) -> Result<Option<ReferTo>, Malformed> {
        self.typed(HeaderId::ReferTo, ReferTo::parse)
    }

    /// Referred-By (RFC 3892 3).
    pub fn referred_by(&self) -> Result<Option<ReferredBy>, Malformed> {
        self.typed(HeaderId::ReferredBy, ReferredBy::parse)
    }

    /// Refer-Sub (RFC 4488 4): whether the implicit subscription is wanted.
    pub fn refer_sub(&self) -> Result<Option<bool>, Malformed> {
        self.typed(HeaderId::ReferSub, refer_sub)
    }

    /// Event (RFC 6665 8.2.1).
    pub fn event(&self) -> Result<Option<Event>, Malformed> {
        self.typed(HeaderId::Event, Event::parse)
    }

    /// Subscription-State (RFC 6665 8.2.3).
    pub fn subscription_state(&self) -> Result<Option<SubscriptionState>, Malformed> {
        self.typed(HeaderId::SubscriptionState, SubscriptionState::parse)
    }

    /// The values of Reason (RFC 3326); those that break the grammar are passed over.
    pub fn reasons(&self) -> impl Iterator<Item = Reason> {
        self.values(HeaderId::Reason).filter_map(|value| Reason::parse(&value).ok())
    }

    /// Allow (RFC 3261 20.5); `None` when absent, which tells nothing.
    pub fn allow(&self) -> Option<MethodSet> {
        self.has(HeaderId::Allow)
            .then(|| self.values(HeaderId::Allow).map(|name| Method::from_name(&name)).collect())
    }

    /// Whether an option tag is in Require, Supported, Unsupported or another list. Tags are tokens: any case.
    pub fn has_option(&self, id: HeaderId, tag: &str) -> bool {
        self.values(id).any(|value| value.eq_ignore_ascii_case(tag))
    }

    /// Whether the sender understands an extension: it says so in Supported, or demands it in Require.
    pub fn supports(&self, tag: &str) -> bool {
        self.has_option(HeaderId::Supported, tag) || self.has_option(HeaderId::Require, tag)
    }

    /// The option tags of a list that are not among `known`: what a 420 names in Unsupported (RFC 3261 8.2.2.3).
    pub fn unknown_options<'a>(
        &'a self,
        id: HeaderId,
        known: &'a [&'a str],
    ) -> impl Iterator<Item = Cow<'a, str>> {
        self.values(id).filter(move |tag| !known.iter().any(|k| k.eq_ignore_ascii_case(tag)))
    }
}
