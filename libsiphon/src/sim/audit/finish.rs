//! What must hold when everything has come to rest.

use super::{Auditor, Watched};
use crate::base::time::{Duration, Instant};

impl Auditor {
    /// Judges what is left over. The network is at rest: no event is pending.
    pub(crate) fn finish(&mut self, now: Instant) {
        let mut faults: Vec<(&'static str, String)> = Vec::new();
        for watched in self.nodes.values() {
            self.finish_servers(watched, &mut faults);
            self.finish_clients(watched, &mut faults);
        }
        for call_id in self.phones.open().filter(|c| !self.is_excused(c)) {
            faults.push(("answered", format!("the INVITE of {call_id} never ended at its caller")));
        }
        for (rule, what) in faults {
            self.fail(now, rule, what);
        }
    }

    fn finish_servers(&self, watched: &Watched, faults: &mut Vec<(&'static str, String)>) {
        for (key, server) in &watched.servers {
            let silenced = server.uri.contains("drop.") || server.connection_lost;
            // RFC 4320 4.2: who hears nothing about a request that is no INVITE says nothing about it.
            let heard = |b: &String| {
                watched.clients.get(&(b.clone(), key.2.clone())).is_some_and(|c| c.taken().next().is_some())
            };
            let silenced = silenced
                || key.2 != "INVITE" && !server.branches.is_empty() && !server.branches.iter().all(heard);
            if !server.has_final() && !silenced && !self.is_excused(&server.call_id) {
                let what = format!("{} {} {} has no final response", key.2, server.uri, server.call_id);
                faults.push(("answered", what));
            }
        }
    }

    fn finish_clients(&self, watched: &Watched, faults: &mut Vec<(&'static str, String)>) {
        for (key, client) in watched.clients.iter().filter(|(k, _)| k.1 == "INVITE") {
            let name = format!("{} of {}", key.0, client.call_id);
            let excused = self.is_excused(&client.call_id);
            if client.finals.is_empty()
                && client.provisional.is_some()
                && client.cancelled.is_none()
                && !excused
            {
                faults.push(("branch left behind", name.clone()));
            }
            if client.taken().any(|f| f.status >= 300) && client.acks == 0 && !excused {
                faults.push(("failure acknowledged", format!("no ACK was sent on {name}")));
            }
            for success in client.taken().filter(|f| f.status / 100 == 2) {
                let key = (client.call_id.clone(), success.to_tag.clone(), success.cseq);
                if !self.phones.forwarded.contains(&key) && !excused {
                    faults.push(("2xx forwarded", format!("{} on {name}", success.status)));
                }
            }
            let Some(broke) = client.broke else { continue };
            let Some(server) = client.server.as_ref().and_then(|s| watched.servers.get(s)) else { continue };
            // RFC 3261 16.9: the failure is known at once, so the wait is no longer than that of other branches.
            let slow = server.ended.is_none_or(|at| at.since(broke) > Duration::from_secs(20));
            if slow && server.branches.len() == 1 && client.provisional.is_none() && !server.connection_lost {
                faults.push(("broken flow", name));
            }
        }
    }
}
