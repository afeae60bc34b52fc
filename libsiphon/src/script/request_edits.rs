//! Edits of a request: Route, Request-URI, From and To, Contact, NAT fixes (RFC 3581, RFC 5626 territory).

use super::convert;
use super::edits::splice;
use super::request::{State, sip_uri};
use super::uri::SipUri;
use crate::base::flow::Transport;
use crate::base::text::Text;
use crate::policy::Target;
use crate::wire::sip::{HeaderId, Message, NameAddr, Splice, Unsafe, Uri, escape_user, quote};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::net::{IpAddr, SocketAddr};

impl State {
    /// Refuses edits that come too late.
    fn editable(&self) -> PyResult<()> {
        self.alive()?;
        if self.relayed {
            return Err(PyRuntimeError::new_err(
                "the request was relayed already: edit it before relay() or fork()",
            ));
        }
        Ok(())
    }

    /// Applies an edit that gives a new message, or none when there was nothing to do.
    pub(crate) fn apply(&mut self, edit: impl FnOnce(&Message) -> PyResult<Option<Message>>) -> PyResult<()> {
        self.editable()?;
        if let Some(message) = edit(&self.message)? {
            self.edited(message);
        }
        Ok(())
    }

    /// Applies edits by splicing.
    pub(crate) fn splice(
        &mut self,
        edit: impl FnOnce(&mut Splice<'_>) -> Result<(), Unsafe>,
    ) -> PyResult<()> {
        self.apply(|message| splice(message, edit).map(Some))
    }

    /// Takes our own topmost Route values out before a script touches Route: they are consumed, and what the
    /// script puts on top must be the next hop (RFC 3261 16.4).
    pub(crate) fn pop_consumed(&mut self) -> PyResult<()> {
        let own = usize::from(std::mem::take(&mut self.consumed_routes));
        if own == 0 {
            return Ok(());
        }
        self.splice(|s| {
            s.pop_routes(own);
            Ok(())
        })
    }

    pub(crate) fn set_ruri(&mut self, uri: &str) -> PyResult<()> {
        self.splice(|s| s.set_request_uri(uri).map(drop))?;
        self.is_local = match Uri::parse(uri) {
            Ok(uri) => super::context::current()?.services().is_local(&uri),
            Err(_) => false,
        };
        Ok(())
    }

    /// The Request-URI with another user or host.
    pub(crate) fn ruri_with(&self, user: Option<&str>, host: Option<&str>) -> PyResult<String> {
        with_parts(self.message.request_uri(), user, host)
    }

    /// Gives From or To another display name or URI; its tag and other parameters stay.
    pub(crate) fn set_address(
        &mut self,
        id: HeaderId,
        display: Option<&str>,
        uri: Option<&str>,
    ) -> PyResult<()> {
        let value = {
            let address = if id == HeaderId::From { self.message.from() } else { self.message.to() };
            let address = address.map_err(|e| PyValueError::new_err(e.to_string()))?;
            let old = address.display();
            let display = display.map(convert::safe).transpose()?.or(old.as_deref());
            name_addr(display, uri.unwrap_or(address.uri.as_str()), address.params.as_str())
        };
        self.splice(|s| s.set(id, &value).map(drop))
    }

    /// Rewrites the URI of each Contact.
    pub(crate) fn map_contacts(&mut self, map: impl Fn(&Uri<'_>) -> PyResult<String>) -> PyResult<()> {
        let mut values = Vec::new();
        for contact in self.message.contacts() {
            let contact = contact.map_err(|e| PyValueError::new_err(e.to_string()))?;
            if contact.is_star() {
                return Ok(());
            }
            let display = contact.display();
            values.push(name_addr(display.as_deref(), &map(&contact.uri)?, contact.params.as_str()));
        }
        self.splice(|s| {
            values
                .iter()
                .enumerate()
                .try_for_each(|(n, v)| s.replace_value(HeaderId::Contact, n, v).map(drop))
        })
    }

    /// Host and port of Contact become the source of the request.
    pub(crate) fn fix_nated_contact(&mut self) -> PyResult<()> {
        let flow = self.flow;
        let host = SocketAddr::new(flow.remote.ip().to_canonical(), flow.remote.port()).to_string();
        let transport = flow.transport;
        self.map_contacts(|uri| {
            let mut text = with_parts(uri.as_str(), None, Some(&host))?;
            // The flow's transport is the one that reaches it.
            if transport != Transport::Udp && uri.param("transport").is_none() {
                let at = text.find('?').unwrap_or(text.len());
                text.insert_str(at, &format!(";transport={}", transport.uri_token()));
            }
            Ok(text)
        })
    }

    /// Each Contact URI gets `;alias=address~port~transport`: where the peer is behind its NAT. In-dialog requests
    /// whose Request-URI has it go there.
    pub(crate) fn add_contact_alias(&mut self) -> PyResult<()> {
        let remote = self.flow.remote;
        let number = if self.flow.transport == Transport::Udp { 1 } else { 2 };
        let alias = match remote.ip().to_canonical() {
            IpAddr::V4(ip) => format!(";alias={ip}~{}~{number}", remote.port()),
            IpAddr::V6(ip) => format!(";alias=[{ip}]~{}~{number}", remote.port()),
        };
        self.map_contacts(|uri| {
            if uri.param("alias").is_some() {
                return Ok(uri.as_str().to_owned());
            }
            let text = uri.as_str();
            let at = text.find('?').unwrap_or(text.len());
            Ok(format!("{}{alias}{}", &text[..at], &text[at..]))
        })
    }
}

/// Where the `alias` of an in-dialog Request-URI leads, when nothing of the route set is left.
pub(crate) fn alias_target(state: &State) -> Option<Target> {
    let uri = state.message.uri().ok()?;
    let alias = uri.param("alias")?;
    if state.message.routes().count() > usize::from(state.consumed_routes) {
        return None;
    }
    let mut parts = alias.split('~');
    let (host, port, number) = (parts.next()?, parts.next()?.parse::<u16>().ok()?, parts.next()?);
    let transport = match number {
        "1" => "udp",
        "2" => "tcp",
        _ => return None,
    };
    host.trim_matches(['[', ']']).parse::<IpAddr>().ok()?;
    let plain = uri.as_str().replacen(&format!(";alias={alias}"), "", 1);
    let next_hop = Some(Text::from(format!("sip:{host}:{port};transport={transport}")));
    Some(Target { next_hop, ..Target::uri(plain) })
}

/// A URI with another user or `host[:port]`.
pub(crate) fn with_parts(text: &str, user: Option<&str>, host: Option<&str>) -> PyResult<String> {
    let uri = sip_uri(text)?;
    let start = format!("{}:", uri.scheme_name());
    let rest = text.get(start.len()..).unwrap_or_default();
    // Parsed above: at most one @, and the host ends at the first of `;` and `?` behind it.
    let (userinfo, rest) = rest.split_once('@').map_or((None, rest), |(u, r)| (Some(u), r));
    let (hostport, tail) = rest.split_at(rest.find([';', '?']).unwrap_or(rest.len()));
    let userinfo = match user {
        Some("") => None,
        Some(user) => Some(escape_user(convert::safe(user)?).to_string()),
        None => userinfo.map(str::to_owned),
    };
    let host = host.map(convert::safe).transpose()?.unwrap_or(hostport);
    let made = match userinfo {
        Some(user) => format!("{start}{user}@{host}{tail}"),
        None => format!("{start}{host}{tail}"),
    };
    Uri::parse(&made).map_err(|e| PyValueError::new_err(format!("{made:?}: {e}")))?;
    Ok(made)
}

pub(crate) fn name_addr(display: Option<&str>, uri: &str, params: &str) -> String {
    let display = display.filter(|d| !d.is_empty()).map(|d| format!("{} ", quote(d))).unwrap_or_default();
    let params = params.trim();
    let semicolon = if params.is_empty() || params.starts_with(';') { "" } else { ";" };
    format!("{display}<{uri}>{semicolon}{params}")
}

/// A Route or Path value for a URI: loose (RFC 3261 19.1.1), in angle brackets.
pub(crate) fn route_value(uri: &Bound<'_, PyAny>) -> PyResult<String> {
    let text = convert::uri_text(uri)?;
    let parsed = sip_uri(&text)?;
    Ok(if parsed.is_loose() { format!("<{text}>") } else { format!("<{}>", with_lr(&text)) })
}

fn with_lr(text: &str) -> String {
    let at = text.find('?').unwrap_or(text.len());
    format!("{};lr{}", &text[..at], &text[at..])
}

/// Removes the values of a list header field that equal `value`, case aside.
pub(crate) fn remove_from_list(message: &Message, name: &str, value: &str) -> PyResult<Option<Message>> {
    let id = HeaderId::from_name(name);
    let mut message = message.clone();
    let mut changed = false;
    if id == HeaderId::Other || !id.is_list() {
        return Err(PyValueError::new_err(format!("{name} is no list that Siphon knows")));
    }
    while let Some(nth) = message.values(id).position(|v| v.trim().eq_ignore_ascii_case(value.trim())) {
        message = splice(&message, |s| {
            s.remove_value(id, nth);
            Ok(())
        })?;
        changed = true;
    }
    Ok(changed.then_some(message))
}

/// Whether an address lies in one of the networks that a script names: one, or a list.
pub(crate) fn in_networks(ip: IpAddr, networks: &Bound<'_, PyAny>) -> PyResult<bool> {
    let networks: Vec<String> = match networks.cast::<PyString>() {
        Ok(one) => vec![one.to_str()?.to_owned()],
        Err(_) => networks.extract()?,
    };
    networks.iter().try_fold(false, |hit, network| Ok(hit | in_network(ip, network)?))
}

/// Whether an address lies in a network written as `10.0.0.0/8`, or is the address given.
fn in_network(ip: IpAddr, network: &str) -> PyResult<bool> {
    let wrong = || PyValueError::new_err(format!("{network:?} is no address or network"));
    let (base, length) = network.split_once('/').map_or((network, None), |(b, l)| (b, Some(l)));
    let base: IpAddr = base.trim().parse().map_err(|_| wrong())?;
    let most = if base.is_ipv4() { 32 } else { 128 };
    let length: u32 = length.map_or(Ok(most), |l| l.trim().parse().map_err(|_| wrong()))?;
    if length > most {
        return Err(wrong());
    }
    let bits = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    };
    let differing = (bits(ip) ^ bits(base)).checked_shr(most.saturating_sub(length)).unwrap_or(0);
    Ok(ip.is_ipv4() == base.is_ipv4() && (length == 0 || differing == 0))
}

/// A URI for `force_send_via`: the transport and where to.
pub(crate) fn forced_next_hop(transport: &str, target: &Bound<'_, PyAny>) -> PyResult<Text> {
    if Transport::from_token(transport).is_none() {
        return Err(PyValueError::new_err(format!(
            "transport {transport:?}: this version speaks udp and tcp"
        )));
    }
    let text = match target.extract::<String>() {
        Ok(text) if !text.contains(':') || text.parse::<SocketAddr>().is_ok() => format!("sip:{text}"),
        _ => SipUri::own(convert::uri_text(target)?).text().to_owned(),
    };
    let uri = sip_uri(&text)?;
    let user = uri.user().map(|u| format!("{u}@")).unwrap_or_default();
    let port = uri.port().map(|p| format!(":{p}")).unwrap_or_default();
    Ok(format!("sip:{user}{}{port};transport={}", uri.host(), transport.to_ascii_lowercase()).into())
}

/// The display name and URI parts of an address, for scripts that pass a name-addr.
pub(crate) fn address_uri(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(text) = value.extract::<String>()
        && let Ok(address) = NameAddr::parse(convert::safe(&text)?)
    {
        return Ok(address.uri.as_str().to_owned());
    }
    convert::uri_text(value).map(|t| t.to_string())
}
