use super::{Client, Effect, Input, Settings};
use crate::base::text::Octets;
use crate::base::time::{Duration, Instant};
use crate::proto::media::{
    Action, Command, Health, Instance, InstanceName, MediaFault, MediaRequest, MediaResult,
};
use crate::wire::bencode::{Limits, Value, parse};
use crate::wire::ng::{Half, Negotiation, Party};
use std::collections::BTreeMap;
use std::sync::Arc;

const START: Instant = Instant::from_unix_secs(1_000);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What an instance does with a datagram: whether it answers, after how long, and with what.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Answers(u64),
    Nothing,
    IsFull,
    Refuses,
    AnswersTwice,
}

/// The client with instances in virtual time.
struct Rig {
    client: Client,
    now: Instant,
    does: Vec<Does>,
    /// Datagrams on their way to the client.
    replies: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    serial: u64,
    sent: Vec<(Duration, usize, String)>,
    results: Vec<(Duration, u64, MediaResult)>,
    health: Vec<(usize, Health)>,
    /// Calls that an instance has: offered and not deleted.
    calls: Vec<(usize, String)>,
    /// What was said to each cookie: an engine does nothing twice.
    said: BTreeMap<Vec<u8>, Vec<u8>>,
}

fn settings(instances: usize) -> Settings {
    let instance = |n| Instance { name: InstanceName::new(&format!("m{n}:1")), weight: 1, timeout: ms(1000) };
    Settings { ping_every: None, ..Settings::new((0..instances).map(instance).collect()) }
}

impl Rig {
    fn new(settings: Settings) -> Rig {
        let does = vec![Does::Answers(5); settings.instances.len()];
        Rig {
            client: Client::new(settings, 7, START),
            now: START,
            does,
            replies: BTreeMap::new(),
            serial: 0,
            sent: Vec::new(),
            results: Vec::new(),
            health: Vec::new(),
            calls: Vec::new(),
            said: BTreeMap::new(),
        }
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { instance, octets } => self.arrives(instance, &octets),
                Effect::Done { token, result } => self.results.push((self.now.since(START), token, *result)),
                Effect::HealthChanged { instance, health } => self.health.push((instance, health)),
            }
        }
    }

    fn arrives(&mut self, instance: usize, octets: &Octets) {
        let space = octets.iter().position(|o| *o == b' ').unwrap();
        let (cookie, rest) = octets.split_at(space);
        let command = parse(&rest[1..], &Limits::default()).unwrap();
        let text = |key| command.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        self.sent.push((self.now.since(START), instance, text("command")));
        let call = (instance, text("call-id"));
        if self.does[instance] == Does::Nothing {
            return;
        }
        let reply =
            self.said.get(cookie).cloned().unwrap_or_else(|| self.done(instance, &text("command"), call));
        self.said.insert(cookie.to_vec(), reply.clone());
        let after = if let Does::Answers(after) = self.does[instance] { after } else { 5 };
        for _ in 0..if self.does[instance] == Does::AnswersTwice { 2 } else { 1 } {
            self.serial += 1;
            let datagram = [cookie, b" ", &reply[..]].concat();
            self.replies.insert((self.now + ms(after), self.serial), (instance, datagram));
        }
    }

    /// Does a command that was not heard before.
    fn done(&mut self, instance: usize, command: &str, call: (usize, String)) -> Vec<u8> {
        let reply: &[u8] = match (self.does[instance], command) {
            (Does::IsFull, "offer") => b"d6:result10:load limite",
            (Does::Refuses, _) => b"d12:error-reason15:Unknown call-id6:result5:errore",
            (_, "offer" | "answer") => {
                if !self.calls.contains(&call) {
                    self.calls.push(call);
                }
                b"d6:result2:ok3:sdp5:v=0\r\ne"
            }
            (_, "delete") => {
                self.calls.retain(|c| *c != call);
                b"d6:result2:oke"
            }
            _ => b"d6:result2:oke",
        };
        reply.to_vec()
    }

    fn feed(&mut self, input: Input<'_>) {
        let mut out = Vec::new();
        self.client.handle(input, self.now, &mut out);
        self.take(out);
    }

    fn ask(&mut self, token: u64, action: Action, call_id: &str, at: Option<&str>) {
        let party = Party { call_id: call_id.into(), from_tag: Some("a".into()), ..Party::default() };
        let command = Command { party, action };
        let request = Box::new(MediaRequest { command, at: at.map(InstanceName::new) });
        self.feed(Input::Ask { token, request });
    }

    fn offer(&mut self, token: u64, call_id: &str) {
        self.ask(token, offer(), call_id, None);
    }

    /// Lets so much time pass.
    fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        loop {
            let reply = self.replies.keys().next().map(|(at, _)| *at);
            let next = [reply, self.client.deadline()].into_iter().flatten().min().filter(|at| *at <= until);
            let Some(at) = next else { break };
            self.now = self.now.max(at);
            if reply == Some(at) {
                let (_, (instance, octets)) = self.replies.pop_first().unwrap();
                self.feed(Input::Datagram { instance, octets: &octets });
            } else {
                let mut out = Vec::new();
                self.client.tick(self.now, &mut out);
                self.take(out);
            }
        }
        self.now = until;
    }

    fn result(&self, token: u64) -> Option<&MediaResult> {
        self.results.iter().find(|(_, t, _)| *t == token).map(|(_, _, result)| result)
    }

    fn sent_to(&self, instance: usize, command: &str) -> Vec<u64> {
        let of = self.sent.iter().filter(|(_, i, c)| *i == instance && c == command);
        of.map(|(at, _, _)| at.as_millis() as u64).collect()
    }
}

