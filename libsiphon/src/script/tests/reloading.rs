//! Generations: reload, failure to reload, modules beside the script, pinning, memory.

use super::fixture::{Rig, load, question, settings, try_load};
use super::verdicts::invite;
use crate::policy::{Decision, Verdict};
use crate::script::{LogLevel, ScriptSource};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

fn code(verdict: &Verdict) -> u16 {
    match &verdict.decision {
        Some(Decision::Reply(spec)) => spec.code,
        other => panic!("{other:?}"),
    }
}

/// A directory of its own that goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("siphon-script-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn rig(&self) -> Rig {
        let mut settings = settings("");
        settings.source = ScriptSource::File(self.0.join("main.py"));
        settings.include_paths = vec![self.0.join("shared")];
        try_load(settings).unwrap_or_else(|e| panic!("{e}"))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn replying(code: u16) -> String {
    format!("from siphon import proxy\n@proxy.on_request\ndef f(request):\n    request.reply({code})\n")
}

#[test]
fn a_failed_reload_keeps_the_running_script_and_tells_traceback_and_line() {
    let directory = Directory::new();
    directory.write("main.py", &replying(480));
    let mut rig = directory.rig();
    directory.write("main.py", "from siphon import proxy\nx = 1/0\n");
    let error = rig.script.reload().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("main.py:2: ZeroDivisionError") && text.contains("Traceback"), "{text}");
    assert_eq!(rig.replied(&invite()), 480);
    directory.write("main.py", &replying(486));
    assert_eq!(rig.script.reload().unwrap(), 3);
    assert_eq!(rig.replied(&invite()), 486);
}

#[test]
fn what_a_failed_import_staged_does_not_happen() {
    let directory = Directory::new();
    directory.write("main.py", &replying(480));
    let mut rig = directory.rig();
    directory.write(
        "main.py",
        "from siphon import timer, proxy, log\n@timer.every(1)\ndef tick(): log.info('tick')\ntimer.set('k', 10, lambda: log.info('shot'))\nproxy.send_request('OPTIONS', 'sip:a@b')\n1/0\n",
    );
    assert!(rig.script.reload().is_err());
    rig.pass(5000);
    assert!(rig.log().is_empty() && rig.sent.is_empty());
}

#[test]
fn modules_beside_the_script_and_in_include_paths_reload_with_it() {
    let directory = Directory::new();
    let main = "from siphon import proxy\nimport helper\nfrom tools.deep import VALUE\nimport common\n@proxy.on_request\ndef f(request):\n    from late import LATE\n    request.reply(helper.CODE, '%s %s %s' % (VALUE, common.WORD, LATE))\n";
    directory.write("main.py", main);
    directory.write("helper.py", "import sibling\nCODE = sibling.CODE\n");
    directory.write("sibling.py", "CODE = 480\n");
    directory.write("tools/__init__.py", "");
    directory.write(
        "tools/deep.py",
        "from . import other\nfrom .other import OTHER\nVALUE = 'v1' + OTHER + other.OTHER\n",
    );
    directory.write("tools/other.py", "OTHER = 'o'\n");
    directory.write("shared/common.py", "WORD = 'one'\n");
    directory.write("late.py", "LATE = 'first'\n");
    let mut rig = directory.rig();
    let reason = |rig: &mut Rig| match rig.request(&invite()).decision {
        Some(Decision::Reply(spec)) => (spec.code, spec.reason.unwrap().to_string()),
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(&mut rig), (480, "v1oo one first".into()));
    // Within the same second and of the same length: no cache may hide it.
    directory.write("sibling.py", "CODE = 486\n");
    directory.write("tools/other.py", "OTHER = 'p'\n");
    directory.write("shared/common.py", "WORD = 'two'\n");
    directory.write("late.py", "LATE = 'other'\n");
    rig.script.reload().unwrap();
    assert_eq!(reason(&mut rig), (486, "v1pp two other".into()));
    directory.write("helper.py", "raise RuntimeError('no')\n");
    let text = rig.script.reload().unwrap_err().to_string();
    assert!(text.contains("helper.py:1: RuntimeError: no"), "{text}");
    assert_eq!(reason(&mut rig), (486, "v1pp two other".into()));
}

