//! What a simulated user is told to do, and how a simulated phone behaves towards others.

use crate::base::text::Octets;
use crate::base::time::Duration;
use std::net::SocketAddr;

/// Something a phone is told to do.
#[derive(Clone, Debug)]
pub enum Order {
    /// Register the phone's contact for so many seconds; 0 removes it.
    Register {
        /// Seconds.
        expires: u32,
        /// Which final status codes are right.
        expect: Expect,
    },
    /// Call somebody.
    Call(CallPlan),
    /// Send a request outside a dialog.
    Request {
        /// Its method.
        method: &'static str,
        /// Its Request-URI.
        to: String,
        /// Which final status codes are right.
        expect: Expect,
    },
    /// Send octets as they are.
    Raw {
        /// Where to.
        to: SocketAddr,
        /// What.
        bytes: Octets,
    },
    /// Send a request outside a dialog that a test wrote.
    Send {
        /// Its method.
        method: String,
        /// Its Request-URI.
        to: String,
        /// Header lines to add, each with its CRLF.
        headers: String,
        /// Its body.
        body: String,
    },
    /// Answer the waiting requests with this Call-ID; 1xx may be followed by more.
    Respond {
        /// Call-ID.
        call_id: String,
        /// Status code.
        code: u16,
        /// Header lines to add, each with its CRLF.
        headers: String,
        /// Body.
        body: String,
    },
    /// Give up on a call that has no final response.
    Cancel {
        /// Call-ID.
        call_id: String,
    },
    /// End a call.
    HangUp {
        /// Call-ID.
        call_id: String,
    },
    /// Send a request inside a call.
    InDialog {
        /// Call-ID.
        call_id: String,
        /// Its method; an INVITE is a re-INVITE.
        method: String,
        /// Header lines to add, each with its CRLF.
        headers: String,
        /// Its body.
        body: String,
    },
    /// Break the connection to the proxy.
    Disconnect,
    /// Behave like this from now on.
    Behave(Manner),
}

/// Which final answers are right. Only what a test states is checked.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Expect {
    /// Any final response, or none: the user has given up on it.
    #[default]
    Anything,
    /// Some final response.
    Answer,
    /// One of these.
    OneOf(Vec<u16>),
}

impl Expect {
    /// Whether `status` is right; 0 stands for no response at all.
    pub fn allows(&self, status: u16) -> bool {
        match self {
            Expect::Anything => true,
            Expect::Answer => status >= 200,
            Expect::OneOf(list) => list.contains(&status),
        }
    }
}

/// How a call is to go, from the caller's side.
#[derive(Clone, Debug, Default)]
pub struct CallPlan {
    /// The Request-URI.
    pub to: String,
    /// Give up after this long without a final response. CANCEL leaves when a provisional response came.
    pub cancel_after: Option<Duration>,
    /// Hang up this long after the answer; `None` leaves it to the callee.
    pub hang_up_after: Option<Duration>,
    /// re-INVITEs during the call.
    pub reinvites: u8,
    /// INFO requests during the call, one after another.
    pub infos: u8,
    /// Final status codes that are right.
    pub expect: Expect,
    /// Octets of body in the INVITE.
    pub body: usize,
    /// The body of the INVITE, in place of one that is only so long.
    pub text: String,
    /// Header lines to add, each with its CRLF.
    pub headers: String,
}

/// What a phone does when it is called.
#[derive(Clone, Debug)]
pub struct Manner {
    /// Send 180 this long after the INVITE came.
    pub ring_after: Option<Duration>,
    /// And again every so often.
    pub ring_again: Option<Duration>,
    /// How it ends.
    pub then: Then,
    /// Hang up this long after the ACK came.
    pub hang_up_after: Option<Duration>,
    /// When a CANCEL comes, answer 200 to the INVITE so much later: both crossed.
    pub answers_cancel: Option<Duration>,
    /// Answer requests outside calls with this.
    pub status: u16,
    /// Send a provisional response to requests that are no INVITE first, and the final one only after this.
    pub slow: Option<Duration>,
}

/// How a call ends at the phone that is called.
#[derive(Clone, Debug)]
pub enum Then {
    /// 200 this long after the INVITE.
    Answer(Duration),
    /// This failure, this long after the INVITE, with these header lines.
    Refuse(u16, Duration, String),
    /// Nothing more is ever sent.
    Nothing,
    /// Nothing is sent before [`Order::Respond`] says so.
    ByHand,
    /// Octets that are no SIP message, this long after the INVITE, and 200 a second later.
    Garbage(Duration),
}

impl Manner {
    /// Rings, answers, leaves hanging up to the caller.
    pub fn friendly() -> Self {
        Manner {
            ring_after: Some(Duration::from_millis(50)),
            ring_again: None,
            then: Then::Answer(Duration::from_millis(800)),
            hang_up_after: None,
            answers_cancel: None,
            status: 200,
            slow: None,
        }
    }

    /// Waits to be told what to answer; requests outside calls get `status`, or wait too when it is 0.
    pub fn by_hand(status: u16) -> Self {
        Manner { ring_after: None, then: Then::ByHand, status, ..Manner::friendly() }
    }

    /// Rings and refuses.
    pub fn refusing(code: u16) -> Self {
        Manner { then: Then::Refuse(code, Duration::from_millis(300), String::new()), ..Manner::friendly() }
    }

    /// Rings for ever.
    pub fn ringing() -> Self {
        Manner { then: Then::Nothing, ..Manner::friendly() }
    }

    /// Says nothing at all to an INVITE.
    pub fn silent() -> Self {
        Manner { ring_after: None, then: Then::Nothing, ..Manner::friendly() }
    }
}
