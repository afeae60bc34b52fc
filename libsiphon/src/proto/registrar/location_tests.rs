use super::*;
use crate::base::flow::{Flow, Transport};
use proptest::prelude::*;
use std::collections::BTreeMap;

const NOW: Instant = Instant::from_unix_secs(1_800_000_000);

fn table() -> Location {
    Location::new(&Secret::new(7, 9), 4, 1000, NOW)
}

fn at(secs: u64) -> Instant {
    NOW + Duration::from_secs(secs)
}

fn binding(uri: &str, expires_at: Instant) -> Binding {
    Binding {
        uri: uri.into(),
        params: "".into(),
        q: 1000,
        expires_at,
        updated_at: NOW,
        registered_at: NOW,
        call_id: "call".into(),
        cseq: 1,
        path: vec![],
        user_agent: Some("Phone/1".into()),
        received: None,
        flow: None,
        instance_id: None,
        reg_id: None,
    }
}

fn flow(slot: u32) -> Flow {
    Flow {
        transport: Transport::Tcp,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: "198.51.100.7:40000".parse().unwrap(),
        connection: Some(ConnectionId { shard: 1, slot, generation: 3 }),
    }
}

fn add(table: &Location, aor: &str, binding: Binding) {
    add_at(table, aor, binding, NOW);
}

fn add_at(table: &Location, aor: &str, binding: Binding, now: Instant) {
    table
        .update(&aor.into(), now, |state| {
            state.bindings.push(binding);
            Ok::<_, Full>(())
        })
        .unwrap();
}

fn uris(bindings: &[Binding]) -> Vec<&str> {
    bindings.iter().map(|b| &*b.uri).collect()
}

fn sweep_all(table: &Location, now: Instant) -> Vec<Change> {
    (0..table.stripes()).flat_map(|stripe| table.sweep(stripe, now)).collect()
}

#[test]
fn lookup_gives_higher_q_first_and_then_the_most_recent() {
    let table = table();
    let with = |uri: &str, q, updated| Binding { q, updated_at: at(updated), ..binding(uri, at(60)) };
    add(&table, "sip:a@x", with("sip:low@h", 100, 9));
    add(&table, "sip:a@x", with("sip:old@h", 700, 1));
    add(&table, "sip:a@x", with("sip:new@h", 700, 2));
    assert_eq!(uris(&table.lookup("sip:a@x", NOW)), ["sip:new@h", "sip:old@h", "sip:low@h"]);
    assert!(table.lookup("sip:A@x", NOW).is_empty(), "user parts differ by case");
}

#[test]
fn a_binding_lapses_at_its_deadline_even_before_its_timer_is_served() {
    let table = table();
    add(&table, "sip:a@x", binding("sip:a@h", at(10)));
    assert!(table.is_registered("sip:a@x", NOW + Duration::from_micros(9_999_999)));
    assert!(!table.is_registered("sip:a@x", at(10)));
}

#[test]
fn sweeping_removes_what_lapsed_tells_it_and_frees_everything() {
    let table = table();
    for n in 0..50 {
        add(&table, &format!("sip:u{n}@x"), binding(&format!("sip:u{n}@h"), at(10 + n % 3)));
    }
    assert_eq!(table.aor_count(), 50);
    assert!(sweep_all(&table, at(9)).is_empty());
    let changes = sweep_all(&table, at(13));
    assert_eq!(changes.len(), 50);
    assert!(changes.iter().all(|c| c.kind == BindingChange::Expired));
    assert_eq!(table.aor_count(), 0);
    assert_eq!(table.sizes(), (0, 0, 0, 0));
    assert!((0..table.stripes()).all(|s| table.next_deadline(s).is_none()));
}

#[test]
fn following_the_deadlines_serves_each_binding_within_a_tick_of_its_time() {
    let table = table();
    add(&table, "sip:a@x", binding("sip:1@h", at(100)));
    add(&table, "sip:a@x", binding("sip:2@h", at(50)));
    add(&table, "sip:b@x", binding("sip:3@h", at(3000)));
    let mut seen = Vec::new();
    let mut wakes = 0;
    while let Some((deadline, stripe)) =
        (0..table.stripes()).filter_map(|s| table.next_deadline(s).map(|d| (d, s))).min()
    {
        wakes += 1;
        seen.extend(table.sweep(stripe, deadline).into_iter().map(|c| (c.binding.uri, deadline)));
    }
    let late = |n: usize, due: u64| seen[n].1.since(at(due));
    assert_eq!(seen.iter().map(|s| &*s.0).collect::<Vec<_>>(), ["sip:2@h", "sip:1@h", "sip:3@h"]);
    for (n, due) in [(0, 50), (1, 100), (2, 3000)] {
        assert!(seen[n].1 >= at(due) && late(n, due) < Duration::from_millis(5));
    }
    assert!(wakes < 20, "{wakes} wake-ups");
}

