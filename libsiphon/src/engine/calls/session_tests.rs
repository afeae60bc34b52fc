//! What goes on inside the dialogs of a call: reliable provisional responses, offers and answers that cross, session
//! timers. Each leg for itself.

use super::tests::{
    CAROL, OFFER, calling, dial, inside, invite, nothing_is_left, only, reply, sent, table, tag, to_bob, up,
    value,
};
use crate::base::time::Duration;
use crate::engine::testing::{ALICE, BOB, Table};
use crate::policy::{CallAction, QuestionKind, ReplySpec, Verdict};

/// The answer `message`, sent reliably.
fn reliable(message: &str, rseq: u32) -> String {
    message.replacen("Contact:", &format!("Require: 100rel\nRSeq: {rseq}\nContact:"), 1)
}

/// The request that acknowledges `response` to the caller.
fn prack(branch: &str, cseq: u32, response: &str, body: &str) -> String {
    let rack = format!("RAck: {} 1 INVITE\n", value(response, "RSeq"));
    inside("PRACK", branch, cseq, response, ALICE, &rack, body)
}

fn port(sdp: &str, port: &str) -> String {
    sdp.replace("4000", port)
}

#[test]
fn a_reliable_183_is_acknowledged_here_and_the_caller_that_knows_nothing_of_it_gets_a_plain_one() {
    let mut table = table(to_bob);
    table.receive(ALICE, &invite("", OFFER));
    let (_, to_bob) = only(&mut table);
    assert_eq!(value(&to_bob, "Supported"), "100rel");
    assert!(value(&to_bob, "Allow").contains("PRACK"));
    let progress = reliable(&reply(&to_bob, "183 Progress", "b1", BOB, &port(OFFER, "6000")), 17);
    table.receive(BOB, &progress);
    let all = sent(&mut table);
    assert_eq!(all.len(), 2, "{all:#?}");
    let (at, acked) = &all[0];
    assert!(at == BOB && acked.starts_with("PRACK sip:x@192.0.2.20:5060 SIP/2.0"), "{acked}");
    assert_eq!((value(acked, "RAck"), value(acked, "CSeq")), ("17 1 INVITE", "2 PRACK"));
    let (at, told) = &all[1];
    assert!(at == ALICE && told.starts_with("SIP/2.0 183") && told.contains("m=audio 6000"), "{told}");
    assert_eq!((value(told, "RSeq"), value(told, "Require")), ("", ""));
    // A copy, and one whose predecessor is missing.
    table.receive(BOB, &progress);
    table.receive(BOB, &reliable(&reply(&to_bob, "180 Ringing", "b1", BOB, ""), 19));
    assert_eq!(table.lines(), Vec::<String>::new());
    table.receive(BOB, &reply(acked, "200 OK", "", BOB, ""));
    // The callee need not repeat its answer; the caller has not heard it for certain.
    table.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, ""));
    let all = sent(&mut table);
    assert!(all[0].1.starts_with("ACK ") && value(&all[0].1, "CSeq") == "1 ACK", "{all:#?}");
    assert!(all[1].1.starts_with("SIP/2.0 200") && all[1].1.contains("m=audio 6000"), "{all:#?}");
}

#[test]
fn a_prack_that_is_lost_is_sent_again() {
    let mut table = table(to_bob);
    table.receive(ALICE, &invite("", OFFER));
    let (_, to_bob) = only(&mut table);
    table.receive(BOB, &reliable(&reply(&to_bob, "180 Ringing", "b1", BOB, ""), 1));
    sent(&mut table);
    table.advance(Duration::from_millis(600));
    let (at, again) = only(&mut table);
    assert!(at == BOB && again.starts_with("PRACK "), "{again}");
}

