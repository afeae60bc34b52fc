use super::contract::Input;
use super::testing::{ALICE, BOB, PROXY, Table, request, response};
use crate::base::flow::{ConnectionId, Flow, Transport};
use crate::base::text::Text;
use crate::base::time::Duration;
use crate::event::{Classes, Kind};
use crate::policy::{
    Decision, Interest, Keep, QuestionKind, RelayOptions, ReplySpec, Strategy, Target, Verdict,
};
use crate::wire::sip::{HeaderId, Limits, Method, Splice};
use std::sync::Arc;

fn relay() -> Option<Verdict> {
    let options = RelayOptions { record_route: true, ..RelayOptions::default() };
    Some(Verdict::of(Decision::Fork {
        targets: vec![Target::uri(format!("sip:bob@{BOB}"))],
        strategy: Strategy::Parallel,
        options,
    }))
}

fn two() -> Vec<Target> {
    vec![Target::uri("sip:bob@192.0.2.20"), Target::uri("sip:bob@192.0.2.21")]
}

/// A decision with a policy that wants to hear more of the transaction.
fn keeping(decision: Option<Decision>, interest: Interest) -> Verdict {
    Verdict { decision, interest, keep: Some(Keep(Arc::new(()))), ..Verdict::default() }
}

fn invite() -> String {
    request("INVITE", "sip:bob@example.com", "1", "", "")
}

#[test]
fn a_call_goes_through_and_leaves_nothing_behind() {
    let mut table = Table::new(|_| relay());
    table.receive(ALICE, &invite());
    let forwarded = table.last();
    assert!(forwarded.starts_with("INVITE sip:bob@192.0.2.20:5060 SIP/2.0\r\n"), "{forwarded}");
    assert!(forwarded.contains("Max-Forwards: 69\r\n"), "{forwarded}");
    assert!(forwarded.contains("Record-Route: <sip:192.0.2.1:5060;lr>\r\n"), "{forwarded}");
    assert!(forwarded.contains("received=192.0.2.10"), "{forwarded}");
    table.receive(BOB, &response(&forwarded, "180 Ringing"));
    table.receive(BOB, &response(&forwarded, "200 OK"));
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 180 Ringing"), format!("{ALICE} SIP/2.0 200 OK")]);
    table
        .receive(ALICE, &request("ACK", "sip:bob@192.0.2.20", "2", "b1", "Route: <sip:192.0.2.1:5060;lr>\n"));
    let ack = table.last();
    assert!(ack.starts_with("ACK sip:bob@192.0.2.20"), "{ack}");
    table.advance(Duration::from_secs(40));
    assert_eq!(table.lines(), Vec::<String>::new());
    assert_eq!(table.shard.transactions(), (0, 0));
    assert_eq!(table.shard.open_tickets(), 0);
}

#[test]
fn a_repeated_request_is_asked_about_once() {
    let mut table = Table::new(|_| Some(Verdict::of(Decision::Reply(ReplySpec::code(404)))));
    table.receive(ALICE, &invite());
    table.receive(ALICE, &invite());
    assert_eq!(
        table.lines(),
        [format!("{ALICE} SIP/2.0 404 Not Found"), format!("{ALICE} SIP/2.0 404 Not Found")]
    );
    assert_eq!(table.shard.stats().questions, 1);
}

#[test]
fn a_2xx_that_comes_again_is_forwarded_again() {
    let mut table = Table::new(|_| relay());
    table.receive(ALICE, &invite());
    let forwarded = table.last();
    table.receive(BOB, &response(&forwarded, "200 OK"));
    table.receive(BOB, &response(&forwarded, "200 OK"));
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 200 OK"), format!("{ALICE} SIP/2.0 200 OK")]);
}

#[test]
fn cancel_while_the_policy_thinks_is_answered_at_once() {
    let mut table = Table::new(|_| None);
    table.receive(ALICE, &invite());
    assert_eq!(table.open.len(), 1);
    table.receive(ALICE, &request("CANCEL", "sip:bob@example.com", "1", "", ""));
    assert_eq!(
        table.lines(),
        [format!("{ALICE} SIP/2.0 200 OK"), format!("{ALICE} SIP/2.0 487 Request Terminated")]
    );
    assert_eq!(table.withdrawn.len(), 1);
    // The answer comes too late and does nothing.
    table.answer(0, relay().expect("a verdict"));
    assert_eq!(table.lines(), Vec::<String>::new());
    assert_eq!(table.shard.stats().stale_answers, 1);
}

