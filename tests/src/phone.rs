//! A phone made of one peer: registers, calls, answers, and keeps the dialog (RFC 3261 12) as a real one would.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::digest;
use crate::message::Message;
use crate::peer::Peer;

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A text no other request of this run has: for branches, tags and Call-IDs.
pub fn unique() -> String {
    format!("{:x}n{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A user agent with an address-of-record.
pub struct Phone {
    /// The socket it speaks through.
    pub peer: Peer,
    user: String,
    domain: String,
    password: String,
    cseq: Cell<u32>,
    call_id: String,
}

impl Phone {
    /// A phone of example.com that speaks UDP to the subject.
    pub fn udp(subject: SocketAddr, user: &str) -> Self {
        Self::new(Peer::udp(subject), user, "example.com", "secret")
    }

    /// A phone of example.com that keeps one TCP connection to the subject.
    pub fn tcp(subject: SocketAddr, user: &str) -> Self {
        Self::new(Peer::tcp(subject), user, "example.com", "secret")
    }

    /// A phone of any domain.
    pub fn new(peer: Peer, user: &str, domain: &str, password: &str) -> Self {
        let [user, domain, password] = [user, domain, password].map(str::to_owned);
        Self { peer, user, domain, password, cseq: Cell::new(1), call_id: format!("reg-{}", unique()) }
    }

    /// Its address-of-record.
    pub fn aor(&self) -> String {
        format!("sip:{}@{}", self.user, self.domain)
    }

    /// Its Contact: the socket's own address, which for TCP is an ephemeral port nobody listens on.
    pub fn contact(&self) -> String {
        let transport = if self.peer.transport() == "TCP" { ";transport=tcp" } else { "" };
        format!("<sip:{}@{}{transport}>", self.user, self.peer.local())
    }

    /// Registers with digest and checks that it is granted; the 200.
    pub fn register(&self) -> Message {
        self.register_as(&format!("Contact: {}\nExpires: 300", self.contact()), &self.password, 200)
    }

    /// Sends a REGISTER with these header lines, answers the 401, and checks the status of the second answer.
    pub fn register_as(&self, lines: &str, password: &str, status: u16) -> Message {
        self.peer.send(&self.register_text(lines));
        let challenge = self.peer.final_status("REGISTER", 401);
        let challenge = challenge.header("WWW-Authenticate");
        let uri = format!("sip:{}", self.domain);
        let answer = digest::answer(challenge, "REGISTER", &uri, &self.user, password);
        self.peer.send(&self.register_text(format!("{lines}\nAuthorization: {answer}").trim_start()));
        self.peer.final_status("REGISTER", status)
    }

    /// The text of this phone's next REGISTER.
    pub fn register_text(&self, lines: &str) -> String {
        let cseq = self.cseq.replace(self.cseq.get() + 1);
        let (user, domain, id, via) = (&self.user, &self.domain, &self.call_id, self.via());
        let lines = if lines.is_empty() { String::new() } else { format!("\n{lines}") };
        format!(
            "REGISTER sip:{domain} SIP/2.0
{via}
Max-Forwards: 70
From: <sip:{user}@{domain}>;tag=r{id}
To: <sip:{user}@{domain}>
Call-ID: {id}
CSeq: {cseq} REGISTER
Supported: path{lines}

"
        )
    }

    /// A Via line with a fresh branch.
    pub fn via(&self) -> String {
        format!(
            "Via: SIP/2.0/{} {};rport;branch=z9hG4bK{}",
            self.peer.transport(),
            self.peer.local(),
            unique()
        )
    }

    /// Begins a dialog as caller: the INVITE's text, and the dialog to be confirmed by a response.
    pub fn invite(&self, uri: &str) -> (String, Dialog) {
        let dialog = Dialog {
            call_id: format!("call-{}", unique()),
            local: format!("<{}>;tag={}", self.aor(), unique()),
            remote: format!("<{uri}>"),
            target: uri.to_owned(),
            routes: Vec::new(),
            cseq: Cell::new(1),
        };
        let text = self.invite_again(&dialog, "");
        (text, dialog)
    }

    /// The text of the dialog's INVITE with a fresh branch and further header lines.
    fn invite_again(&self, dialog: &Dialog, lines: &str) -> String {
        let lines = format!("{lines}Contact: {}\n{SDP_TYPE}", self.contact());
        dialog.text("INVITE", dialog.cseq.get(), &self.via(), &lines, SDP)
    }

    /// Answers the 407 to `invite`: acknowledges it and sends the INVITE again with credentials; what was sent.
    pub fn prove(&self, dialog: &Dialog, invite: &str, challenge: &Message) -> String {
        self.prove_with(dialog, invite, challenge, str::to_owned)
    }

    /// The same with an INVITE that is edited before it leaves.
    pub fn prove_with(
        &self,
        dialog: &Dialog,
        invite: &str,
        challenge: &Message,
        edit: impl Fn(&str) -> String,
    ) -> String {
        self.peer.send(&self.within(invite, "ACK", Some(challenge.header("To"))));
        let value = challenge.header("Proxy-Authenticate");
        let answer = digest::answer(value, "INVITE", &dialog.target, &self.user, &self.password);
        dialog.cseq.set(dialog.cseq.get() + 1);
        let text = edit(&self.invite_again(dialog, &format!("Proxy-Authorization: {answer}\n")));
        self.peer.send(&text);
        text
    }

    /// Sends an in-dialog request with a fresh branch; what was sent.
    pub fn send_in(&self, dialog: &Dialog, method: &str, lines: &str) -> String {
        let cseq = dialog.cseq.get() + 1;
        dialog.cseq.set(cseq);
        let text = dialog.text(method, cseq, &self.via(), lines, "");
        self.peer.send(&text);
        text
    }

    /// Sends a re-INVITE with SDP.
    pub fn reinvite(&self, dialog: &Dialog) -> String {
        let cseq = dialog.cseq.get() + 1;
        dialog.cseq.set(cseq);
        let text = self.invite_again(dialog, "");
        self.peer.send(&text);
        text
    }

    /// Sends the ACK to a 2xx of the INVITE with that CSeq (RFC 3261 13.2.2.4: a transaction of its own).
    pub fn ack(&self, dialog: &Dialog) {
        self.peer.send(&dialog.text("ACK", dialog.cseq.get(), &self.via(), "", ""));
    }

    /// The CANCEL or the ACK to a non-2xx that belongs to a sent INVITE: same branch, same CSeq number.
    pub fn within(&self, invite: &str, method: &str, to: Option<&str>) -> String {
        let invite = Message::read(&crate::message::on_the_wire(invite));
        let to = to.unwrap_or(invite.header("To"));
        let number = invite.header("CSeq").split(' ').next().unwrap_or_default();
        let routes: String = invite.headers("Route").iter().map(|r| format!("Route: {r}\n")).collect();
        format!(
            "{method} {} SIP/2.0\nVia: {}\nMax-Forwards: 70\n{routes}From: {}\nTo: {to}\nCall-ID: {}\nCSeq: {number} {method}\n\n",
            invite.request_uri(),
            invite.header("Via"),
            invite.header("From"),
            invite.header("Call-ID"),
        )
    }

    /// Answers a request; a 2xx or 18x to an INVITE carries this phone's Contact and, for 200, SDP.
    pub fn answer(&self, request: &Message, status: u16, reason: &str) -> String {
        let contact = format!("Contact: {}", self.contact());
        let tag = format!("{}{}", self.user, self.peer.local().port());
        let mut text = match (request.method(), status) {
            ("INVITE", 200..=299) => request.response(status, reason, &tag, &[&contact, SDP_TYPE]),
            ("INVITE", 101..=299) => request.response(status, reason, &tag, &[&contact]),
            _ => request.response(status, reason, &tag, &[]),
        };
        if request.method() == "INVITE" && (200..300).contains(&status) {
            text += SDP;
        }
        self.peer.send(&text);
        text
    }

    /// The dialog as the callee has it, after it answered `invite` with `answer` (RFC 3261 12.1.1).
    pub fn callee_dialog(&self, invite: &Message, answer: &str) -> Dialog {
        let answer = Message::read(&crate::message::on_the_wire(answer));
        Dialog {
            call_id: invite.header("Call-ID").to_owned(),
            local: answer.header("To").to_owned(),
            remote: invite.header("From").to_owned(),
            target: uri_of(invite.header("Contact")).to_owned(),
            routes: invite.list("Record-Route").into_iter().map(str::to_owned).collect(),
            cseq: Cell::new(100),
        }
    }
}

/// One side's view of a dialog.
pub struct Dialog {
    call_id: String,
    local: String,
    remote: String,
    target: String,
    routes: Vec<String>,
    cseq: Cell<u32>,
}

impl Dialog {
    /// Takes To-tag, remote target and route set from a 2xx (RFC 3261 12.1.2).
    pub fn confirm(&mut self, response: &Message) {
        response.header("To").clone_into(&mut self.remote);
        uri_of(response.header("Contact")).clone_into(&mut self.target);
        self.routes = response.list("Record-Route").into_iter().rev().map(str::to_owned).collect();
    }

    /// Its Call-ID.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// Its route set, nearest hop first.
    pub fn routes(&self) -> &[String] {
        &self.routes
    }

    fn text(&self, method: &str, cseq: u32, via: &str, lines: &str, body: &str) -> String {
        let routes: String = self.routes.iter().map(|route| format!("Route: {route}\n")).collect();
        let lines = if lines.is_empty() { String::new() } else { format!("{lines}\n") };
        let Self { target, local, remote, call_id, .. } = self;
        format!(
            "{method} {target} SIP/2.0\n{via}\nMax-Forwards: 70\n{routes}From: {local}\nTo: {remote}\nCall-ID: {call_id}\nCSeq: {cseq} {method}\n{lines}\n{body}"
        )
    }
}

/// What stands between the angle brackets.
fn uri_of(value: &str) -> &str {
    value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(value, |(uri, _)| uri)
}

const SDP_TYPE: &str = "Content-Type: application/sdp";
const SDP: &str = "v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 40000 RTP/AVP 8
a=rtpmap:8 PCMA/8000
";
