//! The policy of the simulated proxies: what a script would do, in Rust. A prefix of the called user asks for a peculiar
//! behaviour, so that a call itself says how its handler is to behave: `park5.bob`, `fork.bob.carol`, `drop.bob`.

use siphon::policy::{
    Decision, Header, Interest, Keep, OriginatedRequest, Outcome, Question, QuestionKind, RelayOptions,
    ReplySpec, Strategy, Target, Verdict,
};
use siphon::proto::registrar::Binding;
use siphon::sim::{Answer, Handler, Scene};
use siphon::wire::sip::{Limits, Message, Method, Splice, Uri};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What is remembered about a transaction.
#[derive(Clone)]
struct Memory {
    /// The script generation that decided it.
    generation: u32,
    /// Where to go when everything failed.
    second: Option<String>,
    verb: String,
}

/// How the house behaves towards everybody.
#[derive(Clone, Default)]
pub(super) struct House {
    /// Bumped by a reload: what one generation began it also ends.
    pub(super) generation: Arc<AtomicU32>,
    /// Requests for foreign domains are relayed.
    pub(super) open: bool,
    /// Whether every response is put to the policy.
    pub(super) watches_replies: bool,
}

impl House {
    /// The handler of one shard.
    pub(super) fn handler(&self) -> Handler {
        let house = self.clone();
        Box::new(move |question, scene| house.decide(question, scene))
    }

    fn decide(&self, question: &Question, scene: &mut Scene<'_>) -> Answer {
        match &question.kind {
            QuestionKind::Request => self.request(question, scene),
            QuestionKind::Reply { reply, .. } => reply_answer(question, reply),
            QuestionKind::Failure { .. } => failure_answer(question, scene),
            QuestionKind::Cancelled | QuestionKind::Call(_) => Answer::now(Verdict::default()),
        }
    }

    fn request(&self, question: &Question, scene: &mut Scene<'_>) -> Answer {
        let request = &question.request;
        let uri = request.request_uri().to_owned();
        let user = Uri::parse(&uri).ok().and_then(|u| u.user().map(str::to_owned)).unwrap_or_default();
        if request.to_tag().is_some()
            || request.method() == Method::Ack
            || request.method() == Method::Register
        {
            return Answer::of(Decision::RoleProcedure);
        }
        if !question.is_local {
            return match self.open {
                true => Answer::of(Decision::Relay(record_route())),
                false => Answer::of(Decision::RoleProcedure),
            };
        }
        let (verb, rest) = user.split_once('.').unwrap_or(("", &user));
        let memory = |second: Option<&str>| {
            let generation = self.generation.load(Ordering::Relaxed);
            Some(Keep(Arc::new(Memory {
                generation,
                second: second.map(str::to_owned),
                verb: verb.to_owned(),
            })))
        };
        let replies = self.watches_replies || matches!(verb, "edit" | "slow" | "mute" | "reject");
        let finish = |mut verdict: Verdict, second: Option<&str>| {
            verdict.keep = memory(second);
            verdict.interest = Interest {
                replies,
                failures: second.is_some(),
                cancels: verb == "notice",
                ..Interest::default()
            };
            stamp(&mut verdict, question, self.generation.load(Ordering::Relaxed));
            verdict
        };
        match verb {
            "park0" | "park10ms" | "park5" | "park40" | "never" => {
                let answer =
                    Answer::now(finish(to_bindings(question, &[rest], Strategy::Parallel, scene), None));
                match verb {
                    "park10ms" => answer.later(Duration::from_millis(10)),
                    "park5" => answer.later(Duration::from_secs(5)),
                    "park40" => answer.later(Duration::from_secs(40)),
                    "never" => answer.never(),
                    _ => answer,
                }
            }
            "fork" | "serial" => {
                let users: Vec<&str> = rest.split('.').collect();
                let strategy = if verb == "fork" { Strategy::Parallel } else { Strategy::Sequential };
                Answer::now(finish(to_bindings(question, &users, strategy, scene), None))
            }
            "route" => {
                let (first, second) = rest.split_once('.').unwrap_or((rest, "nobody"));
                Answer::now(finish(to_bindings(question, &[first], Strategy::Parallel, scene), Some(second)))
            }
            "short" => {
                let mut verdict = to_bindings(question, &[rest], Strategy::Parallel, scene);
                if let Some(Decision::Fork { options, .. }) = &mut verdict.decision {
                    options.branch_timeout = Some(Duration::from_secs(5));
                }
                Answer::now(finish(verdict, None))
            }
            "edit" | "slow" | "mute" | "reject" | "notice" => {
                Answer::now(finish(to_bindings(question, &[rest], Strategy::Parallel, scene), None))
            }
            "drop" => Answer::of(Decision::Drop),
            "raise" => Answer::of(Decision::Failed("a handler raised".into())),
            "nothing" => Answer::now(Verdict::default()),
            "send" => {
                let mut answer =
                    Answer::now(finish(to_bindings(question, &[rest], Strategy::Parallel, scene), None));
                let bindings = bindings(question, rest, scene);
                answer.send = bindings.first().map(|b| originated(&b.uri)).into_iter().collect();
                answer
            }
            "asked" => {
                // First a word with the callee, then the call, or not.
                let verdict = finish(to_bindings(question, &[rest], Strategy::Parallel, scene), None);
                let Some(first) = bindings(question, rest, scene).into_iter().next() else {
                    return Answer::of(Decision::Reply(ReplySpec::code(404)));
                };
                Answer::when(originated(&first.uri), |outcome| match outcome {
                    Outcome::Response(response) if response.status() / 100 == 2 => verdict,
                    _ => Verdict::of(Decision::Reply(ReplySpec::code(480))),
                })
            }
            "early" => {
                // Answers 183 first, is parked, and relays a second later.
                let spec = ReplySpec { code: 480, ..ReplySpec::default() };
                let mut verdict = Verdict::of(Decision::Reply(spec));
                verdict.reply_headers.push(header("X-Early", "1"));
                Answer::now(verdict).later(Duration::from_millis(700))
            }
            _ => Answer::now(finish(to_bindings(question, &[&user], Strategy::ByPreference, scene), None)),
        }
    }
}

