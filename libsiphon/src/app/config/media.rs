//! Block `media`: the media engines, and how the SDP of calls is rewritten for them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Report;
use super::address::HostPort;
use super::unit::{Millis, Seconds};

/// Media engines that calls are anchored in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    /// The kind of engine. Default `rtpengine`.
    pub backend: Backend,
    /// The engines: one by its `address`, or several under `instances`.
    pub rtpengine: Rtpengine,
    /// How often each engine is pinged. After three pings or commands in a row without an answer, new calls go to others;
    /// after two answers they come back. Default 5 s.
    #[schemars(extend("x-min" = "1s", "x-max" = "1h"))]
    pub health_check_interval_secs: Seconds,
    /// Profiles of the script's own, by the name it gives to `rtpengine.offer` and the like. They hide a built-in profile
    /// of the same name.
    pub profiles: BTreeMap<String, Profile>,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            backend: Backend::default(),
            rtpengine: Rtpengine::default(),
            health_check_interval_secs: Seconds::of(5),
            profiles: BTreeMap::new(),
        }
    }
}

/// The kind of media engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// rtpengine, by its NG protocol over UDP.
    #[default]
    Rtpengine,
}

/// The engines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rtpengine {
    /// The NG address (`listen-ng`) of the only engine: host or IP address, and port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<HostPort>,
    /// Its share of the calls, as one of `instances` has it.
    #[serde(skip_serializing_if = "is_one")]
    #[schemars(range(min = 1, max = 1000))]
    pub weight: u32,
    /// How long a command may take, its retransmissions included. Then it has failed, and a new call was tried on another
    /// engine in the second half of that time. Default 1000 ms.
    #[schemars(extend("x-min" = "50ms", "x-max" = "30s"))]
    pub timeout_ms: Millis,
    /// Several engines, 64 at most; a call stays on the one that took its first offer.
    pub instances: Vec<Instance>,
}

impl Default for Rtpengine {
    fn default() -> Self {
        Self { address: None, weight: 1, timeout_ms: Millis::of(1000), instances: Vec::new() }
    }
}

/// One engine of several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// Its NG address (`listen-ng`): host or IP address, and port.
    pub address: HostPort,
    /// Its share of the calls. Default 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub weight: u32,
    /// How long a command may take there. Default: `media.rtpengine.timeout_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-min" = "50ms", "x-max" = "30s"))]
    pub timeout_ms: Option<Millis>,
}

fn one() -> u32 {
    1
}

/// What is not given is not shown among several engines, or in a profile.
fn is_one(weight: &u32) -> bool {
    *weight == 1
}

fn is_not(flag: &bool) -> bool {
    !flag
}

/// How the two SDPs of an exchange are rewritten.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// The offer, towards who is to answer it.
    pub offer: Half,
    /// The answer, towards who made the offer.
    pub answer: Half,
}

/// How one SDP is rewritten. What is not given is left to rtpengine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Half {
    /// What the receiver of the SDP is spoken to with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport_protocol: Option<TransportProtocol>,
    /// What becomes of ICE (RFC 8445).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ice: Option<Ice>,
    /// What becomes of DTLS-SRTP (RFC 5763).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtls: Option<Dtls>,
    /// Options of SDES (RFC 4568), such as `off`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sdes: Vec<String>,
    /// Parts of the SDP to rewrite. Default `[origin, session-connection]`.
    pub replace: Vec<String>,
    /// The family of the addresses that rtpengine puts into the SDP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_family: Option<AddressFamily>,
    /// Flags of rtpengine, such as `trust address`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Two interfaces of rtpengine: that of the sender of the SDP, that of its receiver.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub direction: Vec<String>,
    /// Record the call.
    #[serde(skip_serializing_if = "is_not")]
    pub record_call: bool,
    /// The file that the recording goes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_path: Option<String>,
    /// Tell rtpengine where the SIP message came from.
    #[serde(skip_serializing_if = "is_not")]
    pub received_from: bool,
    /// What becomes of rtcp-mux (RFC 5761): `offer`, `require`, `demux`, `accept`, `reject`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rtcp_mux: Vec<RtcpMux>,
    /// Codecs that are taken out of the SDP; `all` for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codec_strip: Vec<String>,
    /// Codecs that stay when all others are taken out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codec_except: Vec<String>,
    /// Codecs that are offered on, whatever is taken out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codec_offer: Vec<String>,
    /// Codecs that rtpengine adds, and transcodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codec_transcode: Vec<String>,
    /// Codecs that are not offered on, and accepted towards the offerer all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codec_mask: Vec<String>,
}

