//! A network: nodes and phones on one wire, and the loop that moves its clock from event to event.

use crate::base::flow::Transport;
use crate::base::text::Octets;
use crate::base::time::{Duration, Instant};
use crate::sim::audit::Violation;
use crate::sim::ladder::ladder;
use crate::sim::node::{Blueprint, SimNode};
use crate::sim::order::{CallPlan, Expect, Manner, Order};
use crate::sim::phone::{Account, Outcome, Phone};
use crate::sim::plan::NodePlan;
use crate::sim::reading::Reading;
use crate::sim::seam::Seam;
use crate::sim::strangers::{Strangers, Way};
use crate::sim::wire::{Conditions, Event, HostId, Wire};
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};

enum Host {
    Node(Box<SimNode>),
    Phone(Box<Phone>),
    Strangers(Box<Strangers>),
}

/// No network needs this long to come to rest: the longest timer is a registration of two hours.
const LONGEST: Duration = Duration::from_secs(4 * 3600);

/// A simulated network. Hosts are named by the [`HostId`] that adding them returns.
pub struct Net {
    seed: u64,
    wire: Wire,
    hosts: Vec<Host>,
}

impl Net {
    /// An empty network in which everything that will ever happen follows from `seed`.
    pub fn seeded(seed: u64) -> Self {
        Net { seed, wire: Wire::seeded(seed), hosts: Vec::new() }
    }

    // ---- building -------------------------------------------------------------------------------------------------

    /// Adds a node.
    pub fn proxy(&mut self, plan: NodePlan) -> HostId {
        self.node_of(plan.blueprint())
    }

    /// Adds a node that is made in another way than a [`NodePlan`] makes it.
    pub fn node_of(&mut self, blueprint: Blueprint) -> HostId {
        let host = self.hosts.len();
        self.hosts.push(Host::Node(Box::new(SimNode::new(host, blueprint, &mut self.wire))));
        host
    }

    /// From now on there is somebody at every address that nobody bound: connections are accepted, and messages heard.
    pub fn populate(&mut self) {
        let host = self.hosts.len();
        self.hosts.push(Host::Strangers(Box::new(Strangers::new(host))));
        self.wire.strangers = Some(host);
    }

    /// Gives a node media engines: those that its client's settings name, made where there are none yet. A network whose
    /// client pings never comes to rest.
    pub fn media(&mut self, node: HostId, settings: crate::proto::media::Settings) {
        if let Some(Host::Node(node)) = self.hosts.get_mut(node) {
            node.set_media(settings, &mut self.wire);
        }
    }

    /// Adds a phone `user@example.com` on UDP whose outbound proxy is `proxy`, with the password `secret`.
    pub fn ua(&mut self, user: &str, proxy: HostId) -> HostId {
        let account = self.account(user, proxy, Transport::Udp);
        self.phone_with(account)
    }

    /// The account [`ua`](Self::ua) would use, over `transport`.
    pub fn account(&self, user: &str, proxy: HostId, transport: Transport) -> Account {
        let n = self.hosts.len() as u32;
        let address = SocketAddr::from((Ipv4Addr::from(0x0a01_0000 + n), 5060));
        Account {
            user: user.to_owned(),
            login: user.to_owned(),
            domain: "example.com".to_owned(),
            password: "secret".to_owned(),
            address,
            public: address,
            transport,
            proxy: self.address_of(proxy),
            old_ack: false,
            tolerant: false,
        }
    }

    /// Adds a phone.
    pub fn phone_with(&mut self, account: Account) -> HostId {
        let host = self.hosts.len();
        self.hosts.push(Host::Phone(Box::new(Phone::new(host, account, &mut self.wire))));
        host
    }

