//! Edits of the INVITE of a call that a request does not know: parts of From and To, the caller's number, privacy (RFC
//! 3323, RFC 3325).

use super::call_state::CallState;
use super::convert;
use super::request_edits::{name_addr, with_parts};
use crate::wire::sip::{HeaderId, Message, NameAddr, Scheme, Uri};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Lists of addresses that say who calls.
const IDENTITIES: [HeaderId; 3] =
    [HeaderId::PAssertedIdentity, HeaderId::PPreferredIdentity, HeaderId::RemotePartyId];

fn address(message: &Message, id: HeaderId) -> PyResult<NameAddr<'_>> {
    let address = if id == HeaderId::From { message.from() } else { message.to() };
    address.map_err(|e| PyValueError::new_err(e.to_string()))
}

/// A URI with another user; of a tel URI that is the number.
fn with_user(text: &str, user: &str) -> PyResult<String> {
    let parsed = Uri::parse(text).map_err(|e| PyValueError::new_err(format!("{text:?}: {e}")))?;
    if parsed.scheme() != Scheme::Tel {
        return with_parts(text, Some(user), None);
    }
    let made = format!("tel:{}", convert::safe(user)?);
    Uri::parse(&made).map_err(|e| PyValueError::new_err(format!("{made:?}: {e}")))?;
    Ok(made)
}

impl CallState {
    /// Applies an edit that gives a new message, or none when there was nothing to do.
    pub(crate) fn apply(&mut self, edit: impl FnOnce(&Message) -> PyResult<Option<Message>>) -> PyResult<()> {
        self.editable()?;
        self.invite.apply(edit)
    }

    /// An edit of one header field by a verb of scripts: from then on it is the script's own.
    pub(crate) fn edit_field(
        &mut self,
        name: &str,
        edit: impl FnOnce(&Message) -> PyResult<Option<Message>>,
    ) -> PyResult<()> {
        self.editable()?;
        self.invite.about_to_touch(name)?;
        self.invite.apply(edit)?;
        self.owns(name);
        Ok(())
    }

    /// Replaces user or `host[:port]` of the URI of From or To.
    pub(crate) fn set_part(&mut self, id: HeaderId, user: Option<&str>, host: Option<&str>) -> PyResult<()> {
        let uri = {
            let old = address(&self.invite.message, id)?.uri.as_str();
            match (user, host) {
                (Some(user), None) => with_user(old, user)?,
                _ => with_parts(old, user, host)?,
            }
        };
        match host {
            Some(_) => self.set_address(id, None, &uri),
            // The host is still the caller's, and hidden where the header policy hides it.
            None => self.change_address(id, None, &uri),
        }
    }

    fn change_address(&mut self, id: HeaderId, display: Option<&str>, uri: &str) -> PyResult<()> {
        self.editable()?;
        self.invite.set_address(id, display, Some(uri))
    }

    /// Replaces the URI of From or To, and the display name when there is one to set: the other side sees just that.
    pub(crate) fn set_address(&mut self, id: HeaderId, display: Option<&str>, uri: &str) -> PyResult<()> {
        self.change_address(id, display, uri)?;
        self.owns(id.name());
        Ok(())
    }

    /// Hides who calls: From is anonymous (RFC 3323 4.1.1.3), and Privacy asks those who know to say nothing (RFC 3325
    /// 9.3).
    pub(crate) fn restrict_caller_id(&mut self) -> PyResult<()> {
        self.set_address(HeaderId::From, Some("Anonymous"), "sip:anonymous@anonymous.invalid")?;
        self.edit_field("Privacy", |m| super::edits::set_header(m, "Privacy", "id").map(Some))
    }

    /// Whether the caller withholds the own number.
    fn is_restricted(&self) -> bool {
        let message = &self.invite.message;
        let asks = message.header(HeaderId::Privacy).is_some_and(|privacy| {
            let mut wishes = privacy.split([';', ',']);
            wishes.any(|w| ["id", "user", "header"].iter().any(|p| w.trim().eq_ignore_ascii_case(p)))
        });
        let is_anonymous = |a: NameAddr<'_>| a.uri.host().eq_ignore_ascii_case("anonymous.invalid");
        asks || message.from().is_ok_and(is_anonymous)
    }

    /// Gives From, and what asserts it, another number; display names go with the old one.
    pub(crate) fn set_caller_id(&mut self, number: &str) -> PyResult<bool> {
        self.editable()?;
        if self.is_restricted() {
            return Ok(false);
        }
        let from = with_user(address(&self.invite.message, HeaderId::From)?.uri.as_str(), number)?;
        self.change_address(HeaderId::From, Some(""), &from)?;
        for id in IDENTITIES {
            let mut values = Vec::new();
            for value in self.invite.message.values(id) {
                let old = NameAddr::parse(&value).map_err(|e| PyValueError::new_err(e.to_string()))?;
                let uri = with_user(old.uri.as_str(), number)?;
                values.push(name_addr(None, &uri, old.params.as_str()));
            }
            self.invite.splice(|s| {
                values.iter().enumerate().try_for_each(|(n, v)| s.replace_value(id, n, v).map(drop))
            })?;
        }
        Ok(true)
    }
}
