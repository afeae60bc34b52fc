//! The auditor: it sees every message that truly reached and truly left a node, and what the phones saw, and checks what
//! must hold in every network, whatever was lost, doubled, overtaken or broken. It reads messages with its own reader.
//!
//! The rules, by the names they are reported under:
//! - `one final`: a server transaction gets one failure or at least one 2xx, and nothing provisional afterwards
//! - `answered`: every request that reached a living node is answered, unless policy chose silence
//! - `2xx forwarded`, `2xx acknowledged`: no success is lost, and its ACK reaches who sent it
//! - `failure acknowledged`: a failure to a forwarded INVITE is acknowledged by the node itself, hop by hop
//! - `no stray`: nothing is forwarded that belongs to nothing
//! - `forward after final`: no branch starts after the client has its final response
//! - `branch left behind`: every branch of an INVITE that rang ends with a final response, or is cancelled
//! - `early CANCEL`: CANCEL follows a provisional response, and never a final one (RFC 3261 9.1)
//! - `hops`: Max-Forwards falls by one
//! - `asked twice`: policy is asked once about a request, however often it is sent
//! - `repeats`: retransmissions follow the timers of RFC 3261 17, and nothing is multiplied
//! - `best response`: what goes up is the best of what came (RFC 3261 16.7), challenges gathered
//! - `way back`: a response leaves for where its request came from (RFC 3581)
//! - `granted before stored`: a REGISTER's 200 leaves only when the store has acknowledged its value, or a later one that contains it
//! - `stale binding`: no request goes to a contact whose registration has lapsed
//! - `broken flow`: what was sent on a connection that broke does not wait for a time-out

mod client_side;
mod finish;
mod phones;
mod server_side;

use crate::base::flow::{ConnectionId, Egress, Flow};
use crate::base::time::Instant;
use crate::policy::{Question, QuestionKind};
use crate::sim::reading::Reading;
use client_side::Client;
use phones::Phones;
use server_side::Server;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Something that must never happen, and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at: Instant,
    /// Which rule.
    pub rule: &'static str,
    /// What.
    pub what: String,
}

/// Branch, sent-by, method.
type ServerKey = (String, String, String);
/// Branch, method.
type ClientKey = (String, String);

/// What the auditor knows of one node.
#[derive(Debug, Default)]
struct Watched {
    up: bool,
    servers: BTreeMap<ServerKey, Server>,
    clients: BTreeMap<ClientKey, Client>,
    /// Branch and sent-by of the ACKs that came.
    acks: BTreeSet<(String, String)>,
    /// Live bindings: when they lapse, by contact URI.
    bindings: BTreeMap<String, Instant>,
    /// REGISTERs under way, by Call-ID and CSeq.
    registering: BTreeMap<(String, u32), Registering>,
    /// How many REGISTERs came.
    registers: u64,
    /// The one that came last of those granted under each Call-ID.
    newest: BTreeMap<String, u64>,
}

/// A REGISTER that is not answered yet.
#[derive(Debug)]
struct Registering {
    /// It was the so many-th that came.
    turn: u64,
    came: Instant,
    /// Contacts and for how many seconds they are asked for.
    contacts: Vec<(String, u32)>,
}

/// Collects what happened and what must not have.
#[derive(Debug, Default)]
pub struct Auditor {
    violations: Vec<Violation>,
    excused: BTreeSet<String>,
    nodes: BTreeMap<SocketAddr, Watched>,
    phones: Phones,
    /// The highest version the store took, by address of record.
    kept: BTreeMap<String, u64>,
    /// Policy may choose among responses as it likes: `best response` is not checked.
    pub free_choice: bool,
    /// Policy re-routes failures: how many branches one request may have.
    pub most_branches: usize,
    /// Messages that the nodes received and sent.
    pub messages: (u64, u64),
    /// Requests policy was asked about.
    pub questions: u64,
}

impl Auditor {
    /// Reports a violation.
    pub fn fail(&mut self, at: Instant, rule: &'static str, what: String) {
        if self.violations.len() < 50 {
            self.violations.push(Violation { at, rule, what });
        }
    }

