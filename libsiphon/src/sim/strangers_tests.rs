use super::*;

fn way(port: u16) -> Way {
    let from = SocketAddr::from(([192, 0, 2, 9], port));
    Way { transport: Transport::Tcp, from, to: SocketAddr::from(([10, 0, 0, 1], 5060)) }
}

#[test]
fn connections_and_invites_beyond_what_is_kept_cost_the_oldest() {
    let mut wire = Wire::seeded(1);
    let mut strangers = Strangers::new(0);
    for number in 0..=KEPT as u32 {
        let ends = (
            way((number % 60_000) as u16).from,
            SocketAddr::from(([10, 0, 0, 1], 5060 + (number / 60_000) as u16)),
        );
        strangers.keep(number as StreamId, Link::new(ends, None), &mut wire);
        let invite = format!(
            "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{number}\r\nFrom: <sip:a@h>;tag=1\r\n\
             To: <sip:b@h>\r\nCall-ID: {number}\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        let way = Way { transport: Transport::Udp, ..way(5060) };
        strangers.send(way, &Octets::from(invite.into_bytes()), true, &mut wire);
    }
    assert_eq!((strangers.links.len(), strangers.between.len()), (KEPT, KEPT));
    assert!(!strangers.links.contains_key(&0) && strangers.links.contains_key(&KEPT));
    assert_eq!((strangers.invites.len(), strangers.order.len()), (KEPT, KEPT));
    assert!(!strangers.invites.contains_key("z9hG4bK0"));
}

#[test]
fn a_connection_that_closes_late_leaves_the_one_that_took_its_place() {
    let mut wire = Wire::seeded(1);
    let mut strangers = Strangers::new(0);
    let ends = (way(5060).from, way(5060).to);
    for stream in [0, 1] {
        strangers.keep(stream, Link::new(ends, None), &mut wire);
    }
    strangers.on_stream(0, StreamEvent::Closed, &mut wire);
    assert_eq!(strangers.between.get(&ends), Some(&1));
    strangers.on_stream(1, StreamEvent::Closed, &mut wire);
    assert!(strangers.links.is_empty() && strangers.between.is_empty());
}
