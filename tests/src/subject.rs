//! What is being tested: siphon-proxy, or Kamailio as the reference, chosen by the variable `SUBJECT`.
//!
//! Also starts Kamailio as a neighbour. Every server gets a port of its own and is ready when it answers OPTIONS.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::peer::{PATIENCE, Peer};
use crate::port;
use crate::process::Process;
use crate::scratch::Scratch;

/// Which program is under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Debian's Kamailio with a native route script: proves the scenarios.
    Kamailio,
    /// The daemon of this project.
    Siphon,
}

impl Kind {
    /// The choice made by `SUBJECT`.
    pub fn chosen() -> Self {
        match std::env::var("SUBJECT").as_deref() {
            Ok("kamailio") => Self::Kamailio,
            Ok("siphon") => Self::Siphon,
            Err(_) => DEFAULT,
            Ok(other) => panic!("SUBJECT={other}: kamailio or siphon"),
        }
    }
}

const DEFAULT: Kind = Kind::Siphon;

/// How a server is set up for a test.
#[derive(Clone, Debug)]
pub struct Options {
    /// Addresses it listens on, over UDP and TCP, all with the same port.
    pub listen: Vec<IpAddr>,
    /// T1 of its transactions; 64 of these are Timers B and F.
    pub t1: Duration,
    /// How long a branch may ring (Timer C).
    pub timer_c: Duration,
    /// Shards (siphon-proxy only); the variable `SHARDS` says how many when a test does not.
    pub shards: usize,
    /// The routing script (siphon-proxy only); without one, the seed's default script.
    pub script: Option<PathBuf>,
    /// `script.deadline_secs` (siphon-proxy only).
    pub script_deadline: Duration,
    /// Further YAML, appended to the configuration (siphon-proxy only).
    pub more: String,
}

impl Default for Options {
    fn default() -> Self {
        let t1 = Duration::from_millis(100);
        let timer_c = Duration::from_secs(4);
        let shards = std::env::var("SHARDS").map_or(1, |text| text.parse().expect("SHARDS is a number"));
        Self {
            listen: vec![Ipv4Addr::LOCALHOST.into()],
            t1,
            timer_c,
            shards,
            script: None,
            script_deadline: Duration::from_secs(60),
            more: String::new(),
        }
    }
}

/// A running server.
pub struct Server {
    process: Process,
    address: SocketAddr,
    scratch: Scratch,
}

impl Server {
    /// Starts the chosen subject.
    pub fn subject(options: &Options) -> Self {
        match Kind::chosen() {
            Kind::Kamailio => Self::kamailio("kamailio.cfg", options, &[]),
            Kind::Siphon => Self::siphon(options),
        }
    }

    /// Starts the chosen subject with the defaults.
    pub fn start() -> Self {
        Self::subject(&Options::default())
    }

    /// Starts Kamailio as an edge proxy in front of `next`.
    pub fn edge(next: SocketAddr, transport: &str) -> Self {
        let next = next.to_string();
        Self::kamailio("kamailio-edge.cfg", &Options::default(), &[("NEXT", &next), ("TRANSPORT", transport)])
    }

    fn kamailio(template: &str, options: &Options, more: &[(&str, &str)]) -> Self {
        let scratch = Scratch::new("kamailio");
        let address = SocketAddr::new(options.listen[0], port::free());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(template);
        let mut config = std::fs::read_to_string(&path).expect("the Kamailio template is in the tree");
        let listen: String =
            addresses(address, options).map(|a| format!("listen=udp:{a}\nlisten=tcp:{a}\n")).collect();
        let ms = |duration: Duration| duration.as_millis().to_string();
        let (t1, t2) = (ms(options.t1), ms(options.t1 * 8));
        let (b, c) = (ms(options.t1 * 64), ms(options.timer_c));
        let modules = kamailio_modules();
        let known = [("LISTEN", listen.as_str()), ("T1", &t1), ("T2", &t2), ("TIMER_B", &b), ("TIMER_C", &c)];
        for (name, value) in known.iter().chain(more).chain(&[("MODULES", modules), ("DEBUG", "1")]) {
            config = config.replace(&format!("@{name}@"), value);
        }
        let config = scratch.write("kamailio.cfg", config);
        let mut command = Command::new(find_program("kamailio"));
        command.arg("-f").arg(config).args(["-DD", "-E", "-m", "512", "-M", "4", "-w"]).arg(scratch.path());
        command.arg("-P").arg(scratch.path().join("pid")).arg("-Y").arg(scratch.path());
        let process = Process::start("kamailio", &mut command, &scratch.path().join("log"));
        Self::ready(process, address, scratch)
    }

