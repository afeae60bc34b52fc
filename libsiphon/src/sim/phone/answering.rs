//! The phone when it is called: ringing, answering, refusing (RFC 3261 13.3, 9.2, 12.2.2, 15.1.2).

use super::calling::Dialog;
use super::servers::ServerKey;
use super::{Alarm, Phone};
use crate::base::text::Octets;
use crate::base::time::Duration;
use crate::sim::order::Then;
use crate::sim::reading::Reading;
use crate::sim::wire::Wire;

impl Phone {
    pub(super) fn on_invite(&mut self, key: &ServerKey, request: &Reading<'_>, wire: &mut Wire) {
        if request.tag("To").is_some() {
            return self.on_reinvite(key, request, wire);
        }
        let manner = self.manner.clone();
        if let Some(after) = manner.ring_after {
            self.alarm(after, Alarm::Ring(key.clone()), wire);
        }
        match manner.then {
            Then::Answer(after) | Then::Refuse(_, after, _) | Then::Garbage(after) => {
                self.alarm(after, Alarm::Final(key.clone()), wire);
            }
            Then::Nothing | Then::ByHand => {}
        }
        if manner.ring_after.is_none() && matches!(manner.then, Then::Nothing) {
            // Nothing will ever end it: nobody waits for a phone that is silent.
            self.alarm(Duration::from_secs(200), Alarm::ServerEnd(key.clone()), wire);
        }
    }

    fn on_reinvite(&mut self, key: &ServerKey, request: &Reading<'_>, wire: &mut Wire) {
        match self.dialog_of(request, wire) {
            true => self.respond(key, 200, "", wire),
            false => self.respond(key, 481, "", wire),
        }
    }

    pub(super) fn ring(&mut self, key: &ServerKey, wire: &mut Wire) {
        let Some(t) = self.servers.get(key).filter(|t| t.status < 200) else { return };
        let again = t.manner.ring_again;
        self.respond(key, 180, "", wire);
        if let Some(after) = again {
            self.alarm(after, Alarm::Ring(key.clone()), wire);
        }
    }

    /// What the manner says comes last.
    pub(super) fn decide(&mut self, key: &ServerKey, wire: &mut Wire) {
        let Some(t) = self.servers.get(key).filter(|t| t.status < 200) else { return };
        match t.manner.then.clone() {
            Then::Answer(_) => self.pick_up(key, wire),
            Then::Refuse(code, _, headers) => self.respond(key, code, &headers, wire),
            Then::Garbage(_) => {
                let hop = t.hop;
                let noise = Octets::from(b"SIP/2.0 abc not a message\r\nVia: ,,,\r\n\r\n".as_slice());
                self.transmit(hop, &noise, wire);
                self.alarm(Duration::from_secs(1), Alarm::LateAnswer(key.clone()), wire);
            }
            Then::Nothing | Then::ByHand => {}
        }
    }

    /// 200, and a dialog with it.
    pub(super) fn pick_up(&mut self, key: &ServerKey, wire: &mut Wire) {
        self.pick_up_with(key, 200, "", "", wire);
    }

    fn pick_up_with(&mut self, key: &ServerKey, code: u16, headers: &str, body: &str, wire: &mut Wire) {
        let Some(t) = self.servers.get(key).filter(|t| t.status < 200) else { return };
        let (request, to_tag) = (t.request.clone(), t.to_tag.clone());
        let Some(reading) = Reading::of(&request) else { return };
        let from_tag = reading.tag("From").unwrap_or("").to_owned();
        let dialog = (reading.call_id().to_owned(), to_tag, from_tag);
        self.dialogs.insert(dialog, Dialog::called(&reading));
        self.respond_with(key, code, headers, body, wire);
    }

