//! Requests of the legs: finding their next hop (RFC 3263), writing them, and what comes of them.

use crate::base::flow::{Egress, Transport};
use crate::base::slab::Key;
use crate::base::text::Octets;
use crate::engine::client::{Cancel, ClientOwner, GiveUp};
use crate::engine::contract::{Effect, Effects};
use crate::engine::relay::towards;
use crate::engine::shard::Shard;
use crate::engine::tickets::Purpose;
use crate::policy::{Target, Ticket};
use crate::proto::b2bua::{ClientRef, Hop, Input, Outgoing};
use crate::proto::locate::{Locator, Query, Records, Step};
use crate::proto::proxy::own::Listener;
use crate::wire::sip::{Message, Method, NameAddr, RequestBuilder, Uri};
use std::borrow::Cow;

/// A request of a call that has not come to its end.
#[derive(Debug)]
pub(crate) struct Pending {
    /// `None` for an ACK, which has no transaction.
    client: Option<ClientRef>,
    /// Names it where there is no client.
    number: u32,
    request: Outgoing,
    locator: Option<Box<Locator>>,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Locating(Ticket),
    Sent(Key),
}

impl Pending {
    pub(super) fn locating(&self) -> Option<Ticket> {
        match self.phase {
            Phase::Locating(ticket) => Some(ticket),
            Phase::Sent(_) => None,
        }
    }
}

/// Where a request goes first.
enum First {
    Egress(Egress),
    Resolve(Query),
}

impl Shard {
    /// Sends a request of a call: a transaction for `client`, none for an ACK.
    pub(super) fn send_for_call(
        &mut self,
        call: Key,
        client: Option<ClientRef>,
        request: Outgoing,
        out: &mut Effects,
    ) {
        let full = self.servers.len() + self.clients.len() >= self.node.settings().max_transactions;
        let first = first_hop(&request).filter(|_| !full || client.is_none());
        let number = client.map_or_else(|| self.rng.next_u64() as u32, |c| c.0);
        match first {
            None => self.call_failed(call, client, 503, out),
            Some(First::Egress(egress)) => {
                let fallback = path_query(&request).filter(|_| egress.connection.is_some());
                let size = size_of(&request);
                let locator = fallback.map(|query| self.locator(query, size));
                self.launch_for_call(call, client, number, request, locator, egress, out);
            }
            Some(First::Resolve(query)) => {
                let locator = self.locator(query, size_of(&request));
                self.locate_for_call(call, client, number, request, locator, out);
            }
        }
    }

