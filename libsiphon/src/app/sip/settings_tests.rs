//! Each value of the YAML arrives where it counts, and the defaults of both sides are the same.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;

/// Blocks that live as long as a test.
#[derive(Default)]
struct Blocks {
    listen: Listen,
    advertised: Option<HostPort>,
    domain: Domain,
    script: Script,
    registrar: Registrar,
    auth: Auth,
    nat: Nat,
    transaction: Transaction,
    limits: Limits,
    overload: Overload,
    dns: Dns,
    server: Server,
}

impl Blocks {
    fn sip(&self) -> SipBlocks<'_> {
        SipBlocks {
            listen: &self.listen,
            advertised: self.advertised.as_ref(),
            domain: &self.domain,
            script: &self.script,
            registrar: &self.registrar,
            auth: &self.auth,
            realm: "example.com",
            nat: &self.nat,
            media: None,
            transaction: &self.transaction,
            limits: &self.limits,
            overload: &self.overload,
            shards: Some(3),
            dns: &self.dns,
            cache: &[],
            server: &self.server,
            b2bua: None,
        }
    }
}

fn block<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a good block")
}

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn an_empty_yaml_gives_the_defaults_of_engine_driver_registrar_and_digest() {
    let blocks = Blocks::default();
    // One octet more than a datagram can carry: nothing can tell the two apart.
    let limits = sip::Limits { message: 65_536, ..sip::Limits::default() };
    let crlf =
        PingSettings { method: PingMethod::Crlf, failure_threshold: u32::MAX, ..PingSettings::default() };
    let engine = Settings { limits, pings: vec![crlf, PingSettings::default()], ..Settings::default() };
    assert_eq!(format!("{:?}", blocks.sip().engine()), format!("{engine:?}"));
    let driver = blocks.sip().driver();
    assert_eq!(driver.net, NetSettings::default());
    assert_eq!(driver.overload, OverloadSettings::default());
    let digest = DigestSettings { uri_check: UriCheck::Off, ..DigestSettings::default() };
    assert_eq!(blocks.sip().digest(), digest);
    let registrar = RegistrarSettings { enforce_auth_aor_match: true, ..RegistrarSettings::default() };
    assert_eq!(blocks.sip().registrar(), registrar);
}

#[test]
fn timers_and_limits_arrive_in_the_engine() {
    let blocks = Blocks {
        transaction: block(json!({
            "t1_ms": 50, "t2_ms": 100, "t4_ms": "1s", "timer_c_secs": 5, "auto_emit_100_trying_delay_ms": 9,
        })),
        limits: block(json!({
            "message_bytes": 2000, "header_bytes": "1500", "headers": 20, "uri_bytes": 64, "body_bytes": 10,
            "transactions": 100, "branches": 3,
        })),
        overload: block(json!({"retry_after_min_secs": 3, "retry_after_max_secs": "4s"})),
        script: block(json!({"deadline_secs": 7})),
        server: block(json!({"server_header": "x"})),
        listen: block(json!({"mtu": 1400})),
        ..Blocks::default()
    };
    let settings = blocks.sip().engine();
    let timers = TimerSettings::new(ms(50), ms(100), ms(1000)).with_trying_delay(ms(9));
    assert_eq!(format!("{:?}", settings.timers), format!("{timers:?}"));
    assert_eq!((settings.timer_c, settings.policy_deadline), (ms(5000), ms(7000)));
    let limits = sip::Limits { message: 2000, header_section: 1500, headers: 20, uri: 64, body: 10 };
    assert_eq!(format!("{:?}", settings.limits), format!("{limits:?}"));
    assert_eq!(format!("{:?}", blocks.sip().driver().limits), format!("{limits:?}"));
    assert_eq!((settings.max_transactions, settings.max_breadth, settings.max_datagram), (100, 3, 1200));
    assert_eq!((settings.server_header.as_deref(), settings.retry_after), (Some("x"), (3, 4)));
}

#[test]
fn connection_limits_and_overload_arrive_in_the_driver() {
    let blocks = Blocks {
        limits: block(json!({
            "connections": 5, "connections_per_address": 2, "send_queue_bytes": "16KiB", "connection_idle_secs": 9,
        })),
        overload: block(json!({"target_ms": 5, "interval_ms": 50})),
        server: block(json!({"gather_ms": 7})),
        ..Blocks::default()
    };
    let driver = blocks.sip().driver();
    let net = driver.net;
    assert_eq!((net.max_connections, net.max_connections_per_ip, net.max_queued_octets), (5, 2, 16_384));
    assert_eq!((net.idle_timeout, driver.shards), (ms(9000), 3));
    assert_eq!((driver.overload.target, driver.overload.interval), (ms(5), ms(50)));
    assert_eq!(driver.gather, ms(7));
}

