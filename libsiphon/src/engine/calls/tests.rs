//! Calls on one shard, alice on one side, bob on the other. The tests grade what both see.

use crate::base::time::Duration;
use crate::engine::settings::Settings;
use crate::engine::testing::{ALICE, BOB, Table};
use crate::policy::{
    CallAction, CallEvent, Decision, Dial, Interest, Question, QuestionKind, ReplySpec, Target, Verdict,
};
use crate::proto::b2bua;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

pub(super) const CAROL: &str = "192.0.2.30:5060";

pub(super) fn settings() -> Settings {
    let calls = b2bua::Settings { host: "sbc.example.com".into(), ..b2bua::Settings::default() };
    Settings { b2bua: Some(Arc::new(calls)), ..Settings::default() }
}

pub(super) fn dial(targets: &[&str]) -> CallAction {
    let targets = targets.iter().map(|at| Target::uri(format!("sip:bob@{at}"))).collect();
    CallAction::Dial(Box::new(Dial::of(targets)))
}

pub(super) fn calling(actions: Vec<CallAction>) -> Option<Verdict> {
    Some(Verdict::of(Decision::Call(actions)))
}

pub(super) fn everything() -> Interest {
    Interest {
        failures: true,
        cancels: true,
        early_media: true,
        answers: true,
        byes: true,
        ..Interest::default()
    }
}

/// Dials bob, and has nothing to say to anything else.
pub(super) fn to_bob(question: &Question) -> Option<Verdict> {
    match &question.kind {
        QuestionKind::Request if question.may_call.is_some() => calling(vec![dial(&[BOB])]),
        QuestionKind::Request => Some(Verdict::of(Decision::Reply(ReplySpec::code(405)))),
        _ => Some(Verdict::default()),
    }
}

pub(super) fn table(decide: impl FnMut(&Question) -> Option<Verdict> + 'static) -> Table {
    Table::with(settings(), decide)
}

/// The value of a header field.
pub(super) fn value<'a>(message: &'a str, name: &str) -> &'a str {
    let line = message.lines().find(|l| l.split(':').next().is_some_and(|n| n.eq_ignore_ascii_case(name)));
    line.and_then(|l| l.split_once(':')).map(|(_, v)| v.trim()).unwrap_or_default()
}

pub(super) fn tag(address: &str) -> &str {
    address.split(";tag=").nth(1).unwrap_or_default()
}

pub(super) fn uri(address: &str) -> &str {
    address.split(['<', '>']).nth(1).unwrap_or_default()
}

pub(super) const OFFER: &str =
    "v=0\no=alice 1 1 IN IP4 192.0.2.10\ns=-\nc=IN IP4 192.0.2.10\nt=0 0\nm=audio 4000 RTP/AVP 0\n";

/// `more` are further header lines, each with its line feed.
pub(super) fn invite(more: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    let body = body.replace('\n', "\r\n");
    format!(
        "INVITE sip:bob@example.com SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch=z9hG4bKa1;rport\nMax-Forwards: 70\n\
         From: \"Alice\" <sip:alice@home.example>;tag=a1\nTo: <sip:bob@example.com>\nCall-ID: call-1\nCSeq: 1 INVITE\n\
         Contact: <sip:alice@{ALICE}>\n{more}{kind}Content-Length: {}\n\n{}",
        body.len(),
        body.replace("\r\n", "\n")
    )
}

/// What `request`'s receiver answers.
pub(super) fn reply(request: &str, status: &str, to_tag: &str, contact: &str, body: &str) -> String {
    let mut text = format!("SIP/2.0 {status}\n");
    for line in request.lines() {
        let name = line.split(':').next().unwrap_or_default();
        if ["Via", "From", "Call-ID", "CSeq", "Record-Route"].contains(&name) {
            text.push_str(line);
            text.push('\n');
        }
    }
    let to = value(request, "To");
    let to = if to.contains(";tag=") { to.to_owned() } else { format!("{to};tag={to_tag}") };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    let length = body.replace('\n', "\r\n").len();
    text + &format!("To: {to}\nContact: <sip:x@{contact}>\n{kind}Content-Length: {length}\n\n{body}")
}

/// A request inside the dialog that `seen`, a response (to the caller) or request (to the callee), belongs to.
pub(super) fn inside(
    method: &str,
    branch: &str,
    cseq: u32,
    seen: &str,
    from: &str,
    more: &str,
    body: &str,
) -> String {
    let is_response = seen.starts_with("SIP/2.0");
    let (own, other) = match is_response {
        true => (value(seen, "From"), value(seen, "To")),
        false => (value(seen, "To"), value(seen, "From")),
    };
    let own = if own.contains(";tag=") { own.to_owned() } else { format!("{own};tag=b1") };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    format!(
        "{method} {} SIP/2.0\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{branch};rport\nMax-Forwards: 70\nFrom: {own}\n\
         To: {other}\nCall-ID: {}\nCSeq: {cseq} {method}\nContact: <sip:x@{from}>\n{more}{kind}Content-Length: {}\n\n{body}",
        uri(value(seen, "Contact")),
        value(seen, "Call-ID"),
        body.replace('\n', "\r\n").len(),
    )
}

