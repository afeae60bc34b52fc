//! Starting and stopping a node's shards: bind, run, change, drain, stop.

use crate::base::flow::Transport;
use crate::base::rng::Rng;
use crate::base::time::{Duration, Instant};
use crate::driver::clock::{Clock, seeded_rng};
use crate::driver::core::Core;
use crate::driver::engine::Engine;
use crate::driver::gathering::{DEFAULT_GATHER, Gathering};
use crate::driver::intake::Intake;
use crate::driver::mailbox::{MailLimits, Mailboxes, PolicyWaker, Post};
use crate::driver::observers::EventSink;
use crate::driver::overload::OverloadSettings;
use crate::driver::refusal::Refusal;
use crate::driver::shard_loop::{MAIL, ShardLoop, socket_token};
use crate::driver::shared::{Counters, Shared};
use crate::driver::store::Store;
use crate::driver::streams::Streams;
use crate::driver::world::World;
use crate::engine::Effects;
use crate::event::Observer;
use crate::net::dns::Names;
use crate::net::flows::FlowDirectory;
use crate::net::mmsg::ReceiveBatch;
use crate::net::rtpengine::Media;
use crate::net::udp::UdpSocket;
use crate::net::{NetSettings, tcp, udp};
use crate::policy::Policy;
use crate::wire::sip::Limits;
use mio::net::TcpListener;
use mio::unix::SourceFd;
use mio::{Interest, Poll, Waker};
use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, UdpSocket as StdUdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// One address to listen on. Port 0 takes a free one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listen {
    /// Transport protocol.
    pub transport: Transport,
    /// Address.
    pub address: SocketAddr,
}

/// What a driver is started with.
#[derive(Clone, Debug)]
pub struct DriverConfig {
    /// Where to listen.
    pub listen: Vec<Listen>,
    /// How many shards, at least 1.
    pub shards: u8,
    /// Sockets.
    pub net: NetSettings,
    /// Mailboxes.
    pub mail: MailLimits,
    /// Overload.
    pub overload: OverloadSettings,
    /// Message limits.
    pub limits: Limits,
    /// The longest a busy shard lets messages gather before it looks again; zero looks at once.
    pub gather: Duration,
    /// The Server header field of a 503 made by the driver.
    pub server_header: Option<String>,
}

impl DriverConfig {
    /// The defaults, for these addresses.
    pub fn new(listen: Vec<Listen>, shards: u8) -> Self {
        DriverConfig {
            listen,
            shards: shards.max(1),
            net: NetSettings::default(),
            mail: MailLimits::default(),
            overload: OverloadSettings::default(),
            limits: Limits::default(),
            gather: DEFAULT_GATHER,
            server_header: None,
        }
    }
}

/// An address that could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {}:{}: {error}", listen.transport, listen.address)]
pub struct BindError {
    /// Which.
    pub listen: Listen,
    /// Why.
    #[source]
    pub error: io::Error,
}

/// Sockets that are bound and not read yet: what arrives waits in them until [`start`](Self::start).
pub struct Bound {
    config: DriverConfig,
    addresses: Vec<Listen>,
    shards: Vec<Sockets>,
}

#[derive(Default)]
struct Sockets {
    udp: Vec<StdUdpSocket>,
    tcp: Vec<TcpListener>,
}

/// Binds every address, for every shard. An address that another process uses is an error, also when that
/// process would share it.
pub fn bind(config: DriverConfig) -> Result<Bound, BindError> {
    let mut shards: Vec<Sockets> = (0..config.shards.max(1)).map(|_| Sockets::default()).collect();
    let mut addresses = Vec::new();
    for listen in &config.listen {
        let address =
            bind_all(&config, listen, &mut shards).map_err(|error| BindError { listen: *listen, error })?;
        addresses.push(Listen { address, ..*listen });
    }
    Ok(Bound { config, addresses, shards })
}

fn bind_all(config: &DriverConfig, listen: &Listen, shards: &mut [Sockets]) -> io::Result<SocketAddr> {
    let shared = shards.len() > 1;
    let mut address = listen.address;
    if shared && address.port() != 0 {
        // With SO_REUSEPORT a second daemon of the same user would take half of the traffic unnoticed; a socket
        // without it finds out.
        match listen.transport {
            Transport::Udp => drop(udp::bind(address, false, &config.net)?),
            Transport::Tcp => drop(tcp::bind(address, false)?),
        }
    }
    for sockets in shards {
        match listen.transport {
            Transport::Udp => {
                let socket = udp::bind(address, shared, &config.net)?;
                address = socket.local_addr()?;
                sockets.udp.push(socket);
            }
            Transport::Tcp => {
                let socket = tcp::bind(address, shared)?;
                address = socket.local_addr()?;
                sockets.tcp.push(socket);
            }
        }
    }
    Ok(address)
}

