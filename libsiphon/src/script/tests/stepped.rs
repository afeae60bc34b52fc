//! Scripts in virtual time: one at a time, no clock but the policy's, no network but the pretended one.

use super::fixture::{Rig, question, request, response, settings, try_load};
use super::verdicts::invite;
use crate::base::time::Duration;
use crate::policy::{Decision, Outcome, Policy, Ticket, Verdict};
use crate::script::{ApartMode, LogLevel, World, interpreter::initialize};
use pyo3::prelude::*;
use pyo3::types::PyModule;

/// A world of the kit's, seeded.
fn world(seed: u64) -> World {
    initialize();
    Python::attach(|py| {
        let code = c"
import sys, types
if 'siphon_sdk' not in sys.modules:
    # The kit's own package without the engine beside it, which here is the test.
    package = types.ModuleType('siphon_sdk')
    package.__path__ = [path]
    sys.modules['siphon_sdk'] = package
from siphon_sdk._world import World
";
        let globals = PyModule::new(py, "world_of_tests")?.dict();
        globals.set_item("path", concat!(env!("CARGO_MANIFEST_DIR"), "/../python/siphon_sdk"))?;
        py.run(code, Some(&globals), None)?;
        let class = globals.get_item("World")?.expect("imported");
        World::new(&class.call1((seed, 1_000_000_000_u64))?)
    })
    .unwrap_or_else(|e: PyErr| Python::attach(|py| panic!("{e}: {:?}", e.traceback(py).map(|t| t.format()))))
}

/// A rig in a world, which is closed with it.
struct Stepped {
    rig: Rig,
    world: World,
}

impl std::ops::Deref for Stepped {
    type Target = Rig;
    fn deref(&self) -> &Rig {
        &self.rig
    }
}

impl std::ops::DerefMut for Stepped {
    fn deref_mut(&mut self) -> &mut Rig {
        &mut self.rig
    }
}

impl Drop for Stepped {
    fn drop(&mut self) {
        close(&self.world);
    }
}

fn close(world: &World) {
    Python::attach(|py| world.object(py).call_method0("close").map(drop)).unwrap();
}

fn load_seeded(text: &str, seed: u64) -> Stepped {
    let (mut settings, world) = (settings(text), world(seed));
    settings.apart = ApartMode::Stepped(world.clone());
    Stepped { rig: try_load(settings).unwrap_or_else(|e| panic!("{e}")), world }
}

fn load(text: &str) -> Stepped {
    load_seeded(text, 1)
}

/// A handler of INVITE with this body, sync or async.
fn handler(kind: &str, body: &str) -> Stepped {
    let body = body.trim_matches('\n').lines().map(|l| format!("    {l}\n")).collect::<String>();
    load(&format!(
        "from siphon import proxy, cache, timer, log, Cancelled, TransactionEnded\nimport asyncio, time, datetime, random, uuid, secrets, os\n@proxy.on_request('INVITE')\n{kind} route(request):\n{body}"
    ))
}

fn code(verdict: &Verdict) -> u16 {
    match &verdict.decision {
        Some(Decision::Reply(spec)) => spec.code,
        other => panic!("{other:?}"),
    }
}

/// Begins, and expects no answer before so many milliseconds and one then.
fn answered_after(rig: &mut Rig, millis: u64) -> u16 {
    let asked_at = rig.now;
    let ticket = rig.begin(question(&invite()));
    for _ in 0..1000 {
        if let Some((of, verdict)) = rig.verdicts.pop() {
            assert_eq!(
                (of, rig.now.since(asked_at)),
                (ticket, Duration::from_millis(millis)),
                "{:?}",
                rig.log()
            );
            assert_eq!(rig.policy.pending(), 0);
            return code(&verdict);
        }
        to_deadline(rig);
    }
    panic!("never answered: {:?}", rig.log());
}

/// Lets the time pass until the policy wants to be woken.
fn to_deadline(rig: &mut Rig) {
    let at = rig.policy.deadline().unwrap_or_else(|| panic!("waits for nothing: {:?}", rig.log()));
    rig.pass(at.since(rig.now).as_millis() as u64);
}

#[test]
fn a_sleeping_sync_handler_is_answered_when_the_virtual_time_has_passed() {
    let mut rig = handler("def", "time.sleep(2)\ntimer.sleep('500ms')\nrequest.reply(486)");
    assert_eq!(answered_after(&mut rig, 2500), 486);
}

#[test]
fn a_handler_of_the_lane_that_does_not_wait_answers_at_once() {
    let mut rig = handler("def", "if request.method == 'BYE': time.sleep(1)\nrequest.reply(486)");
    assert_eq!(code(&rig.request(&invite())), 486);
}

