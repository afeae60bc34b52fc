//! Event and Subscription-State (RFC 6665 8.2.1, 8.2.3).

use std::fmt;

use super::error::Malformed;
use super::params::Params;
use super::scan::{digits, is_token_text};

/// An Event value. Two belong together when both parts are the same, octet for octet (RFC 6665 8.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// The event package with its templates, such as `refer` or `presence.winfo`.
    pub package: String,
    /// Tells subscriptions to one package in one dialog apart.
    pub id: Option<String>,
}

impl Event {
    /// The event of the REFER with that CSeq, or of the only one of its dialog (RFC 3515 2.4.6).
    pub fn refer(cseq: Option<u32>) -> Self {
        Event { package: "refer".to_owned(), id: cseq.map(|n| n.to_string()) }
    }

    /// Reads an Event value.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let (package, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        let package = package.trim();
        if !is_token_text(package.as_bytes()) {
            return Err(Malformed::Header("Event", "no event package"));
        }
        let id = Params::new(params).get("id").filter(|id| is_token_text(id.as_bytes())).map(str::to_owned);
        Ok(Event { package: package.to_owned(), id })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.package)?;
        match &self.id {
            Some(id) => write!(f, ";id={id}"),
            None => Ok(()),
        }
    }
}

/// What a notifier says about a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Accepted, and notified of every change.
    Active,
    /// Received, but not yet authorised.
    Pending,
    /// Over.
    Terminated,
    /// An extension, which counts as active (RFC 6665 4.1.3).
    Other,
}

/// A Subscription-State value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionState {
    /// The state itself.
    pub standing: Standing,
    /// Seconds the subscription has left.
    pub expires: Option<u32>,
    /// Why it was terminated.
    pub reason: Option<String>,
    /// Seconds before the next attempt.
    pub retry_after: Option<u32>,
}

impl SubscriptionState {
    /// `active` with the seconds that are left.
    pub fn active(expires: u32) -> Self {
        SubscriptionState {
            standing: Standing::Active,
            expires: Some(expires),
            reason: None,
            retry_after: None,
        }
    }

    /// `terminated` with a reason such as `noresource` or `timeout` (RFC 6665 4.1.3).
    pub fn terminated(reason: &str) -> Self {
        SubscriptionState {
            standing: Standing::Terminated,
            expires: None,
            reason: Some(reason.to_owned()),
            retry_after: None,
        }
    }

    /// Reads a Subscription-State value. Numbers too large count as 2^32-1, those that are none as absent.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let (state, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        let state = state.trim();
        if !is_token_text(state.as_bytes()) {
            return Err(Malformed::Header("Subscription-State", "no state"));
        }
        let named = |(name, _): &&(&str, Standing)| state.eq_ignore_ascii_case(name);
        let params = Params::new(params);
        let seconds = |name| {
            let n = params.get(name).and_then(|n| digits(n.as_bytes()))?;
            Some(u32::try_from(n).unwrap_or(u32::MAX))
        };
        let reason = params.get("reason").filter(|r| is_token_text(r.as_bytes())).map(str::to_owned);
        Ok(SubscriptionState {
            standing: STANDINGS.iter().find(named).map_or(Standing::Other, |row| row.1),
            expires: seconds("expires"),
            reason,
            retry_after: seconds("retry-after"),
        })
    }

    /// Whether the subscription is over.
    pub fn is_terminated(&self) -> bool {
        self.standing == Standing::Terminated
    }
}

const STANDINGS: [(&str, Standing); 3] =
    [("active", Standing::Active), ("pending", Standing::Pending), ("terminated", Standing::Terminated)];

impl fmt::Display for SubscriptionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What an extension calls itself is not kept: it means active.
        let named = STANDINGS.iter().find(|row| row.1 == self.standing);
        f.write_str(named.map_or("active", |row| row.0))?;
        if let Some(secs) = self.expires {
            write!(f, ";expires={secs}")?;
        }
        if let Some(reason) = &self.reason {
            write!(f, ";reason={reason}")?;
        }
        match self.retry_after {
            Some(secs) => write!(f, ";retry-after={secs}"),
            None => Ok(()),
        }
    }
}
