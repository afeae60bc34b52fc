//! The driver of a simulated node: shards, mailboxes between them, connections, policy. What `driver` does with sockets
//! and threads is done here with the virtual wire and a virtual clock.

use crate::base::flow::{Flow, Transport};
use crate::base::rng::Rng;
use crate::base::text::Octets;
use crate::base::time::Instant;
use crate::engine::{Effects, Input, Mail, Node, Shard};
use crate::event::{Event as Told, Kind};
use crate::policy::{Policy, PolicyOutput};
use crate::proto::transaction::Cells;
use crate::sim::connections::{Connection, Connections};
use crate::sim::seam::Seam;
use crate::sim::wire::{Event, HostId, StreamEvent, StreamId, Wire};
use crate::wire::sip::{Frame, Message};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

mod effects;
mod media;

/// Makes what the shards of a node share; called at the start and whenever the node is built anew.
pub type MakeNode = Box<dyn FnMut(Instant, u32) -> Arc<Node>>;
/// Makes the policy of one shard.
pub type MakePolicy = Box<dyn FnMut(u8, &Arc<Node>) -> Box<dyn Policy>>;

/// How to make a node.
pub struct Blueprint {
    /// Its name in ladders.
    pub name: String,
    /// Where it listens for datagrams and connections; what it is known by in the log and to the auditor.
    pub address: SocketAddr,
    /// Further sockets.
    pub listens: Vec<(Transport, SocketAddr)>,
    /// Its node.
    pub make_node: MakeNode,
    /// Its policy.
    pub make_policy: MakePolicy,
    /// Whether transaction machine cells are counted.
    pub seam: Option<Box<dyn Seam>>,
    /// Who is told what happens.
    pub watch: Option<Box<dyn Watch>>,
}

/// Where the events of a node go.
pub trait Watch {
    /// The effects of one shard, for what is subscribed to.
    fn effects(&mut self) -> Effects;

    /// Sees one event that is not only counted.
    fn see(&mut self, event: Told);

    /// The turn is over: what others told meanwhile is looked at now.
    fn settle(&mut self) {}
}

struct Worker {
    shard: Shard,
    effects: Effects,
    policy: Box<dyn Policy>,
    /// The earliest wake-up that is scheduled.
    wake_at: Option<Instant>,
}

/// A node on the virtual wire.
pub struct SimNode {
    pub(crate) host: HostId,
    blueprint: Blueprint,
    node: Option<Arc<Node>>,
    workers: Vec<Worker>,
    connections: Connections,
    media: Option<media::MediaSide>,
    /// How often it was built.
    life: u32,
    next_port: u16,
    mail_arrival: BTreeMap<(u8, u8), Instant>,
    /// What earlier lives reached.
    cells: Cells,
}

impl SimNode {
    pub(crate) fn new(host: HostId, blueprint: Blueprint, wire: &mut Wire) -> Self {
        let address = blueprint.address;
        wire.log.name(address, &blueprint.name);
        let mut node = SimNode {
            host,
            blueprint,
            node: None,
            workers: Vec::new(),
            connections: Connections::default(),
            media: None,
            life: 0,
            next_port: 30_000,
            mail_arrival: BTreeMap::new(),
            cells: Cells::default(),
        };
        node.power(true, wire);
        node
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.blueprint.address
    }

