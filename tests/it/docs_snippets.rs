//! The documentation keeps to what exists: its code is quoted from files, the files load and work, its commands and
//! links lead somewhere, and its list of names is that of the module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use siphon_tests::phone::Phone;
use siphon_tests::scratch::Scratch;
use siphon_tests::subject::{Options, Server, built, siphon_proxy};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Every page, with its text.
fn pages() -> Vec<(PathBuf, String)> {
    let named = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];
    let mut paths: Vec<PathBuf> = named.iter().map(|name| root().join(name)).collect();
    paths.extend(files("docs", "md"));
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).expect("a page"))).collect()
}

/// The code blocks of a page in one language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    page.split(&opening).skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect()
}

fn code_files() -> Vec<PathBuf> {
    ["docs/snippets", "examples", "scripts"].iter().flat_map(|folder| files(folder, "py")).collect()
}

/// Scripts that stand alone; those of the examples are checked with their YAML.
fn snippets() -> Vec<PathBuf> {
    let is_test = |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("test_"));
    files("docs/snippets", "py").into_iter().filter(|path| !is_test(path)).collect()
}

fn configurations() -> Vec<PathBuf> {
    ["docs/snippets", "examples", "scripts"].iter().flat_map(|folder| files(folder, "yaml")).collect()
}

/// An example that needs packages is checked by `pytest examples`, where they are installed.
fn needs_packages(config: &Path) -> bool {
    config.with_file_name("requirements.txt").exists()
}

/// A configuration is that of siphon-sbc when its name says so, else of siphon-proxy.
fn check(config: &Path) -> Result<(), String> {
    let of_calls = |name: &str| name == "siphon-sbc" || name.starts_with("b2bua_");
    let of_sbc = config.file_stem().and_then(|name| name.to_str()).is_some_and(of_calls);
    check_as(if of_sbc { built("siphon-sbc") } else { siphon_proxy() }, config)
}