#[test]
fn a_failed_edit_changes_nothing() {
    let table = table();
    add(&table, "sip:a@x", binding("sip:a@h", at(60)));
    let before = table.encoded("sip:a@x");
    #[derive(Debug)]
    enum No {
        No,
        Full,
    }
    impl From<Full> for No {
        fn from(_: Full) -> No {
            No::Full
        }
    }
    let failed = table.update(&"sip:a@x".into(), NOW, |state| {
        state.bindings.clear();
        Err::<(), _>(No::No)
    });
    assert!(matches!(failed, Err(No::No)));
    assert!(!matches!(failed, Err(No::Full)));
    assert_eq!(table.encoded("sip:a@x"), before);
}

#[test]
fn one_address_of_record_too_many_is_refused_and_a_known_one_is_not() {
    let table = Location::new(&Secret::new(1, 2), 4, 2, NOW);
    add(&table, "sip:a@x", binding("sip:a@h", at(60)));
    add(&table, "sip:b@x", binding("sip:b@h", at(60)));
    let push = |aor: &str| {
        table
            .update(&aor.into(), NOW, |state| {
                state.bindings.push(binding("sip:more@h", at(60)));
                Ok::<_, Full>(())
            })
            .map(|_| ())
    };
    assert_eq!(push("sip:c@x"), Err(Full));
    assert_eq!(push("sip:a@x"), Ok(()));
    assert!(table.lookup("sip:c@x", NOW).is_empty());
    table.remove(&"sip:b@x".into(), NOW);
    assert_eq!(push("sip:c@x"), Ok(()));
    assert_eq!(table.aor_count(), 2);
}

#[test]
fn bindings_are_counted_through_every_way_they_come_and_go() {
    let table = table();
    add(&table, "sip:a@x", binding("sip:a1@h", at(60)));
    add(&table, "sip:a@x", binding("sip:a2@h", at(90)));
    add(&table, "sip:b@x", binding("sip:b@h", at(600)));
    assert_eq!((table.aor_count(), table.binding_count()), (2, 3));
    for stripe in 0..table.stripes() {
        table.sweep(stripe, at(61));
    }
    assert_eq!((table.aor_count(), table.binding_count()), (2, 2));
    // Found lapsed by an edit, before its timer fired.
    add_at(&table, "sip:a@x", binding("sip:a3@h", at(600)), at(91));
    assert_eq!((table.aor_count(), table.binding_count()), (2, 2));
    table.remove_binding(&"sip:a@x".into(), "sip:a3@h", at(92));
    table.remove(&"sip:b@x".into(), at(92));
    assert_eq!((table.aor_count(), table.binding_count()), (0, 0));
}

#[test]
fn remove_and_expire_tell_what_went_by_their_own_name() {
    let table = table();
    add(&table, "sip:a@x", binding("sip:a@h", at(60)));
    add(&table, "sip:b@x", binding("sip:b@h", at(60)));
    assert_eq!(table.remove(&"sip:a@x".into(), NOW)[0].kind, BindingChange::Deregistered);
    assert_eq!(table.expire(&"sip:b@x".into(), NOW)[0].kind, BindingChange::Expired);
    assert!(table.remove(&"sip:a@x".into(), NOW).is_empty());
    assert_eq!(table.aor_count(), 0);
}

