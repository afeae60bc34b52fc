//! Keys of the YAML that show only as time goes by: the daemon's node with its YAML and script, in virtual time.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use siphon::app::config::Text;
use siphon::app::kit::{Kit, KitPlan};
use siphon::base::flow::Transport;
use siphon::base::text::Octets;
use siphon::base::time::Duration;
use siphon::script::{ApartMode, ScriptSource};
use siphon::sim::reading::Reading;
use siphon::sim::{START, Way};
use siphon::wire::sip::Uri;
use siphon_proxy::Proxy;
use siphon_tests::digest;

/// Nobody is bound there, so nobody answers.
const PHONE: &str = "192.0.2.77:6000";

fn kit(script: &str, more: &str) -> Kit {
    let text =
        format!("listen: {{udp: ['10.0.0.1:5060']}}\ndomain: {{local: [example.com]}}\nshards: 1\n{more}\n");
    let yaml = Text { name: "test.yaml".to_owned(), text, file: None };
    let text = format!(
        "from siphon import proxy, registrar, auth\n@proxy.on_request\ndef route(request):\n    {script}\n"
    );
    let script = Some(ScriptSource::Embedded { name: "<test>".to_owned(), text });
    let apart = Box::new(|| Ok(ApartMode::Threads));
    Kit::start::<Proxy>(KitPlan { yaml, script, seed: 7, shards: None, apart }).unwrap()
}

/// A request of that phone, which names another address than it has: it is behind a NAT.
fn send(kit: &mut Kit, method: &str, uri: &str, branch: &str, lines: &str) {
    let text = format!(
        "{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP 10.9.9.9:5060;rport;branch=z9hG4bK{branch}\nMax-Forwards: 70\n\
         From: <sip:bob@example.com>;tag=a\nTo: <sip:bob@example.com>\nCall-ID: {branch}\nCSeq: 1 {method}\n{lines}\
         Content-Length: 0\n\n"
    );
    let way = Way { transport: Transport::Udp, from: phone(), to: kit.sockets()[0].1 };
    kit.net.send_as(way, &Octets::from(text.replace('\n', "\r\n").into_bytes()), false);
    kit.net.advance(Duration::from_millis(100));
}

fn phone() -> SocketAddr {
    PHONE.parse().unwrap()
}

/// What the node sent to `to`, with the milliseconds since the start.
fn sent(kit: &mut Kit, to: SocketAddr) -> Vec<(u64, Octets)> {
    let entries = kit.net.wire().log.entries().iter().filter(|e| e.to == to);
    entries.map(|e| (e.at.since(START).as_millis() as u64, e.bytes.clone())).collect()
}

/// Status codes sent to the phone.
fn statuses(kit: &mut Kit) -> Vec<u16> {
    let all = sent(kit, phone());
    all.iter().filter_map(|(_, bytes)| Some(Reading::of(bytes)?.status())).filter(|s| *s >= 200).collect()
}

/// Pings of the phone within 100 s, CRLF and OPTIONS, and whether it is registered then.
fn pings(nat: &str) -> (usize, usize, bool) {
    let mut kit = kit("request.fix_nated_register()\n    registrar.save(request)", nat);
    send(&mut kit, "REGISTER", "sip:example.com", "reg", "Contact: <sip:bob@10.9.9.9:5060>\nExpires: 3600\n");
    kit.net.advance(Duration::from_secs(100));
    let all = sent(&mut kit, phone());
    let crlf = all.iter().filter(|(_, bytes)| **bytes == *b"\r\n\r\n").count();
    let read = all.iter().filter_map(|(_, bytes)| Reading::of(bytes)).filter(|r| r.method() == "OPTIONS");
    let options: BTreeSet<&str> = read.filter(Reading::is_request).map(|r| r.branch(0)).collect();
    let node = kit.node().unwrap();
    let bob = Uri::parse("sip:bob@example.com").unwrap();
    (crlf, options.len(), !node.registrar.lookup(&bob, kit.net.now()).is_empty())
}

