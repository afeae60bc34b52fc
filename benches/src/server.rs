//! The servers that are compared: Kamailio with either allocator, siphon-proxy and siphon-sbc with one and with two shards.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use siphon_tests::peer::Peer;
use siphon_tests::port;
use siphon_tests::process::Process;
use siphon_tests::scratch::Scratch;

use crate::cpu::Tree;
use crate::operation::{PASSWORD, USERS};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Debian's Kamailio as it starts.
    Kamailio,
    /// The same with `-x fm -X fm`: its fast allocator.
    KamailioFast,
    /// siphon-proxy with one shard.
    Siphon1,
    /// siphon-proxy with two shards.
    Siphon2,
    /// siphon-sbc with one shard: each call is two dialogs.
    Sbc1,
    /// siphon-sbc with two shards.
    Sbc2,
}

impl Kind {
    /// Its name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kamailio => "kamailio",
            Self::KamailioFast => "kamailio-fm",
            Self::Siphon1 => "siphon-1",
            Self::Siphon2 => "siphon-2",
            Self::Sbc1 => "sbc-1",
            Self::Sbc2 => "sbc-2",
        }
    }

    /// Whether the two sides of a call have a dialog each.
    pub(crate) fn has_two_legs(self) -> bool {
        matches!(self, Self::Sbc1 | Self::Sbc2)
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    pub(crate) tree: Tree,
    process: Process,
    /// Where siphon-proxy has its metrics.
    pages: Option<SocketAddr>,
    _scratch: Scratch,
}

/// How a siphon-proxy is started.
#[derive(Clone, Copy)]
struct Setup<'a> {
    script: &'a str,
    more: &'a str,
    nonces: &'a str,
}

impl Setup<'_> {
    /// The same for calls of two legs.
    fn of_calls(self) -> Self {
        Setup { script: "sbc.py", ..self }
    }
}

/// siphon-sbc, which lies beside the siphon-proxy that is measured.
fn sbc(proxy: &Path) -> PathBuf {
    proxy.with_file_name("siphon-sbc")
}

impl Server {
    /// Starts it and waits until it answers.
    pub(crate) fn start(kind: Kind, siphon: &Path) -> Result<Self, String> {
        Self::launch(kind, siphon, Setup { script: "proxy.py", more: "", nonces: "5m" })
    }

    /// siphon-proxy with this script of the folder `benches`.
    pub(crate) fn start_with(kind: Kind, siphon: &Path, script: &str) -> Result<Self, String> {
        Self::launch(kind, siphon, Setup { script, more: "", nonces: "5m" })
    }

    /// The same with transactions and nonces that are forgotten within seconds, so that memory reaches its level.
    pub(crate) fn start_forgetful(kind: Kind, siphon: &Path) -> Result<Self, String> {
        let more = "transaction: {t1_ms: 100, t2_ms: 800, t4_ms: 1000}\n";
        Self::launch(kind, siphon, Setup { script: "proxy.py", more, nonces: "5s" })
    }

