//! What a node is beside what its YAML says: where it listens in a recorded trace, and whom it trusts.

use crate::base::flow::Transport;
use crate::driver::start::Listen;
use crate::proto::proxy::own::Listener;
use std::net::SocketAddr;

#[derive(Default)]
pub(super) struct Beside {
    /// Where it listens too.
    pub(super) sockets: Vec<(Transport, SocketAddr)>,
    /// Whoever sends credentials is taken at their word.
    pub(super) trust_digest: bool,
}

impl Beside {
    /// The listeners of the YAML. One that is everywhere is at an address of ours, so that what it advertises stands for
    /// that, and no other address is ours. What is left of our sockets is listened on beside.
    pub(super) fn place(&mut self, listens: Vec<Listen>) -> Vec<Listen> {
        let all = self.sockets.clone();
        let place = |listen: Listen| {
            let (transport, address) = (listen.transport, listen.address);
            let fits = |(over, at): &(Transport, SocketAddr)| {
                *over == transport && at.is_ipv4() == address.is_ipv4()
            };
            if !address.ip().is_unspecified() {
                self.sockets.retain(|socket| *socket != (transport, address));
                return listen;
            }
            let same = self.sockets.iter().position(|s| fits(s) && s.1.port() == address.port());
            if let Some(at) = same.or_else(|| self.sockets.iter().position(fits)) {
                return Listen { address: self.sockets.remove(at).1, ..listen };
            }
            let family = all.iter().find(|(_, at)| at.is_ipv4() == address.is_ipv4());
            let ip = family.map_or(address.ip(), |(_, at)| at.ip());
            Listen { address: SocketAddr::new(ip, address.port()), ..listen }
        };
        listens.into_iter().map(place).collect()
    }

    /// The sockets beside the YAML's, as peers know them.
    pub(super) fn listeners(&self) -> impl Iterator<Item = Listener> {
        self.sockets.iter().map(|(transport, bound)| {
            let ip = bound.ip();
            let host = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
            Listener { transport: *transport, bound: *bound, host, port: bound.port() }
        })
    }
}
