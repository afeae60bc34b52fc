//! Each value of the YAML arrives where it counts, and the defaults of both sides are the same.

use std::time::Duration;

use serde_json::json;

use super::super::config::listen::{Domain, Listen};
use super::*;

fn block<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).expect("a good block")
}

fn settings(transaction: serde_json::Value, limits: serde_json::Value) -> Settings {
    engine(EngineBlocks {
        transaction: &block(transaction),
        limits: &block(limits),
        overload: &block(json!({"retry_after_min_secs": 3, "retry_after_max_secs": "4s"})),
        script: &block(json!({"deadline_secs": 7})),
        server: &block(json!({"server_header": "x"})),
        listen: &block(json!({"mtu": 1400})),
    })
}

#[test]
fn an_empty_yaml_gives_the_defaults_of_the_engine() {
    let (listen, limits, overload_block) = (Listen::default(), Limits::default(), Overload::default());
    let mine = engine(EngineBlocks {
        transaction: &Transaction::default(),
        limits: &limits,
        overload: &overload_block,
        script: &Script::default(),
        server: &Server::default(),
        listen: &listen,
    });
    // One octet more than a datagram can carry: nothing can tell the two apart.
    let limits_of_engine = sip::Limits { message: 65_536, ..sip::Limits::default() };
    let engines = Settings { limits: limits_of_engine, ..Settings::default() };
    assert_eq!(format!("{mine:?}"), format!("{engines:?}"));
    assert_eq!(net(&limits), NetSettings::default());
    assert_eq!(overload(&overload_block), OverloadSettings::default());
    assert_eq!(digest(&Auth::default()), DigestSettings::default());
    let registrars = RegistrarSettings { enforce_auth_aor_match: true, ..RegistrarSettings::default() };
    assert_eq!(registrar(&Registrar::default()), registrars);
}

#[test]
fn timers_and_limits_arrive_in_the_engine() {
    let timers = json!({"t1_ms": 50, "t2_ms": 100, "t4_ms": "1s", "timer_c_secs": 5, "auto_emit_100_trying_delay_ms": 9});
    let limits = json!({"message_bytes": 2000, "header_bytes": "1500", "headers": 20, "uri_bytes": 64, "body_bytes": 10,
        "transactions": 100, "branches": 3});
    let settings = settings(timers, limits);
    let ms = Duration::from_millis;
    assert_eq!(
        (settings.timers.t1(), settings.timers.t2(), settings.timers.t4()),
        (ms(50), ms(100), ms(1000))
    );
    let timers = TimerSettings::new(ms(50), ms(100), ms(1000)).with_trying_delay(ms(9));
    assert_eq!(format!("{:?}", settings.timers), format!("{timers:?}"));
    assert_eq!(
        (settings.timer_c, settings.policy_deadline),
        (Duration::from_secs(5), Duration::from_secs(7))
    );
    let limits = sip::Limits { message: 2000, header_section: 1500, headers: 20, uri: 64, body: 10 };
    assert_eq!(format!("{:?}", settings.limits), format!("{limits:?}"));
    assert_eq!((settings.max_transactions, settings.max_breadth, settings.max_datagram), (100, 3, 1200));
    assert_eq!((settings.server_header.as_deref(), settings.retry_after), (Some("x"), (3, 4)));
}

#[test]
fn connection_limits_and_overload_arrive_in_the_driver() {
    let net = net(&block(
        json!({"connections": 5, "connections_per_address": 2, "send_queue_bytes": "16KiB", "connection_idle_secs": 9}),
    ));
    assert_eq!((net.max_connections, net.max_connections_per_ip, net.max_queued_octets), (5, 2, 16_384));
    assert_eq!(net.idle_timeout, Duration::from_secs(9));
    let overload = overload(&block(json!({"target_ms": 5, "interval_ms": 50})));
    assert_eq!((overload.target, overload.interval), (Duration::from_millis(5), Duration::from_millis(50)));
}

#[test]
fn a_listener_is_known_by_what_it_advertises_and_else_by_what_is_bound() {
    let listen: Listen = block(json!({
        "udp": ["0.0.0.0:0", {"address": "[::1]:5060", "advertise": "sip.example.com:5080"}],
        "tcp": ["[::1]:0"],
    }));
    let bound: Vec<Address> = addresses(&listen)
        .into_iter()
        .map(|mut a| {
            if a.address.port() == 0 {
                a.address.set_port(7000);
            }
            a
        })
        .collect();
    let show = |advertised: Option<&HostPort>| {
        let all = listeners(&listen, advertised, &bound);
        all.iter().map(|l| format!("{} {}:{}", l.transport, l.host, l.port)).collect::<Vec<_>>()
    };
    assert_eq!(show(None), ["udp 0.0.0.0:7000", "udp sip.example.com:5080", "tcp [::1]:7000"]);
    let public: HostPort = "2001:db8::9".parse().expect("an address");
    assert_eq!(
        show(Some(&public)),
        ["udp [2001:db8::9]:7000", "udp sip.example.com:5080", "tcp [2001:db8::9]:7000"]
    );
}

#[test]
fn domains_keep_their_ports() {
    let domain: Domain = block(json!({"local": ["Example.com", "example.net:5080"]}));
    let all: Vec<(String, Option<u16>)> = domains(&domain).into_iter().map(|d| (d.host, d.port)).collect();
    assert_eq!(all, [("example.com".to_owned(), None), ("example.net".to_owned(), Some(5080))]);
}

#[test]
fn challenges_are_strongest_first_and_a_user_has_the_strongest_hash_that_is_offered() {
    use crate::proto::auth::Credentials;
    let (md5, sha) = ("0".repeat(32), "1".repeat(64));
    let auth: Auth = block(json!({
        "algorithms": ["MD5", "SHA-256"],
        "qop": ["auth", "auth-int"],
        "nonce_ttl_secs": 60,
        "users": {"alice": "secret", "bob": {"ha1": md5, "ha1_sha256": sha}, "carol": {"ha1_sha512_256": sha}},
    }));
    let settings = digest(&auth);
    assert_eq!(settings.algorithms, [Algorithm::Sha256, Algorithm::Md5]);
    assert!(settings.offer_auth_int);
    assert_eq!(settings.nonce_lifetime, Duration::from_secs(60));
    let users = users(&auth);
    assert_eq!(users.len(), 2);
    assert!(users.ha1("alice", "r", Algorithm::Md5).is_some());
    assert!(users.ha1("bob", "r", Algorithm::Sha256).is_some());
}

#[test]
fn registrar_limits_arrive() {
    let block: Registrar =
        block(json!({"default_expires": 100, "min_expires": 10, "max_expires": "1h", "max_contacts": 2,
        "enforce_auth_aor_match": false}));
    let settings = registrar(&block);
    assert_eq!((settings.default_expires, settings.min_expires, settings.max_expires), (100, 10, 3600));
    assert_eq!((settings.max_contacts, settings.enforce_auth_aor_match), (2, false));
}
