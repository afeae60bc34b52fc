//! One media section: its `m=` line and what its own lines say (RFC 8866 5.14).

use super::errors::Unwritable;
use super::lines::{Section, word_at};
use super::profile::Profile;
use super::session::{Bandwidth, Connection, Sdp, bandwidths};

/// A media section: an `m=` line and the lines up to the next.
#[derive(Clone, Debug)]
pub struct Media {
    pub(super) section: Section,
}

/// `a=rtcp` (RFC 3605 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtcp<'a> {
    /// Where RTCP goes.
    pub port: u16,
    /// The address, where it is not that of RTP.
    pub connection: Option<Connection<'a>>,
}

impl Media {
    /// A section that so far is its `m=` line; None when that has no kind or no port.
    pub(super) fn read(section: Section) -> Option<Media> {
        let media = Media { section };
        let port = media.word(1)?.split('/').next()?;
        let digits = port.bytes().all(|c| c.is_ascii_digit());
        (digits && port.parse::<u16>().is_ok()).then_some(media)
    }

    fn line(&self) -> &str {
        self.section.first(b'm').unwrap_or_default()
    }

    fn word(&self, nth: usize) -> Option<&str> {
        self.line().split_ascii_whitespace().nth(nth)
    }

    /// `audio`, `video`, `text`, `application`, `message`, `image` or another.
    pub fn kind(&self) -> &str {
        self.word(0).unwrap_or_default()
    }

    /// The transport port; 0 in a section that is rejected or not used (RFC 3264 6).
    pub fn port(&self) -> u16 {
        self.word(1).and_then(|p| p.split('/').next()).and_then(|p| p.parse().ok()).unwrap_or_default()
    }

    /// How many ports, 1 where it is not written.
    pub fn port_count(&self) -> u16 {
        let count = self.word(1).and_then(|p| p.split_once('/')).and_then(|(_, count)| count.parse().ok());
        count.unwrap_or(1)
    }

    /// The transport protocol as written, such as `RTP/AVP`; empty when there is none.
    pub fn protocol(&self) -> &str {
        self.word(2).unwrap_or_default()
    }

    /// The transport protocol as a value.
    pub fn profile(&self) -> Profile {
        Profile::from_protocol(self.protocol())
    }

    /// Whether the formats are RTP payload types.
    pub fn is_rtp(&self) -> bool {
        super::profile::is_rtp(self.protocol())
    }

    /// The formats in order of preference: payload types for RTP, else whatever the protocol says.
    pub fn formats(&self) -> impl Iterator<Item = &str> {
        self.line().split_ascii_whitespace().skip(3)
    }

    /// Whether the port is 0 (RFC 3264 6). A section of a bundle has that port too and is not rejected, when it says
    /// `bundle-only` (RFC 9143 6).
    pub fn is_rejected(&self) -> bool {
        self.port() == 0 && !self.has_attribute("bundle-only")
    }