#[test]
fn a_phone_behind_a_nat_is_pinged_as_often_as_configured_and_forgotten_when_it_is_silent() {
    let (crlf, options, registered) = pings("");
    assert!(
        (3..=4).contains(&crlf) && (3..=4).contains(&options) && registered,
        "{crlf} and {options} in 100 s"
    );
    assert_eq!(pings("nat: {crlf_keepalive: {enabled: false}}"), (0, options, true));
    assert_eq!(pings("nat: {keepalive: {enabled: false}}"), (crlf, 0, true));
    let (often, same, _) = pings("nat: {crlf_keepalive: {interval_secs: 10}}");
    assert!((10..=11).contains(&often) && same == options, "{often} and {same}");
    let (same, often, registered) = pings("nat: {keepalive: {interval_secs: 12}}");
    assert!((8..=9).contains(&often) && same == crlf && registered, "{often} and {same}");
    // Unanswered twice, and at the third turn it is gone.
    let gone = pings("nat: {keepalive: {interval_secs: 10, failure_threshold: 2}}");
    assert_eq!((gone.1, gone.2), (2, false));
}

/// Milliseconds between the copies of a MESSAGE to somebody who is not there.
fn gaps(transaction: &str) -> Vec<u64> {
    let mut kit = kit("request.relay()", transaction);
    send(&mut kit, "MESSAGE", "sip:silent@192.0.2.50:5070", "m", "");
    kit.net.advance(Duration::from_secs(12));
    let at: Vec<u64> = sent(&mut kit, "192.0.2.50:5070".parse().unwrap()).iter().map(|(at, _)| *at).collect();
    // Timers fire within a tick of the wheel.
    at.windows(2).map(|pair| (pair[1] - pair[0] + 25) / 50 * 50).collect()
}

#[test]
fn a_request_is_repeated_every_t2_at_last() {
    assert_eq!(gaps(""), [500, 1000, 2000, 4000, 4000]);
    assert_eq!(gaps("transaction: {t2_ms: 1500}")[..5], [500, 1000, 1500, 1500, 1500]);
}

#[test]
fn copies_of_a_refused_invite_are_absorbed_for_t4() {
    for (transaction, answers) in [("", 1), ("transaction: {t4_ms: 1000}", 2)] {
        let mut kit =
            kit("request.reply(404) if request.method == 'INVITE' else request.drop()", transaction);
        let invite =
            |kit: &mut Kit| send(kit, "INVITE", "sip:bob@example.com", "i", "Contact: <sip:b@10.9.9.9>\n");
        invite(&mut kit);
        send(&mut kit, "ACK", "sip:bob@example.com", "i", "");
        kit.net.advance(Duration::from_secs(3));
        assert_eq!(statuses(&mut kit), [404]);
        // A copy that was long under way is new to a node that has forgotten it.
        invite(&mut kit);
        assert_eq!(statuses(&mut kit).len(), answers, "with {transaction:?}");
    }
}

#[test]
fn a_nonce_is_stale_after_its_lifetime() {
    for (ttl, status) in [("", 200), ("nonce_ttl_secs: 60, ", 401)] {
        let yaml = format!("auth: {{realm: example.com, {ttl}users: {{bob: secret}}}}");
        let mut kit = kit("auth.require_digest(request) and registrar.save(request)", &yaml);
        let contact = "Contact: <sip:bob@10.9.9.9>\n";
        send(&mut kit, "REGISTER", "sip:example.com", "first", contact);
        kit.net.advance(Duration::from_secs(90));
        let (_, challenge) = sent(&mut kit, phone())[0].clone();
        let challenge = Reading::of(&challenge).unwrap().header("WWW-Authenticate").unwrap().to_owned();
        let proof = digest::answer(&challenge, "REGISTER", "sip:example.com", "bob", "secret");
        send(
            &mut kit,
            "REGISTER",
            "sip:example.com",
            "second",
            &format!("{contact}Authorization: {proof}\n"),
        );
        assert_eq!(statuses(&mut kit), [401, status], "with {ttl:?}");
        let all = sent(&mut kit, phone());
        let last =
            all.iter().filter_map(|(_, bytes)| Reading::of(bytes)).rfind(|r| r.status() >= 200).unwrap();
        let stale = last.header("WWW-Authenticate").is_some_and(|c| c.contains("stale=true"));
        assert_eq!(stale, status == 401, "the password was right");
    }
}
