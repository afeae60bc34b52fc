//! The test kit's node: what the daemon does with a script and its YAML, in virtual time.

use siphon::app::config::Text;
use siphon::app::kit::{Kit, KitPlan, MakeApart};
use siphon::base::flow::Transport;
use siphon::base::text::Octets;
use siphon::base::time::Duration;
use siphon::script::{ApartMode, ScriptSource};
use siphon::sim::reading::Reading;
use siphon::sim::{CallPlan, CallState, HostId, Manner, Order, START, Way};
use siphon_proxy::Proxy;

const YAML: &str = "listen: {udp: ['10.0.0.1:5060'], tcp: ['10.0.0.1:5060']}\n\
    domain: {local: [example.com]}\nauth: {realm: example.com, users: {alice: secret, bob: secret}}\n";

fn kit(script: &str, shards: u8) -> Kit {
    let yaml = Text { name: "test.yaml".to_owned(), text: YAML.to_owned(), file: None };
    let script = ScriptSource::Embedded { name: "<test>".to_owned(), text: script.to_owned() };
    Kit::start::<Proxy>(KitPlan {
        yaml,
        script: Some(script),
        seed: 7,
        shards: Some(shards),
        apart: threads(),
    })
    .unwrap()
}

/// The scripts here wait for nothing but what their shard grants.
fn threads() -> MakeApart {
    Box::new(|| Ok(ApartMode::Threads))
}

fn request(method: &str, uri: &str, call_id: &str) -> Octets {
    let text = format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{call_id}\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@example.com>;tag=a\r\nTo: <{uri}>\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\
         Content-Length: 0\r\n\r\n"
    );
    Octets::from(text.into_bytes())
}

fn ask(kit: &mut Kit, method: &str, uri: &str, call_id: &str) {
    let (from, to) = ("192.0.2.9:5060".parse().unwrap(), kit.sockets()[0].1);
    let way = Way { transport: Transport::Udp, from, to };
    kit.net.send_as(way, &request(method, uri, call_id), true);
    kit.net.settle(Duration::from_secs(100));
}

/// Status codes that the node sent in this call, with the second they left.
fn answers(kit: &mut Kit, call_id: &str) -> Vec<(u64, u16)> {
    let node = kit.sockets()[0].1;
    let log = &kit.net.wire().log;
    let sent = log.entries().iter().filter(|e| e.from == node);
    let read = sent.filter_map(|e| Some((e.at.since(START).as_secs(), Reading::of(&e.bytes)?)));
    read.filter(|(_, r)| r.call_id() == call_id).map(|(at, r)| (at, r.status())).collect()
}

fn phone(kit: &mut Kit, user: &str) -> HostId {
    let host = kit.host();
    let phone = kit.net.ua(user, host);
    kit.net.tell(phone, Order::Behave(Manner::by_hand(200)));
    phone
}

const ANSWERS: &str = "from siphon import proxy, log, timer, metrics, registrar\n\
    count = metrics.counter('asked', 'requests asked about')\n\
    @proxy.on_request\n\
    async def route(request):\n    count.inc()\n    log.info('asked', user=request.ruri.user)\n\
    \x20   await timer.sleep(3)\n    request.reply(200, 'OK')\n";

#[test]
fn a_coroutine_that_sleeps_answers_in_virtual_time() {
    for shards in [1, 3] {
        let mut kit = kit(ANSWERS, shards);
        ask(&mut kit, "OPTIONS", "sip:bob@example.com", "c1");
        let finals: Vec<_> = answers(&mut kit, "c1").into_iter().filter(|a| a.1 >= 200).collect();
        assert_eq!(finals, [(3, 200)]);
        let lines = kit.lines(0);
        assert!(lines.iter().any(|l| l.contains("\"asked\"") && l.contains("\"bob\"")), "{lines:?}");
        let metrics = kit.metrics().unwrap();
        assert!(metrics.lines().any(|l| l.starts_with("asked") && l.ends_with(" 1")), "{metrics}");
        assert!(metrics.contains("siphon_requests_total{method=\"OPTIONS\"} 1"), "{metrics}");
        assert_eq!(&*kit.decisions(0)[0].what, "reply 200");
    }
}

#[test]
fn the_default_script_registers_and_calls_between_phones_under_manual_control() {
    let yaml = Text { name: "test.yaml".to_owned(), text: YAML.to_owned(), file: None };
    let mut kit =
        Kit::start::<Proxy>(KitPlan { yaml, script: None, seed: 3, shards: None, apart: threads() }).unwrap();
    let (alice, bob) = (phone(&mut kit, "alice"), phone(&mut kit, "bob"));
    kit.net.register(bob, 600);
    kit.net.settle(Duration::from_secs(5));
    assert_eq!(kit.net.statuses(bob), [200]);
    let to = "sip:bob@example.com".to_owned();
    kit.net.tell(alice, Order::Call(CallPlan { to, ..CallPlan::default() }));
    let call = kit.net.phone(alice).last_call_id().to_owned();
    kit.net.settle(Duration::from_secs(5));
    assert_eq!(kit.net.phone(bob).call_state(&call), Some(CallState::Incoming));
    let respond =
        |code| Order::Respond { call_id: call.clone(), code, headers: String::new(), body: String::new() };
    kit.net.tell(bob, respond(180));
    kit.net.settle(Duration::from_secs(5));
    assert_eq!(kit.net.phone(alice).call_state(&call), Some(CallState::Proceeding));
    kit.net.tell(bob, respond(200));
    kit.net.settle(Duration::from_secs(5));
    assert_eq!(kit.net.phone(alice).call_state(&call), Some(CallState::Confirmed));
    kit.net.tell(bob, Order::HangUp { call_id: call.clone() });
    kit.net.settle(Duration::from_secs(5));
    assert_eq!(kit.net.phone(alice).call_state(&call), Some(CallState::Ended));
    kit.net.run_until_idle(Duration::from_secs(100));
    assert_eq!(kit.net.node(kit.host()).shards().map(|s| s.transactions()).next(), Some((0, 0)));
}

