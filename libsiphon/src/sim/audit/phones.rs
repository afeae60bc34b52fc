//! What the phones did and saw.

use super::Auditor;
use crate::base::time::Instant;
use crate::sim::phone::Outcome;
use crate::sim::reading::Reading;
use std::collections::{BTreeMap, BTreeSet};

/// Call-ID, To tag, CSeq number of a 2xx to INVITE.
pub(super) type Success = (String, String, u32);

#[derive(Debug, Default)]
pub(super) struct Phones {
    /// Calls whose INVITE waits for its final response.
    open: BTreeSet<String>,
    /// 2xx to INVITE that a node sent up.
    pub(super) forwarded: BTreeSet<Success>,
    /// 2xx that phones sent.
    pub(super) successes: BTreeSet<Success>,
    /// 2xx that callers heard.
    pub(super) heard: BTreeSet<Success>,
    /// How often what ended how: method and status.
    pub(super) outcomes: BTreeMap<(String, u16), u64>,
    /// Highest CSeq forwarded inside each dialog.
    pub(super) known: BTreeSet<String>,
}

impl Phones {
    pub(super) fn forwarded_success(&mut self, success: Success) {
        self.forwarded.insert(success);
    }

    pub(super) fn excuse_all(&self, excused: &mut BTreeSet<String>) {
        excused.extend(self.known.iter().cloned());
    }

    pub(super) fn open(&self) -> impl Iterator<Item = &String> {
        self.open.iter()
    }
}

impl Auditor {
    pub(crate) fn phone_called(&mut self, call_id: &str) {
        self.phones.open.insert(call_id.to_owned());
        self.phones.known.insert(call_id.to_owned());
    }

    pub(crate) fn phone_outcome(&mut self, outcome: &Outcome) {
        if outcome.method == "INVITE" {
            self.phones.open.remove(&outcome.call_id);
        }
        *self.phones.outcomes.entry((outcome.method.clone(), outcome.status)).or_default() += 1;
    }

    /// How often what ended how: method and status code, 0 for no response.
    pub fn outcomes(&self) -> &BTreeMap<(String, u16), u64> {
        &self.phones.outcomes
    }

    pub(crate) fn phone_heard_success(&mut self, call_id: &str, to_tag: &str, cseq: u32) {
        self.phones.heard.insert((call_id.to_owned(), to_tag.to_owned(), cseq));
    }

    pub(crate) fn phone_received(&mut self, user: &str, request: &Reading<'_>, now: Instant) {
        if request.call_id().starts_with("stray") {
            self.fail(now, "no stray", format!("{user} got {}", request.start()));
        }
    }

    pub(crate) fn phone_answered(&mut self, _user: &str, request: &Reading<'_>, code: u16, to_tag: &str) {
        if code / 100 == 2 {
            let success = (request.call_id().to_owned(), to_tag.to_owned(), request.cseq().0);
            self.phones.successes.insert(success);
        }
    }

    pub(crate) fn phone_cancelled(&mut self, _user: &str, _request: &Reading<'_>) {}

    /// 64*T1 after a final response to INVITE there is still no ACK.
    pub(crate) fn phone_not_acknowledged(
        &mut self,
        user: &str,
        request: &Reading<'_>,
        status: u16,
        now: Instant,
    ) {
        let call_id = request.call_id();
        if self.is_excused(call_id) || status == 0 || status < 200 {
            return;
        }
        let rule = if status / 100 == 2 { "2xx acknowledged" } else { "failure acknowledged" };
        self.fail(now, rule, format!("{user} got no ACK for {status} to {} {call_id}", request.start()));
    }
}
