//! The kinds of traffic. Each builds a network from a seed and plans some hundred operations in it.

use super::house::House;
use super::world::{World, ms};
use siphon::base::flow::Transport;
use siphon::sim::{CallPlan, Conditions, Expect, Manner, NodePlan, Order, Then};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::Duration;

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
    Kind { name: "full house", build: full_house, may_be_rough: false },
];

const OPERATIONS: usize = 60;

fn friendly() -> Manner {
    Manner::friendly()
}

fn answering(ring: u64, answer: u64) -> Manner {
    Manner { ring_after: Some(ms(ring)), then: Then::Answer(ms(answer)), ..Manner::friendly() }
}

/// Calls between registered phones, with re-INVITEs and INFOs; either side hangs up.
fn calls(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    w.rough(rough).crowd(5, Transport::Udp);
    let mut old = w.net.account("u5", w.proxy, Transport::Udp);
    old.old_ack = true;
    let old = w.add(old);
    w.register(old, 7200, Expect::OneOf(vec![200]));
    w.at += Duration::from_secs(12);
    for _ in 0..OPERATIONS {
        let (caller, callee) = (w.any_phone(), w.rng.below(6));
        if w.rng.chance(300) {
            let manner = Manner { hang_up_after: Some(ms(w.rng.below(2000))), ..answering(40, 300) };
            let phone = w.any_phone();
            w.behave(phone, manner);
        }
        let mut plan = w.plan(&format!("u{callee}"), &[200]);
        plan.hang_up_after = Some(ms(1 + w.rng.below(5000)));
        plan.reinvites = w.rng.below(3) as u8;
        plan.infos = w.rng.below(3) as u8;
        plan.body = w.rng.below(600) as usize;
        w.call(caller, plan);
        w.pause(ms(900));
    }
    w
}

/// Callees that refuse, and callees that are not there.
fn refusals(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    w.rough(rough).crowd(6, Transport::Udp);
    let codes = [302, 404, 480, 486, 488, 500, 503, 600, 603];
    for n in 0..OPERATIONS {
        let caller = w.phones[0];
        let callee = 1 + n % 5;
        let code = w.pick(&codes);
        let phone = w.phones[callee];
        w.at += ms(1500);
        w.behave(phone, Manner::refusing(code));
        w.pause(ms(200));
        let (to, right) = match w.rng.below(5) {
            0 => ("nobody".to_owned(), vec![404]),
            1 => ("raise.u1".to_owned(), vec![500]),
            2 => ("nothing.u1".to_owned(), vec![500]),
            // RFC 3261 16.7 step 6: a 503 of the callee's is none of the caller's business.
            _ => (format!("u{callee}"), vec![if code == 503 { 500 } else { code }]),
        };
        let plan = w.plan(&to, &right);
        w.call(caller, plan);
    }
    w
}

/// Several contacts of one address of record, and several users at once.
fn parallel_forks(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    w.rough(rough).crowd(3, Transport::Udp);
    for n in 0..4 {
        let mut account = w.net.account(&format!("desk{n}"), w.proxy, Transport::Udp);
        account.login = "team".to_owned();
        let phone = w.add(account);
        w.register(phone, 7200, Expect::OneOf(vec![200]));
    }
    w.at += Duration::from_secs(12);
    let manners = [
        friendly(),
        answering(20, 2000),
        answering(20, 100),
        Manner::ringing(),
        Manner::refusing(486),
        Manner::refusing(404),
        Manner::refusing(503),
        Manner::refusing(603),
        Manner {
            then: Then::Refuse(
                401,
                ms(200),
                "WWW-Authenticate: Digest realm=\"a\", nonce=\"1\"\r\n".to_owned(),
            ),
            ..friendly()
        },
        Manner {
            then: Then::Refuse(
                407,
                ms(260),
                "Proxy-Authenticate: Digest realm=\"b\", nonce=\"2\"\r\n".to_owned(),
            ),
            ..friendly()
        },
        Manner { answers_cancel: true, ..Manner::ringing() },
    ];
    for _ in 0..OPERATIONS {
        for phone in w.phones.clone() {
            let manner = w.pick(&manners);
            w.behave(phone, manner);
        }
        w.at += ms(50);
        let to = w.pick(&["team", "fork.u0.u1.u2", "fork.team.u0", "fork.team.nobody.u2"]);
        let caller = w.phones[0];
        let mut plan = w.plan(to, &[]);
        plan.cancel_after = Some(Duration::from_secs(20 + w.rng.below(20)));
        plan.expect = Expect::Answer;
        w.call(caller, plan);
        w.at += Duration::from_secs(1);
        w.pause(ms(4000));
    }
    w
}