pub(super) fn sent(table: &mut Table) -> Vec<(String, String)> {
    table.sent_mut().drain(..).map(|(to, text)| (to.to_string(), text)).collect()
}

/// The one message sent since the last look.
#[track_caller]
pub(super) fn only(table: &mut Table) -> (String, String) {
    let mut all = sent(table);
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

/// A call that is up: the INVITE bob got, and the 200 alice got.
pub(super) fn up(table: &mut Table) -> (String, String) {
    table.receive(ALICE, &invite("", OFFER));
    let (_, to_bob) = only(table);
    table.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, OFFER));
    let mut both = sent(table);
    assert_eq!(both.len(), 2, "{both:#?}");
    let (_, ok) = both.remove(1);
    let (at, ack) = both.remove(0);
    assert!(at == BOB && ack.starts_with("ACK sip:x@192.0.2.20:5060 SIP/2.0"), "{ack}");
    table.receive(ALICE, &inside("ACK", "a2", 1, &ok, ALICE, "", ""));
    assert_eq!(table.lines(), Vec::<String>::new());
    (to_bob, ok)
}

#[track_caller]
pub(super) fn nothing_is_left(table: &mut Table) {
    table.advance(Duration::from_secs(200));
    assert_eq!((table.shard.calls(), table.shard.dialogs()), (0, 0), "calls and dialogs");
    assert_eq!(table.shard.transactions(), (0, 0), "transactions");
    assert_eq!(table.shard.open_tickets(), 0, "tickets");
}

#[test]
fn a_call_has_two_dialogs_that_share_nothing() {
    let mut table = table(to_bob);
    table.receive(ALICE, &invite("X-Secret: 1\nSubject: lunch\nUser-Agent: phone\n", OFFER));
    let (at, to_bob) = only(&mut table);
    assert_eq!(at, BOB);
    assert!(to_bob.starts_with("INVITE sip:bob@192.0.2.20:5060 SIP/2.0\r\n"), "{to_bob}");
    for theirs in ["call-1", "home.example", "tag=a1", "z9hG4bKa1", "X-Secret", "phone", ";received"] {
        assert!(!to_bob.contains(theirs), "{theirs} leaks:\n{to_bob}");
    }
    assert_eq!(uri(value(&to_bob, "From")), "sip:alice@sbc.example.com");
    assert!(value(&to_bob, "From").starts_with("\"Alice\" "));
    assert_eq!(value(&to_bob, "Subject"), "lunch");
    assert_eq!(value(&to_bob, "Max-Forwards"), "69");
    assert_eq!(value(&to_bob, "Contact"), "<sip:alice@192.0.2.1:5060>");
    assert_eq!(to_bob.matches("Via: ").count(), 1);
    table.receive(BOB, &reply(&to_bob, "180 Ringing", "b1", BOB, ""));
    let (at, ringing) = only(&mut table);
    assert!(at == ALICE && ringing.starts_with("SIP/2.0 180 Ringing"));
    assert_ne!(tag(value(&ringing, "To")), "b1");
    table.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, OFFER));
    let all = sent(&mut table);
    let (_, ok) = all.last().expect("a 200");
    assert_eq!(value(ok, "To"), value(&ringing, "To"));
    assert_eq!(value(ok, "Contact"), "<sip:bob@192.0.2.1:5060>");
    assert_eq!(value(ok, "Call-ID"), "call-1");
}

#[test]
fn whoever_hangs_up_is_answered_at_once_and_the_other_gets_a_bye() {
    for caller_hangs_up in [true, false] {
        let who = Rc::new(RefCell::new(Vec::new()));
        let told = who.clone();
        let mut table = table(move |q| {
            if let QuestionKind::Call(call) = &q.kind
                && let CallEvent::Bye { initiator } = call.event
            {
                told.borrow_mut().push(initiator.label());
            }
            let mut verdict = to_bob(q);
            if let Some(verdict) = &mut verdict {
                verdict.interest = everything();
            }
            verdict
        });
        let (to_bob, ok) = up(&mut table);
        let (from, bye) = match caller_hangs_up {
            true => (ALICE, inside("BYE", "a3", 2, &ok, ALICE, "", "")),
            false => (BOB, inside("BYE", "b3", 1, &to_bob, BOB, "", "")),
        };
        table.receive(from, &bye);
        let all = sent(&mut table);
        assert_eq!(all.len(), 2, "{all:#?}");
        assert!(all[0].0 == from && all[0].1.starts_with("SIP/2.0 200 OK"));
        let other = if caller_hangs_up { BOB } else { ALICE };
        assert!(all[1].0 == other && all[1].1.starts_with("BYE "), "{all:#?}");
        assert_eq!(*who.borrow(), [if caller_hangs_up { "caller" } else { "callee" }]);
        table.receive(other, &reply(&all[1].1, "200 OK", "", other, ""));
        nothing_is_left(&mut table);
    }
}

