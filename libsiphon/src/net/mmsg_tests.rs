use super::*;
use std::net::UdpSocket;
use std::os::fd::AsFd;

fn pair(ip: &str) -> (UdpSocket, UdpSocket) {
    let bind = || UdpSocket::bind((ip, 0)).unwrap();
    (bind(), bind())
}

fn receive_all(batch: &mut ReceiveBatch, socket: &UdpSocket, wanted: usize) -> Vec<(Vec<u8>, SocketAddr)> {
    let mut got = Vec::new();
    while got.len() < wanted {
        match batch.receive(socket.as_fd()) {
            Ok(n) => got.extend((0..n).map(|i| {
                let datagram = batch.datagram(i).unwrap();
                (datagram.bytes.to_vec(), datagram.from)
            })),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }
    got
}

#[test]
fn more_than_one_batch_arrives_in_order_with_sizes_and_peers() {
    for ip in ["127.0.0.1", "::1"] {
        let (a, b) = pair(ip);
        let payloads: Vec<Vec<u8>> = (0..150u8).map(|n| vec![n; usize::from(n) * 9]).collect();
        let to = b.local_addr().unwrap();
        let (mut sender, mut sent) = (SendBatch::new(), 0);
        let mut batch = ReceiveBatch::new();
        let mut got = Vec::new();
        while sent < payloads.len() {
            let out = payloads[sent..].iter().map(|bytes| Outgoing { to, from: None, bytes });
            let n = sender.send(a.as_fd(), out).unwrap();
            assert!((1..=BATCH).contains(&n));
            got.extend(receive_all(&mut batch, &b, n));
            sent += n;
        }
        let from = a.local_addr().unwrap();
        assert_eq!(got, payloads.into_iter().map(|p| (p, from)).collect::<Vec<_>>());
    }
}

#[test]
fn a_batch_used_again_says_nothing_of_what_it_held_before() {
    let (a, b) = pair("127.0.0.1");
    let (mut sender, mut batch) = (SendBatch::new(), ReceiveBatch::new());
    let to = b.local_addr().unwrap();
    for bytes in [&[1u8; 2000][..], &[2; 3]] {
        sender.send(a.as_fd(), [Outgoing { to, from: None, bytes }].into_iter()).unwrap();
        assert_eq!(receive_all(&mut batch, &b, 1), [(bytes.to_vec(), a.local_addr().unwrap())]);
        assert!(batch.datagram(1).is_none());
    }
    assert_eq!(batch.receive(b.as_fd()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert!(batch.datagram(0).is_none());
}

#[test]
fn a_source_address_is_used_for_its_datagram_alone() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let any = UdpSocket::bind("0.0.0.0:0").unwrap();
    let (to, mut sender) = (receiver.local_addr().unwrap(), SendBatch::new());
    let second: IpAddr = "127.0.0.2".parse().unwrap();
    let out = [Some(second), None, Some(second)].map(|from| Outgoing { to, from, bytes: b"x" });
    assert_eq!(sender.send(any.as_fd(), out.into_iter()).unwrap(), 3);
    let from: Vec<_> = receive_all(&mut ReceiveBatch::new(), &receiver, 3)
        .iter()
        .map(|(_, from)| from.ip().to_string())
        .collect();
    assert_eq!(from, ["127.0.0.2", "127.0.0.1", "127.0.0.2"]);
}

#[test]
fn the_error_queue_quotes_the_datagram_and_its_peer() {
    let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    set_option(socket.as_fd(), libc::IPPROTO_IP, libc::IP_RECVERR, 1).unwrap();
    let mut quote = [0u8; 64];
    assert!(receive_error(socket.as_fd(), &mut quote).unwrap().is_none());
    socket.send_to(b"is anybody there?", gone).unwrap();
    let error = receive_error(socket.as_fd(), &mut quote).unwrap().expect("loopback answers at once");
    assert_eq!((error.errno, error.from_network, error.to), (libc::ECONNREFUSED, true, gone));
    assert_eq!(&quote[..error.quoted], b"is anybody there?");
}
