//! What a replay writes down between the driver and the shard: which question belongs to which request of the trace, what
//! was decided, and where it was sent.

use super::{Verdict, What};
use crate::base::flow::{Egress, Transport};
use crate::base::slab::Key;
use crate::base::text::{Octets, Text};
use crate::base::time::{Duration, Instant};
use crate::engine::{Effect, Input};
use crate::policy::{self, Decision, Question, QuestionKind, Ticket};
use crate::sim::reading::Reading;
use crate::sim::{Seam, Way};
use crate::wire::sip::{HeaderId, Limits, Message, Splice, reason_phrase};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;

/// Requests that are remembered to know a copy, or a branch's answer, by.
const REMEMBERED: usize = 50_000;
/// Places one request was sent to.
const PLACES: usize = 64;

/// Names a request as its transaction does (RFC 3261 17.2.3): Call-ID, CSeq, method, branch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    call_id: Text,
    cseq: u32,
    method: Text,
    branch: Text,
}

impl Name {
    fn of(reading: &Reading<'_>, via: usize) -> Self {
        let (cseq, method) = reading.cseq();
        Name {
            call_id: reading.call_id().into(),
            cseq,
            // The ACK to a failure has the CSeq number and the branch of its INVITE, and is another request.
            method: method.into(),
            branch: reading.branch(via).into(),
        }
    }
}

#[derive(Default)]
pub(super) struct Notes {
    next: u64,
    open: VecDeque<Fed>,
    tickets: BTreeMap<Key, u64>,
    /// Open questions about responses: the request's number, the response's status, the Request-URI.
    further: BTreeMap<Key, (u64, u16, Text)>,
    later: Vec<Verdict>,
    /// The last request of each name, and the names in the order they came.
    known: BTreeMap<Name, u64>,
    order: VecDeque<Name>,
    /// What left on behalf of a request, by Call-ID, CSeq and method: what an answer goes back on.
    left: BTreeMap<(Text, u32, Text), Vec<Left>>,
    left_order: VecDeque<(Text, u32, Text)>,
}

/// A request of the trace.
struct Fed {
    came: Instant,
    asked: bool,
    finished: bool,
    /// The Request-URI that was asked about.
    uri: Text,
    verdict: Verdict,
}

/// A request that left.
struct Left {
    transport: Transport,
    remote: SocketAddr,
    vias: Vec<Text>,
    done: bool,
}

impl Notes {
    /// This request comes next.
    pub(super) fn expect(&mut self, request: &Message, now: Instant) -> u64 {
        let number = self.next;
        self.next += 1;
        let mut again = false;
        if let Some(reading) = Reading::of(request.bytes()) {
            let name = Name::of(&reading, 0);
            again = self.known.insert(name.clone(), number).is_some();
            if !again {
                self.order.push_back(name);
            }
            while self.order.len() > REMEMBERED {
                self.order.pop_front().and_then(|name| self.known.remove(&name));
            }
        }
        let verdict = Verdict { what: What::Engine, again, ..Verdict::undecided(number) };
        self.open.push_back(Fed { came: now, asked: false, finished: false, uri: Text::default(), verdict });
        number
    }