fn offer() -> Action {
    let negotiation =
        Negotiation { sdp: b"v=0\r\n".as_slice().into(), half: Arc::new(Half::default()), source: None };
    Action::Offer(Box::new(negotiation))
}

/// A Call-ID that goes to instance `to` of those of `rig`.
fn call_for(rig: &Rig, to: usize) -> String {
    let name = |n: &usize| format!("call-{n}");
    let found = (0..1000)
        .map(|n| name(&n))
        .find(|call| super::instances::by_call_id(&rig.client.instances, call) == Some(to));
    found.unwrap()
}

#[test]
fn an_offer_is_answered_with_the_sdp_and_the_instance_that_made_it() {
    let mut rig = Rig::new(settings(1));
    rig.offer(1, "c");
    rig.pass(ms(10));
    let reply = rig.result(1).unwrap().as_ref().unwrap();
    assert_eq!((&*reply.instance.0, reply.sdp.as_deref()), ("m0:1", Some(&b"v=0\r\n"[..])));
    assert_eq!((rig.client.open(), rig.client.deadline()), (0, None));
}

#[test]
fn a_lost_command_is_sent_again_after_250_ms_then_twice_as_long_each() {
    let mut rig = Rig::new(settings(1));
    rig.does[0] = Does::Nothing;
    rig.offer(1, "c");
    rig.pass(ms(600));
    rig.does[0] = Does::Answers(5);
    rig.pass(ms(1000));
    assert_eq!(rig.sent_to(0, "offer"), [0, 250, 750]);
    assert!(rig.result(1).unwrap().is_ok());
    assert_eq!(rig.client.stats().resent, 2);
}

#[test]
fn a_reply_that_comes_twice_is_one_result() {
    let mut rig = Rig::new(settings(1));
    rig.does[0] = Does::AnswersTwice;
    rig.offer(1, "c");
    rig.pass(ms(100));
    assert_eq!((rig.results.len(), rig.client.stats().stale), (1, 1));
}

#[test]
fn a_dead_engine_is_a_result_at_its_time_out_and_later_replies_are_dropped() {
    let mut rig = Rig::new(settings(1));
    rig.does[0] = Does::Answers(1500);
    rig.offer(1, "c");
    rig.pass(ms(5000));
    assert_eq!(rig.results, [(ms(1000), 1, Err(MediaFault::TimedOut))]);
    assert!(rig.client.stats().stale >= 1);
    assert_eq!(rig.calls, [], "what the late engine made of the offer is deleted");
    assert_eq!(rig.client.open(), 0);
}

#[test]
fn a_new_call_goes_to_another_instance_after_half_of_the_time() {
    let mut rig = Rig::new(settings(2));
    rig.does[0] = Does::Nothing;
    let call = call_for(&rig, 0);
    rig.offer(1, &call);
    rig.pass(ms(2000));
    let (at, _, result) = &rig.results[0];
    assert_eq!((*at, &*result.as_ref().unwrap().instance.0), (ms(505), "m1:1"));
    assert_eq!((rig.sent_to(0, "offer"), rig.sent_to(1, "offer")), (vec![0, 250], vec![500]));
    assert_eq!(rig.sent_to(0, "delete"), [500, 750, 1250], "in case it took the offer");
    assert_eq!(rig.client.stats().failed_over, 1);
}

#[test]
fn a_full_instance_passes_new_calls_on_at_once_and_all_full_is_a_fault() {
    let mut rig = Rig::new(settings(2));
    rig.does[0] = Does::IsFull;
    let call = call_for(&rig, 0);
    rig.offer(1, &call);
    rig.pass(ms(100));
    assert_eq!(&*rig.result(1).unwrap().as_ref().unwrap().instance.0, "m1:1");
    rig.does[1] = Does::IsFull;
    rig.offer(2, &call);
    rig.pass(ms(100));
    assert_eq!(rig.result(2), Some(&Err(MediaFault::LoadLimit)));
    assert!(rig.health.is_empty(), "a full instance is not down");
}

