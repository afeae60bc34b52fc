//! Calls that need no script beside handlers that hold the interpreter, and beside the same requests that do need one.
//!
//! For each way to hold it: a fresh daemon with two shards and `benches/beside.py`, one handler of that kind always
//! running from before the measurement to after it, 300 calls a second without a handler, 30 OPTIONS a second with one.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use siphon_tests::peer::Peer;

use crate::load::{self, Plan, Stage};
use crate::operation::Operation;
use crate::server::{Kind, Server};
use crate::world::Outcome;

/// What the handler of a MESSAGE does; the user part of its Request-URI.
const HOGS: [(&str, &str); 4] = [
    ("none", "none"),
    ("sleep", "`time.sleep(2)`"),
    ("python", "200 ms of pure Python"),
    ("regex", "a regex that keeps the GIL"),
];
/// Calls per second that no handler is asked about.
const CALLS: f64 = 300.0;
/// Requests per second that one is asked about.
const ASKED: f64 = 30.0;
/// Handlers that have run before the measurement begins: by then the node knows them for slow.
const WARM: u32 = 3;
/// Longest that one of them may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures beside each and prints a table.
pub(crate) fn run(siphon: &Path, seconds: f64) -> Result<(), String> {
    println!(
        "{CALLS} calls/s without a handler and {ASKED} OPTIONS/s with one, two shards, {seconds} s each; time to the first \
         final response.\n"
    );
    println!("| beside | calls p50 | calls p99 | good | with a handler p50 | p99 | good | hogs run |");
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for (hog, name) in HOGS {
        let server = Server::start_with(Kind::Siphon2, siphon, "beside.py")?;
        let row =
            beside(&server, hog, seconds).map_err(|error| format!("{hog}: {error}\n{}", server.log()))?;
        let cell = |o: &Outcome| {
            let ms = |d: Duration| d.as_secs_f64() * 1e3;
            format!("{:.1} ms | {:.1} ms | {} of {}", ms(o.median), ms(o.p99), o.good, o.begun)
        };
        println!("| {name} | {} | {} | {} |", cell(&row.calls), cell(&row.asked), row.hogs);
    }
    Ok(())
}

struct Row {
    calls: Outcome,
    asked: Outcome,
    hogs: u32,
}

fn beside(server: &Server, hog: &str, seconds: f64) -> Result<Row, String> {
    let (over, hogs) = (AtomicBool::new(false), AtomicU32::new(0));
    let address = server.address;
    let plan = |operation, rate, run: &str| Plan {
        operation,
        rate,
        length: Duration::from_secs_f64(seconds),
        ports: 16,
        server: address,
        two_legs: false,
        ring: Duration::ZERO,
        hold: Duration::from_millis(200),
        run: format!("b{run}q"),
    };
    let (calls, asked) = (plan(Operation::CallLookup, CALLS, "c"), plan(Operation::Options, ASKED, "o"));
    let (bound, begun) = (AtomicBool::new(false), AtomicBool::new(false));
    let until = |is_so: &dyn Fn() -> bool| {
        let end = Instant::now() + PATIENCE;
        while !is_so() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let error = |error: std::io::Error| error.to_string();
    std::thread::scope(|scope| {
        // Phones register before anything is held, for that needs the script.
        let calls = scope.spawn(|| {
            let outcome = load::run(&calls, &mut |stage| {
                if stage == Stage::Ready {
                    bound.store(true, Relaxed);
                    until(&|| hog == "none" || hogs.load(Relaxed) >= WARM || over.load(Relaxed));
                    begun.store(true, Relaxed);
                }
            });
            bound.store(true, Relaxed);
            begun.store(true, Relaxed);
            outcome.map_err(error)
        });
        let asked = scope.spawn(|| {
            load::run(&asked, &mut |stage| {
                if stage == Stage::Ready {
                    until(&|| begun.load(Relaxed));
                }
            })
            .map_err(error)
        });
        let holding = scope.spawn(|| {
            until(&|| bound.load(Relaxed));
            if hog == "none" { Ok(()) } else { hold(address, hog, &over, &hogs) }
        });
        let ended = (calls.join(), asked.join());
        over.store(true, Relaxed);
        match (ended, holding.join()) {
            ((Ok(calls), Ok(asked)), Ok(held)) => {
                held.and(Ok(Row { calls: calls?, asked: asked?, hogs: hogs.load(Relaxed) }))
            }
            _ => Err("the generator panicked".to_owned()),
        }
    })
}

/// Has a handler of that kind running until it is over, the next as soon as one has answered.
fn hold(server: SocketAddr, hog: &str, over: &AtomicBool, run: &AtomicU32) -> Result<(), String> {
    let peer = Peer::udp(server);
    let local = peer.local();
    for number in 0.. {
        if over.load(Relaxed) {
            break;
        }
        peer.send(&format!(
            "MESSAGE sip:{hog}@example.com SIP/2.0\nVia: SIP/2.0/UDP {local};branch=z9hG4bKh{number}\nMax-Forwards: 70\n\
             From: <sip:hog@example.com>;tag=h\nTo: <sip:{hog}@example.com>\nCall-ID: hog-{number}\nCSeq: 1 MESSAGE\n\n"
        ));
        let id = format!("hog-{number}");
        let end = Instant::now() + PATIENCE;
        let answer = loop {
            let left = end.saturating_duration_since(Instant::now());
            let Some(answer) = peer.receive(left) else {
                return Err(format!("no answer to MESSAGE {number}"));
            };
            if answer.header("Call-ID") == id && answer.status() >= 200 {
                break answer;
            }
        };
        if answer.status() != 200 {
            return Err(format!("a hog got {}", answer.start_line()));
        }
        run.fetch_add(1, Relaxed);
    }
    Ok(())
}
