//! `make call`: two built-in phones register with digest at a running siphon-proxy, call each other through it, and
//! the ladder of what happened is printed, with the script line that decided where the proxy's log names it.

#![allow(clippy::disallowed_methods, reason = "real peers live in real time")]

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use siphon_tests::ladder;
use siphon_tests::peer::{Peer, Recorded};
use siphon_tests::phone::Phone;

const DOMAIN: &str = "siphon.local";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(5060);
    let log = arguments.next();
    let proxy = SocketAddr::from(([127, 0, 0, 1], port));
    let probe = Peer::udp(proxy);
    probe.send(&options(&probe));
    if probe.receive(Duration::from_secs(2)).is_none() {
        eprintln!("call: nothing answers on {proxy}; start it in another shell with: make run PORT={port}");
        return ExitCode::FAILURE;
    }
    let password = |name: &str, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.to_owned());
    let secrets =
        (password("SIPHON_ALICE_PASSWORD", "wonderland"), password("SIPHON_BOB_PASSWORD", "builder"));
    let alice = Phone::new(Peer::udp(proxy), "alice", DOMAIN, &secrets.0);
    let bob = Phone::new(Peer::udp(proxy), "bob", DOMAIN, &secrets.1);
    let call_id = call(&alice, &bob);
    let mut decisions = log.map(|path| decisions(&path, &call_id, &probe)).unwrap_or_default();
    let ladder = ladder::draw(("alice", &alice.peer), "siphon-proxy", ("bob", &bob.peer), |r| {
        beside(r, &mut decisions)
    });
    println!("{ladder}\ncall: alice and bob registered with digest, talked, and hung up");
    // Each run has phones on other ports, and a proxy keeps only so many contacts of one user.
    for (phone, password) in [(&alice, &secrets.0), (&bob, &secrets.1)] {
        phone.register_as(&format!("Contact: {};expires=0", phone.contact()), password, 200);
    }
    ExitCode::SUCCESS
}

/// Registers, calls, hangs up; the Call-ID.
fn call(alice: &Phone, bob: &Phone) -> String {
    bob.register();
    alice.register();
    let (invite, mut dialog) = alice.invite(&bob.aor());
    alice.peer.send(&invite);
    let first = alice.peer.find("an answer to INVITE", |m| m.status() >= 180 || m.status() == 407);
    if first.status() == 407 {
        alice.prove(&dialog, &invite, &first);
    }
    let at_bob = bob.peer.request("INVITE");
    bob.answer(&at_bob, 180, "Ringing");
    alice.peer.provisional("INVITE", 180);
    bob.answer(&at_bob, 200, "OK");
    dialog.confirm(&alice.peer.final_status("INVITE", 200));
    alice.ack(&dialog);
    bob.peer.request("ACK");
    alice.send_in(&dialog, "BYE", "");
    bob.answer(&bob.peer.request("BYE"), 200, "OK");
    alice.peer.final_status("BYE", 200);
    dialog.call_id().to_owned()
}

/// What the proxy's log says was decided, by Call-ID and method, in order.
fn decisions(path: &str, call_id: &str, probe: &Peer) -> BTreeMap<String, VecDeque<String>> {
    let mut log = String::new();
    // The log is written beside the traffic: the line about the BYE may take a moment, or not come (another log level).
    for _ in 0..20 {
        log = std::fs::read_to_string(path).unwrap_or_default();
        let last =
            |line: &str| line.contains(call_id) && line.contains("decided") && line.contains("method=BYE");
        if log.lines().any(last) {
            break;
        }
        let _ = probe.receive(Duration::from_millis(50));
    }
    let field = |line: &str, name: &str| {
        let value = line.split_once(&format!(" {name}="))?.1;
        let value = value
            .strip_prefix('"')
            .map_or_else(|| value.split(' ').next(), |quoted| quoted.split('"').next());
        value.map(str::to_owned)
    };
    let mut decided = BTreeMap::<String, VecDeque<String>>::new();
    for line in log.lines().filter(|line| line.contains("policy decided")) {
        let (Some(call_id), Some(method)) = (field(line, "call_id"), field(line, "method")) else { continue };
        let text = field(line, "decision").unwrap_or_default();
        let by = field(line, "script_line").map_or(String::new(), |at| format!(", {at}"));
        decided.entry(format!("{call_id} {method}")).or_default().push_back(text + &by);
    }
    decided
}

/// The decision about a request that a phone sent; the ACK to a refusal is the engine's own business.
fn beside(recorded: &Recorded, decisions: &mut BTreeMap<String, VecDeque<String>>) -> Option<String> {
    let message = &recorded.message;
    if !recorded.sent || message.status() != 0 {
        return None;
    }
    let key = format!("{} {}", message.header("Call-ID"), message.method());
    let to_refusal = message.method() == "ACK" && message.header("Route").is_empty();
    if to_refusal { None } else { decisions.get_mut(&key)?.pop_front() }
}

fn options(peer: &Peer) -> String {
    let (local, port) = (peer.local(), peer.local().port());
    format!(
        "OPTIONS sip:{DOMAIN} SIP/2.0\nVia: SIP/2.0/UDP {local};branch=z9hG4bKprobe{port}\nMax-Forwards: 70\n\
         From: <sip:probe@{DOMAIN}>;tag=p{port}\nTo: <sip:{DOMAIN}>\nCall-ID: probe-{port}\nCSeq: 1 OPTIONS\n\n"
    )
}
