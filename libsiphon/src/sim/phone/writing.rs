//! The messages a phone writes (RFC 3261 8.1.1, 8.2.6, 12.1, 12.2.1.1).

use super::{Hop, Phone};
use crate::base::flow::Transport;
use crate::base::text::Octets;
use crate::sim::reading::{Reading, address, param, socket_of, uri_param};
use std::fmt::Write;

/// What varies from request to request.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) method: String,
    pub(super) uri: String,
    pub(super) from_tag: String,
    /// The To value, tag included.
    pub(super) to: String,
    pub(super) call_id: String,
    pub(super) cseq: u32,
    pub(super) routes: Vec<String>,
    /// Further header lines, each with its CRLF.
    pub(super) headers: String,
    pub(super) body: String,
}

impl Phone {
    pub(super) fn write_request(&self, draft: &Draft, branch: &str, transport: Transport) -> Octets {
        let a = &self.account;
        let mut text = String::with_capacity(700);
        let _ = write!(
            text,
            "{} {} SIP/2.0\r\nVia: SIP/2.0/{} {};branch={};rport\r\nMax-Forwards: 70\r\n",
            draft.method,
            draft.uri,
            transport.via_token(),
            a.address,
            branch
        );
        for route in &draft.routes {
            let _ = write!(text, "Route: {route}\r\n");
        }
        let _ = write!(
            text,
            "From: \"{}\" <{}>;tag={}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} {}\r\n{}",
            a.user,
            self.aor(),
            draft.from_tag,
            draft.to,
            draft.call_id,
            draft.cseq,
            draft.method,
            draft.headers
        );
        let without = matches!(draft.method.as_str(), "REGISTER" | "CANCEL" | "ACK" | "BYE");
        if !without && !names(&draft.headers, "contact") {
            let _ = write!(text, "Contact: <{}>\r\n", self.contact());
        }
        if !draft.body.is_empty() && !names_type(&draft.headers) {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{}", draft.body.len(), draft.body);
        Octets::from(text.into_bytes())
    }

    /// The phone's contact URI.
    pub fn contact(&self) -> String {
        let a = &self.account;
        let transport = if a.transport == Transport::Tcp { ";transport=tcp" } else { "" };
        format!("sip:{}@{}{transport}", a.user, a.address)
    }

    /// A response to `request`, its Via values copied, the topmost marked by where it came from (RFC 3581 4).
    pub(super) fn write_response(
        &self,
        request: &Reading<'_>,
        hop: &Hop,
        code: u16,
        to_tag: &str,
        headers: &str,
        body: &str,
    ) -> Octets {
        let mut text = String::with_capacity(900);
        let _ = write!(text, "SIP/2.0 {code} {}\r\n", crate::wire::sip::reason_phrase(code));
        for (nth, via) in request.values("Via").into_iter().enumerate() {
            match (nth, param(via, "rport")) {
                (0, Some(_)) => {
                    let marked = via.replacen(";rport", &format!(";rport={}", hop.remote.port()), 1);
                    let _ = write!(text, "Via: {marked};received={}\r\n", hop.remote.ip());
                }
                _ => {
                    let _ = write!(text, "Via: {via}\r\n");
                }
            }
        }
        let to = request.header("To").unwrap_or("");
        let tag = match request.tag("To").is_none() && code > 100 {
            true => format!(";tag={to_tag}"),
            false => String::new(),
        };
        let (cseq, method) = request.cseq();
        let _ = write!(
            text,
            "From: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n",
            request.header("From").unwrap_or(""),
            request.call_id(),
        );
        if code > 100 && code < 300 {
            for value in request.values("Record-Route") {
                let _ = write!(text, "Record-Route: {value}\r\n");
            }
        }
        if method == "INVITE" && code > 100 && code < 300 && !names(headers, "contact") {
            let _ = write!(text, "Contact: <{}>\r\n", self.contact());
        }
        if !body.is_empty() && !names_type(headers) {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        let _ = write!(text, "{headers}Content-Length: {}\r\n\r\n{body}", body.len());
        Octets::from(text.into_bytes())
    }

    /// Where a request with this route set and remote target goes first: names are the outbound proxy's business.
    pub(super) fn first_hop(&self, routes: &[String], target: &str) -> Hop {
        let uri = routes.first().map_or(target, |r| address(r));
        let by_proxy = Hop { transport: self.account.transport, remote: self.account.proxy, stream: None };
        match socket_of(uri) {
            Some(remote) if remote == self.account.proxy => by_proxy,
            Some(remote) => {
                let tcp = uri_param(uri, "transport").is_some_and(|t| t.eq_ignore_ascii_case("tcp"));
                let transport = if tcp { Transport::Tcp } else { Transport::Udp };
                Hop { transport, remote, stream: None }
            }
            None => by_proxy,
        }
    }
}

/// Whether header lines bring a field of that name, given in lower case.
fn names(headers: &str, name: &str) -> bool {
    headers.lines().filter_map(|l| l.split_once(':')).any(|(n, _)| n.trim().eq_ignore_ascii_case(name))
}

fn names_type(headers: &str) -> bool {
    names(headers, "content-type") || names(headers, "c")
}
