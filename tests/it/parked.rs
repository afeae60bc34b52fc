//! Handlers parked at an `await` in the running daemon, from not at all to for ever, against what a peer does
//! meanwhile: CANCEL, retransmissions, BYE, replies that come late.
//!
//! All calls of a way to wait run at once in one daemon, so the whole takes as long as the longest of them: the
//! script's deadline, which is what ends a handler that would park 40 s or for ever.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use siphon_tests::message::Message;
use siphon_tests::peer::Peer;
use siphon_tests::phone::{Dialog, Phone};
use siphon_tests::scratch::Scratch;
use siphon_tests::subject::{Kind, Options, Server};

/// How long the handlers park, in seconds.
const PARKS: [&str; 5] = ["0", "0.01", "5", "40", "ever"];
/// `script.deadline_secs` of the daemon: above 5 s and below 40 s.
const DEADLINE_SECS: u64 = 6;
/// At once: well below the 5 s that a handler may park, well above what loopback and a busy machine need.
const AT_ONCE: Duration = Duration::from_secs(4);
const QUIET: Duration = Duration::from_millis(100);

/// The handler parks as long as a header of the request says, before or after it has relayed it, or at a reply.
const SCRIPT: &str = r#"
from siphon import proxy, timer, log, Cancelled
IMPORT

async def park(request, seconds):
    case = request.get_header("X-Case")
    log.info(f"parks <{case}>")
    try:
        while seconds == "ever":
            await SLEEP(3600)
        await SLEEP(float(seconds))
    except Cancelled:
        log.info(f"withdrawn <{case}>")
        raise
    log.info(f"woke <{case}>")

@proxy.on_request
async def route(request):
    if request.method == "OPTIONS":
        request.reply(200)
        return
    if request.in_dialog:
        request.loose_route()
    else:
        request.record_route()
    before, after = request.get_header("X-Park"), request.get_header("X-Park-After")
    if before:
        await park(request, before)
    request.relay()
    if after:
        await park(request, after)

@proxy.on_reply
async def back(request, reply):
    seconds = request.get_header("X-Park-Reply")
    if seconds and reply.status_code == 180:
        await park(request, seconds)
"#;

/// One call of the matrix: what happens to it, and how long its handler parks.
#[derive(Clone, Copy)]
struct Case {
    at: SocketAddr,
    kind: &'static str,
    park: &'static str,
}

impl Case {
    fn name(&self) -> String {
        format!("{}-{}", self.kind, self.park)
    }

    /// The handler is over before anything else can happen.
    fn is_short(&self) -> bool {
        matches!(self.park, "0" | "0.01")
    }

    /// The handler is ended by its deadline.
    fn outlives_its_deadline(&self) -> bool {
        matches!(self.park, "40" | "ever")
    }

    fn phones(&self) -> (Phone, Phone) {
        (Phone::udp(self.at, "alice"), Phone::udp(self.at, "bob"))
    }

    /// The request with the header fields that tell the script to park.
    fn parked(&self, text: &str, header: &str) -> String {
        let lines = format!("Max-Forwards: 70\nX-Case: {}\n{header}: {}\n", self.name(), self.park);
        text.replacen("Max-Forwards: 70\n", &lines, 1)
    }

    fn invite(&self, alice: &Phone, bob: &Phone, header: &str) -> (String, Dialog) {
        let (text, dialog) = alice.invite(&format!("sip:bob@{}", bob.peer.local()));
        (self.parked(&text, header), dialog)
    }

    /// CANCEL is answered, and the INVITE with it, however long the handler would have parked.
    fn cancel(self) {
        let (alice, bob) = self.phones();
        let (invite, _) = self.invite(&alice, &bob, "X-Park");
        let began = Instant::now();
        alice.peer.send(&invite);
        if !self.is_short() {
            alice.peer.provisional("INVITE", 100);
        }
        alice.peer.send(&alice.within(&invite, "CANCEL", None));
        alice.peer.final_status("CANCEL", 200);
        // A handler that parks for a moment may have relayed before the CANCEL came.
        let relayed = bob.peer.receive(if self.is_short() { 3 * QUIET } else { QUIET });
        assert!(relayed.is_none() || self.is_short(), "relayed after CANCEL: {relayed:?}");
        if let Some(at_bob) = relayed {
            bob.answer(&at_bob, 180, "Ringing");
            bob.answer(&bob.peer.request("CANCEL"), 200, "OK");
            bob.answer(&at_bob, 487, "Request Terminated");
        }
        let refusal = alice.peer.final_status("INVITE", 487);
        assert!(began.elapsed() < AT_ONCE, "{} took {:?}", self.name(), began.elapsed());
        alice.peer.send(&alice.within(&invite, "ACK", Some(refusal.header("To"))));
    }

