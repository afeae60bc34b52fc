//! A phone: a small SIP user agent of its own (RFC 3261 8, 12 to 15, 17), written apart from the engine so that no fault
//! is shared. It registers, answers digest challenges, calls and is called, retransmits, cancels, hangs up.

mod answering;
mod calling;
mod clients;
mod digest;
mod servers;
mod writing;

use crate::base::flow::Transport;
use crate::base::text::Octets;
use crate::base::time::{Duration, Instant};
use crate::sim::order::{Expect, Manner, Order};
use crate::sim::reading::{Reading, socket};
use crate::sim::wire::{HostId, StreamEvent, StreamId, Wire};
use crate::wire::sip::{Frame, Limits, StreamFramer};
use calling::{Call, Dialog, DialogKey};
use clients::{ClientKey, ClientTransaction, Purpose};
use servers::{ServerKey, ServerTransaction};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// RFC 3261 17.1.1.1.
pub(crate) const T1: Duration = Duration::from_millis(500);
pub(crate) const T2: Duration = Duration::from_secs(4);
pub(crate) const T1_64: Duration = Duration::from_secs(32);

/// How a phone is set up.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user part of its contact; its name in ladders too.
    pub user: String,
    /// The user part of its address of record, and of its credentials. Several phones may share one.
    pub login: String,
    /// The domain of its address of record.
    pub domain: String,
    /// Its digest password.
    pub password: String,
    /// The address it believes to have, and writes into its messages.
    pub address: SocketAddr,
    /// The address its packets come from: another one behind NAT.
    pub public: SocketAddr,
    /// The transport it uses towards its proxy.
    pub transport: Transport,
    /// Its outbound proxy.
    pub proxy: SocketAddr,
    /// Its ACK to a 2xx bears the branch of the INVITE, as RFC 2543 had it.
    pub old_ack: bool,
    /// It sends by hand what it sends: what comes back is not judged.
    pub tolerant: bool,
}

/// How a request of the phone's ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its method.
    pub method: String,
    /// Its Call-ID.
    pub call_id: String,
    /// The final status code; 0 when there was none.
    pub status: u16,
    /// Whether it was cancelled.
    pub cancelled: bool,
    /// What was right.
    pub expect: Expect,
    /// When it began and when it ended.
    pub began: Instant,
    /// When it ended.
    pub ended: Instant,
}

/// How a call stands at one of its phones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// The INVITE was sent.
    Calling,
    /// An INVITE came.
    Incoming,
    /// There was a provisional response.
    Proceeding,
    /// Answered, and nobody has hung up.
    Confirmed,
    /// It was answered and is over.
    Ended,
    /// It got this final response, 0 when none came.
    Failed(u16),
}

/// What a phone's timer is for.
#[derive(Clone, Debug)]
enum Alarm {
    Resend(ClientKey),
    ClientEnd(ClientKey),
    Again(ServerKey),
    ServerEnd(ServerKey),
    Ring(ServerKey),
    Final(ServerKey),
    LateAnswer(ServerKey),
    Cancel(String),
    Next(DialogKey),
    HangUp(DialogKey),
    Reregister(u32),
    SlowAnswer(ServerKey),
}

struct Link {
    stream: StreamId,
    framer: StreamFramer,
    open: bool,
    waiting: Vec<Octets>,
}

/// Where a message is to go, or came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) transport: Transport,
    pub(crate) remote: SocketAddr,
    pub(crate) stream: Option<StreamId>,
}

/// A phone on the virtual wire.
pub struct Phone {
    pub(crate) host: HostId,
    /// How it is set up.
    pub account: Account,
    manner: Manner,
    clients: BTreeMap<ClientKey, ClientTransaction>,
    servers: BTreeMap<ServerKey, ServerTransaction>,
    calls: BTreeMap<String, Call>,
    dialogs: BTreeMap<DialogKey, Dialog>,
    /// Seconds its registration was last asked for; a lost connection renews it.
    registered: Option<u32>,
    alarms: BTreeMap<u64, Alarm>,
    next_alarm: u64,
    links: BTreeMap<SocketAddr, Link>,
    next_port: u16,
    serial: u64,
    /// Every branch it ever used: a response with another one was never meant for it.
    branches: BTreeSet<String>,
    nonce_count: BTreeMap<String, u32>,
    last_call_id: String,
    register_cseq: u32,
    outcomes: Vec<Outcome>,
    /// Raw statuses and methods received, for tests that script a phone by hand.
    inbox: Vec<Octets>,
}