fn check_as(daemon: PathBuf, config: &Path) -> Result<(), String> {
    let output = Command::new(daemon).arg("--config").arg(config).arg("--check").output();
    let output = output.expect("the daemon can be started");
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn check_script(script: &Path) -> Result<(), String> {
    let folder = Scratch::new("snippet");
    let script = script.canonicalize().expect("a script of the repository");
    let yaml = format!("listen: {{udp: [\"127.0.0.1:0\"]}}\nscript: {{path: \"{}\"}}\n", script.display());
    check(&folder.write("snippet.yaml", yaml))
}

#[test]
fn every_script_shown_loads() {
    assert!(snippets().len() >= 6, "{:?}", snippets());
    for script in snippets() {
        assert_eq!(check_script(&script), Ok(()), "{}", script.display());
    }
}

#[test]
fn every_configuration_shown_loads_with_its_script() {
    assert!(configurations().len() >= 3, "{:?}", configurations());
    for config in configurations().into_iter().filter(|config| !needs_packages(config)) {
        assert_eq!(check(&config), Ok(()), "{}", config.display());
    }
}

/// The benchmark's configuration is a template that `siphon-bench` fills in.
#[test]
fn the_configuration_of_the_benchmark_loads_with_its_script() {
    let read =
        |name: &str| fs::read_to_string(root().join("benches").join(name)).expect("a file of the benchmark");
    let folder = Scratch::new("bench");
    for script in ["proxy.py", "sbc.py"] {
        folder.write(script, read(script));
    }
    let filled = [("LISTEN", "127.0.0.1:0"), ("NONCES", "300"), ("SHARDS", "1"), ("PAGES", "127.0.0.1:0")];
    let mut yaml = read("siphon-proxy.yaml").replace("@USERS@", "{u0: secret}");
    for (name, value) in filled {
        assert!(yaml.contains(&format!("@{name}@")), "{name} is no more");
        yaml = yaml.replace(&format!("@{name}@"), value);
    }
    for (role, script) in [("siphon-proxy", "proxy.py"), ("siphon-sbc", "sbc.py")] {
        let yaml = yaml.replace("@SCRIPT@", script);
        assert_eq!(check(&folder.write(&format!("{role}.yaml"), yaml)), Ok(()));
    }
}

#[test]
fn code_in_pages_is_quoted_from_files() {
    for (language, sources) in [("python", code_files()), ("yaml", configurations())] {
        let texts: Vec<String> =
            sources.iter().map(|path| fs::read_to_string(path).expect("a file")).collect();
        for (page, text) in pages() {
            for block in blocks(&text, language) {
                let quoted = texts.iter().any(|source| source.contains(block));
                assert!(quoted, "{}: no file has this:\n{block}", page.display());
            }
        }
    }
}

#[test]
fn every_command_shown_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("the Makefile");
    let help = Command::new(siphon_proxy()).arg("--help").output().expect("the daemon can be started");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let route = fs::read_to_string(root().join("examples/first/route.py")).expect("the first script");
    let mut seen = 0;
    for (page, text) in pages() {
        for line in blocks(&text, "sh").iter().flat_map(|block| block.lines()) {
            let words: Vec<&str> = line.split_whitespace().skip_while(|w| w.contains('=')).collect();
            let known = match words.first().copied() {
                Some("make") => makefile.contains(&format!("\n{}:", words[1])),
                Some("siphon-proxy" | "siphon-sbc" | "target/debug/siphon-proxy") => {
                    words.iter().filter(|w| w.starts_with("--")).all(|option| help.contains(option))
                }
                Some("cp") => words[1..words.len() - 1].iter().all(|file| root().join(file).exists()),
                // The edit that the README makes must find its place.
                Some("sed") => line.split('/').nth(1).is_some_and(|pattern| route.contains(pattern)),
                // The wheel is not built here: its commands and their options stand in its sources.
                Some("siphon-sdk") => {
                    let source = root().join("python/siphon_sdk/_cli").join(format!("{}.py", words[1]));
                    let source = fs::read_to_string(source).unwrap_or_default();
                    !source.is_empty()
                        && words.iter().filter(|w| w.starts_with("--")).all(|o| source.contains(o))
                }
                Some("mkdir" | "echo" | "cd" | "pytest" | "mypy") => true,
                _ => false,
            };
            assert!(known, "{}: {line}", page.display());
            seen += 1;
        }
    }
    assert!(seen >= 12, "{seen} commands were found");
}

#[test]
fn every_link_leads_to_a_file() {
    for (page, text) in pages() {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            let file = target.split('#').next().unwrap_or_default();
            let path = page.parent().expect("a page has a folder").join(file);
            assert!(path.exists(), "{} links to {target}", page.display());
        }
    }
}

