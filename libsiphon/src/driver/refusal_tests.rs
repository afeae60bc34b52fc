use super::*;
use crate::wire::sip::Message;

const INVITE: &str = "INVITE sip:bob@example.com SIP/2.0\r\n\
    v: SIP/2.0/UDP 10.0.0.7:5070 ;branch=z9hG4bKa;rport;x=y, SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKb\r\n\
    Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKc\r\n\
    Max-Forwards: 70\r\nf: \"A, B\" <sip:alice@example.com>\r\n ;tag=1\r\nTo: Bob <sip:bob@example.com>\r\n\
    Call-ID: call@1\r\nCSeq: 7 INVITE\r\nContent-Length: 4\r\n\r\nVia:";

fn from() -> SocketAddr {
    "192.0.2.9:4711".parse().unwrap()
}

fn answer(request: &str) -> Option<(SocketAddr, String)> {
    let mut out = Vec::new();
    let to = Refusal::new(7, Some("Siphon")).write(request.as_bytes(), from(), 0xabc, 5, &mut out)?;
    Some((to, String::from_utf8(out).unwrap()))
}

#[test]
fn the_answer_copies_what_a_response_copies_and_nothing_else() {
    let (to, text) = answer(INVITE).unwrap();
    assert_eq!(to, from(), "rport asks for the source port (RFC 3581 4)");
    assert_eq!(
        text,
        "SIP/2.0 503 Service Unavailable\r\n\
         v: SIP/2.0/UDP 10.0.0.7:5070 ;branch=z9hG4bKa;rport=4711;x=y;received=192.0.2.9, \
         SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKb\r\n\
         Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKc\r\n\
         f: \"A, B\" <sip:alice@example.com>\r\n ;tag=1\r\n\
         To: Bob <sip:bob@example.com>;tag=shed-00000007-00000abc\r\n\
         Call-ID: call@1\r\nCSeq: 7 INVITE\r\nRetry-After: 5\r\nServer: Siphon\r\nContent-Length: 0\r\n\r\n"
    );
    let parsed = Message::parse(text.as_bytes(), &Default::default()).expect("the parser accepts it");
    assert_eq!((parsed.status(), parsed.cseq()), (503, 7));
}

#[test]
fn without_rport_the_answer_goes_to_the_port_of_sent_by() {
    let request = |via: &str| INVITE.replace("10.0.0.7:5070 ;branch=z9hG4bKa;rport;x=y,", &format!("{via},"));
    let port = |via: &str| answer(&request(via)).unwrap().0.to_string();
    assert_eq!(port("10.0.0.7:5070;branch=z9hG4bKa"), "192.0.2.9:5070");
    assert_eq!(port("10.0.0.7;branch=z9hG4bKa"), "192.0.2.9:5060");
    assert_eq!(port("[2001:db8::1];branch=z9hG4bKa"), "192.0.2.9:5060");
    assert_eq!(port("[2001:db8::1]:5080;branch=z9hG4bKa"), "192.0.2.9:5080");
}

#[test]
fn a_received_parameter_of_the_peers_own_making_is_replaced() {
    let request = INVITE.replace(";x=y", ";received=203.0.113.1");
    let (_, text) = answer(&request).unwrap();
    assert!(text.contains("received=192.0.2.9") && !text.contains("203.0.113.1"), "{text}");
}

#[test]
fn what_lacks_a_header_field_that_an_answer_needs_gets_none() {
    for missing in ["Call-ID: call@1\r\n", "CSeq: 7 INVITE\r\n", "To: Bob <sip:bob@example.com>\r\n"] {
        assert_eq!(answer(&INVITE.replace(missing, "")), None, "without {missing}");
    }
    for broken in ["", "INVITE", "INVITE sip:a SIP/2.0\r\nVia:\r\nTo:\r\nFrom:\r\nCall-ID:\r\nCSeq:\r\n\r\n"]
    {
        assert_eq!(answer(broken), None);
    }
}

#[test]
fn the_ack_is_recognised_and_no_other() {
    let refusal = Refusal::new(7, None);
    let ack =
        "ACK sip:bob@example.com SIP/2.0\r\nTo: <sip:bob@example.com>;tag=shed-00000007-00000abc\r\n\r\n";
    assert!(refusal.is_its_ack(ack.as_bytes()));
    assert!(!refusal.is_its_ack(ack.replace("00000007", "00000008").as_bytes()), "of another node");
    assert!(!refusal.is_its_ack(ack.replace("ACK", "BYE").as_bytes()));
}

proptest::proptest! {
    #[test]
    fn no_octets_make_it_panic(bytes: Vec<u8>, at in 0usize..600) {
        let mut mixed = INVITE.as_bytes().to_vec();
        mixed.splice(at.min(mixed.len())..at.saturating_add(7).min(mixed.len()), bytes.iter().copied());
        let mut out = Vec::new();
        let _ = Refusal::new(7, None).write(&mixed, from(), 1, 1, &mut out);
        let _ = Refusal::new(7, None).write(&bytes, from(), 1, 1, &mut out);
    }
}
