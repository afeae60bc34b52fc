//! What the generator does over and over: the operations, and the text of their messages.
//!
//! Messages have the size and the headers of a common softphone; every identifier carries the number of the operation.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// One kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Operation {
    /// OPTIONS to the server itself: one request, one response.
    Options,
    /// REGISTER that needs no password.
    Register,
    /// REGISTER, 401, REGISTER with digest, 200.
    RegisterDigest,
    /// INVITE to 200, ACK, BYE to 200, to an address outside the server's domain, with Record-Route.
    Call,
    /// The same call to a registered user.
    CallLookup,
    /// The same as `call-lookup`, TCP on both sides.
    CallTcp,
}

impl Operation {
    /// All of them, in the order of the report.
    pub(crate) const ALL: [Self; 6] =
        [Self::Options, Self::Register, Self::RegisterDigest, Self::Call, Self::CallLookup, Self::CallTcp];

    /// Its name in reports and on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Options => "options",
            Self::Register => "register",
            Self::RegisterDigest => "register-digest",
            Self::Call => "call",
            Self::CallLookup => "call-lookup",
            Self::CallTcp => "call-tcp",
        }
    }

    /// Whether it has a callee.
    pub(crate) fn is_call(self) -> bool {
        matches!(self, Self::Call | Self::CallLookup | Self::CallTcp)
    }

    /// Whether the callee must be registered first.
    pub(crate) fn needs_bindings(self) -> bool {
        matches!(self, Self::CallLookup | Self::CallTcp)
    }

    /// Whether both sides speak TCP.
    pub(crate) fn is_tcp(self) -> bool {
        self == Self::CallTcp
    }
}

/// Users `u0` … of the server's domain; one fewer would make two concurrent calls share a callee too often.
pub(crate) const USERS: usize = 1000;

/// The Contact of the REGISTER operations: the same in every run, so that each refreshes one binding.
pub(crate) const PHONE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5999);

/// Everyone's password.
pub(crate) const PASSWORD: &str = "secret";

const SDP: &str = "v=0\r\no=- 3724394400 3724394400 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

/// Where one operation's requests come from and go to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    /// The caller's own address.
    pub(crate) local: SocketAddr,
    /// The callee's address.
    pub(crate) callee: SocketAddr,
    /// `UDP` or `TCP`.
    pub(crate) transport: &'static str,
}

/// Writes the request that opens operation `number`.
pub(crate) fn first(out: &mut Vec<u8>, operation: Operation, number: u32, ends: Ends, run: &str) {
    let user = number as usize % USERS;
    let text = match operation {
        Operation::Options => {
            let lines = "Accept: application/sdp\r\n";
            request("OPTIONS", "sip:example.com", "<sip:example.com>", number, 1, ends, run, lines, "")
        }
        Operation::Register => register(number, user, 1, ends, run, "open.example.com", "", PHONE),
        Operation::RegisterDigest => register(number, user, 1, ends, run, "example.com", "", PHONE),
        Operation::Call => {
            let uri = format!("sip:u{user}@{}", ends.callee);
            invite(&uri, number, ends, run)
        }
        Operation::CallLookup | Operation::CallTcp => {
            invite(&format!("sip:u{user}@example.com"), number, ends, run)
        }
    };
    out.extend_from_slice(text.as_bytes());
}

fn invite(uri: &str, number: u32, ends: Ends, run: &str) -> String {
    let Ends { local, transport, .. } = ends;
    let lines = format!(
        "Contact: <sip:caller@{local};transport={}>\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE\r\n\
         Supported: timer, replaces\r\nSubject: {run}-{number}\r\nUser-Agent: siphon-bench\r\nContent-Type: application/sdp\r\n",
        transport.to_ascii_lowercase()
    );
    request("INVITE", uri, &format!("<{uri}>"), number, 1, ends, run, &lines, SDP)
}

/// A REGISTER of `user` at `domain` for the phone at `contact`; port 0 removes every binding.
#[allow(clippy::too_many_arguments, reason = "a message has that many parts")]
pub(crate) fn register(
    number: u32,
    user: usize,
    cseq: u32,
    ends: Ends,
    run: &str,
    domain: &str,
    authorization: &str,
    contact: SocketAddr,
) -> String {
    let transport = if ends.transport == "TCP" { ";transport=tcp" } else { "" };
    let contact = match contact.port() {
        0 => "Contact: *\r\nExpires: 0".to_owned(),
        _ => format!("Contact: <sip:u{user}@{contact}{transport}>\r\nExpires: 3600"),
    };
    let lines = format!(
        "{contact}\r\nUser-Agent: siphon-bench\r\n\
         Supported: path\r\n{authorization}"
    );
    let to = format!("<sip:u{user}@{domain}>");
    request("REGISTER", &format!("sip:{domain}"), &to, number, cseq, ends, run, &lines, "")
}

