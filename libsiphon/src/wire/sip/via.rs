//! Via (RFC 3261 20.42, RFC 3581): one value parsed to offsets, and the borrowed view of it.

use std::net::IpAddr;

use super::params::next_param;
use super::scan::{Cursor, Span, Stored, cut, digits, is_host, is_space, is_token};
use super::uri::parse_port;

/// The `rport` parameter of RFC 3581.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rport {
    /// Not there.
    #[default]
    Absent,
    /// There without a value: the client asks for it.
    Asked,
    /// Filled in by a server.
    Port(u16),
}

/// A Via value by offsets into the message.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ViaIndex {
    /// The whole value, without the comma that may follow.
    pub(super) value: Span,
    pub(super) transport: Span,
    pub(super) host: Span,
    pub(super) port: Option<u16>,
    pub(super) branch: Span,
    pub(super) maddr: Span,
    pub(super) received: Option<IpAddr>,
    pub(super) rport: Rport,
    pub(super) ttl: Option<u8>,
    /// `rport` or `rport=value`, for the splice that fills it in.
    pub(super) rport_param: Span,
    /// `;received=value`, with its semicolon.
    pub(super) received_param: Span,
}

/// A Via value, borrowed from the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopVia<'a> {
    /// The value as written.
    pub value: &'a str,
    /// The transport token as written.
    pub transport: &'a str,
    /// The host of sent-by, an IPv6 address in its brackets.
    pub host: &'a str,
    /// The port of sent-by, when written.
    pub port: Option<u16>,
    /// The branch; `None` from an RFC 2543 peer.
    pub branch: Option<&'a str>,
    /// The source address a server found to differ (RFC 3261 18.2.1).
    pub received: Option<IpAddr>,
    /// See [`Rport`].
    pub rport: Rport,
    /// Where to send the response instead (RFC 3261 18.2.2).
    pub maddr: Option<&'a str>,
    /// The multicast scope.
    pub ttl: Option<u8>,
}

impl<'a> TopVia<'a> {
    /// The branch, when it is made by the rules of RFC 3261 17.2.3: magic cookie and something behind it.
    pub fn rfc3261_branch(&self) -> Option<&'a str> {
        self.branch.filter(|b| b.len() > COOKIE.len() && b.starts_with(COOKIE))
    }

    /// The host without the brackets of an IPv6 reference.
    pub fn host_bare(&self) -> &'a str {
        self.host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(self.host)
    }
}

/// The magic cookie of RFC 3261 8.1.1.7.
pub const COOKIE: &str = "z9hG4bK";

impl ViaIndex {
    /// That of a message without one.
    pub(super) const NONE: ViaIndex = ViaIndex {
        value: Span::ABSENT,
        transport: Span::ABSENT,
        host: Span::ABSENT,
        port: None,
        branch: Span::ABSENT,
        maddr: Span::ABSENT,
        received: None,
        rport: Rport::Absent,
        ttl: None,
        rport_param: Span::ABSENT,
        received_param: Span::ABSENT,
    };

    pub(super) fn view<'a>(&self, stored: &'a Stored) -> TopVia<'a> {
        TopVia {
            value: stored.text(self.value),
            transport: stored.text(self.transport),
            host: stored.text(self.host),
            port: self.port,
            branch: stored.option(self.branch),
            received: self.received,
            rport: self.rport,
            maddr: stored.option(self.maddr),
            ttl: self.ttl,
        }
    }
}

/// Parses the Via value at `at`; it ends at a comma or at `to`. Offsets are those of `bytes`.
pub(super) fn parse(bytes: &[u8], at: usize, to: usize) -> Result<ViaIndex, &'static str> {
    let mut via = ViaIndex::default();
    parse_into(&mut via, bytes, at, to)?;
    match std::str::from_utf8(via.value.of(bytes)) {
        Ok(_) => Ok(via),
        Err(_) => Err("not UTF-8"),
    }
}

