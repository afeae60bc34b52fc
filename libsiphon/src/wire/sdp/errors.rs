//! Why octets are no session description, how much of one is taken, and what may not be written into one.

/// How much of a session description is taken. Each limit has its answer in [`SdpFault`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most octets. Default 65,536.
    pub octets: usize,
    /// Most lines, in all sections together. Default 2048.
    pub lines: usize,
    /// Most `m=` sections. Default 64.
    pub media: usize,
    /// Most formats of one `m=` line. Default 256; RTP has 128 payload types.
    pub formats: usize,
}

impl Limits {
    pub(super) const DEFAULT: Limits = Limits { octets: 65_536, lines: 2048, media: 64, formats: 256 };
}

impl Default for Limits {
    fn default() -> Self {
        Limits::DEFAULT
    }
}

/// Why octets were not taken as a session description.
///
/// The text of a fault is one ASCII line with nothing of the description in it, so it can stand as a reason phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SdpFault {
    /// More octets than [`Limits::octets`].
    #[error("Session Description Too Large: limit is {limit} octets")]
    TooLarge {
        /// The limit in octets.
        limit: usize,
    },
    /// More lines than [`Limits::lines`].
    #[error("Session Description Too Large: limit is {limit} lines")]
    TooManyLines {
        /// The limit.
        limit: usize,
    },
    /// More `m=` sections than [`Limits::media`].
    #[error("Session Description Too Large: limit is {limit} media sections")]
    TooManyMedia {
        /// The limit.
        limit: usize,
    },
    /// More formats on an `m=` line than [`Limits::formats`].
    #[error("Session Description Too Large: limit is {limit} formats of a medium")]
    TooManyFormats {
        /// The limit.
        limit: usize,
    },
    /// The first line is no `v=` line (RFC 8866 5).
    #[error("Session Description Does Not Begin With v=")]
    NotSdp,
    /// Another version than 0 (RFC 8866 5.1).
    #[error("Session Description Version Not Supported")]
    Version,
    /// An `m=` line without a kind or a port from 0 to 65535 (RFC 8866 5.14).
    #[error("Bad Media Description In Line {line}")]
    Media {
        /// The line's number, from 1.
        line: usize,
    },
}

impl SdpFault {
    /// The status code a request that carries such a body is answered with: 413 for what is too large, else 400.
    pub const fn status(&self) -> u16 {
        match self {
            SdpFault::TooLarge { .. }
            | SdpFault::TooManyLines { .. }
            | SdpFault::TooManyMedia { .. }
            | SdpFault::TooManyFormats { .. } => 413,
            SdpFault::NotSdp | SdpFault::Version | SdpFault::Media { .. } => 400,
        }
    }
}

/// Why an edit was refused; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unwritable {
    /// The text would become another line.
    #[error("text for a session description holds CR, LF or NUL")]
    LineBreak,
    /// An attribute name that is none (RFC 8866 9, `attribute-name`).
    #[error("not the name of an SDP attribute")]
    Name,
    /// A user name that is empty or holds white space (RFC 8866 5.2).
    #[error("not a user name for an SDP origin")]
    UserName,
    /// The section would have more lines than [`Limits::lines`], or a line more octets than [`Limits::octets`], by
    /// default.
    #[error("too much for one section of a session description")]
    TooMuch,
}
