//! The sockets of the media engines' client: one thread for the node, one connected UDP socket per instance, so that a
//! host on which nobody listens is heard of.

use crate::base::time::Instant;
use crate::proto::media::client::{Client, Effect, Input, Settings};
use crate::proto::media::{Health, MediaFault, MediaRequest, MediaResult};
use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{Notify, mpsc};

/// Has media engines do things without ever blocking its caller, which is a shard.
pub trait Media: Send + Sync {
    /// Asks. `Some` is the result, known already; otherwise `done` is called with it, once, from another thread, within
    /// the time-out of the instance.
    fn ask(&self, request: Box<MediaRequest>, done: Done) -> Option<Box<MediaResult>>;
}

/// What a command calls with its result.
pub type Done = Box<dyn FnOnce(Box<MediaResult>) + Send>;

/// A node without media engines.
#[derive(Debug)]
pub struct NoMedia;

impl Media for NoMedia {
    fn ask(&self, _: Box<MediaRequest>, _: Done) -> Option<Box<MediaResult>> {
        Some(Box::new(Err(MediaFault::NotConfigured)))
    }
}

/// Commands that may wait for the client's thread; beyond it they are refused.
const MOST_WAITING: usize = 16_384;

/// Datagrams that were read and not looked at; beyond it they wait in the kernel.
const MOST_READ: usize = 1024;

/// How long after a failed look-up of an instance's name it is looked up again.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(1);

/// The client of a node's rtpengine instances.
pub struct RtpEngine {
    asks: mpsc::Sender<(Box<MediaRequest>, Done)>,
    up: Arc<[AtomicBool]>,
    open: Arc<AtomicUsize>,
}

impl Media for RtpEngine {
    fn ask(&self, request: Box<MediaRequest>, done: Done) -> Option<Box<MediaResult>> {
        match self.asks.try_send((request, done)) {
            Ok(()) => None,
            Err(mpsc::error::TrySendError::Full(_)) => Some(Box::new(Err(MediaFault::Busy))),
            Err(mpsc::error::TrySendError::Closed(_)) => Some(Box::new(Err(MediaFault::Down))),
        }
    }
}

impl RtpEngine {
    /// Starts the client's thread. `random` makes its cookies differ from those of every other client.
    pub fn start(settings: Settings, random: u64) -> io::Result<Self> {
        let up: Arc<[AtomicBool]> = settings.instances.iter().map(|_| AtomicBool::new(true)).collect();
        let (asks, asked) = mpsc::channel(MOST_WAITING);
        let open = Arc::new(AtomicUsize::new(0));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (of_thread, count) = (up.clone(), open.clone());
        std::thread::Builder::new()
            .name("media".into())
            .spawn(move || runtime.block_on(Line::new(settings, random, of_thread, count).run(asked)))?;
        Ok(RtpEngine { asks, up, open })
    }

    /// How many instances take calls, and how many there are.
    pub fn instances(&self) -> (usize, usize) {
        (self.up.iter().filter(|up| up.load(Ordering::Relaxed)).count(), self.up.len())
    }

    /// Commands that wait for their replies.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// What the tasks that read sockets tell.
enum Heard {
    Socket { instance: usize, socket: Arc<UdpSocket> },
    Datagram { instance: usize, octets: Vec<u8> },
    Unreachable { instance: usize },
}

struct Line {
    client: Client,
    names: Vec<String>,
    sockets: Vec<Option<Arc<UdpSocket>>>,
    /// Wakes the task of an instance that went down, so that its name is looked up again.
    went_down: Vec<Arc<Notify>>,
    waiting: HashMap<u64, Done>,
    last: u64,
    up: Arc<[AtomicBool]>,
    open: Arc<AtomicUsize>,
    started: std::time::Instant,
}

impl Line {
    fn new(settings: Settings, random: u64, up: Arc<[AtomicBool]>, open: Arc<AtomicUsize>) -> Line {
        let names: Vec<String> = settings.instances.iter().map(|i| i.name.to_string()).collect();
        Line {
            client: Client::new(settings, random, Instant::EPOCH),
            sockets: names.iter().map(|_| None).collect(),
            went_down: names.iter().map(|_| Arc::default()).collect(),
            names,
            waiting: HashMap::new(),
            last: 0,
            up,
            open,
            started: std::time::Instant::now(),
        }
    }

    fn now(&self) -> Instant {
        Instant::EPOCH + self.started.elapsed()
    }

