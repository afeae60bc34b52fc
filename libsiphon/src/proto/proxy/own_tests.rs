use super::*;

fn listener(transport: Transport, bound: &str, host: &str, port: u16) -> Listener {
    Listener { transport, bound: bound.parse().unwrap(), host: host.into(), port }
}

fn own() -> OwnAddresses {
    OwnAddresses::new(
        vec![
            listener(Transport::Udp, "192.0.2.1:5060", "proxy.example.com", 5062),
            listener(Transport::Tcp, "192.0.2.1:5060", "192.0.2.1", 5060),
            listener(Transport::Udp, "[2001:db8::1]:5060", "[2001:db8::1]", 5060),
            listener(Transport::Udp, "127.0.0.1:5070", "127.0.0.1", 5070),
            listener(Transport::Udp, "0.0.0.0:5080", "203.0.113.9", 5080),
        ],
        ["Example.COM", "ports.example:5099", "ports.example:5098", "198.51.100.7"]
            .iter()
            .filter_map(|d| Domain::parse(d))
            .collect(),
        &["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
    )
}

#[track_caller]
fn check(uri: &str, route: bool, local: bool) {
    let uri = Uri::parse(uri).unwrap();
    assert_eq!((own().is_own_route(&uri), own().is_local(&uri)), (route, local), "{uri}");
}

#[test]
fn listen_and_advertised_addresses_are_ours_at_their_port() {
    check("sip:192.0.2.1", true, true);
    check("sip:192.0.2.1:5060;lr", true, true);
    check("sip:192.0.2.1:5061", false, false);
    check("sip:token@PROXY.example.com:5062;lr", true, true);
    check("sip:proxy.example.com:5060", false, false);
    check("sip:[2001:DB8:0:0::1]", true, true);
    check("sip:[2001:db8::2]", false, false);
    check("sip:127.0.0.1:5070", true, true);
    check("sip:127.0.0.1", false, false);
}

#[test]
fn an_advertised_name_without_a_port_is_local() {
    check("sip:alice@proxy.example.com", false, true);
}

#[test]
fn a_wildcard_listener_answers_at_every_interface_of_its_family() {
    check("sip:10.0.0.1:5080", true, true);
    check("sip:203.0.113.9:5080", true, true);
    check("sip:[::1]:5080", false, false);
}

#[test]
fn a_domain_with_a_port_matches_that_port_and_one_without_any() {
    check("sip:alice@example.com", false, true);
    check("sip:alice@EXAMPLE.com:9", false, true);
    check("sip:alice@ports.example:5098", false, true);
    check("sip:alice@ports.example:5099", false, true);
    check("sip:alice@ports.example", false, false);
    check("sip:alice@198.51.100.7:7", false, true);
    check("sip:alice@notexample.com", false, false);
    check("sip:alice@sub.example.com", false, false);
}

#[test]
fn only_sip_uris_are_local() {
    check("tel:+4912345", false, false);
    check("urn:service:sos", false, false);
}

#[test]
fn the_listener_follows_transport_family_and_local_address() {
    let own = own();
    let bound = |transport, remote: &str, local: Option<&str>| {
        let local = local.map(|l| l.parse().unwrap());
        own.listener_for(transport, &remote.parse().unwrap(), local).map(|l| l.bound.to_string())
    };
    assert_eq!(bound(Transport::Udp, "198.51.100.1:5060", None).as_deref(), Some("192.0.2.1:5060"));
    assert_eq!(bound(Transport::Udp, "127.0.0.1:9", None).as_deref(), Some("127.0.0.1:5070"));
    assert_eq!(bound(Transport::Udp, "[2001:db8::9]:1", None).as_deref(), Some("[2001:db8::1]:5060"));
    assert_eq!(bound(Transport::Tcp, "[2001:db8::9]:1", None), None);
    assert_eq!(
        bound(Transport::Udp, "198.51.100.1:5060", Some("127.0.0.1:5070")).as_deref(),
        Some("127.0.0.1:5070")
    );
    assert_eq!(
        bound(Transport::Udp, "198.51.100.1:5060", Some("10.0.0.1:5080")).as_deref(),
        Some("0.0.0.0:5080")
    );
    assert_eq!(
        bound(Transport::Tcp, "198.51.100.1:5060", Some("192.0.2.1:49152")).as_deref(),
        Some("192.0.2.1:5060")
    );
}

#[test]
fn a_send_socket_is_found_by_bound_or_advertised_address() {
    let own = own();
    let remote = "198.51.100.1:5060".parse().unwrap();
    let bound = |text| own.listener_named(text, Transport::Udp, &remote).map(|l| l.bound.to_string());
    assert_eq!(bound("203.0.113.9:5080").as_deref(), Some("0.0.0.0:5080"));
    assert_eq!(bound("udp:192.0.2.1:5060").as_deref(), Some("192.0.2.1:5060"));
    assert_eq!(bound("proxy.example.com").as_deref(), Some("192.0.2.1:5060"));
    assert_eq!(bound("tcp:192.0.2.1:5060"), None);
    assert_eq!(bound("[2001:db8::1]:5060"), None);
    assert_eq!(bound("nonsense here"), None);
}

#[test]
fn a_socket_of_ours_is_recognised() {
    assert!(own().is_own_socket(&"10.0.0.1:5080".parse().unwrap()));
    assert!(!own().is_own_socket(&"10.0.0.1:5081".parse().unwrap()));
}

#[test]
fn no_domain_is_made_of_what_is_no_host() {
    for text in ["", "a b", "user@host", "host;x", "host:99999"] {
        assert_eq!(Domain::parse(text), None, "{text}");
    }
    assert_eq!(Domain::parse("2001:DB8::1"), Some(Domain { host: "2001:db8::1".into(), port: None }));
}
