use super::*;
use crate::base::flow::ConnectionId;
use crate::base::token::Secret;
use crate::proto::proxy::own::{Domain, Listener};
use crate::proto::proxy::route_token::Sides;

fn own() -> OwnAddresses {
    let listener = |transport, bound: &str| {
        let bound: std::net::SocketAddr = bound.parse().unwrap();
        Listener { transport, bound, host: bound.ip().to_string(), port: bound.port() }
    };
    OwnAddresses::new(
        vec![listener(Transport::Udp, "192.0.2.1:5060"), listener(Transport::Tcp, "192.0.2.1:5060")],
        vec![Domain::parse("example.com").unwrap()],
        &[],
    )
}

fn flow(transport: Transport) -> Flow {
    Flow {
        transport,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: "198.51.100.1:5060".parse().unwrap(),
        connection: None,
    }
}

fn tokens() -> RouteSecret {
    RouteSecret::new(&Secret::new(1, 2), 1)
}

fn request(ruri: &str, routes: &[&str], to_tag: &str) -> Message {
    let routes: String = routes.iter().map(|r| format!("Route: {r}\r\n")).collect();
    let text = format!(
        "BYE {ruri} SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKabc\r\nFrom: <sip:a@example.com>;tag=caller\r\n\
         To: <sip:b@example.com>{to_tag}\r\nCall-ID: c\r\nCSeq: 1 BYE\r\n{routes}Content-Length: 0\r\n\r\n"
    );
    Message::parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn run(ruri: &str, routes: &[&str]) -> Preprocessed {
    preprocess(
        &request(ruri, routes, ";tag=callee"),
        &flow(Transport::Udp),
        &own(),
        &tokens(),
        &Limits::default(),
    )
    .unwrap()
}

#[test]
fn a_request_without_routes_is_left_alone() {
    let seen = run("sip:bob@example.com", &[]);
    assert!(seen.message.is_none() && !seen.on_route && seen.is_local);
    assert_eq!((seen.consumed_routes, seen.flow), (0, None));
    assert!(!run("sip:bob@203.0.113.9", &[]).is_local);
}

#[test]
fn our_own_topmost_route_is_consumed_and_a_foreign_one_is_not() {
    let seen = run("sip:bob@203.0.113.9", &["<sip:192.0.2.1;lr>", "<sip:next.example;lr>"]);
    assert_eq!((seen.consumed_routes, seen.on_route, seen.is_local), (1, true, false));
    assert_eq!(run("sip:bob@203.0.113.9", &["<sip:example.com;lr>"]).consumed_routes, 1);
    let foreign = run("sip:bob@203.0.113.9", &["<sip:next.example;lr>", "<sip:192.0.2.1;lr>"]);
    assert_eq!((foreign.consumed_routes, foreign.on_route), (0, true));
}

#[test]
fn both_halves_of_a_double_record_route_are_consumed_and_a_spiral_is_visited_again() {
    let both =
        ["<sip:192.0.2.1;transport=tcp;r2=on;lr>, <sip:192.0.2.1;r2=on;lr>", "<sip:192.0.2.1;r2=on;lr>"];
    assert_eq!(run("sip:bob@203.0.113.9", &both).consumed_routes, 2);
    let spiral = ["<sip:192.0.2.1;lr>", "<sip:192.0.2.1;lr>"];
    assert_eq!(run("sip:bob@203.0.113.9", &spiral).consumed_routes, 1);
    let half = ["<sip:192.0.2.1;r2=on;lr>", "<sip:next.example;r2=on;lr>"];
    assert_eq!(run("sip:bob@203.0.113.9", &half).consumed_routes, 1);
}

#[test]
fn what_a_strict_router_did_to_the_request_uri_is_undone() {
    let seen = run("sip:192.0.2.1;lr", &["<sip:next.example;lr>, <sip:bob@203.0.113.9:5070>"]);
    let message = seen.message.unwrap();
    assert_eq!(message.request_uri(), "sip:bob@203.0.113.9:5070");
    assert_eq!(message.values(HeaderId::Route).collect::<Vec<_>>(), ["<sip:next.example;lr>"]);
    assert_eq!((seen.consumed_routes, seen.on_route, seen.is_local), (0, true, false));
    let last = run("sip:192.0.2.1;lr", &["<sip:bob@203.0.113.9>"]);
    assert!(!last.message.unwrap().has(HeaderId::Route));
    assert!(last.on_route);
}

#[test]
fn a_strict_router_before_a_double_record_route_leaves_the_other_half_to_consume() {
    let routes = ["<sip:192.0.2.1;transport=tcp;r2=on;lr>", "<sip:bob@203.0.113.9>"];
    let seen = run("sip:192.0.2.1;r2=on;lr", &routes);
    assert_eq!(seen.consumed_routes, 1);
    assert_eq!(seen.message.unwrap().request_uri(), "sip:bob@203.0.113.9");
}

#[test]
fn a_request_to_our_own_address_is_no_strict_routing() {
    assert!(run("sip:192.0.2.1", &["<sip:next.example;lr>"]).message.is_none());
    assert!(run("sip:192.0.2.1;lr", &[]).message.is_none());
}

#[test]
fn an_maddr_of_ours_is_removed_with_port_and_transport_when_they_led_here() {
    let seen = run("sip:bob@other.example:5060;maddr=192.0.2.1;transport=udp;user=phone", &[]);
    assert_eq!(seen.message.unwrap().request_uri(), "sip:bob@other.example;user=phone");
    assert!(run("sip:bob@other.example;maddr=192.0.2.1;transport=tcp", &[]).message.is_none());
    assert!(run("sip:bob@other.example;maddr=203.0.113.1", &[]).message.is_none());
}

#[test]
fn a_token_in_our_route_says_which_flow_leads_to_the_other_side() {
    let to = |remote: &str| Egress {
        transport: Transport::Tcp,
        local: Some("192.0.2.1:5060".parse().unwrap()),
        remote: remote.parse().unwrap(),
        connection: Some(ConnectionId { shard: 0, slot: 4, generation: 1 }),
        may_connect: false,
    };
    let sides = Sides { uac: Some(to("198.51.100.1:40000")), uas: Some(to("198.51.100.2:40001")) };
    let from_tag = |tag: &str| {
        let token = tokens().encode(&sides, tag);
        let user = std::str::from_utf8(&token).unwrap().to_owned();
        format!("<sip:{user}@192.0.2.1;transport=tcp;r2=on;lr>")
    };
    let plain = "<sip:192.0.2.1;r2=on;lr>";
    for routes in [[plain, &from_tag("caller")], [&from_tag("caller"), plain]] {
        let seen = run("sip:bob@10.0.0.1", &routes);
        assert_eq!((seen.consumed_routes, seen.flow), (2, sides.uas));
    }
    assert_eq!(run("sip:bob@10.0.0.1", &[&from_tag("callee")]).flow, sides.uac);
    let strict = run(from_tag("caller").trim_matches(['<', '>']), &[plain, "<sip:bob@10.0.0.1>"]);
    assert_eq!((strict.consumed_routes, strict.flow), (1, sides.uas));
}

#[test]
fn a_token_outside_a_dialog_is_not_followed() {
    let sides = Sides { uac: None, uas: Some(flow(Transport::Udp).back()) };
    let token = tokens().encode(&sides, "caller");
    let route = format!("<sip:{}@192.0.2.1;lr>", std::str::from_utf8(&token).unwrap());
    let outside = request("sip:bob@10.0.0.1", &[&route], "");
    let seen = preprocess(&outside, &flow(Transport::Udp), &own(), &tokens(), &Limits::default()).unwrap();
    assert_eq!((seen.consumed_routes, seen.flow), (1, None));
}

#[test]
fn a_topmost_route_that_is_none_is_an_error() {
    let message = request("sip:bob@203.0.113.9", &["<sip:192.0.2.1"], ";tag=x");
    assert!(preprocess(&message, &flow(Transport::Udp), &own(), &tokens(), &Limits::default()).is_err());
}
