//! What goes into a shard and what comes out of it.
//!
//! The driver feeds one [`Input`], drains the [`Effects`], and calls `tick` when `deadline()` has come.

use crate::base::flow::{ConnectionId, Egress, Flow};
use crate::base::slab::Key;
use crate::base::text::Octets;
use crate::event::{Classes, Event, Observer};
use crate::policy::verdict::Commit;
use crate::policy::{OriginatedRequest, Outcome, Question, Ticket, Verdict, WaitId};
use crate::proto::b2bua::{Adopted, Handed, ReturnTo};
use crate::proto::locate::{Lookup, Records};
use crate::wire::ng::{MediaRequest, MediaResult};
use crate::wire::sip::{Message, Refused, Replaces};

/// What a shard is told.
#[derive(Debug)]
pub enum Input {
    /// A message whose owner is this shard.
    Message {
        /// Where it came from.
        flow: Flow,
        /// The message.
        message: Message,
    },
    /// Octets that are no acceptable SIP message.
    Refused {
        /// Where they came from.
        flow: Flow,
        /// What is wrong, and as much of the message as can be answered.
        refused: Box<Refused>,
    },
    /// Policy answered.
    Decided {
        /// Which question.
        ticket: Ticket,
        /// What to do.
        verdict: Box<Verdict>,
    },
    /// DNS answered (RFC 3263).
    LookedUp {
        /// Whose question it was.
        ticket: Ticket,
        /// Empty when there is no such name or the lookup failed.
        records: Records,
    },
    /// The store acknowledged a [`Effect::Commit`].
    Committed {
        /// Which.
        ticket: Ticket,
    },
    /// The store refused, or its deadline passed.
    CommitFailed {
        /// Which.
        ticket: Ticket,
    },
    /// Something with a [`SendReport`] could not be sent (RFC 3261 16.9, 17.1.4).
    SendFailed {
        /// Whose.
        report: SendReport,
    },
    /// What was sent without naming a live connection went out on this one.
    SentOn {
        /// Whose.
        report: SendReport,
        /// Which connection.
        connection: ConnectionId,
    },
    /// A connection of this node is gone; flows of bindings on it are dead (RFC 5626 4.2.2).
    ConnectionClosed {
        /// Which.
        connection: ConnectionId,
    },
    /// Send a request of our own.
    Originate {
        /// Who waits for the outcome.
        wait: Option<WaitId>,
        /// What to send.
        request: Box<OriginatedRequest>,
    },
    /// A media engine did what an [`Effect::Media`] asked, or why it did not.
    MediaDone {
        /// Whose command it was.
        ticket: Ticket,
        /// What came of it.
        result: Box<MediaResult>,
    },
    /// The policy wants something of a media engine.
    Media {
        /// Who waits for the outcome.
        wait: Option<WaitId>,
        /// What.
        request: Box<MediaRequest>,
    },
    /// From another shard.
    Mail(Mail),
}

/// What travels between shards.
#[derive(Debug)]
pub enum Mail {
    /// A message that the sender received and this shard owns.
    Message {
        /// Where it came from.
        flow: Flow,
        /// The message.
        message: Message,
    },
    /// Octets to send on a connection whose I/O this shard does. Handled by the driver.
    Send {
        /// Where to.
        egress: Egress,
        /// What.
        bytes: Octets,
        /// Who is to hear of a failure: that shard and transaction.
        report: Option<(u8, SendReport)>,
    },
    /// A send that was posted failed.
    SendFailed(SendReport),
    /// What was posted, or waited for a connection, went out on this one.
    SentOn {
        /// Whose.
        report: SendReport,
        /// Which connection.
        connection: ConnectionId,
    },
    /// A connection is gone.
    ConnectionClosed(ConnectionId),
    /// A leg of a call of the sender's takes a place in a call of this shard's (RFC 3891).
    Adopt {
        /// The leg.
        leg: Box<Handed>,
        /// The dialog whose place it takes.
        replaces: Box<Replaces>,
        /// Who is to hear what became of it.
        to: ReturnTo,
    },
    /// What became of such a leg.
    Returned {
        /// The call it came from.
        to: ReturnTo,
        /// What.
        outcome: Adopted,
    },
    /// A lane or background task answered.
    Decided {
        /// Which question.
        ticket: Ticket,
        /// What to do.
        verdict: Box<Verdict>,
    },
}

