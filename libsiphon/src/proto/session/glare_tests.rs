use super::*;

const T0: Instant = Instant::from_unix_secs(1_800_000_000);

#[test]
fn the_owner_of_the_call_id_waits_longer_than_the_other_always() {
    let mut rng = Rng::seeded(1);
    let mut draw =
        |owner| -> Vec<u128> { (0..20_000).map(|_| wait_after_491(owner, &mut rng).as_millis()).collect() };
    let (owner, other) = (draw(true), draw(false));
    assert_eq!((owner.iter().min(), owner.iter().max()), (Some(&2100), Some(&4000)));
    assert_eq!((other.iter().min(), other.iter().max()), (Some(&0), Some(&2000)));
    assert!(owner.iter().chain(&other).all(|ms| ms % 10 == 0), "in units of 10 ms");
    let distinct = |all: &[u128]| all.iter().collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!((distinct(&owner), distinct(&other)), (191, 201), "every step is chosen");
}

#[test]
fn retry_after_is_chosen_between_0_and_10_seconds() {
    let mut rng = Rng::seeded(2);
    let all: std::collections::BTreeSet<_> = (0..1000).map(|_| retry_after(&mut rng)).collect();
    assert_eq!(all, (0..=10).collect());
}

#[test]
fn a_request_is_tried_again_when_due_and_not_for_ever() {
    let mut rng = Rng::seeded(3);
    let mut retry = Retry::new();
    let mut now = T0;
    for _ in 1..MOST_ATTEMPTS {
        let at = retry.glare(true, &mut rng, now).expect("another attempt");
        assert_eq!(retry.deadline(), Some(at));
        assert!(at >= now + Duration::from_millis(2100));
        assert!(!retry.take_due(now));
        assert_eq!(Retry::from_bytes(&retry.to_bytes()), Ok(retry));
        assert!(retry.take_due(at) && !retry.take_due(at), "due once");
        now = at;
    }
    assert_eq!(retry.glare(true, &mut rng, now), None);
    assert_eq!(retry.deadline(), None);
    retry.clear();
    assert_eq!(retry.busy(3, now), Some(now + Duration::from_secs(3)));
    assert_eq!(retry.busy(86_400, now), Some(now + Duration::from_secs(60)));
}
