//! A SIP peer made of one socket: sends the text it is given, and says what came back.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::message::{Message, on_the_wire};

/// How long a peer waits for what must come; far above what loopback needs, so only a fault reaches it.
pub const PATIENCE: Duration = Duration::from_secs(8);

enum Socket {
    Udp(UdpSocket),
    Tcp { stream: TcpStream, unread: RefCell<Vec<u8>> },
}

/// One end of a conversation with the subject.
pub struct Peer {
    socket: Socket,
    subject: SocketAddr,
    local: SocketAddr,
    skipped: RefCell<VecDeque<Message>>,
    record: RefCell<Vec<Recorded>>,
}

/// One message as a peer sent or received it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// When.
    pub at: Instant,
    /// Whether this peer sent it.
    pub sent: bool,
    /// The message.
    pub message: Message,
}

impl Peer {
    /// A UDP peer on a port of its own.
    pub fn udp(subject: SocketAddr) -> Self {
        let ip = if subject.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
        let socket = UdpSocket::bind(ip).expect("loopback has a free port");
        let local = socket.local_addr().expect("a bound socket has an address");
        Self {
            socket: Socket::Udp(socket),
            subject,
            local,
            skipped: RefCell::default(),
            record: RefCell::default(),
        }
    }

    /// A TCP peer that connects to the subject.
    pub fn tcp(subject: SocketAddr) -> Self {
        let stream =
            TcpStream::connect_timeout(&subject, PATIENCE).expect("the subject accepts a connection");
        Self::over(stream, subject)
    }

    /// A TCP peer that was connected to: the subject opened the connection to `listener`.
    pub fn accepted(listener: &TcpListener) -> Self {
        listener.set_nonblocking(true).expect("a listener can be polled");
        let end = Instant::now() + PATIENCE;
        loop {
            match listener.accept() {
                Ok((stream, subject)) => return Self::over(stream, subject),
                Err(_) if Instant::now() < end => std::thread::yield_now(),
                Err(error) => panic!("the subject did not connect within {PATIENCE:?}: {error}"),
            }
        }
    }

    fn over(stream: TcpStream, subject: SocketAddr) -> Self {
        stream
            .set_nonblocking(false)
            .and_then(|()| stream.set_nodelay(true))
            .expect("a fresh connection is usable");
        let local = stream.local_addr().expect("a connected socket has an address");
        let socket = Socket::Tcp { stream, unread: RefCell::default() };
        Self { socket, subject, local, skipped: RefCell::default(), record: RefCell::default() }
    }

    /// This peer's own address.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The address of what is being tested.
    pub fn subject(&self) -> SocketAddr {
        self.subject
    }

