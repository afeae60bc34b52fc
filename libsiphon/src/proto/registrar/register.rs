//! Processing of REGISTER (RFC 3261 10.3), with Path (RFC 3327), Service-Route (RFC 3608), outbound (RFC 5626) and
//! GRUU (RFC 5627).
//!
//! All contacts of a request take effect or none does, in one critical section of its address of record.

use super::binding::{AorState, Binding, Change};
use super::contact::{Asked, Wanted, read, supports};
use super::gruu::{Gruu, GruuKeys};
use super::location::{Full, Location, Updated};
use super::nat;
use super::settings::{OverLimit, PathPolicy, RegistrarSettings};
pub use super::unsettled::Rollback;
use super::unsettled::{Touch, Undo, Unsettled};
use crate::base::codec::Codec;
use crate::base::flow::Flow;
use crate::base::text::Text;
use crate::base::time::{Duration, Instant};
use crate::base::token::Secret;
use crate::event::BindingChange;
use crate::policy::{Commit, Keep, ReplySpec};
use crate::wire::sip::{HeaderId, Message, Uri};
use arc_swap::ArcSwap;
use std::sync::Arc;

/// Longest User-Agent that is kept, in octets.
const MAX_USER_AGENT: usize = 128;

/// The registrar of a node.
#[derive(Debug)]
pub struct Registrar {
    pub(super) settings: ArcSwap<RegistrarSettings>,
    /// Where its bindings are.
    pub location: Arc<Location>,
    pub(super) gruu: GruuKeys,
    pub(super) unsettled: Arc<Unsettled>,
}

/// One REGISTER with what is known about it.
#[derive(Clone, Copy, Debug)]
pub struct Registration<'a> {
    /// The request.
    pub request: &'a Message,
    /// The flow it came on.
    pub flow: &'a Flow,
    /// The user of its digest credentials, once they were checked.
    pub authenticated_user: Option<&'a str>,
    /// Take the source address for the contact's whatever its URI says (`fix_nated_register`).
    pub fix_nated: bool,
    /// These contacts replace whatever the address of record had, in whatever order requests come
    /// (`save(force=True)`): neither Call-ID and CSeq nor the number of older contacts count.
    pub force: bool,
    /// Other addresses of record that are to lead to the same bindings.
    pub aliases: &'a [Text],
}

impl<'a> Registration<'a> {
    /// A plain REGISTER.
    pub fn new(request: &'a Message, flow: &'a Flow) -> Self {
        Registration { request, flow, authenticated_user: None, fix_nated: false, force: false, aliases: &[] }
    }
}

/// What came of a REGISTER.
#[derive(Debug)]
pub struct Outcome {
    /// The response.
    pub reply: ReplySpec,
    /// What happened to which binding. Empty unless the reply is a 200.
    pub changes: Vec<Change>,
    /// What a store must acknowledge before the reply leaves.
    pub commit: Option<Commit>,
    /// Undoes the registration; `None` when it changed nothing. Dropped, it lets the registration stand.
    pub rollback: Option<Rollback>,
}

/// Why a REGISTER is refused: its response.
#[derive(Clone, Debug)]
pub(super) struct Refusal(Box<ReplySpec>);

impl Refusal {
    pub(super) fn new(code: u16, reason: impl Into<Text>) -> Self {
        Refusal(Box::new(ReplySpec { reason: Some(reason.into()), ..ReplySpec::code(code) }))
    }

    pub(super) fn bad(reason: impl Into<Text>) -> Self {
        Refusal::new(400, reason)
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<Text>) -> Self {
        self.0.headers.push((name.into(), value.into()));
        self
    }
}

impl From<Full> for Refusal {
    fn from(_: Full) -> Self {
        Refusal::new(503, "Location Table Full").with("Retry-After", "60")
    }
}

impl Registrar {
    /// A registrar over `location`.
    pub fn new(settings: RegistrarSettings, location: Arc<Location>, secret: &Secret) -> Self {
        Registrar {
            settings: ArcSwap::from_pointee(settings),
            location,
            gruu: GruuKeys::new(secret),
            unsettled: Arc::new(Unsettled::new()),
        }
    }

    /// From now on works by these settings; bindings that exist keep what they were granted.
    pub fn configure(&self, settings: RegistrarSettings) {
        self.settings.store(Arc::new(settings));
    }