    /// Where a host listens.
    pub fn address_of(&self, host: HostId) -> SocketAddr {
        match &self.hosts[host] {
            Host::Node(node) => node.address(),
            Host::Phone(phone) => phone.account.public,
            Host::Strangers(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        }
    }

    /// From now on the wire does this.
    pub fn conditions(&mut self, conditions: Conditions) {
        self.wire.conditions = conditions;
    }

    /// The world between the hosts: DNS, store, log, auditor, chance.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// Plants `seam` between the driver and the shards of a node.
    pub fn plant(&mut self, node: HostId, seam: Box<dyn Seam>) {
        if let Host::Node(node) = &mut self.hosts[node] {
            node.plant(seam);
        }
    }

    // ---- telling hosts what to do -----------------------------------------------------------------------------------

    /// Tells a phone to do something, `after` this long.
    pub fn order(&mut self, phone: HostId, after: Duration, order: Order) {
        self.wire.schedule(self.wire.now + after, Event::Order { host: phone, order });
    }

    /// Tells a phone to do something now: when this returns it has done it.
    pub fn tell(&mut self, phone: HostId, order: Order) {
        if let Some(Host::Phone(phone)) = self.hosts.get_mut(phone) {
            phone.on_order(order, &mut self.wire);
        }
    }

    /// Sends octets as they are, from an address that nobody bound. With `acknowledge`, the final responses to an INVITE
    /// get their ACK. The network must be [populated](Self::populate).
    pub fn send_as(&mut self, way: Way, bytes: &Octets, acknowledge: bool) {
        let strangers = self.wire.strangers.and_then(|host| self.hosts.get_mut(host));
        if let Some(Host::Strangers(strangers)) = strangers {
            strangers.send(way, bytes, acknowledge, &mut self.wire);
        }
    }

    /// Breaks the connections of an address that nobody bound.
    pub fn disconnect_as(&mut self, from: SocketAddr) {
        let strangers = self.wire.strangers.and_then(|host| self.hosts.get_mut(host));
        if let Some(Host::Strangers(strangers)) = strangers {
            strangers.disconnect(from, &mut self.wire);
        }
    }

    /// A node dies, or is built anew, now.
    pub fn power(&mut self, node: HostId, on: bool) {
        if let Some(Host::Node(node)) = self.hosts.get_mut(node) {
            node.power(on, &mut self.wire);
        }
    }

    /// Registers a phone now.
    pub fn register(&mut self, phone: HostId, expires: u32) {
        self.order(phone, Duration::ZERO, Order::Register { expires, expect: Expect::OneOf(vec![200]) });
    }

    /// `caller` calls `to` now, and hangs up so long after the answer.
    pub fn call(&mut self, caller: HostId, to: &str, hang_up_after: Duration) {
        let plan = CallPlan { to: to.to_owned(), hang_up_after: Some(hang_up_after), ..CallPlan::default() };
        self.order(caller, Duration::ZERO, Order::Call(plan));
    }

    /// A phone behaves like this from now on.
    pub fn behave(&mut self, phone: HostId, manner: Manner) {
        self.order(phone, Duration::ZERO, Order::Behave(manner));
    }

    /// Sends text from a phone as it is; bare line feeds become CRLF.
    pub fn send(&mut self, phone: HostId, to: HostId, text: &str) {
        if let Host::Phone(phone) = &mut self.hosts[phone] {
            phone.account.tolerant = true;
        }
        let bytes = Octets::from(text.trim_start().replace("\r\n", "\n").replace('\n', "\r\n").into_bytes());
        let to = self.address_of(to);
        self.order(phone, Duration::ZERO, Order::Raw { to, bytes });
    }

    /// A node dies and loses its memory; `down` later it is built anew from the store.
    pub fn kill(&mut self, node: HostId, after: Duration, down: Duration) {
        let at = self.wire.now + after;
        self.wire.schedule(at, Event::Power { host: node, on: false });
        self.wire.schedule(at + down, Event::Power { host: node, on: true });
    }

    // ---- time -----------------------------------------------------------------------------------------------------

    /// The virtual time.
    pub fn now(&self) -> Instant {
        self.wire.now
    }

    /// Lets so much time pass.
    pub fn advance(&mut self, by: Duration) {
        let until = self.wire.now + by;
        self.attend();
        while let Some(event) = self.wire.next_event(until) {
            self.dispatch(event);
        }
        self.wire.set_now(until);
    }

    /// Lets time pass until no message is under way and no question to policy, DNS or store is open, `limit` at most.
    /// Timers that only wait for their time are left waiting.
    pub fn settle(&mut self, limit: Duration) {
        let open = |net: &Net| net.wire.is_busy() || net.shards().any(|s| s.open_tickets() > 0);
        self.run_while(limit, open);
    }

    /// Lets time pass until every transaction of nodes and phones has ended, `limit` at most. Periodic timers go on.
    pub fn run_until_idle(&mut self, limit: Duration) {
        let open = |net: &Net| {
            let held = net.shards().any(|s| s.open_tickets() > 0 || s.transactions() != (0, 0));
            held || net.wire.is_busy() || !net.phones().all(Phone::is_idle)
        };
        self.run_while(limit, open);
    }

    fn run_while(&mut self, limit: Duration, open: impl Fn(&Net) -> bool) {
        let until = self.wire.now + limit;
        self.attend();
        while open(self)
            && let Some(event) = self.wire.next_event(until)
        {
            self.dispatch(event);
        }
    }

    /// Nodes may want to be called for what was done to them from outside.
    fn attend(&mut self) {
        for host in &mut self.hosts {
            if let Host::Node(node) = host {
                node.attend(&mut self.wire);
            }
        }
    }

    fn shards(&self) -> impl Iterator<Item = &crate::engine::Shard> {
        self.nodes().flat_map(SimNode::shards)
    }

    /// Lets time pass until nothing is going to happen any more. Whatever still ticks after four hours is a fault.
    pub fn run_to_rest(&mut self) {
        let until = self.wire.now + LONGEST;
        while let Some(event) = self.wire.next_event(until) {
            self.dispatch(event);
        }
        if self.wire.next_at().is_some() {
            self.wire.audit.fail(self.wire.now, "rest", "the network never comes to rest".to_owned());
        }
    }

    fn dispatch(&mut self, event: Event) {
        let wire = &mut self.wire;
        let host = match &event {
            Event::Datagram { to, .. } | Event::Stream { to, .. } => *to,
            Event::Timer { host, .. }
            | Event::Order { host, .. }
            | Event::Wake { host, .. }
            | Event::Input { host, .. }
            | Event::Write { host, .. }
            | Event::Media { host, .. }
            | Event::Power { host, .. } => *host,
        };
        match (self.hosts.get_mut(host), event) {
            (Some(Host::Node(node)), Event::Datagram { local, from, bytes, .. }) => {
                node.on_datagram(local, from, &bytes, wire);
            }
            (Some(Host::Node(node)), Event::Stream { stream, event, .. }) => {
                node.on_stream(stream, event, wire)
            }
            (Some(Host::Node(node)), Event::Wake { shard, .. }) => node.on_wake(shard, wire),
            (Some(Host::Node(node)), Event::Input { shard, life, input, .. }) => {
                node.on_input(shard, life, input, wire);
            }
            (_, Event::Write { commit, .. }) => {
                wire.store.keep(&commit);
                wire.audit.store_kept(&commit.key, commit.version);
            }
            (Some(Host::Node(node)), Event::Media { life, event, .. }) => node.on_media(life, event, wire),
            (Some(Host::Node(node)), Event::Power { on, .. }) => node.power(on, wire),
            (Some(Host::Phone(phone)), Event::Datagram { from, bytes, .. }) => {
                phone.on_datagram(from, &bytes, wire)
            }
            (Some(Host::Phone(phone)), Event::Stream { stream, event, .. }) => {
                phone.on_stream(stream, event, wire)
            }
            (Some(Host::Strangers(strangers)), Event::Datagram { local, from, bytes, .. }) => {
                strangers.on_datagram(local, from, &bytes, wire)
            }
            (Some(Host::Strangers(strangers)), Event::Stream { stream, event, .. }) => {
                strangers.on_stream(stream, event, wire)
            }
            (Some(Host::Phone(phone)), Event::Timer { token, .. }) => phone.on_timer(token, wire),
            (Some(Host::Phone(phone)), Event::Order { order, .. }) => phone.on_order(order, wire),
            _ => {}
        }
    }

    // ---- looking --------------------------------------------------------------------------------------------------

    /// A phone.
    ///
    /// # Panics
    /// When `host` is no phone.
    pub fn phone(&self, host: HostId) -> &Phone {
        match &self.hosts[host] {
            Host::Phone(phone) => phone,
            _ => panic!("host {host} is no phone"),
        }
    }

    /// A node.
    ///
    /// # Panics
    /// When `host` is no node.
    pub fn node(&self, host: HostId) -> &SimNode {
        match &self.hosts[host] {
            Host::Node(node) => node,
            _ => panic!("host {host} is no node"),
        }
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = &SimNode> {
        self.hosts.iter().filter_map(|h| match h {
            Host::Node(node) => Some(&**node),
            _ => None,
        })
    }

    /// All phones.
    pub fn phones(&self) -> impl Iterator<Item = &Phone> {
        self.hosts.iter().filter_map(|h| match h {
            Host::Phone(phone) => Some(&**phone),
            _ => None,
        })
    }

    /// The final statuses of a phone's requests, in the order they came.
    pub fn statuses(&self, phone: HostId) -> Vec<u16> {
        self.outcomes(phone).iter().map(|o| o.status).collect()
    }

    /// How a phone's requests ended.
    pub fn outcomes(&self, phone: HostId) -> &[Outcome] {
        self.phone(phone).outcomes()
    }

    /// The first lines of everything a phone received.
    pub fn received(&self, phone: HostId) -> Vec<String> {
        let line = |bytes: &Octets| Reading::of(bytes).map(|r| r.start().to_owned()).unwrap_or_default();
        self.phone(phone).inbox().iter().map(line).collect()
    }

    /// A hash over everything that was put on the wire, with its times.
    pub fn hash(&self) -> u64 {
        self.wire.log.hash()
    }

    /// The message ladder of one call; of everything for an empty Call-ID.
    pub fn ladder(&self, call_id: &str) -> String {
        let only = [call_id];
        ladder(&self.wire.log, if call_id.is_empty() { &[] } else { &only })
    }

    // ---- judging --------------------------------------------------------------------------------------------------

    /// Judges a network that has come to rest. The error lists what was violated, with the ladder of the first call
    /// concerned, and the seed that repeats it.
    pub fn check(&mut self) -> Result<(), String> {
        let now = self.wire.now;
        self.wire.audit.finish(now);
        let mut faults = Vec::new();
        for node in self.nodes() {
            for (index, shard) in node.shards().enumerate() {
                let (servers, clients) = shard.transactions();
                if servers + clients > 0 {
                    faults.push(("transactions end", format!("shard {index} holds {servers} + {clients}")));
                }
                if shard.open_tickets() > 0 || !shard.is_quiet() {
                    faults.push(("tickets end", format!("shard {index} holds {}", shard.open_tickets())));
                }
                if let Some(at) = shard.deadline() {
                    faults.push(("timers end", format!("shard {index} wants {:?} at {now:?}", at)));
                }
            }
        }
        for (engine, session) in self.wire.media.sessions() {
            faults.push(("media sessions end", format!("{engine} still has {}", session.call_id)));
        }
        for (rule, what) in faults {
            self.wire.audit.fail(now, rule, what);
        }
        match self.wire.audit.violations() {
            [] => Ok(()),
            violations => Err(self.report(violations)),
        }
    }

    fn report(&self, violations: &[Violation]) -> String {
        let mut text = format!("seed {}: {} violations\n", self.seed, violations.len());
        for v in violations.iter().take(12) {
            let _ = writeln!(
                text,
                "  {:>10.4} {}: {}",
                v.at.since(crate::sim::START).as_secs_f64(),
                v.rule,
                v.what
            );
        }
        let first = violations.first().map(|v| v.what.as_str()).unwrap_or_default();
        let call_id = first
            .split([' ', ':'])
            .find(|w| w.starts_with("call-") || w.starts_with("alone-") || w.starts_with("reg-"));
        if let Some(call_id) = call_id {
            text.push_str(&self.ladder(call_id));
        }
        text
    }
}
