//! Requests of the legs.

use super::call::Call;
use super::headers;
use super::leg::{DialogId, Invite, Leg, LegId};
use super::port::{Env, Hop, Outgoing, Settings};
use crate::base::flow::Flow;
use crate::base::text::{Octets, Text};
use crate::policy::call::{Dial, HeaderPreset};
use crate::policy::{Header, Target};
use crate::proto::dialog::{Dialog, Sent, tagged};
use crate::proto::registrar::nat;
use crate::wire::sip::{HeaderId, Message, Method, Uri, quote};

/// Content-Type and octets.
pub(super) type Body = (Text, Octets);

/// The methods a call takes (RFC 3261 20.5).
pub(super) const ALLOW: &str =
    "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, MESSAGE, NOTIFY, PRACK, REFER";

/// Option tags a request inside or at the start of a call may require.
const SUPPORTED: [&str; 4] = ["100rel", "timer", "replaces", "norefersub"];

/// The body of a message with its type.
pub(super) fn body_of(message: &Message) -> Option<Body> {
    let body = message.body();
    if body.is_empty() {
        return None;
    }
    let kind = message.header(HeaderId::ContentType)?;
    Some((Text::from(&*kind), Octets::from(body)))
}

/// Option tags that are required and not honoured here (RFC 3261 8.2.2.3).
pub(super) fn unsupported(request: &Message, settings: &Settings) -> Vec<Text> {
    let known: Vec<&str> =
        SUPPORTED.into_iter().filter(|tag| settings.reliable || *tag != "100rel").collect();
    request.unknown_options(HeaderId::Require, &known).map(|tag| Text::from(&*tag)).collect()
}

/// The flow to reach the peer by, where its Contact will not do: it is at the far end of a connection, or behind a NAT
/// (a private address that is not where its messages come from).
pub(super) fn needed_flow(message: &Message, flow: &Flow) -> Option<Flow> {
    if flow.connection.is_some() {
        return Some(*flow);
    }
    let contact = message.contacts().next()?.ok()?;
    let ip = contact.uri.host_ip()?;
    (ip != flow.remote.ip() && nat::is_private(ip)).then_some(*flow)
}

/// A dialog of a 2xx that broke the rules.
pub(super) fn dialog_without_contact(sent: &Sent, response: &Message) -> Dialog {
    Dialog {
        call_id: sent.call_id.clone(),
        local: sent.from.clone(),
        local_tag: sent.from_tag.clone(),
        remote: format!("<{}>", sent.request_uri).into(),
        remote_tag: response.to_tag().unwrap_or_default().into(),
        local_cseq: sent.cseq,
        remote_cseq: None,
        target: sent.request_uri.clone(),
        routes: Vec::new(),
    }
}

/// A request in the dialog of `leg`, without header fields of the other side.
pub(super) fn in_dialog(leg: &Leg, dialog: &Dialog, method: &str, cseq: u32) -> Outgoing {
    let (uri, routes) = dialog.path();
    Outgoing {
        method: method.into(),
        uri,
        from: dialog.from().into(),
        to: dialog.to().into(),
        call_id: dialog.call_id.clone(),
        cseq,
        max_forwards: 70,
        contact: None,
        headers: Vec::new(),
        body: None,
        hop: Call::hop_of(leg, !routes.is_empty()),
        routes,
        send_socket: None,
    }
}

/// The ACK to a 2xx (RFC 3261 13.2.2.4).
pub(super) fn ack(leg: &Leg, dialog: &Dialog, cseq: u32, body: Option<Body>) -> Outgoing {
    Outgoing { body, ..in_dialog(leg, dialog, "ACK", cseq) }
}

/// The BYE of a leg, with the value of Reason.
pub(super) fn bye(leg: &mut Leg, reason: Option<Text>) -> Option<Outgoing> {
    let cseq = leg.dialog()?.dialog.next_cseq();
    let dialog = &leg.dialogs.first()?.dialog;
    let mut request = in_dialog(leg, dialog, "BYE", cseq);
    request.headers.extend(reason.map(|reason| (Text::from("Reason"), reason)));
    Some(request)
}

/// A request of this node, in a dialog of `leg`.
pub(super) fn own(leg: &mut Leg, dialog: DialogId, method: Method) -> Option<Outgoing> {
    let cseq = leg.dialog_at(dialog)?.dialog.next_cseq();
    let dialog = &leg.dialogs.iter().find(|d| d.id == dialog)?.dialog;
    Some(in_dialog(leg, dialog, method.name(), cseq))
}

/// A request of the other side, in a dialog of `leg`; `method` where it becomes another one.
pub(super) fn inside(
    leg: &mut Leg,
    dialog: DialogId,
    request: &Message,
    method: Option<Method>,
    passed: Vec<Header>,
) -> Option<Outgoing> {
    let cseq = leg.dialog_at(dialog)?.dialog.next_cseq();
    let contact = leg.contact.clone();
    let dialog = &leg.dialogs.iter().find(|d| d.id == dialog)?.dialog;
    let name = match method {
        Some(method) => method.name(),
        None => request.method_name(),
    };
    let mut outgoing = in_dialog(leg, dialog, name, cseq);
    outgoing.max_forwards = request.max_forwards().unwrap_or(70).saturating_sub(1);
    if matches!(method.unwrap_or(request.method()), Method::Invite | Method::Update) {
        outgoing.contact = Some(contact);
        outgoing.headers.push((Text::from("Allow"), ALLOW.into()));
    }
    outgoing.headers.extend(passed);
    outgoing.body = body_of(request);
    Some(outgoing)
}

