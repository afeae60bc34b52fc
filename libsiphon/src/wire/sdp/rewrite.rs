//! Rewriting what says where and who: addresses, and the origin (RFC 8866 5.2, 5.7).

use super::errors::Unwritable;
use super::lines::{Section, word_at};
use super::media::Media;
use super::offer_answer::next_version;
use super::session::{Connection, Sdp};
use std::net::IpAddr;

const fn addrtype(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "IP4",
        IpAddr::V6(_) => "IP6",
    }
}

fn connection(address: IpAddr) -> String {
    format!("IN {} {address}", addrtype(address))
}

/// Whether a `c=` line says that nothing is to be sent (RFC 3264 8.4, as RFC 2543 phones do).
fn is_nowhere(line: &str) -> bool {
    Connection::read(line).and_then(|c| c.ip()).is_some_and(|ip| ip.is_unspecified())
}

impl Section {
    /// Rewrites the `c=` lines there are, but for those that say 0.0.0.0. Whether there were any.
    fn redirect(&mut self, address: IpAddr) -> Result<bool, Unwritable> {
        let wanted = connection(address);
        let lines = self.typed().filter(|l| l.letter == b'c');
        let found: Vec<(usize, bool)> =
            lines.map(|l| (l.at, l.value != wanted && !is_nowhere(l.value))).collect();
        for (at, _) in found.iter().filter(|(_, changes)| *changes) {
            self.replace(*at, b'c', &wanted)?;
        }
        Ok(!found.is_empty())
    }
}

impl Media {
    /// Makes this section's media go to `address`: its `c=` line, which is added when there is none. A line that says
    /// 0.0.0.0 stays: the stream is held, or ICE finds the address.
    pub fn set_address(&mut self, address: IpAddr) -> Result<(), Unwritable> {
        if self.section.redirect(address)? { Ok(()) } else { self.section.insert(b'c', &connection(address)) }
    }

    /// Rewrites the address behind `a=rtcp`, where there is one.
    pub fn set_rtcp_address(&mut self, address: IpAddr) -> Result<(), Unwritable> {
        let Some(rtcp) = self.rtcp().filter(|r| r.connection.is_some()) else { return Ok(()) };
        let value = format!("{} {}", rtcp.port, connection(address));
        self.set_attribute("rtcp", Some(&value))
    }
}

impl Sdp {
    /// Makes all media go to `address`: every `c=` line of the session and of the sections, and with `rtcp` the
    /// addresses of `a=rtcp`. A line that says 0.0.0.0 stays: the stream is held. A description without any `c=` line
    /// gets one for the session.
    pub fn set_address(&mut self, address: IpAddr, rtcp: bool) -> Result<(), Unwritable> {
        let mut found = self.session.redirect(address)?;
        for media in &mut self.media {
            found |= media.section.redirect(address)?;
            if rtcp {
                media.set_rtcp_address(address)?;
            }
        }
        if found { Ok(()) } else { self.session.insert(b'c', &connection(address)) }
    }

    /// Makes the description one of ours (topology hiding): the `o=` line says this, and the session's name is `-`
    /// (RFC 8866 5.2, 5.3).
    pub fn hide_origin(
        &mut self,
        username: &str,
        sess_id: u64,
        version: u64,
        address: IpAddr,
    ) -> Result<(), Unwritable> {
        super::lines::checked(username)?;
        if username.is_empty() || username.contains(char::is_whitespace) {
            return Err(Unwritable::UserName);
        }
        self.session.set(b'o', &format!("{username} {sess_id} {version} {}", connection(address)))?;
        self.session.set(b's', "-")
    }

    /// Sets sess-version, and leaves the rest of `o=` (RFC 3264 8). Without a readable `o=` nothing happens.
    pub fn set_version(&mut self, version: u64) -> Result<(), Unwritable> {
        let Some(line) = self.origin().and_then(|_| self.origin_line()) else { return Ok(()) };
        let Some(range) = word_at(line, 2) else { return Ok(()) };
        let mut line = line.to_owned();
        line.replace_range(range, &version.to_string());
        self.session.set(b'o', &line)
    }

    /// Makes this the description that follows `previous` in the same session (RFC 3264 8): it gets that one's `o=`
    /// line, with sess-version one higher when anything else differs. Without a readable `o=` there, nothing happens.
    pub fn continue_origin(&mut self, previous: &Sdp) -> Result<(), Unwritable> {
        let Some(line) = previous.origin().and_then(|_| previous.origin_line()) else { return Ok(()) };
        let version = next_version(previous, self);
        self.session.set(b'o', line)?;
        if previous.origin().and_then(|o| o.version()) == Some(version) {
            Ok(())
        } else {
            self.set_version(version)
        }
    }
}