    /// A repeated INVITE gets the 100 again and starts no second handler.
    fn retransmission(self) {
        let (alice, bob) = self.phones();
        let (invite, mut dialog) = self.invite(&alice, &bob, "X-Park");
        alice.peer.send(&invite);
        alice.peer.provisional("INVITE", 100);
        let began = Instant::now();
        alice.peer.send(&invite);
        alice.peer.provisional("INVITE", 100);
        assert!(began.elapsed() < AT_ONCE, "{} took {:?}", self.name(), began.elapsed());
        if self.outlives_its_deadline() {
            let refusal = alice.peer.final_status("INVITE", 500);
            alice.peer.send(&alice.within(&invite, "ACK", Some(refusal.header("To"))));
            return bob.peer.nothing("an INVITE after the deadline", QUIET, is_request);
        }
        let at_bob = bob.peer.request("INVITE");
        bob.answer(&at_bob, 200, "OK");
        dialog.confirm(&alice.peer.final_status("INVITE", 200));
        alice.ack(&dialog);
        bob.peer.request("ACK");
        // While nobody answered it, our own client transaction repeated it: with the same branch.
        let branch = at_bob.param("Via", "branch").to_owned();
        bob.peer.nothing("a second branch", QUIET, |m| {
            m.method() == "INVITE" && m.param("Via", "branch") != branch
        });
    }

    fn established(&self, alice: &Phone, bob: &Phone) -> Dialog {
        let (invite, mut dialog) = alice.invite(&format!("sip:bob@{}", bob.peer.local()));
        alice.peer.send(&invite);
        bob.answer(&bob.peer.request("INVITE"), 200, "OK");
        dialog.confirm(&alice.peer.final_status("INVITE", 200));
        alice.ack(&dialog);
        bob.peer.request("ACK");
        dialog
    }

    /// A BYE behind an in-dialog request whose handler has decided nothing yet keeps its place, and is sent on as
    /// soon as the handler has decided or its time is over.
    fn bye_behind(self) {
        let (alice, bob) = self.phones();
        let dialog = self.established(&alice, &bob);
        alice.send_in(&dialog, "INFO", &format!("X-Case: {}\nX-Park: {}", self.name(), self.park));
        let bye = alice.send_in(&dialog, "BYE", "");
        alice.peer.send(&bye);
        if self.outlives_its_deadline() {
            alice.peer.final_status("INFO", 500);
        } else {
            let first = bob.peer.find("INFO or BYE", is_request);
            assert_eq!(first.method(), "INFO", "the BYE overtook it");
            bob.answer(&first, 200, "OK");
            alice.peer.final_status("INFO", 200);
        }
        bob.answer(&bob.peer.find("BYE", |m| is_request(m) && m.method() != "INFO"), 200, "OK");
        alice.peer.final_status("BYE", 200);
    }

    /// A BYE is not held up by a handler that parks after it has relayed.
    fn bye_beside(self) {
        let (alice, bob) = self.phones();
        let dialog = self.established(&alice, &bob);
        let began = Instant::now();
        alice.send_in(&dialog, "INFO", &format!("X-Case: {}\nX-Park-After: {}", self.name(), self.park));
        bob.answer(&bob.peer.request("INFO"), 200, "OK");
        alice.peer.final_status("INFO", 200);
        alice.send_in(&dialog, "BYE", "");
        bob.answer(&bob.peer.request("BYE"), 200, "OK");
        alice.peer.final_status("BYE", 200);
        assert!(began.elapsed() < AT_ONCE, "{} took {:?}", self.name(), began.elapsed());
    }

    /// Replies on a relayed request do not wait for a handler that goes on after its relay.
    fn reply_beside(self) {
        let (alice, bob) = self.phones();
        let (invite, mut dialog) = self.invite(&alice, &bob, "X-Park-After");
        let began = Instant::now();
        alice.peer.send(&invite);
        let at_bob = bob.peer.request("INVITE");
        bob.answer(&at_bob, 180, "Ringing");
        alice.peer.provisional("INVITE", 180);
        bob.answer(&at_bob, 200, "OK");
        dialog.confirm(&alice.peer.final_status("INVITE", 200));
        alice.ack(&dialog);
        bob.peer.request("ACK");
        assert!(began.elapsed() < AT_ONCE, "{} took {:?}", self.name(), began.elapsed());
    }

    /// A reply behind one whose handler is parked keeps its place; at the deadline both go up as they are.
    fn reply_behind(self) {
        let (alice, bob) = self.phones();
        let (invite, mut dialog) = self.invite(&alice, &bob, "X-Park-Reply");
        alice.peer.send(&invite);
        let at_bob = bob.peer.request("INVITE");
        bob.answer(&at_bob, 180, "Ringing");
        bob.answer(&at_bob, 200, "OK");
        let first = alice.peer.find("180", |m| m.status() > 100 && m.method() == "INVITE");
        assert_eq!(first.status(), 180, "the 200 overtook it");
        dialog.confirm(&alice.peer.final_status("INVITE", 200));
        alice.ack(&dialog);
        bob.peer.request("ACK");
    }
}

