use super::*;
use crate::base::flow::{ConnectionId, Flow, Transport};
use crate::driver::fake::{request, response};
use crate::wire::sip::Message;

fn mailboxes(limits: MailLimits) -> (mio::Poll, Mailboxes) {
    let poll = mio::Poll::new().unwrap();
    let waker = mio::Waker::new(poll.registry(), mio::Token(1)).unwrap();
    (poll, Mailboxes::new(vec![waker], limits))
}

fn mail(bytes: &[u8]) -> Post {
    let address = "192.0.2.1:5060".parse().unwrap();
    let flow = Flow { transport: Transport::Udp, local: address, remote: address, connection: None };
    let message = Message::parse(bytes, &Default::default()).unwrap();
    Post::Mail(Mail::Message { flow, message })
}

fn closed(generation: u32) -> Post {
    Post::Mail(Mail::ConnectionClosed(ConnectionId { shard: 0, slot: 0, generation }))
}

fn call_ids(posts: &VecDeque<(Instant, Post)>) -> Vec<String> {
    let id = |(_, post): &(Instant, Post)| match post {
        Post::Mail(Mail::Message { message, .. }) => message.call_id().to_string(),
        _ => "-".to_string(),
    };
    posts.iter().map(id).collect()
}

const SMALL: MailLimits = MailLimits { new_work: 2, running: 4, sends: 5 };

#[test]
fn a_full_mailbox_refuses_new_work_first_keeps_the_order_and_never_refuses_a_report() {
    let (_poll, mailboxes) = mailboxes(SMALL);
    let mut posts: Vec<Post> = (1..=4).map(|n| mail(&request("INVITE", &format!("new{n}"), 0))).collect();
    posts.extend((1..=4).map(|n| mail(&response(180, &format!("old{n}")))));
    posts.push(closed(1));
    let mut refused = Vec::new();
    mailboxes.post_all(0, Instant::EPOCH, &mut posts, &mut refused);
    let mut got = VecDeque::new();
    mailboxes.take(0, &mut got);
    assert_eq!(call_ids(&got), ["new1", "new2", "old1", "old2", "-"]);
    let refused: VecDeque<_> = refused.into_iter().map(|p| (Instant::EPOCH, p)).collect();
    assert_eq!(call_ids(&refused), ["new3", "new4", "old3", "old4"]);
}

#[test]
fn what_the_shard_took_out_and_did_not_handle_yet_still_counts() {
    let (_poll, mailboxes) = mailboxes(SMALL);
    let mut refused = Vec::new();
    let two = || vec![mail(&request("INVITE", "a", 0)), mail(&request("INVITE", "b", 0))];
    mailboxes.post_all(0, Instant::EPOCH, &mut two(), &mut refused);
    let mut taken = VecDeque::new();
    mailboxes.take(0, &mut taken);
    mailboxes.post_all(0, Instant::EPOCH, &mut two(), &mut refused);
    assert_eq!(refused.len(), 2);
    taken.pop_front();
    mailboxes.settle(0, &taken);
    mailboxes.post_all(0, Instant::EPOCH, &mut two(), &mut refused);
    assert_eq!(refused.len(), 3, "room for one");
}

#[test]
fn a_batch_wakes_once_and_a_post_after_the_look_wakes_again() {
    let (mut poll, mailboxes) = mailboxes(MailLimits::default());
    let mut events = mio::Events::with_capacity(8);
    let mut wakes = |patience| {
        poll.poll(&mut events, Some(patience)).unwrap();
        events.iter().count()
    };
    let (soon, never) = (std::time::Duration::from_secs(5), std::time::Duration::ZERO);
    mailboxes.post_all(0, Instant::EPOCH, &mut vec![closed(1), closed(2)], &mut Vec::new());
    mailboxes.signal(0, Post::WakePolicy);
    assert_eq!(wakes(soon), 1);
    assert_eq!(wakes(never), 0, "the second post came before the look");
    mailboxes.take(0, &mut VecDeque::new());
    mailboxes.signal(0, Post::WakePolicy);
    assert_eq!(wakes(never), 0, "a shard that is awake looks by itself");
    assert!(!mailboxes.falls_asleep(0), "there is mail");
    mailboxes.take(0, &mut VecDeque::new());
    assert!(mailboxes.falls_asleep(0));
    mailboxes.signal(0, Post::WakePolicy);
    assert_eq!(wakes(soon), 1);
}

#[test]
fn a_post_to_a_shard_that_is_not_there_is_refused() {
    let (_poll, mailboxes) = mailboxes(SMALL);
    let mut refused = Vec::new();
    mailboxes.post_all(9, Instant::EPOCH, &mut vec![closed(1)], &mut refused);
    assert_eq!(refused.len(), 1);
}

#[test]
fn posters_know_how_long_the_oldest_post_has_waited() {
    let (_poll, mailboxes) = mailboxes(MailLimits::default());
    let settings = OverloadSettings::default();
    let at = |ms: u64| Instant(1_000_000_000 + ms * 1000);
    let late = |ms| mailboxes.is_late(0, &settings, at(ms));
    let post = |ms| {
        mailboxes.post_all(0, at(ms), &mut vec![mail(&request("INVITE", "a", 0))], &mut Vec::new());
    };
    assert!(!late(0), "nothing waits");
    post(0);
    post(90);
    assert!(!late(100), "a burst is no overload");
    assert!(late(101), "nothing was taken for a whole interval");
    let mut taken = VecDeque::new();
    mailboxes.take(0, &mut taken);
    assert!(late(101), "taken out is not handled");
    taken.pop_front();
    mailboxes.settle(0, &taken);
    assert!(!late(150));
    mailboxes.set_overloaded(0, true);
    assert!(late(111) && !late(110), "of a shard that is overloaded nothing waits longer than the target");
    taken.clear();
    mailboxes.settle(0, &taken);
    assert!(!late(10_000), "what is empty is not late");
}

/// Nothing was turned away from a shard that hung while a signal, or what it had just taken, hid the first waiting post.
#[test]
fn a_post_behind_a_signal_or_behind_what_was_taken_has_its_time_too() {
    let settings = OverloadSettings::default();
    let at = |ms: u64| Instant(1_000_000_000 + ms * 1000);
    let post = |mailboxes: &Mailboxes, ms| {
        mailboxes.post_all(0, at(ms), &mut vec![mail(&request("INVITE", "a", 0))], &mut Vec::new());
    };
    let (_poll, behind_a_signal) = mailboxes(MailLimits::default());
    behind_a_signal.signal(0, Post::WakePolicy);
    post(&behind_a_signal, 0);
    assert!(behind_a_signal.is_late(0, &settings, at(101)));

    let (_poll, hanging) = mailboxes(MailLimits::default());
    let mut taken = VecDeque::new();
    post(&hanging, 0);
    hanging.take(0, &mut taken);
    post(&hanging, 1);
    taken.clear();
    hanging.settle(0, &taken);
    post(&hanging, 2);
    assert!(hanging.is_late(0, &settings, at(103)) && !hanging.is_late(0, &settings, at(102)));
}
