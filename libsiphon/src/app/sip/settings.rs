//! From the YAML blocks of a SIP role to the settings of its engine, registrar, authentication and sockets.

use crate::app::config::address::HostPort;
use crate::app::config::auth::{self, Auth, User};
use crate::app::config::b2bua::B2bua;
use crate::app::config::limits::{Limits, Overload};
use crate::app::config::listen::{Domain, Listen, Listener};
use crate::app::config::media::Media;
use crate::app::config::nat::Nat;
use crate::app::config::node::{Cache, Dns, Server};
use crate::app::config::registrar::{Path, Registrar};
use crate::app::config::script::Script;
use crate::app::config::transaction::Transaction;
use crate::base::flow::Transport;
use crate::base::text::Text;
use crate::base::time::Duration;
use crate::driver::overload::OverloadSettings;
use crate::driver::start::{DriverConfig, Listen as Bind};
use crate::engine::Settings;
use crate::engine::node::Logins;
use crate::net::NetSettings;
use crate::net::dns::DnsSettings;
use crate::proto::auth::{Algorithm, DigestSettings, StaticUsers, UriCheck, UserSecret};
use crate::proto::b2bua;
use crate::proto::proxy::own;
use crate::proto::registrar::{PathPolicy, PingMethod, PingSettings, RegistrarSettings};
use crate::proto::session::SessionTimerSettings;
use crate::proto::transaction::TimerSettings;
use crate::wire::sip;
use std::sync::Arc;

/// The realm of a configuration that names none: its first domain.
pub fn own_realm(domain: &Domain) -> &str {
    domain.local.first().map_or("localhost", |d| d.host.as_str())
}

/// The blocks a SIP role shares with the others of its kind.
#[derive(Clone, Copy, Debug)]
pub struct SipBlocks<'a> {
    /// `listen`
    pub listen: &'a Listen,
    /// `advertised_address`
    pub advertised: Option<&'a HostPort>,
    /// `domain`
    pub domain: &'a Domain,
    /// `script`
    pub script: &'a Script,
    /// `registrar`
    pub registrar: &'a Registrar,
    /// `auth`
    pub auth: &'a Auth,
    /// The realm of challenges whose script names none.
    pub realm: &'a str,
    /// `nat`
    pub nat: &'a Nat,
    /// `media`
    pub media: Option<&'a Media>,
    /// `transaction`
    pub transaction: &'a Transaction,
    /// `limits`
    pub limits: &'a Limits,
    /// `overload`
    pub overload: &'a Overload,
    /// `shards`
    pub shards: Option<u8>,
    /// `dns`
    pub dns: &'a Dns,
    /// `cache`
    pub cache: &'a [Cache],
    /// `server`
    pub server: &'a Server,
    /// `b2bua` and `session_timer`, where this role makes calls.
    pub b2bua: Option<B2bua>,
}