#[test]
fn a_caller_that_gives_up_is_answered_487_and_the_callee_cancelled() {
    let mut table = table(to_bob);
    table.receive(ALICE, &invite("", OFFER));
    let (_, to_bob) = only(&mut table);
    table.receive(BOB, &reply(&to_bob, "180 Ringing", "b1", BOB, ""));
    sent(&mut table);
    let cancel = invite("", "").replace("INVITE sip:", "CANCEL sip:").replace("1 INVITE", "1 CANCEL");
    table.receive(ALICE, &cancel);
    let lines = table.lines();
    assert_eq!(
        lines,
        [
            format!("{ALICE} SIP/2.0 200 OK"),
            format!("{ALICE} SIP/2.0 487 Request Terminated"),
            format!("{BOB} CANCEL sip:bob@192.0.2.20:5060 SIP/2.0"),
        ]
    );
    table.receive(BOB, &reply(&to_bob, "487 Request Terminated", "b1", BOB, ""));
    assert_eq!(table.lines(), [format!("{BOB} ACK sip:bob@192.0.2.20:5060 SIP/2.0")]);
    nothing_is_left(&mut table);
}

#[test]
fn a_callee_that_answers_a_cancelled_call_gets_ack_and_bye() {
    let mut table = table(to_bob);
    table.receive(ALICE, &invite("", OFFER));
    let (_, to_bob) = only(&mut table);
    table.receive(BOB, &reply(&to_bob, "180 Ringing", "b1", BOB, ""));
    let cancel = invite("", "").replace("INVITE sip:", "CANCEL sip:").replace("1 INVITE", "1 CANCEL");
    table.receive(ALICE, &cancel);
    sent(&mut table);
    table.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, OFFER));
    let all = sent(&mut table);
    assert_eq!(all.len(), 2, "{all:#?}");
    assert!(all[0].1.starts_with("ACK ") && all[1].1.starts_with("BYE "), "{all:#?}");
    assert!(all.iter().all(|(to, _)| to == BOB));
    // The copy of a 200 whose ACK was lost.
    table.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, OFFER));
    let (_, ack) = only(&mut table);
    assert!(ack.starts_with("ACK "));
    table.receive(BOB, &reply(&all[1].1, "200 OK", "", BOB, ""));
    nothing_is_left(&mut table);
}

#[test]
fn the_first_of_a_fork_to_answer_wins_and_the_others_are_cancelled() {
    let mut table = table(|q| match &q.kind {
        QuestionKind::Request => calling(vec![dial(&[BOB, CAROL])]),
        _ => Some(Verdict::default()),
    });
    table.receive(ALICE, &invite("", OFFER));
    let both = sent(&mut table);
    assert_eq!(both.len(), 2);
    assert_ne!(value(&both[0].1, "Call-ID"), value(&both[1].1, "Call-ID"));
    table.receive(BOB, &reply(&both[0].1, "183 Progress", "b1", BOB, OFFER));
    table.receive(CAROL, &reply(&both[1].1, "180 Ringing", "c1", CAROL, ""));
    let early = sent(&mut table);
    assert_ne!(value(&early[0].1, "To"), value(&early[1].1, "To"), "each early dialog has its tag");
    table.receive(CAROL, &reply(&both[1].1, "200 OK", "c1", CAROL, OFFER));
    let all = sent(&mut table);
    let ok = all.iter().find(|(_, m)| m.starts_with("SIP/2.0 200")).expect("a 200");
    assert_eq!(value(&ok.1, "To"), value(&early[1].1, "To"));
    assert!(all.iter().any(|(to, m)| to == BOB && m.starts_with("CANCEL ")), "{all:#?}");
    assert!(all.iter().any(|(to, m)| to == CAROL && m.starts_with("ACK ")), "{all:#?}");
    // Bob answers all the same.
    table.receive(BOB, &reply(&both[0].1, "200 OK", "b1", BOB, OFFER));
    let late = sent(&mut table);
    assert!(late[0].1.starts_with("ACK ") && late[1].1.starts_with("BYE "), "{late:#?}");
}

