//! Traffic that strains the node: it dies, is full, hears noise, and requests that are no calls.

use super::super::house::House;
use super::super::world::{World, ms};
use super::{OPERATIONS, answering_requests, friendly};
use siphon::base::flow::Transport;
use siphon::sim::{Expect, Manner, Order, Then};
use std::time::Duration;

/// The node dies in the middle of traffic and is built anew from the encoded bindings.
pub(super) fn dying_node(seed: u64, shards: u8, rough: bool) -> World {
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

/// Messages that are none, responses to nothing, requests nobody may forward, between ordinary calls.
pub(super) fn noise(seed: u64, shards: u8, _: bool) -> World {
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

/// Requests that are no INVITE, answered at once, slowly, or not at all.
pub(super) fn requests(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    w.rough(rough).crowd(6, Transport::Udp);
    for _ in 0..OPERATIONS {
        answering_requests(&mut w);
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

/// More calls than the node has room for: the rest is turned away and those inside go on.
pub(super) fn full_house(seed: u64, shards: u8, _: bool) -> World {
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
