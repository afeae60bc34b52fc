//! Instructions and allocations of the engine per parse, relayed request, REGISTER and call: the shard alone, without
//! sockets and without Python, fed with the generator's own messages.
//!
//! Instructions are counted by callgrind while it runs `counted`; allocations by the allocator below.

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use siphon::base::flow::{Flow, Transport};
use siphon::base::rng::Rng;
use siphon::base::time::{Duration, Instant};
use siphon::base::token::Secret;
use siphon::driver::overload::Admitted;
use siphon::driver::priority::begins_new_work;
use siphon::driver::refusal::Refusal;
use siphon::engine::contract::{Effect, Effects, Input};
use siphon::engine::node::Node;
use siphon::engine::settings::Settings;
use siphon::engine::shard::Shard;
use siphon::event::Classes;
use siphon::policy::{Decision, Verdict};
use siphon::proto::auth::{Authenticator, DigestSettings};
use siphon::proto::proxy::own::{Domain, Listener, OwnAddresses};
use siphon::proto::registrar::{Location, Registrar, RegistrarSettings};
use siphon::wire::sip::{Limits, Message, peek};

use crate::operation::{self, Dialog, Ends, Operation};
use crate::text::Text;

/// Counts what is allocated while `COUNTING` is set.
struct Counter;

static COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static OCTETS: AtomicU64 = AtomicU64::new(0);

// Every call goes to the system's allocator unchanged; the counters are no part of the contract.
// SAFETY: see above; `System` upholds the contract of the trait.
unsafe impl GlobalAlloc for Counter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTING.load(Relaxed) {
            ALLOCATIONS.fetch_add(1, Relaxed);
            OCTETS.fetch_add(layout.size() as u64, Relaxed);
        }
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if COUNTING.load(Relaxed) {
            ALLOCATIONS.fetch_add(1, Relaxed);
            OCTETS.fetch_add(size as u64, Relaxed);
        }
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTER: Counter = Counter;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum What {
    /// Indexing and checking an INVITE.
    Parse,
    /// An INVITE to a registered user, from octets to octets: validation, look-up, branch, timers.
    RelayInvite,
    /// Its 180 and its 200, each from octets to octets, halved.
    RelayResponse,
    /// A REGISTER that refreshes a binding.
    Register,
    /// OPTIONS answered here.
    Options,
    /// The INVITE of the same call, turned away: a first look, the question whether it is a copy, the 503.
    Shed,
    /// A whole call: INVITE, 180, 200, ACK, BYE, 200.
    Call,
}

impl What {
    const ALL: [Self; 7] = [
        Self::Parse,
        Self::RelayInvite,
        Self::Shed,
        Self::RelayResponse,
        Self::Register,
        Self::Options,
        Self::Call,
    ];
}

const SERVER: &str = "127.0.0.1:5060";
const CALLER: &str = "127.0.0.1:40000";
const CALLEE: &str = "127.0.0.1:50000";

fn address(text: &str) -> SocketAddr {
    text.parse().expect("the constants above are addresses")
}

struct Table {
    shard: Shard,
    now: Instant,
    sent: Vec<(SocketAddr, Vec<u8>)>,
}

impl Table {
    fn new() -> Self {
        let now = Instant::from_unix_secs(1_700_000_000);
        let host = "127.0.0.1".to_owned();
        let listener = Listener { transport: Transport::Udp, bound: address(SERVER), host, port: 5060 };
        let domains = ["example.com", "open.example.com"].map(|d| Domain::parse(d).expect("a domain"));
        let own = OwnAddresses::new(vec![listener], domains.to_vec(), &[]);
        let secret = Secret::new(1, 2);
        let location = Arc::new(Location::new(&secret, 4, 1_000_000, Instant::EPOCH));
        let registrar = Registrar::new(RegistrarSettings::default(), location, &secret);
        let auth = Authenticator::new(DigestSettings::default(), secret);
        let node = Arc::new(Node::new(1, secret, 7, own, registrar, auth, Settings::default()));
        Table { shard: Shard::new(0, node, Rng::seeded(1), now), now, sent: Vec::new() }
    }

