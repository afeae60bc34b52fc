//! Registrations on the wire (RFC 3261 10): fetch, several contacts, removal, many phones at once.

use siphon_tests::digest;
use siphon_tests::phone::Phone;
use siphon_tests::subject::{Kind, Options, Server};

fn contacts(phone: &Phone) -> Vec<String> {
    let answer = phone.register_as("", "secret", 200);
    answer.list("Contact").into_iter().map(str::to_owned).collect()
}

#[test]
fn challenge_is_401_with_realm_nonce_and_qop() {
    let server = Server::start();
    let alice = Phone::udp(server.address(), "alice");
    alice.peer.send(&alice.register_text(&format!("Contact: {}", alice.contact())));
    let answer = alice.peer.final_status("REGISTER", 401);
    let challenge = answer.header("WWW-Authenticate");
    assert!(challenge.starts_with("Digest ") && challenge.contains("realm=\"example.com\""), "{challenge}");
    assert!(challenge.contains("nonce=") && challenge.contains("qop="), "{challenge}");
    assert!(!answer.param("To", "tag").is_empty());
}

#[test]
fn wrong_password_and_unknown_user_get_the_same_answer_and_store_nothing() {
    let server = Server::start();
    let (alice, mallory) = (Phone::udp(server.address(), "alice"), Phone::udp(server.address(), "mallory"));
    let lines = |phone: &Phone| format!("Contact: {}\nExpires: 60", phone.contact());
    let wrong = alice.register_as(&lines(&alice), "wrong", 401);
    let unknown = mallory.register_as(&lines(&mallory), "secret", 401);
    assert_eq!(wrong.start_line(), unknown.start_line());
    assert_eq!(contacts(&alice), Vec::<String>::new());
}

#[test]
fn granted_contact_is_listed_with_its_expiry_and_gone_after_removal() {
    let server = Server::start();
    let alice = Phone::udp(server.address(), "alice");
    let granted = alice.register();
    let contact = granted.header("Contact");
    assert!(contact.contains(&alice.peer.local().to_string()) && contact.contains("expires="), "{contact}");
    assert_eq!(contacts(&alice).len(), 1);
    alice.register_as(&format!("Contact: {}\nExpires: 0", alice.contact()), "secret", 200);
    assert_eq!(contacts(&alice), Vec::<String>::new());
}

#[test]
fn star_removes_every_contact() {
    let server = Server::start();
    let (desk, mobile) = (Phone::udp(server.address(), "alice"), Phone::udp(server.address(), "alice"));
    desk.register();
    mobile.register();
    assert_eq!(contacts(&desk).len(), 2);
    desk.register_as("Contact: *\nExpires: 0", "secret", 200);
    assert_eq!(contacts(&mobile), Vec::<String>::new());
}

#[test]
fn many_phones_register_and_leave_at_once_and_every_count_is_right() {
    let server = Server::start();
    let address = server.address();
    std::thread::scope(|scope| {
        for thread in 0..6 {
            scope.spawn(move || {
                // Two users, three phones each, all at once.
                let user = if thread % 2 == 0 { "alice" } else { "bob" };
                let phone = Phone::udp(address, user);
                for _ in 0..10 {
                    let listed = |answer: &siphon_tests::message::Message| {
                        answer.list("Contact").iter().any(|c| c.contains(&phone.peer.local().to_string()))
                    };
                    assert!(listed(&phone.register()));
                    let lines = format!("Contact: {}\nExpires: 0", phone.contact());
                    assert!(!listed(&phone.register_as(&lines, "secret", 200)));
                }
                phone.register();
            });
        }
    });
    assert_eq!(contacts(&Phone::udp(address, "alice")).len(), 3);
    assert_eq!(contacts(&Phone::udp(address, "bob")).len(), 3);
}

/// A server whose registrar has this YAML.
fn registrar(yaml: &str) -> Server {
    Server::subject(&Options { more: format!("registrar: {{{yaml}}}\n"), ..Options::default() })
}

#[test]
fn a_path_that_the_phone_does_not_support_is_refused_or_used_as_registrar_path_says() {
    if Kind::chosen() != Kind::Siphon {
        return;
    }
    for (policy, status) in [("strict", 420), ("lenient", 200)] {
        let server = registrar(&format!("path: {policy}"));
        let (alice, edge) = (Phone::udp(server.address(), "alice"), Phone::udp(server.address(), "bob"));
        let lines =
            format!("Contact: <sip:alice@192.0.2.77>\nExpires: 60\nPath: <sip:{};lr>", edge.peer.local());
        // The phone says nothing of `path`; who inserted it is an edge proxy on the way.
        let text = |lines: &str| alice.register_text(lines).replace("Supported: path\n", "");
        alice.peer.send(&text(&lines));
        let challenge = alice.peer.final_status("REGISTER", 401);
        let value = challenge.header("WWW-Authenticate");
        let answer = digest::answer(value, "REGISTER", "sip:example.com", "alice", "secret");
        alice.peer.send(&text(&format!("{lines}\nAuthorization: {answer}")));
        let answer = alice.peer.final_status("REGISTER", status);
        assert_eq!(answer.header("Path"), "", "the phone would not understand it");
        assert_eq!(answer.header("Unsupported"), if status == 420 { "path" } else { "" });
        if status == 200 {
            edge.peer.send(&edge.invite("sip:alice@example.com").0);
            let invite = edge.peer.request("INVITE");
            assert_eq!(invite.request_uri(), "sip:alice@192.0.2.77", "it came along the path");
        }
    }
}

#[test]
fn phones_are_given_the_service_route() {
    if Kind::chosen() != Kind::Siphon {
        return;
    }
    let server = registrar("service_route: [\"sip:orig@a.example.com;lr\", \"sip:b.example.com;lr\"]");
    let granted = Phone::udp(server.address(), "alice").register();
    let routes = granted.list("Service-Route");
    assert_eq!(routes, ["<sip:orig@a.example.com;lr>", "<sip:b.example.com;lr>"]);
    assert_eq!(Phone::udp(Server::start().address(), "alice").register().header("Service-Route"), "");
}
