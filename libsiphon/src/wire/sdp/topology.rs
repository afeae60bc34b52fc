//! What of a description passes a border that hides topology: the table, and the edit that applies it.
//!
//! Lines that describe media pass, because calls do not work without them; lines that describe people, programs and
//! networks do not. Addresses in `c=`, `a=rtcp`, `a=candidate` and `a=path` are where media are sent and pass as they
//! are: a media relay replaces them, nothing here does. `o=` and `s=` pass and are to be rewritten by
//! [`Sdp::hide_origin`].

use super::attributes::Attribute;
use super::session::Sdp;

/// Line types that pass. `i=`, `u=`, `e=`, `p=` and `k=` do not (RFC 8866 5.4 to 5.6, 5.12), nor do lines that are of
/// no known type.
pub const PASSED_LINES: &[u8] = b"vosctbrzma";

/// An attribute that passes, and the clause that describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassedAttribute {
    /// Its name, case included.
    pub name: &'static str,
    /// What it is for: `direction`, `codec`, `rtcp`, `group`, `ice`, `security`, `precondition`, `fax`, `message`,
    /// `data` or `text`.
    pub purpose: &'static str,
    /// Where it is defined.
    pub source: &'static str,
}

const fn row(name: &'static str, purpose: &'static str, source: &'static str) -> PassedAttribute {
    PassedAttribute { name, purpose, source }
}

/// The attributes that pass a border that hides topology, at both levels. All others are taken out by
/// [`Sdp::strip_unlisted`].
pub const PASSED_ATTRIBUTES: &[PassedAttribute] = &[
    row("sendrecv", "direction", "RFC 8866 6.7.2"),
    row("sendonly", "direction", "RFC 8866 6.7.3"),
    row("recvonly", "direction", "RFC 8866 6.7.1"),
    row("inactive", "direction", "RFC 8866 6.7.4"),
    row("rtpmap", "codec", "RFC 8866 6.6"),
    row("fmtp", "codec", "RFC 8866 6.15"),
    row("ptime", "codec", "RFC 8866 6.4"),
    row("maxptime", "codec", "RFC 8866 6.5"),
    row("framerate", "codec", "RFC 8866 6.13"),
    row("framesize", "codec", "TS 26.234"),
    row("quality", "codec", "RFC 8866 6.14"),
    row("orient", "codec", "RFC 8866 6.8"),
    row("imageattr", "codec", "RFC 6236"),
    row("rid", "codec", "RFC 8851"),
    row("simulcast", "codec", "RFC 8853"),
    row("extmap", "codec", "RFC 8285"),
    row("extmap-allow-mixed", "codec", "RFC 8285"),
    row("rtcp", "rtcp", "RFC 3605"),
    row("rtcp-fb", "rtcp", "RFC 4585"),
    row("rtcp-mux", "rtcp", "RFC 5761"),
    row("rtcp-mux-only", "rtcp", "RFC 8858"),
    row("rtcp-rsize", "rtcp", "RFC 5506"),
    row("rtcp-xr", "rtcp", "RFC 3611"),
    row("ssrc", "rtcp", "RFC 5576"),
    row("ssrc-group", "rtcp", "RFC 5576"),
    row("group", "group", "RFC 5888"),
    row("mid", "group", "RFC 5888"),
    row("bundle-only", "group", "RFC 9143"),
    row("msid", "group", "RFC 8830"),
    row("msid-semantic", "group", "RFC 8830"),
    row("content", "group", "RFC 4796"),
    row("label", "group", "RFC 4574"),
    row("ice-ufrag", "ice", "RFC 8839 5.4"),
    row("ice-pwd", "ice", "RFC 8839 5.4"),
    row("ice-options", "ice", "RFC 8839 5.6"),
    row("ice-lite", "ice", "RFC 8839 5.3"),
    row("ice-mismatch", "ice", "RFC 8839 5.3"),
    row("ice-pacing", "ice", "RFC 8839 5.5"),
    row("candidate", "ice", "RFC 8839 5.1"),
    row("remote-candidates", "ice", "RFC 8839 5.2"),
    row("end-of-candidates", "ice", "RFC 8840"),
    row("crypto", "security", "RFC 4568"),
    row("fingerprint", "security", "RFC 8122"),
    row("setup", "security", "RFC 4145"),
    row("connection", "security", "RFC 4145"),
    row("tls-id", "security", "RFC 8842"),
    row("key-mgmt", "security", "RFC 4567"),
    row("curr", "precondition", "RFC 3312"),
    row("des", "precondition", "RFC 3312"),
    row("conf", "precondition", "RFC 3312"),
    row("T38FaxVersion", "fax", "ITU-T T.38"),
    row("T38MaxBitRate", "fax", "ITU-T T.38"),
    row("T38FaxFillBitRemoval", "fax", "ITU-T T.38"),
    row("T38FaxTranscodingMMR", "fax", "ITU-T T.38"),
    row("T38FaxTranscodingJBIG", "fax", "ITU-T T.38"),
    row("T38FaxRateManagement", "fax", "ITU-T T.38"),
    row("T38FaxMaxBuffer", "fax", "ITU-T T.38"),
    row("T38FaxMaxDatagram", "fax", "ITU-T T.38"),
    row("T38FaxMaxIFP", "fax", "ITU-T T.38"),
    row("T38FaxUdpEC", "fax", "ITU-T T.38"),
    row("T38FaxUdpECDepth", "fax", "ITU-T T.38"),
    row("path", "message", "RFC 4975"),
    row("msrp-cema", "message", "RFC 6714"),
    row("accept-types", "message", "RFC 4975"),
    row("accept-wrapped-types", "message", "RFC 4975"),
    row("max-size", "message", "RFC 4975"),
    row("sctp-port", "data", "RFC 8841"),
    row("sctpmap", "data", "RFC 8841"),
    row("max-message-size", "data", "RFC 8841"),
    row("dcmap", "data", "RFC 8864"),
    row("dcsa", "data", "RFC 8864"),
    row("charset", "text", "RFC 8866 6.10"),
    row("lang", "text", "RFC 8866 6.12"),
    row("hlang-send", "text", "RFC 8373"),
    row("hlang-recv", "text", "RFC 8373"),
];

impl Sdp {
    /// Takes out every line that neither [`PASSED_LINES`] nor [`PASSED_ATTRIBUTES`] lists; attributes named in `also`
    /// pass too. Gives how many lines went.
    pub fn strip_unlisted<S: AsRef<str>>(&mut self, also: &[S]) -> usize {
        let listed = |name: &str| {
            PASSED_ATTRIBUTES.iter().any(|p| p.name == name) || also.iter().any(|a| a.as_ref() == name)
        };
        let stays = |line: Option<(u8, &str)>| match line {
            Some((b'a', text)) => listed(Attribute::read(text).name),
            Some((letter, _)) => PASSED_LINES.contains(&letter),
            None => false,
        };
        let mut gone = self.session.retain(stays);
        for media in &mut self.media {
            gone = gone.saturating_add(media.section.retain(stays));
        }
        gone
    }
}