impl Call {
    /// The header fields of one side's message that the other side gets.
    pub(super) fn passed(&self, message: &Message, settings: &Settings) -> Vec<Header> {
        headers::passing(message, &self.policy, settings.preset)
    }

    /// The INVITE towards `target`, and what its dialogs are made of.
    pub(super) fn first_invite(
        &self,
        dial: &Dial,
        target: &Target,
        call_id: &Text,
        tag: &Text,
        env: &Env<'_>,
    ) -> (Outgoing, Sent) {
        let preset = dial.headers.preset.unwrap_or(env.settings.preset);
        let own = |name: &str| dial.headers.own.iter().any(|n| n.eq_ignore_ascii_case(name));
        let keeps_hosts = preset == HeaderPreset::Transparent;
        let from = match self.invite.from() {
            Ok(from) if keeps_hosts || own("From") => address(from.display().as_deref(), from.uri.as_str()),
            Ok(from) => address(from.display().as_deref(), &hosted(&from.uri, &env.settings.host)),
            Err(_) => format!("<sip:anonymous@{}>", env.settings.host),
        };
        let to = match self.invite.to() {
            Ok(to) if keeps_hosts || own("To") => address(to.display().as_deref(), to.uri.as_str()),
            _ => format!("<{}>", bare(&target.uri)),
        };
        let contact = self.invite.from().ok().and_then(|f| f.uri.user().map(Text::from)).unwrap_or_default();
        let mut headers = vec![(Text::from("Allow"), Text::from(ALLOW))];
        headers.extend(self.passed(&self.invite, env.settings));
        if dial.auth_passthrough {
            for id in [HeaderId::Authorization, HeaderId::ProxyAuthorization] {
                headers.extend(self.invite.values(id).map(|v| (Text::from(id.name()), Text::from(&*v))));
            }
        }
        let sent = Sent {
            call_id: call_id.clone(),
            from: from.clone().into(),
            from_tag: tag.clone(),
            cseq: 1,
            request_uri: target.uri.clone(),
        };
        let request = Outgoing {
            method: "INVITE".into(),
            uri: target.uri.clone(),
            routes: target.route.clone(),
            from: tagged(&from, tag).into(),
            to: to.into(),
            call_id: call_id.clone(),
            cseq: 1,
            max_forwards: self.invite.max_forwards().unwrap_or(70).saturating_sub(1),
            contact: Some(contact),
            headers,
            body: body_of(&self.invite),
            hop: Hop::Target(Box::new(target.clone())),
            send_socket: dial.send_socket.clone(),
        };
        (request, sent)
    }

    /// Answers the challenge of a B-leg with the call's own login, once per challenge that is not stale. True when the
    /// INVITE is on its way again.
    pub(super) fn log_in(&mut self, id: LegId, response: &Message, env: &mut Env<'_>) -> bool {
        use crate::proto::auth::client::{Request, answer_peer};
        /// Two challenges, a proxy's and the server's, and one of them stale.
        const MOST: u8 = 3;
        let Some(login) = self.login.clone() else { return false };
        let cnonce = env.tag();
        let Some(leg) = self.leg(id) else { return false };
        let Invite::Sent(sent) = &mut leg.invite else { return false };
        if sent.logins >= MOST || sent.cancelled {
            return false;
        }
        let body = sent.request.body.as_ref().map(|(_, b)| b.clone());
        let signed =
            Request { method: "INVITE", uri: &sent.request.uri, body: body.as_deref().unwrap_or_default() };
        let Some(headers) = answer_peer(response, &login, &signed, &cnonce, &sent.request.headers) else {
            return false;
        };
        sent.logins += 1;
        sent.request.headers.retain(|(name, _)| !headers.iter().any(|(n, _)| n == name));
        sent.request.headers.extend(headers);
        self.invite_again(id, env);
        true
    }

    /// The INVITE of a target goes out once more, changed.
    pub(super) fn invite_again(&mut self, id: LegId, env: &mut Env<'_>) {
        let now = env.now;
        let client = self.new_client(super::call::Purpose::Invite(id));
        let Some(leg) = self.leg(id) else { return };
        leg.dialogs.clear();
        let Some(sent) = leg.sent() else { return };
        sent.request.cseq = sent.request.cseq.saturating_add(1);
        sent.sent.cseq = sent.request.cseq;
        sent.give_up = Some(now + sent.timeout);
        sent.client = Some(client);
        let request = Box::new(sent.request.clone());
        env.push(super::port::Output::Send { client, leg: id, request });
    }
}

pub(super) fn address(display: Option<&str>, uri: &str) -> String {
    match display {
        Some(display) => format!("{} <{uri}>", quote(display)),
        None => format!("<{uri}>"),
    }
}

/// The URI with our host in place of the peer's, and nothing but scheme and user of what it had. A number or URN that
/// names no host stays.
pub(super) fn hosted(uri: &Uri<'_>, host: &str) -> String {
    if !uri.is_sip() {
        return uri.as_str().to_owned();
    }
    match uri.user() {
        Some(user) => format!("sip:{user}@{host}"),
        None => format!("sip:{host}"),
    }
}

/// Scheme, user and host of a URI.
pub(super) fn bare(uri: &str) -> String {
    match Uri::parse(uri) {
        Ok(parsed) if parsed.is_sip() => match parsed.user() {
            Some(user) => format!("{}:{user}@{}", parsed.scheme_name(), parsed.host()),
            None => format!("{}:{}", parsed.scheme_name(), parsed.host()),
        },
        _ => uri.to_owned(),
    }
}
