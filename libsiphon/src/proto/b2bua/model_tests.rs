//! The call machine against every order of events: two peers that do what RFC 3261 allows them, one message lost, one
//! that comes twice, any that overtakes another, and each timer at each point.
//!
//! A state is the call and both peers with what is under way, without times and texts. Every state that can be reached
//! is reached once; then each must be able to come to the end, where the call is over and neither peer waits for
//! anything. Transactions are taken as what they are to their users: a request is answered once or fails.

use super::call::{Asking, Call};
use super::leg::{Invite, LegId, LegState};
use super::port::{Answer, ClientRef, Env, Input, Outgoing, Output, ServerRef, Settings};
use crate::base::flow::{Flow, Transport};
use crate::base::rng::Rng;
use crate::base::text::Text;
use crate::base::time::Instant;
use crate::policy::call::Dial;
use crate::policy::{CallAction, Interest, Target};
use crate::wire::sip::{Limits, Message, RequestBuilder, ResponseBuilder};
use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

/// What a peer is doing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Peer {
    /// The caller has sent INVITE, the callee has got one.
    invited: bool,
    /// Final response to the INVITE: sent by the callee, got by the caller.
    finally: u16,
    /// The tag that answered.
    tag: u8,
    cancelled: bool,
    acked: bool,
    /// A BYE of its own is under way or answered.
    said_bye: bool,
    got_bye: bool,
    /// Its own re-INVITE or UPDATE: 0 none, 1 under way, 2 answered and to be acknowledged, 3 over.
    change: u8,
    /// Somebody else's re-INVITE was answered 2xx and waits for its ACK.
    owes_ack: bool,
    cseq: u8,
}

/// On its way to or from a peer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Wire {
    /// A request of the call to a peer.
    Request {
        client: u32,
        leg: u16,
        method: &'static str,
    },
    Ack {
        leg: u16,
    },
    Cancel {
        client: u32,
        leg: u16,
    },
    /// A response of the call to the caller's INVITE, or to a peer's request.
    Response {
        to: Role,
        what: Asked,
        code: u16,
    },
    /// A peer's response.
    Answer {
        client: u32,
        leg: u16,
        method: &'static str,
        code: u16,
        tag: u8,
    },
    /// A peer's request.
    Asked {
        from: Role,
        leg: u16,
        what: Asked,
    },
    PeerAck {
        from: Role,
    },
    PeerCancel,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
enum Role {
    Caller,
    Callee(u16),
}

/// A request of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Asked {
    Invite,
    Change,
    Update,
    Bye,
}

/// What happens in the middle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scenario {
    /// Set-up and tear-down only.
    Plain,
    /// Two targets at once.
    Fork,
    /// One target whose INVITE is forked behind it: two early dialogs.
    EarlyForks,
    /// A re-INVITE from either side, or both.
    Reinvite,
    /// The same with UPDATE.
    Update,
}

