//! How a stream is carried and secured, so that the way to handle it can be chosen (RFC 3551, RFC 3711, RFC 4585,
//! RFC 5124, RFC 5764).

use super::media::Media;
use super::session::Sdp;

/// The transport protocol of an `m=` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// `RTP/AVP` (RFC 3551).
    RtpAvp,
    /// `RTP/AVPF`: with early feedback (RFC 4585).
    RtpAvpf,
    /// `RTP/SAVP`: SRTP, keyed by `a=crypto` (RFC 3711, RFC 4568).
    RtpSavp,
    /// `RTP/SAVPF` (RFC 5124).
    RtpSavpf,
    /// `UDP/TLS/RTP/SAVP`: SRTP, keyed by DTLS (RFC 5764).
    DtlsSavp,
    /// `UDP/TLS/RTP/SAVPF`: what WebRTC uses (RFC 8829).
    DtlsSavpf,
    /// Anything else, such as `udptl` or `TCP/MSRP`.
    Other,
}

impl Profile {
    const NAMES: [(Profile, &'static str); 6] = [
        (Profile::RtpAvp, "RTP/AVP"),
        (Profile::RtpAvpf, "RTP/AVPF"),
        (Profile::RtpSavp, "RTP/SAVP"),
        (Profile::RtpSavpf, "RTP/SAVPF"),
        (Profile::DtlsSavp, "UDP/TLS/RTP/SAVP"),
        (Profile::DtlsSavpf, "UDP/TLS/RTP/SAVPF"),
    ];

    /// The profile a protocol text means, in any case.
    pub fn from_protocol(text: &str) -> Self {
        let found = Profile::NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        found.map_or(Profile::Other, |(profile, _)| *profile)
    }

    /// The protocol text; None for [`Profile::Other`].
    pub fn protocol(self) -> Option<&'static str> {
        Profile::NAMES.iter().find(|(profile, _)| *profile == self).map(|(_, name)| *name)
    }

    /// Whether media are encrypted.
    pub const fn is_secure(self) -> bool {
        matches!(self, Profile::RtpSavp | Profile::RtpSavpf | Profile::DtlsSavp | Profile::DtlsSavpf)
    }

    /// Whether the keys come by DTLS.
    pub const fn is_dtls(self) -> bool {
        matches!(self, Profile::DtlsSavp | Profile::DtlsSavpf)
    }

    /// Whether RTCP has the feedback profile.
    pub const fn has_feedback(self) -> bool {
        matches!(self, Profile::RtpAvpf | Profile::RtpSavpf | Profile::DtlsSavpf)
    }
}

/// Whether formats under that protocol are payload types: also over TCP, as in `TCP/RTP/AVP` (RFC 4571).
pub(super) fn is_rtp(protocol: &str) -> bool {
    let last = protocol.rsplit('/').next().unwrap_or_default();
    protocol.contains('/') && ["AVP", "AVPF", "SAVP", "SAVPF"].iter().any(|p| last.eq_ignore_ascii_case(p))
}

impl Sdp {
    fn here_or_above(&self, media: &Media, name: &str) -> bool {
        media.has_attribute(name) || self.has_attribute(name)
    }

    /// Whether the section has ICE credentials, its own or the session's (RFC 8839 5.4).
    pub fn has_ice(&self, media: &Media) -> bool {
        self.here_or_above(media, "ice-ufrag")
    }

    /// Whether the section has a certificate fingerprint, its own or the session's (RFC 8122 5).
    pub fn has_dtls(&self, media: &Media) -> bool {
        self.here_or_above(media, "fingerprint")
    }

    /// Whether the section brings SRTP keys (RFC 4568 4).
    pub fn has_crypto(&self, media: &Media) -> bool {
        media.has_attribute("crypto")
    }
}
