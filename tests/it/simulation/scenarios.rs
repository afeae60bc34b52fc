//! The kinds of traffic. Each builds a network from a seed and plans some hundred operations in it.

mod calling;
mod deciding;
mod straining;
mod wiring;

use super::world::{World, ms};
use calling::*;
use deciding::*;
use siphon::sim::{Manner, Then};
use std::sync::atomic::Ordering;
use std::time::Duration;
use straining::*;
use wiring::*;

/// Builds the network of one run: seed, shards, whether the wire is rough.
pub(super) type Build = fn(u64, u8, bool) -> World;

/// One kind of traffic.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) build: Build,
    /// Whether it may run over a lossy wire.
    pub(super) may_be_rough: bool,
}

/// All kinds.
pub(super) const KINDS: &[Kind] = &[
    Kind { name: "calls", build: calls, may_be_rough: true },
    Kind { name: "refusals", build: refusals, may_be_rough: true },
    Kind { name: "parallel forks", build: parallel_forks, may_be_rough: true },
    Kind { name: "serial forks and re-routing", build: serial_forks, may_be_rough: true },
    Kind { name: "cancelled calls", build: cancelled_calls, may_be_rough: true },
    Kind { name: "parked handlers", build: parked_handlers, may_be_rough: true },
    Kind { name: "edited replies", build: edited_replies, may_be_rough: true },
    Kind { name: "streams", build: streams, may_be_rough: true },
    Kind { name: "broken connections", build: broken_connections, may_be_rough: false },
    Kind { name: "names", build: names, may_be_rough: true },
    Kind { name: "store", build: store, may_be_rough: true },
    Kind { name: "dying node", build: dying_node, may_be_rough: true },
    Kind { name: "two proxies", build: two_proxies, may_be_rough: true },
    Kind { name: "reloads", build: reloads, may_be_rough: true },
    Kind { name: "digest", build: digest, may_be_rough: true },
    Kind { name: "noise", build: noise, may_be_rough: false },
    Kind { name: "long ringing", build: long_ringing, may_be_rough: true },
    Kind { name: "requests", build: requests, may_be_rough: true },
    Kind { name: "network address translation", build: nat, may_be_rough: true },
    Kind { name: "lapsing registrations", build: lapsing, may_be_rough: true },
    Kind { name: "failing sends", build: failing_sends, may_be_rough: true },
    Kind { name: "requests of its own", build: asking, may_be_rough: true },
    Kind { name: "IPv6", build: ipv6, may_be_rough: true },
    Kind { name: "both families", build: both_families, may_be_rough: true },
    Kind { name: "full house", build: full_house, may_be_rough: false },
];

const OPERATIONS: usize = 60;

fn friendly() -> Manner {
    Manner::friendly()
}

/// A phone, which is to answer requests that are no INVITE at once, slowly, or not at all.
fn answering_requests(w: &mut World) {
    let phone = w.any_phone();
    let manner = Manner {
        status: w.pick(&[200, 200, 404, 603, 0]),
        slow: w.pick(&[None, None, Some(ms(1500)), Some(Duration::from_secs(12))]),
        ..friendly()
    };
    w.behave(phone, manner);
}

fn answering(ring: u64, answer: u64) -> Manner {
    Manner { ring_after: Some(ms(ring)), then: Then::Answer(ms(answer)), ..Manner::friendly() }
}

/// Bumps the generation of the house in the middle of a run; other kinds have nothing to do there.
pub(super) fn halfway(kind: &Kind, world: &World) {
    if kind.name == "reloads" {
        world.house.generation.fetch_add(1, Ordering::Relaxed);
    }
}
