use super::*;
use crate::proto::registrar::harness::{NOW, at, tcp, udp};

fn change(user: &str, kind: BindingChange, flow: Flow, hidden: bool) -> Change {
    Change {
        aor: format!("sip:{user}@x").into(),
        kind,
        binding: Binding {
            uri: format!("sip:{user}@10.0.0.5").into(),
            params: "".into(),
            q: 1000,
            expires_at: at(3600),
            updated_at: NOW,
            registered_at: NOW,
            call_id: "c".into(),
            cseq: 1,
            path: vec![],
            user_agent: None,
            received: hidden.then_some(flow.remote),
            flow: Some(flow),
            instance_id: None,
            reg_id: None,
        },
    }
}

fn registered(user: &str) -> Change {
    change(user, BindingChange::Registered, udp("198.51.100.9:31000"), true)
}

fn pinger(settings: PingSettings) -> Pinger {
    Pinger::new(settings, &Secret::new(4, 2), NOW)
}

/// Serves every deadline up to `until`; returns when what was pushed.
fn run(pinger: &mut Pinger, until: Instant, mut answer: impl FnMut(&Ping) -> bool) -> Vec<(Instant, Ping)> {
    let mut seen = Vec::new();
    while let Some(deadline) = pinger.deadline().filter(|d| *d <= until) {
        let mut out = Vec::new();
        pinger.tick(deadline, &mut out);
        for ping in out {
            if let Ping::Options { id, .. } = &ping
                && answer(&ping)
            {
                pinger.answered(*id);
            }
            seen.push((deadline, ping));
        }
    }
    seen
}

#[test]
fn a_hidden_udp_binding_is_pinged_every_interval() {
    let mut pinger = pinger(PingSettings::default());
    pinger.observe(&registered("a"), NOW);
    let seen = run(&mut pinger, at(301), |_| true);
    assert_eq!(seen.len(), 10);
    for pair in seen.windows(2) {
        let gap = pair[1].0.since(pair[0].0);
        assert!(gap >= Duration::from_secs(30) && gap < Duration::from_millis(30_010), "{gap:?}");
    }
    let Ping::Options { target, .. } = &seen[0].1 else { panic!("OPTIONS by default") };
    assert_eq!(target.received, Some("198.51.100.9:31000".parse().unwrap()));
}

#[test]
fn only_hidden_bindings_over_udp_without_a_path_are_pinged() {
    let mut pinger = pinger(PingSettings::default());
    pinger.observe(&change("open", BindingChange::Registered, udp("192.0.2.7:5060"), false), NOW);
    pinger.observe(&change("tcp", BindingChange::Registered, tcp("198.51.100.9:1", 1), true), NOW);
    let mut edge = registered("edge");
    edge.binding.path = vec!["<sip:edge;lr>".into()];
    pinger.observe(&edge, NOW);
    assert!(pinger.is_empty() && pinger.deadline().is_none());
}

#[test]
fn a_binding_is_dead_after_so_many_pings_in_a_row_without_answer() {
    let mut pinger = pinger(PingSettings { failure_threshold: 3, ..PingSettings::default() });
    pinger.observe(&registered("a"), NOW);
    let mut n = 0;
    let seen = run(&mut pinger, at(1000), |_| {
        n += 1;
        n == 2
    });
    // Unanswered, answered, then three without answer.
    assert_eq!(n, 5);
    assert_eq!(seen.len(), 6);
    assert_eq!(seen[5].1, Ping::Dead { aor: "sip:a@x".into(), contact: "sip:a@10.0.0.5".into() });
    assert!(pinger.is_empty() && pinger.deadline().is_none());
}

#[test]
fn a_refresh_is_a_sign_of_life_and_brings_the_new_address() {
    let mut pinger = pinger(PingSettings { failure_threshold: 2, ..PingSettings::default() });
    pinger.observe(&registered("a"), NOW);
    run(&mut pinger, at(30), |_| false);
    pinger.observe(&change("a", BindingChange::Refreshed, udp("198.51.100.10:32000"), true), at(31));
    let seen = run(&mut pinger, at(61), |_| false);
    let Ping::Options { target, .. } = &seen[0].1 else { panic!("not dead yet") };
    assert_eq!(target.received, Some("198.51.100.10:32000".parse().unwrap()));
    assert_eq!(pinger.len(), 1);
}

#[test]
fn a_binding_that_ends_or_leaves_the_nat_is_forgotten() {
    let mut pinger = pinger(PingSettings::default());
    for (user, kind) in [("a", BindingChange::Expired), ("b", BindingChange::Deregistered)] {
        pinger.observe(&registered(user), NOW);
        pinger.observe(&Change { kind, ..registered(user) }, NOW);
    }
    pinger.observe(&registered("c"), NOW);
    pinger.observe(&change("c", BindingChange::Refreshed, udp("10.0.0.5:5060"), false), NOW);
    assert!(pinger.is_empty());
    assert!(run(&mut pinger, at(100), |_| true).is_empty());
    pinger.answered(PingId(0));
}

#[test]
fn crlf_goes_back_along_the_flow_and_never_finds_a_binding_dead() {
    let settings = PingSettings { method: PingMethod::Crlf, failure_threshold: 1, ..PingSettings::default() };
    let mut pinger = pinger(settings);
    pinger.observe(&registered("a"), NOW);
    let seen = run(&mut pinger, at(300), |_| false);
    assert_eq!(seen.len(), 10);
    assert!(seen.iter().all(|(_, p)| *p == Ping::Crlf { egress: udp("198.51.100.9:31000").back() }));
}

#[test]
fn a_thousand_bindings_made_at_once_are_spread_over_the_interval() {
    let mut pinger = pinger(PingSettings::default());
    (0..1000).for_each(|n| pinger.observe(&registered(&n.to_string()), NOW));
    let seen = run(&mut pinger, at(30), |_| true);
    let mut per_second = [0; 31];
    seen.iter().for_each(|(when, _)| per_second[when.since(NOW).as_secs() as usize] += 1);
    assert_eq!(seen.len(), 1000);
    assert!(per_second[..30].iter().all(|n| (5..80).contains(n)), "{per_second:?}");
}

#[test]
fn one_tick_pushes_no_more_than_it_may_and_the_rest_follows() {
    let mut pinger = pinger(PingSettings { per_tick: 10, ..PingSettings::default() });
    (0..95).for_each(|n| pinger.observe(&registered(&n.to_string()), NOW));
    let mut out = Vec::new();
    let mut now = at(30);
    let mut counts = Vec::new();
    for _ in 0..10 {
        let before = out.len();
        pinger.tick(now, &mut out);
        counts.push(out.len() - before);
        pinger.tick(now, &mut out);
        assert_eq!(out.len() - before, counts[counts.len() - 1], "twice in one instant is once");
        now = pinger.deadline().unwrap().max(now);
    }
    assert_eq!(counts, [10, 10, 10, 10, 10, 10, 10, 10, 10, 5]);
}

#[test]
fn beyond_the_limit_bindings_are_counted_and_not_pinged() {
    let mut pinger = pinger(PingSettings { max_bindings: 2, ..PingSettings::default() });
    (0..5).for_each(|n| pinger.observe(&registered(&n.to_string()), NOW));
    assert_eq!((pinger.len(), pinger.unpinged()), (2, 3));
}