#[test]
fn a_listener_is_known_by_what_it_advertises_and_else_by_what_is_bound() {
    let mut blocks = Blocks {
        listen: block(json!({
            "udp": ["0.0.0.0:0", {"address": "[::1]:5060", "advertise": "sip.example.com:5080"}],
            "tcp": ["[::1]:0"],
        })),
        ..Blocks::default()
    };
    let mut bound = blocks.sip().driver().listen;
    for listen in bound.iter_mut().filter(|l| l.address.port() == 0) {
        listen.address.set_port(7000);
    }
    let show = |blocks: &Blocks| {
        let all = blocks.sip().listeners(&bound);
        all.iter().map(|l| format!("{} {}:{}", l.transport, l.host, l.port)).collect::<Vec<_>>()
    };
    assert_eq!(show(&blocks), ["udp 0.0.0.0:7000", "udp sip.example.com:5080", "tcp [::1]:7000"]);
    blocks.advertised = "2001:db8::9".parse().ok();
    let own = ["udp [2001:db8::9]:7000", "udp sip.example.com:5080", "tcp [2001:db8::9]:7000"];
    assert_eq!(show(&blocks), own);
}

#[test]
fn domains_keep_their_ports() {
    let domain = block(json!({"local": ["Example.com", "example.net:5080"]}));
    let blocks = Blocks { domain, ..Blocks::default() };
    let all: Vec<(String, Option<u16>)> =
        blocks.sip().domains().into_iter().map(|d| (d.host, d.port)).collect();
    assert_eq!(all, [("example.com".to_owned(), None), ("example.net".to_owned(), Some(5080))]);
}

#[test]
fn challenges_are_strongest_first_and_a_user_has_the_strongest_hash_that_is_offered() {
    let (md5, sha) = ("0".repeat(32), "1".repeat(64));
    let auth = block(json!({
        "algorithms": ["MD5", "SHA-256"],
        "qop": ["auth", "auth-int"],
        "nonce_ttl_secs": 60,
        "users": {
            "alice": "secret",
            "bob": {"ha1": md5, "ha1_sha256": sha, "ha1_sha512_256": sha},
            "carol": {"ha1": md5},
        },
    }));
    let blocks = Blocks { auth, ..Blocks::default() };
    let settings = blocks.sip().digest();
    assert_eq!(settings.algorithms, [Algorithm::Sha256, Algorithm::Md5]);
    assert_eq!((settings.offer_auth_int, settings.nonce_lifetime), (true, ms(60_000)));
    let logins = blocks.sip().logins(&settings.algorithms).expect("there are users");
    let knows = |user: &str, algorithm| logins.users.ha1(user, "example.com", algorithm).is_some();
    assert!(knows("alice", Algorithm::Md5) && knows("alice", Algorithm::Sha256));
    assert!(knows("bob", Algorithm::Sha256) && !knows("bob", Algorithm::Md5));
    assert!(knows("carol", Algorithm::Md5) && !knows("carol", Algorithm::Sha256));
}

#[test]
fn keepalive_is_sent_as_often_as_wanted_or_not_at_all() {
    let pings = |nat| Blocks { nat: block(nat), ..Blocks::default() }.sip().engine().pings;
    let options = json!({
        "crlf_keepalive": {"enabled": false}, "keepalive": {"interval_secs": 7, "failure_threshold": 2},
    });
    let wanted = PingSettings { interval: ms(7000), failure_threshold: 2, ..PingSettings::default() };
    assert_eq!(pings(options), [wanted]);
    let crlf = pings(json!({"crlf_keepalive": {"interval_secs": 9}, "keepalive": {"enabled": false}}));
    assert_eq!(
        crlf.iter().map(|p| (p.method, p.interval)).collect::<Vec<_>>(),
        [(PingMethod::Crlf, ms(9000))]
    );
}

#[test]
fn registrar_limits_arrive() {
    let registrar = block(json!({
        "default_expires": 100, "min_expires": 10, "max_expires": "1h", "max_contacts": 2,
        "enforce_auth_aor_match": false, "path": "lenient", "service_route": ["sip:orig@p.example.com;lr"],
    }));
    let blocks = Blocks { registrar, ..Blocks::default() };
    let settings = blocks.sip().registrar();
    assert_eq!((settings.default_expires, settings.min_expires, settings.max_expires), (100, 10, 3600));
    assert_eq!((settings.max_contacts, settings.enforce_auth_aor_match), (2, false));
    assert_eq!(settings.path, PathPolicy::Lenient);
    assert_eq!(settings.service_routes, [Text::from("<sip:orig@p.example.com;lr>")]);
}
