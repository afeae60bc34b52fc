//! RFC 4475 and RFC 5118 over UDP and TCP against the running server: each message gets what the manifest says, and
//! after each of them the next request and, every few messages, the next call work.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use siphon_tests::message::Message;
use siphon_tests::phone::Phone;
use siphon_tests::subject::{Kind, Server};

/// Long enough for an answer that must come; it is waited out only when it does not.
const MUST: Duration = Duration::from_secs(4);
/// How long silence is watched.
const MAY: Duration = Duration::from_millis(150);

struct Case {
    file: String,
    verdict: String,
    codes: Vec<u16>,
    bytes: Vec<u8>,
    is_request: bool,
}

fn cases() -> Vec<Case> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/torture");
    let mut all = Vec::new();
    for set in ["rfc4475", "rfc5118"] {
        let manifest =
            std::fs::read_to_string(home.join(set).join("manifest.json")).expect("the manifest is there");
        let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("the manifest is JSON");
        for row in manifest["messages"].as_array().expect("a list of messages") {
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            let codes = row["codes"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_u64);
            let bytes = std::fs::read(home.join(set).join(text("file"))).expect("the message is there");
            all.push(Case {
                file: text("file"),
                verdict: text("verdict"),
                codes: codes.filter_map(|code| u16::try_from(code).ok()).collect(),
                bytes,
                is_request: text("kind") == "request",
            });
        }
    }
    assert!(all.len() >= 61, "the manifest lost messages: {}", all.len());
    all
}

/// The header section's value of a header, long or compact, however it is spaced; enough for these files.
fn value<'a>(text: &'a str, names: [&str; 2]) -> Option<&'a str> {
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    lines.find(|(name, _)| names.iter().any(|n| n.eq_ignore_ascii_case(name.trim()))).map(|(_, v)| v.trim())
}

/// The port of the topmost Via's sent-by, to which a response goes (RFC 3261 18.2.2).
fn sent_by_port(bytes: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(bytes);
    let via = value(&text, ["Via", "v"]).unwrap_or_default();
    let sent_by = via.split([';', ',']).next().unwrap_or_default().rsplit(']').next().unwrap_or_default();
    sent_by.rsplit_once(':').and_then(|(_, port)| port.trim().parse().ok()).unwrap_or(5060)
}

/// The branch of the topmost Via, as far as it goes; a second request with it is a retransmission.
fn branch(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let via = value(&text, ["Via", "v"]).unwrap_or_default();
    via.split_once("branch=").map(|(_, rest)| rest.to_owned()).unwrap_or_default()
}

/// A stream cannot do without Content-Length (RFC 3261 18.3): 400 is then right whatever the verdict.
fn lacks_length(bytes: &[u8]) -> bool {
    value(&String::from_utf8_lossy(bytes), ["Content-Length", "l"]).is_none()
}

/// A stream has no end to hold a Content-Length against: the server rightly waits for the rest.
fn waits_for_more(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let declared =
        value(&text, ["Content-Length", "l"]).and_then(|length| length.parse::<usize>().ok()).unwrap_or(0);
    let head = bytes.windows(4).position(|w| w == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    declared > bytes.len() - head
}

/// Says what is wrong with the final status that came, if anything. Only siphon-proxy is held to the verdicts.
fn wrong(case: &Case, status: Option<u16>, stream: bool) -> Option<String> {
    let silence_is_right = stream && waits_for_more(&case.bytes);
    let refused = |codes: &[u16]| status.is_some_and(|s| codes.contains(&s));
    let right = match case.verdict.as_str() {
        _ if Kind::chosen() == Kind::Kamailio => true,
        _ if !case.is_request => status.is_none(),
        "reject" => refused(&case.codes) || (silence_is_right && status.is_none()),
        "accept" if stream && lacks_length(&case.bytes) => refused(&[400]),
        // What it is served with is the routing's business: 404, 401, or 500 where a Route leads nowhere.
        "accept" => (status.is_some() && !refused(&[400, 416, 505])) || silence_is_right,
        "drop" => status.is_none(),
        _ => true,
    };
    (!right).then(|| format!("{}: {} {:?}, but {status:?} came", case.file, case.verdict, case.codes))
}

fn expects_an_answer(case: &Case) -> bool {
    case.is_request && matches!(case.verdict.as_str(), "reject" | "accept") && Kind::chosen() == Kind::Siphon
}

fn over_udp(case: &Case, server: SocketAddr, from: Ipv4Addr) -> Option<u16> {
    let socket =
        UdpSocket::bind((from, sent_by_port(&case.bytes))).expect("the loopback address is this test's own");
    socket.send_to(&case.bytes, server).expect("loopback takes a datagram");
    let end = Instant::now() + if expects_an_answer(case) { MUST } else { MAY };
    let mut buffer = vec![0; 65_536];
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        socket.set_read_timeout(Some(left)).expect("a time-out above zero is accepted");
        let Ok((n, _)) = socket.recv_from(&mut buffer) else { continue };
        let status = Message::read(&buffer[..n]).status();
        if status >= 200 {
            return Some(status);
        }
    }
    None
}