#[test]
fn a_sequence_goes_on_to_the_next_target_with_a_fresh_dialog() {
    let mut table = table(|q| match &q.kind {
        QuestionKind::Request => {
            let CallAction::Dial(mut dial) = dial(&[BOB, CAROL]) else { return None };
            dial.strategy = crate::policy::Strategy::Sequential;
            calling(vec![CallAction::Dial(dial)])
        }
        _ => Some(Verdict::default()),
    });
    table.receive(ALICE, &invite("", OFFER));
    let (_, first) = only(&mut table);
    table.receive(BOB, &reply(&first, "503 Service Unavailable", "b1", BOB, ""));
    let all = sent(&mut table);
    assert!(all[0].1.starts_with("ACK ") && all[1].0 == CAROL, "{all:#?}");
    assert_ne!(value(&all[1].1, "Call-ID"), value(&first, "Call-ID"));
    assert_ne!(tag(value(&all[1].1, "From")), tag(value(&first, "From")));
    table.receive(CAROL, &reply(&all[1].1, "486 Busy Here", "c1", CAROL, ""));
    let lines = table.lines();
    assert_eq!(lines.last(), Some(&format!("{ALICE} SIP/2.0 486 Busy Here")), "{lines:#?}");
    table.receive(ALICE, &invite("", "").replace("INVITE sip", "ACK sip").replace("1 INVITE", "1 ACK"));
    nothing_is_left(&mut table);
}

#[test]
fn policy_may_dial_anew_when_all_have_failed() {
    let mut table = table(|q| {
        let actions = match &q.kind {
            QuestionKind::Request => vec![dial(&[BOB])],
            QuestionKind::Call(call) => match &call.event {
                CallEvent::Failed { code: 404, .. } => vec![dial(&[CAROL])],
                CallEvent::Failed { code: 486, .. } => {
                    vec![CallAction::Reject(ReplySpec::code(600))]
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        Some(Verdict { interest: everything(), ..Verdict::of(Decision::Call(actions)) })
    });
    table.receive(ALICE, &invite("", OFFER));
    let (_, first) = only(&mut table);
    table.receive(BOB, &reply(&first, "404 Not Found", "b1", BOB, ""));
    let second = sent(&mut table).remove(1);
    assert_eq!(second.0, CAROL);
    table.receive(CAROL, &reply(&second.1, "486 Busy Here", "c1", CAROL, ""));
    let lines = table.lines();
    assert_eq!(lines.last(), Some(&format!("{ALICE} SIP/2.0 600 Busy Everywhere")), "{lines:#?}");
    nothing_is_left(&mut table);
}

#[test]
fn a_target_that_rings_too_long_is_cancelled_and_the_caller_hears_408() {
    let mut table = table(to_bob);
    table.receive(ALICE, &invite("", OFFER));
    let (_, to_bob) = only(&mut table);
    table.receive(BOB, &reply(&to_bob, "180 Ringing", "b1", BOB, ""));
    sent(&mut table);
    table.advance(Duration::from_millis(30_100));
    let lines = table.lines();
    assert_eq!(
        lines,
        [
            format!("{BOB} CANCEL sip:bob@192.0.2.20:5060 SIP/2.0"),
            format!("{ALICE} SIP/2.0 408 Request Timeout"),
        ]
    );
    nothing_is_left(&mut table);
}

#[test]
fn a_2xx_is_sent_again_until_its_ack_and_without_one_both_sides_get_a_bye() {
    let mut table = table(to_bob);
    table.receive(ALICE, &invite("", OFFER));
    let (_, to_bob) = only(&mut table);
    table.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, OFFER));
    sent(&mut table);
    table.advance(Duration::from_millis(1600));
    assert_eq!(table.lines().len(), 2, "0.5 s and 1.5 s");
    table.advance(Duration::from_secs(31));
    let lines = table.lines();
    let byes: Vec<&String> = lines.iter().filter(|l| l.contains("BYE")).collect();
    assert!(
        byes.iter().any(|l| l.starts_with(ALICE)) && byes.iter().any(|l| l.starts_with(BOB)),
        "{lines:#?}"
    );
    assert_eq!(lines.iter().filter(|l| l.contains("200 OK")).count(), 8, "{lines:#?}");
    nothing_is_left(&mut table);
}

#[test]
fn a_callee_that_hangs_up_before_the_callers_ack_waits_with_the_callers_bye() {
    let mut table = table(to_bob);
    table.receive(ALICE, &invite("", OFFER));
    let (_, to_bob) = only(&mut table);
    table.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, OFFER));
    let (_, ok) = sent(&mut table).remove(1);
    table.receive(BOB, &inside("BYE", "b3", 1, &to_bob, BOB, "", ""));
    assert_eq!(table.lines(), [format!("{BOB} SIP/2.0 200 OK")], "RFC 3261 15: not before the ACK");
    table.receive(ALICE, &inside("ACK", "a2", 1, &ok, ALICE, "", ""));
    let (at, bye) = only(&mut table);
    assert!(at == ALICE && bye.starts_with("BYE "), "{bye}");
    table.receive(ALICE, &reply(&bye, "200 OK", "", ALICE, ""));
    nothing_is_left(&mut table);
}

