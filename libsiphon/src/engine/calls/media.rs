//! The media session of a call: what the call's machine has rewritten, and the end of it.
//!
//! To the media engine a call is the Call-ID of its A-leg, and a leg's tag is `call.id`, a dash and the leg's number, so
//! that it is the same over early dialogs and in each command.

use crate::base::slab::Key;
use crate::base::text::Text;
use crate::engine::contract::{Effect, Effects};
use crate::engine::shard::Shard;
use crate::engine::tickets::Purpose;
use crate::proto::b2bua::{Input, LegId, Sdp};
use crate::proto::media::desk::half_for;
use crate::proto::media::{Leg, Profile};
use crate::wire::ng::{Action, Command, InstanceName, MediaRequest, MediaResult, Negotiation, Party};

/// What is known of a call's media session.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Where it is; unknown until the first offer came back.
    at: Option<InstanceName>,
    /// Of the first offer; later ones follow it.
    profile: Option<(Text, Profile)>,
    /// Legs that have answered an offer: an offer to one of them names it.
    answered: Vec<LegId>,
}

impl Shard {
    /// Has a session description rewritten. Without a media engine the call hears so at once.
    pub(super) fn rewrite_for_call(&mut self, call: Key, job: u32, sdp: &Sdp, out: &mut Effects) {
        match self.media_request(call, sdp) {
            Some(request) => {
                let ticket = self.open_ticket(Purpose::MediaForCall { call, job }, None);
                out.push(Effect::Media { ticket, request: Box::new(request) });
            }
            None => self.feed_call(call, Input::Media { job, sdp: None }, out),
        }
    }

    fn media_request(&mut self, call: Key, sdp: &Sdp) -> Option<MediaRequest> {
        let desk = self.node.media.load_full()?;
        let hosted = self.calls.slab.get_mut(call)?;
        let session = &mut hosted.media;
        if session.profile.is_none() || sdp.profile.is_some() {
            let named = sdp.profile.as_deref();
            let same = session.profile.as_ref().is_some_and(|(name, _)| Some(&**name) == named);
            if !same {
                let name = named.unwrap_or(crate::proto::media::profile::AUTO);
                let profile = desk.profiles.get(name, Leg::of_sdp(&sdp.body), None)?;
                session.profile = Some((name.into(), profile));
            }
        }
        let (_, profile) = session.profile.as_ref()?;
        let caller = if sdp.from == LegId::CALLER { &sdp.from_tag } else { &sdp.to_tag };
        let half = half_for(profile, &sdp.from_tag, caller);
        let negotiation = Box::new(Negotiation { sdp: sdp.body.clone(), half, source: None });
        let party = |from: &Text, to: Option<&Text>| Party {
            call_id: hosted.call_id.clone(),
            from_tag: Some(from.clone()),
            to_tag: to.cloned(),
            via_branch: None,
        };
        let command = match sdp.is_offer {
            true => {
                let known = session.answered.contains(&sdp.to);
                let party = party(&sdp.from_tag, known.then_some(&sdp.to_tag));
                Command { party, action: Action::Offer(negotiation) }
            }
            false => {
                for leg in [sdp.from, sdp.to] {
                    if !session.answered.contains(&leg) {
                        session.answered.push(leg);
                    }
                }
                // The answer is the offerer's session: his tag comes first.
                let party = party(&sdp.to_tag, Some(&sdp.from_tag));
                Command { party, action: Action::Answer(negotiation) }
            }
        };
        Some(MediaRequest { command, at: session.at.clone() })
    }

    /// The media engine is done, or is not heard of.
    pub(crate) fn media_for_call_done(
        &mut self,
        call: Key,
        job: u32,
        result: Option<MediaResult>,
        out: &mut Effects,
    ) {
        let reply = result.and_then(Result::ok);
        let Some(hosted) = self.calls.slab.get_mut(call).filter(|hosted| !hosted.call.is_over()) else {
            return;
        };
        if let Some(reply) = &reply {
            hosted.media.at.get_or_insert_with(|| reply.instance.clone());
        }
        let sdp = reply.and_then(|reply| reply.sdp);
        self.feed_call(call, Input::Media { job, sdp }, out);
    }

    /// Ends the session. Nobody waits for it: an engine that is down has no session any more, and one that lost the
    /// command ends it by its own time-out.
    pub(super) fn release_media_of_call(&mut self, call: Key, out: &mut Effects) {
        let Some(hosted) = self.calls.slab.get_mut(call) else { return };
        let session = std::mem::take(&mut hosted.media);
        let command = Command::delete(hosted.call_id.clone());
        if self.node.media.load().is_none() {
            return;
        }
        let request = Box::new(MediaRequest { command, at: session.at });
        let ticket = self.open_ticket(Purpose::MediaForPolicy { wait: None }, None);
        out.push(Effect::Media { ticket, request });
    }
}
