use super::*;
use crate::proto::registrar::harness::*;
use crate::proto::registrar::{Registrar, RegistrarSettings};

const ID: &str = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
const OTHER: &str = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf7";

fn contact(user: &str, id: &str) -> String {
    format!("Contact: <sip:{user}@192.0.2.7>;+sip.instance=\"<{id}>\"")
}

/// Registers, and returns the GRUUs of the first contact told.
fn gruus(registrar: &Registrar, call_id: &str, cseq: u32, line: &str, now: Instant) -> (String, String) {
    let outcome = send(registrar, &register(call_id, cseq, &[line, "Supported: gruu"]), now);
    assert_eq!(answer(&outcome), "200");
    let value = values(&outcome, "Contact")[0].to_owned();
    let value = crate::wire::sip::NameAddr::parse(&value).unwrap();
    let get = |name| value.params.unquoted(name).unwrap().into_owned();
    (get("pub-gruu"), get("temp-gruu"))
}

fn uris(registrar: &Registrar, uri: &str, now: Instant) -> Option<Vec<String>> {
    let gruu = registrar.resolve_gruu(&Uri::parse(uri).unwrap(), now)?;
    assert_eq!(&*gruu.aor, "sip:alice@example.com");
    Some(gruu.bindings.iter().map(|b| b.uri.to_string()).collect())
}

#[test]
fn both_gruus_lead_to_their_instance_and_no_other() {
    let registrar = registrar(RegistrarSettings::default());
    send(&registrar, &register("o", 1, &[&contact("other", OTHER)]), NOW);
    let (public, temporary) = gruus(&registrar, "c", 1, &contact("phone", ID), at(1));
    assert_eq!(public, format!("sip:alice@example.com;gr={ID}"));
    assert!(temporary.starts_with("sip:tgruu.") && temporary.ends_with("@example.com;gr"), "{temporary}");
    for gruu in [&public, &temporary] {
        assert_eq!(uris(&registrar, gruu, at(1)), Some(vec!["sip:phone@192.0.2.7".to_owned()]));
        let found = registrar.lookup(&Uri::parse(gruu).unwrap(), at(1));
        assert_eq!(found.len(), 1);
    }
    let shouted = format!("sip:alice@EXAMPLE.com;gr={}", ID.to_uppercase());
    assert_eq!(uris(&registrar, &shouted, at(1)).unwrap().len(), 1);
    assert_eq!(registrar.lookup(&Uri::parse("sip:alice@example.com").unwrap(), at(1)).len(), 2);
}

#[test]
fn a_public_gruu_of_a_silent_instance_is_known_and_empty_and_a_stranger_is_not_known() {
    let registrar = registrar(RegistrarSettings::default());
    send(&registrar, &register("o", 1, &[&contact("other", OTHER)]), NOW);
    assert_eq!(uris(&registrar, &format!("sip:alice@example.com;gr={ID}"), NOW), Some(vec![]));
    assert_eq!(uris(&registrar, &format!("sip:bob@example.com;gr={ID}"), NOW), None);
    assert_eq!(uris(&registrar, "sip:alice@example.com;gr", NOW), None);
    assert_eq!(uris(&registrar, "sip:alice@example.com", NOW), None);
}

#[test]
fn temporary_gruus_differ_each_time_and_outlive_refreshes_under_the_same_call_id() {
    let registrar = registrar(RegistrarSettings::default());
    let line = contact("phone", ID);
    let (_, first) = gruus(&registrar, "c", 1, &line, NOW);
    let (_, second) = gruus(&registrar, "c", 2, &line, at(10));
    assert_ne!(first, second);
    assert!(uris(&registrar, &first, at(10)).is_some() && uris(&registrar, &second, at(10)).is_some());
    let (_, third) = gruus(&registrar, "d", 1, &line, at(20));
    assert_eq!(uris(&registrar, &first, at(20)), None, "another Call-ID ends them (RFC 5627 5.2)");
    assert!(uris(&registrar, &third, at(20)).is_some());
    send(&registrar, &register("d", 2, &["Contact: *", "Expires: 0"]), at(30));
    assert_eq!(uris(&registrar, &third, at(30)), None);
    let (_, fourth) = gruus(&registrar, "d", 3, &line, at(40));
    assert_eq!(uris(&registrar, &third, at(40)), None, "a registration anew does not revive them");
    assert_eq!(uris(&registrar, &fourth, at(40 + 3600)), None);
}

#[test]
fn a_temporary_gruu_shows_nothing_and_takes_no_change() {
    let registrar = registrar(RegistrarSettings::default());
    let (_, gruu) = gruus(&registrar, "c", 1, &contact("phone", ID), NOW);
    assert!(!gruu.contains("alice"));
    let from = "sip:tgruu.".len();
    let end = gruu.find('@').unwrap();
    for at in from..end {
        let mut changed = gruu.clone();
        let with = if gruu.as_bytes()[at] == b'A' { "B" } else { "A" };
        changed.replace_range(at..=at, with);
        assert_eq!(uris(&registrar, &changed, NOW), None, "{changed}");
    }
    let stranger = GruuKeys::new(&Secret::new(9, 9));
    assert_eq!(stranger.resolve(&Uri::parse(&gruu).unwrap(), &registrar.location, NOW), None);
}

#[test]
fn gruus_are_given_to_those_who_support_them_only() {
    let registrar = registrar(RegistrarSettings::default());
    let line = contact("phone", ID);
    let without = send(&registrar, &register("c", 1, &[&line]), NOW);
    assert!(!values(&without, "Contact")[0].contains("gruu"));
    let bare =
        send(&registrar, &register("d", 1, &["Contact: <sip:b@192.0.2.8>;q=1", "Supported: gruu"]), at(1));
    let told = values(&bare, "Contact");
    assert!(!told[0].contains("gruu") && told[1].contains("pub-gruu"), "{told:?}");
}

#[test]
fn a_gruu_of_the_same_user_is_no_contact() {
    let registrar = registrar(RegistrarSettings::default());
    let line = format!("Contact: <sip:alice@example.com;gr={ID}>");
    let outcome = send(&registrar, &register("c", 1, &[&line]), NOW);
    assert_eq!(answer(&outcome), "403 Contact Is A GRUU Of The Address Of Record");
}

#[test]
fn an_odd_instance_id_is_escaped_in_the_public_gruu_and_found_again() {
    let registrar = registrar(RegistrarSettings::default());
    let odd = "urn:x:a;b=c d";
    let (public, _) = gruus(&registrar, "c", 1, &contact("phone", odd), NOW);
    assert_eq!(public, "sip:alice@example.com;gr=urn:x:a%3Bb%3Dc%20d");
    assert_eq!(uris(&registrar, &public, NOW).unwrap().len(), 1);
}
