use super::*;
use proptest::prelude::*;

fn secret(epoch: u32) -> RouteSecret {
    RouteSecret::new(&Secret::new(1, 2), epoch)
}

fn tcp(remote: &str) -> Egress {
    Egress {
        transport: Transport::Tcp,
        local: Some("192.0.2.1:5060".parse().unwrap()),
        remote: remote.parse().unwrap(),
        connection: Some(ConnectionId { shard: 2, slot: 77, generation: 3 }),
        may_connect: false,
    }
}

fn udp(remote: &str) -> Egress {
    Egress { transport: Transport::Udp, local: None, connection: None, ..tcp(remote) }
}

fn text(token: &TokenText) -> &str {
    std::str::from_utf8(token).unwrap()
}

#[test]
fn the_callers_requests_go_to_the_uas_and_the_callees_to_the_uac() {
    let sides = Sides { uac: Some(tcp("198.51.100.1:40000")), uas: Some(udp("198.51.100.2:1024")) };
    let token = secret(1).encode(&sides, "caller-tag");
    assert_eq!(secret(1).decode(text(&token), "caller-tag"), sides.uas);
    assert_eq!(secret(1).decode(text(&token), "callee-tag"), sides.uac);
    assert!(token.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_')), "{}", text(&token));
}

#[test]
fn a_side_that_is_reachable_otherwise_has_no_flow_in_the_token() {
    let sides = Sides { uac: Some(tcp("198.51.100.1:40000")), uas: None };
    let token = secret(1).encode(&sides, "caller-tag");
    assert_eq!(secret(1).decode(text(&token), "caller-tag"), None);
    assert_eq!(secret(1).decode(text(&token), "callee-tag"), sides.uac);
}

#[test]
fn a_connection_does_not_outlive_the_node_but_a_nat_binding_does() {
    let sides = Sides { uac: Some(tcp("198.51.100.1:40000")), uas: Some(udp("198.51.100.2:1024")) };
    let token = secret(1).encode(&sides, "caller-tag");
    assert_eq!(secret(2).decode(text(&token), "caller-tag"), sides.uas);
    assert_eq!(secret(2).decode(text(&token), "callee-tag"), None);
}

#[test]
fn a_token_that_was_touched_or_made_elsewhere_says_nothing() {
    let sides = Sides { uac: None, uas: Some(tcp("[2001:db8::1]:40000")) };
    let token = secret(1).encode(&sides, "t");
    let other = RouteSecret::new(&Secret::new(1, 3), 1);
    assert_eq!(other.decode(text(&token), "t"), None);
    for at in 0..token.len() {
        let mut touched = token.clone();
        touched[at] = if touched[at] == b'A' { b'B' } else { b'A' };
        // The last character holds spare bits in some lengths; those must not make another token either.
        assert_eq!(secret(1).decode(text(&touched), "t"), None, "touched at {at}");
    }
    for user in ["", "f1", "alice", "f1AAAA", &"f1".repeat(200)] {
        assert_eq!(secret(1).decode(user, "t"), None, "{user}");
    }
}

#[test]
fn the_usual_token_is_short() {
    let sides = Sides { uac: Some(tcp("198.51.100.1:40000")), uas: None };
    assert!(secret(1).encode(&sides, "t").len() <= 54, "{}", secret(1).encode(&sides, "t").len());
}

fn address() -> impl Strategy<Value = SocketAddr> {
    (any::<IpAddr>(), any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

prop_compose! {
    fn egress()(remote in address(), local in any::<Option<u16>>(), stream in any::<bool>(),
                connection in any::<Option<(u8, u32, u32)>>()) -> Egress {
        Egress {
            transport: if stream { Transport::Tcp } else { Transport::Udp },
            local: local.map(|port| SocketAddr::new(remote.ip(), port)),
            remote,
            connection: connection.map(|(shard, slot, generation)| ConnectionId { shard, slot, generation }),
            may_connect: false,
        }
    }
}

proptest! {
    #[test]
    fn every_token_reads_back(uac in proptest::option::of(egress()), uas in proptest::option::of(egress()), tag in "[a-z0-9]{1,40}") {
        let sides = Sides { uac, uas };
        let token = secret(9).encode(&sides, &tag);
        prop_assert_eq!(secret(9).decode(text(&token), &tag), uas);
        prop_assert_eq!(secret(9).decode(text(&token), "another tag"), uac);
    }

    #[test]
    fn no_user_part_panics(user in "\\PC{0,300}") {
        prop_assert_eq!(secret(9).decode(&user, "t"), None);
        prop_assert_eq!(secret(9).decode(&format!("f1{user}"), "t"), None);
    }
}
