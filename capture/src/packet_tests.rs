use crate::testing::{ALICE, ETHERNET, NODE, RAW, call_ids, ip, pcap, read, request, seen, udp};
use etherparse::{IpFragOffset, IpNumber, Ipv4Header, Ipv6Header, PacketBuilder, VlanId};

fn ids(link: u16, packet: Vec<u8>) -> Vec<String> {
    call_ids(&read(pcap(link, &[packet])).0)
}

#[test]
fn every_link_type_leads_to_the_message() {
    let packet = ip(&request("INVITE", "a", ""));
    let under = |header: &[u8]| [header, &packet].concat();
    let sll = [&[0u8; 14][..], &[8, 0]].concat();
    let sll2 = [&[8u8, 0][..], &[0; 18]].concat();
    assert_eq!(ids(ETHERNET, udp(&request("INVITE", "a", ""))), ["a"]);
    assert_eq!(ids(113, under(&sll)), ["a"], "Linux cooked");
    assert_eq!(ids(276, under(&sll2)), ["a"], "Linux cooked, version 2");
    for raw in [RAW, 12, 14, 228] {
        assert_eq!(ids(raw, packet.clone()), ["a"], "raw IP as {raw}");
    }
    assert_eq!(ids(0, under(&[2, 0, 0, 0])), ["a"], "loopback");
    assert_eq!(ids(108, under(&[0, 0, 0, 2])), ["a"], "loopback of OpenBSD");
    let (none, tally, _) = read(pcap(195, &[packet]));
    assert!(none.is_empty());
    assert_eq!(tally.unread_links.get(&195), Some(&1));
}

#[test]
fn vlan_tags_are_passed() {
    let mut single = Vec::new();
    let tag = VlanId::try_new(7).unwrap();
    let ether = || PacketBuilder::ethernet2([2; 6], [4; 6]);
    ether()
        .single_vlan(tag)
        .ipv4(ALICE, NODE, 64)
        .udp(5060, 5060)
        .write(&mut single, &request("INVITE", "one", ""))
        .unwrap();
    let mut double = Vec::new();
    ether()
        .double_vlan(tag, tag)
        .ipv4(ALICE, NODE, 64)
        .udp(5060, 5060)
        .write(&mut double, &request("INVITE", "two", ""))
        .unwrap();
    assert_eq!(seen(&[single.clone(), double]).0, ["one", "two"]);
    // A tag under a cooked header.
    let cooked = [&[0u8; 14][..], &single[12..]].concat();
    assert_eq!(ids(113, cooked), ["one"]);
}

#[test]
fn ipv6_is_read() {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv6([1; 16], [2; 16], 64).udp(5060, 5070);
    builder.write(&mut packet, &request("INVITE", "six", "")).unwrap();
    let (captured, ..) = read(pcap(ETHERNET, &[packet]));
    assert_eq!(captured[0].destination.to_string(), "[202:202:202:202:202:202:202:202]:5070");
}

/// The UDP datagram in fragments of so many octets, over IPv4.
fn fragments_v4(payload: &[u8], size: usize) -> Vec<Vec<u8>> {
    let datagram = ip(payload).split_off(20);
    let parts: Vec<&[u8]> = datagram.chunks(size).collect();
    let last = parts.len() - 1;
    let fragment = |(n, part): (usize, &&[u8])| {
        let mut header = Ipv4Header::new(part.len() as u16, 64, IpNumber::UDP, ALICE, NODE).unwrap();
        header.identification = 99;
        header.dont_fragment = false;
        header.more_fragments = n < last;
        header.fragment_offset = IpFragOffset::try_new((n * size / 8) as u16).unwrap();
        let mut packet = Vec::new();
        header.write(&mut packet).unwrap();
        packet.extend_from_slice(part);
        packet
    };
    parts.iter().enumerate().map(fragment).collect()
}