    /// Its own `c=` line.
    pub fn connection(&self) -> Option<Connection<'_>> {
        Connection::read(self.connection_line()?)
    }

    /// What its own `c=` says, as written.
    pub fn connection_line(&self) -> Option<&str> {
        self.section.first(b'c')
    }

    /// Its `b=` lines.
    pub fn bandwidths(&self) -> impl Iterator<Item = Bandwidth<'_>> {
        bandwidths(&self.section)
    }

    /// Where RTCP goes when that is not the next port.
    pub fn rtcp(&self) -> Option<Rtcp<'_>> {
        let value = self.attribute("rtcp")?.value?.trim_start();
        let (port, rest) = value.split_at(value.find([' ', '\t']).unwrap_or(value.len()));
        Some(Rtcp { port: port.parse().ok()?, connection: Connection::read(rest) })
    }

    /// Sets the port, and leaves the number of ports; port 0 takes that number away.
    pub fn set_port(&mut self, port: u16) -> Result<(), Unwritable> {
        let Some(range) = word_at(self.line(), 1) else { return Ok(()) };
        let old = self.line().get(range.clone()).unwrap_or_default();
        let number = old.split('/').next().unwrap_or_default().len();
        let until = if port == 0 { range.end } else { range.start.saturating_add(number) };
        self.edit_line(range.start..until, &port.to_string())
    }

    /// Replaces part of the `m=` line, which is the section's first.
    fn edit_line(&mut self, range: std::ops::Range<usize>, text: &str) -> Result<(), Unwritable> {
        if self.line().get(range.clone()) == Some(text) {
            return Ok(());
        }
        let mut line = self.line().to_owned();
        if line.get(range.clone()).is_some() {
            line.replace_range(range, text);
        }
        self.section.replace(0, b'm', &line)
    }

    pub(super) fn set_formats<'f>(
        &mut self,
        formats: impl Iterator<Item = &'f str>,
    ) -> Result<(), Unwritable> {
        let formats = formats.collect::<Vec<_>>().join(" ");
        match word_at(self.line(), 3) {
            Some(first) => self.edit_line(first.start..self.line().len(), &formats),
            None => Ok(()),
        }
    }

    /// Rejects the section (RFC 3264 6): port 0, and of the formats the first, because the grammar wants one.
    pub fn reject(&mut self) -> Result<(), Unwritable> {
        let first = self.formats().next().map(str::to_owned);
        if let Some(first) = first {
            let gone: Vec<String> = self.formats().filter(|f| **f != *first).map(str::to_owned).collect();
            self.remove_format_lines(|format| gone.iter().any(|g| g == format));
            self.set_formats(std::iter::once(first.as_str()))?;
        }
        self.remove_attribute("bundle-only");
        self.set_port(0)
    }
}

impl Sdp {
    /// Rejects the sections of that kind, such as `video`: they stay in their place with port 0 and leave their
    /// bundle (RFC 3264 6, RFC 9143 7.3.3). Gives how many there are.
    pub fn reject_media(&mut self, kind: &str) -> Result<usize, Unwritable> {
        let mut found = 0usize;
        for media in self.media.iter_mut().filter(|m| m.kind().eq_ignore_ascii_case(kind)) {
            media.reject()?;
            found = found.saturating_add(1);
        }
        self.ungroup_rejected()?;
        Ok(found)
    }

    /// Takes the sections of that kind out, and their names out of the groups. Only for a first offer: an answer has
    /// a section for each of the offer, and later offers for each that ever was (RFC 3264 6, 8). Gives how many went.
    pub fn remove_media(&mut self, kind: &str) -> Result<usize, Unwritable> {
        let before = self.media.len();
        self.reject_media(kind)?;
        self.media.retain(|m| !m.kind().eq_ignore_ascii_case(kind));
        Ok(before.saturating_sub(self.media.len()))
    }

    /// Takes rejected sections out of `a=group` (RFC 9143 7.3.3); a group of none goes.
    pub(super) fn ungroup_rejected(&mut self) -> Result<(), Unwritable> {
        let mid = |m: &Media| m.attribute("mid").and_then(|a| a.value).map(|v| v.trim().to_owned());
        let gone: Vec<String> = self.media.iter().filter(|m| m.is_rejected()).filter_map(mid).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let mut edits = Vec::new();
        for line in self.session.typed().filter(|l| l.letter == b'a') {
            let Some(value) = line.value.strip_prefix("group:") else { continue };
            let kept: Vec<&str> =
                value.split_ascii_whitespace().filter(|w| gone.iter().all(|g| g != w)).collect();
            if kept.len() < value.split_ascii_whitespace().count() {
                edits.push((line.at, format!("group:{}", kept.join(" "))));
            }
        }
        if edits.is_empty() {
            return Ok(());
        }
        for (at, text) in edits {
            self.session.replace(at, b'a', &text)?;
        }
        self.session.retain(|line| match line {
            Some((b'a', text)) => {
                text.strip_prefix("group:").is_none_or(|v| v.split_ascii_whitespace().count() != 1)
            }
            _ => true,
        });
        Ok(())
    }
}
