//! Calls on two shards of one node that become one: what leaves one shard is mail to the other.

use super::tests::*;
use super::transfer_tests::{DAVE, by_name, offer, seen, to_replace};
use crate::base::flow::{Flow, Transport};
use crate::base::rng::Rng;
use crate::base::time::{Duration, Instant};
use crate::engine::contract::{Effect, Effects, Input};
use crate::engine::node::Node;
use crate::engine::shard::Shard;
use crate::engine::testing::{ALICE, BOB, PROXY, node_of};
use crate::event::Classes;
use crate::wire::sip::{Limits, Message};
use std::collections::VecDeque;
use std::sync::Arc;

/// Two shards of a node.
struct Pair {
    node: Arc<Node>,
    shards: Vec<Shard>,
    now: Instant,
    sent: Vec<(String, String)>,
}

impl Pair {
    fn new() -> Self {
        let now = Instant::from_unix_secs(1_700_000_000);
        let node = node_of(2, settings());
        let shards = (0..2).map(|n| Shard::new(n, node.clone(), Rng::seeded(n.into()), now)).collect();
        Pair { node, shards, now, sent: Vec::new() }
    }

    /// A Call-ID that hashes to `shard`.
    fn call_id(&self, shard: u8) -> String {
        let mut all = (0..).map(|n| format!("call-{n}-{shard}"));
        all.find(|id| self.node.hashed_home_of(id) == shard).expect("one in two")
    }

    fn receive(&mut self, from: &str, text: &str) {
        let text = text.replace('\n', "\r\n");
        let flow = Flow {
            transport: Transport::Udp,
            local: PROXY.parse().expect("an address"),
            remote: from.parse().expect("an address"),
            connection: None,
        };
        let message = Message::parse(text.as_bytes(), &Limits::default()).expect("a message");
        let owner = crate::engine::owner(&message, &self.node);
        self.feed(owner, Input::Message { flow, message });
    }

    fn feed(&mut self, shard: u8, input: Input) {
        let mut effects = Effects::subscribed_to(Classes::default());
        self.shards[usize::from(shard)].handle(input, self.now, &mut effects);
        self.perform(shard, effects);
    }

    fn perform(&mut self, shard: u8, effects: Effects) {
        let mut mail = VecDeque::new();
        for effect in effects.list {
            match effect {
                Effect::Send { egress, bytes, .. } => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    self.sent.push((egress.remote.to_string(), text));
                }
                Effect::Ask { ticket, question } => {
                    let verdict = by_name(&question).expect("a verdict");
                    self.feed(shard, Input::Decided { ticket, verdict: Box::new(verdict) });
                }
                Effect::Post { to, mail: post } => mail.push_back((to, *post)),
                _ => {}
            }
        }
        for (to, post) in mail {
            self.feed(to, Input::Mail(post));
        }
    }

    fn advance(&mut self, by: Duration) {
        self.now += by;
        for shard in 0..2 {
            let mut effects = Effects::subscribed_to(Classes::default());
            self.shards[usize::from(shard)].tick(self.now, &mut effects);
            self.perform(shard, effects);
        }
    }

    #[track_caller]
    fn expect(&mut self, wanted: &[&str]) -> Vec<String> {
        let all = std::mem::take(&mut self.sent);
        let (mut found, mut wished) = (seen(&all), wanted.to_vec());
        // What two shards send has no order.
        found.sort();
        wished.sort_unstable();
        assert_eq!(found, wished, "{all:#?}");
        let order = |text: &String| wanted.iter().position(|w| text.starts_with(first_word(w))).unwrap_or(0);
        let mut all: Vec<String> = all.into_iter().map(|(_, text)| text).collect();
        all.sort_by_key(order);
        all
    }

    fn calls(&self) -> [usize; 2] {
        [self.shards[0].calls(), self.shards[1].calls()]
    }

    #[track_caller]
    fn nothing_is_left(&mut self) {
        for _ in 0..20 {
            self.advance(Duration::from_secs(10));
        }
        assert_eq!(self.calls(), [0, 0]);
        assert!(self.shards.iter().all(|s| s.dialogs() == 0 && s.transactions() == (0, 0)));
        assert!(self.node.aliases.is_empty(), "every Call-ID is at home");
    }
}

/// How the message that `seen` tells of begins.
fn first_word(told: &str) -> &str {
    match told.split(' ').nth(1).unwrap_or_default() {
        code if code.starts_with(|c: char| c.is_ascii_digit()) => "SIP/2.0",
        method => method,
    }
}

/// Alice and bob on shard 0, bob and carol on shard 1: what bob got in the first, and the two 200s.
fn two_calls(pair: &mut Pair) -> (String, String, String) {
    let (first, second) = (pair.call_id(0), pair.call_id(1));
    pair.receive(ALICE, &invite("", OFFER).replace("call-1", &first));
    let to_bob = pair.expect(&["bob INVITE"]).remove(0);
    pair.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, OFFER));
    let ok = pair.expect(&["bob ACK", "alice 200"]).remove(1);
    pair.receive(ALICE, &inside("ACK", "a2", 1, &ok, ALICE, "", ""));
    let consultation = invite("", OFFER)
        .replace("bob@example.com", "carol@example.com")
        .replace(ALICE, BOB)
        .replace("z9hG4bKa1", "z9hG4bKk1")
        .replace("tag=a1", "tag=k1")
        .replace("call-1", &second);
    pair.receive(BOB, &consultation);
    let to_carol = pair.expect(&["carol INVITE"]).remove(0);
    pair.receive(CAROL, &reply(&to_carol, "200 OK", "b1", CAROL, &offer(6000)));
    let consulted = pair.expect(&["carol ACK", "bob 200"]).remove(1);
    pair.receive(BOB, &inside("ACK", "k2", 1, &consulted, BOB, "", ""));
    assert_eq!(pair.calls(), [1, 1]);
    (to_bob, ok, consulted)
}

