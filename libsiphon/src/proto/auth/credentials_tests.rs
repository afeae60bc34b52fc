use super::*;

fn ha1(table: &dyn Credentials, user: &str, algorithm: Algorithm) -> Option<String> {
    table.ha1(user, "example.com", algorithm).map(|d| d.as_str().to_owned())
}

fn md5(text: &str) -> Option<String> {
    Some(Algorithm::Md5.hash(&[text.as_bytes()]).as_str().to_owned())
}

#[test]
fn a_password_serves_every_algorithm_and_the_user_with_or_without_the_realm_as_domain() {
    let users = StaticUsers::new([("alice".into(), UserSecret::Password("secret".into()))]);
    assert_eq!(ha1(&users, "alice", Algorithm::Md5), md5("alice:example.com:secret"));
    assert_eq!(ha1(&users, "alice@EXAMPLE.com", Algorithm::Md5), md5("alice@EXAMPLE.com:example.com:secret"));
    assert!(ha1(&users, "alice", Algorithm::Sha512_256).is_some());
    assert_eq!(ha1(&users, "alice@example.org", Algorithm::Md5), None);
    assert_eq!(ha1(&users, "Alice", Algorithm::Md5), None);
    assert!(users.supports(Algorithm::Sha256));
}

#[test]
fn a_stored_ha1_serves_its_own_algorithm_and_spelling_only() {
    let stored = md5("bob:example.com:pw").unwrap();
    let users =
        StaticUsers::new([("bob".into(), UserSecret::Ha1(Algorithm::Md5, stored.to_uppercase().into()))]);
    assert_eq!(ha1(&users, "bob", Algorithm::Md5), Some(stored));
    assert_eq!(ha1(&users, "bob", Algorithm::Sha256), None);
    assert_eq!(ha1(&users, "bob@example.com", Algorithm::Md5), None);
    assert!(users.supports(Algorithm::Md5) && !users.supports(Algorithm::Sha256));
}

#[test]
fn a_stored_ha1_of_the_wrong_length_is_no_user() {
    let users = StaticUsers::new([("bob".into(), UserSecret::Ha1(Algorithm::Md5, "abc".into()))]);
    assert_eq!(ha1(&users, "bob", Algorithm::Md5), None);
}

#[test]
fn secrets_are_not_shown() {
    assert_eq!(format!("{:?}", UserSecret::Password("canary".into())), "UserSecret(..)");
}
