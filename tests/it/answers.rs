//! Keys of the YAML that show in one answer: a daemon with the key changed and one without are asked the same.

use siphon_tests::daemon::Daemon;
use siphon_tests::digest;
use siphon_tests::message::Message;
use siphon_tests::peer::Peer;
use siphon_tests::phone::{Phone, unique};
use siphon_tests::scratch::Scratch;

/// Registers, forks to where `X-To` says, and knows what is local.
const SCRIPT: &str = r#"
from siphon import proxy, registrar, auth

@proxy.on_request
def route(request):
    targets = request.get_header("X-To")
    if targets:
        request.fork(targets.split())
    elif request.method == "REGISTER":
        if auth.require_digest(request):
            registrar.save(request)
    else:
        request.reply(200 if request.ruri.is_local else 404)
"#;

/// What a daemon has where a test changes none of it.
const USUAL: &[(&str, &str)] = &[
    ("listen", "{udp: [\"127.0.0.1:0\"]}"),
    ("domain", "{local: [example.com]}"),
    ("auth", "{users: {alice: secret}}"),
    ("server", "{drain_secs: 0}"),
];

fn daemon(more: &str) -> Daemon {
    let scratch = Scratch::new("answers");
    scratch.write("route.py", SCRIPT);
    let mut yaml = format!("script: {{path: route.py}}\nshards: 1\n{more}\n");
    for (block, value) in USUAL {
        if !more.starts_with(block) {
            yaml += &format!("{block}: {value}\n");
        }
    }
    Daemon::start_in(scratch, &yaml)
}

/// A request outside any dialog.
fn request(peer: &Peer, method: &str, uri: &str, lines: &str, body: &str) -> String {
    let (id, local) = (unique(), peer.local());
    format!(
        "{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{id}\nMax-Forwards: 70\n\
         From: <sip:a@{local}>;tag=1\nTo: <sip:b@example.com>\nCall-ID: {id}\nCSeq: 1 {method}\n\
         Contact: <sip:a@{local}>\n{lines}\n{body}"
    )
}

fn answer(peer: &Peer) -> Message {
    peer.find("a final response", |m| m.status() >= 200)
}

/// The answer to an OPTIONS.
fn asked(daemon: &Daemon, uri: &str, lines: &str, body: &str) -> Message {
    let peer = Peer::udp(daemon.sip());
    peer.send(&request(&peer, "OPTIONS", uri, lines, body));
    answer(&peer)
}

#[test]
fn what_is_too_long_is_answered_as_its_limit_says_and_what_is_local_as_the_domains_say() {
    let usual = daemon("");
    let (long, many) = (format!("X-Long: {}\n", "x".repeat(1500)), "X-Many: x\n".repeat(20));
    let (body, uri) = ("x".repeat(1500), format!("sip:{}@example.com", "u".repeat(100)));
    let here = "sip:example.com";
    let rows = [
        ("limits: {message_bytes: 1KiB}", here, "", body.as_str(), (513, 200)),
        ("limits: {header_bytes: 1KiB}", here, &long, "", (513, 200)),
        ("limits: {headers: 16}", here, &many, "", (513, 200)),
        ("limits: {uri_bytes: 64}", &uri, "", "", (414, 200)),
        ("limits: {body_bytes: 10}", here, "", &body, (413, 200)),
        ("domain: {local: [example.org]}", here, "", "", (404, 200)),
        ("domain: {local: [example.org]}", "sip:example.org", "", "", (200, 404)),
    ];
    for (yaml, uri, lines, body, expected) in rows {
        let status = |daemon: &Daemon| asked(daemon, uri, lines, body).status();
        assert_eq!((status(&daemon(yaml)), status(&usual)), expected, "{yaml}");
    }
}

#[test]
fn answers_name_the_server_that_is_configured_and_else_none() {
    let named = daemon("server: {server_header: quux, drain_secs: 0}");
    assert_eq!(asked(&named, "sip:example.com", "", "").header("Server"), "quux");
    assert_eq!(asked(&daemon(""), "sip:example.com", "", "").header("Server"), "");
}

/// The status of a REGISTER with the right password, and the lifetime that is granted.
fn registered(daemon: &Daemon, user: &str, edit: impl Fn(String) -> String) -> String {
    let phone = Phone::udp(daemon.sip(), user);
    phone.peer.send(&edit(phone.register_text("Contact: <sip:a@192.0.2.1>")));
    let challenge = phone.peer.final_status("REGISTER", 401);
    let challenge = challenge.headers("WWW-Authenticate").into_iter().find(|c| c.contains("MD5"));
    let proof = digest::answer(challenge.expect("MD5"), "REGISTER", "sip:example.com", user, "secret");
    let lines = format!("Contact: <sip:a@192.0.2.1>\nAuthorization: {proof}");
    phone.peer.send(&edit(phone.register_text(&lines)));
    let answer = answer(&phone.peer);
    format!("{} {}", answer.status(), answer.param("Contact", "expires"))
}