    /// Processes a REGISTER. Bindings change at once; the reply is a value.
    pub fn process(&self, registration: &Registration<'_>, now: Instant) -> Outcome {
        self.register(registration, now).unwrap_or_else(|refusal| Outcome {
            reply: *refusal.0,
            changes: Vec::new(),
            commit: None,
            rollback: None,
        })
    }

    fn register(&self, registration: &Registration<'_>, now: Instant) -> Result<Outcome, Refusal> {
        let request = registration.request;
        check_required(request)?;
        let aor = address_of_record(request)?;
        // Once: a request is judged by the same settings from its first check to its reply.
        let settings = self.settings.load();
        check_user(&settings, registration, &aor)?;
        check_path(&settings, request)?;
        let asked = read(request, &settings)?;
        let template = Template::of(registration);
        if let Asked::Contacts(wanted) = &asked {
            check_contacts(&settings, wanted, &aor, &template)?;
        }
        if asked == Asked::Fetch && registration.aliases.is_empty() {
            let state = self.location.state(&aor, now).map(|(_, state)| state).unwrap_or_default();
            let reply = self.accepted(&settings, request, &aor, &state, now);
            return Ok(Outcome { reply, changes: Vec::new(), commit: None, rollback: None });
        }
        let updated = self.location.update(&aor, now, |state| {
            let steps = apply(&settings, &asked, registration, &template, state, now)?;
            let aliases_before = state.aliases.clone();
            if !registration.aliases.is_empty() {
                state.aliases = registration.aliases.iter().filter(|alias| **alias != aor).cloned().collect();
            }
            let aliases = (aliases_before, state.aliases.clone());
            let mut touches: Vec<Touch> = steps.iter().filter_map(Step::touch).collect();
            touches.extend(self.removed_already(&aor, &asked));
            let changes = !touches.is_empty() || aliases.0 != aliases.1;
            // Under the lock of the address, also where bindings merely lapsed: a later number is a later value.
            let version = self.unsettled.next_version(now);
            let rollback = changes.then(|| self.unsettled.enter(&aor, version, touches, aliases));
            Ok::<_, Refusal>((steps, version, rollback))
        })?;
        Ok(self.outcome(&settings, request, &aor, updated, now))
    }

    /// Contacts that are asked to be removed and are gone already, but might come back: by what was not stored yet.
    fn removed_already(&self, aor: &Text, asked: &Asked) -> Vec<Touch> {
        let asks = |contact: &Binding| match asked {
            Asked::Fetch => false,
            Asked::RemoveAll => true,
            Asked::Contacts(wanted) => wanted.iter().any(|w| w.expires == 0 && is_same(contact, w)),
        };
        let removes = match asked {
            Asked::Contacts(wanted) => wanted.iter().any(|w| w.expires == 0),
            other => *other == Asked::RemoveAll,
        };
        let gone = if removes { self.unsettled.removed(aor) } else { Vec::new() };
        let touch = |contact| Touch { contact, before: None, after: None };
        gone.into_iter().filter(asks).map(touch).collect()
    }

    fn outcome(
        &self,
        settings: &RegistrarSettings,
        request: &Message,
        aor: &Text,
        updated: Updated<(Vec<Step>, u64, Option<Rollback>)>,
        now: Instant,
    ) -> Outcome {
        let Updated { value: (steps, version, rollback), before, after, lapsed } = updated;
        let reply = self.accepted(settings, request, aor, &after, now);
        let changed = rollback.is_some() || !lapsed.is_empty();
        let commit = (settings.commit && changed).then(|| commit(aor, &before, &after, version, now));
        let told = steps.into_iter().flat_map(|step| step.tell(aor));
        let changes = lapsed.into_iter().chain(told).collect();
        Outcome { reply, changes, commit, rollback }
    }

    /// Undoes a registration whose reply turned out a failure, or that the store refused. It stands all the same, and
    /// the result is `None`, where a newer value that contains it is stored already.
    pub fn roll_back(&self, rollback: &Rollback, now: Instant) -> Option<Vec<Change>> {
        let Rollback { aor, version, unsettled } = rollback;
        let undone =
            self.location.update(aor, now, |state| Ok::<_, Full>(unsettled.undo(aor, *version, state, now)));
        let Ok(Updated { value, lapsed, .. }) = undone else { return Some(Vec::new()) };
        let Undo::Undone(changed) = value else { return None };
        let change = |(kind, binding)| Change { aor: aor.clone(), kind, binding };
        Some(lapsed.into_iter().chain(changed.into_iter().map(change)).collect())
    }

