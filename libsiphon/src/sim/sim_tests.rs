//! The simulator on small networks: what a reader of its documentation would try first.

use super::*;
use crate::base::flow::Transport;
use crate::base::time::Duration;

fn pair(seed: u64, transport: Transport, shards: u8) -> (Net, HostId, HostId, HostId) {
    let mut net = Net::seeded(seed);
    let proxy = net.proxy(NodePlan { shards, ..NodePlan::new("proxy", "10.0.0.1:5060") });
    let account = net.account("alice", proxy, transport);
    let alice = net.phone_with(account);
    let account = net.account("bob", proxy, transport);
    let bob = net.phone_with(account);
    net.register(bob, 3600);
    net.advance(Duration::from_secs(1));
    (net, proxy, alice, bob)
}

fn checked(mut net: Net) -> Net {
    net.run_to_rest();
    if let Err(report) = net.check() {
        panic!("{report}\n{}", net.ladder(""));
    }
    net
}

#[test]
fn a_phone_registers_and_is_called_over_udp() {
    for shards in [1, 3] {
        let (mut net, _, alice, bob) = pair(7, Transport::Udp, shards);
        net.call(alice, "sip:bob@example.com", Duration::from_secs(2));
        let net = checked(net);
        assert_eq!(
            (net.statuses(alice), net.statuses(bob)),
            (vec![200, 200], vec![200]),
            "{}",
            net.ladder("")
        );
    }
}

#[test]
fn a_phone_registers_and_is_called_over_tcp() {
    for shards in [1, 3] {
        let (mut net, _, alice, bob) = pair(7, Transport::Tcp, shards);
        net.call(alice, "sip:bob@example.com", Duration::from_secs(2));
        let net = checked(net);
        assert_eq!(
            (net.statuses(alice), net.statuses(bob)),
            (vec![200, 200], vec![200]),
            "{}",
            net.ladder("")
        );
    }
}

#[test]
fn a_call_gets_through_a_lossy_wire() {
    for seed in 0..20 {
        let (mut net, _, alice, _) = pair(seed, Transport::Udp, 3);
        net.conditions(Conditions::ROUGH);
        net.call(alice, "sip:bob@example.com", Duration::from_secs(2));
        let net = checked(net);
        assert_eq!(net.statuses(alice), [200, 200], "seed {seed}\n{}", net.ladder(""));
    }
}

#[test]
fn a_cancelled_call_ends_with_487() {
    let (mut net, _, alice, bob) = pair(1, Transport::Udp, 1);
    net.behave(bob, Manner::ringing());
    let plan = CallPlan {
        to: "sip:bob@example.com".to_owned(),
        cancel_after: Some(Duration::from_secs(3)),
        ..CallPlan::default()
    };
    net.order(alice, Duration::from_millis(10), Order::Call(plan));
    let net = checked(net);
    assert_eq!(net.statuses(alice), [200, 487], "{}", net.ladder(""));
}

