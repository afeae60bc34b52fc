//! Phones that can be reached only through the connection they opened, and mixed transports on one call.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::time::Duration;

use siphon_tests::daemon::Daemon;
use siphon_tests::message::Message;
use siphon_tests::peer::Peer;
use siphon_tests::phone::{Phone, unique};
use siphon_tests::scratch::Scratch;
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

/// A node that sends requests where their Request-URI says; its path to the next hop takes datagrams of `mtu` octets.
fn relaying(mtu: u16) -> Daemon {
    let scratch = Scratch::new("mtu");
    let script = "from siphon import proxy\n@proxy.on_request\ndef route(request):\n    request.relay()\n";
    scratch.write("route.py", script);
    let listen = format!("listen: {{udp: [\"127.0.0.1:0\"], tcp: [\"127.0.0.1:0\"], mtu: {mtu}}}\n");
    Daemon::start_in(scratch, &format!("{listen}script: {{path: route.py}}\nserver: {{drain_secs: 0}}\n"))
}

/// Sends a MESSAGE to whoever listens at the address of `bob`, with so long a body.
fn message(alice: &Phone, bob: &Phone, length: usize) {
    let (id, to, via) = (unique(), bob.peer.local(), alice.via());
    alice.peer.send(&format!(
        "MESSAGE sip:bob@{to} SIP/2.0\n{via}\nMax-Forwards: 70\nFrom: <sip:alice@example.com>;tag=1\nTo: <sip:bob@{to}>\n\
         Call-ID: {id}\nCSeq: 1 MESSAGE\nContent-Type: text/plain\n\n{}",
        "x".repeat(length)
    ));
}

/// `bob` gets the MESSAGE over that transport, whole, and its answer comes back.
fn arrives(alice: &Phone, bob: &Peer, transport: &str, length: usize) {
    let at_bob: Message = bob.request("MESSAGE");
    assert!(at_bob.header("Via").starts_with(&format!("SIP/2.0/{transport} ")), "{at_bob:?}");
    assert_eq!(at_bob.body().len(), length);
    bob.send(&at_bob.response(202, "Accepted", "b", &[]));
    alice.peer.final_status("MESSAGE", 202);
}

#[test]
fn a_request_above_the_mtu_leaves_by_tcp_and_by_udp_where_tcp_is_refused() {
    // RFC 3261 18.1.1: within 200 octets of the MTU it is too long for a datagram.
    let (usual, jumbo) = (relaying(1500), relaying(4000));
    let alice = Phone::udp(usual.sip(), "alice");
    let both = || {
        let bob = Phone::udp(usual.sip(), "bob");
        TcpListener::bind(bob.peer.local()).ok().map(|listener| (bob, listener))
    };
    let (bob, listener) = (0..20).find_map(|_| both()).expect("a port that is free over UDP and TCP");
    message(&alice, &bob, 10);
    arrives(&alice, &bob.peer, "UDP", 10);
    message(&alice, &bob, 2000);
    arrives(&alice, &Peer::accepted(&listener), "TCP", 2000);
    let patient = Phone::udp(jumbo.sip(), "alice");
    let (bob, plain) = (Phone::udp(jumbo.sip(), "bob"), Phone::udp(usual.sip(), "bob"));
    message(&patient, &bob, 2000);
    arrives(&patient, &bob.peer, "UDP", 2000);
    message(&alice, &plain, 2000);
    arrives(&alice, &plain.peer, "UDP", 2000);
}
