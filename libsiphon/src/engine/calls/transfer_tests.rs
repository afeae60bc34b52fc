//! Calls that are moved: REFER (RFC 3515, RFC 5589) and Replaces (RFC 3891), graded by what each phone sees.

use super::tests::*;
use crate::base::time::Duration;
use crate::engine::testing::{ALICE, BOB, Table};
use crate::policy::call::ReferMode;
use crate::policy::{CallAction, CallEvent, Initiator, Interest, Question, QuestionKind, ReplySpec, Verdict};

pub(super) const DAVE: &str = "192.0.2.40:5060";
const TO_CAROL: &str = "Refer-To: <sip:carol@192.0.2.30:5060>\nReferred-By: <sip:bob@b.example>\n";

pub(super) fn offer(port: u16) -> String {
    OFFER.replace("4000", &port.to_string())
}

/// Whom a message goes to, and its first line up to the Request-URI or the code.
pub(super) fn seen(all: &[(String, String)]) -> Vec<String> {
    let line = |(to, text): &(String, String)| {
        let what: Vec<&str> = text.lines().next().unwrap_or_default().split(' ').collect();
        let what = if what[0] == "SIP/2.0" { what[1] } else { what[0] };
        let name = [(ALICE, "alice"), (BOB, "bob"), (CAROL, "carol"), (DAVE, "dave")];
        let name = name.iter().find(|(at, _)| at == to).map_or("?", |(_, n)| n);
        let status = text.split("\r\n\r\n").nth(1).unwrap_or_default();
        match what {
            "NOTIFY" => format!("{name} NOTIFY {}", status.split(' ').nth(1).unwrap_or_default()),
            what => format!("{name} {what}"),
        }
    };
    all.iter().map(line).collect()
}

#[track_caller]
fn expect(table: &mut Table, wanted: &[&str]) -> Vec<String> {
    let all = sent(table);
    assert_eq!(seen(&all), wanted, "{all:#?}");
    all.into_iter().map(|(_, text)| text).collect()
}

/// Bob asks for alice to be sent to carol; what carol gets.
#[track_caller]
fn referred(table: &mut Table, to_bob: &str, cseq: u32) -> String {
    table.receive(BOB, &inside("REFER", &format!("f{cseq}"), cseq, to_bob, BOB, TO_CAROL, ""));
    let mut all = expect(table, &["bob 202", "bob NOTIFY 100", "carol INVITE"]);
    table.receive(BOB, &reply(&all[1], "200 OK", "", BOB, ""));
    all.remove(2)
}

/// Carol and alice talk.
#[track_caller]
fn joined(table: &mut Table, to_carol: &str, told: &[&str]) {
    table.receive(CAROL, &reply(to_carol, "200 OK", "b1", CAROL, &offer(6000)));
    let again = expect(table, &["alice INVITE"]).remove(0);
    assert!(again.contains("m=audio 6000") && value(&again, "Call-ID") == "call-1", "{again}");
    table.receive(ALICE, &reply(&again, "200 OK", "", ALICE, &offer(5000)));
    let wanted: Vec<&str> = [&["alice ACK"], told, &["carol ACK"]].concat();
    let all = expect(table, &wanted);
    assert!(all[all.len() - 1].contains("m=audio 5000"), "{all:#?}");
    for text in all.iter().filter(|t| t.starts_with("NOTIFY")) {
        table.receive(BOB, &reply(text, "200 OK", "", BOB, ""));
    }
}

#[track_caller]
fn alice_hangs_up_on(table: &mut Table, ok: &str, cseq: u32, other: (&str, &str)) {
    table.receive(ALICE, &inside("BYE", "a9", cseq, ok, ALICE, "", ""));
    let all = expect(table, &["alice 200", &format!("{} BYE", other.1)]);
    table.receive(other.0, &reply(&all[1], "200 OK", "", other.0, ""));
    nothing_is_left(table);
}

