use super::*;

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
