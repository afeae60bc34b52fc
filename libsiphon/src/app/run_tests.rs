//! A role's life with a role that only takes notes: reload is validate-then-swap, a drain waits for what runs.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Node, Reload, Role, Running, Start, StartFault};
use crate::app::config::observe::{Format, Level as YamlLevel, Log, Metrics};
use crate::app::config::{self, Config, Process, Report, Text};
use crate::app::lifecycle::{Lifecycle, tests::alone};
use crate::app::role::{Fault, Shared};
use crate::app::{clock, logging};
use crate::observe::health::Phase;
use crate::observe::log::{Level, Logger};

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Notes {
    /// What the role is to refuse.
    refuse: bool,
    /// Looks until it is idle.
    looks: u32,
    log: Log,
    metrics: Metrics,
}

impl Config for Notes {
    fn validate(&self, _: &mut Report<'_>) {}
}

struct Fake;

struct FakeRunning {
    looks: Mutex<u32>,
    told: Arc<Mutex<Vec<String>>>,
}

impl Role for Fake {
    const NAME: &'static str = "siphon-fake";
    const ABOUT: &'static str = "takes notes";
    const CONFIG: &'static str = "";
    type Config = Notes;

    fn shared(config: &Notes) -> Shared<'_> {
        let drain = Duration::from_millis(200);
        let (log, metrics) = (&config.log, &config.metrics);
        Shared { log, metrics, admin: None, drain, script: None, listen: None }
    }

    fn is_taken_over(key: &str, _: &Notes) -> bool {
        key == "log.level"
    }

    fn check(_: &config::Loaded<Notes>) -> Vec<Fault> {
        Vec::new()
    }

    fn start(start: Start<'_, Notes>) -> Result<Box<dyn Running<Notes>>, StartFault> {
        if start.loaded.config.refuse {
            return Err(StartFault::Other("refused".to_owned()));
        }
        let looks = Mutex::new(start.loaded.config.looks);
        Ok(Box::new(FakeRunning { looks, told: Arc::default() }))
    }
}

impl Running<Notes> for FakeRunning {
    fn listening(&self) -> Vec<String> {
        vec!["udp 127.0.0.1:1".to_owned()]
    }

    fn reload(&mut self, loaded: &config::Loaded<Notes>, what: Reload) -> Result<String, String> {
        self.told.lock().expect("no test panics here").push(format!("{what:?}"));
        if loaded.config.refuse { Err("refused".to_owned()) } else { Ok("notes".to_owned()) }
    }

    fn drain(&mut self) {}

    fn is_idle(&self) -> bool {
        let mut looks = self.looks.lock().expect("no test panics here");
        *looks = looks.saturating_sub(1);
        *looks == 0
    }

    fn stop(&mut self) {}
}

/// A node from a file of this content, and the file.
fn node(name: &str, yaml: &str) -> (Result<Node<Fake>, StartFault>, PathBuf, Arc<Logger>) {
    let file = std::env::temp_dir().join(format!("siphon-run-{name}-{}.yaml", std::process::id()));
    std::fs::write(&file, yaml).expect("a temporary file");
    let text = Text::read(&file).expect("just written");
    let loaded = config::load::<Notes>(&text, "siphon-fake", &Process).expect("a good configuration");
    let log = Log { level: YamlLevel::Error, format: Format::Pretty, file: None };
    let (_, writer) = logging::open(&log, None).expect("standard output is there");
    let logger = Logger::new(Level::Error, crate::observe::log::Format::Json, clock::now, writer.clone());
    (Node::start(loaded, logger.clone(), writer), file, logger)
}

const BOTH: Reload = Reload { config: true, script: true };

#[test]
fn a_broken_configuration_changes_nothing_and_a_good_one_is_taken_over() {
    let (node, file, logger) = node("swap", "log: {level: error}");
    let mut node = node.expect("it starts");
    for broken in ["log: {level: loud}", "refuse: maybe", "refuse: true"] {
        std::fs::write(&file, broken).expect("our file");
        assert!(!node.reload(BOTH), "{broken}");
        assert!(!node.loaded.config.refuse && !logger.writes(Level::Info), "{broken}");
    }
    std::fs::write(&file, "log: {level: info}").expect("our file");
    assert!(node.reload(BOTH));
    assert!(logger.writes(Level::Info) && !logger.writes(Level::Debug));
    std::fs::remove_file(file).expect("our file");
}

#[test]
fn a_change_of_the_script_alone_does_not_read_the_configuration_again() {
    let (node, file, _) = node("script", "looks: 1");
    let mut node = node.expect("it starts");
    std::fs::write(&file, "broken: [").expect("our file");
    assert!(node.reload(Reload { config: false, script: true }));
    std::fs::remove_file(file).expect("our file");
}

#[test]
fn readiness_begins_when_all_has_started_and_ends_with_the_drain() {
    let _alone = alone();
    let (node, file, _) = node("drain", "looks: 3");
    std::fs::remove_file(file).expect("our file");
    let mut node = node.expect("it starts");
    assert_eq!(node.health.phase(), Phase::Ready);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let took = runtime.block_on(async {
        let mut lifecycle = Lifecycle::new(None).expect("signals can be taken over");
        let before = tokio::time::Instant::now();
        node.drain(&mut lifecycle).await;
        before.elapsed()
    });
    assert_eq!(node.health.phase(), Phase::Draining);
    assert!(took < Duration::from_millis(190), "it waited for the deadline: {took:?}");
}

#[test]
fn a_drain_ends_at_its_deadline_when_something_never_does() {
    let _alone = alone();
    let (node, file, _) = node("deadline", "looks: 4000000000");
    std::fs::remove_file(file).expect("our file");
    let mut node = node.expect("it starts");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let took = runtime.block_on(async {
        let mut lifecycle = Lifecycle::new(None).expect("signals can be taken over");
        let before = tokio::time::Instant::now();
        node.drain(&mut lifecycle).await;
        before.elapsed()
    });
    assert!(took >= Duration::from_millis(200), "{took:?}");
}

#[test]
fn a_role_that_does_not_start_says_why() {
    let (node, file, _) = node("refuse", "refuse: true");
    std::fs::remove_file(file).expect("our file");
    let fault = node.err().expect("it was told to refuse");
    assert_eq!(super::explain(&fault), "refused");
}

#[test]
fn a_configuration_edited_between_its_loading_and_the_watch_is_noticed() {
    let (node, file, _) = node("between", "looks: 1");
    let mut node = node.expect("it starts");
    std::fs::write(&file, "looks: 2").expect("our file");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let noticed = runtime.block_on(async {
        let mut watch = node.watch(None).expect("a watch");
        tokio::time::timeout(Duration::from_secs(5), watch.changed()).await
    });
    std::fs::remove_file(file).expect("our file");
    assert_eq!(noticed.ok(), Some(Reload { config: true, script: false }));
}
