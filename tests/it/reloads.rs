//! 10,000 requests through a running daemon while its script is replaced 200 times, a third of these by a broken one.
//!
//! A generation is two files, so a request that met half of one would show: each answer says what both of them are,
//! at the request and, where it was relayed, again when the response came back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use siphon_tests::daemon::Daemon;
use siphon_tests::message::Message;
use siphon_tests::peer::Peer;
use siphon_tests::scratch::Scratch;

const RELOADS: u32 = 200;
const REQUESTS: usize = 10_000;
/// So many are sent for each reload; the first of them is answered by its callee only after the next reload.
const EACH: usize = REQUESTS / RELOADS as usize;
/// Requests that may be unanswered at a time, beside those that are held back.
const OPEN: usize = 24;
/// After so many, memory is looked at for the first time.
const HALF: u32 = RELOADS / 2;
/// Longest that anything may take before the run counts as stuck.
const PATIENCE: Duration = Duration::from_secs(60);

const SCRIPT: &str = "from siphon import proxy\nimport helper\nN = NUMBER\nWHO = f'{N}-{helper.N}'\n\
    def back(request, reply):\n    reply.set_header('X-Back', WHO)\n\
    @proxy.on_request\ndef route(request):\n    \
    if request.method == 'OPTIONS':\n        request.set_reply_header('X-Asked', WHO)\n        request.reply(200)\n    \
    else:\n        request.set_header('X-Asked', WHO)\n        request.relay(on_reply=back)\n";

const YAML: &str = "listen: {udp: [\"127.0.0.1:0\"]}\nscript: {path: route.py, reload: sighup}\n\
    server: {drain_secs: 0}\nmetrics: {prometheus: {listen: \"127.0.0.1:0\"}}\ntransaction: {t1_ms: 50, t2_ms: 100, t4_ms: 100}\n\
    overload: {target_ms: 5s}\n";

/// Whether this generation can be loaded.
fn is_good(number: u32) -> bool {
    number % 3 != 2
}

/// The generation that serves once `reloads` reloads are done.
fn serving(reloads: u32) -> u32 {
    if is_good(reloads) { reloads } else { reloads - 1 }
}

/// Writes both files of a generation; the broken ones are broken in three ways.
fn install(scratch: &Scratch, number: u32) {
    let script = SCRIPT.replace("NUMBER", &number.to_string());
    let (script, helper) = match (is_good(number), number / 3 % 3) {
        (true, _) => (script, format!("N = {number}\n")),
        (false, 0) => (format!("{script}\nbroken(\n"), format!("N = {number}\n")),
        (false, 1) => (script, format!("N = {number}\n1 / 0\n")),
        (false, _) => (script.replace("import proxy", "import proxi"), format!("N = {number}\n")),
    };
    scratch.write("helper.py", helper);
    scratch.write("route.py", script);
}

/// How far the run has come.
#[derive(Default)]
struct Run {
    /// Reloads that were begun and that are over.
    begun: AtomicU32,
    done: AtomicU32,
    sent: AtomicUsize,
    answered: AtomicUsize,
    /// Reloads before which every held answer has arrived.
    released: AtomicU32,
}

fn waits_for(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "{what} takes too long");
        std::thread::yield_now();
    }
}

/// Answers what it is sent; what says `X-Hold` only when that many reloads are over.
fn callee(peer: &Peer, run: &Run) {
    let mut held: Vec<(u32, Message)> = Vec::new();
    let end = Instant::now() + PATIENCE;
    while run.answered.load(SeqCst) < REQUESTS && Instant::now() < end {
        let now = run.done.load(SeqCst);
        for (_, request) in held.extract_if(.., |(until, _)| *until <= now) {
            answer(peer, &request);
        }
        let Some(request) = peer.receive(Duration::from_millis(2)) else { continue };
        match request.header("X-Hold").parse::<u32>() {
            // Not a copy of one that is held already.
            Ok(until) if until > now => {
                match held.iter().any(|(_, h)| h.header("Via") == request.header("Via")) {
                    true => {}
                    false => held.push((until, request)),
                }
            }
            _ => answer(peer, &request),
        }
    }
}

fn answer(peer: &Peer, request: &Message) {
    let asked = format!("X-Asked: {}", request.header("X-Asked"));
    peer.send(&request.response(200, "OK", "callee", &[&asked]));
}

/// Replaces the script again and again, as often as requests have been sent for it.
fn reload(daemon: &Daemon, run: &Run, numbers: RangeInclusive<u32>) {
    for number in numbers {
        // Two older generations may live beside the current one, so nobody is left behind by more than two.
        waits_for("the traffic", || {
            run.sent.load(SeqCst) >= EACH * number as usize && run.released.load(SeqCst) + 1 >= number
        });
        install(&daemon.scratch, number);
        run.begun.store(number, SeqCst);
        daemon.process.signal("HUP");
        let told = || {
            let log = daemon.process.log();
            (log.matches(": nothing was reloaded: ").count(), log.matches(": reloaded: ").count())
        };
        let broken = (1..=number).filter(|n| !is_good(*n)).count();
        let good = number as usize - broken;
        waits_for("a reload", || told() == (broken, good));
        run.done.store(number, SeqCst);
    }
}

