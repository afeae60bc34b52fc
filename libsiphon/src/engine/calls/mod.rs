//! Calls of two legs: hosting the machine of `proto::b2bua` on the transactions of a shard.
//!
//! | File | What |
//! |---|---|
//! | `mod` | the calls of a shard, and doing what one asks |
//! | `finding` | whose request inside a dialog this is |
//! | `uas` | answering the peers' requests |
//! | `uac` | sending requests of the legs |
//! | `media` | its session in the media engine |
//! | `handing` | legs that go from call to call |
//! | `asking` | questions and verdicts about a call |

mod asking;
mod finding;
mod handing;
mod media;
mod uac;
mod uas;

pub(crate) use asking::named;
pub(crate) use finding::Dialogs;
pub(crate) use uac::Pending;

use crate::base::flow::{Egress, Flow};
use crate::base::rng::Rng;
use crate::base::slab::{Key, Slab};
use crate::base::text::{Octets, Text};
use crate::base::time::Instant;
use crate::base::wheel::TimerId;
use crate::engine::contract::{Effect, Effects};
use crate::engine::node::Node;
use crate::engine::respond::TagText;
use crate::engine::shard::{Shard, TimerOf};
use crate::engine::tickets::Purpose;
use crate::policy::Ticket;
use crate::proto::b2bua::{self, Call, Env, Input, Output, ServerRef};
use std::collections::VecDeque;

/// One call, and what the shard does for it.
#[derive(Debug)]
pub(crate) struct Hosted {
    pub(crate) call: Call,
    /// Call-ID of the A-leg, for events.
    pub(crate) call_id: Text,
    pub(crate) flow: Flow,
    timer: Option<(TimerId, Instant)>,
    /// The question about it that is open.
    question: Option<Ticket>,
    media: media::Session,
    /// Requests that look for their address, or have a transaction.
    pending: Vec<Pending>,
    /// 2xx responses that are sent again until their ACK comes.
    kept: Vec<(ServerRef, Egress, Octets)>,
}

/// The calls of a shard.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pub(crate) slab: Slab<Hosted>,
    pub(crate) dialogs: Dialogs,
    /// Inputs that came of performing outputs.
    queue: VecDeque<(Key, Input)>,
    feeding: bool,
    scratch: Vec<Output>,
}

impl Shard {
    /// Calls this shard holds.
    pub fn calls(&self) -> usize {
        self.calls.slab.len()
    }

    /// Feeds a call, and does what it asks. What that leads to at once is fed after it, in order.
    pub(crate) fn feed_call(&mut self, key: Key, input: Input, out: &mut Effects) {
        self.calls.queue.push_back((key, input));
        if std::mem::replace(&mut self.calls.feeding, true) {
            return;
        }
        while let Some((key, input)) = self.calls.queue.pop_front() {
            self.feed_one(key, input, out);
        }
        self.calls.feeding = false;
    }

    fn feed_one(&mut self, key: Key, input: Input, out: &mut Effects) {
        let node = self.node.clone();
        let Some(settings) = &node.settings().b2bua else { return };
        let Some(hosted) = self.calls.slab.get_mut(key) else { return };
        let index = self.index;
        let call_id = |rng: &mut Rng| own_call_id(rng, &node, index, &settings.host);
        let mut outputs = std::mem::take(&mut self.calls.scratch);
        let mut env =
            Env { now: self.now, rng: &mut self.rng, settings, call_id: &call_id, out: &mut outputs };
        hosted.call.handle(input, &mut env);
        for output in outputs.drain(..) {
            self.perform(key, output, out);
        }
        self.calls.scratch = outputs;
        self.rearm_call(key);
    }

