//! A driver with a fake engine, for tests of the driver: what the engine is told is passed on to the test, and
//! what it does is a function of the test's.

use crate::base::flow::{Egress, Flow, Transport};
use crate::base::time::Instant;
use crate::driver::{
    DriverConfig, Engine, EventSink, Handle, Listen, MemoryStore, Parts, ShardStart, bind, plain_thread,
};
use crate::engine::{Effect, Effects, Input, SendReport};
use crate::net::dns::{Done, Names};
use crate::net::rtpengine::NoMedia;
use crate::policy::{Interest, Outcome, Policy, PolicyOutput, Question, Ticket, WaitId};
use crate::proto::locate::{Lookup, Records};
use crate::wire::sip::Message;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Longer than anything on loopback takes; only a failing test waits for it.
pub(super) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// What the fake engine does with a message.
pub(super) type React = Arc<dyn Fn(&Flow, &Message, &mut Effects) + Send + Sync>;

/// An input as the test sees it, with the shard that was told.
pub(super) type Told = (u8, Input);

pub(super) struct FakeEngine {
    index: u8,
    shards: u8,
    react: React,
    told: Sender<Told>,
    running: Arc<AtomicUsize>,
}

impl Engine for FakeEngine {
    fn handle(&mut self, input: Input, _: Instant, effects: &mut Effects) {
        if let Input::Message { flow, message } = &input {
            (self.react)(flow, message, effects);
        }
        let _ = self.told.send((self.index, input));
    }

    fn tick(&mut self, _: Instant, _: &mut Effects) {}

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn owner(&self, message: &Message) -> u8 {
        owner_of(message.call_id(), self.shards)
    }

    fn is_quiet(&self) -> bool {
        self.running.load(Ordering::Relaxed) == 0
    }
}

/// The number that ends a Call-ID chooses the shard.
pub(super) fn owner_of(call_id: &str, shards: u8) -> u8 {
    let digits = call_id.trim_start_matches(|c: char| !c.is_ascii_digit());
    (digits.parse::<u64>().unwrap_or(0) % u64::from(shards)) as u8
}

pub(super) struct NoPolicy;

impl Policy for NoPolicy {
    fn ask(&mut self, _: Ticket, _: Question, _: Instant, _: &mut PolicyOutput) {}
    fn resume(&mut self, _: WaitId, _: Outcome, _: Instant, _: &mut PolicyOutput) {}
    fn withdraw(&mut self, _: Ticket, _: Instant, _: &mut PolicyOutput) {}
    fn deadline(&self) -> Option<Instant> {
        None
    }
    fn wake(&mut self, _: Instant, _: &mut PolicyOutput) {}
    fn interest(&self) -> Interest {
        Interest::default()
    }
}

pub(super) struct NoNames;

impl Names for NoNames {
    fn look_up(&self, _: &Lookup, _: Done) -> Option<Records> {
        Some(Records::Addresses(Vec::new()))
    }
}

/// A driver on loopback.
pub(super) struct Node {
    pub(super) handle: Handle<FakeEngine>,
    pub(super) told: Receiver<Told>,
    pub(super) running: Arc<AtomicUsize>,
}

impl Node {
    pub(super) fn start(config: DriverConfig, react: React) -> Self {
        Self::observed(config, react, EventSink::none())
    }

    pub(super) fn observed(config: DriverConfig, react: React, events: EventSink) -> Self {
        let shards = config.shards;
        let bound = bind(config).expect("loopback can be bound");
        let (sender, told) = channel();
        let running = Arc::new(AtomicUsize::new(0));
        let of_engines = running.clone();
        let engine = move |start: &mut ShardStart| FakeEngine {
            index: start.index,
            shards,
            react: react.clone(),
            told: sender.clone(),
            running: of_engines.clone(),
        };
        let parts = Parts {
            engine: Arc::new(engine),
            policy: Arc::new(|_| Box::new(NoPolicy)),
            store: Arc::new(MemoryStore),
            names: Arc::new(NoNames),
            media: Arc::new(NoMedia),
            events,
            inline: Arc::new(|| Box::new(Deaf)),
            wrap_thread: plain_thread,
        };
        Node { handle: bound.start(parts).expect("the driver starts"), told, running }
    }

    /// The first address listened on.
    pub(super) fn address(&self) -> SocketAddr {
        self.handle.addresses()[0].address
    }

    /// The next input that `wanted` picks something out of.
    pub(super) fn next<T>(&self, mut wanted: impl FnMut(&Told) -> Option<T>) -> T {
        loop {
            let told = self.told.recv_timeout(PATIENCE).expect("the engine is told in time");
            if let Some(found) = wanted(&told) {
                return found;
            }
        }
    }

    /// Does something on one shard, as if its engine had wanted it.
    pub(super) fn effect(&self, on: u8, make: impl Fn() -> Effect + Send + Sync + 'static) {
        self.handle.on_each_shard(move |local| {
            if local.index == on {
                local.effects.push(make());
            }
        });
    }
}

pub(super) fn echo() -> React {
    Arc::new(|flow, message, effects| {
        effects.push(Effect::Send { egress: flow.back(), bytes: message.bytes().into(), report: None });
    })
}

pub(super) fn silent() -> React {
    Arc::new(|_, _, _| {})
}

pub(super) fn config(transport: Transport, address: &str, shards: u8) -> DriverConfig {
    DriverConfig::new(vec![Listen { transport, address: address.parse().unwrap() }], shards)
}

/// A request with a body of `body` octets.
pub(super) fn request(method: &str, call_id: &str, body: usize) -> Vec<u8> {
    let head = format!(
        "{method} sip:bob@example.com SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK{method}{call_id}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 {method}\r\nContent-Length: {body}\r\n\r\n"
    );
    let mut bytes = head.into_bytes();
    bytes.resize(bytes.len() + body, b'x');
    bytes
}

/// A response to an INVITE.
pub(super) fn response(status: u16, call_id: &str) -> Vec<u8> {
    format!(
        "SIP/2.0 {status} Whatever\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{call_id}\r\n\
         From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>;tag=2\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

pub(super) fn send_to(transport: Transport, remote: SocketAddr, bytes: &[u8], report: u32) -> Effect {
    Effect::Send {
        egress: Egress { transport, local: None, remote, connection: None, may_connect: true },
        bytes: bytes.into(),
        report: Some(SendReport::Client(crate::base::slab::Key { slot: report, generation: 1 })),
    }
}

/// The number of a failed [`send_to`].
pub(super) fn failed_report(told: &Told) -> Option<(u8, u32)> {
    match told {
        (shard, Input::SendFailed { report: SendReport::Client(key) }) => Some((*shard, key.slot)),
        _ => None,
    }
}

/// Waits for `condition`, which other threads bring about.
pub(super) fn until(mut condition: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "it did not come about in time");
        std::thread::yield_now();
    }
}

/// Observes nothing.
pub(super) struct Deaf;

impl crate::event::Observer for Deaf {
    fn classes(&self) -> crate::event::Classes {
        crate::event::Classes::default()
    }

    fn see(&mut self, _event: &crate::event::Event) {}
}
