//! Legs that go from one call to another (RFC 3891): finding the call, on this shard or another, and bringing back what
//! cannot be joined.

use crate::base::slab::Key;
use crate::base::text::Text;
use crate::engine::contract::{Effect, Effects, Mail};
use crate::engine::shard::Shard;
use crate::proto::b2bua::{Adopted, Handed, Input, LegId, ReturnTo};
use crate::wire::sip::{HeaderId, Message, Method, Replaces};

impl Shard {
    /// Hands a leg to the call that `replaces` names, here or on the shard that has its Call-ID.
    pub(super) fn hand_over(&mut self, from: Key, leg: Box<Handed>, replaces: Replaces, out: &mut Effects) {
        let to = ReturnTo { shard: self.index, call: from.to_u64() };
        let home = self.node.home_of(&replaces.call_id);
        // An INVITE that waits for its response is answered where it came in.
        let stays = home == self.index || leg.server().is_some() || self.named(&replaces).is_some();
        match stays {
            true => self.take_in(to, leg, &replaces, out),
            false => {
                let mail = Mail::Adopt { leg, replaces: Box::new(replaces), to };
                out.push(Effect::Post { to: home, mail: Box::new(mail) });
            }
        }
    }

    /// A leg that is to take a place in a call of this shard.
    pub(crate) fn take_in(&mut self, to: ReturnTo, leg: Box<Handed>, replaces: &Replaces, out: &mut Effects) {
        let origin = (to.shard == self.index).then(|| Key::from_u64(to.call));
        let found = self.replaced(replaces).filter(|(call, _)| Some(*call) != origin);
        let Some((call, replaced)) = found else {
            return self.return_leg(to, Adopted::Unknown { leg }, out);
        };
        let replaced = if self.node.aliases.has_room() { replaced } else { Err(503) };
        match replaced {
            Ok(replaced) => {
                self.claim_server(&leg, call);
                self.feed_call(call, Input::Adopt { leg, replaced, to }, out);
            }
            Err(code) => self.return_leg(to, Adopted::Refused { code, leg }, out),
        }
    }

    /// Tells a call what became of a leg of its.
    pub(crate) fn return_leg(&mut self, to: ReturnTo, outcome: Adopted, out: &mut Effects) {
        if to.shard != self.index {
            let mail = Box::new(Mail::Returned { to, outcome });
            return out.push(Effect::Post { to: to.shard, mail });
        }
        let call = Key::from_u64(to.call);
        if let Adopted::Unknown { leg } | Adopted::Refused { leg, .. } = &outcome {
            self.claim_server(leg, call);
        }
        self.feed_call(call, Input::Returned { outcome }, out);
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

    /// A REFER that goes to the other side names the dialog to replace as that side's peer knows it. A dialog of
    /// another shard keeps its name, by which it is found, too.
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

    /// A dialog is this shard's from now on, whatever its Call-ID hashes to.
    pub(super) fn claim_call_id(&self, call_id: &str) {
        if self.is_home_of(call_id) {
            return self.node.aliases.redirect(call_id, self.index);
        }
        // At the limit nothing is adopted; a race for the last places leaves a dialog that is found by nobody, and its
        // peer hears 481.
        let _held = self.node.aliases.hold(call_id, self.index);
    }

    pub(super) fn leave_call_id(&self, call_id: &str) {
        if !self.is_home_of(call_id) {
            self.node.aliases.release(call_id);
        }
    }

    fn is_home_of(&self, call_id: &str) -> bool {
        self.node.shards == 1 || self.node.hashed_home_of(call_id) == self.index
    }

    /// What a server transaction holds while it lives: the Call-ID of a request that is here by Replaces or by an alias,
    /// so that its ACK, its CANCEL and its copies come here, too.
    pub(crate) fn hold_alias(&self, request: &Message) -> Option<Text> {
        if self.node.shards == 1 || self.node.aliases.is_empty() && !request.has(HeaderId::Replaces) {
            return None;
        }
        let away = !self.is_home_of(request.call_id()) && self.node.settings().b2bua.is_some();
        let held = away && self.node.aliases.hold(request.call_id(), self.index);
        held.then(|| request.call_id().into())
    }
}
