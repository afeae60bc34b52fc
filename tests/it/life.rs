//! The life of the daemon as an operator sees it: probes, metrics, log, reload, drain.

use std::process::Command;
use std::time::{Duration, Instant};

use siphon_tests::daemon::{CONFIG, Daemon, options_text};
use siphon_tests::peer::Peer;
use siphon_tests::phone::Phone;
use siphon_tests::scratch::Scratch;
use siphon_tests::subject::siphon_proxy;

fn yaml(level: &str, format: &str, more: &str) -> String {
    format!(
        "listen: {{udp: [\"127.0.0.1:0\"]}}\nshards: 1\nserver: {{drain_secs: 5}}\nlog: {{level: {level}, format: {format}}}\n\
         admin: {{listen: \"127.0.0.1:0\"}}\nmetrics: {{prometheus: {{listen: \"127.0.0.1:0\"}}}}\n{more}"
    )
}

const ACCOUNTS: &str = "domain: {local: [example.com]}\nauth: {users: {two: secret}}\n";

/// A phone that asks once and got an answer.
fn options(daemon: &Daemon, call_id: &str) -> u16 {
    daemon.options(call_id).map_or(0, |m| m.status())
}

#[test]
fn a_request_is_counted_and_its_call_id_is_in_the_log_as_json() {
    let daemon = Daemon::start(&yaml("debug", "json", ACCOUNTS));
    assert!(daemon.get("/readyz").starts_with("HTTP/1.1 200"));
    assert_eq!(options(&daemon, "life-1"), 200);
    let peer = Peer::udp(daemon.sip());
    peer.send(&options_text(&peer, "life-2").replace("CSeq: 1 OPTIONS", "CSeq: 1 BYE"));
    assert_eq!(peer.receive(Duration::from_secs(5)).map(|m| m.status()), Some(400));
    Phone::udp(daemon.sip(), "two").register_as("Contact: <sip:a@192.0.2.1>\nExpires: 300", "secret", 200);
    for what in ["refused a message", "binding changed", "handler ran", "transaction answered"] {
        daemon.wait_for(what);
    }
    let log = daemon.wait_for("\"call_id\":\"life-1\"");
    for line in log.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(value["ts"].is_string() && value["level"].is_string() && value["msg"].is_string(), "{line}");
        // Of all that the node tells only what a connection does is about no message.
        if value["target"] == "siphon::sip" {
            assert!(value["call_id"].is_string(), "{line}");
        }
    }
}

#[test]
fn the_metrics_page_counts_what_happened() {
    let config = yaml("info", "pretty", ACCOUNTS).replace("admin: {listen: \"127.0.0.1:0\"}\n", "");
    let daemon = Daemon::start(&config);
    for n in 0..3 {
        assert_eq!(options(&daemon, &format!("count-{n}")), 200);
    }
    let shows = |line: &str| {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let page = daemon.get("/metrics");
            if page.lines().any(|l| l == line) {
                return;
            }
            assert!(Instant::now() < end, "no {line}:\n{page}");
        }
    };
    shows("siphon_requests_total{method=\"OPTIONS\"} 3");
    shows("siphon_responses_total{code=\"200\"} 3");
    shows("siphon_registrations_active 0");
    // One address of record, two contacts.
    let contacts = "Contact: <sip:a@192.0.2.1>, <sip:b@192.0.2.2>\nExpires: 300";
    Phone::udp(daemon.sip(), "two").register_as(contacts, "secret", 200);
    shows("siphon_registrations_active 2");
    shows("siphon_events_dropped_total 0");
    shows("siphon_script_generation 1");
    daemon.process.signal("HUP");
    shows("siphon_script_generation 2");
}

#[test]
fn hangup_takes_a_good_configuration_over_and_leaves_everything_as_it_was_for_a_broken_one() {
    let daemon = Daemon::start(&yaml("info", "pretty", ""));
    daemon.scratch.write("siphon-proxy.yaml", "lisen: {}");
    daemon.process.signal("HUP");
    let log = daemon.wait_for("did you mean `listen`?");
    assert!(log.contains("the configuration stays as it was"), "{log}");
    assert_eq!(options(&daemon, "still-there"), 200);
    daemon.scratch.write("siphon-proxy.yaml", yaml("debug", "pretty", ""));
    daemon.process.signal("HUP");
    daemon.wait_for("reloaded: ");
    // From about now on what happens to messages is told, which nobody read before.
    let end = Instant::now() + Duration::from_secs(10);
    for number in 0.. {
        let call_id = format!("again-{number}");
        assert_eq!(options(&daemon, &call_id), 200);
        let log = daemon.process.log();
        let answered = |line: &str| line.contains("transaction answered") && line.contains("call_id=again-");
        if log.lines().any(answered) {
            break;
        }
        assert!(Instant::now() < end, "the level is as it was:\n{log}");
    }
}

