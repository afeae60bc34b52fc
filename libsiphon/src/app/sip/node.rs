//! A SIP role's node: sockets, shards, policy and observers put together.

use crate::app::clock;
use crate::app::role::StartFault;
use crate::app::sip::media;
use crate::app::sip::settings::SipBlocks;
use crate::base::rng::Rng;
use crate::base::text::Text;
use crate::base::time::{Duration, Instant};
use crate::base::token::Secret;
use crate::driver::start::{PolicyFactory, WrapThread};
use crate::driver::{EventSink, EventSource, Handle, MemoryStore, Parts, event_stream, start};
use crate::engine::{Node, Shard};
use crate::net::dns::Dns;
use crate::net::rtpengine::{Media, NoMedia, RtpEngine};
use crate::observe::metrics::{Gauge, Metrics};
use crate::observe::{Observer, Observers};
use crate::proto::auth::Authenticator;
use crate::proto::proxy::own::OwnAddresses;
use crate::proto::registrar::{Location, Registrar};
use std::net::IpAddr;
use std::sync::Arc;

/// Stripes of the location table: more than there are shards, so that two seldom meet.
const STRIPES: usize = 16;

/// Addresses of record that a node holds.
const MAX_AORS: usize = 5_000_000;

/// Events that may wait for the observers.
const EVENTS_WAITING: usize = 65_536;

/// How the policies of the shards come about.
pub struct PolicyParts {
    /// Makes the policy of one shard, on its thread.
    pub factory: PolicyFactory,
    /// Around each shard's thread.
    pub wrap_thread: WrapThread,
}

/// A running node.
pub struct SipNode {
    /// What the shards share.
    pub node: Arc<Node>,
    handle: Handle<Shard>,
    observing: Option<std::thread::JoinHandle<()>>,
    draining: bool,
}

/// Binds, and starts what `policy` makes of the node. `at_once` adds to those who see events on the shards' threads;
/// `observers` run on a thread of their own.
pub fn run(
    blocks: &SipBlocks<'_>,
    policy: impl FnOnce(&Arc<Node>, &EventSink) -> Result<PolicyParts, StartFault>,
    series: Arc<Metrics>,
    at_once: impl Fn(&mut Observers) + Send + Sync + 'static,
    mut observers: Observers,
) -> Result<SipNode, StartFault> {
    let fault = |error: std::io::Error| StartFault::Other(error.to_string());
    let bound = start::bind(blocks.driver()).map_err(|e| StartFault::Bind {
        transport: e.listen.transport.uri_token(),
        address: e.listen.address,
        error: e.error,
    })?;
    let mut rng = crate::driver::clock::seeded_rng().map_err(fault)?;
    let secret = secret(blocks, &mut rng);
    let own = OwnAddresses::new(blocks.listeners(bound.addresses()), blocks.domains(), &interfaces());
    let node = shared(blocks, own, secret, rng.next_u64() as u32, clock::now());
    let (events, source) = event_stream(observers.classes(), EVENTS_WAITING);
    let media = engines(blocks, &series, rng.next_u64()).map_err(fault)?;
    let parts = policy(&node, &events)?;
    let engines = node.clone();
    sources(&series, &node.registrar.location, &events);
    let handle = bound
        .start(Parts {
            engine: Arc::new(move |s| Shard::new(s.index, engines.clone(), s.rng.clone(), s.now)),
            policy: parts.factory,
            store: Arc::new(MemoryStore),
            names: Arc::new(Dns::start(blocks.resolver()).map_err(fault)?),
            media,
            events,
            inline: Arc::new(move || {
                let mut inline = Observers::default();
                inline.add(series.writer());
                at_once(&mut inline);
                Box::new(inline)
            }),
            wrap_thread: parts.wrap_thread,
        })
        .map_err(fault)?;
    let observing = std::thread::Builder::new()
        .name("observers".to_owned())
        .spawn(move || observe(&source, &mut observers))
        .map_err(fault)?;
    Ok(SipNode { node, handle, observing: Some(observing), draining: false })
}

/// The client of the node's media engines.
fn engines(blocks: &SipBlocks<'_>, series: &Metrics, random: u64) -> std::io::Result<Arc<dyn Media>> {
    let Some(media) = blocks.media else { return Ok(Arc::new(NoMedia)) };
    let client = Arc::new(RtpEngine::start(media::client(media), random)?);
    let (up, all) = (client.clone(), client.clone());
    series.source(Gauge::MediaEnginesUp, move || up.instances().0 as f64);
    series.source(Gauge::MediaEngines, move || all.instances().1 as f64);
    Ok(client)
}