impl Phone {
    pub(crate) fn new(host: HostId, account: Account, wire: &mut Wire) -> Self {
        wire.log.name(account.public, &account.user);
        for transport in [Transport::Udp, Transport::Tcp] {
            wire.bind(transport, account.public, host);
        }
        Phone {
            host,
            account,
            manner: Manner::friendly(),
            clients: BTreeMap::new(),
            servers: BTreeMap::new(),
            calls: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            registered: None,
            alarms: BTreeMap::new(),
            next_alarm: 0,
            links: BTreeMap::new(),
            next_port: 40_000,
            serial: 0,
            branches: BTreeSet::new(),
            nonce_count: BTreeMap::new(),
            last_call_id: String::new(),
            register_cseq: 0,
            outcomes: Vec::new(),
            inbox: Vec::new(),
        }
    }

    /// How its requests ended so far.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// Everything it received, in order.
    pub fn inbox(&self) -> &[Octets] {
        &self.inbox
    }

    /// Whether nothing of its own is going on any more.
    pub fn is_idle(&self) -> bool {
        self.clients.is_empty() && self.servers.is_empty()
    }

    /// The Call-ID of the request it sent last, ACK and CANCEL aside.
    pub fn last_call_id(&self) -> &str {
        &self.last_call_id
    }

    /// How the call with this Call-ID stands; `None` when there never was one.
    pub fn call_state(&self, call_id: &str) -> Option<CallState> {
        let mut dialogs = self.dialogs.iter().filter(|(k, _)| k.0 == call_id).peekable();
        if dialogs.peek().is_some() {
            let ended = dialogs.all(|(_, d)| d.is_ended());
            return Some(if ended { CallState::Ended } else { CallState::Confirmed });
        }
        let client = self
            .clients
            .values()
            .find(|t| t.purpose == Purpose::Call && t.draft.call_id == call_id && !t.finished);
        if let Some(t) = client {
            return Some(if t.provisional { CallState::Proceeding } else { CallState::Calling });
        }
        let outcome = self.outcomes.iter().rev().find(|o| o.method == "INVITE" && o.call_id == call_id);
        if let Some(outcome) = outcome {
            return Some(CallState::Failed(outcome.status));
        }
        let server = self.servers.iter().find(|(k, t)| {
            k.2 == "INVITE" && Reading::of(&t.request).is_some_and(|r| r.call_id() == call_id)
        });
        server.map(|(_, t)| match t.status {
            0..=100 => CallState::Incoming,
            101..=199 => CallState::Proceeding,
            status => CallState::Failed(status),
        })
    }

    /// Its address of record.
    pub fn aor(&self) -> String {
        format!("sip:{}@{}", self.account.login, self.account.domain)
    }

    pub(crate) fn on_order(&mut self, order: Order, wire: &mut Wire) {
        match order {
            Order::Register { expires, expect } => self.register(expires, expect, wire),
            Order::Call(plan) => self.call(plan, wire),
            Order::Request { method, to, expect } => self.request(method, &to, expect, wire),
            Order::Raw { to, bytes } => {
                let hop = Hop { transport: self.account.transport, remote: to, stream: None };
                self.transmit(hop, &bytes, wire);
            }
            Order::Send { method, to, headers, body } => {
                self.request_with(&method, &to, headers, body, Expect::Anything, wire);
            }
            Order::Respond { call_id, code, headers, body } => {
                self.respond_by_hand(&call_id, code, &headers, &body, wire);
            }
            Order::Cancel { call_id } => self.cancel(&call_id, wire),
            Order::HangUp { call_id } => {
                for key in self.dialogs_of(&call_id) {
                    self.hang_up(&key, wire);
                }
            }
            Order::InDialog { call_id, method, headers, body } => {
                for key in self.dialogs_of(&call_id) {
                    self.in_dialog_with(&key, &method, headers.clone(), body.clone(), wire);
                }
            }
            Order::Disconnect => {
                if let Some(link) = self.links.get(&self.account.proxy) {
                    wire.reset(link.stream);
                }
            }
            Order::Behave(manner) => self.manner = manner,
        }
    }

    fn alarm(&mut self, after: Duration, alarm: Alarm, wire: &mut Wire) -> u64 {
        let token = self.next_alarm;
        self.next_alarm += 1;
        self.alarms.insert(token, alarm);
        wire.timer(self.host, after, token);
        token
    }

    pub(crate) fn on_timer(&mut self, token: u64, wire: &mut Wire) {
        match self.alarms.remove(&token) {
            Some(Alarm::Resend(key)) => self.resend(&key, wire),
            Some(Alarm::ClientEnd(key)) => self.client_ends(&key, wire),
            Some(Alarm::Again(key)) => self.answer_again(&key, wire),
            Some(Alarm::ServerEnd(key)) => self.server_ends(&key, wire),
            Some(Alarm::Ring(key)) => self.ring(&key, wire),
            Some(Alarm::Final(key)) => self.decide(&key, wire),
            Some(Alarm::LateAnswer(key)) => self.pick_up(&key, wire),
            Some(Alarm::SlowAnswer(key)) => self.answer_slowly(&key, wire),
            Some(Alarm::Cancel(call_id)) => self.cancel(&call_id, wire),
            Some(Alarm::Next(key)) => self.next_in_call(&key, wire),
            Some(Alarm::HangUp(key)) => self.hang_up(&key, wire),
            Some(Alarm::Reregister(expires)) if self.registered.is_some() => {
                self.register(expires, Expect::Anything, wire);
            }
            Some(Alarm::Reregister(_)) => {}
            None => {}
        }
    }

