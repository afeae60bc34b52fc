//! The configuration of siphon-sbc as an operator meets it: that of siphon-proxy, and what belongs to calls.

use std::collections::BTreeSet;
use std::path::Path;

use siphon::app::config::{self, Config, Environment, Loaded, Text, effective, reference};
use siphon_proxy::config::ProxyConfig;
use siphon_sbc::config::SbcConfig;

struct Nothing;

impl Environment for Nothing {
    fn var(&self, _name: &str) -> Option<String> {
        None
    }

    fn file(&self, _path: &str) -> Result<String, String> {
        Err("no such file".to_owned())
    }
}

fn load<C: Config>(role: &'static str, yaml: &str) -> Result<Loaded<C>, String> {
    let text = Text { name: "siphon.yaml".to_owned(), text: yaml.to_owned(), file: None };
    config::load(&text, role, &Nothing).map_err(|problems| problems.to_string())
}

fn good(yaml: &str) -> Loaded<SbcConfig> {
    load("siphon-sbc", yaml).unwrap_or_else(|problems| panic!("{yaml}\n{problems}"))
}

const LISTEN: &str = "listen: {udp: [\"127.0.0.1:5060\"]}\n";
const COMPLETE: &str = include_str!("../../bin/siphon-sbc/siphon-sbc.yaml");

#[test]
fn the_complete_file_of_siphon_sbc_loads_and_names_every_key() {
    let printed = effective::print(&good(COMPLETE));
    let missing: Vec<&str> = printed.lines().filter(|line| line.ends_with("# default")).collect();
    assert!(missing.is_empty(), "not in siphon-sbc.yaml:\n{}", missing.join("\n"));
}

#[test]
fn what_the_complete_file_shows_of_calls_is_the_default() {
    let (full, bare) = (good(COMPLETE).config, good(LISTEN).config);
    assert_eq!((full.b2bua, full.session_timer), (bare.b2bua, bare.session_timer));
}

#[test]
fn what_is_wrong_with_calls_is_told_where_it_is() {
    for (yaml, wanted) in [
        ("b2bua: {default_header_policy: trnk}", "did you mean `trunk`"),
        ("b2bua: {default_refer_mode: never}", "expected terminate, transparent or reject"),
        ("session_timer: {session_expires: 30}", "90s"),
        ("session_timer: {min_se: 1h}", "must not exceed session_expires: 1h is more than 30m"),
        ("session_timer: {refresher: me}", "expected uac, uas or b2bua"),
        ("lcr: {url: x}", "not in this version of siphon-sbc"),
        ("ipsec: {x: 1}", "it belongs to siphon-pcscf"),
    ] {
        let told = load::<SbcConfig>("siphon-sbc", &format!("{LISTEN}{yaml}")).map(|_| ()).expect_err(yaml);
        assert!(told.contains(wanted), "{yaml}: {told}");
    }
}

#[test]
fn a_proxy_says_where_the_keys_of_calls_belong() {
    for key in ["b2bua", "session_timer"] {
        let yaml = format!("{LISTEN}{key}: {{}}\n");
        let told = load::<ProxyConfig>("siphon-proxy", &yaml).map(|_| ()).expect_err(key);
        assert!(told.contains("it belongs to siphon-sbc"), "{told}");
    }
}

#[test]
fn the_reference_page_of_siphon_sbc_is_what_the_schema_says() {
    let page = reference::page("siphon-sbc", &config::schema::<SbcConfig>());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/yaml/siphon-sbc.md");
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&file, &page).expect("the page can be written");
    }
    let stands = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        stands == page,
        "docs/reference/yaml/siphon-sbc.md is stale: run the test with UPDATE_REFERENCE=1"
    );
}

/// Keys it shares with siphon-proxy have theirs in that role's table.
#[test]
fn every_key_of_calls_names_the_test_in_which_changing_it_changes_behaviour() {
    let leaves = |schema: &_| reference::leaves(schema).into_iter().map(|leaf| leaf.path).collect::<Vec<_>>();
    let shared: BTreeSet<String> = leaves(&config::schema::<ProxyConfig>()).into_iter().collect();
    let mut own = leaves(&config::schema::<SbcConfig>());
    own.retain(|key| !shared.contains(key));
    let table = include_str!("../../docs/reference/yaml-tests-sbc.toml");
    let rows: Vec<(&str, &str)> = table.lines().filter_map(|line| line.split_once(" = ")).collect();
    let plain = |text: &str| text.trim().trim_matches('"').to_owned();
    assert_eq!(rows.iter().map(|(key, _)| plain(key)).collect::<Vec<_>>(), own);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (key, test) in rows {
        let test = plain(test);
        let (file, name) = test.split_once("::").unwrap_or_else(|| panic!("{key}: {test} is not file::test"));
        let source =
            std::fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("{key}: {file}: {e}"));
        assert!(source.contains(&format!("fn {name}(")), "{key}: {file} has no test {name}");
    }
}