#[test]
fn beside_a_sleeping_handler_others_are_answered_and_its_clock_stands_where_it_belongs() {
    let mut rig = load(
        "from siphon import proxy, log\nimport time\n@proxy.on_request('INVITE')\ndef slow(request):\n    before = time.time()\n    time.sleep(1)\n    log.info(f'{time.time() - before:.3f} {time.time():.3f}')\n    request.reply(200)\n@proxy.on_request('OPTIONS')\ndef quick(request):\n    request.reply(404)\n",
    );
    rig.begin(question(&invite()));
    rig.pass(300);
    assert_eq!(rig.replied(&request("OPTIONS", "sip:example.com", "")), 404);
    rig.pass(700);
    assert_eq!(code(&rig.verdicts.pop().expect("answered").1), 200);
    assert_eq!(rig.logged(LogLevel::Info), ["1.000 1001.000"]);
}

#[test]
fn a_sync_handler_waits_for_the_response_to_its_own_request() {
    let mut rig = handler(
        "def",
        "r = proxy.send_request('OPTIONS', 'sip:x@192.0.2.9', wait_for_response=True)\nrequest.reply(r.status_code if r else 504)",
    );
    for (outcome, expected) in
        [(Outcome::Response(response(&invite(), "480 Away")), 480), (Outcome::Failed("timeout"), 504)]
    {
        rig.begin(question(&invite()));
        let wait = rig.sent.pop().and_then(|s| s.0).expect("sent at once, and somebody waits");
        assert!(rig.verdicts.is_empty());
        rig.pass(500);
        rig.resume(wait, outcome);
        assert_eq!(code(&rig.verdicts.pop().expect("answered").1), expected);
    }
}

#[test]
fn a_withdrawn_handler_of_the_lane_finds_its_transaction_ended() {
    let mut rig = handler(
        "def",
        "time.sleep(1)\ntry:\n    request.reply(200)\nexcept TransactionEnded:\n    log.info('ended')",
    );
    let ticket = rig.begin(question(&invite()));
    rig.withdraw(ticket);
    rig.pass(1000);
    assert_eq!(rig.logged(LogLevel::Info), ["ended"]);
    assert_eq!(rig.policy.pending(), 0);
}

#[test]
fn an_undetected_sleep_delays_the_answer_and_moves_the_handler_to_the_lane() {
    // Looked up at run time, so that nothing says beforehand that it waits.
    let body = "before = time.time()\ngetattr(time, 'sle' + 'ep')(2)\nassert time.time() - before == 2\nrequest.reply(486)";
    let mut rig = handler("def", body);
    assert_eq!(answered_after(&mut rig, 2000), 486);
    assert!(rig.logged(LogLevel::Warning)[0].contains("took 2000 ms"), "{:?}", rig.log());
    assert_eq!(answered_after(&mut rig, 2000), 486);
    assert_eq!(rig.logged(LogLevel::Warning).len(), 1);
}

#[test]
fn an_answer_that_waits_for_such_a_sleep_is_dropped_when_the_transaction_ends() {
    let mut rig = handler("def", "getattr(time, 'sle' + 'ep')(2)\nrequest.reply(486)");
    let ticket = rig.begin(question(&invite()));
    rig.withdraw(ticket);
    rig.pass(5000);
    assert!(rig.verdicts.is_empty());
}

#[test]
fn asyncio_runs_in_virtual_time() {
    for (body, millis) in [
        ("await asyncio.sleep(3600)", 3_600_000),
        ("await asyncio.gather(asyncio.sleep(2), asyncio.sleep(3))", 3000),
        ("t = asyncio.create_task(asyncio.sleep(1, 'x'))\nassert await t == 'x'", 1000),
        ("try:\n    await asyncio.wait_for(asyncio.sleep(9), 2)\nexcept TimeoutError: pass\nelse: 1/0", 2000),
        (
            "try:\n    async with asyncio.timeout(1.5): await asyncio.sleep(9)\nexcept TimeoutError: pass",
            1500,
        ),
        (
            "q = asyncio.Queue()\nasync def feed():\n    await asyncio.sleep(1)\n    await q.put(7)\nasyncio.create_task(feed())\nassert await q.get() == 7",
            1000,
        ),
        (
            "lock = asyncio.Lock()\nasync def one():\n    async with lock: await asyncio.sleep(1)\nawait asyncio.gather(one(), one())",
            2000,
        ),
        ("await asyncio.to_thread(time.sleep, 1)", 1000),
        ("await asyncio.gather(*[asyncio.to_thread(time.sleep, 1) for _ in range(3)])", 1000),
        ("await asyncio.sleep(0)\ntime.sleep(1)", 1000),
        ("await asyncio.sleep(0)\nawait timer.sleep(1)\nassert await cache.fetch('c', 'no') is None", 1000),
    ] {
        let mut rig = handler("async def", &format!("{body}\nrequest.reply(486)"));
        let started = std::time::Instant::now();
        assert_eq!(answered_after(&mut rig, millis), 486, "{body}");
        assert!(started.elapsed() < Duration::from_secs(10), "real time passes: {body}");
    }
}

