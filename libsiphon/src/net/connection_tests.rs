use super::*;
use crate::base::flow::Transport;
use crate::base::slab::Key;
use crate::engine::SendReport;
use std::net::{SocketAddr, TcpListener, TcpStream as StdStream};

fn settings() -> NetSettings {
    NetSettings { max_queued_octets: 100_000, ..NetSettings::default() }
}

/// A connection at time zero and its peer.
fn pair(settings: &NetSettings) -> (Connection, StdStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = StdStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, remote) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let local: SocketAddr = stream.local_addr().unwrap();
    let flow = Flow { transport: Transport::Tcp, local, remote, connection: None };
    let key = FlowKey::new(Transport::Tcp, Some(local), remote);
    let limits = Limits::default();
    let room = Room { settings, limits: &limits };
    (Connection::open(TcpStream::from_std(stream), flow, key, &room, at(0)), peer)
}

fn at(secs: u64) -> Instant {
    Instant::from_unix_secs(1_000_000 + secs)
}

fn report(slot: u32) -> ReportTo {
    Some((0, SendReport::Client(Key { slot, generation: 1 })))
}

/// Reads until `count` frames are there or the connection is over.
fn read(connection: &mut Connection, now: Instant, count: usize) -> (Vec<Frame>, ReadState) {
    let (mut frames, mut scratch) = (Vec::new(), [0u8; 512]);
    loop {
        let state = connection.read(&mut scratch, now, &mut frames);
        if frames.len() >= count || matches!(state, ReadState::Ended(_)) {
            return (frames, state);
        }
    }
}

const OPTIONS: &[u8] =
    b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\n\
    To: <sip:b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_double_crlf_is_answered_with_one() {
    let (mut connection, mut peer) = pair(&settings());
    peer.write_all(b"\r\n\r\n").unwrap();
    peer.write_all(OPTIONS).unwrap();
    let (frames, _) = read(&mut connection, at(0), 1);
    assert!(matches!(frames[..], [Frame::Message(_)]));
    connection.flush(at(0)).unwrap();
    drop(connection);
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"\r\n");
}

#[test]
fn a_peer_that_does_not_read_fills_its_own_queue_and_nothing_else() {
    let (mut connection, _peer) = pair(&settings());
    let chunk: Octets = vec![b'x'; 10_000].into();
    let mut refused = 0;
    for n in 0..100_000 {
        if !connection.queue(chunk.clone(), report(n)) {
            refused += 1;
            break;
        }
        connection.flush(at(0)).unwrap();
    }
    assert_eq!(refused, 1, "the kernel's buffers are full and so is ours");
    assert!(!connection.wants_flush());
    assert_eq!(connection.overdue(&settings(), at(29)), None);
    assert_eq!(connection.overdue(&settings(), at(30)), Some(Ended::Stalled));
    assert!(connection.unsent().count() >= 9);
}

#[test]
fn a_message_larger_than_the_limit_still_goes_when_nothing_waits() {
    let (mut connection, _peer) = pair(&NetSettings { max_queued_octets: 10, ..settings() });
    assert!(connection.queue(OPTIONS.into(), None));
    assert!(!connection.queue(OPTIONS.into(), None));
}

#[test]
fn a_message_that_does_not_end_is_waited_for_so_long_and_no_longer() {
    let (mut connection, mut peer) = pair(&settings());
    peer.write_all(OPTIONS).unwrap();
    peer.write_all(&OPTIONS[..20]).unwrap();
    let mut frames = Vec::new();
    while !connection.framer.is_mid_message() || frames.is_empty() {
        connection.read(&mut [0u8; 4096], at(5), &mut frames);
    }
    assert_eq!(connection.deadline(&settings()), at(35));
    assert_eq!(connection.overdue(&settings(), at(34)), None);
    assert_eq!(connection.overdue(&settings(), at(35)), Some(Ended::PartialMessage));
    peer.write_all(&OPTIONS[20..]).unwrap();
    read(&mut connection, at(34), 1);
    assert_eq!(connection.overdue(&settings(), at(35)), None);
}

