use super::*;
use crate::base::flow::ConnectionId;
use crate::base::slab::Key;
use crate::base::token::Secret;
use crate::proto::auth::DigestSettings;
use crate::proto::proxy::branch::BranchSecret;
use crate::proto::proxy::nexthop::next_hop;
use crate::proto::proxy::route::preprocess;
use crate::proto::proxy::validate::may_forward;

const INVITE: &str = "INVITE sip:bob@example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKabc;rport\r\n\
    From: \"Alice\" <sip:alice@example.com>;tag=caller\r\n\
    To: <sip:bob@example.com>\r\n\
    Call-ID: call-1\r\n\
    CSeq: 1 INVITE\r\n\
    Contact: <sip:alice@10.0.0.5:5060>\r\n\
    Max-Forwards: 70\r\n\
    Content-Length: 4\r\n\r\nbody";

fn message(text: &str) -> Message {
    Message::parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn own() -> OwnAddresses {
    let listener = |transport, bound: &str| {
        let bound: std::net::SocketAddr = bound.parse().unwrap();
        let host = bound.to_string();
        let host = host.rsplit_once(':').unwrap().0.to_owned();
        Listener { transport, bound, host, port: bound.port() }
    };
    OwnAddresses::new(
        vec![
            listener(Transport::Udp, "192.0.2.1:5060"),
            listener(Transport::Tcp, "192.0.2.1:5060"),
            listener(Transport::Udp, "[2001:db8::1]:5062"),
        ],
        Vec::new(),
        &[],
    )
}

fn auth() -> Authenticator {
    Authenticator::new(DigestSettings::default(), Secret::new(3, 4))
}

fn tokens() -> RouteSecret {
    RouteSecret::new(&Secret::new(1, 2), 1)
}

fn flow(transport: Transport, remote: &str) -> Flow {
    let connection =
        (transport == Transport::Tcp).then_some(ConnectionId { shard: 0, slot: 1, generation: 1 });
    Flow { transport, local: "192.0.2.1:5060".parse().unwrap(), remote: remote.parse().unwrap(), connection }
}

/// What a test varies.
struct Case<'a> {
    request: &'a str,
    from: Flow,
    target: Option<Target>,
    transport: Transport,
    remote: &'a str,
    record_route: bool,
}

impl Default for Case<'_> {
    fn default() -> Self {
        Case {
            request: INVITE,
            from: flow(Transport::Udp, "10.0.0.5:5060"),
            target: None,
            transport: Transport::Udp,
            remote: "203.0.113.9:5060",
            record_route: false,
        }
    }
}

/// The request as it leaves, with our branch shortened.
fn write(case: &Case<'_>) -> String {
    write_with(case, &auth())
}

fn write_with(case: &Case<'_>, auth: &Authenticator) -> String {
    let (own, tokens) = (own(), tokens());
    let request = message(case.request);
    let seen = preprocess(&request, &case.from, &own, &tokens, &Limits::default()).unwrap();
    let request = seen.message.as_ref().unwrap_or(&request);
    let hop = next_hop(request, seen.consumed_routes, case.target.as_ref(), seen.flow).unwrap();
    let remote = case.remote.parse().unwrap();
    let egress =
        Egress { transport: case.transport, local: None, remote, connection: None, may_connect: true };
    let branch = BranchSecret::new(&Secret::new(1, 2)).encode(0, Key { slot: 1, generation: 1 }, 0);
    let spent = spent_credentials(request, auth);
    let forward = Forward {
        request,
        received_on: Some(&case.from),
        consumed_routes: seen.consumed_routes,
        target: case.target.as_ref(),
        strict: hop.strict,
        egress: &egress,
        listener: own.listener_for(case.transport, &remote, None).unwrap(),
        branch: &branch,
        record_route: case.record_route,
        spent: &spent,
        hops: may_forward(request, 60).unwrap(),
    };
    let mut out = Vec::new();
    forward.write(&own, &tokens, &mut out).unwrap();
    String::from_utf8(out).unwrap().replace(branch.as_str(), "BRANCH")
}

fn record_routes(text: &str) -> Vec<String> {
    message(&text.replace("BRANCH", "z9hG4bKx"))
        .values(HeaderId::RecordRoute)
        .map(|v| v.into_owned())
        .collect()
}

#[test]
fn a_relayed_request_changes_only_where_it_must() {
    let target = Some(Target::uri("sip:bob@203.0.113.9;ob"));
    let expected = INVITE
        .replace("INVITE sip:bob@example.com", "INVITE sip:bob@203.0.113.9;ob")
        .replace("Via: ", "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=BRANCH;rport\r\nVia: ")
        .replace(";rport\r\nFrom", ";rport=5060;received=10.0.0.5\r\nFrom")
        .replace("Max-Forwards: 70", "Max-Forwards: 69")
        .replace("Content-Length: 4", "Content-Length: 4\r\nMax-Breadth: 60");
    assert_eq!(write(&Case { target, ..Case::default() }), expected);
}