#[test]
fn a_contact_is_found_by_any_equivalent_spelling() {
    let table = table();
    add(&table, "sip:a@x", binding("sip:Al%69ce@Host.Example:5070;transport=tcp", at(60)));
    add(&table, "sip:b@x", binding("sip:bob@host.example:5070", at(60)));
    let find = |uri: &str| {
        let found = table.lookup_contact(&Uri::parse(uri).unwrap(), NOW);
        found.into_iter().map(|(aor, _)| aor.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(find("sip:Alice@HOST.example:5070;transport=TCP"), ["sip:a@x"]);
    assert!(find("sip:Alice@host.example:5070").is_empty(), "transport in one only");
    assert!(find("sip:alice@host.example:5070;transport=tcp").is_empty());
    assert_eq!(find("sip:bob@host.example:5070"), ["sip:b@x"]);
    table.remove(&"sip:b@x".into(), NOW);
    assert!(find("sip:bob@host.example:5070").is_empty());
}

#[test]
fn a_lost_connection_takes_the_bindings_that_only_it_led_to() {
    let table = table();
    let tcp = |uri: &str, slot| Binding { flow: Some(flow(slot)), ..binding(uri, at(60)) };
    add(&table, "sip:outbound@x", Binding { reg_id: Some(1), ..tcp("sip:o@h", 5) });
    add(&table, "sip:nat@x", Binding { received: Some(flow(5).remote), ..tcp("sip:n@10.0.0.1", 5) });
    add(&table, "sip:open@x", tcp("sip:p@h;transport=tcp", 5));
    add(&table, "sip:path@x", Binding { path: vec!["<sip:edge;lr>".into()], ..tcp("sip:q@h", 5) });
    add(&table, "sip:other@x", Binding { reg_id: Some(1), ..tcp("sip:r@h", 6) });
    let gone = table.flow_gone(flow(5).connection.unwrap(), NOW);
    let mut aors: Vec<_> = gone.iter().map(|c| &*c.aor).collect();
    aors.sort_unstable();
    assert_eq!(aors, ["sip:nat@x", "sip:outbound@x"]);
    let open = table.lookup("sip:open@x", NOW);
    assert_eq!(open[0].flow.unwrap().connection, None);
    assert!(table.is_registered("sip:path@x", NOW) && table.is_registered("sip:other@x", NOW));
    assert!(table.flow_gone(flow(5).connection.unwrap(), NOW).is_empty());
}

#[test]
fn an_alias_leads_to_the_bindings_while_they_live() {
    let table = table();
    table
        .update(&"sip:a@x".into(), NOW, |state| {
            state.bindings.push(binding("sip:a@h", at(60)));
            state.aliases = vec!["tel:+4930123".into(), "sip:alias@x".into()];
            Ok::<_, Full>(())
        })
        .unwrap();
    assert_eq!(uris(&table.lookup("tel:+4930123", NOW)), ["sip:a@h"]);
    assert_eq!(&*table.state("sip:alias@x", NOW).unwrap().0, "sip:a@x");
    sweep_all(&table, at(61));
    assert!(!table.is_registered("tel:+4930123", at(61)));
    assert_eq!(table.sizes(), (0, 0, 0, 0));
}

#[test]
fn bindings_of_its_own_come_before_those_an_alias_leads_to() {
    let table = table();
    table
        .update(&"sip:a@x".into(), NOW, |state| {
            state.bindings.push(binding("sip:a@h", at(60)));
            state.aliases = vec!["sip:b@x".into()];
            Ok::<_, Full>(())
        })
        .unwrap();
    add(&table, "sip:b@x", binding("sip:b@h", at(30)));
    assert_eq!(uris(&table.lookup("sip:b@x", NOW)), ["sip:b@h"]);
    assert_eq!(uris(&table.lookup("sip:b@x", at(31))), ["sip:a@h"]);
}

#[test]
fn what_is_set_before_the_first_binding_waits_a_minute_for_it() {
    let table = table();
    table.set_service_routes(&"sip:a@x".into(), vec!["<sip:s;lr>".into()], NOW).unwrap();
    assert_eq!(table.aor_count(), 1);
    assert!(!table.is_registered("sip:a@x", NOW));
    add(&table, "sip:a@x", binding("sip:a@h", at(3600)));
    sweep_all(&table, at(120));
    assert_eq!(table.state("sip:a@x", at(120)).unwrap().1.service_routes.len(), 1);
    table.set_associated_uris(&"sip:b@x".into(), vec!["<sip:b@x>".into()], NOW).unwrap();
    sweep_all(&table, at(61));
    assert!(table.state("sip:b@x", at(61)).is_none());
    assert_eq!(table.aor_count(), 1);
}

#[test]
fn a_table_is_rebuilt_from_encoded_states() {
    let table = table();
    add(&table, "sip:a@x", Binding { flow: Some(flow(1)), ..binding("sip:a@h", at(60)) });
    add(&table, "sip:a@x", binding("sip:b@h", at(10)));
    let encoded = table.encoded("sip:a@x").unwrap();
    let rebuilt = Location::new(&Secret::new(0, 0), 1, 10, at(20));
    rebuilt.restore(&"sip:a@x".into(), Some(&encoded), at(20)).unwrap();
    assert_eq!(uris(&rebuilt.lookup("sip:a@x", at(20))), ["sip:a@h"], "the other one has lapsed meanwhile");
    rebuilt.restore(&"sip:a@x".into(), None, at(20)).unwrap();
    assert_eq!(rebuilt.sizes(), (0, 0, 0, 0));
    let error = rebuilt.restore(&"sip:a@x".into(), Some(&[9]), at(20)).unwrap_err();
    assert!(matches!(error, RestoreError::Decode(_)));
}

#[test]
fn threads_that_register_the_same_user_lose_no_binding() {
    let table = table();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let table = &table;
            scope.spawn(move || {
                for n in 0..50 {
                    add(table, "sip:shared@x", binding(&format!("sip:{thread}-{n}@h"), at(60)));
                    add(table, &format!("sip:{n}@x"), binding(&format!("sip:{thread}-{n}@h"), at(60)));
                }
            });
        }
    });
    assert_eq!(table.lookup("sip:shared@x", NOW).len(), 200);
    assert_eq!(table.aor_count(), 51);
    assert_eq!(table.names().len(), 51);
}

