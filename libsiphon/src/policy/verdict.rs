//! What a policy answers.

use crate::base::text::Text;
use crate::base::time::Duration;
use crate::policy::call::CallAction;
use crate::policy::target::{Strategy, Target};
use crate::wire::sip::Message;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A header field to add or set: name as it goes on the wire, value.
pub type Header = (Text, Text);

/// Something of the policy's own that lives as long as the transaction: it pins the script generation and
/// names the callbacks of this transaction.
#[derive(Clone)]
pub struct Keep(pub Arc<dyn Any + Send + Sync>);

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keep(..)")
    }
}

/// Which questions a policy wants about a transaction (or, from [`Policy::interest`](super::Policy::interest),
/// by default). What nobody wants to be asked about never leaves Rust.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Interest {
    /// [`QuestionKind::Reply`](super::QuestionKind::Reply).
    pub replies: bool,
    /// [`QuestionKind::Failure`](super::QuestionKind::Failure), and [`CallEvent::Failed`](super::CallEvent::Failed).
    pub failures: bool,
    /// [`QuestionKind::Cancelled`](super::QuestionKind::Cancelled), and the same of a call.
    pub cancels: bool,
    /// [`CallEvent::EarlyMedia`](super::CallEvent::EarlyMedia).
    pub early_media: bool,
    /// [`CallEvent::Answered`](super::CallEvent::Answered).
    pub answers: bool,
    /// [`CallEvent::Bye`](super::CallEvent::Bye).
    pub byes: bool,
    /// [`CallEvent::Refer`](super::CallEvent::Refer).
    pub refers: bool,
}

/// The answer to a [`Question`](super::Question).
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What to do; `None` when nothing was decided (yet).
    pub decision: Option<Decision>,
    /// The request with the policy's edits. Answers to a reply question: the reply with its edits.
    pub message: Option<Message>,
    /// Header fields for responses that this node makes or forwards on the transaction.
    pub reply_headers: Vec<Header>,
    /// Bindings that must be stored before the reply leaves.
    pub commit: Option<Commit>,
    /// Which further questions the policy wants about this transaction.
    pub interest: Interest,
    /// Attached to the transaction and handed back with each later question.
    pub keep: Option<Keep>,
    /// How many topmost Route values of [`message`](Self::message) are ours and consumed; `None` leaves it as the
    /// question said. Less when the policy took them out itself, to put a Route of its own on top.
    pub consumed_routes: Option<u8>,
    /// File and line of the script that decided, for the event stream.
    pub script_line: Option<Text>,
    /// False when a handler is parked: the ticket stays open and more may come.
    pub finished: bool,
}

impl Default for Verdict {
    fn default() -> Self {
        Verdict {
            decision: None,
            message: None,
            reply_headers: Vec::new(),
            commit: None,
            interest: Interest::default(),
            keep: None,
            consumed_routes: None,
            script_line: None,
            finished: true,
        }
    }
}

impl Verdict {
    /// A finished verdict that does `decision` and nothing else.
    pub fn of(decision: Decision) -> Self {
        Verdict { decision: Some(decision), ..Verdict::default() }
    }
}

/// What to do with the message of the question.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Answer the request here. On a reply question: answer the request with this instead of what comes.
    Reply(ReplySpec),
    /// Relay to the next hop that Route and Request-URI name.
    Relay(RelayOptions),
    /// Send to these targets. An empty list fails with a local 480 (Temporarily Unavailable).
    Fork {
        /// Whom to send to.
        targets: Vec<Target>,
        /// In which order.
        strategy: Strategy,
        /// Shared by all branches.
        options: RelayOptions,
    },
    /// Say nothing: the server transaction is forgotten without a response. On a reply question: do not
    /// forward this (provisional) response.
    Drop,
    /// Make the INVITE a call of two legs, or go on with the call in question. The verdict's message is the INVITE
    /// that the B-legs are made of.
    Call(Vec<CallAction>),
    /// What the role does when no script decides.
    RoleProcedure,
    /// The handler failed (raised, or decided nothing): 500, with this line for the log.
    Failed(Text),
}

/// How to relay.
#[derive(Clone, Debug, Default)]
pub struct RelayOptions {
    /// Put Record-Route on the request (RFC 3261 16.6 step 4).
    pub record_route: bool,
    /// Give up on a branch that has no final response after this long; `None` means Timer C alone.
    pub branch_timeout: Option<Duration>,
    /// Send from this listener (a local address or its advertised form), where one matches.
    pub send_socket: Option<Text>,
}

/// A response that this node makes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplySpec {
    /// 100 to 699.
    pub code: u16,
    /// Reason phrase; `None` takes the registered one.
    pub reason: Option<Text>,
    /// Header fields beyond those RFC 3261 8.2.6 copies.
    pub headers: Vec<Header>,
    /// Content-Type and body.
    pub body: Option<(Text, Vec<u8>)>,
}

impl ReplySpec {
    /// A response with the registered reason phrase.
    pub fn code(code: u16) -> Self {
        ReplySpec { code, ..ReplySpec::default() }
    }
}

/// A change of node state that a store must acknowledge before the reply leaves.
#[derive(Clone, Debug)]
pub struct Commit {
    /// What is stored under: an AoR.
    pub key: Text,
    /// Higher than that of every earlier commit of the key. A store that writes in another order keeps the highest.
    pub version: u64,
    /// The encoded value; `None` removes it.
    pub value: Option<Vec<u8>>,
    /// The encoded value before the change.
    pub previous: Option<Vec<u8>>,
    /// What takes the change back when the store refuses: a value of the registrar's own.
    pub undo: Option<Keep>,
}