struct Asked {
    /// Reloads over when it was sent.
    done: u32,
    held: bool,
    relayed: bool,
}

fn text(peer: &Peer, callee: SocketAddr, number: usize, asked: &Asked) -> String {
    let (local, subject) = (peer.local(), peer.subject());
    let (method, to) = if asked.relayed { ("MESSAGE", callee) } else { ("OPTIONS", subject) };
    let hold = if asked.held { format!("X-Hold: {}\n", asked.done + 1) } else { String::new() };
    format!(
        "{method} sip:x@{to} SIP/2.0\nVia: SIP/2.0/UDP {local};branch=z9hG4bKr{number}\nMax-Forwards: 70\n{hold}\
         From: <sip:a@{local}>;tag=1\nTo: <sip:x@{to}>\nCall-ID: r-{number}\nCSeq: 1 {method}\n\n"
    )
}

/// What an answer must say; true when its callback ran after another generation had been loaded.
fn examine(answer: &Message, asked: &Asked, begun: u32) -> bool {
    assert_eq!(answer.status(), 200, "{answer:?}");
    let who = answer.header("X-Asked");
    let (script, helper) = who.split_once('-').unwrap_or_else(|| panic!("no generation: {answer:?}"));
    assert_eq!(script, helper, "half of one generation and half of another");
    let number: u32 = script.parse().expect("a number");
    assert!(is_good(number), "a broken generation served: {number}");
    let earliest = serving(asked.done);
    assert!((earliest..=begun).contains(&number), "{number}, and {earliest} to {begun} were there");
    if asked.relayed {
        assert_eq!(answer.header("X-Back"), who, "the callback is of the generation that relayed");
    }
    asked.relayed && serving(begun) > number
}

/// What the daemon holds in memory once no transaction is left.
fn resident_kib(daemon: &Daemon) -> u64 {
    waits_for("the end of the last transaction", || {
        let page = daemon.get("/metrics");
        let mut lines = page.lines().filter(|l| l.starts_with("siphon_transactions_active"));
        lines.next().is_some_and(|l| l.ends_with(" 0")) && lines.all(|l| l.ends_with(" 0"))
    });
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.process.pid())).expect("it runs");
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("the kernel says it");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
}

/// Asks 10,000 times, in step with the reloads, and examines each answer: how many callbacks ran in an older generation
/// than the one that served then.
fn caller(peer: &Peer, callee: SocketAddr, run: &Run) -> usize {
    let (mut across, mut answered) = (0, 0);
    let mut open: BTreeMap<usize, Asked> = BTreeMap::new();
    let end = Instant::now() + PATIENCE;
    while answered < REQUESTS {
        let (sent, done) = (run.sent.load(SeqCst), run.done.load(SeqCst));
        let due = (EACH * (done as usize + 2)).min(REQUESTS);
        if sent < due && open.values().filter(|a| !a.held).count() < OPEN {
            let held = sent % EACH == 0 && done != HALF && done + 1 < RELOADS;
            let asked = Asked { done, held, relayed: held || sent % 2 == 0 };
            peer.send(&text(peer, callee, sent, &asked));
            open.insert(sent, asked);
            run.sent.store(sent + 1, SeqCst);
        } else if let Some(answer) = peer.receive(Duration::from_millis(5)).filter(|m| m.status() >= 200) {
            let number: usize = answer.header("Call-ID")[2..].parse().expect("a call of ours");
            let asked = open.remove(&number).expect("one answer each");
            across += usize::from(examine(&answer, &asked, run.begun.load(SeqCst)));
            answered += 1;
            run.answered.store(answered, SeqCst);
        }
        let oldest = open.values().filter(|a| a.held).map(|a| a.done).min();
        run.released.store(oldest.unwrap_or(done), SeqCst);
        assert!(Instant::now() < end, "{} of {sent} are unanswered: {:?}", open.len(), open.keys());
    }
    run.released.store(RELOADS, SeqCst);
    across
}

#[test]
fn each_of_10_000_requests_during_200_reloads_is_answered_by_one_generation() {
    let scratch = Scratch::new("reloads");
    install(&scratch, 0);
    let shards = std::env::var("SHARDS").unwrap_or_else(|_| "1".to_owned());
    let daemon = Daemon::start_in(scratch, &format!("{YAML}shards: {shards}\n"));
    let (peer, target) = (Peer::udp(daemon.sip()), Peer::udp(daemon.sip()));
    let (run, at) = (Run::default(), target.local());
    let (across, early) = std::thread::scope(|scope| {
        let run = &run;
        scope.spawn(move || callee(&target, run));
        let caller = scope.spawn(move || caller(&peer, at, run));
        reload(&daemon, run, 1..=HALF);
        let early = resident_kib(&daemon);
        reload(&daemon, run, HALF + 1..=RELOADS);
        (caller.join().expect("all are answered as they must be"), early)
    });
    assert!(across >= RELOADS as usize / 4, "{across} callbacks ran in an older generation");
    let grown = resident_kib(&daemon).saturating_sub(early);
    assert!(grown < 4096, "{grown} KiB more after the second half");
}
