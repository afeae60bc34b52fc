//! Debian's rtpengine, started by the test on ports of the kernel's.

use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::phone::unique;
use crate::port;
use crate::process::Process;
use crate::scratch::Scratch;

/// How long rtpengine may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// Debian's rtpengine without its kernel module.
pub struct Engine {
    /// The process.
    pub process: Process,
    scratch: Scratch,
    ng: SocketAddr,
    /// The first of its ports for media.
    pub first_port: u16,
}

/// Ports for media: enough for a handful of calls.
pub const PORTS: u16 = 40;

impl Engine {
    /// Starts it and waits until it answers.
    pub fn start() -> Engine {
        let ng = SocketAddr::from(([127, 0, 0, 1], port::free()));
        let (scratch, first_port) = (Scratch::new("rtpengine"), port::range(PORTS));
        let process = Engine::run(&scratch, ng, first_port);
        let engine = Engine { process, scratch, ng, first_port };
        engine.wait_for_pong();
        engine
    }

    fn run(scratch: &Scratch, ng: SocketAddr, first_port: u16) -> Process {
        let mut command = Command::new("rtpengine");
        command
            .args([
                "--config-file=none",
                "--table=-1",
                "--interface=127.0.0.1",
                "--foreground",
                "--log-stderr",
            ])
            .args(["--log-level=6".to_owned(), format!("--listen-ng={ng}")])
            .args([format!("--port-min={first_port}"), format!("--port-max={}", first_port + PORTS - 1)])
            .arg(format!("--pidfile={}", scratch.path().join("pid").display()));
        Process::start("rtpengine", &mut command, &scratch.path().join("log"))
    }

    /// What it answers to a command of the test's own; `None` when nothing comes.
    fn ask(&self, command: &str) -> Option<String> {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a time-out");
        socket.connect(self.ng).expect("connected");
        // A cookie that came before gets the reply of then.
        socket.send(format!("{} {command}", unique()).as_bytes()).ok()?;
        let mut buffer = [0; 65_536];
        let length = socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    fn wait_for_pong(&self) {
        let end = Instant::now() + PATIENCE;
        while self.ask("d7:command4:pinge").is_none_or(|answer| !answer.contains("pong")) {
            assert!(Instant::now() < end, "rtpengine never answers:\n{}", self.process.log());
        }
    }

    /// Whether it has sessions for that call.
    pub fn knows(&self, call_id: &str) -> bool {
        let query = format!("d7:call-id{}:{call_id}7:command5:querye", call_id.len());
        !self.ask(&query).expect("an answer").contains("Unknown call-id")
    }

    /// Starts it again where it was.
    pub fn restart(&mut self) {
        self.process = Engine::run(&self.scratch, self.ng, self.first_port);
        self.wait_for_pong();
    }

    /// Where it takes commands.
    pub fn ng(&self) -> SocketAddr {
        self.ng
    }

    /// How many calls it has sessions of.
    pub fn sessions(&self) -> usize {
        // The answer lists their Call-IDs, each with its length before it.
        let answer = self.ask("d7:command4:liste").expect("an answer");
        let list = answer.split("5:callsl").nth(1).unwrap_or_default();
        list.split_terminator('e').next().unwrap_or_default().matches(':').count()
    }
}
