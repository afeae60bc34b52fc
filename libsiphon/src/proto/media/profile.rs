//! Profiles: what each half of an offer/answer exchange is rewritten to. The first half goes with the offer, towards
//! who is to answer; the second with the answer, back to who made the offer.

use super::Half;
use crate::base::text::Text;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How to rewrite the two SDPs of an exchange.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Profile {
    /// The offer.
    pub offer: Arc<Half>,
    /// The answer.
    pub answer: Arc<Half>,
}

/// How a party speaks RTP.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Leg {
    /// RTP as it is (RFC 3551).
    #[default]
    Rtp,
    /// SRTP with keys in the SDP (RFC 4568).
    Srtp,
    /// DTLS-SRTP with ICE and feedback (RFC 8827).
    WebRtc,
}

impl Leg {
    /// As the media lines of an SDP say: the first one whose port is not 0 decides (RFC 8866 5.14).
    pub fn of_sdp(sdp: &[u8]) -> Leg {
        let lines = sdp.split(|o| *o == b'\n');
        let media = lines.filter_map(|line| std::str::from_utf8(line).ok()?.trim_end().strip_prefix("m="));
        let protocol = |media: &str| {
            let mut words = media.split(' ').filter(|w| !w.is_empty()).skip(1);
            let open = words.next() != Some("0");
            words.next().filter(|_| open).map(str::to_ascii_uppercase)
        };
        match media.filter_map(protocol).next().as_deref() {
            Some(p) if p.contains("TLS") || p == "RTP/SAVPF" => Leg::WebRtc,
            Some("RTP/SAVP") => Leg::Srtp,
            _ => Leg::Rtp,
        }
    }

    /// What an SDP towards such a party is made to say.
    fn half(self) -> Half {
        let base = passed_on();
        let words = |list: &[&str]| list.iter().map(|w| Text::from(*w)).collect();
        match self {
            Leg::Rtp => Half {
                transport_protocol: Some("RTP/AVP".into()),
                ice: Some("remove".into()),
                dtls: Some("off".into()),
                rtcp_mux: words(&["demux"]),
                ..base
            },
            Leg::Srtp => Half {
                transport_protocol: Some("RTP/SAVP".into()),
                ice: Some("remove".into()),
                dtls: Some("off".into()),
                rtcp_mux: words(&["demux"]),
                ..base
            },
            Leg::WebRtc => Half {
                transport_protocol: Some("UDP/TLS/RTP/SAVPF".into()),
                ice: Some("force".into()),
                dtls: Some("passive".into()),
                // Browsers refuse keys in the SDP (RFC 8827 6.5).
                sdes: words(&["off"]),
                rtcp_mux: words(&["offer"]),
                flags: words(&["generate mid"]),
                ..base
            },
        }
    }

    /// The same in an answer.
    fn answer_half(self) -> Half {
        let rtcp_mux = if self == Leg::WebRtc { vec!["accept".into()] } else { Vec::new() };
        Half { rtcp_mux, flags: Vec::new(), ..self.half() }
    }
}

/// Media go through the engine, and nothing else changes.
fn passed_on() -> Half {
    Half { replace: vec!["origin".into(), "session-connection".into()], ..Half::default() }
}

impl Profile {
    /// From a party that speaks like `from` to one like `to`.
    pub fn between(from: Leg, to: Leg) -> Profile {
        if from == to {
            return Profile::passthrough();
        }
        Profile { offer: Arc::new(to.half()), answer: Arc::new(from.answer_half()) }
    }

    /// Media go through the engine as they are.
    pub fn passthrough() -> Profile {
        Profile { offer: Arc::new(passed_on()), answer: Arc::new(passed_on()) }
    }

    /// Between address families: the offer names addresses of `to`, the answer of `from` (`IP4`, `IP6`).
    fn between_families(from: &str, to: &str) -> Profile {
        let half = |family: &str| Half { address_family: Some(family.into()), ..passed_on() };
        Profile { offer: Arc::new(half(to)), answer: Arc::new(half(from)) }
    }

    /// A profile that comes with Siphon.
    pub fn built_in(name: &str) -> Option<Profile> {
        Some(match name {
            "rtp_passthrough" => Profile::passthrough(),
            "srtp_to_rtp" => Profile::between(Leg::Srtp, Leg::Rtp),
            "rtp_to_srtp" => Profile::between(Leg::Rtp, Leg::Srtp),
            // What a phone on WebSocket speaks, whether or not the WebSocket is secure.
            "webrtc_to_rtp" | "ws_to_rtp" | "wss_to_rtp" => Profile::between(Leg::WebRtc, Leg::Rtp),
            "rtp_to_webrtc" => Profile::between(Leg::Rtp, Leg::WebRtc),
            "ipv4_to_ipv6" => Profile::between_families("IP4", "IP6"),
            "ipv6_to_ipv4" => Profile::between_families("IP6", "IP4"),
            _ => return None,
        })
    }
}

/// The profiles that come with Siphon, beside [`AUTO`].
pub const BUILT_IN: [&str; 9] = [
    "rtp_passthrough",
    "srtp_to_rtp",
    "rtp_to_srtp",
    "webrtc_to_rtp",
    "ws_to_rtp",
    "wss_to_rtp",
    "rtp_to_webrtc",
    "ipv4_to_ipv6",
    "ipv6_to_ipv4",
];

/// The profile that follows what each party speaks.
pub const AUTO: &str = "auto";

/// The profiles of a node, by name: its own and those built in. A name of its own hides a built-in one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Profiles {
    own: BTreeMap<String, Profile>,
}

impl Profiles {
    /// With these of its own.
    pub fn new(own: BTreeMap<String, Profile>) -> Self {
        Profiles { own }
    }

    /// A profile by its name. `auto` goes from what the offerer speaks to what the answerer speaks, which is the same
    /// where it is not known.
    pub fn get(&self, name: &str, from: Leg, to: Option<Leg>) -> Option<Profile> {
        if let Some(own) = self.own.get(name) {
            return Some(own.clone());
        }
        if name == AUTO {
            return Some(Profile::between(from, to.unwrap_or(from)));
        }
        Profile::built_in(name)
    }

    /// All names.
    pub fn names(&self) -> Vec<&str> {
        let built_in = BUILT_IN.into_iter().filter(|name| !self.own.contains_key(*name));
        self.own.keys().map(String::as_str).chain([AUTO]).chain(built_in).collect()
    }
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
