//! What a proxy refuses or must not pass on (RFC 3261 16.3, 16.7, 9.2), and that it is no open relay.

use std::time::Duration;

use siphon_tests::message::{Message, on_the_wire};
use siphon_tests::peer::Peer;
use siphon_tests::phone::{Phone, unique};
use siphon_tests::scratch::Scratch;
use siphon_tests::subject::{Kind, Options, Server};

/// A request of alice outside any dialog.
fn request(alice: &Phone, method: &str, uri: &str, lines: &str) -> String {
    let id = unique();
    format!(
        "{method} {uri} SIP/2.0\n{}\nMax-Forwards: 70\nFrom: <sip:alice@example.com>;tag={id}\nTo: <{uri}>\n\
         Call-ID: refused-{id}\nCSeq: 1 {method}\nContact: {}\n{lines}\n",
        alice.via(),
        alice.contact()
    )
}

fn refused(method: &str, uri: &str, lines: &str, status: u16) -> Message {
    let mut server = Server::start();
    let alice = Phone::udp(server.address(), "alice");
    alice.peer.send(&request(&alice, method, uri, lines));
    let answer = alice.peer.final_status(method, status);
    server.still_answers("a refusal");
    answer
}

#[test]
fn unknown_proxy_require_is_420_and_named() {
    if Kind::chosen() == Kind::Kamailio {
        return; // its sanity module does not answer this one
    }
    let answer = refused("MESSAGE", "sip:bob@example.com", "Proxy-Require: teleport\n", 420);
    assert_eq!(answer.header("Unsupported"), "teleport");
}

#[test]
fn request_inside_a_dialog_without_our_route_is_404() {
    let server = Server::start();
    let alice = Phone::udp(server.address(), "alice");
    let text = request(&alice, "BYE", "sip:bob@example.com", "");
    alice.peer.send(&text.replace("To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=unknown"));
    alice.peer.final_status("BYE", 404);
}

#[test]
fn cancel_that_matches_nothing_is_481() {
    // Kamailio's usual script drops it (RFC 3261 16.10 lets a proxy forward it statelessly).
    if Kind::chosen() == Kind::Siphon {
        refused("CANCEL", "sip:bob@example.com", "", 481);
    }
}

#[test]
fn unknown_uri_scheme_is_416() {
    if Kind::chosen() == Kind::Siphon {
        refused("MESSAGE", "nobodyKnowsThisScheme:totallyopaque", "", 416);
    }
}

#[test]
fn malformed_request_is_400_and_names_its_fault() {
    let mismatch = |text: String| text.replace("CSeq: 1 MESSAGE", "CSeq: 1 INFO");
    let server = Server::start();
    let alice = Phone::udp(server.address(), "alice");
    alice.peer.send(&mismatch(request(&alice, "MESSAGE", "sip:bob@example.com", "")));
    let answer = alice.peer.find("400", |m| m.status() >= 200);
    assert_eq!(answer.status(), 400, "{answer:?}");
    assert!(answer.start_line().contains("CSeq"), "{}", answer.start_line());
}

#[test]
fn unavailable_callee_is_not_passed_up_as_503() {
    if Kind::chosen() == Kind::Kamailio {
        return; // 5.6 passes it up unless the script says otherwise
    }
    let server = Server::start();
    let (alice, bob) = (Phone::udp(server.address(), "alice"), Phone::udp(server.address(), "bob"));
    bob.register();
    let (invite, _) = alice.invite("sip:bob@example.com");
    alice.peer.send(&invite);
    bob.answer(&bob.peer.request("INVITE"), 503, "Service Unavailable");
    bob.peer.request("ACK");
    let answer = alice.peer.final_status("INVITE", 500);
    alice.peer.send(&alice.within(&invite, "ACK", Some(answer.header("To"))));
}

#[test]
fn strangers_cannot_relay_through_the_default_script() {
    let server = Server::start();
    let (mallory, victim) = (Phone::udp(server.address(), "mallory"), Peer::udp(server.address()));
    let elsewhere = format!("sip:victim@{}", victim.local());
    // Directly, and with a preloaded route that ends at the proxy.
    mallory.peer.send(&request(&mallory, "MESSAGE", &elsewhere, ""));
    mallory.peer.final_status("MESSAGE", 404);
    let route = format!("Route: <sip:{};lr>\n", server.address());
    mallory.peer.send(&request(&mallory, "MESSAGE", &elsewhere, &route));
    mallory.peer.final_status("MESSAGE", 404);
    // With a route that names the victim after the proxy.
    let route = format!("Route: <sip:{};lr>, <sip:{};lr>\n", server.address(), victim.local());
    mallory.peer.send(&request(&mallory, "MESSAGE", "sip:bob@example.com", &route));
    mallory.peer.final_status("MESSAGE", 404);
    victim.nothing("a relayed message", Duration::from_millis(200), |_| true);
}

