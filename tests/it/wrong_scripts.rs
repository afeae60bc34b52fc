//! What `--check` says about wrong scripts, word for word, and that it says nothing about right ones.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use siphon::script::{CacheSettings, ScriptSettings, ScriptSource, check};
use siphon_tests::scratch::Scratch;
use siphon_tests::subject::siphon_proxy;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
}

/// The scripts right in a folder of the repository.
fn scripts(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.extension().is_some_and(|e| e == "py"));
    found.sort();
    found
}

/// The same, and in folders below; without tests, which no node runs.
fn scripts_below(folder: &str) -> Vec<PathBuf> {
    let mut found = scripts(folder);
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
    for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
        found.extend(scripts_below(&format!("{folder}/{}", entry.file_name().to_string_lossy())));
    }
    let is_test = |name: &str| name.starts_with("test_") || name == "conftest.py";
    found.retain(|path| !path.file_name().is_some_and(|n| is_test(&n.to_string_lossy())));
    found
}

/// What is said about a script, with its folder left out.
fn told(script: &Path) -> Vec<String> {
    told_by("siphon-proxy", script)
}

/// The same in a role.
fn told_by(role: &'static str, script: &Path) -> Vec<String> {
    let folder = format!("{}/", script.parent().expect("a folder").display());
    let settings = ScriptSettings { role, ..ScriptSettings::new(ScriptSource::File(script.to_owned())) };
    check(settings)
        .iter()
        .map(|p| p.to_string().replace(&folder, "").replace(folder.trim_end_matches('/'), "."))
        .collect()
}

#[test]
fn each_wrong_script_is_told_in_these_words() {
    let all = scripts("tests/data/wrong-scripts");
    assert!(all.len() >= 40, "{} wrong scripts", all.len());
    let mut page = String::new();
    for script in all {
        let name = script.file_stem().expect("a name").to_string_lossy().replace('_', " ");
        let told = told(&script);
        assert!(!told.is_empty(), "{name}: nothing is found");
        write!(page, "## {name}\n{}\n\n", told.join("\n")).expect("writing to a String succeeds");
    }
    insta::assert_snapshot!(page);
}

#[test]
fn nothing_is_said_about_scripts_that_are_right() {
    let mut all = scripts("tests/data/right-scripts");
    all.extend(scripts_below("docs/snippets"));
    all.extend(scripts("tests/seed/scripts"));
    // Modules beside a script are looked at with it; where packages are needed, `pytest examples` has them.
    let needs_packages = |path: &PathBuf| path.with_file_name("requirements.txt").exists();
    let is_script = |path: &PathBuf| path.file_name().is_some_and(|name| name == "route.py");
    all.extend(scripts_below("examples").into_iter().filter(|path| is_script(path) && !needs_packages(path)));
    all.push(root().join("scripts/proxy_default.py"));
    all.push(root().join("bin/siphon-proxy/default.py"));
    all.push(root().join("benches/proxy.py"));
    assert!(all.len() >= 12, "{all:?}");
    for script in all {
        assert_eq!(told(&script), Vec::<String>::new(), "{}", script.display());
    }
    for script in ["scripts/b2bua_default.py", "bin/siphon-sbc/default.py"] {
        assert_eq!(told_by("siphon-sbc", &root().join(script)), Vec::<String>::new(), "{script}");
    }
}

#[test]
fn each_wrong_handler_of_calls_is_told_in_these_words() {
    let folder = Scratch::new("calls");
    let invite = |body: &str| format!("@b2bua.on_invite\ndef f(call):\n    {body}\n");
    let other = |decorator: &str, arguments: &str, body: &str| {
        let begin = "@b2bua.on_invite\ndef f(call):\n    call.reject(603)\n";
        format!("{begin}@b2bua.{decorator}\ndef g({arguments}):\n    {body}\n")
    };
    let cases = [
        (
            invite("pass"),
            "2:1: f decides nothing, so every call is answered 500: dial, fork, answer, reject or terminate it",
        ),
        (
            invite("call.dial('sip:x@y'); call.reject(603)"),
            "4:32: call.reject() comes after call.dial() in line 4, which stands: return after the first, or leave one out",
        ),
        (invite("call.dail('sip:x@y')"), "4:10: call has no \"dail\"; did you mean \"dial\"?"),
        (
            invite("call.dial('sip:x@y', header_policy='trnk')"),
            "4:40: call.dial(header_policy) cannot be \"trnk\"; did you mean \"trunk\"?",
        ),
        (
            invite("call.dial('sip:x@y', timout=3)"),
            "4:10: call.dial() has no parameter \"timout\"; did you mean \"timeout\"?",
        ),
        (
            invite("call.route([])"),
            "4:10: call.route is not in this version: least-cost routing is not built yet",
        ),
        (
            other("on_failure", "call, reply", "pass"),
            "5:1: g takes (call, reply), but b2bua.on_failure calls it with (call, code, reason): write \"def g(call, code, reason):\"",
        ),
        (
            other("on_bye", "call, initiator", "call.dial('sip:x@y')"),
            "7:10: call.dial() raises in on_bye: it belongs to on_invite, on_failure",
        ),
        (
            other("on_answer", "call, reply", "call.set_header('X', 1)"),
            "7:10: call.set_header() raises in on_answer: the INVITE is edited in on_invite and on_failure",
        ),
        (
            other("on_answer", "call, reply", "reply.drop()"),
            "7:11: an answer is a final reply and cannot be dropped: reply.reject() or call.terminate() ends the call",
        ),
        (
            other("on_bye", "call, initiator", "initiator.sied"),
            "7:15: initiator (ByeInitiator) has no \"sied\"; did you mean \"side\"?",
        ),
        (
            other("on_invite", "call", "call.reject(603)"),
            "5:1: g is never called: @b2bua.on_invite is taken by f in line 2; make them one handler",
        ),
        (
            "b2bua.originate('sip:x@y')\n".to_owned(),
            "2:7: b2bua.originate is not in this version: calls of the node's own are not built yet",
        ),
    ];
    for (text, wanted) in cases {
        let script = folder.write("script.py", format!("from siphon import b2bua\n{text}"));
        let told = told_by("siphon-sbc", &script);
        assert!(told.contains(&format!("script.py:{wanted}")), "{text}\n{told:#?}");
    }
    let script = folder.write("script.py", "from siphon import b2bua\n");
    let told = told(&script);
    let wanted = "script.py:1:20: 'b2bua' is not available in siphon-proxy (available in: siphon-sbc)";
    assert_eq!(told.first().map(String::as_str), Some(wanted), "{told:#?}");
}

