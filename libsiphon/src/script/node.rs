//! The real node behind a script: its registrar, authenticator, log, metrics and event stream.

use super::node_script::Script;
use super::services::{
    Binding, DigestCheck, DigestKind, DigestOutcome, LogLevel, LogLine, Metric, MetricDefinition, MetricKind,
    NodeServices, SaveRequest, Saved, Undo,
};
use crate::base::text::Text;
use crate::base::time::Instant;
use crate::driver::EventSink;
use crate::engine::Node;
use crate::event::{BindingChange, Classes, Event, Kind};
use crate::observe::Observer;
use crate::observe::log::{Level, Logger, Record};
use crate::observe::metrics::{self, ScriptMetric, ScriptMetrics};
use crate::policy::{Keep, ReplySpec};
use crate::proto::auth::{self, Algorithm, AuthOutcome, Credentials, HexDigest, UserSecret};
use crate::proto::media::Desk;
use crate::proto::registrar::{Change, Registration, Rollback};
use crate::wire::sip::Uri;
use hashbrown::HashMap;
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

/// What scripts reach of a running node.
pub struct ScriptNode {
    /// The node.
    pub node: Arc<Node>,
    /// Where changes of bindings are told.
    pub events: EventSink,
    /// Where log lines go.
    pub logger: Arc<Logger>,
    /// Where metrics of scripts are registered.
    pub metrics: Arc<ScriptMetrics>,
    /// The shards' clock.
    pub clock: Arc<dyn Fn() -> Instant + Send + Sync>,
    /// The realm when a script names none.
    pub realm: Text,
    /// Counts for `rate_limit`.
    pub rates: Rates,
    /// Runs `@registrar.on_change`.
    pub bindings: BindingWatcher,
}

/// Requests per source in fixed windows.
#[derive(Default)]
pub struct Rates(Mutex<Windows>);

/// By source and length of the window in microseconds: when it began, and how many came.
type Windows = HashMap<(String, u64), (Instant, u64), foldhash::fast::RandomState>;

/// Sources that are counted; beyond it all windows begin anew.
const MOST_SOURCES: usize = 100_000;

impl Rates {
    /// Counts one; false when there were more than `most` in the window.
    fn admit(&self, key: &str, window_secs: f64, most: u64, now: Instant) -> bool {
        let window = (window_secs * 1e6) as u64;
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST_SOURCES {
            counts.retain(|(_, length), (began, _)| began.0.saturating_add(*length) > now.0);
            if counts.len() >= MOST_SOURCES {
                counts.clear();
            }
        }
        // Limits of different windows count apart.
        let count = counts.entry((key.to_owned(), window)).or_insert((now, 0));
        if count.0.0.saturating_add(window) <= now.0 {
            *count = (now, 0);
        }
        count.1 = count.1.saturating_add(1);
        count.1 <= most
    }
}

/// Nobody can log in.
struct Nobody;

impl Credentials for Nobody {
    fn ha1(&self, _user: &str, _realm: &str, _algorithm: Algorithm) -> Option<HexDigest> {
        None
    }
}

impl ScriptNode {
    fn tell(&self, changes: Vec<Change>, now: Instant) {
        self.node.keepalive.observe(&changes, now);
        for change in &changes {
            self.bindings.tell(&change.aor, change.kind);
        }
        if !self.events.classes().contains(Classes::REGISTRATIONS) {
            return;
        }
        let event = |change: Change| Event {
            at: now,
            shard: 0,
            kind: Kind::Binding {
                aor: change.aor,
                contact: change.binding.uri,
                change: change.kind,
                call_id: change.binding.call_id,
            },
        };
        self.events.push_all(&mut changes.into_iter().map(event).collect());
    }
}

impl NodeServices for ScriptNode {
    fn now(&self) -> Instant {
        (self.clock)()
    }

    fn is_local(&self, uri: &Uri<'_>) -> bool {
        self.node.own.is_local(uri)
    }

    fn default_realm(&self) -> Text {
        self.node.logins.load().as_ref().map_or_else(|| self.realm.clone(), |l| l.realm.clone())
    }

    fn save(&self, save: &SaveRequest<'_>, now: Instant) -> Saved {
        let aliases: Option<Vec<Text>> =
            save.aliases.iter().map(|a| Some(Uri::parse(a).ok()?.canonical_aor().into())).collect();
        let Some(aliases) = aliases else {
            let reply = ReplySpec { reason: Some("Bad Alias".into()), ..ReplySpec::code(500) };
            return Saved { ok: false, reply, commit: None, undo: None };
        };
        let outcome = self.node.registrar.process(
            &Registration {
                request: save.request,
                flow: &save.flow,
                authenticated_user: save.auth_user,
                fix_nated: save.natted,
                force: save.force,
                aliases: &aliases,
            },
            now,
        );
        let ok = (200..300).contains(&outcome.reply.code);
        self.tell(outcome.changes, now);
        let mut commit = outcome.commit;
        let rollback = outcome.rollback.map(Arc::new);
        if let (Some(commit), Some(rollback)) = (&mut commit, &rollback) {
            commit.undo = Some(Keep(rollback.clone()));
        }
        let undo = rollback.map(|rollback| Undo(Box::new(rollback)));
        Saved { ok, reply: outcome.reply, commit, undo }
    }