/// What engine and policy of one shard are made with, on the shard's own thread.
#[derive(Debug)]
pub struct ShardStart {
    /// Index of the shard.
    pub index: u8,
    /// Randomness for the engine.
    pub rng: Rng,
    /// Now.
    pub now: Instant,
    /// The clock that `now` comes from.
    pub clock: Clock,
    /// For answers of the policy that come from other threads.
    pub waker: PolicyWaker,
}

/// Makes the engine of a shard.
pub type EngineFactory<E> = Arc<dyn Fn(&mut ShardStart) -> E + Send + Sync>;
/// Makes the policy of a shard.
pub type PolicyFactory = Arc<dyn Fn(&mut ShardStart) -> Box<dyn Policy> + Send + Sync>;
/// Makes an observer that runs on a shard's thread.
pub type InlineObservers = Arc<dyn Fn() -> Box<dyn Observer> + Send + Sync>;
/// Runs a shard's whole life. The script layer puts an interpreter's thread state around it.
pub type WrapThread = fn(Box<dyn FnOnce() + Send>);

/// What the shards run.
pub struct Parts<E> {
    /// Engines.
    pub engine: EngineFactory<E>,
    /// Policies.
    pub policy: PolicyFactory,
    /// Where bindings are stored.
    pub store: Arc<dyn Store>,
    /// DNS.
    pub names: Arc<dyn Names>,
    /// Media engines.
    pub media: Arc<dyn Media>,
    /// Observers.
    pub events: EventSink,
    /// Makes the observers that are told on the shards' threads, at once: counters.
    pub inline: InlineObservers,
    /// Around each shard's thread.
    pub wrap_thread: WrapThread,
}

/// Runs a shard's thread as it is.
pub fn plain_thread(life: Box<dyn FnOnce() + Send>) {
    life();
}

/// What a change made by [`Handle::on_each_shard`] may work on.
pub struct ShardLocal<'a, E> {
    /// Index of the shard.
    pub index: u8,
    /// Its engine.
    pub engine: &'a mut E,
    /// Its policy; may be replaced.
    pub policy: &'a mut Box<dyn Policy>,
    /// Now.
    pub now: Instant,
    /// Performed afterwards.
    pub effects: &'a mut Effects,
}

type Control<E> = Arc<dyn Fn(&mut ShardLocal<'_, E>) + Send + Sync>;

pub(super) struct Controls<E>(Arc<Mutex<Vec<Control<E>>>>);

impl<E> Clone for Controls<E> {
    fn clone(&self) -> Self {
        Controls(self.0.clone())
    }
}

impl<E> Controls<E> {
    fn new() -> Self {
        Controls(Arc::default())
    }

    pub(super) fn take(&self) -> Vec<Control<E>> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, control: Control<E>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(control);
    }
}

impl Bound {
    /// The addresses bound, in the order of the configuration, with the ports that the kernel gave.
    pub fn addresses(&self) -> &[Listen] {
        &self.addresses
    }

    /// Starts one thread per shard.
    pub fn start<E: Engine + 'static>(self, parts: Parts<E>) -> io::Result<Handle<E>> {
        let mut rng = seeded_rng()?;
        let clock = Clock::start();
        let polls = self.shards.iter().map(|_| Poll::new()).collect::<io::Result<Vec<_>>>()?;
        let wakers = polls.iter().map(|p| Waker::new(p.registry(), MAIL)).collect::<io::Result<Vec<_>>>()?;
        let config = self.config;
        let shared = Arc::new(Shared {
            clock,
            directory: FlowDirectory::new(config.net.max_waiters),
            census: tcp::Census::default(),
            refusal: Refusal::new(rng.next_u64() as u32, config.server_header.as_deref()),
            net: config.net,
            limits: config.limits,
            gather: config.gather,
            // A nap in which messages gather is no sign of too much work.
            overload: OverloadSettings {
                target: config.overload.target.max(config.gather.saturating_mul(2)),
                interval: config.overload.interval.max(config.gather.saturating_mul(2)),
                ..config.overload
            },
            mailboxes: Arc::new(Mailboxes::new(wakers, config.mail)),
            names: parts.names,
            media: parts.media,
            store: parts.store,
            events: parts.events,
            inline: parts.inline,
            draining: false.into(),
            stopping: false.into(),
            counters: Counters::default(),
            quiet: self.shards.iter().map(|_| AtomicBool::new(false)).collect(),
            became_quiet: Default::default(),
        });
        let mut handle =
            Handle { shared, addresses: self.addresses, controls: Vec::new(), threads: Vec::new() };
        for (index, (sockets, poll)) in (0u8..).zip(self.shards.into_iter().zip(polls)) {
            let controls = Controls::new();
            handle.controls.push(controls.clone());
            let seat =
                Seat { index, rng: Rng::seeded(rng.next_u64()), shared: handle.shared.clone(), controls };
            let world = seat.world(sockets, &poll)?;
            let (engine, policy) = (parts.engine.clone(), parts.policy.clone());
            // The receive buffers hold raw pointers, and policies are not Send: both are made on the thread.
            let life = Box::new(move || seat.live(world, poll, &engine, &policy));
            let wrap = parts.wrap_thread;
            let thread = std::thread::Builder::new().name(format!("shard-{index}"));
            handle.threads.push(thread.spawn(move || wrap(life))?);
        }
        Ok(handle)
    }
}