/// A caller that supports 100rel, and a callee that tells its session reliably: the 183 alice got.
fn told_reliably(table: &mut Table) -> (String, String) {
    table.receive(ALICE, &invite("Supported: 100rel\n", OFFER));
    let (_, to_bob) = only(table);
    table.receive(BOB, &reliable(&reply(&to_bob, "183 Progress", "b1", BOB, OFFER), 1));
    let all = sent(table);
    assert!(all[0].1.starts_with("PRACK "), "{all:#?}");
    table.receive(BOB, &reply(&all[0].1, "200 OK", "", BOB, ""));
    let told = all[1].1.clone();
    assert!(told.starts_with("SIP/2.0 183") && value(&told, "Require") == "100rel", "{told}");
    (to_bob, told)
}

#[test]
fn a_caller_that_supports_it_gets_the_session_reliably_and_the_2xx_waits_for_its_prack() {
    let mut table = table(to_bob);
    let (to_bob, told) = told_reliably(&mut table);
    table.advance(Duration::from_millis(1600));
    let again = sent(&mut table);
    assert_eq!(again.len(), 2, "0.5 s and 1.5 s: {again:#?}");
    assert!(again.iter().all(|(at, text)| at == ALICE && *text == told), "{again:#?}");
    table.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, OFFER));
    let (at, ack) = only(&mut table);
    assert!(at == BOB && ack.starts_with("ACK "), "nothing for alice yet: {ack}");
    let wrong = prack("p1", 2, &told, "").replace(&format!("RAck: {} ", value(&told, "RSeq")), "RAck: 7 ");
    table.receive(ALICE, &wrong);
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 481 Call/Transaction Does Not Exist")]);
    table.receive(ALICE, &prack("p2", 3, &told, ""));
    let all = sent(&mut table);
    assert_eq!(all.len(), 2, "{all:#?}");
    assert_eq!(value(&all[0].1, "CSeq"), "3 PRACK");
    assert!(all[1].1.starts_with("SIP/2.0 200") && value(&all[1].1, "CSeq") == "1 INVITE", "{all:#?}");
    assert!(!all[1].1.contains("m=audio"), "the answer was told: {}", all[1].1);
    table.receive(ALICE, &inside("ACK", "a2", 1, &all[1].1, ALICE, "", ""));
    table.advance(Duration::from_secs(40));
    assert_eq!(table.lines(), Vec::<String>::new());
}

#[test]
fn a_caller_that_never_acknowledges_is_refused_504_and_the_callee_cancelled() {
    let mut table = table(to_bob);
    let (to_bob, _) = told_reliably(&mut table);
    table.advance(Duration::from_millis(29_000));
    assert!(table.lines().iter().all(|l| l.contains("183")), "30 s is the ring time-out");
    table.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, OFFER));
    sent(&mut table);
    table.advance(Duration::from_millis(4_000));
    let lines = table.lines();
    assert!(lines.contains(&format!("{ALICE} SIP/2.0 504 Server Time-out")), "{lines:#?}");
    assert!(lines.iter().any(|l| l.starts_with(BOB) && l.contains("BYE ")), "{lines:#?}");
    nothing_is_left(&mut table);
}

#[test]
fn a_caller_that_demands_it_gets_every_provisional_response_reliably_one_after_the_other() {
    let mut table = table(to_bob);
    table.receive(ALICE, &invite("Require: 100rel\n", OFFER));
    let (_, to_bob) = only(&mut table);
    table.receive(BOB, &reply(&to_bob, "180 Ringing", "b1", BOB, ""));
    let (_, ringing) = only(&mut table);
    assert_eq!(value(&ringing, "Require"), "100rel");
    table.receive(BOB, &reply(&to_bob, "183 Progress", "b1", BOB, OFFER));
    assert_eq!(table.lines(), Vec::<String>::new(), "the 180 is not acknowledged");
    table.receive(ALICE, &prack("p1", 2, &ringing, ""));
    let all = sent(&mut table);
    assert!(all[0].1.starts_with("SIP/2.0 200") && all[1].1.starts_with("SIP/2.0 183"), "{all:#?}");
    let rseq = |m: &str| value(m, "RSeq").parse::<u32>().expect("a number");
    assert_eq!(rseq(&all[1].1), rseq(&ringing) + 1);
    // A 2xx without a session description that was told may be sent at once; this one waits.
    table.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, OFFER));
    assert_eq!(table.lines().len(), 1, "the ACK to bob");
    table.receive(ALICE, &prack("p2", 3, &all[1].1, ""));
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 200 OK"), format!("{ALICE} SIP/2.0 200 OK")]);
}

