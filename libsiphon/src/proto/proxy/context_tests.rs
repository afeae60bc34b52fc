use super::*;
use crate::wire::sip::{HeaderId, Limits};
use proptest::prelude::{Just, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use std::fmt::Write;

fn response(status: u16, more: &str) -> Message {
    let text = format!(
        "SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:a@example.com>;tag=a\r\n\
         To: <sip:b@example.com>;tag=b\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n{more}Content-Length: 0\r\n\r\n"
    );
    Message::parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn targets(list: &[(&str, u16)]) -> Vec<Target> {
    list.iter().map(|(uri, q)| Target { q: *q, ..Target::uri(*uri) }).collect()
}

fn start(list: &[(&str, u16)], strategy: Strategy) -> Input {
    Input::Start { targets: targets(list), strategy }
}

fn comes(branch: BranchNo, status: u16) -> Input {
    let response = response(status, "");
    if status < 200 { Input::Provisional { branch, response } } else { Input::Final { branch, response } }
}

fn show(output: &Output) -> String {
    match output {
        Output::Open { branch, target, breadth } => format!("open {branch} {} /{breadth}", target.uri),
        Output::CancelBranch { branch } => format!("cancel {branch}"),
        Output::ForwardProvisional { branch, response } => format!("up {} from {branch}", response.status()),
        Output::ForwardSuccess { branch, response } => format!("up {} from {branch}", response.status()),
        Output::Best(Best::Received(response)) => format!("best {}", response.status()),
        Output::Best(Best::Local { code }) => format!("best our {code}"),
        Output::Done => "done".into(),
    }
}

/// A context under test, and what it has put out since it was last looked at.
struct Driven {
    context: Context,
    out: Vec<Output>,
}

impl Driven {
    fn new(invite: bool) -> Self {
        Driven { context: Context::new(invite, 60, 10), out: Vec::new() }
    }

    fn feed(&mut self, input: Input) -> &mut Self {
        self.context.handle(input, &mut self.out);
        self
    }

    fn seen(&mut self) -> String {
        self.out.drain(..).map(|o| show(&o)).collect::<Vec<_>>().join(", ")
    }
}

const TWO: &[(&str, u16)] = &[("sip:a", 1000), ("sip:b", 1000)];

fn two_ringing() -> Driven {
    let mut driven = Driven::new(true);
    driven.feed(start(TWO, Strategy::Parallel)).feed(comes(0, 180)).feed(comes(1, 180));
    driven.out.clear();
    driven
}

#[test]
fn a_parallel_fork_opens_all_branches_with_a_share_of_the_breadth() {
    let mut driven = Driven::new(true);
    driven.feed(start(&[("sip:a", 0), ("sip:b", 0), ("sip:c", 0)], Strategy::Parallel));
    assert_eq!(driven.seen(), "open 0 sip:a /20, open 1 sip:b /20, open 2 sip:c /20");
}

#[test]
fn a_sequential_fork_tries_the_next_target_when_one_has_failed() {
    let mut driven = Driven::new(true);
    driven.feed(start(TWO, Strategy::Sequential));
    assert_eq!(driven.seen(), "open 0 sip:a /60");
    assert_eq!(driven.feed(comes(0, 486)).seen(), "open 1 sip:b /60");
    assert_eq!(driven.feed(comes(1, 404)).seen(), "best 486, done");
}

#[test]
fn groups_of_equal_preference_follow_each_other_highest_first() {
    let mut driven = Driven::new(true);
    driven.feed(start(
        &[("sip:low", 100), ("sip:a", 900), ("sip:b", 900), ("sip:mid", 500)],
        Strategy::ByPreference,
    ));
    assert_eq!(driven.seen(), "open 0 sip:a /30, open 1 sip:b /30");
    assert_eq!(driven.feed(comes(0, 486)).seen(), "");
    assert_eq!(driven.feed(comes(1, 486)).seen(), "open 2 sip:mid /60");
    assert_eq!(driven.feed(Input::BranchTimeout { branch: 2 }).seen(), "open 3 sip:low /60");
    assert_eq!(driven.feed(comes(3, 200)).seen(), "up 200 from 3, done");
}

#[test]
fn no_more_branches_are_open_at_once_than_the_breadth_allows() {
    let mut driven = Driven { context: Context::new(true, 2, 10), out: Vec::new() };
    driven.feed(start(&[("sip:a", 0), ("sip:b", 0), ("sip:c", 0)], Strategy::Parallel));
    assert_eq!(driven.seen(), "open 0 sip:a /1, open 1 sip:b /1");
    assert_eq!(driven.feed(comes(1, 486)).seen(), "open 2 sip:c /1");
}

#[test]
fn targets_beyond_the_limit_on_branches_are_not_tried() {
    let mut driven = Driven { context: Context::new(true, 60, 2), out: Vec::new() };
    driven.feed(start(&[("sip:a", 0), ("sip:b", 0), ("sip:c", 0)], Strategy::Parallel));
    assert_eq!(driven.context.opened(), 2);
    driven.seen();
    assert_eq!(driven.feed(comes(0, 404)).feed(comes(1, 404)).seen(), "best 404, done");
    assert_eq!(driven.feed(start(TWO, Strategy::Parallel)).seen(), "best 404, done");
}

#[test]
fn a_2xx_goes_up_at_once_and_the_losers_are_cancelled() {
    let mut driven = two_ringing();
    assert_eq!(driven.feed(comes(1, 200)).seen(), "up 200 from 1, cancel 0");
    assert_eq!(driven.feed(comes(0, 487)).seen(), "done");
}

#[test]
fn a_second_2xx_and_copies_of_the_first_go_up_too() {
    let mut driven = two_ringing();
    driven.feed(comes(1, 200)).seen();
    assert_eq!(driven.feed(comes(0, 200)).seen(), "up 200 from 0, done");
    assert_eq!(driven.feed(comes(1, 200)).seen(), "up 200 from 1");
}

#[test]
fn only_one_2xx_goes_up_for_a_request_other_than_invite_and_nothing_is_cancelled() {
    let mut driven = Driven::new(false);
    driven.feed(start(TWO, Strategy::Parallel)).seen();
    assert_eq!(driven.feed(comes(1, 200)).seen(), "up 200 from 1");
    assert_eq!(driven.feed(comes(0, 200)).seen(), "done");
    assert_eq!(driven.feed(Input::Cancel).seen(), "");
}

#[test]
fn a_6xx_cancels_the_rest_and_goes_up_when_they_have_ended() {
    let mut driven = two_ringing();
    assert_eq!(driven.feed(comes(0, 603)).seen(), "cancel 1");
    assert_eq!(driven.feed(comes(1, 487)).seen(), "best 603, done");
    assert_eq!(driven.feed(start(TWO, Strategy::Parallel)).seen(), "best 603, done");
}

#[test]
fn a_2xx_that_crosses_a_6xx_wins() {
    let mut driven = two_ringing();
    driven.feed(comes(0, 603)).seen();
    assert_eq!(driven.feed(comes(1, 200)).seen(), "up 200 from 1, done");
}

#[test]
fn a_100_is_not_forwarded_and_other_provisionals_are_until_something_final_went_up() {
    let mut driven = Driven::new(true);
    driven.feed(start(TWO, Strategy::Parallel)).seen();
    assert_eq!(driven.feed(comes(0, 100)).seen(), "");
    assert_eq!(driven.feed(comes(0, 183)).seen(), "up 183 from 0");
    driven.feed(comes(0, 200)).seen();
    assert_eq!(driven.feed(comes(1, 180)).seen(), "");
}

#[test]
fn a_cancel_ends_all_branches_and_no_target_is_tried_any_more() {
    let mut driven = Driven::new(true);
    driven.feed(start(TWO, Strategy::Sequential)).feed(comes(0, 180)).seen();
    assert_eq!(driven.feed(Input::Cancel).seen(), "cancel 0");
    assert_eq!(driven.feed(Input::Cancel).seen(), "");
    assert_eq!(driven.feed(comes(0, 487)).seen(), "best 487, done");
}

#[test]
fn a_branch_that_does_not_answer_after_a_cancel_counts_as_487() {
    let mut driven = two_ringing();
    driven.feed(Input::Cancel).feed(comes(0, 487)).seen();
    assert_eq!(driven.feed(Input::BranchTimeout { branch: 1 }).seen(), "best 487, done");
    let mut early = Driven::new(true);
    assert_eq!(early.feed(Input::Cancel).seen(), "best our 487, done");
}

#[test]
fn a_2xx_that_crosses_the_cancel_goes_up() {
    let mut driven = two_ringing();
    driven.feed(Input::Cancel).seen();
    assert_eq!(driven.feed(comes(0, 200)).feed(comes(1, 487)).seen(), "up 200 from 0, done");
}

#[test]
fn a_branch_that_rings_too_long_is_cancelled_and_the_next_target_tried_at_once() {
    let mut driven = Driven::new(true);
    driven.feed(start(TWO, Strategy::Sequential)).feed(comes(0, 180)).seen();
    assert_eq!(driven.feed(Input::RingTimeout { branch: 0 }).seen(), "cancel 0, open 1 sip:b /60");
    assert_eq!(driven.feed(comes(1, 486)).seen(), "best 486");
    assert_eq!(driven.feed(comes(0, 487)).seen(), "done");
}

#[test]
fn a_branch_that_answers_after_its_time_is_forwarded_all_the_same() {
    let mut driven = Driven::new(true);
    driven
        .feed(start(TWO, Strategy::Sequential))
        .feed(comes(0, 180))
        .feed(Input::RingTimeout { branch: 0 })
        .seen();
    assert_eq!(driven.feed(comes(0, 200)).seen(), "up 200 from 0, cancel 1");
    assert_eq!(driven.feed(comes(1, 487)).seen(), "done");
}

#[test]
fn branches_that_time_out_or_lose_their_transport_count_as_408_and_503() {
    let mut driven = two_ringing();
    driven.feed(Input::BranchTimeout { branch: 0 });
    assert_eq!(driven.feed(Input::BranchFailed { branch: 1, status: 503 }).seen(), "best our 408, done");
}

#[test]
fn policy_may_try_further_targets_after_the_best_response() {
    let mut driven = two_ringing();
    assert_eq!(driven.feed(comes(0, 486)).feed(comes(1, 404)).seen(), "best 486, done");
    assert_eq!(
        driven.feed(start(&[("sip:mailbox", 0)], Strategy::Parallel)).seen(),
        "open 2 sip:mailbox /60"
    );
    assert_eq!(driven.feed(comes(2, 500)).seen(), "best 486, done");
}

#[test]
fn a_context_stays_small() {
    assert!(size_of::<Context>() <= 160, "{}", size_of::<Context>());
}

#[test]
fn an_empty_fork_is_480() {
    assert_eq!(Driven::new(true).feed(start(&[], Strategy::Parallel)).seen(), "best our 480, done");
}

#[test]
fn inputs_for_branches_that_do_not_exist_change_nothing() {
    let mut driven = two_ringing();
    for input in
        [comes(9, 200), comes(9, 180), Input::BranchTimeout { branch: 9 }, Input::RingTimeout { branch: 9 }]
    {
        assert_eq!(driven.feed(input).seen(), "");
    }
}

#[test]
fn a_401_goes_up_with_the_challenges_of_every_branch() {
    let mut driven = two_ringing();
    let challenge = |status, more: &str, branch| Input::Final { branch, response: response(status, more) };
    driven.feed(challenge(401, "WWW-Authenticate: Digest realm=\"a\"\r\n", 0));
    driven.feed(challenge(
        407,
        "Proxy-Authenticate: Digest realm=\"b\"\r\nWWW-Authenticate: Digest realm=\"c\"\r\n",
        1,
    ));
    let Output::Best(Best::Received(best)) = &driven.out[0] else { panic!("{:?}", driven.out) };
    assert_eq!(best.status(), 401);
    let www: Vec<_> = best.values(HeaderId::WwwAuthenticate).collect();
    assert_eq!(www, ["Digest realm=\"a\"", "Digest realm=\"c\""]);
    let proxy: Vec<_> = best.values(HeaderId::ProxyAuthenticate).collect();
    assert_eq!(proxy, ["Digest realm=\"b\""]);
}

/// Each state a context with two branches can be in, by what led to it.
fn states() -> Vec<(&'static str, Driven)> {
    let of = |invite, inputs: Vec<Input>| {
        let mut driven = Driven::new(invite);
        driven.feed(start(TWO, Strategy::Parallel));
        for input in inputs {
            driven.feed(input);
        }
        driven.out.clear();
        driven
    };
    let sequential = |inputs: Vec<Input>| {
        let mut driven = Driven::new(true);
        driven.feed(start(TWO, Strategy::Sequential));
        for input in inputs {
            driven.feed(input);
        }
        driven.out.clear();
        driven
    };
    vec![
        ("fresh", Driven::new(true)),
        ("trying", of(true, vec![])),
        ("proceeding", of(true, vec![comes(0, 180)])),
        ("one failed", of(true, vec![comes(1, 486)])),
        ("6xx", of(true, vec![comes(1, 600)])),
        ("cancelled", of(true, vec![comes(0, 180), Input::Cancel])),
        ("rung out", of(true, vec![comes(0, 180), Input::RingTimeout { branch: 0 }])),
        ("succeeded", of(true, vec![comes(1, 200)])),
        ("settled", of(true, vec![comes(0, 404), comes(1, 404)])),
        ("first of two", sequential(vec![])),
        ("second of two", sequential(vec![comes(0, 404)])),
        ("non-INVITE", of(false, vec![])),
        ("non-INVITE succeeded", of(false, vec![comes(1, 200)])),
    ]
}

#[test]
fn the_whole_table() {
    let inputs = || -> Vec<(&'static str, Input)> {
        vec![
            ("100 on 0", comes(0, 100)),
            ("180 on 0", comes(0, 180)),
            ("200 on 0", comes(0, 200)),
            ("302 on 0", comes(0, 302)),
            ("486 on 0", comes(0, 486)),
            ("503 on 0", comes(0, 503)),
            ("603 on 0", comes(0, 603)),
            ("timeout of 0", Input::BranchTimeout { branch: 0 }),
            ("failure of 0", Input::BranchFailed { branch: 0, status: 503 }),
            ("ring timeout of 0", Input::RingTimeout { branch: 0 }),
            ("cancel", Input::Cancel),
            ("start", start(&[("sip:more", 0)], Strategy::Parallel)),
        ]
    };
    let mut table = String::new();
    for (state, _) in states() {
        writeln!(table, "{state}").unwrap();
        for (n, (name, _)) in inputs().into_iter().enumerate() {
            let mut driven = states().into_iter().find(|(s, _)| *s == state).unwrap().1;
            let seen = driven.feed(inputs().remove(n).1).seen();
            writeln!(table, "    {name:<18} {}", if seen.is_empty() { "-" } else { &seen }).unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

/// What RFC 3261 16.7 step 6 says about a set of failures, written down independently of the machine.
fn is_acceptable(best: u16, all: &[u16]) -> bool {
    if all.iter().any(|s| *s >= 600) {
        return best >= 600;
    }
    let class = all.iter().map(|s| s / 100).min().unwrap();
    let telling = |s: &u16| [401, 407, 415, 420, 484].contains(s);
    let must_tell = class == 4 && all.iter().any(telling);
    best / 100 == class && all.contains(&best) && (!must_tell || telling(&best))
}

fn ending() -> impl proptest::strategy::Strategy<Value = u16> {
    prop_oneof![
        6 => proptest::sample::select(vec![301u16, 302, 401, 404, 407, 408, 415, 420, 480, 484, 486, 487, 500, 503, 504, 600, 603]),
        1 => Just(200u16),
        1 => Just(0u16),
        1 => Just(1u16),
    ]
}

proptest! {
    #[test]
    fn whatever_the_order_one_best_or_every_success_goes_up_and_everything_ends(
        ends in proptest::collection::vec(ending(), 1..8),
        order in any::<u64>(),
        kind in 0..3u8,
        ring in proptest::collection::vec(any::<bool>(), 8),
    ) {
        let strategy = [Strategy::Parallel, Strategy::Sequential, Strategy::ByPreference][usize::from(kind)];
        let names: Vec<String> = (0..ends.len()).map(|n| format!("sip:t{n}")).collect();
        let list: Vec<(&str, u16)> = names.iter().zip(0u16..).map(|(n, i)| (n.as_str(), i / 2 * 100)).collect();
        let mut context = Context::new(true, 60, 60);
        let mut rng = crate::base::rng::Rng::seeded(order);
        let (mut out, mut open, mut failed) = (Vec::new(), Vec::<BranchNo>::new(), Vec::new());
        let (mut best, mut up, mut expected_up, mut done) = (Vec::new(), 0, 0, 0);
        context.handle(start(&list, strategy), &mut out);
        loop {
            for output in out.drain(..) {
                prop_assert_eq!(done, 0, "nothing follows the end");
                match output {
                    Output::Open { branch, .. } => open.push(branch),
                    Output::CancelBranch { branch } => prop_assert!(open.contains(&branch)),
                    Output::ForwardSuccess { .. } => up += 1,
                    Output::Best(b) => best.push(b.status()),
                    Output::Done => done += 1,
                    Output::ForwardProvisional { .. } => {}
                }
            }
            if open.is_empty() {
                break;
            }
            let branch = open.remove(rng.below(open.len() as u64) as usize);
            if ring[usize::from(branch)] {
                context.handle(comes(branch, 180), &mut out);
            }
            let end = ends[usize::from(branch)];
            let input = match end {
                0 => Input::BranchTimeout { branch },
                1 => Input::BranchFailed { branch, status: 503 },
                status => comes(branch, status),
            };
            match end {
                0 => failed.push(408),
                1 => failed.push(503),
                200 => expected_up += 1,
                status => failed.push(status),
            }
            context.handle(input, &mut out);
        }
        prop_assert_eq!(done, 1);
        prop_assert_eq!(up, expected_up);
        if expected_up == 0 {
            prop_assert_eq!(best.len(), 1);
            prop_assert!(is_acceptable(best[0], &failed), "{} of {:?}", best[0], failed);
        } else {
            prop_assert!(best.is_empty());
        }
    }
}