#[test]
fn asyncio_run_in_a_plain_handler_takes_virtual_time() {
    let mut rig = handler("def", "asyncio.run(asyncio.sleep(2))\nrequest.reply(486)");
    assert_eq!(answered_after(&mut rig, 2000), 486);
}

#[test]
fn on_the_loop_each_await_commits_and_withdrawal_cancels() {
    let mut rig = handler(
        "async def",
        "request.relay()\ntry:\n    await asyncio.sleep(3600)\nexcept Cancelled:\n    log.info('cancelled')\n    raise",
    );
    let ticket = rig.begin(question(&invite()));
    let (of, verdict) = rig.verdicts.pop().expect("committed at the await");
    assert!(of == ticket && !verdict.finished && matches!(verdict.decision, Some(Decision::Relay(_))));
    rig.pass(1000);
    rig.withdraw(ticket);
    assert_eq!(rig.logged(LogLevel::Info).first().map(String::as_str), Some("cancelled"));
    assert_eq!(rig.policy.pending(), 0);
}

#[test]
fn on_the_loop_a_response_can_be_awaited() {
    let mut rig = handler(
        "async def",
        "await asyncio.sleep(0)\nr = await asyncio.wait_for(proxy.send_request('OPTIONS', 'sip:x@192.0.2.9', wait_for_response=True), 9)\nrequest.reply(r.status_code)",
    );
    rig.begin(question(&invite()));
    let wait = rig.sent.pop().and_then(|s| s.0).expect("sent at once");
    rig.pass(10);
    rig.resume(wait, Outcome::Response(response(&invite(), "404 Not Found")));
    assert_eq!(code(&rig.verdicts.pop().expect("answered").1), 404);
}

#[test]
fn an_endless_loop_of_awaits_is_told_and_ends() {
    let mut rig = handler("async def", "while True: await asyncio.sleep(0)");
    rig.begin(question(&invite()));
    let told = rig.logged(LogLevel::Error);
    assert!(told.iter().any(|t| t.contains("without any time passing")), "{told:?}");
}

#[test]
fn the_lane_has_as_many_places_as_in_the_daemon() {
    let mut set = settings(
        "from siphon import proxy\nimport time\n@proxy.on_request\ndef f(request):\n    time.sleep(1)\n    request.reply(200)\n",
    );
    (set.lane_threads, set.lane_queue) = (2, 1);
    let world = world(1);
    set.apart = ApartMode::Stepped(world);
    let mut rig = try_load(set).unwrap();
    let tickets: Vec<Ticket> = (0..4).map(|_| rig.begin(question(&invite()))).collect();
    assert_eq!(rig.verdicts.iter().map(|v| (v.0, code(&v.1))).collect::<Vec<_>>(), [(tickets[3], 503)]);
    rig.verdicts.clear();
    rig.pass(1000);
    assert_eq!(rig.verdicts.iter().map(|v| v.0).collect::<Vec<_>>(), tickets[..2]);
    rig.pass(1000);
    assert_eq!(rig.verdicts.last().map(|v| v.0), Some(tickets[2]));
}

#[test]
fn every_clock_of_the_interpreter_is_virtual_inside_and_real_outside() {
    let mut rig = handler(
        "def",
        "assert time.time() == 1000 and time.time_ns() == 1000 * 10**9, time.time()
m, p = time.monotonic(), time.perf_counter()
assert time.monotonic() == m == p and time.monotonic_ns() == time.perf_counter_ns() == round(m * 1e9)
utc = datetime.timezone.utc
at = datetime.datetime(1970, 1, 1, 0, 16, 40)
assert datetime.datetime.utcnow() == at and datetime.datetime.now(utc) == datetime.datetime.now(tz=utc) == at.replace(tzinfo=utc)
assert datetime.date.today() == datetime.datetime.now().date() == datetime.datetime.today().date()
assert type(datetime.datetime.now()) is datetime.datetime
assert time.gmtime()[:6] == time.gmtime(None)[:6] == (1970, 1, 1, 0, 16, 40)
assert time.strftime('%Y') == time.strftime('%Y', time.localtime()) == '1970' and time.ctime().endswith('1970') and time.asctime().endswith('1970')
assert time.gmtime(0)[5] == 0 and time.ctime(86400 * 400).endswith('1971')
for wrong in (lambda: datetime.datetime.now(5), lambda: datetime.datetime.now(utc, utc), lambda: datetime.datetime.now(x=1), lambda: time.sleep(-1)):
    try: wrong()
    except (TypeError, ValueError): continue
    raise AssertionError('accepted')
request.reply(486)",
    );
    assert_eq!(rig.replied(&invite()), 486);
    Python::attach(|py| {
        let (time, datetime) = (py.import("time").unwrap(), py.import("datetime").unwrap());
        assert!(time.call_method0("time").unwrap().extract::<f64>().unwrap() > 1.6e9);
        let now = datetime.getattr("datetime").unwrap().call_method0("now").unwrap();
        assert!(now.getattr("year").unwrap().extract::<u32>().unwrap() >= 2025);
    });
}

