//! A pretended node, and one shard's policy over it.

use crate::base::flow::{Flow, Transport};
use crate::base::slab::Slab;
use crate::base::text::Text;
use crate::base::time::{Duration, Instant};
use crate::policy::{
    Decision, Keep, Notice, OriginatedRequest, Outcome, Policy, PolicyOutput, Question, QuestionKind,
    ReplySpec, Ticket, Verdict, WaitId, Want,
};
use crate::script::{
    Binding, CacheSettings, DigestCheck, DigestKind, DigestOutcome, LoadError, LogLevel, LogLine, Metric,
    MetricDefinition, NodeServices, SaveRequest, Saved, Script, ScriptPolicy, ScriptSettings, ScriptSource,
    Undo,
};
use crate::wire::sip::{Limits, Message, Uri};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// One line that came to the log.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) level: LogLevel,
    pub(crate) text: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) script_line: String,
    pub(crate) call_id: Option<String>,
}

/// A node of pretence. Its registrar knows AoRs by `user@host`; its digest believes `Authorization: good USER`.
#[derive(Default)]
pub(crate) struct FakeNode {
    pub(crate) log: Mutex<Vec<Line>>,
    pub(crate) bindings: Mutex<BTreeMap<String, Vec<Binding>>>,
    /// Makes saves fail with this reply.
    pub(crate) save_fails: Mutex<Option<ReplySpec>>,
    pub(crate) metrics: Arc<Mutex<BTreeMap<String, f64>>>,
    pub(crate) natted: Mutex<Vec<bool>>,
    pub(crate) requests_counted: AtomicUsize,
    /// There when the node has media engines.
    pub(crate) media: Mutex<Option<Arc<crate::proto::media::Desk>>>,
}

fn key(uri: &str) -> String {
    uri.trim_start_matches("sip:").split([';', '?']).next().unwrap_or_default().to_owned()
}

pub(crate) fn binding(uri: &str) -> Binding {
    let now = Instant::from_unix_secs(1_000);
    Binding {
        uri: uri.into(),
        params: "".into(),
        q: 1000,
        expires_at: now + Duration::from_secs(3600),
        updated_at: now,
        registered_at: now,
        call_id: "reg@host".into(),
        cseq: 1,
        path: Vec::new(),
        user_agent: None,
        received: None,
        flow: None,
        instance_id: None,
        reg_id: None,
    }
}

impl NodeServices for FakeNode {
    fn media(&self) -> Option<Arc<crate::proto::media::Desk>> {
        self.media.lock().unwrap().clone()
    }

    fn now(&self) -> Instant {
        Instant::from_unix_secs(1_000)
    }

    fn is_local(&self, uri: &Uri<'_>) -> bool {
        uri.host() == "example.com" || (uri.host() == "192.0.2.1" && uri.port() == Some(5060))
    }

    fn default_realm(&self) -> Text {
        "example.com".into()
    }

    fn save(&self, save: &SaveRequest<'_>, _now: Instant) -> Saved {
        self.natted.lock().unwrap().push(save.natted);
        if let Some(reply) = self.save_fails.lock().unwrap().clone() {
            return Saved { ok: false, reply, commit: None, undo: None };
        }
        let aor = key(save.request.to().unwrap().uri.as_str());
        let contacts: Vec<Binding> =
            save.request.contacts().map(|c| binding(c.unwrap().uri.as_str())).collect();
        let mut reply = ReplySpec::code(200);
        for contact in &contacts {
            reply.headers.push(("Contact".into(), format!("<{}>;expires=3600", contact.uri).into()));
        }
        let before = self.bindings.lock().unwrap().insert(aor.clone(), contacts);
        Saved { ok: true, reply, commit: None, undo: Some(Undo(Box::new((aor, before)))) }
    }

    fn roll_back(&self, undo: Undo, _now: Instant) {
        let (aor, before) = *undo.0.downcast::<(String, Option<Vec<Binding>>)>().unwrap();
        match before {
            Some(before) => self.bindings.lock().unwrap().insert(aor, before),
            None => self.bindings.lock().unwrap().remove(&aor),
        };
    }

    fn lookup(&self, uri: &str, _now: Instant) -> Vec<Binding> {
        self.bindings.lock().unwrap().get(&key(uri)).cloned().unwrap_or_default()
    }

    fn remove(&self, uri: &str, _now: Instant) -> usize {
        self.bindings.lock().unwrap().remove(&key(uri)).map_or(0, |b| b.len())
    }

    fn aor_count(&self) -> usize {
        self.bindings.lock().unwrap().len()
    }

