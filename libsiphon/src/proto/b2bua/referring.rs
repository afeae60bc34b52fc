//! REFERs that this node sends, and those that it passes from one side to the other (RFC 3515).

use super::call::{Call, Phase, Purpose};
use super::leg::{Leg, LegId};
use super::port::{Env, Outgoing, ServerRef};
use super::writing;
use crate::base::text::Text;
use crate::base::time::Instant;
use crate::policy::{Header, Initiator};
use crate::proto::session::refer::{Outcome, Subscriber, Told};
use crate::wire::sip::{Event, HeaderId, Message, Method, sipfrag};

/// A REFER of ours, and what its NOTIFYs tell.
#[derive(Clone, Debug)]
pub(super) struct Referring {
    leg: LegId,
    subscriber: Subscriber,
}

impl Referring {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.subscriber.deadline()
    }
}

/// A REFER that went from one side to the other. NOTIFYs name it by its CSeq number, which is another on each side.
#[derive(Clone, Copy, Debug)]
pub(super) struct PassedRefer {
    cseq: u32,
    to: LegId,
    sent_cseq: u32,
}

/// How many of these are remembered; NOTIFYs of an older one pass with the number they have.
const MOST_PASSED: usize = 4;

impl Call {
    /// Sends REFER to one side, as soon as the call is answered and nothing is open on that side's dialog. While an
    /// earlier one is open nothing is sent.
    pub(super) fn refer_side(&mut self, to: Initiator, target: Text, env: &mut Env<'_>) {
        self.transfers.wish = Some((to, target));
        self.poke_wish(env);
    }

    pub(super) fn poke_wish(&mut self, env: &mut Env<'_>) {
        let Some((to, target)) = self.transfers.wish.clone() else { return };
        let Some((a, b)) = self.joined.filter(|_| self.phase == Phase::Answered) else { return };
        let id = match to {
            Initiator::Caller => a,
            Initiator::Callee => b,
            Initiator::Siphon => return,
        };
        if !self.is_free(id) {
            return;
        }
        self.transfers.wish = None;
        if self.transfers.ours.is_some() {
            return;
        }
        let value: Text = if target.contains('<') { target } else { format!("<{target}>").into() };
        let mut cseq = None;
        let make = |leg: &mut Leg| {
            let request = refer(leg, value)?;
            cseq = Some(request.cseq);
            Some(request)
        };
        self.send_inside(id, Purpose::Refer, make, env);
        if let Some(cseq) = cseq {
            self.transfers.ours = Some(Box::new(Referring { leg: id, subscriber: Subscriber::new(cseq) }));
        }
    }

    /// The final response to our REFER; 408 for none.
    pub(super) fn refer_answered(&mut self, status: u16, refer_sub: Option<bool>, env: &mut Env<'_>) {
        let Some(ours) = self.transfers.ours.as_mut() else { return };
        let told = ours.subscriber.answered(status, refer_sub, env.now);
        self.refer_told(told, env);
    }

    /// A NOTIFY that tells of our REFER. False when it is about something else.
    pub(super) fn took_notify(
        &mut self,
        id: LegId,
        server: ServerRef,
        request: &Message,
        env: &mut Env<'_>,
    ) -> bool {
        let Some(ours) = self.transfers.ours.as_mut().filter(|r| r.leg == id) else { return false };
        let event = request.event().ok().flatten();
        let state = request.subscription_state().ok().flatten();
        let status = sipfrag::status(request.body()).map(|(code, _)| code);
        let Ok(told) = ours.subscriber.notified(event.as_ref(), state.as_ref(), status, env.now) else {
            return false;
        };
        self.answer_inside(id, server, 200, env);
        self.refer_told(told, env);
        true
    }

    /// The referred side has reached the target: this call has done its work (RFC 5589 6).
    fn refer_told(&mut self, told: Told, env: &mut Env<'_>) {
        if told == Told::Done(Outcome::Succeeded) {
            self.transfers.ours = None;
            return self.hang_up(Initiator::Siphon, None, Some("transferred"), env);
        }
        self.transfers.ours.take_if(|ours| !ours.subscriber.is_open());
    }

    pub(super) fn referring_tick(&mut self, env: &mut Env<'_>) {
        let Some(ours) = self.transfers.ours.as_mut() else { return };
        let told = ours.subscriber.tick(env.now);
        self.refer_told(told, env);
    }

    /// What a REFER or its NOTIFY has on the other side besides what any request has.
    pub(super) fn add_referral(&mut self, request: &Message, from: LegId, headers: &mut Vec<Header>) {
        match request.method() {
            Method::Refer => {
                headers.retain(|(name, _)| {
                    !matches!(HeaderId::from_name(name), HeaderId::ReferTo | HeaderId::ReferredBy)
                });
                if let Ok(Some(mut refer_to)) = request.refer_to() {
                    if let (Some(named), Some(far)) = (refer_to.replaces.as_mut(), self.transfers.far.take())
                    {
                        *named = far;
                    }
                    headers.push(("Refer-To".into(), refer_to.to_string().into()));
                }
                let by = request.values(HeaderId::ReferredBy).take(1);
                headers.extend(by.map(|value| (Text::from("Referred-By"), Text::from(&*value))));
            }
            Method::Notify => {
                let Ok(Some(event)) = request.event() else { return };
                let number = event.id.as_ref().and_then(|id| id.parse::<u32>().ok());
                let passed = self.transfers.passed.iter();
                let known = passed.rev().find(|p| p.to == from && Some(p.sent_cseq) == number);
                if let (Some(known), true) = (known, event.package == "refer") {
                    let event = Event::refer(Some(known.cseq));
                    headers.retain(|(name, _)| HeaderId::from_name(name) != HeaderId::Event);
                    headers.push(("Event".into(), event.to_string().into()));
                }
            }
            _ => {}
        }
    }

    /// A REFER is on its way to the other side.
    pub(super) fn note_passed(&mut self, request: &Message, to: LegId, sent_cseq: u32) {
        if request.method() != Method::Refer {
            return;
        }
        if self.transfers.passed.len() >= MOST_PASSED {
            self.transfers.passed.remove(0);
        }
        self.transfers.passed.push(PassedRefer { cseq: request.cseq(), to, sent_cseq });
    }
}

/// A REFER of ours.
fn refer(leg: &mut Leg, refer_to: Text) -> Option<Outgoing> {
    let cseq = leg.dialog()?.dialog.next_cseq();
    let contact = leg.contact.clone();
    let dialog = &leg.dialogs.first()?.dialog;
    let headers = vec![("Refer-To".into(), refer_to)];
    Some(Outgoing { contact: Some(contact), headers, ..writing::in_dialog(leg, dialog, "REFER", cseq) })
}
