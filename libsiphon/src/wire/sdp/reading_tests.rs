//! What a description says is read from it, odd ones included.

use super::*;

const WEB: &str = include_str!("../../../../fuzz/corpus/sdp/webrtc");
const PHONE: &str = include_str!("../../../../fuzz/corpus/sdp/phone");
const IMS: &str = include_str!("../../../../fuzz/corpus/sdp/ims");

fn parsed(text: &str) -> Sdp {
    let sdp = Sdp::parse(text.as_bytes()).expect("a description");
    assert_eq!(String::from_utf8_lossy(&sdp.write()), text);
    sdp
}

fn names(media: &Media) -> Vec<&str> {
    media.codecs().iter().map(|c| c.name).collect()
}

#[test]
fn the_session_level_is_read() {
    let sdp = parsed(PHONE);
    let origin = sdp.origin().expect("o=");
    assert_eq!((sdp.version(), origin.username, origin.sess_id), ("0", "alice", "2890844526"));
    assert_eq!((origin.version(), origin.nettype, origin.addrtype), (Some(2890842807), "IN", "IP4"));
    assert_eq!((origin.address, sdp.session_name()), ("192.0.2.10", Some("Call")));
    let connection = sdp.connection().expect("c=");
    assert_eq!(
        (connection.nettype, connection.addrtype, connection.ip()),
        ("IN", "IP4", "192.0.2.10".parse().ok())
    );
    assert_eq!(sdp.timings().collect::<Vec<_>>(), [Timing { start: 0, stop: 0 }]);
    assert_eq!(sdp.bandwidths().collect::<Vec<_>>(), [Bandwidth { kind: "AS", value: 84 }]);
    assert_eq!(sdp.attribute("tool").and_then(|a| a.value), Some("phone 1.0"));
    assert!(!sdp.has_attribute("Tool"), "names are compared with their case");
}

#[test]
fn static_payload_types_need_no_rtpmap() {
    let sdp = parsed(PHONE);
    let [audio, video] = sdp.media() else { panic!("two sections") };
    assert_eq!(
        (audio.kind(), audio.port(), audio.port_count(), audio.protocol()),
        ("audio", 49170, 1, "RTP/AVP")
    );
    assert_eq!(audio.formats().collect::<Vec<_>>(), ["0", "8", "9", "97", "101"]);
    assert_eq!(names(audio), ["PCMU", "PCMA", "G722", "iLBC", "telephone-event"]);
    let codecs = audio.codecs();
    assert_eq!((codecs[1].clock_rate, codecs[1].channels, codecs[1].fmtp), (8000, Some(1), None));
    assert_eq!((codecs[3].payload_type, codecs[3].channels, codecs[3].fmtp), (97, None, Some("mode=20")));
    assert_eq!(
        (video.port_count(), names(video)),
        (2, vec!["H261", ""]),
        "an unmapped dynamic type has no name"
    );
    assert_eq!(sdp.connection_of(video).map(|c| c.address), Some("192.0.2.11"));
    assert_eq!(sdp.connection_of(audio).map(|c| c.address), Some("192.0.2.10"));
    let rtcp = video.rtcp().expect("a=rtcp");
    assert_eq!((rtcp.port, rtcp.connection.map(|c| c.address)), (53020, Some("192.0.2.12")));
}

#[test]
fn the_profile_and_its_keys_are_recognised() {
    let web = parsed(WEB);
    let audio = &web.media()[0];
    assert_eq!(audio.profile(), Profile::DtlsSavpf);
    assert!(audio.profile().is_secure() && audio.profile().is_dtls() && audio.profile().has_feedback());
    assert!(web.has_ice(audio) && web.has_dtls(audio) && !web.has_crypto(audio));
    assert_eq!(names(&web.media()[1]), ["VP8", "rtx", "H264", "rtx", "red", "ulpfec"]);
    let channel = &web.media()[2];
    assert_eq!((channel.profile(), channel.is_rtp(), channel.codecs().len()), (Profile::Other, false, 0));
    assert_eq!(channel.formats().collect::<Vec<_>>(), ["webrtc-datachannel"]);
    let ims = parsed(IMS);
    let audio = &ims.media()[0];
    assert!(!ims.has_ice(audio) && !ims.has_dtls(audio) && ims.has_crypto(audio));
    assert_eq!((audio.profile(), Profile::RtpSavp.protocol()), (Profile::RtpSavp, Some("RTP/SAVP")));
    let kinds: Vec<_> = audio.bandwidths().map(|b| b.kind.to_owned()).collect();
    assert_eq!(kinds, ["AS", "RS", "RR"]);
}