fn fragments_v6(payload: &[u8], size: usize) -> Vec<Vec<u8>> {
    let mut whole = Vec::new();
    PacketBuilder::ipv6([1; 16], [2; 16], 64).udp(5060, 5060).write(&mut whole, payload).unwrap();
    let datagram = whole.split_off(Ipv6Header::LEN);
    let parts: Vec<&[u8]> = datagram.chunks(size).collect();
    let last = parts.len() - 1;
    let fragment = |(n, part): (usize, &&[u8])| {
        let header = Ipv6Header {
            payload_length: part.len() as u16 + 8,
            next_header: IpNumber::IPV6_FRAGMENTATION_HEADER,
            hop_limit: 64,
            source: [1; 16],
            destination: [2; 16],
            ..Ipv6Header::default()
        };
        let mut packet = header.to_bytes().to_vec();
        let offset = (n * size) as u16 | u16::from(n < last);
        packet.extend_from_slice(&[17, 0]);
        packet.extend_from_slice(&offset.to_be_bytes());
        packet.extend_from_slice(&77u32.to_be_bytes());
        packet.extend_from_slice(part);
        packet
    };
    parts.iter().enumerate().map(fragment).collect()
}

#[test]
fn fragments_in_any_order_become_their_datagram() {
    let message = request("INVITE", "long", &"x".repeat(3000));
    for mut fragments in [fragments_v4(&message, 1480), fragments_v6(&message, 1232)] {
        assert!(fragments.len() > 2);
        for _ in 0..fragments.len() {
            fragments.rotate_left(1);
            assert_eq!(call_ids(&read(pcap(RAW, &fragments)).0), ["long"]);
        }
        fragments.reverse();
        let twice: Vec<_> = fragments.iter().flat_map(|f| [f.clone(), f.clone()]).collect();
        // The copy of the last one begins a datagram that stays incomplete.
        let (captured, tally, _) = read(pcap(RAW, &twice));
        assert_eq!((call_ids(&captured), tally.fragments_lost), (vec!["long".to_owned()], 1));
    }
}

#[test]
fn a_missing_or_contradicting_fragment_is_counted() {
    let message = request("INVITE", "long", &"x".repeat(3000));
    let mut fragments = fragments_v4(&message, 1480);
    fragments.remove(1);
    let (captured, tally, _) = read(pcap(RAW, &fragments));
    assert!(captured.is_empty());
    assert_eq!(tally.fragments_lost, 1);
    let mut fragments = fragments_v4(&message, 1480);
    let mut overlapping = fragments_v4(&message, 1472);
    fragments.insert(1, overlapping.remove(1));
    let (captured, tally, _) = read(pcap(RAW, &fragments));
    assert!(captured.is_empty());
    assert_eq!(tally.damaged, 1);
}

#[test]
fn many_unfinished_datagrams_displace_the_oldest() {
    let mut packets = Vec::new();
    for n in 0..1100u16 {
        let mut first = fragments_v4(&request("INVITE", "a", &"x".repeat(2000)), 1480).remove(0);
        first[4..6].copy_from_slice(&n.to_be_bytes());
        packets.push(first);
    }
    assert_eq!(read(pcap(RAW, &packets)).1.fragments_lost, 1100);
}

#[test]
fn a_packet_that_was_cut_is_counted_and_not_read() {
    let whole = udp(&request("INVITE", "a", "body"));
    let (none, tally) = seen(&[whole[..whole.len() - 10].to_vec()]);
    assert!(none.is_empty());
    assert_eq!(tally.cut, 1);
}

#[test]
fn what_is_no_sip_is_counted() {
    let mut arp = vec![2; 12];
    arp.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.extend([0; 20]);
    let rtp = udp(&[0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    let (none, tally) = seen(&[arp, rtp, udp(b"\r\n\r\n"), vec![1, 2, 3]]);
    assert!(none.is_empty());
    assert_eq!((tally.other, tally.not_sip, tally.keepalives, tally.damaged), (1, 1, 1, 1));
}

#[test]
fn a_request_that_is_wrong_is_shown_with_its_fault() {
    let text =
        String::from_utf8(request("INVITE", "a", "")).unwrap().replace("CSeq: 1 INVITE", "CSeq: 1 BYE");
    let (faults, tally) = seen(&[udp(text.as_bytes())]);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with('!') && faults[0].contains("CSeq"), "{faults:?}");
    assert_eq!(tally.not_sip, 0);
}
