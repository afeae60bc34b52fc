//! Peers that strain the daemon over TCP: half-closed, never reading, too many, more than it has file descriptors for.

use std::time::{Duration, Instant};

use siphon_tests::daemon::{Daemon, options_text};
use siphon_tests::message::Message;
use siphon_tests::peer::Peer;
use siphon_tests::phone::{Phone, unique};
use siphon_tests::scratch::Scratch;

/// Answers what is for the node, relays the rest.
const SCRIPT: &str = "from siphon import proxy\n@proxy.on_request\ndef route(request):\n    \
    if request.ruri.is_local:\n        request.reply(200)\n    else:\n        request.relay()\n";

fn folder() -> Scratch {
    let scratch = Scratch::new("strained");
    scratch.write("route.py", SCRIPT);
    scratch
}

/// UDP and TCP on one port, and further YAML.
fn yaml(more: &str) -> String {
    let shards = std::env::var("SHARDS").unwrap_or_else(|_| "1".to_owned());
    let port = siphon_tests::port::free();
    format!(
        "listen: {{udp: [\"127.0.0.1:{port}\"], tcp: [\"127.0.0.1:{port}\"]}}\nscript: {{path: route.py}}\n\
         shards: {shards}\ntransaction: {{t1_ms: 100, t2_ms: 800, t4_ms: 1000}}\nserver: {{drain_secs: 0}}\n{more}"
    )
}

fn daemon(more: &str) -> Daemon {
    Daemon::start_in(folder(), &yaml(more))
}

/// A MESSAGE to whoever listens at `to`.
fn message(from: &Peer, to: &Peer, body: &str) -> (String, String) {
    let (id, local) = (unique(), from.local());
    let transport = if to.transport() == "TCP" { ";transport=tcp" } else { "" };
    let text = format!(
        "MESSAGE sip:x@{}{transport} SIP/2.0\nVia: SIP/2.0/{} {local};branch=z9hG4bK{id}\nMax-Forwards: 70\n\
         From: <sip:a@{local}>;tag=1\nTo: <sip:x@{}>\nCall-ID: {id}\nCSeq: 1 MESSAGE\nContent-Type: text/plain\n\n{body}",
        to.local(),
        from.transport(),
        to.local()
    );
    (text, id)
}

fn is_final(message: &Message, call_id: &str) -> bool {
    message.status() >= 200 && message.header("Call-ID") == call_id
}

/// A peer that the daemon can serve is served.
fn serves(daemon: &Daemon, peer: &Peer) {
    let id = unique();
    peer.send(&options_text(peer, &id));
    assert_eq!(peer.find("an answer", |m| is_final(m, &id)).status(), 200, "{}", daemon.process.log());
}

#[test]
fn a_peer_that_ends_its_half_behind_its_request_gets_the_answer() {
    let daemon = daemon("");
    // Answered by the node itself: the request, the end of the peer's half, and the answer meet.
    for number in 0..20 {
        let peer = Peer::tcp(daemon.sip());
        let id = format!("half-{number}");
        peer.send(&options_text(&peer, &id));
        peer.end_sending();
        assert_eq!(peer.find("an answer", |m| is_final(m, &id)).status(), 200);
    }
    // Answered by another peer, which takes its time until the end has long been seen.
    let (alice, bob) = (Peer::tcp(daemon.sip()), Peer::udp(daemon.sip()));
    let (text, id) = message(&alice, &bob, "hello");
    alice.send(&text);
    alice.end_sending();
    let at_bob = bob.request("MESSAGE");
    let again = bob.request("MESSAGE");
    assert_eq!(at_bob.header("Via"), again.header("Via"), "Timer E has passed");
    bob.send(&at_bob.response(202, "Accepted", "b", &[]));
    assert_eq!(alice.find("the answer", |m| is_final(m, &id)).status(), 202);
}

#[test]
fn a_peer_that_ends_its_half_and_waits_for_nothing_is_let_go() {
    let daemon = daemon("");
    let peer = Peer::tcp(daemon.sip());
    peer.end_sending();
    assert!(peer.is_closed(Duration::from_secs(8)));
}