fn is_request(message: &Message) -> bool {
    message.status() == 0 && message.method() != "ACK"
}

fn start(script: &str) -> (Server, Scratch) {
    let scratch = Scratch::new("parked");
    let script = scratch.write("parked.py", script);
    let script_deadline = Duration::from_secs(DEADLINE_SECS);
    let options = Options { script: Some(script), script_deadline, ..Options::default() };
    (Server::subject(&options), scratch)
}

/// What happens meanwhile, with its name.
type Meanwhile = (&'static str, fn(Case));

/// The whole matrix with one way to wait.
fn matrix(import: &str, sleep: &str) {
    if Kind::chosen() != Kind::Siphon {
        return;
    }
    let (mut server, _scratch) = start(&SCRIPT.replace("IMPORT", import).replace("SLEEP", sleep));
    let at = server.address();
    let kinds: [Meanwhile; 6] = [
        ("cancel", Case::cancel),
        ("retransmission", Case::retransmission),
        ("bye-behind", Case::bye_behind),
        ("bye-beside", Case::bye_beside),
        ("reply-beside", Case::reply_beside),
        ("reply-behind", Case::reply_behind),
    ];
    let began = Instant::now();
    std::thread::scope(|scope| {
        for (kind, run) in kinds {
            for park in PARKS {
                let case = Case { at, kind, park };
                let thread = std::thread::Builder::new().name(case.name());
                thread.spawn_scoped(scope, move || run(case)).expect("a thread");
            }
        }
    });
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}: something waited for 40 s", began.elapsed());
    server.still_answers("the matrix");
    let log = server.log();
    assert!(!log.contains("Traceback"), "to be withdrawn is no error:\n{log}");
    for (kind, _) in kinds {
        for park in PARKS {
            let case = Case { at, kind, park };
            let told = |what: &str| format!("{what} <{}>", case.name());
            match (case.is_short(), kind) {
                // Either is right: it depends on which came first.
                (true, "cancel") => continue,
                (false, "cancel") => server.logged(&told("withdrawn")),
                _ if case.outlives_its_deadline() => server.logged(&told("withdrawn")),
                _ => server.logged(&told("woke")),
            };
            assert_eq!(server.log().matches(&told("parks")).count(), 1, "{} ran twice", case.name());
        }
    }
}

#[test]
fn handlers_parked_at_a_timer_meet_cancel_retransmission_bye_and_late_replies() {
    matrix("", "timer.sleep");
}

#[test]
fn handlers_parked_on_the_asyncio_loop_meet_cancel_retransmission_bye_and_late_replies() {
    matrix("import asyncio", "asyncio.sleep");
}

/// The handler waits for the answer to a request of its own.
const ASKING: &str = r#"
from siphon import proxy, log, Cancelled

@proxy.on_request("INVITE")
async def ask(request):
    try:
        reply = await proxy.send_request("OPTIONS", request.get_header("X-Ask"), wait_for_response=True)
    except Cancelled:
        log.info("withdrawn.")
        raise
    request.reply(600 if reply is None else reply.status_code + 200)

@proxy.on_request("OPTIONS")
def here(request):
    request.reply(200)
"#;

#[test]
fn the_answer_to_a_request_of_our_own_wakes_its_handler_and_after_cancel_wakes_nobody() {
    if Kind::chosen() != Kind::Siphon {
        return;
    }
    let (mut server, _scratch) = start(ASKING);
    let (alice, desk) = (Phone::udp(server.address(), "alice"), Peer::udp(server.address()));
    let ask = format!("Max-Forwards: 70\nX-Ask: sip:desk@{}\n", desk.local());
    let invite = || {
        let text = alice.invite("sip:bob@example.com").0.replacen("Max-Forwards: 70\n", &ask, 1);
        alice.peer.send(&text);
        (text, desk.request("OPTIONS"))
    };
    let (text, asked) = invite();
    desk.send(&asked.response(204, "No Notification", "d", &[]));
    let answer = alice.peer.final_status("INVITE", 404);
    alice.peer.send(&alice.within(&text, "ACK", Some(answer.header("To"))));

    let (text, asked) = invite();
    alice.peer.send(&alice.within(&text, "CANCEL", None));
    alice.peer.final_status("CANCEL", 200);
    let answer = alice.peer.final_status("INVITE", 487);
    alice.peer.send(&alice.within(&text, "ACK", Some(answer.header("To"))));
    server.logged("withdrawn.");
    desk.send(&asked.response(200, "OK", "d", &[]));
    let call = Message::read(text.as_bytes()).header("Call-ID").to_owned();
    alice.peer.nothing("a second answer", 2 * QUIET, |m| m.header("Call-ID") == call && m.status() != 487);
    server.still_answers("a late answer");
}
