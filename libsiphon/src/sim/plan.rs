//! How a simulated node is set up: addresses, domain, shards, settings, policy.

use crate::base::flow::Transport;
use crate::base::text::Text;
use crate::base::time::Instant;
use crate::base::token::Secret;
use crate::engine::node::Logins;
use crate::engine::{Node, Settings};
use crate::policy::{Decision, Policy, QuestionKind, Verdict};
use crate::proto::auth::{Authenticator, DigestSettings, StaticUsers, UserSecret};
use crate::proto::proxy::own::{Domain, Listener, OwnAddresses};
use crate::proto::registrar::{Location, Registrar, RegistrarSettings};
use crate::sim::node::Blueprint;
use crate::sim::script::{Answer, Handler, ScriptedPolicy};
use crate::sim::seam::Seam;
use std::net::SocketAddr;
use std::sync::Arc;

/// Makes the handler of one shard.
pub type MakeHandler = Box<dyn FnMut(&Arc<Node>) -> Handler>;

/// A node to build. Made with defaults; change the fields that matter.
pub struct NodePlan {
    /// Its name in ladders.
    pub name: String,
    /// Where it listens, over UDP and TCP.
    pub address: SocketAddr,
    /// Further addresses, of the other family say, over UDP and TCP. Default none.
    pub also: Vec<SocketAddr>,
    /// How many shards it has. Default 1.
    pub shards: u8,
    /// The domains it serves. Default `example.com`.
    pub domains: Vec<String>,
    /// Who may log in, with the password `secret`; nobody is asked when it is empty.
    pub users: Vec<String>,
    /// Settings of its engine.
    pub settings: Settings,
    /// Settings of its registrar. Default: with a store.
    pub registrar: RegistrarSettings,
    /// Its policy. Default: what the role does without a script.
    pub handler: MakeHandler,
    /// What sits between driver and shards, for planting faults.
    pub seam: Option<Box<dyn Seam>>,
}

impl NodePlan {
    /// A proxy and registrar for `example.com` at `address`, which must be an IP address with a port.
    ///
    /// # Panics
    /// When `address` is none.
    pub fn new(name: &str, address: &str) -> Self {
        NodePlan {
            name: name.to_owned(),
            address: address.parse().expect("an IP address with a port"),
            also: Vec::new(),
            shards: 1,
            domains: vec!["example.com".to_owned()],
            users: Vec::new(),
            settings: Settings::default(),
            registrar: RegistrarSettings { commit: true, ..RegistrarSettings::default() },
            handler: Box::new(|_| Box::new(|question, _| Answer::now(role_procedure(&question.kind)))),
            seam: None,
        }
    }

    /// With this policy: `make` is called for each shard, and again when the node is built anew.
    pub fn with_handler(mut self, make: impl FnMut(&Arc<Node>) -> Handler + 'static) -> Self {
        self.handler = Box::new(make);
        self
    }

    pub(crate) fn blueprint(self) -> Blueprint {
        let NodePlan { name, address, also, shards, domains, users, settings, registrar, mut handler, seam } =
            self;
        let both = |at: SocketAddr| [(Transport::Udp, at), (Transport::Tcp, at)];
        let listens: Vec<_> = also.into_iter().flat_map(both).collect();
        let all: Vec<_> = both(address).into_iter().chain(listens.iter().copied()).collect();
        let make_node = move |now: Instant, life: u32| {
            let listener = |(transport, bound): &(Transport, SocketAddr)| Listener {
                transport: *transport,
                bound: *bound,
                host: match bound {
                    SocketAddr::V4(a) => a.ip().to_string(),
                    SocketAddr::V6(a) => format!("[{}]", a.ip()),
                },
                port: bound.port(),
            };
            let domains = domains.iter().filter_map(|d| Domain::parse(d)).collect();
            let own = OwnAddresses::new(all.iter().map(listener).collect(), domains, &[]);
            // The secret outlives a restart, as a cluster's key does; the epoch does not.
            let secret = Secret::new(0x5eed, u64::from(address.port()));
            let location = Arc::new(Location::new(&secret, 4, 100_000, now));
            let registrar = Registrar::new(registrar.clone(), location, &secret);
            let auth = Authenticator::new(DigestSettings::default(), secret.derive("digest"));
            let node = Node::new(shards, secret, life, own, registrar, auth, settings.clone());
            if !users.is_empty() {
                let known = users
                    .iter()
                    .map(|u| (Text::from(u.as_str()), UserSecret::Password(Text::from("secret"))));
                let users = Box::new(StaticUsers::new(known));
                node.logins.store(Some(Arc::new(Logins { realm: Text::from("example.com"), users })));
            }
            Arc::new(node)
        };
        let make_policy = move |shard: u8, node: &Arc<Node>| -> Box<dyn Policy> {
            Box::new(ScriptedPolicy::new(node, shard, handler(node)))
        };
        Blueprint {
            name,
            address,
            listens,
            make_node: Box::new(make_node),
            make_policy: Box::new(make_policy),
            seam,
            watch: None,
        }
    }
}

/// What to answer when no script decides.
pub fn role_procedure(kind: &QuestionKind) -> Verdict {
    match kind {
        QuestionKind::Request => Verdict::of(Decision::RoleProcedure),
        _ => Verdict::default(),
    }
}