    /// `UDP` or `TCP`, as a Via spells it.
    pub fn transport(&self) -> &'static str {
        if matches!(self.socket, Socket::Udp(_)) { "UDP" } else { "TCP" }
    }

    /// Everything sent as text and received so far, in order.
    pub fn record(&self) -> Vec<Recorded> {
        self.record.borrow().clone()
    }

    fn note(&self, sent: bool, message: Message) -> Message {
        let mut record = self.record.borrow_mut();
        // A test of thousands of messages wants no record of them.
        if record.len() < 1000 {
            record.push(Recorded { at: Instant::now(), sent, message: message.clone() });
        }
        message
    }

    /// Sends SIP text; `\n` is a line end, a missing Content-Length is added.
    pub fn send(&self, text: &str) {
        let bytes = on_the_wire(text);
        self.note(true, Message::read(&bytes));
        self.send_bytes(&bytes);
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&self, bytes: &[u8]) {
        let sent = match &self.socket {
            Socket::Udp(socket) => socket.send_to(bytes, self.subject).map(|_| ()),
            Socket::Tcp { stream, .. } => (&*stream).write_all(bytes),
        };
        sent.unwrap_or_else(|error| panic!("{} -> {}: {error}", self.local, self.subject));
    }

    /// Sends nothing more on its connection, and goes on reading.
    pub fn end_sending(&self) {
        if let Socket::Tcp { stream, .. } = &self.socket {
            stream.shutdown(std::net::Shutdown::Write).expect("an open connection can be ended");
        }
    }

    /// Waits until the subject has closed the connection; what it still sends is passed over.
    pub fn is_closed(&self, within: Duration) -> bool {
        let Socket::Tcp { stream, .. } = &self.socket else { return false };
        let (end, mut buffer) = (Instant::now() + within, [0; 4096]);
        while let Some(left) = remaining(end) {
            stream.set_read_timeout(Some(left)).expect("a time-out above zero is accepted");
            match (&*stream).read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if transient(&error) => {}
                Err(_) => return true,
            }
        }
        false
    }

    /// The next message of any kind, or `None` when none comes in that time.
    pub fn receive(&self, within: Duration) -> Option<Message> {
        if let Some(message) = self.skipped.borrow_mut().pop_front() {
            return Some(message);
        }
        self.take(within)
    }

    fn take(&self, within: Duration) -> Option<Message> {
        let end = Instant::now() + within;
        match &self.socket {
            Socket::Udp(socket) => {
                let mut buffer = vec![0; 65_536];
                loop {
                    socket
                        .set_read_timeout(Some(remaining(end)?))
                        .expect("a time-out above zero is accepted");
                    match socket.recv_from(&mut buffer) {
                        // A keepalive is no message (RFC 5626 4.4.1 calls them pings).
                        Ok((n, _)) if buffer[..n].iter().all(u8::is_ascii_whitespace) => {}
                        Ok((n, _)) => return Some(self.note(false, Message::read(&buffer[..n]))),
                        Err(error) if transient(&error) => {}
                        Err(error) => panic!("{}: {error}", self.local),
                    }
                }
            }
            Socket::Tcp { stream, unread } => {
                let mut unread = unread.borrow_mut();
                let mut buffer = [0; 16_384];
                loop {
                    if let Some(length) = framed(&unread) {
                        let rest = unread.split_off(length);
                        return Some(self.note(false, Message::read(&std::mem::replace(&mut *unread, rest))));
                    }
                    stream
                        .set_read_timeout(Some(remaining(end)?))
                        .expect("a time-out above zero is accepted");
                    match (&*stream).read(&mut buffer) {
                        Ok(0) => return None,
                        Ok(n) => unread.extend_from_slice(&buffer[..n]),
                        Err(error) if transient(&error) => {}
                        Err(_) => return None,
                    }
                }
            }
        }
    }

    /// Waits for the first message that `wanted` accepts; others stay for later.
    pub fn find(&self, what: &str, wanted: impl Fn(&Message) -> bool) -> Message {
        let mut skipped = self.skipped.borrow_mut();
        if let Some(message) = skipped.iter().position(&wanted).and_then(|at| skipped.remove(at)) {
            return message;
        }
        let end = Instant::now() + PATIENCE;
        while let Some(message) = remaining(end).and_then(|left| self.take(left)) {
            if wanted(&message) {
                return message;
            }
            skipped.push_back(message);
        }
        panic!(
            "{} {}: {what} did not come within {PATIENCE:?}; what came: {skipped:?}",
            self.transport(),
            self.local
        );
    }

    /// Waits for a request with that method.
    pub fn request(&self, method: &str) -> Message {
        self.find(method, |m| m.status() == 0 && m.method() == method)
    }

    /// Waits for a final response to `method` and checks its status; provisional ones are passed over.
    pub fn final_status(&self, method: &str, status: u16) -> Message {
        let what = format!("a final response to {method}");
        let message = self.find(&what, |m| m.status() >= 200 && m.method() == method);
        assert_eq!(message.status(), status, "answer to {method}: {message:?}");
        message
    }

    /// Waits for that provisional response to `method`.
    pub fn provisional(&self, method: &str, status: u16) -> Message {
        self.find(&format!("{status} to {method}"), |m| m.status() == status && m.method() == method)
    }

    /// Asserts that no message of that kind comes in the given time.
    pub fn nothing(&self, what: &str, within: Duration, unwanted: impl Fn(&Message) -> bool) {
        let end = Instant::now() + within;
        let mut seen = std::mem::take(&mut *self.skipped.borrow_mut());
        while let Some(message) = remaining(end).and_then(|left| self.take(left)) {
            seen.push_back(message);
        }
        if let Some(message) = seen.iter().find(|m| unwanted(m)) {
            panic!("{}: {what} came and should not: {message:?}", self.local);
        }
        *self.skipped.borrow_mut() = seen;
    }
}

fn remaining(end: Instant) -> Option<Duration> {
    end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
}

fn transient(error: &std::io::Error) -> bool {
    // An ICMP "port unreachable" of an earlier datagram is reported on the next call and means nothing here.
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted | ErrorKind::ConnectionRefused
    )
}

/// The length of the first complete message of a stream (RFC 3261 18.3), leading CRLFs included.
fn framed(stream: &[u8]) -> Option<usize> {
    let lead = stream.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let head = lead + stream[lead..].windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let length = Message::read(&stream[lead..head]).header("Content-Length").parse().unwrap_or(0);
    (stream.len() >= head + length).then_some(head + length)
}
