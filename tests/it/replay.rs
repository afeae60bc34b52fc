//! A recorded trace against a script: what is decided about each request, in the time of the trace.

use siphon::app::config::Text;
use siphon::app::kit::{KitPlan, Replay, ReplayPlan, Verdict, What};
use siphon::base::flow::Transport;
use siphon::script::{ApartMode, ScriptSource};
use siphon::sim::Way;
use siphon::wire::sip::{Limits, Message};
use siphon_proxy::Proxy;
use std::net::SocketAddr;

const NODE: &str = "192.0.2.1:5060";
const ALICE: &str = "198.51.100.7:5062";
const BOB: &str = "198.51.100.8:5062";
const SECOND: u64 = 1_000_000;

const YAML: &str =
    "listen: {udp: ['0.0.0.0:5060']}\ndomain: {local: [example.com]}\nauth: {realm: example.com}\n";

fn replay(script: &str, trust_digest: bool) -> Replay {
    replay_with(YAML, script, trust_digest)
}

fn replay_with(yaml: &str, script: &str, trust_digest: bool) -> Replay {
    let yaml = Text { name: "test.yaml".to_owned(), text: yaml.to_owned(), file: None };
    let script = ScriptSource::Embedded { name: "<test>".to_owned(), text: script.to_owned() };
    let apart = Box::new(|| Ok(ApartMode::Threads));
    let plan = KitPlan { yaml, script: Some(script), seed: 1, shards: Some(3), apart };
    let node: SocketAddr = NODE.parse().unwrap();
    let local = vec![(Transport::Udp, node), (Transport::Tcp, node)];
    Replay::start::<Proxy>(plan, ReplayPlan { local, trust_digest }).unwrap()
}

fn way(transport: Transport, from: &str) -> Way {
    Way { transport, from: from.parse().unwrap(), to: NODE.parse().unwrap() }
}

fn request(method: &str, call_id: &str, more: &str) -> Message {
    let text = format!(
        "{method} sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {ALICE};branch=z9hG4bK{call_id}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 {method}\r\n{more}Content-Length: 0\r\n\r\n"
    );
    Message::parse(text.as_bytes(), &Limits::default()).unwrap()
}

/// What bob answered in the trace: with the Via of the node that was there then.
fn answer(code: u16, method: &str, call_id: &str) -> Message {
    let text = format!(
        "SIP/2.0 {code} So\r\nVia: SIP/2.0/UDP {NODE};branch=z9hG4bKthen\r\n\
         Via: SIP/2.0/UDP {ALICE};branch=z9hG4bK{call_id}\r\nFrom: <sip:alice@example.com>;tag=a\r\n\
         To: <sip:bob@example.com>;tag=b\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    );
    Message::parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn whats(verdicts: &[Verdict]) -> Vec<&What> {
    verdicts.iter().map(|v| &v.what).collect()
}

const TO_BOB: &str = "from siphon import proxy\n\
    @proxy.on_request\ndef route(request):\n    request.relay('sip:bob@198.51.100.8:5062')\n\
    @proxy.on_failure\ndef failed(request, reply):\n    if reply.status_code == 486:\n        request.relay('sip:mail@198.51.100.9')\n";

#[test]
fn requests_get_their_verdict_with_script_line_and_place() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut replay = replay(TO_BOB, false);
        replay.request(SECOND, way(transport, ALICE), &request("INVITE", "a", ""));
        let verdicts = replay.verdicts();
        assert_eq!(verdicts.len(), 1, "{transport}");
        // A target of relay() is the next hop; the Request-URI stays.
        assert_eq!(verdicts[0].what, What::Fork(vec!["sip:bob@example.com".into()]));
        assert!(verdicts[0].script_line.as_deref().is_some_and(|l| l.ends_with(":4")), "{verdicts:?}");
        let place = ("sip:bob@example.com".into(), Transport::Udp, BOB.parse().unwrap());
        assert_eq!(verdicts[0].sent, [place]);
    }
}

