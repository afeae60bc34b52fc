//! One side of a call: an INVITE, the dialogs it makes, and what is still owed on them.

use super::early::Assured;
use super::exchange::describes;
use super::port::{ClientRef, Outgoing, ServerRef};
use super::refresh::Pace;
use super::writing::{Body, body_of};
use crate::base::flow::Flow;
use crate::base::text::{Octets, Text};
use crate::base::time::{Duration, Instant};
use crate::policy::{Initiator, Target};
use crate::proto::dialog::{Dialog, Sent};
use crate::proto::session::reliable::Uac;
use crate::proto::session::{Carrier, Direction, Meaning, OfferAnswer};
use crate::wire::sip::{Message, RAck};

/// Names a leg within its call. 0 is the A-leg.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LegId(pub u16);

impl LegId {
    /// The leg of whoever called.
    pub const CALLER: LegId = LegId(0);
}

/// Names a dialog within its call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct DialogId(pub(super) u32);

/// One end of an exchange: a dialog of a leg.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct End {
    pub(super) leg: LegId,
    pub(super) dialog: DialogId,
}

/// How far a leg has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LegState {
    /// Its INVITE has no final response.
    Early,
    /// 2xx and ACK have been exchanged, or will be without anything more to decide.
    Confirmed,
    /// Our BYE waits for its response, or must wait for the ACK first (RFC 3261 15).
    Leaving,
    /// Nothing is owed on it.
    Gone,
}

/// A leg.
#[derive(Clone, Debug)]
pub(super) struct Leg {
    pub(super) id: LegId,
    pub(super) who: Initiator,
    pub(super) state: LegState,
    pub(super) call_id: Text,
    pub(super) invite: Invite,
    /// The early ones; once it is confirmed, the one.
    pub(super) dialogs: Vec<LegDialog>,
    /// Where the peer's messages come from, when its Contact is no good.
    pub(super) flow: Option<Flow>,
    /// A 2xx of ours that waits for its ACK.
    pub(super) unacked: Option<Unacked>,
    /// What the other side was last told of this side's session.
    pub(super) described: Option<Octets>,
    /// Its session timer.
    pub(super) pace: Pace,
    /// User part of our Contact on this leg.
    pub(super) contact: Text,
}

/// The INVITE that makes the leg.
#[derive(Clone, Debug)]
pub(super) enum Invite {
    /// It came.
    Received {
        server: ServerRef,
        /// As received; the INVITE that policy edits is the call's.
        request: Message,
        /// The tag of responses that belong to no B-leg.
        tag: Text,
        answered: bool,
    },
    /// It was sent.
    Sent(Box<SentInvite>),
}

/// An INVITE of ours.
#[derive(Clone, Debug)]
pub(super) struct SentInvite {
    pub(super) client: Option<ClientRef>,
    pub(super) sent: Sent,
    pub(super) target: Target,
    /// To be sent again with credentials or another session timer.
    pub(super) request: Outgoing,
    /// It carries an offer, so the 2xx has the answer and is acknowledged at once.
    pub(super) has_offer: bool,
    /// It says `Supported: 100rel`.
    pub(super) reliable: bool,
    pub(super) cancelled: bool,
    pub(super) give_up: Option<Instant>,
    /// How long the target may take.
    pub(super) timeout: Duration,
    /// How often credentials were sent.
    pub(super) logins: u8,
}

/// A dialog of a leg, with what ties it to the other side.
#[derive(Clone, Debug)]
pub(super) struct LegDialog {
    pub(super) id: DialogId,
    pub(super) dialog: Dialog,
    /// The dialog on the other side that this one stands for: leg, and the tag of its peer.
    pub(super) other: Option<(LegId, Text)>,
    /// A 2xx made it more than early.
    pub(super) is_confirmed: bool,
    /// The ACK we sent to the last 2xx, for its copies: CSeq number and request.
    pub(super) ack: Option<(u32, Box<Outgoing>)>,
    /// Its offers and answers.
    pub(super) session: OfferAnswer,
    /// The reliable responses that came in it.
    pub(super) heard: Uac,
    /// The reliable responses that were sent in it.
    pub(super) assured: Option<Box<Assured>>,
    /// The session description its peer got last.
    pub(super) said: Option<Body>,
    /// The one in the peer's last reliable response, which its 2xx need not repeat.
    pub(super) told: Option<Body>,
    /// A reliable response with an offer waits for a PRACK with the answer.
    pub(super) owed: Option<RAck>,
}

