//! Licences, sources and bans of `deny.toml`, checked at each run: `make deny` asks cargo-deny itself, which takes minutes to
//! install.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
}

/// The list behind `key` in a section of `deny.toml`, as text.
fn list<'a>(text: &'a str, section: &str, key: &str) -> &'a str {
    let body = text.split(&format!("[{section}]\n")).nth(1).unwrap_or_else(|| panic!("no [{section}]"));
    let body = body.split("\n[").next().unwrap_or_default();
    let list = body.split(&format!("\n{key} = [")).nth(1);
    let list = list.or_else(|| body.strip_prefix(&format!("{key} = [")));
    list.and_then(|rest| rest.split_once(']')).unwrap_or_else(|| panic!("[{section}] has no {key}")).0
}

/// What stands between quotation marks.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('"').skip(1).step_by(2).collect()
}

fn denied(text: &str) -> BTreeSet<&str> {
    let crates = list(text, "bans", "deny").split("crate = \"").skip(1);
    crates.filter_map(|rest| rest.split('"').next()).collect()
}

/// Whether an SPDX expression can be met with these licences; `/` is how older crates write OR.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let met = any(&mut rest, allowed);
    met && rest.is_empty()
}

fn any(rest: &mut &[&str], allowed: &BTreeSet<&str>) -> bool {
    let mut met = all(rest, allowed);
    while rest.first() == Some(&"OR") {
        *rest = &rest[1..];
        met |= all(rest, allowed);
    }
    met
}

fn all(rest: &mut &[&str], allowed: &BTreeSet<&str>) -> bool {
    let mut met = one(rest, allowed);
    while rest.first() == Some(&"AND") {
        *rest = &rest[1..];
        met &= one(rest, allowed);
    }
    met
}

fn one(rest: &mut &[&str], allowed: &BTreeSet<&str>) -> bool {
    match **rest {
        ["(", ref inner @ ..] => {
            *rest = inner;
            let met = any(rest, allowed);
            let closed = rest.first() == Some(&")");
            *rest = rest.get(1..).unwrap_or_default();
            met && closed
        }
        [licence, "WITH", exception, ref after @ ..] => {
            *rest = after;
            allowed.contains(format!("{licence} WITH {exception}").as_str())
        }
        [licence, ref after @ ..] => {
            *rest = after;
            allowed.contains(licence)
        }
        [] => false,
    }
}

/// Every package that this machine's build can reach, tests and tools included.
fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut command = Command::new(cargo);
    command.args(["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform"]);
    let output = command.arg(platform).current_dir(root()).output().expect("cargo can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[test]
fn every_dependency_has_an_allowed_licence_and_a_known_source_and_is_not_banned() {
    let rules = fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    let (allowed, denied) = (quoted(list(&rules, "licenses", "allow")), denied(&rules));
    assert!(allowed.contains("MIT") && denied.contains("serde_yml"), "{allowed:?} {denied:?}");
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 100, "{} packages", packages.len());
    let mut faults = Vec::new();
    for package in packages {
        let (name, licence, source) =
            (text(package, "name"), text(package, "license"), text(package, "source"));
        if !is_allowed(licence, &allowed) {
            faults.push(format!("{name}: the licence {licence:?} is not allowed"));
        }
        if denied.contains(name) {
            faults.push(format!("{name} is banned"));
        }
        let own = source.is_empty() && Path::new(text(package, "manifest_path")).starts_with(root());
        if !own && !source.ends_with("/rust-lang/crates.io-index") {
            faults.push(format!("{name} comes from {source:?}"));
        }
        let needs = package["dependencies"].as_array().expect("dependencies");
        let any_version = |d: &&Value| text(d, "req") == "*" && d["path"].is_null();
        for need in needs.iter().filter(any_version).filter(|_| own) {
            faults.push(format!("{name} takes any version of {}", text(need, "name")));
        }
    }
    assert!(faults.is_empty(), "against deny.toml:\n{}", faults.join("\n"));
}

#[test]
fn a_licence_expression_is_met_by_one_side_of_or_and_both_of_and() {
    let allowed = BTreeSet::from(["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"]);
    let good = [
        "MIT",
        "GPL-3.0 OR MIT",
        "Unlicense/MIT",
        "(GPL-3.0 OR MIT) AND ISC",
        "GPL-3.0 AND Zlib OR ISC",
        "Apache-2.0 WITH LLVM-exception",
    ];
    let bad = ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-3.0", "Apache-2.0", "MIT ISC", "(MIT"];
    for (expressions, met) in [(good.as_slice(), true), (bad.as_slice(), false)] {
        for expression in expressions {
            assert_eq!(is_allowed(expression, &allowed), met, "{expression:?}");
        }
    }
}