#[test]
fn the_answer_to_a_late_offer_goes_in_the_ack() {
    let mut table = table(to_bob);
    table.receive(ALICE, &invite("", ""));
    let (_, to_bob) = only(&mut table);
    table.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, OFFER));
    let (at, ok) = only(&mut table);
    assert!(at == ALICE && ok.contains("m=audio 4000"), "no ACK to bob yet: {ok}");
    table.receive(ALICE, &inside("ACK", "a2", 1, &ok, ALICE, "", &OFFER.replace("4000", "5000")));
    let (at, ack) = only(&mut table);
    assert!(at == BOB && ack.starts_with("ACK ") && ack.contains("m=audio 5000"), "{ack}");
}

#[test]
fn a_reinvite_goes_through_with_its_answer_and_its_ack() {
    for from_caller in [true, false] {
        let mut table = table(to_bob);
        let (to_bob, ok) = up(&mut table);
        let (from, to, seen) = if from_caller { (ALICE, BOB, &ok) } else { (BOB, ALICE, &to_bob) };
        let hold = OFFER.replace("m=audio 4000 RTP/AVP 0\n", "m=audio 4000 RTP/AVP 0\na=sendonly\n");
        table.receive(from, &inside("INVITE", "r1", 5, seen, from, "", &hold));
        let (at, passed) = only(&mut table);
        assert!(at == to && passed.starts_with("INVITE ") && passed.contains("a=sendonly"), "{passed}");
        table.receive(to, &reply(&passed, "200 OK", "", to, OFFER));
        let all = sent(&mut table);
        assert!(all[0].0 == to && all[0].1.starts_with("ACK "), "{all:#?}");
        assert!(all[1].0 == from && all[1].1.starts_with("SIP/2.0 200"), "{all:#?}");
        assert_eq!(value(&all[1].1, "CSeq"), "5 INVITE");
        table.receive(from, &inside("ACK", "r2", 5, seen, from, "", ""));
        table.advance(Duration::from_secs(40));
        assert_eq!(table.lines(), Vec::<String>::new());
        assert_eq!(table.shard.calls(), 1);
    }
}

#[test]
fn reinvites_that_cross_are_answered_491() {
    let mut table = table(to_bob);
    let (to_bob, ok) = up(&mut table);
    table.receive(ALICE, &inside("INVITE", "r1", 5, &ok, ALICE, "", OFFER));
    let (_, passed) = only(&mut table);
    table.receive(BOB, &inside("INVITE", "r2", 6, &to_bob, BOB, "", OFFER));
    assert_eq!(table.lines(), [format!("{BOB} SIP/2.0 491 Request Pending")]);
    table.receive(BOB, &reply(&passed, "491 Request Pending", "", BOB, ""));
    let lines = table.lines();
    assert_eq!(lines.last(), Some(&format!("{ALICE} SIP/2.0 491 Request Pending")), "{lines:#?}");
    // A second one from the same side while its first is open.
    table.receive(ALICE, &inside("INVITE", "r3", 7, &ok, ALICE, "", OFFER));
    sent(&mut table);
    table.receive(ALICE, &inside("UPDATE", "r4", 8, &ok, ALICE, "", OFFER));
    let (_, busy) = only(&mut table);
    assert!(busy.starts_with("SIP/2.0 500") && busy.contains("Retry-After: "), "{busy}");
}

#[test]
fn requests_inside_the_call_go_from_side_to_side() {
    let mut table = table(to_bob);
    let (to_bob, ok) = up(&mut table);
    table.receive(ALICE, &inside("INFO", "i1", 2, &ok, ALICE, "Info-Package: dtmf\nX-Y: 1\n", ""));
    let (at, info) = only(&mut table);
    assert!(at == BOB && info.starts_with("INFO ") && info.contains("Info-Package: dtmf"), "{info}");
    assert!(!info.contains("X-Y"), "{info}");
    table.receive(BOB, &reply(&info, "415 Unsupported Media Type", "", BOB, ""));
    let (at, answer) = only(&mut table);
    assert!(at == ALICE && answer.starts_with("SIP/2.0 415"), "{answer}");
    table.receive(BOB, &inside("MESSAGE", "m1", 1, &to_bob, BOB, "", ""));
    let (at, message) = only(&mut table);
    assert!(at == ALICE && message.starts_with("MESSAGE "), "{message}");
    // Nobody answers: the request fails, the call goes on.
    table.advance(Duration::from_secs(33));
    let lines = table.lines();
    assert_eq!(lines.last(), Some(&format!("{BOB} SIP/2.0 408 Request Timeout")), "{lines:#?}");
    assert_eq!(table.shard.calls(), 1);
}

