use super::*;

#[test]
fn each_algorithm_gives_the_published_result_for_abc() {
    assert_eq!(Algorithm::Md5.hash(&[b"abc"]).as_str(), "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(
        Algorithm::Sha256.hash(&[b"abc"]).as_str(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(
        Algorithm::Sha512_256.hash(&[b"abc"]).as_str(),
        "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
    );
}

#[test]
fn parts_are_joined_by_colons() {
    let joined = Algorithm::Md5.hash(&[b"a:b:c"]);
    assert!(joined.matches(Algorithm::Md5.hash(&[b"a", b"b", b"c"]).as_bytes()));
}

#[test]
fn comparison_takes_either_case_and_refuses_every_changed_digit_and_length() {
    let digest = Algorithm::Sha256.hash(&[b"x"]);
    let text = digest.as_str().to_owned();
    assert!(digest.matches(text.to_uppercase().as_bytes()));
    for at in 0..text.len() {
        let mut wrong = text.clone().into_bytes();
        wrong[at] = if wrong[at] == b'0' { b'1' } else { b'0' };
        assert!(!digest.matches(&wrong), "digit {at}");
    }
    assert!(!digest.matches(&text.as_bytes()[..63]));
    assert!(!digest.matches(b""));
    // An MD5 result followed by NULs fills the same buffer but is no result.
    let short = Algorithm::Md5.hash(&[b"x"]);
    let mut padded = short.as_bytes().to_vec();
    padded.resize(64, 0);
    assert!(!short.matches(&padded));
}

#[test]
fn tokens_read_in_any_case_with_and_without_sess() {
    assert_eq!(Algorithm::from_token("md5"), Some((Algorithm::Md5, false)));
    assert_eq!(Algorithm::from_token("MD5-sess"), Some((Algorithm::Md5, true)));
    assert_eq!(Algorithm::from_token("SHA-512-256-SESS"), Some((Algorithm::Sha512_256, true)));
    assert_eq!(Algorithm::from_token("SHA-512"), None);
    assert_eq!(Algorithm::from_token("-sess"), None);
    assert_eq!(Algorithm::from_token("ä-sess"), None);
}

#[test]
fn a_stored_ha1_is_read_only_when_it_has_the_right_number_of_hex_digits() {
    assert!(HexDigest::parse(Algorithm::Md5, "939E7578ED9E3C518A452ACEE763BCE9").is_some());
    assert!(HexDigest::parse(Algorithm::Sha256, "939e7578ed9e3c518a452acee763bce9").is_none());
    assert!(HexDigest::parse(Algorithm::Md5, "939e7578ed9e3c518a452acee763bceg").is_none());
}
