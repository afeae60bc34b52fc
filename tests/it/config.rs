//! The configuration of siphon-proxy as an operator meets it: what loads, what is refused, and in which words.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use siphon::app::config::{self, Environment, Loaded, Text, effective, reference};
use siphon_proxy::config::ProxyConfig;

struct Fake(BTreeMap<&'static str, &'static str>);

impl Environment for Fake {
    fn var(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|v| (*v).to_owned())
    }

    fn file(&self, path: &str) -> Result<String, String> {
        self.0.get(path).map(|v| (*v).to_owned()).ok_or_else(|| "no such file".to_owned())
    }
}

fn env() -> Fake {
    Fake(BTreeMap::from([
        ("PORT", "5070"),
        ("COLON", "a: b # c"),
        ("EMPTY", ""),
        ("/run/secrets/alice", "s3cret"),
    ]))
}

fn load(yaml: &str) -> Result<Loaded<ProxyConfig>, String> {
    let text = Text { name: "siphon-proxy.yaml".to_owned(), text: yaml.to_owned(), file: None };
    config::load(&text, "siphon-proxy", &env()).map_err(|problems| problems.to_string())
}

fn good(yaml: &str) -> Loaded<ProxyConfig> {
    load(yaml).unwrap_or_else(|problems| panic!("{yaml}\n{problems}"))
}

/// A listener, so that only what a case is about is wrong.
const LISTEN: &str = "listen: {udp: [\"127.0.0.1:5060\"]}\n";