    fn fed(&mut self, number: u64) -> Option<&mut Fed> {
        let first = self.open.front()?.verdict.number;
        self.open.get_mut(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    fn named(&mut self, reading: &Reading<'_>, via: usize) -> Option<&mut Fed> {
        let number = *self.known.get(&Name::of(reading, via))?;
        self.fed(number)
    }

    // ---- what happens at the shard ------------------------------------------------------------------------------

    fn asked(&mut self, ticket: Ticket, question: &Question) {
        let Some(reading) = Reading::of(question.request.bytes()) else { return };
        match &question.kind {
            QuestionKind::Request => {}
            QuestionKind::Reply { reply, .. } | QuestionKind::Failure { reply, .. } => {
                if let Some(number) = self.known.get(&Name::of(&reading, 0)) {
                    let uri = question.request.request_uri().into();
                    self.further.insert(ticket.0, (*number, reply.status(), uri));
                }
                return;
            }
            QuestionKind::Cancelled | QuestionKind::Call(_) => return,
        }
        let Some(fed) = self.named(&reading, 0) else { return };
        fed.asked = true;
        fed.finished = false;
        fed.uri = question.request.request_uri().into();
        fed.verdict.what = What::Undecided;
        let number = fed.verdict.number;
        self.tickets.insert(ticket.0, number);
    }

    fn decided(&mut self, ticket: Ticket, given: &policy::Verdict, now: Instant) {
        if let Some((number, status, uri)) = self.further.get(&ticket.0).cloned() {
            if given.finished {
                self.further.remove(&ticket.0);
            }
            // Deciding nothing sends the response on.
            if given.decision.is_some() && self.later.len() < REMEMBERED {
                let what = what(given, &uri).unwrap_or(What::Nothing);
                let on = Some(status);
                let script_line = given.script_line.clone();
                self.later.push(Verdict { on, what, script_line, ..Verdict::undecided(number) });
            }
            return;
        }
        let Some(number) = self.tickets.get(&ticket.0).copied() else { return };
        if given.finished {
            self.tickets.remove(&ticket.0);
        }
        let Some(fed) = self.fed(number) else { return };
        fed.finished |= given.finished;
        if fed.verdict.what != What::Undecided {
            return;
        }
        let Some(what) = what(given, &fed.uri) else { return };
        fed.verdict.what = what;
        fed.verdict.script_line = given.script_line.clone();
        fed.verdict.after = now.since(fed.came);
    }

    fn withdrawn(&mut self, ticket: Ticket) {
        self.further.remove(&ticket.0);
        let Some(number) = self.tickets.remove(&ticket.0) else { return };
        let Some(fed) = self.fed(number) else { return };
        fed.finished = true;
        if fed.verdict.what == What::Undecided {
            fed.verdict.what = What::Withdrawn;
        }
    }

    fn sent(&mut self, egress: &Egress, bytes: &[u8]) {
        let Some(reading) = Reading::of(bytes) else { return };
        if !reading.is_request() {
            let status = reading.status();
            let Some(fed) = self.named(&reading, 0).filter(|_| status >= 200) else { return };
            let reason = reading.start().splitn(3, ' ').nth(2).unwrap_or("");
            fed.verdict.answer.get_or_insert((status, reason.into()));
            return;
        }
        let place = (Text::from(reading.uri()), egress.transport, egress.remote);
        let Some(number) = self.known.get(&Name::of(&reading, 1)).copied() else { return };
        // What was decided last about the request sent it.
        let further = self.later.iter_mut().rev().find(|v| v.number == number);
        let verdict = match further {
            Some(further) => Some(further),
            None => self.fed(number).map(|fed| &mut fed.verdict),
        };
        if let Some(verdict) = verdict
            && verdict.sent.len() < PLACES
            && !verdict.sent.contains(&place)
        {
            verdict.sent.push(place);
        }
        self.left(egress, &reading);
    }

    /// Remembers what left until its answer comes.
    fn left(&mut self, egress: &Egress, reading: &Reading<'_>) {
        let (cseq, method) = reading.cseq();
        let key = (Text::from(reading.call_id()), cseq, Text::from(method));
        if !self.left.contains_key(&key) {
            self.left_order.push_back(key.clone());
            while self.left_order.len() > REMEMBERED {
                self.left_order.pop_front().and_then(|key| self.left.remove(&key));
            }
        }
        let vias: Vec<Text> = reading.values("Via").into_iter().map(Text::from).collect();
        let branches = self.left.entry(key).or_default();
        if branches.len() < PLACES && !branches.iter().any(|b| b.vias == vias) {
            let (transport, remote) = (egress.transport, egress.remote);
            branches.push(Left { transport, remote, vias, done: false });
        }
    }

    // ---- answers of the trace -------------------------------------------------------------------------------------

    /// The answer as the branch here expects it.
    pub(super) fn answer(&mut self, way: &Way, answer: &Message) -> Option<Octets> {
        let key = (answer.call_id().into(), answer.cseq(), Text::from(answer.cseq_method_name()));
        let branches = self.left.get_mut(&key)?;
        let branch =
            branches.iter_mut().find(|b| b.remote == way.from && b.transport == way.transport && !b.done)?;
        // A 2xx to an INVITE comes again until its ACK, and each is forwarded (RFC 3261 16.7).
        branch.done = answer.status() >= 300;
        let mut splice = Splice::of(answer);
        splice.remove(HeaderId::Via);
        for via in branch.vias.iter().rev() {
            splice.prepend(HeaderId::Via, via).ok()?;
        }
        let message = splice.into_message(&Limits::default()).ok()?;
        Some(Octets::from(message.bytes()))
    }

    // ---- what is known ------------------------------------------------------------------------------------------

    /// Those whose end is known, up to the first that is open. With `parked`, some handler still waits, and what was not
    /// asked about may be queued behind it.
    pub(super) fn take(&mut self, parked: bool) -> Vec<Verdict> {
        let is_open = |fed: &Fed| match fed.asked {
            true => !fed.finished,
            false => parked && fed.verdict.answer.is_none(),
        };
        let known = self.open.iter().position(is_open).unwrap_or(self.open.len());
        self.open.drain(..known).map(|fed| fed.verdict).chain(self.later.drain(..)).collect()
    }

    /// All that is left.
    pub(super) fn take_all(&mut self) -> Vec<Verdict> {
        self.tickets.clear();
        self.open.drain(..).map(|fed| fed.verdict).chain(self.later.drain(..)).collect()
    }
}

impl Verdict {
    fn undecided(number: u64) -> Self {
        Verdict {
            number,
            on: None,
            what: What::Undecided,
            script_line: None,
            after: Duration::ZERO,
            again: false,
            sent: Vec::new(),
            answer: None,
        }
    }
}

/// What policy answered to a question about a request to `uri`; `None` when there is more to come.
fn what(given: &policy::Verdict, uri: &Text) -> Option<What> {
    let Some(decision) = &given.decision else { return given.finished.then_some(What::Nothing) };
    Some(match decision {
        Decision::Reply(reply) => {
            let reason = reply.reason.clone().unwrap_or_else(|| reason_phrase(reply.code).into());
            What::Reply(reply.code, reason)
        }
        Decision::Relay(_) => {
            What::Relay(given.message.as_ref().map_or_else(|| uri.clone(), |m| m.request_uri().into()))
        }
        Decision::Fork { targets, .. } => What::Fork(targets.iter().map(|t| t.uri.clone()).collect()),
        Decision::Drop => What::Drop,
        Decision::RoleProcedure | Decision::Call(_) => What::Role,
        Decision::Failed(error) => What::Failed(error.clone()),
    })
}

/// The place between driver and shard.
pub(super) struct Recorder(Rc<RefCell<Notes>>);

impl Recorder {
    pub(super) fn new(notes: Rc<RefCell<Notes>>) -> Self {
        Recorder(notes)
    }
}

impl Seam for Recorder {
    fn input(&mut self, _shard: u8, input: Input, now: Instant, out: &mut Vec<Input>) {
        if let Input::Decided { ticket, verdict } = &input {
            self.0.borrow_mut().decided(*ticket, verdict, now);
        }
        out.push(input);
    }

    fn effect(&mut self, _shard: u8, effect: Effect, _now: Instant, out: &mut Vec<Effect>) {
        let mut notes = self.0.borrow_mut();
        match &effect {
            Effect::Ask { ticket, question } => notes.asked(*ticket, question),
            Effect::Withdraw { ticket } => notes.withdrawn(*ticket),
            Effect::Send { egress, bytes, .. } => notes.sent(egress, bytes),
            _ => {}
        }
        drop(notes);
        out.push(effect);
    }
}
