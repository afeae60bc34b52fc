use super::*;
use crate::proto::registrar::harness::{register, tcp, udp};

#[test]
fn private_and_shared_addresses_are_told_from_public_ones() {
    let private = |ip: &str| is_private(ip.parse().unwrap());
    for ip in ["10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255"] {
        assert!(private(ip), "{ip}");
    }
    for ip in ["127.0.0.1", "169.254.1.1", "fd00::1", "fe80::1", "::1", "::ffff:10.0.0.1", "0.0.0.0"] {
        assert!(private(ip), "{ip}");
    }
    for ip in
        ["9.255.255.255", "172.32.0.1", "172.15.0.1", "100.63.0.1", "100.128.0.1", "192.0.2.1", "2001:db8::1"]
    {
        assert!(!private(ip), "{ip}");
    }
}

#[test]
fn each_sign_of_a_nat_is_seen_for_itself() {
    // The Via of these requests is 192.0.2.7, port 5060.
    let signs = |contact: &str, source: &str| {
        NatSigns::of(&register("c", 1, &[&format!("Contact: <{contact}>")]), &udp(source))
    };
    assert!(!signs("sip:a@192.0.2.7", "192.0.2.7:5060").any());
    let private = signs("sip:a@10.0.0.5", "192.0.2.7:5060");
    assert!(private.private_contact && private.contact_elsewhere && !private.via_elsewhere);
    let elsewhere = signs("sip:a@203.0.113.1", "192.0.2.7:5060");
    assert!(!elsewhere.private_contact && elsewhere.contact_elsewhere);
    assert!(signs("sip:a@192.0.2.7", "192.0.2.7:31000").via_elsewhere, "port over UDP");
    assert!(signs("sip:a@198.51.100.1", "198.51.100.1:5060").via_elsewhere);
    assert!(!signs("sip:a@phone.example", "192.0.2.7:5060").any(), "a name says nothing");
    let same_lan = NatSigns::of(&register("c", 1, &["Contact: <sip:a@10.0.0.5>"]), &udp("10.0.0.5:5060"));
    assert!(!same_lan.private_contact && !same_lan.contact_elsewhere);
}

#[test]
fn a_stream_client_may_send_from_any_port() {
    let message = register("c", 1, &["Contact: <sip:a@192.0.2.7;transport=tcp>"]);
    assert!(!is_nated(&message, &tcp("192.0.2.7:49152", 1)));
    assert!(is_nated(&message, &udp("192.0.2.7:49152")));
}

#[test]
fn the_source_takes_the_place_of_host_and_port_and_the_rest_stays() {
    let fix = |uri: &str, source: &str| rewrite_host(&Uri::parse(uri).unwrap(), source.parse().unwrap());
    let source = "198.51.100.9:31000";
    for (uri, expected) in [
        ("sip:alice@10.0.0.5:5060;transport=udp;ob?X=y", "sip:alice@198.51.100.9:31000;transport=udp;ob?X=y"),
        ("sips:alice:pw@10.0.0.5", "sips:alice:pw@198.51.100.9:31000"),
        ("sip:10.0.0.5", "sip:198.51.100.9:31000"),
        ("sip:a@[fd00::1]:5070;lr", "sip:a@198.51.100.9:31000;lr"),
    ] {
        assert_eq!(fix(uri, source).as_deref(), Some(expected));
    }
    assert_eq!(fix("sip:a@10.0.0.5", "[2001:db8::7]:5060").as_deref(), Some("sip:a@[2001:db8::7]:5060"));
    assert_eq!(fix("sip:a@10.0.0.5", "[::ffff:192.0.2.1]:5060").as_deref(), Some("sip:a@192.0.2.1:5060"));
    assert_eq!(fix("tel:+4930", source), None);
}

#[test]
fn contacts_are_fixed_with_display_name_and_parameters_kept() {
    let fix = |line: &str| fix_contacts(&register("c", 1, &[line]), "198.51.100.9:31000".parse().unwrap());
    let fixed = "sip:a@198.51.100.9:31000";
    assert_eq!(
        fix("Contact: \"sip:a@10.0.0.5\" <sip:a@10.0.0.5>;expires=60, sip:a@10.0.0.5;q=0.1").unwrap(),
        [format!("\"sip:a@10.0.0.5\" <{fixed}>;expires=60"), format!("<{fixed}>;q=0.1")]
    );
    assert_eq!(
        fix("Contact: \"<x> \\\" ; \" <sip:a@10.0.0.5>;x=\"<sip:a@10.0.0.5>\"").unwrap(),
        [format!("\"<x> \\\" ; \" <{fixed}>;x=\"<sip:a@10.0.0.5>\"")]
    );
    assert_eq!(fix("Contact: *"), None);
    assert_eq!(fix(&format!("Contact: <{fixed}>")), None, "nothing to change");
    assert_eq!(fix("Subject: none"), None);
}