#[test]
fn cancel_waits_for_a_provisional_response_and_then_goes_down() {
    let mut table = Table::new(|_| relay());
    table.receive(ALICE, &invite());
    let forwarded = table.last();
    table.receive(ALICE, &request("CANCEL", "sip:bob@example.com", "1", "", ""));
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 200 OK")]);
    table.receive(BOB, &response(&forwarded, "180 Ringing"));
    let lines = table.lines();
    assert!(lines.iter().any(|l| l.starts_with(&format!("{BOB} CANCEL "))), "{lines:?}");
    table.receive(BOB, &response(&forwarded, "487 Request Terminated"));
    let lines = table.lines();
    assert!(lines.iter().any(|l| l.starts_with(&format!("{BOB} ACK "))), "{lines:?}");
    assert!(lines.iter().any(|l| l == &format!("{ALICE} SIP/2.0 487 Request Terminated")), "{lines:?}");
}

#[test]
fn the_loser_of_a_fork_is_cancelled() {
    let mut table = Table::new(|_| {
        Some(Verdict::of(Decision::Fork {
            targets: two(),
            strategy: Strategy::Parallel,
            options: RelayOptions::default(),
        }))
    });
    table.receive(ALICE, &invite());
    let second = table.last();
    table.receive("192.0.2.21:5060", &response(&second, "180 Ringing"));
    table.advance(Duration::from_millis(600));
    let first = {
        let mut texts = Vec::new();
        std::mem::swap(&mut texts, table.sent_mut());
        texts
            .into_iter()
            .find(|(to, t)| to.to_string() == BOB && t.starts_with("INVITE"))
            .expect("sent again")
            .1
    };
    table.receive(BOB, &response(&first, "200 OK"));
    let lines = table.lines();
    assert!(lines.contains(&format!("{ALICE} SIP/2.0 200 OK")), "{lines:?}");
    assert!(lines.iter().any(|l| l.starts_with("192.0.2.21:5060 CANCEL ")), "{lines:?}");
}

#[test]
fn an_empty_fork_is_480() {
    let mut table = Table::new(|_| {
        Some(Verdict::of(Decision::Fork {
            targets: Vec::new(),
            strategy: Strategy::Parallel,
            options: RelayOptions::default(),
        }))
    });
    table.receive(ALICE, &invite());
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 480 Temporarily Unavailable")]);
}

#[test]
fn a_failed_handler_is_500() {
    let mut table = Table::new(|_| Some(Verdict::of(Decision::Failed(Text::from("NameError")))));
    table.receive(ALICE, &invite());
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 500 Server Internal Error")]);
}

#[test]
fn a_policy_that_never_answers_is_500_at_its_deadline() {
    let mut table = Table::new(|_| None);
    table.receive(ALICE, &invite());
    table.advance(Duration::from_secs(61));
    let lines = table.lines();
    assert_eq!(lines.first(), Some(&format!("{ALICE} SIP/2.0 100 Trying")));
    assert!(lines.contains(&format!("{ALICE} SIP/2.0 500 Server Internal Error")), "{lines:?}");
}

#[test]
fn a_request_of_a_parked_call_waits_its_turn() {
    let mut table = Table::new(|_| None);
    table.receive(ALICE, &invite());
    table.receive(ALICE, &request("INFO", "sip:bob@example.com", "7", "b1", ""));
    assert_eq!(table.open.len(), 1);
    table.answer(0, Verdict::of(Decision::Reply(ReplySpec::code(404))));
    assert_eq!(table.open.len(), 2);
    assert_eq!(table.open[1].1.request.method_name(), "INFO");
}

