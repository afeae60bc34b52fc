use crate::testing::{Flag, request, seen, tcp};

/// Where the sequence numbers wrap in the middle.
const FIRST: u32 = u32::MAX - 300;

/// A connection that carries `octets`, in segments of `size`, from its SYN on.
fn connection(octets: &[u8], size: usize) -> Vec<Vec<u8>> {
    let mut packets = vec![tcp(FIRST, Flag::Syn, b"")];
    let mut sequence = FIRST.wrapping_add(1);
    for part in octets.chunks(size) {
        packets.push(tcp(sequence, Flag::None, part));
        sequence = sequence.wrapping_add(part.len() as u32);
    }
    packets
}

fn three() -> Vec<u8> {
    ["a", "b", "c"].iter().flat_map(|id| request("MESSAGE", id, &"hello ".repeat(30))).collect()
}

#[test]
fn messages_are_cut_out_of_any_segments() {
    for size in [1, 7, 100, 536, 1460] {
        let (ids, tally) = seen(&connection(&three(), size));
        assert_eq!(ids, ["a", "b", "c"], "{size}");
        assert_eq!((tally.gaps, tally.repeated, tally.unfinished), (0, 0, 0));
    }
}

#[test]
fn segments_that_come_late_twice_or_overlap_change_nothing() {
    let mut packets = connection(&three(), 200);
    packets.swap(2, 4);
    packets.insert(6, packets[2].clone());
    packets.push(packets[0].clone());
    // A segment that repeats the end of the one before it and goes on.
    let octets = three();
    packets.insert(4, tcp(FIRST.wrapping_add(101), Flag::None, &octets[100..450]));
    let (ids, tally) = seen(&packets);
    assert_eq!(ids, ["a", "b", "c"]);
    assert!(tally.repeated > 0 && tally.gaps == 0, "{tally:?}");
}

#[test]
fn after_a_gap_reading_goes_on_at_the_next_message() {
    let first = request("MESSAGE", "a", &"x".repeat(900));
    let length = first.len();
    let mut packets = connection(&first, 300);
    packets.remove(2);
    let mut sequence = FIRST.wrapping_add(1 + length as u32);
    for id in ["b", "c"] {
        let message = request("MESSAGE", id, "");
        packets.push(tcp(sequence, Flag::None, &message));
        sequence = sequence.wrapping_add(message.len() as u32);
    }
    let (ids, tally) = seen(&packets);
    assert_eq!(ids, ["b", "c"]);
    assert_eq!((tally.gaps, tally.unfinished), (1, 1));
    assert!(tally.passed_over > 0);
}

#[test]
fn a_connection_that_was_there_before_is_joined_at_a_message() {
    let mut packets = connection(&three(), 100_000);
    packets.remove(0);
    packets.insert(0, tcp(FIRST.wrapping_sub(9), Flag::None, b"the end\r\n\r\n"));
    let (ids, tally) = seen(&packets);
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(tally.passed_over, 1);
}

#[test]
fn a_second_connection_of_the_same_ports_begins_anew() {
    let mut packets = connection(&request("MESSAGE", "a", "unfinished")[..150], 100);
    let again = request("MESSAGE", "b", "");
    packets.push(tcp(5_000_000, Flag::Syn, b""));
    packets.push(tcp(5_000_001, Flag::None, &again));
    packets.push(tcp(5_000_001 + again.len() as u32, Flag::Fin, b""));
    packets.push(tcp(5_000_001, Flag::None, &again));
    let (ids, tally) = seen(&packets);
    assert_eq!(ids, ["b"]);
    assert_eq!((tally.unfinished, tally.repeated), (1, 1));
}

#[test]
fn other_protocols_are_left_alone() {
    let hello = [&[0x16, 3, 1, 0, 5][..], &[1, 0, 0, 1, 0]].concat();
    let (ids, tally) = seen(&connection(&hello, 100));
    assert!(ids.is_empty());
    assert_eq!((tally.tls, tally.not_sip), (1, 0));
    let http = b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n".repeat(5);
    let (ids, tally) = seen(&connection(&http, 20));
    assert!(ids.is_empty(), "{ids:?}");
    assert_eq!((tally.tls, tally.not_sip), (0, 1));
}

#[test]
fn empty_lines_between_messages_are_keepalives() {
    let octets = [b"\r\n\r\n".to_vec(), three(), b"\r\n\r\n".to_vec()].concat();
    let (ids, tally) = seen(&connection(&octets, 333));
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(tally.keepalives, 4);
}

#[test]
fn a_message_without_length_is_shown_and_the_next_segment_read() {
    let text = String::from_utf8(request("MESSAGE", "a", "")).unwrap().replace("Content-Length: 0\r\n", "");
    let mut packets = connection(text.as_bytes(), 100_000);
    packets.push(tcp(FIRST.wrapping_add(1 + text.len() as u32), Flag::None, &request("MESSAGE", "b", "")));
    let (ids, _) = seen(&packets);
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert!(ids[0].starts_with('!'));
    assert_eq!(ids[1], "b");
}

#[test]
fn what_waits_behind_a_missing_segment_is_bounded() {
    let mut packets = vec![tcp(FIRST, Flag::Syn, b"")];
    let mut sequence = FIRST.wrapping_add(1000);
    let part = vec![b'x'; 1400];
    for _ in 0..1000 {
        packets.push(tcp(sequence, Flag::None, &part));
        sequence = sequence.wrapping_add(1400);
    }
    packets.push(tcp(sequence, Flag::None, &request("MESSAGE", "after", "")));
    let (ids, tally) = seen(&packets);
    assert_eq!(ids, ["after"]);
    assert_eq!(tally.gaps, 1);
    assert_eq!(tally.passed_over, 1000);
}

#[test]
fn a_reset_ends_it() {
    let mut packets = connection(&three(), 500);
    packets.push(tcp(FIRST, Flag::Rst, b""));
    assert_eq!(seen(&packets).0, ["a", "b", "c"]);
}
