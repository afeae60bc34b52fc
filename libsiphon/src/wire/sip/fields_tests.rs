//! Header fields: names, lists, addresses, parameters, credentials, multipart bodies, and the first look.

use super::*;

fn with(line: &str) -> Result<Message, Refused> {
    let text = format!(
        "OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n\
         Call-ID: c\r\nCSeq: 1 OPTIONS\r\n{line}\r\n\r\n"
    );
    Message::parse(text.as_bytes(), &Limits::default())
}

fn fault(line: &str) -> String {
    with(line).map_or_else(|r| format!("{} {}", r.fault.status(), r.fault), |_| "accepted".to_owned())
}

#[test]
fn every_header_field_is_found_by_every_spelling() {
    for &id in HeaderId::ALL {
        let name = id.name();
        for spelling in [name.to_owned(), name.to_uppercase(), name.to_lowercase()] {
            assert_eq!(HeaderId::from_name(&spelling), id, "{spelling}");
        }
        if let Some(compact) = id.compact() {
            assert_eq!(HeaderId::from_name(compact), id);
            assert_eq!(HeaderId::from_name(&compact.to_uppercase()), id);
        }
        assert!(name.len() <= 32, "{name} is longer than the lookup reads");
        assert_eq!(HeaderId::from_name(&format!("{name}x")), HeaderId::Other);
    }
    for other in ["", "X-Foo", "q", "Vi", "Viaa", "C%6Fntact", "\u{0}ia"] {
        assert_eq!(HeaderId::from_name(other), HeaderId::Other, "{other:?}");
    }
}

#[test]
fn one_header_field_has_many_spellings() {
    for line in
        ["Supported: a, b", "k: a, b", "K :a,b", "SUPPORTED  :\r\n  a\r\n\t,b", "k: a\r\nSupported: b"]
    {
        let m = with(line).unwrap();
        assert_eq!(m.values(HeaderId::Supported).collect::<Vec<_>>(), ["a", "b"], "{line:?}");
    }
    let m = with("X-H : v\r\nx-h:w\r\n\tz").unwrap();
    assert_eq!(m.header_named("X-h").as_deref(), Some("v"));
    let all: Vec<_> = m.headers_named("x-H").map(|h| h.text().into_owned()).collect();
    assert_eq!(all, ["v", "w z"]);
}

#[test]
fn commas_in_quotes_and_brackets_do_not_split() {
    let m = with("Contact: \"A, \\\"B, <\" <sip:a@h;x=1,2>;q=1, <sip:c@h?x=a,b> , ,sip:d@h;q=0.25").unwrap();
    let hosts: Vec<_> = m.contacts().map(|c| c.unwrap().uri.user().unwrap().to_owned()).collect();
    assert_eq!(hosts, ["a", "c", "d"]);
    let first = m.contacts().next().unwrap().unwrap();
    assert_eq!((first.display().as_deref(), first.q()), (Some("A, \"B, <"), Some(1000)));
    assert_eq!(m.contacts().last().unwrap().unwrap().q(), Some(250));
    let m = with("Authorization: Digest a=1, b=2").unwrap();
    assert_eq!(m.values(HeaderId::Authorization).count(), 1);
    assert!(with("Contact: *").unwrap().contacts().next().unwrap().unwrap().is_star());
}

#[test]
fn octets_that_are_not_utf_8_are_kept() {
    let mut bytes = b"OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: \"J\xf6rg\" <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n\
        Call-ID: c\r\nCSeq: 1 OPTIONS\r\nSubject: \xff\x00\xfe\r\n\r\n\x00\xff"
        .to_vec();
    let m = Message::parse(&bytes, &Limits::default()).unwrap();
    assert_eq!(m.bytes(), bytes);
    assert_eq!(m.from().unwrap().display().as_deref(), Some("J\u{fffd}rg"));
    assert_eq!(m.headers().find(|h| h.id == HeaderId::Subject).unwrap().value, b"\xff\x00\xfe");
    assert_eq!(m.body(), b"\x00\xff");
    let mut out = Vec::new();
    let mut splice = Splice::of(&m);
    splice.append("X-A", "ä").unwrap();
    splice.write(&mut out);
    let cut = bytes.len() - 4;
    bytes.splice(cut.., "X-A: ä\r\nContent-Length: 2\r\n\r\n".bytes().chain([0, 0xff]));
    assert_eq!(out, bytes);
}

#[test]
fn faults_are_named() {
    let faults = [
        "Content-Length: 1",
        "Content-Length: 0\r\nl: 0",
        "Content-Length: 0x",
        "Max-Forwards: 256",
        "Max-Forwards: 7\r\nMax-Forwards: 7",
        "Call-ID: d",
        "no colon here",
        ": no name",
        "B@d: x",
        "X: a\rb",
        "X: a\nY: b",
        "t: <sip:x@y>",
        "CSeq: 1",
        "Event: a\r\no: b",
    ]
    .map(|line| format!("{line:?} -> {}", fault(line)))
    .join("\n");
    insta::assert_snapshot!(faults);
}

