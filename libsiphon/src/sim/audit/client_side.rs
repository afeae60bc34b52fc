//! What a node forwards, and what it hears of it.

use super::Auditor;
use crate::base::flow::{ConnectionId, Egress, Transport};
use crate::base::time::{Duration, Instant};
use crate::sim::reading::Reading;
use std::net::SocketAddr;

/// A client transaction as it looks from outside.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) call_id: String,
    /// The server transaction whose request was forwarded; `None` for a request of the node's own.
    pub(super) server: Option<super::ServerKey>,
    pub(super) began: Instant,
    pub(super) sent: u32,
    pub(super) provisional: Option<Instant>,
    pub(super) finals: Vec<Final>,
    pub(super) acks: u32,
    pub(super) cancelled: Option<Instant>,
    pub(super) connection: Option<ConnectionId>,
    pub(super) reliable: bool,
    pub(super) broke: Option<Instant>,
}

/// A final response that came.
#[derive(Debug)]
pub(super) struct Final {
    pub(super) status: u16,
    pub(super) to_tag: String,
    pub(super) challenges: usize,
    pub(super) at: Instant,
    pub(super) cseq: u32,
    /// The transaction was certainly there to take it. On a connection that broke, or so late that a timer may have
    /// ended it, it may have been.
    pub(super) certain: bool,
}

impl Client {
    /// The final responses that it certainly took.
    pub(super) fn taken(&self) -> impl Iterator<Item = &Final> {
        self.finals.iter().filter(|f| f.certain)
    }

    /// Whether the transaction may have been given up by `at`: no response for 64*T1, or none after a CANCEL.
    pub(super) fn may_be_gone(&self, at: Instant) -> bool {
        let waited = |since: Instant| at.since(since) >= Duration::from_secs(31);
        self.broke.is_some()
            || self.provisional.is_none() && waited(self.began)
            || self.cancelled.is_some_and(waited)
            || self.taken().next().is_some_and(|f| waited(f.at))
    }
}

impl Auditor {
    pub(super) fn response_came(&mut self, node: SocketAddr, response: &Reading<'_>, now: Instant) {
        let key = (response.branch(0).to_owned(), response.method().to_owned());
        let Some(client) = self.nodes.get_mut(&node).and_then(|n| n.clients.get_mut(&key)) else { return };
        if response.status() < 200 {
            client.provisional.get_or_insert(now);
            return;
        }
        let to_tag = response.tag("To").unwrap_or("").to_owned();
        if client.finals.iter().any(|f| f.to_tag == to_tag && f.status == response.status()) {
            return;
        }
        // What comes after a failure belongs to no transaction state that could take it (RFC 3261 17.1.1.2).
        let fits = |f: &Final| f.status < 300 && response.status() < 300;
        if !client.taken().next().is_none_or(fits) {
            return;
        }
        let certain = client.finals.first().is_none_or(fits) && !client.may_be_gone(now);
        let challenges =
            response.challenges("WWW-Authenticate").len() + response.challenges("Proxy-Authenticate").len();
        let cseq = response.cseq().0;
        client.finals.push(Final { status: response.status(), to_tag, challenges, at: now, cseq, certain });
    }