    fn perform(&mut self, key: Key, output: Output, out: &mut Effects) {
        match output {
            Output::Send { client, leg: _, request } => self.send_for_call(key, Some(client), *request, out),
            Output::Ack { leg: _, request } => self.send_for_call(key, None, *request, out),
            Output::Cancel { client } => self.cancel_for_call(key, client, out),
            Output::Respond { server, answer } => self.respond_for_call(key, server, &answer, out),
            Output::Resend { server } => self.resend_for_call(key, server, out),
            Output::Settled { server } => {
                if let Some(hosted) = self.calls.slab.get_mut(key) {
                    hosted.kept.retain(|(s, ..)| *s != server);
                }
            }
            Output::Found { leg, call_id, local_tag } => {
                let hash = self.dialog_hash(&call_id, &local_tag);
                if self.calls.dialogs.add(hash, key, leg, call_id.clone(), local_tag) {
                    self.claim_call_id(&call_id);
                }
            }
            Output::Lost { call_id, local_tag } => {
                let hash = self.dialog_hash(&call_id, &local_tag);
                if self.calls.dialogs.remove(hash, key, &call_id, &local_tag) {
                    self.leave_call_id(&call_id);
                }
            }
            Output::Ask { event } => self.ask_about_call(key, *event, out),
            Output::Notify { event } => self.notify_about_call(key, *event, out),
            Output::Media { job, sdp } => self.rewrite_for_call(key, job, &sdp, out),
            Output::ReleaseMedia => self.release_media_of_call(key, out),
            Output::HandOver { leg, replaces } => self.hand_over(key, leg, replaces, out),
            Output::Returned { to, outcome } => self.return_leg(to, outcome, out),
            Output::Ended => self.forget_call(key, out),
        }
    }

    pub(crate) fn call_tick(&mut self, key: Key, out: &mut Effects) {
        if let Some(hosted) = self.calls.slab.get_mut(key) {
            hosted.timer = None;
            self.feed_call(key, Input::Tick, out);
        }
    }

    fn rearm_call(&mut self, key: Key) {
        if let Some(hosted) = self.calls.slab.get_mut(key) {
            let wanted = hosted.call.deadline();
            Shard::rearm(&mut self.wheel, &mut hosted.timer, wanted, TimerOf::Call, key);
        }
    }

    fn forget_call(&mut self, key: Key, out: &mut Effects) {
        let Some(hosted) = self.calls.slab.remove(key) else { return };
        if let Some((id, _)) = hosted.timer {
            self.wheel.cancel(id);
        }
        if let Some(ticket) = hosted.question
            && self.close_ticket(ticket).is_some()
        {
            out.push(Effect::Withdraw { ticket });
        }
        for pending in hosted.pending {
            if let Some(ticket) = pending.locating() {
                self.close_ticket(ticket);
            }
        }
        self.calls.dialogs.forget(key);
    }

    pub(crate) fn call_ticket_expired(&mut self, purpose: Purpose, ticket: Ticket, out: &mut Effects) {
        match purpose {
            Purpose::Call { call } => {
                out.push(Effect::Withdraw { ticket });
                self.call_decided(call, ticket, crate::policy::Verdict::default(), out);
            }
            Purpose::LocateCall { call, number } => self.call_unreachable(call, number, 503, out),
            _ => {}
        }
    }
}

/// A Call-ID of ours that leads back to this shard: the owner of a message is a keyed hash of its Call-ID, so one is
/// drawn until it is ours. With `n` shards that takes `n` draws on average.
fn own_call_id(rng: &mut Rng, node: &Node, shard: u8, host: &str) -> Text {
    loop {
        let (a, b) = (rng.next_u64(), rng.next_u64());
        let text = format!("{}{}@{host}", TagText::of(a).as_str(), TagText::of(b).as_str());
        if node.call_hash(&text) % u64::from(node.shards) == u64::from(shard) {
            return text.into();
        }
    }
}

/// Settings of calls, where this node makes any.
pub(crate) fn settings_of(node: &Node) -> Option<&b2bua::Settings> {
    node.settings().b2bua.as_deref()
}

#[cfg(test)]
mod session_tests;
#[cfg(test)]
mod timer_tests;
#[cfg(test)]
mod tests;

#[cfg(test)]
mod handing_tests;
#[cfg(test)]
mod transfer_tests;
#[cfg(test)]
mod canary_tests;
