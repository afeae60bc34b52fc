//! A recorded trace against a script: requests reach the node at the distances at which they were captured, and what is
//! decided about each is noted.
//!
//! Requests are what is sent; whoever else is on the network takes everything and answers nothing. An answer of the trace
//! can be given: it reaches the branch with its Call-ID and CSeq whose request went to where it came from.

mod notes;

use super::{Beside, Kit, KitPlan};
use crate::app::sip::SipRole;
use crate::base::flow::Transport;
use crate::base::text::{Octets, Text};
use crate::base::time::Duration;
use crate::sim::audit::Auditor;
use crate::sim::log::Log;
use crate::sim::{Conditions, Way};
use crate::wire::sip::Message;
use notes::{Notes, Recorder};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The request's number, in the order fed.
    pub number: u64,
    /// The status code of the response on which a further decision was made; `None` for the first, about the request.
    pub on: Option<u16>,
    /// What was done with it.
    pub what: What,
    /// File and line of the script.
    pub script_line: Option<Text>,
    /// How long the handler took to say so, in virtual time.
    pub after: Duration,
    /// The same request was there before.
    pub again: bool,
    /// Where it was sent: Request-URI, transport, address. In the order sent, without repetitions.
    pub sent: Vec<(Text, Transport, SocketAddr)>,
    /// The node's own final answer.
    pub answer: Option<(u16, Text)>,
}

/// What was done with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The script answered.
    Reply(u16, Text),
    /// The script relayed, to this Request-URI.
    Relay(Text),
    /// The script forked, to these.
    Fork(Vec<Text>),
    /// The script chose silence.
    Drop,
    /// The script decided nothing, which is right for an ACK only.
    Nothing,
    /// The script failed.
    Failed(Text),
    /// The script left it to the role.
    Role,
    /// The client gave up before the script decided.
    Withdrawn,
    /// The script had not decided when the trace was over.
    Undecided,
    /// The engine did it without asking.
    Engine,
}

/// Addresses and trust, beside the plan of the kit.
#[derive(Default)]
pub struct ReplayPlan {
    /// Where the trace's node was: it listens there too.
    pub local: Vec<(Transport, SocketAddr)>,
    /// Credentials of the trace count as good: their nonces are of another node.
    pub trust_digest: bool,
}

/// A node that is sent what another one received.
pub struct Replay {
    kit: Kit,
    notes: Rc<RefCell<Notes>>,
    /// How far the trace was played, by its own clock.
    reached: Option<u64>,
}

/// Handlers that are parked get this long after the end of the trace: no question stays open for longer unless the YAML
/// says so.
const PATIENCE: Duration = Duration::from_secs(600);

/// A longer silence is cut to this: a damaged time stamp would have timers run for years.
const LONGEST_GAP: Duration = Duration::from_secs(24 * 3600);

impl Replay {
    /// Starts the node. The error is what the daemon would have said.
    pub fn start<R: SipRole>(plan: KitPlan, trace: ReplayPlan) -> Result<Self, String>
    where
        R::Config: 'static,
    {
        let ReplayPlan { local, trust_digest } = trace;
        // One shard: what is decided does not depend on how many there are.
        let plan = KitPlan { shards: Some(1), ..plan };
        let mut kit = Kit::start_beside::<R>(plan, Beside { sockets: local, trust_digest })?;
        let none = Duration::ZERO;
        kit.net.conditions(Conditions { delay: (none, none), mailbox: none, ..Conditions::CALM });
        kit.net.wire().zone.answer_all(true);
        let notes = Rc::new(RefCell::new(Notes::default()));
        let host = kit.host();
        kit.net.plant(host, Box::new(Recorder::new(notes.clone())));
        Ok(Replay { kit, notes, reached: None })
    }

    /// A request of the trace, captured at `at` microseconds. Gives its number.
    pub fn request(&mut self, at: u64, way: Way, request: &Message) -> u64 {
        self.pass_to(at);
        let now = self.kit.net.now();
        let number = self.notes.borrow_mut().expect(request, now);
        self.deliver(way, &Octets::from(request.bytes()));
        number
    }

    /// An answer of the trace. False when no request went to where it came from.
    pub fn answer(&mut self, at: u64, way: Way, answer: &Message) -> bool {
        self.pass_to(at);
        let ours = self.notes.borrow_mut().answer(&way, answer);
        let Some(bytes) = ours else { return false };
        // A connection that the trace's node opened is not there: the answer comes on one from the other side.
        let sockets = self.kit.sockets();
        let listens = |to: SocketAddr| sockets.contains(&(way.transport, to));
        let first = sockets.iter().find(|(transport, _)| *transport == way.transport);
        let Some(to) = Some(way.to).filter(|to| listens(*to)).or(first.map(|s| s.1)) else { return false };
        self.deliver(Way { to, ..way }, &bytes);
        true
    }

    /// What is known by now, in the order of the requests: up to the first that is still open. Behind them, further
    /// decisions about requests, in the order they were made.
    pub fn verdicts(&mut self) -> Vec<Verdict> {
        let parked = self.kit.net.node(self.kit.host()).shards().any(|s| s.open_tickets() > 0);
        self.notes.borrow_mut().take(parked)
    }

    /// The trace is over: gives parked handlers their time, and whatever is left.
    pub fn finish(&mut self) -> Vec<Verdict> {
        self.kit.net.settle(PATIENCE);
        self.tidy();
        self.notes.borrow_mut().take_all()
    }

    /// What was logged since the last call, each a JSON object.
    pub fn lines(&mut self) -> Vec<String> {
        self.kit.take_lines()
    }

    /// The name for which an address was made up: none of the trace's names is asked for outside.
    pub fn name_of(&mut self, address: SocketAddr) -> Option<String> {
        self.kit.net.wire().zone.name_of(address.ip()).map(str::to_owned)
    }

    /// Time passes as it did in the trace; it does not run backwards.
    fn pass_to(&mut self, at: u64) {
        let reached = self.reached.get_or_insert(at);
        let gap = Duration::from_micros(at.saturating_sub(*reached));
        *reached = at.max(*reached);
        self.kit.net.advance(gap.min(LONGEST_GAP));
        self.tidy();
    }

    fn deliver(&mut self, way: Way, bytes: &Octets) {
        self.kit.net.send_as(way, bytes, false);
        self.kit.net.advance(Duration::ZERO);
        self.tidy();
    }

    /// A trace may be long: nothing is kept of what is told elsewhere.
    fn tidy(&mut self) {
        let wire = self.kit.net.wire();
        wire.audit = Auditor::default();
        wire.log = Log::default();
        self.kit.forget_decisions();
    }
}