#[test]
fn each_wrong_configuration_is_told_in_these_words() {
    let cases = [
        ("unknown top-level key", "lisen: {udp: [\"127.0.0.1:5060\"]}"),
        ("unknown key in a block", "registrar: {default_expire: 60}"),
        ("unknown key that belongs elsewhere", "realm: example.com"),
        ("unknown key near nothing", "zebra: 1"),
        ("a key of another role", "ipsec: {pcscf_port_c: 5064}"),
        ("a key of a later version", "listen: {udp: [\"127.0.0.1:5060\"], tls: [\"0.0.0.0:5061\"]}"),
        ("a key whose work is done otherwise", "transaction: {timeout_secs: 5}"),
        ("a value of a later version", "registrar: {backend: redis}"),
        ("a misspelt choice", "log: {level: inof}"),
        ("a choice near nothing", "script: {reload: never}"),
        ("yes is not true", "nat: {keepalive: {enabled: yes}}"),
        ("a duration without sense", "registrar: {default_expires: soon}"),
        ("a duration out of range", "transaction: {t1_ms: 1h}"),
        ("a negative duration", "server: {drain_secs: -5}"),
        ("a size without sense", "limits: {message_bytes: 64 potatoes}"),
        ("a size out of range", "limits: {message_bytes: 10}"),
        ("a number that is text", "shards: many"),
        ("a number out of range", "shards: 0"),
        ("text that is nothing", "auth:\n  users:\n    alice:"),
        ("empty text", "auth: {realm: \"\"}"),
        ("a list where a mapping belongs", "auth: [alice, bob]"),
        ("text where a list belongs", "domain: {local: example.com}"),
        ("a mapping where text belongs", "auth: {realm: {name: x}}"),
        ("a listener without a port", "listen: {udp: [\"127.0.0.1\"]}"),
        ("a listener with only a port", "listen: {udp: [5060]}"),
        ("a listener by name", "listen: {udp: [\"localhost:5060\"]}"),
        ("a listener with a misspelt key", "listen: {udp: [{adress: \"127.0.0.1:5060\"}]}"),
        ("no listener", "listen: {}"),
        ("a listener twice", "listen: {udp: [\"127.0.0.1:5060\", {address: \"127.0.0.1:5060\"}]}"),
        ("a domain that is a URI", "domain: {local: [\"sip:example.com\"]}"),
        ("a DNS server by name", "dns: {servers: [dns.example.com]}"),
        ("min above max", "registrar:\n  min_expires: 2h\n  max_expires: 1h"),
        ("a service route that is not loose", "registrar: {service_route: [\"sip:a.example.com\"]}"),
        ("default outside min and max", "registrar: {default_expires: 30}"),
        ("T1 above T2", "transaction: {t1_ms: 5s, t2_ms: 4s}"),
        ("100 Trying too late", "transaction: {auto_emit_100_trying_delay_ms: 500}"),
        (
            "a body larger than a message",
            "limits: {message_bytes: 16KiB, header_bytes: 8KiB, body_bytes: 32KiB}",
        ),
        ("Retry-After the wrong way round", "overload: {retry_after_min_secs: 20}"),
        ("an algorithm in another spelling", "auth: {algorithms: [sha256]}"),
        ("an algorithm twice", "auth: {algorithms: [MD5, MD5]}"),
        ("auth-int alone", "auth: {qop: [auth-int]}"),
        ("no algorithm", "auth: {algorithms: []}"),
        ("a hash of the wrong length, not shown", "auth:\n  users:\n    bob:\n      ha1: 0123abcd"),
        (
            "a user who can never authenticate",
            "auth:\n  algorithms: [SHA-256]\n  users:\n    bob: {ha1: 0123456789abcdef0123456789abcdef}",
        ),
        ("an empty password", "auth: {users: {alice: \"\"}}"),
        ("a password that is a list, not shown", "auth:\n  users:\n    alice: [hush, hush]"),
        ("a cache without a name", "cache: [{local_ttl_secs: 5}]"),
        ("a cache name twice", "cache: [{name: a}, {name: a}]"),
        ("a metrics path without a slash", "metrics: {prometheus: {path: metrics}}"),
        ("a metrics path that hides a health page", "metrics: {prometheus: {path: /livez}}"),
        ("media without an engine", "media: {health_check_interval_secs: 2}"),
        ("one engine and several", "media: {rtpengine: {address: \"a:1\", instances: [{address: \"b:1\"}]}}"),
        ("an engine without a port", "media: {rtpengine: {address: media.example.com}}"),
        ("an engine twice", "media: {rtpengine: {instances: [{address: \"a:1\"}, {address: \"A:1\"}]}}"),
        ("a media engine of another kind", "media: {backend: rtpproxy, rtpengine: {address: \"a:1\"}}"),
        ("the block of another kind", "media: {rtpproxy: {address: \"a:1\"}, rtpengine: {address: \"a:1\"}}"),
        (
            "one interface",
            "media: {rtpengine: {address: \"a:1\"}, profiles: {x: {offer: {direction: [inside]}}}}",
        ),
        (
            "a misspelt transport protocol",
            "media: {rtpengine: {address: \"a:1\"}, profiles: {x: {answer: {transport_protocol: RTP/SAPV}}}}",
        ),
        ("a variable that is not set", "auth: {realm: \"${NOWHERE}\"}"),
        ("a variable without an end", "auth: {realm: \"${NOWHERE\"}"),
        ("a variable that is no name", "auth: {realm: \"${a b}\"}"),
        ("a secret file that is not there", "auth: {nonce_secret: \"${file:/run/secrets/none}\"}"),
        ("a key twice", "shards: 1\nshards: 2"),
        ("a second document", "shards: 1\n---\nshards: 2"),
        ("a tab", "log:\n\tlevel: info"),
        ("a bracket too many", "listen: {udp: [\"127.0.0.1:5060\"]]}"),
        ("a tag", "shards: !!float 2"),
        ("not a mapping", "- listen"),
        ("nothing at all", ""),
        (
            "five faults at once",
            "lisen: {}\nregistrar:\n  backend: redis\n  default_expires: soon\nlog: {level: loud}\nshards: 0",
        ),
    ];
    let mut page = String::new();
    for (title, yaml) in cases {
        let own_listener = yaml.contains("listen") || yaml.contains("lisen") || yaml.is_empty();
        let yaml = if own_listener { yaml.to_owned() } else { format!("{LISTEN}{yaml}") };
        let told = load(&yaml).map(|_| ()).expect_err(title);
        assert!(!told.contains("hush") && !told.contains("0123abcd"), "{title} shows a secret:\n{told}");
        write!(page, "## {title}\n{told}\n").expect("writing to a String succeeds");
    }
    insta::assert_snapshot!(page);
}

