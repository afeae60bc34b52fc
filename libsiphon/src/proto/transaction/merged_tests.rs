use super::*;
use crate::wire::sip::Limits;

const OPTIONS: &str = "OPTIONS sip:here.example SIP/2.0
Via: SIP/2.0/UDP proxy.example;branch=z9hG4bKleft
Max-Forwards: 70
From: <sip:alice@atlanta.example>;tag=a1
To: <sip:here.example>
Call-ID: c1
CSeq: 7 OPTIONS
Content-Length: 0

";

fn parse(text: &str) -> Message {
    Message::parse(text.replace('\n', "\r\n").as_bytes(), &Limits::default()).expect("a valid message")
}

fn table() -> MergedRequests {
    MergedRequests::new(Secret::new(1, 2), 3)
}

#[test]
fn the_same_request_by_another_path_is_merged_until_the_first_has_ended() {
    let mut table = table();
    let Entered::First(ticket) = table.enter(&parse(OPTIONS), 1) else { panic!("the first one") };
    let right = parse(&OPTIONS.replace("left", "right"));
    assert_eq!(table.enter(&right, 2), Entered::Merged { with: 1 });
    table.leave(ticket);
    table.leave(ticket);
    assert!(table.is_empty());
    assert!(matches!(table.enter(&right, 2), Entered::First(_)));
}

#[test]
fn from_tag_call_id_and_the_whole_cseq_must_be_the_same() {
    for (old, new) in
        [("tag=a1", "tag=a2"), ("Call-ID: c1", "Call-ID: c2"), ("CSeq: 7", "CSeq: 8"), ("OPTIONS", "MESSAGE")]
    {
        let mut table = table();
        table.enter(&parse(OPTIONS), 1);
        let other = parse(&OPTIONS.replace(old, new));
        assert!(matches!(table.enter(&other, 2), Entered::First(_)), "{new}");
    }
}

#[test]
fn a_request_inside_a_dialog_is_never_merged() {
    let mut table = table();
    let inside = parse(&OPTIONS.replace("To: <sip:here.example>", "To: <sip:here.example>;tag=t"));
    assert_eq!(table.enter(&inside, 1), Entered::Untracked);
    assert_eq!(table.enter(&inside, 2), Entered::Untracked);
}

#[test]
fn at_the_limit_a_request_passes_untracked_and_known_ones_are_still_found() {
    let mut table = table();
    for n in 0..3 {
        let request = parse(&OPTIONS.replace("c1", &format!("call{n}")));
        assert!(matches!(table.enter(&request, n), Entered::First(_)));
    }
    assert_eq!(table.enter(&parse(OPTIONS), 9), Entered::Untracked);
    let again = parse(&OPTIONS.replace("c1", "call2").replace("left", "right"));
    assert_eq!(table.enter(&again, 9), Entered::Merged { with: 2 });
    assert_eq!(table.len(), 3);
}
