//! The phone as caller, and both sides of a dialog (RFC 3261 12, 13.2, 15, 9.1): ACK, re-INVITE, INFO, BYE, CANCEL.

use super::clients::{ClientKey, Purpose};
use super::writing::Draft;
use super::{Alarm, Hop, Phone};
use crate::base::text::Octets;
use crate::base::time::Duration;
use crate::sim::order::{CallPlan, Expect};
use crate::sim::reading::{Reading, address};
use crate::sim::wire::Wire;
use std::collections::BTreeMap;

/// A call this phone started, until its INVITE has a final response.
pub(super) struct Call {
    plan: CallPlan,
    invite: ClientKey,
    draft: Draft,
    wants_cancel: bool,
    cancelled: bool,
    answered: bool,
}

/// Call-ID, local tag, remote tag.
pub(super) type DialogKey = (String, String, String);

/// One dialog.
pub(super) struct Dialog {
    /// The To value of requests from here.
    pub(super) remote: String,
    pub(super) target: String,
    pub(super) routes: Vec<String>,
    pub(super) cseq: u32,
    pub(super) remote_cseq: u32,
    /// The ACK of each INVITE answered with a 2xx, by CSeq number.
    acks: BTreeMap<u32, (Hop, Octets)>,
    reinvites: u8,
    infos: u8,
    hang_up_after: Option<Duration>,
    ended: bool,
}

