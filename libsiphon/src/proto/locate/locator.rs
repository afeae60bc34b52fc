//! The machine of RFC 3263 4: asks one lookup at a time and yields targets in the order to try them.
//!
//! Lookups are made only as far as they are needed: the second SRV target is looked up when the first one
//! failed. Weights of RFC 2782 are drawn with randomness that is passed in.

use super::{Host, Lookup, Naptr, Query, Reach, Records, Srv};
use crate::base::flow::Transport;
use crate::base::rng::Rng;
use crate::base::text::Text;
use smallvec::SmallVec;
use std::net::{IpAddr, SocketAddr};

/// What a [`Locator`] wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Ask DNS, feed the answer to [`Locator::answer`], call [`Locator::step`] again.
    Ask(Lookup),
    /// Try this target; when it fails, call [`Locator::step`] again (RFC 3263 4.3).
    Try {
        /// Transport protocol.
        transport: Transport,
        /// The address.
        remote: SocketAddr,
    },
    /// There is no further target. When none was tried either: no such host.
    Exhausted,
}

/// Something that may still lead to a target. The next one is the last of the list.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Lead {
    Naptr,
    Srv {
        transport: Transport,
        name: Option<Text>,
    },
    Address {
        transport: Transport,
        name: Text,
        port: u16,
    },
    /// The host itself, when there were no SRV records at all (RFC 3263 4.2).
    HostWithoutSrv,
    Target {
        transport: Transport,
        remote: SocketAddr,
        stream_tried: bool,
    },
}

impl Lead {
    fn target(transport: Transport, ip: IpAddr, port: u16) -> Lead {
        Lead::Target { transport, remote: SocketAddr::new(ip, port), stream_tried: false }
    }
}

//   NAPTR --usable--> SRV of each service, by order and preference
//   NAPTR --none----> SRV of each transport spoken here
//   SRV --records--> A/AAAA of each record, by priority and weight;   no SRV at all --> A/AAAA of the host
/// Yields the targets of one [`Query`].
#[derive(Clone, Debug)]
pub struct Locator {
    host: Text,
    reach: Reach,
    /// Transport of the query, for the host without SRV records.
    transport: Option<Transport>,
    /// The request is too large for UDP (RFC 3261 18.1.1).
    oversize: bool,
    srv_found: bool,
    lookups: u8,
    targets: u8,
    leads: SmallVec<[Lead; 1]>,
}

/// Most lookups and most targets of one query. Beyond either the query counts as exhausted, so that no zone can keep
/// a transaction busy.
const LIMIT: u8 = 32;

/// RFC 3261 19.1.2.
const DEFAULT_PORT: u16 = 5060;

impl Locator {
    /// Starts on `query`. `oversize` puts TCP in front of every UDP target (RFC 3261 18.1.1), and keeps UDP as what
    /// to fall back on when no connection comes about.
    pub fn new(query: Query, reach: Reach, oversize: bool) -> Locator {
        let Query { host, port, transport } = query;
        let mut leads = SmallVec::new();
        let host = match (host, port, transport) {
            (Host::Ip(ip), port, transport) => {
                let transport = transport.unwrap_or_else(|| default_transport(reach, ip));
                leads.push(Lead::target(transport, ip, port.unwrap_or(DEFAULT_PORT)));
                no_name()
            }
            (Host::Name(name), Some(port), transport) => {
                let transport = transport.unwrap_or_else(|| usual_transport(reach));
                leads.push(Lead::Address { transport, name, port });
                no_name()
            }
            (Host::Name(name), None, Some(transport)) => {
                leads.push(Lead::HostWithoutSrv);
                leads.push(Lead::Srv { transport, name: None });
                name
            }
            (Host::Name(name), None, None) => {
                leads.push(Lead::HostWithoutSrv);
                leads.push(Lead::Naptr);
                name
            }
        };
        Locator { host, reach, transport, oversize, srv_found: false, lookups: 0, targets: 0, leads }
    }

    /// What to do next.
    pub fn step(&mut self) -> Step {
        while let Some(lead) = self.leads.pop() {
            match lead {
                Lead::Target { transport, remote, .. } if !self.reach.covers(transport, remote.ip()) => {}
                Lead::Target { transport, remote, stream_tried } => {
                    return self.try_target(transport, remote, stream_tried);
                }
                Lead::HostWithoutSrv if self.srv_found => {}
                Lead::HostWithoutSrv => {
                    let transport = self.transport.unwrap_or_else(|| usual_transport(self.reach));
                    let name = self.host.clone();
                    self.leads.push(Lead::Address { transport, name, port: DEFAULT_PORT });
                }
                Lead::Srv { transport, .. } | Lead::Address { transport, .. }
                    if !self.reach.speaks(transport) => {}
                lead => {
                    if self.lookups >= LIMIT {
                        break;
                    }
                    self.lookups = self.lookups.saturating_add(1);
                    let lookup = self.lookup(&lead);
                    // It stays last in the list: the answer is to this one.
                    self.leads.push(lead);
                    return Step::Ask(lookup);
                }
            }
        }
        self.leads.clear();
        Step::Exhausted
    }