    /// Answers whatever waits with this Call-ID.
    pub(super) fn respond_by_hand(
        &mut self,
        call_id: &str,
        code: u16,
        headers: &str,
        body: &str,
        wire: &mut Wire,
    ) {
        let waits = |t: &super::ServerTransaction| {
            t.status < 200 && Reading::of(&t.request).is_some_and(|r| r.call_id() == call_id)
        };
        let waiting: Vec<ServerKey> =
            self.servers.iter().filter(|(_, t)| waits(t)).map(|(k, _)| k.clone()).collect();
        for key in waiting {
            match key.2 == "INVITE" && code / 100 == 2 {
                true => self.pick_up_with(&key, code, headers, body, wire),
                false => self.respond_with(&key, code, headers, body, wire),
            }
        }
    }

    pub(super) fn on_cancel(&mut self, key: &ServerKey, request: &Reading<'_>, wire: &mut Wire) {
        let invite = (key.0.clone(), key.1.clone(), "INVITE".to_owned());
        let Some(t) = self.servers.get(&invite) else { return self.respond(key, 481, "", wire) };
        wire.audit.phone_cancelled(&self.account.user, request);
        let (open, crosses) = (t.status < 200, t.manner.answers_cancel);
        match (open, crosses) {
            (true, Some(Duration::ZERO)) => {
                self.pick_up(&invite, wire);
                self.respond(key, 200, "", wire);
            }
            (true, Some(after)) => {
                self.respond(key, 200, "", wire);
                self.alarm(after, Alarm::LateAnswer(invite), wire);
            }
            (true, None) => {
                self.respond(key, 200, "", wire);
                self.respond(&invite, 487, "", wire);
            }
            (false, _) => self.respond(key, 200, "", wire),
        }
    }

    pub(super) fn on_other(&mut self, key: &ServerKey, request: &Reading<'_>, wire: &mut Wire) {
        let in_dialog = request.tag("To").is_some();
        let known = in_dialog && self.dialog_of(request, wire);
        if key.2 == "BYE" {
            let dialog = dialog_key(request);
            if known && let Some(dialog) = self.dialogs.get_mut(&dialog) {
                dialog.end();
            }
            return self.respond(key, if known { 200 } else { 481 }, "", wire);
        }
        if in_dialog && !known {
            return self.respond(key, 481, "", wire);
        }
        let Some(t) = self.servers.get(key) else { return };
        let (status, slow) = (t.manner.status, t.manner.slow);
        match slow {
            Some(after) if !in_dialog => {
                self.respond(key, 100, "", wire);
                self.respond(key, 183, "", wire);
                self.alarm(after / 2, Alarm::Ring(key.clone()), wire);
                self.alarm(after, Alarm::SlowAnswer(key.clone()), wire);
            }
            _ if status == 0 => {
                // Silent towards everything: forgotten when nobody asks any more.
                self.alarm(Duration::from_secs(64), Alarm::ServerEnd(key.clone()), wire);
            }
            _ => self.respond(key, if in_dialog { 200 } else { status }, "", wire),
        }
    }

    pub(super) fn answer_slowly(&mut self, key: &ServerKey, wire: &mut Wire) {
        let Some(status) = self.servers.get(key).map(|t| t.manner.status) else { return };
        self.respond(key, status, "", wire);
    }

    /// Whether `request` is for a dialog of ours; its CSeq must rise (RFC 3261 12.2.2).
    fn dialog_of(&mut self, request: &Reading<'_>, wire: &mut Wire) -> bool {
        let key = dialog_key(request);
        let Some(dialog) = self.dialogs.get_mut(&key) else { return false };
        let cseq = request.cseq().0;
        // The same number again is a copy on another connection (RFC 3263 4.3).
        if cseq < dialog.remote_cseq && !wire.conditions.is_rough() {
            let what =
                format!("{} got CSeq {cseq} after {} in {}", self.account.user, dialog.remote_cseq, key.0);
            wire.audit.fail(wire.now, "order within a dialog", what);
        }
        dialog.remote_cseq = dialog.remote_cseq.max(cseq);
        true
    }
}

fn dialog_key(request: &Reading<'_>) -> (String, String, String) {
    let tag = |name| request.tag(name).unwrap_or("").to_owned();
    (request.call_id().to_owned(), tag("To"), tag("From"))
}
