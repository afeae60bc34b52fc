//! The port between engine and policy: what happened ([`Question`]), what to do ([`Verdict`]).
//!
//! Plain values. The engine cannot tell whether an answer came inline, from a lane, from a coroutine that
//! was parked for seconds, or from the role's own procedure; a policy never borrows the shard. Effects of a
//! verdict are committed when the engine receives it, so a handler that awaits answers several times: each
//! answer but the last has [`finished`](Verdict::finished) false.

pub mod builtin;
pub mod call;
pub mod question;
pub mod target;
pub mod verdict;

pub use builtin::Builtin;
pub use call::{CallAction, CallEvent, CallQuestion, CallView, Dial, Initiator};
pub use question::{Question, QuestionKind};
pub use target::{Strategy, Target};
pub use verdict::{Commit, Decision, Header, Interest, Keep, RelayOptions, ReplySpec, Verdict};

use crate::base::slab::Key;
use crate::base::text::Text;
use crate::base::time::{Duration, Instant};
use crate::wire::ng::{MediaRequest, MediaResult};
use crate::wire::sip::Message;

/// Names a question that waits for its answer. A ticket that was answered, or whose transaction ended,
/// is stale and an answer to it is dropped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ticket(pub Key);

/// Names something a policy waits for ([`Want`]); chosen by the policy.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct WaitId(pub u64);

/// Something a policy wants done that is no verdict on a transaction.
#[derive(Debug)]
pub enum Want {
    /// Send a request of our own, outside any dialog (RFC 3261 8.1).
    SendRequest {
        /// Told the outcome when there is one to wait for.
        wait: Option<WaitId>,
        /// What to send.
        request: OriginatedRequest,
    },
    /// Have a media engine do something.
    Media {
        /// Told the outcome when there is one to wait for.
        wait: Option<WaitId>,
        /// What.
        request: Box<MediaRequest>,
    },
    /// Something to tell the event stream.
    Tell(crate::policy::Notice),
}

/// A request that a script originates.
#[derive(Clone, Debug)]
pub struct OriginatedRequest {
    /// Method, as it goes on the wire.
    pub method: Text,
    /// Request-URI.
    pub ruri: Text,
    /// Header fields that the script gives; From, To, Call-ID, CSeq, Via and Max-Forwards are made where absent.
    pub headers: Vec<Header>,
    /// Content-Type and body.
    pub body: Option<(Text, Vec<u8>)>,
    /// Send here instead of following the Route set or the Request-URI (a SIP URI).
    pub next_hop: Option<Text>,
    /// Send along this flow and nowhere else.
    pub flow: Option<crate::base::flow::Flow>,
    /// How long to wait for a final response.
    pub timeout: Duration,
}

/// What came of a [`Want`].
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The final response.
    Response(Message),
    /// No response: the text says why (timeout, no route, transport error).
    Failed(&'static str),
    /// What a media engine did, or why not.
    Media(Box<MediaResult>),
}

/// Something a policy reports to the observers.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A handler ran.
    HandlerRan {
        /// Its name, e.g. `proxy.on_request`.
        handler: Text,
        /// CPU and wall time cannot be told apart here: this is wall time.
        took: Duration,
        /// False when it raised.
        ok: bool,
        /// The request it was about, if any.
        request: Option<Message>,
    },
}

/// What a policy pushes while it is asked, resumed or woken.
#[derive(Debug, Default)]
pub struct PolicyOutput {
    /// Answers, in the order they are to be committed.
    pub verdicts: Vec<(Ticket, Verdict)>,
    /// Other wishes, committed after the verdicts.
    pub wants: Vec<Want>,
}

/// Decides. One instance per shard; instances may share a script behind them.
pub trait Policy {
    /// Asks one question. The answer is pushed now, or by a later `resume`, `wake` or `deliver`.
    fn ask(&mut self, ticket: Ticket, question: Question, now: Instant, out: &mut PolicyOutput);

    /// Something that was wanted has an outcome.
    fn resume(&mut self, wait: WaitId, outcome: Outcome, now: Instant, out: &mut PolicyOutput);

    /// The transaction of `ticket` ended before the answer came (CANCEL, time-out, lost transport): a parked
    /// coroutine gets `Cancelled` at its await.
    fn withdraw(&mut self, ticket: Ticket, now: Instant, out: &mut PolicyOutput);

    /// When `wake` wants to be called, at the latest.
    fn deadline(&self) -> Option<Instant>;

    /// Timers of the policy's own that are due (`timer.set`, sleeping coroutines), and answers of lanes.
    fn wake(&mut self, now: Instant, out: &mut PolicyOutput);

    /// What this policy wants to be asked.
    fn interest(&self) -> Interest;
}
