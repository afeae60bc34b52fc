//! Phones that can be reached only through the connection they opened, and mixed transports on one call.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::time::Duration;

use siphon_tests::peer::Peer;
use siphon_tests::phone::Phone;
use siphon_tests::subject::{Options, Server};

fn start(listen: &[IpAddr]) -> Server {
    Server::subject(&Options { listen: listen.to_vec(), ..Options::default() })
}

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn whole_call(caller: &Phone, callee: &Phone, callee_hangs_up: bool) {
    let (invite, mut dialog) = caller.invite("sip:bob@example.com");
    caller.peer.send(&invite);
    let at_callee = callee.peer.request("INVITE");
    let answer = callee.answer(&at_callee, 200, "OK");
    dialog.confirm(&caller.peer.final_status("INVITE", 200));
    caller.ack(&dialog);
    callee.peer.request("ACK");
    if callee_hangs_up {
        callee.send_in(&callee.callee_dialog(&at_callee, &answer), "BYE", "");
        caller.answer(&caller.peer.request("BYE"), 200, "OK");
        callee.peer.final_status("BYE", 200);
    } else {
        caller.send_in(&dialog, "BYE", "");
        callee.answer(&callee.peer.request("BYE"), 200, "OK");
        caller.peer.final_status("BYE", 200);
    }
}

#[test]
fn phone_reachable_only_through_its_tcp_flow_is_called() {
    let server = start(&[V4]);
    let (alice, bob) = (Phone::udp(server.address(), "alice"), Phone::tcp(server.address(), "bob"));
    bob.register();
    whole_call(&alice, &bob, false);
}

#[test]
fn phone_behind_its_tcp_flow_hangs_up() {
    let server = start(&[V4]);
    let (alice, bob) = (Phone::udp(server.address(), "alice"), Phone::tcp(server.address(), "bob"));
    bob.register();
    whole_call(&alice, &bob, true);
}

#[test]
fn phone_on_tcp_calls_a_phone_on_udp() {
    let server = start(&[V4]);
    let (alice, bob) = (Phone::tcp(server.address(), "alice"), Phone::udp(server.address(), "bob"));
    bob.register();
    whole_call(&alice, &bob, false);
}

#[test]
fn two_phones_each_behind_a_tcp_flow_call_each_other() {
    let server = start(&[V4]);
    let (alice, bob) = (Phone::tcp(server.address(), "alice"), Phone::tcp(server.address(), "bob"));
    alice.register();
    bob.register();
    whole_call(&alice, &bob, false);
    whole_call(&alice, &bob, true);
}

#[test]
fn many_messages_in_one_segment_and_one_message_in_many() {
    let server = start(&[V4]);
    let alice = Phone::tcp(server.address(), "alice");
    let options = |n: u32| {
        let text = format!(
            "OPTIONS sip:example.com SIP/2.0\n{}\nMax-Forwards: 70\nFrom: <sip:alice@example.com>;tag=s{n}\n\
             To: <sip:example.com>\nCall-ID: segments-{n}\nCSeq: {n} OPTIONS\nContact: {}\n\n",
            alice.via(),
            alice.contact()
        );
        siphon_tests::message::on_the_wire(&text)
    };
    let pipelined: Vec<u8> = (1..=20).flat_map(options).collect();
    alice.peer.send_bytes(&pipelined);
    for n in 1..=20 {
        let id = format!("segments-{n}");
        let answer = alice.peer.find("an answer to each", |m| m.header("Call-ID") == id);
        assert_eq!(answer.status(), 200);
    }
    alice.peer.send_bytes(b"\r\n\r\n");
    for byte in options(21) {
        alice.peer.send_bytes(&[byte]);
    }
    assert_eq!(alice.peer.find("200", |m| m.header("Call-ID") == "segments-21").status(), 200);
}

#[test]
fn a_peer_that_stops_in_the_middle_of_a_message_holds_up_nobody() {
    let server = start(&[V4]);
    let half = Phone::tcp(server.address(), "alice");
    half.peer.send_bytes(b"INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP ");
    let (alice, bob) = (Phone::tcp(server.address(), "alice"), Phone::udp(server.address(), "bob"));
    bob.register();
    whole_call(&alice, &bob, false);
    half.peer.nothing("anything", Duration::from_millis(50), |_| true);
}

/// Whether this machine has an IPv6 loopback at all; containers often have none.
fn has_ipv6() -> bool {
    UdpSocket::bind("[::1]:0").is_ok()
}

#[test]
fn call_over_ipv6() {
    if !has_ipv6() {
        return eprintln!("no IPv6 on this machine");
    }
    let server = start(&[V6]);
    let (alice, bob) = (Phone::udp(server.address(), "alice"), Phone::tcp(server.address(), "bob"));
    bob.register();
    whole_call(&alice, &bob, false);
    whole_call(&alice, &bob, true);
}

#[test]
fn caller_on_ipv4_and_callee_on_ipv6_hang_up_either_way() {
    if !has_ipv6() {
        return eprintln!("no IPv6 on this machine");
    }
    let server = start(&[V4, V6]);
    let (alice, bob) = (Phone::udp(server.at(V4), "alice"), Phone::udp(server.at(V6), "bob"));
    bob.register();
    whole_call(&alice, &bob, false);
    whole_call(&alice, &bob, true);
}

/// Registers `bob` at a stream that accepts and, if there is one, at a second contact that comes next.
fn bob_at(server: &Server, listener: &TcpListener, second: Option<&Phone>) {
    let bob = Phone::udp(server.address(), "bob");
    let at = listener.local_addr().unwrap();
    let second = second.map_or(String::new(), |phone| format!("\nContact: {};q=0.5", phone.contact()));
    bob.register_as(&format!("Contact: <sip:bob@{at};transport=tcp>;q=0.9{second}"), "secret", 200);
}

#[test]
fn a_peer_that_takes_the_request_and_breaks_the_connection_fails_the_branch_at_once() {
    let server = start(&[V4]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    bob_at(&server, &listener, None);
    let alice = Phone::udp(server.address(), "alice");
    let (invite, _) = alice.invite("sip:bob@example.com");
    alice.peer.send(&invite);
    let taken = Peer::accepted(&listener);
    taken.request("INVITE");
    drop(taken);
    // RFC 3261 16.9: as if 503 had come, which does not go up as such (16.7 step 6). Timer B would be 32 seconds.
    alice.peer.final_status("INVITE", 500);
}

#[test]
fn the_next_contact_is_tried_when_the_connection_to_the_first_breaks_after_the_request() {
    let server = start(&[V4]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let second = Phone::udp(server.address(), "bob");
    bob_at(&server, &listener, Some(&second));
    let alice = Phone::udp(server.address(), "alice");
    for _ in 0..2 {
        let (invite, mut dialog) = alice.invite("sip:bob@example.com");
        alice.peer.send(&invite);
        let taken = Peer::accepted(&listener);
        taken.request("INVITE");
        drop(taken);
        second.answer(&second.peer.request("INVITE"), 200, "OK");
        dialog.confirm(&alice.peer.final_status("INVITE", 200));
        alice.ack(&dialog);
        second.peer.request("ACK");
    }
}