    /// A datagram arrives: what a driver does with it, the socket left out.
    #[inline(always)]
    fn feed(&mut self, from: SocketAddr, bytes: &[u8]) {
        let flow = Flow { transport: Transport::Udp, local: address(SERVER), remote: from, connection: None };
        let Ok(message) = Message::parse(bytes, &Limits::default()) else {
            panic!("the generator's messages are good")
        };
        let mut effects = Effects::subscribed_to(Classes::default());
        self.shard.handle(Input::Message { flow, message }, self.now, &mut effects);
        while !effects.list.is_empty() {
            let mut more = Effects::subscribed_to(Classes::default());
            for effect in effects.list.drain(..) {
                match effect {
                    Effect::Send { egress, bytes, .. } => self.sent.push((egress.remote, bytes.to_vec())),
                    Effect::Ask { ticket, .. } => {
                        let verdict = Box::new(Verdict::of(Decision::RoleProcedure));
                        self.shard.handle(Input::Decided { ticket, verdict }, self.now, &mut more);
                    }
                    _ => {}
                }
            }
            effects = more;
        }
    }

    #[inline(never)]
    fn counted(&mut self, from: SocketAddr, bytes: &[u8]) {
        COUNTING.store(true, Relaxed);
        self.feed(from, bytes);
        COUNTING.store(false, Relaxed);
    }

    #[inline(never)]
    fn skipped(&mut self, from: SocketAddr, bytes: &[u8]) {
        self.feed(from, bytes);
    }

    fn receive(&mut self, count: bool, from: SocketAddr, bytes: &[u8]) -> Vec<(SocketAddr, Vec<u8>)> {
        self.sent.clear();
        if count {
            self.counted(from, bytes)
        } else {
            self.skipped(from, bytes)
        }
        std::mem::take(&mut self.sent)
    }

    /// Lets every timer of the last operations fire, so that the table does not grow.
    fn settle(&mut self) {
        let until = self.now + Duration::from_secs(40);
        while let Some(at) = self.shard.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let mut effects = Effects::subscribed_to(Classes::default());
            self.shard.tick(self.now, &mut effects);
        }
        self.now = until;
    }
}

#[inline(never)]
fn counted_parse(bytes: &[u8]) {
    COUNTING.store(true, Relaxed);
    std::hint::black_box(Message::parse(std::hint::black_box(bytes), &Limits::default()).is_ok());
    COUNTING.store(false, Relaxed);
}

/// What a driver does with an INVITE while its shard has more than it sustains.
#[inline(never)]
fn counted_shed(bytes: &[u8], from: SocketAddr, admitted: &Admitted, refusal: &Refusal) {
    COUNTING.store(true, Relaxed);
    let digest = admitted.digest(bytes);
    let is_new = begins_new_work(&peek(bytes)) && !admitted.contains(digest);
    let mut out = Vec::with_capacity(512);
    let to = refusal.write(bytes, from, admitted.digest(bytes) & 0xffff_ffff, 5, &mut out);
    COUNTING.store(false, Relaxed);
    assert!(is_new && to == Some(from) && Text(&out).status() == 503, "{}", String::from_utf8_lossy(&out));
}

/// Does `what` so often and prints the allocations of all of them; run under callgrind for the instructions.
pub(crate) fn inner(what: What, times: u32) {
    let (caller, callee) = (address(CALLER), address(CALLEE));
    let ends = Ends { local: caller, callee, transport: "UDP" };
    let mut table = Table::new();
    let (admitted, refusal) = (Admitted::new(table.now), Refusal::new(7, None));
    for user in 0..operation::USERS {
        let text = operation::register(user as u32, user, 1, ends, "bind", "example.com", "", callee);
        table.receive(false, caller, text.as_bytes());
    }
    for number in 0..times {
        let mut bytes = Vec::new();
        let first = match what {
            What::Options => Operation::Options,
            What::Register => Operation::Register,
            _ => Operation::CallLookup,
        };
        operation::first(&mut bytes, first, number, ends, "count");
        match what {
            What::Parse => counted_parse(&bytes),
            What::Shed => counted_shed(&bytes, caller, &admitted, &refusal),
            What::Register | What::Options => {
                let answer = table.receive(true, caller, &bytes);
                assert_eq!(Text(&answer[0].1).status(), 200, "{}", String::from_utf8_lossy(&answer[0].1));
            }
            _ => call(&mut table, what, number, ends, &bytes),
        }
        if number % 100 == 99 {
            table.settle();
        }
    }
    println!("{} {}", ALLOCATIONS.load(Relaxed), OCTETS.load(Relaxed));
}

