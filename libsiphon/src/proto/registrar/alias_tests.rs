use super::*;
use crate::proto::registrar::harness::{register, tcp, udp};
use proptest::prelude::*;

fn add(uri: &str, flow: &Flow) -> Option<String> {
    add_alias(&Uri::parse(uri).unwrap(), flow)
}

fn take(uri: &str) -> Option<Aliased> {
    take_alias(&Uri::parse(uri).unwrap())
}

#[test]
fn an_alias_is_written_as_kamailio_writes_it_and_taken_out_again() {
    let uri = "sip:alice@10.0.0.5:5062;transport=tcp;ob?X=y";
    let aliased = add(uri, &tcp("198.51.100.9:31000", 1)).unwrap();
    assert_eq!(aliased, "sip:alice@10.0.0.5:5062;transport=tcp;ob;alias=198.51.100.9~31000~2?X=y");
    let taken = take(&aliased).unwrap();
    assert_eq!(taken.uri, uri);
    assert_eq!((taken.transport, taken.remote), (Transport::Tcp, "198.51.100.9:31000".parse().unwrap()));
}

#[test]
fn a_contact_that_says_where_it_is_gets_no_alias() {
    let udp = udp("192.0.2.7:5060");
    assert_eq!(add("sip:a@192.0.2.7", &udp), None);
    assert_eq!(add("sip:a@192.0.2.7:5060;transport=UDP", &udp), None);
    assert_eq!(add("sip:a@10.0.0.5;alias=192.0.2.7~5060~1", &udp), None);
    assert_eq!(add("tel:+4930", &udp), None);
    for different in
        ["sip:a@192.0.2.8", "sip:a@192.0.2.7:5070", "sip:a@192.0.2.7;transport=tcp", "sip:a@host"]
    {
        assert!(add(different, &udp).is_some(), "{different}");
    }
}

#[test]
fn ipv6_sources_come_in_brackets_and_are_read_with_or_without() {
    let aliased = add("sip:a@10.0.0.5", &udp("[2001:db8::7]:5080")).unwrap();
    assert_eq!(aliased, "sip:a@10.0.0.5;alias=[2001:db8::7]~5080~1");
    let remote = "[2001:db8::7]:5080".parse().unwrap();
    assert_eq!(take(&aliased).unwrap().remote, remote);
    assert_eq!(take("sip:a@10.0.0.5;alias=2001:db8::7~5080~1").unwrap().remote, remote);
}

#[test]
fn an_alias_that_names_no_address_we_can_send_to_is_left_alone() {
    for alias in [
        "192.0.2.7~5060~3",
        "192.0.2.7~5060",
        "192.0.2.7~0~1",
        "192.0.2.7~70000~1",
        "host~5060~1",
        "192.0.2.7~5060~1~x",
        "",
    ] {
        assert_eq!(take(&format!("sip:a@10.0.0.5;alias={alias}")), None, "{alias}");
    }
    assert_eq!(take("sip:a@10.0.0.5;transport=udp"), None);
    assert_eq!(take("sip:a;alias=192.0.2.7~5060~1@10.0.0.5"), None, "in the user part it is the user's");
}

#[test]
fn each_contact_of_a_message_is_given_its_alias() {
    let message = register("c", 1, &["Contact: \"A\" <sip:a@10.0.0.5>;q=0.5, sip:b@192.0.2.7"]);
    assert_eq!(
        add_contact_alias(&message, &udp("192.0.2.7:5060")).unwrap(),
        ["\"A\" <sip:a@10.0.0.5;alias=192.0.2.7~5060~1>;q=0.5", "sip:b@192.0.2.7"]
    );
}

proptest! {
    #[test]
    fn taking_undoes_adding(
        user in "([a-z]{1,8}(;[a-z]{1,3})?@)?", port in prop::option::of(1u16..), params in "(;[a-z]{1,4}(=[a-z0-9]{1,4})?){0,3}",
        headers in "(\\?[a-z]{1,3}=[a-z]{0,3})?", source: [u8; 4], source_port in 1u16..,
    ) {
        let port = port.map(|p| format!(":{p}")).unwrap_or_default();
        let uri = format!("sip:{user}host{port}{params}{headers}");
        let flow = udp(&std::net::SocketAddr::from((source, source_port)).to_string());
        let aliased = add(&uri, &flow).unwrap();
        let taken = take(&aliased).unwrap();
        prop_assert_eq!(taken.uri, uri);
        prop_assert_eq!(taken.remote, flow.remote);
    }
}
