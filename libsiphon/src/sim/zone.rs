//! The DNS of a simulated network, at record level (RFC 3263 4): what is there, what fails, what is slow.

use crate::base::text::Text;
use crate::base::time::Duration;
use crate::proto::locate::{Lookup, Naptr, Records, Srv};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// Records by name. What is not there does not exist: the answer is empty.
#[derive(Debug, Default)]
pub struct Zone {
    naptr: BTreeMap<String, Vec<Naptr>>,
    srv: BTreeMap<String, Vec<Srv>>,
    addresses: BTreeMap<String, Vec<IpAddr>>,
    /// Names whose lookups fail.
    failing: Vec<String>,
    /// Names whose lookups never come back.
    silent: Vec<String>,
    /// How long a lookup takes, at least and at most.
    pub delay: (Duration, Duration),
    /// How many lookups were made.
    pub lookups: u64,
    /// Whether names that were not entered have an address all the same.
    answers_all: bool,
    /// Names for which an address was made up, in the order of the addresses.
    made_up: Vec<String>,
}

/// The first made-up address: RFC 2544 sets the network aside for tests.
const FIRST_MADE_UP: u32 = 0xc612_0001;

impl Zone {
    /// Adds an address of `host`.
    pub fn address(&mut self, host: &str, ip: IpAddr) -> &mut Self {
        self.addresses.entry(host.to_owned()).or_default().push(ip);
        self
    }

    /// Adds an SRV record.
    pub fn srv(&mut self, name: &str, priority: u16, weight: u16, port: u16, target: &str) -> &mut Self {
        let record = Srv { priority, weight, port, target: Text::from(target) };
        self.srv.entry(name.to_owned()).or_default().push(record);
        self
    }

    /// Adds a NAPTR record that leads to SRV records.
    pub fn naptr(&mut self, domain: &str, order: u16, service: &str, replacement: &str) -> &mut Self {
        let record = Naptr {
            order,
            preference: 10,
            flags: Text::from("s"),
            service: Text::from(service),
            replacement: Text::from(replacement),
        };
        self.naptr.entry(domain.to_owned()).or_default().push(record);
        self
    }

    /// Every lookup of `name` fails from now on.
    pub fn fail(&mut self, name: &str) -> &mut Self {
        self.failing.push(name.to_owned());
        self
    }

    /// No lookup of `name` is answered from now on.
    pub fn silence(&mut self, name: &str) -> &mut Self {
        self.silent.push(name.to_owned());
        self
    }

    /// Whether a name that was not entered has an address of its own, made up when it is first asked for.
    pub fn answer_all(&mut self, all: bool) -> &mut Self {
        self.answers_all = all;
        self
    }

    /// The name for which `ip` was made up.
    pub fn name_of(&self, ip: IpAddr) -> Option<&str> {
        let IpAddr::V4(ip) = ip else { return None };
        let at = u32::from(ip).checked_sub(FIRST_MADE_UP)?;
        self.made_up.get(at as usize).map(String::as_str)
    }

    fn make_up(&mut self, name: &str) -> IpAddr {
        let known = self.made_up.iter().position(|n| n == name);
        let at = known.unwrap_or_else(|| {
            self.made_up.push(name.to_owned());
            self.made_up.len() - 1
        });
        IpAddr::V4(Ipv4Addr::from(FIRST_MADE_UP + at as u32))
    }

    /// The answer to a lookup; `None` when none ever comes.
    pub(crate) fn answer(&mut self, lookup: &Lookup) -> Option<Records> {
        self.lookups += 1;
        let name: &str = match lookup {
            Lookup::Naptr(name) | Lookup::Srv(name) | Lookup::Addresses(name) => name,
        };
        if self.silent.iter().any(|n| n == name) {
            return None;
        }
        let fails = self.failing.iter().any(|n| n == name);
        Some(match lookup {
            Lookup::Naptr(_) => Records::Naptr(found(&self.naptr, name, fails)),
            Lookup::Srv(_) => Records::Srv(found(&self.srv, name, fails)),
            Lookup::Addresses(_) if self.answers_all && !fails && !self.addresses.contains_key(name) => {
                Records::Addresses(vec![self.make_up(name)])
            }
            Lookup::Addresses(_) => Records::Addresses(found(&self.addresses, name, fails)),
        })
    }
}

fn found<T: Clone>(records: &BTreeMap<String, Vec<T>>, name: &str, fails: bool) -> Vec<T> {
    records.get(name).filter(|_| !fails).cloned().unwrap_or_default()
}
