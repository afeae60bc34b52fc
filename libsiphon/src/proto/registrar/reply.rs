//! The 200 to a REGISTER (RFC 3261 10.3 step 8) with what its extensions put there.

use super::binding::{AorState, Binding};
use super::contact::{Outbound, applies_outbound, supports};
use super::gruu::GruuKeys;
use super::register::Registrar;
use super::settings::RegistrarSettings;
use crate::base::text::Text;
use crate::base::time::Instant;
use crate::policy::{Header, ReplySpec};
use crate::wire::sip::{HeaderId, Message, quote};
use std::fmt::Write;

impl Registrar {
    /// The response that tells all live bindings of `aor`.
    pub(super) fn accepted(
        &self,
        settings: &RegistrarSettings,
        request: &Message,
        aor: &Text,
        state: &AorState,
        now: Instant,
    ) -> ReplySpec {
        let mut reply = ReplySpec::code(200);
        let headers = &mut reply.headers;
        let gruu = settings.gruu && supports(request, "gruu");
        for binding in state.refs_in_order(now) {
            headers.push(("Contact".into(), self.contact(aor, binding, gruu, now).into()));
        }
        if supports(request, "path") {
            // RFC 3327 5.3.
            push_all(headers, "Path", request.values(HeaderId::Path).map(Text::from));
        }
        let own = &state.service_routes;
        let routes = if own.is_empty() { &settings.service_routes } else { own };
        push_all(headers, "Service-Route", routes.iter().cloned());
        push_all(headers, "P-Associated-URI", state.associated_uris.iter().cloned());
        let on_flow = state.bindings.iter().any(|b| b.reg_id.is_some() && *b.call_id == *request.call_id());
        if on_flow && applies_outbound(request) == Outbound::Applies {
            // RFC 5626 6: tells the UA that its flow is what counts.
            headers.push(("Require".into(), "outbound".into()));
        }
        headers.push(("Date".into(), date(now).into()));
        reply
    }

    fn contact(&self, aor: &Text, binding: &Binding, gruu: bool, now: Instant) -> String {
        let mut out = String::with_capacity(binding.uri.len() + binding.params.len() + 128);
        out.push('<');
        out.push_str(&binding.uri);
        out.push('>');
        // Writing to a string does not fail.
        if binding.q != 1000 {
            let _ = write!(out, ";q=0.{:03}", binding.q);
        }
        let _ = write!(out, ";expires={}", binding.expires_in(now));
        if let Some(instance) = &binding.instance_id {
            out.push_str(";+sip.instance=");
            push_quoted(&mut out, instance);
        }
        if let Some(reg_id) = binding.reg_id {
            let _ = write!(out, ";reg-id={reg_id}");
        }
        out.push_str(&binding.params);
        if let Some(instance) = binding.instance_id.as_deref().filter(|_| gruu) {
            let hash = self.location.hash(aor);
            if let Some(public) = GruuKeys::public(aor, instance) {
                out.push_str(";pub-gruu=");
                push_quoted(&mut out, &public);
            }
            if let Some(temporary) = self.gruu.temporary(aor, hash, binding, now) {
                out.push_str(";temp-gruu=");
                push_quoted(&mut out, &temporary);
            }
        }
        out
    }
}

fn push_all(headers: &mut Vec<Header>, name: &str, values: impl Iterator<Item = Text>) {
    headers.extend(values.map(|value| (Text::from(name), value)));
}

fn push_quoted(out: &mut String, text: &str) {
    if text.bytes().any(|c| matches!(c, b'"' | b'\\' | b'\r' | b'\n' | 0)) {
        out.push_str(&quote(text));
        return;
    }
    out.push('"');
    out.push_str(text);
    out.push('"');
}

/// SIP-date (RFC 3261 20.17): RFC 1123 form, in GMT.
pub(super) fn date(now: Instant) -> String {
    const DAYS: [&str; 7] = ["Thu, ", "Fri, ", "Sat, ", "Sun, ", "Mon, ", "Tue, ", "Wed, "];
    const MONTHS: [&str; 12] = [
        " Jan ", " Feb ", " Mar ", " Apr ", " May ", " Jun ", " Jul ", " Aug ", " Sep ", " Oct ", " Nov ",
        " Dec ",
    ];
    let (days, secs) = (now.unix_secs() / 86_400, now.unix_secs() % 86_400);
    // Days to civil date in 400-year eras that begin on 1 March, so that the leap day comes last.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let month_index = (month + 2) % 12;
    let year = era * 400 + year + u64::from(month >= 10);
    let name = |names: &[&'static str], at: u64| names.get(at as usize).copied().unwrap_or_default();
    let mut out = String::with_capacity(29);
    out.push_str(name(&DAYS, days % 7));
    push_two(&mut out, day_of_month);
    out.push_str(name(&MONTHS, month_index));
    push_two(&mut out, year / 100);
    push_two(&mut out, year);
    for (before, part) in [(' ', secs / 3600), (':', secs / 60 % 60), (':', secs % 60)] {
        out.push(before);
        push_two(&mut out, part);
    }
    out.push_str(" GMT");
    out
}

/// The two lowest decimal digits.
fn push_two(out: &mut String, n: u64) {
    for digit in [n / 10 % 10, n % 10] {
        out.push(char::from(b'0' + digit as u8));
    }
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
