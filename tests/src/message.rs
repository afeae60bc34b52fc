//! SIP text as a peer sees it: just enough reading and answering to write a phone in a test.
//!
//! On purpose not Siphon's own parser: a fault shared by both ends of a test would stay hidden.

use std::fmt;

/// One message as received.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    text: String,
}

impl Message {
    /// Reads a message; bytes that are no UTF-8 are replaced.
    pub fn read(bytes: &[u8]) -> Self {
        Self { text: String::from_utf8_lossy(bytes).trim_start().to_owned() }
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Request line or status line.
    pub fn start_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// The status code, or 0 for a request.
    pub fn status(&self) -> u16 {
        let rest = self.start_line().strip_prefix("SIP/2.0 ").unwrap_or_default();
        rest.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// The method of a request; for a response the method of its CSeq.
    pub fn method(&self) -> &str {
        if self.status() == 0 {
            self.start_line().split(' ').next().unwrap_or_default()
        } else {
            self.header("CSeq").split(' ').nth(1).unwrap_or_default()
        }
    }

    /// The Request-URI, empty for a response.
    pub fn request_uri(&self) -> &str {
        if self.status() == 0 { self.start_line().split(' ').nth(1).unwrap_or_default() } else { "" }
    }

    /// The values of all header lines of that name, in order.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        let lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(n, _)| n.trim().eq_ignore_ascii_case(name)).map(|(_, v)| v.trim()).collect()
    }

    /// The first value of that name, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers(name).first().copied().unwrap_or_default()
    }

    /// All values of that name, with comma lists taken apart (not for values with commas in quotes).
    pub fn list(&self, name: &str) -> Vec<&str> {
        self.headers(name).into_iter().flat_map(|line| line.split(',')).map(str::trim).collect()
    }

    /// What stands after the empty line.
    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default()
    }

    /// A parameter of a header value (`tag` of To, `branch` of Via).
    pub fn param(&self, header: &str, name: &str) -> &str {
        let parts = self.header(header).split([';', ',']).skip(1);
        let mut named = parts.filter_map(|part| part.trim().split_once('='));
        named
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.trim_end_matches('>'))
            .unwrap_or_default()
    }

    /// The response a user agent gives (RFC 3261 8.2.6), with its own To-tag and further header lines.
    pub fn response(&self, status: u16, reason: &str, tag: &str, more: &[&str]) -> String {
        let mut out = format!("SIP/2.0 {status} {reason}\n");
        for via in self.headers("Via") {
            out += &format!("Via: {via}\n");
        }
        for route in self.headers("Record-Route") {
            out += &format!("Record-Route: {route}\n");
        }
        let to = self.header("To");
        let tagged = to.contains(";tag=") || status == 100;
        let tag = if tagged { String::new() } else { format!(";tag={tag}") };
        out += &format!("From: {}\nTo: {to}{tag}\n", self.header("From"));
        out += &format!("Call-ID: {}\nCSeq: {}\n", self.header("Call-ID"), self.header("CSeq"));
        for line in more {
            out += line;
            out += "\n";
        }
        out + "\n"
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.text)
    }
}

/// Text as it goes on the wire: `\n` becomes CRLF, and a Content-Length is added when the text has none.
pub fn on_the_wire(text: &str) -> Vec<u8> {
    let text = text.replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((text.as_str(), ""));
    let body = body.replace('\n', "\r\n");
    let mut out = head.trim_start().replace('\n', "\r\n");
    if !head.to_ascii_lowercase().contains("\ncontent-length:") {
        out += &format!("\r\nContent-Length: {}", body.len());
    }
    (out + "\r\n\r\n" + &body).into_bytes()
}
