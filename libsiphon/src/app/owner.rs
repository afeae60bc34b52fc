//! Who holds a port that we wanted: read from `/proc`, for the message of a start that failed.

use std::fs;
use std::net::SocketAddr;

/// A process that holds a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// Its process id.
    pub pid: u32,
    /// Its name, as in `ps`.
    pub name: String,
}

/// The process bound to this port, when this user may see it. `transport` is `udp` or `tcp`.
pub(super) fn of(transport: &str, address: SocketAddr) -> Option<Owner> {
    let inodes: Vec<u64> = [transport.to_owned(), format!("{transport}6")]
        .iter()
        .filter_map(|table| fs::read_to_string(format!("/proc/net/{table}")).ok())
        .flat_map(|table| inodes(&table, transport, address.port()))
        .collect();
    let processes = fs::read_dir("/proc").ok()?;
    processes.filter_map(|e| e.ok()?.file_name().to_str()?.parse::<u32>().ok()).find_map(|pid| {
        holds(pid, &inodes).then(|| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            Owner { pid, name: name.trim().to_owned() }
        })
    })
}

/// Inodes of the sockets of a `/proc/net` table that are bound to `port` and, for TCP, listening.
fn inodes(table: &str, transport: &str, port: u16) -> Vec<u64> {
    const LISTENING: &str = "0A";
    let line = |line: &str| {
        let mut fields = line.split_whitespace();
        let (_, local) = fields.nth(1)?.rsplit_once(':')?;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?.parse().ok()?;
        let ours = u16::from_str_radix(local, 16) == Ok(port) && (transport != "tcp" || state == LISTENING);
        ours.then_some(inode)
    };
    table.lines().skip(1).filter_map(line).collect()
}

fn holds(pid: u32, inodes: &[u64]) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    open.filter_map(|e| fs::read_link(e.ok()?.path()).ok()).any(|target| {
        let target = target.to_string_lossy();
        let inode = target.strip_prefix("socket:[").and_then(|t| t.strip_suffix(']'));
        inode.and_then(|t| t.parse().ok()).is_some_and(|inode: u64| inodes.contains(&inode))
    })
}

#[cfg(test)]
#[path = "owner_tests.rs"]
mod tests;