#[test]
fn progress_of_the_script_is_reliable_for_a_caller_that_demands_it() {
    let mut table = table(|q| match &q.kind {
        QuestionKind::Request => {
            calling(vec![CallAction::Progress(ReplySpec::code(183)), dial(&[BOB, CAROL])])
        }
        _ => Some(Verdict::default()),
    });
    table.receive(ALICE, &invite("Require: 100rel\n", OFFER));
    let all = sent(&mut table);
    assert_eq!(all.len(), 3, "{all:#?}");
    assert!(all[0].1.starts_with("SIP/2.0 183") && value(&all[0].1, "Require") == "100rel", "{all:#?}");
    table.receive(ALICE, &prack("p1", 2, &all[0].1, ""));
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 200 OK")]);
    table.receive(BOB, &reply(&all[1].1, "180 Ringing", "b1", BOB, ""));
    let (_, ringing) = only(&mut table);
    assert_ne!(tag(value(&ringing, "To")), tag(value(&all[0].1, "To")), "a dialog of its own");
}

#[test]
fn the_offer_of_a_reliable_response_is_answered_in_the_prack_and_goes_on_in_ours() {
    let mut table = table(to_bob);
    table.receive(ALICE, &invite("Supported: 100rel\n", ""));
    let (_, to_bob) = only(&mut table);
    assert_eq!(value(&to_bob, "Supported"), "100rel");
    table.receive(BOB, &reliable(&reply(&to_bob, "183 Progress", "b1", BOB, OFFER), 5));
    let (at, told) = only(&mut table);
    assert!(at == ALICE && value(&told, "Require") == "100rel" && told.contains("m=audio 4000"), "{told}");
    // The answer is missing.
    table.receive(ALICE, &prack("p0", 2, &told, ""));
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 488 Not Acceptable Here")]);
    table.receive(ALICE, &prack("p1", 3, &told, &port(OFFER, "7000")));
    let (at, ours) = only(&mut table);
    assert!(at == BOB && ours.starts_with("PRACK ") && ours.contains("m=audio 7000"), "{ours}");
    assert_eq!(value(&ours, "RAck"), "5 1 INVITE");
    table.receive(BOB, &reply(&ours, "200 OK", "", BOB, ""));
    let (at, ok) = only(&mut table);
    assert!(at == ALICE && value(&ok, "CSeq") == "3 PRACK", "{ok}");
    table.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, ""));
    let all = sent(&mut table);
    assert_eq!(all.len(), 2, "the ACK owes no answer: {all:#?}");
    assert!(all[0].1.starts_with("ACK ") && all[0].0 == BOB, "{all:#?}");
    table.receive(ALICE, &inside("ACK", "a2", 1, &all[1].1, ALICE, "", ""));
    assert_eq!(table.lines(), Vec::<String>::new());
}

#[test]
fn without_an_offer_or_a_caller_that_understands_no_reliable_response_is_asked_for() {
    let mut table = table(to_bob);
    table.receive(ALICE, &invite("", ""));
    let (_, to_bob) = only(&mut table);
    assert_eq!(value(&to_bob, "Supported"), "");
}

#[test]
fn an_offer_in_a_prack_goes_on_as_an_update() {
    let mut table = table(to_bob);
    let (_, told) = told_reliably(&mut table);
    table.receive(ALICE, &prack("p1", 2, &told, &port(OFFER, "7000")));
    let (at, update) = only(&mut table);
    assert!(at == BOB && update.starts_with("UPDATE ") && update.contains("m=audio 7000"), "{update}");
    table.receive(BOB, &reply(&update, "200 OK", "", BOB, &port(OFFER, "8000")));
    let (at, ok) = only(&mut table);
    assert!(at == ALICE && value(&ok, "CSeq") == "2 PRACK" && ok.contains("m=audio 8000"), "{ok}");
}

