//! What is turned away when there is too much, and how a node drains.

use super::fake::*;
use crate::base::flow::Transport::Udp;
use crate::engine::Input;
use crate::event::{Classes, Kind, ShedReason};
use crate::wire::sip::Message;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

fn client() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn receive(socket: &UdpSocket) -> Message {
    let mut buffer = [0; 4096];
    let n = socket.recv(&mut buffer).expect("an answer comes");
    Message::parse(&buffer[..n], &Default::default()).unwrap()
}

/// A request inside a dialog.
fn in_dialog(method: &str, call_id: &str) -> Vec<u8> {
    let text = String::from_utf8(request(method, call_id, 0)).unwrap();
    text.replace("To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=2").into_bytes()
}

/// Stops shard `index` until the sender is dropped.
fn hold(node: &Node, index: u8) -> mpsc::Sender<()> {
    let (held, release) = mpsc::channel::<()>();
    let (stopped, is_stopped) = mpsc::channel::<()>();
    let (release, stopped) = (Mutex::new(release), Mutex::new(stopped));
    node.handle.on_each_shard(move |local| {
        if local.index == index {
            stopped.lock().unwrap().send(()).unwrap();
            let _ = release.lock().unwrap().recv();
        }
    });
    is_stopped.recv_timeout(PATIENCE).unwrap();
    held
}

/// A client whose datagrams shard 0 of two receives: found by asking while shard 1 stands still.
fn client_of_shard_0(node: &Node) -> UdpSocket {
    let released = hold(node, 1);
    let clients: Vec<UdpSocket> = (0..40).map(|_| client()).collect();
    let (sender, found) = mpsc::channel();
    for client in clients {
        client.send_to(&in_dialog("OPTIONS", "probe0"), node.address()).unwrap();
        let sender = sender.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            if client.recv(&mut buffer).is_ok() {
                let _ = sender.send(client);
            }
        });
    }
    let found = found.recv_timeout(PATIENCE).expect("one of forty lands on shard 0");
    drop(released);
    found
}

#[test]
fn a_full_mailbox_sheds_new_requests_and_the_others_arrive_in_order() {
    let mut config = config(Udp, "127.0.0.1:0", 2);
    config.mail.new_work = 10;
    let (sink, source) = crate::driver::event_stream(Classes::EDGE, 1000);
    let node = Node::observed(config, echo(), sink);
    let client = client_of_shard_0(&node);
    let held = hold(&node, 1);
    let calls: Vec<String> = (0..20).map(|n| format!("new{}", 2 * n + 1)).collect();
    for call_id in &calls {
        client.send_to(&request("INVITE", call_id, 0), node.address()).unwrap();
    }
    let mut shed = Vec::new();
    while shed.len() < 10 {
        let answer = receive(&client);
        assert_eq!(answer.status(), 503);
        shed.push(answer.call_id().to_string());
    }
    client.send_to(&in_dialog("BYE", "running1"), node.address()).unwrap();
    drop(held);
    let served: Vec<String> = (0..11).map(|_| receive(&client).call_id().to_string()).collect();
    assert_eq!(served[..10], calls[..10], "in the order they came");
    assert_eq!(served[10], "running1", "the mailbox keeps room for running calls");
    assert_eq!(shed, calls[10..]);
    assert_eq!(node.handle.counters().shed(ShedReason::Mailbox), 10);
    let mut events = Vec::new();
    while events.len() < 10 && source.take(&mut events, PATIENCE_OF_OBSERVER) {}
    let is_shed = |e: &crate::event::Event| matches!(e.kind, Kind::Shed { reason: ShedReason::Mailbox, .. });
    assert_eq!(events.iter().filter(|e| is_shed(e)).count(), 10);
}

const PATIENCE_OF_OBSERVER: crate::base::time::Duration = crate::base::time::Duration::from_secs(10);

