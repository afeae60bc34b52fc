use super::*;
use crate::wire::sip::Standing;

const T0: Instant = Instant::from_unix_secs(1_800_000_000);

fn at(secs: u64) -> Instant {
    T0 + Duration::from_secs(secs)
}

/// What was asked for, as the NOTIFYs would show it.
fn shown(out: Outputs) -> Vec<String> {
    out.into_iter()
        .map(|output| match output {
            Output::Ended => "ended".to_owned(),
            Output::Notify(n) => {
                let body = String::from_utf8(n.body()).unwrap();
                format!("{} | {} | {}", n.event(), n.subscription_state(), body.trim_end())
            }
        })
        .collect()
}

fn step(notifier: &mut Notifier, f: impl FnOnce(&mut Notifier, &mut Outputs)) -> Vec<String> {
    // Each step is taken by a copy that was encoded.
    *notifier = Notifier::from_bytes(&notifier.to_bytes()).unwrap();
    let mut out = Outputs::new();
    f(notifier, &mut out);
    shown(out)
}

fn started(id: Option<u32>) -> Notifier {
    let mut out = Outputs::new();
    let notifier = Notifier::start(id, T0, &mut out);
    let id = id.map_or(String::new(), |n| format!(";id={n}"));
    assert_eq!(shown(out), [format!("refer{id} | active;expires=300 | SIP/2.0 100 Trying")]);
    notifier
}

#[test]
fn a_transfer_is_reported_from_trying_to_the_end() {
    let mut n = started(Some(93));
    assert_eq!(step(&mut n, |n, out| n.notified(200, at(1), out)), [""; 0]);
    let ringing = "refer;id=93 | active;expires=298 | SIP/2.0 180 Ringing";
    assert_eq!(step(&mut n, |n, out| n.progress(180, at(2), out)), [ringing]);
    assert_eq!(step(&mut n, |n, out| n.notified(200, at(3), out)), [""; 0]);
    assert_eq!(step(&mut n, |n, out| n.progress(180, at(3), out)), [""; 0], "nothing new");
    let answered = "refer;id=93 | terminated;reason=noresource | SIP/2.0 200 OK";
    assert_eq!(step(&mut n, |n, out| n.progress(200, at(4), out)), [answered]);
    assert_eq!(n.deadline(), None);
    assert_eq!(step(&mut n, |n, out| n.progress(486, at(4), out)), [""; 0], "it is over");
    assert_eq!(step(&mut n, |n, out| n.notified(200, at(5), out)), ["ended"]);
    assert!(n.is_ended());
    assert_eq!(step(&mut n, |n, out| n.notified(200, at(5), out)), [""; 0]);
}

#[test]
fn one_notify_is_on_its_way_and_the_next_says_the_latest() {
    let mut n = started(None);
    for status in [180, 183, 181] {
        assert_eq!(step(&mut n, |n, out| n.progress(status, at(1), out)), [""; 0]);
    }
    assert_eq!(step(&mut n, |n, out| n.progress(603, at(1), out)), [""; 0]);
    let last = "refer | terminated;reason=noresource | SIP/2.0 603 Decline";
    assert_eq!(step(&mut n, |n, out| n.notified(200, at(2), out)), [last]);
    assert_eq!(step(&mut n, |n, out| n.notified(500, at(2), out)), ["ended"]);
}

#[test]
fn a_subscription_that_nobody_wants_ends_without_a_word() {
    for status in [408, 481, 489] {
        let mut n = started(None);
        assert_eq!(step(&mut n, |n, out| n.notified(status, at(1), out)), ["ended"], "{status}");
        assert_eq!(step(&mut n, |n, out| n.progress(200, at(2), out)), [""; 0]);
    }
    let mut n = started(None);
    assert_eq!(step(&mut n, |n, out| n.notified(500, at(1), out)), [""; 0], "only this NOTIFY failed");
    assert_eq!(step(&mut n, |n, out| n.progress(180, at(2), out)).len(), 1);
}

