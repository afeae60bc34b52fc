//! One AoR, several phones: parallel forking, the losers cancelled, the best response (RFC 3261 16.7).

use std::time::Duration;

use siphon_tests::phone::Phone;
use siphon_tests::subject::Server;

const BOB: &str = "sip:bob@example.com";

#[test]
fn one_of_two_phones_answers_and_the_other_is_cancelled() {
    let server = Server::start();
    let alice = Phone::udp(server.address(), "alice");
    let (desk, mobile) = (Phone::udp(server.address(), "bob"), Phone::udp(server.address(), "bob"));
    desk.register();
    mobile.register();

    let (invite, mut dialog) = alice.invite(BOB);
    alice.peer.send(&invite);
    let (at_desk, at_mobile) = (desk.peer.request("INVITE"), mobile.peer.request("INVITE"));
    assert_ne!(at_desk.param("Via", "branch"), at_mobile.param("Via", "branch"), "each branch has its own");
    desk.answer(&at_desk, 180, "Ringing");
    mobile.answer(&at_mobile, 180, "Ringing");
    mobile.answer(&at_mobile, 200, "OK");

    let cancel = desk.peer.request("CANCEL");
    assert_eq!(cancel.param("Via", "branch"), at_desk.param("Via", "branch"));
    desk.answer(&cancel, 200, "OK");
    desk.answer(&at_desk, 487, "Request Terminated");
    desk.peer.request("ACK");

    let answer = alice.peer.final_status("INVITE", 200);
    dialog.confirm(&answer);
    alice.ack(&dialog);
    mobile.peer.request("ACK");
    alice.send_in(&dialog, "BYE", "");
    mobile.answer(&mobile.peer.request("BYE"), 200, "OK");
    alice.peer.final_status("BYE", 200);
    alice.peer.nothing("a 487 of the cancelled branch", Duration::from_millis(200), |m| m.status() == 487);
}

#[test]
fn the_best_of_two_refusals_goes_up_once_both_are_in() {
    let server = Server::start();
    let alice = Phone::udp(server.address(), "alice");
    let (desk, mobile) = (Phone::udp(server.address(), "bob"), Phone::udp(server.address(), "bob"));
    desk.register();
    mobile.register();

    let (invite, _) = alice.invite(BOB);
    alice.peer.send(&invite);
    desk.answer(&desk.peer.request("INVITE"), 500, "Server Internal Error");
    desk.peer.request("ACK");
    let early = |m: &siphon_tests::message::Message| m.status() >= 200;
    alice.peer.nothing("a final response before all branches ended", Duration::from_millis(200), early);
    mobile.answer(&mobile.peer.request("INVITE"), 486, "Busy Here");
    mobile.peer.request("ACK");
    let answer = alice.peer.final_status("INVITE", 486);
    alice.peer.send(&alice.within(&invite, "ACK", Some(answer.header("To"))));
}

#[test]
fn a_6xx_ends_the_search_at_once() {
    let server = Server::start();
    let alice = Phone::udp(server.address(), "alice");
    let (desk, mobile) = (Phone::udp(server.address(), "bob"), Phone::udp(server.address(), "bob"));
    desk.register();
    mobile.register();

    let (invite, _) = alice.invite(BOB);
    alice.peer.send(&invite);
    let (at_desk, at_mobile) = (desk.peer.request("INVITE"), mobile.peer.request("INVITE"));
    mobile.answer(&at_mobile, 180, "Ringing");
    desk.answer(&at_desk, 603, "Decline");
    desk.peer.request("ACK");
    mobile.answer(&mobile.peer.request("CANCEL"), 200, "OK");
    mobile.answer(&at_mobile, 487, "Request Terminated");
    mobile.peer.request("ACK");
    let answer = alice.peer.final_status("INVITE", 603);
    alice.peer.send(&alice.within(&invite, "ACK", Some(answer.header("To"))));
}

#[test]
fn cancel_from_the_caller_reaches_every_ringing_phone() {
    let server = Server::start();
    let alice = Phone::udp(server.address(), "alice");
    let phones = [(); 3].map(|()| Phone::udp(server.address(), "bob"));
    for phone in &phones {
        phone.register();
    }
    let (invite, _) = alice.invite(BOB);
    alice.peer.send(&invite);
    let invites = phones.each_ref().map(|phone| {
        let invite = phone.peer.request("INVITE");
        phone.answer(&invite, 180, "Ringing");
        invite
    });
    alice.peer.provisional("INVITE", 180);
    alice.peer.send(&alice.within(&invite, "CANCEL", None));
    alice.peer.final_status("CANCEL", 200);
    for (phone, invite) in phones.iter().zip(&invites) {
        phone.answer(&phone.peer.request("CANCEL"), 200, "OK");
        phone.answer(invite, 487, "Request Terminated");
        phone.peer.request("ACK");
    }
    let answer = alice.peer.final_status("INVITE", 487);
    alice.peer.send(&alice.within(&invite, "ACK", Some(answer.header("To"))));
}
