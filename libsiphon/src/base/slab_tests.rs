use super::*;
use crate::base::rng::Rng;
use std::collections::BTreeMap;

#[test]
fn a_stale_key_finds_nothing_after_its_slot_was_reused() {
    let mut slab = Slab::default();
    let first = slab.insert("a");
    assert_eq!(slab.remove(first), Some("a"));
    let second = slab.insert("b");
    assert_eq!(second.slot, first.slot);
    assert_eq!(slab.get(first), None);
    assert_eq!(slab.remove(first), None);
    assert_eq!(slab.get(second), Some(&"b"));
    assert_eq!(Key::from_u64(second.to_u64()), second);
    assert_eq!(slab.len(), 1);
}

#[test]
fn memory_is_given_back_when_the_entries_have_gone_and_their_keys_stay_stale() {
    let mut slab = Slab::default();
    let many: Vec<Key> = (0..100_000).map(|n| slab.insert(n)).collect();
    assert!(slab.capacity() >= 100_000);
    // One of 500 stays for longer, as a call that rings does among those that have ended.
    for key in many.iter().enumerate().filter(|(n, _)| n % 500 != 0).map(|(_, key)| *key) {
        slab.remove(key);
    }
    assert_eq!(slab.len(), 200);
    assert!(slab.capacity() <= 201 * PAGE as usize, "{}", slab.capacity());
    for key in &many {
        slab.remove(*key);
    }
    assert_eq!((slab.len(), slab.capacity()), (0, PAGE as usize));
    let again: Vec<Key> = (0..100_000).map(|n| slab.insert(n)).collect();
    let slots = slab.iter().map(|(key, _)| key.slot).max();
    assert!(slots < Some(100_000 + PAGE), "numbers of slots are used again: {slots:?}");
    assert!(
        many.iter().all(|key| slab.get(*key).is_none() && slab.remove(*key).is_none()),
        "an old key found one"
    );
    assert!(again.iter().enumerate().all(|(n, key)| slab.get(*key) == Some(&n)));
}

#[test]
fn an_entry_that_comes_and_goes_does_not_make_its_page_come_and_go() {
    let mut slab = Slab::default();
    let full: Vec<Key> = (0..PAGE).map(|n| slab.insert(n)).collect();
    for n in 0..10 {
        let one = slab.insert(n);
        assert_eq!(slab.capacity(), 2 * PAGE as usize);
        slab.remove(one);
        assert_eq!(slab.capacity(), 2 * PAGE as usize, "it is kept for the next");
    }
    full.iter().for_each(|key| assert!(slab.remove(*key).is_some()));
    assert_eq!(slab.capacity(), PAGE as usize);
}

#[test]
fn whatever_is_done_a_slab_is_a_map_whose_keys_are_never_used_again() {
    let mut rng = Rng::seeded(5);
    let (mut slab, mut model, mut gone) = (Slab::default(), BTreeMap::<Key, u64>::new(), Vec::new());
    for step in 0..60_000u64 {
        // Waves: it grows for a while and shrinks for a while.
        let grows = step / 6_000 % 2 == 0;
        if rng.below(10) < if grows { 7 } else { 3 } {
            let key = slab.insert(step);
            assert!(model.insert(key, step).is_none());
        } else if let Some(key) = model.keys().nth(rng.below(model.len().max(1) as u64) as usize).copied() {
            assert_eq!(slab.remove(key), model.remove(&key));
            gone.push(key);
        }
        assert_eq!(slab.len(), model.len());
    }
    assert!(gone.iter().all(|key| slab.get(*key).is_none() && !model.contains_key(key)));
    assert!(slab.iter().map(|(key, value)| (key, *value)).eq(model.iter().map(|(k, v)| (*k, *v))));
    assert!(slab.capacity() <= (model.len() + 1) * PAGE as usize);
}