    // ---- the wire -----------------------------------------------------------------------------------------------

    pub(crate) fn on_datagram(&mut self, from: SocketAddr, bytes: &Octets, wire: &mut Wire) {
        self.on_message(Hop { transport: Transport::Udp, remote: from, stream: None }, bytes, wire);
    }

    pub(crate) fn on_stream(&mut self, stream: StreamId, event: StreamEvent, wire: &mut Wire) {
        let known = self.links.iter().find(|(_, l)| l.stream == stream).map(|(a, _)| *a);
        match (event, known) {
            (StreamEvent::Accepted { remote, .. }, _) => {
                let framer = StreamFramer::new(Limits::default());
                self.links.insert(remote, Link { stream, framer, open: true, waiting: Vec::new() });
            }
            (StreamEvent::Opened, Some(remote)) => {
                let Some(link) = self.links.get_mut(&remote) else { return };
                link.open = true;
                for bytes in std::mem::take(&mut link.waiting) {
                    wire.write(stream, self.host, &bytes);
                }
            }
            (StreamEvent::Closed, Some(remote)) => {
                let link = self.links.remove(&remote);
                for bytes in link.into_iter().flat_map(|l| l.waiting) {
                    Reading::of(&bytes).into_iter().for_each(|r| wire.audit.excuse(r.call_id()));
                }
                self.lost_link(remote, wire);
            }
            (StreamEvent::Data(bytes), Some(remote)) => {
                let Some(link) = self.links.get_mut(&remote) else { return };
                link.framer.feed(&bytes);
                loop {
                    let Some(link) = self.links.get_mut(&remote) else { return };
                    match link.framer.next() {
                        Some(Frame::Message(message)) => {
                            let hop = Hop { transport: Transport::Tcp, remote, stream: Some(stream) };
                            self.on_message(hop, &Octets::from(message.bytes()), wire);
                        }
                        Some(Frame::Ping | Frame::Pong) => {}
                        Some(Frame::Refused(refused) | Frame::Fatal(refused)) => {
                            let what = format!("{} was sent {:?}", self.account.user, refused.fault);
                            wire.audit.fail(wire.now, "readable", what);
                            return;
                        }
                        None => return,
                    }
                }
            }
            _ => {}
        }
    }

    /// Sends octets; over TCP on the connection they belong to, or a new one.
    fn transmit(&mut self, hop: Hop, bytes: &Octets, wire: &mut Wire) {
        if hop.transport == Transport::Udp {
            return wire.datagram(self.account.public, hop.remote, bytes);
        }
        if let Some(stream) = hop.stream
            && wire.write(stream, self.host, bytes)
        {
            return;
        }
        // RFC 3261 18.2.2: a response whose connection is gone goes to where its Via says.
        let by_via = Reading::of(bytes).filter(|r| !r.is_request() && hop.stream.is_some());
        let remote = by_via.and_then(|r| socket(r.sent_by(0))).unwrap_or(hop.remote);
        let hop = Hop { remote, ..hop };
        if let Some(link) = self.links.get_mut(&hop.remote) {
            match link.open {
                true => {
                    wire.write(link.stream, self.host, bytes);
                }
                false => link.waiting.push(bytes.clone()),
            }
            return;
        }
        let local = SocketAddr::new(self.account.public.ip(), self.next_port);
        self.next_port = self.next_port.wrapping_add(1).max(40_000);
        wire.log.name(local, &self.account.user);
        let stream = wire.connect(self.host, local, hop.remote);
        let framer = StreamFramer::new(Limits::default());
        let link = Link { stream, framer, open: false, waiting: vec![bytes.clone()] };
        self.links.insert(hop.remote, link);
    }

    fn on_message(&mut self, hop: Hop, bytes: &Octets, wire: &mut Wire) {
        let reading = Reading::of(bytes).filter(Reading::is_complete);
        let Some(reading) = reading else {
            if !self.account.tolerant && bytes.iter().any(|b| !b"\r\n".contains(b)) {
                let text = String::from_utf8_lossy(bytes).into_owned();
                wire.audit.fail(
                    wire.now,
                    "readable",
                    format!("{} got no message: {text}", self.account.user),
                );
            }
            return;
        };
        self.inbox.push(bytes.clone());
        match reading.is_request() {
            true => self.on_request(hop, &reading, wire),
            false => self.on_response(&reading, wire),
        }
    }

    /// A fresh text for a branch, tag or Call-ID.
    fn fresh(&mut self, kind: &str) -> String {
        self.serial += 1;
        format!("{kind}{}{}", self.account.user, self.serial)
    }
}
