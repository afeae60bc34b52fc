//! From the YAML block `media` to the settings of the media engines' client and the node's profiles.

use crate::app::config::address::HostPort;
use crate::app::config::media::{self as yaml, Media};
use crate::base::text::Text;
use crate::base::time::Duration;
use crate::proto::media::{Desk, Half, Instance, InstanceName, Profile, Profiles, Settings};
use crate::wire::ng::Codecs;
use std::sync::Arc;

/// Settings of the client.
pub fn client(media: &Media) -> Settings {
    let of = &media.rtpengine;
    let instance = |address: &HostPort, weight, timeout: Duration| Instance {
        name: InstanceName::new(&address.to_string()),
        weight,
        timeout,
    };
    let one = of.address.iter().map(|address| instance(address, of.weight, of.timeout_ms.0));
    let several = of.instances.iter();
    let several = several.map(|i| instance(&i.address, i.weight, i.timeout_ms.unwrap_or(of.timeout_ms).0));
    Settings {
        ping_every: Some(media.health_check_interval_secs.0),
        ..Settings::new(one.chain(several).collect())
    }
}

/// What the node knows of media beside the client.
pub fn desk(media: &Media) -> Desk {
    let own = media.profiles.iter().map(|(name, profile)| {
        let profile =
            Profile { offer: Arc::new(half(&profile.offer)), answer: Arc::new(half(&profile.answer)) };
        (name.clone(), profile)
    });
    Desk::new(Profiles::new(own.collect()), client(media).instances.len())
}

fn half(half: &yaml::Half) -> Half {
    let texts = |list: &[String]| list.iter().map(|text| Text::from(text.as_str())).collect();
    Half {
        transport_protocol: half.transport_protocol.map(|p| p.word().into()),
        ice: half.ice.map(|i| i.word().into()),
        dtls: half.dtls.map(|d| d.word().into()),
        sdes: texts(&half.sdes),
        replace: texts(&half.replace),
        address_family: half.address_family.map(|f| f.word().into()),
        flags: texts(&half.flags),
        direction: texts(&half.direction),
        record_call: half.record_call,
        record_path: half.record_path.as_deref().map(Text::from),
        received_from: half.received_from,
        rtcp_mux: half.rtcp_mux.iter().map(|m| m.word().into()).collect(),
        codecs: Codecs {
            strip: texts(&half.codec_strip),
            except: texts(&half.codec_except),
            offer: texts(&half.codec_offer),
            transcode: texts(&half.codec_transcode),
            mask: texts(&half.codec_mask),
        },
    }
}

#[cfg(test)]
#[path = "media_tests.rs"]
mod tests;