#[test]
fn dice_repeat_with_the_seed_and_leave_those_of_the_test_alone() {
    let script = "from siphon import proxy, log\nimport random, uuid, secrets, os\nfrom random import randint\n@proxy.on_request\ndef f(request):\n    log.info(repr((random.random(), randint(0, 10**9), random.choice('abc'), random.gauss(0, 1), uuid.uuid4().hex, secrets.token_hex(4), os.urandom(4))))\n    request.reply(200)\n";
    let roll = |seed| {
        let mut rig = load_seeded(script, seed);
        rig.request(&invite());
        rig.request(&invite());
        rig.logged(LogLevel::Info)
    };
    let state = || Python::attach(|py| py.import("random")?.call_method0("getstate")?.hash()).unwrap();
    let before = state();
    let (first, again, other) = (roll(7), roll(7), roll(8));
    assert_eq!(first, again);
    assert_ne!(first[0], first[1]);
    assert_ne!(first, other);
    assert_eq!(before, state());
}

#[test]
fn a_closed_world_ends_what_still_waits() {
    let text = "from siphon import proxy, log\nimport time, asyncio\n@proxy.on_request('INVITE')\ndef f(request):\n    try:\n        time.sleep(9)\n    finally:\n        log.info('ended')\n@proxy.on_request('OPTIONS')\nasync def g(request):\n    await asyncio.sleep(9)\n";
    let mut rig = load(text);
    rig.begin(question(&invite()));
    rig.begin(question(&request("OPTIONS", "sip:example.com", "")));
    assert_eq!(rig.policy.pending(), 2);
    close(&rig.world);
    assert_eq!(rig.logged(LogLevel::Info), ["ended"]);
}

#[test]
fn the_real_network_is_closed_and_the_error_says_what_to_do() {
    let mut rig = handler(
        "def",
        "import socket
try:
    socket.create_connection(('crm.example', 443))
except OSError as error:
    log.info(f'{type(error).__name__}: {error}')
request.reply(486)",
    );
    assert_eq!(rig.replied(&invite()), 486);
    let told = rig.logged(LogLevel::Info);
    assert!(told[0].starts_with("RealNetwork: ") && told[0].contains("crm.example:443"), "{told:?}");
    assert!(
        told[0].contains("harness.http.add(") && told[0].contains("harness.allow_network(\"crm.example\")"),
        "{told:?}"
    );
}

#[test]
fn a_faked_http_server_answers_urllib_with_and_without_tls_after_its_delay() {
    let mut rig = load(
        "from siphon import proxy, log\nimport urllib.request, json\n@proxy.on_request\ndef f(request):\n    for url in ('http://crm.example/a', 'https://crm.example:8443/b?x=1'):\n        with urllib.request.urlopen(url, data=b'who', timeout=3) as reply:\n            log.info(f'{reply.status} {json.load(reply)}')\n    request.reply(486)\n",
    );
    Python::attach(|py| {
        let code = c"
w.http.add('POST', 'http://crm.example/a', json={'n': 1}, delay=0.2)
w.http.add('POST', 'https://crm.example:8443/*', json={'n': 2}, delay=0.3)
";
        let globals = pyo3::types::PyDict::new(py);
        globals.set_item("w", rig.world.object(py)).unwrap();
        py.run(code, Some(&globals), None).unwrap();
    });
    assert_eq!(answered_after(&mut rig, 500), 486);
    // What asyncio says of another test's tasks, when they are collected, reaches the newest script's log.
    let answers: Vec<_> = rig.logged(LogLevel::Info).into_iter().filter(|l| l.starts_with("200")).collect();
    assert_eq!(answers, ["200 {'n': 1}", "200 {'n': 2}"]);
}
