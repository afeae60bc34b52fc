use super::*;
use crate::proto::locate::NoRoute;
use crate::wire::sip::Uri;
use std::collections::BTreeMap;

/// What DNS knows in a test, and the steps it led to.
#[derive(Default)]
struct Zone {
    naptr: BTreeMap<&'static str, Vec<Naptr>>,
    srv: BTreeMap<&'static str, Vec<Srv>>,
    addresses: BTreeMap<&'static str, Vec<&'static str>>,
}

impl Zone {
    fn records(&self, lookup: &Lookup) -> Records {
        match lookup {
            Lookup::Naptr(name) => Records::Naptr(self.naptr.get(&**name).cloned().unwrap_or_default()),
            Lookup::Srv(name) => Records::Srv(self.srv.get(&**name).cloned().unwrap_or_default()),
            Lookup::Addresses(name) => {
                let ips = self.addresses.get(&**name).cloned().unwrap_or_default();
                Records::Addresses(ips.iter().map(|ip| ip.parse().unwrap()).collect())
            }
        }
    }

    /// All steps for `uri`, a line each.
    fn walk(&self, uri: &str, reach: Reach, oversize: bool) -> String {
        self.walk_with(uri, reach, oversize, 1).join("\n")
    }

    fn walk_with(&self, uri: &str, reach: Reach, oversize: bool, random: u64) -> Vec<String> {
        let query = Query::of_uri(&Uri::parse(uri).unwrap()).unwrap();
        let mut locator = Locator::new(query, reach, oversize);
        let mut lines = Vec::new();
        loop {
            match locator.step() {
                Step::Ask(lookup) => {
                    let records = self.records(&lookup);
                    lines.push(match lookup {
                        Lookup::Naptr(n) => format!("NAPTR {n}"),
                        Lookup::Srv(n) => format!("SRV {n}"),
                        Lookup::Addresses(n) => format!("A {n}"),
                    });
                    locator.answer(records, random);
                }
                Step::Try { transport, remote } => lines.push(format!("try {transport} {remote}")),
                Step::Exhausted => return lines,
            }
        }
    }
}

fn reach(listeners: &[(Transport, &str)]) -> Reach {
    listeners.iter().fold(Reach::default(), |r, (t, bound)| r.with(*t, &bound.parse().unwrap()))
}

fn everything() -> Reach {
    reach(&[
        (Transport::Udp, "0.0.0.0:5060"),
        (Transport::Tcp, "0.0.0.0:5060"),
        (Transport::Udp, "[::]:5060"),
        (Transport::Tcp, "[::]:5060"),
    ])
}

fn naptr(order: u16, preference: u16, service: &str, replacement: &str) -> Naptr {
    Naptr { order, preference, flags: "s".into(), service: service.into(), replacement: replacement.into() }
}

fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Srv {
    Srv { priority, weight, port, target: target.into() }
}

#[test]
fn a_numeric_host_needs_no_lookup() {
    let zone = Zone::default();
    assert_eq!(zone.walk("sip:bob@192.0.2.7", everything(), false), "try udp 192.0.2.7:5060");
    assert_eq!(
        zone.walk("sip:bob@[2001:db8::1]:5070;transport=TCP", everything(), false),
        "try tcp [2001:db8::1]:5070"
    );
    assert_eq!(zone.walk("sip:example.com;maddr=192.0.2.9", everything(), false), "try udp 192.0.2.9:5060");
}

#[test]
fn a_port_leads_straight_to_the_addresses() {
    let zone =
        Zone { addresses: [("h.example", vec!["192.0.2.1", "2001:db8::1"])].into(), ..Zone::default() };
    assert_eq!(
        zone.walk("sip:h.example:5080", everything(), false),
        "A h.example\ntry udp 192.0.2.1:5080\ntry udp [2001:db8::1]:5080"
    );
}

#[test]
fn naptr_chooses_the_service_and_the_next_target_is_looked_up_only_after_a_failure() {
    let zone = Zone {
        naptr: [(
            "example.com",
            vec![
                naptr(50, 50, "SIPS+D2T", "_sips._tcp.example.com."),
                naptr(90, 50, "SIP+D2T", "_sip._tcp.example.com."),
                naptr(100, 50, "SIP+D2U", "_sip._udp.example.com."),
            ],
        )]
        .into(),
        srv: [
            (
                "_sip._tcp.example.com",
                vec![srv(1, 0, 5060, "s1.example.com."), srv(2, 0, 5062, "s2.example.com.")],
            ),
            ("_sip._udp.example.com", vec![srv(1, 0, 5064, "s1.example.com")]),
        ]
        .into(),
        addresses: [("s1.example.com", vec!["192.0.2.1"]), ("s2.example.com", vec!["192.0.2.2"])].into(),
    };
    assert_eq!(
        zone.walk("sip:bob@example.com", everything(), false),
        "NAPTR example.com\nSRV _sip._tcp.example.com\nA s1.example.com\ntry tcp 192.0.2.1:5060\n\
         A s2.example.com\ntry tcp 192.0.2.2:5062\n\
         SRV _sip._udp.example.com\nA s1.example.com\ntry udp 192.0.2.1:5064"
    );
}

