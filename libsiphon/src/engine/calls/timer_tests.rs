//! Session timers of calls (RFC 4028): each leg agrees on its own, and this node refreshes where it is its turn.

use super::tests::{OFFER, inside, invite, nothing_is_left, only, reply, sent, settings, to_bob, up, value};
use crate::base::time::Duration;
use crate::engine::settings::Settings;
use crate::engine::testing::{ALICE, BOB, Table};
use crate::policy::call::SessionRefresher;
use crate::policy::{CallAction, Decision, QuestionKind, Verdict};
use crate::proto::b2bua;
use crate::proto::session::{Preference, SessionTimerSettings};
use std::sync::Arc;

/// Calls with a session timer of `secs`.
fn timed(secs: u32, preference: Preference) -> Settings {
    let plain = settings();
    let calls = plain.b2bua.as_deref().cloned().unwrap_or_default();
    let session_timer = SessionTimerSettings::new(secs, 90, preference);
    Settings { b2bua: Some(Arc::new(b2bua::Settings { session_timer, ..calls })), ..plain }
}

fn with(message: &str, fields: &str) -> String {
    message.replacen("Contact:", &format!("{fields}Contact:"), 1)
}

/// A call that is up: the INVITE bob got and the 200 alice got. `asked` is in alice's INVITE, `agreed` in bob's 2xx.
fn timed_up(table: &mut Table, asked: &str, agreed: &str) -> (String, String) {
    table.receive(ALICE, &invite(asked, OFFER));
    let (_, to_bob) = only(table);
    table.receive(BOB, &with(&reply(&to_bob, "200 OK", "b1", BOB, OFFER), agreed));
    let ok = sent(table).remove(1).1;
    table.receive(ALICE, &inside("ACK", "a2", 1, &ok, ALICE, "", ""));
    (to_bob, ok)
}

/// Half of 1800 s, and less than what a request waits for before it is sent again.
const JUST_HALF: Duration = Duration::from_millis(900_200);
const TIMER: &str = "Supported: timer\n";
const BOB_REFRESHES: &str = "Require: timer\nSession-Expires: 1800;refresher=uas\n";
const WE_REFRESH: &str = "Require: timer\nSession-Expires: 1800;refresher=uac\n";

#[test]
fn each_leg_agrees_on_an_interval_of_its_own() {
    let mut table = Table::with(timed(1800, Preference::Uac), to_bob);
    let asked = "Supported: timer\nSession-Expires: 600;refresher=uac\n";
    let (to_bob, ok) = timed_up(&mut table, asked, BOB_REFRESHES);
    assert_eq!(value(&to_bob, "Session-Expires"), "1800;refresher=uac");
    assert_eq!(value(&to_bob, "Supported"), "100rel, timer");
    assert_eq!(value(&ok, "Session-Expires"), "600;refresher=uac");
    assert_eq!((value(&ok, "Require"), value(&ok, "Supported")), ("timer", "timer"));
    // The peers refresh; alice does not, and her session ends 32 s before its time.
    table.advance(Duration::from_secs(560));
    assert_eq!(table.lines(), Vec::<String>::new());
    table.advance(Duration::from_secs(10));
    let all = sent(&mut table);
    assert!(all.iter().any(|(to, m)| to == ALICE && m.starts_with("BYE ")), "{all:#?}");
    assert!(all.iter().any(|(to, m)| to == BOB && m.starts_with("BYE ")), "{all:#?}");
    nothing_is_left(&mut table);
}

#[test]
fn without_settings_nobody_is_asked_for_a_session_timer() {
    let mut table = Table::with(settings(), to_bob);
    let (to_bob, ok) = timed_up(&mut table, "Supported: timer\nSession-Expires: 600\n", "");
    assert_eq!((value(&to_bob, "Session-Expires"), value(&ok, "Session-Expires")), ("", ""));
}

#[test]
fn a_callee_that_finds_the_interval_too_small_is_asked_again_with_its_own() {
    let mut table = Table::with(timed(300, Preference::Uac), to_bob);
    table.receive(ALICE, &invite(TIMER, OFFER));
    let (_, first) = only(&mut table);
    let refusal = reply(&first, "422 Session Interval Too Small", "b1", BOB, "");
    table.receive(BOB, &with(&refusal, "Min-SE: 900\n"));
    let all = sent(&mut table);
    assert!(all[0].1.starts_with("ACK ") && all[1].1.starts_with("INVITE "), "{all:#?}");
    let second = &all[1].1;
    assert_eq!((value(second, "Session-Expires"), value(second, "Min-SE")), ("900;refresher=uac", "900"));
    assert_eq!((value(second, "CSeq"), value(second, "Call-ID")), ("2 INVITE", value(&first, "Call-ID")));
    assert_eq!(second.matches("Session-Expires:").count(), 1);
    assert!(second.contains("m=audio 4000"), "{second}");
    // A refusal that helps nobody is the callee's last word.
    let refusal = reply(second, "422 Session Interval Too Small", "b2", BOB, "");
    table.receive(BOB, &with(&refusal, "Min-SE: 90\n"));
    let lines = table.lines();
    assert!(lines.last().is_some_and(|l| l.starts_with(&format!("{ALICE} SIP/2.0 422"))), "{lines:#?}");
}

