//! URIs by the examples of RFC 3261 19.1 and RFC 3966.

use super::*;

fn uri(text: &str) -> Uri<'_> {
    Uri::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn every_part_of_a_sip_uri_is_found() {
    let u = uri("sips:alice;day=tuesday:pa:ss@[2001:db8::1]:5061;transport=TCP;lr?subject=a%20b&x=y");
    assert_eq!(
        (u.scheme(), u.user(), u.password()),
        (Scheme::Sips, Some("alice;day=tuesday"), Some("pa:ss"))
    );
    assert_eq!((u.host(), u.host_bare(), u.port()), ("[2001:db8::1]", "2001:db8::1", Some(5061)));
    assert!(u.is_ipv6() && u.is_loose());
    assert_eq!(u.param("Transport"), Some("TCP"));
    let headers: Vec<_> = u.header_pairs().map(|(n, v)| format!("{n}: {v}")).collect();
    assert_eq!(headers, ["subject: a b", "x: y"]);
    let bare = uri("sip:atlanta.com");
    assert_eq!((bare.user(), bare.port(), bare.params().is_empty()), (None, None, true));
    assert_eq!(uri("sip:user?x/y@host;p").param("p"), Some(""));
}

#[test]
fn what_is_no_uri_is_refused() {
    for text in [
        "",
        "sip",
        "sip:",
        ":x",
        "sip:@host",
        "sip::pw@host",
        "sip:a@",
        "sip:a@b@c",
        "sip:a@host:",
        "sip:a@host:x",
        "sip:a@host:65536",
        "sip:a@[::1",
        "sip:a@[:::]",
        "sip:a@[::1]x",
        "sip:2001:db8::10",
        "sip:a b@c",
        "sip:a@b\r\nX: y",
        "sip:a@b\0",
        "sip:<a@b>",
        "1sip:a@b",
        "tel:",
        "tel:+",
        "tel:+-",
        "tel:+12g",
        "tel:a z",
    ] {
        assert!(Uri::parse(text).is_err(), "{text:?} was accepted");
    }
}

#[test]
fn equivalent_and_different_sip_uris_are_those_of_rfc_3261_19_1_4() {
    let same = [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]"),
    ];
    for (a, b) in same {
        assert!(uri(a).same_as(&uri(b)) && uri(b).same_as(&uri(a)), "{a} and {b}");
    }
    let different = [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;maddr=192.0.2.1"),
        ("sip:bob@biloxi.com", "sip:bob:pw@biloxi.com"),
        ("sip:a%40b@c", "sip:a%41b@c"),
        ("sip:biloxi.com", "sip:bob@biloxi.com"),
    ];
    for (a, b) in different {
        assert!(!uri(a).same_as(&uri(b)) && !uri(b).same_as(&uri(a)), "{a} and {b}");
    }
}

#[test]
fn telephone_numbers_compare_without_separators() {
    let same = [
        ("tel:+1-201-555-0123", "tel:+12015550123"),
        ("TEL:+1(201)555.0123;ext=1-2", "tel:+12015550123;EXT=12"),
        ("tel:7042;phone-context=Example.com", "tel:7042;phone-context=example.com"),
        ("tel:863-1234;phone-context=+1-914-555", "tel:8631234;phone-context=+1914555"),
        ("tel:+1;a=1;b=2", "tel:+1;b=2;a=1"),
    ];
    for (a, b) in same {
        assert!(uri(a).same_as(&uri(b)), "{a} and {b}");
    }
    for (a, b) in [
        ("tel:+12015550123", "tel:12015550123"),
        ("tel:+1;ext=1", "tel:+1"),
        ("tel:7042;phone-context=a.example", "tel:7042;phone-context=b.example"),
    ] {
        assert!(!uri(a).same_as(&uri(b)), "{a} and {b}");
    }
}

#[test]
fn an_address_of_record_has_one_canonical_spelling() {
    let canonical = [
        ("SIP:%61lice:pw@Example.COM:5070;transport=tcp?x=y", "sip:alice@example.com:5070"),
        ("sips:bob@[2001:DB8:0:0::1]", "sips:bob@[2001:db8::1]"),
        ("sip:a%40b@c", "sip:a@b@c"),
        ("sip:%ff@c", "sip:%ff@c"),
        ("tel:+1-(201).555-0123;ext=1", "tel:+12015550123"),
        ("tel:70-42;phone-context=Example.com", "tel:7042;phone-context=example.com"),
        ("urn:service:SOS", "urn:service:sos"),
    ];
    for (given, expected) in canonical {
        assert_eq!(uri(given).canonical_aor(), expected);
    }
}

#[test]
fn emergency_services_are_told_from_look_alikes() {
    for (text, expected) in [
        ("urn:service:sos", true),
        ("URN:Service:SOS.fire", true),
        ("urn:service:sosx", false),
        ("sip:urn:service:sos@host", false),
    ] {
        assert_eq!(Uri::parse(text).is_ok_and(|u| u.is_emergency()), expected, "{text}");
    }
}

#[test]
fn an_owned_uri_is_edited_part_by_part() {
    let mut u = UriBuf::parse("sip:bob:pw@biloxi.com:5060;transport=tcp;lr?x=y").unwrap();
    u.set_user(Some("a b@c")).unwrap();
    u.set_host("2001:db8::1").unwrap();
    u.set_port(None).unwrap();
    u.set_param("Transport", Some("udp")).unwrap();
    u.set_param("ob", None).unwrap();
    u.remove_param("LR").unwrap();
    u.remove_headers().unwrap();
    assert_eq!(u.as_str(), "sip:a%20b%40c:pw@[2001:db8::1];Transport=udp;ob");
    let before = u.clone();
    assert!(u.set_host("evil host").is_err());
    assert!(u.set_host("h;x=y@z").is_err());
    assert!(u.set_param("a;b", None).is_err());
    assert!(u.set_param("a", Some("b>\r\nX: y")).is_err());
    assert_eq!(u, before);
    assert_eq!(UriBuf::parse("tel:+1").unwrap().set_port(Some(1)), Err(Malformed::Scheme));
    u.set_user(None).unwrap();
    assert_eq!(u.as_str(), "sip:[2001:db8::1];Transport=udp;ob");
}
