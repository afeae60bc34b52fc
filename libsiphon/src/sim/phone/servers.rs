//! The phone's server transactions (RFC 3261 17.2, RFC 6026): copies of a request get the same response again, finals to
//! INVITE are sent until the ACK comes.

use super::{Alarm, Hop, Phone, T1, T1_64, T2};
use crate::base::text::Octets;
use crate::base::time::{Duration, Instant};
use crate::sim::order::Manner;
use crate::sim::reading::Reading;
use crate::sim::wire::Wire;

/// Branch, sent-by, method.
pub(super) type ServerKey = (String, String, String);

pub(super) struct ServerTransaction {
    pub(super) hop: Hop,
    pub(super) request: Octets,
    pub(super) to_tag: String,
    pub(super) manner: Manner,
    pub(super) response: Option<Octets>,
    pub(super) status: u16,
    pub(super) acknowledged: bool,
    interval: Duration,
    answered_at: Option<Instant>,
}

impl Phone {
    pub(super) fn on_request(&mut self, hop: Hop, request: &Reading<'_>, wire: &mut Wire) {
        wire.audit.phone_received(&self.account.user, request, wire.now);
        let method = request.method();
        let key = (request.branch(0).to_owned(), request.sent_by(0).to_owned(), method.to_owned());
        if method == "ACK" {
            return self.on_ack(key, request, wire);
        }
        if let Some(t) = self.servers.get(&key) {
            // A copy: the last response once more. A 2xx to INVITE is the core's to repeat.
            let again = t.response.clone().filter(|_| method != "INVITE" || t.status / 100 != 2);
            if let Some(bytes) = again {
                let hop = t.hop;
                self.transmit(hop, &bytes, wire);
            }
            return;
        }
        let to_tag = request.tag("To").map_or_else(|| self.fresh("t"), str::to_owned);
        let transaction = ServerTransaction {
            hop,
            request: Octets::from(request.bytes()),
            to_tag,
            manner: self.manner.clone(),
            response: None,
            status: 0,
            acknowledged: false,
            interval: T1,
            answered_at: None,
        };
        self.servers.insert(key.clone(), transaction);
        match method {
            "CANCEL" => self.on_cancel(&key, request, wire),
            "INVITE" => self.on_invite(&key, request, wire),
            _ => self.on_other(&key, request, wire),
        }
    }

    /// The ACK to a failure bears the INVITE's branch, that to a 2xx only its dialog.
    fn on_ack(&mut self, key: ServerKey, request: &Reading<'_>, wire: &mut Wire) {
        let invite = (key.0, key.1, "INVITE".to_owned());
        let by_branch = self.servers.get(&invite).filter(|t| t.status >= 300).map(|_| invite);
        let (to_tag, cseq) = (request.tag("To").unwrap_or(""), request.cseq().0);
        let found = by_branch.or_else(|| {
            self.servers
                .iter()
                .find(|(k, t)| {
                    let of = Reading::of(&t.request);
                    k.2 == "INVITE"
                        && t.status / 100 == 2
                        && t.to_tag == to_tag
                        && of.is_some_and(|r| r.call_id() == request.call_id() && r.cseq().0 == cseq)
                })
                .map(|(k, _)| k.clone())
        });
        let Some(key) = found else { return };
        let Some(t) = self.servers.get_mut(&key) else { return };
        if std::mem::replace(&mut t.acknowledged, true) || t.status >= 300 {
            return;
        }
        let after = t.manner.hang_up_after;
        let from_tag = request.tag("From").unwrap_or("").to_owned();
        let dialog = (request.call_id().to_owned(), to_tag.to_owned(), from_tag);
        if let Some(after) = after {
            self.set_hang_up(&dialog, after, wire);
        }
    }

    /// Sends a response on a server transaction; a second final one is not sent.
    pub(super) fn respond(&mut self, key: &ServerKey, code: u16, headers: &str, wire: &mut Wire) {
        self.respond_with(key, code, headers, "", wire);
    }

    /// The same with a body.
    pub(super) fn respond_with(
        &mut self,
        key: &ServerKey,
        code: u16,
        headers: &str,
        body: &str,
        wire: &mut Wire,
    ) {
        let Some(t) = self.servers.get(key).filter(|t| t.status < 200) else { return };
        let (hop, to_tag, request) = (t.hop, t.to_tag.clone(), t.request.clone());
        let Some(reading) = Reading::of(&request) else { return };
        let bytes = self.write_response(&reading, &hop, code, &to_tag, headers, body);
        self.transmit(hop, &bytes, wire);
        let Some(t) = self.servers.get_mut(key) else { return };
        t.response = Some(bytes);
        t.status = code;
        if code < 200 {
            return;
        }
        t.answered_at = Some(wire.now);
        if key.2 == "INVITE" {
            wire.audit.phone_answered(&self.account.user, &reading, code, &to_tag);
            // RFC 3261 13.3.1.4: the 2xx is repeated end to end whatever the transport; a failure only over UDP.
            if code / 100 == 2 || !hop.transport.is_reliable() {
                self.alarm(T1, Alarm::Again(key.clone()), wire);
            }
        }
        self.alarm(T1_64, Alarm::ServerEnd(key.clone()), wire);
    }

    pub(super) fn answer_again(&mut self, key: &ServerKey, wire: &mut Wire) {
        let Some(t) = self.servers.get_mut(key).filter(|t| !t.acknowledged) else { return };
        t.interval = (t.interval * 2).min(T2);
        let (hop, interval, bytes) = (t.hop, t.interval, t.response.clone());
        if let Some(bytes) = bytes {
            self.transmit(hop, &bytes, wire);
        }
        self.alarm(interval, Alarm::Again(key.clone()), wire);
    }

    pub(super) fn server_ends(&mut self, key: &ServerKey, wire: &mut Wire) {
        let Some(t) = self.servers.remove(key) else { return };
        if key.2 != "INVITE" || t.acknowledged {
            return;
        }
        let Some(reading) = Reading::of(&t.request) else { return };
        wire.audit.phone_not_acknowledged(&self.account.user, &reading, t.status, wire.now);
    }
}