#[test]
fn what_the_engine_does_alone_is_told_apart() {
    let mut replay = replay(TO_BOB, false);
    for (at, method) in [(0, "INVITE"), (500, "INVITE"), (900, "CANCEL"), (950, "ACK")] {
        replay.request(SECOND + at * 1000, way(Transport::Udp, ALICE), &request(method, "a", ""));
    }
    let verdicts = replay.verdicts();
    assert_eq!(whats(&verdicts)[1..], [&What::Engine, &What::Engine, &What::Engine]);
    assert!(verdicts[1].again && verdicts[1].answer.is_none());
    assert_eq!(verdicts[2].answer.as_ref().map(|a| a.0), Some(200));
    assert!(replay.finish().is_empty());
}

#[test]
fn answers_of_the_trace_reach_the_branch_and_its_handlers() {
    let mut replay = replay(TO_BOB, false);
    replay.request(SECOND, way(Transport::Udp, ALICE), &request("INVITE", "a", ""));
    assert!(
        !replay.answer(SECOND, way(Transport::Udp, ALICE), &answer(486, "INVITE", "a")),
        "not from there"
    );
    assert!(!replay.answer(SECOND, way(Transport::Udp, BOB), &answer(486, "INVITE", "b")), "no such call");
    assert!(replay.answer(2 * SECOND, way(Transport::Udp, BOB), &answer(180, "INVITE", "a")));
    assert!(replay.answer(3 * SECOND, way(Transport::Udp, BOB), &answer(486, "INVITE", "a")));
    assert!(!replay.answer(4 * SECOND, way(Transport::Udp, BOB), &answer(486, "INVITE", "a")), "a copy");
    let verdicts = replay.verdicts();
    let further = verdicts.last().unwrap();
    assert_eq!((further.number, further.on), (0, Some(486)));
    assert_eq!(further.what, What::Fork(vec!["sip:bob@example.com".into()]));
    assert!(further.script_line.as_deref().is_some_and(|l| l.ends_with(":8")), "{further:?}");
    let places: Vec<String> = further.sent.iter().map(|(_, _, at)| at.to_string()).collect();
    assert_eq!(places, ["198.51.100.9:5060"]);
}