/// One target after the other; failures that policy routes elsewhere.
fn serial_forks(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    w.net.wire().audit.free_choice = true;
    w.rough(rough).crowd(6, Transport::Udp);
    let manners = [
        friendly(),
        Manner::refusing(486),
        Manner::refusing(480),
        Manner::refusing(503),
        Manner::refusing(600),
        Manner::ringing(),
        Manner::silent(),
    ];
    for _ in 0..OPERATIONS {
        let phone = w.any_phone();
        let manner = w.pick(&manners);
        w.behave(phone, manner);
        let caller = w.any_phone();
        let to = w.pick(&[
            "serial.u1.u2.u3",
            "serial.u4.u5",
            "route.u1.u2",
            "route.u3.u4",
            "route.u5.nobody",
            "short.u2",
        ]);
        let mut plan = w.plan(to, &[]);
        plan.cancel_after = Some(Duration::from_secs(30 + w.rng.below(60)));
        w.call(caller, plan);
        w.pause(ms(3000));
    }
    w
}

/// Callers that give up at every possible moment.
fn cancelled_calls(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    w.rough(rough).crowd(6, Transport::Udp);
    for _ in 0..OPERATIONS {
        let phone = w.any_phone();
        let manner = match w.rng.below(6) {
            0 => Manner { answers_cancel: true, ..Manner::ringing() },
            1 => Manner::silent(),
            2 => answering(5, w.rng.below(1000)),
            3 => Manner::refusing(486),
            4 => Manner { ring_after: Some(ms(w.rng.below(900))), ..Manner::ringing() },
            _ => Manner::ringing(),
        };
        w.behave(phone, manner);
        let caller = w.any_phone();
        let to = w.pick(&["u0", "u1", "u2", "fork.u3.u4.u5", "fork.u1.u2", "serial.u4.u5", "notice.u1"]);
        let mut plan = w.plan(to, &[]);
        let soon = w.rng.below(1100);
        plan.cancel_after = Some(ms(w.pick(&[0, 1, 2, 5, soon, soon, soon, 40_000])));
        w.call(caller, plan);
        w.pause(ms(900));
    }
    w
}

/// Handlers that answer late or never, against CANCEL, retransmission and hanging up.
fn parked_handlers(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    w.rough(rough).crowd(6, Transport::Udp);
    for _ in 0..OPERATIONS {
        let caller = w.any_phone();
        let verb = w.pick(&["park0", "park10ms", "park5", "park5", "park40", "never", "early", "drop"]);
        let callee = w.rng.below(6);
        let to = format!("{verb}.u{callee}");
        if w.rng.chance(300) {
            let expect = match verb {
                // A client gives up on a request that is no INVITE after 64*T1.
                "park40" | "never" | "drop" => Expect::Anything,
                _ => Expect::Answer,
            };
            w.request(caller, "MESSAGE", &format!("sip:{to}@example.com"), expect);
        }
        let mut plan = w.plan(&to, &[]);
        plan.expect = match verb {
            "never" => Expect::OneOf(vec![500]),
            "early" => Expect::OneOf(vec![480]),
            "drop" => Expect::OneOf(vec![0]),
            _ => Expect::OneOf(vec![200]),
        };
        if w.rng.chance(400) {
            plan.cancel_after = Some(ms(w.rng.below(8000)));
        }
        w.call(caller, plan);
        w.pause(ms(2000));
    }
    w
}

