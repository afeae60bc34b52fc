//! A session description: its parsing and the lines of the session level (RFC 8866 5.1 to 5.12).

use super::errors::{Limits, SdpFault};
use super::lines::{End, Section};
use super::media::Media;
use std::net::IpAddr;
use std::sync::Arc;

/// A session description. Lines that are not edited are written as they came.
#[derive(Clone, Debug)]
pub struct Sdp {
    pub(super) session: Section,
    pub(super) media: Vec<Media>,
}

/// The `o=` line (RFC 8866 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The user, or `-`.
    pub username: &'a str,
    /// A number; text because peers write what does not fit one.
    pub sess_id: &'a str,
    /// A number; [`Origin::version`] reads it.
    pub sess_version: &'a str,
    /// `IN`.
    pub nettype: &'a str,
    /// `IP4` or `IP6`.
    pub addrtype: &'a str,
    /// An address or a host name.
    pub address: &'a str,
}

impl Origin<'_> {
    /// sess-version as a number; None when it is none, or does not fit 64 bits.
    pub fn version(&self) -> Option<u64> {
        self.sess_version.parse().ok()
    }
}

/// A `c=` line (RFC 8866 5.7), or the address behind `a=rtcp` (RFC 3605).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection<'a> {
    /// `IN`.
    pub nettype: &'a str,
    /// `IP4` or `IP6`.
    pub addrtype: &'a str,
    /// The address, or a host name, without what follows a slash in multicast addresses.
    pub address: &'a str,
}

impl<'a> Connection<'a> {
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let (nettype, addrtype, address) = (words.next()?, words.next()?, words.next()?);
        Some(Connection { nettype, addrtype, address: address.split('/').next().unwrap_or(address) })
    }

    /// The address when it is none of a host name.
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.parse().ok()
    }
}

/// A `b=` line (RFC 8866 5.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth<'a> {
    /// `CT`, `AS`, `TIAS`, `RS`, `RR` or another.
    pub kind: &'a str,
    /// Kilobits per second for `CT` and `AS`, bits per second for the others named.
    pub value: u64,
}

pub(super) fn bandwidths(section: &Section) -> impl Iterator<Item = Bandwidth<'_>> {
    section.typed().filter(|l| l.letter == b'b').filter_map(|l| {
        let (kind, value) = l.value.split_once(':')?;
        Some(Bandwidth { kind: kind.trim(), value: value.trim().parse().ok()? })
    })
}

/// A `t=` line (RFC 8866 5.9), in seconds since 1900; 0 is unbounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// When the session starts.
    pub start: u64,
    /// When it stops.
    pub stop: u64,
}

impl Sdp {
    /// Reads a session description within the default [`Limits`].
    ///
    /// Lines may end in LF alone, the last may end in nothing; unknown lines and lines out of order are kept. The
    /// first line must be `v=0`, and each `m=` line needs a kind and a port.
    pub fn parse(bytes: &[u8]) -> Result<Sdp, SdpFault> {
        Sdp::parse_within(bytes, &Limits::DEFAULT)
    }

    /// Reads a session description within these limits.
    pub fn parse_within(bytes: &[u8], limits: &Limits) -> Result<Sdp, SdpFault> {
        if bytes.len() > limits.octets {
            return Err(SdpFault::TooLarge { limit: limits.octets });
        }
        if !bytes.starts_with(b"v=") {
            return Err(SdpFault::NotSdp);
        }
        let mut lines = Lines { bytes, from: 0 };
        let Some((first, end)) = lines.next() else { return Err(SdpFault::NotSdp) };
        if bytes.get(first.clone()).and_then(|l| l.get(2..)).map(<[u8]>::trim_ascii) != Some(b"0") {
            return Err(SdpFault::Version);
        }
        let style = if end == End::Lf { End::Lf } else { End::Crlf };
        let mut session = Section::session(Arc::from(bytes), style);
        session.push(first, end);
        let mut media: Vec<Media> = Vec::new();
        for (number, (range, end)) in lines.enumerate() {
            let number = number.saturating_add(2);
            if number > limits.lines {
                return Err(SdpFault::TooManyLines { limit: limits.lines });
            }
            if bytes.get(range.clone()).is_some_and(|l| l.starts_with(b"m=")) {
                if media.len() >= limits.media {
                    return Err(SdpFault::TooManyMedia { limit: limits.media });
                }
                let mut section = session.medium();
                section.push(range, end);
                let medium = Media::read(section).ok_or(SdpFault::Media { line: number })?;
                if medium.formats().nth(limits.formats).is_some() {
                    return Err(SdpFault::TooManyFormats { limit: limits.formats });
                }
                media.push(medium);
            } else {
                media.last_mut().map_or(&mut session, |m| &mut m.section).push(range, end);
            }
        }
        Ok(Sdp { session, media })
    }