#[test]
fn a_side_that_knows_nothing_of_the_dialog_ends_the_call() {
    let mut table = table(to_bob);
    let (_, ok) = up(&mut table);
    table.receive(ALICE, &inside("UPDATE", "u1", 2, &ok, ALICE, "", OFFER));
    let (_, update) = only(&mut table);
    table.receive(BOB, &reply(&update, "481 Call Does Not Exist", "", BOB, ""));
    let lines = table.lines();
    assert_eq!(lines.first(), Some(&format!("{ALICE} SIP/2.0 481 Call Does Not Exist")), "{lines:#?}");
    assert!(lines.iter().any(|l| l.starts_with(ALICE) && l.contains("BYE ")), "{lines:#?}");
    nothing_is_left(&mut table);
}

#[test]
fn a_request_of_an_unknown_dialog_is_answered_481_and_one_out_of_order_500() {
    let mut table = table(to_bob);
    let (_, ok) = up(&mut table);
    let lost = inside("INFO", "i1", 2, &ok, ALICE, "", "").replace("call-1", "call-2");
    table.receive(ALICE, &lost);
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 481 Call/Transaction Does Not Exist")]);
    table.receive(ALICE, &inside("INFO", "i2", 1, &ok, ALICE, "", ""));
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 500 Server Internal Error")]);
    table.receive(ALICE, &inside("INFO", "i3", 3, &ok, ALICE, "Require: foo\n", ""));
    let (_, refused) = only(&mut table);
    assert!(refused.starts_with("SIP/2.0 420") && refused.contains("Unsupported: foo"), "{refused}");
}

#[test]
fn a_challenge_of_the_callee_is_answered_with_the_calls_credentials_once() {
    let mut table = table(|q| match &q.kind {
        QuestionKind::Request => calling(vec![
            CallAction::Credentials { username: "trunk".into(), password: "secret".into() },
            dial(&[BOB]),
        ]),
        _ => Some(Verdict::default()),
    });
    table.receive(ALICE, &invite("", OFFER));
    let (_, first) = only(&mut table);
    let challenge = "Proxy-Authenticate: Digest realm=\"carrier\", nonce=\"n1\", qop=\"auth\"\n";
    let refusal = reply(&first, "407 Proxy Authentication Required", "b1", BOB, "");
    table.receive(BOB, &refusal.replace("Contact:", &format!("{challenge}Contact:")));
    let (_, second) = sent(&mut table).remove(1);
    assert!(
        value(&second, "Proxy-Authorization").contains("username=\"trunk\", realm=\"carrier\""),
        "{second}"
    );
    assert_eq!((value(&second, "CSeq"), value(&second, "Call-ID")), ("2 INVITE", value(&first, "Call-ID")));
    let refusal = reply(&second, "407 Proxy Authentication Required", "b2", BOB, "");
    table.receive(BOB, &refusal.replace("Contact:", &format!("{challenge}Contact:")));
    let lines = table.lines();
    assert_eq!(lines.last(), Some(&format!("{ALICE} SIP/2.0 403 Forbidden")), "{lines:#?}");
    nothing_is_left(&mut table);
}

#[test]
fn a_redirect_is_followed_where_policy_says_so() {
    let mut table = table(|q| match &q.kind {
        QuestionKind::Request => {
            let CallAction::Dial(mut dial) = dial(&[BOB]) else { return None };
            dial.follow_redirects = true;
            calling(vec![CallAction::Dial(dial)])
        }
        _ => Some(Verdict::default()),
    });
    table.receive(ALICE, &invite("", OFFER));
    let (_, first) = only(&mut table);
    table.receive(BOB, &reply(&first, "302 Moved Temporarily", "b1", CAROL, ""));
    let all = sent(&mut table);
    assert!(all[1].0 == CAROL && all[1].1.starts_with("INVITE sip:x@192.0.2.30:5060"), "{all:#?}");
}

