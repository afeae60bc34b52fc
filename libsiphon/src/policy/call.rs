//! What is asked about a B2BUA call, and what can be decided about it.
//!
//! A call begins when the verdict about an INVITE outside any dialog is [`Decision::Call`](super::Decision::Call). From
//! then on its messages go to the call, and the questions are those of [`CallEvent`].

use crate::base::text::Text;
use crate::base::time::Duration;
use crate::policy::target::{Strategy, Target};
use crate::policy::verdict::ReplySpec;
use crate::wire::sip::Message;

/// Who did something to a call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Initiator {
    /// The A-leg.
    Caller,
    /// The B-leg.
    Callee,
    /// This node: a timer, an operator, a script.
    Siphon,
}

impl Initiator {
    /// The word for scripts, CDRs and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Initiator::Caller => "caller",
            Initiator::Callee => "callee",
            Initiator::Siphon => "siphon",
        }
    }
}

/// How far a call has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CallState {
    /// The INVITE is being asked about, or targets are being called.
    Calling,
    /// A target rings.
    Ringing,
    /// Both sides have answered.
    Answered,
    /// It is being ended.
    Terminating,
}

impl CallState {
    /// The word for scripts and logs.
    pub const fn label(self) -> &'static str {
        match self {
            CallState::Calling => "calling",
            CallState::Ringing => "ringing",
            CallState::Answered => "answered",
            CallState::Terminating => "terminating",
        }
    }
}

/// A value a script attached to a call.
#[derive(Clone, PartialEq, Debug)]
pub enum Var {
    /// `None`.
    Null,
    /// `bool`.
    Bool(bool),
    /// `int`.
    Int(i64),
    /// `float`.
    Float(f64),
    /// `str`.
    Text(Text),
}

/// Most values a script can attach to one call.
pub const MAX_VARS: usize = 64;
/// Longest text of one, and of a name.
pub const MAX_VAR_TEXT: usize = 4096;

/// A call as policy sees it.
#[derive(Clone, Debug)]
pub struct CallView {
    /// Ours, stable over both legs.
    pub id: Text,
    /// How far it has come.
    pub state: CallState,
    /// What policy attached, in the order of first attachment.
    pub vars: Vec<(Text, Var)>,
    /// Whether its media is anchored.
    pub anchored: bool,
    /// The Request-URI of the B-leg that answered, or was called last.
    pub callee: Option<Text>,
}

/// A question about a call.
#[derive(Clone, Debug)]
pub struct CallQuestion {
    /// What happened.
    pub event: CallEvent,
    /// The call.
    pub call: CallView,
}

/// What happened to a call.
#[derive(Clone, Debug)]
pub enum CallEvent {
    /// A B-leg sent a provisional response other than 100. It goes to the caller unless the verdict drops it; the
    /// verdict's message is the response with the policy's edits.
    EarlyMedia {
        /// As received.
        reply: Message,
    },
    /// A B-leg answered. The 2xx goes to the caller.
    Answered {
        /// As received.
        reply: Message,
    },
    /// Every target failed. Deciding nothing sends the best response to the caller; the verdict may dial anew.
    Failed {
        /// Status code.
        code: u16,
        /// Reason phrase; `media` when the media engine failed.
        reason: Text,
        /// The response, when one was received.
        reply: Option<Message>,
    },
    /// A side hung up, or this node did. Nothing is awaited.
    Bye {
        /// Who.
        initiator: Initiator,
    },
    /// The caller gave up before an answer. Nothing is awaited.
    Cancelled,
    /// A side wants to transfer the call (RFC 3515). The verdict accepts or rejects; deciding nothing is the
    /// configured default.
    Refer {
        /// Who wants it.
        from: Initiator,
        /// The REFER.
        request: Message,
    },
}

/// How the header fields of one side appear on the other. The tables are in `proto::b2bua::headers`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum HeaderPreset {
    /// Only what a call needs passes; addresses of the other side are replaced.
    #[default]
    TopologyHiding,
    /// As [`TopologyHiding`](Self::TopologyHiding), and asserted identities, diversion and privacy pass.
    Trunk,
    /// Everything end-to-end passes.
    Transparent,
}

impl HeaderPreset {
    /// Every preset.
    pub const ALL: [HeaderPreset; 3] =
        [HeaderPreset::TopologyHiding, HeaderPreset::Trunk, HeaderPreset::Transparent];

    /// Its name in scripts and YAML.
    pub const fn name(self) -> &'static str {
        match self {
            HeaderPreset::TopologyHiding => "topology-hiding",
            HeaderPreset::Trunk => "trunk",
            HeaderPreset::Transparent => "transparent",
        }
    }

    /// The preset of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }
}

