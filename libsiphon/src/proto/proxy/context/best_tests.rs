use super::*;

fn response(status: u16) -> Message {
    let text = format!(
        "SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:a@example.com>;tag=a\r\n\
         To: <sip:b@example.com>;tag=b\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    );
    Message::parse(text.as_bytes(), &Limits::default()).unwrap()
}

#[track_caller]
fn chosen(statuses: &[u16], best: u16) {
    let mut candidates = Candidates::default();
    for status in statuses {
        candidates.add(response(*status));
    }
    assert_eq!(candidates.best().status(), best, "{statuses:?}");
}

#[test]
fn a_6xx_beats_all_and_then_the_lowest_class() {
    chosen(&[404, 603, 302], 603);
    chosen(&[500, 486, 302], 302);
    chosen(&[503, 500, 486], 486);
    chosen(&[503, 500], 500);
}

#[test]
fn within_4xx_what_tells_how_to_ask_again_comes_first_and_silence_last() {
    chosen(&[404, 487, 415], 415);
    chosen(&[486, 407, 404], 407);
    chosen(&[408, 487, 486], 486);
    chosen(&[480, 486], 480);
}

#[test]
fn nothing_at_all_is_480() {
    assert_eq!(Candidates::default().best(), Best::Local { code: 480 });
}

#[test]
fn a_503_goes_up_as_500_and_a_408_not_at_all_to_other_than_invite() {
    let received = |status| Best::Received(response(status));
    assert_eq!(received(503).upward(true), Upward::Answer(500));
    assert_eq!(Best::Local { code: 503 }.upward(false), Upward::Answer(500));
    assert_eq!(received(486).upward(true), Upward::Forward(response(486)));
    assert_eq!(Best::Local { code: 480 }.upward(true), Upward::Answer(480));
    assert_eq!(Best::Local { code: 408 }.upward(true), Upward::Answer(408));
    assert_eq!(Best::Local { code: 408 }.upward(false), Upward::Nothing);
    assert_eq!(received(408).upward(false), Upward::Nothing);
}