fn call(table: &mut Table, what: What, number: u32, ends: Ends, invite: &[u8]) {
    let whole = what == What::Call;
    let (caller, callee) = (ends.local, ends.callee);
    let towards = |sent: Vec<(SocketAddr, Vec<u8>)>, to: SocketAddr| {
        sent.into_iter()
            .rev()
            .find(|(remote, _)| *remote == to)
            .map(|(_, bytes)| bytes)
            .expect("it was relayed")
    };
    let at_callee = towards(table.receive(whole || what == What::RelayInvite, caller, invite), callee);
    let mut answered = Vec::new();
    for status in ["180 Ringing", "200 OK"] {
        let mut answer = Vec::new();
        operation::answer(&mut answer, &Text(&at_callee), status, callee, "UDP");
        answered = towards(table.receive(whole || what == What::RelayResponse, callee, &answer), caller);
    }
    let answer = Text(&answered);
    let target = answer.header("Contact").split(['<', '>']).nth(1).unwrap_or_default().to_owned();
    let routes = answer.list("Record-Route").iter().rev().map(|route| (*route).to_owned()).collect();
    let dialog = Dialog { target, to: answer.header("To").to_owned(), routes };
    let mut ack = Vec::new();
    operation::in_dialog(&mut ack, "ACK", 1, number, ends, "count", &dialog);
    towards(table.receive(whole, caller, &ack), callee);
    let mut bye = Vec::new();
    operation::in_dialog(&mut bye, "BYE", 2, number, ends, "count", &dialog);
    let at_callee = towards(table.receive(whole, caller, &bye), callee);
    let mut done = Vec::new();
    operation::answer(&mut done, &Text(&at_callee), "200 OK", callee, "UDP");
    towards(table.receive(whole, callee, &done), caller);
}

/// Counts everything and returns a table.
pub(crate) fn report() -> Result<String, String> {
    const FEW: u64 = 200;
    const MANY: u64 = 1200;
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut out = "\n| engine alone, no sockets, no Python | instructions | allocations | bytes allocated |\n|---|---:|---:|---:|\n".to_owned();
    for what in What::ALL {
        let (few, many) = (one(&own, what, FEW)?, one(&own, what, MANY)?);
        let share = if what == What::RelayResponse { 2.0 } else { 1.0 };
        let each = |at: usize| many[at].saturating_sub(few[at]) as f64 / (MANY - FEW) as f64 / share;
        out += &format!(
            "| {} | {:.0} | {:.1} | {:.0} |\n",
            format!("{what:?}").to_lowercase(),
            each(0),
            each(1),
            each(2)
        );
    }
    Ok(out)
}

fn one(own: &Path, what: What, times: u64) -> Result<[u64; 3], String> {
    let name = clap::ValueEnum::to_possible_value(&what)
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default();
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"]);
    command.args(["--toggle-collect=*counted*"]).arg(own).args([
        "--count-one",
        &name,
        "--times",
        &times.to_string(),
    ]);
    let output = command.output().map_err(|error| format!("valgrind: {error}"))?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let collected = errors
        .lines()
        .find_map(|line| line.split_once("Collected :"))
        .and_then(|(_, n)| n.trim().parse().ok());
    let mut counts = printed.split_whitespace().filter_map(|n| n.parse().ok());
    match (collected, counts.next(), counts.next()) {
        (Some(instructions), Some(allocations), Some(octets)) => Ok([instructions, allocations, octets]),
        _ => Err(format!("counting {name} failed: {errors}{printed}")),
    }
}