#[test]
fn what_waits_behind_a_parked_handler_goes_on_one_by_one() {
    let mut table = Table::new(|_| None);
    table.receive(ALICE, &invite());
    for (method, branch) in [("INFO", "7"), ("MESSAGE", "8"), ("BYE", "9")] {
        table.receive(ALICE, &request(method, "sip:bob@example.com", branch, "b1", ""));
    }
    let asked = |table: &Table| -> Vec<String> {
        table.open.iter().map(|(_, q)| q.request.method_name().to_owned()).collect()
    };
    assert_eq!(asked(&table), ["INVITE"]);
    table.answer(0, Verdict::of(Decision::Reply(ReplySpec::code(404))));
    assert_eq!(asked(&table), ["INVITE", "INFO"], "the handler of the INFO may park, too");
    table.answer(1, Verdict::of(Decision::Reply(ReplySpec::code(200))));
    assert_eq!(asked(&table), ["INVITE", "INFO", "MESSAGE"]);
    table.advance(Duration::from_secs(61));
    assert_eq!(asked(&table), ["INVITE", "INFO", "MESSAGE", "BYE"], "its time was over");
}

#[test]
fn a_handler_that_relayed_at_once_and_goes_on_holds_up_nothing_of_its_call() {
    let mut table = Table::new(|question| {
        let finished = question.request.method() != Method::Invite;
        relay().map(|verdict| Verdict { finished, ..verdict })
    });
    table.receive(ALICE, &invite());
    let forwarded = table.last();
    table.receive(BOB, &response(&forwarded, "200 OK"));
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 200 OK")]);
    table.receive(ALICE, &request("BYE", "sip:bob@192.0.2.20", "9", "b1", ""));
    let lines = table.lines();
    assert!(lines.iter().any(|l| l.starts_with(&format!("{BOB} BYE "))), "{lines:?}");
}

#[test]
fn failure_policy_is_asked_about_a_fork_without_targets_and_once_only() {
    let empty = || Decision::Fork {
        targets: Vec::new(),
        strategy: Strategy::Parallel,
        options: RelayOptions::default(),
    };
    for mends in [true, false] {
        let interest = Interest { failures: true, ..Interest::default() };
        let mut table = Table::new(move |question| match &question.kind {
            QuestionKind::Failure { reply, is_local } => {
                assert_eq!((reply.status(), *is_local), (480, true));
                if mends { relay() } else { Some(keeping(Some(empty()), interest)) }
            }
            _ => Some(keeping(Some(empty()), interest)),
        });
        table.receive(ALICE, &invite());
        let lines = table.lines();
        let expected = match mends {
            true => format!("{BOB} INVITE sip:bob@192.0.2.20:5060 SIP/2.0"),
            false => format!("{ALICE} SIP/2.0 480 Temporarily Unavailable"),
        };
        assert_eq!(lines.iter().filter(|l| !l.contains(" 100 ")).collect::<Vec<_>>(), [&expected]);
        assert_eq!(table.shard.stats().questions, 2);
        table.advance(Duration::from_secs(200));
        assert_eq!((table.shard.transactions(), table.shard.open_tickets()), ((0, 0), 0));
    }
    // Where nobody wants to know, it is answered.
    let mut table = Table::new(move |_| Some(Verdict::of(empty())));
    table.receive(ALICE, &invite());
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 480 Temporarily Unavailable")]);
}

/// The log's level is raised while a call is set up.
#[test]
fn events_name_the_call_though_nobody_read_them_when_it_began() {
    let mut table = Table::new(|_| relay());
    table.reads = Classes::default();
    table.receive(ALICE, &invite());
    let forwarded = table.last();
    assert!(table.told.is_empty());
    table.reads = Classes::ALL;
    table.receive(BOB, &response(&forwarded, "486 Busy Here"));
    let completed = table.told.iter().filter_map(|kind| match kind {
        Kind::TransactionCompleted { call_id, status, .. } => Some((call_id.to_string(), *status)),
        _ => None,
    });
    let call = || ("call-1".to_owned(), 486);
    assert_eq!(completed.collect::<Vec<_>>(), [call(), call()], "on either side");
}

