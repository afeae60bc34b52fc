//! Keys of the YAML that show only in a running daemon: each is changed, and the daemon behaves otherwise.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use siphon_tests::daemon::Daemon;
use siphon_tests::digest;
use siphon_tests::message::Message;
use siphon_tests::nameserver::Nameserver;
use siphon_tests::peer::Peer;
use siphon_tests::phone::Phone;
use siphon_tests::scratch::Scratch;

/// A listener, so that only what a test is about is in its own lines.
const LISTEN: &str = "listen: {udp: [\"127.0.0.1:0\"]}\n";

/// A daemon with this script and further YAML.
fn daemon(script: &str, more: &str) -> Daemon {
    let scratch = Scratch::new("keys");
    scratch.write("route.py", script);
    let one_shard = if more.contains("shards:") { "" } else { "shards: 1\n" };
    let path = if more.contains("script:") { "" } else { "script: {path: route.py}\n" };
    Daemon::start_in(scratch, &format!("{LISTEN}{one_shard}{path}{more}"))
}

/// The reason phrase of the answer to an OPTIONS: how these scripts say what they found.
fn says(daemon: &Daemon, call_id: &str) -> String {
    let answer = daemon.options(call_id).expect("an answer");
    answer.start_line().trim_start_matches("SIP/2.0 200 ").to_owned()
}

fn saying(text: &str) -> String {
    format!(
        "from siphon import proxy\n@proxy.on_request\ndef route(request):\n    request.reply(200, \"{text}\")\n"
    )
}

#[test]
fn a_changed_script_is_loaded_by_itself_or_on_hangup_only() {
    let auto = daemon(&saying("first"), "script: {path: route.py, reload: auto}\n");
    let sighup = daemon(&saying("first"), "script: {path: route.py, reload: sighup}\n");
    for daemon in [&auto, &sighup] {
        daemon.scratch.write("route.py", saying("second"));
    }
    auto.wait_for("reloaded: ");
    assert_eq!(says(&auto, "auto"), "second");
    // The other was written at the same time, so it would have been noticed by now.
    assert_eq!(says(&sighup, "before"), "first");
    assert!(!sighup.process.log().contains("reloaded: "));
    sighup.process.signal("HUP");
    sighup.wait_for("reloaded: ");
    assert_eq!(says(&sighup, "after"), "second");
}

#[test]
fn a_plain_handler_runs_on_its_shard_or_in_the_lane_as_script_sync_says() {
    // The first is one that `auto` has run in the lane, the second one that it runs on the shard's thread.
    let body = "import time, threading\nfrom siphon import proxy\n@proxy.on_request\ndef route(request):\n    SLEEP\n    \
                task = open(f\"/proc/self/task/{threading.get_native_id()}/comm\").read().strip()\n    \
                request.reply(200, task)\n";
    let (slow, quick) = (body.replace("SLEEP", "time.sleep(0)"), body.replace("SLEEP", "pass"));
    let thread = |script: &str, sync: &str| {
        let daemon = daemon(script, &format!("script: {{path: route.py, sync: {sync}}}\n"));
        says(&daemon, "thread")
    };
    assert_eq!(thread(&quick, "auto"), "shard-0");
    assert_eq!(thread(&slow, "inline"), "shard-0");
    assert_ne!(thread(&slow, "auto"), "shard-0");
    assert_ne!(thread(&quick, "lane"), "shard-0");
}

#[test]
fn shards_are_as_many_as_asked_for() {
    for shards in [1, 3] {
        let daemon = daemon(&saying("here"), &format!("shards: {shards}\n"));
        assert_eq!(says(&daemon, "here"), "here");
        let threads = daemon.threads();
        let serving = threads.iter().filter(|name| name.starts_with("shard-")).count();
        assert_eq!(serving, shards, "{threads:?}");
    }
}