/// How header fields are passed by one dial.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct HeaderPolicy {
    /// What passes by default; `None` takes the node's default.
    pub preset: Option<HeaderPreset>,
    /// Names that pass besides.
    pub copy: Vec<Text>,
    /// Names that do not pass, whatever else says so.
    pub strip: Vec<Text>,
    /// A field of the first name arrives under the second.
    pub translate: Vec<(Text, Text)>,
    /// Names that policy set or changed itself: these pass.
    pub own: Vec<Text>,
}

/// What one dial does.
#[derive(Clone, PartialEq, Debug)]
pub struct Dial {
    /// Whom to call.
    pub targets: Vec<Target>,
    /// In which order.
    pub strategy: Strategy,
    /// How long each target may take to answer.
    pub timeout: Duration,
    /// Header fields.
    pub headers: HeaderPolicy,
    /// Send from this listener.
    pub send_socket: Option<Text>,
    /// A 401 or 407 of the B side goes to the caller, and the caller's credentials to the B side.
    pub auth_passthrough: bool,
    /// Follow a 3xx (RFC 3261 8.1.3.4) instead of counting it as a failure.
    pub follow_redirects: bool,
    /// Codes at which a sequence goes on with the next target; empty: any failure but 6xx.
    pub failover: Vec<u16>,
}

impl Dial {
    /// Calls `targets` at once, 30 s each, all else by default.
    pub fn of(targets: Vec<Target>) -> Self {
        Dial {
            targets,
            strategy: Strategy::Parallel,
            timeout: Duration::from_secs(30),
            headers: HeaderPolicy::default(),
            send_socket: None,
            auth_passthrough: false,
            follow_redirects: false,
            failover: Vec::new(),
        }
    }
}

/// What becomes of a REFER (RFC 3515).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ReferMode {
    /// This node calls the target and joins it with the side that stays.
    #[default]
    Terminate,
    /// The other side gets the REFER.
    Transparent,
    /// It is refused, 603.
    Reject,
}

impl ReferMode {
    /// Every mode.
    pub const ALL: [ReferMode; 3] = [ReferMode::Terminate, ReferMode::Transparent, ReferMode::Reject];

    /// Its name in scripts and YAML.
    pub const fn name(self) -> &'static str {
        match self {
            ReferMode::Terminate => "terminate",
            ReferMode::Transparent => "transparent",
            ReferMode::Reject => "reject",
        }
    }

    /// The mode of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == name)
    }
}

/// Who refreshes a session (RFC 4028).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SessionRefresher {
    /// Whoever sent the INVITE of the leg.
    #[default]
    Uac,
    /// Whoever answered it.
    Uas,
    /// This node, on both legs.
    B2bua,
}

impl SessionRefresher {
    /// Every choice.
    pub const ALL: [SessionRefresher; 3] =
        [SessionRefresher::Uac, SessionRefresher::Uas, SessionRefresher::B2bua];

    /// Its name in scripts and YAML.
    pub const fn name(self) -> &'static str {
        match self {
            SessionRefresher::Uac => "uac",
            SessionRefresher::Uas => "uas",
            SessionRefresher::B2bua => "b2bua",
        }
    }

    /// The choice of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.name() == name)
    }
}

/// One thing to do with a call. A verdict does several, in order.
#[derive(Clone, PartialEq, Debug)]
pub enum CallAction {
    /// A provisional response to the caller, 101 to 199.
    Progress(ReplySpec),
    /// A 2xx to the caller from here: this node is the other side.
    Answer(ReplySpec),
    /// A final failure to the caller.
    Reject(ReplySpec),
    /// Call the other side.
    Dial(Box<Dial>),
    /// End the call on both sides, with this text in Reason.
    Terminate(Text),
    /// Anchor the media in a media engine, by this profile or by what each leg's SDP says.
    Anchor {
        /// A profile of `media.profiles` or a built-in one.
        profile: Option<Text>,
    },
    /// Let go of the media session.
    Release,
    /// Session timer of both legs (RFC 4028).
    SessionTimer {
        /// Session-Expires.
        expires: Duration,
        /// Min-SE.
        min_se: Duration,
        /// Who refreshes.
        refresher: SessionRefresher,
    },
    /// Answers to challenges of the B side.
    Credentials {
        /// User name.
        username: Text,
        /// Password.
        password: Text,
    },
    /// The B-leg has the Call-ID of the A-leg.
    KeepCallId,
    /// End the call this long after the answer.
    MaxDuration(Duration),
    /// Attach values; a name given again replaces.
    SetVars(Vec<(Text, Var)>),
    /// Accept the REFER in question.
    AcceptRefer {
        /// Instead of the Refer-To URI.
        target: Option<Box<Target>>,
        /// How; `None` takes the node's default.
        mode: Option<ReferMode>,
    },
    /// Refuse the REFER in question.
    RejectRefer(ReplySpec),
    /// Send a REFER to the side that is named.
    Refer {
        /// To whom.
        to: Initiator,
        /// Refer-To.
        target: Text,
    },
}
