//! Answering the peers of a call: responses, copies of 2xx, and what their requests become.

use super::settings_of;
use crate::base::flow::Flow;
use crate::base::slab::Key;
use crate::base::text::{Octets, Text};
use crate::engine::contract::Effects;
use crate::engine::respond::noted;
use crate::engine::shard::Shard;
use crate::proto::b2bua::{Answer, Input, LegId, ServerRef};
use crate::wire::sip::{Message, Method, ResponseBuilder};

impl Shard {
    /// A request inside a dialog of a call: a server transaction of the call's own. False when it is none.
    pub(crate) fn request_of_call(&mut self, server: Key, call: Key, leg: LegId, out: &mut Effects) {
        let Some(work) = self.work(server) else { return };
        let (request, flow) = (work.request.clone(), work.flow);
        if let Some(entry) = self.servers.get_mut(server) {
            entry.call = Some(call);
        }
        self.note_far_side(call, &request);
        let server = ServerRef(server.to_u64());
        self.feed_call(call, Input::Request { leg, server, request, flow }, out);
    }

    /// The ACK to a 2xx of a call. False when it is none.
    pub(crate) fn ack_of_call(&mut self, request: &Message, out: &mut Effects) -> bool {
        let Some((call, leg)) = self.find_dialog(request) else { return false };
        self.feed_call(call, Input::Ack { leg, request: request.clone() }, out);
        true
    }

    /// A CANCEL whose INVITE is a call's.
    pub(crate) fn cancel_of_call(&mut self, server: Key, call: Key, out: &mut Effects) {
        self.feed_call(call, Input::Cancel { server: ServerRef(server.to_u64()) }, out);
    }

    pub(super) fn respond_for_call(
        &mut self,
        call: Key,
        server: ServerRef,
        answer: &Answer,
        out: &mut Effects,
    ) {
        let key = Key::from_u64(server.0);
        let Some(entry) = self.servers.get(key).filter(|s| !s.machine.is_answered()) else { return };
        let (method, back) = (entry.method, entry.back);
        let Some(bytes) = self.write_answer(key, answer) else { return };
        if method == Method::Invite
            && answer.code / 100 == 2
            && let Some(hosted) = self.calls.slab.get_mut(call)
        {
            hosted.kept.push((server, back, bytes.clone()));
        }
        self.respond(key, answer.code, bytes, out);
    }

    /// Text that cannot be written becomes a plain 500: the peer is not left hanging.
    fn write_answer(&mut self, server: Key, answer: &Answer) -> Option<Octets> {
        let node = self.node.clone();
        let settings = node.settings();
        let work = self.servers.get(server).and_then(|s| s.work.as_ref())?;
        let mut via = Vec::new();
        let odd = noted(&work.request, &work.flow, &settings.limits, &mut via);
        let request = odd.as_ref().unwrap_or(&work.request);
        let mut response =
            ResponseBuilder::to(request, answer.code).top_via(&via).to_tag(answer.to_tag.to_string());
        if let Some(reason) = &answer.reason {
            response = response.reason(&**reason);
        }
        if let Some(user) = &answer.contact {
            response = response.contact(&self.contact_on(&work.flow, user));
        }
        for (name, value) in &answer.headers {
            response = response.header(&**name, value);
        }
        if let Some(server_header) = &settings.server_header {
            response = response.header(crate::wire::sip::HeaderId::Server, server_header);
        }
        if let Some((kind, body)) = &answer.body {
            response = response.body(kind, &body[..]);
        }
        let mut bytes = Vec::with_capacity(1024);
        if response.write(&mut bytes).is_err() {
            bytes.clear();
            ResponseBuilder::to(request, 500).to_tag(answer.to_tag.to_string()).write(&mut bytes).ok()?;
        }
        Some(Octets::from(bytes))
    }

    /// Our Contact towards whoever sent by `flow`.
    fn contact_on(&self, flow: &Flow, user: &str) -> String {
        let listener = self.node.own.listener_for(flow.transport, &flow.remote, Some(flow.local));
        match listener {
            Some(listener) => super::uac::contact(listener, user),
            None => {
                let host = settings_of(&self.node).map(|s| s.host.clone()).unwrap_or_default();
                format!("<sip:{host}>")
            }
        }
    }

    pub(super) fn resend_for_call(&mut self, call: Key, server: ServerRef, out: &mut Effects) {
        let Some(hosted) = self.calls.slab.get(call) else { return };
        let Some((_, egress, bytes)) = hosted.kept.iter().find(|(s, ..)| *s == server).cloned() else {
            return;
        };
        self.send(egress, bytes, 200, Method::Invite, None, out);
    }

    /// The id of the call that this INVITE may begin.
    pub(crate) fn may_call(&self, request: &Message, local_tag: u64) -> Option<Text> {
        let is_new = request.method() == Method::Invite && request.to_tag().is_none();
        (is_new && self.node.settings().b2bua.is_some())
            .then(|| crate::engine::respond::TagText::of(local_tag).as_str().into())
    }
}

impl Shard {
    /// A request inside a dialog that is neither a call's nor a proxied one's: 481 (RFC 3261 12.2.2). A proxied dialog
    /// leads here by our Record-Route, or by a GRUU.
    pub(crate) fn is_of_no_call(&self, request: &Message, on_route: bool, is_local: bool) -> bool {
        self.node.settings().b2bua.is_some()
            && request.to_tag().is_some()
            && is_local
            && !on_route
            && !self.names_own_gruu(request)
    }
}