#[test]
fn a_draining_node_refuses_what_is_new_and_finishes_what_runs() {
    let node = Node::start(config(Udp, "127.0.0.1:0", 3), echo());
    let client = client();
    let running = request("INVITE", "old1", 0);
    client.send_to(&running, node.address()).unwrap();
    assert!(receive(&client).is_request(), "served: the fake echoes");
    node.running.store(1, Ordering::Relaxed);
    assert!(!node.handle.drain(std::time::Duration::ZERO), "one transaction still runs");

    let ask = |bytes: &[u8]| {
        client.send_to(bytes, node.address()).unwrap();
        receive(&client)
    };
    let refused = ask(&request("INVITE", "new1", 0));
    assert_eq!(refused.status(), 503);
    let retry_after: u32 = refused.header_named("Retry-After").unwrap().parse().unwrap();
    assert!((2..=10).contains(&retry_after));
    assert!(ask(&running).is_request(), "the retransmission belongs to the transaction that runs");
    assert!(ask(&in_dialog("BYE", "old1")).is_request());
    assert!(ask(&request("CANCEL", "old1", 0)).is_request());
    let emergency = String::from_utf8(request("INVITE", "sos1", 0)).unwrap();
    assert!(ask(emergency.replace("sip:bob@example.com SIP", "urn:service:sos SIP").as_bytes()).is_request());

    // The ACK to the 503 is passed over: what follows it is the next thing the engine hears of.
    let ack = String::from_utf8(request("ACK", "new1", 0)).unwrap();
    let to_tag = format!("To: <sip:bob@example.com>;tag={}", refused.to_tag().unwrap());
    client.send_to(ack.replace("To: <sip:bob@example.com>", &to_tag).as_bytes(), node.address()).unwrap();
    assert!(ask(&in_dialog("INFO", "new1")).is_request());
    let heard: Vec<String> = node.told.try_iter().filter_map(|(_, input)| method_of(&input)).collect();
    assert!(!heard.contains(&"ACK".to_string()), "{heard:?}");

    node.running.store(0, Ordering::Relaxed);
    assert!(node.handle.drain(PATIENCE));
}

fn method_of(input: &Input) -> Option<String> {
    match input {
        Input::Message { message, .. } => Some(message.method_name().to_string()),
        _ => None,
    }
}