#[test]
fn virtual_time_follows_the_trace_and_a_slow_handler_holds_up_nothing_else() {
    let script = "from siphon import proxy, timer\n@proxy.on_request\nasync def route(request):\n\
        \x20   if request.method == 'MESSAGE':\n        await timer.sleep(3)\n    request.reply(200)\n";
    let mut replay = replay(script, false);
    replay.request(SECOND, way(Transport::Udp, ALICE), &request("MESSAGE", "slow", ""));
    replay.request(2 * SECOND, way(Transport::Udp, ALICE), &request("OPTIONS", "quick", ""));
    assert!(replay.verdicts().is_empty(), "verdicts come in the order of the requests");
    // A clock that was set back stands still.
    replay.request(0, way(Transport::Udp, ALICE), &request("OPTIONS", "early", ""));
    replay.request(5 * SECOND, way(Transport::Udp, ALICE), &request("OPTIONS", "last", ""));
    let verdicts = replay.verdicts();
    assert_eq!(verdicts.iter().map(|v| v.number).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(verdicts.iter().map(|v| v.after.as_secs()).collect::<Vec<_>>(), [3, 0, 0, 0]);
}

#[test]
fn what_is_parked_at_the_end_gets_its_time() {
    let script = "from siphon import proxy, timer\n@proxy.on_request\nasync def route(request):\n\
        \x20   await timer.sleep(30 if request.ruri.user == 'bob' else 0)\n    request.reply(404)\n";
    let mut replay = replay(script, false);
    replay.request(SECOND, way(Transport::Udp, ALICE), &request("OPTIONS", "a", ""));
    assert!(replay.verdicts().is_empty());
    assert_eq!(whats(&replay.finish()), [&What::Reply(404, "Not Found".into())]);
}

#[test]
fn a_failing_handler_is_an_error_with_its_traceback() {
    let script = "from siphon import proxy\n@proxy.on_request\ndef route(request):\n    return 1 / 0\n";
    let mut replay = replay(script, false);
    replay.request(SECOND, way(Transport::Udp, ALICE), &request("OPTIONS", "a", ""));
    let verdicts = replay.verdicts();
    let What::Failed(error) = &verdicts[0].what else { panic!("{verdicts:?}") };
    assert!(error.contains("ZeroDivisionError"), "{error}");
    assert_eq!(verdicts[0].answer.as_ref().map(|a| a.0), Some(500));
    assert!(replay.lines().iter().any(|l| l.contains("ZeroDivisionError")));
    assert!(replay.lines().is_empty(), "taken");
}

#[test]
fn credentials_of_another_node_count_only_when_told_so() {
    let script = "from siphon import proxy, auth\n@proxy.on_request\ndef route(request):\n\
        \x20   if auth.require_proxy_digest(request):\n        request.reply(200, request.auth_user)\n";
    let credentials = "Proxy-Authorization: Digest username=\"alice\", realm=\"example.com\", nonce=\"n\", \
        uri=\"sip:bob@example.com\", response=\"0123\"\r\n";
    for (trust, code) in [(false, 407), (true, 200)] {
        let mut replay = replay(script, trust);
        replay.request(SECOND, way(Transport::Udp, ALICE), &request("OPTIONS", "a", credentials));
        replay.request(SECOND, way(Transport::Udp, ALICE), &request("OPTIONS", "b", ""));
        let codes: Vec<u16> = replay
            .verdicts()
            .iter()
            .map(|v| if let What::Reply(code, _) = v.what { code } else { 0 })
            .collect();
        assert_eq!(codes, [code, 407]);
    }
}

#[test]
fn two_scripts_run_side_by_side() {
    let fixed = |code| {
        format!(
            "from siphon import proxy\n@proxy.on_request\ndef route(request):\n    request.reply({code})\n"
        )
    };
    let (mut one, mut other) = (replay(&fixed(403), false), replay(&fixed(404), false));
    for n in 0..3 {
        let message = request("OPTIONS", &format!("c{n}"), "");
        for replay in [&mut one, &mut other] {
            replay.request(n * SECOND, way(Transport::Udp, ALICE), &message);
        }
    }
    assert_eq!(whats(&one.verdicts()), [&What::Reply(403, "Forbidden".into()); 3]);
    assert_eq!(whats(&other.verdicts()), [&What::Reply(404, "Not Found".into()); 3]);
}

#[test]
fn a_listener_everywhere_is_where_the_trace_was_and_nowhere_else() {
    let script = "from siphon import proxy\n@proxy.on_request\ndef route(request):\n\
        \x20   if request.ruri.is_local:\n        request.reply(200)\n    else:\n        request.relay()\n";
    let advertised =
        YAML.replace("'0.0.0.0:5060'", "{address: '0.0.0.0:5060', advertise: 'sip.example.net'}");
    for (yaml, uri, local) in [
        (YAML, "sip:192.0.2.1", true),
        (YAML, "sip:10.0.0.1", false),
        (&advertised, "sip:sip.example.net", true),
        (&advertised, "sip:192.0.2.1", true),
        (YAML, "sip:sip.example.net", false),
    ] {
        let mut replay = replay_with(yaml, script, false);
        let text = String::from_utf8(request("OPTIONS", "a", "").bytes().to_vec()).unwrap();
        let text = text.replace("OPTIONS sip:bob@example.com", &format!("OPTIONS {uri}"));
        let message = Message::parse(text.as_bytes(), &Limits::default()).unwrap();
        replay.request(SECOND, way(Transport::Udp, ALICE), &message);
        let verdicts = replay.verdicts();
        let expected = if local { What::Reply(200, "OK".into()) } else { What::Relay(uri.into()) };
        assert_eq!(verdicts[0].what, expected, "{uri}");
        assert_eq!(verdicts[0].sent.len(), usize::from(!local), "{uri}");
    }
}