/// Replies that policy edits, holds, swallows or replaces.
fn edited_replies(seed: u64, shards: u8, rough: bool) -> World {
    let mut w =
        World::new(seed, shards, House { watches_replies: seed.is_multiple_of(2), ..House::default() });
    w.net.wire().audit.free_choice = true;
    w.rough(rough).crowd(6, Transport::Udp);
    for _ in 0..OPERATIONS {
        let phone = w.any_phone();
        let manner = match w.rng.below(4) {
            0 => Manner { ring_after: Some(ms(1)), then: Then::Answer(ms(1 + w.rng.below(3))), ..friendly() },
            1 => answering(10, 200),
            2 => Manner::refusing(486),
            _ => friendly(),
        };
        w.behave(phone, manner);
        let verb = w.pick(&["edit", "slow", "slow", "mute", "reject"]);
        let (caller, callee) = (w.any_phone(), w.rng.below(6));
        let mut plan = w.plan(&format!("{verb}.u{callee}"), &[]);
        plan.reinvites = w.rng.below(2) as u8;
        if w.rng.chance(200) {
            plan.cancel_after = Some(ms(w.rng.below(1500)));
        }
        w.call(caller, plan);
        w.pause(ms(700));
    }
    w
}

/// Phones on TCP, messages in pieces, connections whose I/O another shard does.
fn streams(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    let conditions = if rough { Conditions::ROUGH } else { Conditions::CALM };
    w.net.conditions(Conditions { chunked: true, ..conditions });
    w.crowd(4, Transport::Tcp);
    for n in 4..7 {
        let phone = w.phone(&format!("u{n}"), Transport::Udp);
        w.register(phone, 7200, Expect::OneOf(vec![200]));
    }
    w.at += Duration::from_secs(12);
    for _ in 0..OPERATIONS {
        let (caller, callee) = (w.any_phone(), w.rng.below(7));
        let mut plan = w.plan(&format!("u{callee}"), &[200]);
        plan.reinvites = w.rng.below(2) as u8;
        plan.infos = w.rng.below(2) as u8;
        // RFC 3261 18.1.1: what does not fit a datagram goes over a stream, towards UDP phones too.
        plan.body = w.pick(&[0, 200, 900, 3000]);
        w.call(caller, plan);
        w.pause(ms(700));
    }
    w
}

/// Connections that are refused and reset in the middle of everything.
fn broken_connections(seed: u64, shards: u8, _: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    w.crowd(4, Transport::Tcp);
    let phone = w.phone("u4", Transport::Udp);
    w.register(phone, 7200, Expect::OneOf(vec![200]));
    w.at += Duration::from_secs(3);
    let resets = w.pick(&[0, 10, 50]);
    w.net.conditions(Conditions { resets, refused: resets, ..Conditions::CALM });
    for _ in 0..OPERATIONS {
        let (phone, manner) = (w.any_phone(), w.pick(&[friendly(), Manner::refusing(486), answering(1, 5)]));
        let slow = w.pick(&[None, Some(ms(900))]);
        w.behave(phone, Manner { slow, ..manner });
        let (sender, to) = (w.any_phone(), format!("sip:u{}@example.com", w.rng.below(5)));
        w.request(sender, "MESSAGE", &to, Expect::Anything);
        if w.rng.chance(300) {
            let phone = w.any_phone();
            let later = w.at + ms(w.rng.below(2500));
            w.net.order(phone, later, Order::Disconnect);
        }
        let (caller, callee) = (w.any_phone(), w.rng.below(5));
        let mut plan = w.plan(&format!("u{callee}"), &[]);
        plan.expect = Expect::Anything;
        w.call(caller, plan);
        w.pause(ms(1200));
        w.at += ms(1);
    }
    w
}

