//! Traffic that puts policy, registrar and store to the test.

use super::super::house::House;
use super::super::world::{World, ms};
use super::{OPERATIONS, answering, answering_requests, friendly};
use siphon::base::flow::Transport;
use siphon::sim::{CallPlan, Expect, Manner, Then};
use std::time::Duration;

/// Handlers that answer late or never, against CANCEL, retransmission and hanging up.
pub(super) fn parked_handlers(seed: u64, shards: u8, rough: bool) -> World {
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
pub(super) fn edited_replies(seed: u64, shards: u8, rough: bool) -> World {
    let mut w =
        World::new(seed, shards, House { watches_replies: seed.is_multiple_of(2), ..House::default() });
    w.net.wire().audit.free_choice = true;
    w.rough(rough).crowd(6, Transport::Udp);
    for _ in 0..OPERATIONS {
        let phone = w.any_phone();
        let manner = match w.rng.below(5) {
            0 => Manner { ring_after: Some(ms(1)), then: Then::Answer(ms(1 + w.rng.below(3))), ..friendly() },
            // Long after the caller was told that it failed.
            3 => Manner { answers_cancel: Some(Duration::from_secs(9)), ..Manner::ringing() },
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

/// The policy changes while transactions run: what one generation began it also ends.
pub(super) fn reloads(seed: u64, shards: u8, rough: bool) -> World {
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
pub(super) fn digest(seed: u64, shards: u8, rough: bool) -> World {
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

/// A store that is slow, refuses, or says nothing: no 200 for what was not stored.
pub(super) fn store(seed: u64, shards: u8, rough: bool) -> World {
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

/// Registrations that are refreshed, removed, and lapse.
pub(super) fn lapsing(seed: u64, shards: u8, rough: bool) -> World {
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
                // Two at once may overtake each other on a rough wire, and the later CSeq wins (RFC 3261 10.3 step 7).
                let right = if rough { vec![200, 500] } else { vec![200] };
                w.register(phone, expires, Expect::OneOf(right));
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

/// A policy that asks the callee first and decides by what it hears: a ticket that waits for a request of its own.
pub(super) fn asking(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    w.rough(rough).crowd(6, Transport::Udp);
    for _ in 0..OPERATIONS {
        answering_requests(&mut w);
        w.at += ms(10);
        let (caller, callee) = (w.any_phone(), w.rng.below(7));
        let mut plan = w.plan(&format!("asked.u{callee}"), &[200, 480, 404]);
        if w.rng.chance(300) {
            plan.cancel_after = Some(ms(w.rng.below(25_000)));
            plan.expect = Expect::OneOf(vec![200, 480, 404, 487]);
        }
        w.call(caller, plan);
        w.pause(Duration::from_secs(2));
    }
    w
}
