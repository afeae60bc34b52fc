//! Properties: whatever the octets, reading ends without a panic, and disorder changes nothing that is complete.

use crate::packet::{self, Seen};
use crate::testing::{ETHERNET, Flag, Order, call_ids, pcap, read, request, tcp, udp};
use proptest::prelude::*;

fn captures() -> Vec<Vec<u8>> {
    let packets = [
        udp(&request("INVITE", "a", "body")),
        tcp(1, Flag::Syn, b""),
        tcp(2, Flag::None, &request("MESSAGE", "b", "")),
        udp(b"\r\n"),
    ];
    let order = Order { big: true };
    let ng = [order.section(), order.interface(ETHERNET, 9)].concat();
    let blocks = packets.iter().flat_map(|p| [order.packet(0, 99, p), order.simple(p)].concat());
    vec![pcap(ETHERNET, &packets), ng.into_iter().chain(blocks).collect()]
}

proptest! {
    #[test]
    fn any_octets_are_a_capture_or_an_error(octets in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(octets);
    }

    #[test]
    fn any_change_of_a_capture_is_read_to_its_end(
        which in 0usize..2,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut file = captures().remove(which);
        for (place, octet) in changes {
            let place = place.index(file.len());
            file[place] = octet;
        }
        file.truncate(cut.index(file.len()) + 1);
        let _ = read(file);
    }

    #[test]
    fn any_octets_are_a_packet_of_any_link(
        link in prop::sample::select(vec![0u16, 1, 12, 101, 108, 113, 228, 229, 276, 9999]),
        octets in prop::collection::vec(any::<u8>(), 0..200),
        ip in any::<bool>(),
    ) {
        // Half of them begin as IP does, so that what is inside is looked at.
        let octets = match ip {
            true => [&udp(b"")[if link == 1 { 0 } else { 14 }..][..if link == 1 { 14 } else { 10 }], &octets].concat(),
            false => octets,
        };
        let _: Seen<'_> = packet::look(link, &octets);
        let _ = read(pcap(link, &[octets.clone(), octets]));
    }

    #[test]
    fn segments_in_disorder_carry_the_same_messages(
        sizes in prop::collection::vec(1usize..700, 1..40),
        swaps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..30),
        copies in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        first in any::<u32>(),
    ) {
        let ids: Vec<String> = (0..5).map(|n| format!("call-{n}")).collect();
        let octets: Vec<u8> = ids.iter().flat_map(|id| request("MESSAGE", id, &"text ".repeat(50))).collect();
        let (mut packets, mut at) = (Vec::new(), 0);
        for size in sizes.iter().cycle() {
            let end = (at + size).min(octets.len());
            packets.push(tcp(first.wrapping_add(1 + at as u32), Flag::None, &octets[at..end]));
            at = end;
            if at == octets.len() {
                break;
            }
        }
        for copy in copies {
            let copy = packets[copy.index(packets.len())].clone();
            packets.push(copy);
        }
        let count = packets.len();
        for (a, b) in swaps {
            packets.swap(a.index(count), b.index(count));
        }
        packets.insert(0, tcp(first, Flag::Syn, b""));
        let (captured, tally, fault) = read(pcap(ETHERNET, &packets));
        prop_assert!(fault.is_none());
        prop_assert_eq!(call_ids(&captured), ids);
        prop_assert_eq!((tally.gaps, tally.unfinished), (0, 0));
    }
}
