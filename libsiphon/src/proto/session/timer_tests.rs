use std::fmt::Write;

use super::*;

const T0: Instant = Instant::from_unix_secs(1_800_000_000);

fn at(secs: u64) -> Instant {
    T0 + Duration::from_secs(secs)
}

fn timer(interval: u32, preference: Preference) -> SessionTimer {
    SessionTimer::new(SessionTimerSettings::new(interval, 90, preference))
}

fn se(text: &str) -> Option<SessionExpires> {
    (!text.is_empty()).then(|| SessionExpires::parse(text).unwrap())
}

/// What is due, and when, until the session has expired.
fn schedule(mut timer: SessionTimer) -> Vec<(u64, Due)> {
    let mut log = Vec::new();
    while let Some(now) = timer.deadline() {
        let due = timer.tick(now).expect("something is due at the deadline");
        log.push((now.since(T0).as_secs(), due));
    }
    log
}

#[test]
fn what_the_answer_says_follows_from_what_the_request_says() {
    let mut text = String::new();
    for preference in PREFERENCES {
        writeln!(text, "we want 1800 s, at least 120 s, refreshed by {preference:?}").unwrap();
        for supports in [true, false] {
            for (expires, min_se) in [
                ("", None),
                ("", Some(3600)),
                ("3600", None),
                ("3600;refresher=uac", None),
                ("3600;refresher=uas", None),
                ("600", Some(300)),
                ("600;refresher=uas", None),
                ("3600", Some(2400)),
                ("100;refresher=uac", None),
                ("0", None),
            ] {
                let mut timer = SessionTimer::new(SessionTimerSettings::new(1800, 120, preference));
                let answer = match timer.asked(se(expires), min_se, supports) {
                    Err(fault) => format!("422 Min-SE: {}", fault.min_se),
                    Ok(plan) => {
                        assert_eq!(Plan::from_bytes(&plan.to_bytes()), Ok(plan));
                        let require = if plan.requires_timer() { ", Require" } else { "" };
                        let field = plan.session_expires().map_or("-".to_owned(), |s| s.to_string());
                        timer.answered(plan, T0);
                        let who = if timer.we_refresh() { "we" } else { "they" };
                        format!("{field}{require}: {who} refresh")
                    }
                };
                let min_se = min_se.map_or(String::new(), |n| format!(" Min-SE {n}"));
                let known = if supports { "timer" } else { "     " };
                writeln!(text, "    {known} {:<32} {answer}", format!("[{expires}]{min_se}")).unwrap();
            }
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn what_we_ask_for_follows_the_preference_and_then_the_roles() {
    let asked = |t: &SessionTimer| t.ask().map(|a| (a.session_expires.to_string(), a.min_se));
    for (preference, field) in [
        (Preference::Uac, "1800;refresher=uac"),
        (Preference::B2bua, "1800;refresher=uac"),
        (Preference::Uas, "1800;refresher=uas"),
    ] {
        assert_eq!(asked(&timer(1800, preference)), Some((field.to_owned(), None)));
    }
    let mut timer = timer(1800, Preference::Uac);
    timer.accepted(se("600;refresher=uas"), T0);
    assert_eq!(asked(&timer), Some(("600;refresher=uas".to_owned(), None)), "they go on refreshing");
    timer.asked(None, Some(300), true).unwrap();
    assert_eq!(asked(&timer), Some(("600;refresher=uas".to_owned(), Some(300))), "Min-SE is remembered");
    let settings = SessionTimerSettings::new(60, 30, Preference::Uac);
    let short = SessionTimer::new(settings);
    assert_eq!(asked(&short), Some(("90;refresher=uac".to_owned(), None)), "no less than 90 s");
    assert!(settings.is_enabled());
}

#[test]
fn who_refreshes_does_so_at_half_the_interval_and_both_give_up_before_its_end() {
    use Method::{Invite, Update};
    let refreshed = |interval: u32, refresher: &str, by_update: bool| {
        let mut timer = timer(1800, Preference::Uac);
        let allow = if by_update { MethodSet::of(&[Invite, Update]) } else { MethodSet::of(&[Invite]) };
        timer.peer_allows(allow);
        timer.accepted(se(&format!("{interval};refresher={refresher}")), T0);
        schedule(timer)
    };
    assert_eq!(refreshed(1800, "uac", true), [(900, Due::Refresh(Update)), (1768, Due::Expired)]);
    assert_eq!(refreshed(1800, "uac", false), [(900, Due::Refresh(Invite)), (1768, Due::Expired)]);
    assert_eq!(refreshed(1800, "uas", true), [(1768, Due::Expired)]);
    assert_eq!(refreshed(90, "uac", true), [(45, Due::Refresh(Update)), (60, Due::Expired)]);
    assert_eq!(refreshed(0, "uas", true), [(6, Due::Expired)], "a silly interval does not spin");
    let mut silent = timer(1800, Preference::Uac);
    silent.accepted(se("1800"), T0);
    assert!(silent.we_refresh(), "a 2xx that names nobody leaves it to us");
}

#[test]
fn a_refresh_begins_the_interval_anew() {
    let mut timer = timer(100, Preference::B2bua);
    timer.accepted(se("100;refresher=uac"), T0);
    for round in 0..5 {
        assert_eq!(timer.deadline(), Some(at(50 * (round + 1))));
        assert_eq!(timer.tick(at(50 * (round + 1))), Some(Due::Refresh(Method::Invite)));
        assert_eq!(timer.tick(at(50 * (round + 1))), None, "once");
        timer.accepted(se("100;refresher=uac"), at(50 * (round + 1)));
    }
    // The peer changes the session: its request counts as refresh, and names the roles of its own transaction.
    let plan = timer.asked(None, None, true).unwrap();
    assert_eq!(plan.session_expires(), se("100;refresher=uas"));
    timer.answered(plan, at(260));
    assert_eq!(timer.deadline(), Some(at(310)));
    let plan = timer.asked(se("100;refresher=uac"), None, true).unwrap();
    timer.answered(plan, at(270));
    assert_eq!((timer.we_refresh(), timer.deadline()), (false, Some(at(338))));
}

#[test]
fn a_2xx_without_session_expires_ends_the_timer() {
    let mut timer = timer(1800, Preference::Uac);
    timer.accepted(se("1800;refresher=uac"), T0);
    assert_eq!(timer.interval(), Some(1800));
    timer.accepted(None, at(10));
    assert_eq!((timer.interval(), timer.deadline(), timer.tick(at(9999))), (None, None, None));
    timer.accepted(se("1800;refresher=uac"), at(20));
    timer.stop();
    assert_eq!(timer.deadline(), None);
}

#[test]
fn a_422_raises_the_interval_but_not_for_ever() {
    let mut timer = timer(1800, Preference::Uac);
    assert!(!timer.refused(None), "a 422 without Min-SE helps nobody");
    assert!(!timer.refused(Some(1800)), "we asked for that much");
    assert!(timer.refused(Some(2000)));
    let ask = timer.ask().unwrap();
    assert_eq!((ask.session_expires.secs, ask.min_se), (2000, Some(2000)));
    assert!(timer.refused(Some(3000)) && timer.refused(Some(4000)) && !timer.refused(Some(5000)));
    timer.accepted(se("4000;refresher=uac"), T0);
    assert!(timer.refused(Some(5000)), "another request, another count");
    assert_eq!(timer.ask().unwrap().session_expires.secs, 5000);
}

#[test]
fn a_refresh_that_fails_is_tried_again_or_ends_the_call() {
    let mut timer = timer(1800, Preference::B2bua);
    timer.peer_allows(MethodSet::of(&[Method::Update]));
    timer.accepted(se("1800;refresher=uac"), T0);
    let refresh = |timer: &mut SessionTimer, secs| timer.tick(at(secs));
    assert_eq!(refresh(&mut timer, 900), Some(Due::Refresh(Method::Update)));
    assert_eq!(timer.refresh_failed(491, Duration::from_secs(3), at(901)), None);
    assert_eq!(timer.deadline(), Some(at(904)));
    assert_eq!(refresh(&mut timer, 904), Some(Due::Refresh(Method::Update)));
    assert_eq!(timer.refresh_failed(501, Duration::ZERO, at(905)), None);
    assert_eq!(refresh(&mut timer, 905), Some(Due::Refresh(Method::Invite)), "no UPDATE, then");
    assert_eq!(timer.refresh_failed(500, Duration::ZERO, at(906)), None);
    assert!(timer.deadline() > Some(at(906)), "no refresh in a tight loop");
    for gone in [408, 481] {
        let mut timer = timer;
        assert_eq!(timer.refresh_failed(gone, Duration::ZERO, at(907)), Some(Due::Expired));
        assert_eq!((timer.deadline(), timer.refresh_failed(gone, Duration::ZERO, at(908))), (None, None));
    }
    assert_eq!(timer.tick(at(1768)), Some(Due::Expired), "a peer that refuses for ever is hung up on");
}

#[test]
fn without_session_timer_nothing_is_said_and_nothing_is_heard() {
    let mut off = SessionTimer::new(SessionTimerSettings::OFF);
    assert_eq!(off.ask(), None);
    let plan = off.asked(se("10"), None, true).unwrap();
    assert_eq!((plan.session_expires(), plan.requires_timer()), (None, false));
    off.answered(plan, T0);
    off.accepted(se("1800;refresher=uac"), T0);
    assert!(!off.refused(Some(9000)));
    assert_eq!(off.deadline(), None);
}

#[test]
fn both_ends_of_a_leg_agree_on_who_refreshes() {
    for ours in PREFERENCES {
        for theirs in PREFERENCES {
            for (a, b) in [(1800, 1800), (90, 7200), (7200, 90)] {
                let (mut uac, mut uas) = (timer(a, ours), timer(b, theirs));
                for round in 0..3 {
                    let ask = uac.ask().unwrap();
                    let plan = uas.asked(Some(ask.session_expires), ask.min_se, true).unwrap();
                    uas.answered(plan, at(round));
                    uac.accepted(plan.session_expires(), at(round));
                    assert_ne!(uac.we_refresh(), uas.we_refresh(), "{ours:?} {theirs:?}");
                    assert_eq!(uac.interval(), uas.interval());
                    // The next request comes from the other side.
                    std::mem::swap(&mut uac, &mut uas);
                }
            }
        }
    }
}

#[test]
fn it_survives_encoding_and_goes_on_where_it_was() {
    let mut timer = timer(1800, Preference::Uas);
    timer.refused(Some(2000));
    timer.peer_allows(MethodSet::of(&[Method::Update]));
    let mut all = vec![timer];
    timer.accepted(se("2000;refresher=uac"), T0);
    all.push(timer);
    timer.tick(at(1000));
    all.push(timer);
    for timer in all {
        let bytes = timer.to_bytes();
        let again = SessionTimer::from_bytes(&bytes).unwrap();
        assert_eq!((again, schedule(again)), (timer, schedule(timer)));
        for len in 0..bytes.len() {
            assert!(SessionTimer::from_bytes(&bytes[..len]).is_err());
        }
    }
}
