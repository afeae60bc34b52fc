use crate::base::rng::Rng;
use crate::base::time::{Duration, Instant};
use crate::engine::contract::{Effect, Effects, Input};
use crate::engine::settings::Settings;
use crate::engine::shard::Shard;
use crate::engine::testing::node;
use crate::policy::{Outcome, Ticket, WaitId};
use crate::wire::ng::{Command, InstanceName, MediaFault, MediaReply, MediaRequest, MediaResult};

const NOW: Instant = Instant::from_unix_secs(1_000);

fn shard() -> Shard {
    Shard::new(0, node(Settings::default()), Rng::seeded(1), NOW)
}

fn feed(shard: &mut Shard, input: Input) -> Vec<Effect> {
    let mut out = Effects::default();
    shard.handle(input, NOW, &mut out);
    out.list
}

fn asked(shard: &mut Shard, wait: Option<WaitId>) -> Ticket {
    let request = Box::new(MediaRequest { command: Command::delete("c".into()), at: None });
    match feed(shard, Input::Media { wait, request }).as_slice() {
        [Effect::Media { ticket, request }] if &*request.command.party.call_id == "c" => *ticket,
        other => panic!("{other:?}"),
    }
}

fn done() -> Box<MediaResult> {
    Box::new(Ok(MediaReply::of(InstanceName::new("m:1"), Default::default())))
}

#[test]
fn what_the_policy_asks_of_an_engine_comes_back_to_whom_waits_once() {
    let mut shard = shard();
    let ticket = asked(&mut shard, Some(WaitId(7)));
    assert_eq!((shard.open_tickets(), shard.is_quiet()), (1, false));
    let effects = feed(&mut shard, Input::MediaDone { ticket, result: done() });
    let [Effect::Answered { wait: WaitId(7), outcome }] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(&**outcome, Outcome::Media(result) if result.is_ok()));
    assert!(feed(&mut shard, Input::MediaDone { ticket, result: done() }).is_empty());
    assert_eq!((shard.stats().stale_answers, shard.open_tickets()), (1, 0));
}

#[test]
fn nobody_need_wait_for_it() {
    let mut shard = shard();
    let ticket = asked(&mut shard, None);
    assert!(feed(&mut shard, Input::MediaDone { ticket, result: done() }).is_empty());
    assert_eq!(shard.open_tickets(), 0);
}

#[test]
fn a_client_that_never_answers_is_a_fault_at_the_deadline() {
    let mut shard = shard();
    asked(&mut shard, Some(WaitId(7)));
    let mut out = Effects::default();
    shard.tick(NOW + Settings::default().policy_deadline + Duration::from_secs(1), &mut out);
    let [Effect::Answered { outcome, .. }] = out.list.as_slice() else { panic!("{:?}", out.list) };
    assert!(matches!(&**outcome, Outcome::Media(result) if **result == Err(MediaFault::TimedOut)));
    assert_eq!((shard.open_tickets(), shard.deadline()), (0, None));
}