/// The key of a node's tokens and nonces.
pub fn secret(blocks: &SipBlocks<'_>, rng: &mut Rng) -> Secret {
    match &blocks.auth.nonce_secret {
        // Nonces and tokens of nodes that share the secret are good on all of them.
        Some(text) => Secret::new(0, 0).derive(text.reveal()),
        None => Secret::new(rng.next_u64(), rng.next_u64()),
    }
}

/// What the shards of a node share. `epoch` is another one at each start: connection ids begin anew then, and tokens on
/// the wire name them.
pub fn shared(
    blocks: &SipBlocks<'_>,
    own: OwnAddresses,
    secret: Secret,
    epoch: u32,
    now: Instant,
) -> Arc<Node> {
    let location = Arc::new(Location::new(&secret.derive("location"), STRIPES, MAX_AORS, now));
    let registrar = Registrar::new(blocks.registrar(), location, &secret.derive("gruu"));
    let auth = Authenticator::new(blocks.digest(), secret.derive("nonce"));
    let node = Node::new(blocks.shard_count(), secret, epoch, own, registrar, auth, blocks.engine());
    node.logins.store(blocks.logins(node.auth.algorithms()).map(Arc::new));
    node.media.store(blocks.media.map(|m| Arc::new(media::desk(m))));
    Arc::new(node)
}

/// The numbers of a node that its tables know, for its metrics.
pub fn sources(series: &Metrics, location: &Arc<Location>, events: &EventSink) {
    let (location, events) = (location.clone(), events.clone());
    series.source(Gauge::Registrations, move || location.binding_count() as f64);
    series.source(Gauge::EventsDropped, move || events.lost() as f64);
}

/// Hands the event stream to the observers until it ends.
fn observe(source: &EventSource, observers: &mut Observers) {
    let mut events = Vec::new();
    while source.take(&mut events, Duration::from_secs(1)) {
        // The level of the log may have changed, and with it what it wants.
        source.subscribe(observers.classes());
        for event in events.drain(..) {
            observers.see(&event);
        }
        // Events gather meanwhile, so that shards seldom have to wake this thread.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The addresses of this machine's interfaces: a listener on the unspecified address answers at each.
fn interfaces() -> Vec<IpAddr> {
    if_addrs::get_if_addrs().map(|list| list.iter().map(|i| i.ip()).collect()).unwrap_or_default()
}

/// What a node takes over of a configuration while it runs. A line for the log.
pub(crate) fn reload(node: &Node, blocks: &SipBlocks<'_>) -> String {
    // Hashes serve the algorithms that are offered, and those stay as they were.
    node.logins.store(blocks.logins(node.auth.algorithms()).map(Arc::new));
    node.registrar.configure(blocks.registrar());
    let users = blocks.auth.users.len();
    format!("{users} accounts, limits of the registrar")
}

impl SipNode {
    /// `udp 127.0.0.1:5060`, with the ports the kernel gave.
    pub fn listening(&self) -> Vec<String> {
        self.handle.addresses().iter().map(|l| format!("{} {}", l.transport, l.address)).collect()
    }

    /// Takes over what [`is_taken_over`](Self::is_taken_over) names.
    pub fn reload(&self, blocks: &SipBlocks<'_>) -> String {
        reload(&self.node, blocks)
    }

    /// Whether [`reload`](Self::reload) takes this key over.
    pub fn is_taken_over(key: &str, users: bool) -> bool {
        // Without accounts nobody is challenged but by the script, which holds the realm of the start.
        key.starts_with("auth.users")
            || (key == "auth.realm" && users)
            || (key.starts_with("registrar.") && key != "registrar.backend")
    }

    /// Takes no new calls from now on.
    pub fn drain(&mut self) {
        self.draining = true;
        self.handle.drain(Duration::ZERO);
        self.handle.on_each_shard(|shard| shard.engine.drain());
    }

    /// Whether every transaction has its final response.
    pub fn is_idle(&self) -> bool {
        self.handle.drain(Duration::ZERO)
    }

    /// Connections of the node.
    pub fn connections(&self) -> usize {
        self.handle.connections()
    }

    /// The driver.
    pub fn handle(&self) -> &Handle<Shard> {
        &self.handle
    }

    /// Ends the shards, then the observers.
    pub fn stop(self) {
        let SipNode { handle, observing, .. } = self;
        handle.stop();
        if let Some(thread) = observing
            && thread.join().is_err()
        {
            tracing::error!("the observers' thread had panicked");
        }
    }

    /// Now, on the shards' clock.
    pub fn now(&self) -> Instant {
        self.handle.clock().now()
    }

    /// The digest realm when a script names none.
    pub fn realm(&self) -> Text {
        self.node.logins.load().as_ref().map(|l| l.realm.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