#[test]
fn a_side_that_is_referred_talks_to_the_target_and_the_transferor_hangs_up() {
    let mut table = table(to_bob);
    let (to_bob, ok) = up(&mut table);
    let to_carol = referred(&mut table, &to_bob, 1);
    assert!(to_carol.starts_with("INVITE sip:carol@192.0.2.30:5060 SIP/2.0\r\n"), "{to_carol}");
    assert_eq!(uri(value(&to_carol, "From")), "sip:alice@sbc.example.com");
    assert_eq!(value(&to_carol, "Referred-By"), "<sip:bob@b.example>");
    assert_eq!(value(&to_carol, "Content-Length"), "0");
    table.receive(CAROL, &reply(&to_carol, "180 Ringing", "b1", CAROL, ""));
    let notify = expect(&mut table, &["bob NOTIFY 180"]).remove(0);
    assert!(value(&notify, "Subscription-State").starts_with("active;expires="), "{notify}");
    table.receive(BOB, &reply(&notify, "200 OK", "", BOB, ""));
    joined(&mut table, &to_carol, &["bob NOTIFY 200"]);
    table.receive(BOB, &inside("BYE", "b9", 2, &to_bob, BOB, "", ""));
    expect(&mut table, &["bob 200"]);
    table.receive(ALICE, &inside("INFO", "i1", 2, &ok, ALICE, "", ""));
    let info = expect(&mut table, &["carol INFO"]).remove(0);
    table.receive(CAROL, &reply(&info, "200 OK", "", CAROL, ""));
    expect(&mut table, &["alice 200"]);
    alice_hangs_up_on(&mut table, &ok, 3, (CAROL, "carol"));
}

#[test]
fn a_caller_can_refer_the_callee_and_is_hung_up_when_it_does_not_do_so_itself() {
    let mut table = table(to_bob);
    let (to_bob, ok) = up(&mut table);
    let refer = inside("REFER", "f1", 2, &ok, ALICE, &format!("{TO_CAROL}Refer-Sub: false\n"), "");
    table.receive(ALICE, &refer);
    let all = expect(&mut table, &["alice 202", "carol INVITE"]);
    assert_eq!(value(&all[0], "Refer-Sub"), "false");
    table.receive(CAROL, &reply(&all[1], "200 OK", "b1", CAROL, &offer(6000)));
    let again = expect(&mut table, &["bob INVITE"]).remove(0);
    table.receive(BOB, &reply(&again, "200 OK", "", BOB, &offer(5000)));
    expect(&mut table, &["bob ACK", "carol ACK"]);
    table.advance(Duration::from_secs(6));
    let all = sent(&mut table);
    assert_eq!(seen(&all).first().map(String::as_str), Some("alice BYE"), "{all:#?}");
    table.receive(ALICE, &reply(&all[0].1, "200 OK", "", ALICE, ""));
    table.receive(BOB, &inside("BYE", "b9", 1, &to_bob, BOB, "", ""));
    let bye = expect(&mut table, &["bob 200", "carol BYE"]).remove(1);
    table.receive(CAROL, &reply(&bye, "200 OK", "", CAROL, ""));
    nothing_is_left(&mut table);
}

#[test]
fn a_target_that_is_busy_leaves_the_call_as_it_was() {
    let mut table = table(to_bob);
    let (to_bob, ok) = up(&mut table);
    let to_carol = referred(&mut table, &to_bob, 1);
    table.receive(CAROL, &reply(&to_carol, "486 Busy Here", "b1", CAROL, ""));
    let all = expect(&mut table, &["carol ACK", "bob NOTIFY 486"]);
    assert_eq!(value(&all[1], "Subscription-State"), "terminated;reason=noresource");
    table.receive(BOB, &reply(&all[1], "200 OK", "", BOB, ""));
    table.receive(ALICE, &inside("INFO", "i1", 2, &ok, ALICE, "", ""));
    let info = expect(&mut table, &["bob INFO"]).remove(0);
    table.receive(BOB, &reply(&info, "200 OK", "", BOB, ""));
    expect(&mut table, &["alice 200"]);
    // The NOTIFYs of a second one name theirs.
    table.receive(BOB, &inside("REFER", "f2", 7, &to_bob, BOB, TO_CAROL, ""));
    let all = expect(&mut table, &["bob 202", "bob NOTIFY 100", "carol INVITE"]);
    assert_eq!(value(&all[1], "Event"), "refer;id=7");
}