#[test]
fn a_cancelled_call_ends_with_487_at_both_ends() {
    let script = "from siphon import proxy\n@proxy.on_request\ndef route(request):\n    request.relay('sip:10.1.0.3:5060')\n";
    let mut kit = kit(script, 1);
    let (alice, bob) = (phone(&mut kit, "alice"), phone(&mut kit, "bob"));
    let to = "sip:bob@example.com".to_owned();
    kit.net.tell(alice, Order::Call(CallPlan { to, ..CallPlan::default() }));
    let call_id = kit.net.phone(alice).last_call_id().to_owned();
    kit.net.settle(Duration::from_secs(5));
    let (headers, body) = (String::new(), String::new());
    kit.net.tell(bob, Order::Respond { call_id: call_id.clone(), code: 180, headers, body });
    kit.net.settle(Duration::from_secs(5));
    kit.net.tell(alice, Order::Cancel { call_id: call_id.clone() });
    kit.net.settle(Duration::from_secs(5));
    assert_eq!(kit.net.phone(alice).call_state(&call_id), Some(CallState::Failed(487)));
    assert_eq!(kit.net.phone(bob).call_state(&call_id), Some(CallState::Failed(487)));
}

#[test]
fn a_script_is_replaced_while_it_runs_and_a_broken_one_is_not() {
    let reply = |code| {
        format!(
            "from siphon import proxy\n@proxy.on_request\ndef route(request):\n    request.reply({code})\n"
        )
    };
    let source =
        |text: &str| Some(ScriptSource::Embedded { name: "<other>".to_owned(), text: text.to_owned() });
    let mut kit = kit(&reply(403), 2);
    ask(&mut kit, "OPTIONS", "sip:a@example.com", "before");
    kit.reload(source(&reply(404))).unwrap();
    let error = kit.reload(source("from siphon import proxi")).unwrap_err();
    assert!(error.contains("proxi"), "{error}");
    ask(&mut kit, "OPTIONS", "sip:a@example.com", "after");
    assert_eq!((answers(&mut kit, "before"), answers(&mut kit, "after")), (vec![(0, 403)], vec![(0, 404)]));
    kit.restart().unwrap();
    ask(&mut kit, "OPTIONS", "sip:a@example.com", "again");
    assert_eq!(answers(&mut kit, "again"), [(0, 404)]);
}

#[test]
fn changes_of_bindings_reach_the_script() {
    let script = "from siphon import proxy, registrar, log\n\
        @proxy.on_request\ndef route(request):\n    registrar.save(request)\n\
        @registrar.on_change\ndef changed(aor, event_type, contacts):\n    log.info(f'{event_type} {aor}')\n";
    let mut kit = kit(script, 1);
    let bob = phone(&mut kit, "bob");
    kit.net.register(bob, 60);
    kit.net.settle(Duration::from_secs(1));
    kit.net.advance(Duration::from_secs(70));
    let lines = kit.lines(0).join("\n");
    assert!(lines.contains("registered sip:bob@example.com") && lines.contains("expired sip:bob"), "{lines}");
}

#[test]
fn a_script_that_does_not_load_is_told_as_the_daemon_tells_it() {
    let yaml = Text { name: "test.yaml".to_owned(), text: YAML.to_owned(), file: None };
    let text = "from siphon import proxy\n1/0\n".to_owned();
    let script = Some(ScriptSource::Embedded { name: "<bad>".to_owned(), text });
    let error =
        Kit::start::<Proxy>(KitPlan { yaml, script, seed: 1, shards: None, apart: threads() }).err().unwrap();
    assert!(error.contains("<bad>:2") && error.contains("ZeroDivisionError"), "{error}");
}

#[test]
fn a_fork_without_targets_asks_on_failure_about_a_480_of_our_own() {
    let script = "from siphon import proxy\n@proxy.on_request\ndef route(request):\n    request.fork([])\n\
        @proxy.on_failure\ndef failed(request, reply):\n    \
        request.reply(404 if reply.is_local and reply.status_code == 480 else 500)\n";
    let mut kit = kit(script, 1);
    ask(&mut kit, "OPTIONS", "sip:bob@example.com", "c1");
    assert_eq!(answers(&mut kit, "c1"), [(0, 404)]);
}