#[derive(Clone)]
struct World {
    call: Call,
    rng: Rng,
    now: Instant,
    caller: Peer,
    callees: Vec<(u16, Peer)>,
    wire: Vec<Wire>,
    losses: u8,
    copies: u8,
    ended: bool,
    /// Server transactions of peers' requests that have no response.
    servers: Vec<(u64, Role, Asked)>,
    next_server: u64,
    /// Clients of the call: number, leg, method.
    clients: Vec<(u32, u16, &'static str)>,
}

const INVITE: u64 = 1;

fn flow() -> Flow {
    let at = |text: &str| text.parse().expect("an address");
    Flow {
        transport: Transport::Udp,
        local: at("192.0.2.1:5060"),
        remote: at("192.0.2.10:5060"),
        connection: None,
    }
}

fn caller_invite() -> Message {
    RequestBuilder::new("INVITE", "sip:bob@example.com")
        .via("SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1")
        .from("<sip:alice@example.com>;tag=a1")
        .to("<sip:bob@example.com>")
        .call_id("c1")
        .contact("<sip:alice@192.0.2.10>")
        .body("application/sdp", &b"v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 4 RTP/AVP 0\r\n"[..])
        .into_message(&Limits::default())
        .expect("an INVITE")
}

fn settings() -> Settings {
    Settings { reliable: false, max_early: 4, ..Settings::default() }
}

impl World {
    fn new(scenario: Scenario, losses: u8, copies: u8) -> World {
        let settings = settings();
        let mut out = Vec::new();
        let server = ServerRef(INVITE);
        let id: Text = "0000000000a1".into();
        let call = Call::new(id.clone(), id, server, caller_invite(), flow(), &settings, &mut out);
        let mut world = World {
            call,
            rng: Rng::seeded(7),
            now: Instant::from_unix_secs(1_000),
            caller: Peer { invited: true, cseq: 1, ..Peer::default() },
            callees: Vec::new(),
            wire: Vec::new(),
            losses,
            copies,
            ended: false,
            servers: vec![(INVITE, Role::Caller, Asked::Invite)],
            next_server: 2,
            clients: Vec::new(),
        };
        world.take(out);
        let targets = match scenario {
            Scenario::Fork => vec![Target::uri("sip:bob@192.0.2.20"), Target::uri("sip:bob@192.0.2.21")],
            _ => vec![Target::uri("sip:bob@192.0.2.20")],
        };
        world.feed(Input::Decided {
            actions: vec![CallAction::Dial(Box::new(Dial::of(targets)))],
            message: None,
            dropped: false,
            interest: Some(Interest::default()),
            finished: true,
        });
        world
    }

    /// A call that is over is forgotten: what comes for it meets nobody.
    fn feed(&mut self, input: Input) {
        if self.ended {
            return;
        }
        let settings = settings();
        let mut out = Vec::new();
        let legs = self.call.legs.len();
        let call_id = move |_: &mut Rng| Text::from(format!("b{legs}"));
        let mut env =
            Env { now: self.now, rng: &mut self.rng, settings: &settings, call_id: &call_id, out: &mut out };
        self.call.handle(input, &mut env);
        self.take(out);
    }

    fn take(&mut self, out: Vec<Output>) {
        for output in out {
            assert!(!self.ended, "after its end the call says {output:?}");
            match output {
                Output::Send { client, leg, request } => {
                    let method = known(&request.method);
                    self.clients.push((client.0, leg.0, method));
                    self.wire.push(Wire::Request { client: client.0, leg: leg.0, method });
                }
                Output::Ack { leg, request } => {
                    let leg = self.peer_leg(leg, &request);
                    self.once(Wire::Ack { leg });
                }
                Output::Cancel { client } => {
                    if let Some((_, leg, _)) = self.clients.iter().find(|(c, ..)| *c == client.0) {
                        self.wire.push(Wire::Cancel { client: client.0, leg: *leg });
                    }
                }
                Output::Respond { server, answer } => self.responded(server, &answer),
                Output::Resend { .. } => {
                    self.once(Wire::Response { to: Role::Caller, what: Asked::Invite, code: 200 });
                }
                Output::Ask { .. } | Output::Notify { .. } => panic!("nobody wants to be asked"),
                Output::Media { .. } | Output::ReleaseMedia => panic!("nothing is anchored"),
                Output::HandOver { .. } | Output::Returned { .. } => panic!("nobody transfers"),
                Output::Ended => self.ended = true,
                Output::Settled { .. } | Output::Found { .. } | Output::Lost { .. } => {}
            }
        }
    }

    /// What is sent again while it is under way still is under way once.
    fn once(&mut self, item: Wire) {
        if !self.wire.contains(&item) {
            self.wire.push(item);
        }
    }

    /// The leg at the far end: an answer nobody wanted is hung up on a leg of its own, at the same peer.
    fn peer_leg(&self, leg: LegId, request: &Outgoing) -> u16 {
        let same = self.call.legs.iter().find(|l| l.call_id == request.call_id && l.is_sent());
        same.map_or(leg.0, |l| l.id.0)
    }

