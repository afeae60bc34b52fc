use super::*;
use crate::base::flow::{ConnectionId, Flow};
use crate::proto::locate::Host;
use crate::wire::sip::Limits;

fn request(routes: &[&str]) -> Message {
    let routes: String = routes.iter().map(|r| format!("Route: {r}\r\n")).collect();
    let text = format!(
        "INVITE sip:bob@203.0.113.9:5070 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKabc\r\n\
         From: <sip:a@example.com>;tag=caller\r\nTo: <sip:b@example.com>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\
         {routes}Content-Length: 0\r\n\r\n"
    );
    Message::parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn flow() -> Flow {
    Flow {
        transport: Transport::Tcp,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: "198.51.100.7:40000".parse().unwrap(),
        connection: Some(ConnectionId { shard: 0, slot: 4, generation: 1 }),
    }
}

#[track_caller]
fn host(hop: &Hop) -> String {
    match &hop.next {
        NextHop::Resolve(Query { host: Host::Name(name), port, .. }) => format!("{name} {port:?}"),
        NextHop::Resolve(Query { host: Host::Ip(ip), port, .. }) => format!("{ip} {port:?}"),
        NextHop::Egress(egress) => format!("flow {} {}", egress.transport, egress.remote),
    }
}

fn with(edit: impl FnOnce(&mut Target)) -> Target {
    let mut target = Target::uri("sip:bob@10.0.0.1");
    edit(&mut target);
    target
}

#[test]
fn the_request_uri_leads_when_nothing_else_does() {
    assert_eq!(host(&next_hop(&request(&[]), 0, None, None).unwrap()), "203.0.113.9 Some(5070)");
    let target = with(|_| {});
    assert_eq!(host(&next_hop(&request(&[]), 0, Some(&target), None).unwrap()), "10.0.0.1 None");
    let own = request(&["<sip:192.0.2.1;lr>"]);
    assert_eq!(host(&next_hop(&own, 1, None, None).unwrap()), "203.0.113.9 Some(5070)");
}

#[test]
fn the_topmost_route_that_is_not_ours_comes_before_the_request_uri() {
    let message = request(&["<sip:192.0.2.1;lr>, <sip:next.example;lr>"]);
    let hop = next_hop(&message, 1, None, None).unwrap();
    assert_eq!((host(&hop).as_str(), hop.strict), ("next.example None", false));
    let target = with(|t| t.route = vec!["<sip:path.example:5080;lr>".into()]);
    assert_eq!(host(&next_hop(&message, 1, Some(&target), None).unwrap()), "path.example Some(5080)");
}

#[test]
fn a_route_without_lr_is_a_strict_router() {
    let hop = next_hop(&request(&["<sip:strict.example>"]), 0, None, None).unwrap();
    assert_eq!((host(&hop).as_str(), hop.strict), ("strict.example None", true));
}

#[test]
fn flow_then_received_then_next_hop_of_a_target_come_first() {
    let message = request(&["<sip:next.example;lr>"]);
    let at = |target: Target| host(&next_hop(&message, 0, Some(&target), None).unwrap());
    let received = "198.51.100.9:1024".parse().unwrap();
    let all = with(|t| {
        t.flow = Some(flow());
        t.received = Some(received);
        t.next_hop = Some("sip:gateway.example".into());
    });
    assert_eq!(at(all.clone()), "flow tcp 198.51.100.7:40000");
    assert_eq!(at(Target { flow: None, ..all.clone() }), "flow udp 198.51.100.9:1024");
    assert_eq!(at(Target { flow: None, received: None, ..all.clone() }), "gateway.example None");
    let bracketed =
        Target { flow: None, received: None, next_hop: Some("<sip:gw.example:5090;lr>".into()), ..all };
    assert_eq!(at(bracketed), "gw.example Some(5090)");
}

#[test]
fn a_route_token_leads_a_relayed_request_that_has_no_other_route_left() {
    let token = Some(flow().back());
    let own = request(&["<sip:192.0.2.1;lr>"]);
    assert_eq!(host(&next_hop(&own, 1, None, token).unwrap()), "flow tcp 198.51.100.7:40000");
    assert_eq!(host(&next_hop(&own, 1, None, None).unwrap()), "203.0.113.9 Some(5070)");
    let more = request(&["<sip:192.0.2.1;lr>", "<sip:next.example;lr>"]);
    assert_eq!(host(&next_hop(&more, 1, None, token).unwrap()), "next.example None");
    let target = with(|_| {});
    assert_eq!(host(&next_hop(&own, 1, Some(&target), token).unwrap()), "10.0.0.1 None");
}

#[test]
fn what_leads_nowhere_is_named_with_the_status_it_counts_as() {
    let nowhere = |uri: &str| next_hop(&request(&[]), 0, Some(&Target::uri(uri)), None).unwrap_err();
    assert_eq!((nowhere("tel:+123"), nowhere("tel:+123").status()), (NoRoute::Scheme, 416));
    assert_eq!((nowhere("sips:a@b"), nowhere("sips:a@b").status()), (NoRoute::Sips, 416));
    assert_eq!((nowhere("sip:a@b;transport=ws").status(), nowhere("nonsense").status()), (503, 503));
}
