//! Messages read, answered and forwarded as a peer would see it.

use super::*;

const INVITE: &str = "INVITE sip:bob@biloxi.example.com;transport=tcp SIP/2.0\r\n\
Via: SIP/2.0/UDP pc33.atlanta.example.com:5066;branch=z9hG4bK776asdhds;rport, SIP/2.0/TCP [2001:db8::9]:5070;branch=z9hG4bKold\r\n\
Max-Forwards: 70\r\n\
Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>\r\n\
t: Bob <sip:bob@biloxi.example.com>\r\n\
From: \"Alice \\\"A\\\"\" <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n\
CSeq: 314159 INVITE\r\n\
Contact: <sip:alice@pc33.atlanta.example.com>;expires=60;q=0.5\r\n\
X-Note: one\r\n  two\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 4\r\n\
\r\n\
v=0\n";

fn message(text: &str) -> Message {
    Message::parse(text.as_bytes(), &Limits::default()).unwrap_or_else(|r| panic!("{}: {text}", r.fault))
}

fn spliced(splice: &Splice<'_>) -> String {
    let mut out = Vec::new();
    splice.write(&mut out);
    String::from_utf8(out).expect("test messages are text")
}

#[test]
fn an_invite_is_read_field_by_field() {
    let m = message(INVITE);
    assert!(m.is_request());
    assert_eq!((m.method(), m.method_name(), m.status()), (Method::Invite, "INVITE", 0));
    assert_eq!(m.request_uri(), "sip:bob@biloxi.example.com;transport=tcp");
    let via = m.via();
    assert_eq!((via.transport, via.host, via.port), ("UDP", "pc33.atlanta.example.com", Some(5066)));
    assert_eq!((via.branch, via.rport, via.received), (Some("z9hG4bK776asdhds"), Rport::Asked, None));
    let second = m.second_via().expect("there are two");
    assert_eq!((second.host, second.port, second.branch), ("[2001:db8::9]", Some(5070), Some("z9hG4bKold")));
    assert_eq!(m.call_id(), "a84b4c76e66710@pc33.atlanta.example.com");
    assert_eq!((m.cseq(), m.cseq_method()), (314159, Method::Invite));
    assert_eq!((m.from_tag(), m.to_tag()), (Some("1928301774"), None));
    assert_eq!((m.max_forwards(), m.expires()), (Some(70), None));
    assert_eq!(m.from().expect("fits").display().as_deref(), Some("Alice \"A\""));
    assert_eq!(m.to().expect("fits").uri.user(), Some("bob"));
    let contact = m.contacts().next().expect("one").expect("fits");
    assert_eq!((contact.expires(), contact.q()), (Some(60), Some(500)));
    let routes: Vec<_> = m.routes().map(|r| r.expect("fits").uri.host().to_owned()).collect();
    assert_eq!(routes, ["p1.example.com", "p2.example.com"]);
    assert_eq!(m.header_named("x-note").as_deref(), Some("one two"));
    assert_eq!(m.header_named("To").as_deref(), m.header(HeaderId::To).as_deref());
    assert_eq!(m.body(), b"v=0\n");
}

#[test]
fn a_forwarded_invite_differs_only_where_it_was_edited() {
    let m = message(INVITE);
    let mut splice = Splice::of(&m);
    splice.set_request_uri("sip:bob@192.0.2.4").unwrap();
    splice.mark_via(Some("192.0.2.1".parse().unwrap()), Some(40000));
    splice.push_via("SIP/2.0/UDP p.example.com;branch=z9hG4bKnew").unwrap();
    splice.push_record_route("<sip:p.example.com;lr>").unwrap();
    splice.pop_routes(1).set_max_forwards(69);
    let expected = INVITE
        .replace("sip:bob@biloxi.example.com;transport=tcp SIP", "sip:bob@192.0.2.4 SIP")
        .replace("Via: SIP", "Via: SIP/2.0/UDP p.example.com;branch=z9hG4bKnew\r\nVia: SIP")
        .replace(";rport,", ";rport=40000;received=192.0.2.1,")
        .replace("Max-Forwards: 70", "Record-Route: <sip:p.example.com;lr>\r\nMax-Forwards: 69")
        .replace("<sip:p1.example.com;lr>, ", "");
    assert_eq!(spliced(&splice), expected);
}

