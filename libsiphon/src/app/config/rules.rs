//! Rules between values that are each right by themselves; a role's `validate` names those of its blocks.

use std::collections::BTreeSet;

use super::Report;
use super::auth::{Auth, Qop, User};
use super::b2bua::SessionTimerBlock;
use super::limits::{Limits, Overload};
use super::listen::Listen;
use super::node::Cache;
use super::observe::{Admin, Metrics};
use super::registrar::Registrar;
use super::transaction::Transaction;
use crate::wire::sip::Uri;

pub use super::media::rules as media;

/// At least one listener, and no address twice on a transport.
pub fn listen(listen: &Listen, report: &mut Report<'_>) {
    if listen.udp.is_empty() && listen.tcp.is_empty() && !report.has_fault_in("listen") {
        report.at("listen", "no listener: give at least one address under `udp` or `tcp`").help =
            Some("for example `udp: [\"0.0.0.0:5060\"]`".to_owned());
    }
    for (transport, listeners) in [("udp", &listen.udp), ("tcp", &listen.tcp)] {
        let mut seen = BTreeSet::new();
        for (index, listener) in listeners.iter().enumerate() {
            let address = listener.address;
            if address.0.port() != 0 && !seen.insert(address) {
                report.at(&format!("listen.{transport}[{index}]"), format!("{address} is given twice"));
            }
        }
    }
}

/// min ≤ default ≤ max (RFC 3261 10.3 step 7); service routes are loose (RFC 3608).
pub fn registrar(registrar: &Registrar, report: &mut Report<'_>) {
    let Registrar { default_expires, min_expires, max_expires, .. } = registrar;
    if min_expires > max_expires {
        report.at(
            "registrar.min_expires",
            format!("must not exceed max_expires: {min_expires} is more than {max_expires}"),
        );
    } else if !(min_expires..=max_expires).contains(&default_expires) {
        let what = format!(
            "must be from min_expires to max_expires: {default_expires} is not from {min_expires} to {max_expires}"
        );
        report.at("registrar.default_expires", what);
    }
    for (index, route) in registrar.service_route.iter().enumerate() {
        let loose = Uri::parse(route).is_ok_and(|uri| uri.is_sip() && uri.params().has("lr"));
        if !loose || route.contains(['<', '>', ',']) {
            report.at(&format!("registrar.service_route[{index}]"), "expected a SIP URI with `lr`").help =
                Some("for example `\"sip:orig@proxy.example.com;lr\"` (RFC 3608 5)".to_owned());
        }
    }
}

/// Each user can answer at least one of the challenges; no challenge is offered twice.
pub fn auth(auth: &Auth, report: &mut Report<'_>) {
    for (index, algorithm) in auth.algorithms.iter().enumerate() {
        if auth.algorithms.iter().take(index).any(|a| a == algorithm) {
            report.at(&format!("auth.algorithms[{index}]"), "given twice");
        }
    }
    for (index, qop) in auth.qop.iter().enumerate() {
        if auth.qop.iter().take(index).any(|q| q == qop) {
            report.at(&format!("auth.qop[{index}]"), "given twice");
        }
    }
    if !auth.qop.is_empty() && !auth.qop.contains(&Qop::Auth) {
        report.at("auth.qop", "must include auth: few phones speak auth-int alone");
    }
    for (name, user) in &auth.users {
        if let User::Hashes(hashes) = user {
            let path = format!("auth.users.{name}");
            if !report.has_fault_in(&path) && !auth.algorithms.iter().any(|a| hashes.of(*a).is_some()) {
                report.at(
                    &path,
                    "has no hash for any of `auth.algorithms`, so this user can never authenticate",
                );
            }
        }
    }
}

/// Min-SE is not more than Session-Expires (RFC 4028 5).
pub fn session_timer(timer: &SessionTimerBlock, report: &mut Report<'_>) {
    let SessionTimerBlock { session_expires, min_se, .. } = timer;
    if min_se > session_expires {
        let what = format!("must not exceed session_expires: {min_se} is more than {session_expires}");
        report.at("session_timer.min_se", what);
    }
}

/// T2 is a cap on what starts at T1 (RFC 3261 17.1.2.1); 100 Trying must beat the first retransmission.
pub fn transaction(transaction: &Transaction, report: &mut Report<'_>) {
    let Transaction { t1_ms, t2_ms, auto_emit_100_trying_delay_ms: delay, .. } = transaction;
    if t1_ms > t2_ms {
        report.at("transaction.t1_ms", format!("must not exceed t2_ms: {t1_ms} is more than {t2_ms}"));
    }
    if delay >= t1_ms && report.is_set("transaction.auto_emit_100_trying_delay_ms") {
        let what = format!("must be less than t1_ms ({t1_ms}), or the caller repeats its INVITE first");
        report.at("transaction.auto_emit_100_trying_delay_ms", what);
    }
}

/// A part is not larger than the whole.
pub fn limits(limits: &Limits, report: &mut Report<'_>) {
    let whole = limits.message_bytes;
    for (key, part) in [("header_bytes", limits.header_bytes), ("body_bytes", limits.body_bytes)] {
        // A default that does not fit is no fault: the smaller limit is met first.
        if part > whole && report.is_set(&format!("limits.{key}")) {
            report.at(
                &format!("limits.{key}"),
                format!("must not exceed message_bytes: {part} is more than {whole}"),
            );
        }
    }
    if limits.uri_bytes > limits.header_bytes && report.is_set("limits.uri_bytes") {
        let what = format!(
            "must not exceed header_bytes: {} is more than {}",
            limits.uri_bytes, limits.header_bytes
        );
        report.at("limits.uri_bytes", what);
    }
}

/// The least is not more than the most.
pub fn overload(overload: &Overload, report: &mut Report<'_>) {
    let Overload { retry_after_min_secs: least, retry_after_max_secs: most, .. } = overload;
    if least > most {
        let what = format!("must not exceed retry_after_max_secs: {least} is more than {most}");
        report.at("overload.retry_after_min_secs", what);
    }
}

/// Names are unique.
pub fn cache(caches: &[Cache], report: &mut Report<'_>) {
    for (index, cache) in caches.iter().enumerate() {
        if caches.iter().take(index).any(|c| c.name == cache.name) {
            report.at(&format!("cache[{index}].name"), format!("{:?} is given twice", cache.name));
        }
    }
}

/// The metrics page does not hide a health page of the same server.
pub fn http(metrics: &Metrics, admin: Option<&Admin>, report: &mut Report<'_>) {
    let Some(prometheus) = &metrics.prometheus else { return };
    let taken = ["/livez", "/readyz", "/admin/health"];
    if taken.contains(&prometheus.path.as_str()) && admin.is_none_or(|a| a.listen == prometheus.listen) {
        report.at("metrics.prometheus.path", format!("{} is a health page", prometheus.path));
    }
}