#[test]
fn responses_wait_behind_the_one_policy_is_asked_about() {
    let mut table = table(|q| match &q.kind {
        QuestionKind::Request => {
            Some(Verdict { interest: everything(), ..Verdict::of(Decision::Call(vec![dial(&[BOB])])) })
        }
        _ => None,
    });
    table.receive(ALICE, &invite("", OFFER));
    let (_, to_bob) = only(&mut table);
    table.receive(BOB, &reply(&to_bob, "180 Ringing", "b1", BOB, ""));
    table.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, OFFER));
    let (at, ack) = only(&mut table);
    assert!(at == BOB && ack.starts_with("ACK "), "the callee is acknowledged all the same");
    table.answer(0, Verdict::default());
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 180 Ringing")]);
    table.answer(1, Verdict::default());
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 200 OK")]);
}

#[test]
fn a_session_description_passes_without_telling_who_made_it() {
    let mut table = table(to_bob);
    let offer = OFFER.replace("o=alice 1 1", "o=canary 4711 7").replace("s=-", "s=Alice's phone");
    table.receive(ALICE, &invite("", &format!("{offer}a=rtpmap:0 PCMU/8000\na=x-canary:1\n")));
    let (_, to_bob) = only(&mut table);
    for theirs in ["canary", "4711", "Alice's phone"] {
        assert!(!to_bob.contains(theirs), "{theirs} leaks:\n{to_bob}");
    }
    assert!(to_bob.contains("a=rtpmap:0 PCMU/8000\r\n") && to_bob.contains("c=IN IP4 192.0.2.10\r\n"));
    let origin = |m: &str| m.lines().find(|l| l.starts_with("o=")).unwrap_or_default().to_owned();
    table.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, OFFER));
    let (_, ok) = sent(&mut table).remove(1);
    table.receive(ALICE, &inside("ACK", "a2", 1, &ok, ALICE, "", ""));
    table.receive(ALICE, &inside("INVITE", "r1", 2, &ok, ALICE, "", &offer.replace("4000", "4002")));
    let (_, again) = only(&mut table);
    let (first, second) = (origin(&to_bob), origin(&again));
    assert_eq!(first.replace(" 1 IN", " 2 IN"), second, "one session, a version higher");
}

#[test]
fn a_session_description_that_cannot_be_read_is_refused_488() {
    let mut table = table(to_bob);
    table.receive(ALICE, &invite("", "this is no session\n"));
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 488 Not Acceptable Here")]);
    nothing_is_left(&mut table);
}

/// A call whose media is anchored, on a node that has a media engine.
fn anchored() -> Table {
    let mut table = table(|q| match &q.kind {
        QuestionKind::Request => calling(vec![CallAction::Anchor { profile: None }, dial(&[BOB])]),
        _ => Some(Verdict::default()),
    });
    let desk = crate::proto::media::Desk::new(crate::proto::media::Profiles::default(), 1);
    table.shard.node().media.store(Some(Arc::new(desk)));
    table.receive(ALICE, &invite("", OFFER));
    table
}

/// The media engine does, or does not do, the oldest command; what it was.
#[track_caller]
fn engine_answers(table: &mut Table, port: Option<u16>) -> (&'static str, Option<String>, Option<String>) {
    let (ticket, request) = table.media.remove(0);
    let party = request.command.party;
    let result = match port {
        Some(port) => Ok(crate::wire::ng::MediaReply {
            instance: crate::wire::ng::InstanceName::new("192.0.2.99:2223"),
            sdp: Some(format!("v=0\r\nm=audio {port} RTP/AVP 0\r\n").into_bytes().into()),
            document: Default::default(),
        }),
        None => Err(crate::wire::ng::MediaFault::TimedOut),
    };
    table.feed(crate::engine::Input::MediaDone { ticket, result: Box::new(result) });
    let text = |t: Option<crate::base::text::Text>| t.map(|t| t.to_string());
    (request.command.action.verb(), text(party.from_tag), text(party.to_tag))
}

#[test]
fn anchored_media_goes_through_the_engine_both_ways_and_is_deleted_at_the_end() {
    let mut table = anchored();
    assert_eq!(table.lines(), Vec::<String>::new(), "the offer first");
    let (verb, caller, none) = engine_answers(&mut table, Some(30_000));
    assert_eq!((verb, none), ("offer", None));
    let (_, to_bob) = only(&mut table);
    assert!(to_bob.contains("m=audio 30000") && !to_bob.contains("m=audio 4000"), "{to_bob}");
    table.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, OFFER));
    assert_eq!(table.lines(), [format!("{BOB} ACK sip:x@192.0.2.20:5060 SIP/2.0")]);
    let (verb, from, callee) = engine_answers(&mut table, Some(30_002));
    assert_eq!((verb, &from), ("answer", &caller), "the offerer's tag comes first");
    let (_, ok) = only(&mut table);
    assert!(ok.starts_with("SIP/2.0 200") && ok.contains("m=audio 30002"), "{ok}");
    table.receive(ALICE, &inside("ACK", "a2", 1, &ok, ALICE, "", ""));
    table.receive(BOB, &inside("INVITE", "r1", 1, &to_bob, BOB, "", OFFER));
    let (verb, from, to) = engine_answers(&mut table, Some(30_004));
    assert_eq!((verb, from, to), ("offer", callee, caller));
    sent(&mut table);
    table.receive(ALICE, &inside("BYE", "a3", 2, &ok, ALICE, "", ""));
    assert_eq!(engine_answers(&mut table, Some(0)).0, "delete");
    assert!(table.media.is_empty());
    nothing_is_left(&mut table);
}