#[test]
fn a_loop_between_binding_and_proxy_ends() {
    let server = Server::start();
    let (alice, bob) = (Phone::udp(server.address(), "alice"), Phone::udp(server.address(), "bob"));
    // Bob's binding points back at bob's own address-of-record.
    bob.register_as("Contact: <sip:bob@example.com>\nExpires: 60", "secret", 200);
    alice.peer.send(&request(&alice, "MESSAGE", "sip:bob@example.com", ""));
    let answer = alice.peer.find("a final response", |m| m.status() >= 200);
    assert!(matches!(answer.status(), 482 | 483 | 404 | 408 | 478 | 500 | 503), "{answer:?}");
}

#[test]
fn requests_and_responses_keep_what_the_proxy_does_not_know() {
    let server = Server::start();
    let (alice, bob) = (Phone::udp(server.address(), "alice"), Phone::udp(server.address(), "bob"));
    bob.register();
    let odd = "X-Odd:  kept  as it\tis\nSubject: caf\u{e9} \u{2603}\nP-Unknown-List: a;b=\"c,d\", e\n";
    alice.peer.send(&request(&alice, "NEWMETHOD", "sip:bob@example.com", odd));
    let at_bob = bob.peer.request("NEWMETHOD");
    for line in odd.lines() {
        assert!(at_bob.text().contains(line), "{line:?} is not in {at_bob:?}");
    }
    assert_eq!(at_bob.header("Max-Forwards"), "69");
    let answer = at_bob.response(299, "Very \u{2713} Fine", "t", &["X-Back: yes;  really"]);
    bob.peer.send(&answer);
    let answer = alice.peer.find("299", |m| m.status() >= 200);
    assert_eq!(answer.start_line(), "SIP/2.0 299 Very \u{2713} Fine");
    assert!(answer.text().contains("X-Back: yes;  really"), "{answer:?}");
    assert_eq!(answer.headers("Via").len(), 1);
}

/// Proves who calls, then relays to where the Request-URI says.
const PROVING: &str = "from siphon import proxy, auth\n@proxy.on_request\ndef route(request):\n    \
    if request.method == \"INVITE\" and not request.in_dialog and not auth.require_proxy_digest(request):\n        return\n    \
    request.loose_route()\n    request.record_route()\n    request.relay()\n";

#[test]
fn credentials_that_were_for_this_proxy_are_not_passed_on_and_others_are() {
    if Kind::chosen() == Kind::Kamailio {
        return;
    }
    let scratch = Scratch::new("credentials");
    let script = scratch.write("prove.py", PROVING);
    let server = Server::subject(&Options { script: Some(script), ..Options::default() });
    let (alice, bob) = (Phone::udp(server.address(), "alice"), Phone::udp(server.address(), "bob"));
    let (invite, mut dialog) = alice.invite(&format!("sip:bob@{}", bob.peer.local()));
    alice.peer.send(&invite);
    let challenge = alice.peer.final_status("INVITE", 407);
    let theirs = "Digest username=\"alice\", realm=\"elsewhere\", nonce=\"n\", uri=\"sip:x\", response=\"r\"";
    let with_theirs =
        |text: &str| text.replace("Contact:", &format!("Proxy-Authorization: {theirs}\nContact:"));
    let sent = alice.prove_with(&dialog, &invite, &challenge, with_theirs);
    let ours = Message::read(&on_the_wire(&sent));
    let ours = ours.headers("Proxy-Authorization").into_iter().find(|v| *v != theirs).expect("credentials");
    let at_bob = bob.peer.request("INVITE");
    assert_eq!(at_bob.headers("Proxy-Authorization"), [theirs]);
    bob.answer(&at_bob, 200, "OK");
    dialog.confirm(&alice.peer.final_status("INVITE", 200));
    // An ACK repeats the credentials of its INVITE (RFC 3261 22.1), and later requests may.
    for method in ["ACK", "INFO"] {
        let lines = format!("Proxy-Authorization: {ours}\nProxy-Authorization: {theirs}");
        alice.send_in(&dialog, method, &lines);
        assert_eq!(bob.peer.request(method).headers("Proxy-Authorization"), [theirs], "{method}");
    }
}
