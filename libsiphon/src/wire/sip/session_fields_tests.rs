//! Header fields of sessions and transfers, with values as phones, gateways and the RFCs write them.

use proptest::prelude::*;

use super::*;

fn with(lines: &str) -> Message {
    let text = format!(
        "REFER sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\n\
         Call-ID: c\r\nCSeq: 1 REFER\r\n{lines}\r\n\r\n"
    );
    Message::parse(text.as_bytes(), &Limits::default()).unwrap()
}

/// The value read from the header field and written again; `-` when absent, the fault when broken.
fn again<T: ToString>(value: Result<Option<T>, Malformed>) -> String {
    match value {
        Ok(Some(value)) => value.to_string(),
        Ok(None) => "-".to_owned(),
        Err(fault) => fault.to_string(),
    }
}

#[test]
fn rseq_and_rack_are_read_with_any_white_space() {
    let m = with("RSeq:  988789\r\nRAck: 776656 \t1\r\n INVITE");
    assert_eq!(m.rseq(), Ok(Some(988_789)));
    assert_eq!(m.rack(), Ok(Some(RAck { rseq: 776_656, cseq: 1, method: Method::Invite })));
    assert_eq!(again(m.rack()), "776656 1 INVITE");
    assert_eq!(with("Subject: x").rack(), Ok(None));
    for bad in ["", "1", "1 2", "1 2 INVITE x", "-1 2 INVITE", "4294967296 1 INVITE", "a b INVITE"] {
        assert!(RAck::parse(bad).is_err(), "{bad:?}");
    }
    assert_eq!(again(with("RSeq: 4294967296").rseq()), "Bad RSeq Header Field: no number below 2^32");
}

#[test]
fn session_expires_is_read_in_long_and_compact_form() {
    for (line, written) in [
        ("Session-Expires: 4000;refresher=uac", "4000;refresher=uac"),
        ("x: 1800 ; Refresher = UAS", "1800;refresher=uas"),
        ("X:90", "90"),
        ("Session-Expires: 1800;refresher=none;x=y", "1800"),
        ("Session-Expires: 99999999999999999999", "4294967295"),
        ("Session-Expires: ;refresher=uac", "Bad Session-Expires Header Field: no number of seconds"),
        ("Session-Expires: 30s", "Bad Session-Expires Header Field: no number of seconds"),
    ] {
        assert_eq!(again(with(line).session_expires()), written, "{line}");
    }
    assert_eq!(with("Min-SE: 120;x").min_se(), Ok(Some(120)));
    assert!(with("Min-SE: soon").min_se().is_err());
}

#[test]
fn option_tags_and_methods_are_found_in_any_spelling() {
    let m =
        with("k: 100REL,\r\n timer\r\nRequire: replaces , foo\r\nSupported: norefersub\r\nUnsupported: bar");
    assert!(
        m.supports("100rel") && m.supports("timer") && m.supports("replaces") && m.supports("norefersub")
    );
    assert!(!m.supports("bar") && !m.has_option(HeaderId::Supported, "100"));
    assert!(m.has_option(HeaderId::Unsupported, "BAR"));
    let unknown: Vec<_> = m.unknown_options(HeaderId::Require, &["Replaces", "timer"]).collect();
    assert_eq!(unknown, ["foo"]);
    assert_eq!(m.allow(), None);
    let m = with("Allow: INVITE,ACK , UPDATE\r\nAllow: FOO, prack");
    let allow = m.allow().unwrap();
    assert!(
        allow.contains(Method::Update) && !allow.contains(Method::Prack) && !allow.contains(Method::Other)
    );
    assert_eq!(allow.to_string(), "INVITE, ACK, UPDATE");
    assert_eq!(with("Allow:").allow(), Some(MethodSet::NONE));
    assert_eq!(MethodSet::of(Method::ALL).iter().count(), Method::ALL.len());
    assert_eq!(MethodSet::from_bits(u16::MAX), MethodSet::of(Method::ALL));
    assert_eq!(MethodSet::from_bits(allow.bits()), allow);
}

#[test]
fn replaces_needs_a_call_id_and_both_tags() {
    for (text, written) in [
        (
            "98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff",
            "98732@sip.example.com;to-tag=ff87ff;from-tag=r33th4x0r",
        ),
        (
            "12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only",
            "12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only",
        ),
        ("a;to-tag=0;from-tag=0;FOO=1", "a;to-tag=0;from-tag=0"),
        ("a;to-tag=1", "Bad Replaces Header Field: no to-tag or from-tag"),
        ("a;to-tag=1;from-tag=2;to-tag=3", "Bad Replaces Header Field: bad to-tag or from-tag"),
        ("a;to-tag=;from-tag=2", "Bad Replaces Header Field: bad to-tag or from-tag"),
        (";to-tag=1;from-tag=2", "Bad Replaces Header Field: no Call-ID"),
        ("a b;to-tag=1;from-tag=2", "Bad Replaces Header Field: no Call-ID"),
        ("", "Bad Replaces Header Field: no Call-ID"),
    ] {
        assert_eq!(again(Replaces::parse(text).map(Some)), written, "{text}");
    }
}

