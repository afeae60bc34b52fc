//! What the engine asks.

use crate::base::flow::Flow;
use crate::base::text::Text;
use crate::policy::call::CallQuestion;
use crate::policy::verdict::Keep;
use crate::wire::sip::Message;

/// One question about one message.
#[derive(Clone, Debug)]
pub struct Question {
    /// What happened.
    pub kind: QuestionKind,
    /// The request in question: as received for [`QuestionKind::Request`], as last edited by policy otherwise.
    pub request: Message,
    /// The flow the request came on.
    pub flow: Flow,
    /// How many topmost Route values are ours and count as consumed (RFC 3261 16.4); forwarding removes them.
    pub consumed_routes: u8,
    /// The request carried a route set, or came on our own Record-Route.
    pub on_route: bool,
    /// The Request-URI names this node or one of its domains.
    pub is_local: bool,
    /// The id the call would have that this INVITE begins, where this node is a B2BUA and it may begin one.
    pub may_call: Option<Text>,
    /// What the policy attached to the transaction with an earlier verdict.
    pub keep: Option<Keep>,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum QuestionKind {
    /// A new request, in-dialog requests and the ACK to a 2xx included. A verdict with a decision is due,
    /// except for the ACK, for which relaying or nothing are the only choices. Where [`Question::may_call`] is set,
    /// the decision may be [`Decision::Call`](super::Decision::Call).
    Request,
    /// A response on a relayed request. It is forwarded unless the verdict drops or rejects it.
    Reply {
        /// The response as received, topmost Via (ours) included.
        reply: Message,
        /// The flow it came on.
        flow: Flow,
    },
    /// The best final response of the transaction is a failure (>= 300). The verdict may relay, fork or reply;
    /// deciding nothing sends the best response up.
    Failure {
        /// The best response; ours when nothing better came.
        reply: Message,
        /// The response was made here (408 for a time-out, 503 for a lost transport), not received.
        is_local: bool,
    },
    /// The client cancelled. Nothing is awaited.
    Cancelled,
    /// Something happened to a call. [`Question::request`] is the INVITE of its A-leg.
    Call(Box<CallQuestion>),
}