    /// Its shards.
    pub fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.workers.iter().map(|w| &w.shard)
    }

    /// What its shards share; `None` while it is down.
    pub fn shared(&self) -> Option<&Arc<Node>> {
        self.node.as_ref()
    }

    /// Which cells of the transaction machines' tables its shards entered.
    pub fn cells(&self) -> Cells {
        let mut cells = self.cells;
        for shard in self.shards() {
            cells.merge(shard.cells().unwrap_or(&Cells::default()));
        }
        cells
    }

    /// Connections it holds.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Takes no new requests outside dialogs from now on.
    pub fn drain(&mut self) {
        for worker in &mut self.workers {
            worker.shard.drain();
        }
    }

    /// Plants `seam` between driver and shards.
    pub fn plant(&mut self, seam: Box<dyn Seam>) {
        self.blueprint.seam = Some(seam);
    }

    /// The node dies and loses all it had in memory, or is built anew from the store.
    pub(crate) fn power(&mut self, on: bool, wire: &mut Wire) {
        let address = self.blueprint.address;
        wire.log.note(wire.now, address, address, if on { "up" } else { "down" });
        for worker in self.workers.drain(..) {
            self.cells.merge(worker.shard.cells().unwrap_or(&Cells::default()));
        }
        self.connections.clear();
        self.mail_arrival.clear();
        self.node = None;
        wire.reset_all_of(self.host);
        let both = [(Transport::Udp, address), (Transport::Tcp, address)];
        for (transport, address) in both.into_iter().chain(self.blueprint.listens.iter().copied()) {
            wire.log.name(address, &self.blueprint.name);
            match on {
                true => wire.bind(transport, address, self.host),
                false => wire.unbind(transport, address),
            }
        }
        wire.audit.node_power(address, on, wire.now);
        if !on {
            return;
        }
        self.life += 1;
        self.media = self.media.take().map(|side| side.renewed(wire));
        self.wake_media(wire);
        let node = (self.blueprint.make_node)(wire.now, self.life);
        for (key, value) in wire.store.values() {
            // What the store holds was encoded by an earlier life of this node.
            if node.registrar.location.restore(key, Some(value), wire.now).is_err() {
                wire.audit.fail(wire.now, "restore", format!("the encoded bindings of {key} cannot be read"));
            }
        }
        for index in 0..node.shards {
            let rng = Rng::seeded(wire.rng.next_u64());
            let policy = (self.blueprint.make_policy)(index, &node);
            let mut shard = Shard::new(index, node.clone(), rng, wire.now);
            shard.count_cells();
            let effects = self.blueprint.watch.as_mut().map(|w| w.effects()).unwrap_or_default();
            self.workers.push(Worker { shard, effects, policy, wake_at: None });
        }
        self.node = Some(node);
        self.attend(wire);
    }

    /// Policies may want to be called for what somebody else did: a reload, a timer set, a binding changed.
    pub(crate) fn attend(&mut self, wire: &mut Wire) {
        if let Some(watch) = &mut self.blueprint.watch {
            watch.settle();
        }
        for shard in 0..self.workers.len() as u8 {
            self.schedule_wake(shard, wire);
        }
    }

    pub(crate) fn on_datagram(&mut self, local: SocketAddr, from: SocketAddr, bytes: &[u8], wire: &mut Wire) {
        let Some(node) = self.node.clone() else { return };
        if bytes.iter().all(|b| b"\r\n".contains(b)) {
            return;
        }
        let flow = Flow { transport: Transport::Udp, local, remote: from, connection: None };
        // The kernel spreads flows over the sockets of one port by their addresses.
        let receiver = self.shard_of(from);
        match Message::parse(bytes, &node.settings().limits) {
            Ok(message) => self.route(receiver, flow, message, wire),
            Err(refused) => self.run(receiver, Input::Refused { flow, refused: Box::new(refused) }, wire),
        }
    }

    fn shard_of(&self, from: SocketAddr) -> u8 {
        let ip = match from {
            SocketAddr::V4(a) => u64::from(u32::from(*a.ip())),
            SocketAddr::V6(a) => u128::from(*a.ip()) as u64,
        };
        let mixed = Rng::seeded(ip ^ u64::from(from.port()) << 40).next_u64();
        (mixed % self.workers.len().max(1) as u64) as u8
    }

    /// To the shard that owns the message, by mail when that is another one.
    fn route(&mut self, receiver: u8, flow: Flow, message: Message, wire: &mut Wire) {
        let Some(node) = &self.node else { return };
        let owner = crate::engine::owner(&message, node);
        match owner == receiver {
            true => self.run(receiver, Input::Message { flow, message }, wire),
            false => self.mail(receiver, owner, Mail::Message { flow, message }, wire),
        }
    }

    fn mail(&mut self, from: u8, to: u8, mail: Mail, wire: &mut Wire) {
        let delay = wire.between((crate::base::time::Duration::ZERO, wire.conditions.mailbox));
        let arrival = self.mail_arrival.entry((from, to)).or_default();
        // A mailbox keeps its order.
        let at = (*arrival).max(wire.now + delay);
        *arrival = at;
        let input = Input::Mail(mail);
        wire.schedule(at, Event::Input { host: self.host, shard: to, life: self.life, input });
    }

    pub(crate) fn on_stream(&mut self, stream: StreamId, event: StreamEvent, wire: &mut Wire) {
        match event {
            StreamEvent::Accepted { local, remote } => {
                let Some(node) = &self.node else { return wire.reset(stream) };
                let (shard, limits) = (self.shard_of(remote), node.settings().limits.clone());
                let id = self.connections.add(stream, shard, (local, remote), false, limits);
                wire.audit.node_connection(self.address(), id, true, wire.now);
                let flow = self.connections.get_mut(stream).map(|c| c.flow());
                self.tell_edge(shard, flow.map(|flow| Kind::ConnectionOpened { flow }), wire);
            }
            StreamEvent::Opened => self.opened(stream, wire),
            StreamEvent::Data(bytes) => self.on_data(stream, &bytes, wire),
            StreamEvent::Closed => self.closed(stream, wire),
        }
    }

    fn opened(&mut self, stream: StreamId, wire: &mut Wire) {
        let Some(connection) = self.connections.get_mut(stream) else { return wire.reset(stream) };
        let (id, waiting) = (connection.id, connection.waiting.take().unwrap_or_default());
        let connection_flow = connection.flow();
        wire.audit.node_connection(self.blueprint.address, id, true, wire.now);
        self.tell_edge(id.shard, Some(Kind::ConnectionOpened { flow: connection_flow }), wire);
        for (bytes, report) in waiting {
            if !wire.write(stream, self.host, &bytes) {
                self.send_failed(id.shard, report, wire);
                continue;
            }
            let Some((shard, report)) = report else { continue };
            match shard == id.shard {
                true => self.later(wire.now, shard, Input::SentOn { report, connection: id }, wire),
                false => self.mail(id.shard, shard, Mail::SentOn { report, connection: id }, wire),
            }
        }
    }

    fn on_data(&mut self, stream: StreamId, bytes: &[u8], wire: &mut Wire) {
        let Some(connection) = self.connections.get_mut(stream) else { return };
        connection.framer.feed(bytes);
        loop {
            let Some(connection) = self.connections.get_mut(stream) else { return };
            let (flow, shard) = (connection.flow(), connection.id.shard);
            match connection.framer.next() {
                Some(Frame::Message(message)) => self.route(shard, flow, message, wire),
                Some(Frame::Refused(refused)) => {
                    self.run(shard, Input::Refused { flow, refused: Box::new(refused) }, wire);
                }
                Some(Frame::Fatal(refused)) => {
                    self.run(shard, Input::Refused { flow, refused: Box::new(refused) }, wire);
                    return wire.reset(stream);
                }
                Some(Frame::Ping) => {
                    wire.write(stream, self.host, &Octets::from(b"\r\n".as_slice()));
                }
                Some(Frame::Pong) => {}
                None => return,
            }
        }
    }

    fn closed(&mut self, stream: StreamId, wire: &mut Wire) {
        let Some(connection) = self.connections.remove(stream) else { return };
        let flow = connection.flow();
        let Connection { id, waiting, .. } = connection;
        // One that never opened had nobody but who waits for it.
        if let Some(waiting) = waiting {
            for (_, report) in waiting {
                self.send_failed(id.shard, report, wire);
            }
            return;
        }
        wire.audit.node_connection(self.address(), id, false, wire.now);
        self.tell_edge(id.shard, Some(Kind::ConnectionClosed { flow }), wire);
        for shard in 0..self.workers.len() as u8 {
            match shard == id.shard {
                true => self.run(shard, Input::ConnectionClosed { connection: id }, wire),
                false => self.mail(id.shard, shard, Mail::ConnectionClosed(id), wire),
            }
        }
    }

    pub(crate) fn on_input(&mut self, shard: u8, life: u32, input: Input, wire: &mut Wire) {
        if life != self.life || self.node.is_none() {
            return;
        }
        match input {
            Input::Mail(Mail::Send { egress, bytes, report }) => {
                let stream = egress.connection.and_then(|c| self.connections.stream_of(c));
                self.write(shard, stream, bytes, report, wire);
            }
            other => self.run(shard, other, wire),
        }
    }

    pub(crate) fn on_wake(&mut self, shard: u8, wire: &mut Wire) {
        let Some(worker) = self.workers.get_mut(usize::from(shard)) else { return };
        if worker.wake_at.is_some_and(|at| at <= wire.now) {
            worker.wake_at = None;
        }
        if worker.shard.deadline().is_some_and(|at| at <= wire.now) {
            worker.shard.tick(wire.now, &mut worker.effects);
        }
        let mut inputs = VecDeque::new();
        self.perform(shard, &mut inputs, wire);
        let Some(worker) = self.workers.get_mut(usize::from(shard)) else { return };
        if worker.policy.deadline().is_some_and(|at| at <= wire.now) {
            let mut output = PolicyOutput::default();
            worker.policy.wake(wire.now, &mut output);
            self.take_output(shard, output, &mut inputs, wire);
        }
        self.run_all(shard, inputs, wire);
    }
}