#[test]
fn refer_to_is_taken_apart_and_put_together() {
    let m = with(
        "Refer-To: \"Bob\" <sip:bob@biloxi.example.com;method=INVITE;user=phone?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345\
         %3Bfrom-tag%3D5FFE-3994&Accept-Contact=%2a%3baudio&Route=%3csip:evil%3e&Subject=a%20b>",
    );
    let to = m.refer_to().unwrap().unwrap();
    assert_eq!(
        (to.display.as_deref(), to.target.as_str()),
        (Some("Bob"), "sip:bob@biloxi.example.com;user=phone")
    );
    let replaces = to.replaces.clone().unwrap();
    assert_eq!((replaces.call_id.as_str(), replaces.to_tag.as_str()), ("12345@192.168.118.3", "12345"));
    assert_eq!(to.headers.len(), 3);
    let honoured: Vec<_> = to.honoured().collect();
    assert_eq!(honoured, [("Accept-Contact", "*;audio"), ("Subject", "a b")]);
    assert_eq!(ReferTo::parse(&to.to_string()), Ok(to));
}

#[test]
fn refer_to_as_phones_write_it() {
    for (text, target, method, replaces) in [
        ("sip:carol@cleveland.example.org", "sip:carol@cleveland.example.org", Method::Invite, None),
        ("r <sip:c@h;method=BYE>", "sip:c@h", Method::Bye, None),
        ("<tel:+15551234>", "tel:+15551234", Method::Invite, None),
        ("<http://www.example.com/?a=b>", "http://www.example.com/?a=b", Method::Invite, None),
        ("sip:c@h;transport=tcp", "sip:c@h", Method::Invite, None),
        // Brackets forgotten around a header part.
        ("sip:c@h?Replaces=x%40y%3Bfrom-tag%3D1%3Bto-tag%3D2", "sip:c@h", Method::Invite, Some("x@y")),
        // Only what must be escaped is: colon and slash stand as they are.
        (
            "<sips:c@h:5061?replaces=x/y:z%3Bto-tag=1%3Bfrom-tag=2>",
            "sips:c@h:5061",
            Method::Invite,
            Some("x/y:z"),
        ),
    ] {
        let to = ReferTo::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!((to.target.as_str(), to.method), (target, method), "{text}");
        assert_eq!(to.replaces.as_ref().map(|r| r.call_id.as_str()), replaces, "{text}");
    }
    for bad in [
        "",
        "*",
        "<>",
        "nonsense",
        "<sip:c@h?Replaces=x>",
        "<sip:c@h?Subject=a%0d%0aVia:%20x>",
        "<sip:c@h?Sub%0aject=a>",
        "<sip:c@h?X=%00>",
        "<sip:c@h?Replaces=a%3Bto-tag=1%3Bfrom-tag=2&Replaces=a%3Bto-tag=1%3Bfrom-tag=2>",
    ] {
        assert!(ReferTo::parse(bad).is_err(), "{bad}");
    }
    let many: String = (0..40).map(|n| format!("&X{n}=1")).collect();
    assert!(ReferTo::parse(&format!("<sip:c@h?{many}>")).is_err());
    let made =
        ReferTo::new(UriBuf::parse("sip:c@h").unwrap(), Replaces::parse("a@b;to-tag=1;from-tag=2").ok());
    assert_eq!(made.to_string(), "<sip:c@h?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>");
}

#[test]
fn referred_by_and_refer_sub() {
    let m = with(
        "b: \"The \\\"Boss\\\"\" <sip:referrer@h;x=1> ;cid=\"2UWQFN309shb3@referrer.example\"\r\nRefer-Sub: False;x",
    );
    let by = m.referred_by().unwrap().unwrap();
    assert_eq!(
        (by.uri.as_str(), by.cid.as_deref()),
        ("sip:referrer@h;x=1", Some("2UWQFN309shb3@referrer.example"))
    );
    let written = "\"The \\\"Boss\\\"\" <sip:referrer@h;x=1>;cid=\"2UWQFN309shb3@referrer.example\"";
    assert_eq!(by.to_string(), written);
    assert_eq!(m.refer_sub(), Ok(Some(false)));
    assert_eq!(with("Refer-Sub: TRUE").refer_sub(), Ok(Some(true)));
    assert!(with("Refer-Sub: maybe").refer_sub().is_err());
    assert_eq!(again(with("Referred-By: sip:a@h").referred_by()), "<sip:a@h>");
    assert!(with("Referred-By: *").referred_by().is_err());
}

