//! `proxy._utils.sanity_check`: what the parser lets through and a proxy need not serve (RFC 3261 16.3).

use crate::wire::sip::{HeaderId, Message, Method};

/// Status and reason for a request that is not served, or `None` when it is fine.
pub(crate) fn insane(message: &Message) -> Option<(u16, &'static str)> {
    if message.max_forwards() == Some(0) {
        return Some((483, "Too Many Hops"));
    }
    if message.uri().is_err() {
        return Some((400, "Bad Request-URI"));
    }
    if message.from().is_err() || message.to().is_err() {
        return Some((400, "Bad From or To Header Field"));
    }
    // RFC 3261 8.1.1.3: From carries a tag; only RFC 2543 peers send none.
    if message.from_tag().is_none() {
        return Some((400, "Missing From Tag"));
    }
    // RFC 3261 8.1.1.8.
    let needs_contact = matches!(message.method(), Method::Invite | Method::Subscribe);
    if needs_contact && !message.has(HeaderId::Contact) {
        return Some((400, "Missing Contact Header Field"));
    }
    if message.contacts().any(|c| c.is_err()) {
        return Some((400, "Bad Contact Header Field"));
    }
    if message.routes().any(|r| r.is_err()) {
        return Some((400, "Bad Route Header Field"));
    }
    if !message.body().is_empty() && !message.has(HeaderId::ContentType) {
        return Some((400, "Missing Content-Type Header Field"));
    }
    None
}

/// Share of the machine's memory that is in use, in percent; 0 where that cannot be told.
pub(crate) fn memory_used_percent() -> u8 {
    let Ok(text) = std::fs::read_to_string("/proc/meminfo") else { return 0 };
    let kib = |name: &str| -> Option<u64> {
        let line = text.lines().find(|l| l.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    match (kib("MemTotal:"), kib("MemAvailable:")) {
        (Some(total), Some(free)) if total > 0 => {
            u8::try_from(total.saturating_sub(free).saturating_mul(100) / total).unwrap_or(100)
        }
        _ => 0,
    }
}
