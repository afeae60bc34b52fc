//! hickory-resolver's answers as the locator's records.

use super::{DnsSettings, MAX_RECORDS, nothing};
use crate::base::text::Text;
use crate::base::time::Duration;
use crate::proto::locate::{Lookup, Naptr, Records, Srv};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use std::net::SocketAddr;
use std::time::Instant;

/// The resolver of these settings. Its own cache stays empty: ours also coalesces and knows of failures.
pub(super) fn resolver(settings: &DnsSettings) -> Result<TokioResolver, NetError> {
    let mut builder = if settings.servers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let servers = settings.servers.iter().map(server).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    options.cache_size = 0;
    options.attempts = settings.attempts;
    options.timeout = settings.timeout / u32::try_from(settings.attempts.max(1)).unwrap_or(1);
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    builder.build()
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

/// Asks, and says how long the answer is good for.
pub(super) async fn look_up(
    resolver: &TokioResolver,
    lookup: &Lookup,
    settings: &DnsSettings,
) -> (Records, Duration) {
    match ask(resolver, lookup).await {
        Ok((records, until)) => (records, until.saturating_duration_since(Instant::now())),
        Err(error) => (nothing(lookup), ttl_of(&error, settings)),
    }
}

async fn ask(resolver: &TokioResolver, lookup: &Lookup) -> Result<(Records, Instant), NetError> {
    match lookup {
        Lookup::Naptr(name) => {
            let answer = resolver.lookup(whole(name)?, RecordType::NAPTR).await?;
            let records = answer.answers().iter().filter_map(|record| naptr(&record.data));
            Ok((Records::Naptr(records.take(MAX_RECORDS).collect()), answer.valid_until()))
        }
        Lookup::Srv(name) => {
            let answer = resolver.lookup(whole(name)?, RecordType::SRV).await?;
            let records = answer.answers().iter().filter_map(|record| srv(&record.data));
            Ok((Records::Srv(records.take(MAX_RECORDS).collect()), answer.valid_until()))
        }
        Lookup::Addresses(name) => {
            // A host may be a name that the search list completes, as containers use them.
            let answer = resolver.lookup_ip(&**name).await?;
            Ok((Records::Addresses(answer.iter().take(MAX_RECORDS).collect()), answer.valid_until()))
        }
    }
}

/// A domain is never completed from the search list (RFC 3263 4).
fn whole(name: &str) -> Result<Name, NetError> {
    let mut name = Name::from_ascii(name)?;
    name.set_fqdn(true);
    Ok(name)
}

fn naptr(data: &RData) -> Option<Naptr> {
    let RData::NAPTR(naptr) = data else { return None };
    Some(Naptr {
        order: naptr.order,
        preference: naptr.preference,
        flags: std::str::from_utf8(&naptr.flags).ok()?.into(),
        service: std::str::from_utf8(&naptr.services).ok()?.into(),
        replacement: host(&naptr.replacement),
    })
}

fn srv(data: &RData) -> Option<Srv> {
    let RData::SRV(srv) = data else { return None };
    Some(Srv { priority: srv.priority, weight: srv.weight, port: srv.port, target: host(&srv.target) })
}

/// Without the final dot; the root stays `.`, which RFC 2782 uses for "not offered here".
fn host(name: &Name) -> Text {
    let text = name.to_ascii();
    match text.strip_suffix('.') {
        Some("") | None => text.into(),
        Some(host) => host.into(),
    }
}

/// How long a failed lookup is remembered: "no such record" as long as its zone says (RFC 2308 5), within our
/// limit; anything else briefly.
fn ttl_of(error: &NetError, settings: &DnsSettings) -> Duration {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            let said = none.negative_ttl.map(|secs| Duration::from_secs(u64::from(secs)));
            said.unwrap_or(settings.negative_ttl).min(settings.negative_ttl)
        }
        _ => settings.failure_ttl,
    }
}