#[test]
fn without_naptr_each_transport_is_asked_for_and_without_srv_the_host_itself() {
    let zone = Zone { addresses: [("example.com", vec!["192.0.2.1"])].into(), ..Zone::default() };
    assert_eq!(
        zone.walk("sip:example.com", everything(), false),
        "NAPTR example.com\nSRV _sip._udp.example.com\nSRV _sip._tcp.example.com\nA example.com\ntry udp 192.0.2.1:5060"
    );
    assert_eq!(
        zone.walk("sip:example.com;transport=tcp", everything(), false),
        "SRV _sip._tcp.example.com\nA example.com\ntry tcp 192.0.2.1:5060"
    );
}

#[test]
fn a_service_that_is_declared_absent_is_not_sought_at_the_host() {
    let zone = Zone {
        srv: [("_sip._udp.example.com", vec![srv(0, 0, 0, ".")])].into(),
        addresses: [("example.com", vec!["192.0.2.1"])].into(),
        ..Zone::default()
    };
    let steps = zone.walk("sip:example.com;transport=udp", everything(), false);
    assert_eq!(steps, "SRV _sip._udp.example.com");
}

#[test]
fn families_and_transports_without_a_listener_are_passed_over() {
    let zone =
        Zone { addresses: [("h.example", vec!["2001:db8::1", "192.0.2.1"])].into(), ..Zone::default() };
    let v4 = reach(&[(Transport::Udp, "127.0.0.1:5060")]);
    assert_eq!(zone.walk("sip:h.example:5060", v4, false), "A h.example\ntry udp 192.0.2.1:5060");
    assert_eq!(zone.walk("sip:h.example:5060;transport=tcp", v4, false), "");
    assert_eq!(zone.walk("sip:[2001:db8::1]", v4, false), "");
    let tcp = reach(&[(Transport::Tcp, "127.0.0.1:5060")]);
    assert_eq!(zone.walk("sip:192.0.2.1", tcp, false), "try tcp 192.0.2.1:5060");
}

#[test]
fn a_large_request_tries_tcp_first_and_falls_back_to_udp_at_every_target() {
    let zone = Zone { addresses: [("h.example", vec!["192.0.2.1", "192.0.2.2"])].into(), ..Zone::default() };
    assert_eq!(
        zone.walk("sip:h.example:5060", everything(), true),
        "A h.example\ntry tcp 192.0.2.1:5060\ntry udp 192.0.2.1:5060\ntry tcp 192.0.2.2:5060\ntry udp 192.0.2.2:5060"
    );
    let no_tcp = reach(&[(Transport::Udp, "0.0.0.0:5060")]);
    assert_eq!(zone.walk("sip:192.0.2.1", no_tcp, true), "try udp 192.0.2.1:5060");
}

#[test]
fn weights_share_the_load_in_proportion_within_a_priority() {
    let zone = Zone {
        srv: [(
            "_sip._udp.example.com",
            vec![srv(2, 100, 1, "192.0.2.3"), srv(1, 10, 1, "192.0.2.1"), srv(1, 30, 1, "192.0.2.2")],
        )]
        .into(),
        ..Zone::default()
    };
    let mut first = [0u32; 2];
    for random in 0..4000 {
        let steps = zone.walk_with("sip:example.com;transport=udp", everything(), false, random);
        assert_eq!(steps.len(), 4);
        assert_eq!(steps[3], "try udp 192.0.2.3:1");
        first[usize::from(steps[1].contains("192.0.2.2"))] += 1;
    }
    assert!((900..1200).contains(&first[0]), "{first:?}");
}

#[test]
fn a_zone_of_endless_records_ends_after_the_limit() {
    let many: Vec<Srv> = (0..200).map(|i| srv(i, 0, 5060, "many.example")).collect();
    let zone = Zone {
        srv: [("_sip._udp.example.com", many)].into(),
        addresses: [("many.example", vec!["192.0.2.1"; 100])].into(),
        ..Zone::default()
    };
    let steps = zone.walk("sip:example.com;transport=udp", everything(), false);
    assert_eq!(steps.lines().filter(|l| l.starts_with("try")).count(), 32);
    let empty: Vec<Srv> = (0..200).map(|i| srv(i, 0, 5060, "nothing.example")).collect();
    let zone = Zone { srv: [("_sip._udp.example.com", empty)].into(), ..Zone::default() };
    assert_eq!(zone.walk("sip:example.com;transport=udp", everything(), false).lines().count(), 32);
}

#[test]
fn what_this_version_cannot_reach_is_named() {
    let of = |uri| Query::of_uri(&Uri::parse(uri).unwrap()).unwrap_err();
    assert_eq!(of("sips:bob@example.com"), NoRoute::Sips);
    assert_eq!(of("sip:bob@example.com;transport=tls"), NoRoute::Transport);
    assert_eq!(of("tel:+15551234"), NoRoute::Scheme);
    let long = format!("sip:{}", "a".repeat(244));
    assert_eq!(of(&long), NoRoute::Host);
}

#[test]
fn an_answer_of_another_kind_counts_as_empty() {
    let query = Query::of_uri(&Uri::parse("sip:h.example:5060").unwrap()).unwrap();
    let mut locator = Locator::new(query, everything(), false);
    assert!(matches!(locator.step(), Step::Ask(Lookup::Addresses(_))));
    locator.answer(Records::Srv(Vec::new()), 1);
    assert_eq!(locator.step(), Step::Exhausted);
    locator.answer(Records::Addresses(vec!["192.0.2.1".parse().unwrap()]), 1);
    assert_eq!(locator.step(), Step::Exhausted);
}
