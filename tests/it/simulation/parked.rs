//! A policy that answers after 0, 10 ms, 5 s, 40 s or never, against a caller that does nothing, repeats the INVITE,
//! cancels, or hangs up before the answer, and against responses that come while it thinks about an earlier one.

use siphon::base::time::Duration;
use siphon::policy::{Decision, Interest, Keep, Question, QuestionKind, RelayOptions, Strategy, Verdict};
use siphon::proto::registrar::Binding;
use siphon::sim::plan::role_procedure;
use siphon::sim::reading::{Reading, address};
use siphon::sim::{Answer, Conditions, Handler, Manner, Net, NodePlan, Scene, Then};
use siphon::wire::sip::Method;
use std::fmt::Write;
use std::sync::Arc;

const AFTER: [(&str, Option<Duration>); 5] = [
    ("0", Some(Duration::ZERO)),
    ("10 ms", Some(Duration::from_millis(10))),
    ("5 s", Some(Duration::from_secs(5))),
    ("40 s", Some(Duration::from_secs(40))),
    ("never", None),
];

const AGAINST: [&str; 5] = ["nothing", "INVITE again", "CANCEL", "BYE", "responses"];

/// The wire takes so long, always.
const HOP: Duration = Duration::from_millis(2);

fn handler(after: Option<Duration>, against: &'static str) -> Handler {
    let late = move |answer: Answer| match after {
        Some(after) => answer.later(after),
        None => answer.never(),
    };
    Box::new(move |question: &Question, scene: &mut Scene<'_>| {
        let request = &question.request;
        match &question.kind {
            QuestionKind::Request if request.method() == Method::Invite && request.to_tag().is_none() => {
                let bindings = request.uri().map(|uri| scene.node.registrar.lookup(&uri, scene.now));
                let targets = bindings.unwrap_or_default().iter().map(Binding::target).collect();
                let options = RelayOptions { record_route: true, ..RelayOptions::default() };
                let fork = Decision::Fork { targets, strategy: Strategy::Parallel, options };
                let answer = Answer::now(Verdict {
                    keep: Some(Keep(Arc::new(()))),
                    interest: Interest { replies: against == "responses", ..Interest::default() },
                    ..Verdict::of(fork)
                });
                if against == "responses" { answer } else { late(answer) }
            }
            QuestionKind::Reply { reply, .. } if reply.status() == 180 => {
                late(Answer::now(Verdict::default()))
            }
            kind => Answer::now(role_procedure(kind)),
        }
    })
}

fn message(method: &str, uri: &str, branch: &str, to_tag: &str, more: &str) -> String {
    let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    let cseq = if method == "BYE" { 2 } else { 1 };
    format!(
        "{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bK{branch};rport\nMax-Forwards: 70\n\
         From: <sip:alice@example.com>;tag=a\nTo: <sip:bob@example.com>{tag}\nCall-ID: call-m\nCSeq: {cseq} {method}\n\
         Contact: <sip:alice@10.1.0.1:5060>\n{more}Content-Length: 0\n\n"
    )
}

/// Alice does by hand what a caller does; what she hears finally is acknowledged.
fn play(shards: u8, after: Option<Duration>, against: &'static str) -> String {
    let mut net = Net::seeded(1);
    net.conditions(Conditions { delay: (HOP, HOP), mailbox: Duration::ZERO, ..Conditions::CALM });
    let plan = NodePlan { shards, ..NodePlan::new("proxy", "10.0.0.1:5060") };
    let proxy = net.proxy(plan.with_handler(move |_| handler(after, against)));
    let (alice, bob) = (net.ua("alice", proxy), net.ua("bob", proxy));
    net.register(bob, 3600);
    let manner = Manner { then: Then::Answer(Duration::from_secs(3)), ..Manner::friendly() };
    net.behave(bob, manner);
    net.advance(Duration::from_secs(1));
    if against == "responses" && after.is_none_or(|after| after > Duration::from_secs(32)) {
        // A callee whose 200 is held back longer than 64*T1 ends the call (RFC 3261 13.3.1.4).
        net.wire().audit.excuse("call-m");
    }
    let (start, first) = (net.now(), net.wire().log.entries().len());
    let invite = message("INVITE", "sip:bob@example.com", "i", "", "");
    let ms = Duration::from_millis;
    let mut script: Vec<(Duration, String)> = vec![(ms(0), invite.clone())];
    match against {
        "INVITE again" => script.extend([(ms(500), invite.clone()), (ms(1500), invite.clone())]),
        "CANCEL" => script.push((ms(1000), message("CANCEL", "sip:bob@example.com", "i", "", ""))),
        "BYE" => {
            let route = "Route: <sip:10.0.0.1:5060;lr>\n";
            script.push((ms(1000), message("BYE", "sip:bob@10.1.0.2:5060", "n", "x", route)));
        }
        _ => {}
    }
    let (mut heard, mut passed) = (0, Duration::ZERO);
    while passed < Duration::from_secs(110) {
        while script.first().is_some_and(|(at, _)| *at <= passed) {
            let (_, text) = script.remove(0);
            net.send(alice, proxy, &text);
        }
        net.advance(ms(1));
        passed += ms(1);
        let finals: Vec<String> =
            net.phone(alice).inbox().iter().skip(heard).filter_map(|b| ack_to(b)).collect();
        heard = net.phone(alice).inbox().len();
        finals.iter().for_each(|ack| net.send(alice, proxy, ack));
    }
    let mut text = String::new();
    for (who, host) in [("alice", alice), ("bob", bob)] {
        let to = net.address_of(host);
        let lines = net.wire().log.entries()[first..].iter().filter(|e| e.to == to && e.from.port() == 5060);
        let lines =
            lines.filter_map(|e| Some((e.at.since(start).as_millis(), what(&Reading::of(&e.bytes)?))));
        let lines: Vec<String> = lines.map(|(at, what)| format!("{at} {what}")).collect();
        let _ = writeln!(
            text,
            "    {who:<6} {}",
            if lines.is_empty() { "-".to_owned() } else { lines.join(", ") }
        );
    }
    net.run_to_rest();
    assert_eq!(net.check(), Ok(()), "{after:?} against {against}");
    text
}

/// The ACK of a final response to the INVITE.
fn ack_to(bytes: &[u8]) -> Option<String> {
    let response = Reading::of(bytes).filter(|r| r.status() >= 200 && r.method() == "INVITE")?;
    let tag = response.tag("To").unwrap_or("");
    if response.status() >= 300 {
        return Some(message("ACK", "sip:bob@example.com", "i", tag, ""));
    }
    let target = response.header("Contact").map(address).unwrap_or("");
    let route: String =
        response.values("Record-Route").iter().rev().map(|r| format!("Route: {r}\n")).collect();
    Some(message("ACK", target, "a", tag, &route))
}

fn what(message: &Reading<'_>) -> String {
    match message.status() {
        0 => message.method().to_owned(),
        status => format!("{status} {}", message.method()),
    }
}

fn table(shards: u8) -> String {
    let mut text = String::new();
    for against in AGAINST {
        for (name, after) in AFTER {
            let _ = writeln!(text, "{against}, the policy answers after {name}");
            text.push_str(&play(shards, after, against));
        }
    }
    text
}

#[test]
fn whenever_the_policy_answers_each_side_hears_exactly_this() {
    insta::assert_snapshot!(table(1));
}

#[test]
fn three_shards_say_the_same_at_the_same_time_as_one() {
    assert_eq!(table(3), table(1));
}
