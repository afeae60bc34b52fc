use super::*;
use crate::base::slab::Key;
use crate::engine::SendReport;

fn open(settings: &NetSettings) -> UdpSocket {
    UdpSocket::new(bind("127.0.0.1:0".parse().unwrap(), false, settings).unwrap(), settings).unwrap()
}

fn report(slot: u32) -> ReportTo {
    Some((0, SendReport::Client(Key { slot, generation: 1 })))
}

#[test]
fn a_full_queue_takes_no_more_until_it_is_flushed() {
    let settings = NetSettings { max_queued_datagrams: 2, ..NetSettings::default() };
    let (mut socket, peer) = (open(&settings), open(&settings));
    let queue = |socket: &mut UdpSocket| socket.queue(peer.bound(), None, b"x"[..].into(), None);
    assert!(queue(&mut socket) && queue(&mut socket));
    assert!(!queue(&mut socket));
    socket.flush(&mut SendBatch::new(), &mut Vec::new());
    assert!(queue(&mut socket));
}

#[test]
fn one_bad_datagram_in_a_batch_is_reported_and_all_others_arrive() {
    let settings = NetSettings::default();
    let (mut socket, mut peer) = (open(&settings), open(&settings));
    let huge: Octets = vec![0; 70_000].into();
    for n in 0..5u32 {
        let bytes = if n == 2 { huge.clone() } else { Octets::from(vec![n as u8; 10]) };
        assert!(socket.queue(peer.bound(), None, bytes, report(n)));
    }
    let mut failed = Vec::new();
    socket.flush(&mut SendBatch::new(), &mut failed);
    assert_eq!(failed, [report(2)]);
    let mut batch = ReceiveBatch::new();
    assert_eq!(peer.receive(&mut batch, &mut failed), Received { count: 4, more: false });
    let first: Vec<u8> = (0..4).map(|i| batch.datagram(i).unwrap().bytes[0]).collect();
    assert_eq!(first, [0, 1, 3, 4]);
}

#[test]
fn a_dead_peer_fails_its_own_datagrams_and_not_those_of_a_live_one() {
    let settings = NetSettings::default();
    let (mut socket, mut live) = (open(&settings), open(&settings));
    let gone = open(&settings).bound();
    let (mut batch, mut failed) = (SendBatch::new(), Vec::new());
    for n in 0..4u32 {
        let to = if n % 2 == 0 { gone } else { live.bound() };
        assert!(socket.queue(to, None, vec![n as u8; 200].into(), report(n)));
        socket.flush(&mut batch, &mut failed);
    }
    socket.take_errors(&mut failed);
    assert_eq!(failed, [report(0), report(2)]);
    assert_eq!(live.receive(&mut ReceiveBatch::new(), &mut failed).count, 2);
}

#[test]
fn a_wildcard_socket_serves_every_address_of_its_port_and_family() {
    let settings = NetSettings::default();
    let any =
        UdpSocket::new(bind("0.0.0.0:0".parse().unwrap(), false, &settings).unwrap(), &settings).unwrap();
    let port = any.bound().port();
    assert!(any.serves(SocketAddr::new("127.0.0.2".parse().unwrap(), port)));
    assert!(!any.serves(SocketAddr::new("127.0.0.2".parse().unwrap(), port.wrapping_add(1))));
    assert!(!any.serves(SocketAddr::new("::1".parse().unwrap(), port)));
    assert!(!open(&settings).serves(SocketAddr::new("127.0.0.2".parse().unwrap(), port)));
}

#[test]
fn an_address_in_use_is_an_error_unless_both_share_it() {
    let settings = NetSettings::default();
    let first = bind("127.0.0.1:0".parse().unwrap(), true, &settings).unwrap();
    let address = first.local_addr().unwrap();
    assert!(bind(address, true, &settings).is_ok());
    assert_eq!(bind(address, false, &settings).unwrap_err().kind(), io::ErrorKind::AddrInUse);
}