#[test]
fn commands_of_a_call_stay_on_its_instance_whatever_happens_there() {
    let mut rig = Rig::new(settings(2));
    rig.does[0] = Does::Nothing;
    for (token, action) in [(1, offer()), (2, Action::Delete), (3, Action::Query)] {
        rig.ask(token, action, "c", Some("m0:1"));
    }
    rig.pass(ms(2000));
    assert!(rig.sent.iter().all(|(_, instance, _)| *instance == 0));
    assert!(rig.results.iter().all(|(at, _, r)| *at == ms(1000) && *r == Err(MediaFault::TimedOut)));
    assert_eq!(rig.results.len(), 3);
    rig.ask(4, Action::Delete, "c", Some("elsewhere:1"));
    assert_eq!(rig.result(4), Some(&Err(MediaFault::Unknown(InstanceName::new("elsewhere:1")))));
}

#[test]
fn a_call_that_nobody_remembers_is_looked_for_where_its_offer_went() {
    let mut rig = Rig::new(settings(3));
    for n in 0..20 {
        rig.offer(n, &format!("call-{n}"));
    }
    rig.pass(ms(50));
    assert_eq!(rig.calls.len(), 20);
    for n in 0..20 {
        rig.ask(100 + n, Action::Delete, &format!("call-{n}"), None);
    }
    rig.pass(ms(50));
    assert_eq!(rig.calls, []);
}

#[test]
fn three_failures_take_an_instance_down_and_new_calls_avoid_it_at_once() {
    let mut rig = Rig::new(settings(2));
    rig.does[0] = Does::Nothing;
    let call = call_for(&rig, 0);
    for token in 0..3 {
        rig.offer(token, &call);
    }
    rig.pass(ms(600));
    assert_eq!(rig.health, [(0, Health::Down)]);
    rig.results.clear();
    rig.offer(9, &call);
    rig.pass(ms(10));
    assert_eq!(&*rig.result(9).unwrap().as_ref().unwrap().instance.0, "m1:1");
}

#[test]
fn with_all_instances_down_the_decision_is_there_at_once() {
    let mut rig = Rig::new(Settings { ping_every: Some(ms(5000)), ..settings(2) });
    rig.does = vec![Does::Nothing; 2];
    rig.pass(ms(10_000));
    assert_eq!(rig.health, [(0, Health::Down), (1, Health::Down)]);
    rig.offer(1, "c");
    assert_eq!(rig.result(1), Some(&Err(MediaFault::Down)));
}

#[test]
fn pings_find_a_dead_instance_and_its_return() {
    let mut rig = Rig::new(Settings { ping_every: Some(ms(5000)), ..settings(1) });
    rig.pass(ms(20_000));
    assert_eq!(rig.sent_to(0, "ping").len(), 4);
    rig.does[0] = Does::Nothing;
    rig.pass(ms(30_000));
    assert_eq!(rig.health, [(0, Health::Down)]);
    rig.does[0] = Does::Answers(5);
    rig.pass(ms(10_000));
    assert_eq!(rig.health, [(0, Health::Down), (0, Health::HalfOpen), (0, Health::Up)]);
}

#[test]
fn without_pings_a_call_tries_an_instance_that_rested() {
    let mut rig = Rig::new(settings(1));
    rig.does[0] = Does::Nothing;
    for token in 0..3 {
        rig.ask(token, Action::Query, "c", Some("m0:1"));
    }
    rig.pass(ms(1500));
    rig.offer(4, "c");
    assert_eq!(rig.result(4), Some(&Err(MediaFault::Down)));
    rig.does[0] = Does::Answers(5);
    rig.pass(ms(1000));
    rig.offer(5, "c");
    rig.pass(ms(100));
    assert!(rig.result(5).unwrap().is_ok());
    assert_eq!(rig.health, [(0, Health::Down), (0, Health::HalfOpen)]);
    rig.offer(6, "c");
    rig.pass(ms(100));
    assert_eq!(rig.health.last(), Some(&(0, Health::Up)));
}

#[test]
fn where_nobody_listens_a_new_call_goes_elsewhere_without_waiting() {
    let mut rig = Rig::new(settings(2));
    rig.does[0] = Does::Nothing;
    let call = call_for(&rig, 0);
    rig.offer(1, &call);
    rig.ask(2, Action::Query, &call, Some("m0:1"));
    rig.feed(Input::Unreachable { instance: 0 });
    rig.pass(ms(20));
    assert!(rig.result(1).unwrap().is_ok());
    assert_eq!(rig.result(2), None, "a command of a call waits: the engine may come back");
    rig.pass(ms(1000));
    assert_eq!(rig.result(2), Some(&Err(MediaFault::TimedOut)));
}