/// A path between backquotes, as `engine/shard.rs`, is that of the repository or of the library's sources.
#[test]
fn every_source_file_named_is_there() {
    let mut seen = 0;
    for (page, text) in pages() {
        for name in text.split('`').filter(|t| t.contains('/') && t.ends_with(".rs")) {
            let known = ["", "libsiphon/src"].iter().any(|folder| root().join(folder).join(name).exists());
            assert!(known, "{} names {name}", page.display());
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen} were found");
}

#[test]
fn the_script_reference_names_what_the_module_has() {
    let page = root().join("docs/reference/script.md").canonicalize().expect("the page");
    let folder = Scratch::new("names");
    let script = folder.write(
        "names.py",
        format!(
            r#"
import re
import siphon

page = open({page:?}, encoding="utf-8").read()
quoted = "\n".join(re.findall(r"`([^`]+)`", page))
words = set(re.findall(r"[A-Za-z_]\w*", quoted))
exported = [n for n in dir(siphon) if not n.startswith("__")]
missing = [n for n in exported if n not in words]
known = set(exported) | {{"siphon", "proxy", "memory_used_pct"}}
for name in exported:
    members = [m for m in dir(getattr(siphon, name)) if not m.startswith("__")]
    if not (isinstance(getattr(siphon, name), type) and issubclass(getattr(siphon, name), BaseException)):
        missing += [f"{{name}}.{{m}}" for m in members if m not in words]
        known.update(members)
assert not missing, f"not on the page: {{missing}}"
called = {{m for m in re.findall(r"(?:^|[.\s])([a-z_]+)\(", quoted)}} - {{"f", "str"}}
assert called <= known, f"on the page and not in the module: {{sorted(called - known)}}"
"#
        ),
    );
    let yaml = "listen: {udp: [\"127.0.0.1:0\"]}\nscript: {path: names.py}\n";
    // The role that has them all.
    assert_eq!(check(&folder.write("siphon-sbc.yaml", yaml)), Ok(()));
    assert!(script.exists());
}

fn serve(script: &Path, more: &str) -> Server {
    let script = Some(script.canonicalize().expect("a script"));
    Server::subject(&Options { script, more: more.to_owned(), ..Options::default() })
}

/// Alice calls Bob; a challenge is answered where there is one.
fn call(server: &Server, over_tcp: bool) {
    let bob = match over_tcp {
        true => Phone::tcp(server.address(), "bob"),
        false => Phone::udp(server.address(), "bob"),
    };
    let alice = Phone::udp(server.address(), "alice");
    bob.register();
    let (invite, mut dialog) = alice.invite(&bob.aor());
    alice.peer.send(&invite);
    let first = alice.peer.find("an answer", |m| m.status() == 407 || m.status() == 200 || m.status() == 100);
    if first.status() == 407 {
        alice.prove(&dialog, &invite, &first);
    }
    let at_bob = bob.peer.request("INVITE");
    let answer = bob.answer(&at_bob, 200, "OK");
    dialog.confirm(&alice.peer.final_status("INVITE", 200));
    alice.ack(&dialog);
    bob.peer.request("ACK");
    bob.send_in(&bob.callee_dialog(&at_bob, &answer), "BYE", "");
    alice.answer(&alice.peer.request("BYE"), 200, "OK");
    bob.peer.final_status("BYE", 200);
    bob.register_as("Contact: *\nExpires: 0", "secret", 200);
}

fn wait_for(server: &Server, text: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    while !server.log().contains(text) {
        assert!(Instant::now() < end, "the log never says {text:?}:\n{}", server.log());
        std::thread::yield_now();
    }
}

#[test]
fn the_first_script_is_changed_and_broken_as_the_readme_tells() {
    let folder = Scratch::new("first");
    let original = fs::read_to_string(root().join("examples/first/route.py")).expect("the first script");
    let script = folder.write("route.py", &original);
    let server = serve(&script, "");
    call(&server, false);
    wait_for(&server, "a call");
    folder.write("route.py", original.replace("\"a call\"", "\"ring ring\""));
    wait_for(&server, "generation 2");
    call(&server, false);
    wait_for(&server, "ring ring");
    folder.write("route.py", original + "\noops(\n");
    wait_for(&server, "the script stays as it was");
    call(&server, false);
}

#[test]
fn the_script_for_phones_behind_nat_reaches_one_by_its_connection() {
    call(&serve(&root().join("docs/snippets/nat.py"), ""), true);
}

#[test]
fn the_script_with_a_cache_hears_of_registrations_and_replies() {
    let cache = "cache: [{name: cnam, local_max_entries: 10, local_ttl_secs: 60}]\n";
    let server = serve(&root().join("docs/snippets/names.py"), cache);
    call(&server, false);
    wait_for(&server, "registered");
    wait_for(&server, "status=200");
}

#[test]
fn the_guard_refuses_the_51st_call_within_ten_seconds() {
    let server = serve(&root().join("docs/snippets/guard.py"), "");
    // Each from a port of its own, so that nobody waits for the ACKs they do not send.
    let calls_and_gets = |status| {
        let alice = Phone::udp(server.address(), "alice");
        alice.peer.send(&alice.invite("sip:nobody@example.com").0);
        alice.peer.final_status("INVITE", status);
    };
    (0..50).for_each(|_| calls_and_gets(480));
    calls_and_gets(503);
}
