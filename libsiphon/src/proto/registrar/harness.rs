//! What the tests of the registrar share: a registrar at a fixed time, and REGISTERs as text.

use super::location::Location;
use super::register::{Outcome, Registrar, Registration};
use super::settings::RegistrarSettings;
use crate::base::flow::{ConnectionId, Flow, Transport};
use crate::base::time::{Duration, Instant};
use crate::base::token::Secret;
use crate::wire::sip::{Limits, Message};
use std::sync::Arc;

pub(super) const NOW: Instant = Instant::from_unix_secs(1_800_000_000);

pub(super) fn at(secs: u64) -> Instant {
    NOW + Duration::from_secs(secs)
}

pub(super) fn registrar(settings: RegistrarSettings) -> Registrar {
    let secret = Secret::new(11, 22);
    Registrar::new(settings, Arc::new(Location::new(&secret, 4, 100, NOW)), &secret)
}

/// A UDP flow from a phone's address.
pub(super) fn udp(remote: &str) -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: remote.parse().unwrap(),
        connection: None,
    }
}

/// A TCP flow from a phone's address.
pub(super) fn tcp(remote: &str, slot: u32) -> Flow {
    let connection = Some(ConnectionId { shard: 0, slot, generation: 1 });
    Flow { transport: Transport::Tcp, connection, ..udp(remote) }
}

/// Alice's REGISTER with these further header lines.
pub(super) fn register(call_id: &str, cseq: u32, lines: &[&str]) -> Message {
    let mut text = format!(
        "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK{cseq}\r\n\
         From: <sip:alice@example.com>;tag=1\r\nTo: <sip:alice@example.com>\r\n\
         Call-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\nMax-Forwards: 70\r\n"
    );
    for line in lines {
        text.push_str(line);
        text.push_str("\r\n");
    }
    text.push_str("Content-Length: 0\r\n\r\n");
    Message::parse(text.as_bytes(), &Limits::default()).unwrap()
}

/// Processes Alice's REGISTER from 192.0.2.7:5060.
pub(super) fn send(registrar: &Registrar, message: &Message, now: Instant) -> Outcome {
    registrar.process(&Registration::new(message, &udp("192.0.2.7:5060")), now)
}

/// All values of a header field of the reply.
pub(super) fn values<'a>(outcome: &'a Outcome, name: &str) -> Vec<&'a str> {
    outcome.reply.headers.iter().filter(|(n, _)| **n == *name).map(|(_, v)| &**v).collect()
}

/// The contact URIs of Alice, in the order in which they are tried.
pub(super) fn contacts(registrar: &Registrar, now: Instant) -> Vec<String> {
    registrar.location.lookup("sip:alice@example.com", now).iter().map(|b| b.uri.to_string()).collect()
}

/// `200`, or the code and reason of a refusal.
pub(super) fn answer(outcome: &Outcome) -> String {
    match &outcome.reply.reason {
        Some(reason) => format!("{} {reason}", outcome.reply.code),
        None => outcome.reply.code.to_string(),
    }
}
