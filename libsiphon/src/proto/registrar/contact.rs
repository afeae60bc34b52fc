//! What a REGISTER asks for: its Contact values with their lifetimes, or `*`, or nothing (RFC 3261 10.3 steps 5-7),
//! and whether outbound applies to it (RFC 5626 6).

use super::register::Refusal;
use super::settings::RegistrarSettings;
use crate::base::text::Text;
use crate::wire::sip::{HeaderId, Message, NameAddr};

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
        params: Text::from(""),
        q: contact.q().unwrap_or(1000),
        expires: granted(requested(request, contact, settings), settings)?,
        instance_id: contact.params.unquoted("+sip.instance").map(|id| Text::from(&*id)),
        reg_id: None,
    };
    // RFC 5626 6: a reg-id without an instance id is ignored.
    let reg_id = contact.param("reg-id").filter(|_| wanted.instance_id.is_some());
    if let Some(reg_id) = reg_id {
        match outbound {
            Outbound::Applies => {
                let number = reg_id.parse::<u32>().ok().filter(|n| *n > 0);
                wanted.reg_id = Some(number.ok_or_else(|| Refusal::bad("Bad reg-id"))?);
            }
            Outbound::FirstHopLacksIt => return Err(Refusal::new(439, "First Hop Lacks Outbound Support")),
            Outbound::NotAsked => {}
        }
    }
    const OWN_FIELDS: [&str; 4] = ["q", "expires", "+sip.instance", "reg-id"];
    let mut params = String::new();
    for (name, value) in contact.params.iter() {
        if OWN_FIELDS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            continue;
        }
        params.push(';');
        params.push_str(name);
        if let Some(value) = value {
            params.push('=');
            params.push_str(value);
        }
    }
    if !params.is_empty() {
        // A folded parameter must not carry its line break into a response.
        wanted.params = params.replace(['\r', '\n', '\0'], " ").into();
    }
    Ok(wanted)
}

/// RFC 3261 10.3 step 7: the parameter, else the header field, else the default.
fn requested(request: &Message, contact: &NameAddr<'_>, settings: &RegistrarSettings) -> u32 {
    // RFC 3261 10.2.1.1: a malformed value counts as 3600.
    const MALFORMED: u32 = 3600;
    if contact.param("expires").is_some() {
        return contact.expires().unwrap_or(MALFORMED);
    }
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
