//! Kamailio as neighbour on either side: an edge proxy on the path of registrations and calls (RFC 3327, 16.12).

use siphon_tests::phone::Phone;
use siphon_tests::subject::Server;

fn call_through_the_edge(transport: &str, callee_hangs_up: bool) {
    let subject = Server::start();
    let edge = Server::edge(subject.address(), transport);
    let (alice, bob) = (Phone::udp(edge.address(), "alice"), Phone::udp(edge.address(), "bob"));
    bob.register();
    alice.register();

    let (invite, mut dialog) = alice.invite("sip:bob@example.com");
    alice.peer.send(&invite);
    let at_bob = bob.peer.request("INVITE");
    // Edge, subject, edge again, and alice's own.
    assert_eq!(at_bob.list("Via").len(), 4, "{at_bob:?}");
    assert_eq!(at_bob.header("Route"), "", "{at_bob:?}");
    bob.answer(&at_bob, 180, "Ringing");
    alice.peer.provisional("INVITE", 180);
    let answer = bob.answer(&at_bob, 200, "OK");
    dialog.confirm(&alice.peer.final_status("INVITE", 200));
    assert!(dialog.routes().len() >= 3, "edge, subject, edge: {:?}", dialog.routes());
    alice.ack(&dialog);
    bob.peer.request("ACK");
    alice.reinvite(&dialog);
    bob.answer(&bob.peer.request("INVITE"), 200, "OK");
    alice.peer.final_status("INVITE", 200);
    alice.ack(&dialog);
    bob.peer.request("ACK");
    if callee_hangs_up {
        bob.send_in(&bob.callee_dialog(&at_bob, &answer), "BYE", "");
        alice.answer(&alice.peer.request("BYE"), 200, "OK");
        bob.peer.final_status("BYE", 200);
    } else {
        alice.send_in(&dialog, "BYE", "");
        bob.answer(&bob.peer.request("BYE"), 200, "OK");
        alice.peer.final_status("BYE", 200);
    }
}

#[test]
fn call_between_two_phones_behind_kamailio() {
    call_through_the_edge("udp", false);
}

#[test]
fn callee_behind_kamailio_hangs_up() {
    call_through_the_edge("udp", true);
}

#[test]
fn kamailio_reaches_the_subject_over_tcp() {
    call_through_the_edge("tcp", false);
}

#[test]
fn cancel_crosses_both_neighbours() {
    let subject = Server::start();
    let edge = Server::edge(subject.address(), "udp");
    let (alice, bob) = (Phone::udp(edge.address(), "alice"), Phone::udp(edge.address(), "bob"));
    bob.register();
    let (invite, _) = alice.invite("sip:bob@example.com");
    alice.peer.send(&invite);
    let at_bob = bob.peer.request("INVITE");
    bob.answer(&at_bob, 180, "Ringing");
    alice.peer.provisional("INVITE", 180);
    alice.peer.send(&alice.within(&invite, "CANCEL", None));
    alice.peer.final_status("CANCEL", 200);
    bob.answer(&bob.peer.request("CANCEL"), 200, "OK");
    bob.answer(&at_bob, 487, "Request Terminated");
    bob.peer.request("ACK");
    let answer = alice.peer.final_status("INVITE", 487);
    alice.peer.send(&alice.within(&invite, "ACK", Some(answer.header("To"))));
}