#[allow(clippy::too_many_arguments, reason = "a message has that many parts")]
fn request(
    method: &str,
    uri: &str,
    to: &str,
    number: u32,
    cseq: u32,
    ends: Ends,
    run: &str,
    lines: &str,
    body: &str,
) -> String {
    let Ends { local, transport, .. } = ends;
    // A registration keeps its From; a call has a caller of its own.
    let from = if method == "REGISTER" { to } else { "\"Load\" <sip:caller@example.com>" };
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} {local};rport;branch=z9hG4bK{run}{number}x{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: {from};tag=f{run}{number}\r\nTo: {to}\r\nCall-ID: {run}-{number}@bench\r\n\
         CSeq: {cseq} {method}\r\n{lines}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// ACK or BYE inside the dialog that `answer` (a 200 to the INVITE) confirmed.
pub(crate) fn in_dialog(
    out: &mut Vec<u8>,
    method: &str,
    cseq: u32,
    number: u32,
    ends: Ends,
    run: &str,
    dialog: &Dialog,
) {
    let Ends { local, transport, .. } = ends;
    let mut text = format!(
        "{method} {} SIP/2.0\r\nVia: SIP/2.0/{transport} {local};rport;branch=z9hG4bK{run}{number}{}\r\nMax-Forwards: 70\r\n",
        dialog.target,
        &method[..1]
    );
    for route in &dialog.routes {
        let _ = write!(text, "Route: {route}\r\n");
    }
    let _ = write!(
        text,
        "From: \"Load\" <sip:caller@example.com>;tag=f{run}{number}\r\nTo: {}\r\nCall-ID: {run}-{number}@bench\r\n\
         CSeq: {cseq} {method}\r\nUser-Agent: siphon-bench\r\nContent-Length: 0\r\n\r\n",
        dialog.to
    );
    out.extend_from_slice(text.as_bytes());
}

/// The ACK to a refusal: same branch as the INVITE.
pub(crate) fn ack_refusal(out: &mut Vec<u8>, uri: &str, to: &str, number: u32, ends: Ends, run: &str) {
    let Ends { local, transport, .. } = ends;
    let text = format!(
        "ACK {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} {local};rport;branch=z9hG4bK{run}{number}x1\r\nMax-Forwards: 70\r\n\
         From: \"Load\" <sip:caller@example.com>;tag=f{run}{number}\r\nTo: {to}\r\nCall-ID: {run}-{number}@bench\r\n\
         CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
    );
    out.extend_from_slice(text.as_bytes());
}

/// What the caller remembers of a confirmed dialog.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dialog {
    /// Remote target.
    pub(crate) target: String,
    /// To with its tag.
    pub(crate) to: String,
    /// Route set, nearest first.
    pub(crate) routes: Vec<String>,
}

/// The callee's response to a request it received.
pub(crate) fn answer(
    out: &mut Vec<u8>,
    request: &crate::text::Text<'_>,
    status: &str,
    local: SocketAddr,
    transport: &str,
) {
    out.extend_from_slice(b"SIP/2.0 ");
    out.extend_from_slice(status.as_bytes());
    out.extend_from_slice(b"\r\n");
    let invite = request.starts_with(b"INVITE ");
    for (name, value) in request.headers() {
        let wanted: &[&str] = if invite {
            &["Via", "Record-Route", "From", "Call-ID", "CSeq"]
        } else {
            &["Via", "From", "To", "Call-ID", "CSeq"]
        };
        if wanted.iter().any(|w| name.eq_ignore_ascii_case(w.as_bytes())) {
            put(out, name, value, "");
        } else if name.eq_ignore_ascii_case(b"To") {
            put(out, name, value, ";tag=callee");
        }
    }
    if invite {
        let low = if transport == "TCP" { ";transport=tcp" } else { "" };
        let mut more = format!("Contact: <sip:callee@{local}{low}>\r\nServer: siphon-bench\r\n");
        if status.starts_with('2') {
            let _ =
                write!(more, "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}", SDP.len());
        } else {
            more += "Content-Length: 0\r\n\r\n";
        }
        out.extend_from_slice(more.as_bytes());
    } else {
        out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    }
}

fn put(out: &mut Vec<u8>, name: &[u8], value: &[u8], more: &str) {
    for part in [name, b": ", value, more.as_bytes(), b"\r\n"] {
        out.extend_from_slice(part);
    }
}