    /// What was found so far.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// This call met a broken connection or a dead node: it need not have ended well.
    pub fn excuse(&mut self, call_id: &str) {
        self.excused.insert(call_id.to_owned());
    }

    /// Whether a call is excused.
    pub fn is_excused(&self, call_id: &str) -> bool {
        self.excused.contains(call_id)
    }

    // ---- what the nodes do --------------------------------------------------------------------------------------

    pub(crate) fn node_power(&mut self, node: SocketAddr, on: bool, _now: Instant) {
        let watched = self.nodes.entry(node).or_default();
        watched.up = on;
        if on {
            return;
        }
        // What lived in its memory is gone, and whoever waits for it is excused.
        let servers = std::mem::take(&mut watched.servers);
        self.excused.extend(servers.into_values().map(|s| s.call_id));
        let clients = std::mem::take(&mut watched.clients);
        self.excused.extend(clients.into_values().map(|c| c.call_id));
        watched.acks.clear();
        self.phones.excuse_all(&mut self.excused);
    }

    pub(crate) fn node_received(&mut self, node: SocketAddr, flow: &Flow, bytes: &[u8], now: Instant) {
        self.messages.0 += 1;
        let Some(reading) = Reading::of(bytes).filter(Reading::is_complete) else { return };
        match (reading.is_request(), reading.method()) {
            (true, "ACK") => {
                let Some(watched) = self.nodes.get_mut(&node) else { return };
                watched.acks.insert((reading.branch(0).to_owned(), reading.sent_by(0).to_owned()));
            }
            (true, _) => self.request_came(node, flow, &reading, now),
            (false, _) => self.response_came(node, &reading, now),
        }
    }

    pub(crate) fn node_sent(&mut self, node: SocketAddr, egress: &Egress, bytes: &[u8], now: Instant) {
        self.messages.1 += 1;
        let reading = Reading::of(bytes);
        if reading.as_ref().is_some_and(|r| r.status() >= 400 && !r.is_complete()) {
            // The refusal of a message that lacked these header fields itself.
            return;
        }
        let Some(reading) = reading.filter(Reading::is_complete) else {
            let text = String::from_utf8_lossy(bytes).into_owned();
            return self.fail(now, "readable", format!("a node sent {text}"));
        };
        match (reading.is_request(), reading.method()) {
            (true, "ACK") => self.ack_left(node, &reading, now),
            (true, "CANCEL") => self.cancel_left(node, egress, &reading, now),
            (true, _) => self.request_left(node, egress, &reading, now),
            (false, _) => self.response_left(node, egress, &reading, now),
        }
    }

    pub(crate) fn node_asked(&mut self, node: SocketAddr, question: &Question, now: Instant) {
        self.questions += 1;
        let Some(reading) = Reading::of(question.request.bytes()) else { return };
        // What policy met with silence is forgotten, so a copy is a new request.
        if reading.method() == "ACK" || reading.uri().contains("drop.") {
            return;
        }
        let key = (reading.branch(0).to_owned(), reading.sent_by(0).to_owned(), reading.method().to_owned());
        let Some(server) = self.nodes.get_mut(&node).and_then(|n| n.servers.get_mut(&key)) else { return };
        let times = match question.kind {
            QuestionKind::Request => &mut server.asked.0,
            QuestionKind::Failure { .. } => &mut server.asked.1,
            QuestionKind::Reply { .. } | QuestionKind::Cancelled | QuestionKind::Call(_) => return,
        };
        *times += 1;
        if *times > 1 {
            self.fail(now, "asked twice", format!("about {} {}", reading.start(), reading.call_id()));
        }
    }

    pub(crate) fn store_kept(&mut self, aor: &str, version: u64) {
        let kept = self.kept.entry(aor.to_owned()).or_default();
        *kept = version.max(*kept);
    }

    pub(crate) fn node_connection(&mut self, node: SocketAddr, id: ConnectionId, up: bool, now: Instant) {
        if !up {
            self.connection_broke(node, id, now);
        }
    }
}