/// As [`parse`], and whether the value is text is left to the caller. After an error `via` holds what could be read:
/// with a host, a response can still find its way.
pub(super) fn parse_into(via: &mut ViaIndex, bytes: &[u8], at: usize, to: usize) -> Result<(), &'static str> {
    let mut cursor = Cursor::new(bytes.get(..to).unwrap_or(bytes), at);
    cursor.skip_space();
    let start = cursor.at;
    let name = cursor.take(is_token);
    slash(&mut cursor)?;
    let version = cursor.take(is_token);
    slash(&mut cursor)?;
    let transport = cursor.take(is_token);
    if name.0 == name.1 || version.0 == version.1 || transport.0 == transport.1 {
        return Err("bad sent-protocol");
    }
    via.transport = Span::new(transport.0, transport.1);
    if !cursor.peek().is_some_and(is_space) {
        return Err("no white space before sent-by");
    }
    cursor.skip_space();
    let end = sent_by(&mut cursor, via)?;
    via.value = Span::new(start, end);
    let end = params(cursor, end, via)?;
    via.value = Span::new(start, end);
    Ok(())
}

fn slash(cursor: &mut Cursor<'_>) -> Result<(), &'static str> {
    cursor.skip_space();
    if !cursor.eat(b'/') {
        return Err("bad sent-protocol");
    }
    cursor.skip_space();
    Ok(())
}

/// Reads host and port and returns where they end.
fn sent_by(cursor: &mut Cursor<'_>, via: &mut ViaIndex) -> Result<usize, &'static str> {
    let host = if cursor.peek() == Some(b'[') {
        let from = cursor.at;
        cursor.take(|c| c != b']' && !is_space(c));
        if !cursor.eat(b']') || ip(cut(cursor.bytes, from, cursor.at)).is_none() {
            return Err("bad IPv6 address in sent-by");
        }
        (from, cursor.at)
    } else {
        cursor.take(is_host)
    };
    if host.0 == host.1 {
        return Err("no host in sent-by");
    }
    via.host = Span::new(host.0, host.1);
    let mut end = host.1;
    cursor.skip_space();
    if cursor.eat(b':') {
        cursor.skip_space();
        let port = cursor.take(|c| c.is_ascii_digit());
        via.port = Some(parse_port(cut(cursor.bytes, port.0, port.1)).ok_or("bad port in sent-by")?);
        end = port.1;
        cursor.skip_space();
    }
    Ok(end)
}

/// Reads the parameters and returns where the value ends.
fn params(cursor: Cursor<'_>, mut end: usize, via: &mut ViaIndex) -> Result<usize, &'static str> {
    let bytes = cursor.bytes;
    let mut at = cursor.at;
    while let Some((param, next)) = next_param(bytes, at, bytes.len(), b',')? {
        if param.name.0 == param.name.1 {
            return Err("empty parameter");
        }
        let value = param.value.unwrap_or((param.name.1, param.name.1));
        let text = cut(bytes, value.0, value.1);
        let span = Span::new(value.0, value.1);
        let name = cut(bytes, param.name.0, param.name.1);
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match name.len() {
            6 if is(b"branch") => {
                if text.is_empty() || text.iter().any(|&c| c <= b' ' || c == b'"') {
                    return Err("bad branch");
                }
                via.branch = span;
            }
            5 if is(b"rport") => {
                via.rport_param = Span::new(param.name.0, value.1);
                via.rport = match (param.value, parse_port(text)) {
                    (_, Some(port)) => Rport::Port(port),
                    // `rport=` is seen from clients that mean the flag.
                    (_, None) if text.is_empty() => Rport::Asked,
                    _ => return Err("bad rport"),
                };
            }
            8 if is(b"received") => {
                via.received = Some(ip(text).ok_or("bad received")?);
                via.received_param = Span::new(at, value.1);
            }
            5 if is(b"maddr") => via.maddr = span,
            3 if is(b"ttl") => {
                let ttl = digits(text).and_then(|n| u8::try_from(n).ok());
                via.ttl = Some(ttl.ok_or("bad ttl")?);
            }
            _ => {}
        }
        end = value.1.max(param.name.1);
        at = next;
    }
    Ok(end)
}

/// An address with or without brackets (RFC 5118 4.5).
fn ip(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}
