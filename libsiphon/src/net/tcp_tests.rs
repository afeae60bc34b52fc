use super::*;

#[test]
fn one_connection_too_many_of_an_address_is_not_admitted_until_one_leaves() {
    let settings = NetSettings { max_connections_per_ip: 2, max_connections: 3, ..NetSettings::default() };
    let (a, b): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
    let census = Census::default();
    assert!(census.admit(a, &settings) && census.admit(a, &settings));
    assert!(!census.admit(a, &settings));
    assert!(census.admit(b, &settings));
    assert!(!census.admit_outgoing(&settings), "three of three are taken");
    census.leave(Some(a));
    assert!(census.admit(a, &settings));
    assert_eq!(census.len(), 3);
}

#[test]
fn a_connect_that_nobody_listens_for_fails_when_it_becomes_writable_or_at_once() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let Ok(mut stream) = connect(None, address, &NetSettings::default()) else { return };
    let mut poll = mio::Poll::new().unwrap();
    let mut events = mio::Events::with_capacity(4);
    poll.registry().register(&mut stream, mio::Token(0), mio::Interest::WRITABLE).unwrap();
    poll.poll(&mut events, Some(std::time::Duration::from_secs(5))).unwrap();
    assert_eq!(stream.take_error().unwrap().unwrap().kind(), io::ErrorKind::ConnectionRefused);
}
