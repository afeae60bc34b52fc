use super::*;
use crate::wire::sip::Limits;

fn response(code: u16, challenges: &[(&str, &str)]) -> Message {
    let mut text = format!(
        "SIP/2.0 {code} No\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa\r\nFrom: <sip:a@x>;tag=1\r\n\
         To: <sip:a@x>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n"
    );
    for (name, value) in challenges {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("Content-Length: 0\r\n\r\n");
    Message::parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn login(realm: &str) -> Login {
    Login { realm: realm.into(), user: "al\"ice".into(), secret: UserSecret::Password("pw".into()) }
}

const REQUEST: Request<'_> = Request { method: "INVITE", uri: "sip:bob@x", body: b"v=0" };

fn answers(response: &Message, logins: &[Login]) -> Vec<(String, String)> {
    let answered = answer(response, logins, &REQUEST, "cn").unwrap();
    answered.into_iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

#[test]
fn a_realm_without_a_login_learns_nothing() {
    let challenge = "Digest realm=\"evil\", nonce=\"n\", qop=\"auth\"";
    let unanswered =
        answer(&response(407, &[("Proxy-Authenticate", challenge)]), &[login("x")], &REQUEST, "cn");
    assert_eq!(unanswered, Err(Unanswerable::NoLogin));
    let mixed = [("Proxy-Authenticate", challenge), ("WWW-Authenticate", "Digest realm=\"x\", nonce=\"n\"")];
    let headers = answers(&response(401, &mixed), &[login("x")]);
    assert_eq!(headers.len(), 1);
    assert_eq!(headers[0].0, "Authorization");
    assert!(headers[0].1.contains("realm=\"x\""));
}

#[test]
fn each_realm_is_answered_once_with_the_topmost_algorithm_spoken_here() {
    let challenges = [
        ("Proxy-Authenticate", "Digest realm=\"x\", nonce=\"1\", algorithm=FUTURE-9, qop=\"auth\""),
        (
            "Proxy-Authenticate",
            "Digest realm=\"x\", nonce=\"2\", algorithm=SHA-256, qop=\"auth\", opaque=\"op\"",
        ),
        ("Proxy-Authenticate", "Digest realm=\"x\", nonce=\"3\", algorithm=MD5, qop=\"auth\""),
        ("Proxy-Authenticate", "Digest realm=\"y\", nonce=\"4\", qop=\"auth-int,auth\""),
    ];
    let headers = answers(&response(407, &challenges), &[login("x"), login("y")]);
    assert_eq!(headers.len(), 2);
    assert!(headers.iter().all(|(name, _)| name == "Proxy-Authorization"));
    let first = AuthParams::parse(&headers[0].1).unwrap();
    assert_eq!(first.get("nonce").unwrap(), "2");
    assert_eq!(first.get("opaque").unwrap(), "op");
    assert_eq!(first.get("username").unwrap(), "al\"ice");
    assert_eq!(first.get("nc").unwrap(), "00000001");
    assert!(headers[1].1.contains("qop=auth, "), "{}", headers[1].1);
}

#[test]
fn auth_int_alone_is_answered_over_the_body() {
    let challenge = [("WWW-Authenticate", "Digest realm=\"x\", nonce=\"1\", qop=\"auth-int\"")];
    let headers = answers(&response(401, &challenge), &[login("x")]);
    let params = AuthParams::parse(&headers[0].1).unwrap();
    let signed = Signed {
        algorithm: Algorithm::Md5,
        session: false,
        nonce: "1",
        nc: "00000001",
        cnonce: "cn",
        qop: Qop::AuthInt,
        method: "INVITE",
        uri: "sip:bob@x",
        body: b"v=0",
    };
    let ha1 = Algorithm::Md5.hash(&[b"al\"ice", b"x", b"pw"]);
    assert_eq!(params.get("response").unwrap(), signed.response(&ha1).as_str());
}

#[test]
fn a_stored_ha1_skips_challenges_it_cannot_answer() {
    let stored = Login { secret: UserSecret::Ha1(Algorithm::Md5, "0".repeat(32).into()), ..login("x") };
    let challenges = [
        ("WWW-Authenticate", "Digest realm=\"x\", nonce=\"1\", algorithm=SHA-256, qop=\"auth\""),
        ("WWW-Authenticate", "Digest realm=\"x\", nonce=\"2\", algorithm=MD5, qop=\"auth\""),
    ];
    let headers = answers(&response(401, &challenges), &[stored]);
    assert!(headers[0].1.contains("nonce=\"2\""));
}

#[test]
fn what_cannot_be_answered_says_why() {
    let why = |challenges: &[(&str, &str)]| {
        answer(&response(401, challenges), &[login("x")], &REQUEST, "cn").unwrap_err()
    };
    assert_eq!(why(&[]), Unanswerable::NoChallenge);
    assert_eq!(why(&[("WWW-Authenticate", "Basic realm=\"x\"")]), Unanswerable::Unknown);
    assert_eq!(
        why(&[("WWW-Authenticate", "Digest realm=\"x\", nonce=\"n\", qop=\"auth-conf\"")]),
        Unanswerable::Unknown
    );
}

#[test]
fn a_challenge_is_answered_again_with_the_next_count() {
    let response =
        response(401, &[("WWW-Authenticate", "Digest realm=\"x\", nonce=\"1\", qop=\"auth\", stale=TRUE")]);
    let (kind, challenge) = challenges(&response, &[login("x")]).unwrap().remove(0);
    assert_eq!(kind, Kind::Www);
    assert!(challenge.stale);
    let of = |count| challenge.answer(&login("x"), &REQUEST, "cn", count).unwrap();
    let response = |value: &str| AuthParams::parse(value).unwrap().get("response").unwrap().into_owned();
    assert!(of(2).contains("nc=00000002"));
    assert_ne!(response(&of(1)), response(&of(2)));
}