#[test]
fn nodes_with_the_same_nonce_secret_accept_each_others_nonces() {
    let script = "from siphon import proxy, auth, registrar\n@proxy.on_request(\"REGISTER\")\ndef register(request):\n    \
                  if auth.require_digest(request):\n        registrar.save(request)\n";
    let node = |secret: &str| {
        let more =
            format!("auth: {{realm: \"example.com\", nonce_secret: {secret}, users: {{alice: secret}}}}\n");
        daemon(script, &more)
    };
    let (first, twin, stranger) = (node("pepper"), node("pepper"), node("salt"));
    let alice = |daemon: &Daemon| Phone::udp(daemon.sip(), "alice");
    let challenged = alice(&first);
    challenged.peer.send(&challenged.register_text(""));
    let challenge = challenged.peer.final_status("REGISTER", 401);
    let value = challenge.header("WWW-Authenticate");
    let credentials = digest::answer(value, "REGISTER", "sip:example.com", "alice", "secret");
    for (daemon, status) in [(&stranger, 401), (&twin, 200)] {
        let phone = alice(daemon);
        phone.peer.send(&phone.register_text(&format!("Authorization: {credentials}")));
        let answer = phone.peer.final_status("REGISTER", status);
        let stale = answer.header("WWW-Authenticate").contains("stale=true");
        assert_eq!(stale, status == 401, "the password was right: {answer:?}");
    }
}

const RELAY: &str = "from siphon import proxy\n@proxy.on_request\ndef route(request):\n    request.relay()\n";

/// Sends a MESSAGE to a phone whose host is a name, so that the daemon has to look it up.
fn message(daemon: &Daemon, bob: &Peer, host: &str) -> Peer {
    let alice = Peer::udp(daemon.sip());
    let (local, port) = (alice.local(), bob.local().port());
    alice.send(&format!(
        "MESSAGE sip:bob@{host}:{port} SIP/2.0\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{port}\nMax-Forwards: 70\n\
         From: <sip:a@{local}>;tag=1\nTo: <sip:bob@{host}>\nCall-ID: dns-{port}\nCSeq: 1 MESSAGE\n\n"
    ));
    alice
}

fn answered(alice: &Peer) -> Message {
    alice.find("a final response", |m| m.status() >= 200)
}

#[test]
fn names_are_looked_up_at_the_servers_that_are_named() {
    // Both addresses are loopback; the phone listens on one of them only.
    let (right, wrong) =
        (Nameserver::giving(Ipv4Addr::LOCALHOST), Nameserver::giving(Ipv4Addr::new(127, 9, 9, 9)));
    let node = |server: &Nameserver| {
        let servers = format!("dns: {{servers: [\"{}\"]}}\n", server.address());
        daemon(RELAY, &format!("{servers}transaction: {{t1_ms: 20, t2_ms: 80, t4_ms: 100}}\n"))
    };
    let (found, lost) = (node(&right), node(&wrong));
    let bob = Peer::udp(found.sip());
    let alice = message(&found, &bob, "phone.example.net");
    bob.send(&bob.request("MESSAGE").response(202, "Accepted", "b", &[]));
    assert_eq!(answered(&alice).status(), 202);
    let silent = Peer::udp(lost.sip());
    let alice = message(&lost, &silent, "phone.example.net");
    assert!(answered(&alice).status() >= 400);
    assert!(right.asked() > 0 && wrong.asked() > 0);
    silent.nothing("a MESSAGE", Duration::from_millis(1), |m| m.method() == "MESSAGE");
}

#[test]
fn a_name_server_that_does_not_answer_is_given_up_after_dns_timeout() {
    let server = Nameserver::silent();
    let node = |timeout: &str| {
        let dns = format!("dns: {{servers: [\"{}\"], timeout_ms: {timeout}}}\n", server.address());
        daemon(RELAY, &dns)
    };
    let (patient, hasty) = (node("30s"), node("50ms"));
    let bob = Peer::udp(patient.sip());
    let began = Instant::now();
    let waiting = message(&patient, &bob, "phone.example.net");
    let refused = message(&hasty, &bob, "phone.example.net");
    assert!(answered(&refused).status() >= 400);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    waiting.nothing("an answer", Duration::from_millis(1), |m| m.status() >= 200);
}

/// Stores what OPTIONS asks for, and says how many entries are there.
const CACHING: &str = r#"
from siphon import proxy, cache

@proxy.on_request
def route(request):
    name, _, key = request.call_id.partition("-")
    if name == "store":
        cache.store("numbers", key, "x")
    found = [k for k in ("a", "b", "c") if cache.exists("numbers", k)]
    request.reply(200, "has " + "".join(found))
