//! What the registrar is configured with.

use crate::base::text::Text;

/// What happens to a REGISTER that would give an address of record more than
/// [`max_contacts`](RegistrarSettings::max_contacts) bindings.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OverLimit {
    /// 403, and nothing changes.
    #[default]
    Refuse,
    /// The bindings least recently refreshed make room. A request with more contacts than the limit is still 403.
    ReplaceOldest,
}

/// What happens to a Path that the UA does not say it supports (RFC 3327 5.3 leaves it to local policy).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PathPolicy {
    /// 420 with `Unsupported: path`, as RFC 3327 5.3 advises: the UA would not see what was done to its requests.
    #[default]
    Strict,
    /// The Path is stored and used, and not shown to a UA that would not understand it.
    Lenient,
}

/// Settings of the registrar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrarSettings {
    /// Seconds granted when the UA names none. Default 3600 (RFC 3261 10.2).
    pub default_expires: u32,
    /// Shortest time granted, in seconds; asking for less is answered 423 with Min-Expires. Asking for an hour or
    /// more is never too brief (RFC 3261 10.3 step 7). Default 60.
    pub min_expires: u32,
    /// Longest time granted, in seconds; asking for more is granted this much. Default 7200.
    pub max_expires: u32,
    /// Most bindings of one address of record. Default 10.
    pub max_contacts: usize,
    /// What happens beyond that.
    pub over_limit: OverLimit,
    /// Longest binding in octets of text (URI, parameters, Call-ID, Path); beyond it 513. Default 8192.
    pub max_binding_octets: usize,
    /// Refuse with 403 a REGISTER whose To names another user than the digest credentials. A request that was
    /// not authenticated passes: whether it must be is the policy's to say. Default off.
    pub enforce_auth_aor_match: bool,
    /// What happens to an unsupported Path.
    pub path: PathPolicy,
    /// Service-Route values given to UAs whose address of record has none of its own (RFC 3608).
    pub service_routes: Vec<Text>,
    /// Grant GRUUs (RFC 5627) to UAs that support them. Default on.
    pub gruu: bool,
    /// Make a [`Commit`](crate::policy::Commit) for a store of each change. Default off: the table is all there is.
    pub commit: bool,
}

impl Default for RegistrarSettings {
    fn default() -> Self {
        RegistrarSettings {
            default_expires: 3600,
            min_expires: 60,
            max_expires: 7200,
            max_contacts: 10,
            over_limit: OverLimit::default(),
            max_binding_octets: 8192,
            enforce_auth_aor_match: false,
            path: PathPolicy::default(),
            service_routes: Vec::new(),
            gruu: true,
            commit: false,
        }
    }
}