#[test]
fn a_subscription_runs_out_and_can_be_refreshed_or_ended() {
    let mut n = started(None);
    step(&mut n, |n, out| n.notified(200, at(1), out));
    let refreshed = step(&mut n, |n, out| assert_eq!(n.subscribed(9999, at(2), out), Some(LONGEST_SECS)));
    assert_eq!(refreshed, ["refer | active;expires=3600 | SIP/2.0 100 Trying"]);
    step(&mut n, |n, out| n.notified(200, at(3), out));
    assert_eq!(n.deadline(), Some(at(3602)));
    let mut other = n;
    let ended = step(&mut other, |n, out| assert_eq!(n.subscribed(0, at(4), out), Some(0)));
    assert_eq!(ended, ["refer | terminated;reason=timeout | SIP/2.0 100 Trying"]);
    assert_eq!(step(&mut other, |n, out| assert_eq!(n.subscribed(60, at(5), out), None)), [""; 0]);
    assert_eq!(step(&mut n, |n, out| n.tick(at(3601), out)), [""; 0]);
    let ran_out = step(&mut n, |n, out| n.tick(at(3602), out));
    assert_eq!(ran_out, ["refer | terminated;reason=timeout | SIP/2.0 100 Trying"]);
    assert_eq!(n.deadline(), None);
    let mut n = started(None);
    assert_eq!(step(&mut n, |n, out| n.abandon(at(1), out)), [""; 0]);
    assert_eq!(step(&mut n, |n, out| n.notified(200, at(1), out)).len(), 1, "the last word waits its turn");
}

fn active() -> SubscriptionState {
    SubscriptionState::active(60)
}

fn over() -> SubscriptionState {
    SubscriptionState::terminated("noresource")
}

fn told(s: &mut Subscriber, state: &SubscriptionState, status: u16, secs: u64) -> Result<Told, u16> {
    *s = Subscriber::from_bytes(&s.to_bytes()).unwrap();
    s.notified(Some(&Event::refer(Some(5))), Some(state), Some(status), at(secs))
}

#[test]
fn the_referrer_hears_progress_and_outcome() {
    let mut s = Subscriber::new(5);
    assert_eq!(told(&mut s, &active(), 100, 0), Ok(Told::Progress(100)), "before the 202");
    assert_eq!(s.answered(202, None, at(1)), Told::Nothing);
    assert_eq!(told(&mut s, &active(), 180, 2), Ok(Told::Progress(180)));
    assert_eq!(told(&mut s, &active(), 180, 3), Ok(Told::Nothing));
    assert_eq!(told(&mut s, &over(), 200, 4), Ok(Told::Done(Outcome::Succeeded)));
    assert_eq!((s.outcome(), s.is_open(), s.deadline()), (Some(Outcome::Succeeded), false, None));
    assert_eq!(told(&mut s, &over(), 200, 5), Err(481));
}

#[test]
fn a_final_status_counts_although_the_subscription_goes_on() {
    let mut s = Subscriber::new(5);
    s.answered(202, None, at(0));
    assert_eq!(told(&mut s, &active(), 486, 1), Ok(Told::Done(Outcome::Failed(486))));
    assert!(s.is_open());
    assert_eq!(told(&mut s, &over(), 486, 2), Ok(Told::Nothing), "told once");
    assert_eq!(s.outcome(), Some(Outcome::Failed(486)));
}

#[test]
fn a_refused_or_silent_refer_has_an_outcome_too() {
    let mut s = Subscriber::new(5);
    assert_eq!(s.answered(603, None, at(0)), Told::Done(Outcome::Failed(603)));
    assert_eq!(told(&mut s, &active(), 100, 1), Err(481));
    let mut s = Subscriber::new(5);
    assert_eq!(s.answered(200, Some(false), at(0)), Told::Done(Outcome::Unknown), "RFC 4488");
    let mut s = Subscriber::new(5);
    s.answered(202, Some(true), at(0));
    assert_eq!((s.deadline(), s.tick(at(31))), (Some(at(32)), Told::Nothing), "Timer N");
    assert_eq!(s.tick(at(32)), Told::Done(Outcome::Unknown));
    let mut s = Subscriber::new(5);
    told(&mut s, &active(), 100, 0).unwrap();
    s.answered(202, None, at(1));
    assert_eq!(s.deadline(), Some(at(92)), "60 s and Timer N");
    assert_eq!(told(&mut s, &over(), 100, 2), Ok(Told::Done(Outcome::Unknown)), "it gave up");
}

#[test]
fn a_notify_of_something_else_is_refused() {
    let mut s = Subscriber::new(5);
    let heard = |s: &mut Subscriber, event: Option<&str>, state: Option<&SubscriptionState>| {
        let event = event.map(|text| Event::parse(text).unwrap());
        s.notified(event.as_ref(), state, Some(180), T0)
    };
    assert_eq!(heard(&mut s, None, Some(&active())), Err(489));
    assert_eq!(heard(&mut s, Some("presence"), Some(&active())), Err(489));
    assert_eq!(heard(&mut s, Some("refer;id=6"), Some(&active())), Err(481));
    assert_eq!(heard(&mut s, Some("refer;id=x"), Some(&active())), Err(481));
    assert_eq!(heard(&mut s, Some("refer"), None), Err(400));
    let odd = SubscriptionState { standing: Standing::Other, ..active() };
    assert_eq!(heard(&mut s, Some("refer"), Some(&odd)), Ok(Told::Progress(180)));
}