"#;

#[test]
fn a_cache_keeps_as_many_entries_as_it_may() {
    for (most, left) in [(2, "has bc"), (3, "has abc")] {
        let daemon = daemon(CACHING, &format!("cache: [{{name: numbers, local_max_entries: {most}}}]\n"));
        for key in ["a", "b"] {
            says(&daemon, &format!("store-{key}"));
        }
        // Looked at in this order, so `a` is the one unused for longest.
        assert_eq!(says(&daemon, "look"), "has ab");
        assert_eq!(says(&daemon, "store-c"), left);
    }
}

#[test]
fn an_entry_of_a_cache_lives_as_long_as_its_ttl() {
    let node = |ttl: &str| daemon(CACHING, &format!("cache: [{{name: numbers, local_ttl_secs: {ttl}}}]\n"));
    let (short, long) = (node("1s"), node("5m"));
    let began = Instant::now();
    for daemon in [&long, &short] {
        assert_eq!(says(daemon, "store-a"), "has a");
    }
    for number in 0.. {
        if says(&short, &format!("look-{number}")) == "has " {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(8), "it is still there after {:?}", began.elapsed());
    }
    assert!(began.elapsed() >= Duration::from_secs(1), "it went after {:?}", began.elapsed());
    assert_eq!(says(&long, "look"), "has a");
}

/// Statuses of the answers to 30 requests that come at once at a node that takes 30 ms for each.
fn burst(overload: &str) -> Vec<u16> {
    let script = "import time\nfrom siphon import proxy\n@proxy.on_request\ndef route(request):\n    \
                  time.sleep(0.03)\n    request.reply(200)\n";
    let daemon =
        daemon(script, &format!("script: {{path: route.py, sync: inline}}\noverload: {{{overload}}}\n"));
    let peer = Peer::udp(daemon.sip());
    for number in 0..30 {
        peer.send(&siphon_tests::daemon::options_text(&peer, &format!("burst-{number}")));
    }
    (0..30).map(|_| peer.find("an answer", |m| m.status() >= 200).status()).collect()
}

#[test]
fn what_waits_for_longer_than_the_target_for_longer_than_the_interval_is_shed() {
    let short = burst("target_ms: 1, interval_ms: 10");
    assert!(short.contains(&503) && short.starts_with(&[200]), "{short:?}");
    // They wait for up to 900 ms.
    for patient in ["target_ms: 5s, interval_ms: 10", "target_ms: 1, interval_ms: 60s"] {
        assert_eq!(burst(patient), [200; 30], "{patient}");
    }
}

/// Half of the answers to requests that come every millisecond take at most this long.
fn median_delay(daemon: &Daemon, round: u32) -> Duration {
    const COUNT: usize = 200;
    let peer = Peer::udp(daemon.sip());
    let (mut asked, mut took) = (Vec::new(), Vec::new());
    while took.len() < COUNT {
        let due = asked.last().is_none_or(|at: &Instant| at.elapsed() >= Duration::from_millis(1));
        if asked.len() < COUNT && due {
            peer.send(&siphon_tests::daemon::options_text(&peer, &format!("g{round}-{}", asked.len())));
            asked.push(Instant::now());
        }
        let Some(answer) = peer.receive(Duration::from_micros(100)).filter(|m| m.status() >= 200) else {
            continue;
        };
        let number = answer.header("Call-ID").rsplit('-').next().and_then(|n| n.parse::<usize>().ok());
        took.push(asked[number.expect("a number")].elapsed());
    }
    took.sort_unstable();
    took[COUNT / 2]
}

#[test]
fn messages_gather_for_as_long_as_they_may() {
    let node = |most: &str| daemon(&saying("here"), &format!("server: {{gather_ms: {most}}}\n"));
    let (never, long) = (node("0"), node("20"));
    let began = Instant::now();
    // A machine that does something else delays both alike, now and then.
    for round in 0.. {
        let (at_once, gathered) = (median_delay(&never, round), median_delay(&long, round));
        if gathered > at_once + Duration::from_millis(3) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{gathered:?} and {at_once:?}");
    }
}
