//! Legs that go from one call to another (RFC 3891): finding the call, and bringing back what cannot be joined.

use crate::base::slab::Key;
use crate::engine::contract::Effects;
use crate::engine::shard::Shard;
use crate::proto::b2bua::{Adopted, Handed, Input, LegId, ReturnTo};
use crate::wire::sip::{Message, Method, Replaces};

impl Shard {
    /// Hands a leg to the call that `replaces` names.
    pub(super) fn hand_over(&mut self, from: Key, leg: Box<Handed>, replaces: &Replaces, out: &mut Effects) {
        let to = ReturnTo { shard: self.index, call: from.to_u64() };
        self.take_in(to, leg, replaces, out);
    }

    fn take_in(&mut self, to: ReturnTo, leg: Box<Handed>, replaces: &Replaces, out: &mut Effects) {
        let origin = (to.shard == self.index).then(|| Key::from_u64(to.call));
        let found = self.replaced(replaces).filter(|(call, _)| Some(*call) != origin);
        let Some((call, replaced)) = found else {
            return self.return_leg(to, Adopted::Unknown { leg }, out);
        };
        match replaced {
            Ok(replaced) => {
                self.claim_server(&leg, call);
                self.calls.queue.push_back((call, Input::Adopt { leg, replaced, to }));
            }
            Err(code) => self.return_leg(to, Adopted::Refused { code, leg }, out),
        }
    }

    /// Tells a call what became of a leg of its.
    pub(super) fn return_leg(&mut self, to: ReturnTo, outcome: Adopted, _out: &mut Effects) {
        let call = Key::from_u64(to.call);
        if let Adopted::Unknown { leg } | Adopted::Refused { leg, .. } = &outcome {
            self.claim_server(leg, call);
        }
        self.calls.queue.push_back((call, Input::Returned { outcome }));
    }

    /// The INVITE of a leg belongs to the call that has the leg.
    fn claim_server(&mut self, leg: &Handed, call: Key) {
        if let Some(entry) = leg.server().and_then(|server| self.servers.get_mut(Key::from_u64(server.0))) {
            entry.call = Some(call);
        }
    }

    /// The call with the dialog that is named, and the leg that is to go, or the status to refuse with.
    fn replaced(&self, replaces: &Replaces) -> Option<(Key, Result<LegId, u16>)> {
        let (call, leg) = self.named(replaces)?;
        Some((call, self.calls.slab.get(call)?.call.replaced(leg, replaces)))
    }

    /// A dialog named as its peer sees it (RFC 3891 3), or as the other side of it does.
    fn named(&self, replaces: &Replaces) -> Option<(Key, LegId)> {
        let find = |tag: &str| {
            self.calls.dialogs.find(self.dialog_hash(&replaces.call_id, tag), &replaces.call_id, tag)
        };
        find(&replaces.to_tag).or_else(|| find(&replaces.from_tag))
    }

    /// A REFER that goes to the other side names the dialog to replace as that side's peer knows it.
    pub(super) fn note_far_side(&mut self, call: Key, request: &Message) {
        if request.method() != Method::Refer {
            return;
        }
        let replaces = request.refer_to().ok().flatten().and_then(|to| to.replaces);
        let named = replaces.and_then(|replaces| self.named(&replaces));
        let far = named.and_then(|(call, leg)| self.calls.slab.get(call)?.call.far_side(leg));
        if let Some(hosted) = self.calls.slab.get_mut(call) {
            hosted.call.set_far_side(far);
        }
    }
}
