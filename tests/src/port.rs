//! Ports from the kernel: free for UDP and TCP alike, and never handed out twice by one test executable.

use std::collections::BTreeSet;
use std::net::{TcpListener, UdpSocket};
use std::sync::Mutex;

static HANDED_OUT: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A loopback port that nobody listens on, over UDP and TCP, for a process that must be told its port.
///
/// The kernel picks it outside the range it hands to outgoing connections only by chance, so whoever starts a
/// server on it waits for the server to answer and reports its log when it does not.
pub fn free() -> u16 {
    range(1)
}

/// The first of `count` consecutive free ports (baresip takes the SIP port and, for TLS, the one after).
pub fn range(count: u16) -> u16 {
    let mut taken = HANDED_OUT.lock().expect("no test panics while it holds the list of ports");
    for _ in 0..1000 {
        let probe = UdpSocket::bind("127.0.0.1:0").expect("the kernel has a free UDP port");
        let first = probe.local_addr().expect("a bound socket has an address").port();
        let Some(last) = first.checked_add(count - 1) else { continue };
        let free = |port: u16| {
            let udp = port == first || UdpSocket::bind(("127.0.0.1", port)).is_ok();
            udp && TcpListener::bind(("127.0.0.1", port)).is_ok()
        };
        if (first..=last).all(|port| !taken.contains(&port) && free(port)) {
            taken.extend(first..=last);
            return first;
        }
    }
    panic!("no {count} consecutive free ports on loopback");
}
