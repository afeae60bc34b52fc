//! What a test puts into the node beside its YAML: accounts and bindings.

use super::{Kit, Stage, locked};
use crate::base::flow::{Flow, Transport};
use crate::base::text::Text;
use crate::engine::Node;
use crate::engine::node::Logins;
use crate::event::{Event, Kind};
use crate::proto::auth::{Algorithm, Credentials, HexDigest, StaticUsers, UserSecret};
use crate::proto::registrar::{Change, Registration};
use crate::wire::sip::{Message, Uri};
use std::net::SocketAddr;
use std::sync::Arc;

/// The accounts of a test, then those of the YAML.
struct Accounts {
    given: StaticUsers,
    rest: Option<Arc<Logins>>,
}

impl Credentials for Accounts {
    fn ha1(&self, user: &str, realm: &str, algorithm: Algorithm) -> Option<HexDigest> {
        let rest = || self.rest.as_ref()?.users.ha1(user, realm, algorithm);
        self.given.ha1(user, realm, algorithm).or_else(rest)
    }

    fn supports(&self, algorithm: Algorithm) -> bool {
        self.rest.as_ref().is_none_or(|rest| rest.users.supports(algorithm))
    }
}

impl Stage {
    /// Gives `node` the accounts of the test, in front of those it was built with.
    pub(super) fn add_accounts(&self, node: &Node, realm: &str) {
        let given = locked(&self.accounts);
        if given.is_empty() {
            return;
        }
        let secret = |(user, password): (&String, &String)| {
            (Text::from(user.as_str()), UserSecret::Password(Text::from(password.as_str())))
        };
        let users = Accounts {
            given: StaticUsers::new(given.iter().map(secret)),
            rest: locked(&self.built_with).clone(),
        };
        node.logins.store(Some(Arc::new(Logins { realm: Text::from(realm), users: Box::new(users) })));
    }
}

impl Kit {
    /// From now on `user` may log in with this password, whatever the YAML says.
    pub fn add_account(&mut self, user: &str, password: &str) {
        locked(&self.stage.accounts).insert(user.to_owned(), password.to_owned());
        if let Some(node) = self.node() {
            self.stage.add_accounts(&node, &self.realm);
        }
    }

    /// Enters a binding as a REGISTER would, without asking the script. The error is what the registrar answers.
    pub fn bind(&mut self, aor: &str, contact: &str, q: f64, expires: u32) -> Result<(), String> {
        let (now, node) = (self.net.now(), self.node().ok_or("the node is down")?);
        self.serial += 1;
        let text = format!(
            "REGISTER {aor} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-bind-{n}\r\nMax-Forwards: 70\r\n\
             From: <{aor}>;tag=bind\r\nTo: <{aor}>\r\nCall-ID: bind-{n}\r\nCSeq: {n} REGISTER\r\n\
             Contact: <{contact}>;q={q:.3};expires={expires}\r\nContent-Length: 0\r\n\r\n",
            n = self.serial
        );
        let request = Message::parse(text.as_bytes(), &node.settings().limits)
            .map_err(|refused| format!("no REGISTER can be made of that: {:?}", refused.fault))?;
        let uri = Uri::parse(contact).map_err(|_| format!("{contact:?} is no SIP URI"))?;
        let port = uri.port().unwrap_or(5060);
        let remote =
            uri.host_ip().map_or_else(|| SocketAddr::from(([192, 0, 2, 1], port)), |ip| (ip, port).into());
        let (_, local) = *self.sockets.first().ok_or("no listener")?;
        let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
        let outcome = node.registrar.process(&Registration::new(&request, &flow), now);
        self.tell(&node, outcome.changes);
        match outcome.reply.code {
            200..300 => Ok(()),
            code => Err(format!("the registrar answers {code}")),
        }
    }

    /// Removes the bindings of an address of record; how many there were.
    pub fn unbind(&mut self, aor: &str) -> usize {
        let (Some(node), Ok(uri)) = (self.node(), Uri::parse(aor)) else { return 0 };
        let changes = node.registrar.location.remove(&uri.canonical_aor().into(), self.net.now());
        let removed = changes.len();
        self.tell(&node, changes);
        removed
    }

    fn tell(&self, node: &Node, changes: Vec<Change>) {
        let now = self.net.now();
        node.keepalive.observe(&changes, now);
        let event = |change: Change| {
            let kind = Kind::Binding {
                aor: change.aor,
                contact: change.binding.uri,
                change: change.kind,
                call_id: change.binding.call_id,
            };
            Event { at: now, shard: 0, kind }
        };
        self.events.push_all(&mut changes.into_iter().map(event).collect());
    }
}
