use super::{AUTO, BUILT_IN, Leg, Profile, Profiles};
use crate::wire::ng::{Action, Command, Half, Negotiation, Party};
use std::collections::BTreeMap;
use std::sync::Arc;

fn sdp(protocol: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nt=0 0\r\nm=audio 4000 {protocol} 8\r\n")
}

#[test]
fn what_a_party_speaks_is_read_from_its_first_open_media_line() {
    assert_eq!(Leg::of_sdp(sdp("RTP/AVP").as_bytes()), Leg::Rtp);
    assert_eq!(Leg::of_sdp(sdp("RTP/AVPF").as_bytes()), Leg::Rtp);
    assert_eq!(Leg::of_sdp(sdp("RTP/SAVP").as_bytes()), Leg::Srtp);
    assert_eq!(Leg::of_sdp(sdp("udp/tls/rtp/savpf").as_bytes()), Leg::WebRtc);
    assert_eq!(Leg::of_sdp(sdp("RTP/SAVPF").as_bytes()), Leg::WebRtc);
    let closed_first = format!("m=image 0 udptl t38\n{}", sdp("RTP/SAVP"));
    assert_eq!(Leg::of_sdp(closed_first.as_bytes()), Leg::Srtp);
    for odd in ["", "m=", "m=audio", "m=audio 4000", "\u{0}\r\nm= \r\n"] {
        assert_eq!(Leg::of_sdp(odd.as_bytes()), Leg::Rtp);
    }
}

fn said(half: &Arc<Half>) -> String {
    let negotiation = Negotiation { sdp: b"-".as_slice().into(), half: half.clone(), source: None };
    let command = Command { party: Party::default(), action: Action::Answer(Box::new(negotiation)) };
    String::from_utf8(command.datagram("c")).unwrap()
}

#[test]
fn each_half_says_what_the_party_it_goes_to_speaks() {
    let profile = Profile::built_in("webrtc_to_rtp").unwrap();
    let offer = said(&profile.offer);
    for part in ["18:transport protocol7:RTP/AVP", "3:ICE6:remove", "4:DTLS3:off", "8:rtcp-muxl5:demuxe"] {
        assert!(offer.contains(part), "{offer}");
    }
    let answer = said(&profile.answer);
    for part in [
        "18:transport protocol17:UDP/TLS/RTP/SAVPF",
        "3:ICE5:force",
        "4:DTLS7:passive",
        "4:SDESl3:offe",
        "8:rtcp-muxl6:accepte",
    ] {
        assert!(answer.contains(part), "{answer}");
    }
    let profile = Profile::built_in("rtp_to_srtp").unwrap();
    assert!(said(&profile.offer).contains("RTP/SAVP") && said(&profile.answer).contains("7:RTP/AVP"));
    let profile = Profile::built_in("ipv4_to_ipv6").unwrap();
    assert!(said(&profile.offer).contains("14:address family3:IP6"));
    assert!(said(&profile.answer).contains("14:address family3:IP4"));
    let plain = said(&Profile::passthrough().offer);
    assert!(!plain.contains("ICE") && plain.contains("7:replacel6:origin18:session-connectione"), "{plain}");
}

#[test]
fn auto_follows_both_parties_and_passes_through_where_they_speak_the_same() {
    let profiles = Profiles::default();
    let auto = |from, to| profiles.get(AUTO, from, to).unwrap();
    assert_eq!(auto(Leg::WebRtc, Some(Leg::Rtp)), Profile::built_in("wss_to_rtp").unwrap());
    assert_eq!(auto(Leg::Rtp, Some(Leg::Srtp)), Profile::built_in("rtp_to_srtp").unwrap());
    assert_eq!(auto(Leg::Srtp, Some(Leg::Srtp)), Profile::passthrough());
    assert_eq!(auto(Leg::WebRtc, None), Profile::passthrough());
}

#[test]
fn own_profiles_come_before_those_built_in_and_all_names_are_told_once() {
    let own = Profile::between(Leg::Srtp, Leg::WebRtc);
    let profiles = Profiles::new(BTreeMap::from([
        ("rtp_passthrough".to_owned(), own.clone()),
        ("mine".to_owned(), own.clone()),
    ]));
    assert_eq!(profiles.get("rtp_passthrough", Leg::Rtp, None), Some(own.clone()));
    assert_eq!(profiles.get("mine", Leg::Rtp, None), Some(own));
    assert_eq!(profiles.get("other", Leg::Rtp, None), None);
    let names = profiles.names();
    assert_eq!(names.iter().filter(|n| **n == "rtp_passthrough").count(), 1);
    assert_eq!(names.len(), BUILT_IN.len() + 2);
    assert!(BUILT_IN.iter().all(|name| Profile::built_in(name).is_some()));
}