    /// The store has acknowledged the commit of `rollback`. What it stored may hold an older change that was undone
    /// meanwhile: then the result is to be committed in its place.
    pub fn stored(&self, rollback: &Rollback, now: Instant) -> Option<Commit> {
        let Rollback { aor, version, unsettled } = rollback;
        if !unsettled.stored(aor, *version) {
            return None;
        }
        let corrected = self.location.update(aor, now, |state| {
            let aliases = (state.aliases.clone(), state.aliases.clone());
            Ok::<_, Full>(unsettled.enter(aor, unsettled.next_version(now), Vec::new(), aliases))
        });
        let Updated { value, before, after, .. } = corrected.ok()?;
        let mut commit = commit(aor, &before, &after, value.version, now);
        commit.undo = Some(Keep(Arc::new(value)));
        Some(commit)
    }

    /// The live bindings of a URI: an address of record, an alias of one, or a GRUU (RFC 5627 5.4). By q, then the
    /// most recent first.
    pub fn lookup(&self, uri: &Uri<'_>, now: Instant) -> Vec<Binding> {
        match uri.params().has("gr") {
            true => self.resolve_gruu(uri, now).map(|gruu| gruu.bindings).unwrap_or_default(),
            false => self.location.lookup(&uri.aor_key(), now),
        }
    }

    /// What a GRUU stands for; `None` when it is none of ours.
    pub fn resolve_gruu(&self, uri: &Uri<'_>, now: Instant) -> Option<Gruu> {
        self.gruu.resolve(uri, &self.location, now)
    }
}

fn check_user(
    settings: &RegistrarSettings,
    registration: &Registration<'_>,
    aor: &Text,
) -> Result<(), Refusal> {
    let Some(user) = registration.authenticated_user.filter(|_| settings.enforce_auth_aor_match) else {
        return Ok(());
    };
    let (_, rest) = aor.split_once(':').unwrap_or(("", aor));
    let (aor_user, host) = rest.rsplit_once('@').unwrap_or((rest, ""));
    // Credentials may name the user alone or with a domain.
    let full = user.rsplit_once('@').is_some_and(|(u, h)| u == aor_user && h.eq_ignore_ascii_case(host));
    match user == aor_user || full {
        true => Ok(()),
        false => Err(Refusal::new(403, "Not Your Address Of Record")),
    }
}

fn check_path(settings: &RegistrarSettings, request: &Message) -> Result<(), Refusal> {
    if settings.path == PathPolicy::Lenient || !request.has(HeaderId::Path) || supports(request, "path") {
        return Ok(());
    }
    Err(Refusal::new(420, "Bad Extension").with("Unsupported", "path"))
}

fn check_contacts(
    settings: &RegistrarSettings,
    wanted: &[Wanted],
    aor: &Text,
    template: &Template,
) -> Result<(), Refusal> {
    let limit = settings.max_binding_octets;
    for contact in wanted {
        let size = contact.uri.len() + contact.params.len();
        let size = size + contact.instance_id.as_ref().map_or(0, |id| id.len()) + template.size();
        if size > limit {
            return Err(Refusal::new(513, "Binding Too Large"));
        }
        // RFC 5627 5.1: a GRUU of the same address of record as contact would lead back here.
        let leads_to = || Uri::parse(&contact.uri).is_ok_and(|uri| *uri.canonical_aor() == **aor);
        let loops = contact.is_gruu && leads_to();
        if loops && contact.expires > 0 {
            return Err(Refusal::new(403, "Contact Is A GRUU Of The Address Of Record"));
        }
    }
    match wanted.iter().filter(|w| w.expires > 0).count() > settings.max_contacts {
        true => Err(Refusal::new(403, "Too Many Contacts")),
        false => Ok(()),
    }
}