    fn launch(kind: Kind, siphon: &Path, setup: Setup<'_>) -> Result<Self, String> {
        let scratch = Scratch::new(kind.name());
        let [address, pages] = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], port::free())));
        let mut command = match kind {
            Kind::Kamailio => kamailio(&scratch, address, &[]),
            Kind::KamailioFast => kamailio(&scratch, address, &["-x", "fm", "-X", "fm"]),
            Kind::Siphon1 => daemon(siphon, &scratch, address, pages, 1, setup),
            Kind::Siphon2 => daemon(siphon, &scratch, address, pages, 2, setup),
            Kind::Sbc1 => daemon(&sbc(siphon), &scratch, address, pages, 1, setup.of_calls()),
            Kind::Sbc2 => daemon(&sbc(siphon), &scratch, address, pages, 2, setup.of_calls()),
        };
        let pages = (!matches!(kind, Kind::Kamailio | Kind::KamailioFast)).then_some(pages);
        let mut process = Process::start(kind.name(), &mut command, &scratch.path().join("log"));
        let (peer, end) = (Peer::udp(address), Instant::now() + Duration::from_secs(30));
        for attempt in 1.. {
            let local = peer.local();
            peer.send(&format!(
                "OPTIONS sip:example.com SIP/2.0\nVia: SIP/2.0/UDP {local};branch=z9hG4bKs{attempt}\nMax-Forwards: 70\n\
                 From: <sip:s@example.com>;tag=s{attempt}\nTo: <sip:example.com>\nCall-ID: s{attempt}{local}\n\
                 CSeq: 1 OPTIONS\n\n"
            ));
            if peer.receive(Duration::from_millis(100)).is_some() {
                break;
            }
            if process.exited().is_some() || Instant::now() > end {
                return Err(format!("{} does not answer:\n{}", kind.name(), process.log()));
            }
        }
        let tree = Tree::of(process.pid());
        Ok(Self { kind, address, tree, process, pages, _scratch: scratch })
    }

    /// Handlers of the script that have run since the start, as the daemon counts them; `None` where nobody does.
    pub(crate) fn handler_calls(&self) -> Option<u64> {
        let mut stream = TcpStream::connect(self.pages?).ok()?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).ok()?;
        let lines = page.lines().filter(|line| line.starts_with("siphon_script_executions_total{"));
        Some(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64)
    }

    /// The end of its log, for a report of what went wrong.
    pub(crate) fn log(&self) -> String {
        let log = self.process.log();
        let lines: Vec<&str> = log.lines().rev().take(15).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn kamailio(scratch: &Scratch, address: SocketAddr, allocator: &[&str]) -> Command {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let modules =
        ["/usr/lib/x86_64-linux-gnu/kamailio/modules/", "/usr/lib/aarch64-linux-gnu/kamailio/modules/"];
    let modules =
        modules.into_iter().find(|home| Path::new(home).is_dir()).unwrap_or("/usr/lib/kamailio/modules/");
    let template =
        std::fs::read_to_string(home().join("kamailio.cfg")).expect("benches/kamailio.cfg is in the tree");
    let config = template
        .replace("@WORKERS@", &cores.to_string())
        .replace("@PORT@", &address.port().to_string())
        .replace("@MODULES@", modules);
    let config = scratch.write("kamailio.cfg", config);
    let mut command = Command::new("kamailio");
    command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
    command.arg("-f").arg(config).args(["-DD", "-E", "-m", "1024", "-M", "32"]).args(allocator);
    command
        .arg("-w")
        .arg(scratch.path())
        .arg("-Y")
        .arg(scratch.path())
        .arg("-P")
        .arg(scratch.path().join("pid"));
    command
}

fn daemon(
    program: &Path,
    scratch: &Scratch,
    address: SocketAddr,
    pages: SocketAddr,
    shards: usize,
    setup: Setup<'_>,
) -> Command {
    let script = std::fs::read(home().join(setup.script)).expect("the script is in the tree");
    let script = scratch.write(setup.script, script);
    let template = std::fs::read_to_string(home().join("siphon-proxy.yaml"))
        .expect("benches/siphon-proxy.yaml is in the tree");
    let mut users = String::new();
    for user in 0..USERS {
        let _ = write!(users, "\n    u{user}: \"{PASSWORD}\"");
    }
    let config = template
        .replace("@LISTEN@", &address.to_string())
        .replace("@SHARDS@", &shards.to_string())
        .replace("@SCRIPT@", &script.display().to_string())
        .replace("@PAGES@", &pages.to_string())
        .replace("@NONCES@", setup.nonces)
        .replace("@USERS@", &users);
    let config = scratch.write("siphon-proxy.yaml", config + setup.more);
    let program = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    let mut command = Command::new(program);
    command.arg("--config").arg(config).current_dir(scratch.path());
    command
}