fn record_route() -> RelayOptions {
    RelayOptions { record_route: true, ..RelayOptions::default() }
}

fn header(name: &str, value: &str) -> Header {
    (name.into(), value.into())
}

/// The bindings of a user of the domain that is called.
fn bindings(question: &Question, user: &str, scene: &Scene<'_>) -> Vec<Binding> {
    let host = question.request.uri().map(|u| u.host().to_owned()).unwrap_or_default();
    let uri = format!("sip:{user}@{host}");
    Uri::parse(&uri).map(|u| scene.node.registrar.lookup(&u, scene.now)).unwrap_or_default()
}

fn to_bindings(question: &Question, users: &[&str], strategy: Strategy, scene: &Scene<'_>) -> Verdict {
    let targets: Vec<Target> =
        users.iter().flat_map(|u| bindings(question, u, scene)).map(|b| b.target()).collect();
    if targets.is_empty() {
        return Verdict::of(Decision::Reply(ReplySpec::code(404)));
    }
    Verdict::of(Decision::Fork { targets, strategy, options: record_route() })
}

/// Says in the forwarded request which generation decided.
fn stamp(verdict: &mut Verdict, question: &Question, generation: u32) {
    let mut splice = Splice::of(&question.request);
    if splice.set("X-Generation", &generation.to_string()).is_ok() {
        verdict.message = splice.into_message(&Limits::default()).ok();
    }
}

fn originated(uri: &str) -> OriginatedRequest {
    OriginatedRequest {
        method: "MESSAGE".into(),
        ruri: uri.into(),
        headers: vec![header("X-Of-Its-Own", "1")],
        body: Some(("text/plain".into(), b"hello".to_vec())),
        next_hop: None,
        flow: None,
        timeout: Duration::from_secs(20),
    }
}

/// What one generation began it also ends: the request bears the stamp of whoever decided it.
fn same_generation(question: &Question, memory: &Memory) {
    if let Some(stamp) = question.request.header_named("X-Generation") {
        assert_eq!(stamp, memory.generation.to_string(), "two generations decide about one transaction");
    }
}

fn memory_of(question: &Question) -> Option<&Memory> {
    question.keep.as_ref()?.0.downcast_ref()
}

fn reply_answer(question: &Question, reply: &Message) -> Answer {
    let Some(memory) = memory_of(question) else { return Answer::now(Verdict::default()) };
    same_generation(question, memory);
    let edited = || {
        let mut splice = Splice::of(reply);
        let _ = splice.set("X-Generation", &memory.generation.to_string());
        Verdict { message: splice.into_message(&Limits::default()).ok(), ..Verdict::default() }
    };
    match memory.verb.as_str() {
        "slow" => Answer::now(edited()).later(Duration::from_millis(300)),
        "mute" if reply.status() < 200 => Answer::of(Decision::Drop),
        "reject" if reply.status() < 200 => Answer::of(Decision::Reply(ReplySpec::code(480))),
        _ => Answer::now(edited()),
    }
}

fn failure_answer(question: &Question, scene: &mut Scene<'_>) -> Answer {
    let memory = memory_of(question);
    memory.into_iter().for_each(|m| same_generation(question, m));
    let second = memory.and_then(|m| m.second.clone());
    match second {
        Some(second) => {
            let verdict = to_bindings(question, &[&second], Strategy::Parallel, scene);
            match verdict.decision {
                Some(Decision::Fork { .. }) => Answer::now(verdict),
                _ => Answer::now(Verdict::default()),
            }
        }
        None => Answer::now(Verdict::default()),
    }
}