#[test]
fn our_routes_go_and_the_path_of_a_binding_comes_on_top() {
    let request = INVITE.replace("Max-F", "Route: <sip:192.0.2.1;lr>, <sip:next.example;lr>\r\nMax-F");
    let mut target = Target::uri("sip:bob@203.0.113.9");
    target.route = vec!["<sip:p1.example;lr>".into(), "<sip:p2.example;lr>".into()];
    let out = message(
        &write(&Case { request: &request, target: Some(target), ..Case::default() })
            .replace("BRANCH", "z9hG4bKx"),
    );
    let routes: Vec<_> = out.values(HeaderId::Route).collect();
    assert_eq!(routes, ["<sip:p1.example;lr>", "<sip:p2.example;lr>", "<sip:next.example;lr>"]);
}

#[test]
fn a_strict_router_finds_itself_in_the_request_uri_and_the_target_last() {
    let request = INVITE
        .replace("Max-F", "Route: <sip:192.0.2.1;lr>, <sip:strict.example>, <sip:next.example;lr>\r\nMax-F");
    let out = message(&write(&Case { request: &request, ..Case::default() }).replace("BRANCH", "z9hG4bKx"));
    assert_eq!(out.request_uri(), "sip:strict.example");
    let routes: Vec<_> = out.values(HeaderId::Route).collect();
    assert_eq!(routes, ["<sip:next.example;lr>", "<sip:bob@example.com>"]);
}

#[test]
fn what_may_not_stand_in_a_request_uri_is_left_out() {
    let line = |uri: &str| {
        let target = Some(Target::uri(uri));
        write(&Case { target, ..Case::default() }).lines().next().unwrap().to_owned()
    };
    assert_eq!(line("sip:bob@203.0.113.9;method=BYE;ob?Subject=x"), "INVITE sip:bob@203.0.113.9;ob SIP/2.0");
    assert_eq!(line("sip:bob?x@203.0.113.9"), "INVITE sip:bob?x@203.0.113.9 SIP/2.0");
}

#[test]
fn one_record_route_where_both_sides_use_the_same_listener() {
    let out = write(&Case { record_route: true, ..Case::default() });
    assert_eq!(record_routes(&out), ["<sip:192.0.2.1:5060;lr>"]);
}

#[test]
fn two_record_routes_where_transport_or_family_differ() {
    let out = write(&Case { record_route: true, transport: Transport::Tcp, ..Case::default() });
    assert_eq!(
        record_routes(&out),
        ["<sip:192.0.2.1:5060;transport=tcp;r2=on;lr>", "<sip:192.0.2.1:5060;r2=on;lr>"]
    );
    let out = write(&Case { record_route: true, remote: "[2001:db8::9]:5060", ..Case::default() });
    assert_eq!(record_routes(&out), ["<sip:[2001:db8::1]:5062;r2=on;lr>", "<sip:192.0.2.1:5060;r2=on;lr>"]);
    assert!(out.contains("Via: SIP/2.0/UDP [2001:db8::1]:5062;branch=BRANCH;rport\r\n"));
}

/// Follows the Record-Route of a forwarded INVITE in an in-dialog request: where does it go?
fn in_dialog(record_routes: &[String], from_tag: &str, reverse: bool) -> (u8, Option<Egress>) {
    let mut routes = record_routes.to_vec();
    if reverse {
        routes.reverse();
    }
    let text = format!(
        "BYE sip:peer@172.16.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKbye\r\nFrom: <sip:x@example.com>;tag={from_tag}\r\n\
         To: <sip:y@example.com>;tag=other\r\nCall-ID: call-1\r\nCSeq: 2 BYE\r\nRoute: {}\r\nContent-Length: 0\r\n\r\n",
        routes.join(", ")
    );
    let seen = preprocess(
        &message(&text),
        &flow(Transport::Udp, "10.0.0.5:5060"),
        &own(),
        &tokens(),
        &Limits::default(),
    )
    .unwrap();
    (seen.consumed_routes, seen.flow)
}

#[test]
fn a_phone_reachable_only_by_its_tcp_flow_is_reached_in_both_directions() {
    let caller = flow(Transport::Tcp, "198.51.100.1:40000");
    let callee = flow(Transport::Tcp, "198.51.100.2:40001");
    let target = Target { flow: Some(callee), ..Target::uri("sip:bob@172.16.0.9;transport=tcp") };
    let out = write(&Case {
        from: caller,
        target: Some(target),
        transport: Transport::Tcp,
        remote: "198.51.100.2:40001",
        record_route: true,
        ..Case::default()
    });
    let routes = record_routes(&out);
    assert_eq!(routes.len(), 1);
    assert_eq!(in_dialog(&routes, "caller", true), (1, Some(callee.back())));
    assert_eq!(in_dialog(&routes, "callee", false), (1, Some(caller.back())));
}