/// One shard before it lives.
struct Seat<E> {
    index: u8,
    rng: Rng,
    shared: Arc<Shared>,
    controls: Controls<E>,
}

impl<E: Engine> Seat<E> {
    fn world(&self, sockets: Sockets, poll: &Poll) -> io::Result<(Vec<UdpSocket>, Streams)> {
        let mut udp = Vec::new();
        for (index, socket) in sockets.udp.into_iter().enumerate() {
            let fd = socket.as_raw_fd();
            // Not WRITABLE: the kernel would report each datagram that it is done with.
            poll.registry().register(&mut SourceFd(&fd), socket_token(index), Interest::READABLE)?;
            udp.push(UdpSocket::new(socket, &self.shared.net)?);
        }
        let mut listeners = sockets.tcp;
        for (index, listener) in listeners.iter_mut().enumerate() {
            poll.registry().register(listener, socket_token(udp.len() + index), Interest::READABLE)?;
        }
        let registry = poll.registry().try_clone()?;
        Ok((udp, Streams::new(self.index, self.shared.clone(), registry, listeners)))
    }

    fn live(
        mut self,
        (udp, streams): (Vec<UdpSocket>, Streams),
        poll: Poll,
        engine: &EngineFactory<E>,
        policy: &PolicyFactory,
    ) {
        let (clock, now) = (self.shared.clock, self.shared.clock.now());
        let waker = PolicyWaker::new(self.shared.mailboxes.clone(), self.index);
        let intake = Intake::new(Rng::seeded(self.rng.next_u64()), now);
        let mut start = ShardStart { index: self.index, rng: self.rng, now, clock, waker };
        let (engine, policy) = (engine(&mut start), policy(&mut start));
        let effects = Effects::with_inline(self.shared.events.classes(), (self.shared.inline)());
        let readable = vec![true; udp.len()];
        let gathering = Gathering::new(self.shared.gather, now);
        let shard = ShardLoop {
            poll,
            core: Core::new(engine, policy, clock, effects),
            world: World::new(self.index, self.shared, udp, streams),
            intake,
            controls: self.controls,
            mail: VecDeque::new(),
            next_quiet_check: now,
            warm: vec![false; readable.len()],
            unasked: 0,
            readable,
            batch: ReceiveBatch::new(),
            frames: Vec::new(),
            gathering,
            taken: 0,
        };
        shard.run();
    }
}

/// A running driver. Dropped, it stops.
pub struct Handle<E> {
    shared: Arc<Shared>,
    addresses: Vec<Listen>,
    controls: Vec<Controls<E>>,
    threads: Vec<JoinHandle<()>>,
}

impl<E> Handle<E> {
    /// The addresses listened on.
    pub fn addresses(&self) -> &[Listen] {
        &self.addresses
    }

    /// The driver's counters.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// How many connections the node has.
    pub fn connections(&self) -> usize {
        self.shared.census.len()
    }

    /// The clock of the shards.
    pub fn clock(&self) -> Clock {
        self.shared.clock
    }

    /// Runs `change` once on each shard, on its own thread between two messages. Changes posted one after the
    /// other happen in that order.
    pub fn on_each_shard(&self, change: impl Fn(&mut ShardLocal<'_, E>) + Send + Sync + 'static) {
        let change: Control<E> = Arc::new(change);
        for (shard, controls) in (0u8..).zip(&self.controls) {
            controls.add(change.clone());
            self.shared.mailboxes.signal(shard, Post::Control);
        }
    }

    /// Takes no new calls from now on: they get 503. Returns when every transaction has its final response, or
    /// after `patience`; false when some had none then.
    pub fn drain(&self, patience: Duration) -> bool {
        self.shared.draining.store(true, Ordering::Relaxed);
        for shard in 0..self.shared.mailboxes.shards() {
            self.shared.mailboxes.signal(shard, Post::Control);
        }
        let is_quiet = || self.shared.quiet.iter().all(|quiet| quiet.load(Ordering::Relaxed));
        let (lock, changed) = &self.shared.became_quiet;
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(guard, patience, |()| !is_quiet());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        is_quiet()
    }

    /// Ends every shard and waits for their threads.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        for shard in 0..self.shared.mailboxes.shards() {
            self.shared.mailboxes.signal(shard, Post::Control);
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a shard's thread had panicked");
            }
        }
        self.shared.events.close();
    }
}

impl<E> Drop for Handle<E> {
    fn drop(&mut self) {
        self.end();
    }
}
