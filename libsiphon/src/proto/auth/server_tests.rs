use super::*;
use crate::proto::auth::client::{Login, Request, answer};
use crate::proto::auth::credentials::{StaticUsers, UserSecret};
use crate::wire::sip::Limits;
use proptest::prelude::*;

const NOW: Instant = Instant::from_unix_secs(1_800_000_000);
const REALM: &str = "example.com";

fn users() -> StaticUsers {
    StaticUsers::new([("alice".into(), UserSecret::Password("secret".into()))])
}

fn authenticator(settings: DigestSettings) -> Authenticator {
    Authenticator::new(settings, Secret::new(1, 2))
}

fn all() -> DigestSettings {
    DigestSettings { algorithms: Algorithm::ALL.to_vec(), ..DigestSettings::default() }
}

fn register(credentials: &[String]) -> Message {
    let mut text = "REGISTER sip:example.com SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa\r\n\
        From: <sip:alice@example.com>;tag=1\r\nTo: <sip:alice@example.com>\r\n\
        Call-ID: c1\r\nCSeq: 1 REGISTER\r\nMax-Forwards: 70\r\n"
        .to_owned();
    for value in credentials {
        text.push_str(&format!("Authorization: {value}\r\n"));
    }
    text.push_str("Content-Length: 4\r\n\r\nbody");
    Message::parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn response_with(reply: &ReplySpec) -> Message {
    let mut text = format!(
        "SIP/2.0 {} Unauthorized\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa\r\n\
         From: <sip:alice@example.com>;tag=1\r\nTo: <sip:alice@example.com>;tag=2\r\nCall-ID: c1\r\nCSeq: 1 REGISTER\r\n",
        reply.code
    );
    for (name, value) in &reply.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("Content-Length: 0\r\n\r\n");
    Message::parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn login(password: &str) -> Login {
    Login { realm: REALM.into(), user: "alice".into(), secret: UserSecret::Password(password.into()) }
}

/// Challenges, and answers as a phone with that password does.
fn signed(auth: &Authenticator, password: &str, now: Instant) -> Message {
    let reply = auth.challenge(&users(), REALM, Kind::Www, false, now);
    let request = Request { method: "REGISTER", uri: "sip:example.com", body: b"body" };
    let headers = answer(&response_with(&reply), &[login(password)], &request, "cn").unwrap();
    register(&[headers[0].1.to_string()])
}

fn outcome(auth: &Authenticator, request: &Message, now: Instant) -> String {
    match auth.check(&users(), request, REALM, Kind::Www, now) {
        AuthOutcome::Ok { user } => format!("ok {user}"),
        AuthOutcome::Challenge { reply, stale } => format!("{} stale={stale}", reply.code),
        AuthOutcome::Bad(reply) => format!("{} {}", reply.code, reply.reason.unwrap_or_default()),
    }
}

#[test]
fn a_request_without_credentials_is_challenged_once_per_algorithm_the_strongest_first() {
    let auth = authenticator(DigestSettings { offer_auth_int: true, ..all() });
    let AuthOutcome::Challenge { reply, stale } = auth.check(&users(), &register(&[]), REALM, Kind::Www, NOW)
    else {
        panic!("challenged")
    };
    assert!(!stale && reply.code == 401);
    let found: Vec<_> = reply
        .headers
        .iter()
        .map(|(name, value)| {
            let params = AuthParams::parse(value).unwrap();
            assert_eq!(params.get("realm").unwrap(), REALM);
            assert_eq!(params.raw("qop").unwrap(), "\"auth,auth-int\"");
            assert!(params.get("stale").is_none());
            (name.to_string(), params.get("algorithm").unwrap().into_owned())
        })
        .collect();
    let expected = ["SHA-512-256", "SHA-256", "MD5"].map(|a| ("WWW-Authenticate".to_owned(), a.to_owned()));
    assert_eq!(found, expected);
    let reply = auth.challenge(&users(), REALM, Kind::Proxy, true, NOW);
    assert_eq!((reply.code, &*reply.headers[0].0), (407, "Proxy-Authenticate"));
    assert!(reply.headers[0].1.ends_with(", stale=true"));
}

#[test]
fn an_algorithm_that_a_user_cannot_use_is_not_offered() {
    let users = StaticUsers::new([("bob".into(), UserSecret::Ha1(Algorithm::Md5, "0".repeat(32).into()))]);
    let reply = authenticator(all()).challenge(&users, REALM, Kind::Www, false, NOW);
    assert_eq!(reply.headers.len(), 1);
    assert!(reply.headers[0].1.contains("algorithm=MD5"));
}

#[test]
fn the_right_password_is_accepted_under_each_algorithm() {
    for algorithm in Algorithm::ALL {
        let auth = authenticator(DigestSettings { algorithms: vec![algorithm], ..DigestSettings::default() });
        assert_eq!(outcome(&auth, &signed(&auth, "secret", NOW), NOW), "ok alice", "{algorithm:?}");
        assert_eq!(outcome(&auth, &signed(&auth, "Secret", NOW), NOW), "401 stale=false", "{algorithm:?}");
    }
}

#[test]
fn an_unknown_user_and_a_wrong_password_get_the_same_answer() {
    let auth = authenticator(all());
    let request = signed(&auth, "secret", NOW);
    let text = String::from_utf8(request.bytes().to_vec())
        .unwrap()
        .replace("username=\"alice\"", "username=\"nobody\"");
    let unknown = Message::parse(text.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(outcome(&auth, &unknown, NOW), outcome(&auth, &signed(&auth, "wrong", NOW), NOW));
}

#[test]
fn credentials_are_good_once_and_a_replay_is_stale() {
    let auth = authenticator(all());
    let request = signed(&auth, "secret", NOW);
    assert_eq!(outcome(&auth, &request, NOW), "ok alice");
    assert_eq!(outcome(&auth, &request, NOW), "401 stale=true");
}

#[test]
fn a_wrong_password_leaves_nothing_behind() {
    let auth = authenticator(all());
    for _ in 0..100 {
        outcome(&auth, &signed(&auth, "wrong", NOW), NOW);
        outcome(&auth, &register(&[]), NOW);
    }
    assert_eq!(auth.windows(), 0);
    outcome(&auth, &signed(&auth, "secret", NOW), NOW);
    assert_eq!(auth.windows(), 1);
}

#[test]
fn an_old_nonce_is_stale_for_the_right_password_only() {
    let auth = authenticator(all());
    let later = NOW + Duration::from_secs(300);
    assert_eq!(outcome(&auth, &signed(&auth, "secret", NOW), later), "401 stale=true");
    assert_eq!(outcome(&auth, &signed(&auth, "wrong", NOW), later), "401 stale=false");
}

#[test]
fn a_nonce_of_another_node_is_stale_and_one_of_another_realm_too() {
    let auth = authenticator(all());
    let other = Authenticator::new(all(), Secret::new(5, 5));
    assert_eq!(outcome(&auth, &signed(&other, "secret", NOW), NOW), "401 stale=true");
}

#[test]
fn a_replay_takes_recorded_credentials_at_their_word_and_still_asks_for_some() {
    let mut auth = authenticator(all());
    let other = Authenticator::new(all(), Secret::new(5, 5));
    auth.trust_everybody();
    assert_eq!(outcome(&auth, &signed(&other, "unknown", NOW), NOW), "ok alice");
    assert_eq!(outcome(&auth, &register(&[]), NOW), "401 stale=false");
}

#[test]
fn credentials_for_another_realm_or_scheme_are_passed_over() {
    let auth = authenticator(all());
    let good = signed(&auth, "secret", NOW).header(HeaderId::Authorization).unwrap().into_owned();
    let other =
        "Digest username=\"x\", realm=\"elsewhere\", nonce=\"n\", uri=\"sip:x\", response=\"r\"".to_owned();
    let basic = "Basic dXNlcjpwYXNz".to_owned();
    assert_eq!(outcome(&auth, &register(&[other.clone(), basic, good]), NOW), "ok alice");
    assert_eq!(outcome(&auth, &register(&[other]), NOW), "401 stale=false");
}

/// Credentials made by hand, so that each parameter can be spoilt.
fn by_hand(auth: &Authenticator, change: impl Fn(&str) -> String) -> String {
    let request = signed(auth, "secret", NOW);
    change(&request.header(HeaderId::Authorization).unwrap())
}

#[test]
fn credentials_that_lack_or_spoil_a_parameter_are_answered_400_with_the_fault() {
    let auth =
        authenticator(DigestSettings { algorithms: vec![Algorithm::Md5], ..DigestSettings::default() });
    let cases: [(&str, &str, &str); 7] = [
        ("username=\"alice\", ", "", "400 No username In Credentials"),
        ("nc=00000001", "nc=1", "400 Bad nc"),
        ("nc=00000001", "nc=00000000", "400 Bad nc"),
        (", nc=00000001", "", "400 No nc In Credentials"),
        ("qop=auth", "qop=auth-conf", "400 Unknown qop"),
        (", cnonce=\"cn\"", "", "400 No cnonce In Credentials"),
        ("uri=\"sip:example.com\", ", "", "400 No uri In Credentials"),
    ];
    for (from, to, expected) in cases {
        let value = by_hand(&auth, |good| {
            assert!(good.contains(from), "{good}");
            good.replace(from, to)
        });
        assert_eq!(outcome(&auth, &register(&[value]), NOW), expected);
    }
    assert_eq!(outcome(&auth, &register(&["Digest username=\"a".to_owned()]), NOW), "400 Bad Credentials");
}

#[test]
fn an_algorithm_not_configured_is_refused_even_when_right() {
    let auth = authenticator(all());
    let value = by_hand(&auth, str::to_owned);
    let md5_only = authenticator(DigestSettings::default());
    assert_eq!(outcome(&md5_only, &register(&[value]), NOW), "401 stale=false");
}

/// Signs for a `uri` parameter and a qop of our choice.
fn sign(auth: &Authenticator, uri: &str, qop: Qop, body: &[u8]) -> String {
    let nonce = auth.nonces().issue(REALM, NOW);
    let signed = Signed {
        algorithm: Algorithm::Md5,
        session: false,
        nonce: &nonce,
        nc: "00000001",
        cnonce: "c",
        qop,
        method: "REGISTER",
        uri,
        body,
    };
    let ha1 = Algorithm::Md5.hash(&[b"alice", REALM.as_bytes(), b"secret"]);
    let response = signed.response(&ha1);
    let response = response.as_str();
    let mut value = format!(
        "Digest username=\"alice\", realm=\"{REALM}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\""
    );
    if qop != Qop::None {
        value.push_str(&format!(", qop={}, nc=00000001, cnonce=\"c\"", qop.token()));
    }
    value
}

#[test]
fn the_uri_must_name_the_request_uri_as_closely_as_configured() {
    let with = |uri_check| authenticator(DigestSettings { uri_check, ..DigestSettings::default() });
    let try_one = |check, uri: &str| {
        let auth = with(check);
        outcome(&auth, &register(&[sign(&auth, uri, Qop::Auth, b"")]), NOW).starts_with("ok")
    };
    use UriCheck::{Lenient, Off, Strict};
    for (uri, strict, lenient) in [
        ("sip:example.com", true, true),
        ("sip:EXAMPLE.com", true, true),
        ("sip:example.com:5060;transport=tcp", false, true),
        ("sips:example.com", false, true),
        ("sip:alice@example.com", false, true),
        ("sip:example.org", false, false),
        ("/", false, false),
    ] {
        assert_eq!(try_one(Strict, uri), strict, "strict {uri}");
        assert_eq!(try_one(Lenient, uri), lenient, "lenient {uri}");
        assert!(try_one(Off, uri), "off {uri}");
    }
}

#[test]
fn a_mismatched_uri_is_answered_400() {
    let auth = authenticator(DigestSettings::default());
    let value = sign(&auth, "sip:example.org", Qop::Auth, b"");
    assert_eq!(outcome(&auth, &register(&[value]), NOW), "400 Digest uri Is Not The Request-URI");
}

#[test]
fn auth_int_is_accepted_for_the_body_that_came_and_no_other() {
    let auth = authenticator(DigestSettings::default());
    let good = sign(&auth, "sip:example.com", Qop::AuthInt, b"body");
    let spoilt = sign(&auth, "sip:example.com", Qop::AuthInt, b"other");
    assert_eq!(outcome(&auth, &register(&[good]), NOW), "ok alice");
    assert_eq!(outcome(&auth, &register(&[spoilt]), NOW), "401 stale=false");
}

#[test]
fn credentials_without_qop_are_accepted_only_where_configured() {
    let strict = authenticator(DigestSettings::default());
    let value = sign(&strict, "sip:example.com", Qop::None, b"");
    assert_eq!(outcome(&strict, &register(&[value]), NOW), "401 stale=false");
    let compatible = authenticator(DigestSettings { allow_no_qop: true, ..DigestSettings::default() });
    let value = sign(&compatible, "sip:example.com", Qop::None, b"");
    assert_eq!(outcome(&compatible, &register(&[value]), NOW), "ok alice");
}

#[test]
fn an_extended_user_name_is_read_as_utf_8() {
    let name = "Jäsøn Doe";
    assert_eq!(extended_value("UTF-8''J%C3%A4s%C3%B8n%20Doe").as_deref(), Some(name));
    for bad in ["ISO-8859-1''J", "UTF-8'J", "UTF-8''%C3", "UTF-8''%zz", "plain"] {
        assert_eq!(extended_value(bad), None, "{bad}");
    }
    let users = StaticUsers::new([(name.into(), UserSecret::Password("pw".into()))]);
    let auth = authenticator(DigestSettings::default());
    let value = sign(&auth, "sip:example.com", Qop::Auth, b"");
    let nonce = AuthParams::parse(&value).unwrap().get("nonce").unwrap().into_owned();
    let signed = Signed {
        algorithm: Algorithm::Md5,
        session: false,
        nonce: &nonce,
        nc: "0000000a",
        cnonce: "c",
        qop: Qop::Auth,
        method: "REGISTER",
        uri: "sip:example.com",
        body: b"",
    };
    let response = signed.response(&users.ha1(name, REALM, Algorithm::Md5).unwrap());
    let value = format!(
        "Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, realm=\"{REALM}\", nonce=\"{nonce}\", \
         uri=\"sip:example.com\", response=\"{}\", qop=auth, nc=0000000a, cnonce=\"c\"",
        response.as_str()
    );
    assert_eq!(auth.verify(&users, &register(&[value]), REALM, Kind::Www, NOW), Verified::User(name.into()));
}

#[test]
fn a_script_can_check_against_a_password_of_its_own() {
    let auth = authenticator(DigestSettings::default());
    let request = signed(&auth, "secret", NOW);
    let wrong = UserSecret::Password("other".into());
    assert_eq!(auth.verify(&wrong, &request, REALM, Kind::Www, NOW), Verified::Refused);
    let right = UserSecret::Password("secret".into());
    assert_eq!(auth.verify(&right, &request, REALM, Kind::Www, NOW), Verified::User("alice".into()));
}

proptest! {
    #[test]
    fn no_credentials_panic_and_none_but_the_right_ones_pass(value in "Digest [ -~]{0,200}") {
        let auth = authenticator(all());
        prop_assert!(!outcome(&auth, &register(&[value]), NOW).starts_with("ok"));
    }

    #[test]
    fn one_changed_character_of_good_credentials_never_passes(at in any::<prop::sample::Index>(), with in "[0-9A-Za-z]") {
        // Not MD5: it is what credentials without an algorithm mean.
        let algorithms = vec![Algorithm::Sha256];
        let auth = authenticator(DigestSettings { uri_check: UriCheck::Off, algorithms, ..DigestSettings::default() });
        let good = by_hand(&auth, str::to_owned);
        let at = at.index(good.len());
        let mut spoilt = good.clone();
        spoilt.replace_range(at..=at, &with);
        // Case is not significant in parameter names, tokens and hexadecimal digits.
        if !spoilt.eq_ignore_ascii_case(&good) {
            let verdict = outcome(&auth, &register(&[spoilt.clone()]), NOW);
            prop_assert!(!verdict.starts_with("ok"), "{spoilt}");
        }
    }
}
