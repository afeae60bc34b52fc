//! The life of the daemon as an operator sees it: probes, metrics, log, reload, drain.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use siphon_tests::peer::Peer;
use siphon_tests::process::Process;
use siphon_tests::scratch::Scratch;
use siphon_tests::subject::siphon_proxy;

struct Daemon {
    process: Process,
    scratch: Scratch,
}

fn yaml(level: &str, format: &str, more: &str) -> String {
    format!(
        "listen: {{udp: [\"127.0.0.1:0\"]}}\nshards: 1\nserver: {{drain_secs: 5}}\nlog: {{level: {level}, format: {format}}}\n\
         admin: {{listen: \"127.0.0.1:0\"}}\nmetrics: {{prometheus: {{listen: \"127.0.0.1:0\"}}}}\n{more}"
    )
}

impl Daemon {
    fn start(config: &str) -> Self {
        let scratch = Scratch::new("life");
        let file = scratch.write("siphon-proxy.yaml", config);
        let mut command = Command::new(siphon_proxy());
        command.arg("--config").arg(file).current_dir(scratch.path());
        let process = Process::start("siphon-proxy", &mut command, &scratch.path().join("log"));
        let daemon = Self { process, scratch };
        daemon.wait_for("on http://");
        daemon
    }

    /// The log, once it has this text.
    fn wait_for(&self, text: &str) -> String {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let log = self.process.log();
            if log.contains(text) {
                return log;
            }
            assert!(Instant::now() < end, "the log never says {text:?}:\n{log}");
            std::thread::yield_now();
        }
    }

    /// The address behind the first mark in the log.
    fn address(&self, mark: &str) -> SocketAddr {
        let log = self.wait_for(mark);
        let rest = log.split(mark).nth(1).unwrap_or_default();
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')).unwrap_or(rest.len());
        rest[..end].parse().unwrap_or_else(|e| panic!("{mark}: {e}:\n{log}"))
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address("on http://")).expect("the pages are served");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// A phone that asks once and got an answer.
    fn options(&self, call_id: &str) -> u16 {
        let peer = Peer::udp(self.address("listens on udp "));
        let (local, subject) = (peer.local(), peer.subject());
        peer.send(&format!(
            "OPTIONS sip:{subject} SIP/2.0\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{call_id}\nMax-Forwards: 70\n\
             From: <sip:a@{local}>;tag=1\nTo: <sip:{subject}>\nCall-ID: {call_id}\nCSeq: 1 OPTIONS\n\n"
        ));
        peer.receive(Duration::from_secs(5)).map_or(0, |m| m.status())
    }
}

#[test]
fn a_request_is_counted_and_its_call_id_is_in_the_log_as_json() {
    let daemon = Daemon::start(&yaml("debug", "json", ""));
    assert!(daemon.get("/readyz").starts_with("HTTP/1.1 200"));
    assert_eq!(daemon.options("life-1"), 200);
    let log = daemon.wait_for("\"call_id\":\"life-1\"");
    for line in log.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(value["ts"].is_string() && value["level"].is_string() && value["msg"].is_string(), "{line}");
    }
}

#[test]
fn the_metrics_page_counts_what_happened() {
    let config = yaml("info", "pretty", "").replace("admin: {listen: \"127.0.0.1:0\"}\n", "");
    let daemon = Daemon::start(&config);
    for n in 0..3 {
        assert_eq!(daemon.options(&format!("count-{n}")), 200);
    }
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let page = daemon.get("/metrics");
        if page.contains("siphon_requests_total{method=\"OPTIONS\"} 3") {
            assert!(page.contains("siphon_responses_total{code=\"200\"} 3"), "{page}");
            return;
        }
        assert!(Instant::now() < end, "{page}");
    }
}

#[test]
fn hangup_takes_a_good_configuration_over_and_leaves_everything_as_it_was_for_a_broken_one() {
    let daemon = Daemon::start(&yaml("info", "pretty", ""));
    daemon.scratch.write("siphon-proxy.yaml", "lisen: {}");
    daemon.process.signal("HUP");
    let log = daemon.wait_for("did you mean `listen`?");
    assert!(log.contains("the configuration stays as it was"), "{log}");
    assert_eq!(daemon.options("still-there"), 200);
    daemon.scratch.write("siphon-proxy.yaml", yaml("debug", "pretty", ""));
    daemon.process.signal("HUP");
    daemon.wait_for("reloaded: ");
    assert_eq!(daemon.options("again"), 200);
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
