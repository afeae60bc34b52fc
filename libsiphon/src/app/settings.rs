//! From the YAML's blocks to the settings of engine, driver, registrar and digest. Nothing is decided here.

use crate::base::flow::Transport;
use crate::base::text::Text;
use crate::driver::overload::OverloadSettings;
use crate::driver::start::Listen as Address;
use crate::engine::Settings;
use crate::net::NetSettings;
use crate::proto::auth::{Algorithm, DigestSettings, StaticUsers, UserSecret};
use crate::proto::proxy::own::{Domain, Listener};
use crate::proto::registrar::RegistrarSettings;
use crate::proto::transaction::TimerSettings;
use crate::wire::sip;

use super::config::address::HostPort;
use super::config::auth::{self as yaml, Auth, Qop, User};
use super::config::limits::{Limits, Overload};
use super::config::listen::{self, Listen};
use super::config::node::Server;
use super::config::registrar::Registrar;
use super::config::script::Script;
use super::config::transaction::Transaction;

/// A request this much smaller than the path MTU still goes over UDP (RFC 3261 18.1.1).
const MTU_MARGIN: u16 = 200;

/// The blocks that make the engine's settings.
#[derive(Clone, Copy, Debug)]
pub struct EngineBlocks<'a> {
    /// Timers.
    pub transaction: &'a Transaction,
    /// Bounds.
    pub limits: &'a Limits,
    /// Retry-After.
    pub overload: &'a Overload,
    /// The deadline of a handler.
    pub script: &'a Script,
    /// The Server header field.
    pub server: &'a Server,
    /// The path MTU.
    pub listen: &'a Listen,
}

/// Settings of the engine.
pub fn engine(blocks: EngineBlocks<'_>) -> Settings {
    let EngineBlocks { transaction, limits, overload, script, server, listen } = blocks;
    let timers = TimerSettings::new(transaction.t1_ms.0, transaction.t2_ms.0, transaction.t4_ms.0);
    Settings {
        timers: timers.with_trying_delay(transaction.auto_emit_100_trying_delay_ms.0),
        timer_c: transaction.timer_c_secs.0,
        policy_deadline: script.deadline_secs.0,
        limits: message_limits(limits),
        max_transactions: usize::try_from(limits.transactions).unwrap_or(usize::MAX),
        max_breadth: limits.branches,
        max_datagram: usize::from(listen.mtu.saturating_sub(MTU_MARGIN)),
        server_header: server.server_header.clone(),
        retry_after: retry_after(overload),
        ..Settings::default()
    }
}

/// Limits of a message.
pub fn message_limits(limits: &Limits) -> sip::Limits {
    sip::Limits {
        message: limits.message_bytes.size(),
        header_section: limits.header_bytes.size(),
        headers: usize::try_from(limits.headers).unwrap_or(usize::MAX),
        uri: limits.uri_bytes.size(),
        body: limits.body_bytes.size(),
    }
}

/// Settings of the sockets.
pub fn net(limits: &Limits) -> NetSettings {
    let count = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    NetSettings {
        max_connections: count(limits.connections),
        max_connections_per_ip: count(limits.connections_per_address),
        max_queued_octets: limits.send_queue_bytes.size(),
        idle_timeout: limits.connection_idle_secs.0,
        ..NetSettings::default()
    }
}

/// When new work is turned away.
pub fn overload(overload: &Overload) -> OverloadSettings {
    OverloadSettings {
        target: overload.target_ms.0,
        interval: overload.interval_ms.0,
        retry_after: retry_after(overload),
        ..OverloadSettings::default()
    }
}

fn retry_after(overload: &Overload) -> (u32, u32) {
    (overload.retry_after_min_secs.whole(), overload.retry_after_max_secs.whole())
}

/// Addresses to listen on, in the order of [`listeners`].
pub fn addresses(listen: &Listen) -> Vec<Address> {
    each(listen).map(|(transport, l)| Address { transport, address: l.address.0 }).collect()
}

/// The listeners as peers are told to reach them, once `bound` says which ports the kernel gave. `bound` is in
/// the order of [`addresses`].
pub fn listeners(listen: &Listen, advertised: Option<&HostPort>, bound: &[Address]) -> Vec<Listener> {
    let listener = |((transport, entry), bound): ((Transport, &listen::Listener), &Address)| {
        let address = bound.address;
        let told = entry.advertise.as_ref().or(advertised);
        let own = || address.ip().to_string();
        let host = told.map_or_else(own, |t| t.host.clone());
        Listener {
            transport,
            bound: address,
            host: if host.contains(':') { format!("[{host}]") } else { host },
            port: told.and_then(|t| t.port).unwrap_or(address.port()),
        }
    };
    each(listen).zip(bound).map(listener).collect()
}

fn each(listen: &Listen) -> impl Iterator<Item = (Transport, &listen::Listener)> {
    let udp = listen.udp.iter().map(|l| (Transport::Udp, l));
    udp.chain(listen.tcp.iter().map(|l| (Transport::Tcp, l)))
}

/// The domains this node is responsible for.
pub fn domains(domain: &listen::Domain) -> Vec<Domain> {
    domain.local.iter().map(|d| Domain { host: d.host.clone(), port: d.port }).collect()
}

/// Settings of the registrar.
pub fn registrar(registrar: &Registrar) -> RegistrarSettings {
    RegistrarSettings {
        default_expires: registrar.default_expires.whole(),
        min_expires: registrar.min_expires.whole(),
        max_expires: registrar.max_expires.whole(),
        max_contacts: usize::try_from(registrar.max_contacts).unwrap_or(usize::MAX),
        enforce_auth_aor_match: registrar.enforce_auth_aor_match,
        ..RegistrarSettings::default()
    }
}

/// Settings of digest authentication.
pub fn digest(auth: &Auth) -> DigestSettings {
    // Strongest first: the order of RFC 8760 2.4.
    let offered = |a: &Algorithm| auth.algorithms.iter().any(|y| algorithm(*y) == *a);
    DigestSettings {
        algorithms: Algorithm::ALL.into_iter().filter(offered).collect(),
        offer_auth_int: auth.qop.contains(&Qop::AuthInt),
        nonce_lifetime: auth.nonce_ttl_secs.0,
        ..DigestSettings::default()
    }
}

/// The users of the `static` backend. Of several hashes the strongest that is offered counts.
pub fn users(auth: &Auth) -> StaticUsers {
    let offered = digest(auth).algorithms;
    let secret = |user: &User| match user {
        User::Password(password) => Some(UserSecret::Password(password.reveal().into())),
        User::Hashes(hashes) => offered.iter().find_map(|a| {
            let hash = ALGORITHMS.iter().find(|(_, own)| own == a).and_then(|(yaml, _)| hashes.of(*yaml))?;
            Some(UserSecret::Ha1(*a, hash.reveal().into()))
        }),
    };
    StaticUsers::new(
        auth.users.iter().filter_map(|(name, user)| Some((Text::from(name.as_str()), secret(user)?))),
    )
}

const ALGORITHMS: [(yaml::Algorithm, Algorithm); 3] = [
    (yaml::Algorithm::Md5, Algorithm::Md5),
    (yaml::Algorithm::Sha256, Algorithm::Sha256),
    (yaml::Algorithm::Sha512_256, Algorithm::Sha512_256),
];

fn algorithm(algorithm: yaml::Algorithm) -> Algorithm {
    match algorithm {
        yaml::Algorithm::Md5 => Algorithm::Md5,
        yaml::Algorithm::Sha256 => Algorithm::Sha256,
        yaml::Algorithm::Sha512_256 => Algorithm::Sha512_256,
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
