//! The owner of a port is found.

use std::net::{TcpListener, UdpSocket};

use super::{inodes, of};

#[test]
fn our_own_process_is_named_as_the_owner_of_its_ports() {
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let tcp =
        TcpListener::bind("[::1]:0").or_else(|_| TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let pid = Some(std::process::id());
    assert_eq!(of("udp", udp.local_addr().expect("bound")).map(|o| o.pid), pid);
    assert_eq!(of("tcp", tcp.local_addr().expect("bound")).map(|o| o.pid), pid);
}

#[test]
fn a_connection_from_the_port_is_not_a_listener() {
    let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
        0: 0100007F:13C4 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1\n\
        1: 0100007F:13C4 0100007F:8000 01 00000000:00000000 00:00000000 00000000     0        0 222 1\n\
        2: 0100007F:13C5 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1\n";
    assert_eq!(inodes(table, "tcp", 5060), [111]);
    assert_eq!(inodes("nonsense\nmore nonsense", "udp", 5060), [0u64; 0]);
}
