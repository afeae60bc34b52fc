//! Session descriptions that pass without a media engine: who made them is not told (RFC 8866 5.2, RFC 3264 8).
//!
//! With every preset but `transparent` the origin is this node's, one per leg, its version rises with each change, the
//! session name is `-`, and of the other lines those pass that `wire::sdp::topology` lists. Addresses of media pass:
//! without a media engine that is where the media go. A body of another type passes as it is.

use super::call::Call;
use super::leg::LegId;
use super::port::Settings;
use crate::base::text::Octets;
use crate::policy::call::HeaderPreset;
use crate::wire::sdp::Sdp;
use std::net::{IpAddr, Ipv4Addr};

impl Call {
    fn hides(&self, settings: &Settings) -> bool {
        self.policy.preset.unwrap_or(settings.preset) != HeaderPreset::Transparent
    }

    /// What the other side gets of `body`, which came from `from`. `None` when it cannot be read, and so cannot be
    /// hidden.
    pub(super) fn described(&mut self, from: LegId, body: &Octets, settings: &Settings) -> Option<Octets> {
        if !self.hides(settings) {
            return Some(body.clone());
        }
        let mut sdp = Sdp::parse(body).ok()?;
        let address = sdp.connection().or_else(|| sdp.media().first().and_then(|m| sdp.connection_of(m)));
        let address = address.and_then(|c| c.ip()).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        sdp.strip_unlisted::<&str>(&[]);
        sdp.hide_origin("-", self.session_id(from), 1, address).ok()?;
        let leg = self.leg(from)?;
        if let Some(previous) = leg.described.as_ref().and_then(|said| Sdp::parse(said).ok()) {
            sdp.continue_origin(&previous).ok()?;
        }
        let passed = Octets::from(sdp.write());
        leg.described = Some(passed.clone());
        Some(passed)
    }

    /// Whether the other side can be told of this body at all.
    pub(super) fn is_readable(&self, body: Option<&super::writing::Body>, settings: &Settings) -> bool {
        match body {
            Some((kind, body)) if super::exchange::is_sdp(kind) && self.anchor.is_none() => {
                !self.hides(settings) || Sdp::parse(body).is_ok()
            }
            _ => true,
        }
    }

    /// A number that names the session of a leg: of the call's random id, so that it says nothing.
    fn session_id(&self, leg: LegId) -> u64 {
        let id = crate::base::text::parse_hex(self.id.as_bytes()).unwrap_or_default();
        // Sess-id is a decimal number; some peers read it into 63 bits.
        (id << 8 | u64::from(leg.0) & 0xff) & (u64::MAX >> 1)
    }
}
