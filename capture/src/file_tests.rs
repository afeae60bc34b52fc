use crate::CaptureError;
use crate::testing::{ETHERNET, Order, RAW, call_ids, ip, pcap, read, request, udp};

fn text(error: Option<CaptureError>) -> String {
    error.map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn a_pcap_file_gives_its_messages_with_time_and_addresses() {
    let (seen, tally, fault) =
        read(pcap(ETHERNET, &[udp(&request("INVITE", "a", "")), udp(&request("OPTIONS", "b", "x"))]));
    assert!(fault.is_none());
    assert_eq!(call_ids(&seen), ["a", "b"]);
    assert_eq!(seen[1].at, 1_700_000_000_001_000);
    assert_eq!(seen[0].source.to_string(), "198.51.100.7:5062");
    assert_eq!(seen[0].destination.to_string(), "192.0.2.1:5060");
    assert_eq!(tally.packets, 2);
}

#[test]
fn nanoseconds_and_the_other_byte_order_are_read() {
    let packet = udp(&request("INVITE", "a", ""));
    let mut file = Vec::new();
    for n in [0xa1b2_3c4du32, 0x0002_0004, 0, 0, 262_144, 1, 1_700_000_000, 5_000_000] {
        file.extend_from_slice(&n.to_be_bytes());
    }
    for _ in 0..2 {
        file.extend_from_slice(&(packet.len() as u32).to_be_bytes());
    }
    file.extend_from_slice(&packet);
    let (seen, _, fault) = read(file);
    assert!(fault.is_none(), "{fault:?}");
    assert_eq!((seen[0].at, call_ids(&seen)), (1_700_000_000_005_000, vec!["a".to_owned()]));
}

#[test]
fn pcapng_sections_have_their_own_interfaces_resolutions_and_byte_orders() {
    let second = 1_700_000_000u64;
    let mut file = Vec::new();
    for order in [Order { big: false }, Order { big: true }] {
        file.extend(order.section());
        file.extend(order.interface(ETHERNET, 6));
        file.extend(order.interface(RAW, 9));
        file.extend(order.packet(0, second * 1_000_000 + 7, &udp(&request("INVITE", "micro", ""))));
        file.extend(order.packet(1, second * 1_000_000_000 + 8_000, &ip(&request("INVITE", "nano", ""))));
        file.extend(order.simple(&udp(&request("INVITE", "timeless", ""))));
        file.extend(order.packet(2, 0, &udp(&request("INVITE", "nobody's", ""))));
    }
    let (seen, tally, fault) = read(file);
    assert!(fault.is_none(), "{fault:?}");
    assert_eq!(call_ids(&seen), ["micro", "nano", "timeless", "micro", "nano", "timeless"]);
    let micros: Vec<u64> = seen.iter().map(|c| c.at - second * 1_000_000).collect();
    assert_eq!(micros, [7, 8, 8, 7, 8, 8]);
    assert_eq!((tally.packets, tally.damaged), (6, 2));
}

#[test]
fn time_stamps_of_any_resolution_become_microseconds() {
    use super::Units;
    let second = |per_second: u64| ((per_second >> 32) as u32, per_second as u32);
    for (resolution, units) in [(6, 1_000_000), (9, 1_000_000_000), (0, 1), (0x80 | 20, 1 << 20), (3, 1000)] {
        let (high, low) = second(units);
        assert_eq!(Units::new(resolution, 0).micros(high, low), 1_000_000, "{resolution}");
        assert_eq!(Units::new(resolution, 2).micros(high, low), 3_000_000, "{resolution}");
    }
    assert_eq!(Units::new(127, i64::MIN).micros(u32::MAX, u32::MAX), 0);
    assert_eq!(Units::new(255, i64::MAX).micros(u32::MAX, u32::MAX), u64::MAX);
}

#[test]
fn a_truncated_file_gives_what_is_whole_and_says_so() {
    let mut file = pcap(ETHERNET, &[udp(&request("INVITE", "a", "")), udp(&request("INVITE", "b", ""))]);
    file.truncate(file.len() - 5);
    let (seen, _, fault) = read(file);
    assert_eq!(call_ids(&seen), ["a"]);
    assert!(text(fault).starts_with("the file ends in the middle of a packet, after "));
    let order = Order { big: false };
    let mut file = [order.section(), order.interface(1, 6), order.packet(0, 1, &udp(b"x"))].concat();
    file.truncate(file.len() - 1);
    assert!(matches!(read(file).2, Some(CaptureError::Truncated(_))));
}

#[test]
fn what_is_no_capture_is_named() {
    assert_eq!(text(read(Vec::new()).2), "the file is empty");
    assert_eq!(text(read(b"From: alice\n".repeat(40)).2), "neither PCAP nor PCAPNG");
    assert_eq!(text(read(b"ab".to_vec()).2), "neither PCAP nor PCAPNG");
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3].repeat(10);
    assert_eq!(text(read(gzip).2), "neither PCAP nor PCAPNG: it is compressed, gunzip it first");
    // The header of a PCAP file alone is a capture of nothing.
    assert!(read(pcap(ETHERNET, &[])).2.is_none());
}

#[test]
fn a_length_that_cannot_be_is_damage_and_costs_no_memory() {
    let mut file = pcap(ETHERNET, &[udp(&request("INVITE", "a", ""))]);
    let good = file.len();
    file.extend([0; 8]);
    file.extend([0xff, 0xff, 0xff, 0x7f].repeat(2));
    file.resize(file.len() + 20 * 1024 * 1024, 0);
    let (seen, _, fault) = read(file);
    assert_eq!(call_ids(&seen), ["a"]);
    assert!(matches!(fault, Some(CaptureError::Damaged(at)) if at == good), "{fault:?}");
}

#[test]
fn a_block_larger_than_the_first_buffer_is_read() {
    let order = Order { big: false };
    let mut file = order.section();
    file.extend(order.interface(ETHERNET, 6));
    // A block of a kind that says nothing to us.
    let mut large = order.simple(&vec![0; 3 * 1024 * 1024]);
    large[..4].copy_from_slice(&order.u32(0x0bad));
    file.extend(large);
    file.extend(order.packet(0, 1, &udp(&request("INVITE", "a", ""))));
    let (seen, _, fault) = read(file);
    assert!(fault.is_none(), "{fault:?}");
    assert_eq!(call_ids(&seen), ["a"]);
}