#[test]
fn a_target_that_does_not_answer_is_cancelled_and_the_call_goes_on() {
    let mut table = table(to_bob);
    let (to_bob, _) = up(&mut table);
    let to_carol = referred(&mut table, &to_bob, 1);
    table.receive(CAROL, &reply(&to_carol, "180 Ringing", "b1", CAROL, ""));
    let notify = expect(&mut table, &["bob NOTIFY 180"]).remove(0);
    table.receive(BOB, &reply(&notify, "200 OK", "", BOB, ""));
    table.advance(Duration::from_millis(60_100));
    expect(&mut table, &["carol CANCEL", "bob NOTIFY 408"]);
    assert_eq!(table.shard.calls(), 1);
}

#[test]
fn a_second_refer_meanwhile_is_answered_491() {
    let mut table = table(to_bob);
    let (to_bob, ok) = up(&mut table);
    referred(&mut table, &to_bob, 1);
    table.receive(BOB, &inside("REFER", "f2", 2, &to_bob, BOB, TO_CAROL, ""));
    expect(&mut table, &["bob 491"]);
    table.receive(ALICE, &inside("REFER", "f3", 2, &ok, ALICE, TO_CAROL, ""));
    expect(&mut table, &["alice 491"]);
}

#[test]
fn a_refer_without_a_target_this_node_can_call_is_refused() {
    let mut table = table(to_bob);
    let (to_bob, _) = up(&mut table);
    for (cseq, refer_to, wanted) in [
        (1, "", "bob 400"),
        (2, "Refer-To: <tel:+49123>\n", "bob 416"),
        (3, "Refer-To: <sip:carol@192.0.2.30;method=BYE>\n", "bob 403"),
    ] {
        table.receive(BOB, &inside("REFER", &format!("f{cseq}"), cseq, &to_bob, BOB, refer_to, ""));
        expect(&mut table, &[wanted]);
    }
}

#[test]
fn a_transferor_that_hangs_up_early_does_not_end_the_transfer() {
    for answers in [true, false] {
        let mut table = table(to_bob);
        let (to_bob, ok) = up(&mut table);
        let to_carol = referred(&mut table, &to_bob, 1);
        table.receive(BOB, &inside("BYE", "b9", 2, &to_bob, BOB, "", ""));
        expect(&mut table, &["bob 200"]);
        table.receive(ALICE, &inside("INVITE", "r1", 2, &ok, ALICE, "", OFFER));
        expect(&mut table, &["alice 491"]);
        if answers {
            joined(&mut table, &to_carol, &[]);
            alice_hangs_up_on(&mut table, &ok, 3, (CAROL, "carol"));
        } else {
            table.receive(CAROL, &reply(&to_carol, "404 Not Found", "b1", CAROL, ""));
            let bye = expect(&mut table, &["carol ACK", "alice BYE"]).remove(1);
            table.receive(ALICE, &reply(&bye, "200 OK", "", ALICE, ""));
            nothing_is_left(&mut table);
        }
    }
}

#[test]
fn a_transfer_waits_with_its_reinvite_until_another_is_through() {
    let mut table = table(to_bob);
    let (to_bob, ok) = up(&mut table);
    table.receive(ALICE, &inside("INVITE", "r1", 2, &ok, ALICE, "", OFFER));
    let again = expect(&mut table, &["bob INVITE"]).remove(0);
    let to_carol = referred(&mut table, &to_bob, 1);
    table.receive(CAROL, &reply(&to_carol, "200 OK", "b1", CAROL, &offer(6000)));
    expect(&mut table, &[]);
    table.receive(BOB, &reply(&again, "200 OK", "", BOB, &offer(5000)));
    expect(&mut table, &["bob ACK", "alice 200"]);
    table.receive(ALICE, &inside("ACK", "r2", 2, &ok, ALICE, "", ""));
    expect(&mut table, &["alice INVITE"]);
}

