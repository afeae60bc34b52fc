//! Runs SIPp scenarios of `tests/sipp` and grades both ends: exit status, counts and unexpected messages.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::port;
use crate::process::Process;
use crate::scratch::Scratch;

/// How the two ends of a scenario are run.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Calls in all.
    pub calls: u32,
    /// New calls per second.
    pub rate: u32,
    /// Transport of the caller's end: `u1` or `t1` as SIPp names them.
    pub uac: &'static str,
    /// Transport of the callee's end.
    pub uas: &'static str,
}

impl Default for Load {
    fn default() -> Self {
        Self { calls: 20, rate: 40, uac: "u1", uas: "u1" }
    }
}

/// One SIPp process with its scenario.
pub struct Sipp {
    process: Process,
    scratch: Scratch,
    scenario: String,
    calls: u32,
    local: SocketAddr,
}

impl Sipp {
    /// Starts the end that calls: `scenario` towards `subject`, asking for `user`.
    pub fn caller(scenario: &str, subject: SocketAddr, user: &str, load: Load) -> Self {
        let rate = load.rate.to_string();
        Self::start(scenario, load.uac, load.calls, &["-r", &rate, "-s", user, &subject.to_string()])
    }

    /// Starts the end that is called and waits until it listens.
    pub fn callee(scenario: &str, load: Load) -> Self {
        let mut sipp = Self::start(scenario, load.uas, load.calls, &[]);
        let end = Instant::now() + Duration::from_secs(10);
        while !listens(sipp.local, load.uas) {
            assert!(sipp.process.exited().is_none(), "{scenario} ended at once");
            assert!(Instant::now() < end, "{scenario} does not listen");
            std::thread::yield_now();
        }
        sipp
    }

    fn start(scenario: &str, transport: &str, calls: u32, more: &[&str]) -> Self {
        let scratch = Scratch::new("sipp");
        let local = SocketAddr::from(([127, 0, 0, 1], port::free()));
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("sipp").join(format!("{scenario}.xml"));
        assert!(file.exists(), "{} is not in the tree", file.display());
        let mut command = Command::new("sipp");
        command.current_dir(scratch.path()).env("TERM", "dumb").arg("-sf").arg(file);
        command.args(["-i", "127.0.0.1", "-p", &local.port().to_string(), "-t", transport]);
        command.args(["-m", &calls.to_string(), "-timeout", "40s", "-timeout_error", "-nostdin", "-cp"]);
        // Without its own control port SIPp tries 8888 upwards, which another SIPp may be asking for right now.
        command.arg(port::free().to_string()).args(["-trace_err", "-error_file", "errors"]);
        // Without it SIPp puts the server's address in the digest, which a server may refuse (RFC 7616 3.4.6).
        command.args(["-auth_uri", "example.com"]);
        command.args(["-trace_stat", "-stf", "stat.csv", "-fd", "1", "-recv_timeout", "15000"]).args(more);
        let process = Process::start(scenario, &mut command, &scratch.path().join("log"));
        Self { process, scratch, scenario: scenario.to_owned(), calls, local }
    }

    /// Where this end listens.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Waits for its end and fails the test unless every call went as the scenario says.
    pub fn grade(mut self) -> Counts {
        let status = self.process.wait(Duration::from_secs(60));
        let read = |name| std::fs::read_to_string(self.scratch.path().join(name)).unwrap_or_default();
        let (errors, counts) = (read("errors"), Counts::read(&read("stat.csv")));
        let scenario = &self.scenario;
        let shown: String = errors.lines().take(60).fold(String::new(), |text, line| text + line + "\n");
        assert!(status.is_some(), "{scenario} did not end; {counts:?}\n{shown}");
        assert!(status.is_some_and(|s| s.success()), "{scenario}: {status:?}, {counts:?}\n{shown}");
        assert_eq!(counts.successful, self.calls, "{scenario}: {counts:?}\n{shown}");
        assert_eq!((counts.failed, counts.unexpected), (0, 0), "{scenario}: {counts:?}\n{shown}");
        counts
    }
}

/// What SIPp counted over its whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that went through the whole scenario.
    pub successful: u32,
    /// Calls that did not.
    pub failed: u32,
    /// Messages that belong to no call.
    pub unexpected: u32,
    /// Messages this end sent again.
    pub retransmissions: u32,
}

impl Counts {
    fn read(csv: &str) -> Self {
        let mut lines = csv.lines();
        let names: Vec<&str> = lines.next().unwrap_or_default().split(';').collect();
        let last: Vec<&str> = lines.last().unwrap_or_default().split(';').collect();
        let value = |name: &str| {
            let at = names.iter().position(|n| *n == name)?;
            last.get(at)?.parse::<u32>().ok()
        };
        Self {
            successful: value("SuccessfulCall(C)").unwrap_or(0),
            failed: value("FailedCall(C)").unwrap_or(u32::MAX),
            unexpected: value("OutOfCallMsgs(C)").unwrap_or(u32::MAX),
            retransmissions: value("Retransmissions(C)").unwrap_or(0),
        }
    }
}

/// Looks whether a socket is bound there, without binding one itself: that would race with the one waited for.
fn listens(address: SocketAddr, transport: &str) -> bool {
    let table = if transport.starts_with('t') { "/proc/net/tcp" } else { "/proc/net/udp" };
    let table = std::fs::read_to_string(table).expect("Linux lists its sockets");
    let port = format!(":{:04X}", address.port());
    table.lines().any(|line| line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&port)))
}
