use super::*;
use crate::base::flow::ConnectionId;
use crate::wire::sip::Limits;

const RESPONSE: &str = "SIP/2.0 180 Ringing\r\n\
    Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKours\r\n\
    Via: SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bKabc;rport=40000;received=198.51.100.1\r\n\
    Record-Route: <sip:192.0.2.1;lr>\r\n\
    From: <sip:a@example.com>;tag=a\r\n\
    To: <sip:b@example.com>;tag=b\r\n\
    Call-ID: c\r\n\
    CSeq: 1 INVITE\r\n\
    Content-Length: 0\r\n\r\n";

fn message(text: &str) -> Message {
    Message::parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn flow(transport: Transport, remote: &str) -> Flow {
    let connection =
        (transport == Transport::Tcp).then_some(ConnectionId { shard: 0, slot: 1, generation: 1 });
    Flow { transport, local: "192.0.2.1:5060".parse().unwrap(), remote: remote.parse().unwrap(), connection }
}

/// Where the response to a request with this Via goes.
fn to(via: &str, flow: Option<Flow>) -> String {
    let text = RESPONSE.replacen("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKours", via, 1);
    match response_hop(&message(&text).via(), flow.as_ref()) {
        None => "nowhere".into(),
        Some(NextHop::Resolve(query)) => format!("{:?} {:?} {:?}", query.host, query.port, query.transport),
        Some(NextHop::Egress(e)) => {
            format!(
                "{} {}{}{}",
                e.transport,
                e.remote,
                if e.connection.is_some() { " conn" } else { "" },
                if e.may_connect { " or new" } else { "" }
            )
        }
    }
}

#[test]
fn only_our_via_goes_and_what_was_asked_for_is_added() {
    let mut out = Vec::new();
    forward_response(&message(RESPONSE), &[("X-Seen".into(), "yes".into())], &mut out).unwrap();
    let expected = RESPONSE
        .replace("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKours\r\n", "")
        .replace("\r\n\r\n", "\r\nX-Seen: yes\r\n\r\n");
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn a_via_that_shares_its_line_goes_alone_and_a_length_that_is_missing_comes() {
    let write = |text: &str| {
        let mut out = Vec::new();
        forward_response(&message(text), &[], &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let alone = RESPONSE.replace("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKours\r\n", "");
    assert_eq!(write(RESPONSE), alone);
    let shared = RESPONSE.replace("z9hG4bKours\r\nVia: ", "z9hG4bKours, ");
    assert_eq!(write(&shared), alone);
    assert_eq!(write(&RESPONSE.replace("Content-Length: 0\r\n", "")), alone);
}

#[test]
fn a_datagram_goes_to_the_source_port_only_when_rport_was_asked_for() {
    let udp = |remote| Some(flow(Transport::Udp, remote));
    assert_eq!(
        to("SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bKx;rport", udp("198.51.100.1:40000")),
        "udp 198.51.100.1:40000"
    );
    assert_eq!(
        to("SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bKx", udp("198.51.100.1:40000")),
        "udp 198.51.100.1:5062"
    );
    assert_eq!(
        to("SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKx", udp("198.51.100.1:40000")),
        "udp 198.51.100.1:5060"
    );
    assert_eq!(
        to("SIP/2.0/UDP h.example;branch=z9hG4bKx;maddr=192.0.2.77", udp("198.51.100.1:1")),
        "udp 192.0.2.77:5060"
    );
}

#[test]
fn a_stream_response_takes_the_connection_and_another_only_where_no_nat_is_between() {
    let tcp = |remote| Some(flow(Transport::Tcp, remote));
    assert_eq!(
        to("SIP/2.0/TCP 198.51.100.1:5062;branch=z9hG4bKx", tcp("198.51.100.1:40000")),
        "tcp 198.51.100.1:5062 conn or new"
    );
    assert_eq!(
        to("SIP/2.0/TCP 10.0.0.5:5062;branch=z9hG4bKx", tcp("198.51.100.1:40000")),
        "tcp 198.51.100.1:5062 conn"
    );
}

#[test]
fn without_the_flow_the_via_alone_decides() {
    let marked = "SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bKabc;rport=40000;received=198.51.100.1";
    assert_eq!(to(marked, None), "udp 198.51.100.1:40000");
    assert_eq!(to("SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bKabc", None), "udp 10.0.0.5:5062");
    // Behind a NAT the far end of the connection is what rport says; elsewhere the client listens at its own port.
    assert_eq!(to(&marked.replace("UDP", "TCP"), None), "tcp 198.51.100.1:40000");
    let outside = "SIP/2.0/TCP 198.51.100.1:5062;branch=z9hG4bKabc;rport=40000;received=198.51.100.1";
    assert_eq!(to(outside, None), "tcp 198.51.100.1:5062 or new");
    assert_eq!(to("SIP/2.0/TCP h.example;branch=z9hG4bKabc", None), "Name(\"h.example\") None Some(Tcp)");
    assert_eq!(
        to("SIP/2.0/UDP h.example:5066;branch=z9hG4bKabc", None),
        "Name(\"h.example\") Some(5066) Some(Udp)"
    );
    assert_eq!(to("SIP/2.0/SCTP 10.0.0.5;branch=z9hG4bKabc", None), "nowhere");
}