#[test]
fn a_reinvite_that_crosses_another_is_tried_again() {
    let mut table = table(to_bob);
    let (to_bob, _) = up(&mut table);
    let to_carol = referred(&mut table, &to_bob, 1);
    table.receive(CAROL, &reply(&to_carol, "200 OK", "b1", CAROL, &offer(6000)));
    let first = expect(&mut table, &["alice INVITE"]).remove(0);
    table.receive(ALICE, &reply(&first, "491 Request Pending", "", ALICE, ""));
    expect(&mut table, &["alice ACK"]);
    table.advance(Duration::from_millis(2_010));
    let second = expect(&mut table, &["alice INVITE"]).remove(0);
    assert!(second.contains("m=audio 6000"), "{second}");
    // She wants none of it: the target is hung up, and bob keeps her.
    table.receive(ALICE, &reply(&second, "488 Not Acceptable Here", "", ALICE, ""));
    expect(&mut table, &["alice ACK", "carol ACK", "carol BYE", "bob NOTIFY 488"]);
    assert_eq!(table.shard.calls(), 1);
}

#[test]
fn a_side_that_hangs_up_while_the_target_rings_ends_all() {
    let mut table = table(to_bob);
    let (to_bob, ok) = up(&mut table);
    let to_carol = referred(&mut table, &to_bob, 1);
    table.receive(CAROL, &reply(&to_carol, "180 Ringing", "b1", CAROL, ""));
    let notify = expect(&mut table, &["bob NOTIFY 180"]).remove(0);
    table.receive(BOB, &reply(&notify, "200 OK", "", BOB, ""));
    table.receive(ALICE, &inside("BYE", "a9", 2, &ok, ALICE, "", ""));
    let all = expect(&mut table, &["alice 200", "bob NOTIFY 487", "bob BYE", "carol CANCEL"]);
    table.receive(BOB, &reply(&all[2], "200 OK", "", BOB, ""));
    table.receive(CAROL, &reply(&to_carol, "487 Request Terminated", "b1", CAROL, ""));
    nothing_is_left(&mut table);
}

/// Dials bob, and does `action` with a REFER.
fn with_refer(action: CallAction) -> impl FnMut(&Question) -> Option<Verdict> {
    move |question: &Question| {
        if let QuestionKind::Call(call) = &question.kind
            && matches!(call.event, CallEvent::Refer { from: Initiator::Callee, .. })
        {
            return calling(vec![action.clone()]);
        }
        let interest = Interest { refers: true, ..Interest::default() };
        to_bob(question).map(|verdict| Verdict { interest, ..verdict })
    }
}

#[test]
fn policy_may_refuse_a_refer_or_name_another_target() {
    let mut refusing = table(with_refer(CallAction::RejectRefer(ReplySpec::code(403))));
    let (to_bob, _) = up(&mut refusing);
    refusing.receive(BOB, &inside("REFER", "f1", 1, &to_bob, BOB, TO_CAROL, ""));
    expect(&mut refusing, &["bob 403"]);
    let mode = Some(ReferMode::Reject);
    let mut refusing = table(with_refer(CallAction::AcceptRefer { target: None, mode }));
    let (to_bob, _) = up(&mut refusing);
    refusing.receive(BOB, &inside("REFER", "f1", 1, &to_bob, BOB, TO_CAROL, ""));
    expect(&mut refusing, &["bob 603"]);
    let target = Some(Box::new(crate::policy::Target::uri(format!("sip:dave@{DAVE}"))));
    let mut naming = table(with_refer(CallAction::AcceptRefer { target, mode: None }));
    let (to_bob, _) = up(&mut naming);
    naming.receive(BOB, &inside("REFER", "f1", 1, &to_bob, BOB, TO_CAROL, ""));
    expect(&mut naming, &["bob 202", "bob NOTIFY 100", "dave INVITE"]);
}

