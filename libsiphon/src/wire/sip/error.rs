//! Why a message, or a piece of one, was refused; each fault maps to one status code and one reason phrase.

use super::message::Message;

/// What is wrong with received bytes.
///
/// The text of a fault is one ASCII line without anything of the message in it, so it can stand as a reason phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    /// The first line is neither a Request-Line nor a Status-Line (RFC 3261 7.1, 7.2).
    #[error("Bad Start Line: {0}")]
    StartLine(&'static str),
    /// Another protocol version than SIP/2.0 (RFC 3261 21.5.6).
    #[error("SIP Version Not Supported")]
    Version,
    /// The Request-URI breaks the grammar (RFC 3261 19.1.1).
    #[error("Bad Request-URI: {0}")]
    RequestUri(&'static str),
    /// The Request-URI is longer than [`Limits::uri`](super::Limits::uri).
    #[error("Request-URI Too Long: limit is {limit} octets")]
    UriTooLong {
        /// The limit in octets.
        limit: usize,
    },
    /// The scheme is not one this element can route (RFC 3261 16.3 step 2).
    #[error("Unsupported URI Scheme")]
    Scheme,
    /// The message is longer than [`Limits::message`](super::Limits::message).
    #[error("Message Too Large: limit is {limit} octets")]
    MessageTooLarge {
        /// The limit in octets.
        limit: usize,
    },
    /// The header section is longer than [`Limits::header_section`](super::Limits::header_section).
    #[error("Header Section Too Large: limit is {limit} octets")]
    HeaderSectionTooLarge {
        /// The limit in octets.
        limit: usize,
    },
    /// There are more header fields than [`Limits::headers`](super::Limits::headers).
    #[error("Too Many Header Fields: limit is {limit}")]
    TooManyHeaders {
        /// The limit.
        limit: usize,
    },
    /// The body is longer than [`Limits::body`](super::Limits::body).
    #[error("Body Too Large: limit is {limit} octets")]
    BodyTooLarge {
        /// The limit in octets.
        limit: usize,
    },
    /// CR or LF alone where only CRLF ends a line (RFC 3261 7).
    #[error("Bad Line End: CR or LF alone in header section")]
    LineEnd,
    /// No empty line ends the header section.
    #[error("Header Section Not Ended By An Empty Line")]
    Truncated,
    /// A line of the header section has no field name and colon (RFC 3261 7.3.1).
    #[error("Bad Header Field Name")]
    HeaderName,
    /// A mandatory header field is absent (RFC 3261 8.1.1).
    #[error("Missing {0} Header Field")]
    Missing(&'static str),
    /// A header field that may occur once occurs again.
    #[error("Repeated {0} Header Field")]
    Repeated(&'static str),
    /// A header field breaks its grammar.
    #[error("Bad {0} Header Field: {1}")]
    Header(&'static str, &'static str),
    /// The CSeq method differs from the request's (RFC 3261 8.1.1.5).
    #[error("CSeq Method Does Not Match Request Method")]
    CSeqMethod,
    /// Content-Length says more than there is (RFC 3261 18.3).
    #[error("Content-Length Larger Than Message")]
    ContentLengthTooLarge,
    /// A stream message without Content-Length cannot be framed (RFC 3261 18.3).
    #[error("Content-Length Required On A Stream")]
    ContentLengthRequired,
    /// A URI breaks the grammar.
    #[error("Bad URI: {0}")]
    Uri(&'static str),
    /// A name-addr or addr-spec breaks the grammar (RFC 3261 25.1).
    #[error("Bad Address: {0}")]
    Address(&'static str),
    /// A multipart body whose boundaries do not fit (RFC 2046 5.1).
    #[error("Bad Multipart Body: {0}")]
    Multipart(&'static str),
    /// Credentials or a challenge break the grammar (RFC 3261 25.1).
    #[error("Bad Authentication Parameters: {0}")]
    Auth(&'static str),
}

impl Malformed {
    /// The status code a request with this fault is answered with.
    pub const fn status(&self) -> u16 {
        match self {
            Malformed::Version => 505,
            Malformed::UriTooLong { .. } => 414,
            Malformed::Scheme => 416,
            Malformed::BodyTooLarge { .. } => 413,
            Malformed::MessageTooLarge { .. }
            | Malformed::HeaderSectionTooLarge { .. }
            | Malformed::TooManyHeaders { .. } => 513,
            _ => 400,
        }
    }
}

/// A message that is not served.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{fault}")]
pub struct Refused {
    /// What is wrong; the first fault met.
    pub fault: Malformed,
    /// The message as far as it could be indexed, when it is a request that can be answered: it is no ACK and its
    /// topmost Via says where the answer goes. Header fields may be missing from it. `None`: count it and drop it.
    pub message: Option<Message>,
}

/// Text that may not be written into a message: it would become another header field, or end the header section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsafe {
    /// CR, LF or NUL inside a value.
    #[error("text holds CR, LF or NUL")]
    LineBreak,
    /// A header field name, method or status that is none.
    #[error("not a header field name, method, URI or status code that can be written")]
    Name,
    /// Content-Length follows the body and is never set by hand.
    #[error("Content-Length follows the body")]
    ContentLength,
    /// More than 1024 lines changed or 1 MiB written by the edits of one message.
    #[error("too many edits of one message")]
    TooMuch,
}