const KEEPING: &str = "from siphon import proxy, timer\n@proxy.on_request\ndef f(request):\n    request.relay()\n@proxy.on_reply\ndef g(request, reply):\n    reply.reject(CODE)\n";

#[test]
fn a_transaction_stays_with_the_generation_it_began_in() {
    let directory = Directory::new();
    directory.write("main.py", &KEEPING.replace("CODE", "401"));
    let mut rig = directory.rig();
    let old = rig.request(&invite()).keep;
    directory.write("main.py", &KEEPING.replace("CODE", "402"));
    rig.script.reload().unwrap();
    let new = rig.request(&invite()).keep;
    assert_eq!(code(&rig.reply(&invite(), old.clone(), "180 Ringing")), 401);
    assert_eq!(code(&rig.reply(&invite(), new, "180 Ringing")), 402);
    assert_eq!(rig.script.old_generations(), 1);
    drop(old);
    assert_eq!(rig.script.old_generations(), 0);
}

#[test]
fn two_old_generations_may_be_held_and_a_third_ends_the_oldest() {
    let mut rig = load(KEEPING.replace("CODE", "401").as_str());
    let mut keeps = Vec::new();
    for _ in 0..3 {
        keeps.push(rig.request(&invite()).keep);
        rig.script.reload().unwrap();
    }
    assert_eq!(rig.script.old_generations(), 2);
    assert!(
        rig.reply(&invite(), keeps[0].clone(), "180 Ringing").decision.is_none(),
        "it goes its way unasked"
    );
    assert_eq!(code(&rig.reply(&invite(), keeps[1].clone(), "180 Ringing")), 401);
    assert_eq!(rig.logged(LogLevel::Warning).len(), 1);
}

#[test]
fn a_handler_parked_in_a_generation_that_is_ended_is_cancelled_and_its_request_fails() {
    let mut rig = load(
        "from siphon import proxy, timer, log, Cancelled\n@proxy.on_request\nasync def f(request):\n    try:\n        await timer.sleep(3600)\n    except Cancelled:\n        log.info('cancelled')\n",
    );
    rig.begin(question(&invite()));
    for _ in 0..3 {
        rig.begin(question(&invite()));
        rig.script.reload().unwrap();
    }
    rig.pass(0);
    let failed = rig.verdicts.iter().filter(|v| matches!(v.1.decision, Some(Decision::Failed(_)))).count();
    assert_eq!((failed, rig.policy.pending()), (2, 2));
    assert_eq!(rig.logged(LogLevel::Info).iter().filter(|t| *t == "cancelled").count(), 2);
}

fn resident_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Runs the test of that name in a process of its own, where no other test takes memory meanwhile; true in there.
fn is_alone(test: &str) -> bool {
    const ALONE: &str = "SIPHON_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let own = std::env::current_exe().unwrap();
    let mut command = std::process::Command::new(own);
    let output = command.args([test, "--exact", "--nocapture"]).env(ALONE, "1").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

#[test]
fn memory_is_flat_after_500_reloads() {
    if !is_alone("script::tests::reloading::memory_is_flat_after_500_reloads") {
        return;
    }
    let directory = Directory::new();
    directory.write("helper.py", "table = list(range(5000))\nclass Thing:\n    def method(self): return table\nthing = Thing()\nthing.me = thing\n");
    directory.write(
        "main.py",
        "from siphon import proxy, timer, metrics\nimport helper\ncount = metrics.counter('requests', 'of the test')\n@timer.every(60)\ndef tick(): pass\n@proxy.on_request\ndef f(request):\n    count.inc()\n    request.relay(on_reply=lambda a, b: helper.thing)\n",
    );
    let mut rig = directory.rig();
    let watched = |rig: &Rig| {
        Python::attach(|py| {
            let module = rig.script.current().unwrap().modules().bind(py).getattr("modules").unwrap();
            let helper = module.get_item("helper").unwrap();
            py.import("weakref").unwrap().getattr("ref").unwrap().call1((helper,)).unwrap().unbind()
        })
    };
    let mut references = Vec::new();
    let mut before = 0;
    for round in 0..500 {
        references.push(watched(&rig));
        rig.request(&invite());
        rig.script.reload().unwrap();
        if round == 100 {
            before = resident_kib();
        }
    }
    let alive =
        Python::attach(|py| references.iter().filter(|r| !r.bind(py).call0().unwrap().is_none()).count());
    assert!(alive <= 1, "{alive} old helper modules live");
    // Each generation holds some 300 KiB.
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 60_000, "{grown} KiB more after 400 reloads");
}

