//! Traffic over every kind of wire: streams, names, address translation, two proxies, sends that fail.

use super::super::house::House;
use super::super::world::{World, ms};
use super::{OPERATIONS, answering, friendly};
use siphon::base::flow::Transport;
use siphon::sim::{Account, CallPlan, Conditions, Expect, HostId, Manner, NodePlan, Order};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Phones on TCP, messages in pieces, connections whose I/O another shard does.
pub(super) fn streams(seed: u64, shards: u8, rough: bool) -> World {
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
pub(super) fn broken_connections(seed: u64, shards: u8, _: bool) -> World {
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
pub(super) fn names(seed: u64, shards: u8, rough: bool) -> World {
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

/// Phones that believe in another address than the one their packets come from.
pub(super) fn nat(seed: u64, shards: u8, rough: bool) -> World {
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

/// The host of the node refuses to send some datagrams: RFC 3261 17.1.4 and 16.9.
pub(super) fn failing_sends(seed: u64, shards: u8, rough: bool) -> World {
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

/// A call passes two proxies; some of it goes round in circles and is stopped.
pub(super) fn two_proxies(seed: u64, shards: u8, rough: bool) -> World {
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

const PROXY_V6: &str = "[2001:db8::1]:5060";

/// A phone on IPv6.
fn phone_v6(w: &mut World, n: u16, transport: Transport) -> HostId {
    let address = SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, n + 1), 5060));
    let account = w.net.account(&format!("u{n}"), w.proxy, transport);
    let proxy = PROXY_V6.parse().unwrap();
    let phone = w.add(Account { address, public: address, proxy, ..account });
    w.register(phone, 7200, Expect::OneOf(vec![200]));
    phone
}

fn calls_of_all_kinds(w: &mut World) {
    w.at += Duration::from_secs(12);
    for _ in 0..OPERATIONS {
        let (caller, callee) = (w.any_phone(), w.rng.below(6));
        let phone = w.phones[callee as usize];
        // Either side hangs up.
        let hang_up_after = w.pick(&[None, Some(ms(700))]);
        w.behave(phone, Manner { hang_up_after, ..friendly() });
        let mut plan = w.plan(&format!("u{callee}"), &[200]);
        plan.infos = w.rng.below(2) as u8;
        plan.reinvites = w.rng.below(2) as u8;
        plan.body = w.pick(&[0, 200, 3000]);
        w.call(caller, plan);
        w.pause(ms(900));
    }
}

/// Everything on IPv6.
pub(super) fn ipv6(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::with(seed, shards, House::default(), |plan| plan.address = PROXY_V6.parse().unwrap());
    w.rough(rough);
    for n in 0..6 {
        phone_v6(&mut w, n, if n < 2 { Transport::Tcp } else { Transport::Udp });
    }
    calls_of_all_kinds(&mut w);
    w
}

/// Half of the phones on IPv4 and half on IPv6: the proxy is in the route set twice where a call crosses.
pub(super) fn both_families(seed: u64, shards: u8, rough: bool) -> World {
    let mut w =
        World::with(seed, shards, House::default(), |plan| plan.also = vec![PROXY_V6.parse().unwrap()]);
    w.rough(rough);
    for n in 0..6u16 {
        let transport = if n % 3 == 0 { Transport::Tcp } else { Transport::Udp };
        if n < 3 {
            phone_v6(&mut w, n, transport);
        } else {
            let phone = w.phone(&format!("u{n}"), transport);
            w.register(phone, 7200, Expect::OneOf(vec![200]));
        }
    }
    calls_of_all_kinds(&mut w);
    w
}
