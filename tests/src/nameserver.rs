//! A name server for one test: answers A questions with one address, or says nothing at all.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// A running name server on a port of its own.
pub struct Nameserver {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
}

impl Nameserver {
    /// Gives this address for every name (RFC 1035); other types have no records.
    pub fn giving(address: Ipv4Addr) -> Self {
        Self::start(Some(address))
    }

    /// Takes questions and never answers.
    pub fn silent() -> Self {
        Self::start(None)
    }

    fn start(given: Option<Ipv4Addr>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a time above zero");
        let address = socket.local_addr().expect("a bound socket has an address");
        let (asked, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, end) = (asked.clone(), ended.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while !end.load(Ordering::Relaxed) {
                let Ok((n, from)) = socket.recv_from(&mut buffer) else { continue };
                count.fetch_add(1, Ordering::Relaxed);
                if let Some(answer) = given.and_then(|ip| answer(&buffer[..n], ip)) {
                    // Whoever asked may be gone.
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self { address, asked, ended }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many questions have come.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Nameserver {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// The response to a query with one question.
fn answer(query: &[u8], ip: Ipv4Addr) -> Option<Vec<u8>> {
    let name_end = 12 + query.get(12..)?.iter().position(|octet| *octet == 0)?;
    let question = query.get(12..name_end + 5)?;
    let kind = query.get(name_end + 1..name_end + 3)?;
    let answers: u8 = u8::from(kind == [0, 1]);
    // The question's id; a response with recursion available and no error; one question, its answers.
    let mut out = query.get(..2)?.to_vec();
    out.extend([0x81, 0x80, 0, 1, 0, answers, 0, 0, 0, 0]);
    out.extend(question);
    if answers == 1 {
        // The name is that at offset 12; type A, class IN, sixty seconds, four octets.
        out.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        out.extend(ip.octets());
    }
    Some(out)
}