#[test]
fn edits_apply_one_after_the_other() {
    let m = message(INVITE);
    let mut splice = Splice::of(&m);
    splice.append("X-A", "1").unwrap().append("x-a", "2").unwrap();
    splice.set("X-A", "3").unwrap();
    assert!(spliced(&splice).contains("X-A: 3\r\n"));
    assert!(!spliced(&splice).contains("x-a: 2"));
    splice.remove_named("x-A");
    assert_eq!(spliced(&splice), INVITE);
    splice.pop_via().push_via("SIP/2.0/UDP a;branch=z9hG4bKa").unwrap().pop_via();
    assert!(spliced(&splice).contains("\r\nVia: SIP/2.0/TCP [2001:db8::9]:5070;branch=z9hG4bKold\r\n"));
    splice.pop_routes(5).push_route("<sip:p9.example.com;lr>").unwrap();
    assert!(spliced(&splice).contains("Route: <sip:p9.example.com;lr>\r\n"));
    assert!(!spliced(&splice).contains("p2.example.com"));
}

#[test]
fn a_response_copies_what_rfc_3261_8_2_6_names() {
    let m = message(INVITE);
    let mut out = Vec::new();
    ResponseBuilder::to(&m, 486).to_tag("t1").header("X-Why", "busy").write(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP pc33"), "{text}");
    assert!(text.contains("\r\nTo: Bob <sip:bob@biloxi.example.com>;tag=t1\r\n"), "{text}");
    assert!(text.ends_with("X-Why: busy\r\nContent-Length: 0\r\n\r\n"), "{text}");
    assert!(!text.contains("Max-Forwards"));
    let response = message(&text);
    assert_eq!((response.status(), response.method(), response.to_tag()), (486, Method::Invite, Some("t1")));
    let ack = ack_for(m.bytes(), &response);
    let ack = Message::parse(&ack, &Limits::default()).expect("an ACK");
    assert_eq!((ack.method(), ack.cseq(), ack.to_tag()), (Method::Ack, 314159, Some("t1")));
    assert_eq!(ack.values(HeaderId::Via).count(), 1);
    assert_eq!(ack.via().branch, m.via().branch);
    assert_eq!(ack.routes().count(), 2);
    let cancel = cancel_for(m.bytes());
    let cancel = Message::parse(&cancel, &Limits::default()).expect("a CANCEL");
    assert_eq!(
        (cancel.method(), cancel.to_tag(), cancel.request_uri()),
        (Method::Cancel, None, m.request_uri())
    );
}

#[test]
fn text_that_breaks_out_of_its_line_is_refused() {
    let m = message(INVITE);
    let mut splice = Splice::of(&m);
    for bad in ["a\r\nX: y", "a\nb", "a\rb", "a\0b"] {
        assert_eq!(splice.set("X-A", bad).err(), Some(Unsafe::LineBreak));
        assert_eq!(splice.push_via(bad).err(), Some(Unsafe::LineBreak));
        assert!(splice.set_request_uri(bad).is_err());
        assert!(splice.set_to_tag(bad).is_err());
        assert!(splice.set_body(Some(bad), b"x").is_err());
        assert!(ResponseBuilder::to(&m, 200).reason(bad).write(&mut Vec::new()).is_err());
    }
    assert_eq!(splice.set("X A", "b").err(), Some(Unsafe::Name));
    assert_eq!(splice.set("l", "7").err(), Some(Unsafe::ContentLength));
    assert_eq!(spliced(&splice), INVITE);
}

#[test]
fn edits_without_end_are_refused_before_memory_runs_out() {
    let m = message(INVITE);
    let mut splice = Splice::of(&m);
    let long = "x".repeat(10_000);
    let set = (0..1_000).find(|_| splice.set("Subject", &long).is_err()).expect("a limit");
    assert!(set <= 105, "{set} values of 10 kB were kept");
    let mut splice = Splice::of(&m);
    let added = (0..5_000).find(|_| splice.append("X-A", "x").is_err()).expect("a limit");
    assert_eq!(added, 1024);
    assert_eq!(splice.append("X-A", "x").err(), Some(Unsafe::TooMuch));
}

#[test]
fn a_new_body_brings_its_type_and_length() {
    let m = message(INVITE);
    let mut splice = Splice::of(&m);
    splice.set_body(Some("text/plain"), b"hello").unwrap();
    let text = spliced(&splice);
    assert!(text.contains("\r\nContent-Type: text/plain\r\n"), "{text}");
    assert!(text.ends_with("\r\nContent-Length: 5\r\n\r\nhello"), "{text}");
    assert_eq!(text.matches("Content-Length").count(), 1);
    splice.set_body(None, b"").unwrap();
    let text = spliced(&splice);
    assert!(!text.contains("Content-Type") && text.ends_with("Content-Length: 0\r\n\r\n"), "{text}");
}

#[test]
fn a_response_is_rewritten_only_where_it_was_edited() {
    let text = "SIP/2.0 503 Service Unavailable\r\nv: SIP/2.0/UDP p;branch=z9hG4bK1 ,\r\n SIP/2.0/UDP ua;branch=z9hG4bK2\r\n\
        f: <sip:a@h>;tag=1\r\nt: <sip:b@h> ;tag = old ;x=y\r\ni: c\r\nCSeq: 1 INVITE\r\nRetry-After: 9\r\nl: 0\r\n\r\n";
    let m = message(text);
    let mut splice = Splice::of(&m);
    splice.set_status(500, "Server Internal Error").unwrap().pop_via().remove(HeaderId::RetryAfter);
    splice.set_to_tag("new").unwrap();
    let expected = text
        .replace("503 Service Unavailable", "500 Server Internal Error")
        .replace("SIP/2.0/UDP p;branch=z9hG4bK1 ,\r\n ", "")
        .replace("tag = old", "tag = new")
        .replace("Retry-After: 9\r\n", "");
    assert_eq!(spliced(&splice), expected);
    assert!(splice.set_status(99, "x").is_err() && splice.set_request_uri("sip:a@b").is_err());
}

#[test]
fn a_request_is_built_whole_and_unsafe_parts_are_told() {
    let limits = Limits::default();
    let build = |uri: &'static str, note: &'static str| {
        RequestBuilder::new("OPTIONS", uri)
            .via("SIP/2.0/UDP h;branch=z9hG4bK1;rport")
            .from("<sip:a@h>;tag=1")
            .to("<sip:b@h>")
            .call_id("c@h")
            .cseq(7)
            .route("<sip:p;lr>")
            .header("X-Note", note)
            .body("text/plain", b"hi".as_slice())
    };
    let m = build("sip:b@h", "n").into_message(&limits).expect("fits");
    assert_eq!(
        (m.method(), m.cseq(), m.max_forwards(), m.body()),
        (Method::Options, 7, Some(70), &b"hi"[..])
    );
    assert_eq!(m.routes().count(), 1);
    assert_eq!(build("sip:b@h", "n\r\nX: y").write(&mut Vec::new()), Err(Unsafe::LineBreak));
    assert_eq!(build("sip:b@h SIP/2.0", "n").write(&mut Vec::new()), Err(Unsafe::Name));
}

#[test]
fn record_route_goes_only_into_responses_that_may_make_a_dialog() {
    let with_route = INVITE.replace("Max-Forwards: 70\r\n", "Record-Route: <sip:p;lr>\r\nTimestamp: 54\r\n");
    let m = message(&with_route);
    for (code, record_route, timestamp) in [(100, 0, 1), (180, 1, 0), (200, 1, 0), (486, 0, 0)] {
        let response =
            ResponseBuilder::to(&m, code).to_tag("us").into_message(&Limits::default()).expect("fits");
        assert_eq!(response.record_routes().count(), record_route, "{code}");
        assert_eq!(response.values(HeaderId::Timestamp).count(), timestamp, "{code}");
        assert_eq!(response.to_tag().is_some(), code > 100, "{code}");
        assert_eq!(response.values(HeaderId::Via).count(), 2, "{code}");
    }
}
