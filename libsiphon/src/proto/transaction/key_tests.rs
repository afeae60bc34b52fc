use super::*;
use crate::wire::sip::Limits;

const SECRET: Secret = Secret::new(1, 2);

const INVITE_REQUEST: &str = "INVITE sip:bob@biloxi.example SIP/2.0
Via: SIP/2.0/UDP pc33.atlanta.example;branch=z9hG4bK776asdhds
Max-Forwards: 70
From: Alice <sip:alice@atlanta.example>;tag=1928301774
To: Bob <sip:bob@biloxi.example>
Call-ID: a84b4c76e66710
CSeq: 314159 INVITE
Content-Length: 0

";

fn parse(text: &str) -> Message {
    Message::parse(text.replace('\n', "\r\n").as_bytes(), &Limits::default()).expect("a valid message")
}

fn lookup(text: &str) -> Lookup {
    Lookup::of(&parse(text), &SECRET)
}

/// The INVITE with some of its text replaced.
fn with(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(INVITE_REQUEST.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old} is in the message");
        text.replace(old, new)
    })
}

fn matches(key: &ServerKey, text: &str) -> bool {
    let lookup = lookup(text);
    let verdict = key.matches(&lookup, Some("r1"));
    assert!(!verdict || lookup.hash() == key.hash(), "what matches is found by its hash");
    verdict
}

#[test]
fn a_retransmission_matches_and_a_new_branch_does_not() {
    let key = lookup(INVITE_REQUEST).to_key();
    assert!(matches(&key, INVITE_REQUEST));
    assert!(!matches(&key, &with(&[("776asdhds", "776asdhdt")])));
    assert!(!matches(&key, &with(&[("776asdhds", "776ASDHDS")])), "a branch is compared as it was made");
}

#[test]
fn only_branch_sent_by_and_method_count() {
    let key = lookup(INVITE_REQUEST).to_key();
    let changed =
        [("sip:bob@biloxi.example SIP", "sip:carol@chicago.example SIP"), ("a84b4c76e66710", "other")];
    assert!(matches(&key, &with(&changed)));
    assert!(matches(&key, &with(&[("UDP pc33.atlanta.example", "UDP PC33.Atlanta.Example:5060;x=y")])));
    assert!(!matches(&key, &with(&[("UDP pc33.atlanta.example", "UDP pc33.atlanta.example:5062")])));
    assert!(!matches(&key, &with(&[("UDP pc33.", "UDP pc34.")])));
    assert!(!matches(&key, &with(&[("INVITE", "OPTIONS")])));
    assert!(!matches(&key, &with(&[("INVITE", "invite")])), "methods are case-sensitive");
}

#[test]
fn the_ack_of_a_failure_belongs_to_its_invite_and_that_of_a_2xx_to_none() {
    let key = lookup(INVITE_REQUEST).to_key();
    let ack = with(&[
        ("INVITE", "ACK"),
        ("To: Bob <sip:bob@biloxi.example>", "To: Bob <sip:bob@biloxi.example>;tag=r1"),
    ]);
    assert!(matches(&key, &ack));
    assert!(!matches(&key, &ack.replace("776asdhds", "fresh")));
}

#[test]
fn a_cancel_is_a_transaction_of_its_own_that_finds_its_invite() {
    let key = lookup(INVITE_REQUEST).to_key();
    let cancel = parse(&with(&[("INVITE", "CANCEL")]));
    assert!(!key.matches(&Lookup::of(&cancel, &SECRET), None));
    let target = Lookup::cancelled_by(&cancel, &SECRET);
    assert_eq!(target.hash(), key.hash());
    assert!(key.matches(&target, None));
    let other = parse(&with(&[("INVITE", "CANCEL"), ("776asdhds", "x1")]));
    assert!(!key.matches(&Lookup::cancelled_by(&other, &SECRET), None));
}

/// Without a branch, with one of another making, and with the bare cookie (RFC 4475 3.2.1).
const LEGACY_VIAS: [&str; 3] = ["", ";branch=1", ";branch=z9hG4bK"];

#[test]
fn rfc_2543_peers_are_told_by_uri_tags_call_id_cseq_and_via() {
    for via in LEGACY_VIAS {
        let invite = with(&[(";branch=z9hG4bK776asdhds", via)]);
        let key = lookup(&invite).to_key();
        assert!(matches(&key, &invite));
        for (old, new) in [
            ("INVITE sip:bob", "INVITE sip:carol"),
            ("tag=1928301774", "tag=1928301775"),
            ("a84b4c76e66710", "a84b4c76e66711"),
            ("314159", "314160"),
            ("UDP pc33.", "UDP pc34."),
            ("To: Bob <sip:bob@biloxi.example>", "To: Bob <sip:bob@biloxi.example>;tag=z"),
            ("INVITE", "OPTIONS"),
        ] {
            assert!(!matches(&key, &invite.replace(old, new)), "{new} in {via:?}");
        }
        let cancel = parse(&invite.replace("INVITE", "CANCEL"));
        assert!(key.matches(&Lookup::cancelled_by(&cancel, &SECRET), None));
    }
}

#[test]
fn an_rfc_2543_ack_is_told_by_the_to_tag_of_our_response() {
    let invite = with(&[(";branch=z9hG4bK776asdhds", "")]);
    let key = lookup(&invite).to_key();
    let ack = invite.replace("INVITE", "ACK").replace("biloxi.example>", "biloxi.example>;tag=r1");
    let ack = lookup(&ack);
    assert_eq!(ack.hash(), key.hash());
    assert!(key.matches(&ack, Some("r1")));
    assert!(!key.matches(&ack, Some("r2")));
    assert!(!key.matches(&ack, None), "nothing was sent that it could acknowledge");
}

#[test]
fn equal_hashes_alone_do_not_match() {
    let key = lookup(INVITE_REQUEST).to_key();
    let mut collision = lookup(&with(&[("776asdhds", "776asdhdt")]));
    collision.hash = key.hash;
    assert!(!key.matches(&collision, None));
}

#[test]
fn the_hash_depends_on_the_secret() {
    let other = Lookup::of(&parse(INVITE_REQUEST), &Secret::new(3, 4));
    assert_ne!(other.hash(), lookup(INVITE_REQUEST).hash());
}

#[test]
fn a_key_moves_to_a_node_with_another_secret() {
    let secret = Secret::new(3, 4);
    for text in [INVITE_REQUEST.to_owned(), with(&[(";branch=z9hG4bK776asdhds", "")])] {
        let mut w = Writer::default();
        lookup(&text).to_key().encode(&mut w);
        let bytes = w.into_bytes();
        let key = ServerKey::decode(&mut Reader::new(&bytes), &secret).expect("what was encoded decodes");
        let there = Lookup::of(&parse(&text), &secret);
        assert_eq!(key.hash(), there.hash());
        assert!(key.matches(&there, None));
    }
    assert!(ServerKey::decode(&mut Reader::new(&[1, 0, 0, 0, 2, LEGACY]), &secret).is_err());
    let short = ServerKey::decode(&mut Reader::new(&[1, 0, 0, 0, 1, LEGACY]), &secret);
    assert!(short.is_ok_and(|key| !key.matches(&lookup(INVITE_REQUEST), None)));
}