#[test]
fn failure_policy_may_try_another_target() {
    let interest = Interest { failures: true, ..Interest::default() };
    let mut table = Table::new(move |question| match question.kind {
        QuestionKind::Failure { .. } => Some(keeping(
            Some(Decision::Fork {
                targets: vec![Target::uri("sip:voicemail@192.0.2.30")],
                strategy: Strategy::Parallel,
                options: RelayOptions::default(),
            }),
            interest,
        )),
        _ => relay().map(|verdict| keeping(verdict.decision, interest)),
    });
    table.receive(ALICE, &invite());
    let forwarded = table.last();
    table.receive(BOB, &response(&forwarded, "486 Busy Here"));
    let lines = table.lines();
    assert!(
        lines.iter().any(|l| l == "192.0.2.30:5060 INVITE sip:voicemail@192.0.2.30 SIP/2.0"),
        "{lines:?}"
    );
    assert!(!lines.iter().any(|l| l.contains("486")), "{lines:?}");
}

#[test]
fn a_reply_in_question_holds_the_later_ones_of_its_transaction() {
    let interest = Interest { replies: true, ..Interest::default() };
    let mut table = Table::new(move |question| match question.kind {
        QuestionKind::Reply { .. } => None,
        _ => relay().map(|verdict| keeping(verdict.decision, interest)),
    });
    table.receive(ALICE, &invite());
    let forwarded = table.last();
    table.receive(BOB, &response(&forwarded, "180 Ringing"));
    table.receive(BOB, &response(&forwarded, "200 OK"));
    assert_eq!(table.lines(), Vec::<String>::new());
    table.answer(0, Verdict::default());
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 180 Ringing")]);
    table.answer(1, Verdict::default());
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 200 OK")]);
}

#[test]
fn no_answer_at_all_is_408() {
    let mut table = Table::new(|_| relay());
    table.receive(ALICE, &invite());
    table.advance(Duration::from_secs(33));
    let lines = table.lines();
    assert!(lines.contains(&format!("{ALICE} SIP/2.0 408 Request Timeout")), "{lines:?}");
}

#[test]
fn a_malformed_request_is_answered_with_its_fault() {
    let mut table = Table::new(|_| relay());
    table.receive(ALICE, &invite().replace("CSeq: 1 INVITE", "CSeq: 1 BYE"));
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 400 CSeq Method Does Not Match Request Method")]);
}

#[test]
fn draining_turns_new_calls_away_and_serves_running_ones() {
    let mut table = Table::new(|_| relay());
    table.shard.drain();
    table.receive(ALICE, &invite());
    let refused = table.last();
    assert!(refused.starts_with("SIP/2.0 503 "), "{refused}");
    assert!(refused.contains("Retry-After: "), "{refused}");
    table.receive(ALICE, &request("BYE", "sip:bob@192.0.2.20", "9", "b1", ""));
    let lines = table.lines();
    assert!(lines.iter().any(|l| l.starts_with(&format!("{BOB} BYE "))), "{lines:?}");
}

#[test]
fn responses_behind_one_in_question_are_bounded_and_the_final_one_gets_through() {
    let interest = Interest { replies: true, ..Interest::default() };
    let mut table = Table::new(move |question| match question.kind {
        QuestionKind::Reply { .. } => None,
        _ => relay().map(|verdict| keeping(verdict.decision, interest)),
    });
    table.receive(ALICE, &invite());
    let forwarded = table.last();
    for _ in 0..100 {
        table.receive(BOB, &response(&forwarded, "183 Session Progress"));
    }
    table.receive(BOB, &response(&forwarded, "200 OK"));
    for nth in 0.. {
        if nth >= table.open.len() {
            break;
        }
        table.answer(nth, Verdict::default());
    }
    let lines = table.lines();
    assert_eq!(lines.iter().filter(|l| l.contains("183")).count(), 17, "one in question, sixteen behind it");
    assert_eq!(lines.last(), Some(&format!("{ALICE} SIP/2.0 200 OK")));
}

