//! What a server costs: CPU seconds and resident memory of its process and all its children, from /proc.

use std::fs;

/// A server's processes, found once: servers here do not start new ones under load.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pids: Vec<u32>,
}

/// A reading.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// utime + stime of all threads of all processes, in seconds.
    pub(crate) cpu: f64,
    /// The scheduler's own count of the same in seconds, to the nanosecond.
    pub(crate) running: f64,
    /// Private and shared memory in bytes, shared pages counted once (Pss).
    pub(crate) memory: u64,
}

impl Tree {
    /// The process and everything below it.
    pub(crate) fn of(root: u32) -> Self {
        let mut pids = vec![root];
        let mut parents = Vec::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
                && let Some(parent) = field(pid, 3)
            {
                parents.push((pid, parent as u32));
            }
        }
        let mut at = 0;
        while at < pids.len() {
            let above = pids[at];
            pids.extend(parents.iter().filter(|(_, parent)| *parent == above).map(|(pid, _)| *pid));
            at += 1;
        }
        Self { pids }
    }

    /// Reads all of them.
    pub(crate) fn usage(&self) -> Usage {
        let ticks: u64 =
            self.pids.iter().map(|pid| field(*pid, 13).unwrap_or(0) + field(*pid, 14).unwrap_or(0)).sum();
        let memory = self.pids.iter().map(|pid| pss(*pid)).sum();
        // USER_HZ is 100 on every Linux this runs on.
        let running: u64 = self.pids.iter().map(|pid| running(*pid)).sum();
        Usage { cpu: ticks as f64 / 100.0, running: running as f64 / 1e9, memory }
    }
}

/// A field of /proc/PID/stat, counted from 0 as in proc(5) minus one; the name in parentheses may hold spaces.
fn field(pid: u32, index: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(index - 2)?.parse().ok()
}

/// Nanoseconds on a CPU of all threads that live.
fn running(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok());
    stats.filter_map(|stat| stat.split_whitespace().next()?.parse::<u64>().ok()).sum()
}

fn pss(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find(|line| line.starts_with("Pss:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}