impl Default for Half {
    fn default() -> Self {
        Self {
            transport_protocol: None,
            ice: None,
            dtls: None,
            sdes: Vec::new(),
            replace: vec!["origin".to_owned(), "session-connection".to_owned()],
            address_family: None,
            flags: Vec::new(),
            direction: Vec::new(),
            record_call: false,
            record_path: None,
            received_from: false,
            rtcp_mux: Vec::new(),
            codec_strip: Vec::new(),
            codec_except: Vec::new(),
            codec_offer: Vec::new(),
            codec_transcode: Vec::new(),
            codec_mask: Vec::new(),
        }
    }
}

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub enum $name {
            $($(#[$what])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// As rtpengine names it.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

words! {
    /// A transport protocol of SDP (RFC 8866 5.14).
    TransportProtocol {
        /// RTP.
        Avp = "RTP/AVP",
        /// RTP with feedback.
        Avpf = "RTP/AVPF",
        /// SRTP.
        Savp = "RTP/SAVP",
        /// SRTP with feedback.
        Savpf = "RTP/SAVPF",
        /// DTLS-SRTP.
        TlsSavp = "UDP/TLS/RTP/SAVP",
        /// DTLS-SRTP with feedback: WebRTC.
        TlsSavpf = "UDP/TLS/RTP/SAVPF",
        /// In an answer: what the answerer chose.
        Accept = "accept",
    }
}

words! {
    /// What becomes of ICE.
    Ice {
        /// Taken out.
        Remove = "remove",
        /// The engine is the only candidate.
        Force = "force",
        /// As `force` where there was ICE.
        Default = "default",
        /// The engine is a relay candidate.
        ForceRelay = "force-relay",
        /// The engine is one candidate more.
        Optional = "optional",
    }
}

words! {
    /// What becomes of DTLS-SRTP.
    Dtls {
        /// Not offered.
        Off = "off",
        /// The engine waits.
        Passive = "passive",
        /// The engine begins.
        Active = "active",
    }
}

words! {
    /// A family of addresses.
    AddressFamily {
        /// IPv4.
        Ip4 = "IP4",
        /// IPv6.
        Ip6 = "IP6",
    }
}

words! {
    /// What becomes of rtcp-mux.
    RtcpMux {
        /// Always offered.
        Offer = "offer",
        /// Offered as if it were accepted already.
        Require = "require",
        /// Accepted, and not offered on.
        Demux = "demux",
        /// Accepted, and offered on.
        Accept = "accept",
        /// Refused.
        Reject = "reject",
    }
}

/// Either one engine or several, each with a port, none twice; interfaces come in pairs.
pub fn rules(media: &Media, report: &mut Report<'_>) {
    let Rtpengine { address, instances, .. } = &media.rtpengine;
    let written = instances
        .iter()
        .enumerate()
        .map(|(n, i)| (format!("media.rtpengine.instances[{n}].address"), &i.address));
    let all: Vec<(String, &HostPort)> =
        address.iter().map(|a| ("media.rtpengine.address".to_owned(), a)).chain(written).collect();
    if address.is_some() && !instances.is_empty() {
        report.at("media.rtpengine.address", "give either `address` or `instances`");
    } else if all.is_empty() && !report.has_fault_in("media.rtpengine") {
        report.at("media.rtpengine", "no media engine: give its `address`, or several `instances`").help =
            Some("for example `address: \"127.0.0.1:22222\"`".to_owned());
    }
    if instances.len() > crate::proto::media::instances::MOST {
        report.at("media.rtpengine.instances", format!("at most 64, got {}", instances.len()));
    }
    for (index, (path, address)) in all.iter().enumerate() {
        if address.port.is_none_or(|port| port == 0) {
            report.at(path, format!("{address} needs the port of rtpengine's `listen-ng`")).help =
                Some(format!("for example `{}:22222`", address.host));
        }
        if all.iter().take(index).any(|(_, before)| before == address) {
            report.at(path, format!("{address} is given twice"));
        }
    }
    for (name, profile) in &media.profiles {
        for (half, direction) in [("offer", &profile.offer.direction), ("answer", &profile.answer.direction)]
        {
            if !matches!(direction.len(), 0 | 2) {
                let path = format!("media.profiles.{name}.{half}.direction");
                report.at(&path, "two interfaces: that of the sender of the SDP, that of its receiver");
            }
        }
    }
}