    fn locate_for_call(
        &mut self,
        call: Key,
        client: Option<ClientRef>,
        number: u32,
        request: Outgoing,
        mut locator: Box<Locator>,
        out: &mut Effects,
    ) {
        let step = locator.step();
        self.follow(step, call, client, number, request, Some(locator), out);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one pending request")]
    fn follow(
        &mut self,
        step: Step,
        call: Key,
        client: Option<ClientRef>,
        number: u32,
        request: Outgoing,
        locator: Option<Box<Locator>>,
        out: &mut Effects,
    ) {
        match step {
            Step::Try { transport, remote } => {
                let egress = towards(transport, remote);
                self.launch_for_call(call, client, number, request, locator, egress, out);
            }
            Step::Ask(lookup) => {
                let ticket = self.open_ticket(Purpose::LocateCall { call, number }, None);
                let phase = Phase::Locating(ticket);
                if let Some(hosted) = self.calls.slab.get_mut(call) {
                    hosted.pending.push(Pending { client, number, request, locator, phase });
                }
                out.push(Effect::LookUp { ticket, lookup });
            }
            Step::Exhausted => self.call_failed(call, client, 503, out),
        }
    }

    /// DNS answered about a request of a call.
    pub(crate) fn located_for_call(
        &mut self,
        call: Key,
        number: u32,
        records: Records,
        dice: u64,
        out: &mut Effects,
    ) {
        let Some(Pending { client, request, locator, .. }) = self.take_pending(call, number) else { return };
        let Some(mut locator) = locator else { return };
        locator.answer(records, dice);
        self.locate_for_call(call, client, number, request, locator, out);
    }

    fn take_pending(&mut self, call: Key, number: u32) -> Option<Pending> {
        let pending = &mut self.calls.slab.get_mut(call)?.pending;
        let at = pending.iter().position(|p| p.number == number)?;
        Some(pending.swap_remove(at))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one pending request")]
    fn launch_for_call(
        &mut self,
        call: Key,
        client: Option<ClientRef>,
        number: u32,
        request: Outgoing,
        locator: Option<Box<Locator>>,
        egress: Egress,
        out: &mut Effects,
    ) {
        let node = self.node.clone();
        let wanted = request.send_socket.as_deref();
        let named = wanted.and_then(|text| node.own.listener_named(text, egress.transport, &egress.remote));
        let found = || node.own.listener_for(egress.transport, &egress.remote, egress.local);
        let Some(listener) = named.or_else(found) else {
            return self.call_failed(call, client, 503, out);
        };
        let own_local = egress.local.filter(|_| named.is_none());
        let egress = Egress { local: own_local.or(Some(listener.bound)), ..egress };
        let method = Method::from_name(&request.method);
        let Some(client) = client else {
            let branch = node.branches.encode(self.index, call, self.rng.next_u64() as u32);
            if let Some(bytes) = write(&request, listener, branch.as_str()) {
                self.send(egress, bytes, 0, Method::Ack, None, out);
            }
            return;
        };
        let Some(call_id) = self.calls.slab.get(call).map(|hosted| hosted.call_id.clone()) else { return };
        let key = self.reserve_client(method, egress, ClientOwner::Call { call, client }, call_id);
        let branch = node.branches.encode(self.index, key, 0);
        let Some(bytes) = write(&request, listener, branch.as_str()) else {
            self.forget_client(key, out);
            return self.call_failed(call, Some(client), 500, out);
        };
        if let Some(hosted) = self.calls.slab.get_mut(call) {
            let phase = Phase::Sent(key);
            hosted.pending.push(Pending { client: Some(client), number, request, locator, phase });
        }
        if method == Method::Invite {
            let at = self.now + node.settings().timer_c;
            self.set_give_up(key, at, GiveUp::TimerC);
        }
        self.launch_client(key, bytes, out);
    }

    pub(super) fn cancel_for_call(&mut self, call: Key, client: ClientRef, out: &mut Effects) {
        let Some(hosted) = self.calls.slab.get(call) else { return };
        match hosted.pending.iter().find(|p| p.client == Some(client)).map(|p| p.phase) {
            Some(Phase::Sent(key)) => self.cancel_client(key, out),
            Some(Phase::Locating(ticket)) => {
                self.close_ticket(ticket);
                self.call_unreachable(call, client.0, 487, out);
            }
            None => {}
        }
    }

    /// A response for a call.
    pub(crate) fn response_for_call(
        &mut self,
        key: Key,
        call: Key,
        client: ClientRef,
        message: &Message,
        out: &mut Effects,
    ) {
        let status = message.status();
        if status > 100 && status < 200 {
            // RFC 3261 16.7 step 2, for the same reason: whoever rings is alive.
            let at = self.now + self.node.settings().timer_c;
            if self.clients.get(key).is_some_and(|c| matches!(c.give_up, Some((_, GiveUp::TimerC)))) {
                self.set_give_up(key, at, GiveUp::TimerC);
            }
        }
        if status == 503 && self.try_next_for_call(call, client, out) {
            return;
        }
        if status >= 200 {
            if let Some(entry) = self.clients.get_mut(key) {
                entry.give_up = None;
            }
            self.take_pending(call, client.0);
        }
        let flow = self.clients.get(key).and_then(|c| c.reply_flow);
        let Some(flow) = flow.or_else(|| self.calls.slab.get(call).map(|h| h.flow)) else { return };
        self.feed_call(call, Input::Response { client, response: message.clone(), flow }, out);
    }

    /// No response came, or the request could not be sent.
    pub(crate) fn no_response_for_call(
        &mut self,
        call: Key,
        client: ClientRef,
        status: u16,
        out: &mut Effects,
    ) {
        if !self.try_next_for_call(call, client, out) {
            self.call_unreachable(call, client.0, status, out);
        }
    }

    /// Tries the next address of a request (RFC 3263 4.3). A cancelled one has nowhere else to go.
    fn try_next_for_call(&mut self, call: Key, client: ClientRef, out: &mut Effects) -> bool {
        let Some(hosted) = self.calls.slab.get_mut(call) else { return false };
        let Some(pending) = hosted.pending.iter_mut().find(|p| p.client == Some(client)) else {
            return false;
        };
        let Phase::Sent(key) = pending.phase else { return false };
        if self.clients.get(key).is_none_or(|c| c.cancel != Cancel::No) {
            return false;
        }
        let Some(step) = pending.locator.as_mut().map(|l| l.step()) else { return false };
        if matches!(step, Step::Exhausted) {
            return false;
        }
        let Some(Pending { request, locator, .. }) = self.take_pending(call, client.0) else { return false };
        self.follow(step, call, Some(client), client.0, request, locator, out);
        true
    }

    /// Whether the request of a transaction that ends goes on by another: at the next address (RFC 3263 4.3).
    pub(crate) fn goes_on_elsewhere(&self, call: Key, client: ClientRef, ended: Key) -> bool {
        let pending = self.calls.slab.get(call).map(|hosted| &hosted.pending);
        let mut same = pending.into_iter().flatten().filter(|p| p.client == Some(client));
        same.any(|p| p.phase != Phase::Sent(ended))
    }

    /// Nothing more will come of a request.
    pub(crate) fn call_unreachable(&mut self, call: Key, number: u32, status: u16, out: &mut Effects) {
        if let Some(pending) = self.take_pending(call, number) {
            self.call_failed(call, pending.client, status, out);
        }
    }

    fn call_failed(&mut self, call: Key, client: Option<ClientRef>, status: u16, out: &mut Effects) {
        if let Some(client) = client {
            self.feed_call(call, Input::Failed { client, status }, out);
        }
    }

    /// Timer C, or a CANCEL that brought nothing (RFC 3261 9.1).
    pub(crate) fn give_up_for_call(
        &mut self,
        key: Key,
        call: Key,
        client: ClientRef,
        why: GiveUp,
        out: &mut Effects,
    ) {
        match why {
            GiveUp::AfterCancel => {
                self.call_unreachable(call, client.0, 408, out);
                self.forget_client(key, out);
            }
            _ => self.cancel_client(key, out),
        }
    }
}

/// The octets of a request, but for Via and Contact, whose room the locator leaves.
fn size_of(request: &Outgoing) -> usize {
    /// Start line, Max-Forwards, CSeq, Content-Length, and the names of the fields below.
    const FRAME: usize = 150;
    let lines = request.headers.iter().map(|(name, value)| name.len() + value.len() + 4);
    let routes = request.routes.iter().map(|route| route.len() + 9);
    let body = request.body.as_ref().map_or(0, |(kind, body)| kind.len() + body.len());
    let named = request.uri.len() + request.from.len() + request.to.len() + request.call_id.len();
    lines.chain(routes).fold(FRAME + named + body, usize::saturating_add)
}

fn first_hop(request: &Outgoing) -> Option<First> {
    match &request.hop {
        Hop::Flow(flow) => Some(First::Egress(flow.back())),
        Hop::Target(target) => of_target(target, request),
        Hop::Path => path_query(request).map(First::Resolve),
    }
}

fn of_target(target: &Target, request: &Outgoing) -> Option<First> {
    if let Some(flow) = &target.flow {
        return Some(First::Egress(flow.back()));
    }
    if let Some(remote) = target.received {
        let named = Uri::parse(&target.uri).ok();
        let named = named.and_then(|u| u.param("transport").and_then(Transport::from_token));
        let transport = named.unwrap_or(Transport::Udp);
        let may_connect = false;
        return Some(First::Egress(Egress { transport, local: None, remote, connection: None, may_connect }));
    }
    match &target.next_hop {
        Some(uri) => query_of(uri).map(First::Resolve),
        None => path_query(request).map(First::Resolve),
    }
}

/// The first Route value, else the Request-URI (RFC 3261 8.1.2).
fn path_query(request: &Outgoing) -> Option<Query> {
    query_of(request.routes.first().unwrap_or(&request.uri))
}

fn query_of(text: &str) -> Option<Query> {
    let uri = match Uri::parse(text) {
        Ok(uri) => uri,
        Err(_) => NameAddr::parse(text).ok()?.uri,
    };
    Query::of_uri(&uri).ok()
}

/// Our Contact on a listener.
pub(super) fn contact(listener: &Listener, user: &str) -> String {
    let user = match user {
        "" => Cow::Borrowed(""),
        user => Cow::Owned(format!("{user}@")),
    };
    let transport = match listener.transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
    };
    format!("<sip:{user}{}:{}{transport}>", listener.host, listener.port)
}

fn write(request: &Outgoing, listener: &Listener, branch: &str) -> Option<Octets> {
    let via = format!(
        "SIP/2.0/{} {}:{};branch={branch};rport",
        listener.transport.via_token(),
        listener.host,
        listener.port,
    );
    let mut builder = RequestBuilder::new(&*request.method, &*request.uri)
        .via(&via)
        .max_forwards(request.max_forwards)
        .cseq(request.cseq);
    for route in &request.routes {
        builder = builder.route(route);
    }
    builder = builder.from(&request.from).to(&request.to).call_id(&request.call_id);
    if let Some(user) = &request.contact {
        builder = builder.contact(&contact(listener, user));
    }
    for (name, value) in &request.headers {
        builder = builder.header(&**name, value);
    }
    if let Some((kind, body)) = &request.body {
        builder = builder.body(kind, &body[..]);
    }
    let mut bytes = Vec::with_capacity(1024);
    builder.write(&mut bytes).ok()?;
    Some(Octets::from(bytes))
}
