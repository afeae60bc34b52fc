//! The test kit's node: a role with its YAML and its script, on the simulated network instead of sockets.
//!
//! The same configuration, the same `engine::Shard`, the same script adapter as in the daemon; virtual time, a virtual
//! wire and a seed around them. One thread, nothing waits.

mod accounts;
mod beside;
mod capture;
mod replay;
mod watch;

use crate::app::config::auth::{Auth, User};
use crate::app::config::{self, Loaded, Process};
use crate::app::sip::scripting::{self, Scripted};
use crate::app::sip::{SipRole, media, node};
use crate::app::{cli, logging};
use crate::base::flow::Transport;
use crate::base::rng::Rng;
use crate::base::text::Text;
use crate::base::time::{Duration, Instant};
use crate::driver::EventSink;
use crate::driver::event_stream;
use crate::driver::start::Listen;
use crate::engine::Node;
use crate::engine::node::Logins;
use crate::observe::log::{EventLog, Format, Level, Logger};
use crate::observe::metrics::Metrics;
use crate::observe::{Observer, Observers};
use crate::policy::Policy;
use crate::proto::media::Settings as MediaSettings;
use crate::proto::proxy::own::{Domain, OwnAddresses};
use crate::script::{
    ApartMode, BindingWatcher, Rates, Script, ScriptNode, ScriptPolicy, ScriptSettings, ScriptSource,
};
use crate::sim::wire::VirtualClock;
use crate::sim::{Blueprint, HostId, Net};
use beside::Beside;
use capture::Lines;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use watch::Watcher;

pub use replay::{Replay, ReplayPlan, Verdict, What};
pub use watch::Decision;

/// Where a node listens on the virtual wire when its YAML says "everywhere".
const EVERYWHERE: (IpAddr, IpAddr) =
    (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)));

/// Events that may wait for the observers: they are looked at after each turn.
const EVENTS_WAITING: usize = 65_536;

/// What a kit is made of.
pub struct KitPlan {
    /// The role's YAML.
    pub yaml: config::Text,
    /// The script, in place of what the YAML names.
    pub script: Option<ScriptSource>,
    /// Everything random follows from it.
    pub seed: u64,
    /// Shards, in place of what the YAML says. Without either: one.
    pub shards: Option<u8>,
    /// Where handlers run that wait; asked whenever a script is loaded for a new node.
    pub apart: MakeApart,
}

/// Makes the surroundings of a script, or says why it cannot.
pub type MakeApart = Box<dyn Fn() -> Result<ApartMode, String>>;

/// A network with one node of a role on it.
pub struct Kit {
    /// The network.
    pub net: Net,
    host: HostId,
    stage: Arc<Stage>,
    lines: Arc<Lines>,
    series: Arc<Metrics>,
    sockets: Vec<(Transport, SocketAddr)>,
    domains: Vec<Domain>,
    passwords: BTreeMap<String, String>,
    realm: String,
    events: EventSink,
    serial: u32,
    configure: Configure,
}

/// Takes over another configuration as a reload of the daemon does; what the accounts of that are.
type Configure = fn(&config::Text, &Stage) -> Result<BTreeMap<String, String>, String>;

/// What is on now: replaced when the node is built anew.
#[derive(Default)]
struct Stage {
    current: Mutex<Current>,
    domains: Mutex<Vec<Domain>>,
    decisions: Mutex<Vec<Decision>>,
    accounts: Mutex<BTreeMap<String, String>>,
    /// The accounts of the YAML.
    built_with: Mutex<Option<Arc<Logins>>>,
}

