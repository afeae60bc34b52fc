//! What passes from one side of a call to the other.
//!
//! Three kinds of header field:
//!
//! - **ours** ([`is_own`]): each leg has its own, whatever the preset says. Via, From, To, Call-ID, CSeq, Contact, the
//!   route set, authentication, option tags, session timer, RFC 3262 and dialog identifiers.
//! - **passing**: named in the table of the preset ([`PASSING`], [`TRUSTED`]), by the dial's `copy`, or set by policy.
//! - **everything else**: passes with the `transparent` preset only.

use crate::base::text::Text;
use crate::policy::Header;
use crate::policy::call::{HeaderPolicy, HeaderPreset};
use crate::wire::sip::{HeaderId, Message};

/// What passes with every preset: what a call means to its users, and nothing that tells where it came from.
pub const PASSING: &[HeaderId] = &[
    HeaderId::Accept,
    HeaderId::AcceptEncoding,
    HeaderId::AcceptLanguage,
    HeaderId::AnswerMode,
    HeaderId::ContentDisposition,
    HeaderId::ContentEncoding,
    HeaderId::ContentLanguage,
    HeaderId::Event,
    HeaderId::Expires,
    HeaderId::InfoPackage,
    HeaderId::MimeVersion,
    HeaderId::PEarlyMedia,
    HeaderId::Priority,
    HeaderId::PrivAnswerMode,
    HeaderId::Privacy,
    HeaderId::Reason,
    HeaderId::ReferSub,
    HeaderId::RecvInfo,
    HeaderId::ResourcePriority,
    HeaderId::RetryAfter,
    HeaderId::Subject,
    HeaderId::SubscriptionState,
    HeaderId::UserToUser,
];

/// What passes besides with `trunk`: identities that are worth something inside one domain of trust (RFC 3325).
pub const TRUSTED: &[HeaderId] = &[
    HeaderId::Diversion,
    HeaderId::HistoryInfo,
    HeaderId::Identity,
    HeaderId::PAssertedIdentity,
    HeaderId::PAssertedService,
    HeaderId::PCalledPartyId,
    HeaderId::PPreferredIdentity,
    HeaderId::PPreferredService,
    HeaderId::ReferredBy,
    HeaderId::RemotePartyId,
];

/// What each leg has of its own. `copy` cannot make these pass.
pub const OWN: &[HeaderId] = &[
    HeaderId::Allow,
    HeaderId::AllowEvents,
    HeaderId::AuthenticationInfo,
    HeaderId::Authorization,
    HeaderId::CallId,
    HeaderId::Contact,
    HeaderId::ContentLength,
    HeaderId::ContentType,
    HeaderId::CSeq,
    HeaderId::From,
    HeaderId::Join,
    HeaderId::MaxBreadth,
    HeaderId::MaxForwards,
    HeaderId::MinExpires,
    HeaderId::MinSe,
    HeaderId::Path,
    HeaderId::ProxyAuthenticate,
    HeaderId::ProxyAuthorization,
    HeaderId::ProxyRequire,
    HeaderId::RAck,
    HeaderId::RecordRoute,
    HeaderId::Replaces,
    HeaderId::Require,
    HeaderId::Route,
    HeaderId::RSeq,
    HeaderId::SecurityClient,
    HeaderId::SecurityServer,
    HeaderId::SecurityVerify,
    HeaderId::ServiceRoute,
    HeaderId::SessionExpires,
    HeaderId::Supported,
    HeaderId::TargetDialog,
    HeaderId::Timestamp,
    HeaderId::To,
    HeaderId::Unsupported,
    HeaderId::Via,
    HeaderId::WwwAuthenticate,
];

/// Whether each leg has its own of this.
pub fn is_own(id: HeaderId) -> bool {
    OWN.contains(&id)
}

/// The header fields of `message` that the other side gets, in their order, under the names they get there.
pub fn passing(message: &Message, policy: &HeaderPolicy, default: HeaderPreset) -> Vec<Header> {
    let preset = policy.preset.unwrap_or(default);
    let listed = |names: &[Text], name: &str| names.iter().any(|n| same(n, name));
    let mut passed = Vec::new();
    for header in message.headers() {
        let name = header.name;
        if is_own(header.id) || listed(&policy.strip, name) {
            continue;
        }
        let passes = match preset {
            HeaderPreset::Transparent => true,
            HeaderPreset::Trunk => PASSING.contains(&header.id) || TRUSTED.contains(&header.id),
            HeaderPreset::TopologyHiding => PASSING.contains(&header.id),
        };
        let translated = policy.translate.iter().find(|(from, _)| same(from, name)).map(|(_, to)| to);
        let explicit = listed(&policy.copy, name) || listed(&policy.own, name);
        if let Some(to) = translated {
            passed.push((to.clone(), Text::from(&*header.text())));
        } else if passes || explicit {
            passed.push((Text::from(header.long_name()), Text::from(&*header.text())));
        }
    }
    passed
}

/// Names are compared without case, and the compact form is the long one.
fn same(a: &str, b: &str) -> bool {
    let id = HeaderId::from_name(a);
    match id == HeaderId::Other {
        true => a.eq_ignore_ascii_case(b),
        false => id == HeaderId::from_name(b),
    }
}

#[cfg(test)]
#[path = "headers_tests.rs"]
mod tests;
