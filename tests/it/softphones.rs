//! A real call between two baresip phones, with sound both ways.

use siphon_tests::baresip::{Account, Baresip};
use siphon_tests::subject::Server;

const ALICE: Account<'_> = Account {
    user: "alice",
    password: "secret",
    tone: 440.0,
    transport: "udp",
    dials: Some("sip:bob@example.com"),
    lives: 5,
};
const BOB: Account<'_> =
    Account { user: "bob", password: "secret", tone: 1000.0, transport: "udp", dials: None, lives: 8 };
const TONES: [f64; 5] = [300.0, 440.0, 600.0, 1000.0, 2000.0];

fn call(alice: Account<'_>, bob: Account<'_>) {
    let server = Server::start();
    let mut callee = Baresip::start(server.address(), &bob);
    callee.said("200 OK");
    let mut caller = Baresip::start(server.address(), &alice);
    let (at_caller, at_callee) = (caller.heard(&TONES), callee.heard(&TONES));
    assert_eq!(at_caller.tone, Some(bob.tone), "{at_caller:?}");
    assert_eq!(at_callee.tone, Some(alice.tone), "{at_callee:?}");
    assert!(at_caller.seconds > 2.0 && at_callee.seconds > 2.0, "{at_caller:?} {at_callee:?}");
}

#[test]
fn two_softphones_hear_each_other() {
    call(ALICE, BOB);
}

#[test]
fn a_softphone_behind_its_own_tcp_connection_is_reached() {
    call(ALICE, Account { transport: "tcp", ..BOB });
}
