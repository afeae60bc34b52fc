//! What UDP makes happen: repeated requests and responses, lost ACKs (RFC 3261 17, 13.2.2.4).

use std::time::Duration;

use siphon_tests::message::Message;
use siphon_tests::phone::{Dialog, Phone};
use siphon_tests::subject::Server;

const QUIET: Duration = Duration::from_millis(250);

struct Call {
    _server: Server,
    alice: Phone,
    bob: Phone,
    invite: String,
    at_bob: Message,
    dialog: Dialog,
}

fn ringing() -> Call {
    let server = Server::start();
    let (alice, bob) = (Phone::udp(server.address(), "alice"), Phone::udp(server.address(), "bob"));
    bob.register();
    let (invite, dialog) = alice.invite("sip:bob@example.com");
    alice.peer.send(&invite);
    let at_bob = bob.peer.request("INVITE");
    bob.answer(&at_bob, 180, "Ringing");
    alice.peer.provisional("INVITE", 180);
    Call { _server: server, alice, bob, invite, at_bob, dialog }
}

fn is_invite(message: &Message) -> bool {
    message.status() == 0 && message.method() == "INVITE"
}

#[test]
fn repeated_invite_is_absorbed_and_answered_with_the_latest_provisional() {
    let call = ringing();
    call.alice.peer.send(&call.invite);
    call.alice.peer.provisional("INVITE", 180);
    call.bob.peer.nothing("a second INVITE", QUIET, is_invite);
}

#[test]
fn invite_repeated_after_its_final_response_gets_that_response_again() {
    let call = ringing();
    call.bob.answer(&call.at_bob, 486, "Busy Here");
    call.bob.peer.request("ACK");
    let first = call.alice.peer.final_status("INVITE", 486);
    call.alice.peer.send(&call.invite);
    let again = call.alice.peer.final_status("INVITE", 486);
    assert_eq!(first.header("To"), again.header("To"));
    call.alice.peer.send(&call.alice.within(&call.invite, "ACK", Some(first.header("To"))));
    call.bob.peer.nothing("a second INVITE", QUIET, is_invite);
}

#[test]
fn refusal_is_repeated_until_its_ack_comes_and_not_after() {
    let call = ringing();
    call.bob.answer(&call.at_bob, 486, "Busy Here");
    call.bob.peer.request("ACK");
    let first = call.alice.peer.final_status("INVITE", 486);
    let again = call.alice.peer.final_status("INVITE", 486);
    assert_eq!(first, again, "Timer G repeats the same bytes");
    call.alice.peer.send(&call.alice.within(&call.invite, "ACK", Some(first.header("To"))));
    // One more may have been under way when the ACK was sent.
    let _ = call.alice.peer.receive(Duration::from_millis(50));
    call.alice.peer.nothing("a 486 after the ACK", Duration::from_millis(900), |m| m.status() == 486);
}

#[test]
fn lost_ack_makes_every_repeated_200_come_through_until_the_ack_does() {
    let mut call = ringing();
    let text = call.bob.answer(&call.at_bob, 200, "OK");
    let first = call.alice.peer.final_status("INVITE", 200);
    // No ACK: the callee repeats its 200, end to end (RFC 6026 7.1: the transaction passes it on).
    for _ in 0..3 {
        call.bob.peer.send(&text);
        let again = call.alice.peer.final_status("INVITE", 200);
        assert_eq!(first.header("To"), again.header("To"));
    }
    call.dialog.confirm(&first);
    call.alice.ack(&call.dialog);
    let ack = call.bob.peer.request("ACK");
    assert_eq!(ack.header("Route"), "", "the proxy takes its own Route away");
    call.alice.ack(&call.dialog);
    call.bob.peer.request("ACK");
}

#[test]
fn repeated_bye_is_absorbed() {
    let mut call = ringing();
    call.bob.answer(&call.at_bob, 200, "OK");
    call.dialog.confirm(&call.alice.peer.final_status("INVITE", 200));
    call.alice.ack(&call.dialog);
    call.bob.peer.request("ACK");
    let bye = call.alice.send_in(&call.dialog, "BYE", "");
    let at_bob = call.bob.peer.request("BYE");
    call.alice.peer.send(&bye);
    call.bob.peer.nothing("a BYE before Timer E", Duration::from_millis(40), |m| m.method() == "BYE");
    call.bob.answer(&at_bob, 200, "OK");
    call.alice.peer.final_status("BYE", 200);
    call.alice.peer.send(&bye);
    call.alice.peer.final_status("BYE", 200);
}

#[test]
fn the_ack_to_a_refusal_stays_between_neighbours() {
    let call = ringing();
    call.bob.answer(&call.at_bob, 486, "Busy Here");
    let ack = call.bob.peer.request("ACK");
    assert_eq!(ack.param("Via", "branch"), call.at_bob.param("Via", "branch"), "RFC 3261 17.1.1.3");
    assert_eq!(ack.headers("Via").len(), 1);
    let refusal = call.alice.peer.final_status("INVITE", 486);
    call.alice.peer.send(&call.alice.within(&call.invite, "ACK", Some(refusal.header("To"))));
    call.bob.peer.nothing("a second ACK", QUIET, |m| m.method() == "ACK");
}

#[test]
fn ringing_and_answer_sent_back_to_back_arrive_in_order_10000_times() {
    let server = Server::start();
    let bob = Phone::udp(server.address(), "bob");
    bob.register();
    for number in 0..100 {
        let alice = Phone::udp(server.address(), "alice");
        for call in 0..100 {
            let (invite, mut dialog) = alice.invite("sip:bob@example.com");
            alice.peer.send(&invite);
            let at_bob = bob.peer.request("INVITE");
            bob.answer(&at_bob, 180, "Ringing");
            bob.answer(&at_bob, 200, "OK");
            let ours = |m: &Message| m.header("Call-ID") == dialog.call_id() && m.status() > 100;
            let first = alice.peer.find("180", ours);
            assert_eq!(first.status(), 180, "the 200 overtook the 180 in call {call} of caller {number}");
            dialog.confirm(&alice.peer.final_status("INVITE", 200));
            alice.ack(&dialog);
            bob.peer.request("ACK");
        }
    }
}
