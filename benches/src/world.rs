//! The state of a run: every operation at both ends, the timers, and the count in the end.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use siphon_tests::digest;

use crate::line::Line;
use crate::load::{PATIENCE, Plan, ends};
use crate::operation::{self, Dialog, Ends, Operation, PASSWORD, PHONE, USERS};
use crate::text::Text;

/// RFC 3261 17.1.1.1: T1 and T2.
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The first request is unanswered.
    Asked,
    /// A provisional response came.
    Proceeding,
    /// The request with credentials is unanswered.
    Proven,
    /// The call stands.
    Up,
    /// BYE is unanswered.
    Ending,
    /// Ended as it should, at the caller.
    Done,
    /// Refused with 503.
    Shed,
    /// Refused otherwise, or not answered.
    Failed,
}

#[derive(Default)]
struct AtCallee {
    invites: u16,
    acks: u16,
    byes: u16,
    answer: Option<(Rc<Line>, SocketAddr, Box<[u8]>)>,
}

struct One {
    state: State,
    begun: Instant,
    took: Duration,
    authorization: Option<Box<str>>,
    dialog: Option<Box<Dialog>>,
    callee: AtCallee,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Resend(Duration),
    HangUp,
    ResendBye(Duration),
    Answer,
    ResendAnswer(Duration),
    GiveUp,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Operations begun.
    pub(crate) begun: u32,
    /// Ended as they should, at the caller and (for calls) at the callee.
    pub(crate) good: u32,
    /// Refused with 503.
    pub(crate) shed: u32,
    /// All others.
    pub(crate) failed: u32,
    /// Good operations per second of the time in which operations were begun.
    pub(crate) goodput: f64,
    /// Messages this generator sent again.
    pub(crate) resent: u32,
    /// Half of the good operations took at most this long to their first final response.
    pub(crate) median: Duration,
    /// 99 of 100 did.
    pub(crate) p99: Duration,
    /// From the first operation to the end of the last.
    pub(crate) wall: Duration,
    /// What was wrong, and how often.
    pub(crate) faults: BTreeMap<String, u32>,
}

