//! What a shard is configured with. Built by `app` from the role's YAML, by tests from literals.

use crate::base::time::Duration;
use crate::proto::registrar::PingSettings;
use crate::proto::transaction::TimerSettings;
use crate::wire::sip::Limits;
use std::sync::Arc;

/// Settings of the SIP engine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// T1, T2, T4 (RFC 3261 17.1.1.1), and after how long a 100 Trying leaves when nothing else has (17.2.1).
    pub timers: TimerSettings,
    /// Timer C: how long a relayed INVITE may go without a final response after its last provisional one.
    /// RFC 3261 16.6 step 11 wants more than three minutes.
    pub timer_c: Duration,
    /// How long policy may take over one question. The answer at the deadline is 500 for a request; a reply
    /// or failure in question goes up as it is.
    pub policy_deadline: Duration,
    /// Message limits.
    pub limits: Limits,
    /// Transactions per shard, both sides; a new request beyond it is shed with 503.
    pub max_transactions: usize,
    /// Branches of one request, over all its targets (Max-Breadth, RFC 5393 5, starts from it too).
    pub max_breadth: u16,
    /// Questions of one call that may wait behind a pending one; beyond it a request gets 503, an ACK is dropped. The
    /// same bounds the responses that wait behind one in question; beyond it provisional ones are dropped.
    pub max_queued_questions: usize,
    /// Datagrams larger than this go over TCP instead (RFC 3261 18.1.1: 200 bytes below the path MTU,
    /// or 1300 when it is unknown).
    pub max_datagram: usize,
    /// The Server header field of responses made here; `None` sends none.
    pub server_header: Option<String>,
    /// How bindings behind a NAT are kept alive, each way by itself; none by default.
    pub pings: Vec<PingSettings>,
    /// Calls of two legs, where this node makes any: then an INVITE outside a dialog may become one.
    pub b2bua: Option<Arc<crate::proto::b2bua::Settings>>,
    /// Lower and upper bound of the jittered Retry-After of a 503, in seconds.
    pub retry_after: (u32, u32),
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            timers: TimerSettings::default(),
            timer_c: Duration::from_secs(181),
            policy_deadline: Duration::from_secs(60),
            limits: Limits::default(),
            max_transactions: 500_000,
            max_breadth: 60,
            max_queued_questions: 16,
            max_datagram: 1300,
            server_header: None,
            pings: Vec::new(),
            b2bua: None,
            retry_after: (2, 10),
        }
    }
}