#[test]
fn ten_thousand_requests_during_200_reloads_are_all_answered_by_one_generation_each() {
    let directory = Directory::new();
    let text = |n: u32| {
        format!(
            "from siphon import proxy\nimport helper\nN = {n}\n@proxy.on_request\ndef f(request):\n    assert helper.N == N\n    request.reply(200, str(N))\n"
        )
    };
    let install = |n: u32| {
        directory.write("helper.py", &format!("N = {n}\n"));
        directory.write("main.py", &if n % 3 == 2 { "broken(\n".to_owned() } else { text(n) });
    };
    install(0);
    let mut rig = directory.rig();
    let (mut asked, mut answered, mut serving) = (0, 0, 0);
    for n in 1..=200 {
        install(n);
        let script = rig.script.clone();
        let reload = std::thread::spawn(move || script.reload().is_ok());
        let mut codes = Vec::new();
        for _ in 0..50 {
            asked += 1;
            rig.begin(question(&invite()));
        }
        let loaded = reload.join().unwrap();
        assert_eq!(loaded, n % 3 != 2);
        rig.await_verdicts(50);
        for (_, verdict) in rig.verdicts.drain(..) {
            match verdict.decision {
                Some(Decision::Reply(spec)) => codes.push(spec.reason.unwrap().parse::<u32>().unwrap()),
                other => panic!("{other:?}"),
            }
        }
        answered += codes.len();
        assert!(codes.iter().all(|c| *c == serving || *c == n), "{codes:?}");
        if loaded {
            serving = n;
        }
    }
    assert_eq!((asked, answered), (10_000, 10_000));
}

#[test]
fn a_periodic_timer_that_goes_on_under_its_name_keeps_its_time() {
    let mut rig =
        load("from siphon import timer, log\n@timer.every(10, name='t')\ndef tick(): log.info('tick')\n");
    rig.pass(12_000);
    // By the node's clock, which stands still in this test, a new timer would be due at once.
    rig.script.reload().unwrap();
    rig.pass(0);
    assert_eq!(rig.logged(LogLevel::Info), ["tick"]);
    rig.pass(10_000);
    assert_eq!(rig.logged(LogLevel::Info), ["tick", "tick"]);
}

#[test]
fn a_task_of_a_generation_that_is_ended_is_cancelled_on_the_asyncio_loop() {
    let mut rig = load(
        "from siphon import proxy, log, Cancelled\nimport asyncio\n@proxy.on_request\nasync def f(request):\n    try:\n        await asyncio.sleep(3600)\n    except Cancelled:\n        log.info('cancelled')\n        raise\n",
    );
    rig.begin(question(&invite()));
    for _ in 0..2 {
        rig.begin(question(&invite()));
        rig.script.reload().unwrap();
    }
    rig.begin(question(&invite()));
    rig.script.reload().unwrap();
    rig.await_verdicts(2);
    assert!(
        rig.verdicts.iter().all(|v| matches!(v.1.decision, Some(Decision::Failed(_)))),
        "{:?}",
        rig.verdicts
    );
}
