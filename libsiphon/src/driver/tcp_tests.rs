//! Real connections on loopback through the driver.

use super::fake::*;
use crate::base::flow::Transport::Tcp;
use std::io::{Read, Write};
use std::net::TcpStream;

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