/// Applies what is asked to `state`; a failure leaves half-done work that the table throws away.
fn apply(
    settings: &RegistrarSettings,
    asked: &Asked,
    registration: &Registration<'_>,
    template: &Template,
    state: &mut AorState,
    now: Instant,
) -> Result<Vec<Step>, Refusal> {
    let mut steps = Vec::new();
    let request = registration.request;
    match asked {
        Asked::Fetch => {}
        Asked::RemoveAll => {
            let stale = |b: &Binding| !registration.force && is_stale(b, request);
            if state.bindings.iter().any(stale) {
                return Err(out_of_order());
            }
            steps.extend(state.bindings.drain(..).map(Step::removed));
        }
        Asked::Contacts(wanted) => {
            // Orders are judged against the bindings as they were before this request.
            let stale = |b: &Binding| is_stale(b, request) && wanted.iter().any(|w| is_same(b, w));
            if !registration.force && state.bindings.iter().any(stale) {
                return Err(out_of_order());
            }
            for contact in wanted {
                steps.extend(merge(state, template.binding(contact, now), contact));
            }
            if registration.force {
                let kept = |b: &Binding| wanted.iter().any(|w| w.expires > 0 && is_same(b, w));
                steps.extend(state.bindings.extract_if(.., |b| !kept(b)).map(Step::removed));
            }
            steps.extend(make_room(settings, state, wanted)?);
        }
    }
    Ok(steps)
}

/// Keeps an address of record within its limit, where the configuration lets older bindings go.
fn make_room(
    settings: &RegistrarSettings,
    state: &mut AorState,
    wanted: &[Wanted],
) -> Result<Vec<Step>, Refusal> {
    let mut steps = Vec::new();
    while state.bindings.len() > settings.max_contacts {
        // A request that adds nothing may leave more than a limit that was lowered since.
        if wanted.iter().all(|w| w.expires == 0) {
            break;
        }
        if settings.over_limit == OverLimit::Refuse {
            return Err(Refusal::new(403, "Too Many Contacts"));
        }
        let others = state.bindings.iter().enumerate().filter(|(_, b)| !wanted.iter().any(|w| is_same(b, w)));
        let Some((oldest, _)) = others.min_by_key(|(_, b)| b.updated_at) else { break };
        steps.push(Step::removed(state.bindings.remove(oldest)));
    }
    Ok(steps)
}

/// What the store is to be told.
fn commit(aor: &Text, before: &AorState, after: &AorState, version: u64, now: Instant) -> Commit {
    Commit {
        key: aor.clone(),
        version,
        value: (!after.is_empty(now)).then(|| after.to_bytes()),
        previous: (!before.is_empty(now)).then(|| before.to_bytes()),
        undo: None,
    }
}

/// What happened to one binding.
#[derive(Debug)]
struct Step {
    before: Option<Binding>,
    after: Option<Binding>,
}

impl Step {
    fn removed(binding: Binding) -> Self {
        Step { before: Some(binding), after: None }
    }

    fn touch(&self) -> Option<Touch> {
        let contact = self.after.as_ref().or(self.before.as_ref())?.clone();
        Some(Touch { contact, before: self.before.clone(), after: self.after.clone() })
    }

    /// The changes it amounts to. A binding whose contact URI changed (a new flow under the same `reg-id`, another
    /// spelling) is one gone and one made: observers know bindings by their URI.
    fn tell(self, aor: &Text) -> impl Iterator<Item = Change> {
        use BindingChange::{Deregistered, Refreshed, Registered};
        let told = match (self.before, self.after) {
            (Some(before), Some(after)) if before.uri == after.uri => [None, Some((Refreshed, after))],
            (before, after) => [before.map(|b| (Deregistered, b)), after.map(|b| (Registered, b))],
        };
        let aor = aor.clone();
        told.into_iter().flatten().map(move |(kind, binding)| Change { aor: aor.clone(), kind, binding })
    }
}

/// Puts one wanted contact into the state.
fn merge(state: &mut AorState, mut binding: Binding, wanted: &Wanted) -> Option<Step> {
    let at = state.bindings.iter().position(|b| is_same(b, wanted));
    match (at, wanted.expires) {
        (Some(at), 0) => Some(Step::removed(state.bindings.remove(at))),
        // Removing what is not there is no error: the UA has what it wants.
        (None, 0) => None,
        (Some(at), _) => {
            let slot = state.bindings.get_mut(at)?;
            if slot.call_id == binding.call_id {
                // RFC 5627 5.2: temporary GRUUs outlive refreshes under the same Call-ID.
                binding.registered_at = slot.registered_at;
            }
            let before = std::mem::replace(slot, binding.clone());
            Some(Step { before: Some(before), after: Some(binding) })
        }
        (None, _) => {
            state.bindings.push(binding.clone());
            Some(Step { before: None, after: Some(binding) })
        }
    }
}