#[test]
fn a_refer_may_pass_to_the_other_side_and_its_notify_back() {
    let mode = Some(ReferMode::Transparent);
    let mut table = table(with_refer(CallAction::AcceptRefer { target: None, mode }));
    let (to_bob, ok) = up(&mut table);
    table.receive(BOB, &inside("REFER", "f1", 41, &to_bob, BOB, TO_CAROL, ""));
    let refer = expect(&mut table, &["alice REFER"]).remove(0);
    assert_eq!(value(&refer, "Refer-To"), "<sip:carol@192.0.2.30:5060>");
    assert_eq!(value(&refer, "Referred-By"), "<sip:bob@b.example>");
    table.receive(ALICE, &reply(&refer, "202 Accepted", "", ALICE, ""));
    expect(&mut table, &["bob 202"]);
    let number = value(&refer, "CSeq").split(' ').next().unwrap_or_default().to_owned();
    let about = format!("Event: refer;id={number}\nSubscription-State: active\n");
    table.receive(ALICE, &inside("NOTIFY", "n1", 2, &ok, ALICE, &about, ""));
    let notify = sent(&mut table).remove(0).1;
    assert!(notify.starts_with("NOTIFY ") && value(&notify, "Event") == "refer;id=41", "{notify}");
}

/// Bob or carol, by the user part of the Request-URI.
pub(super) fn by_name(question: &Question) -> Option<Verdict> {
    match &question.kind {
        QuestionKind::Request if question.request.request_uri().contains("carol") => {
            calling(vec![dial(&[CAROL])])
        }
        QuestionKind::Request => calling(vec![dial(&[BOB])]),
        _ => Some(Verdict::default()),
    }
}

/// A call from bob to carol besides the one from alice to bob: what carol got, and bob's 200.
#[track_caller]
fn consultation(table: &mut Table) -> (String, String) {
    let invite = invite("", OFFER)
        .replace("bob@example.com", "carol@example.com")
        .replace(ALICE, BOB)
        .replace("z9hG4bKa1", "z9hG4bKk1")
        .replace("tag=a1", "tag=k1")
        .replace("call-1", "call-2");
    table.receive(BOB, &invite);
    let to_carol = expect(table, &["carol INVITE"]).remove(0);
    table.receive(CAROL, &reply(&to_carol, "200 OK", "b1", CAROL, &offer(6000)));
    let ok = expect(table, &["carol ACK", "bob 200"]).remove(1);
    table.receive(BOB, &inside("ACK", "k2", 1, &ok, BOB, "", ""));
    (to_carol, ok)
}

/// Refer-To with the dialog that `ok` made, as its caller knows it.
pub(super) fn to_replace(ok: &str) -> String {
    let (to, from) = (tag(value(ok, "To")), tag(value(ok, "From")));
    let call_id = value(ok, "Call-ID");
    format!("Refer-To: <sip:carol@example.com?Replaces={call_id}%3Bto-tag%3D{to}%3Bfrom-tag%3D{from}>\n")
}

/// Bob asks for his two calls to be joined: the re-INVITE alice gets.
#[track_caller]
fn attended(table: &mut Table, to_bob: &str, ok: &str) -> String {
    table.receive(BOB, &inside("REFER", "f1", 1, to_bob, BOB, &to_replace(ok), ""));
    let mut all = expect(table, &["bob 202", "bob NOTIFY 100", "alice INVITE"]);
    assert_eq!(value(&all[2], "Content-Length"), "0", "she is asked for an offer");
    table.receive(BOB, &reply(&all[1], "200 OK", "", BOB, ""));
    all.remove(2)
}

#[test]
fn two_calls_of_one_transferor_become_one() {
    let mut table = table(by_name);
    let (to_bob, ok) = up(&mut table);
    let (_, second) = consultation(&mut table);
    let again = attended(&mut table, &to_bob, &second);
    table.receive(ALICE, &reply(&again, "200 OK", "", ALICE, &offer(7000)));
    let to_carol = expect(&mut table, &["carol INVITE"]).remove(0);
    assert!(to_carol.contains("m=audio 7000"), "{to_carol}");
    table.receive(CAROL, &reply(&to_carol, "200 OK", "", CAROL, &offer(6002)));
    let all = expect(&mut table, &["carol ACK", "bob BYE", "alice ACK", "bob NOTIFY 200"]);
    assert!(all[2].contains("m=audio 6002"), "{all:#?}");
    assert_eq!(value(&all[1], "Call-ID"), "call-2");
    table.receive(BOB, &reply(&all[1], "200 OK", "", BOB, ""));
    table.receive(BOB, &reply(&all[3], "200 OK", "", BOB, ""));
    table.receive(BOB, &inside("BYE", "b9", 2, &to_bob, BOB, "", ""));
    expect(&mut table, &["bob 200"]);
    assert_eq!(table.shard.calls(), 1);
    alice_hangs_up_on(&mut table, &ok, 2, (CAROL, "carol"));
}