#[test]
fn an_engine_that_fails_is_a_failure_that_policy_hears_of() {
    let heard = Rc::new(RefCell::new(Vec::new()));
    let hear = heard.clone();
    let mut table = anchored();
    table.decide = Box::new(move |q| {
        if let QuestionKind::Call(call) = &q.kind
            && let CallEvent::Failed { code, reason, .. } = &call.event
        {
            hear.borrow_mut().push((*code, reason.to_string()));
        }
        Some(Verdict::default())
    });
    engine_answers(&mut table, None);
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 503 media")]);
    assert_eq!(engine_answers(&mut table, None).0, "delete");
    assert!(heard.borrow().is_empty(), "it did not say that it wants to hear");
    nothing_is_left(&mut table);
}

#[test]
fn a_callee_whose_answer_the_engine_cannot_take_is_hung_up_and_the_caller_refused() {
    let mut table = anchored();
    engine_answers(&mut table, Some(30_000));
    let (_, to_bob) = only(&mut table);
    table.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, OFFER));
    sent(&mut table);
    engine_answers(&mut table, None);
    let lines = table.lines();
    assert_eq!(
        lines,
        [format!("{BOB} BYE sip:x@192.0.2.20:5060 SIP/2.0"), format!("{ALICE} SIP/2.0 503 media")]
    );
    engine_answers(&mut table, Some(0));
    nothing_is_left(&mut table);
}

#[test]
fn a_call_that_is_cancelled_while_the_engine_thinks_calls_nobody() {
    let mut table = anchored();
    let cancel = invite("", "").replace("INVITE sip:", "CANCEL sip:").replace("1 INVITE", "1 CANCEL");
    table.receive(ALICE, &cancel);
    let lines = table.lines();
    assert_eq!(lines, [format!("{ALICE} SIP/2.0 200 OK"), format!("{ALICE} SIP/2.0 487 Request Terminated")]);
    engine_answers(&mut table, Some(30_000));
    assert_eq!(engine_answers(&mut table, Some(0)).0, "delete");
    assert_eq!(table.lines(), Vec::<String>::new());
    nothing_is_left(&mut table);
}

/// The model of `proto::b2bua` found it: the leg was given up as soon as it had one early dialog only.
#[test]
fn a_target_forked_behind_us_that_answers_after_its_cancel_leaves_nothing() {
    let mut table = table(to_bob);
    table.receive(ALICE, &invite("", OFFER));
    let (_, to_bob) = only(&mut table);
    table.receive(BOB, &reply(&to_bob, "180 Ringing", "b1", BOB, ""));
    table.receive(BOB, &reply(&to_bob, "180 Ringing", "b2", BOB, ""));
    let cancel = invite("", "").replace("INVITE sip:", "CANCEL sip:").replace("1 INVITE", "1 CANCEL");
    table.receive(ALICE, &cancel);
    sent(&mut table);
    table.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, OFFER));
    let all = sent(&mut table);
    assert!(all[0].1.starts_with("ACK ") && all[1].1.starts_with("BYE "), "{all:#?}");
    table.receive(BOB, &reply(&all[1].1, "200 OK", "", BOB, ""));
    nothing_is_left(&mut table);
}

/// The end of the first transaction was taken for the end of the request, and every response to the second was lost.
#[test]
fn a_large_invite_that_tcp_refuses_goes_by_udp_and_its_responses_are_heard() {
    let mut table = table(to_bob);
    let long: String = (0..60).map(|n| format!("a=fmtp:{n} mode-change-capability=2\n")).collect();
    table.receive(ALICE, &invite("", &format!("{OFFER}{long}")));
    let (transport, report) = *table.reports.last().expect("an INVITE");
    assert_eq!(transport, crate::base::flow::Transport::Tcp, "RFC 3261 18.1.1");
    sent(&mut table);
    table.feed(crate::engine::Input::SendFailed { report: report.expect("somebody hears") });
    let (at, to_bob) = only(&mut table);
    assert!(at == BOB && to_bob.contains("SIP/2.0/UDP"), "{to_bob}");
    table.receive(BOB, &reply(&to_bob, "180 Ringing", "b1", BOB, ""));
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 180 Ringing")]);
}