/// Steps of the model test: who, which contact, how long.
#[derive(Clone, Debug)]
enum Step {
    Bind { aor: u8, contact: u8, secs: u64, agent: u8 },
    Unbind { aor: u8, contact: u8 },
    Pass { secs: u64 },
    Lose { slot: u32 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..6, 0u8..4, 1u64..90, 0u8..3)
            .prop_map(|(aor, contact, secs, agent)| Step::Bind { aor, contact, secs, agent }),
        1 => (0u8..6, 0u8..4).prop_map(|(aor, contact)| Step::Unbind { aor, contact }),
        2 => (1u64..40).prop_map(|secs| Step::Pass { secs }),
        1 => (0u32..4).prop_map(|slot| Step::Lose { slot }),
    ]
}

proptest! {
    #[test]
    fn the_table_agrees_with_a_plain_map_and_ends_empty(steps in prop::collection::vec(step(), 1..80)) {
        let table = Location::new(&Secret::new(3, 4), 2, 100, NOW);
        let mut model: BTreeMap<(String, String), Instant> = BTreeMap::new();
        let mut now = NOW;
        for step in steps {
            match step {
                Step::Bind { aor, contact, secs, agent } => {
                    let (aor, uri) = (format!("sip:{aor}@x"), format!("sip:{contact}@h"));
                    let expires_at = now + Duration::from_secs(secs);
                    table.update(&aor.as_str().into(), now, |state| {
                        state.bindings.retain(|b| *b.uri != uri);
                        state.bindings.push(Binding {
                            user_agent: Some(format!("agent {agent}").into()),
                            // Every binding of contact n came on connection n and cannot be reached otherwise.
                            flow: Some(flow(contact.into())),
                            reg_id: Some(1),
                            ..binding(&uri, expires_at)
                        });
                        Ok::<_, Full>(())
                    }).unwrap();
                    model.insert((aor, uri), expires_at);
                }
                Step::Unbind { aor, contact } => {
                    let (aor, uri) = (format!("sip:{aor}@x"), format!("sip:{contact}@h"));
                    let removed = table.remove_binding(&aor.as_str().into(), &uri, now);
                    let known = model.remove(&(aor, uri)).is_some_and(|until| until > now);
                    prop_assert_eq!(removed.iter().any(|c| c.binding.is_live(now)), known);
                }
                Step::Pass { secs } => {
                    now += Duration::from_secs(secs);
                    sweep_all(&table, now);
                }
                Step::Lose { slot } => {
                    table.flow_gone(flow(slot).connection.unwrap(), now);
                    model.retain(|(_, uri), _| *uri != format!("sip:{slot}@h"));
                }
            }
            model.retain(|_, until| *until > now);
            for aor in 0..6 {
                let aor = format!("sip:{aor}@x");
                let mut found: Vec<_> = table.lookup(&aor, now).into_iter().map(|b| (b.uri.to_string(), b.expires_at)).collect();
                found.sort();
                let expected: Vec<_> = model.iter().filter(|(k, _)| k.0 == aor).map(|(k, v)| (k.1.clone(), *v)).collect();
                prop_assert_eq!(found, expected);
            }
        }
        sweep_all(&table, now + Duration::from_secs(1000));
        prop_assert_eq!(table.sizes(), (0, 0, 0, 0));
        prop_assert_eq!(table.aor_count(), 0);
    }
}

#[test]
fn an_edit_that_leaves_nothing_leaves_no_record() {
    let table = table();
    let done: Result<Updated<()>, Full> = table.update(&"sip:a@x".into(), NOW, |_| Ok(()));
    assert!(done.is_ok());
    assert_eq!(table.aor_count(), 0);
    assert_eq!(table.sizes(), (0, 0, 0, 0));
}

#[test]
fn a_phone_behind_a_nat_with_everything_set_packs_into_200_octets() {
    let table = table();
    let nated = Flow { transport: Transport::Udp, connection: None, ..flow(1) };
    let phone = Binding {
        call_id: "3848276298220188511@192.168.100.23".into(),
        user_agent: Some("Yealink SIP-T46U 108.86.0.20".into()),
        received: Some(nated.remote),
        flow: Some(nated),
        instance_id: Some("<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>".into()),
        reg_id: Some(1),
        path: vec!["<sip:token@edge.example.com;lr;ob>".into()],
        ..binding("sip:user12345@192.168.100.23:5060;transport=udp;line=a1b2c3d4", at(3600))
    };
    add(&table, "sip:user12345@voip.example.com", phone.clone());
    assert_eq!(table.lookup("sip:user12345@voip.example.com", NOW), [phone]);
    let size = table.packed_size("sip:user12345@voip.example.com");
    assert!((100..=200).contains(&size), "{size} octets");
}