#[test]
fn the_seeds_minimal_setup_loads_unchanged() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("seed/siphon.yaml");
    let text = Text::read(&file).unwrap_or_else(|p| panic!("{p}"));
    let loaded: Loaded<ProxyConfig> =
        config::load(&text, "siphon-proxy", &env()).unwrap_or_else(|p| panic!("{p}"));
    let script = loaded.config.script.path.as_deref().expect("the seed names a script");
    assert_eq!(loaded.resolve(script), file.with_file_name("scripts/proxy_default.py"));
    assert_eq!(loaded.config.realm(), "example.com");
    assert_eq!(loaded.config.auth.users.len(), 2);
    assert_eq!(loaded.config.listen.tcp.len(), 1);
}

#[test]
fn the_complete_file_loads_and_names_every_key() {
    let text = include_str!("../../bin/siphon-proxy/siphon-proxy.yaml");
    let loaded = good(text);
    let printed = effective::print(&loaded);
    let missing: Vec<&str> = printed.lines().filter(|line| line.ends_with("# default")).collect();
    // Hashes of other algorithms are alternatives, not keys a file would hold together.
    assert!(missing.is_empty(), "not in siphon-proxy.yaml:\n{}", missing.join("\n"));
}

#[test]
fn what_the_complete_file_shows_as_default_is_the_default() {
    // Without what its comments call an example, and without what switches something on.
    let text = include_str!("../../bin/siphon-proxy/siphon-proxy.yaml");
    let full = good(text).config;
    let mut bare = good(LISTEN).config;
    bare.listen = full.listen.clone();
    bare.listen.mtu = good(LISTEN).config.listen.mtu;
    bare.advertised_address = full.advertised_address.clone();
    bare.domain = full.domain.clone();
    bare.script.path = full.script.path.clone();
    bare.auth.users = full.auth.users.clone();
    bare.auth.realm = full.auth.realm.clone();
    bare.auth.nonce_secret = full.auth.nonce_secret.clone();
    bare.media = full.media.clone();
    bare.shards = full.shards;
    bare.server.server_header = full.server.server_header.clone();
    bare.log.file = full.log.file.clone();
    bare.cache = good(&format!("{LISTEN}cache: [{{name: cnam}}]")).config.cache;
    bare.metrics = good(&format!("{LISTEN}metrics: {{prometheus: {{}}}}")).config.metrics;
    bare.admin = good(&format!("{LISTEN}admin: {{}}")).config.admin;
    assert_eq!(bare, full);
}

#[test]
fn a_variable_cannot_break_the_document_or_add_a_key() {
    let loaded = good(&format!("{LISTEN}auth: {{realm: \"${{COLON}}\"}}"));
    assert_eq!(loaded.config.realm(), "a: b # c");
}

#[test]
fn an_empty_variable_counts_as_unset_where_a_default_is_given() {
    let loaded = good("listen: {udp: [\"127.0.0.1:${EMPTY:-5090}\", \"127.0.0.1:${PORT}\"]}");
    let ports: Vec<u16> = loaded.config.listen.udp.iter().map(|l| l.address.0.port()).collect();
    assert_eq!(ports, [5090, 5070]);
}

#[test]
fn a_dollar_sign_twice_is_a_dollar_sign() {
    let loaded = good(&format!("{LISTEN}auth: {{users: {{alice: \"a$${{PORT}}$\"}}}}"));
    assert!(format!("{:?}", loaded.config.auth).contains("alice"));
    let siphon::app::config::auth::User::Password(password) = &loaded.config.auth.users["alice"] else {
        panic!()
    };
    assert_eq!(password.reveal(), "a${PORT}$");
}

#[test]
fn numbers_and_texts_with_units_mean_the_same() {
    let a = good(&format!(
        "{LISTEN}transaction: {{t1_ms: 250, timer_c_secs: 200}}\nlimits: {{message_bytes: 32768}}"
    ));
    let b = good(&format!(
        "{LISTEN}transaction: {{t1_ms: 250ms, timer_c_secs: 3m20s}}\nlimits: {{message_bytes: 32KiB}}"
    ));
    assert_eq!(a.config, b.config);
}