impl SipBlocks<'_> {
    /// The realm where `auth.realm` is not given.
    pub fn own_realm(&self) -> &str {
        own_realm(self.domain)
    }

    /// `shards`, or one per core.
    pub fn shard_count(&self) -> u8 {
        let cores = || std::thread::available_parallelism().map_or(1, |n| n.get().min(64));
        self.shards.unwrap_or_else(|| u8::try_from(cores()).unwrap_or(1)).max(1)
    }

    /// Settings of the shards.
    pub fn engine(&self) -> Settings {
        let timers =
            TimerSettings::new(self.transaction.t1_ms.0, self.transaction.t2_ms.0, self.transaction.t4_ms.0);
        Settings {
            b2bua: self.calls().map(Arc::new),
            timers: timers.with_trying_delay(self.transaction.auto_emit_100_trying_delay_ms.0),
            timer_c: self.transaction.timer_c_secs.0,
            policy_deadline: self.script.deadline_secs.0,
            limits: self.messages(),
            max_transactions: self.limits.transactions as usize,
            max_breadth: self.limits.branches,
            max_queued_questions: 16,
            // RFC 3261 18.1.1: within 200 bytes of the path MTU, or at 1300 when the MTU is the usual one.
            max_datagram: usize::from(self.listen.mtu).saturating_sub(200),
            server_header: self.server.server_header.clone(),
            pings: self.pings(),
            retry_after: self.retry_after(),
        }
    }

    /// What calls of two legs are configured with, where this role makes any.
    fn calls(&self) -> Option<b2bua::Settings> {
        let wanted = self.b2bua?;
        Some(b2bua::Settings {
            t1: self.transaction.t1_ms.0,
            t2: self.transaction.t2_ms.0,
            ack_wait: self.transaction.t1_ms.0.saturating_mul(64),
            host: self.own_realm().into(),
            preset: wanted.headers,
            refer: wanted.refer,
            session_timer: wanted.session_timer.map_or(SessionTimerSettings::OFF, |timer| timer.settings()),
            ..b2bua::Settings::default()
        })
    }

    fn pings(&self) -> Vec<PingSettings> {
        let (crlf, options) = (&self.nat.crlf_keepalive, &self.nat.keepalive);
        let ping = |method, interval: Duration, threshold| PingSettings {
            method,
            interval,
            failure_threshold: threshold,
            ..PingSettings::default()
        };
        let mut pings = Vec::new();
        if crlf.enabled {
            // Nobody answers them over UDP, so no number of them says that a phone is gone.
            pings.push(ping(PingMethod::Crlf, crlf.interval_secs.0, u32::MAX));
        }
        if options.enabled {
            pings.push(ping(PingMethod::Options, options.interval_secs.0, options.failure_threshold));
        }
        pings
    }

    fn messages(&self) -> sip::Limits {
        sip::Limits {
            message: self.limits.message_bytes.size(),
            header_section: self.limits.header_bytes.size(),
            headers: self.limits.headers as usize,
            uri: self.limits.uri_bytes.size(),
            body: self.limits.body_bytes.size(),
        }
    }

    fn retry_after(&self) -> (u32, u32) {
        (self.overload.retry_after_min_secs.whole(), self.overload.retry_after_max_secs.whole())
    }

    /// What the driver is started with.
    pub fn driver(&self) -> DriverConfig {
        let bind = |transport, list: &[Listener]| {
            list.iter().map(move |l| Bind { transport, address: l.address.0 }).collect::<Vec<_>>()
        };
        let mut listen = bind(Transport::Udp, &self.listen.udp);
        listen.extend(bind(Transport::Tcp, &self.listen.tcp));
        let net = NetSettings {
            max_connections: self.limits.connections as usize,
            max_connections_per_ip: self.limits.connections_per_address as usize,
            max_queued_octets: self.limits.send_queue_bytes.size(),
            idle_timeout: self.limits.connection_idle_secs.0,
            ..NetSettings::default()
        };
        let overload = OverloadSettings {
            target: self.overload.target_ms.0,
            interval: self.overload.interval_ms.0,
            retry_after: self.retry_after(),
            ..OverloadSettings::default()
        };
        DriverConfig {
            net,
            overload,
            limits: self.messages(),
            gather: self.server.gather_ms.0,
            server_header: self.server.server_header.clone(),
            ..DriverConfig::new(listen, self.shard_count())
        }
    }

    /// How names are looked up.
    pub fn resolver(&self) -> DnsSettings {
        DnsSettings {
            servers: self.dns.servers.iter().map(|server| server.0).collect(),
            timeout: self.dns.timeout_ms.0,
            ..DnsSettings::default()
        }
    }

    /// The listeners as peers know them; `bound` are the addresses in the order of [`driver`](Self::driver), with the
    /// ports that the kernel gave.
    pub fn listeners(&self, bound: &[Bind]) -> Vec<own::Listener> {
        let advertise = self.listen.udp.iter().chain(&self.listen.tcp).map(|l| l.advertise.as_ref());
        let named = |(bound, advertise): (&Bind, Option<&HostPort>)| {
            let name = advertise.or(self.advertised);
            let host = name.map_or_else(|| bound.address.ip().to_string(), |n| n.host.clone());
            own::Listener {
                transport: bound.transport,
                bound: bound.address,
                host: if host.contains(':') { format!("[{host}]") } else { host },
                port: name.and_then(|n| n.port).unwrap_or(bound.address.port()),
            }
        };
        bound.iter().zip(advertise).map(named).collect()
    }

    /// `domain.local`.
    pub fn domains(&self) -> Vec<own::Domain> {
        self.domain.local.iter().map(|d| own::Domain { host: d.host.clone(), port: d.port }).collect()
    }

    /// Settings of the registrar.
    pub fn registrar(&self) -> RegistrarSettings {
        RegistrarSettings {
            default_expires: self.registrar.default_expires.whole(),
            min_expires: self.registrar.min_expires.whole(),
            max_expires: self.registrar.max_expires.whole(),
            max_contacts: self.registrar.max_contacts as usize,
            enforce_auth_aor_match: self.registrar.enforce_auth_aor_match,
            path: match self.registrar.path {
                Path::Strict => PathPolicy::Strict,
                Path::Lenient => PathPolicy::Lenient,
            },
            service_routes: self.registrar.service_route.iter().map(|r| format!("<{r}>").into()).collect(),
            ..RegistrarSettings::default()
        }
    }

    /// `auth.algorithms`, strongest first: the order of challenges (RFC 8760 2.4).
    fn algorithms(&self) -> Vec<Algorithm> {
        let wanted = |a: &Algorithm| self.auth.algorithms.iter().any(|y| algorithm(*y) == *a);
        Algorithm::ALL.into_iter().filter(wanted).collect()
    }

    /// Settings of digest authentication.
    pub fn digest(&self) -> DigestSettings {
        DigestSettings {
            algorithms: self.algorithms(),
            offer_auth_int: self.auth.qop.contains(&auth::Qop::AuthInt),
            nonce_lifetime: self.auth.nonce_ttl_secs.0,
            // SIPp and some phones name the server where the Request-URI stands for (RFC 7616 3.4.6 lets a server
            // cope with that); the nonce count, not this check, is what stops a replay.
            uri_check: UriCheck::Off,
            ..DigestSettings::default()
        }
    }

    /// The user table for a node that offers these algorithms; `None` when it is empty.
    pub fn logins(&self, offered: &[Algorithm]) -> Option<Logins> {
        if self.auth.users.is_empty() {
            return None;
        }
        let secret =
            |(name, user): (&String, &User)| Some((Text::from(name.as_str()), secret(user, offered)?));
        let users = self.auth.users.iter().filter_map(secret);
        Some(Logins { realm: Text::from(self.realm), users: Box::new(StaticUsers::new(users)) })
    }
}

const fn algorithm(from: auth::Algorithm) -> Algorithm {
    match from {
        auth::Algorithm::Md5 => Algorithm::Md5,
        auth::Algorithm::Sha256 => Algorithm::Sha256,
        auth::Algorithm::Sha512_256 => Algorithm::Sha512_256,
    }
}

/// A user has one secret: the password, or the hash of the strongest algorithm that is offered.
fn secret(user: &User, offered: &[Algorithm]) -> Option<UserSecret> {
    let hashes = match user {
        User::Password(password) => return Some(UserSecret::Password(Text::from(password.reveal()))),
        User::Hashes(hashes) => hashes,
    };
    let all = [auth::Algorithm::Md5, auth::Algorithm::Sha256, auth::Algorithm::Sha512_256];
    offered.iter().find_map(|wanted| {
        let hash = all.iter().find(|a| algorithm(**a) == *wanted).and_then(|a| hashes.of(*a))?;
        Some(UserSecret::Ha1(*wanted, Text::from(hash.reveal())))
    })
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
