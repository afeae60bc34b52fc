//! siphon-proxy with a configuration of the test's own, on the ports the kernel gives it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::message::Message;
use crate::peer::Peer;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::subject::{built, siphon_proxy};

/// A running siphon-proxy and the folder it runs in.
pub struct Daemon {
    /// The process.
    pub process: Process,
    /// Its folder: configuration, log, and what a test puts there before it starts.
    pub scratch: Scratch,
}

/// The name of the configuration in the folder.
pub const CONFIG: &str = "siphon-proxy.yaml";

impl Daemon {
    /// Starts it with this configuration and waits until it has announced itself.
    pub fn start(config: &str) -> Self {
        Self::start_in(Scratch::new("daemon"), config)
    }

    /// The same in a folder that holds a script already.
    pub fn start_in(scratch: Scratch, config: &str) -> Self {
        Self::run(Command::new(siphon_proxy()), scratch, config)
    }

    /// Another role's daemon.
    pub fn start_as(role: &str, scratch: Scratch, config: &str) -> Self {
        Self::run(Command::new(built(role)), scratch, config)
    }

    /// The same with at most that many file descriptors.
    pub fn start_with_files(scratch: Scratch, config: &str, files: u32) -> Self {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("ulimit -n {files} && exec \"$0\" \"$@\"")).arg(siphon_proxy());
        Self::run(command, scratch, config)
    }

    fn run(mut command: Command, scratch: Scratch, config: &str) -> Self {
        let file = scratch.write(CONFIG, config);
        command.arg("--config").arg(file).current_dir(scratch.path());
        let process = Process::start("siphon-proxy", &mut command, &scratch.path().join("log"));
        let mut daemon = Self { process, scratch };
        let end = Instant::now() + PATIENCE;
        while !daemon.process.log().contains(" listens on ") {
            assert!(daemon.process.exited().is_none(), "it ended at once:\n{}", daemon.process.log());
            assert!(Instant::now() < end, "it never listens:\n{}", daemon.process.log());
            std::thread::yield_now();
        }
        daemon
    }

    /// The log, once it has this text.
    pub fn wait_for(&self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let log = self.process.log();
            if log.contains(text) {
                return log;
            }
            assert!(Instant::now() < end, "the log never says {text:?}:\n{log}");
            std::thread::yield_now();
        }
    }

    /// The address behind the first mark in the log.
    fn address(&self, mark: &str) -> SocketAddr {
        let log = self.wait_for(mark);
        let rest = log.split(mark).nth(1).unwrap_or_default();
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')).unwrap_or(rest.len());
        rest[..end].parse().unwrap_or_else(|e| panic!("{mark}: {e}:\n{log}"))
    }

    /// Where it listens, over UDP when it does that.
    pub fn sip(&self) -> SocketAddr {
        let udp = self.process.log().contains("listens on udp ");
        self.address(if udp { "listens on udp " } else { "listens on tcp " })
    }

    /// Where it listens over TCP.
    pub fn sip_tcp(&self) -> SocketAddr {
        self.address(" tcp ")
    }

    /// A page for probes and metrics, with its head.
    pub fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address("on http://")).expect("the pages are served");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// The answer to one OPTIONS of a stranger, which is for the node itself.
    pub fn options(&self, call_id: &str) -> Option<Message> {
        let peer = Peer::udp(self.sip());
        peer.send(&options_text(&peer, call_id));
        peer.receive(Duration::from_secs(5))
    }

    /// The names of its threads.
    pub fn threads(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.pid())).expect("it runs");
        let name = |path: &Path| std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        tasks.flatten().map(|task| name(&task.path()).trim().to_owned()).collect()
    }
}

/// An OPTIONS to the subject itself.
pub fn options_text(peer: &Peer, call_id: &str) -> String {
    let (local, subject, transport) = (peer.local(), peer.subject(), peer.transport());
    format!(
        "OPTIONS sip:{subject} SIP/2.0\nVia: SIP/2.0/{transport} {local};branch=z9hG4bK{call_id}\nMax-Forwards: 70\n\
         From: <sip:a@{local}>;tag=1\nTo: <sip:{subject}>\nCall-ID: {call_id}\nCSeq: 1 OPTIONS\n\n"
    )
}

/// How long a daemon may take to start, or to say what it must.
const PATIENCE: Duration = Duration::from_secs(20);