/// Foreign domains by NAPTR, SRV and addresses, with servers that are dead and lookups that fail.
fn names(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House { open: true, ..House::default() });
    w.rough(rough).crowd(3, Transport::Udp);
    let mut far = Vec::new();
    for n in 0..3 {
        let mut account = w.net.account(&format!("far{n}"), w.proxy, Transport::Udp);
        account.domain = "far.example".to_owned();
        far.push(account.public.ip());
        w.net.phone_with(account);
    }
    let dead: IpAddr = "10.9.9.9".parse().unwrap();
    let zone = &mut w.net.wire().zone;
    zone.delay = (ms(1), ms(300));
    zone.address("a.example", far[0]);
    zone.naptr("far.example", 10, "SIP+D2U", "_sip._udp.far.example").srv(
        "_sip._udp.far.example",
        1,
        5,
        5060,
        "h0.far.example",
    );
    zone.srv("_sip._udp.far.example", 1, 5, 5060, "h1.far.example");
    zone.address("h0.far.example", far[0]).address("h1.far.example", far[1]);
    zone.srv("_sip._udp.back.example", 1, 1, 5060, "dead.example").srv(
        "_sip._udp.back.example",
        2,
        1,
        5060,
        "h1.far.example",
    );
    zone.address("dead.example", dead);
    zone.naptr("tcp.example", 1, "SIP+D2T", "_sip._tcp.tcp.example").srv(
        "_sip._tcp.tcp.example",
        1,
        1,
        5060,
        "h2.far.example",
    );
    zone.address("h2.far.example", far[2]);
    zone.naptr("mixed.example", 1, "SIP+D2T", "_sip._tcp.mixed.example").srv(
        "_sip._tcp.mixed.example",
        1,
        1,
        5060,
        "dead.example",
    );
    zone.srv("_sip._tcp.mixed.example", 2, 1, 5060, "h2.far.example");
    zone.fail("broken.example").silence("silent.example");
    for _ in 0..OPERATIONS {
        let caller = w.any_phone();
        let (host, right): (&str, Vec<u16>) = w.pick(&[
            ("a.example", vec![200]),
            ("far.example", vec![200]),
            ("far.example", vec![200]),
            // The first server never answers: after 64*T1 the second is tried.
            ("back.example", vec![200]),
            ("tcp.example", vec![200]),
            ("mixed.example", vec![200]),
            ("broken.example", vec![500, 503, 404, 480]),
            ("silent.example", vec![500, 503, 408, 480]),
            ("nowhere.example", vec![500, 503, 404, 480]),
        ]);
        let mut plan = w.plan("x", &right);
        plan.to = format!("sip:x@{host}");
        if w.rng.chance(150) {
            plan.cancel_after = Some(ms(w.rng.below(40_000)));
        }
        w.call(caller, plan);
        w.pause(ms(2500));
    }
    w
}

/// A store that is slow, refuses, or says nothing: no 200 for what was not stored.
fn store(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    w.rough(rough);
    let store = &mut w.net.wire().store;
    store.delay = (ms(1), ms(1500));
    store.refused = 200;
    store.silent = 50;
    for n in 0..6 {
        w.phone(&format!("u{n}"), if n == 0 { Transport::Tcp } else { Transport::Udp });
    }
    for _ in 0..OPERATIONS * 2 {
        let phone = w.any_phone();
        match w.rng.below(4) {
            0 => w.register(phone, 0, Expect::Anything),
            1 => {
                let callee = w.rng.below(6);
                let mut plan = w.plan(&format!("u{callee}"), &[200, 404]);
                plan.infos = 1;
                w.call(phone, plan);
            }
            _ => {
                let expires = w.pick(&[60, 600, 3600, 7200]);
                w.register(phone, expires, Expect::Anything);
            }
        }
        w.pause(Duration::from_secs(8));
    }
    w
}

/// The node dies in the middle of traffic and is built anew from the encoded bindings.
fn dying_node(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    w.rough(rough).crowd(5, Transport::Udp);
    let phone = w.phone("u5", Transport::Tcp);
    w.register(phone, 7200, Expect::OneOf(vec![200]));
    w.at += Duration::from_secs(12);
    for life in 0..3 {
        for _ in 0..OPERATIONS / 3 {
            let (caller, callee) = (w.any_phone(), w.rng.below(5));
            let mut plan = w.plan(&format!("u{callee}"), &[]);
            plan.expect = Expect::Anything;
            plan.hang_up_after = Some(ms(w.rng.below(20_000)));
            w.call(caller, plan);
            w.pause(ms(800));
        }
        let down = ms(w.rng.below(3000));
        if life < 2 {
            w.net.kill(w.proxy, w.at, down);
        }
    }
    // Long after the last death everything works again, without a new registration.
    w.at += Duration::from_secs(150);
    for _ in 0..10 {
        let (caller, callee) = (w.phones[0], w.rng.below(5));
        let plan = w.plan(&format!("u{callee}"), &[200]);
        w.call(caller, plan);
        w.pause(ms(800));
    }
    w
}