#[test]
fn with_a_double_record_route_the_flow_is_found_from_either_side() {
    let callee = flow(Transport::Tcp, "198.51.100.2:40001");
    let target = Target { flow: Some(callee), ..Target::uri("sip:bob@172.16.0.9;transport=tcp") };
    let nated = flow(Transport::Udp, "198.51.100.77:1030");
    let out = write(&Case {
        from: nated,
        target: Some(target),
        transport: Transport::Tcp,
        remote: "198.51.100.2:40001",
        record_route: true,
        ..Case::default()
    });
    let routes = record_routes(&out);
    assert_eq!(routes.len(), 2);
    assert_eq!(in_dialog(&routes, "caller", true), (2, Some(callee.back())));
    assert_eq!(in_dialog(&routes, "callee", false), (2, Some(nated.back())));
}

#[test]
fn no_token_is_made_for_what_its_uri_reaches_or_another_proxy_does() {
    // A caller that is where its Contact says, a callee likewise.
    let callee = flow(Transport::Udp, "203.0.113.9:5060");
    let target = Some(Target { flow: Some(callee), ..Target::uri("sip:bob@203.0.113.9") });
    let out = write(&Case { target, record_route: true, ..Case::default() });
    assert_eq!(record_routes(&out), ["<sip:192.0.2.1:5060;lr>"]);
    // A caller behind another proxy.
    let request = INVITE.replace("Max-F", "Via: SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKfirst\r\nMax-F");
    let from = flow(Transport::Tcp, "198.51.100.1:40000");
    let out = write(&Case {
        request: &request,
        from,
        transport: Transport::Tcp,
        record_route: true,
        ..Case::default()
    });
    assert_eq!(record_routes(&out), ["<sip:192.0.2.1:5060;transport=tcp;lr>"]);
}

#[test]
fn a_target_that_cannot_be_written_is_refused() {
    let (own, tokens) = (own(), tokens());
    let request = message(INVITE);
    let target = Target::uri("sip:bob@h\r\nEvil: 1");
    let egress = Egress {
        transport: Transport::Udp,
        local: None,
        remote: "203.0.113.9:5060".parse().unwrap(),
        connection: None,
        may_connect: true,
    };
    let branch = BranchSecret::new(&Secret::new(1, 2)).encode(0, Key { slot: 1, generation: 1 }, 0);
    let forward = Forward {
        request: &request,
        received_on: None,
        consumed_routes: 0,
        target: Some(&target),
        strict: false,
        egress: &egress,
        listener: &own.listeners()[0],
        branch: &branch,
        record_route: true,
        spent: &Spent::new(),
        hops: may_forward(&request, 60).unwrap(),
    };
    assert!(forward.write(&own, &tokens, &mut Vec::new()).is_err());
}

#[test]
fn credentials_that_were_accepted_here_go_and_those_for_others_stay() {
    use crate::proto::auth::{AuthOutcome, Kind, StaticUsers, UserSecret};
    let (auth, now) = (auth(), crate::base::time::Instant::from_unix_secs(1_700_000_000));
    let users = StaticUsers::new([("alice".into(), UserSecret::Password("secret".into()))]);
    let nonce = auth.nonces().issue("example.com", now);
    let digest = |realm: &str, nonce: &str| {
        let hash =
            |text: &str| crate::proto::auth::Algorithm::Md5.hash(&[text.as_bytes()]).as_str().to_owned();
        let (a1, a2) = (hash(&format!("alice:{realm}:secret")), hash("INVITE:sip:bob@example.com"));
        let response = hash(&format!("{a1}:{nonce}:00000001:c:auth:{a2}"));
        format!(
            "Digest username=\"alice\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"sip:bob@example.com\", \
             qop=auth, nc=00000001, cnonce=\"c\", response=\"{response}\""
        )
    };
    let (ours, theirs) = (digest("example.com", &nonce), digest("example.net", &nonce));
    let unused = digest("example.com", &auth.nonces().issue("example.com", now));
    let lines = [&theirs, &ours, &unused].map(|v| format!("Proxy-Authorization: {v}\r\n")).concat();
    let text = INVITE.replace("Max-Forwards", &format!("{lines}Max-Forwards"));
    let sent = |auth: &Authenticator| write_with(&Case { request: &text, ..Case::default() }, auth);
    assert!(
        [&theirs, &ours, &unused].iter().all(|v| sent(&auth).contains(v.as_str())),
        "nobody has checked yet"
    );
    let checked = auth.check(&users, &message(&text), "example.com", Kind::Proxy, now);
    assert!(matches!(checked, AuthOutcome::Ok { .. }), "{checked:?}");
    let sent = sent(&auth);
    assert!(!sent.contains(&ours) && sent.contains(&theirs) && sent.contains(&unused), "{sent}");
    assert!(sent.contains("Max-Forwards: 69\r\n") && sent.ends_with("\r\n\r\nbody"), "{sent}");
}