#[test]
fn a_connection_on_which_nothing_comes_is_closed_after_its_idle_time_and_not_before() {
    let (short, usual) = (daemon("limits: {connection_idle_secs: 1s}\n"), daemon(""));
    let (idle, kept) = (Peer::tcp(short.sip()), Peer::tcp(usual.sip()));
    serves(&short, &idle);
    serves(&usual, &kept);
    assert!(idle.is_closed(Duration::from_secs(8)));
    assert!(!kept.is_closed(Duration::from_millis(1)));
    serves(&usual, &kept);
}

#[test]
fn a_peer_that_never_reads_holds_up_nobody_and_what_does_not_fit_is_answered() {
    let daemon = daemon("limits: {send_queue_bytes: 64KiB}\n");
    let (alice, deaf) = (Peer::tcp(daemon.sip()), Peer::tcp(daemon.sip()));
    let body = "x".repeat(60_000);
    let began = Instant::now();
    let mut asked = 0;
    // Buffers of the kernel take some megabytes; then the daemon's own queue is full.
    let failed = loop {
        alice.send(&message(&alice, &deaf, &body).0);
        asked += 1;
        let answer = alice.receive(Duration::from_millis(1));
        if let Some(answer) = answer.filter(|m| m.status() >= 300) {
            break answer;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{asked} messages and no answer");
    };
    assert!(matches!(failed.status(), 500 | 503), "{failed:?}");
    assert!(asked > 2, "the way to it was never there");
    // Others are served meanwhile, over both transports, to the node and through it.
    let (over_tcp, over_udp) = (Peer::tcp(daemon.sip()), Peer::udp(daemon.sip()));
    serves(&daemon, &over_tcp);
    serves(&daemon, &over_udp);
    let (text, id) = message(&over_tcp, &over_udp, "hello");
    over_tcp.send(&text);
    over_udp.send(&over_udp.request("MESSAGE").response(200, "OK", "b", &[]));
    assert_eq!(over_tcp.find("the answer", |m| is_final(m, &id)).status(), 200);
}

#[test]
fn a_connection_too_many_is_closed_at_once_and_the_others_stay() {
    for limits in ["connections: 3", "connections_per_address: 3"] {
        let daemon = daemon(&format!("limits: {{{limits}}}\n"));
        let peers: Vec<Peer> = (0..3).map(|_| Peer::tcp(daemon.sip())).collect();
        peers.iter().for_each(|peer| serves(&daemon, peer));
        assert!(Peer::tcp(daemon.sip()).is_closed(Duration::from_secs(8)), "{limits}");
        peers.iter().for_each(|peer| serves(&daemon, peer));
        serves(&daemon, &Peer::udp(daemon.sip()));
        // Room again: as soon as the daemon has seen that one of them is gone.
        drop(peers);
        let end = Instant::now() + Duration::from_secs(8);
        while Peer::tcp(daemon.sip()).is_closed(Duration::from_millis(20)) {
            assert!(Instant::now() < end, "{limits}: no room though all are gone");
        }
    }
}

#[test]
fn without_file_descriptors_who_is_there_is_served_and_others_are_once_there_are_some() {
    let daemon = Daemon::start_with_files(folder(), &yaml(""), 64);
    let early = Peer::tcp(daemon.sip());
    serves(&daemon, &early);
    // The kernel takes these in; the daemon cannot accept the last of them.
    let many: Vec<Peer> = (0..80).map(|_| Peer::tcp(daemon.sip())).collect();
    let open = || std::fs::read_dir(format!("/proc/{}/fd", daemon.process.pid())).map_or(0, Iterator::count);
    let end = Instant::now() + Duration::from_secs(8);
    while open() < 64 {
        assert!(Instant::now() < end, "{} files are open", open());
    }
    let phone = Phone::udp(daemon.sip(), "alice");
    serves(&daemon, &phone.peer);
    serves(&daemon, &early);
    // A connection of its own it cannot open either: that is an answer, not silence.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let target = listener.local_addr().expect("it is bound");
    let (text, id) = message(&phone.peer, &early, "hello");
    let text = text.replace(&early.local().to_string(), &target.to_string());
    phone.peer.send(&text);
    let answer = phone.peer.find("an answer", |m| is_final(m, &id));
    assert!(matches!(answer.status(), 500 | 503), "{answer:?}");
    let late = Peer::tcp(daemon.sip());
    late.send(&options_text(&late, "late"));
    late.nothing("an answer without a descriptor", Duration::from_millis(1), |_| true);
    drop(many);
    assert_eq!(late.find("an answer", |m| is_final(m, "late")).status(), 200);
}
