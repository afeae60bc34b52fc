//! The phones of `make call` and the daemon of `make run`: embedded configuration and script, a port of their own.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use siphon_tests::port;
use siphon_tests::process::Process;
use siphon_tests::scratch::Scratch;
use siphon_tests::subject::siphon_proxy;

const SCRIPT: &str = include_str!("../../bin/siphon-proxy/default.py");

/// The daemon as `packaging/run.sh` starts it, listening.
struct Run {
    port: String,
    process: Process,
    scratch: Scratch,
}

impl Run {
    fn start() -> Self {
        let (scratch, port) = (Scratch::new("make-call"), port::free().to_string());
        let mut command = Command::new(siphon_proxy());
        command.envs([("SIPHON_PORT", port.as_str()), ("SIPHON_LOG", "debug")]).current_dir(scratch.path());
        let mut process = Process::start("siphon-proxy", &mut command, &scratch.path().join("run.log"));
        let end = Instant::now() + Duration::from_secs(20);
        while !process.log().contains(" listens on ") {
            assert!(process.exited().is_none() && Instant::now() < end, "{}", process.log());
            std::thread::yield_now();
        }
        Self { port, process, scratch }
    }
}

fn call(port: &str, log: Option<&Scratch>, password: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_siphon-call"));
    command.arg(port).args(log.map(|scratch| scratch.path().join("run.log")));
    command.env("SIPHON_BOB_PASSWORD", password).output().expect("siphon-call is built")
}

/// What a row of the ladder shows: alice's side, bob's side, and the decision beside them.
fn row(line: &str) -> Option<[String; 3]> {
    let mut parts = line.splitn(3, '|').skip(1);
    let (left, right) = (parts.next()?, parts.next()?);
    let (right, note) = right.split_once('|').unwrap_or((right, ""));
    let label = |arrow: &str| arrow.trim().trim_end_matches(['-', '>']).trim_end().to_owned();
    Some([label(left), label(right), note.trim().to_owned()])
}

/// A decision with the line of the embedded script that made it: the first that has this text.
fn decided(what: &str, text: &str) -> String {
    let line = SCRIPT.lines().position(|line| line.contains(text)).expect("the script has that line") + 1;
    format!("{what}, <siphon-proxy default.py>:{line}")
}

#[test]
fn two_phones_register_and_call_through_the_embedded_defaults_and_the_ladder_shows_who_decided() {
    let run = Run::start();
    let output = call(&run.port, Some(&run.scratch), "builder");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    let challenge = decided("reply 401", "auth.require_www_digest");
    let saved = decided("reply 200", "registrar.save");
    let relayed = decided("relay", "request.relay()");
    let expected = [
        ["", "<- REGISTER", &challenge],
        ["", "- 401 Unauthorized", ""],
        ["", "<- REGISTER + digest", &saved],
        ["", "- 200 OK", ""],
        ["- REGISTER", "", &challenge],
        ["<- 401 Unauthorized", "", ""],
        ["- REGISTER + digest", "", &saved],
        ["<- 200 OK", "", ""],
        ["- INVITE", "", &decided("reply 407", "auth.require_proxy_digest")],
        ["<- 407 Proxy Authentication Req", "", ""],
        ["- ACK", "", ""],
        ["- INVITE + digest", "", &decided("fork 1", "request.fork(contacts)")],
        ["", "- INVITE", ""],
        ["", "<- 180 Ringing", ""],
        ["<- 180 Ringing", "", ""],
        ["", "<- 200 OK", ""],
        ["<- 200 OK", "", ""],
        ["- ACK", "", &relayed],
        ["", "- ACK", ""],
        ["- BYE", "", &relayed],
        ["", "- BYE", ""],
        ["", "<- 200 OK", ""],
        ["<- 200 OK", "", ""],
    ];
    // A machine that is slow makes the node say 100 Trying and repeat a request; neither is another step of the call.
    let mut rows: Vec<_> = out.lines().filter_map(row).filter(|r| r[0] != "<- 100 Trying").collect();
    rows.dedup();
    assert_eq!(rows, expected.map(|row| row.map(str::to_owned)), "{out}");
    assert!(
        out.trim_end().ends_with("call: alice and bob registered with digest, talked, and hung up"),
        "{out}"
    );
    // Nothing is left behind, so it can be run as often as one likes.
    for _ in 0..2 {
        assert_eq!(call(&run.port, None, "builder").status.code(), Some(0));
    }
}

#[test]
fn phones_that_find_no_daemon_or_are_refused_say_so_and_end_otherwise_than_with_0() {
    let nowhere = call(&port::free().to_string(), None, "builder");
    let told = String::from_utf8_lossy(&nowhere.stderr);
    assert_eq!(nowhere.status.code(), Some(1), "{told}");
    assert!(told.contains("nothing answers on 127.0.0.1:") && told.contains("make run PORT="), "{told}");
    let mut run = Run::start();
    let refused = call(&run.port, None, "not-bobs-password");
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && told.contains("401"), "{told}");
    assert!(run.process.exited().is_none());
}
