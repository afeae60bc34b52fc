use super::*;
use proptest::prelude::*;

fn nonce(n: u64) -> Nonce {
    // Multiples of the stripe count, so that all of them meet in one stripe.
    Nonce { issued_millis: n, counter: (n as u32) * STRIPES as u32 }
}

#[test]
fn a_count_is_good_once_and_counts_may_overtake_each_other() {
    let windows = Windows::new(1000);
    for count in [1, 3, 2, 10, 9] {
        assert_eq!(windows.admit(nonce(5), count, 0), Use::Fresh, "first {count}");
    }
    for count in [1, 2, 3, 9, 10] {
        assert_eq!(windows.admit(nonce(5), count, 0), Use::Replayed, "second {count}");
    }
    assert_eq!(windows.admit(nonce(6), 1, 0), Use::Fresh, "another nonce counts for itself");
}

#[test]
fn a_count_more_than_63_behind_the_highest_is_refused() {
    let windows = Windows::new(1000);
    assert_eq!(windows.admit(nonce(5), 100, 0), Use::Fresh);
    assert_eq!(windows.admit(nonce(5), 37, 0), Use::Fresh);
    assert_eq!(windows.admit(nonce(5), 36, 0), Use::Replayed);
    assert_eq!(windows.admit(nonce(5), u32::MAX, 0), Use::Fresh);
    assert_eq!(windows.admit(nonce(5), 100, 0), Use::Replayed);
}

#[test]
fn at_the_limit_old_windows_go_and_their_nonces_cannot_be_replayed() {
    let windows = Windows::new(32 * 10);
    for n in 1..=100 {
        assert_eq!(windows.admit(nonce(n), 1, 0), Use::Fresh, "nonce {n}");
        assert!(windows.len() <= 20);
    }
    for n in 1..=100 {
        assert_eq!(windows.admit(nonce(n), 1, 0), Use::Replayed, "replay of nonce {n}");
    }
    assert_eq!(windows.admit(nonce(100), 2, 0), Use::Fresh, "a nonce still in a window goes on");
}

#[test]
fn windows_of_nonces_past_their_age_are_dropped() {
    let windows = Windows::new(1000);
    windows.admit(nonce(1), 1, 0);
    windows.admit(nonce(2), 1, 0);
    assert_eq!(windows.len(), 2);
    windows.admit(nonce(5000), 1, 4000);
    assert_eq!(windows.len(), 1);
}

proptest! {
    #[test]
    fn no_count_is_ever_admitted_twice(counts in prop::collection::vec(1u32..200, 1..300), limit in 1usize..2000) {
        let windows = Windows::new(limit);
        let mut seen = std::collections::BTreeSet::new();
        for (i, count) in counts.iter().enumerate() {
            let n = nonce(u64::from(count % 7) + i as u64 / 40);
            if windows.admit(n, *count, 0) == Use::Fresh {
                prop_assert!(seen.insert((n.issued_millis, n.counter, *count)));
            }
        }
    }
}