#[test]
fn a_2xx_that_comes_after_the_failure_and_its_transaction_are_over_is_forwarded_by_its_via() {
    let interest = Interest { replies: true, ..Interest::default() };
    let mut table = Table::new(move |question| match &question.kind {
        QuestionKind::Reply { reply, .. } if reply.status() == 180 => {
            Some(Verdict::of(Decision::Reply(ReplySpec::code(480))))
        }
        QuestionKind::Reply { .. } => Some(Verdict::default()),
        _ => relay().map(|verdict| keeping(verdict.decision, interest)),
    });
    table.receive(ALICE, &invite());
    let forwarded = table.last();
    table.receive(BOB, &response(&forwarded, "180 Ringing"));
    let lines = table.lines();
    assert!(lines.contains(&format!("{ALICE} SIP/2.0 480 Temporarily Unavailable")), "{lines:?}");
    table.receive(ALICE, &request("ACK", "sip:bob@example.com", "1", "b1", ""));
    table.advance(Duration::from_secs(10));
    assert_eq!(table.shard.transactions().0, 0, "the failed INVITE is forgotten");
    table.lines();
    for copy in 0..2 {
        table.receive(BOB, &response(&forwarded, "200 OK"));
        let success = table.last();
        assert!(
            success.starts_with("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.10:5060"),
            "{copy}: {success}"
        );
    }
    table.receive(BOB, &response(&forwarded, "200 OK"));
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 200 OK")]);
}

#[test]
fn a_connection_that_closes_after_the_answer_leaves_the_call_its_copies_of_the_2xx() {
    let connection = ConnectionId { shard: 0, slot: 3, generation: 1 };
    let mut table = Table::new(move |_| {
        let flow = Flow {
            transport: Transport::Tcp,
            local: PROXY.parse().expect("an address"),
            remote: BOB.parse().expect("an address"),
            connection: Some(connection),
        };
        let target = Target { flow: Some(flow), ..Target::uri(format!("sip:bob@{BOB};transport=tcp")) };
        Some(Verdict::of(Decision::Fork {
            targets: vec![target],
            strategy: Strategy::Parallel,
            options: RelayOptions::default(),
        }))
    });
    table.receive(ALICE, &invite());
    let forwarded = table.last();
    table.receive(BOB, &response(&forwarded, "200 OK"));
    table.feed(Input::ConnectionClosed { connection });
    // The peer has a new connection, and no ACK yet.
    table.receive(BOB, &response(&forwarded, "200 OK"));
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 200 OK"), format!("{ALICE} SIP/2.0 200 OK")]);
}

/// A caller that compares From with what it sent took the 486 of a script with `set_from_uri` for another's.
#[test]
fn what_a_script_calls_caller_and_callee_is_not_told_to_the_caller() {
    let mut table = Table::new(move |question| {
        let QuestionKind::Request = &question.kind else { return Some(Verdict::default()) };
        let mut splice = Splice::of(&question.request);
        splice.set(HeaderId::From, "<sip:anonymous@anonymous.invalid>;tag=a1").unwrap();
        splice.set(HeaderId::To, "<sip:service@example.net>").unwrap();
        let message = splice.into_message(&Limits::default()).ok();
        relay().map(|verdict| Verdict { message, ..verdict })
    });
    let asked = invite();
    let line = |text: &str, name: &str| {
        text.lines().find(|l| l.starts_with(name)).unwrap_or_default().trim().to_owned()
    };
    table.receive(ALICE, &asked);
    let forwarded = table.last();
    assert_eq!(line(&forwarded, "From:"), "From: <sip:anonymous@anonymous.invalid>;tag=a1");
    assert_eq!(line(&forwarded, "To:"), "To: <sip:service@example.net>");
    for status in ["180 Ringing", "200 OK", "200 OK"] {
        table.receive(BOB, &response(&forwarded, status));
        let back = table.last();
        assert!(back.starts_with(&format!("SIP/2.0 {status}")), "{back}");
        assert_eq!(line(&back, "From:"), line(&asked, "From:"));
        let tag = line(&response(&forwarded, status), "To:").split_once(";tag=").unwrap().1.to_owned();
        assert_eq!(line(&back, "To:"), format!("{};tag={tag}", line(&asked, "To:")));
    }
}

