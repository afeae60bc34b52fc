//! Responses made here: by the server transaction, or without one (RFC 3261 8.2.6, 8.2.7).

use crate::base::flow::{Egress, Flow};
use crate::base::slab::Key;
use crate::base::text::{Octets, Text, hex_digit};
use crate::engine::contract::{Effects, SendReport};
use crate::engine::inbound::response_egress;
use crate::engine::settings::Settings;
use crate::engine::shard::Shard;
use crate::event::{Classes, Kind, Side};
use crate::policy::verdict::{Header, ReplySpec};
use crate::proto::proxy::forward::{Marks, mark_received};
use crate::proto::proxy::validate::Rejection;
use crate::proto::transaction::Class;
use crate::proto::transaction::server::Input as ServerInput;
use crate::wire::sip::{HeaderId, Limits, Message, Method, ResponseBuilder};

impl Shard {
    /// Answers with `code`, its registered phrase, and `headers`.
    pub(crate) fn reply_code(&mut self, server: Key, code: u16, headers: &[Header], out: &mut Effects) {
        let spec = ReplySpec { code, headers: headers.to_vec(), ..ReplySpec::default() };
        self.reply(server, &spec, out);
    }

    /// Answers as the validation of RFC 3261 16.3 wants.
    pub(crate) fn reject(&mut self, server: Key, rejection: &Rejection, out: &mut Effects) {
        let headers: Vec<Header> = rejection
            .headers
            .iter()
            .map(|(id, value)| (Text::from(id.name()), Text::from(value.as_str())))
            .collect();
        self.reply_code(server, rejection.code, &headers, out);
    }

    /// Answers as `spec` says. A second final answer is dropped: the first stands.
    pub(crate) fn reply(&mut self, server: Key, spec: &ReplySpec, out: &mut Effects) {
        if self.servers.get(server).is_none_or(|s| s.machine.is_answered()) {
            return;
        }
        let node = self.node.clone();
        let settings = node.settings();
        let (mut via, mut bytes) = (std::mem::take(&mut self.via_scratch), std::mem::take(&mut self.scratch));
        let written = self.write_reply(server, spec, settings, &mut via, &mut bytes);
        let octets = Octets::from(bytes.as_slice());
        (self.via_scratch, self.scratch) = (via, bytes);
        if let Some(code) = written {
            self.respond(server, code, octets, out);
        }
    }

    /// Writes what `spec` says; returns the code of what was written.
    fn write_reply(
        &self,
        server: Key,
        spec: &ReplySpec,
        settings: &Settings,
        via: &mut Vec<u8>,
        bytes: &mut Vec<u8>,
    ) -> Option<u16> {
        bytes.clear();
        let work = self.servers.get(server).and_then(|s| s.work.as_ref())?;
        let odd = noted(&work.request, &work.flow, &settings.limits, via);
        let request = odd.as_ref().unwrap_or(&work.request);
        let tag = TagText::of(work.local_tag);
        let mut response = ResponseBuilder::to(request, spec.code).top_via(via);
        if let Some(reason) = &spec.reason {
            response = response.reason(&**reason);
        }
        if spec.code > 100 {
            response = response.to_tag(tag.as_str());
        }
        for (name, value) in work.reply_headers.iter().chain(&spec.headers) {
            response = response.header(&**name, value);
        }
        if let Some(server_header) = &settings.server_header {
            response = response.header(HeaderId::Server, server_header);
        }
        if let Some((content_type, body)) = &spec.body {
            response = response.body(content_type, body.as_slice());
        }
        if response.write(bytes).is_ok() {
            return Some(spec.code);
        }
        // Policy's text is checked when it is set. Should some get here all the same, the client is not left hanging.
        bytes.clear();
        let plain = ResponseBuilder::to(request, 500).to_tag(tag.as_str());
        plain.write(bytes).ok().map(|()| 500)
    }