/// A call passes two proxies; some of it goes round in circles and is stopped.
fn two_proxies(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House { open: true, ..House::default() });
    let house = House { open: true, ..House::default() };
    let plan = NodePlan {
        shards,
        domains: vec!["other.example".to_owned()],
        ..NodePlan::new("other", "10.0.0.2:5060")
    };
    let other = w.net.proxy(plan.with_handler(move |_| house.handler()));
    let zone = &mut w.net.wire().zone;
    zone.address("other.example", "10.0.0.2".parse().unwrap());
    zone.address("example.com", "10.0.0.1".parse().unwrap());
    // Neither of the two serves this domain, and each takes the other for its server.
    zone.address("loop.example", "10.0.0.1".parse().unwrap());
    w.rough(rough).crowd(3, Transport::Udp);
    for n in 0..3 {
        let mut account = w.net.account(&format!("o{n}"), other, Transport::Udp);
        account.domain = "other.example".to_owned();
        let phone = w.add(account);
        w.register(phone, 7200, Expect::OneOf(vec![200]));
    }
    w.at += Duration::from_secs(12);
    for _ in 0..OPERATIONS {
        let caller = w.any_phone();
        let n = w.rng.below(3);
        let (to, right) = match w.rng.below(8) {
            0 => ("sip:x@loop.example".to_owned(), vec![482, 483, 500]),
            1..4 => (format!("sip:u{n}@example.com"), vec![200]),
            _ => (format!("sip:o{n}@other.example"), vec![200]),
        };
        let mut plan = CallPlan { to, ..w.plan("", &right) };
        plan.reinvites = w.rng.below(2) as u8;
        plan.infos = w.rng.below(2) as u8;
        if w.rng.chance(150) {
            plan.cancel_after = Some(ms(w.rng.below(1200)));
        }
        w.call(caller, plan);
        w.pause(ms(900));
    }
    w
}

/// The policy changes while transactions run: what one generation began it also ends.
fn reloads(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House { watches_replies: true, ..House::default() });
    w.net.wire().audit.free_choice = true;
    w.rough(rough).crowd(5, Transport::Udp);
    for _ in 0..OPERATIONS {
        let (caller, callee) = (w.any_phone(), w.rng.below(5));
        let to = match w.rng.below(3) {
            0 => format!("park5.u{callee}"),
            1 => format!("route.nobody.u{callee}"),
            _ => format!("u{callee}"),
        };
        let plan = w.plan(&to, &[200, 404]);
        w.call(caller, plan);
        w.pause(ms(700));
    }
    w
}

/// Challenges on REGISTER and on calls to the world; wrong passwords get nowhere.
fn digest(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::with(seed, shards, House::default(), |plan| {
        plan.users = (0..5).map(|n| format!("u{n}")).collect();
    });
    let far = w.net.account("far", w.proxy, Transport::Udp);
    let address = far.public.ip();
    w.net.phone_with(far);
    w.net.wire().zone.address("far.example", address);
    w.rough(rough).crowd(5, Transport::Udp);
    let mut thief = w.net.account("u9", w.proxy, Transport::Udp);
    thief.login = "u1".to_owned();
    thief.password = "guess".to_owned();
    let thief = w.net.phone_with(thief);
    for _ in 0..OPERATIONS {
        let caller = w.any_phone();
        match w.rng.below(5) {
            0 => w.register(thief, 3600, Expect::OneOf(vec![401])),
            // Two at once may overtake each other on a rough wire.
            1 => w.register(caller, 3600, Expect::OneOf(vec![200, 500])),
            2 => {
                let plan = CallPlan { to: "sip:x@far.example".to_owned(), ..w.plan("", &[200]) };
                w.call(caller, plan);
            }
            3 => {
                let plan = CallPlan { to: "sip:x@far.example".to_owned(), ..w.plan("", &[407]) };
                w.call(thief, plan);
            }
            _ => {
                let callee = w.rng.below(5);
                let plan = w.plan(&format!("u{callee}"), &[200]);
                w.call(caller, plan);
            }
        }
        w.pause(Duration::from_secs(4));
    }
    w
}

