//! Requests of our own, outside any dialog (RFC 3261 8.1): what `proxy.send_request` sends.

use crate::base::flow::Egress;
use crate::base::text::{Octets, Text};
use crate::engine::client::{ClientOwner, GiveUp};
use crate::engine::contract::{Effect, Effects};
use crate::engine::relay::towards;
use crate::engine::respond::TagText;
use crate::engine::shard::Shard;
use crate::engine::tickets::Purpose;
use crate::policy::{OriginatedRequest, Outcome, WaitId};
use crate::proto::locate::{Locator, Query, Step};
use crate::proto::registrar::PingId;
use crate::wire::sip::{Message, Method, NameAddr, RequestBuilder, Uri};

/// A request on its way out.
#[derive(Debug)]
pub(crate) struct Originated {
    pub(crate) request: OriginatedRequest,
    pub(crate) wait: Option<WaitId>,
    /// It is a keepalive: which pinger's, and which ping.
    pub(crate) ping: Option<(usize, PingId)>,
}

impl Shard {
    pub(crate) fn originate(&mut self, wait: Option<WaitId>, request: OriginatedRequest, out: &mut Effects) {
        // An INVITE would make a dialog, and nothing here could hold one.
        if matches!(Method::from_name(&request.method), Method::Invite | Method::Ack | Method::Cancel) {
            return self.answer_wait(wait, Err("this method cannot be sent outside a call"), out);
        }
        if self.servers.len() + self.clients.len() >= self.node.settings().max_transactions {
            return self.answer_wait(wait, Err("too many transactions"), out);
        }
        let originated = Box::new(Originated { request, wait, ping: None });
        if let Some(flow) = originated.request.flow {
            return self.launch_originated(*originated, flow.back(), out);
        }
        match next_hop(&originated.request) {
            Some(query) => {
                let locator =
                    self.locator(query, originated.request.body.as_ref().map_or(0, |(_, b)| b.len()));
                self.locate_originated(originated, locator, out);
            }
            None => self.originated_failed(*originated, "no route to that URI", out),
        }
    }

    pub(crate) fn locate_originated(
        &mut self,
        request: Box<Originated>,
        mut locator: Box<Locator>,
        out: &mut Effects,
    ) {
        match locator.step() {
            Step::Ask(lookup) => {
                let ticket = self.open_ticket(Purpose::LocateOriginated { request, locator }, None);
                out.push(Effect::LookUp { ticket, lookup });
            }
            Step::Try { transport, remote } => {
                self.launch_originated(*request, towards(transport, remote), out)
            }
            Step::Exhausted => self.originated_failed(*request, "no address for that URI", out),
        }
    }

    pub(crate) fn launch_originated(&mut self, originated: Originated, egress: Egress, out: &mut Effects) {
        let node = self.node.clone();
        let Originated { request, wait, ping } = originated;
        let owner = match ping {
            Some(ping) => ClientOwner::Ping { ping },
            None => ClientOwner::Originated { wait },
        };
        let Some(listener) = node.own.listener_for(egress.transport, &egress.remote, egress.local) else {
            return self.answer_wait(wait, Err("no listener of that transport and family"), out);
        };
        let method = Method::from_name(&request.method);
        let given =
            |name: &str| request.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v);
        let call_id = given("Call-ID").cloned().unwrap_or_else(|| {
            Text::from(format!(
                "{}{}@{}",
                TagText::of(self.rng.next_u64()).as_str(),
                TagText::of(self.rng.next_u64()).as_str(),
                listener.host
            ))
        });
        let own_uri = format!("<sip:{}:{}>", listener.host, listener.port);
        let key = self.reserve_client(method, egress, owner, call_id.clone());
        let branch = node.branches.encode(self.index, key, 0);
        let via = format!(
            "SIP/2.0/{} {}:{};branch={};rport",
            egress.transport.via_token(),
            listener.host,
            listener.port,
            branch.as_str()
        );
        let from = given("From").map_or_else(|| own_uri.clone(), |f| f.to_string());
        let from = match NameAddr::parse(&from) {
            Ok(parsed) if parsed.tag().is_some() => from,
            _ => format!("{from};tag={}", TagText::of(self.rng.next_u64()).as_str()),
        };
        let to = given("To").map_or_else(|| format!("<{}>", request.ruri), |t| t.to_string());
        let mut builder = RequestBuilder::new(request.method.to_string(), request.ruri.to_string())
            .via(&via)
            .from(&from)
            .to(&to)
            .call_id(&call_id);
        const MADE_HERE: [&str; 7] =
            ["Call-ID", "From", "To", "Via", "CSeq", "Max-Forwards", "Content-Length"];
        for (name, value) in &request.headers {
            if !MADE_HERE.iter().any(|made| made.eq_ignore_ascii_case(name)) {
                builder = builder.header(&**name, value);
            }
        }
        if let Some((content_type, body)) = &request.body {
            builder = builder.body(content_type, body.clone());
        }
        let mut bytes = Vec::with_capacity(512);
        if builder.write(&mut bytes).is_err() {
            self.forget_client(key, out);
            return self.answer_wait(wait, Err("a header field cannot be written"), out);
        }
        self.set_give_up(key, self.now + request.timeout, GiveUp::Originated);
        self.launch_client(key, Octets::from(bytes), out);
    }

    pub(crate) fn originated_failed(&mut self, originated: Originated, why: &'static str, out: &mut Effects) {
        self.answer_wait(originated.wait, Err(why), out);
    }

    pub(crate) fn answer_wait(
        &mut self,
        wait: Option<WaitId>,
        result: Result<Message, &'static str>,
        out: &mut Effects,
    ) {
        if let Some(wait) = wait {
            let outcome = match result {
                Ok(message) => Outcome::Response(message),
                Err(why) => Outcome::Failed(why),
            };
            out.push(Effect::Answered { wait, outcome: Box::new(outcome) });
        }
    }
}

/// Explicit next hop, else the first Route value (RFC 3261 8.1.2), else the Request-URI.
fn next_hop(request: &OriginatedRequest) -> Option<Query> {
    let route = request.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("Route")).map(|(_, v)| v);
    let route_uri = route.and_then(|v| NameAddr::parse(v).ok()).map(|n| n.uri.as_str().to_owned());
    let text = request
        .next_hop
        .as_deref()
        .map(str::to_owned)
        .or(route_uri)
        .unwrap_or_else(|| request.ruri.to_string());
    Query::of_uri(&Uri::parse(&text).ok()?).ok()
}