    /// Ends when the last handle is gone; then each command that waits has its result.
    async fn run(mut self, mut asked: mpsc::Receiver<(Box<MediaRequest>, Done)>) {
        let (tell, mut heard) = mpsc::channel(MOST_READ);
        for (instance, name) in self.names.iter().enumerate() {
            tokio::spawn(listen(instance, name.clone(), tell.clone(), self.went_down[instance].clone()));
        }
        let mut effects = Vec::new();
        loop {
            let deadline = self.client.deadline().map(|at| at.since(self.now()));
            let wait = tokio::time::sleep(deadline.unwrap_or(Duration::from_secs(3600)));
            tokio::select! {
                ask = asked.recv() => match ask {
                    Some((request, done)) => {
                        self.last = self.last.wrapping_add(1);
                        let (token, now) = (self.last, self.now());
                        self.waiting.insert(token, done);
                        self.client.handle(Input::Ask { token, request }, now, &mut effects);
                    }
                    None => {
                        self.client.close(&mut effects);
                        return self.perform(&mut effects);
                    }
                },
                Some(heard) = heard.recv() => self.hear(heard, &mut effects),
                () = wait => {}
            }
            let now = self.now();
            self.client.tick(now, &mut effects);
            self.perform(&mut effects);
        }
    }

    fn hear(&mut self, heard: Heard, effects: &mut Vec<Effect>) {
        let now = self.now();
        match heard {
            Heard::Socket { instance, socket } => {
                if let Some(place) = self.sockets.get_mut(instance) {
                    *place = Some(socket);
                }
            }
            Heard::Datagram { instance, octets } => {
                self.client.handle(Input::Datagram { instance, octets: &octets }, now, effects);
            }
            Heard::Unreachable { instance } => {
                self.client.handle(Input::Unreachable { instance }, now, effects);
            }
        }
    }

    fn perform(&mut self, effects: &mut Vec<Effect>) {
        let mut queue: VecDeque<Effect> = effects.drain(..).collect();
        while let Some(effect) = queue.pop_front() {
            match effect {
                Effect::Send { instance, octets } => {
                    if !self.send(instance, &octets) {
                        let now = self.now();
                        self.client.handle(Input::Unreachable { instance }, now, effects);
                        queue.extend(effects.drain(..));
                    }
                }
                Effect::Done { token, result } => {
                    if let Some(done) = self.waiting.remove(&token) {
                        done(result);
                    }
                }
                Effect::HealthChanged { instance, health } => self.health_changed(instance, health),
            }
        }
        self.open.store(self.client.open(), Ordering::Relaxed);
    }

    /// False when the host said that nobody listens there. What the socket does not take now is sent again later.
    fn send(&self, instance: usize, octets: &[u8]) -> bool {
        let Some(Some(socket)) = self.sockets.get(instance) else { return true };
        match socket.try_send(octets) {
            // The error is that of an earlier datagram, and this one was not sent.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                let _ = socket.try_send(octets);
                false
            }
            _ => true,
        }
    }

    fn health_changed(&self, instance: usize, health: Health) {
        if let Some(up) = self.up.get(instance) {
            up.store(health != Health::Down, Ordering::Relaxed);
        }
        let name = self.names.get(instance).map(String::as_str).unwrap_or_default();
        match health {
            Health::Up => tracing::info!(instance = name, "the media engine is up"),
            Health::HalfOpen => tracing::info!(instance = name, "the media engine answers again"),
            Health::Down => {
                tracing::warn!(instance = name, "the media engine is down");
                if let Some(notify) = self.went_down.get(instance) {
                    notify.notify_one();
                }
            }
        }
    }
}

/// Opens the socket of an instance and reads it; opens another one when its name may lead elsewhere.
async fn listen(instance: usize, name: String, tell: mpsc::Sender<Heard>, went_down: Arc<Notify>) {
    let is_name = name.parse::<SocketAddr>().is_err();
    let mut buffer = vec![0; 65_536];
    loop {
        let socket = match connect(&name).await {
            Ok(socket) => Arc::new(socket),
            Err(error) => {
                tracing::warn!(instance = name, %error, "the media engine cannot be reached");
                tokio::time::sleep(LOOK_UP_AGAIN).await;
                continue;
            }
        };
        if tell.send(Heard::Socket { instance, socket: socket.clone() }).await.is_err() {
            return;
        }
        loop {
            let heard = tokio::select! {
                received = socket.recv(&mut buffer) => match received {
                    Ok(length) => {
                        let octets = buffer.get(..length).unwrap_or_default().to_vec();
                        Heard::Datagram { instance, octets }
                    }
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => Heard::Unreachable { instance },
                    Err(error) => {
                        tracing::warn!(instance = name, %error, "the socket to the media engine failed");
                        tokio::time::sleep(LOOK_UP_AGAIN).await;
                        break;
                    }
                },
                () = went_down.notified(), if is_name => break,
            };
            if tell.send(heard).await.is_err() {
                return;
            }
        }
    }
}

async fn connect(name: &str) -> io::Result<UdpSocket> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for remote in tokio::net::lookup_host(name).await? {
        let local: SocketAddr = match remote.is_ipv4() {
            true => (Ipv4Addr::UNSPECIFIED, 0).into(),
            false => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(local).await?;
        match socket.connect(remote).await {
            Ok(()) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
#[path = "rtpengine_tests.rs"]
mod tests;