fn run(folder: &Scratch, script: &str) -> Output {
    let script = root().join("tests/data/wrong-scripts").join(script);
    let yaml = format!("listen: {{udp: [\"127.0.0.1:0\"]}}\nscript: {{path: \"{}\"}}\n", script.display());
    folder.write("a.yaml", yaml);
    let mut command = Command::new(siphon_proxy());
    command.args(["--config", "a.yaml", "--check"]).current_dir(folder.path());
    command.output().expect("the daemon can be started")
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_daemon_tells_the_same_and_ends_with_2() {
    let folder = Scratch::new("wrong");
    for name in ["attribute_misspelt.py", "helper_module.py", "unknown_decorator.py", "syntax_error.py"] {
        let script = root().join("tests/data/wrong-scripts").join(name);
        let output = run(&folder, name);
        let errors = err(&output).replace(&format!("{}/", script.parent().expect("a folder").display()), "");
        let mut lines: Vec<&str> = errors.lines().collect();
        let last = lines.pop().unwrap_or_default();
        assert_eq!(lines, told(&script), "{name}");
        assert!(last.contains("problem") && last.ends_with("with a.yaml"), "{last}");
        assert_eq!(output.status.code(), Some(2), "{name}");
    }
}

#[test]
fn warnings_alone_are_told_and_end_with_0() {
    let folder = Scratch::new("warned");
    let output = run(&folder, "path_decides_nothing.py");
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(err(&output).matches(": warning: ").count(), 2, "{}", err(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a.yaml: 2 warnings and nothing wrong\n");
}

#[test]
fn a_cache_that_the_yaml_does_not_name_is_told_unless_the_script_asks_whether_it_is_there() {
    let folder = Scratch::new("caches");
    let said = |name: &str, first: &str| {
        let text = format!(
            "from siphon import cache, proxy\n\n\n@proxy.on_request\ndef f(request):\n    if {first}:\n        cache.store({name:?}, \"k\", \"v\")\n    request.relay()\n"
        );
        let source = ScriptSource::File(folder.write("script.py", text));
        let cnam = CacheSettings { name: "cnam".into(), ttl: None, max_entries: 10 };
        let found = check(ScriptSettings { caches: vec![cnam], ..ScriptSettings::new(source) });
        found.iter().map(|p| p.message.clone()).collect::<Vec<_>>()
    };
    let told = "no cache is named \"cnma\" under cache: in the YAML; did you mean \"cnam\"?";
    assert_eq!(said("cnma", "request.in_dialog"), [told]);
    assert_eq!(said("cnma", "cache.has_cache(\"cnma\")"), Vec::<String>::new());
    assert_eq!(said("cnam", "request.in_dialog"), Vec::<String>::new());
}

/// The checker's list of what handlers are called with is the daemon's: each is called with what it is told to take.
#[test]
fn what_a_handler_is_told_to_take_is_what_it_is_called_with() {
    let folder = Scratch::new("shapes");
    let decorators = [
        "proxy.on_request",
        "proxy.on_reply",
        "proxy.on_failure",
        "proxy.on_cancel",
        "b2bua.on_invite",
        "b2bua.on_early_media",
        "b2bua.on_answer",
        "b2bua.on_failure",
        "b2bua.on_bye",
        "b2bua.on_refer",
        "b2bua.on_cancel",
        "registrar.on_change",
        "timer.every(\"1s\")",
    ];
    for decorator in decorators {
        let script = |arguments: &str| {
            let text = format!(
                "from siphon import b2bua, proxy, registrar, timer\n\n\n@{decorator}\ndef f({arguments}):\n    raise ValueError\n"
            );
            told_by("siphon-sbc", &folder.write("script.py", text))
        };
        let wrong = script("a, b, c, d, e");
        let [only] = &wrong[..] else { panic!("{decorator}: {wrong:?}") };
        let (_, advice) = only.split_once("write \"def f(").unwrap_or_else(|| panic!("{decorator}: {only}"));
        let (arguments, _) = advice.split_once("):").unwrap_or_else(|| panic!("{decorator}: {only}"));
        assert_eq!(script(arguments), Vec::<String>::new(), "{decorator}");
    }
}