#[test]
fn reasons_of_gateways_are_read() {
    let m = with(
        "Reason: SIP ;cause=200 ;text=\"Call completed elsewhere\", Q.850;cause=16;text=\"Terminated, by \\\"A\\\"\"\r\n\
         Reason: preemption;cause=x, =, X.int",
    );
    let all: Vec<_> = m.reasons().collect();
    assert_eq!(all.len(), 4, "{all:?}");
    assert_eq!(all[0], Reason::sip(200, "Call completed elsewhere"));
    assert_eq!(all[1], Reason::q850(16, "Terminated, by \"A\""));
    assert!(all[0].is_sip() && all[1].is_q850());
    assert_eq!((all[2].cause, all[3].to_string().as_str()), (None, "X.int"));
    assert_eq!(Reason::sip(503, "No\r\nway").to_string(), "SIP;cause=503;text=\"Noway\"");
}

#[test]
fn event_and_subscription_state() {
    let m = with("o: refer ;id=93809824\r\nSubscription-State: Terminated ; reason=noresource;retry-after=3");
    assert_eq!(m.event(), Ok(Some(Event::refer(Some(93_809_824)))));
    let state = m.subscription_state().unwrap().unwrap();
    assert!(state.is_terminated());
    assert_eq!(state.to_string(), "terminated;reason=noresource;retry-after=3");
    assert_eq!(
        again(with("Subscription-State: active;expires=60").subscription_state()),
        "active;expires=60"
    );
    assert_eq!(SubscriptionState::active(60).to_string(), "active;expires=60");
    let odd = SubscriptionState::parse("waiting;expires=-1;reason=a b").unwrap();
    assert_eq!((odd.standing, odd.expires, odd.reason.as_deref()), (Standing::Other, None, None));
    assert!(SubscriptionState::parse(";expires=1").is_err() && Event::parse("a b").is_err());
    assert_ne!(Event::parse("refer"), Event::parse("Refer"));
    assert_eq!(Event::refer(None).to_string(), "refer");
}

#[test]
fn sipfrag_status_lines() {
    assert_eq!(sipfrag::write(180, "Ringing"), b"SIP/2.0 180 Ringing\r\n");
    assert_eq!(sipfrag::write(180, "a\r\nb"), b"SIP/2.0 180 \r\n");
    for (body, status) in [
        ("SIP/2.0 200 OK\r\n", Some((200, "OK"))),
        ("SIP/2.0 100 Trying", Some((100, "Trying"))),
        ("\r\nsip/2.0  603  Declined \r\nFrom: x\r\n\r\n", Some((603, "Declined"))),
        ("SIP/2.0 486\n", Some((486, ""))),
        ("SIP/2.0 0200 OK\r\n", None),
        ("SIP/2.0 700 x\r\n", None),
        ("SIP/2.0200 OK\r\n", None),
        ("INVITE sip:a@h SIP/2.0\r\n", None),
        ("SIP/2.0", None),
        ("", None),
    ] {
        let read = sipfrag::status(body.as_bytes());
        assert_eq!(read.as_ref().map(|(code, phrase)| (*code, phrase.as_str())), status, "{body:?}");
    }
}

proptest! {
    #[test]
    fn what_is_read_is_written_so_that_it_reads_the_same(text in "[ -~é]{0,60}|[a-z0-9@.]{1,8}(;[a-z-]{1,8}(=[!-~]{0,6})?){0,4}|<sip:[a-z]{1,4}@h(;method=[A-Z]{3,6})?(\\?[A-Za-z]{1,8}=[!-;A-~%]{0,12})?>") {
        macro_rules! twice {
            ($($parse:path),+) => {$(
                if let Ok(value) = $parse(&text) {
                    let written = value.to_string();
                    prop_assert!(!written.contains(['\r', '\n', '\0']));
                    prop_assert_eq!($parse(&written).map(|v| v.to_string()), Ok(written));
                }
            )+};
        }
        twice!(SessionExpires::parse, Replaces::parse, ReferTo::parse, ReferredBy::parse, Reason::parse);
        twice!(Event::parse, SubscriptionState::parse);
        let _ = (RAck::parse(&text), sipfrag::status(text.as_bytes()));
    }
}