    fn responded(&mut self, server: ServerRef, answer: &Answer) {
        let Some(at) = self.servers.iter().position(|(s, ..)| *s == server.0) else {
            panic!("a second final response, {}", answer.code);
        };
        let (_, to, what) = self.servers[at];
        if answer.code >= 200 {
            self.servers.remove(at);
        }
        self.wire.push(Wire::Response { to, what, code: answer.code });
    }

    fn callee(&mut self, leg: u16) -> &mut Peer {
        let at = self.callees.iter().position(|(l, _)| *l == leg).unwrap_or_else(|| {
            self.callees.push((leg, Peer::default()));
            self.callees.len() - 1
        });
        &mut self.callees[at].1
    }

    fn peer(&mut self, role: Role) -> &mut Peer {
        match role {
            Role::Caller => &mut self.caller,
            Role::Callee(leg) => self.callee(leg),
        }
    }

    /// A response of a peer as a message.
    fn answer_of(&mut self, client: u32, leg: u16, method: &str, code: u16, tag: u8) -> Option<Message> {
        let call_id = self.call.legs.iter().find(|l| l.id.0 == leg)?.call_id.clone();
        let request = RequestBuilder::new(method.to_owned(), "sip:bob@192.0.2.20")
            .via("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
            .from("<sip:alice@x>;tag=x")
            .to("<sip:bob@x>")
            .call_id(&call_id)
            .cseq(self.cseq_of(client, leg))
            .into_message(&Limits::default())
            .ok()?;
        let response = ResponseBuilder::to(&request, code).to_tag(format!("b{tag}"));
        response.contact("<sip:bob@192.0.2.20>").into_message(&Limits::default()).ok()
    }

    fn cseq_of(&self, client: u32, leg: u16) -> u32 {
        let exchange = self.call.exchanges.iter().find(|e| e.client == Some(ClientRef(client)));
        let leg = self.call.legs.iter().find(|l| l.id.0 == leg);
        let invite = leg.and_then(|l| match &l.invite {
            Invite::Sent(sent) => Some(sent.sent.cseq),
            Invite::Received { .. } => None,
        });
        exchange.map(|e| e.sent_cseq).or(invite).unwrap_or(1)
    }

    /// A request of a peer as a message.
    fn request_of(&mut self, from: Role, what: Asked) -> Option<(LegId, Message)> {
        let leg = match from {
            Role::Caller => LegId::CALLER,
            Role::Callee(leg) => LegId(leg),
        };
        let peer = self.peer(from);
        peer.cseq += 1;
        let cseq = u32::from(peer.cseq) + 10;
        let dialog = self.call.legs.iter().find(|l| l.id == leg)?.dialogs.first()?.dialog.clone();
        let method = match what {
            Asked::Invite | Asked::Change => "INVITE",
            Asked::Update => "UPDATE",
            Asked::Bye => "BYE",
        };
        let message = RequestBuilder::new(method, "sip:siphon@192.0.2.1")
            .via("SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK9")
            .from(&dialog.to())
            .to(&dialog.from())
            .call_id(&dialog.call_id)
            .cseq(cseq)
            .contact("<sip:x@192.0.2.10>")
            .into_message(&Limits::default())
            .ok()?;
        Some((leg, message))
    }

    /// Everything that can happen next.
    fn next(&self, scenario: Scenario) -> Vec<World> {
        let mut all = Vec::new();
        for at in 0..self.wire.len() {
            if self.wire[..at].contains(&self.wire[at]) {
                continue;
            }
            let mut one = self.clone();
            let item = one.wire.remove(at);
            one.deliver(item.clone(), scenario, &mut all);
            if self.losses > 0 && can_be_lost(&item) {
                let mut lost = self.clone();
                lost.wire.remove(at);
                lost.losses -= 1;
                lost.lose(item.clone());
                all.push(lost);
            }
            if self.copies > 0 && can_come_twice(&item) {
                let mut twice = self.clone();
                twice.copies -= 1;
                twice.wire.push(item);
                all.push(twice);
            }
        }
        self.acts_of_peers(scenario, &mut all);
        for (client, leg, method) in &self.clients {
            let leaves = self.call.legs.iter().any(|l| l.id.0 == *leg && l.state == LegState::Leaving);
            let answered = self.callees.iter().any(|(l, p)| l == leg && p.finally != 0);
            let under_way = self.wire.iter().any(|w| match w {
                Wire::Request { client: c, .. }
                | Wire::Answer { client: c, .. }
                | Wire::Cancel { client: c, .. } => c == client,
                _ => false,
            });
            if *method == "INVITE" && leaves && answered && !under_way {
                let mut world = self.clone();
                world.clients.retain(|(c, ..)| c != client);
                world.feed(Input::Forgotten { client: ClientRef(*client) });
                all.push(world);
            }
        }
        if let Some(at) = self.call.deadline() {
            let mut tick = self.clone();
            tick.now = tick.now.max(at);
            tick.feed(Input::Tick);
            all.push(tick);
        }
        all
    }

    /// What peers do of themselves.
    fn acts_of_peers(&self, scenario: Scenario, all: &mut Vec<World>) {
        let caller = &self.caller;
        if caller.finally == 0 && !caller.cancelled {
            let mut world = self.clone();
            world.caller.cancelled = true;
            world.wire.push(Wire::PeerCancel);
            all.push(world);
        }
        let mut roles = vec![Role::Caller];
        roles.extend(self.callees.iter().map(|(leg, _)| Role::Callee(*leg)));
        for role in roles {
            let mut world = self.clone();
            let peer = *world.peer(role);
            let up = peer.finally == 200 && peer.acked && !peer.said_bye && !peer.got_bye;
            if !up {
                continue;
            }
            let leg = match role {
                Role::Caller => 0,
                Role::Callee(leg) => leg,
            };
            world.peer(role).said_bye = true;
            world.wire.push(Wire::Asked { from: role, leg, what: Asked::Bye });
            all.push(world);
            let what = match scenario {
                Scenario::Reinvite => Asked::Change,
                Scenario::Update => Asked::Update,
                _ => continue,
            };
            if peer.change == 0 && !peer.owes_ack {
                let mut world = self.clone();
                world.peer(role).change = 1;
                world.wire.push(Wire::Asked { from: role, leg, what });
                all.push(world);
            }
        }
    }

    /// A request that is lost for good fails; what is sent again until it is answered comes later.
    fn lose(&mut self, item: Wire) {
        match item {
            Wire::Request { client, .. } => {
                self.feed(Input::Failed { client: ClientRef(client), status: 408 })
            }
            // The peer did what it was asked; nobody hears of it.
            Wire::Answer { client, code, .. } if code >= 200 => {
                self.feed(Input::Failed { client: ClientRef(client), status: 408 });
            }
            _ => {}
        }
    }

    fn deliver(mut self, item: Wire, scenario: Scenario, all: &mut Vec<World>) {
        match item {
            Wire::Request { client, leg, method: "INVITE" } => self.invited(client, leg, scenario, all),
            Wire::Request { client, leg, method } => {
                let role = if leg == 0 { Role::Caller } else { Role::Callee(self.peer_of(leg)) };
                let peer = self.peer(role);
                if method == "BYE" {
                    peer.got_bye = true;
                }
                let code = if method == "UPDATE" && peer.change == 1 { 491 } else { 200 };
                self.wire.push(Wire::Answer { client, leg, method, code, tag: 1 });
                all.push(self);
            }
            Wire::Ack { leg } => {
                let peer = if leg == 0 { &mut self.caller } else { self.callee(leg) };
                peer.acked |= leg != 0;
                peer.owes_ack = false;
                all.push(self);
            }
            Wire::Cancel { client, leg } => {
                let peer = *self.callee(leg);
                if peer.invited && peer.finally == 0 {
                    let peer = self.callee(leg);
                    peer.finally = 487;
                    self.wire.push(Wire::Answer { client, leg, method: "INVITE", code: 487, tag: 1 });
                } else if !peer.invited
                    && self.wire.contains(&Wire::Request { client, leg, method: "INVITE" })
                {
                    // It overtook its INVITE, which the transaction layer does not let happen (RFC 3261 9.1).
                    return;
                }
                all.push(self);
            }
            Wire::Response { to, what, code } => {
                self.response_at_peer(to, what, code);
                all.push(self);
            }
            Wire::Answer { client, leg, method, code, tag } => {
                if let Some(response) = self.answer_of(client, leg, method, code, tag) {
                    self.feed(Input::Response { client: ClientRef(client), response, flow: flow() });
                }
                all.push(self);
            }
            Wire::Asked { from, what, .. } => {
                let server = self.next_server;
                match self.request_of(from, what).filter(|_| !self.ended) {
                    Some((leg, request)) => {
                        self.next_server += 1;
                        self.servers.push((server, from, what));
                        let server = ServerRef(server);
                        self.feed(Input::Request { leg, server, request, flow: flow() });
                    }
                    // The dialog is gone: the shard answers 481 without the call.
                    None => self.wire.push(Wire::Response { to: from, what, code: 481 }),
                }
                all.push(self);
            }
            Wire::PeerAck { from } => {
                let (leg, cseq) = match from {
                    Role::Caller => (LegId::CALLER, None),
                    Role::Callee(leg) => (LegId(leg), None::<u32>),
                };
                let unacked = self.call.legs.iter().find(|l| l.id == leg).and_then(|l| l.unacked.as_ref());
                let cseq = cseq.or(unacked.map(|u| u.cseq)).unwrap_or(1);
                let request = RequestBuilder::new("ACK", "sip:siphon@192.0.2.1")
                    .via("SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK8")
                    .from("<sip:a@x>;tag=a1")
                    .to("<sip:b@x>;tag=t")
                    .call_id("c1")
                    .cseq(cseq)
                    .into_message(&Limits::default())
                    .expect("an ACK");
                self.feed(Input::Ack { leg, request });
                all.push(self);
            }
            Wire::PeerCancel => {
                if self.servers.iter().any(|(s, ..)| *s == INVITE) {
                    self.feed(Input::Cancel { server: ServerRef(INVITE) });
                }
                all.push(self);
            }
        }
    }

    /// The leg whose peer a stray leg shares.
    fn peer_of(&self, leg: u16) -> u16 {
        let call_id = self.call.legs.iter().find(|l| l.id.0 == leg).map(|l| l.call_id.clone());
        let first = self.call.legs.iter().find(|l| Some(&l.call_id) == call_id.as_ref() && l.is_sent());
        first.map_or(leg, |l| l.id.0)
    }

    /// A callee got an INVITE: it may ring, answer or refuse.
    fn invited(self, client: u32, leg: u16, scenario: Scenario, all: &mut Vec<World>) {
        let role = if leg == 0 { Role::Caller } else { Role::Callee(leg) };
        let known = *self.clone().peer(role);
        let is_first = leg != 0 && !known.invited;
        let answer = |code: u16, tag: u8| {
            let mut world = self.clone();
            if code >= 200 {
                let peer = world.peer(role);
                if is_first {
                    peer.finally = code;
                    peer.tag = tag;
                    peer.invited = true;
                } else if code == 200 {
                    peer.owes_ack = true;
                }
            } else {
                world.peer(role).invited = true;
                // It goes on: the INVITE is answered later, whatever comes between.
                world.wire.push(Wire::Request { client, leg, method: "INVITE" });
            }
            world.wire.push(Wire::Answer { client, leg, method: "INVITE", code, tag });
            world
        };
        if leg != 0 && known.finally != 0 && known.finally != 200 {
            // It was cancelled or refused meanwhile.
            all.push(self.clone());
            return;
        }
        if leg == 0 || known.finally == 200 {
            // A re-INVITE.
            let code = if known.change == 1 { 491 } else { 200 };
            if known.said_bye || known.got_bye {
                all.push(answer(481, 1));
            } else {
                all.push(answer(code, 1));
            }
            return;
        }
        // With two targets the ringing is left out: what it does is in the other scenarios, and the states are many.
        if !known.invited && scenario != Scenario::Fork {
            all.push(answer(180, 1));
            if scenario == Scenario::EarlyForks {
                let mut both = answer(180, 1);
                both.wire.push(Wire::Answer { client, leg, method: "INVITE", code: 183, tag: 2 });
                all.push(both);
            }
        }
        for code in [200, 486] {
            let mut world = self.clone();
            let peer = world.peer(role);
            (peer.invited, peer.finally, peer.tag) = (true, code, 1);
            world.wire.push(Wire::Answer { client, leg, method: "INVITE", code, tag: 1 });
            all.push(world.clone());
            if scenario == Scenario::EarlyForks && code == 200 {
                let mut both = world;
                both.wire.push(Wire::Answer { client, leg, method: "INVITE", code, tag: 2 });
                all.push(both);
            }
        }
    }

    fn response_at_peer(&mut self, to: Role, what: Asked, code: u16) {
        let peer = self.peer(to);
        match what {
            Asked::Invite if code >= 200 => {
                peer.finally = code;
                if code == 200 {
                    peer.acked = true;
                    self.once(Wire::PeerAck { from: to });
                }
            }
            Asked::Change if code >= 200 => {
                peer.change = 3;
                if code == 200 {
                    self.once(Wire::PeerAck { from: to });
                }
            }
            Asked::Update if code >= 200 => peer.change = 3,
            _ => {}
        }
    }

    /// The call is answered and acknowledged on both sides, without anything odd: how it can be otherwise is explored
    /// by the other scenarios.
    fn come_up(&mut self) {
        let Some(Wire::Request { client, leg, .. }) = self.wire.pop() else { panic!("no INVITE") };
        *self.callee(leg) = Peer { invited: true, finally: 200, tag: 1, ..Peer::default() };
        self.wire.push(Wire::Answer { client, leg, method: "INVITE", code: 200, tag: 1 });
        while let Some(item) = self.wire.first().cloned() {
            self.wire.remove(0);
            let mut next = Vec::new();
            self.clone().deliver(item, Scenario::Plain, &mut next);
            *self = next.remove(0);
        }
        assert!(self.call.is_answered() && self.caller.acked && self.callees[0].1.acked, "not up");
    }

    fn is_over(&self) -> bool {
        self.ended && self.wire.is_empty()
    }

    /// What must hold in every state.
    fn check(&self) {
        if !self.ended {
            return;
        }
        assert!(self.servers.is_empty(), "the call ended and owes {:?}", self.servers);
        assert!(self.call.exchanges.is_empty() && self.call.jobs.is_empty());
    }

    fn fingerprint(&self) -> u64 {
        let mut h = DefaultHasher::new();
        (self.caller, &self.callees, self.losses, self.copies, self.ended).hash(&mut h);
        let mut wire: Vec<String> = self.wire.iter().map(|w| format!("{w:?}")).collect();
        wire.sort();
        wire.hash(&mut h);
        let mut servers = self.servers.iter().map(|(_, r, w)| format!("{r:?}{w:?}")).collect::<Vec<_>>();
        servers.sort();
        servers.hash(&mut h);
        let call = &self.call;
        (call.phase, call.joined, call.run.is_some(), call.waiting.len(), call.jobs.len()).hash(&mut h);
        matches!(call.asking, Some(Asking::Failed)).hash(&mut h);
        call.best.as_ref().map(|b| b.code).hash(&mut h);
        for leg in &call.legs {
            (leg.id, leg.state, leg.dialogs.len()).hash(&mut h);
            for dialog in &leg.dialogs {
                (&dialog.dialog.remote_tag, dialog.is_confirmed, dialog.ack.as_ref().map(|a| a.0))
                    .hash(&mut h);
            }
            leg.unacked.as_ref().map(|u| (u.then_bye, u.owes.is_some())).hash(&mut h);
            match &leg.invite {
                Invite::Received { answered, .. } => answered.hash(&mut h),
                Invite::Sent(sent) => (sent.client.is_some(), sent.cancelled).hash(&mut h),
            }
        }
        for exchange in &call.exchanges {
            (exchange.from, exchange.to, exchange.method, exchange.is_answered).hash(&mut h);
        }
        h.finish()
    }
}

fn known(method: &str) -> &'static str {
    ["INVITE", "BYE", "UPDATE"].into_iter().find(|m| *m == method).expect("a method of the model")
}

/// A request that fails may only be one that a transaction carries.
fn can_be_lost(item: &Wire) -> bool {
    match item {
        Wire::Request { .. } => true,
        Wire::Answer { code, .. } => *code != 200,
        Wire::PeerAck { .. } | Wire::Ack { .. } => true,
        Wire::Response { what: Asked::Invite, code, .. } => *code == 200,
        _ => false,
    }
}

fn can_come_twice(item: &Wire) -> bool {
    match item {
        Wire::Answer { method, code, .. } => *method == "INVITE" && *code <= 200,
        Wire::PeerAck { .. } => true,
        _ => false,
    }
}

struct Explored {
    states: usize,
    ends: usize,
    stuck: Vec<String>,
}

fn explore(scenario: Scenario, losses: u8, copies: u8, most: usize) -> Explored {
    let mut start = World::new(scenario, losses, copies);
    if matches!(scenario, Scenario::Reinvite | Scenario::Update) {
        start.come_up();
    }
    let mut known: BTreeMap<u64, usize> = BTreeMap::from([(start.fingerprint(), 0)]);
    let mut back: Vec<Vec<u32>> = vec![Vec::new()];
    let mut ends: Vec<usize> = Vec::new();
    let mut shown: Vec<Option<String>> = vec![None];
    let mut queue = VecDeque::from([(0usize, start)]);
    while let Some((number, world)) = queue.pop_front() {
        world.check();
        if world.is_over() {
            ends.push(number);
            continue;
        }
        for next in world.next(scenario) {
            let print = next.fingerprint();
            let at = match known.get(&print) {
                Some(at) => *at,
                None => {
                    let at = back.len();
                    assert!(
                        at < most,
                        "{scenario:?} has more than {most} states, {} of them open, e.g. {:?}",
                        queue.len(),
                        next.wire
                    );
                    known.insert(print, at);
                    back.push(Vec::new());
                    shown.push(None);
                    queue.push_back((at, next));
                    at
                }
            };
            back[at].push(number as u32);
        }
        shown[number] =
            Some(format!("{:?} {:?} {:?} {:?}", world.call.phase, world.caller, world.callees, world.wire));
    }
    // Who can come to an end?
    let mut can = vec![false; back.len()];
    let mut stack: Vec<usize> = ends.clone();
    while let Some(at) = stack.pop() {
        if !std::mem::replace(&mut can[at], true) {
            stack.extend(back[at].iter().map(|n| *n as usize));
        }
    }
    let stuck =
        (0..back.len()).filter(|at| !can[*at]).take(5).map(|at| shown[at].clone().unwrap_or_default());
    Explored { states: back.len(), ends: ends.len(), stuck: stuck.collect() }
}

#[test]
fn every_order_of_events_comes_to_an_end() {
    let mut total = 0;
    for (scenario, losses, copies) in [
        (Scenario::Plain, 1, 1),
        (Scenario::Update, 1, 1),
        (Scenario::Reinvite, 1, 1),
        (Scenario::EarlyForks, 0, 0),
        (Scenario::Fork, 0, 0),
    ] {
        let explored = explore(scenario, losses, copies, 600_000);
        println!("{scenario:?}: {} states, {} ends", explored.states, explored.ends);
        assert!(
            explored.ends > 0 && explored.stuck.is_empty(),
            "{scenario:?} is stuck at {:#?}",
            explored.stuck
        );
        total += explored.states;
    }
    println!("{total} states in all");
    assert!(total > 100_000);
}