    /// Gives `bytes` to the server transaction as its response with status `code`.
    pub(crate) fn respond(&mut self, server: Key, code: u16, bytes: Octets, out: &mut Effects) {
        let Some(entry) = self.servers.get_mut(server) else { return };
        if entry.machine.is_answered() {
            return;
        }
        entry.last = Some(bytes);
        let class = Class::of(code);
        if class != Class::Provisional {
            self.unanswered -= 1;
            let (method, took) = (entry.method, self.now.since(entry.started));
            let is_read = out.is_read(Classes::TRANSACTIONS);
            let call_id = entry.work.as_ref().map(|w| w.call_id(is_read)).unwrap_or_default();
            self.tell(out, Classes::TRANSACTIONS, || Kind::TransactionCompleted {
                side: Side::Server,
                method,
                status: code,
                took,
                call_id,
            });
        }
        self.feed_server(server, ServerInput::Respond(class), out);
        if class != Class::Provisional {
            self.release_work(server);
        }
    }

    /// The final response has left: nothing but the transaction itself is needed any more, unless branches still
    /// run or a question is still open.
    pub(crate) fn release_work(&mut self, server: Key) {
        if let Some(entry) = self.servers.get_mut(server)
            && entry.machine.is_answered()
            && entry
                .work
                .as_ref()
                .is_some_and(|w| (w.context.is_none() || w.context_done) && w.asking.is_none())
        {
            entry.work = None;
        }
    }

    /// The machine's own 100 (RFC 3261 17.2.1): it has become the response to send again.
    pub(crate) fn send_trying(&mut self, server: Key, out: &mut Effects) {
        let node = self.node.clone();
        let Some(work) = self.work(server) else { return };
        let mut via = Vec::new();
        let odd = noted(&work.request, &work.flow, &node.settings().limits, &mut via);
        let request = odd.as_ref().unwrap_or(&work.request);
        let mut bytes = Vec::with_capacity(256);
        if ResponseBuilder::to(request, 100).top_via(&via).write(&mut bytes).is_err() {
            return;
        }
        let bytes = Octets::from(bytes);
        let Some(entry) = self.servers.get_mut(server) else { return };
        entry.last = Some(bytes.clone());
        let (egress, method) = (entry.back, entry.method);
        self.send(egress, bytes, 100, method, report_for(server, &egress), out);
    }

    /// A response without a transaction, for what never became one: malformed and shed requests.
    pub(crate) fn reply_stateless(
        &mut self,
        flow: &Flow,
        request: &Message,
        code: u16,
        reason: Option<&str>,
        headers: &[Header],
        out: &mut Effects,
    ) {
        if request.method() == Method::Ack {
            return;
        }
        let mut via = Vec::new();
        let odd = noted(request, flow, &self.node.settings().limits, &mut via);
        let request = odd.as_ref().unwrap_or(request);
        let tag = TagText::of(self.rng.next_u64());
        let mut response = ResponseBuilder::to(request, code).top_via(&via).to_tag(tag.as_str());
        if let Some(reason) = reason {
            response = response.reason(reason);
        }
        for (name, value) in headers {
            response = response.header(&**name, value);
        }
        let mut bytes = Vec::with_capacity(512);
        if response.write(&mut bytes).is_ok() {
            let egress = response_egress(request, flow);
            self.send(egress, Octets::from(bytes), code, request.method(), None, out);
        }
    }
}

/// Whom a failed response is told (RFC 3261 17.2.4). A datagram that could not leave is sent again when the request
/// comes again; a stream that broke stays broken.
pub(crate) fn report_for(server: Key, egress: &Egress) -> Option<SendReport> {
    egress.transport.is_reliable().then_some(SendReport::Server(server))
}

/// A tag of ours as it goes on the wire.
pub(crate) struct TagText([u8; 12]);

impl TagText {
    pub(crate) fn of(tag: u64) -> Self {
        let mut text = [0; 12];
        for (place, digit) in text.iter_mut().rev().zip(0..) {
            *place = hex_digit(tag >> (4 * digit));
        }
        TagText(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Puts the topmost Via with its source noted into `value`, empty when there is nothing to note; returns the whole
/// request so marked for the rare Via whose value cannot simply be written (RFC 3261 18.2.1, RFC 3581 4).
pub(crate) fn noted(request: &Message, flow: &Flow, limits: &Limits, value: &mut Vec<u8>) -> Option<Message> {
    value.clear();
    let via = request.via();
    let marks = Marks::of(&via, flow);
    if marks.is_empty() || marks.write(&via, value) {
        return None;
    }
    mark_received(request, flow, limits).ok().flatten()
}
