//! What a node receives from clients and answers them.

use super::client_side::Final;
use super::{Auditor, Registering};
use crate::base::flow::{ConnectionId, Egress, Flow, Transport};
use crate::base::time::{Duration, Instant};
use crate::sim::reading::{Reading, address, param};
use std::net::SocketAddr;

/// A server transaction as it looks from outside.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) call_id: String,
    pub(super) uri: String,
    pub(super) arrived: Instant,
    pub(super) hops: Option<u32>,
    pub(super) source: SocketAddr,
    pub(super) connection: Option<ConnectionId>,
    symmetric: bool,
    /// Times the request came.
    pub(super) copies: u32,
    pub(super) finals: Vec<(u16, Vec<u8>)>,
    pub(super) cancelled: bool,
    responses: u32,
    /// Times policy was asked about the request, and about its failure.
    pub(super) asked: (u32, u32),
    pub(super) branches: Vec<String>,
    pub(super) connection_lost: bool,
    /// When the first final response left.
    pub(super) ended: Option<Instant>,
}

impl Server {
    pub(super) fn has_final(&self) -> bool {
        !self.finals.is_empty()
    }
}

impl Auditor {
    pub(super) fn request_came(
        &mut self,
        node: SocketAddr,
        flow: &Flow,
        request: &Reading<'_>,
        now: Instant,
    ) {
        let Some(watched) = self.nodes.get_mut(&node) else { return };
        let key = (request.branch(0).to_owned(), request.sent_by(0).to_owned(), request.method().to_owned());
        if key.2 == "CANCEL" {
            let invite = (key.0.clone(), key.1.clone(), "INVITE".to_owned());
            if let Some(server) = watched.servers.get_mut(&invite) {
                server.cancelled = true;
            }
        }
        if key.2 == "REGISTER" {
            let wanted = |value: &&str| {
                let own = param(value, "expires").and_then(|e| e.parse().ok());
                let common = request.header("Expires").and_then(|e| e.parse().ok());
                (address(value).to_owned(), own.or(common).unwrap_or(3600))
            };
            let contacts = request.values("Contact").iter().map(wanted).collect();
            let id = (request.call_id().to_owned(), request.cseq().0);
            let turn = watched.registers;
            watched.registering.entry(id).or_insert_with(|| {
                watched.registers += 1;
                Registering { turn, came: now, contacts }
            });
        }
        let server = watched.servers.entry(key).or_insert_with(|| Server {
            call_id: request.call_id().to_owned(),
            uri: request.uri().to_owned(),
            arrived: now,
            hops: request.max_forwards(),
            source: flow.remote,
            connection: flow.connection,
            symmetric: request.via(0).is_some_and(|v| param(v, "rport").is_some()),
            copies: 0,
            finals: Vec::new(),
            cancelled: false,
            responses: 0,
            asked: (0, 0),
            branches: Vec::new(),
            connection_lost: false,
            ended: None,
        });
        server.copies += 1;
    }