#[test]
fn a_password_that_looks_like_a_number_keeps_its_spelling() {
    let loaded = good(&format!("{LISTEN}auth: {{users: {{alice: 0755, bob: 1e3}}}}"));
    let shown: Vec<&str> = loaded
        .config
        .auth
        .users
        .values()
        .map(|u| match u {
            siphon::app::config::auth::User::Password(p) => p.reveal(),
            siphon::app::config::auth::User::Hashes(_) => "hashes",
        })
        .collect();
    assert_eq!(shown, ["0755", "1e3"]);
}

#[test]
fn anchors_work_and_an_alias_bomb_is_refused() {
    let loaded = good("listen:\n  udp: &all [\"127.0.0.1:5060\"]\n  tcp: *all");
    assert_eq!(loaded.config.listen.udp, loaded.config.listen.tcp);
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, last) in [("b", "a"), ("c", "b"), ("d", "c"), ("e", "d"), ("f", "e")] {
        writeln!(bomb, "{name}: &{name} [{}]", [format!("*{last}").as_str(); 10].join(", "))
            .expect("a String");
    }
    let told = load(&bomb).map(|_| ()).expect_err("a bomb");
    assert!(told.contains("more than 100000 values"), "{told}");
}

#[test]
fn nesting_without_end_is_refused() {
    let told = load(&"[".repeat(100_000)).map(|_| ()).expect_err("too deep");
    assert!(told.contains("nested deeper than 64 levels") || told.contains("not valid YAML"), "{told}");
}

#[test]
fn the_effective_configuration_shows_origins_and_no_secrets() {
    let loaded = good(
        "listen:\n  udp: [\"127.0.0.1:${PORT}\"]\nauth:\n  users:\n    alice: ${file:/run/secrets/alice}\n  nonce_secret: ${KEY:-hush}\nshards: 3\ncache:\n  - name: cnam\n",
    );
    let page = effective::print(&loaded);
    assert!(!page.contains("s3cret") && !page.contains("hush"), "{page}");
    insta::assert_snapshot!(page);
}

#[test]
fn the_effective_configuration_loads_again() {
    let first = good(&format!(
        "{LISTEN}shards: 3\nlog: {{format: json}}\ndns: {{servers: [\"::1\", \"192.0.2.1:5353\"]}}"
    ));
    let again = good(&effective::print(&first));
    assert_eq!(first.config, again.config);
}

#[test]
fn secrets_are_masked_in_debug_output() {
    let loaded = good(&format!("{LISTEN}auth: {{users: {{alice: hush}}, nonce_secret: hush}}"));
    assert!(!format!("{loaded:?}").contains("hush"));
}

#[test]
fn the_reference_page_is_what_the_schema_says() {
    let schema = config::schema::<ProxyConfig>();
    let page = reference::page("siphon-proxy", &schema);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/yaml/siphon-proxy.md");
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&file, &page).expect("the page can be written");
    }
    let stands = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        stands == page,
        "docs/reference/yaml/siphon-proxy.md is stale: run the test with UPDATE_REFERENCE=1"
    );
}

/// The rows of the table: a key, and the test in which changing it changes behaviour.
fn leaf_table() -> Vec<(String, String)> {
    let text = include_str!("../../docs/reference/yaml-tests.toml");
    let row = |line: &str| {
        let (key, test) = line.split_once(" = ")?;
        let plain = |t: &str| t.trim().trim_matches('"').to_owned();
        Some((plain(key), plain(test)))
    };
    text.lines().filter(|l| l.starts_with('"')).map(|l| row(l).expect(l)).collect()
}

#[test]
fn every_key_names_the_test_in_which_changing_it_changes_behaviour() {
    let schema = config::schema::<ProxyConfig>();
    let leaves: Vec<String> = reference::leaves(&schema).into_iter().map(|l| l.path).collect();
    let table = leaf_table();
    let rows: Vec<String> = table.iter().map(|(key, _)| key.clone()).collect();
    assert_eq!(rows, leaves, "docs/reference/yaml-tests.toml lists the keys of the schema, in its order");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (key, test) in &table {
        let (file, name) = test.split_once("::").unwrap_or_else(|| panic!("{key}: {test} is not file::test"));
        let source =
            std::fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("{key}: {file}: {e}"));
        assert!(source.contains(&format!("fn {name}(")), "{key}: {file} has no test {name}");
    }
}
