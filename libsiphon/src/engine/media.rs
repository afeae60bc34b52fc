//! Commands to media engines: what is asked under a ticket, and whom the result goes to.

use crate::engine::contract::{Effect, Effects};
use crate::engine::shard::Shard;
use crate::engine::tickets::Purpose;
use crate::policy::{Outcome, Ticket, WaitId};
use crate::wire::ng::{MediaFault, MediaRequest, MediaResult};

impl Shard {
    /// Asks a media engine on behalf of the policy.
    pub(crate) fn media_for_policy(
        &mut self,
        wait: Option<WaitId>,
        request: Box<MediaRequest>,
        out: &mut Effects,
    ) {
        let ticket = self.open_ticket(Purpose::MediaForPolicy { wait }, None);
        out.push(Effect::Media { ticket, request });
    }

    pub(crate) fn on_media_done(&mut self, ticket: Ticket, result: Box<MediaResult>, out: &mut Effects) {
        let is_media = self.tickets.get(ticket).is_some_and(|p| {
            matches!(p.purpose, Purpose::MediaForPolicy { .. } | Purpose::MediaForCall { .. })
        });
        if !is_media {
            self.stats.stale_answers += 1;
            return;
        }
        match self.close_ticket(ticket).map(|p| p.purpose) {
            Some(Purpose::MediaForPolicy { wait }) => tell_policy(wait, result, out),
            Some(Purpose::MediaForCall { call, job }) => {
                self.media_for_call_done(call, job, Some(*result), out);
            }
            _ => {}
        }
    }

    /// The client answers every command within its own time; this is for a client that is gone.
    pub(crate) fn media_expired(&mut self, wait: Option<WaitId>, out: &mut Effects) {
        tell_policy(wait, Box::new(Err(MediaFault::TimedOut)), out);
    }
}

fn tell_policy(wait: Option<WaitId>, result: Box<MediaResult>, out: &mut Effects) {
    if let Some(wait) = wait {
        out.push(Effect::Answered { wait, outcome: Box::new(Outcome::Media(result)) });
    }
}

#[cfg(test)]
#[path = "media_tests.rs"]
mod tests;