    /// The description as octets.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.session.write_to(&mut out);
        self.media.iter().for_each(|m| m.section.write_to(&mut out));
        out
    }

    /// The text of `v=`, which is `0`.
    pub fn version(&self) -> &str {
        self.session.first(b'v').unwrap_or_default().trim()
    }

    /// The `o=` line; None when it is missing or lacks a part.
    pub fn origin(&self) -> Option<Origin<'_>> {
        let mut words = self.origin_line()?.split_ascii_whitespace();
        let mut word = || words.next();
        Some(Origin {
            username: word()?,
            sess_id: word()?,
            sess_version: word()?,
            nettype: word()?,
            addrtype: word()?,
            address: word()?,
        })
    }

    /// What `o=` says, as written.
    pub fn origin_line(&self) -> Option<&str> {
        self.session.first(b'o')
    }

    /// What `s=` says (RFC 8866 5.3).
    pub fn session_name(&self) -> Option<&str> {
        self.session.first(b's')
    }

    /// The session's `c=` line.
    pub fn connection(&self) -> Option<Connection<'_>> {
        Connection::read(self.connection_line()?)
    }

    /// What the session's `c=` says, as written.
    pub fn connection_line(&self) -> Option<&str> {
        self.session.first(b'c')
    }

    /// Where a section's media go: its own `c=`, else the session's (RFC 8866 5.7).
    pub fn connection_of<'a>(&'a self, media: &'a Media) -> Option<Connection<'a>> {
        media.connection().or_else(|| self.connection())
    }

    /// The `b=` lines of the session.
    pub fn bandwidths(&self) -> impl Iterator<Item = Bandwidth<'_>> {
        bandwidths(&self.session)
    }

    /// The `t=` lines.
    pub fn timings(&self) -> impl Iterator<Item = Timing> {
        self.session.typed().filter(|l| l.letter == b't').filter_map(|l| {
            let mut words = l.value.split_ascii_whitespace();
            Some(Timing { start: words.next()?.parse().ok()?, stop: words.next()?.parse().ok()? })
        })
    }

    /// The media sections, in order.
    pub fn media(&self) -> &[Media] {
        &self.media
    }

    /// The media sections, to be edited.
    pub fn media_mut(&mut self) -> &mut [Media] {
        &mut self.media
    }
}

/// Cuts octets into lines.
struct Lines<'a> {
    bytes: &'a [u8],
    from: usize,
}

impl Iterator for Lines<'_> {
    type Item = (std::ops::Range<usize>, End);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.from..).filter(|rest| !rest.is_empty())?;
        let start = self.from;
        let Some(lf) = memchr::memchr(b'\n', rest) else {
            self.from = self.bytes.len();
            return Some((start..self.bytes.len(), End::Nothing));
        };
        let lf = start.saturating_add(lf);
        self.from = lf.saturating_add(1);
        match self.bytes.get(start..lf)?.last() {
            Some(b'\r') => Some((start..lf.saturating_sub(1), End::Crlf)),
            _ => Some((start..lf, End::Lf)),
        }
    }
}
