use super::*;
use std::collections::BTreeSet;

fn nonces() -> Nonces {
    Nonces::new(Secret::new(1, 2), Duration::from_secs(300))
}

const NOW: Instant = Instant::from_unix_secs(1_800_000_000);

#[test]
fn a_million_nonces_of_one_instant_are_distinct() {
    let nonces = nonces();
    let all: BTreeSet<String> = (0..1_000_000).map(|_| nonces.issue("example.com", NOW)).collect();
    assert_eq!(all.len(), 1_000_000);
}

#[test]
fn a_nonce_is_recognised_for_its_own_realm_and_secret_only() {
    let text = nonces().issue("example.com", NOW);
    assert!(nonces().recognise(&text, "example.com").is_some());
    assert!(nonces().recognise(&text, "example.org").is_none());
    let other = Nonces::new(Secret::new(1, 3), Duration::from_secs(300));
    assert!(other.recognise(&text, "example.com").is_none());
}

#[test]
fn changing_any_character_makes_a_nonce_foreign() {
    let nonces = nonces();
    let text = nonces.issue("example.com", NOW);
    for at in 0..text.len() {
        let mut wrong = text.clone().into_bytes();
        wrong[at] = if wrong[at] == b'7' { b'8' } else { b'7' };
        assert!(nonces.recognise(std::str::from_utf8(&wrong).unwrap(), "example.com").is_none(), "at {at}");
    }
    assert!(nonces.recognise("", "example.com").is_none());
    assert!(nonces.recognise(&format!("{text}0"), "example.com").is_none());
}

#[test]
fn a_nonce_ages_out_exactly_at_its_lifetime() {
    let nonces = nonces();
    let nonce = nonces.recognise(&nonces.issue("r", NOW), "r").unwrap();
    assert!(nonces.is_fresh(nonce, NOW + Duration::from_millis(299_999)));
    assert!(!nonces.is_fresh(nonce, NOW + Duration::from_secs(300)));
    assert!(nonces.is_fresh(nonce, Instant::from_unix_secs(1_799_999_990)), "a clock behind ours");
}