    pub(super) fn response_left(
        &mut self,
        node: SocketAddr,
        egress: &Egress,
        response: &Reading<'_>,
        now: Instant,
    ) {
        let what = || format!("{} for {} {}", response.start(), response.method(), response.call_id());
        let key =
            (response.branch(0).to_owned(), response.sent_by(0).to_owned(), response.method().to_owned());
        let status = response.status();
        let Some(watched) = self.nodes.get_mut(&node) else { return };
        let Some(server) = watched.servers.get_mut(&key) else {
            // Refusals of what was no acceptable message are answered without a transaction.
            if status < 400 {
                self.fail(now, "no stray", format!("a response to nothing: {}", what()));
            }
            return;
        };
        server.responses += 1;
        let mut faults: Vec<(&'static str, String)> = Vec::new();
        if server.symmetric && egress.transport == Transport::Udp && egress.remote != server.source {
            faults.push((
                "way back",
                format!("{} left for {} instead of {}", what(), egress.remote, server.source),
            ));
        }
        if server.responses > server.copies + 40 {
            faults.push((
                "repeats",
                format!("{} responses to {} copies: {}", server.responses, server.copies, what()),
            ));
        }
        if status >= 200 {
            server.ended.get_or_insert(now);
        }
        let last = server.finals.last();
        match status {
            ..200 if server.has_final() => {
                faults.push(("one final", format!("provisional after final: {}", what())))
            }
            ..200 => {}
            200..300 if key.2 == "INVITE" => {
                let crossing = last.is_some_and(|(s, _)| *s >= 300);
                // A branch that is given up may succeed while its CANCEL is on the way (RFC 3261 16.8).
                let given_up = server.branches.iter().any(|b| {
                    let client = watched.clients.get(&(b.clone(), "INVITE".to_owned()));
                    client.is_some_and(|c| c.cancelled.is_some())
                });
                if crossing && !server.cancelled && !given_up {
                    faults.push(("one final", format!("a success after a failure: {}", what())));
                }
                server.finals.push((status, Vec::new()));
                if crossing {
                    // Repeats of this 2xx end with the server transaction: who loses the ACK has no second chance.
                    self.excused.insert(response.call_id().to_owned());
                }
                let success = (
                    response.call_id().to_owned(),
                    response.tag("To").unwrap_or("").to_owned(),
                    response.cseq().0,
                );
                self.phones.forwarded_success(success);
            }
            _ => match last {
                Some(_) if server.finals.iter().any(|(_, bytes)| bytes == response.bytes()) => {}
                Some((first, _)) => faults.push(("one final", format!("{first} first, then {}", what()))),
                None => {
                    server.finals.push((status, response.bytes().to_vec()));
                    if key.2 == "REGISTER" {
                        self.registered(node, response, now);
                    }
                    self.check_best(node, &key, response, now);
                }
            },
        }
        for (rule, what) in faults {
            self.fail(now, rule, what);
        }
    }

    /// RFC 3261 16.7 step 6 and 7, judged from the finals that came so far.
    fn check_best(&mut self, node: SocketAddr, key: &super::ServerKey, response: &Reading<'_>, now: Instant) {
        if self.free_choice || response.status() < 300 {
            return;
        }
        let Some(watched) = self.nodes.get(&node) else { return };
        let Some(server) = watched.servers.get(key) else { return };
        let clients = server.branches.iter().filter_map(|b| watched.clients.get(&(b.clone(), key.2.clone())));
        let (status, tag) = (response.status(), response.tag("To").unwrap_or(""));
        // One that may have come too late counts where it was chosen.
        let counts = |f: &&Final| f.certain || f.status == status && f.to_tag == tag;
        let finals: Vec<(u16, String, usize)> = clients
            .flat_map(|c| c.finals.iter().filter(counts))
            .map(|f| (f.status, f.to_tag.clone(), f.challenges))
            .collect();
        let (call_id, cancelled) = (server.call_id.clone(), server.cancelled);
        let came: Vec<u16> = finals.iter().map(|f| f.0).collect();
        if !finals.iter().any(|f| f.0 == status && f.1 == tag) {
            // Made by the node itself: that is right only where nothing better came.
            let good = came.iter().any(|s| *s != 503 && s / 100 != 3);
            if good && matches!(status, 408 | 503) && !cancelled {
                self.fail(
                    now,
                    "best response",
                    format!("{status} made here, while {came:?} came for {call_id}"),
                );
            }
            return;
        }
        let six = came.iter().any(|s| s / 100 == 6);
        let lowest = came.iter().filter(|s| **s >= 300 && **s != 503).map(|s| s / 100).min();
        let right = match (six, lowest) {
            (true, _) => status / 100 == 6,
            (false, Some(class)) => status / 100 == class,
            (false, None) => true,
        };
        if !right || status == 503 {
            self.fail(now, "best response", format!("{status} of {came:?} for {call_id}"));
        }
        if matches!(status, 401 | 407) {
            let expected: usize = finals.iter().filter(|f| matches!(f.0, 401 | 407)).map(|f| f.2).sum();
            let sent = response.challenges("WWW-Authenticate").len()
                + response.challenges("Proxy-Authenticate").len();
            if sent < expected {
                self.fail(now, "best response", format!("{sent} challenges of {expected} for {call_id}"));
            }
        }
    }

    /// A REGISTER was answered. If it was granted, its contacts live until what the 200 says, or are gone.
    fn registered(&mut self, node: SocketAddr, response: &Reading<'_>, now: Instant) {
        let Some(watched) = self.nodes.get_mut(&node) else { return };
        let id = (response.call_id().to_owned(), response.cseq().0);
        let Some(Registering { turn, came, contacts: asked }) = watched.registering.remove(&id) else {
            return;
        };
        if response.status() != 200 {
            return;
        }
        let aor = response.header("To").map(address).unwrap_or("").to_owned();
        let changes = !asked.is_empty() && asked.iter().any(|(_, seconds)| *seconds > 0);
        // A version is no lower than the time it was made.
        let kept = self.kept.get(&aor).copied().unwrap_or_default();
        if changes && kept < came.0 {
            let what = format!("{} for {aor}", id.0);
            self.violations.push(super::Violation { at: now, rule: "granted before stored", what });
        }
        // A slow store lets the answers overtake each other: what came last counts. That need not be what was asked
        // last: with nothing bound, RFC 3261 10.3 step 7 has no CSeq to compare a late request with.
        let newest = watched.newest.entry(id.0.clone()).or_insert(turn);
        if turn < *newest {
            return;
        }
        *newest = turn;
        // What another REGISTER of the same phone changed may still be taken back by the store.
        let others = watched.registering.range((id.0.clone(), 0)..=(id.0.clone(), u32::MAX)).next().is_some();
        for (uri, seconds) in asked {
            if others {
                watched.bindings.remove(&uri);
                continue;
            }
            if uri == "*" || seconds == 0 {
                watched.bindings.insert(uri, now);
                continue;
            }
            let granted = response.values("Contact").into_iter().find(|c| address(c) == uri);
            let granted =
                granted.and_then(|c| param(c, "expires")).and_then(|e| e.parse().ok()).unwrap_or(seconds);
            watched.bindings.insert(uri, now + Duration::from_secs(granted.into()));
        }
    }
}