#[test]
fn a_side_that_cannot_be_joined_goes_back_to_its_call() {
    let mut table = table(by_name);
    let (to_bob, ok) = up(&mut table);
    let (_, second) = consultation(&mut table);
    let again = attended(&mut table, &to_bob, &second);
    table.receive(ALICE, &reply(&again, "200 OK", "", ALICE, &offer(7000)));
    let to_carol = expect(&mut table, &["carol INVITE"]).remove(0);
    table.receive(CAROL, &reply(&to_carol, "488 Not Acceptable Here", "", CAROL, ""));
    let all = expect(&mut table, &["carol ACK", "alice ACK", "bob NOTIFY 488"]);
    assert!(all[1].contains("m=audio 4000"), "the answer she had: {}", all[1]);
    assert_eq!(table.shard.calls(), 2);
    table.receive(ALICE, &inside("INFO", "i1", 2, &ok, ALICE, "", ""));
    expect(&mut table, &["bob INFO"]);
}

#[test]
fn a_refer_to_a_dialog_that_is_none_of_ours_calls_the_target_with_replaces() {
    let mut table = table(by_name);
    let (to_bob, _) = up(&mut table);
    let refer_to = "Refer-To: <sip:carol@192.0.2.30?Replaces=elsewhere%3Bto-tag%3Dx%3Bfrom-tag%3Dy>\n";
    table.receive(BOB, &inside("REFER", "f1", 1, &to_bob, BOB, refer_to, ""));
    let all = expect(&mut table, &["bob 202", "bob NOTIFY 100", "carol INVITE"]);
    assert_eq!(value(&all[2], "Replaces"), "elsewhere;to-tag=x;from-tag=y");
}

/// Dave's INVITE with Replaces for bob's place in the call; `more` follows the tags.
fn pickup(to_bob: &str, more: &str, body: &str) -> String {
    let call_id = value(to_bob, "Call-ID");
    let ours = tag(value(to_bob, "From"));
    let replaces = format!("Replaces: {call_id};to-tag={ours};from-tag=b1{more}\nRequire: replaces\n");
    invite(&replaces, body)
        .replace(ALICE, DAVE)
        .replace("z9hG4bKa1", "z9hG4bKd1")
        .replace("tag=a1", "tag=d1")
        .replace("call-1", "call-3")
}

#[test]
fn an_invite_with_replaces_takes_the_place_of_a_leg() {
    let mut table = table(to_bob);
    let (to_bob, ok) = up(&mut table);
    table.receive(DAVE, &pickup(&to_bob, "", &offer(9000)));
    let again = expect(&mut table, &["alice INVITE"]).remove(0);
    assert!(again.contains("m=audio 9000"), "{again}");
    table.receive(ALICE, &reply(&again, "200 OK", "", ALICE, &offer(5000)));
    let all = expect(&mut table, &["alice ACK", "dave 200", "bob BYE"]);
    assert!(all[1].contains("m=audio 5000") && value(&all[1], "Call-ID") == "call-3", "{}", all[1]);
    table.receive(DAVE, &inside("ACK", "d2", 1, &all[1], DAVE, "", ""));
    table.receive(BOB, &reply(&all[2], "200 OK", "", BOB, ""));
    assert_eq!((table.shard.calls(), table.lines()), (1, Vec::new()));
    alice_hangs_up_on(&mut table, &ok, 2, (DAVE, "dave"));
}

#[test]
fn an_invite_with_replaces_and_no_offer_gets_one_in_its_2xx() {
    let mut table = table(to_bob);
    let (to_bob, _) = up(&mut table);
    table.receive(DAVE, &pickup(&to_bob, "", ""));
    let again = expect(&mut table, &["alice INVITE"]).remove(0);
    assert_eq!(value(&again, "Content-Length"), "0");
    table.receive(ALICE, &reply(&again, "200 OK", "", ALICE, &offer(5000)));
    let all = expect(&mut table, &["dave 200", "bob BYE"]);
    assert!(all[0].contains("m=audio 5000"), "{}", all[0]);
    table.receive(DAVE, &inside("ACK", "d2", 1, &all[0], DAVE, "", &offer(9000)));
    let ack = expect(&mut table, &["alice ACK"]).remove(0);
    assert!(ack.contains("m=audio 9000"), "{ack}");
}