#[test]
fn a_caller_whose_interval_is_too_small_is_refused_422() {
    let mut table = Table::with(timed(1800, Preference::Uac), to_bob);
    table.receive(ALICE, &invite("Supported: timer\nSession-Expires: 60\n", OFFER));
    let (at, refused) = only(&mut table);
    assert!(at == ALICE && refused.starts_with("SIP/2.0 422"), "{refused}");
    assert_eq!(value(&refused, "Min-SE"), "90");
    nothing_is_left(&mut table);
}

#[test]
fn a_session_is_refreshed_by_update_where_the_peer_allows_it() {
    let mut table = Table::with(timed(1800, Preference::B2bua), to_bob);
    let allow = "Allow: INVITE, ACK, BYE, UPDATE\n";
    timed_up(&mut table, &format!("{TIMER}{allow}"), &format!("{WE_REFRESH}{allow}"));
    table.advance(Duration::from_secs(899));
    assert_eq!(table.lines(), Vec::<String>::new());
    for _ in 0..3 {
        table.advance(Duration::from_millis(1200));
        let all = sent(&mut table);
        assert_eq!(all.len(), 2, "both legs are ours to refresh: {all:#?}");
        for (at, update) in &all {
            assert!(update.starts_with("UPDATE ") && !update.contains("m=audio"), "{update}");
            assert!(value(update, "Session-Expires").starts_with("1800;refresher=uac"), "{update}");
            table.receive(at, &with(&reply(update, "200 OK", "", at, ""), WE_REFRESH));
        }
        assert_eq!(table.lines(), Vec::<String>::new());
        table.advance(Duration::from_secs(899));
    }
}

#[test]
fn a_session_is_refreshed_by_reinvite_with_the_description_that_was_said_last() {
    let mut table = Table::with(timed(1800, Preference::Uac), to_bob);
    let (to_bob, _) =
        timed_up(&mut table, "Supported: timer\nSession-Expires: 1800;refresher=uac\n", WE_REFRESH);
    table.advance(JUST_HALF);
    let (at, again) = only(&mut table);
    assert!(at == BOB && again.starts_with("INVITE sip:x@192.0.2.20:5060"), "{again}");
    let body = |m: &str| m.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    assert_eq!(body(&again), body(&to_bob), "the same session, the same version");
    // Glare: tried again after 2.1 to 4 s, since the Call-ID is ours.
    table.receive(BOB, &reply(&again, "491 Request Pending", "", BOB, ""));
    assert_eq!(sent(&mut table).len(), 1, "the ACK");
    table.advance(Duration::from_secs(2));
    assert_eq!(table.lines(), Vec::<String>::new());
    table.advance(Duration::from_secs(3));
    let (_, third) = sent(&mut table).remove(0);
    assert!(third.starts_with("INVITE ") && value(&third, "CSeq") == "3 INVITE", "{third}");
    table.receive(BOB, &with(&reply(&third, "200 OK", "", BOB, OFFER), WE_REFRESH));
    let (at, ack) = only(&mut table);
    assert!(at == BOB && ack.starts_with("ACK ") && value(&ack, "CSeq") == "3 ACK", "{ack}");
    // Its ACK was lost.
    table.receive(BOB, &with(&reply(&third, "200 OK", "", BOB, OFFER), WE_REFRESH));
    assert!(only(&mut table).1.starts_with("ACK "));
    assert_eq!(table.shard.calls(), 1);
}

#[test]
fn a_change_that_crosses_our_own_refresh_is_answered_491() {
    let mut table = Table::with(timed(1800, Preference::Uac), to_bob);
    let asked = "Supported: timer\nSession-Expires: 1800;refresher=uac\n";
    let (to_bob, ok) = timed_up(&mut table, asked, WE_REFRESH);
    table.advance(JUST_HALF);
    only(&mut table);
    table.receive(BOB, &inside("INVITE", "r1", 6, &to_bob, BOB, "", OFFER));
    assert_eq!(table.lines(), [format!("{BOB} SIP/2.0 491 Request Pending")]);
    table.receive(ALICE, &inside("INVITE", "r2", 6, &ok, ALICE, "", OFFER));
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 491 Request Pending")]);
}

