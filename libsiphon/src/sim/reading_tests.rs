use super::*;

const MESSAGE: &[u8] = b"INVITE sip:bob@example.com SIP/2.0\r\n\
    v: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;rport, SIP/2.0/TCP [2001:db8::1];branch=z9hG4bK2\r\n\
    From: \"A, \\\"B\\\"\" <sip:a@example.com;x=1>;tag=77\r\n\
    To: sip:bob@example.com\r\n\
    i: abc\r\nCSeq: 3 INVITE\r\nMax-Forwards: 9\r\n\
    Contact: <sip:a,b@10.0.0.1>;q=0.5 , \"x,y\" <sip:c@10.0.0.2:5070;transport=tcp>\r\n\r\nbody";

#[test]
fn a_message_is_read_line_by_line() {
    let r = Reading::of(MESSAGE).unwrap();
    assert!(r.is_request() && r.is_complete());
    assert_eq!((r.method(), r.uri(), r.status()), ("INVITE", "sip:bob@example.com", 0));
    assert_eq!(
        (r.branch(0), r.branch(1), r.sent_by(0), r.sent_by(1)),
        ("z9hG4bK1", "z9hG4bK2", "10.0.0.1:5060", "[2001:db8::1]")
    );
    assert_eq!((r.tag("From"), r.tag("To"), r.cseq()), (Some("77"), None, (3, "INVITE")));
    assert_eq!((r.call_id(), r.max_forwards(), r.body()), ("abc", Some(9), b"body".as_slice()));
    let contacts = r.values("Contact");
    assert_eq!(contacts.len(), 2);
    assert_eq!(address(contacts[1]), "sip:c@10.0.0.2:5070;transport=tcp");
    assert_eq!(uri_param(address(contacts[1]), "transport"), Some("tcp"));
    assert_eq!(param(contacts[0], "q"), Some("0.5"));
    assert_eq!(socket_of(address(contacts[1])), Some("10.0.0.2:5070".parse().unwrap()));
    assert_eq!(socket_of("sip:[2001:db8::1]"), Some("[2001:db8::1]:5060".parse().unwrap()));
}

#[test]
fn what_is_no_message_is_not_read() {
    assert!(Reading::of(b"\r\n\r\n").is_none());
    assert!(Reading::of(b"INVITE sip:x SIP/2.0\r\n").is_none());
    let r = Reading::of(b"SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\n\r\n").unwrap();
    assert!(!r.is_request() && !r.is_complete());
    assert_eq!((r.status(), r.method()), (486, "INVITE"));
}