#[test]
fn what_policy_decided_about_the_ack_to_a_2xx_is_told_with_its_line() {
    let mut table = Table::new(|_| {
        let script_line = Some("route.py:7".into());
        Some(Verdict { script_line, ..Verdict::of(Decision::Relay(RelayOptions::default())) })
    });
    let ack = request("ACK", "sip:bob@192.0.2.20", "2", "b1", "Route: <sip:192.0.2.1:5060;lr>\n");
    table.receive(ALICE, &ack);
    let told = table.told.iter().find_map(|kind| match kind {
        Kind::Decided { call_id, method, decision, script_line } => {
            Some((&**call_id, *method, &**decision, script_line.as_deref()))
        }
        _ => None,
    });
    assert_eq!(told, Some(("call-1", Method::Ack, "relay", Some("route.py:7"))));
}

#[test]
fn a_request_that_came_by_two_paths_is_answered_once_and_the_other_is_482() {
    let mut table = Table::new(|_| Some(Verdict::of(Decision::Reply(ReplySpec::code(200)))));
    let by = |branch: &str| request("MESSAGE", "sip:bob@example.com", branch, "", "");
    table.receive(ALICE, &by("1"));
    table.receive(ALICE, &by("2"));
    assert_eq!(
        table.lines(),
        [format!("{ALICE} SIP/2.0 200 OK"), format!("{ALICE} SIP/2.0 482 Loop Detected")]
    );
    // Another request of the same call is none of that kind.
    table.receive(ALICE, &by("3").replace("CSeq: 1", "CSeq: 2"));
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 200 OK")]);
}

#[test]
fn options_that_require_what_is_unknown_here_are_420_by_the_role_procedure() {
    let mut table = Table::new(|_| Some(Verdict::of(Decision::RoleProcedure)));
    let asks = |branch: &str, more: &str| request("OPTIONS", "sip:example.com", branch, "", more);
    table.receive(ALICE, &asks("1", "Require: foo, path\n"));
    let answer = table.last();
    assert!(answer.starts_with("SIP/2.0 420 Bad Extension"), "{answer}");
    assert!(answer.contains("Unsupported: foo\r\n"), "{answer}");
    table.receive(ALICE, &asks("2", "Require: path\n").replace("CSeq: 1", "CSeq: 2"));
    assert!(table.last().starts_with("SIP/2.0 200 OK"));
    // What a user's phone must understand is no matter of ours.
    let to_bob = asks("3", "Require: foo\n").replace("sip:example.com SIP", "sip:bob@example.com SIP");
    table.receive(ALICE, &to_bob.replace("CSeq: 1", "CSeq: 3"));
    assert!(table.last().starts_with("SIP/2.0 404"));
}

#[test]
fn what_is_refused_or_turned_away_is_told_with_its_call_id() {
    let mut table = Table::new(|_| relay());
    table.receive(ALICE, &invite().replace("CSeq: 1 INVITE", "CSeq: 1 BYE"));
    table.shard.drain();
    table.receive(ALICE, &invite());
    let told: Vec<_> = table
        .told
        .iter()
        .filter_map(|kind| match kind {
            Kind::Refused { call_id, .. } => Some(("refused", call_id.as_deref())),
            Kind::Shed { call_id, .. } => Some(("shed", call_id.as_deref())),
            _ => None,
        })
        .collect();
    assert_eq!(told, [("refused", Some("call-1")), ("shed", Some("call-1"))]);
}

/// A proxy below forks: its second 2xx is another dialog, and went up as a copy of the first, so nobody hung it up.
#[test]
fn a_2xx_of_another_dialog_is_not_sent_as_the_edited_one_that_is_kept() {
    let mut table = Table::new(move |question| {
        let QuestionKind::Request = &question.kind else { return Some(Verdict::default()) };
        let mut splice = Splice::of(&question.request);
        splice.set(HeaderId::From, "<sip:anonymous@anonymous.invalid>;tag=a1").unwrap();
        let message = splice.into_message(&Limits::default()).ok();
        relay().map(|verdict| Verdict { message, ..verdict })
    });
    table.receive(ALICE, &invite());
    let success = response(&table.last(), "200 OK");
    let other = success.replace(";tag=b1", ";tag=b2");
    assert_ne!(other, success);
    for (sent, tag) in [(&success, ";tag=b1"), (&other, ";tag=b2"), (&success, ";tag=b1")] {
        table.receive(BOB, sent);
        let back = table.last();
        assert!(back.lines().any(|l| l.starts_with("To:") && l.contains(tag)), "{back}");
    }
}
