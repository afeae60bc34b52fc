//! Traffic between callers and callees: calls, refusals, forks, CANCEL, long ringing.

use super::super::house::House;
use super::super::world::{World, ms};
use super::{OPERATIONS, answering, friendly};
use siphon::base::flow::Transport;
use siphon::sim::{Expect, Manner, Then};
use std::time::Duration;

/// Calls between registered phones, with re-INVITEs and INFOs; either side hangs up.
pub(super) fn calls(seed: u64, shards: u8, rough: bool) -> World {
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
pub(super) fn refusals(seed: u64, shards: u8, rough: bool) -> World {
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
pub(super) fn parallel_forks(seed: u64, shards: u8, rough: bool) -> World {
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
        Manner { answers_cancel: Some(Duration::ZERO), ..Manner::ringing() },
        Manner { answers_cancel: Some(Duration::from_secs(9)), ..Manner::ringing() },
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
pub(super) fn serial_forks(seed: u64, shards: u8, rough: bool) -> World {
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
pub(super) fn cancelled_calls(seed: u64, shards: u8, rough: bool) -> World {
    let mut w = World::new(seed, shards, House::default());
    w.rough(rough).crowd(6, Transport::Udp);
    for _ in 0..OPERATIONS {
        let phone = w.any_phone();
        let manner = match w.rng.below(6) {
            0 => Manner { answers_cancel: Some(Duration::ZERO), ..Manner::ringing() },
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

/// Phones that ring longer than Timer C, with and without saying so again.
pub(super) fn long_ringing(seed: u64, shards: u8, rough: bool) -> World {
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
        // On a rough wire an INVITE may be 4 s under way, and is to find the callee in this manner.
        w.at += Duration::from_secs(5);
        w.pause(Duration::from_secs(20));
    }
    w
}