    fn check_digest(&self, check: &DigestCheck<'_>, _now: Instant) -> DigestOutcome {
        let (name, code) = match check.kind {
            DigestKind::Www => ("Authorization", 401),
            DigestKind::Proxy => ("Proxy-Authorization", 407),
        };
        let given = check.request.header_named(name);
        match given.as_deref().and_then(|c| c.strip_prefix("good ")) {
            Some(user) => DigestOutcome::Granted { user: user.into(), reply_headers: Vec::new() },
            None => {
                let mut spec = ReplySpec::code(code);
                let realm = check.realm.unwrap_or("example.com");
                spec.headers.push(("WWW-Authenticate".into(), format!("Digest realm=\"{realm}\"").into()));
                DigestOutcome::Refused(spec)
            }
        }
    }

    fn log(&self, line: LogLine<'_>) {
        self.log.lock().unwrap().push(Line {
            level: line.level,
            text: line.text.to_owned(),
            fields: line.fields.to_vec(),
            script_line: line.script_line.to_owned(),
            call_id: line.call_id.map(str::to_owned),
        });
    }

    fn metric(&self, definition: &MetricDefinition) -> Result<Arc<dyn Metric>, String> {
        if definition.name.is_empty() {
            return Err("a metric has a name".into());
        }
        Ok(Arc::new(FakeMetric { name: definition.name.clone(), values: self.metrics.clone() }))
    }

    fn rate_limit(&self, _key: &str, _window_secs: f64, max_requests: u64, _now: Instant) -> bool {
        (self.requests_counted.fetch_add(1, Ordering::SeqCst) as u64) < max_requests
    }
}

struct FakeMetric {
    name: String,
    values: Arc<Mutex<BTreeMap<String, f64>>>,
}

impl FakeMetric {
    fn key(&self, labels: &[&str]) -> String {
        format!("{}{{{}}}", self.name, labels.join(","))
    }
}

impl Metric for FakeMetric {
    fn add(&self, labels: &[&str], amount: f64) {
        *self.values.lock().unwrap().entry(self.key(labels)).or_default() += amount;
    }
    fn set(&self, labels: &[&str], value: f64) {
        self.values.lock().unwrap().insert(self.key(labels), value);
    }
    fn observe(&self, labels: &[&str], value: f64) {
        self.add(labels, value);
    }
}

/// What a rig's clock shows first.
pub(crate) const START: Instant = Instant(1_000_000_000);

/// A policy with a clock of its own.
pub(crate) struct Rig {
    pub(crate) node: Arc<FakeNode>,
    pub(crate) script: Arc<Script>,
    pub(crate) policy: ScriptPolicy,
    pub(crate) now: Instant,
    tickets: Slab<()>,
    woken: Arc<(Mutex<usize>, Condvar)>,
    pub(crate) ran: usize,
    pub(crate) sent: Vec<(Option<WaitId>, OriginatedRequest)>,
    pub(crate) media: Vec<(Option<WaitId>, crate::wire::ng::MediaRequest)>,
    pub(crate) verdicts: Vec<(Ticket, Verdict)>,
}

pub(crate) fn settings(text: &str) -> ScriptSettings {
    let mut settings =
        ScriptSettings::new(ScriptSource::Embedded { name: "script.py".into(), text: text.to_owned() });
    settings.caches = vec![CacheSettings {
        ttl: Some(Duration::from_secs(60)),
        max_entries: 3,
        ..CacheSettings::named("c")
    }];
    settings
}

pub(crate) fn load(text: &str) -> Rig {
    try_load(settings(text)).unwrap_or_else(|e| panic!("{e}"))
}

pub(crate) fn try_load(settings: ScriptSettings) -> Result<Rig, LoadError> {
    let node = Arc::new(FakeNode::default());
    let script = Script::load(settings, node.clone())?;
    let woken = Arc::new((Mutex::new(0), Condvar::new()));
    let bell = woken.clone();
    let waker = move || {
        *bell.0.lock().unwrap() += 1;
        bell.1.notify_all();
    };
    let policy = ScriptPolicy::new(&script, 0, Box::new(waker));
    Ok(Rig {
        node,
        script,
        policy,
        now: Instant::from_unix_secs(1_000),
        tickets: Slab::default(),
        woken,
        ran: 0,
        sent: Vec::new(),
        media: Vec::new(),
        verdicts: Vec::new(),
    })
}

/// A message from lines, which are given as a script writes them.
pub(crate) fn message(text: &str) -> Message {
    let wire = text.trim_start().replace('\n', "\r\n");
    let wire = if wire.contains("\r\n\r\n") { wire } else { format!("{}\r\n\r\n", wire.trim_end()) };
    Message::parse(wire.as_bytes(), &Limits::default()).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// A request of `method` to `uri` with further header lines.
pub(crate) fn request(method: &str, uri: &str, more: &str) -> Message {
    message(&format!(
        "{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK{method}1\nMax-Forwards: 70\n\
         From: \"Alice\" <sip:alice@example.com>;tag=a1\nTo: <sip:bob@example.com>\nCall-ID: call-1@host\n\
         CSeq: 1 {method}\nContact: <sip:alice@198.51.100.7:5060>\n{more}"
    ))
}

pub(crate) fn flow() -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: "203.0.113.9:40000".parse().unwrap(),
        connection: None,
    }
}