    pub(super) fn request_left(
        &mut self,
        node: SocketAddr,
        egress: &Egress,
        request: &Reading<'_>,
        now: Instant,
    ) {
        let what = || format!("{} {}", request.start(), request.call_id());
        let method = request.method();
        let key = (request.branch(0).to_owned(), method.to_owned());
        let Some(watched) = self.nodes.get_mut(&node) else { return };
        if let Some(client) = watched.clients.get_mut(&key) {
            client.sent += 1;
            let most = if method == "INVITE" { 7 } else { 11 };
            let quiet = method == "INVITE" && client.provisional.is_some_and(|at| at < now);
            if client.sent > most || quiet || client.reliable || client.taken().next().is_some() {
                let fault = format!("copy {} of {}", client.sent, what());
                self.fail(now, "repeats", fault);
            }
            return;
        }
        let server_key = (request.branch(1).to_owned(), request.sent_by(1).to_owned(), method.to_owned());
        let own = request.via(1).is_none();
        let server = watched.servers.get_mut(&server_key);
        let mut faults: Vec<(&'static str, String)> = Vec::new();
        match server {
            Some(server) => {
                if server.has_final() {
                    faults.push(("forward after final", what()));
                }
                let expected = server.hops.map_or(70, |h| h.saturating_sub(1));
                if request.max_forwards() != Some(expected) {
                    faults.push((
                        "hops",
                        format!("{:?} instead of {expected}: {}", request.max_forwards(), what()),
                    ));
                }
                server.branches.push(key.0.clone());
                if server.branches.len() > self.most_branches.max(12) {
                    faults.push(("repeats", format!("{} branches of {}", server.branches.len(), what())));
                }
                let lapsed = watched.bindings.get(request.uri());
                let in_dialog = request.tag("To").is_some();
                // Between REGISTER and its answer a store may still be thinking it over.
                let asked = watched
                    .registering
                    .values()
                    .flat_map(|r| &r.contacts)
                    .any(|(uri, s)| uri == request.uri() && *s > 0);
                if !in_dialog
                    && !asked
                    && lapsed.is_some_and(|at| *at + Duration::from_secs(1) < server.arrived)
                {
                    faults.push(("stale binding", what()));
                }
            }
            None if !own => faults.push(("no stray", format!("a request that never came: {}", what()))),
            None => {}
        }
        let client = Client {
            call_id: request.call_id().to_owned(),
            server: (!own).then_some(server_key),
            began: now,
            sent: 1,
            provisional: None,
            finals: Vec::new(),
            acks: 0,
            cancelled: None,
            connection: egress.connection,
            reliable: egress.transport == Transport::Tcp,
            broke: None,
        };
        watched.clients.insert(key, client);
        for (rule, what) in faults {
            self.fail(now, rule, what);
        }
    }

    /// An ACK is the node's own for a failure, or forwards one for a success.
    pub(super) fn ack_left(&mut self, node: SocketAddr, ack: &Reading<'_>, now: Instant) {
        let what = || format!("{} {}", ack.start(), ack.call_id());
        let Some(watched) = self.nodes.get_mut(&node) else { return };
        if let Some(client) = watched.clients.get_mut(&(ack.branch(0).to_owned(), "INVITE".to_owned())) {
            client.acks += 1;
            if !client.finals.iter().any(|f| f.status >= 300) {
                self.fail(now, "failure acknowledged", format!("an ACK without a failure: {}", what()));
            }
            return;
        }
        let below = (ack.branch(1).to_owned(), ack.sent_by(1).to_owned());
        if !watched.acks.contains(&below) {
            return self.fail(now, "no stray", format!("an ACK that never came: {}", what()));
        }
        let invite = (below.0, below.1, "INVITE".to_owned());
        if watched.servers.get(&invite).is_some_and(|s| s.finals.iter().any(|f| f.0 >= 300)) {
            self.fail(now, "failure acknowledged", format!("the ACK to a failure was forwarded: {}", what()));
        }
    }

    pub(super) fn cancel_left(
        &mut self,
        node: SocketAddr,
        egress: &Egress,
        cancel: &Reading<'_>,
        now: Instant,
    ) {
        let what = || format!("{} {}", cancel.start(), cancel.call_id());
        let Some(watched) = self.nodes.get_mut(&node) else { return };
        let branch = cancel.branch(0).to_owned();
        let Some(invite) = watched.clients.get_mut(&(branch.clone(), "INVITE".to_owned())) else {
            return self.fail(now, "no stray", format!("a CANCEL of nothing: {}", what()));
        };
        let first = invite.cancelled.is_none();
        let early = invite.provisional.is_none();
        let late = first && invite.taken().next().is_some();
        invite.cancelled.get_or_insert(now);
        let call_id = invite.call_id.clone();
        let key = (branch, "CANCEL".to_owned());
        let client = watched.clients.entry(key).or_insert(Client {
            call_id,
            server: None,
            began: now,
            sent: 0,
            provisional: None,
            finals: Vec::new(),
            acks: 0,
            cancelled: None,
            connection: egress.connection,
            reliable: egress.transport == Transport::Tcp,
            broke: None,
        });
        client.sent += 1;
        if client.sent > 11 {
            let fault = format!("copy {} of {}", client.sent, what());
            self.fail(now, "repeats", fault);
        }
        if early || late {
            self.fail(now, "early CANCEL", format!("{}: {}", if early { "early" } else { "late" }, what()));
        }
    }

    /// A connection of the node's broke.
    pub(super) fn connection_broke(&mut self, node: SocketAddr, id: ConnectionId, now: Instant) {
        let Some(watched) = self.nodes.get_mut(&node) else { return };
        for client in
            watched.clients.values_mut().filter(|c| c.connection == Some(id) && c.taken().next().is_none())
        {
            client.broke.get_or_insert(now);
            self.excused.insert(client.call_id.clone());
        }
        for server in watched.servers.values_mut().filter(|s| s.connection == Some(id)) {
            server.connection_lost = true;
            self.excused.insert(server.call_id.clone());
        }
    }
}
