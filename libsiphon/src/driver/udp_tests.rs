//! Real datagrams on loopback through the driver.

use super::fake::*;
use crate::base::flow::Transport::Udp;
use crate::engine::Effect;
use std::collections::HashMap;
use std::net::UdpSocket;
use std::sync::Arc;

fn client(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn receive(socket: &UdpSocket) -> (Vec<u8>, std::net::SocketAddr) {
    let mut buffer = vec![0; 65_536];
    let (n, from) = socket.recv_from(&mut buffer).expect("a datagram comes back");
    buffer.truncate(n);
    (buffer, from)
}

fn echoes_a_hundred(shards: u8) {
    let node = Node::start(config(Udp, "127.0.0.1:0", shards), echo());
    let client = client("127.0.0.1:0");
    for n in 0..100 {
        let sent = request("OPTIONS", &format!("call{n}"), n);
        client.send_to(&sent, node.address()).unwrap();
        assert_eq!(receive(&client), (sent, node.address()));
    }
}

#[test]
fn a_datagram_is_answered_with_one_shard() {
    echoes_a_hundred(1);
}

#[test]
fn a_datagram_is_answered_with_three_shards_whoever_owns_it() {
    echoes_a_hundred(3);
}

#[test]
fn the_owner_is_told_whichever_shard_received() {
    let node = Node::start(config(Udp, "127.0.0.1:0", 3), silent());
    let client = client("127.0.0.1:0");
    for n in 0..30 {
        let call_id = format!("call{n}");
        client.send_to(&request("INVITE", &call_id, 0), node.address()).unwrap();
        let shard = node.next(|(shard, input)| {
            let crate::engine::Input::Message { message, .. } = input else { return None };
            (message.call_id() == call_id).then_some(*shard)
        });
        assert_eq!(shard, owner_of(&call_id, 3));
    }
}

#[test]
fn the_answer_leaves_from_the_address_that_was_spoken_to() {
    let node = Node::start(config(Udp, "0.0.0.0:0", 1), echo());
    let client = client("127.0.0.1:0");
    for ip in ["127.0.0.1", "127.0.0.2"] {
        let spoken_to = std::net::SocketAddr::new(ip.parse().unwrap(), node.address().port());
        client.send_to(&request("OPTIONS", "call1", 0), spoken_to).unwrap();
        assert_eq!(receive(&client).1, spoken_to);
    }
}

#[test]
fn ipv6_works_as_ipv4_does() {
    let node = Node::start(config(Udp, "[::]:0", 2), echo());
    let client = client("[::1]:0");
    let spoken_to = std::net::SocketAddr::new("::1".parse().unwrap(), node.address().port());
    for call in ["call1", "call2"] {
        let sent = request("OPTIONS", call, 10);
        client.send_to(&sent, spoken_to).unwrap();
        assert_eq!(receive(&client), (sent, spoken_to));
    }
}

#[test]
fn the_largest_datagram_comes_and_goes_whole() {
    let node = Node::start(config(Udp, "127.0.0.1:0", 1), echo());
    let client = client("127.0.0.1:0");
    let head = request("OPTIONS", "call1", 10_000).len() - 10_000;
    let sent = request("OPTIONS", "call1", 65_507 - head);
    assert_eq!(sent.len(), 65_507, "the most that UDP over IPv4 carries");
    client.send_to(&sent, node.address()).unwrap();
    assert_eq!(receive(&client).0, sent);
}

#[test]
fn an_icmp_port_unreachable_reaches_the_transaction_that_sent() {
    let node = Node::start(config(Udp, "127.0.0.1:0", 1), silent());
    let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    node.effect(0, move || send_to(Udp, gone, &request("OPTIONS", "call1", 0), 77));
    assert_eq!(node.next(failed_report), (0, 77));
}

#[test]
fn a_datagram_too_large_to_send_is_reported_and_the_next_one_leaves() {
    let node = Node::start(config(Udp, "127.0.0.1:0", 1), silent());
    let client = client("127.0.0.1:0");
    let to = client.local_addr().unwrap();
    node.effect(0, move || send_to(Udp, to, &request("OPTIONS", "call1", 70_000), 5));
    node.effect(0, move || send_to(Udp, to, &request("OPTIONS", "call2", 0), 6));
    assert_eq!(node.next(failed_report), (0, 5));
    assert_eq!(receive(&client).0, request("OPTIONS", "call2", 0));
}

#[test]
fn keepalives_and_noise_are_passed_over() {
    let node = Node::start(config(Udp, "127.0.0.1:0", 1), echo());
    let client = client("127.0.0.1:0");
    for noise in [&b"\r\n\r\n"[..], b"", b"\0\0\0\0"] {
        client.send_to(noise, node.address()).unwrap();
    }
    client.send_to(&request("OPTIONS", "call1", 0), node.address()).unwrap();
    assert_eq!(receive(&client).0, request("OPTIONS", "call1", 0));
    let counted = node.handle.counters().keepalives.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(counted, 3);
}

/// Sends 180 and 200 of 10,000 calls back to back through a node that forwards them.
fn keeps_180_before_200(shards: u8) {
    let (uas, uac) = (client("127.0.0.1:0"), client("127.0.0.1:0"));
    let forward_to = uac.local_addr().unwrap();
    let forward: React = Arc::new(move |_, message, effects| {
        let Effect::Send { egress, .. } = send_to(Udp, forward_to, b"", 0) else { return };
        effects.push(Effect::Send { egress, bytes: message.bytes().into(), report: None });
    });
    let node = Node::start(config(Udp, "127.0.0.1:0", shards), forward);
    let mut last: HashMap<String, u16> = HashMap::new();
    // A window keeps socket buffers from overflowing: loopback itself loses nothing.
    for window in 0..200 {
        for n in 0..50 {
            let call_id = format!("call{}", window * 50 + n);
            uas.send_to(&response(180, &call_id), node.address()).unwrap();
            uas.send_to(&response(200, &call_id), node.address()).unwrap();
        }
        for _ in 0..100 {
            let (bytes, _) = receive(&uac);
            let message = crate::wire::sip::Message::parse(&bytes, &Default::default()).unwrap();
            let before = last.insert(message.call_id().to_string(), message.status());
            match message.status() {
                180 => assert_eq!(before, None, "180 after 200 in {}", message.call_id()),
                _ => assert_eq!(before, Some(180), "200 before 180 in {}", message.call_id()),
            }
        }
    }
    assert_eq!(last.len(), 10_000);
    assert!(last.values().all(|status| *status == 200));
}

#[test]
fn ten_thousand_180s_arrive_before_their_200s_with_one_shard() {
    keeps_180_before_200(1);
}

#[test]
fn ten_thousand_180s_arrive_before_their_200s_with_three_shards() {
    keeps_180_before_200(3);
}