pub(crate) fn question(message: &Message) -> Question {
    Question {
        kind: QuestionKind::Request,
        request: message.clone(),
        flow: flow(),
        consumed_routes: 0,
        on_route: message.routes().next().is_some(),
        is_local: message.uri().is_ok_and(|u| u.host() == "example.com"),
        may_call: None,
        keep: None,
    }
}

impl Rig {
    pub(crate) fn ticket(&mut self) -> Ticket {
        Ticket(self.tickets.insert(()))
    }

    fn take(&mut self, out: PolicyOutput) {
        self.verdicts.extend(out.verdicts);
        for want in out.wants {
            match want {
                Want::SendRequest { wait, request } => self.sent.push((wait, request)),
                Want::Media { wait, request } => self.media.push((wait, *request)),
                Want::Tell(Notice::HandlerRan { .. }) => self.ran += 1,
            }
        }
    }

    /// Asks, and does not expect an answer yet.
    pub(crate) fn begin(&mut self, question: Question) -> Ticket {
        let ticket = self.ticket();
        let mut out = PolicyOutput::default();
        self.policy.ask(ticket, question, self.now, &mut out);
        self.take(out);
        ticket
    }

    /// Asks, and gives the one answer.
    pub(crate) fn ask(&mut self, question: Question) -> Verdict {
        let ticket = self.begin(question);
        let (of, verdict) = self.verdicts.pop().expect("an answer at once");
        assert_eq!((of, self.verdicts.len()), (ticket, 0), "one answer");
        assert!(verdict.finished);
        verdict
    }

    pub(crate) fn request(&mut self, message: &Message) -> Verdict {
        self.ask(question(message))
    }

    /// Status code of the reply to a request.
    pub(crate) fn replied(&mut self, message: &Message) -> u16 {
        match self.request(message).decision {
            Some(Decision::Reply(spec)) => spec.code,
            other => panic!("no reply but {other:?}; log: {:#?}", self.log()),
        }
    }

    /// A reply question on the transaction that `keep` came from.
    pub(crate) fn reply(&mut self, request: &Message, keep: Option<Keep>, reply: &str) -> Verdict {
        let kind = QuestionKind::Reply { reply: response(request, reply), flow: flow() };
        self.ask(Question { kind, keep, ..question(request) })
    }

    pub(crate) fn failure(
        &mut self,
        request: &Message,
        keep: Option<Keep>,
        reply: &str,
        is_local: bool,
    ) -> Verdict {
        let kind = QuestionKind::Failure { reply: response(request, reply), is_local };
        self.ask(Question { kind, keep, ..question(request) })
    }

    pub(crate) fn resume(&mut self, wait: WaitId, outcome: Outcome) {
        let mut out = PolicyOutput::default();
        self.policy.resume(wait, outcome, self.now, &mut out);
        self.take(out);
    }

    pub(crate) fn withdraw(&mut self, ticket: Ticket) {
        let mut out = PolicyOutput::default();
        self.policy.withdraw(ticket, self.now, &mut out);
        self.take(out);
    }

    /// Lets time pass and wakes the policy.
    pub(crate) fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        let mut out = PolicyOutput::default();
        self.policy.wake(self.now, &mut out);
        self.take(out);
    }

    /// Waits, a moment at most, until another thread wakes the policy.
    pub(crate) fn await_bell(&self) {
        let bell = self.woken.0.lock().unwrap();
        drop(self.woken.1.wait_timeout(bell, Duration::from_millis(20)).unwrap());
    }

    /// Waits for other threads to post, until there are `n` verdicts.
    pub(crate) fn await_verdicts(&mut self, n: usize) {
        for _ in 0..1000 {
            self.pass(0);
            if self.verdicts.len() >= n {
                return;
            }
            self.await_bell();
        }
        panic!("{} verdicts of {n}; log: {:#?}", self.verdicts.len(), self.log());
    }

    pub(crate) fn log(&self) -> Vec<Line> {
        self.node.log.lock().unwrap().clone()
    }

    /// The log's texts of at least this level.
    pub(crate) fn logged(&self, level: LogLevel) -> Vec<String> {
        self.log().into_iter().filter(|l| l.level >= level).map(|l| l.text).collect()
    }

    pub(crate) fn bind(&self, aor: &str, bindings: Vec<Binding>) {
        self.node.bindings.lock().unwrap().insert(aor.to_owned(), bindings);
    }
}

pub(crate) fn response(request: &Message, status: &str) -> Message {
    message(&format!(
        "SIP/2.0 {status}\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKy\n\
         From: <sip:alice@example.com>;tag=a1\nTo: <sip:bob@example.com>;tag=b1\nCall-ID: {}\nCSeq: 1 {}\n\
         Server: test",
        request.call_id(),
        request.method_name()
    ))
}
