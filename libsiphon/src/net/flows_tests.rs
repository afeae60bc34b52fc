use super::*;

fn key() -> FlowKey {
    FlowKey::new(Transport::Tcp, None, "192.0.2.1:5060".parse().unwrap())
}

fn waiting(text: &str) -> Waiting {
    Waiting { bytes: text.as_bytes().into(), report: None }
}

fn id(generation: u32) -> ConnectionId {
    ConnectionId { shard: 1, slot: 7, generation }
}

#[test]
fn the_first_to_ask_connects_and_the_others_wait_in_order() {
    let directory = FlowDirectory::new(3);
    assert!(matches!(directory.way(key(), waiting("a"), true), Way::Connect));
    assert!(matches!(directory.way(key(), waiting("b"), true), Way::Waits));
    assert!(matches!(directory.way(key(), waiting("c"), false), Way::Waits));
    let waited: Vec<_> = directory.opened(key(), id(1)).into_iter().map(|w| w.bytes.to_vec()).collect();
    assert_eq!(waited, [b"a", b"b", b"c"]);
    assert!(matches!(directory.way(key(), waiting("d"), true), Way::Open(open, _) if open == id(1)));
}

#[test]
fn one_waiter_too_many_is_refused() {
    let directory = FlowDirectory::new(1);
    assert!(matches!(directory.way(key(), waiting("a"), true), Way::Connect));
    assert!(matches!(directory.way(key(), waiting("b"), true), Way::Refused(w) if *w.bytes == *b"b"));
}

#[test]
fn a_failed_connect_gives_back_every_waiter_and_the_next_send_tries_again() {
    let directory = FlowDirectory::new(8);
    let _ = directory.way(key(), waiting("a"), true);
    let _ = directory.way(key(), waiting("b"), true);
    assert_eq!(directory.failed(key()).len(), 2);
    assert!(matches!(directory.way(key(), waiting("c"), true), Way::Connect));
}

#[test]
fn what_may_not_connect_is_refused_where_no_connection_is() {
    let directory = FlowDirectory::new(8);
    assert!(matches!(directory.way(key(), waiting("a"), false), Way::Refused(_)));
    assert!(directory.is_empty());
}

#[test]
fn a_late_close_of_an_older_connection_leaves_the_newer_one() {
    let directory = FlowDirectory::new(8);
    let _ = directory.way(key(), waiting("a"), true);
    directory.opened(key(), id(2));
    directory.closed(key(), id(1));
    assert_eq!(directory.len(), 1);
    directory.closed(key(), id(2));
    assert!(directory.is_empty());
}

#[test]
fn an_accepted_connection_does_not_replace_the_one_in_use() {
    let directory = FlowDirectory::new(8);
    directory.accepted(key(), id(1));
    directory.accepted(key(), id(2));
    assert!(matches!(directory.way(key(), waiting("a"), true), Way::Open(open, _) if open == id(1)));
}