#[test]
fn an_invite_with_replaces_that_fits_no_dialog_is_refused() {
    let mut table = table(to_bob);
    let (to_bob, _) = up(&mut table);
    for (invite, wanted) in [
        (pickup(&to_bob, "x", OFFER), "dave 481"),
        (pickup(&to_bob, ";early-only", OFFER), "dave 486"),
        (pickup(&to_bob.replace("Call-ID: ", "Call-ID: x"), "", OFFER), "dave 481"),
    ] {
        table.receive(DAVE, &invite);
        expect(&mut table, &[wanted]);
        table.receive(DAVE, &invite.replace("INVITE sip", "ACK sip").replace("1 INVITE", "1 ACK"));
        table.advance(Duration::from_secs(40));
        assert_eq!((table.shard.calls(), table.lines()), (1, Vec::new()));
    }
}

#[test]
fn an_invite_with_replaces_that_is_cancelled_leaves_the_call_alone() {
    let mut table = table(to_bob);
    let (to_bob, ok) = up(&mut table);
    let invite = pickup(&to_bob, "", &offer(9000));
    table.receive(DAVE, &invite);
    let again = expect(&mut table, &["alice INVITE"]).remove(0);
    table.receive(ALICE, &reply(&again, "100 Trying", "", ALICE, ""));
    table.receive(DAVE, &invite.replace("INVITE sip", "CANCEL sip").replace("1 INVITE", "1 CANCEL"));
    expect(&mut table, &["dave 200", "alice CANCEL"]);
    table.receive(ALICE, &reply(&again, "487 Request Terminated", "", ALICE, ""));
    expect(&mut table, &["alice ACK", "dave 487"]);
    table.receive(ALICE, &inside("INFO", "i1", 2, &ok, ALICE, "", ""));
    expect(&mut table, &["bob INFO"]);
}

#[test]
fn policy_may_refer_a_side_and_the_call_ends_when_that_is_done() {
    let mut table = table(|question: &Question| {
        let QuestionKind::Call(call) = &question.kind else {
            return to_bob(question).map(|verdict| Verdict { interest: everything(), ..verdict });
        };
        match call.event {
            CallEvent::Answered { .. } => {
                let target = format!("sip:carol@{CAROL}").into();
                calling(vec![CallAction::Refer { to: Initiator::Callee, target }])
            }
            _ => Some(Verdict::default()),
        }
    });
    table.receive(ALICE, &invite("", OFFER));
    let to_bob = expect(&mut table, &["bob INVITE"]).remove(0);
    table.receive(BOB, &reply(&to_bob, "200 OK", "b1", BOB, OFFER));
    let all = expect(&mut table, &["bob ACK", "alice 200", "bob REFER"]);
    assert_eq!(value(&all[2], "Refer-To"), "<sip:carol@192.0.2.30:5060>");
    table.receive(ALICE, &inside("ACK", "a2", 1, &all[1], ALICE, "", ""));
    table.receive(BOB, &reply(&all[2], "202 Accepted", "", BOB, ""));
    let notify = |cseq: u32, state: &str, status: &str| {
        let more = format!("Event: refer\nSubscription-State: {state}\nContent-Type: message/sipfrag\nX: ");
        inside("NOTIFY", &format!("n{cseq}"), cseq, &to_bob, BOB, &more, &format!("SIP/2.0 {status}\n"))
            .replace("X: Content-Type: application/sdp\n", "")
    };
    table.receive(BOB, &notify(1, "active;expires=60", "100 Trying"));
    expect(&mut table, &["bob 200"]);
    table.receive(BOB, &notify(2, "terminated;reason=noresource", "200 OK"));
    expect(&mut table, &["bob 200", "alice BYE", "bob BYE"]);
}