/// What all bindings of one REGISTER have in common.
struct Template {
    call_id: Text,
    cseq: u32,
    path: Vec<Text>,
    user_agent: Option<Text>,
    flow: Flow,
    fix_nated: bool,
}

impl Template {
    fn of(registration: &Registration<'_>) -> Self {
        let request = registration.request;
        let user_agent = request.header(HeaderId::UserAgent).map(|agent| {
            let end = (0..=MAX_USER_AGENT.min(agent.len())).rev().find(|at| agent.is_char_boundary(*at));
            Text::from(agent.get(..end.unwrap_or(0)).unwrap_or_default())
        });
        Template {
            call_id: request.call_id().into(),
            cseq: request.cseq(),
            path: request.values(HeaderId::Path).map(Text::from).collect(),
            user_agent: user_agent.filter(|agent| !agent.is_empty()),
            flow: *registration.flow,
            fix_nated: registration.fix_nated,
        }
    }

    fn size(&self) -> usize {
        self.call_id.len() + self.path.iter().map(|p| p.len()).sum::<usize>()
    }

    fn binding(&self, wanted: &Wanted, now: Instant) -> Binding {
        let behind_nat =
            self.fix_nated || wanted.ip.is_some_and(|ip| nat::is_elsewhere(ip, self.flow.remote.ip()));
        Binding {
            uri: wanted.uri.clone(),
            params: wanted.params.clone(),
            q: wanted.q,
            expires_at: now + Duration::from_secs(wanted.expires.into()),
            updated_at: now,
            registered_at: now,
            call_id: self.call_id.clone(),
            cseq: self.cseq,
            path: self.path.clone(),
            user_agent: self.user_agent.clone(),
            // Behind a Path the source is the last proxy.
            received: (behind_nat && self.path.is_empty()).then_some(self.flow.remote),
            flow: Some(self.flow),
            instance_id: wanted.instance_id.clone(),
            reg_id: wanted.reg_id,
        }
    }
}

/// Whether a contact names an existing binding: the same flow of the same instance (RFC 5626 6), else an
/// equivalent URI (RFC 3261 10.3 step 7, 19.1.4).
fn is_same(binding: &Binding, wanted: &Wanted) -> bool {
    if wanted.reg_id.is_some() || binding.reg_id.is_some() {
        return binding.reg_id == wanted.reg_id && binding.instance_id == wanted.instance_id;
    }
    if binding.uri == wanted.uri {
        return true;
    }
    match (Uri::parse(&binding.uri), Uri::parse(&wanted.uri)) {
        (Ok(a), Ok(b)) => a.same_as(&b),
        _ => false,
    }
}

/// RFC 3261 10.3 step 7: an order that is no younger than the one that made the binding.
fn is_stale(binding: &Binding, request: &Message) -> bool {
    *binding.call_id == *request.call_id() && request.cseq() <= binding.cseq
}

fn out_of_order() -> Refusal {
    Refusal::new(500, "CSeq Out Of Order")
}

/// RFC 3261 8.2.2.3.
fn check_required(request: &Message) -> Result<(), Refusal> {
    const KNOWN: [&str; 3] = ["path", "gruu", "outbound"];
    let unknown: Vec<_> = request
        .values(HeaderId::Require)
        .filter(|tag| !KNOWN.iter().any(|known| known.eq_ignore_ascii_case(tag)))
        .collect();
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(Refusal::new(420, "Bad Extension").with("Unsupported", unknown.join(", "))),
    }
}

/// RFC 3261 10.3 step 5.
fn address_of_record(request: &Message) -> Result<Text, Refusal> {
    use crate::wire::sip::Scheme;
    let to = request.to().map_err(|fault| Refusal::bad(fault.to_string()))?;
    match to.uri.scheme() {
        Scheme::Sip | Scheme::Sips | Scheme::Tel => Ok(Text::from(&*to.uri.aor_key())),
        _ => Err(Refusal::bad("Address Of Record Is No sip, sips Or tel URI")),
    }
}

#[cfg(test)]
#[path = "register_tests.rs"]
mod tests;
