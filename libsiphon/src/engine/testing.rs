//! One shard on a table: messages as text in, messages as text out, and a policy that is a closure. For unit tests of
//! the engine; networks of shards are the simulator's.

use super::contract::{Effect, Effects, Input};
use super::node::Node;
use super::settings::Settings;
use super::shard::Shard;
use crate::base::flow::{Flow, Transport};
use crate::base::rng::Rng;
use crate::base::time::{Duration, Instant};
use crate::base::token::Secret;
use crate::event::{Classes, Kind};
use crate::policy::verdict::Commit;
use crate::policy::{Question, Ticket, Verdict};
use crate::proto::auth::{Authenticator, DigestSettings};
use crate::proto::proxy::own::{Domain, Listener, OwnAddresses};
use crate::proto::registrar::{Location, Registrar, RegistrarSettings};
use crate::wire::ng::MediaRequest;
use crate::wire::sip::{Limits, Message};
use std::net::SocketAddr;
use std::sync::Arc;

pub(crate) const PROXY: &str = "192.0.2.1:5060";
pub(crate) const ALICE: &str = "192.0.2.10:5060";
pub(crate) const BOB: &str = "192.0.2.20:5060";

/// Answers a question, now or never.
type Decide = Box<dyn FnMut(&Question) -> Option<Verdict>>;

pub(crate) struct Table {
    pub(crate) shard: Shard,
    pub(crate) now: Instant,
    pub(crate) decide: Decide,
    pub(crate) open: Vec<(Ticket, Question)>,
    pub(crate) withdrawn: Vec<Ticket>,
    pub(crate) told: Vec<Kind>,
    /// What the observers want.
    pub(crate) reads: Classes,
    pub(crate) commits: Vec<(Ticket, Commit)>,
    /// Commands to media engines that nobody has answered.
    pub(crate) media: Vec<(Ticket, MediaRequest)>,
    /// Of each message sent: by what, and who is to hear of a failure.
    pub(crate) reports: Vec<(Transport, Option<super::contract::SendReport>)>,
    sent: Vec<(SocketAddr, String)>,
}

pub(crate) fn node(settings: Settings) -> Arc<Node> {
    node_of(1, settings)
}

pub(crate) fn node_of(shards: u8, settings: Settings) -> Arc<Node> {
    let listener = |transport| Listener {
        transport,
        bound: PROXY.parse().expect("an address"),
        host: "192.0.2.1".to_owned(),
        port: 5060,
    };
    let own = OwnAddresses::new(
        vec![listener(Transport::Udp), listener(Transport::Tcp)],
        vec![Domain::parse("example.com").expect("a domain")],
        &[],
    );
    let secret = Secret::new(1, 2);
    let location = Arc::new(Location::new(&secret, 4, 1000, Instant::EPOCH));
    let registrar = Registrar::new(RegistrarSettings::default(), location, &secret);
    let auth = Authenticator::new(DigestSettings::default(), secret);
    Arc::new(Node::new(shards, secret, 7, own, registrar, auth, settings))
}

impl Table {
    pub(crate) fn new(decide: impl FnMut(&Question) -> Option<Verdict> + 'static) -> Self {
        Table::with(Settings::default(), decide)
    }

    pub(crate) fn with(
        settings: Settings,
        decide: impl FnMut(&Question) -> Option<Verdict> + 'static,
    ) -> Self {
        let now = Instant::from_unix_secs(1_700_000_000);
        Table {
            shard: Shard::new(0, node(settings), Rng::seeded(1), now),
            now,
            decide: Box::new(decide),
            open: Vec::new(),
            withdrawn: Vec::new(),
            told: Vec::new(),
            reads: Classes::ALL,
            commits: Vec::new(),
            media: Vec::new(),
            reports: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// A datagram arrives from `from`; the text may use bare line feeds.
    pub(crate) fn receive(&mut self, from: &str, text: &str) {
        let text = text.trim_start().replace('\n', "\r\n");
        let flow = Flow {
            transport: Transport::Udp,
            local: PROXY.parse().expect("an address"),
            remote: from.parse().expect("an address"),
            connection: None,
        };
        let input = match Message::parse(text.as_bytes(), &Limits::default()) {
            Ok(message) => Input::Message { flow, message },
            Err(refused) => Input::Refused { flow, refused: Box::new(refused) },
        };
        self.feed(input);
    }

    pub(crate) fn feed(&mut self, input: Input) {
        let mut effects = Effects::subscribed_to(self.reads);
        self.shard.handle(input, self.now, &mut effects);
        self.perform(effects);
    }

    pub(crate) fn answer(&mut self, nth: usize, verdict: Verdict) {
        let ticket = self.open[nth].0;
        self.feed(Input::Decided { ticket, verdict: Box::new(verdict) });
    }

    fn perform(&mut self, effects: Effects) {
        for effect in effects.list {
            match effect {
                Effect::Send { egress, bytes, report } => {
                    self.reports.push((egress.transport, report));
                    self.sent.push((egress.remote, String::from_utf8_lossy(&bytes).into_owned()));
                }
                Effect::Ask { ticket, question } => match (self.decide)(&question) {
                    Some(verdict) => self.feed(Input::Decided { ticket, verdict: Box::new(verdict) }),
                    None => self.open.push((ticket, *question)),
                },
                Effect::Media { ticket, request } => self.media.push((ticket, *request)),
                Effect::Withdraw { ticket } => self.withdrawn.push(ticket),
                Effect::Tell(event) => self.told.push(event.kind),
                Effect::Commit { ticket, commit } => self.commits.push((ticket, *commit)),
                _ => {}
            }
        }
    }

    /// Lets time pass, firing every timer at its moment.
    pub(crate) fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        while let Some(at) = self.shard.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let mut effects = Effects::subscribed_to(self.reads);
            self.shard.tick(self.now, &mut effects);
            self.perform(effects);
        }
        self.now = until;
    }

    /// What was sent since the last look: destination and first line.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        self.sent
            .drain(..)
            .map(|(to, text)| format!("{to} {}", text.lines().next().unwrap_or_default()))
            .collect()
    }

    pub(crate) fn sent_mut(&mut self) -> &mut Vec<(SocketAddr, String)> {
        &mut self.sent
    }

    /// The last message sent, whole; forgets the others.
    pub(crate) fn last(&mut self) -> String {
        self.sent.drain(..).next_back().map(|(_, text)| text).unwrap_or_default()
    }
}

/// A request of alice's.
pub(crate) fn request(method: &str, uri: &str, branch: &str, to_tag: &str, more: &str) -> String {
    let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    let cseq_method = method;
    format!(
        "{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch=z9hG4bK{branch};rport\nMax-Forwards: 70\n\
         From: <sip:alice@example.com>;tag=a1\nTo: <sip:bob@example.com>{tag}\nCall-ID: call-1\n\
         CSeq: 1 {cseq_method}\nContact: <sip:alice@{ALICE}>\n{more}Content-Length: 0\n\n"
    )
}

/// Bob's response to a request that was forwarded to him.
pub(crate) fn response(request: &str, status: &str) -> String {
    let keep = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        ["Via", "From", "Call-ID", "CSeq", "Record-Route"].contains(&name)
    };
    let mut text = format!("SIP/2.0 {status}\n");
    for line in request.lines().filter(keep) {
        text.push_str(line);
        text.push('\n');
    }
    text + "To: <sip:bob@example.com>;tag=b1\nContact: <sip:bob@192.0.2.20>\nContent-Length: 0\n\n"
}
