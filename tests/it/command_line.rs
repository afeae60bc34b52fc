//! The command line of siphon-proxy: what each option prints and which code it ends with.

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::process::{Command, Output, Stdio};

use siphon_tests::scratch::Scratch;
use siphon_tests::subject::siphon_proxy;

fn run(arguments: &[&str], folder: &Scratch) -> Output {
    let mut command = Command::new(siphon_proxy());
    command.args(arguments).current_dir(folder.path()).env_remove("SIPHON_PORT");
    command.output().expect("the daemon can be started")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_version_is_printed() {
    let folder = Scratch::new("version");
    let output = run(&["--version"], &folder);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(out(&output), format!("siphon-proxy {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_unknown_option_ends_with_2_and_a_suggestion() {
    let folder = Scratch::new("option");
    let output = run(&["--chek"], &folder);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("--check"), "{}", err(&output));
}

#[test]
fn check_tells_all_problems_and_ends_with_2() {
    let folder = Scratch::new("check");
    folder.write("a.yaml", "listen: {udp: [\"127.0.0.1\"]}\nlog: {level: inof}\nshards: 0\n");
    let output = run(&["--config", "a.yaml", "--check"], &folder);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("3 problems in a.yaml"), "{}", err(&output));
    assert_eq!(out(&output), "");
}

#[test]
fn check_of_a_good_configuration_ends_with_0() {
    let folder = Scratch::new("good");
    folder.write("a.yaml", "listen: {udp: [\"127.0.0.1:0\"]}\n");
    let output = run(&["--config", "a.yaml", "--check"], &folder);
    assert_eq!((output.status.code(), out(&output)), (Some(0), "a.yaml: nothing wrong\n".to_owned()));
}

#[test]
fn check_notices_a_script_that_is_not_there() {
    let folder = Scratch::new("noscript");
    folder.write("a.yaml", "listen: {udp: [\"127.0.0.1:0\"]}\nscript: {path: gone.py}\n");
    let output = run(&["--config", "a.yaml", "--check"], &folder);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("gone.py"), "{}", err(&output));
}

#[test]
fn a_configuration_that_is_not_there_ends_with_2() {
    let folder = Scratch::new("nofile");
    let output = run(&["--config", "gone.yaml"], &folder);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("gone.yaml: cannot read it: no such file"), "{}", err(&output));
}

#[test]
fn print_config_names_origins_and_masks_secrets() {
    let folder = Scratch::new("print");
    folder.write("a.yaml", "listen: {udp: [\"127.0.0.1:${PORT:-5060}\"]}\nauth: {users: {alice: hush}}\n");
    let mut command = Command::new(siphon_proxy());
    command.args(["--config", "a.yaml", "--print-config"]).current_dir(folder.path()).env("PORT", "5099");
    let output = command.output().expect("the daemon can be started");
    let page = out(&output);
    assert_eq!(output.status.code(), Some(0));
    let line = |text: &str| page.lines().find(|l| l.contains(text)).unwrap_or_default().to_owned();
    assert!(line("127.0.0.1:5099").ends_with("# a.yaml:1, environment variable PORT"), "{page}");
    assert!(line("alice").contains("***") && !page.contains("hush"), "{page}");
    assert!(line("timer_c_secs").ends_with("# default"), "{page}");
}

#[test]
fn print_schema_is_json_and_forbids_unknown_keys() {
    let folder = Scratch::new("schema");
    let output = run(&["--print-schema"], &folder);
    let schema: serde_json::Value = serde_json::from_str(&out(&output)).expect("JSON");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn without_a_file_the_embedded_configuration_counts() {
    let folder = Scratch::new("embedded");
    let mut command = Command::new(siphon_proxy());
    command.arg("--print-config").current_dir(folder.path()).env("SIPHON_PORT", "5999");
    let page = out(&command.output().expect("the daemon can be started"));
    // A machine with /etc/siphon/siphon-proxy.yaml shows that one instead.
    if page.starts_with("# Effective configuration from <embedded siphon-proxy.yaml>.") {
        assert!(page.contains("127.0.0.1:5999") && page.contains("bob:"), "{page}");
    }
}

#[test]
fn a_busy_port_is_told_with_its_owner_and_ends_with_1() {
    let folder = Scratch::new("busy");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port();
    let free = UdpSocket::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port();
    folder.write(
        "a.yaml",
        format!("listen: {{udp: [\"127.0.0.1:{free}\"]}}\nadmin: {{listen: \"127.0.0.1:{port}\"}}\n"),
    );
    let output = run(&["--config", "a.yaml"], &folder);
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains(&format!("(pid {}) has it", std::process::id())), "{}", out(&output));
}

/// Reads the daemon's log up to the line that says it listens.
fn log_of_the_start(command: &mut Command) -> String {
    let mut daemon = command.stdout(Stdio::piped()).spawn().expect("the daemon can be started");
    let lines = BufReader::new(daemon.stdout.take().expect("piped")).lines();
    let mut log = String::new();
    for line in lines.map_while(Result::ok) {
        log += &format!("{line}\n");
        if line.contains("listens on") {
            break;
        }
    }
    daemon.kill().expect("it runs");
    daemon.wait().expect("it ends");
    log
}

#[test]
fn another_projects_siphon_gives_way_and_is_told_in_one_sentence() {
    let folder = Scratch::new("foreign");
    std::fs::create_dir(folder.path().join("siphon")).expect("a folder");
    folder.write("siphon/__init__.py", "weather = 1\n");
    folder.write("route.py", "from siphon import proxy\n@proxy.on_request\ndef f(request): request.drop()\n");
    folder.write("a.yaml", "listen: {udp: [\"127.0.0.1:0\"]}\nscript: {path: route.py}\n");
    let mut command = Command::new(siphon_proxy());
    command.args(["--config", "a.yaml"]).current_dir(folder.path()).env("PYTHONPATH", folder.path());
    let log = log_of_the_start(&mut command);
    assert!(log.contains("listens on"), "{log}");
    assert_eq!(log.matches("another project's `siphon` is installed at").count(), 1, "{log}");
}
