use super::*;
use crate::base::flow::Transport;

const INVITE: &str = "INVITE sip:bob@example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKabc;rport\r\n\
    From: <sip:alice@example.com>;tag=caller\r\n\
    To: <sip:bob@example.com>\r\n\
    Call-ID: call-1\r\n\
    CSeq: 1 INVITE\r\n\
    Content-Length: 0\r\n\r\n";

fn message(text: &str) -> Message {
    Message::parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn flow(transport: Transport, remote: &str) -> Flow {
    Flow {
        transport,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: remote.parse().unwrap(),
        connection: None,
    }
}

#[test]
fn the_source_is_noted_as_rfc_3581_and_rfc_3261_want() {
    let marks = |via: &str, from: &str| {
        let text = INVITE.replace("SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKabc;rport", via);
        let message = message(&text);
        mark_received(&message, &flow(Transport::Udp, from), &Limits::default())
            .unwrap()
            .map(|m| m.via().value.split_once(";branch=z9hG4bKabc").unwrap().1.to_owned())
    };
    assert_eq!(marks("SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKabc", "10.0.0.5:5060"), None);
    assert_eq!(
        marks("SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKabc", "198.51.100.1:9").as_deref(),
        Some(";received=198.51.100.1")
    );
    assert_eq!(
        marks("SIP/2.0/UDP h.example;branch=z9hG4bKabc", "198.51.100.1:9").as_deref(),
        Some(";received=198.51.100.1")
    );
    assert_eq!(
        marks("SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKabc;rport", "10.0.0.5:9").as_deref(),
        Some(";rport=9;received=10.0.0.5")
    );
    assert_eq!(
        marks("SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKabc;rport=1;received=1.2.3.4", "198.51.100.1:9").as_deref(),
        Some(";rport=9;received=198.51.100.1")
    );
    assert_eq!(marks("SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKabc;rport=9;received=10.0.0.5", "10.0.0.5:9"), None);
}

/// Both ways to write a marked Via give the same.
#[test]
fn the_quick_way_and_the_thorough_way_agree() {
    for via in [
        "SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKabc",
        "SIP/2.0/UDP h.example:99;rport;branch=z9hG4bKabc",
        "SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKabc;rport",
        "SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKabc; rport",
        "SIP/2.0/UDP 10.0.0.5;rportx;branch=z9hG4bKabc;rport;ttl=1",
        "SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKabc;rport=9;received=9.9.9.9",
        "SIP/2.0/UDP [2001:db8::1];branch=z9hG4bKabc;RPORT",
    ] {
        for from in ["198.51.100.1:1030", "[2001:db8::77]:5060"] {
            let message = message(&INVITE.replace("SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKabc;rport", via));
            let flow = flow(Transport::Udp, from);
            let thorough = mark_received(&message, &flow, &Limits::default()).unwrap().unwrap();
            let mut quick = Vec::new();
            if Marks::of(&message.via(), &flow).write(&message.via(), &mut quick) {
                let quick = String::from_utf8(quick).unwrap();
                assert_eq!(quick, thorough.via().value, "{via}");
            } else {
                assert!(quick.is_empty(), "{via}");
            }
        }
    }
}

#[test]
fn numbers_are_written_in_full() {
    for n in [0u16, 7, 10, 99, 100, 5060, 10_000, 65_535] {
        let mut text = Vec::new();
        push_number(&mut text, n);
        assert_eq!(String::from_utf8(text).unwrap(), n.to_string());
    }
}