#[test]
fn an_edited_configuration_is_taken_over_without_a_signal() {
    let daemon = Daemon::start(&yaml("info", "pretty", ""));
    daemon.scratch.write("siphon-proxy.yaml", yaml("info", "pretty", "auth: {users: {alice: x}}\n"));
    daemon.wait_for("reloaded: ");
}

#[test]
fn termination_drains_and_ends_with_0() {
    let mut daemon = Daemon::start(&yaml("info", "pretty", ""));
    daemon.process.signal("TERM");
    let status = daemon.process.wait(Duration::from_secs(20)).expect("it ends");
    let log = daemon.process.log();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("draining for up to 5s") && log.contains("siphon-proxy ended"), "{log}");
}

#[test]
fn a_busy_sip_port_is_told_with_its_owner() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port();
    let scratch = Scratch::new("busy-sip");
    let file = scratch.write("a.yaml", format!("listen: {{udp: [\"127.0.0.1:{port}\"]}}\nshards: 2\n"));
    let output = Command::new(siphon_proxy()).arg("--config").arg(file).output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(&format!("udp 127.0.0.1:{port}")), "{told}");
    assert!(told.contains(&format!("(pid {}) has it", std::process::id())), "{told}");
}

#[test]
fn keys_that_a_running_daemon_cannot_take_over_are_named() {
    let users = |user: &str| format!("auth: {{nonce_secret: pepper, users: {{{user}: x}}}}\n");
    let daemon = Daemon::start(&yaml("info", "pretty", &users("alice")));
    let register = |user: &str| {
        let phone = Phone::new(Peer::udp(daemon.sip()), user, "localhost", "x");
        phone.register_as("Contact: <sip:a@192.0.2.1>\nExpires: 20", "x", 423)
    };
    assert_eq!(register("alice").header("Min-Expires"), "60");
    let changed = yaml("info", "json", &users("bob"))
        .replace("shards: 1", "shards: 2\nregistrar: {min_expires: 30}")
        .replace("127.0.0.1:0\"]", "127.0.0.1:0\", \"127.0.0.1:0\"]")
        .replace("pepper", "salt");
    daemon.scratch.write(CONFIG, changed);
    let log = daemon.wait_for("in effect at the next start only: ");
    let told = log.lines().find(|l| l.contains("in effect at the next start only: ")).unwrap_or_default();
    assert!(told.ends_with("only: listen.udp, auth.nonce_secret, shards, log.format"), "{told}");
    assert!(told.contains("WARN") && !log.contains("salt") && !log.contains("pepper"), "{log}");
    daemon.wait_for("reloaded: ");
    // Accounts and the registrar's limits are other ones from now on.
    let end = Instant::now() + Duration::from_secs(10);
    while register("bob").header("Min-Expires") != "30" {
        assert!(Instant::now() < end, "the limit of the registrar stays as it was");
    }
}

#[test]
fn a_call_in_set_up_ends_before_a_drain_does_and_new_ones_are_turned_away() {
    let scratch = Scratch::new("drain");
    let script = "from siphon import proxy\n@proxy.on_request\ndef route(request):\n    request.relay()\n";
    scratch.write("route.py", script);
    // Longer than this test waits: it ends because nothing runs any more.
    let config =
        yaml("info", "pretty", "script: {path: route.py}\n").replace("drain_secs: 5", "drain_secs: 60");
    let mut daemon = Daemon::start_in(scratch, &config);
    let phone = |user: &str| Phone::udp(daemon.sip(), user);
    let (alice, bob, carol) = (phone("alice"), phone("bob"), phone("carol"));
    let to_bob = format!("sip:bob@{}", bob.peer.local());
    alice.peer.send(&alice.invite(&to_bob).0);
    let at_bob = bob.peer.request("INVITE");
    bob.answer(&at_bob, 180, "Ringing");
    alice.peer.provisional("INVITE", 180);
    daemon.process.signal("TERM");
    daemon.wait_for("draining for up to 60s");
    carol.peer.send(&carol.invite(&to_bob).0);
    let refused = carol.peer.final_status("INVITE", 503);
    assert!(refused.header("Retry-After").parse::<u32>().is_ok_and(|secs| secs > 0), "{refused:?}");
    assert!(daemon.process.exited().is_none(), "a call is being set up");
    bob.answer(&at_bob, 200, "OK");
    alice.peer.final_status("INVITE", 200);
    let status = daemon.process.wait(Duration::from_secs(20)).expect("it ends");
    let log = daemon.process.log();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("all transactions are finished"), "{log}");
}