#[test]
fn a_connection_on_which_nothing_happens_is_idle_after_its_time() {
    let (mut connection, mut peer) = pair(&settings());
    assert_eq!(connection.overdue(&settings(), at(3600)), Some(Ended::Idle));
    peer.write_all(OPTIONS).unwrap();
    read(&mut connection, at(3000), 1);
    assert_eq!(connection.overdue(&settings(), at(3600)), None);
    assert_eq!(connection.overdue(&settings(), at(6600)), Some(Ended::Idle));
}

#[test]
fn what_was_asked_before_an_unframeable_end_is_answered_before_the_connection_goes() {
    let (mut connection, mut peer) = pair(&settings());
    peer.write_all(b"\0\x01\x02 no SIP at all\r\n\r\n").unwrap();
    let (frames, state) = read(&mut connection, at(0), 2);
    assert!(matches!(frames[..], [Frame::Fatal(_)]), "{frames:?}");
    assert_eq!(state, ReadState::Ended(Ended::Unframeable));
    connection.begin_closing(at(0));
    connection.flush(at(0)).unwrap();
    assert_eq!(connection.overdue(&settings(), at(0)), None);
    // The answer of a shard that learns of nothing comes a little later.
    assert!(connection.queue(b"SIP/2.0 200 OK\r\n\r\n"[..].into(), None));
    connection.flush(at(0)).unwrap();
    let mut answer = [0; 18];
    peer.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"SIP/2.0 200 OK\r\n\r\n");
    assert_eq!(connection.overdue(&settings(), at(1)), Some(Ended::Unframeable));
}

const ANSWER: &[u8] = b"SIP/2.0 200 OK\r\n\r\n";

fn octets(text: &[u8]) -> Octets {
    Octets::from(text)
}

#[test]
fn a_peer_that_ends_its_half_behind_a_request_stays_for_the_answer() {
    let (mut connection, mut peer) = pair(&settings());
    peer.write_all(OPTIONS).unwrap();
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    let (frames, _) = read(&mut connection, at(0), 1);
    assert!(matches!(frames[..], [Frame::Message(_)]));
    // The kernel says once that the end has come.
    connection.end_is_near();
    assert_eq!(read(&mut connection, at(1), 1).1, ReadState::Ended(Ended::ByPeer));
    assert!(connection.half_close(at(1)) && connection.is_half_closed());
    assert_eq!(connection.overdue(&settings(), at(32)), None);
    assert_eq!(connection.overdue(&settings(), at(33)), Some(Ended::ByPeer));
    assert!(!connection.queue(octets(OPTIONS), None), "no response to it could come");
    assert!(connection.queue(octets(b"SIP/2.0 180 Ringing\r\n\r\n"), None));
    connection.flush(at(2)).unwrap();
    assert!(connection.owes_answers());
    assert!(connection.queue(octets(ANSWER), None) && connection.owes_answers());
    connection.flush(at(2)).unwrap();
    assert!(!connection.owes_answers());
    drop(connection);
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).unwrap();
    assert!(answer.ends_with(ANSWER));
}

#[test]
fn a_peer_that_ends_its_half_and_waits_for_no_answer_does_not_stay() {
    let (mut connection, mut peer) = pair(&settings());
    assert!(!connection.half_close(at(0)));
    for text in [OPTIONS, &String::from_utf8_lossy(OPTIONS).replace("OPTIONS", "ACK").into_bytes(), ANSWER] {
        peer.write_all(text).unwrap();
    }
    read(&mut connection, at(0), 2);
    connection.queue(octets(ANSWER), None);
    connection.flush(at(0)).unwrap();
    assert!(!connection.half_close(at(0)) && !connection.is_half_closed());
}