#[test]
fn an_update_before_the_answer_finds_the_dialog_of_its_fork() {
    let mut table = table(|q| match &q.kind {
        QuestionKind::Request => calling(vec![dial(&[BOB, CAROL])]),
        _ => Some(Verdict::default()),
    });
    table.receive(ALICE, &invite("Supported: 100rel\n", OFFER));
    let both = sent(&mut table);
    let mut told = Vec::new();
    for (at, request) in &both {
        table.receive(at, &reliable(&reply(request, "183 Progress", "x1", at, OFFER), 1));
        let mut all = sent(&mut table);
        told.push(all.remove(1).1);
    }
    assert_ne!(value(&told[0], "To"), value(&told[1], "To"));
    for (n, (at, _)) in both.iter().enumerate().rev() {
        let branch = format!("p{n}");
        table.receive(ALICE, &prack(&branch, 2, &told[n], ""));
        assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 200 OK")]);
        table.receive(ALICE, &inside("UPDATE", &format!("u{n}"), 3, &told[n], ALICE, "", OFFER));
        let (to, update) = only(&mut table);
        assert!(to == *at && update.starts_with("UPDATE "), "{update}");
        table.receive(at, &reply(&update, "200 OK", "", at, OFFER));
        assert!(only(&mut table).1.starts_with("SIP/2.0 200"));
    }
    // And one of the callee's.
    let back = inside("UPDATE", "u9", 1, &both[0].1, BOB, "", OFFER).replace("tag=b1", "tag=x1");
    table.receive(BOB, &back);
    let (to, update) = only(&mut table);
    assert!(to == ALICE && update.starts_with("UPDATE "), "{update}");
    assert_eq!(tag(value(&update, "From")), tag(value(&told[0], "To")));
}

#[test]
fn an_update_while_the_offer_is_open_is_refused() {
    let mut table = table(to_bob);
    table.receive(ALICE, &invite("", OFFER));
    let (_, to_bob) = only(&mut table);
    table.receive(BOB, &reply(&to_bob, "183 Progress", "b1", BOB, OFFER));
    let (_, told) = only(&mut table);
    table.receive(ALICE, &inside("UPDATE", "u1", 2, &told, ALICE, "", OFFER));
    let (_, refused) = only(&mut table);
    assert!(refused.starts_with("SIP/2.0 500") && refused.contains("Retry-After"), "{refused}");
    table.receive(BOB, &inside("UPDATE", "u2", 1, &to_bob, BOB, "", OFFER));
    assert_eq!(table.lines(), [format!("{BOB} SIP/2.0 491 Request Pending")]);
}

#[test]
fn what_a_caller_demands_and_nobody_here_knows_is_named_in_a_420() {
    let mut table = table(to_bob);
    table.receive(ALICE, &invite("Require: 100rel, foo\n", OFFER));
    let (_, refused) = only(&mut table);
    assert!(refused.starts_with("SIP/2.0 420") && value(&refused, "Unsupported") == "foo", "{refused}");
    nothing_is_left(&mut table);
}

#[test]
fn a_refused_change_leaves_the_session_free_for_the_next() {
    let mut table = table(to_bob);
    let (to_bob, ok) = up(&mut table);
    table.receive(ALICE, &inside("INVITE", "r1", 5, &ok, ALICE, "", OFFER));
    let (_, passed) = only(&mut table);
    table.receive(BOB, &reply(&passed, "488 Not Acceptable Here", "", BOB, ""));
    assert_eq!(sent(&mut table).len(), 2, "an ACK and the 488");
    table.receive(BOB, &inside("UPDATE", "r2", 6, &to_bob, BOB, "", OFFER));
    let (at, update) = only(&mut table);
    assert!(at == ALICE && update.starts_with("UPDATE "), "{update}");
}