#[test]
fn limits_answer_as_documented() {
    let limits = Limits { message: 600, header_section: 400, headers: 8, uri: 20, body: 50 };
    let check = |uri: &str, extra: &str, body: &str| {
        let text = format!(
            "OPTIONS {uri} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n\
             Call-ID: c\r\nCSeq: 1 OPTIONS\r\n{extra}\r\n{body}"
        );
        match Message::parse(text.as_bytes(), &limits) {
            Ok(_) => (200, true),
            Err(refused) => (refused.fault.status(), refused.message.is_some()),
        }
    };
    assert_eq!(check("sip:b@h", "", ""), (200, true));
    assert_eq!(check("sip:b@h", "", &"x".repeat(50)), (200, true));
    assert_eq!(check("sip:b@h", "", &"x".repeat(51)), (413, true));
    assert_eq!(check(&format!("sip:{}", "b".repeat(16)), "", ""), (200, true));
    assert_eq!(check(&format!("sip:{}", "b".repeat(17)), "", ""), (414, true));
    assert_eq!(check("sip:b@h", "A: 1\r\nB: 2\r\nC: 3\r\n", ""), (200, true));
    assert_eq!(check("sip:b@h", "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n", ""), (513, true));
    assert_eq!(check("sip:b@h", &format!("A: {}\r\n", "x".repeat(400)), ""), (513, true));
    let roomy = Limits { body: 1000, ..limits.clone() };
    let text = format!(
        "OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nl: 700\r\n\r\n{}",
        "x".repeat(700)
    );
    let refused = Message::parse(text.as_bytes(), &roomy).unwrap_err();
    assert!(refused.message.is_some());
}

#[test]
fn credentials_are_read_with_quotes_and_commas() {
    let text = "Digest username=\"a\\\"b,c\", realm=\"x\",nonce=\"n=1\" , uri=\"sip:h;a=b\", response=abc, qop=auth,nc=00000001, opaque=\"\"";
    let auth = AuthParams::parse(text).unwrap();
    assert!(auth.is_digest());
    assert_eq!(auth.get("USERNAME").as_deref(), Some("a\"b,c"));
    assert_eq!(auth.raw("realm"), Some("\"x\""));
    assert_eq!(auth.get("nonce").as_deref(), Some("n=1"));
    assert_eq!(auth.get("uri").as_deref(), Some("sip:h;a=b"));
    assert_eq!((auth.get("nc").as_deref(), auth.get("opaque").as_deref()), (Some("00000001"), Some("")));
    assert_eq!(auth.iter().count(), 8);
    assert_eq!(auth.get("cnonce"), None);
    for bad in ["", "=", "Digest a", "Digest a=\"b", "Digest a=1 b=2,", "Digest a=\"1\" b", "Digest a=1, A=2"]
    {
        let parsed = AuthParams::parse(bad);
        assert!(parsed.is_err() || bad == "Digest a=1 b=2,", "{bad:?}: {parsed:?}");
    }
    assert_eq!(
        AuthParams::parse_bare("nextnonce=\"1\", qop=auth").unwrap().get("nextnonce").as_deref(),
        Some("1")
    );
}

#[test]
fn a_multipart_body_is_split_at_its_boundary_only() {
    let parts = [
        multipart::NewPart { headers: &[("Content-Type", "application/sdp")], body: b"v=0\r\n--b\xffx" },
        multipart::NewPart { headers: &[], body: b"" },
        multipart::NewPart {
            headers: &[("Content-Type", "a/b"), ("Content-ID", "<1>")],
            body: b"\0--b1\r\nx",
        },
    ];
    assert_eq!(multipart::join("b1", &parts), None, "the boundary occurs in a part");
    let body = multipart::join("b2", &parts).unwrap();
    let split = multipart::split("Multipart/mixed; Boundary=\"b2\"", &body).unwrap();
    assert_eq!(
        split.iter().map(|p| p.body).collect::<Vec<_>>(),
        parts.iter().map(|p| p.body).collect::<Vec<_>>()
    );
    assert_eq!(split[0].content_type(), "application/sdp");
    assert_eq!(split[1].content_type(), "text/plain");
    assert_eq!(split[2].header("content-id").as_deref(), Some("<1>"));
    assert!(multipart::split("multipart/mixed;boundary=b2", b"--b2\r\n\r\nx").is_err());
    assert!(multipart::split("application/sdp;boundary=b2", &body).is_err());
    assert_eq!(multipart::join("b\r\n", &parts), None);
}

#[test]
fn a_first_look_tells_what_may_be_shed() {
    let look = |text: &str| peek(text.as_bytes());
    let invite = look("INVITE sip:b@h SIP/2.0\r\nTo: \"x;tag=1\" <sip:b@h;tag=2>\r\n\r\nTo: <sip:x>;tag=1");
    assert_eq!(invite, Peek { method: Method::Invite, ..Peek::default() });
    for to in ["To: <sip:b@h>;tag=1", "t:sip:b@h ; x=y;TAG = 1", "TO :\r\n <sip:b@h>\r\n ;tag=2"] {
        assert!(look(&format!("INVITE sip:b@h SIP/2.0\r\n{to}\r\n\r\n")).in_dialog, "{to}");
    }
    assert!(look("INVITE urn:service:sos SIP/2.0\r\n\r\n").priority);
    assert!(look("INVITE sip:b@h SIP/2.0\r\nResource-Priority: esnet.1\r\n\r\n").priority);
    assert!(look("\r\n\r\nSIP/2.0 200 OK\r\n").response);
    assert!(look("\r\n\r\n").keepalive && !look("x").keepalive);
    assert_eq!(look("GET / HTTP/1.1\r\n\r\n").method, Method::Other);
}

#[test]
fn qvalues_and_expires_are_read_as_the_grammar_has_them() {
    let contact = |params: &str| {
        let text = format!("<sip:a@h>{params}");
        let contact = NameAddr::parse(&text).unwrap();
        (contact.q(), contact.expires())
    };
    assert_eq!(contact(";q=0.7;expires=3600"), (Some(700), Some(3600)));
    assert_eq!(contact(";Q=1.000;EXPIRES=99999999999"), (Some(1000), Some(u32::MAX)));
    assert_eq!(contact(";q=1.5;expires=soon"), (None, None));
    assert_eq!(contact(";q=0.1234"), (None, None));
    assert_eq!(contact(";;q=.5;"), (Some(500), None));
}
