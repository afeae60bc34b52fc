//! Which way media flows, as the one who sends the description sees it (RFC 8866 6.7, RFC 3264 5.1).

use super::attributes::Attribute;
use super::errors::Unwritable;
use super::lines::Section;
use super::media::Media;
use super::session::{Connection, Sdp};

/// The direction of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways; what holds when nothing is written.
    #[default]
    SendRecv,
    /// The sender of the description sends and does not receive.
    SendOnly,
    /// The sender of the description receives and does not send.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// All of them.
    pub const ALL: [Direction; 4] =
        [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];

    /// The name of the attribute, such as `sendrecv`.
    pub const fn name(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// The direction an attribute of that name means.
    pub fn from_name(name: &str) -> Option<Self> {
        Direction::ALL.into_iter().find(|d| d.name() == name)
    }

    /// Whether the sender of the description sends.
    pub const fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether the sender of the description receives.
    pub const fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    const fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    /// The same stream seen from the other end.
    pub const fn reversed(self) -> Self {
        Direction::of(self.receives(), self.sends())
    }

    /// Whether `self` may answer `offer` (RFC 3264 6.1): nobody sends what the other does not receive.
    pub const fn may_answer(self, offer: Direction) -> bool {
        (!self.sends() || offer.receives()) && (!self.receives() || offer.sends())
    }

    /// This direction without receiving: what puts the other side on hold (RFC 3264 8.4).
    pub const fn held(self) -> Self {
        Direction::of(self.sends(), false)
    }

    /// This direction with receiving.
    pub const fn resumed(self) -> Self {
        Direction::of(self.sends(), true)
    }
}

impl Section {
    fn direction(&self) -> Option<Direction> {
        let mut attributes = self.typed().filter(|l| l.letter == b'a');
        attributes.find_map(|l| Direction::from_name(Attribute::read(l.value).name))
    }

    fn set_direction(&mut self, direction: Direction) -> Result<(), Unwritable> {
        let found = |line: Option<(u8, &str)>| match line {
            Some((b'a', text)) => Direction::from_name(Attribute::read(text).name),
            _ => None,
        };
        let first = self.typed().find(|l| found(Some((l.letter, l.value))).is_some()).map(|l| l.at);
        match first {
            None => return self.insert(b'a', direction.name()),
            Some(_) if self.direction() == Some(direction) => {}
            Some(at) => self.replace(at, b'a', direction.name())?,
        }
        // One direction is said once.
        let mut seen = false;
        self.retain(|line| found(line).is_none() || !std::mem::replace(&mut seen, true));
        Ok(())
    }
}

impl Media {
    /// The direction its own lines state.
    pub fn direction(&self) -> Option<Direction> {
        self.section.direction()
    }

    /// States the direction in this section.
    pub fn set_direction(&mut self, direction: Direction) -> Result<(), Unwritable> {
        self.section.set_direction(direction)
    }
}

impl Sdp {
    /// The direction of a section: its own, else the session's, else `sendrecv` (RFC 8866 6.7).
    pub fn direction_of(&self, media: &Media) -> Direction {
        media.direction().or_else(|| self.session.direction()).unwrap_or_default()
    }

    /// Whether the sender of the description holds that stream: it says `sendonly` or `inactive` (RFC 3264 8.4), or
    /// gives the address 0.0.0.0 or `::` as RFC 2543 phones do. With ICE that address means only that the others are
    /// not known yet (RFC 8840 4.1.1). A rejected section is not held.
    pub fn is_held(&self, media: &Media) -> bool {
        let unspecified = |c: Connection<'_>| c.ip().is_some_and(|ip| ip.is_unspecified());
        let nowhere = || self.connection_of(media).is_some_and(unspecified) && !self.has_ice(media);
        !media.is_rejected() && (!self.direction_of(media).receives() || nowhere())
    }

    /// Whether the whole session is held: there is a section that is not rejected, and each of those is held.
    pub fn is_session_held(&self) -> bool {
        let mut live = self.media.iter().filter(|m| !m.is_rejected()).peekable();
        live.peek().is_some() && live.all(|m| self.is_held(m))
    }

    /// Puts the other side on hold: every live section stops receiving, `sendrecv` becomes `sendonly` and `recvonly`
    /// becomes `inactive` (RFC 3264 8.4). Addresses stay.
    pub fn hold(&mut self) -> Result<(), Unwritable> {
        self.turn(Direction::held)
    }

    /// Takes the other side from hold: every live section receives again, `sendonly` becomes `sendrecv` and
    /// `inactive` becomes `recvonly`. A stream that was one-way before it was held needs [`Media::set_direction`],
    /// and an address of 0.0.0.0 needs [`Sdp::set_address`].
    pub fn resume(&mut self) -> Result<(), Unwritable> {
        self.turn(Direction::resumed)
    }

    fn turn(&mut self, turned: fn(Direction) -> Direction) -> Result<(), Unwritable> {
        let session = self.session.direction();
        for media in self.media.iter_mut().filter(|m| !m.is_rejected()) {
            let now = media.direction().or(session).unwrap_or_default();
            if turned(now) != now {
                media.set_direction(turned(now))?;
            }
        }
        Ok(())
    }
}