#[derive(Default)]
struct Current {
    node: Option<Arc<Node>>,
    script: Option<Arc<Script>>,
    fault: Option<String>,
    /// What a reload set, for a node that is built anew.
    source: Option<ScriptSource>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kit {
    /// Reads the YAML, builds the node, loads the script. The error is what the daemon would have said.
    pub fn start<R: SipRole>(plan: KitPlan) -> Result<Kit, String>
    where
        R::Config: 'static,
    {
        Kit::start_beside::<R>(plan, Beside::default())
    }

    fn start_beside<R: SipRole>(plan: KitPlan, mut beside: Beside) -> Result<Kit, String>
    where
        R::Config: 'static,
    {
        let loaded: Loaded<R::Config> =
            config::load(&plan.yaml, R::NAME, &Process).map_err(|problems| problems.to_string())?;
        let mut net = Net::seeded(plan.seed);
        let clock = net.wire().clock();
        let lines = Arc::new(Lines::default());
        let now = || {
            let clock = clock.clone();
            move || clock.now()
        };
        // A test reads what a script says, whatever an operator wants to read.
        let level = logging::level(R::shared(&loaded.config).log.level).max(Level::Info);
        let logger = Logger::new(level, Format::Json, now(), lines.clone());
        let series = Metrics::new(R::NAME, cli::version(), now()).map_err(|e| e.to_string())?;
        let stage = Arc::new(Stage::default());
        let bindings = BindingWatcher::default();
        let mut observers = Observers::default();
        observers.add(EventLog::new(logger.clone()));
        observers.add(bindings.clone());
        let (events, source) = event_stream(observers.classes(), EVENTS_WAITING);
        let watch = Watcher::new(series.clone(), observers, source, stage.clone());
        let listens = beside.place(R::blocks(&loaded.config).driver().listen);
        let domains = R::blocks(&loaded.config).domains();
        let realm = R::blocks(&loaded.config).realm.to_owned();
        let passwords = passwords(R::blocks(&loaded.config).auth);
        let written: Vec<_> = listens.iter().map(|l| (l.transport, on_the_wire(l.address))).collect();
        // Those beside the YAML come first: what leaves by no listener in particular leaves there.
        let sockets = [&beside.sockets[..], &written].concat();
        let address = sockets.first().map(|s| s.1).ok_or("no listener")?;
        let told = events.clone();
        let engines = R::blocks(&loaded.config).media.map(media::client);
        let maker = Maker::<R> {
            loaded,
            plan,
            listens,
            beside,
            stage: stage.clone(),
            logger,
            series,
            events,
            bindings,
            clock,
        };
        let series = maker.series.clone();
        let policies = stage.clone();
        let blueprint = Blueprint {
            name: R::NAME.to_owned(),
            address,
            listens: sockets.clone(),
            make_node: Box::new(move |now, life| maker.make(now, life)),
            make_policy: Box::new(move |shard, _| policies.policy(shard)),
            seam: None,
            watch: Some(Box::new(watch)),
        };
        let host = net.node_of(blueprint);
        if let Some(client) = engines {
            // Calls find out how the engines do: pings would be all that ever happens on a quiet network.
            net.media(host, MediaSettings { ping_every: None, ..client });
        }
        net.populate();
        let kit = Kit {
            net,
            host,
            stage,
            lines,
            series,
            sockets,
            domains,
            passwords,
            realm,
            events: told,
            serial: 0,
            configure: configure::<R>,
        };
        kit.fault()?;
        Ok(kit)
    }

    fn fault(&self) -> Result<(), String> {
        locked(&self.stage.current).fault.take().map_or(Ok(()), Err)
    }

    /// The node, on the network.
    pub fn host(&self) -> HostId {
        self.host
    }

    /// Where the node listens.
    pub fn sockets(&self) -> &[(Transport, SocketAddr)] {
        &self.sockets
    }

    /// The domains of the YAML.
    pub fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// The password of an account of the YAML, unless only its hash is there.
    pub fn password(&self, user: &str) -> Option<&str> {
        self.passwords.get(user).map(String::as_str)
    }

    /// What the shards share; `None` while the node is down.
    pub fn node(&self) -> Option<Arc<Node>> {
        locked(&self.stage.current).node.clone()
    }

    /// Loads the script again, from another place if one is given. A script that does not load leaves the running one.
    pub fn reload(&mut self, source: Option<ScriptSource>) -> Result<u64, String> {
        let mut current = locked(&self.stage.current);
        let script = current.script.clone().ok_or("the node is down")?;
        let before = script.source();
        if let Some(source) = source {
            script.set_source(source);
        }
        match script.reload() {
            Ok(number) => {
                current.source = Some(script.source());
                Ok(number)
            }
            Err(error) => {
                script.set_source(before);
                Err(error.to_string())
            }
        }
    }

    /// Takes over what the daemon takes over of another YAML while it runs, until the node starts anew. The error is what
    /// the daemon would have said.
    pub fn configure(&mut self, yaml: &config::Text) -> Result<(), String> {
        self.passwords = (self.configure)(yaml, &self.stage)?;
        Ok(())
    }

    /// The node dies and loses what it had in memory.
    pub fn stop(&mut self) {
        self.net.power(self.host, false);
        let mut current = locked(&self.stage.current);
        *current = Current { source: current.source.take(), ..Current::default() };
    }

    /// The node starts anew, with the same key and an empty memory.
    pub fn restart(&mut self) -> Result<(), String> {
        if self.node().is_some() {
            self.stop();
        }
        self.net.power(self.host, true);
        self.fault()
    }

    /// Domains of the node beside those of its YAML, in place of those given before.
    pub fn set_domains(&mut self, domains: Vec<Domain>) {
        if let Some(node) = self.node() {
            node.own.set_further_domains(domains.clone());
        }
        *locked(&self.stage.domains) = domains;
    }

    /// Log lines from the one numbered `first` on, each a JSON object.
    pub fn lines(&self, first: usize) -> Vec<String> {
        self.lines.from(first)
    }

    /// How many log lines there are.
    pub fn line_count(&self) -> usize {
        self.lines.count()
    }

    /// How many decisions there were.
    pub fn decision_count(&self) -> usize {
        locked(&self.stage.decisions).len()
    }

    /// What policy decided from decision `first` on.
    pub fn decisions(&self, first: usize) -> Vec<Decision> {
        locked(&self.stage.decisions).iter().skip(first).cloned().collect()
    }

    /// What was logged and not taken yet.
    fn take_lines(&self) -> Vec<String> {
        self.lines.take()
    }

    fn forget_decisions(&self) {
        locked(&self.stage.decisions).clear();
    }

    /// All metrics in Prometheus's text format.
    pub fn metrics(&self) -> Result<String, String> {
        self.series.text().map_err(|e| e.to_string())
    }
}

impl Stage {
    fn policy(&self, shard: u8) -> Box<dyn Policy> {
        match &locked(&self.current).script {
            // Whoever wakes a policy here runs on the same thread; the network asks each for its deadline.
            Some(script) => Box::new(ScriptPolicy::new(script, shard, Box::new(|| {}))),
            None => Box::new(watch::NoScript),
        }
    }
}

/// Makes the node, at the start and whenever it is built anew.
struct Maker<R: SipRole> {
    loaded: Loaded<R::Config>,
    plan: KitPlan,
    listens: Vec<Listen>,
    beside: Beside,
    stage: Arc<Stage>,
    logger: Arc<Logger>,
    series: Arc<Metrics>,
    events: EventSink,
    bindings: BindingWatcher,
    clock: VirtualClock,
}

impl<R: SipRole> Maker<R> {
    fn make(&self, now: Instant, life: u32) -> Arc<Node> {
        let mut blocks = R::blocks(&self.loaded.config);
        blocks.shards = self.plan.shards.or(blocks.shards).or(Some(1));
        let listens: Vec<Listen> =
            self.listens.iter().map(|l| Listen { address: with_port(l.address), ..*l }).collect();
        let interfaces = [EVERYWHERE.0, EVERYWHERE.1];
        let mut listeners = blocks.listeners(&listens);
        listeners.extend(self.beside.listeners());
        let own = OwnAddresses::new(listeners, blocks.domains(), &interfaces);
        own.set_further_domains(locked(&self.stage.domains).clone());
        let secret = node::secret(&blocks, &mut Rng::seeded(self.plan.seed));
        let mut node = node::shared(&blocks, own, secret, life, now);
        if let Some(node) = Arc::get_mut(&mut node).filter(|_| self.beside.trust_digest) {
            node.auth.trust_everybody();
        }
        *locked(&self.stage.built_with) = node.logins.load_full();
        self.stage.add_accounts(&node, blocks.realm);
        let (script, fault) = match self.script(&node) {
            Ok(script) => (Some(script), None),
            Err(fault) => (None, Some(fault)),
        };
        node::sources(&self.series, &node.registrar.location, &self.events);
        if let Some(script) = &script {
            scripting::source(&self.series, script);
        }
        let mut current = locked(&self.stage.current);
        (current.node, current.script, current.fault) = (Some(node.clone()), script, fault);
        node
    }