    /// Takes the answer to the last [`Step::Ask`]. An answer to another kind of question counts as empty.
    pub fn answer(&mut self, records: Records, random: u64) {
        match (self.leads.pop(), records) {
            (Some(Lead::Naptr), Records::Naptr(records)) => self.services(records),
            (Some(Lead::Naptr), _) => self.services(Vec::new()),
            (Some(Lead::Srv { transport, .. }), Records::Srv(records)) => {
                self.servers(transport, records, random)
            }
            (Some(Lead::Address { transport, port, .. }), Records::Addresses(ips)) => {
                for ip in ips.into_iter().take(LIMIT.into()).rev() {
                    self.leads.push(Lead::target(transport, ip, port));
                }
            }
            (Some(Lead::Srv { .. } | Lead::Address { .. }) | None, _) => {}
            // Not asked about: it stays.
            (Some(other), _) => self.leads.push(other),
        }
    }

    fn try_target(&mut self, transport: Transport, remote: SocketAddr, stream_tried: bool) -> Step {
        if self.targets >= LIMIT {
            self.leads.clear();
            return Step::Exhausted;
        }
        self.targets = self.targets.saturating_add(1);
        let switch = self.oversize && !stream_tried && transport == Transport::Udp;
        if switch && self.reach.covers(Transport::Tcp, remote.ip()) {
            // When no connection comes about, the datagram is sent after all.
            self.leads.push(Lead::Target { transport, remote, stream_tried: true });
            return Step::Try { transport: Transport::Tcp, remote };
        }
        Step::Try { transport, remote }
    }

    fn lookup(&self, lead: &Lead) -> Lookup {
        match lead {
            Lead::Srv { name: Some(name), .. } => Lookup::Srv(name.clone()),
            Lead::Srv { transport, name: None } => {
                Lookup::Srv(format!("_sip._{}.{}", transport.uri_token(), self.host).into())
            }
            Lead::Address { name, .. } => Lookup::Addresses(name.clone()),
            Lead::Naptr | Lead::HostWithoutSrv | Lead::Target { .. } => Lookup::Naptr(self.host.clone()),
        }
    }

    /// RFC 3263 4.1: the services this node speaks, the domain's favourite first. Without any usable record every
    /// transport spoken here is asked for.
    fn services(&mut self, mut records: Vec<Naptr>) {
        records.retain(|r| r.flags.eq_ignore_ascii_case("s") && !r.replacement.is_empty());
        records.sort_by_key(|r| (r.order, r.preference));
        records.truncate(LIMIT.into());
        let usable: SmallVec<[Lead; 4]> = records
            .iter()
            .filter_map(|r| {
                let transport = service_transport(&r.service).filter(|t| self.reach.speaks(*t))?;
                Some(Lead::Srv { transport, name: Some(host_name(&r.replacement)) })
            })
            .collect();
        if usable.is_empty() {
            self.leads.push(Lead::Srv { transport: Transport::Tcp, name: None });
            self.leads.push(Lead::Srv { transport: Transport::Udp, name: None });
        } else {
            self.leads.extend(usable.into_iter().rev());
        }
    }

    /// RFC 2782: by priority, and by chance in proportion to weight among equal priority.
    fn servers(&mut self, transport: Transport, mut records: Vec<Srv>, random: u64) {
        self.srv_found |= !records.is_empty();
        // A target of "." says that the service is not offered.
        records.retain(|r| !r.target.is_empty() && &*r.target != "." && r.port != 0);
        // Zero weights first, as RFC 2782 has it, so that they are drawn with a very small chance.
        records.sort_by_key(|r| (r.priority, r.weight));
        records.truncate(LIMIT.into());
        let mut rng = Rng::seeded(random);
        let mut ordered: SmallVec<[Lead; 4]> = SmallVec::new();
        while let Some(priority) = records.first().map(|r| r.priority) {
            let group = records.iter().take_while(|r| r.priority == priority);
            let total: u64 = group.clone().map(|r| u64::from(r.weight)).sum();
            let drawn = rng.below(total.saturating_add(1));
            let mut sum = 0u64;
            let chosen = group
                .map(|r| {
                    sum = sum.saturating_add(r.weight.into());
                    sum
                })
                .position(|sum| sum >= drawn)
                .unwrap_or(0);
            let record = records.remove(chosen);
            ordered.push(match record.target.parse::<IpAddr>() {
                // No host name, but seen in zones.
                Ok(ip) => Lead::target(transport, ip, record.port),
                Err(_) => Lead::Address { transport, name: host_name(&record.target), port: record.port },
            });
        }
        self.leads.extend(ordered.into_iter().rev());
    }
}

fn no_name() -> Text {
    Text::default()
}

fn host_name(name: &Text) -> Text {
    name.strip_suffix('.').map_or_else(|| name.clone(), Text::from)
}

fn service_transport(service: &str) -> Option<Transport> {
    // SIPS+D2T and the like need TLS.
    if service.eq_ignore_ascii_case("SIP+D2U") {
        Some(Transport::Udp)
    } else if service.eq_ignore_ascii_case("SIP+D2T") {
        Some(Transport::Tcp)
    } else {
        None
    }
}

/// UDP for sip (RFC 3263 4.1), unless this node has none.
fn usual_transport(reach: Reach) -> Transport {
    if reach.speaks(Transport::Udp) { Transport::Udp } else { Transport::Tcp }
}

fn default_transport(reach: Reach, ip: IpAddr) -> Transport {
    if reach.covers(Transport::Udp, ip) { Transport::Udp } else { Transport::Tcp }
}

#[cfg(test)]
#[path = "locator_tests.rs"]
mod tests;