impl LegDialog {
    /// A dialog that the peer's response to our INVITE makes.
    pub(super) fn called(id: DialogId, dialog: Dialog, invite: &SentInvite) -> Self {
        let mut session = OfferAnswer::new();
        let _ = session.handle(Direction::Sent, Carrier::Invite, invite.sent.cseq, invite.has_offer);
        let said = invite.request.body.clone().filter(|_| invite.has_offer);
        LegDialog { session, said, heard: Uac::new(invite.sent.cseq), ..LegDialog::bare(id, dialog) }
    }

    /// A dialog that our response to the peer's INVITE makes.
    pub(super) fn calling(id: DialogId, dialog: Dialog, invite: &Message) -> Self {
        let mut session = OfferAnswer::new();
        let has_offer = describes(body_of(invite).as_ref());
        let _ = session.handle(Direction::Received, Carrier::Invite, invite.cseq(), has_offer);
        LegDialog { session, ..LegDialog::bare(id, dialog) }
    }

    fn bare(id: DialogId, dialog: Dialog) -> Self {
        LegDialog {
            id,
            dialog,
            other: None,
            is_confirmed: false,
            ack: None,
            session: OfferAnswer::new(),
            heard: Uac::new(0),
            assured: None,
            said: None,
            told: None,
            owed: None,
        }
    }

    /// Takes in a message that came or leaves whatever the rules say of it. A peer that leaves out a session
    /// description that is due is not taken down for it: offers and answers begin anew.
    pub(super) fn note(&mut self, way: Direction, carrier: Carrier, cseq: u32, sdp: bool) -> Meaning {
        self.session.handle(way, carrier, cseq, sdp).unwrap_or_else(|_| {
            self.session = OfferAnswer::new();
            Meaning::Nothing
        })
    }
}

/// A 2xx that is sent again until its ACK comes (RFC 3261 13.3.1.4).
#[derive(Clone, Debug)]
pub(super) struct Unacked {
    pub(super) server: ServerRef,
    pub(super) cseq: u32,
    pub(super) next: Instant,
    pub(super) interval: Duration,
    pub(super) until: Instant,
    /// The leg whose 2xx had the offer and waits for an ACK with the answer: leg and CSeq number.
    pub(super) owes: Option<(LegId, u32)>,
    /// Say BYE as soon as it is acknowledged.
    pub(super) then_bye: bool,
}

impl Leg {
    /// The dialog, once there is only one; else the first.
    pub(super) fn dialog(&mut self) -> Option<&mut LegDialog> {
        self.dialogs.first_mut()
    }

    pub(super) fn dialog_with(&mut self, remote_tag: &str) -> Option<&mut LegDialog> {
        self.dialogs.iter_mut().find(|d| &*d.dialog.remote_tag == remote_tag)
    }

    pub(super) fn dialog_at(&mut self, id: DialogId) -> Option<&mut LegDialog> {
        self.dialogs.iter_mut().find(|d| d.id == id)
    }

    pub(super) fn sent(&mut self) -> Option<&mut SentInvite> {
        match &mut self.invite {
            Invite::Sent(sent) => Some(sent),
            Invite::Received { .. } => None,
        }
    }

    pub(super) fn is_sent(&self) -> bool {
        matches!(self.invite, Invite::Sent(_))
    }

    /// A BYE of ours is under way, or due: it was answered and its answer was taken.
    pub(super) fn said_bye(&self) -> bool {
        self.dialogs.iter().any(|d| d.is_confirmed)
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self.state, LegState::Early | LegState::Confirmed)
    }

    /// Our tags on it: of its dialogs, and of an INVITE that has none yet.
    pub(super) fn tags(&self) -> Vec<Text> {
        let mut tags: Vec<Text> = self.dialogs.iter().map(|d| d.dialog.local_tag.clone()).collect();
        tags.push(match &self.invite {
            Invite::Received { tag, .. } => tag.clone(),
            Invite::Sent(sent) => sent.sent.from_tag.clone(),
        });
        tags.sort();
        tags.dedup();
        tags
    }

    /// When something is due on this leg.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let unacked = self.unacked.as_ref().map(|u| u.next.min(u.until));
        let give_up = match &self.invite {
            Invite::Sent(sent) if self.state == LegState::Early => sent.give_up,
            _ => None,
        };
        let session = self.pace.timer.deadline().filter(|_| self.state == LegState::Confirmed);
        [unacked, give_up, self.assured_deadline(), session].into_iter().flatten().min()
    }

    /// When a reliable response of ours is due again.
    pub(super) fn assured_deadline(&self) -> Option<Instant> {
        let assured = self.dialogs.iter().filter_map(|d| d.assured.as_ref());
        assured.filter(|_| self.state == LegState::Early).filter_map(|a| a.deadline()).min()
    }
}