/// Messages that are none, responses to nothing, requests nobody may forward, between ordinary calls.
fn noise(seed: u64, shards: u8, _: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    w.crowd(5, Transport::Udp);
    let mut account = w.net.account("noisy", w.proxy, Transport::Udp);
    account.tolerant = true;
    let noisy = w.net.phone_with(account);
    let proxy = w.net.address_of(w.proxy);
    for n in 0..OPERATIONS {
        let text = match w.rng.below(9) {
            0 => "garbage\r\n\r\n".to_owned(),
            1 => "\r\n\r\n".to_owned(),
            2 => stray("SIP/2.0 200 OK", "z9hG4bKnothing", n, "INVITE"),
            3 => stray("SIP/2.0 486 Busy Here", "z9hG4bK0000", n, "INVITE"),
            4 => stray("ACK sip:u1@example.com SIP/2.0", "z9hG4bK-a", n, "ACK"),
            5 => stray("CANCEL sip:u1@example.com SIP/2.0", &format!("z9hG4bK-c{n}"), n, "CANCEL"),
            6 => stray("OPTIONS sip:u1@example.com SIP/3.0", &format!("z9hG4bK-v{n}"), n, "OPTIONS"),
            7 => stray("OPTIONS tel:u1 SIP/2.0", &format!("z9hG4bK-t{n}"), n, "OPTIONS"),
            _ => {
                let mut bytes =
                    stray("INVITE sip:u1@example.com SIP/2.0", &format!("z9hG4bK-m{n}"), n, "INVITE")
                        .into_bytes();
                let at = w.rng.below(bytes.len() as u64) as usize;
                bytes.truncate(at);
                String::from_utf8(bytes).unwrap_or_default()
            }
        };
        let bytes = text.into_bytes().into();
        w.net.order(noisy, w.at, Order::Raw { to: proxy, bytes });
        let (caller, callee) = (w.any_phone(), w.rng.below(5));
        if w.rng.chance(200) {
            let manner = if w.rng.chance(500) {
                Manner { then: Then::Garbage(ms(300)), ..friendly() }
            } else {
                friendly()
            };
            w.behave(caller, manner);
        }
        let mut plan = w.plan(&format!("u{callee}"), &[200]);
        plan.expect = match w.rng.below(8) {
            0 => {
                plan.headers = "Proxy-Require: unheard-of\r\n".to_owned();
                Expect::OneOf(vec![420])
            }
            _ => Expect::OneOf(vec![200]),
        };
        w.call(caller, plan);
        w.pause(ms(900));
    }
    w
}

