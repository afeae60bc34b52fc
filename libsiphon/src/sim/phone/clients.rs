//! The phone's client transactions (RFC 3261 17.1): retransmission, time-out, matching by branch and CSeq method, and one
//! answer to a digest challenge.

use super::writing::Draft;
use super::{Alarm, Hop, Outcome, Phone, T1, T1_64, T2, digest};
use crate::base::text::Octets;
use crate::base::time::{Duration, Instant};
use crate::sim::order::Expect;
use crate::sim::reading::Reading;
use crate::sim::wire::Wire;

/// Branch and method.
pub(super) type ClientKey = (String, String);

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Register,
    /// The INVITE that starts the call with this Call-ID.
    Call,
    Cancel,
    /// Inside the dialog with this remote tag.
    InDialog {
        remote_tag: String,
    },
    Alone,
}

pub(super) struct ClientTransaction {
    pub(super) draft: Draft,
    pub(super) purpose: Purpose,
    pub(super) hop: Hop,
    pub(super) bytes: Octets,
    pub(super) provisional: bool,
    pub(super) finished: bool,
    interval: Duration,
    authorized: bool,
    pub(super) expect: Expect,
    began: Instant,
    /// Copies of the final response are awaited until then.
    pub(super) ends: Instant,
}

impl Phone {
    pub(super) fn start(
        &mut self,
        draft: Draft,
        purpose: Purpose,
        hop: Hop,
        expect: Expect,
        wire: &mut Wire,
    ) -> ClientKey {
        let branch = self.fresh("z9hG4bK-");
        self.start_with(branch, draft, purpose, hop, expect, false, wire)
    }

    #[allow(clippy::too_many_arguments)] // One request has that many sides, and this is the one place that starts one.
    pub(super) fn start_with(
        &mut self,
        branch: String,
        draft: Draft,
        purpose: Purpose,
        hop: Hop,
        expect: Expect,
        authorized: bool,
        wire: &mut Wire,
    ) -> ClientKey {
        let bytes = self.write_request(&draft, &branch, hop.transport);
        let key = (branch.clone(), draft.method.clone());
        self.last_call_id.clone_from(&draft.call_id);
        self.branches.insert(branch);
        let transaction = ClientTransaction {
            draft,
            purpose,
            hop,
            bytes: bytes.clone(),
            provisional: false,
            finished: false,
            interval: T1,
            authorized,
            expect,
            began: wire.now,
            ends: wire.now,
        };
        self.clients.insert(key.clone(), transaction);
        self.transmit(hop, &bytes, wire);
        if !hop.transport.is_reliable() {
            self.alarm(T1, Alarm::Resend(key.clone()), wire);
        }
        self.alarm(T1_64, Alarm::ClientEnd(key.clone()), wire);
        key
    }

    pub(super) fn resend(&mut self, key: &ClientKey, wire: &mut Wire) {
        let Some(t) = self.clients.get_mut(key).filter(|t| !t.finished) else { return };
        let invite = key.1 == "INVITE";
        if invite && t.provisional {
            return;
        }
        t.interval = match (invite, t.provisional) {
            (true, _) => t.interval * 2,
            (false, false) => (t.interval * 2).min(T2),
            (false, true) => T2,
        };
        let (hop, bytes, interval) = (t.hop, t.bytes.clone(), t.interval);
        self.transmit(hop, &bytes, wire);
        self.alarm(interval, Alarm::Resend(key.clone()), wire);
    }

    /// Timers B, F, D and K, all at 64*T1.
    pub(super) fn client_ends(&mut self, key: &ClientKey, wire: &mut Wire) {
        let Some(t) = self.clients.get(key) else { return };
        let waits = key.1 == "INVITE" && t.provisional && !t.finished;
        if waits || t.ends > wire.now {
            // Only the proxy's Timer C can end it.
            return;
        }
        if !t.finished {
            self.outcome(key, 0, wire);
        }
        self.clients.remove(key);
    }

    pub(super) fn on_response(&mut self, response: &Reading<'_>, wire: &mut Wire) {
        let key = (response.branch(0).to_owned(), response.cseq().1.to_owned());
        if response.via(1).is_some() || !self.branches.contains(&key.0) {
            if self.account.tolerant {
                return;
            }
            let what = format!("{} got {} for {}", self.account.user, response.start(), key.0);
            return wire.audit.fail(wire.now, "no stray response", what);
        }
        let status = response.status();
        let Some(t) = self.clients.get_mut(&key) else { return };
        if status < 200 {
            let first = !t.provisional;
            t.provisional = true;
            if first && t.purpose == Purpose::Call {
                let call_id = t.draft.call_id.clone();
                self.cancel_if_due(&call_id, wire);
            }
            return;
        }
        if key.1 == "INVITE" {
            return self.invite_final(&key, response, wire);
        }
        if std::mem::replace(&mut t.finished, true) {
            return;
        }
        if self.answers_challenge(&key, response, wire) {
            return;
        }
        self.outcome(&key, status, wire);
        self.in_dialog_done(&key, response, wire);
    }