#[test]
fn a_refusal_is_told_and_is_no_failure_of_the_instance() {
    let mut rig = Rig::new(settings(1));
    rig.does[0] = Does::Refuses;
    for token in 0..5 {
        rig.ask(token, Action::Query, "c", Some("m0:1"));
    }
    rig.pass(ms(100));
    assert!(rig.result(4).unwrap().as_ref().is_err_and(MediaFault::is_unknown_call));
    assert!(rig.health.is_empty());
}

#[test]
fn what_is_offered_again_is_not_taken_away_as_what_was_given_up() {
    let mut rig = Rig::new(settings(1));
    rig.does[0] = Does::Nothing;
    rig.offer(1, "c");
    rig.pass(ms(1010));
    assert_eq!(rig.sent_to(0, "delete"), [1000]);
    rig.does[0] = Does::Answers(5);
    rig.offer(2, "c");
    rig.pass(ms(5000));
    assert_eq!(rig.sent_to(0, "delete"), [1000], "it is not sent again");
    assert_eq!(rig.calls, [(0, "c".to_owned())]);
}

#[test]
fn only_the_instance_that_was_asked_can_answer_and_with_its_own_cookie() {
    let mut rig = Rig::new(settings(2));
    rig.does = vec![Does::Nothing; 2];
    rig.ask(1, Action::Query, "c", Some("m0:1"));
    for (instance, octets) in [
        (1, &b"0000000000000007-1 d6:result2:oke"[..]),
        (0, b"0000000000000008-1 d6:result2:oke"),
        (0, b"0000000000000007-2 d6:result2:oke"),
        (0, b"0000000000000007-99999999999999999999 d6:result2:oke"),
        (0, b"garbage"),
    ] {
        rig.feed(Input::Datagram { instance, octets });
    }
    assert_eq!((rig.results.len(), rig.client.stats().stale, rig.client.stats().malformed), (0, 4, 1));
    rig.feed(Input::Datagram { instance: 0, octets: b"0000000000000007-1 d6:result2:oke" });
    assert!(rig.result(1).unwrap().is_ok());
}

#[test]
fn open_commands_and_their_size_are_bounded() {
    let mut rig = Rig::new(Settings { max_open: 2, ..settings(1) });
    rig.does[0] = Does::Nothing;
    for token in 0..3 {
        rig.offer(token, "c");
    }
    assert_eq!(rig.result(2), Some(&Err(MediaFault::Busy)));
    let mut rig = Rig::new(settings(1));
    let sdp = vec![b'x'; 66_000].into();
    let negotiation = Negotiation { sdp, half: Arc::new(Half::default()), source: None };
    rig.ask(1, Action::Offer(Box::new(negotiation)), "c", None);
    assert_eq!(rig.result(1), Some(&Err(MediaFault::TooLarge)));
    assert_eq!((rig.client.open(), rig.client.deadline()), (0, None));
    let mut none = Rig::new(settings(0));
    none.offer(1, "c");
    assert_eq!(none.result(1), Some(&Err(MediaFault::Down)));
}

#[test]
fn a_client_that_is_closed_leaves_nobody_waiting() {
    let mut rig = Rig::new(settings(1));
    rig.does[0] = Does::Nothing;
    rig.offer(1, "c");
    let mut out = Vec::new();
    rig.client.close(&mut out);
    rig.take(out);
    assert_eq!(rig.result(1), Some(&Err(MediaFault::Down)));
}

#[test]
fn under_loss_every_command_has_exactly_one_result_and_nothing_is_left_anywhere() {
    use crate::base::rng::Rng;
    let mut rng = Rng::seeded(11);
    let mut rig = Rig::new(settings(3));
    let mut held: Vec<(u64, String, String)> = Vec::new();
    for round in 0..400u64 {
        for instance in 0..3 {
            rig.does[instance] = match rng.below(10) {
                0 | 1 => Does::Nothing,
                2 => Does::Answers(700),
                3 => Does::IsFull,
                4 => Does::AnswersTwice,
                _ => Does::Answers(20),
            };
        }
        rig.offer(round, &format!("call-{round}"));
        rig.pass(ms(rng.below(300)));
    }
    rig.does = vec![Does::Answers(5); 3];
    rig.pass(ms(60_000));
    assert_eq!(rig.results.len(), 400);
    for (_, token, result) in &rig.results {
        if let Ok(reply) = result {
            held.push((*token, format!("call-{token}"), reply.instance.0.to_string()));
        }
    }
    assert!(held.len() > 200, "{}", held.len());
    for (token, call, at) in &held {
        rig.ask(1000 + token, Action::Delete, call, Some(at));
    }
    rig.pass(ms(3000));
    assert_eq!((rig.client.open(), rig.client.deadline()), (0, None));
    assert_eq!(rig.calls, []);
}
