//! A second, deliberately plain reader of SIP messages (RFC 3261 7) for the simulated peers and the auditor.
//!
//! It shares nothing with `wire::sip`: a fault of the parser under test must not be a fault of those who check it.

use std::net::{IpAddr, SocketAddr};

/// One message, read line by line.
#[derive(Clone, Debug)]
pub struct Reading<'a> {
    bytes: &'a [u8],
    start: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: &'a [u8],
}

impl<'a> Reading<'a> {
    /// Reads a message; `None` when there is no header section or no start line in it.
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
        let (head, body) = (bytes.get(..end)?, bytes.get(end + 4..)?);
        let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
        let start = lines.next().filter(|l| l.contains("SIP/2.0"))?;
        let headers = lines.filter_map(|l| l.split_once(':')).map(|(n, v)| (n.trim(), v.trim())).collect();
        Some(Reading { bytes, start, headers, body })
    }

    /// The first line.
    pub fn start(&self) -> &'a str {
        self.start
    }

    /// Whether it is a request.
    pub fn is_request(&self) -> bool {
        !self.start.starts_with("SIP/2.0")
    }

    /// The status code of a response, 0 for a request.
    pub fn status(&self) -> u16 {
        match self.is_request() {
            true => 0,
            false => self.start.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0),
        }
    }

    /// The method of a request, of a response that of its CSeq.
    pub fn method(&self) -> &'a str {
        match self.is_request() {
            true => self.start.split(' ').next().unwrap_or(""),
            false => self.cseq().1,
        }
    }

    /// The Request-URI.
    pub fn uri(&self) -> &'a str {
        self.start.split(' ').nth(1).unwrap_or("")
    }

    /// The first header field of that name, in its long or compact form.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.lines(name).next()
    }

    fn lines<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a str> + 's {
        let short = compact(name);
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name) || n.eq_ignore_ascii_case(short))
            .map(|(_, v)| *v)
    }

    /// The values of all header fields of that name, lists taken apart.
    pub fn values(&self, name: &str) -> Vec<&'a str> {
        self.lines(name).flat_map(split_list).collect()
    }

    /// Every header field of that name as it stands: challenges have commas of their own.
    pub fn challenges(&self, name: &str) -> Vec<&'a str> {
        self.lines(name).collect()
    }

    /// The octets it was read from.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The body.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Call-ID.
    pub fn call_id(&self) -> &'a str {
        self.header("Call-ID").unwrap_or("")
    }

    /// Number and method of CSeq.
    pub fn cseq(&self) -> (u32, &'a str) {
        let mut words = self.header("CSeq").unwrap_or("").split_ascii_whitespace();
        let number = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        (number, words.next().unwrap_or(""))
    }

    /// The tag of `From` or `To`.
    pub fn tag(&self, name: &str) -> Option<&'a str> {
        param(self.header(name)?, "tag")
    }

    /// The Via value `nth` from the top.
    pub fn via(&self, nth: usize) -> Option<&'a str> {
        self.values("Via").get(nth).copied()
    }

    /// The branch of the Via value `nth` from the top.
    pub fn branch(&self, nth: usize) -> &'a str {
        self.via(nth).and_then(|v| param(v, "branch")).unwrap_or("")
    }

    /// The sent-by of the Via value `nth` from the top.
    pub fn sent_by(&self, nth: usize) -> &'a str {
        let via = self.via(nth).unwrap_or("");
        via.split_ascii_whitespace().nth(1).unwrap_or("").split(';').next().unwrap_or("")
    }

    /// Max-Forwards.
    pub fn max_forwards(&self) -> Option<u32> {
        self.header("Max-Forwards")?.parse().ok()
    }

    /// Whether its Via values, From, Call-ID and CSeq are there: it can be answered.
    pub fn is_complete(&self) -> bool {
        self.via(0).is_some()
            && self.header("From").is_some()
            && self.header("To").is_some()
            && !self.call_id().is_empty()
            && !self.cseq().1.is_empty()
    }
}

fn compact(name: &str) -> &'static str {
    match name {
        "Call-ID" => "i",
        "Contact" => "m",
        "From" => "f",
        "To" => "t",
        "Via" => "v",
        "Content-Length" => "l",
        "Content-Type" => "c",
        _ => "\0",
    }
}

/// The parts of a comma-separated list; commas in quotes and angle brackets do not count.
fn split_list(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut quoted, mut angle) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '<' if !quoted => angle = true,
            '>' if !quoted => angle = false,
            ',' if !quoted && !angle => {
                parts.extend(text.get(from..at).map(str::trim));
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(from..).map(str::trim).filter(|p| !p.is_empty()));
    parts
}

/// A parameter behind the address of a header value: `Some("")` when it has no value.
pub fn param<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let after = value.rfind('>').and_then(|at| value.get(at..)).unwrap_or(value);
    after.split(';').skip(1).find_map(|p| {
        let (n, v) = p.split_once('=').unwrap_or((p, ""));
        n.trim().eq_ignore_ascii_case(name).then(|| v.trim())
    })
}

/// A parameter inside a URI.
pub fn uri_param<'a>(uri: &'a str, name: &str) -> Option<&'a str> {
    uri.split(';').skip(1).find_map(|p| {
        let (n, v) = p.split_once('=').unwrap_or((p, ""));
        n.eq_ignore_ascii_case(name).then_some(v)
    })
}

/// The URI of a name-addr or addr-spec.
pub fn address(value: &str) -> &str {
    match value.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or(""),
        None => value.split(';').next().unwrap_or("").trim(),
    }
}

/// The socket address a URI with an IP address for its host names; port 5060 when it has none.
pub fn socket_of(uri: &str) -> Option<SocketAddr> {
    let rest = uri.split_once(':')?.1;
    let rest = rest.split([';', '?']).next()?;
    let host = rest.rsplit_once('@').map_or(rest, |(_, h)| h);
    socket(host)
}

/// `host:port` or `host`, where host is an IP address.
pub fn socket(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| {
        let ip: IpAddr = text.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
        Some(SocketAddr::new(ip, 5060))
    })
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
