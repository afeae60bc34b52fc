//! The event stream as log lines. What a peer can provoke at will is rationed per second and counted.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Level, Logger, Record};
use crate::base::flow::Transport;
use crate::event::{Classes, Event, Kind, Side};
use crate::observe::Observer;
use crate::wire::sip::{Limits, Message};

/// Lines about refused and shed messages in one second; more are counted and told once.
const RATION: u32 = 20;

/// Writes what happened.
pub struct EventLog {
    logger: Arc<Logger>,
    second: u64,
    left: u32,
    untold: u64,
}

impl EventLog {
    /// Writes to `logger`.
    pub fn new(logger: Arc<Logger>) -> Self {
        Self { logger, second: 0, left: RATION, untold: 0 }
    }

    /// Whether one more provoked line fits into this second.
    fn rationed(&mut self, event: &Event) -> bool {
        let second = event.at.unix_secs();
        if second != self.second {
            let untold = std::mem::take(&mut self.untold);
            (self.second, self.left) = (second, RATION);
            if untold > 0 {
                self.line(
                    event,
                    Level::Warn,
                    "more messages were refused or turned away than are told here",
                    None,
                )
                .with("untold", untold.to_string())
                .write();
            }
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                self.untold = self.untold.saturating_add(1);
                false
            }
        }
    }

    fn line<'a>(
        &'a self,
        event: &Event,
        level: Level,
        text: impl Into<Cow<'a, str>>,
        call_id: Option<&'a str>,
    ) -> Line<'a> {
        let record = Record {
            at: Some(event.at),
            level,
            target: "siphon::sip",
            text: text.into(),
            call_id: call_id.map(Cow::Borrowed),
            fields: Vec::new(),
        };
        Line { logger: &self.logger, record }.with("shard", event.shard.to_string())
    }

    fn message(&self, event: &Event, text: &'static str, transport: Transport, peer: String, bytes: &[u8]) {
        let parsed = Message::parse(bytes, &Limits::default()).ok();
        let call_id = parsed.as_ref().map(Message::call_id);
        let first = bytes.split(|b| *b == b'\r' || *b == b'\n').next().unwrap_or_default();
        let line = self.line(event, Level::Debug, text, call_id);
        line.with("peer", peer)
            .with("transport", transport.uri_token())
            .with("line", String::from_utf8_lossy(first).into_owned())
            .with("bytes", bytes.len().to_string())
            .write();
    }
}

struct Line<'a> {
    logger: &'a Logger,
    record: Record<'a>,
}

impl<'a> Line<'a> {
    fn with(mut self, name: &'static str, value: impl Into<Cow<'a, str>>) -> Self {
        self.record.fields.push((Cow::Borrowed(name), value.into()));
        self
    }

    fn write(self) {
        self.logger.write(&self.record);
    }
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Server => "server",
        Side::Client => "client",
    }
}

impl Observer for EventLog {
    fn classes(&self) -> Classes {
        if self.logger.writes(Level::Debug) { Classes::ALL } else { Classes::POLICY.with(Classes::EDGE) }
    }

    fn see(&mut self, event: &Event) {
        match &event.kind {
            Kind::Refused { flow, status, answered, fault, call_id } => {
                if self.rationed(event) {
                    let text = if *answered { "refused a message" } else { "dropped a message" };
                    let line = self
                        .line(event, Level::Warn, text, call_id.as_deref())
                        .with("peer", flow.remote.to_string());
                    line.with("status", status.to_string()).with("fault", &**fault).write();
                }
            }
            Kind::Shed { reason, method, call_id } => {
                if self.rationed(event) {
                    let line = self.line(event, Level::Warn, "turned a request away", call_id.as_deref());
                    line.with("reason", reason.label()).with("method", method.name()).write();
                }
            }
            Kind::PolicyFailed { call_id, error } => {
                self.line(event, Level::Error, &**error, Some(call_id)).write();
            }
            Kind::StoreRefused { aor } => {
                let text = "the store holds an older value than the node, until the next change";
                self.line(event, Level::Error, text, None).with("aor", &**aor).write();
            }
            _ if !self.logger.writes(Level::Debug) => {}
            Kind::Received { flow, message } => {
                self.message(event, "received", flow.transport, flow.remote.to_string(), message.bytes());
            }
            Kind::Sent { egress, bytes, .. } => {
                self.message(event, "sent", egress.transport, egress.remote.to_string(), bytes);
            }
            Kind::TransactionStarted { side: of, method, call_id } => {
                let line = self.line(event, Level::Debug, "transaction began", Some(call_id));
                line.with("side", side(*of)).with("method", method.name()).write();
            }
            Kind::TransactionCompleted { side: of, method, status, took, call_id } => {
                let line = self.line(event, Level::Debug, "transaction answered", Some(call_id));
                line.with("side", side(*of))
                    .with("method", method.name())
                    .with("status", status.to_string())
                    .with("took_ms", took.as_millis().to_string())
                    .write();
            }
            Kind::TransactionEnded { .. } => {}
            Kind::Decided { call_id, method, decision, script_line } => {
                let line = self.line(event, Level::Debug, "policy decided", Some(call_id));
                let line = line.with("method", method.name()).with("decision", &**decision);
                match script_line {
                    Some(at) => line.with("script_line", &**at).write(),
                    None => line.write(),
                }
            }
            Kind::HandlerRan { handler, took, ok, call_id } => {
                let line = self.line(event, Level::Debug, "handler ran", call_id.as_deref());
                let line = line.with("handler", &**handler);
                line.with("took_us", took.as_micros().to_string()).with("ok", ok.to_string()).write();
            }
            Kind::Binding { aor, contact, change, call_id } => {
                let line =
                    self.line(event, Level::Debug, "binding changed", Some(call_id)).with("aor", &**aor);
                line.with("contact", &**contact).with("change", change.label()).write();
            }
            Kind::ConnectionOpened { flow } | Kind::ConnectionClosed { flow } => {
                let opened = matches!(event.kind, Kind::ConnectionOpened { .. });
                let text = if opened { "connection opened" } else { "connection closed" };
                let line = self.line(event, Level::Debug, text, None).with("peer", flow.remote.to_string());
                line.with("transport", flow.transport.uri_token()).write();
            }
        }
    }
}