/// A run in progress.
pub(crate) struct World {
    plan: Plan,
    callers: Vec<Rc<Line>>,
    callees: Vec<SocketAddr>,
    all: Vec<One>,
    open: u32,
    unacked: u32,
    timers: BinaryHeap<Reverse<(Instant, u32, Timer)>>,
    out: Vec<u8>,
    resent: u32,
    faults: BTreeMap<String, u32>,
    /// Which call a Call-ID of the callees' side is, where it has one of its own.
    far: BTreeMap<String, u32>,
}

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let (all, timers) = (Vec::with_capacity(100_000), BinaryHeap::new());
        let (callers, callees, faults, out) =
            (Vec::new(), Vec::new(), BTreeMap::new(), Vec::with_capacity(4096));
        Self {
            plan,
            callers,
            callees,
            all,
            open: 0,
            unacked: 0,
            timers,
            out,
            resent: 0,
            faults,
            far: BTreeMap::new(),
        }
    }

    /// Sets the sockets of the callers and the addresses of the callees.
    pub(crate) fn open(&mut self, callers: Vec<Rc<Line>>, callees: Vec<SocketAddr>) {
        self.callers = callers;
        self.callees = callees;
    }

    /// Operations begun so far.
    pub(crate) fn begun(&self) -> u32 {
        self.all.len() as u32
    }

    /// Whether nothing is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.open == 0 && self.unacked == 0
    }

    /// Begins the next operation.
    pub(crate) fn begin(&mut self, now: Instant) {
        let number = self.begun();
        let one = One {
            state: State::Asked,
            begun: now,
            took: Duration::ZERO,
            authorization: None,
            dialog: None,
            callee: AtCallee::default(),
        };
        self.all.push(one);
        self.open += 1;
        self.send_first(number);
        if !self.plan.operation.is_tcp() {
            self.timers.push(Reverse((now + T1, number, Timer::Resend(T1))));
        }
        self.timers.push(Reverse((now + PATIENCE, number, Timer::GiveUp)));
    }

    fn ends(&self, number: u32) -> (Rc<Line>, Ends) {
        let line = Rc::clone(&self.callers[number as usize % self.callers.len()]);
        let ends = ends(&self.plan, number, line.local(), &self.callees);
        (line, ends)
    }

    fn send_first(&mut self, number: u32) {
        let (line, ends) = self.ends(number);
        self.out.clear();
        match &self.all[number as usize].authorization {
            None => operation::first(&mut self.out, self.plan.operation, number, ends, &self.plan.run),
            Some(lines) => {
                let user = number as usize % USERS;
                let text =
                    operation::register(number, user, 2, ends, &self.plan.run, "example.com", lines, PHONE);
                self.out.extend_from_slice(text.as_bytes());
            }
        }
        line.send(&self.out, self.plan.server);
    }

    fn send_in_dialog(&mut self, number: u32, method: &str, cseq: u32) {
        let (line, ends) = self.ends(number);
        let Some(dialog) = &self.all[number as usize].dialog else { return };
        self.out.clear();
        operation::in_dialog(&mut self.out, method, cseq, number, ends, &self.plan.run, dialog);
        line.send(&self.out, self.plan.server);
    }

    /// Lets every timer that is due act.
    pub(crate) fn fire(&mut self, now: Instant) {
        while let Some(Reverse((due, number, timer))) = self.timers.peek().copied() {
            if due > now {
                return;
            }
            self.timers.pop();
            let state = self.all[number as usize].state;
            match timer {
                Timer::Resend(after) if matches!(state, State::Asked | State::Proven) => {
                    self.resent += 1;
                    self.send_first(number);
                    let invite = self.plan.operation.is_call();
                    let next = if invite { after * 2 } else { (after * 2).min(T2) };
                    self.timers.push(Reverse((now + next, number, Timer::Resend(next))));
                }
                Timer::HangUp if state == State::Up => {
                    self.all[number as usize].state = State::Ending;
                    self.send_in_dialog(number, "BYE", 2);
                    if !self.plan.operation.is_tcp() {
                        self.timers.push(Reverse((now + T1, number, Timer::ResendBye(T1))));
                    }
                }
                Timer::ResendBye(after) if state == State::Ending => {
                    self.resent += 1;
                    self.send_in_dialog(number, "BYE", 2);
                    let next = (after * 2).min(T2);
                    self.timers.push(Reverse((now + next, number, Timer::ResendBye(next))));
                }
                Timer::Answer => self.answer(number, now),
                Timer::ResendAnswer(after) => {
                    if let Some((line, to, bytes)) = &self.all[number as usize].callee.answer {
                        self.resent += 1;
                        line.send(bytes, *to);
                        let next = (after * 2).min(T2);
                        self.timers.push(Reverse((now + next, number, Timer::ResendAnswer(next))));
                    }
                }
                Timer::GiveUp => {
                    self.unacked -= u32::from(self.all[number as usize].callee.answer.take().is_some());
                    if !matches!(state, State::Done | State::Shed | State::Failed) {
                        self.end(number, State::Failed);
                        self.fault(format!("no end after {PATIENCE:?}, in state {state:?}"));
                    }
                }
                _ => {}
            }
        }
    }

    fn end(&mut self, number: u32, state: State) {
        let one = &mut self.all[number as usize];
        one.state = state;
        one.dialog = None;
        one.authorization = None;
        self.open -= 1;
    }

    fn fault(&mut self, what: String) {
        *self.faults.entry(what).or_default() += 1;
    }

    /// A response at a caller.
    pub(crate) fn response(&mut self, _line: &Rc<Line>, bytes: &[u8], _from: SocketAddr) {
        let text = Text(bytes);
        let Some(number) = text.number(&self.plan.run).filter(|n| *n < self.begun()) else { return };
        let status = text.status();
        let method = text.header("CSeq").split(' ').nth(1).unwrap_or_default();
        let now = Instant::now();
        let one = &mut self.all[number as usize];
        match (one.state, status, method) {
            (State::Asked, 100..=199, _) => one.state = State::Proceeding,
            (State::Asked | State::Proceeding, 200, "INVITE") => {
                one.took = now - one.begun;
                one.state = State::Up;
                let routes: Vec<String> =
                    text.list("Record-Route").iter().rev().map(|r| (*r).to_owned()).collect();
                let contact = text.header("Contact");
                let target = contact.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                let fault = routes.is_empty() != self.plan.two_legs || target.is_empty();
                one.dialog = Some(Box::new(Dialog { target, to: text.header("To").to_owned(), routes }));
                self.send_in_dialog(number, "ACK", 1);
                self.timers.push(Reverse((now + self.plan.hold, number, Timer::HangUp)));
                if fault {
                    self.fault(
                        "200 to INVITE with another route set than it should have, or without Contact"
                            .to_owned(),
                    );
                }
            }
            // The ACK was lost: the 200 comes again.
            (State::Up | State::Ending, 200, "INVITE") => {
                self.resent += 1;
                self.send_in_dialog(number, "ACK", 1);
            }
            (State::Ending, 200, "BYE") => self.end(number, State::Done),
            (State::Asked, 401, "REGISTER") if self.plan.operation == Operation::RegisterDigest => {
                let user = format!("u{}", number as usize % USERS);
                let challenge = text.header("WWW-Authenticate");
                let value = digest::answer(challenge, "REGISTER", "sip:example.com", &user, PASSWORD);
                one.authorization = Some(format!("Authorization: {value}\r\n").into());
                one.state = State::Proven;
                self.send_first(number);
            }
            (State::Proven, 401, _) if text.header("CSeq").starts_with('1') => {}
            (State::Asked | State::Proceeding | State::Proven, 200, _) => {
                one.took = now - one.begun;
                self.end(number, State::Done);
            }
            (_, 100..=199, _) | (State::Done | State::Shed | State::Failed, ..) => {
                // A refusal repeated because its ACK was lost.
                if method == "INVITE" && status >= 300 {
                    self.acknowledge(number, text);
                }
            }
            _ => {
                if method == "INVITE" && status >= 300 {
                    self.acknowledge(number, text);
                }
                self.end(number, if status == 503 { State::Shed } else { State::Failed });
                if status != 503 {
                    self.fault(format!("{status} to {method}"));
                }
            }
        }
    }

    fn acknowledge(&mut self, number: u32, refusal: Text<'_>) {
        let (line, ends) = self.ends(number);
        let user = number as usize % USERS;
        let uri = match self.plan.operation {
            Operation::Call => format!("sip:u{user}@{}", ends.callee),
            _ => format!("sip:u{user}@example.com"),
        };
        self.out.clear();
        operation::ack_refusal(&mut self.out, &uri, refusal.header("To"), number, ends, &self.plan.run);
        line.send(&self.out, self.plan.server);
    }

    /// Which operation a request at a callee is of: by its Call-ID; of the far leg of a call, whose Call-ID is not the
    /// caller's, the INVITE says so in Subject, and the Call-ID is noted.
    fn number_at_callee(&mut self, text: Text<'_>) -> Option<u32> {
        if !self.plan.two_legs {
            return text.number(&self.plan.run);
        }
        let call_id = text.header("Call-ID");
        if let Some(number) = self.far.get(call_id) {
            return Some(*number);
        }
        let subject = text.header("Subject").strip_prefix(&self.plan.run)?.strip_prefix('-')?;
        let number = subject.parse().ok()?;
        self.far.insert(call_id.to_owned(), number);
        Some(number)
    }

    /// A request at a callee.
    pub(crate) fn request(&mut self, line: &Rc<Line>, bytes: &[u8], from: SocketAddr) {
        let text = Text(bytes);
        let Some(number) = self.number_at_callee(text).filter(|n| *n < self.begun()) else { return };
        let (local, transport) = (line.local(), if self.plan.operation.is_tcp() { "TCP" } else { "UDP" });
        let one = &mut self.all[number as usize].callee;
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        if text.starts_with(b"INVITE ") {
            one.invites += 1;
            if let Some((_, _, bytes)) = &one.answer {
                if self.plan.ring.is_zero() {
                    line.send(bytes, from);
                }
            } else if one.acks == 0 {
                operation::answer(&mut out, &text, "180 Ringing", local, transport);
                line.send(&out, from);
                out.clear();
                operation::answer(&mut out, &text, "200 OK", local, transport);
                one.answer = Some((Rc::clone(line), from, out.as_slice().into()));
                self.unacked += 1;
                if self.plan.ring.is_zero() {
                    self.answer(number, Instant::now());
                } else {
                    self.timers.push(Reverse((Instant::now() + self.plan.ring, number, Timer::Answer)));
                }
                self.check_invite(text, local);
            }
        } else if text.starts_with(b"ACK ") {
            one.acks += 1;
            self.unacked -= u32::from(one.answer.take().is_some());
            self.check_in_dialog(text);
        } else if text.starts_with(b"BYE ") {
            one.byes += 1;
            operation::answer(&mut out, &text, "200 OK", local, transport);
            line.send(&out, from);
            self.check_in_dialog(text);
        } else {
            self.fault("a callee got something else than INVITE, ACK, BYE".to_owned());
        }
        self.out = out;
    }

    /// The callee picks up; over UDP its 200 is repeated until the ACK comes (RFC 3261 13.3.1.4).
    fn answer(&mut self, number: u32, now: Instant) {
        let Some((line, to, bytes)) = &self.all[number as usize].callee.answer else { return };
        line.send(bytes, *to);
        if !self.plan.operation.is_tcp() {
            self.timers.push(Reverse((now + T1, number, Timer::ResendAnswer(T1))));
        }
    }

    /// What a callee sees of a proxy's work (RFC 3261 16.6).
    fn check_invite(&mut self, text: Text<'_>, local: SocketAddr) {
        let uri = text.0.split(|b| *b == b' ').nth(1).unwrap_or_default();
        let port = local.port().to_string();
        if text.header("Max-Forwards") != "69" {
            self.fault("INVITE arrived with Max-Forwards other than 69".to_owned());
        }
        let hops = if self.plan.two_legs { 1 } else { 2 };
        if text.list("Record-Route").is_empty() != self.plan.two_legs || text.list("Via").len() != hops {
            self.fault("INVITE arrived with another route set or other Vias than it should".to_owned());
        }
        if self.plan.two_legs && memchr::memmem::find(text.0, b"@bench").is_some() {
            self.fault("the callee sees the caller's Call-ID".to_owned());
        }
        if memchr::memmem::find(uri, port.as_bytes()).is_none() {
            self.fault("INVITE arrived for another Request-URI than the binding's".to_owned());
        }
    }

    fn check_in_dialog(&mut self, text: Text<'_>) {
        let uri = text.0.split(|b| *b == b' ').nth(1).unwrap_or_default();
        if !uri.starts_with(b"sip:callee@") || !text.list("Route").is_empty() {
            self.fault("a request inside the dialog arrived with a Route or a wrong Request-URI".to_owned());
        }
    }

    /// Adds up.
    pub(crate) fn outcome(&mut self, wall: Duration) -> Outcome {
        let call = self.plan.operation.is_call();
        let mut out = Outcome { begun: self.begun(), resent: self.resent, wall, ..Outcome::default() };
        let mut took = Vec::with_capacity(self.all.len());
        for one in &self.all {
            let seen = !call || (one.callee.invites > 0 && one.callee.acks > 0 && one.callee.byes > 0);
            match one.state {
                State::Done if seen => {
                    out.good += 1;
                    took.push(one.took);
                }
                State::Shed => out.shed += 1,
                State::Done => {
                    out.failed += 1;
                    *self.faults.entry("done at the caller, not at the callee".to_owned()).or_default() += 1;
                }
                _ => out.failed += 1,
            }
        }
        took.sort_unstable();
        let at = |share: f64| took.get((took.len() as f64 * share) as usize).copied().unwrap_or_default();
        (out.median, out.p99) = (at(0.5), at(0.99));
        out.goodput = f64::from(out.good) / self.plan.length.as_secs_f64();
        out.faults = std::mem::take(&mut self.faults);
        out
    }
}
