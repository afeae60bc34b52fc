//! A child process that ends with its owner; its output is kept in a file and shown when a test fails.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A running child.
pub struct Process {
    name: String,
    pid: u32,
    log: PathBuf,
    ended: Receiver<ExitStatus>,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` with both output streams in `log`.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        let out = File::create(log).expect("the log's folder is writable");
        let err = out.try_clone().expect("a file handle can be doubled");
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}"));
        let pid = child.id();
        Self { name: name.to_owned(), pid, log: log.to_owned(), ended: waiter(child), status: None }
    }

    /// The operating system's number of it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Everything it has written so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Its exit status, if it has ended by itself.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.status = self.status.or_else(|| self.ended.try_recv().ok());
        self.status
    }

    /// Waits for it to end by itself; `None` when it is still running at the deadline.
    pub fn wait(&mut self, deadline: Duration) -> Option<ExitStatus> {
        self.status = self.status.or_else(|| self.ended.recv_timeout(deadline).ok());
        self.status
    }

    /// Sends it a signal by name (`TERM`, `HUP`).
    pub fn signal(&self, signal: &str) {
        let _ = Command::new("kill").args([format!("-{signal}"), self.pid.to_string()]).status();
    }

    /// Ends it: SIGTERM first, SIGKILL when that takes longer than three seconds.
    pub fn stop(&mut self) {
        if self.exited().is_some() {
            return;
        }
        self.signal("TERM");
        if self.wait(Duration::from_secs(3)).is_none() {
            self.signal("KILL");
            self.wait(Duration::from_secs(3));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let early = self.exited();
        self.stop();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            eprintln!("--- {} (pid {}, ended early: {early:?}), end of its log:", self.name, self.pid);
            for line in tail.iter().rev() {
                eprintln!("    {line}");
            }
        }
    }
}

/// Hands the child to a thread that does nothing but wait for it, so that waiting can have a deadline.
fn waiter(mut child: Child) -> Receiver<ExitStatus> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        if let Ok(status) = child.wait() {
            let _ = sender.send(status);
        }
    });
    receiver
}