#[test]
fn more_than_the_shard_sustains_is_shed_and_running_calls_are_not() {
    let slow: React = Arc::new(|flow, message, effects| {
        let until = std::time::Instant::now() + std::time::Duration::from_micros(500);
        while std::time::Instant::now() < until {
            std::hint::spin_loop();
        }
        echo()(flow, message, effects);
    });
    let mut config = config(Udp, "127.0.0.1:0", 1);
    // Short, so that a test machine that is busy itself still sees the queue stand for that long.
    config.overload.target = std::time::Duration::from_millis(4);
    config.overload.interval = std::time::Duration::from_millis(10);
    let node = Node::start(config, slow);
    let (caller, running) = (client(), client());
    let calls = 3000;
    let answered = Arc::new(AtomicUsize::new(0));
    let answers = {
        let (caller, answered) = (caller.try_clone().unwrap(), answered.clone());
        std::thread::spawn(move || {
            let (mut served, mut shed) = (0, 0);
            for _ in 0..calls {
                if receive(&caller).is_request() {
                    served += 1
                } else {
                    shed += 1
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
            (served, shed)
        })
    };
    let address = node.address();
    let byes = std::thread::spawn(move || {
        (0..20).all(|n| {
            running.send_to(&in_dialog("BYE", &format!("old{n}")), address).unwrap();
            receive(&running).is_request()
        })
    });
    // Far above the 2,000 a second that the node can serve, and never more than any socket buffer holds.
    for n in 0..calls {
        until(|| n - answered.load(Ordering::Relaxed) < 150);
        caller.send_to(&request("INVITE", &format!("new{n}"), 0), address).unwrap();
    }
    assert!(byes.join().unwrap(), "a BYE is served, however many INVITEs wait");
    let (served, shed) = answers.join().unwrap();
    assert_eq!(served + shed, calls, "nobody is left without an answer");
    assert!(shed > 0 && served > calls / 20, "served {served}, shed {shed}");
    assert_eq!(node.handle.counters().shed(ShedReason::Overload), shed as u64);
}

/// An engine that takes half a millisecond for each message, and answers it.
fn slow_echo() -> React {
    Arc::new(|flow, message, effects| {
        let until = std::time::Instant::now() + std::time::Duration::from_micros(500);
        while std::time::Instant::now() < until {
            std::hint::spin_loop();
        }
        echo()(flow, message, effects);
    })
}

#[test]
fn more_mail_than_a_shard_sustains_is_shed_though_its_own_socket_is_idle() {
    let mut config = config(Udp, "127.0.0.1:0", 2);
    config.overload.target = std::time::Duration::from_millis(4);
    config.overload.interval = std::time::Duration::from_millis(10);
    let node = Node::start(config, slow_echo());
    let caller = client_of_shard_0(&node);
    let running: Vec<UdpSocket> = (0..8).map(|_| client()).collect();
    let calls = 3000;
    let (answered, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let answers = {
        let (caller, answered, done) = (caller.try_clone().unwrap(), answered.clone(), done.clone());
        std::thread::spawn(move || {
            let (mut served, mut shed) = (0, 0);
            for _ in 0..calls {
                if receive(&caller).is_request() {
                    served += 1
                } else {
                    shed += 1
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
            done.store(1, Ordering::Relaxed);
            (served, shed)
        })
    };
    // Running calls that reach either shard by its own socket or by mail: each is served, and at once.
    let address = node.address();
    let infos = std::thread::spawn(move || {
        let mut served = 0;
        while done.load(Ordering::Relaxed) == 0 {
            for (n, client) in running.iter().enumerate() {
                client.send_to(&in_dialog("INFO", &format!("old{n}{served}1")), address).unwrap();
                assert!(receive(client).is_request(), "a request of a running call is never shed");
                served += 1;
            }
        }
        served
    });
    for n in 0..calls {
        until(|| n - answered.load(Ordering::Relaxed) < 150);
        // All are owned by shard 1, and shard 0 receives them.
        caller.send_to(&request("INVITE", &format!("new{}", 2 * n + 1), 0), address).unwrap();
    }
    let (served, shed) = answers.join().unwrap();
    assert!(infos.join().unwrap() > 0);
    assert_eq!(served + shed, calls, "nobody is left without an answer");
    assert!(shed > 0 && served > calls / 20, "served {served}, shed {shed}");
}

#[test]
fn what_would_wait_too_long_in_another_shards_mailbox_is_turned_away_where_it_came_in() {
    let mut config = config(Udp, "127.0.0.1:0", 2);
    config.overload.target = std::time::Duration::from_millis(1);
    config.overload.interval = std::time::Duration::from_millis(5);
    let node = Node::start(config, echo());
    let client = client_of_shard_0(&node);
    let held = hold(&node, 1);
    let first = request("INVITE", "first1", 0);
    client.send_to(&first, node.address()).unwrap();
    // Shard 1 stands still: what comes after the first has waited for an interval is refused by shard 0, at once.
    let mut refused = 0;
    let mut posted = vec!["first1".to_owned()];
    let began = std::time::Instant::now();
    for n in 0.. {
        let call_id = format!("more{}", 2 * n + 1);
        client.send_to(&request("INVITE", &call_id, 0), node.address()).unwrap();
        // Shard 0 serves this one itself, behind the INVITE: what it has to say to that has come before.
        client.send_to(&in_dialog("OPTIONS", &format!("probe{}", 2 * n)), node.address()).unwrap();
        let answer = receive(&client);
        if answer.is_request() {
            posted.push(call_id);
        } else {
            assert_eq!((answer.status(), answer.call_id()), (503, call_id.as_str()));
            assert!(receive(&client).is_request(), "the one behind it");
            refused += 1;
        }
        assert!(began.elapsed() < PATIENCE, "shard 0 goes on posting");
        if refused == 3 {
            break;
        }
    }
    // A copy of what was let in is not turned away, and neither is a request of a running call.
    client.send_to(&first, node.address()).unwrap();
    client.send_to(&in_dialog("BYE", "running1"), node.address()).unwrap();
    drop(held);
    posted.extend(["first1".to_owned(), "running1".to_owned()]);
    for call_id in posted {
        let served = receive(&client);
        assert!(served.is_request(), "{}", served.status());
        assert_eq!(served.call_id(), call_id);
    }
}