impl Dialog {
    /// The dialog that `request` makes at the side that is called.
    pub(super) fn called(request: &Reading<'_>) -> Self {
        Dialog {
            remote: request.header("From").unwrap_or("").to_owned(),
            target: request.header("Contact").map(address).unwrap_or("").to_owned(),
            routes: request.values("Record-Route").into_iter().map(str::to_owned).collect(),
            cseq: 100,
            remote_cseq: request.cseq().0,
            acks: BTreeMap::new(),
            reinvites: 0,
            infos: 0,
            hang_up_after: None,
            ended: false,
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    pub(super) fn end(&mut self) -> bool {
        !std::mem::replace(&mut self.ended, true)
    }
}

impl Phone {
    pub(super) fn call(&mut self, plan: CallPlan, wire: &mut Wire) {
        let call_id = self.fresh("call-");
        let body = match plan.body {
            0 => plan.text.clone(),
            n => format!("v=0\r\no={} 1 1 IN IP4 0.0.0.0\r\n{}", self.account.user, "a=x\r\n".repeat(n / 5)),
        };
        let draft = Draft {
            method: "INVITE".to_owned(),
            uri: plan.to.clone(),
            from_tag: self.fresh("f"),
            to: format!("<{}>", plan.to),
            call_id: call_id.clone(),
            cseq: 1,
            headers: plan.headers.clone(),
            body,
            ..Draft::default()
        };
        let hop = self.proxy_hop();
        let invite = self.start(draft.clone(), Purpose::Call, hop, plan.expect.clone(), wire);
        if let Some(after) = plan.cancel_after {
            self.alarm(after, Alarm::Cancel(call_id.clone()), wire);
        }
        wire.audit.phone_called(&call_id);
        let call = Call { plan, invite, draft, wants_cancel: false, cancelled: false, answered: false };
        self.calls.insert(call_id, call);
    }

    /// The INVITE was sent again with credentials.
    pub(super) fn restarted(&mut self, call_id: &str, draft: Draft, invite: ClientKey) {
        if let Some(call) = self.calls.get_mut(call_id) {
            call.draft = draft;
            call.invite = invite;
        }
    }

    pub(super) fn is_cancelled(&self, call_id: &str) -> bool {
        self.calls.get(call_id).is_some_and(|c| c.cancelled || c.wants_cancel)
    }

    /// The user gives up.
    pub(super) fn cancel(&mut self, call_id: &str, wire: &mut Wire) {
        if let Some(call) = self.calls.get_mut(call_id).filter(|c| !c.answered) {
            call.wants_cancel = true;
            self.cancel_if_due(call_id, wire);
        }
    }

    /// RFC 3261 9.1: not before a provisional response, not after a final one.
    pub(super) fn cancel_if_due(&mut self, call_id: &str, wire: &mut Wire) {
        let Some(call) = self.calls.get_mut(call_id).filter(|c| c.wants_cancel && !c.cancelled) else {
            return;
        };
        let invite = self.clients.get(&call.invite);
        let Some(invite) = invite.filter(|t| t.provisional && !t.finished) else { return };
        call.cancelled = true;
        let (branch, hop) = (call.invite.0.clone(), invite.hop);
        let draft = Draft {
            method: "CANCEL".to_owned(),
            headers: String::new(),
            body: String::new(),
            ..call.draft.clone()
        };
        self.start_with(branch, draft, Purpose::Cancel, hop, Expect::Answer, true, wire);
    }

    /// A final response to an INVITE of ours.
    pub(super) fn invite_final(&mut self, key: &ClientKey, response: &Reading<'_>, wire: &mut Wire) {
        let Some(t) = self.clients.get_mut(key) else { return };
        let first = !std::mem::replace(&mut t.finished, true);
        if first {
            t.ends = wire.now + super::T1_64;
        }
        let (draft, purpose, hop) = (t.draft.clone(), t.purpose.clone(), t.hop);
        if first {
            self.alarm(super::T1_64, Alarm::ClientEnd(key.clone()), wire);
        }
        if response.status() >= 300 {
            // RFC 3261 17.1.1.3: by hop, same branch, for every copy.
            let to = response.header("To").unwrap_or("").to_owned();
            let ack =
                Draft { method: "ACK".to_owned(), to, headers: String::new(), body: String::new(), ..draft };
            let bytes = self.write_request(&ack, &key.0, hop.transport);
            self.transmit(hop, &bytes, wire);
            if first && !self.answers_challenge(key, response, wire) {
                self.outcome(key, response.status(), wire);
                self.ended(&ack.call_id, &purpose, wire);
            }
            return;
        }
        let remote_tag = response.tag("To").unwrap_or("").to_owned();
        let dialog_key = (draft.call_id.clone(), draft.from_tag.clone(), remote_tag.clone());
        wire.audit.phone_heard_success(&draft.call_id, &remote_tag, draft.cseq);
        if first {
            self.outcome(key, response.status(), wire);
        }
        match purpose {
            Purpose::Call => self.answered(&dialog_key, &key.0, &draft, response, wire),
            _ => self.acknowledge(&dialog_key, &key.0, &draft, wire),
        }
        if first && purpose != Purpose::Call {
            self.later_in_call(&dialog_key, wire);
        }
    }

    fn ended(&mut self, call_id: &str, purpose: &Purpose, wire: &mut Wire) {
        match purpose {
            Purpose::Call => {
                if let Some(call) = self.calls.get_mut(call_id) {
                    call.answered = true;
                }
            }
            // A refused re-INVITE leaves the dialog as it was.
            Purpose::InDialog { remote_tag } => {
                let tags: Vec<_> =
                    self.dialogs.keys().filter(|k| k.0 == call_id && k.2 == *remote_tag).cloned().collect();
                for key in tags {
                    self.later_in_call(&key, wire);
                }
            }
            _ => {}
        }
    }

    /// A 2xx to the INVITE that started a call: each remote tag is a dialog of its own.
    fn answered(
        &mut self,
        key: &DialogKey,
        invite_branch: &str,
        draft: &Draft,
        response: &Reading<'_>,
        wire: &mut Wire,
    ) {
        if !self.dialogs.contains_key(key) {
            let mut routes: Vec<String> =
                response.values("Record-Route").into_iter().map(str::to_owned).collect();
            routes.reverse();
            let Some(call) = self.calls.get_mut(&key.0) else { return };
            let superfluous = std::mem::replace(&mut call.answered, true) || call.wants_cancel;
            let plan = call.plan.clone();
            let dialog = Dialog {
                remote: response.header("To").unwrap_or("").to_owned(),
                target: response.header("Contact").map(address).unwrap_or("").to_owned(),
                routes,
                cseq: draft.cseq,
                remote_cseq: 0,
                acks: BTreeMap::new(),
                reinvites: if superfluous { 0 } else { plan.reinvites },
                infos: if superfluous { 0 } else { plan.infos },
                hang_up_after: if superfluous { Some(Duration::from_millis(20)) } else { plan.hang_up_after },
                ended: false,
            };
            self.dialogs.insert(key.clone(), dialog);
            self.acknowledge(key, invite_branch, draft, wire);
            return self.later_in_call(key, wire);
        }
        self.acknowledge(key, invite_branch, draft, wire);
    }

    /// RFC 3261 13.2.2.4: the ACK to a 2xx is sent along the route set, and again for every copy of the 2xx.
    fn acknowledge(&mut self, key: &DialogKey, invite_branch: &str, draft: &Draft, wire: &mut Wire) {
        let Some(dialog) = self.dialogs.get_mut(key) else { return };
        if !dialog.acks.contains_key(&draft.cseq) {
            let ack = Draft {
                method: "ACK".to_owned(),
                uri: dialog.target.clone(),
                from_tag: key.1.clone(),
                to: dialog.remote.clone(),
                call_id: key.0.clone(),
                cseq: draft.cseq,
                routes: dialog.routes.clone(),
                ..Draft::default()
            };
            let branch = match self.account.old_ack {
                true => invite_branch.to_owned(),
                false => format!("z9hG4bK-ack-{}-{}-{}", key.0, key.2, draft.cseq),
            };
            let hop = self.first_hop(&ack.routes, &ack.uri);
            let bytes = self.write_request(&ack, &branch, hop.transport);
            if let Some(dialog) = self.dialogs.get_mut(key) {
                dialog.acks.insert(draft.cseq, (hop, bytes));
            }
            self.branches.insert(branch);
        }
        let again = self.dialogs.get(key).and_then(|d| d.acks.get(&draft.cseq).cloned());
        if let Some((hop, bytes)) = again {
            self.transmit(hop, &bytes, wire);
        }
    }

    /// What is next in a running call: re-INVITEs, INFOs, then hanging up.
    pub(super) fn later_in_call(&mut self, key: &DialogKey, wire: &mut Wire) {
        let Some(dialog) = self.dialogs.get(key).filter(|d| !d.ended) else { return };
        if dialog.reinvites > 0 || dialog.infos > 0 {
            let after = wire.between((Duration::from_millis(20), Duration::from_millis(300)));
            self.alarm(after, Alarm::Next(key.clone()), wire);
        } else if let Some(after) = dialog.hang_up_after {
            self.alarm(after, Alarm::HangUp(key.clone()), wire);
        }
    }

    pub(super) fn next_in_call(&mut self, key: &DialogKey, wire: &mut Wire) {
        let Some(dialog) = self.dialogs.get_mut(key).filter(|d| !d.ended) else { return };
        let method = match (dialog.reinvites, dialog.infos) {
            (1.., _) => {
                dialog.reinvites -= 1;
                "INVITE"
            }
            (0, 1..) => {
                dialog.infos -= 1;
                "INFO"
            }
            (0, 0) => return self.later_in_call(key, wire),
        };
        self.in_dialog(key, method, wire);
    }

    pub(super) fn set_hang_up(&mut self, key: &DialogKey, after: Duration, wire: &mut Wire) {
        self.alarm(after, Alarm::HangUp(key.clone()), wire);
    }

    pub(super) fn hang_up(&mut self, key: &DialogKey, wire: &mut Wire) {
        if self.dialogs.get_mut(key).is_some_and(Dialog::end) {
            self.in_dialog(key, "BYE", wire);
        }
    }

    /// Its dialogs of a call that are not over.
    pub(super) fn dialogs_of(&self, call_id: &str) -> Vec<DialogKey> {
        self.dialogs.iter().filter(|(k, d)| k.0 == call_id && !d.ended).map(|(k, _)| k.clone()).collect()
    }

    fn in_dialog(&mut self, key: &DialogKey, method: &str, wire: &mut Wire) {
        self.in_dialog_with(key, method, String::new(), String::new(), wire);
    }

    pub(super) fn in_dialog_with(
        &mut self,
        key: &DialogKey,
        method: &str,
        headers: String,
        body: String,
        wire: &mut Wire,
    ) {
        let Some(dialog) = self.dialogs.get_mut(key) else { return };
        dialog.cseq += 1;
        let draft = Draft {
            method: method.to_owned(),
            uri: dialog.target.clone(),
            from_tag: key.1.clone(),
            to: dialog.remote.clone(),
            call_id: key.0.clone(),
            cseq: dialog.cseq,
            routes: dialog.routes.clone(),
            headers,
            body,
        };
        let hop = self.first_hop(&draft.routes, &draft.uri);
        let purpose = Purpose::InDialog { remote_tag: key.2.clone() };
        self.start(draft, purpose, hop, Expect::Answer, wire);
    }

    /// A request inside a dialog has its final response.
    pub(super) fn in_dialog_done(&mut self, key: &ClientKey, response: &Reading<'_>, wire: &mut Wire) {
        let Some(t) = self.clients.get(key) else { return };
        let Purpose::InDialog { remote_tag } = &t.purpose else { return };
        let dialog = (t.draft.call_id.clone(), t.draft.from_tag.clone(), remote_tag.clone());
        if response.status() == 481
            && let Some(dialog) = self.dialogs.get_mut(&dialog)
        {
            dialog.end();
        }
        self.later_in_call(&dialog, wire);
    }
}