#[test]
fn two_calls_on_two_shards_become_one_and_their_messages_follow() {
    let mut pair = Pair::new();
    let (to_bob, ok, consulted) = two_calls(&mut pair);
    pair.receive(BOB, &inside("REFER", "f1", 1, &to_bob, BOB, &to_replace(&consulted), ""));
    let all = pair.expect(&["bob 202", "bob NOTIFY 100", "alice INVITE"]);
    pair.receive(BOB, &reply(&all[1], "200 OK", "", BOB, ""));
    assert_eq!(pair.node.home_of(value(&ok, "Call-ID")), 1, "her dialog moved");
    pair.receive(ALICE, &reply(&all[2], "200 OK", "", ALICE, &offer(7000)));
    let to_carol = pair.expect(&["carol INVITE"]).remove(0);
    assert!(to_carol.contains("m=audio 7000"), "{to_carol}");
    pair.receive(CAROL, &reply(&to_carol, "200 OK", "", CAROL, &offer(6002)));
    let all = pair.expect(&["bob BYE", "bob NOTIFY 200", "carol ACK", "alice ACK"]);
    pair.receive(BOB, &reply(&all[0], "200 OK", "", BOB, ""));
    pair.receive(BOB, &reply(&all[1], "200 OK", "", BOB, ""));
    pair.receive(BOB, &inside("BYE", "b9", 2, &to_bob, BOB, "", ""));
    pair.expect(&["bob 200"]);
    assert_eq!(pair.calls(), [0, 1]);
    pair.receive(ALICE, &inside("BYE", "a9", 2, &ok, ALICE, "", ""));
    let all = pair.expect(&["carol BYE", "alice 200"]);
    pair.receive(CAROL, &reply(&all[0], "200 OK", "", CAROL, ""));
    pair.nothing_is_left();
}

#[test]
fn a_side_that_cannot_be_joined_on_the_other_shard_comes_back() {
    let mut pair = Pair::new();
    let (to_bob, ok, consulted) = two_calls(&mut pair);
    pair.receive(BOB, &inside("REFER", "f1", 1, &to_bob, BOB, &to_replace(&consulted), ""));
    let all = pair.expect(&["bob 202", "bob NOTIFY 100", "alice INVITE"]);
    pair.receive(BOB, &reply(&all[1], "200 OK", "", BOB, ""));
    pair.receive(ALICE, &reply(&all[2], "488 Not Acceptable Here", "", ALICE, ""));
    pair.expect(&["alice ACK", "bob NOTIFY 488"]);
    assert_eq!((pair.calls(), pair.node.aliases.is_empty()), ([1, 1], true));
    pair.receive(ALICE, &inside("INFO", "i1", 2, &ok, ALICE, "", ""));
    pair.expect(&["bob INFO"]);
}

#[test]
fn an_invite_with_replaces_goes_to_the_shard_of_the_call_and_its_cancel_follows() {
    for cancels in [true, false] {
        let mut pair = Pair::new();
        let (_, ok, _) = two_calls(&mut pair);
        let (call_id, to, from) = (value(&ok, "Call-ID"), tag(value(&ok, "To")), tag(value(&ok, "From")));
        // Its own Call-ID hashes to the other shard.
        let mut all = (0..).map(|n| format!("third-{n}"));
        let own = all.find(|id| pair.node.hashed_home_of(id) == 1).expect("one in two");
        let replaces = format!("Replaces: {call_id};to-tag={to};from-tag={from}\n");
        let invite = invite(&replaces, &offer(9000))
            .replace(ALICE, DAVE)
            .replace("z9hG4bKa1", "z9hG4bKd1")
            .replace(";tag=a1", ";tag=d1")
            .replace("Call-ID: call-1", &format!("Call-ID: {own}"));
        pair.receive(DAVE, &invite);
        let again = pair.expect(&["bob INVITE"]).remove(0);
        assert_eq!(pair.node.home_of(&own), 0, "where the call is");
        pair.receive(DAVE, &invite);
        pair.expect(&[]);
        pair.receive(BOB, &reply(&again, "100 Trying", "b1", BOB, ""));
        if cancels {
            pair.receive(DAVE, &invite.replace("INVITE sip", "CANCEL sip").replace("1 INVITE", "1 CANCEL"));
            pair.expect(&["dave 200", "bob CANCEL"]);
            pair.receive(BOB, &reply(&again, "487 Request Terminated", "", BOB, ""));
            pair.expect(&["bob ACK", "dave 487"]);
            pair.receive(DAVE, &invite.replace("INVITE sip", "ACK sip").replace("1 INVITE", "1 ACK"));
        } else {
            pair.receive(BOB, &reply(&again, "200 OK", "", BOB, &offer(5000)));
            let all = pair.expect(&["alice BYE", "bob ACK", "dave 200"]);
            pair.receive(ALICE, &reply(&all[0], "200 OK", "", ALICE, ""));
            pair.receive(DAVE, &inside("ACK", "d2", 1, &all[2], DAVE, "", ""));
            pair.receive(DAVE, &inside("INFO", "d3", 2, &all[2], DAVE, "", ""));
            pair.expect(&["bob INFO"]);
        }
        pair.advance(Duration::from_secs(1));
        assert_eq!(pair.calls(), [1, 1]);
    }
}
