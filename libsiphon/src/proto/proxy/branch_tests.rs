use super::*;
use crate::wire::sip::Limits;

const INVITE: &str = "INVITE sip:bob@example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKabc\r\n\
    From: <sip:alice@example.com>;tag=a1\r\n\
    To: <sip:bob@example.com>\r\n\
    Call-ID: call-1\r\n\
    CSeq: 1 INVITE\r\n\
    Route: <sip:192.0.2.1;lr>\r\n\
    Max-Forwards: 70\r\n\
    Content-Length: 0\r\n\r\n";

fn message(text: &str) -> Message {
    Message::parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn secret() -> BranchSecret {
    BranchSecret::new(&Secret::new(7, 8))
}

fn source() -> IpAddr {
    "192.0.2.9".parse().unwrap()
}

const KEY: Key = Key { slot: 0x0012_3456, generation: 9 };

#[test]
fn a_branch_names_its_shard_and_transaction() {
    let branch = secret().encode(3, KEY, 0xdead_beef);
    assert!(branch.as_str().starts_with("z9hG4bKt03"));
    assert_eq!(
        secret().decode(branch.as_str()),
        Some(BranchId { shard: 3, key: Some(KEY), loop_hash: 0xdead_beef })
    );
    assert_eq!(secret().decode(&branch.as_str().to_ascii_uppercase()).map(|b| b.key), Some(Some(KEY)));
}

#[test]
fn a_branch_that_was_touched_or_made_elsewhere_is_not_ours() {
    let branch = secret().encode(3, KEY, 5);
    assert_eq!(BranchSecret::new(&Secret::new(7, 9)).decode(branch.as_str()), None);
    for at in 0..branch.as_str().len() {
        let mut touched = branch.as_str().to_owned().into_bytes();
        touched[at] = if touched[at] == b'1' { b'2' } else { b'1' };
        assert_eq!(secret().decode(std::str::from_utf8(&touched).unwrap()), None, "touched at {at}");
    }
    for text in [
        "",
        "z9hG4bK",
        "z9hG4bKabc",
        "z9hG4bK\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}xx",
    ] {
        assert_eq!(secret().decode(text), None, "{text}");
    }
}

#[test]
fn a_stateless_branch_repeats_with_the_message_and_differs_between_messages() {
    let ack = message(INVITE);
    let first = secret().encode_stateless(1, &ack, 4);
    assert_eq!(first, secret().encode_stateless(1, &message(INVITE), 4));
    assert_ne!(first, secret().encode_stateless(1, &message(&INVITE.replace("z9hG4bKabc", "z9hG4bKabd")), 4));
    assert_eq!(secret().decode(first.as_str()), Some(BranchId { shard: 1, key: None, loop_hash: 4 }));
}

#[test]
fn the_loop_hash_changes_with_what_decides_about_the_way() {
    let hash = |text: &str| secret().loop_hash(&message(text), source());
    let base = hash(INVITE);
    for (from, to) in [
        ("INVITE sip:bob@", "INVITE sip:carol@"),
        ("tag=a1", "tag=a2"),
        ("To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=b"),
        ("call-1", "call-2"),
        ("CSeq: 1", "CSeq: 2"),
        ("Route: <sip:192.0.2.1;lr>\r\n", ""),
        ("Max-Forwards", "Proxy-Require: privacy\r\nMax-Forwards"),
        ("Max-Forwards", "Proxy-Authorization: Digest username=\"a\"\r\nMax-Forwards"),
    ] {
        assert_ne!(base, hash(&INVITE.replace(from, to)), "{from} -> {to}");
    }
    assert_ne!(base, secret().loop_hash(&message(INVITE), "192.0.2.10".parse().unwrap()));
}

#[test]
fn the_loop_hash_keeps_still_under_hops_and_between_invite_ack_and_cancel() {
    let hash = |text: &str| secret().loop_hash(&message(text), source());
    let base = hash(INVITE);
    for (from, to) in [
        ("INVITE", "CANCEL"),
        ("Max-Forwards: 70", "Max-Forwards: 69"),
        ("Via: ", "Via: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKx, "),
    ] {
        assert_eq!(base, hash(&INVITE.replace(from, to)), "{from} -> {to}");
    }
}

#[test]
fn a_request_that_comes_back_unchanged_is_a_loop_and_a_changed_one_a_spiral() {
    let hash = secret().loop_hash(&message(INVITE), source());
    let ours = secret().encode(0, KEY, hash);
    assert_eq!(secret().loop_check(&message(INVITE), hash), Loop::None);
    let via = format!(
        "Via: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bKother\r\nv: SIP/2.0/UDP 192.0.2.1;branch={};rport, ",
        ours.as_str()
    );
    let back = INVITE.replace("Via: ", &via);
    let again = message(&back);
    assert_eq!(secret().loop_check(&again, secret().loop_hash(&again, source())), Loop::Loop);
    let spiral = message(&back.replace("INVITE sip:bob", "INVITE sip:carol"));
    assert_eq!(secret().loop_check(&spiral, secret().loop_hash(&spiral, source())), Loop::Spiral);
}