    /// Sends the request again with credentials when it was challenged for the first time.
    pub(super) fn answers_challenge(
        &mut self,
        key: &ClientKey,
        response: &Reading<'_>,
        wire: &mut Wire,
    ) -> bool {
        let (asked, answered) = match response.status() {
            401 => ("WWW-Authenticate", "Authorization"),
            407 => ("Proxy-Authenticate", "Proxy-Authorization"),
            _ => return false,
        };
        let Some(t) = self.clients.get(key).filter(|t| !t.authorized) else { return false };
        if t.purpose == Purpose::Call && self.is_cancelled(&t.draft.call_id) {
            return false;
        }
        let challenges: Vec<String> = response
            .challenges(asked)
            .into_iter()
            .map(str::to_owned)
            .filter(|c| c.starts_with("Digest "))
            .collect();
        let (mut draft, purpose, hop, expect) = (t.draft.clone(), t.purpose.clone(), t.hop, t.expect.clone());
        let user = self.account.login.clone();
        let mut any = false;
        let mut realms = Vec::new();
        for challenge in challenges {
            // RFC 8760 2.4: the topmost challenge of a realm that it can answer.
            let realm = digest::realm(&challenge);
            if realms.contains(&realm) {
                continue;
            }
            let count = self.nonce_count.entry(challenge.clone()).or_default();
            *count += 1;
            let password = &self.account.password;
            let made =
                digest::answer(&challenge, (&user, password), &draft.method, &draft.uri, *count, "c0ffee");
            if let Some(value) = made {
                draft.headers.push_str(&format!("{answered}: {value}\r\n"));
                realms.push(realm);
                any = true;
            }
        }
        if any {
            draft.cseq += 1;
            if purpose == Purpose::Register {
                self.register_cseq = self.register_cseq.max(draft.cseq);
            }
            let branch = self.fresh("z9hG4bK-");
            let invite = purpose == Purpose::Call;
            let call_id = draft.call_id.clone();
            let again = self.start_with(branch, draft.clone(), purpose, hop, expect, true, wire);
            if invite {
                self.restarted(&call_id, draft, again);
            }
        }
        any
    }

    pub(super) fn outcome(&mut self, key: &ClientKey, status: u16, wire: &mut Wire) {
        let Some(t) = self.clients.get(key) else { return };
        let cancelled = t.purpose == Purpose::Call && self.is_cancelled(&t.draft.call_id);
        let outcome = Outcome {
            method: key.1.clone(),
            call_id: t.draft.call_id.clone(),
            status,
            cancelled,
            expect: t.expect.clone(),
            began: t.began,
            ended: wire.now,
        };
        if !cancelled && !outcome.expect.allows(status) && !wire.audit.is_excused(&outcome.call_id) {
            let what = format!(
                "{}'s {} {} ended with {status}, right is {:?}",
                self.account.user, outcome.method, outcome.call_id, outcome.expect
            );
            wire.audit.fail(wire.now, "expected outcome", what);
        }
        wire.audit.phone_outcome(&outcome);
        self.outcomes.push(outcome);
    }

    // ---- requests outside dialogs ---------------------------------------------------------------------------------

    pub(super) fn proxy_hop(&self) -> Hop {
        Hop { transport: self.account.transport, remote: self.account.proxy, stream: None }
    }

    pub(super) fn register(&mut self, expires: u32, expect: Expect, wire: &mut Wire) {
        self.registered = (expires > 0).then_some(expires);
        self.register_cseq += 1;
        let draft = Draft {
            method: "REGISTER".to_owned(),
            uri: format!("sip:{}", self.account.domain),
            from_tag: self.fresh("r"),
            to: format!("<{}>", self.aor()),
            call_id: format!("reg-{}@{}", self.account.user, self.account.address),
            cseq: self.register_cseq,
            headers: format!("Contact: <{}>;expires={expires}\r\n", self.contact()),
            ..Draft::default()
        };
        let hop = self.proxy_hop();
        self.start(draft, Purpose::Register, hop, expect, wire);
    }

    pub(super) fn request(&mut self, method: &str, to: &str, expect: Expect, wire: &mut Wire) {
        self.request_with(method, to, String::new(), String::new(), expect, wire);
    }

    pub(super) fn request_with(
        &mut self,
        method: &str,
        to: &str,
        headers: String,
        body: String,
        expect: Expect,
        wire: &mut Wire,
    ) {
        let draft = Draft {
            method: method.to_owned(),
            uri: to.to_owned(),
            from_tag: self.fresh("f"),
            to: format!("<{to}>"),
            call_id: self.fresh("alone-"),
            cseq: 1,
            headers,
            body,
            ..Draft::default()
        };
        let hop = self.proxy_hop();
        self.start(draft, Purpose::Alone, hop, expect, wire);
    }

    /// The connection to `remote` is gone: what waited for a response on it has failed, and bindings on it are void.
    pub(super) fn lost_link(&mut self, remote: std::net::SocketAddr, wire: &mut Wire) {
        let lost: Vec<ClientKey> = self
            .clients
            .iter()
            .filter(|(_, t)| t.hop.transport.is_reliable() && t.hop.remote == remote && !t.finished)
            .map(|(k, _)| k.clone())
            .collect();
        for key in lost {
            if let Some(t) = self.clients.get(&key) {
                wire.audit.excuse(&t.draft.call_id);
            }
            self.outcome(&key, 0, wire);
            self.clients.remove(&key);
        }
        if remote == self.account.proxy
            && let Some(expires) = self.registered
        {
            self.alarm(Duration::from_secs(1), Alarm::Reregister(expires), wire);
        }
    }
}
