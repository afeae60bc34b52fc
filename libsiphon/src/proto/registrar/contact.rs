//! What a REGISTER asks for: its Contact values with their lifetimes, or `*`, or nothing (RFC 3261 10.3 steps 5-7),
//! and whether outbound applies to it (RFC 5626 6).

use super::register::Refusal;
use super::settings::RegistrarSettings;
use crate::base::text::Text;
use crate::wire::sip::{HeaderId, Message, NameAddr, unquote};
use std::net::IpAddr;

/// One Contact value of a REGISTER.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Wanted {
    pub(super) uri: Text,
    pub(super) params: Text,
    pub(super) q: u16,
    /// Seconds to grant; 0 removes the binding.
    pub(super) expires: u32,
    pub(super) instance_id: Option<Text>,
    pub(super) reg_id: Option<u32>,
    /// The host of the URI, when it is an address.
    pub(super) ip: Option<IpAddr>,
    /// The URI has a `gr` parameter (RFC 5627 4.3).
    pub(super) is_gruu: bool,
}

/// What the Contact header fields ask for.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Asked {
    /// None: the bindings are to be told (RFC 3261 10.2.3).
    Fetch,
    /// `*` with `Expires: 0`: all are to go.
    RemoveAll,
    /// These are to be made, refreshed or removed.
    Contacts(Vec<Wanted>),
}

/// Reads the Contact header fields.
pub(super) fn read(request: &Message, settings: &RegistrarSettings) -> Result<Asked, Refusal> {
    let mut contacts = Vec::new();
    let mut star = false;
    let outbound = applies_outbound(request);
    for contact in request.contacts() {
        let contact = contact.map_err(|fault| Refusal::bad(format!("Bad Contact Header Field: {fault}")))?;
        if contact.is_star() {
            star = true;
            continue;
        }
        contacts.push(read_one(request, &contact, settings, outbound)?);
    }
    if star {
        // RFC 3261 10.3 step 6.
        return match contacts.is_empty() && request.expires() == Some(0) {
            true => Ok(Asked::RemoveAll),
            false => Err(Refusal::bad("Contact * Needs Expires 0 And No Other Contact")),
        };
    }
    if contacts.is_empty() {
        return Ok(Asked::Fetch);
    }
    let kept = contacts.iter().filter(|c| c.expires > 0).count();
    if kept > 1 && contacts.iter().any(|c| c.expires > 0 && c.reg_id.is_some()) {
        // RFC 5626 6: one flow, one binding.
        return Err(Refusal::bad("Several Contacts With reg-id"));
    }
    Ok(Asked::Contacts(contacts))
}

fn read_one(
    request: &Message,
    contact: &NameAddr<'_>,
    settings: &RegistrarSettings,
    outbound: Outbound,
) -> Result<Wanted, Refusal> {
    let mut wanted = Wanted {
        uri: contact.uri.as_str().into(),
        params: Text::default(),
        q: 1000,
        expires: 0,
        instance_id: None,
        reg_id: None,
        ip: contact.uri.host_ip(),
        is_gruu: contact.uri.params().has("gr"),
    };
    let mut expires = None;
    let mut reg_id = None;
    let mut params = String::new();
    for (name, value) in contact.params.iter() {
        let text = value.unwrap_or_default();
        match name.len() {
            1 if name.eq_ignore_ascii_case("q") => wanted.q = contact.q().unwrap_or(1000),
            7 if name.eq_ignore_ascii_case("expires") => {
                expires = Some(contact.expires().unwrap_or(MALFORMED))
            }
            6 if name.eq_ignore_ascii_case("reg-id") => reg_id = Some(text),
            13 if name.eq_ignore_ascii_case("+sip.instance") => {
                wanted.instance_id = Some(Text::from(&*unquote(text)));
            }
            _ => {
                params.push(';');
                params.push_str(name);
                if let Some(value) = value {
                    params.push('=');
                    params.push_str(value);
                }
            }
        }
    }
    if !params.is_empty() {
        // A folded parameter must not carry its line break into a response.
        let folded = params.contains(['\r', '\n', '\0']);
        wanted.params = if folded { params.replace(['\r', '\n', '\0'], " ").into() } else { params.into() };
    }
    wanted.expires = granted(expires.unwrap_or_else(|| by_header(request, settings)), settings)?;
    // RFC 5626 6: a reg-id without an instance id is ignored.
    if let Some(reg_id) = reg_id.filter(|_| wanted.instance_id.is_some()) {
        match outbound {
            Outbound::Applies => {
                let number = reg_id.parse::<u32>().ok().filter(|n| *n > 0);
                wanted.reg_id = Some(number.ok_or_else(|| Refusal::bad("Bad reg-id"))?);
            }
            Outbound::FirstHopLacksIt => return Err(Refusal::new(439, "First Hop Lacks Outbound Support")),
            Outbound::NotAsked => {}
        }
    }
    Ok(wanted)
}

/// RFC 3261 10.2.1.1: what a malformed lifetime counts as.
const MALFORMED: u32 = 3600;

/// RFC 3261 10.3 step 7, for a contact without a lifetime of its own: the header field, else the default.
fn by_header(request: &Message, settings: &RegistrarSettings) -> u32 {
    match request.has(HeaderId::Expires) {
        true => request.expires().unwrap_or(MALFORMED),
        false => settings.default_expires.max(settings.min_expires),
    }
}

fn granted(requested: u32, settings: &RegistrarSettings) -> Result<u32, Refusal> {
    const HOUR: u32 = 3600;
    if requested == 0 {
        return Ok(0);
    }
    if requested < settings.min_expires && requested < HOUR {
        let refusal = Refusal::new(423, "Interval Too Brief");
        return Err(refusal.with("Min-Expires", settings.min_expires.min(HOUR).to_string()));
    }
    Ok(requested.min(settings.max_expires).max(1))
}

/// Whether outbound applies to a registration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outbound {
    /// The UA asked for it and the way here has it.
    Applies,
    /// The UA asked for it, but its first hop does not take part.
    FirstHopLacksIt,
    /// The UA did not ask.
    NotAsked,
}

/// RFC 5626 6. The edge proxy marks its Path with `ob`; which end of a longer Path is its "first URI" is read
/// either way, as implementations do.
pub(super) fn applies_outbound(request: &Message) -> Outbound {
    if !supports(request, "outbound") {
        return Outbound::NotAsked;
    }
    let first_hop = request.second_via().is_none();
    let mut paths = request.paths();
    let marked = |path: Option<Result<NameAddr<'_>, _>>| {
        path.and_then(Result::ok).is_some_and(|path| path.uri.params().has("ob"))
    };
    if first_hop || marked(paths.next()) || marked(paths.last()) {
        Outbound::Applies
    } else {
        Outbound::FirstHopLacksIt
    }
}

/// Whether Supported or Require has that option tag (a required extension is supported, RFC 3261 8.2.2.3).
pub(super) fn supports(request: &Message, option: &str) -> bool {
    let has = |id| request.values(id).any(|tag| tag.eq_ignore_ascii_case(option));
    has(HeaderId::Supported) || has(HeaderId::Require)
}