fn over_tcp(case: &Case, server: SocketAddr) -> Option<u16> {
    let mut stream = TcpStream::connect(server).expect("the server accepts a connection");
    // A server may refuse by closing while the rest is still being written.
    let _ = stream.write_all(&case.bytes);
    let must = expects_an_answer(case) && !waits_for_more(&case.bytes);
    let end = Instant::now() + if must { MUST } else { MAY };
    let (mut read, mut buffer) = (Vec::new(), [0; 16_384]);
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        stream.set_read_timeout(Some(left)).expect("a time-out above zero is accepted");
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => read.extend_from_slice(&buffer[..n]),
            Err(_) => continue,
        }
        let text = String::from_utf8_lossy(&read);
        let lines = text.split("\r\n").filter(|line| line.starts_with("SIP/2.0 "));
        let found = lines.map(|line| Message::read(line.as_bytes()).status()).find(|status| *status >= 200);
        if found.is_some() {
            return found;
        }
    }
    None
}

fn call(alice: &Phone, bob: &Phone) {
    let (invite, mut dialog) = alice.invite("sip:bob@example.com");
    alice.peer.send(&invite);
    bob.answer(&bob.peer.request("INVITE"), 200, "OK");
    dialog.confirm(&alice.peer.final_status("INVITE", 200));
    alice.ack(&dialog);
    bob.peer.request("ACK");
    alice.send_in(&dialog, "BYE", "");
    bob.answer(&bob.peer.request("BYE"), 200, "OK");
    alice.peer.final_status("BYE", 200);
}

fn run(mut one: impl FnMut(&Case, SocketAddr, usize) -> Option<u16>, stream: bool) {
    let mut faults = Vec::new();
    let mut left = cases();
    while !left.is_empty() {
        let mut server = Server::start();
        let (alice, bob) = (Phone::udp(server.address(), "alice"), Phone::udp(server.address(), "bob"));
        bob.register();
        let (mut branches, mut later) = (BTreeSet::new(), Vec::new());
        for (number, case) in left.into_iter().enumerate() {
            // Several messages share a branch: the second would be taken for the first sent again.
            if !branches.insert(branch(&case.bytes)) {
                later.push(case);
                continue;
            }
            let status = one(&case, server.address(), number);
            faults.extend(wrong(&case, status, stream));
            server.still_answers(&case.file);
            call(&alice, &bob);
        }
        assert!(!server.log().contains(" ERROR "), "{}", server.log());
        left = later;
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_torture_message_over_udp_gets_its_verdict_and_the_next_call_works() {
    // Responses go to the port the Via names: each message gets a loopback address of its own, so that no answer
    // to one is taken for another's.
    run(|case, server, number| over_udp(case, server, Ipv4Addr::new(127, 44, 75, number as u8 + 1)), false);
}

#[test]
fn every_torture_message_over_tcp_gets_its_verdict_and_the_next_call_works() {
    run(|case, server, _| over_tcp(case, server), true);
}
