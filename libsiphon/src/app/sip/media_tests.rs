//! Each value of the YAML block `media` arrives where it counts.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::proto::media::Leg;
use crate::wire::ng::{Action, Command, Negotiation, Party};

fn media(value: Value) -> Media {
    serde_json::from_value(value).expect("a block as the checker hands it over")
}

#[test]
fn one_engine_is_given_by_its_address_and_several_as_instances() {
    let one =
        media(json!({ "rtpengine": { "address": "10.0.0.1:22222", "weight": 3, "timeout_ms": "250" } }));
    let settings = client(&one);
    assert_eq!((settings.instances.len(), settings.instances[0].weight), (1, 3));
    assert_eq!(settings.instances[0].name, InstanceName::new("10.0.0.1:22222"));
    assert_eq!(settings.instances[0].timeout, Duration::from_millis(250));
    assert_eq!(settings.ping_every, Some(Duration::from_secs(5)));
    let several = media(json!({
        "backend": "rtpengine",
        "health_check_interval_secs": "2s",
        "rtpengine": { "timeout_ms": "700ms", "instances": [
            { "address": "media.example.com:22222" },
            { "address": "[2001:db8::1]:22222", "weight": 4, "timeout_ms": "2s" },
        ] },
    }));
    let settings = client(&several);
    let all: Vec<_> =
        settings.instances.iter().map(|i| (&*i.name.0, i.weight, i.timeout.as_millis())).collect();
    assert_eq!(all, [("media.example.com:22222", 1, 700), ("[2001:db8::1]:22222", 4, 2000)]);
    assert_eq!(settings.ping_every, Some(Duration::from_secs(2)));
    assert_eq!(desk(&several).instances, 2);
}

/// What rtpengine is told for one half.
fn told(half: Value, key: &str) -> String {
    let of = desk(&media(json!({ "profiles": { "mine": { "offer": half.clone(), "answer": half } } })));
    let profile = of.profiles.get("mine", Leg::Rtp, None).expect("it is there");
    assert_eq!(profile.offer, profile.answer);
    let source = Some("192.0.2.7".parse().expect("an address"));
    let negotiation = Negotiation { sdp: b"-".as_slice().into(), half: profile.answer, source };
    let command = Command { party: Party::default(), action: Action::Answer(Box::new(negotiation)) };
    let value = command.dictionary().remove(key.as_bytes());
    let mut out = Vec::new();
    value.iter().for_each(|value| value.write(&mut out));
    String::from_utf8(out).expect("text")
}

#[test]
fn each_key_of_a_profile_reaches_the_engine() {
    assert_eq!(
        told(json!({ "transport_protocol": "UDP/TLS/RTP/SAVPF" }), "transport protocol"),
        "17:UDP/TLS/RTP/SAVPF"
    );
    assert_eq!(told(json!({ "ice": "force-relay" }), "ICE"), "11:force-relay");
    assert_eq!(told(json!({ "dtls": "passive" }), "DTLS"), "7:passive");
    assert_eq!(told(json!({ "sdes": ["off"] }), "SDES"), "l3:offe");
    assert_eq!(told(json!({}), "replace"), "l6:origin18:session-connectione");
    assert_eq!(told(json!({ "replace": ["origin"] }), "replace"), "l6:origine");
    assert_eq!(told(json!({ "address_family": "IP6" }), "address family"), "3:IP6");
    assert_eq!(told(json!({ "flags": ["trust address"] }), "flags"), "l13:trust addresse");
    assert_eq!(told(json!({ "direction": ["a", "b"] }), "direction"), "l1:a1:be");
    assert_eq!(told(json!({ "record_call": true }), "record call"), "3:yes");
    assert_eq!(told(json!({ "record_path": "/r" }), "output-destination"), "2:/r");
    assert_eq!(told(json!({ "received_from": true }), "received from"), "l3:IP49:192.0.2.7e");
    assert_eq!(told(json!({ "received_from": false }), "received from"), "");
    assert_eq!(told(json!({ "rtcp_mux": ["demux", "accept"] }), "rtcp-mux"), "l5:demux6:accepte");
    let codecs = json!({ "codec_strip": ["all"], "codec_except": ["PCMA"], "codec_offer": ["G722"],
        "codec_transcode": ["opus"], "codec_mask": ["PCMU"] });
    assert_eq!(
        told(codecs, "codec"),
        "d6:exceptl4:PCMAe4:maskl4:PCMUe5:offerl4:G722e5:stripl3:alle9:transcodel4:opusee"
    );
}
