//! Real connections on loopback through the driver.

use super::fake::*;
use crate::base::flow::Transport::Tcp;
use crate::engine::{Effect, Input};
use crate::net::NetSettings;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

fn client(node: &Node) -> TcpStream {
    let stream = TcpStream::connect(node.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn receive(stream: &mut TcpStream, n: usize) -> Vec<u8> {
    let mut buffer = vec![0; n];
    stream.read_exact(&mut buffer).expect("the octets come");
    buffer
}

/// A peer that the node connects to.
fn peer() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn a_message_that_comes_byte_by_byte_is_answered() {
    let node = Node::start(config(Tcp, "127.0.0.1:0", 3), echo());
    let mut client = client(&node);
    for n in 0..3 {
        let sent = request("OPTIONS", &format!("call{n}"), 20);
        for byte in &sent {
            client.write_all(&[*byte]).unwrap();
        }
        assert_eq!(receive(&mut client, sent.len()), sent);
    }
}

#[test]
fn pipelined_messages_of_a_call_are_answered_in_order_and_pings_between_them_too() {
    for shards in [1, 3] {
        let node = Node::start(config(Tcp, "[::1]:0", shards), echo());
        let mut client = client(&node);
        let mut sent = Vec::new();
        for n in 0..500 {
            sent.extend(request("INFO", "call1", n));
        }
        client.write_all(&sent).unwrap();
        assert_eq!(receive(&mut client, sent.len()), sent);
        client.write_all(b"\r\n\r\n").unwrap();
        assert_eq!(receive(&mut client, 2), b"\r\n");
    }
}

#[test]
fn a_peer_that_does_not_read_stalls_nobody_else_and_its_sends_fail() {
    let mut config = config(Tcp, "127.0.0.1:0", 1);
    config.net.max_queued_octets = 200_000;
    let react: React = Arc::new(|flow, message, effects| {
        for n in 0..if message.call_id() == "flood1" { 200 } else { 1 } {
            let Effect::Send { report, .. } = send_to(Tcp, flow.remote, b"", n) else { return };
            effects.push(Effect::Send { egress: flow.back(), bytes: message.bytes().into(), report });
        }
    });
    let node = Node::start(config, react);
    let (mut slow, mut quick) = (client(&node), client(&node));
    let flood = request("OPTIONS", "flood1", 60_000);
    slow.write_all(&flood).unwrap();
    let (shard, _) = node.next(failed_report);
    assert_eq!(shard, 0, "12 MB do not fit into any buffer");
    for n in 0..20 {
        let sent = request("OPTIONS", &format!("call{n}"), 0);
        quick.write_all(&sent).unwrap();
        assert_eq!(receive(&mut quick, sent.len()), sent);
    }
    assert_eq!(receive(&mut slow, flood.len()), flood, "what was accepted for it still arrives");
}

#[test]
fn a_refused_connection_fails_every_send_that_waited_for_it_on_its_own_shard() {
    let (listener, gone) = peer();
    drop(listener);
    let node = Node::start(config(Tcp, "127.0.0.1:0", 3), silent());
    for shard in 0..3u8 {
        node.effect(shard, move || send_to(Tcp, gone, b"x", u32::from(shard)));
    }
    let mut failed: Vec<_> = (0..3).map(|_| node.next(failed_report)).collect();
    failed.sort_unstable();
    assert_eq!(failed, [(0, 0), (1, 1), (2, 2)]);
    until(|| node.handle.connections() == 0);
}

#[test]
fn sends_of_all_shards_share_one_connection() {
    let node = Node::start(config(Tcp, "127.0.0.1:0", 3), silent());
    let (listener, address) = peer();
    let sent = request("OPTIONS", "call1", 0);
    let of_each = sent.clone();
    node.handle.on_each_shard(move |local| {
        for n in 0..20 {
            local.effects.push(send_to(Tcp, address, &of_each, n));
        }
    });
    let mut stream = accept(&listener);
    let all = receive(&mut stream, 60 * sent.len());
    assert!(all.chunks(sent.len()).all(|message| message == sent));
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "one is enough");
    assert_eq!(node.handle.connections(), 1);
}

#[test]
fn an_answer_on_a_connection_that_we_opened_is_heard() {
    let node = Node::start(config(Tcp, "127.0.0.1:0", 2), silent());
    let (listener, address) = peer();
    node.effect(1, move || send_to(Tcp, address, &request("INVITE", "call0", 0), 0));
    let mut stream = accept(&listener);
    receive(&mut stream, request("INVITE", "call0", 0).len());
    stream.write_all(&response(180, "call0")).unwrap();
    let (shard, flow) = node.next(|(shard, input)| match input {
        Input::Message { flow, .. } => Some((*shard, *flow)),
        _ => None,
    });
    assert_eq!(shard, 0, "the owner, not the shard that connected");
    assert_eq!((flow.remote, flow.local), (address, stream.peer_addr().unwrap()));
    assert_eq!(flow.connection.map(|id| id.shard), Some(1));
}

#[test]
fn a_closed_connection_is_reported_to_every_shard_and_its_flow_is_dead() {
    let node = Node::start(config(Tcp, "127.0.0.1:0", 3), silent());
    let mut client = client(&node);
    client.write_all(&request("REGISTER", "call0", 0)).unwrap();
    let flow = node.next(|(_, input)| match input {
        Input::Message { flow, .. } => Some(*flow),
        _ => None,
    });
    drop(client);
    let mut told: Vec<u8> = (0..3)
        .map(|_| {
            node.next(|(shard, input)| match input {
                Input::ConnectionClosed { connection } => {
                    assert_eq!(Some(*connection), flow.connection);
                    Some(*shard)
                }
                _ => None,
            })
        })
        .collect();
    told.sort_unstable();
    assert_eq!(told, [0, 1, 2]);
    for shard in 0..3u8 {
        node.effect(shard, move || {
            let Effect::Send { report, .. } = send_to(Tcp, flow.remote, b"x", 9) else { unreachable!() };
            Effect::Send { egress: flow.back(), bytes: b"x"[..].into(), report }
        });
        assert_eq!(node.next(failed_report), (shard, 9));
    }
}

#[test]
fn any_shard_answers_on_a_connection_that_another_one_reads() {
    let node = Node::start(config(Tcp, "127.0.0.1:0", 3), echo());
    let mut client = client(&node);
    for n in 0..9 {
        let sent = request("OPTIONS", &format!("call{n}"), n);
        client.write_all(&sent).unwrap();
        assert_eq!(receive(&mut client, sent.len()), sent);
    }
}

#[test]
fn one_connection_too_many_of_an_address_is_closed_and_a_later_one_is_not() {
    let mut config = config(Tcp, "127.0.0.1:0", 1);
    config.net = NetSettings { max_connections_per_ip: 1, ..config.net };
    let node = Node::start(config, echo());
    // Pings, because a peer that goes away with a request unanswered is kept for the answer.
    let sent = b"\r\n\r\n";
    let mut first = client(&node);
    first.write_all(sent).unwrap();
    receive(&mut first, 2);
    let mut second = client(&node);
    assert!(matches!(second.read(&mut [0; 1]), Ok(0) | Err(_)), "closed at once");
    drop(first);
    until(|| node.handle.connections() == 0);
    let mut third = client(&node);
    third.write_all(sent).unwrap();
    receive(&mut third, 2);
}

#[test]
fn octets_that_are_no_sip_end_the_connection_after_the_engine_was_told() {
    let node = Node::start(config(Tcp, "127.0.0.1:0", 1), silent());
    let mut client = client(&node);
    client.write_all(b"\x16\x03\x01 a TLS hello, say").unwrap();
    node.next(|(_, input)| matches!(input, Input::Refused { .. }).then_some(()));
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
}