#[test]
fn a_refresh_of_a_peer_passes_and_each_leg_says_its_own_terms() {
    let mut table = Table::with(timed(1800, Preference::Uac), to_bob);
    let asked = "Supported: timer\nSession-Expires: 600;refresher=uac\n";
    let (_, ok) = timed_up(&mut table, asked, BOB_REFRESHES);
    for n in 0..3_u32 {
        table.advance(Duration::from_secs(300));
        table.receive(ALICE, &inside("INVITE", &format!("r{n}"), 2 + n, &ok, ALICE, asked, OFFER));
        let (at, passed) = only(&mut table);
        assert_eq!((&*at, value(&passed, "Session-Expires")), (BOB, "1800;refresher=uas"));
        table.receive(BOB, &with(&reply(&passed, "200 OK", "", BOB, OFFER), BOB_REFRESHES));
        let (at, answer) = sent(&mut table).remove(1);
        assert_eq!((&*at, value(&answer, "Session-Expires")), (ALICE, "600;refresher=uac"));
        table.receive(ALICE, &inside("ACK", &format!("k{n}"), 2 + n, &ok, ALICE, "", ""));
    }
    assert_eq!(table.shard.calls(), 1, "900 s with a session of 600");
    table.receive(
        ALICE,
        &inside("INVITE", "s1", 9, &ok, ALICE, "Supported: timer\nSession-Expires: 30\n", OFFER),
    );
    let (_, refused) = only(&mut table);
    assert!(refused.starts_with("SIP/2.0 422") && value(&refused, "Min-SE") == "90", "{refused}");
}

#[test]
fn an_update_that_only_refreshes_ends_here_where_the_other_side_does_not_allow_it() {
    let mut table = Table::with(timed(1800, Preference::Uac), to_bob);
    let asked = "Supported: timer\nSession-Expires: 600;refresher=uac\n";
    let (_, ok) = timed_up(&mut table, asked, "Allow: INVITE, ACK, BYE\n");
    table.receive(ALICE, &inside("UPDATE", "u1", 2, &ok, ALICE, asked, ""));
    let (at, answer) = only(&mut table);
    assert!(at == ALICE && answer.starts_with("SIP/2.0 200"), "{answer}");
    assert_eq!(value(&answer, "Session-Expires"), "600;refresher=uac");
}

#[test]
fn a_refresh_that_finds_no_dialog_or_nobody_ends_the_call() {
    for gone in [true, false] {
        let mut table = Table::with(timed(1800, Preference::Uac), to_bob);
        let asked = "Supported: timer\nSession-Expires: 1800;refresher=uac\n";
        timed_up(&mut table, asked, &format!("{WE_REFRESH}Allow: UPDATE\n"));
        table.advance(JUST_HALF);
        let (_, update) = only(&mut table);
        match gone {
            true => table.receive(BOB, &reply(&update, "481 Call Does Not Exist", "", BOB, "")),
            false => table.advance(Duration::from_secs(33)),
        }
        let lines = table.lines();
        assert!(lines.iter().any(|l| l.starts_with(ALICE) && l.contains("BYE ")), "{lines:#?}");
        nothing_is_left(&mut table);
    }
}

#[test]
fn a_peer_that_refuses_update_is_refreshed_by_reinvite() {
    let mut table = Table::with(timed(1800, Preference::Uac), to_bob);
    let asked = "Supported: timer\nSession-Expires: 1800;refresher=uac\n";
    timed_up(&mut table, asked, &format!("{WE_REFRESH}Allow: UPDATE\n"));
    table.advance(JUST_HALF);
    let (_, update) = only(&mut table);
    table.receive(BOB, &reply(&update, "405 Method Not Allowed", "", BOB, ""));
    table.advance(Duration::from_millis(200));
    let (at, again) = only(&mut table);
    assert!(at == BOB && again.starts_with("INVITE ") && again.contains("m=audio"), "{again}");
}

#[test]
fn a_script_sets_the_session_timer_of_its_call() {
    let mut table = Table::with(settings(), |q| match &q.kind {
        QuestionKind::Request => {
            let timer = CallAction::SessionTimer {
                expires: Duration::from_secs(400),
                min_se: Duration::from_secs(100),
                refresher: SessionRefresher::Uas,
            };
            let dial = super::tests::dial(&[BOB]);
            Some(Verdict::of(Decision::Call(vec![timer, dial])))
        }
        _ => Some(Verdict::default()),
    });
    let (to_bob, _) = up(&mut table);
    assert_eq!((value(&to_bob, "Session-Expires"), value(&to_bob, "Min-SE")), ("400;refresher=uas", "100"));
}