    fn siphon(options: &Options) -> Self {
        let scratch = Scratch::new("siphon-proxy");
        let address = SocketAddr::new(options.listen[0], port::free());
        let config = scratch.write("siphon-proxy.yaml", siphon_yaml(address, options));
        let mut command = Command::new(siphon_proxy());
        command.arg("--config").arg(config).current_dir(scratch.path());
        let process = Process::start("siphon-proxy", &mut command, &scratch.path().join("log"));
        Self::ready(process, address, scratch)
    }

    /// Asks until an answer comes: that is when the server is there, whatever it logs.
    fn ready(mut process: Process, address: SocketAddr, scratch: Scratch) -> Self {
        let end = Instant::now() + Duration::from_secs(20);
        let peer = Peer::udp(address);
        let mut attempt = 0;
        loop {
            attempt += 1;
            peer.send(&options_request(&peer, attempt));
            if peer.receive(Duration::from_millis(40)).is_some() {
                return Self { process, address, scratch };
            }
            assert!(process.exited().is_none(), "the server ended at once");
            assert!(Instant::now() < end, "the server does not answer on {address}");
        }
    }

    /// Where it listens, over UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same port on another address it listens on.
    pub fn at(&self, ip: IpAddr) -> SocketAddr {
        SocketAddr::new(ip, self.address.port())
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Its log, once it has this text.
    pub fn logged(&self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let log = self.log();
            if log.contains(text) {
                return log;
            }
            assert!(Instant::now() < end, "the log never says {text:?}");
            std::thread::yield_now();
        }
    }

    /// The folder it runs in.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// Fails the test unless the server still answers.
    pub fn still_answers(&mut self, after: &str) {
        assert!(self.process.exited().is_none(), "the server ended after {after}");
        let peer = Peer::udp(self.address);
        peer.send(&options_request(&peer, 0));
        let answer = peer.receive(Duration::from_secs(5));
        assert!(answer.is_some_and(|m| m.status() == 200), "no 200 to OPTIONS after {after}");
    }
}

fn options_request(peer: &Peer, number: u32) -> String {
    let (local, subject) = (peer.local(), peer.subject());
    format!(
        "OPTIONS sip:{subject} SIP/2.0
Via: SIP/2.0/UDP {local};branch=z9hG4bKready{number}x{}
Max-Forwards: 70
From: <sip:ready@example.com>;tag=r{number}
To: <sip:{subject}>
Call-ID: ready-{number}-{local}
CSeq: {} OPTIONS
Contact: <sip:ready@{local}>

",
        local.port(),
        number + 1
    )
}

/// Every address of a server, `first` first.
fn addresses(first: SocketAddr, options: &Options) -> impl Iterator<Item = SocketAddr> {
    options.listen.iter().map(move |ip| SocketAddr::new(*ip, first.port()))
}

fn siphon_yaml(address: SocketAddr, options: &Options) -> String {
    let seed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("seed/scripts/proxy_default.py");
    let script = options.script.clone().unwrap_or_else(seed);
    let listen: Vec<String> = addresses(address, options).map(|address| format!("\"{address}\"")).collect();
    let listen = listen.join(", ");
    let (t1, c) = (options.t1.as_millis(), options.timer_c.as_secs());
    format!(
        r#"listen:
  udp: [{listen}]
  tcp: [{listen}]
domain:
  local: ["example.com"]
script:
  path: "{}"
  deadline_secs: {}
auth:
  realm: "example.com"
  backend: static
  users: {{alice: "secret", bob: "secret"}}
transaction: {{t1_ms: {t1}, t2_ms: {}, t4_ms: {}, timer_c_secs: {c}}}
server: {{drain_secs: 0}}
shards: {}
log: {{level: info, format: pretty}}
{}"#,
        script.display(),
        options.script_deadline.as_secs(),
        t1 * 8,
        t1 * 10,
        options.shards,
        options.more
    )
}

/// siphon-proxy, unless the variable `SIPHON_PROXY` names another.
pub fn siphon_proxy() -> PathBuf {
    match std::env::var_os("SIPHON_PROXY") {
        Some(path) => path.into(),
        None => built("siphon-proxy"),
    }
}

/// The daemon of that name that the same profile built beside this test executable.
pub fn built(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a process knows its executable");
    let profile = own.ancestors().nth(2).expect("a test executable lies in target/PROFILE/deps");
    let daemon = profile.join(name);
    assert!(daemon.exists(), "{} is not built: cargo build --workspace --bins", daemon.display());
    daemon
}

fn find_program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let extra = [PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")];
    let found =
        std::env::split_paths(&path).chain(extra).map(|dir| dir.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed: packaging/setup.sh test"))
}

fn kamailio_modules() -> &'static str {
    let homes =
        ["/usr/lib/x86_64-linux-gnu/kamailio/modules/", "/usr/lib/aarch64-linux-gnu/kamailio/modules/"];
    homes.into_iter().find(|home| Path::new(home).is_dir()).unwrap_or("/usr/lib/kamailio/modules/")
}