    fn settings(&self) -> Result<ScriptSettings, String> {
        let resolve = |path: &Path| self.loaded.resolve(path);
        let scripted = Scripted::of::<R>(&self.loaded.config, &resolve);
        let given = locked(&self.stage.current).source.clone().or_else(|| self.plan.script.clone());
        let settings = scripted.settings();
        Ok(ScriptSettings {
            source: given.unwrap_or_else(|| settings.source.clone()),
            seed: self.plan.seed,
            // However long a breakpoint holds it, it is not moved elsewhere.
            budget: Duration::MAX,
            apart: (self.plan.apart)()?,
            ..settings
        })
    }

    fn script(&self, node: &Arc<Node>) -> Result<Arc<Script>, String> {
        let clock = self.clock.clone();
        let services = ScriptNode {
            node: node.clone(),
            events: self.events.clone(),
            logger: self.logger.clone(),
            metrics: self.series.script(),
            clock: Arc::new(move || clock.now()),
            realm: Text::from(R::blocks(&self.loaded.config).realm),
            rates: Rates::default(),
            // Here the observers tell it.
            bindings: BindingWatcher::default(),
        };
        let script = Script::load(self.settings()?, Arc::new(services)).map_err(|e| e.to_string())?;
        self.bindings.watch_for(&script);
        Ok(script)
    }
}

fn configure<R: SipRole>(yaml: &config::Text, stage: &Stage) -> Result<BTreeMap<String, String>, String> {
    let loaded: Loaded<R::Config> =
        config::load(yaml, R::NAME, &Process).map_err(|problems| problems.to_string())?;
    let blocks = R::blocks(&loaded.config);
    let node = locked(&stage.current).node.clone().ok_or("the node is down")?;
    node::reload(&node, &blocks);
    *locked(&stage.built_with) = node.logins.load_full();
    stage.add_accounts(&node, blocks.realm);
    Ok(passwords(blocks.auth))
}

/// The accounts whose password is there.
fn passwords(auth: &Auth) -> BTreeMap<String, String> {
    let known = |(name, user): (&String, &User)| match user {
        User::Password(password) => Some((name.clone(), password.reveal().to_owned())),
        User::Hashes(_) => None,
    };
    auth.users.iter().filter_map(known).collect()
}

/// A listener's address on the virtual wire.
fn on_the_wire(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => EVERYWHERE.0,
        IpAddr::V6(_) => EVERYWHERE.1,
    };
    SocketAddr::new(ip, with_port(address).port())
}

/// Where the kernel would choose a port it is 5060.
fn with_port(mut address: SocketAddr) -> SocketAddr {
    if address.port() == 0 {
        address.set_port(5060);
    }
    address
}
