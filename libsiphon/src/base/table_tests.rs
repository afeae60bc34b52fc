use super::*;

#[test]
fn a_table_is_small_again_when_its_entries_have_gone_and_never_loses_one() {
    let mut table = HashTable::new();
    let hash = |n: &u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for n in 0..100_000 {
        table.insert_unique(hash(&n), n, hash);
    }
    let (full, mut times) = (table.capacity(), 0);
    for n in 0..99_990u64 {
        table.find_entry(hash(&n), |m| *m == n).expect("it is there").remove();
        let before = table.capacity();
        relax(&mut table, hash);
        times += usize::from(table.capacity() != before);
    }
    assert!(table.capacity() <= SMALL && full >= 100_000, "{} of {full}", table.capacity());
    assert!(times <= 10, "it is made smaller {times} times");
    assert!((99_990..100_000).all(|n| table.find(hash(&n), |m| *m == n).is_some()));
}