fn stray(start: &str, branch: &str, n: usize, method: &str) -> String {
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch={branch}\r\nVia: SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bKb{n}\r\n\
         Max-Forwards: 0\r\nFrom: <sip:noisy@example.com>;tag=n{n}\r\nTo: <sip:u1@example.com>;tag=t\r\nCall-ID: stray-{n}\r\n\
         CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Phones that ring longer than Timer C, with and without saying so again.
fn long_ringing(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    w.rough(rough).crowd(6, Transport::Udp);
    for _ in 0..OPERATIONS / 2 {
        let (callee, patient) = (w.rng.below(6), w.rng.chance(500));
        let manner = Manner {
            ring_again: patient.then(|| Duration::from_secs(50)),
            then: match patient {
                true => Then::Answer(Duration::from_secs(200 + w.rng.below(200))),
                false => Then::Nothing,
            },
            ..friendly()
        };
        let phone = w.phones[callee as usize];
        w.behave(phone, manner);
        w.at += ms(10);
        let caller = w.any_phone();
        let right: &[u16] = if patient { &[200] } else { &[408, 487] };
        let mut plan = w.plan(&format!("u{callee}"), right);
        plan.body = 100;
        w.call(caller, plan);
        w.at += Duration::from_secs(1);
        w.pause(Duration::from_secs(20));
    }
    w
}

/// Requests that are no INVITE, answered at once, slowly, or not at all.
fn requests(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    w.rough(rough).crowd(6, Transport::Udp);
    for _ in 0..OPERATIONS {
        let phone = w.any_phone();
        let manner = Manner {
            status: w.pick(&[200, 200, 404, 603, 0]),
            slow: w.pick(&[None, None, Some(ms(1500)), Some(Duration::from_secs(12))]),
            ..friendly()
        };
        w.behave(phone, manner);
        w.at += ms(10);
        let caller = w.any_phone();
        let method = w.pick(&["MESSAGE", "OPTIONS", "SUBSCRIBE", "PUBLISH", "MY-OWN"]);
        let to = w.pick(&["u0", "u1", "u2", "u3", "fork.u4.u5", "nobody", "send.u1"]);
        // RFC 4320: a proxy that hears nothing says nothing in time; the client's own timer ends it.
        w.request(caller, method, &format!("sip:{to}@example.com"), Expect::Anything);
        let registered = w.any_phone();
        // Two at once may overtake each other, and the later CSeq wins (RFC 3261 10.3 step 7).
        w.register(registered, 7200, Expect::OneOf(vec![200, 500]));
        w.pause(Duration::from_secs(2));
    }
    w
}

/// Phones that believe in another address than the one their packets come from.
fn nat(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    w.rough(rough);
    for n in 0..5u8 {
        let mut account =
            w.net.account(&format!("u{n}"), w.proxy, if n == 0 { Transport::Tcp } else { Transport::Udp });
        account.public = SocketAddr::from(([172, 16, 0, 1], 20_000 + u16::from(n)));
        account.address = SocketAddr::from(([192, 168, 1, 10 + n], 5060));
        let phone = w.add(account);
        w.register(phone, 7200, Expect::OneOf(vec![200]));
    }
    w.at += Duration::from_secs(12);
    for _ in 0..OPERATIONS {
        let (caller, callee) = (w.any_phone(), w.rng.below(5));
        let mut plan = w.plan(&format!("u{callee}"), &[200]);
        plan.infos = w.rng.below(2) as u8;
        plan.reinvites = w.rng.below(2) as u8;
        w.call(caller, plan);
        w.pause(ms(900));
    }
    w
}

/// Registrations that are refreshed, removed, and lapse.
fn lapsing(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    w.rough(rough);
    for n in 0..6 {
        w.phone(&format!("u{n}"), Transport::Udp);
    }
    for _ in 0..OPERATIONS * 2 {
        let phone = w.any_phone();
        match w.rng.below(3) {
            0 => {
                let expires = w.pick(&[0, 60, 61, 90, 3600]);
                w.register(phone, expires, Expect::OneOf(vec![200]));
            }
            1 => w.register(phone, 20, Expect::OneOf(vec![423])),
            _ => {
                let callee = w.rng.below(6);
                let plan = w.plan(&format!("u{callee}"), &[200, 404]);
                w.call(phone, plan);
            }
        }
        w.pause(Duration::from_secs(40));
    }
    w
}

/// The host of the node refuses to send some datagrams: RFC 3261 17.1.4 and 16.9.
fn failing_sends(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    w.net.wire().audit.free_choice = true;
    w.rough(rough).crowd(6, Transport::Udp);
    let unsendable = w.pick(&[20, 60]);
    w.net.wire().conditions.unsendable = unsendable;
    for _ in 0..OPERATIONS {
        let (phone, manner) = (w.any_phone(), w.pick(&[friendly(), Manner::refusing(486), answering(5, 50)]));
        let slow = w.pick(&[None, Some(Duration::from_secs(9))]);
        w.behave(phone, Manner { slow, ..manner });
        let (caller, callee) = (w.any_phone(), w.rng.below(6));
        let to = format!("sip:u{callee}@example.com");
        w.request(caller, "MESSAGE", &to, Expect::Anything);
        let to = w.pick(&["u1", "u2", "fork.u3.u4", "serial.u1.u5"]);
        let plan = w.plan(to, &[]);
        w.call(caller, plan);
        w.pause(ms(900));
    }
    w
}

/// More calls than the node has room for: the rest is turned away and those inside go on.
fn full_house(seed: u64, shards: u8, _: bool) -> World {
    let mut w = World::with(seed, shards, House::default(), |plan| plan.settings.max_transactions = 60);
    w.crowd(6, Transport::Udp);
    w.at += Duration::from_secs(40);
    for _ in 0..OPERATIONS {
        let (caller, callee) = (w.any_phone(), w.rng.below(6));
        let mut plan = w.plan(&format!("u{callee}"), &[200, 503]);
        plan.infos = 1;
        w.call(caller, plan);
        w.pause(ms(600));
    }
    w
}

/// Bumps the generation of the house in the middle of a run; other kinds have nothing to do there.
pub(super) fn halfway(kind: &Kind, world: &World) {
    if kind.name == "reloads" {
        world.house.generation.fetch_add(1, Ordering::Relaxed);
    }
}