    fn roll_back(&self, undo: Undo, now: Instant) {
        if let Ok(rollback) = undo.0.downcast::<Arc<Rollback>>() {
            let changes = self.node.registrar.roll_back(&rollback, now);
            self.tell(changes.unwrap_or_default(), now);
        }
    }

    fn lookup(&self, uri: &str, now: Instant) -> Vec<Binding> {
        Uri::parse(uri).map(|uri| self.node.registrar.lookup(&uri, now)).unwrap_or_default()
    }

    fn remove(&self, uri: &str, now: Instant) -> usize {
        let Ok(uri) = Uri::parse(uri) else { return 0 };
        let changes = self.node.registrar.location.remove(&uri.canonical_aor().into(), now);
        let removed = changes.len();
        self.tell(changes, now);
        removed
    }

    fn aor_count(&self) -> usize {
        self.node.registrar.location.aor_count()
    }

    fn check_digest(&self, check: &DigestCheck<'_>, now: Instant) -> DigestOutcome {
        let kind = match check.kind {
            DigestKind::Www => auth::Kind::Www,
            DigestKind::Proxy => auth::Kind::Proxy,
        };
        let logins = self.node.logins.load();
        let own = match (check.password, check.ha1) {
            (Some(password), _) => Some(UserSecret::Password(password.into())),
            (None, Some(ha1)) => Some(UserSecret::Ha1(algorithm_of(ha1), ha1.to_ascii_lowercase().into())),
            (None, None) => None,
        };
        let users: &dyn Credentials = match (&own, logins.as_ref()) {
            (Some(secret), _) => secret,
            (None, Some(logins)) => &*logins.users,
            (None, None) => &Nobody,
        };
        let realm = check.realm.map_or_else(|| self.default_realm(), Text::from);
        match self.node.auth.check(users, check.request, &realm, kind, now) {
            AuthOutcome::Ok { user } => DigestOutcome::Granted { user, reply_headers: Vec::new() },
            AuthOutcome::Challenge { reply, .. } | AuthOutcome::Bad(reply) => DigestOutcome::Refused(reply),
        }
    }

    fn media(&self) -> Option<Arc<Desk>> {
        self.node.media.load_full()
    }

    fn log(&self, line: LogLine<'_>) {
        let level = match line.level {
            LogLevel::Debug => Level::Debug,
            LogLevel::Info => Level::Info,
            LogLevel::Warning => Level::Warn,
            LogLevel::Error => Level::Error,
        };
        if !self.logger.writes(level) {
            return;
        }
        let named = line.fields.iter().map(|(n, v)| (Cow::Borrowed(n.as_str()), Cow::Borrowed(v.as_str())));
        let at = (!line.script_line.is_empty())
            .then_some((Cow::Borrowed("line"), Cow::Borrowed(line.script_line)));
        self.logger.write(&Record {
            at: None,
            level,
            target: "script",
            text: Cow::Borrowed(line.text),
            call_id: line.call_id.map(Cow::Borrowed),
            fields: named.chain(at).collect(),
        });
    }

    fn metric(&self, definition: &MetricDefinition) -> Result<Arc<dyn Metric>, String> {
        let kind = match definition.kind {
            MetricKind::Counter => metrics::Kind::Counter,
            MetricKind::Gauge => metrics::Kind::Gauge,
            MetricKind::Histogram => metrics::Kind::Histogram,
        };
        let MetricDefinition { name, help, labels, buckets, .. } = definition;
        match self.metrics.define(kind, name, help, labels, buckets) {
            Ok(metric) => Ok(metric),
            Err(fault) => Err(fault.to_string()),
        }
    }

    fn rate_limit(&self, key: &str, window_secs: f64, max_requests: u64, now: Instant) -> bool {
        self.rates.admit(key, window_secs, max_requests, now)
    }
}

/// The algorithm of an HA1 by its length (RFC 7616 3.4.2; 64 digits are taken for SHA-256).
fn algorithm_of(ha1: &str) -> Algorithm {
    if ha1.len() == 32 { Algorithm::Md5 } else { Algorithm::Sha256 }
}

impl Metric for ScriptMetric {
    fn add(&self, labels: &[&str], amount: f64) {
        ScriptMetric::add(self, labels, amount);
    }
    fn set(&self, labels: &[&str], value: f64) {
        ScriptMetric::set(self, labels, value);
    }
    fn observe(&self, labels: &[&str], value: f64) {
        ScriptMetric::observe(self, labels, value);
    }
}

/// Brings changes of bindings, whoever made them, to `@registrar.on_change` handlers. It is told at once, not through
/// the queue of the observers: without such a handler a change costs a look.
#[derive(Clone, Default)]
pub struct BindingWatcher(Arc<RwLock<Weak<Script>>>);

impl BindingWatcher {
    /// Whom to tell from now on.
    pub fn watch_for(&self, script: &Arc<Script>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(script);
    }

    fn tell(&self, aor: &str, change: BindingChange) {
        let script = self.0.read().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let Some(script) = script {
            script.binding_changed(aor, change);
        }
    }
}

impl Observer for BindingWatcher {
    fn classes(&self) -> Classes {
        Classes::REGISTRATIONS
    }

    fn see(&mut self, event: &Event) {
        if let Kind::Binding { aor, change, .. } = &event.kind {
            self.tell(aor, *change);
        }
    }
}