#[test]
fn a_registration_is_granted_or_refused_as_the_registrar_and_the_users_are_configured() {
    let usual = daemon("");
    let as_it_is = |text: String| text;
    let expires =
        |secs: u32| move |text: String| text.replace("Supported:", &format!("Expires: {secs}\nSupported:"));
    let two = |text: String| text.replace("Contact:", "Contact: <sip:b@192.0.2.2>,");
    let other = |text: String| text.replace("To: <sip:alice@", "To: <sip:bob@");
    type Edit<'a> = &'a dyn Fn(String) -> String;
    let rows: [(&str, &str, Edit<'_>, (&str, &str)); 7] = [
        ("registrar: {default_expires: 100}", "alice", &as_it_is, ("200 100", "200 3600")),
        ("registrar: {max_expires: 5000}", "alice", &expires(9999), ("200 5000", "200 7200")),
        ("registrar: {min_expires: 30}", "alice", &expires(40), ("200 40", "423 ")),
        ("registrar: {max_contacts: 1}", "alice", &two, ("403 ", "200 3600")),
        ("registrar: {enforce_auth_aor_match: false}", "alice", &other, ("200 3600", "403 ")),
        ("auth: {users: {carol: secret}}", "carol", &as_it_is, ("200 3600", "401 ")),
        (
            "auth: {users: {carol: {ha1: b8519c6c0a0248fdaeaa5b7ccff05fcd}}}",
            "carol",
            &as_it_is,
            ("200 3600", "401 "),
        ),
    ];
    for (yaml, user, edit, (changed, otherwise)) in rows {
        assert_eq!(registered(&daemon(yaml), user, edit), changed, "{yaml}");
        assert_eq!(registered(&usual, user, edit), otherwise, "without {yaml}");
    }
}

#[test]
fn challenges_offer_the_algorithms_and_the_protection_that_are_configured() {
    let offered = |yaml: &str| {
        let daemon = daemon(yaml);
        let alice = Phone::udp(daemon.sip(), "alice");
        alice.peer.send(&alice.register_text(""));
        let answer = alice.peer.final_status("REGISTER", 401);
        let offers = answer.headers("WWW-Authenticate").into_iter();
        offers
            .map(|c| format!("{} {}", digest::param(c, "algorithm"), digest::param(c, "qop")))
            .collect::<Vec<_>>()
    };
    assert_eq!(offered(""), ["MD5 auth"]);
    assert_eq!(
        offered("auth: {algorithms: [MD5, SHA-256], users: {alice: s}}"),
        ["SHA-256 auth", "MD5 auth"]
    );
    assert_eq!(offered("auth: {qop: [auth, auth-int], users: {alice: s}}"), ["MD5 auth,auth-int"]);
}

/// A MESSAGE or INVITE that goes to these peers.
fn through(daemon: &Daemon, method: &str, peers: &[&Peer]) -> Peer {
    let alice = Peer::udp(daemon.sip());
    let targets: Vec<String> = peers.iter().map(|peer| format!("sip:b@{}", peer.local())).collect();
    let lines = format!("X-To: {}\n", targets.join(" "));
    alice.send(&request(&alice, method, "sip:b@example.com", &lines, ""));
    alice
}

#[test]
fn a_request_forks_into_as_many_branches_as_it_may() {
    let (two, usual) = (daemon("limits: {branches: 2}"), daemon(""));
    for (daemon, reached) in [(&two, 2), (&usual, 3)] {
        let peers = [(); 3].map(|()| Peer::udp(daemon.sip()));
        let alice = through(daemon, "MESSAGE", &peers.each_ref());
        for peer in &peers[..reached] {
            peer.send(&peer.request("MESSAGE").response(404, "Not Found", "b", &[]));
        }
        assert_eq!(answer(&alice).status(), 404);
        for peer in &peers[reached..] {
            assert!(peer.record().is_empty(), "a third branch");
        }
    }
}

#[test]
fn a_request_beyond_the_transactions_of_a_shard_is_503_with_a_retry_after_of_the_configured_range() {
    let overload = "overload: {retry_after_min_secs: 3, retry_after_max_secs: 3}";
    let (few, usual) = (daemon(&format!("limits: {{transactions: 100}}\n{overload}")), daemon(overload));
    // Outlives both rounds: a port given back would be told unreachable, and its caller's port be somebody else's by then.
    let mut kept = Vec::new();
    for (daemon, refused) in [(&few, true), (&usual, false)] {
        let silent = Peer::udp(daemon.sip());
        let callers: Vec<Peer> = (0..150).map(|_| through(daemon, "MESSAGE", &[&silent])).collect();
        if refused {
            let answer = answer(callers.last().expect("callers"));
            assert_eq!((answer.status(), answer.header("Retry-After")), (503, "3"));
        } else {
            assert_eq!(asked(daemon, "sip:example.com", "", "").status(), 200);
            let is_final = |m: &Message| m.status() >= 200;
            let moment = std::time::Duration::from_millis(1);
            callers.iter().for_each(|c| c.nothing("a final response", moment, is_final));
        }
        kept.push((silent, callers));
    }
}

#[test]
fn trying_is_sent_after_its_delay_and_a_silent_callee_is_given_up_after_64_t1() {
    let late = daemon("transaction: {t1_ms: 10s, t2_ms: 10s, auto_emit_100_trying_delay_ms: 5s}");
    let (quick, usual) = (daemon("transaction: {t1_ms: 10, t2_ms: 10, t4_ms: 10}"), daemon(""));
    let bob = Peer::udp(late.sip());
    let silent = Peer::udp(usual.sip());
    let (first, second, third) = (
        through(&late, "INVITE", &[&bob]),
        through(&usual, "INVITE", &[&silent]),
        through(&quick, "INVITE", &[&silent]),
    );
    second.provisional("INVITE", 100);
    assert_eq!(answer(&third).status(), 408);
    bob.send(&bob.request("INVITE").response(200, "OK", "b", &["Contact: <sip:b@192.0.2.2>"]));
    assert_eq!(answer(&first).status(), 200);
    let came = |peer: &Peer| {
        peer.record().iter().filter(|r| !r.sent).map(|r| r.message.status()).collect::<Vec<_>>()
    };
    assert_eq!((came(&first), came(&second)), (vec![200], vec![100]));
}

#[test]
fn a_request_leaves_with_the_address_that_is_advertised() {
    let sent_by = |yaml: &str| {
        let daemon = daemon(yaml);
        let bob = Peer::udp(daemon.sip());
        through(&daemon, "MESSAGE", &[&bob]);
        let via = bob.request("MESSAGE").header("Via").to_owned();
        let sent_by = via.split([' ', ';']).nth(1).unwrap_or_default().to_owned();
        sent_by.replace(&daemon.sip().port().to_string(), "PORT")
    };
    assert_eq!(sent_by(""), "127.0.0.1:PORT");
    assert_eq!(sent_by("advertised_address: a.example.com"), "a.example.com:PORT");
    let listen = "listen: {udp: [{address: \"127.0.0.1:0\", advertise: \"b.example.com:5070\"}]}";
    assert_eq!(sent_by(listen), "b.example.com:5070");
}

#[test]
fn a_user_with_a_hash_alone_is_known_by_the_password_it_is_of() {
    for (key, algorithm) in [("ha1_sha256", "SHA-256"), ("ha1_sha512_256", "SHA-512-256")] {
        for (password, status) in [("secret", 200), ("another", 401)] {
            let ha1 = digest::hash(algorithm, &format!("carol:example.com:{password}"));
            let auth = format!(
                "auth: {{realm: example.com, algorithms: [{algorithm}], users: {{carol: {{{key}: {ha1}}}}}}}"
            );
            let daemon = daemon(&auth);
            let carol = Phone::udp(daemon.sip(), "carol");
            carol.register_as("Contact: <sip:c@192.0.2.1>", "secret", status);
        }
    }
}

#[test]
fn a_request_leaves_by_tcp_with_the_address_that_is_advertised_there() {
    let sent_by = |advertise: &str| {
        let daemon = daemon(&format!("listen: {{tcp: [{{address: \"127.0.0.1:0\"{advertise}}}]}}"));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let alice = Peer::tcp(daemon.sip());
        let to = format!("X-To: sip:b@{};transport=tcp\n", listener.local_addr().expect("it is bound"));
        let text = request(&alice, "MESSAGE", "sip:b@example.com", &to, "");
        alice.send(&text.replace("SIP/2.0/UDP", "SIP/2.0/TCP"));
        let via = Peer::accepted(&listener).request("MESSAGE").header("Via").to_owned();
        let sent_by = via.split([' ', ';']).nth(1).unwrap_or_default().to_owned();
        sent_by.replace(&daemon.sip().port().to_string(), "PORT")
    };
    assert_eq!(sent_by(""), "127.0.0.1:PORT");
    assert_eq!(sent_by(", advertise: \"b.example.com:5070\""), "b.example.com:5070");
}