#[test]
fn direction_is_the_sections_else_the_sessions_else_both_ways() {
    let text = "v=0\r\na=recvonly\r\nm=audio 4000 RTP/AVP 0\r\nm=audio 4002 RTP/AVP 0\r\na=inactive\r\n";
    let sdp = parsed(text);
    assert_eq!(sdp.direction_of(&sdp.media()[0]), Direction::RecvOnly);
    assert_eq!(sdp.direction_of(&sdp.media()[1]), Direction::Inactive);
    let sdp = parsed(PHONE);
    assert_eq!(sdp.direction_of(&sdp.media()[0]), Direction::SendRecv);
}

#[test]
fn a_hold_is_sendonly_inactive_or_an_address_of_nowhere() {
    for (lines, held) in [
        ("", false),
        ("a=sendonly\r\n", true),
        ("a=inactive\r\n", true),
        ("a=recvonly\r\n", false),
        ("c=IN IP4 0.0.0.0\r\n", true),
        ("c=IN IP6 ::\r\n", true),
    ] {
        let sdp = parsed(&format!("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\n{lines}"));
        assert_eq!((sdp.is_held(&sdp.media()[0]), sdp.is_session_held()), (held, held), "{lines}");
    }
    // Where ICE finds the addresses, the one that is written means nothing (RFC 8840 4.1.1).
    let web = parsed(WEB);
    assert!(!web.is_held(&web.media()[0]));
    let rejected = parsed("v=0\r\nm=audio 0 RTP/AVP 0\r\na=inactive\r\n");
    assert!(rejected.media()[0].is_rejected() && !rejected.is_session_held());
}

#[test]
fn odd_lines_and_line_ends_are_kept() {
    parsed("v=0\no=- 1 1 IN IP4 h\ns=-\nm=audio 1 RTP/AVP 0\na=x");
    parsed("v=0\r\nm=audio 1 RTP/AVP 0\r\n\r\n?\r\nX=1\r\n=\r\nm=video 5060\r\n");
    parsed("v=0\r\na=sendonly\r\nc=IN IP4 h\r\ns=late\r\nv=1\r\n");
    let latin = b"v=0\r\ns=Caf\xe9\r\nm=audio 1 RTP/AVP 0\r\ni=\xff\r\n";
    let sdp = Sdp::parse(latin).expect("a description");
    assert_eq!((sdp.write(), sdp.session_name()), (latin.to_vec(), Some("Caf\u{fffd}")));
    let bare = parsed("v=0");
    assert_eq!(
        (bare.origin(), bare.connection(), bare.session_name(), bare.media().len()),
        (None, None, None, 0)
    );
}

#[test]
fn what_is_no_description_is_refused_with_its_reason() {
    let long = format!("v=0\r\n{}", "a=x\r\n".repeat(2048));
    let media = format!("v=0\r\n{}", "m=audio 1 RTP/AVP 0\r\n".repeat(65));
    let formats = format!("v=0\r\nm=audio 1 RTP/AVP{}\r\n", " 0".repeat(257));
    let large = format!("v=0\r\ns={}\r\n", "x".repeat(65_536));
    for (text, fault, status) in [
        ("", SdpFault::NotSdp, 400),
        ("hello", SdpFault::NotSdp, 400),
        ("v=1\r\n", SdpFault::Version, 400),
        ("v=0\r\nm=audio\r\n", SdpFault::Media { line: 2 }, 400),
        ("v=0\r\ns=-\r\nm=audio 65536 RTP/AVP 0\r\n", SdpFault::Media { line: 3 }, 400),
        ("v=0\r\nm=audio +1 RTP/AVP 0\r\n", SdpFault::Media { line: 2 }, 400),
        (&long, SdpFault::TooManyLines { limit: 2048 }, 413),
        (&media, SdpFault::TooManyMedia { limit: 64 }, 413),
        (&formats, SdpFault::TooManyFormats { limit: 256 }, 413),
        (&large, SdpFault::TooLarge { limit: 65_536 }, 413),
    ] {
        let refused = Sdp::parse(text.as_bytes()).expect_err("no description");
        assert_eq!((refused, refused.status()), (fault, status));
    }
}
