//! Transactions (RFC 3261 17).

/// T1, T2, T4.
#[derive(Clone, Debug, Default)]
pub struct TimerSettings;