#[test]
fn the_same_seed_gives_the_same_log() {
    let run = |seed| {
        let (mut net, _, alice, _) = pair(seed, Transport::Udp, 3);
        net.conditions(Conditions::ROUGH);
        net.call(alice, "sip:bob@example.com", Duration::from_secs(2));
        net.run_to_rest();
        net.hash()
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

#[test]
fn a_raw_message_is_answered_and_drawn() {
    let mut net = Net::seeded(3);
    let proxy = net.proxy(NodePlan::new("proxy", "10.0.0.1:5060"));
    let alice = net.ua("alice", proxy);
    net.send(
        alice,
        proxy,
        "OPTIONS sip:example.com SIP/2.0\nVia: SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bKx;rport\nMax-Forwards: 70\n\
         From: <sip:alice@example.com>;tag=1\nTo: <sip:example.com>\nCall-ID: c1\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n",
    );
    net.advance(Duration::from_millis(100));
    let ladder = net.ladder("c1");
    assert!(
        ladder.contains("200 OPTIONS (1)") && ladder.contains("alice") && ladder.contains("proxy"),
        "{ladder}"
    );
}

#[test]
fn a_late_response_to_an_earlier_start_finds_no_transaction_of_this_one() {
    // The secret is configured, so both starts share it; a response to the first must not reach a call of the second.
    let mut net = Net::seeded(4);
    let proxy = net.proxy(NodePlan::new("proxy", "10.0.0.1:5060"));
    let key = crate::base::slab::Key { slot: 0, generation: 1 };
    let branch = net.node(proxy).shared().expect("it is up").branches.encode(0, key, 7);
    net.kill(proxy, Duration::from_secs(1), Duration::from_secs(1));
    net.advance(Duration::from_secs(3));
    let again = net.node(proxy).shared().expect("it is up again");
    assert_eq!(again.branches.decode(branch.as_str()), None);
}

#[test]
fn an_ack_that_bears_the_branch_of_its_invite_still_reaches_the_callee() {
    let (mut net, proxy, _, _) = pair(9, Transport::Udp, 1);
    let account = Account { old_ack: true, ..net.account("old", proxy, Transport::Udp) };
    let old = net.phone_with(account);
    net.call(old, "sip:bob@example.com", Duration::from_secs(2));
    // The rule `2xx acknowledged` is what fails without it.
    let net = checked(net);
    assert_eq!(net.statuses(old), [200, 200], "{}", net.ladder(""));
}

#[test]
fn a_shard_is_quiet_after_the_response_to_a_request_could_not_be_sent() {
    let (mut net, _, alice, bob) = pair(11, Transport::Tcp, 1);
    net.behave(bob, Manner { slow: Some(Duration::from_secs(3)), ..Manner::friendly() });
    let to = "sip:bob@example.com".to_owned();
    let message = Order::Request { method: "MESSAGE", to, expect: Expect::Anything };
    net.order(alice, Duration::from_millis(100), message);
    net.order(alice, Duration::from_secs(1), Order::Disconnect);
    let net = checked(net);
    assert_eq!(net.statuses(alice), [0], "{}", net.ladder(""));
}

fn register(call_id: &str, cseq: u32, contact: &str) -> String {
    format!(
        "REGISTER sip:example.com SIP/2.0\nVia: SIP/2.0/UDP 10.1.0.2:5060;branch=z9hG4bKr{cseq};rport\nMax-Forwards: 70\n\
         From: <sip:bob@example.com>;tag=1\nTo: <sip:bob@example.com>\nCall-ID: {call_id}\nCSeq: {cseq} REGISTER\n\
         Contact: <{contact}\nContent-Length: 0\n\n"
    )
}

#[test]
fn a_register_that_its_own_removal_overtook_binds_and_the_auditor_agrees() {
    let mut net = Net::seeded(5);
    let proxy = net.proxy(NodePlan::new("proxy", "10.0.0.1:5060"));
    let (alice, bob) = (net.ua("alice", proxy), net.ua("bob", proxy));
    net.send(bob, proxy, &register("reg-1", 2, "sip:bob@10.1.0.2:5060>;expires=0"));
    net.advance(Duration::from_secs(1));
    net.send(bob, proxy, &register("reg-1", 1, "sip:bob@10.1.0.2:5060>;expires=600"));
    net.advance(Duration::from_secs(5));
    net.call(alice, "sip:bob@example.com", Duration::from_secs(2));
    let net = checked(net);
    assert_eq!(net.statuses(alice), [200, 200], "{}", net.ladder(""));
}

#[test]
fn a_failure_that_came_right_before_its_connection_broke_is_acknowledged_and_the_auditor_agrees() {
    for seed in 0..12 {
        let (mut net, proxy, _, bob) = pair(seed, Transport::Tcp, 3);
        // The name is in the Call-ID, which decides the shard that owns the call.
        let alice = net.ua(&format!("alice{seed}"), proxy);
        net.behave(bob, Manner::refusing(486));
        // The failure and the end of the connection arrive in one moment; the failure still has a mailbox before it.
        let calm =
            Conditions { delay: (Duration::from_millis(2), Duration::from_millis(2)), ..Conditions::CALM };
        net.conditions(Conditions { mailbox: Duration::from_millis(1), ..calm });
        net.call(alice, "sip:bob@example.com", Duration::from_secs(2));
        net.advance(Duration::from_millis(200));
        net.conditions(Conditions { resets: 1000, mailbox: Duration::from_millis(1), ..calm });
        net.advance(Duration::from_millis(150));
        net.conditions(calm);
        let net = checked(net);
        assert_eq!(net.statuses(alice), [486], "seed {seed}\n{}", net.ladder(""));
    }
}

#[test]
fn an_ack_whose_flow_is_gone_goes_where_the_contact_says() {
    for shards in [1, 3] {
        let (mut net, _, _, bob) = pair(3, Transport::Tcp, shards);
        let proxy = 0;
        let carol = net.ua("carol", proxy);
        let fixed = Duration::from_millis(2);
        net.conditions(Conditions { delay: (fixed, fixed), mailbox: Duration::ZERO, ..Conditions::CALM });
        // The INVITE is with bob after 4 ms, his 200 with carol 804 ms later, her ACK with the proxy after 808.
        net.call(carol, "sip:bob@example.com", Duration::from_secs(2));
        net.order(bob, Duration::from_millis(805), Order::Disconnect);
        net.advance(Duration::from_millis(808));
        assert_eq!(net.node(proxy).connections(), 0, "the flow is gone when the ACK comes");
        net.advance(Duration::from_millis(400));
        assert!(net.received(bob).iter().any(|line| line.starts_with("ACK ")), "{}", net.ladder(""));
        let net = checked(net);
        assert_eq!(net.statuses(carol), [200, 200], "{}", net.ladder(""));
    }
}

#[test]
fn a_request_on_a_connection_of_our_own_that_breaks_fails_at_once_and_the_next_target_is_tried() {
    for shards in [1, 3] {
        let (mut net, proxy, _, bob) = pair(3, Transport::Udp, shards);
        let (carol, desk) = (net.ua("carol", proxy), net.ua("desk", proxy));
        net.behave(desk, Manner::silent());
        // Bob's first choice is a phone that takes requests over a stream and then says nothing.
        let contact = format!("sip:bob@{};transport=tcp>;q=0.9", net.address_of(desk));
        net.send(desk, proxy, &register("reg-2", 1, &contact));
        let again = format!("sip:bob@{}>;q=0.5", net.address_of(bob));
        net.send(bob, proxy, &register("reg-3", 2, &again));
        net.advance(Duration::from_secs(1));
        net.call(carol, "sip:bob@example.com", Duration::from_secs(2));
        net.advance(Duration::from_millis(500));
        assert!(net.received(desk).iter().any(|line| line.starts_with("INVITE ")), "{}", net.ladder(""));
        net.wire().reset_all_of(desk);
        net.advance(Duration::from_secs(2));
        assert_eq!(net.statuses(carol), [200], "{}", net.ladder(""));
        let mut net = net;
        net.run_to_rest();
        assert_eq!(net.check(), Ok(()));
    }
}

#[test]
fn a_call_from_ipv4_to_ipv6_has_the_proxy_in_its_route_set_once_for_each() {
    let mut net = Net::seeded(6);
    let v6 = "[2001:db8::1]:5060".parse().expect("an address");
    let proxy = net.proxy(NodePlan { also: vec![v6], ..NodePlan::new("proxy", "10.0.0.1:5060") });
    let alice = net.ua("alice", proxy);
    let at = "[2001:db8::2]:5060".parse().expect("an address");
    let account = Account { address: at, public: at, proxy: v6, ..net.account("bob", proxy, Transport::Udp) };
    let bob = net.phone_with(account);
    net.register(bob, 3600);
    net.advance(Duration::from_secs(1));
    net.call(alice, "sip:bob@example.com", Duration::from_secs(2));
    let net = checked(net);
    assert_eq!(net.statuses(alice), [200, 200], "{}", net.ladder(""));
    let routes = |bytes: &crate::base::text::Octets| {
        let invite = reading::Reading::of(bytes).filter(|r| r.is_request() && r.method() == "INVITE")?;
        let hosts = invite.values("Record-Route");
        Some(hosts.iter().filter_map(|r| reading::socket_of(reading::address(r))).collect::<Vec<_>>())
    };
    let seen = net.phone(bob).inbox().iter().find_map(routes);
    assert_eq!(seen, Some(vec![v6, "10.0.0.1:5060".parse().expect("an address")]));
}

/// A proxy whose policy sends a MESSAGE to the callee first and relays the call when it was accepted.
fn asking(shards: u8) -> NodePlan {
    use crate::policy::{Decision, OriginatedRequest, Outcome, RelayOptions, ReplySpec, Strategy, Verdict};
    let plan = NodePlan { shards, ..NodePlan::new("proxy", "10.0.0.1:5060") };
    plan.with_handler(|_| {
        Box::new(|question, scene| {
            let request = &question.request;
            if request.method_name() != "INVITE" || request.to_tag().is_some() {
                return Answer::now(plan::role_procedure(&question.kind));
            }
            let found = request.uri().map(|uri| scene.node.registrar.lookup(&uri, scene.now));
            let Some(target) = found.unwrap_or_default().first().map(|b| b.target()) else {
                return Answer::of(Decision::Reply(ReplySpec::code(404)));
            };
            let first = OriginatedRequest {
                method: "MESSAGE".into(),
                ruri: target.uri.clone(),
                headers: Vec::new(),
                body: None,
                next_hop: None,
                flow: None,
                timeout: Duration::from_secs(5),
            };
            Answer::when(first, |outcome| match outcome {
                Outcome::Response(response) if response.status() == 200 => Verdict::of(Decision::Fork {
                    targets: vec![target],
                    strategy: Strategy::Parallel,
                    options: RelayOptions { record_route: true, ..RelayOptions::default() },
                }),
                Outcome::Response(response) => {
                    Verdict::of(Decision::Reply(ReplySpec::code(response.status())))
                }
                Outcome::Failed(_) | Outcome::Media(_) => Verdict::of(Decision::Reply(ReplySpec::code(480))),
            })
        })
    })
}

#[test]
fn a_ticket_waits_for_the_outcome_of_a_request_of_the_policy() {
    for (status, right) in [(200, vec![200, 200]), (404, vec![404]), (0, vec![480])] {
        for shards in [1, 3] {
            let mut net = Net::seeded(8);
            let proxy = net.proxy(asking(shards));
            let (alice, bob) = (net.ua("alice", proxy), net.ua("bob", proxy));
            net.register(bob, 3600);
            net.behave(bob, Manner { status, ..Manner::friendly() });
            net.advance(Duration::from_secs(1));
            net.call(alice, "sip:bob@example.com", Duration::from_secs(2));
            let net = checked(net);
            assert_eq!(net.statuses(alice), right, "{}", net.ladder(""));
        }
    }
}