/// The transaction that is to hear of a failed send.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SendReport {
    /// A client transaction (RFC 3261 17.1.4).
    Client(Key),
    /// A server transaction (RFC 3261 17.2.4).
    Server(Key),
    /// No transaction: an ACK to a 2xx that was sent by the flow of a route token, by the number it has here.
    Ack(u32),
}

/// Which shard a mail goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PostTo(pub u8);

/// What the world is to do.
#[derive(Debug)]
pub enum Effect {
    /// Send octets.
    Send {
        /// Where to.
        egress: Egress,
        /// What.
        bytes: Octets,
        /// Who is to hear of a failure; `None` when nobody would act on it.
        report: Option<SendReport>,
    },
    /// Ask policy.
    Ask {
        /// Goes back with the answer.
        ticket: Ticket,
        /// The question.
        question: Box<Question>,
    },
    /// Tell policy that the answer to this ticket is no longer wanted.
    Withdraw {
        /// Which.
        ticket: Ticket,
    },
    /// Ask DNS.
    LookUp {
        /// Goes back with the answer.
        ticket: Ticket,
        /// What for.
        lookup: Lookup,
    },
    /// Store durably, and say when it is done.
    Commit {
        /// Goes back with the acknowledgement.
        ticket: Ticket,
        /// What.
        commit: Box<Commit>,
    },
    /// Ask a media engine.
    Media {
        /// Goes back with the result.
        ticket: Ticket,
        /// What.
        request: Box<MediaRequest>,
    },
    /// Something that the policy wanted has its outcome.
    Answered {
        /// Who waits.
        wait: WaitId,
        /// What came.
        outcome: Box<Outcome>,
    },
    /// Hand mail to another shard.
    Post {
        /// Which shard.
        to: u8,
        /// The mail.
        mail: Box<Mail>,
    },
    /// Tell the observers.
    Tell(Box<Event>),
}

/// The effects of one or more inputs, in the order they are to happen.
#[derive(Default)]
pub struct Effects {
    /// To be drained from the front.
    pub list: Vec<Effect>,
    /// Which events anybody wants.
    subscribed: Classes,
    /// Which of them go onto the list.
    queued: Classes,
    /// Sees its events on the spot, while they are on the stack: counters.
    inline: Option<Box<dyn Observer>>,
    /// What it asked for.
    inline_wants: Classes,
}

impl std::fmt::Debug for Effects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Effects").field("list", &self.list).finish_non_exhaustive()
    }
}

impl Effects {
    /// An empty list for subscribers of `queued`.
    pub fn subscribed_to(queued: Classes) -> Self {
        Effects {
            list: Vec::new(),
            subscribed: queued,
            queued,
            inline: None,
            inline_wants: Classes::default(),
        }
    }

    /// The same with an observer that is told at once. It must be quick: it runs on the shard.
    pub fn with_inline(queued: Classes, observer: Box<dyn Observer>) -> Self {
        let inline_wants = observer.classes();
        let subscribed = queued.with(inline_wants);
        Effects { list: Vec::new(), subscribed, queued, inline: Some(observer), inline_wants }
    }

    /// From now on for subscribers of `queued`.
    pub fn subscribe(&mut self, queued: Classes) {
        (self.queued, self.subscribed) = (queued, queued.with(self.inline_wants));
    }

    /// Adds one effect.
    pub fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    /// Whether events of `class` go to a subscriber that reads them, not only to counters: then texts are worth making.
    pub fn is_read(&self, class: Classes) -> bool {
        self.queued.contains(class)
    }

    /// Tells whoever subscribed to `class`; `make` runs only when somebody did.
    pub fn tell(&mut self, class: Classes, make: impl FnOnce() -> Event) {
        if !self.subscribed.contains(class) {
            return;
        }
        let event = make();
        if let Some(observer) = self.inline.as_mut().filter(|_| self.inline_wants.contains(class)) {
            observer.see(&event);
        }
        if self.queued.contains(class) {
            self.list.push(Effect::Tell(Box::new(event)));
        }
    }
}
